//! API keys of publishers. Holds digests only: a key cannot be printed, because it is not here.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, Uri, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// The keys that are accepted; several at a time, so that they can be rotated.
#[derive(Clone)]
pub struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// Takes the keys in clear and keeps their digests. Keys are long and random, so a fast hash is enough.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(|key| Sha256::digest(key).into()).collect())
    }

    /// Whether `key` is one of them. Takes the same time whichever it is, or none.
    pub fn accept(&self, key: &[u8]) -> bool {
        self.which(key).is_some()
    }

    /// Which of them `key` is, counted from 1: what it is called where it must not be told. Takes the same time whichever it
    /// is, or none.
    pub fn which(&self, key: &[u8]) -> Option<usize> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        let found = (1_u32..).zip(&self.0).fold(0_u32, |found, (number, known)| {
            u32::conditional_select(&found, &number, known.ct_eq(&digest))
        });
        usize::try_from(found).ok().filter(|number| *number > 0)
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.0.len())
    }
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key a request presents: `X-API-Key: <key>`, or `Authorization: Bearer <key>`.
pub fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(&X_API_KEY) {
        return Some(key.as_bytes());
    }
    bearer(headers)
}

/// Whether a URL holds something that looks like a key. It is never read: by then it stands in the logs of proxies.
pub fn has_key_in_url(uri: &Uri) -> bool {
    const NAMES: [&str; 6] = ["api_key", "apikey", "api-key", "x-api-key", "key", "token"];
    let mut pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.any(|(name, _)| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// What `Authorization: Bearer` holds; `None` for every other scheme.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| secret.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_either_header_and_nowhere_else() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())])
        };
        assert_eq!(presented_key(&headers("x-api-key", "k")), Some(&b"k"[..]));
        assert_eq!(presented_key(&headers("authorization", "Bearer k")), Some(&b"k"[..]));
        assert_eq!(presented_key(&headers("authorization", "bearer  k ")), Some(&b"k"[..]));
        assert_eq!(presented_key(&headers("authorization", "Basic a2s6")), None);
        assert_eq!(presented_key(&headers("authorization", "Be")), None);
        assert_eq!(presented_key(&HeaderMap::new()), None);
    }

    #[test]
    fn a_key_in_the_url_is_noticed_by_its_name() {
        for query in ["api_key=k", "apiKey=k", "a=b&KEY=k", "token=", "x-api-key=k", "api%5Fkey=k"] {
            assert!(has_key_in_url(&format!("/api/notify?{query}").parse().unwrap()), "{query}");
        }
        for path in
            ["/api/notify", "/api/notify?", "/api/notify?a=key", "/key?keys=k", "/api/notify?monkey=k"]
        {
            assert!(!has_key_in_url(&path.parse().unwrap()), "{path}");
        }
    }

    #[test]
    fn every_current_key_is_accepted_and_no_other() {
        let keys = ApiKeys::new(["old", "new"]);
        assert!(keys.accept(b"old") && keys.accept(b"new"));
        assert_eq!([keys.which(b"old"), keys.which(b"new"), keys.which(b"")], [Some(1), Some(2), None]);
        assert!(!keys.accept(b"") && !keys.accept(b"ol") && !keys.accept(b"old "));
        assert_eq!(format!("{keys:?}"), "ApiKeys(2)");
    }
}
