//! Origin and Host rules against web pages. A browser names the page's origin; other clients send none, or any.

use http::HeaderValue;
use std::net::{IpAddr, SocketAddr};

/// Allowed origins: `*`, `https://app.example`, `https://app.example:3000`, or `app.example` for any scheme and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    any: bool,
    rules: Vec<Parts>,
}

/// Accepted names in the `Host` header. Another name is a page's that had its name resolve to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

/// Origin in parts. A part that a rule leaves out is empty, and matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parts {
    scheme: String,
    host: String,
    port: String,
}

impl Parts {
    fn parse(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
        let rest = rest.split('/').next().unwrap_or_default();
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an address in brackets are not a port's.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (rest, ""),
        };
        Self { scheme: scheme.to_owned(), host: host.to_owned(), port: port.to_owned() }
    }

    /// Port, or the scheme's own.
    fn port(&self) -> &str {
        match (self.port.as_str(), self.scheme.as_str()) {
            ("", "http") => "80",
            ("", "https") => "443",
            (port, _) => port,
        }
    }

    fn allows(&self, origin: &Self) -> bool {
        let matches = |rule: &str, part: &str| rule.is_empty() || rule == part;
        matches(&self.scheme, &origin.scheme)
            && matches(&self.host, &origin.host)
            && matches(&self.port, &origin.port)
    }
}

impl Default for Origins {
    /// geth's default: no page may read answers, pages from this machine may open WebSockets.
    fn default() -> Self {
        Self::new([])
    }
}

impl Origins {
    /// Parses rules.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Self {
        let rules: Vec<&str> = rules.into_iter().collect();
        Self { any: rules.contains(&"*"), rules: rules.iter().map(|rule| Parts::parse(rule)).collect() }
    }

    /// True when no page is allowed.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// True when a WebSocket may be opened with this `Origin`.
    pub(crate) fn open(&self, origin: Option<&HeaderValue>) -> bool {
        match origin {
            Some(origin) if self.is_empty() => Self::new(["http://localhost"]).allow(origin),
            Some(origin) => self.allow(origin),
            None => true,
        }
    }

    /// `Access-Control-Allow-Origin` for this page, `None` when it may not read answers.
    pub(crate) fn readers(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self.any {
            true => Some(HeaderValue::from_static("*")),
            false => self.reads(origin).then(|| origin.clone()),
        }
    }

    /// As geth's library for it: an origin with a scheme is that origin, with its port, and no other.
    fn reads(&self, origin: &HeaderValue) -> bool {
        let of_rule = |rule: &Parts, page: &Parts| match rule.scheme.is_empty() {
            true => rule.allows(page),
            false => (&rule.scheme, &rule.host, rule.port()) == (&page.scheme, &page.host, page.port()),
        };
        origin.to_str().is_ok_and(|text| {
            let page = Parts::parse(text);
            self.rules.iter().any(|rule| of_rule(rule, &page))
        })
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        self.any
            || origin.to_str().is_ok_and(|text| {
                let origin = Parts::parse(text);
                self.rules.iter().any(|rule| rule.allows(&origin))
            })
    }
}

impl Default for Hosts {
    /// geth's default.
    fn default() -> Self {
        Self::new(["localhost"])
    }
}

impl Hosts {
    /// Parses names; `*` is any name.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// Hosts that allow any name.
    #[must_use]
    pub fn any() -> Self {
        Self::new(["*"])
    }

    /// True when a request to this `Host` may pass. Addresses always may: no page can make them resolve to us.
    pub(crate) fn allow(&self, host: Option<&str>) -> bool {
        let Some(host) = host.filter(|host| !host.is_empty()) else { return true };
        let is_address = host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok();
        let name = Parts::parse(host).host;
        let address = name.trim_start_matches('[').trim_end_matches(']');
        is_address
            || address.parse::<IpAddr>().is_ok()
            || self.0.iter().any(|allowed| *allowed == "*" || *allowed == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &[&str], origin: &str, allowed: bool) {
        let value = HeaderValue::from_str(origin).expect("a header");
        assert_eq!(Origins::new(rules.iter().copied()).open(Some(&value)), allowed, "{rules:?} {origin}");
    }

    /// geth's own cases for its WebSocket origins.
    #[test]
    fn rules_are_geths() {
        check(&["*"], "http://test", true);
        check(&["http://test"], "http://test", true);
        check(&["http://test"], "https://test", false);
        check(&["http://test"], "http://test:8540", true);
        check(&["http://test:8540"], "http://test", false);
        check(&["http://test:8540"], "http://test:8540", true);
        check(&["http://test:8540"], "http://test:8541", false);
        check(&["test"], "https://TEST:99", true);
        check(&["test:99"], "https://test:98", false);
        check(&["http://localhost", "http://test"], "http://evil.example", false);
        check(&[], "http://test", false);
        check(&["http://[::1]"], "http://[::1]:80", true);
        check(&["http://test"], "null", false);
        check(&[], "http://localhost:3000", true);
        assert!(Origins::default().open(None), "what is no browser");
    }

    #[test]
    fn pages_that_may_read() {
        let page = HeaderValue::from_static("https://app.example");
        assert_eq!(Origins::default().readers(&page), None);
        assert_eq!(Origins::new(["*"]).readers(&page), Some(HeaderValue::from_static("*")));
        assert_eq!(Origins::new(["app.example"]).readers(&page), Some(page.clone()));
        assert_eq!(Origins::new(["https://other.example"]).readers(&page), None);
        for (rule, page, reads) in [
            ("http://page.example", "http://page.example", true),
            ("http://page.example", "http://page.example:8080", false),
            ("http://page.example:8080", "http://page.example:8080", true),
            ("http://page.example:80", "http://page.example", true),
            ("page.example", "http://page.example:8080", true),
        ] {
            let page = HeaderValue::from_static(page);
            assert_eq!(Origins::new([rule]).readers(&page).is_some(), reads, "{rule} {page:?}");
        }
    }

    #[test]
    fn hosts_are_geths() {
        let hosts = Hosts::new(["localhost", "RPC.example"]);
        for (host, allowed) in [
            ("localhost", true),
            ("localhost:8545", true),
            ("LocalHost", true),
            ("rpc.example:443", true),
            ("evil.example", false),
            ("evil.example:8545", false),
            ("127.0.0.1:8545", true),
            ("10.1.2.3", true),
            ("[::1]:8545", true),
            ("::1", true),
            ("", true),
        ] {
            assert_eq!(hosts.allow(Some(host)), allowed, "{host}");
        }
        assert!(hosts.allow(None) && Hosts::any().allow(Some("evil.example")));
    }
}
