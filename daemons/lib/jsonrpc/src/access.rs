//! Authentication: bearer tokens, JWTs and client certificates prove an identity.

use crate::identity::Identity;
use crate::jwt::{self, mac};
use crate::roll::Roll;
use hmac::Mac as _;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

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

/// Access list: credentials and the identities they prove, and beside them those on a roll.
#[derive(Debug)]
pub struct Access {
    known: Vec<(Proof, Arc<Identity>)>,
    roll: Roll,
}

impl Access {
    /// Access list, tried in this order.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (Proof, Identity)>) -> Self {
        let known = known.into_iter().map(|(proof, identity)| (proof, Arc::new(identity))).collect();
        Self { known, roll: Roll::default() }
    }

    /// The same list with a roll behind it.
    #[must_use]
    pub fn with(self, roll: Roll) -> Self {
        Self { roll, ..self }
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
        let known = self.known.iter().find(|(proof, _)| match proof {
            Proof::Bearer(expect) => token.is_some_and(|token| same(expect, token)),
            Proof::Jwt(key) => token.is_some_and(|token| jwt::is_valid(token, key, now)),
            Proof::Certificate(name) => certificate.as_ref().is_some_and(|certificate| {
                ServerName::try_from(name.as_str())
                    .is_ok_and(|name| verify_server_name(certificate, &name).is_ok())
            }),
        });
        let known = known.map(|(_, identity)| Arc::clone(identity));
        known.or_else(|| self.roll.find(token?)).ok_or(Refused)
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
}
