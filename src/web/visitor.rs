//! [`Authenticator`]: who connects, and whether they may. Does not close anything when a token expires: the hub's list
//! says when that is.

use axum::http::HeaderMap;
use tokio::time::Instant;

use super::{JwtKeys, Unauthorized, auth::bearer};
use crate::clock::Clock;

/// Looks at tokens of browsers.
#[derive(Debug)]
pub struct Authenticator {
    keys: JwtKeys,
    required: bool,
    clock: Clock,
}

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Showed no token, or one that nobody here can judge.
    Anonymous,
    /// Showed a good token.
    SignedIn {
        /// When the token expires, and with it the connection.
        until: Instant,
    },
}

impl Authenticator {
    /// `required`: without a token nobody gets in.
    pub fn new(keys: JwtKeys, required: bool, clock: Clock) -> Self {
        Self { keys, required, clock }
    }

    /// Decides about a connection. Without keys a token is passed over: refusing what cannot be judged would lock out
    /// every page of a shop that sends tokens already.
    pub fn admit(&self, token: Option<&str>) -> Result<Visitor, Unauthorized> {
        match token {
            Some(token) if !self.keys.is_empty() => {
                let left = self.keys.verify(token, self.clock.now())?;
                Ok(Visitor::SignedIn { until: Instant::now() + left })
            }
            _ if self.required => Err(Unauthorized),
            _ => Ok(Visitor::Anonymous),
        }
    }
}

impl Visitor {
    /// Whether a good token was shown.
    pub fn is_authenticated(self) -> bool {
        self.expires_at().is_some()
    }

    /// When the connection has to end.
    pub fn expires_at(self) -> Option<Instant> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn { until } => Some(until),
        }
    }
}

/// The token of a request: `Authorization: Bearer <token>` or, because `EventSource` cannot send headers, `?token=`.
pub fn presented_token(headers: &HeaderMap, query: &str) -> Option<String> {
    let header = bearer(headers).map(|token| String::from_utf8_lossy(token).into_owned());
    let in_query = || {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "token").map(|(_, token)| token.into_owned())
    };
    header.or_else(in_query).filter(|token| !token.is_empty())
}
