//! Which web pages may speak to us. A browser names the page's origin; what is no browser sends none, or any.

use http::HeaderValue;

/// Allowed origins: `*`, `https://app.example`, `https://app.example:3000`, or `app.example` for any scheme and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    any: bool,
    rules: Vec<Parts>,
}

/// What a rule leaves out is empty, and matches all.
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

    fn allows(&self, origin: &Self) -> bool {
        let matches = |rule: &str, part: &str| rule.is_empty() || rule == part;
        matches(&self.scheme, &origin.scheme)
            && matches(&self.host, &origin.host)
            && matches(&self.port, &origin.port)
    }
}

impl Default for Origins {
    /// geth's for WebSocket: pages from this machine.
    fn default() -> Self {
        Self::new(["http://localhost"])
    }
}

impl Origins {
    /// Reads rules.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Self {
        let rules: Vec<&str> = rules.into_iter().collect();
        Self { any: rules.contains(&"*"), rules: rules.iter().map(|rule| Parts::parse(rule)).collect() }
    }

    /// Whether a request with this `Origin` may pass.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>) -> bool {
        let Some(origin) = origin else { return true };
        self.any
            || origin.to_str().is_ok_and(|text| {
                let origin = Parts::parse(text);
                self.rules.iter().any(|rule| rule.allows(&origin))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &[&str], origin: &str, allowed: bool) {
        let value = HeaderValue::from_str(origin).expect("a header");
        assert_eq!(Origins::new(rules.iter().copied()).allow(Some(&value)), allowed, "{rules:?} {origin}");
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
        assert!(Origins::default().allow(None), "what is no browser");
        assert!(Origins::default().allow(Some(&HeaderValue::from_static("http://localhost:3000"))));
    }
}
