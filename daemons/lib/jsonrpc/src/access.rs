//! Authentication and authorisation: bearer tokens, JWTs and client certificates prove an identity, which has rights
//! and a rate.
//!
//! # Why the token bucket is ours
//! governor would replace twenty lines, and brings five crates that nothing else here needs.

use crate::codes;
use crate::error::Error;
use crate::jwt::{self, mac};
use crate::owner::Owner;
use hmac::Mac as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

/// Identity with rights, as settings name it.
#[derive(Debug)]
pub struct Identity {
    /// Name, for people.
    pub name: String,
    /// Namespaces whose methods it may call; `None` for all that the listener serves.
    pub namespaces: Option<Vec<String>>,
    /// Right to send transactions.
    pub may_send: bool,
    pub(crate) owner: Owner,
    rate: Option<Rate>,
}

impl Identity {
    /// Identity of these rights. A bucket of `calls_per_s` calls bounds its rate, so as many may come at once.
    #[must_use]
    pub fn new(
        name: String,
        namespaces: Option<Vec<String>>,
        may_send: bool,
        calls_per_s: Option<u32>,
    ) -> Self {
        let rate = calls_per_s.map(|calls| Rate {
            per_s: f64::from(calls),
            bucket: Mutex::new((f64::from(calls), Instant::now())),
        });
        let owner = Owner::known(&name, false, None);
        Self { name, namespaces, may_send, owner, rate }
    }

    /// The same identity, which may see transactions of others or not, and whose own have this tag.
    #[must_use]
    pub fn sending(self, sees_all: bool, tag: Option<String>) -> Self {
        Self { owner: Owner::known(&self.name, sees_all, tag), ..self }
    }

    /// Counts one call.
    pub(crate) fn take(&self) -> Result<(), Error> {
        match &self.rate {
            Some(rate) if !rate.take(Instant::now()) => {
                Err(Error::new(codes::LIMIT_EXCEEDED, format!("more than {} calls per second", rate.per_s)))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Rate {
    per_s: f64,
    /// Token bucket: calls left, and the time as of which that holds.
    bucket: Mutex<(f64, Instant)>,
}

impl Rate {
    fn take(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *bucket;
        let left =
            now.saturating_duration_since(since).as_secs_f64().mul_add(self.per_s, left).min(self.per_s);
        let taken = left >= 1.0;
        *bucket = (if taken { left - 1.0 } else { left }, now);
        taken
    }
}

/// Credential that proves an identity.
#[derive(Clone)]
pub enum Proof {
    /// `Authorization: Bearer TOKEN`.
    Bearer(String),
    /// `Authorization: Bearer JWT`, signed with this key (HS256).
    Jwt(Vec<u8>),
    /// A client certificate that is valid for this DNS name.
    Certificate(String),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer(_) => f.write_str("Bearer"),
            Self::Jwt(_) => f.write_str("Jwt"),
            Self::Certificate(name) => write!(f, "Certificate({name})"),
        }
    }
}

/// Failed authentication. The cause is left out: it would help only those who guess.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// Access list: credentials and the identities they prove.
#[derive(Debug)]
pub struct Access(Vec<(Proof, Arc<Identity>)>);

impl Access {
    /// Access list, tried in this order.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (Proof, Identity)>) -> Self {
        Self(known.into_iter().map(|(proof, identity)| (proof, Arc::new(identity))).collect())
    }

    pub(crate) fn identify(
        &self,
        authorization: Option<&str>,
        certificate: Option<&CertificateDer<'_>>,
        now: SystemTime,
    ) -> Result<Arc<Identity>, Refused> {
        let token = authorization.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let certificate = certificate.and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        let known = self.0.iter().find(|(proof, _)| match proof {
            Proof::Bearer(expect) => token.is_some_and(|token| same(expect, token)),
            Proof::Jwt(key) => token.is_some_and(|token| jwt::is_valid(token, key, now)),
            Proof::Certificate(name) => certificate.as_ref().is_some_and(|certificate| {
                ServerName::try_from(name.as_str())
                    .is_ok_and(|name| verify_server_name(certificate, &name).is_ok())
            }),
        });
        known.map(|(_, identity)| Arc::clone(identity)).ok_or(Refused)
    }
}

/// Comparison in constant time: the time taken must not show how much of a guess is right.
fn same(expect: &str, token: &str) -> bool {
    let digest = |text| mac(b"bearer", text).map(|mac| mac.finalize().into_bytes());
    let ours = digest(expect);
    ours.is_some_and(|ours| mac(b"bearer", token).is_some_and(|mac| mac.verify_slice(&ours).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn access() -> Access {
        let identity = |name: &str| Identity::new(name.to_owned(), None, true, None);
        Access::new([
            (Proof::Bearer("t0ken".to_owned()), identity("bearer")),
            (Proof::Jwt(b"your-256-bit-secret".to_vec()), identity("jwt")),
        ])
    }

    #[track_caller]
    fn check(authorization: &str, name: Option<&str>) {
        let now = UNIX_EPOCH + Duration::from_secs(1_516_239_022);
        let known = access().identify(Some(authorization), None, now).ok();
        assert_eq!(known.as_ref().map(|identity| &*identity.name), name, "{authorization}");
    }

    #[test]
    fn tokens_are_told_apart() {
        check("Bearer t0ken", Some("bearer"));
        check("bearer  t0ken", Some("bearer"));
        check("Bearer t0ken2", None);
        check("Bearer t0ke", None);
        check("Basic t0ken", None);
        check("Bearer", None);
        assert!(access().identify(None, None, SystemTime::now()).is_err());
    }

    #[test]
    fn a_jwt_proves_an_identity_while_it_counts() {
        check(&format!("Bearer {}", jwt::tests::KNOWN), Some("jwt"));
        check("Bearer a.b", None);
        let late = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert!(access().identify(Some(&format!("Bearer {}", jwt::tests::KNOWN)), None, late).is_err());
    }

    #[test]
    fn rates_refill() {
        let rate = Rate { per_s: 2.0, bucket: Mutex::new((2.0, Instant::now())) };
        let start = Instant::now();
        assert!(rate.take(start) && rate.take(start) && !rate.take(start));
        assert!(!rate.take(start + Duration::from_millis(400)));
        assert!(rate.take(start + Duration::from_millis(600)));
        let later = start + Duration::from_secs(60);
        assert!(rate.take(later) && rate.take(later) && !rate.take(later), "no more than two at once");
    }
}
