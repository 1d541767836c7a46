//! The HTTP kit: problems, API keys, origins, limits. No routes: those are in `app`.

mod auth;
mod limits;
mod origin;
mod problem;

pub use auth::{ApiKeys, presented_key};
pub use limits::FailureLimiter;
pub use origin::Origins;
pub use problem::{FieldError, Problem, RefusedWith};
