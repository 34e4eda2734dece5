//! Endpoints: addresses of JSON-RPC servers.

use http::Uri;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Address of a JSON-RPC server, parsed from `http://`, `https://`, `ws://` or `wss://` with a host, or the absolute
/// path of an IPC socket.
#[derive(Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// HTTP, with TLS for `https`.
    Http(Uri),
    /// WebSocket, with TLS for `wss`.
    WebSocket(Uri),
    /// IPC socket.
    Ipc(PathBuf),
}

/// Address that names no server.
#[derive(Debug, thiserror::Error)]
#[error("read address {text}: want {want}")]
pub struct AddressError {
    text: String,
    want: &'static str,
}

/// Addresses that there are.
const WANT: &str =
    "http://, https://, ws:// or wss:// with a host and no password, or the absolute path of an IPC socket";
/// Cure for a key that stands for itself in an address.
const WANT_KEY: &str = "it without the key, and `credential = Some (M.Credential.Path \"{credential:NAME}\")`, which puts it \
                        behind the address";

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if Path::new(text).is_absolute() {
            return Ok(Self::Ipc(text.into()));
        }
        if text.contains("{credential:") {
            return Err(AddressError { text: text.to_owned(), want: WANT_KEY });
        }
        let parsed = text.parse::<Uri>().ok().filter(|uri| {
            // A password in an address ends up in logs.
            uri.host().is_some()
                && uri.authority().is_some_and(|all| !all.as_str().contains('@'))
                && has_port(uri)
        });
        match (parsed.as_ref().and_then(Uri::scheme_str), &parsed) {
            (Some("http" | "https"), Some(uri)) => Ok(Self::Http(uri.clone())),
            (Some("ws" | "wss"), Some(uri)) => Ok(Self::WebSocket(uri.clone())),
            _ => {
                let text = text.rsplit('@').next().unwrap_or_default().to_owned();
                Err(AddressError { text, want: WANT })
            }
        }
    }
}

/// False for a port that there is not, which would count as none.
fn has_port(uri: &Uri) -> bool {
    let text = uri.authority().map_or("", |authority| authority.as_str());
    let behind_host = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    uri.port_u16().is_some_and(|port| port > 0) || !behind_host.contains(':')
}

impl Endpoint {
    /// True for a server on another machine, and no TLS on the way to it.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        let (Self::Http(uri) | Self::WebSocket(uri)) = self else { return false };
        let host = uri.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        matches!(uri.scheme_str(), Some("http" | "ws")) && !is_here
    }

    /// Address with one part more at the end of its path. `None` where there is no path, or for a text that is no such part.
    pub(super) fn within(&self, part: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let is_part = !part.is_empty() && part.chars().all(plain) && !part.chars().all(|c| c == '.');
        let extended = |uri: &Uri| {
            let mut parts = uri.clone().into_parts();
            let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
            let path = format!("{}/{part}{query}", uri.path().trim_end_matches('/'));
            parts.path_and_query = Some(path.parse().ok()?);
            Uri::from_parts(parts).ok()
        };
        match self {
            Self::Http(uri) if is_part => extended(uri).map(Self::Http),
            Self::WebSocket(uri) if is_part => extended(uri).map(Self::WebSocket),
            _ => None,
        }
    }
}

impl fmt::Display for Endpoint {
    /// Text without the path of a URL: providers put keys there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipc(path) => path.display().fmt(f),
            Self::Http(uri) | Self::WebSocket(uri) => {
                let authority = uri.authority().map_or("", |authority| authority.as_str());
                write!(f, "{}://{authority}", uri.scheme_str().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_key_is_the_last_part_of_a_path() {
        for (text, key, expect) in [
            ("https://rpc.example", "k3y", Some("https://rpc.example/k3y")),
            ("wss://rpc.example/v3/?a=b", "k3y", Some("wss://rpc.example/v3/k3y?a=b")),
            ("https://rpc.example/v3", "a/b", None),
            ("https://rpc.example/v3", "..", None),
            ("https://rpc.example/v3", "", None),
            ("/run/geth.ipc", "k3y", None),
        ] {
            let within = text.parse::<Endpoint>().expect(text).within(key);
            let found = within.map(|endpoint| match endpoint {
                Endpoint::Http(uri) | Endpoint::WebSocket(uri) => uri.to_string(),
                Endpoint::Ipc(path) => path.display().to_string(),
            });
            assert_eq!(found.as_deref(), expect, "{text} {key}");
        }
    }

    #[test]
    fn whoever_is_on_the_way_reads_what_has_no_tls() {
        for (text, expect) in [
            ("http://node:8545", true),
            ("ws://10.0.0.7:8546", true),
            ("https://node", false),
            ("wss://node", false),
            ("http://127.0.0.1:8545", false),
            ("http://localhost", false),
            ("ws://[::1]:8546", false),
            ("/run/geth.ipc", false),
        ] {
            assert_eq!(text.parse::<Endpoint>().expect(text).is_readable_on_the_way(), expect, "{text}");
        }
    }

    #[test]
    fn addresses_are_urls_or_paths() {
        for (text, shown) in [
            ("http://node:8545/v3/k3y", "http://node:8545"),
            ("https://rpc.example", "https://rpc.example"),
            ("wss://[::1]:8546/?minBlock=7", "wss://[::1]:8546"),
            ("/run/geth.ipc", "/run/geth.ipc"),
        ] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), shown);
        }
        let bad = ["", "node:8545", "ftp://node", "http://", "http://me:secret@node", "geth.ipc"];
        for bad in bad.into_iter().chain(["http://node:99999", "http://node:0/", "ws://[::1]:70000"]) {
            let error = bad.parse::<Endpoint>().expect_err(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let error =
            "https://rpc.example/v3/{credential:key}".parse::<Endpoint>().expect_err("a place for a key");
        assert!(error.to_string().contains("M.Credential.Path"), "{error}");
    }
}
