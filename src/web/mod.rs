//! The HTTP kit: problems, API keys, tokens, origins, client addresses, limits. No routes: those are in `app`.

mod auth;
mod client;
mod jwt;
mod limits;
mod origin;
mod problem;
mod visitor;

pub use auth::{ApiKeys, has_key_in_url, presented_key};
pub use client::{ClientAddress, TrustedProxies};
pub use jwt::{JwtKeys, Unauthorized};
pub use limits::AddressBuckets;
pub use origin::Origins;
pub use problem::{FieldError, Problem, RefusedWith};
pub use visitor::{Authenticator, Visitor, presented_token};
