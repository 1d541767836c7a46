//! The channels, their messages, and what is left of them when gateways die.

mod gateways;
mod heard;
mod parse;
