//! The HTTP kit: problems, API keys, origins, client addresses, limits. No routes: those are in `app`.

mod auth;
mod client;
mod limits;
mod origin;
mod problem;

pub use auth::{ApiKeys, presented_key};
pub use client::{ClientAddress, TrustedProxies};
pub use limits::FailureLimiter;
pub use origin::Origins;
pub use problem::{FieldError, Problem, RefusedWith};
