//! [`Origins`]: which web pages may talk to the gateway. WebSockets ignore CORS, so this is enforced, not only told.

use axum::http::{HeaderMap, Uri, header::HOST, header::ORIGIN};

/// The pages that may connect.
#[derive(Debug, Clone)]
pub struct Origins {
    /// Allowed origins, exactly as browsers send them: `https://shop.example`, no path.
    pub allowed: Vec<String>,
    /// Development: every `http://localhost:*`, `127.0.0.1` and `[::1]` origin too.
    pub allow_localhost: bool,
    /// Refuse requests without `Origin`: only browsers send one.
    pub required: bool,
}

impl Origins {
    /// Whether a request with these headers, to this URL, may go on.
    pub fn allow_request(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        match headers.get(ORIGIN) {
            None => !self.required,
            Some(origin) => origin.to_str().is_ok_and(|origin| {
                // HTTP/2 names the host in the URL instead.
                let host = headers.get(HOST).and_then(|host| host.to_str().ok());
                let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
                self.allow_origin(origin) || host.is_some_and(|host| is_own(origin, host))
            }),
        }
    }

    /// Whether a page of this origin may connect; exact, because `https://shop.example.evil.test` is another shop.
    pub fn allow_origin(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin) || (self.allow_localhost && is_localhost(origin))
    }
}

/// The gateway's own pages: the origin's host and port are those the request came to.
fn is_own(origin: &str, host: &str) -> bool {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) == Some(host)
}

fn is_localhost(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let bare = uri.path_and_query().is_none_or(|path| path == "/") && !origin.ends_with('/');
    let user = origin.contains('@');
    bare && !user && uri.scheme().is_some() && matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origins: &Origins, origin: &str, host: &str) -> bool {
        let headers = [(ORIGIN, origin.parse().unwrap()), (HOST, host.parse().unwrap())];
        origins.allow_request(&HeaderMap::from_iter(headers), &Uri::from_static("/"))
    }

    #[test]
    fn only_exact_origins_and_our_own_get_in() {
        let origins =
            Origins { allowed: vec!["https://shop.example".into()], allow_localhost: false, required: false };
        for good in ["https://shop.example", "https://push.example:3003", "http://push.example:3003"] {
            assert!(allows(&origins, good, "push.example:3003"), "{good}");
        }
        for bad in [
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.test",
            "https://evil-shop.example",
            "https://SHOP.example",
            "https://push.example",
            "http://localhost:3009",
            "null",
            "",
        ] {
            assert!(!allows(&origins, bad, "push.example:3003"), "{bad}");
        }
        assert!(origins.allow_request(&HeaderMap::new(), &Uri::from_static("/")), "not a browser");
        assert!(
            !Origins { required: true, ..origins }.allow_request(&HeaderMap::new(), &Uri::from_static("/"))
        );
    }

    #[test]
    fn over_http_2_our_own_host_stands_in_the_url() {
        let origins = Origins { allowed: vec![], allow_localhost: false, required: false };
        let headers = HeaderMap::from_iter([(ORIGIN, "https://push.example".parse().unwrap())]);
        assert!(origins.allow_request(&headers, &Uri::from_static("https://push.example/api/events")));
        assert!(!origins.allow_request(&headers, &Uri::from_static("https://other.example/api/events")));
    }

    #[test]
    fn development_takes_every_localhost_page() {
        let origins = Origins { allowed: vec![], allow_localhost: true, required: false };
        for good in
            ["http://localhost:3009", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:8080"]
        {
            assert!(origins.allow_origin(good), "{good}");
        }
        for bad in [
            "http://localhost.evil.test",
            "http://evil.test/localhost",
            "http://localhost@evil.test",
            "localhost",
        ] {
            assert!(!origins.allow_origin(bad), "{bad}");
        }
    }
}
