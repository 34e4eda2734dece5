//! Endpoints: addresses of JSON-RPC servers.

use http::Uri;
use std::fmt;
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
#[error(
    "read address {0}: want http://, https://, ws:// or wss:// with a host and no password, or the absolute path of an IPC socket"
)]
pub struct AddressError(String);

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if Path::new(text).is_absolute() {
            return Ok(Self::Ipc(text.into()));
        }
        let parsed = text.parse::<Uri>().ok().filter(|uri| {
            // A password in an address ends up in logs.
            uri.host().is_some() && uri.authority().is_some_and(|all| !all.as_str().contains('@'))
        });
        match (parsed.as_ref().and_then(Uri::scheme_str), &parsed) {
            (Some("http" | "https"), Some(uri)) => Ok(Self::Http(uri.clone())),
            (Some("ws" | "wss"), Some(uri)) => Ok(Self::WebSocket(uri.clone())),
            _ => Err(AddressError(text.rsplit('@').next().unwrap_or_default().to_owned())),
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
    fn addresses_are_urls_or_paths() {
        for (text, shown) in [
            ("http://node:8545/v3/k3y", "http://node:8545"),
            ("https://rpc.example", "https://rpc.example"),
            ("wss://[::1]:8546/?minBlock=7", "wss://[::1]:8546"),
            ("/run/geth.ipc", "/run/geth.ipc"),
        ] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), shown);
        }
        for bad in ["", "node:8545", "ftp://node", "http://", "http://me:secret@node", "geth.ipc"] {
            let error = bad.parse::<Endpoint>().expect_err(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
