//! Fuzz targets: what meets the outside is given any bytes, and its answers must still be right.
//!
//! - [`Target`] and [`TARGETS`]: the list; each target is a file in [`targets`].
//! - [`eventsource`]: what a browser makes of an SSE stream, by the letter of the standard.
//! - [`gateway`]: a whole gateway in one thread and simulated time, for targets that go through the service.
//! - [`replay`](replay()): runs one input on the stable toolchain. Inputs are made by the driver in `driver/`.

#![expect(clippy::expect_used, reason = "a panic is how a target fails")]

pub mod eventsource;
pub mod gateway;
mod replay;
pub mod targets;

pub use replay::{folders, replay};

/// One decoder, or the service around it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folders.
    pub name: &'static str,
    /// Runs it on one input. Panics if something that must hold does not.
    pub run: fn(&[u8]),
    /// Executions that count as a campaign.
    pub runs: u64,
    /// Bytes of an input at most.
    pub bytes_max: usize,
}

impl Target {
    /// A decoder by itself.
    const fn pure(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run, runs: 10_000_000, bytes_max: 2_048 }
    }

    /// A decoder of what a platform posts: whole products, which are longer than anything else.
    const fn delivery(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run, runs: 10_000_000, bytes_max: 4_096 }
    }

    /// A decoder reached through the whole service, which costs hundreds of times as much.
    const fn service(name: &'static str, run: fn(&[u8])) -> Self {
        Self { name, run, runs: 500_000, bytes_max: 2_048 }
    }

    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target::pure("notify", targets::notify::run),
    Target::pure("cursor", targets::cursor::run),
    Target::pure("channel", targets::channel::run),
    Target::pure("sse_query", targets::sse_query::run),
    Target::pure("sse_block", targets::sse_block::run),
    Target::pure("token", targets::token::run),
    Target::pure("forwarded", targets::forwarded::run),
    Target::delivery("woocommerce", targets::woocommerce::run),
    Target::delivery("shopify", targets::shopify::run),
    Target::delivery("meta", targets::meta::run),
    Target::delivery("standard", targets::standard::run),
    Target::service("socketio_text", targets::socketio_text::run),
    Target::service("polling", targets::polling::run),
    Target::service("http", targets::http::run),
];
