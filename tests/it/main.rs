//! The gateway seen from outside, in one binary: real routes, real log, real streams, time held still.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod channels;
mod cli;
mod grouped;
mod health;
mod log_contract;
mod logs;
mod notify;
mod observed;
mod openapi;
mod protocol;
mod redis;
mod redis_kinds;
mod sales;
mod security;
mod spread;
mod sse;
mod support;
mod trouble;
mod webhooks;
