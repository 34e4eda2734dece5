//! Listeners of daemons, their encryption, and the identities that may come in: raw and validated.

use crate::shapes::{path, reachable, word};
use crate::{Checker, StaticType};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A listener: the address that clients connect to, and the methods that they may call there.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct ListenerRaw {
    /// Name in `addresses.json`, log lines and metrics.
    pub name: String,
    /// `address:port`, or the absolute path of an IPC socket.
    pub listen: String,
    /// Permissions of an IPC socket, in octal.
    pub socketMode: String,
    /// True if something else decides who reaches an address that is not loopback.
    pub behindProxy: bool,
    /// True if HTTP requests are answered.
    pub http: bool,
    /// True if WebSockets are.
    pub webSocket: bool,
    /// Served namespaces.
    pub namespaces: Vec<String>,
    /// Web pages that may read answers and open WebSockets.
    pub origins: Vec<String>,
    /// Names in the `Host` header that are accepted.
    pub hosts: Vec<String>,
    /// Encryption.
    pub tls: Option<TlsRaw>,
    /// Identities that may come in; empty for everybody.
    pub access: Vec<IdentityRaw>,
}

/// TLS.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct TlsRaw {
    /// PEM file: an absolute path, or `{credential:NAME}`.
    pub certificate: String,
    /// Private key, likewise.
    pub key: String,
    /// Authority that signs the certificates that clients must have, likewise.
    pub clientCa: Option<String>,
}

/// An identity that may come in.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct IdentityRaw {
    /// Name for people.
    pub name: String,
    /// Proof by which it is known.
    pub proof: ProofRaw,
    /// Namespaces, of those of the listener; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// True if transactions of this identity are taken.
    pub maySend: bool,
    /// True if it may be told of transactions that others sent.
    pub seesAll: bool,
    /// Word by which emitters choose a route for its transactions; `None` leaves that to their senders.
    pub tag: Option<String>,
    /// Calls per second, and in one burst; `None` for any number.
    pub callsPerSecond: Option<u64>,
    /// Size of all requests of a minute, and of one burst; `None` for any.
    pub requests_MB_per_min: Option<u64>,
}

/// Proof of an identity. Secrets are files: an absolute path, or `{credential:NAME}`.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum ProofRaw {
    /// A file with a bearer token.
    Bearer(String),
    /// A file with the key of HS256 JWTs, in hexadecimal as geth's `jwtsecret`.
    Jwt(String),
    /// The DNS name in a client certificate.
    Certificate(String),
}

/// Validated [`ListenerRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Name for people and `addresses.json`.
    pub name: String,
    /// Address that it binds.
    pub at: At,
    /// True if HTTP requests are answered.
    pub http: bool,
    /// True if WebSockets are.
    pub websocket: bool,
    /// Served namespaces.
    pub namespaces: Vec<String>,
    /// Web pages that may read answers and open WebSockets.
    pub origins: Vec<String>,
    /// Names in the `Host` header that are accepted.
    pub hosts: Vec<String>,
    /// Encryption.
    pub tls: Option<Tls>,
    /// Identities that may come in; empty for everybody.
    pub access: Vec<Identity>,
}

/// Address that a listener binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// TCP.
    Address(SocketAddr),
    /// An IPC socket.
    Socket {
        /// Absolute path of the socket.
        path: PathBuf,
        /// Permissions of the socket.
        mode: u32,
    },
}

/// Validated [`TlsRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate.
    pub certificate: SecretFile,
    /// PEM file of the private key.
    pub key: SecretFile,
    /// PEM file of the authority for client certificates.
    pub client_ca: Option<SecretFile>,
}

/// Validated [`IdentityRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name for people.
    pub name: String,
    /// Proof by which it is known.
    pub proof: Proof,
    /// Namespaces; `None` for all of the listener.
    pub namespaces: Option<Vec<String>>,
    /// True if transactions of this identity are taken.
    pub may_send: bool,
    /// True if it may be told of transactions that others sent.
    pub sees_all: bool,
    /// Tag of its transactions.
    pub tag: Option<String>,
    /// Calls per second; `None` for any number.
    pub calls_per_s: Option<u32>,
    /// Bytes of requests per minute; `None` for any number.
    pub request_bytes_per_min: Option<u64>,
}

/// Validated [`ProofRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A file with a bearer token.
    Bearer(SecretFile),
    /// A file with the key of HS256 JWTs.
    Jwt(SecretFile),
    /// The DNS name in a client certificate.
    Certificate(String),
}

/// A file that settings name and do not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFile {
    /// `LoadCredential=NAME:…` of the service.
    Credential(String),
    /// Absolute path.
    Path(PathBuf),
}

impl SecretFile {
    /// Reads `{credential:NAME}` or an absolute path.
    pub fn parse(field: &str, text: &str, checker: &mut Checker) -> Option<Self> {
        match text.strip_prefix("{credential:").and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => word(field, name, checker).map(Self::Credential),
            None if text.starts_with('/') => Some(Self::Path(PathBuf::from(text))),
            None => {
                checker.wrong(
                    field,
                    format_args!("expected {{credential:NAME}} or an absolute path, found `{text}`"),
                );
                None
            }
        }
    }

    /// Path of the file, given systemd's `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// When it is a credential and there are none.
    pub fn path(&self, credentials: Option<&str>) -> Result<PathBuf, String> {
        match self {
            Self::Path(path) => Ok(path.clone()),
            Self::Credential(name) => credentials
                .map(|dir| Path::new(dir).join(name))
                .ok_or_else(|| format!("no credential {name}: give the service LoadCredential={name}:FILE")),
        }
    }
}

/// Validates listeners: their names differ, and their addresses, also from that of the admin listener.
pub fn listeners(
    field: &str,
    raw: Vec<ListenerRaw>,
    admin: Option<SocketAddr>,
    checker: &mut Checker,
) -> Option<Vec<Listener>> {
    if raw.is_empty() {
        checker.wrong(field, "expected at least one listener");
        return None;
    }
    let names: Vec<String> = raw.iter().map(|listener| listener.name.clone()).collect();
    let each = raw
        .into_iter()
        .enumerate()
        .map(|(index, raw)| checker.inside(&format!("{field}[{index}]"), |checker| listener(raw, checker)));
    let each: Vec<Option<Listener>> = each.collect();
    for (index, (name, listener)) in names.iter().zip(&each).enumerate() {
        if names.iter().take(index).any(|before| before == name) {
            checker
                .wrong(&format!("{field}[{index}].name"), format_args!("two listeners are called `{name}`"));
        }
        let binds_too = |before: &&Listener| listener.as_ref().is_some_and(|later| later.binds_as(before));
        if let Some(before) = each.iter().take(index).flatten().find(binds_too) {
            let text = format_args!("the listener `{}` binds that already", before.name);
            checker.wrong(&format!("{field}[{index}].listen"), text);
        }
        let at = listener.as_ref().map(|listener| &listener.at);
        if let (Some(At::Address(at)), Some(admin)) = (at, admin)
            && collide(*at, admin)
        {
            let text = format_args!("the admin listener binds {admin} already");
            checker.wrong(&format!("{field}[{index}].listen"), text);
        }
    }
    each.into_iter().collect()
}

impl Listener {
    /// True if not both can be bound.
    fn binds_as(&self, other: &Self) -> bool {
        match (&self.at, &other.at) {
            (At::Address(one), At::Address(other)) => collide(*one, *other),
            (At::Socket { path: one, .. }, At::Socket { path: other, .. }) => one == other,
            _ => false,
        }
    }
}

/// True if not both can be bound. Port 0 is a free one; whoever binds all addresses of IPv6 has those of IPv4 as well.
#[must_use]
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let takes = |all: IpAddr, other: IpAddr| all.is_unspecified() && (all.is_ipv6() || other.is_ipv4());
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() != 0 && one.port() == other.port() && (a == b || takes(a, b) || takes(b, a))
}

fn listener(raw: ListenerRaw, checker: &mut Checker) -> Option<Listener> {
    let name = word("name", &raw.name, checker);
    let tls = match &raw.tls {
        Some(tls) => checker.inside("tls", |checker| encryption(tls, checker)).map(Some),
        None => Some(None),
    };
    let mutual = raw.tls.as_ref().is_some_and(|tls| tls.clientCa.is_some());
    let access: Vec<_> = raw
        .access
        .iter()
        .enumerate()
        .map(|(index, raw)| {
            checker.inside(&format!("access[{index}]"), |checker| identity(raw, mutual, checker))
        })
        .collect();
    let at = place(&raw, checker);
    let namespaces = all_words("namespaces", &raw.namespaces, checker);
    for (index, origin) in raw.origins.iter().enumerate() {
        if origin != "*" && origin.contains('*') {
            let text =
                format!("{origin} would match nothing: only \"*\" alone stands for others; name each origin");
            checker.wrong(&format!("origins[{index}]"), &text);
        }
    }
    if !raw.http && !raw.webSocket {
        checker.wrong("http", "neither HTTP nor WebSocket would be served");
        return None;
    }
    Some(Listener {
        name: name?,
        at: at?,
        http: raw.http,
        websocket: raw.webSocket,
        namespaces: namespaces?,
        origins: raw.origins,
        hosts: raw.hosts,
        tls: tls?,
        access: access.into_iter().collect::<Option<Vec<_>>>()?,
    })
}

fn place(raw: &ListenerRaw, checker: &mut Checker) -> Option<At> {
    if !raw.listen.starts_with('/') {
        // Encryption without known clients guards nothing, and anybody can read a token that is not encrypted.
        let guarded = raw.behindProxy || (raw.tls.is_some() && !raw.access.is_empty());
        return reachable("listen", &raw.listen, guarded, checker).map(At::Address);
    }
    if raw.tls.is_some() || !raw.access.is_empty() {
        checker.wrong(
            "listen",
            "an IPC socket has neither TLS nor access: its directory and socketMode say who may connect",
        );
        return None;
    }
    // The kernel's limit for the path of a socket.
    if raw.listen.len() > 107 {
        checker.wrong("listen", "the path of a socket has at most 107 bytes");
        return None;
    }
    let mode = u32::from_str_radix(&raw.socketMode, 8).ok().filter(|mode| *mode <= 0o777);
    let mode = checker.take(
        "socketMode",
        mode.ok_or_else(|| format!("expected octal permissions such as 0660, found `{}`", raw.socketMode)),
    );
    Some(At::Socket { path: path("listen", &raw.listen, checker)?, mode: mode? })
}

fn encryption(raw: &TlsRaw, checker: &mut Checker) -> Option<Tls> {
    let certificate = SecretFile::parse("certificate", &raw.certificate, checker);
    let key = SecretFile::parse("key", &raw.key, checker);
    let client_ca = match &raw.clientCa {
        Some(text) => SecretFile::parse("clientCa", text, checker).map(Some),
        None => Some(None),
    };
    Some(Tls { certificate: certificate?, key: key?, client_ca: client_ca? })
}

fn identity(raw: &IdentityRaw, mutual: bool, checker: &mut Checker) -> Option<Identity> {
    let name = word("name", &raw.name, checker);
    let proof = match &raw.proof {
        ProofRaw::Bearer(text) => SecretFile::parse("proof", text, checker).map(Proof::Bearer),
        ProofRaw::Jwt(text) => SecretFile::parse("proof", text, checker).map(Proof::Jwt),
        ProofRaw::Certificate(name) if mutual => Some(Proof::Certificate(name.clone())),
        ProofRaw::Certificate(_) => {
            checker.wrong("proof", "clients show certificates only where tls.clientCa says who signs them");
            None
        }
    };
    let namespaces = match &raw.namespaces {
        Some(names) => all_words("namespaces", names, checker).map(Some),
        None => Some(None),
    };
    let tag = match &raw.tag {
        Some(tag) => word("tag", tag, checker).map(Some),
        None => Some(None),
    };
    let calls_per_s = match raw.callsPerSecond {
        Some(calls) => checker.within("callsPerSecond", calls, 1..=1_000_000).map(Some),
        None => Some(None),
    };
    let request_bytes_per_min = match raw.requests_MB_per_min {
        Some(size) => checker.within::<u64>("requests_MB_per_min", size, 1..=1_000_000).map(Some),
        None => Some(None),
    };
    Some(Identity {
        name: name?,
        proof: proof?,
        namespaces: namespaces?,
        may_send: raw.maySend,
        sees_all: raw.seesAll,
        tag: tag?,
        calls_per_s: calls_per_s?,
        request_bytes_per_min: request_bytes_per_min?.map(|size| size.saturating_mul(1_000_000)),
    })
}

fn all_words(field: &str, texts: &[String], checker: &mut Checker) -> Option<Vec<String>> {
    texts.iter().map(|text| word(field, text, checker)).collect::<Vec<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::collide;

    #[test]
    fn who_binds_everything_leaves_nothing() {
        for (one, other, expect) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
        ] {
            let [a, b] = [one, other].map(|text| text.parse().expect(text));
            assert_eq!((collide(a, b), collide(b, a)), (expect, expect), "{one} {other}");
        }
    }
}
