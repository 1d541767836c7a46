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
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => !self.required,
            (Some(origin), None) => origin.to_str().is_ok_and(|origin| {
                self.allow_origin(origin) || own_host(headers, uri).is_some_and(|host| is_own(origin, host))
            }),
            // No browser sends two, and who passed the request on may have judged the other one.
            (Some(_), Some(_)) => false,
        }
    }

    /// Whether no page but those of this machine may connect.
    pub fn only_localhost(&self) -> bool {
        self.allowed.iter().all(|origin| is_localhost(origin))
    }

    /// Whether a page of this origin may connect; exact, because `https://shop.example.evil.test` is another shop.
    pub fn allow_origin(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin) || (self.allow_localhost && is_localhost(origin))
    }
}

/// The host a request came to, if it names one and no second. HTTP/2 names it in the URL instead.
fn own_host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => uri.authority().map(|authority| authority.as_str()),
        (Some(host), None) => host.to_str().ok(),
        (Some(_), Some(_)) => None,
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
    fn a_second_origin_or_host_does_not_help_the_first() {
        let origins =
            Origins { allowed: vec!["https://shop.example".into()], allow_localhost: false, required: false };
        let allows = |lines: [(axum::http::HeaderName, &str); 3]| {
            let lines = lines.map(|(name, value)| (name, value.parse().unwrap()));
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            origins.allow_request(&headers, &Uri::from_static("/"))
        };
        let (good, evil, host) = ("https://shop.example", "https://evil.example", "push.example");
        assert!(!allows([(ORIGIN, good), (ORIGIN, evil), (HOST, host)]));
        assert!(!allows([(ORIGIN, evil), (ORIGIN, good), (HOST, host)]));
        assert!(!allows([(ORIGIN, evil), (HOST, "evil.example"), (HOST, host)]));
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
