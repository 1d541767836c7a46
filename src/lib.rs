//! Shelfcast: a real-time product-sync gateway.
//!
//! Shops and back-ends say "something about product P changed"; every browser that looks at P is told within one
//! batching window and refetches P. This crate stores no product: of those that a shop shows it keeps what it takes to
//! tell what changed.
//!
//! # Layout
//!
//! In the order an event travels:
//!
//! ```text
//! POST /api/notify -> ingest --append--> eventlog --tail--> batch -> fanout -> Socket.IO rooms, SSE streams
//!                       202                           \--> index --> resume answers
//! ```
//!
//! - [`model`]: the nouns. `Event -> Entry -> Batch -> Frame`.
//! - [`ingest`]: checks what comes in; one gate appends it; 202 only after the append.
//! - [`eventlog`]: the numbered log, as a trait with its contract; in memory, or on Redis and shared by every pod.
//! - [`batch`]: windows per product, and the watermark.
//! - [`index`]: what changed when, for those who come back.
//! - [`fanout`]: who listens to what (the hub), and the two transports.
//! - [`config`], [`app`], [`cli`]: settings, wiring, commands.
//! - [`redis`], [`web`], [`net`], [`telemetry`], [`tasks`], [`rate`], [`clock`]: kits with no opinion about the flow.
//!
//! # The import rule
//!
//! Imports go one way; left never imports right (`tests/tidy.rs` keeps this):
//! `model < clock, rate, telemetry < tasks < redis, web, net < eventlog < { ingest | batch | index } < fanout < config < app < cli`.

pub mod app;
pub mod batch;
pub mod cli;
pub mod clock;
pub mod config;
pub mod eventlog;
pub mod fanout;
pub mod index;
pub mod ingest;
pub mod model;
pub mod net;
pub mod rate;
pub mod redis;
pub mod tasks;
pub mod telemetry;
pub mod web;
