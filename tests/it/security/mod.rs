//! Attacks on a gateway like this one, a test each, named by what is refused. S1 to S30 are the numbers of the checklist.
//!
//! Some are tested where the thing is: S6 `web/client.rs` and `tests/e2e/keys.test.js`; S10 and S23
//! `tests/e2e/secrets.test.js` and `telemetry/logs.rs`; S16 and S17 also `web/auth.rs`, `config/tests.rs`, `web/limits.rs`
//! and `tests/e2e/keys.test.js`; S22 also `health.rs`; S26 and S28 `tests/tidy.rs`; S29 `index/tests.rs`
//! (`an_answer_is_complete_or_it_says_refetch`) and `sse.rs`.

mod keys;
mod origins;
mod quiet;
mod rooms;
mod smuggling;

/// Settings of a gateway in production that serves one shop.
const PRODUCTION: [(&str, &str); 2] =
    [("APP_ENV", "production"), ("ALLOWED_ORIGINS", "https://shop.example")];
