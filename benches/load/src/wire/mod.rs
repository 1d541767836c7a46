//! The little of each protocol that both ends of the benchmark need: heads of HTTP, frames of WebSockets, what is published.

pub mod event;
pub mod http;
pub mod websocket;
