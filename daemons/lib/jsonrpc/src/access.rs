//! Authentication and authorisation: bearer tokens, JWTs and client certificates prove an identity, which has rights and a rate.

use crate::codes;
use crate::error::Error;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

/// geth's: a JWT without `exp` counts for so long around its `iat`.
const ISSUED_WITHIN: Duration = Duration::from_secs(60);

/// Identity with rights, as settings name it.
#[derive(Debug)]
pub struct Identity {
    /// Name, for people.
    pub name: String,
    /// Namespaces whose methods it may call; `None` for all that the listener serves.
    pub namespaces: Option<Vec<String>>,
    /// Right to send transactions.
    pub may_send: bool,
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
        Self { name, namespaces, may_send, rate }
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
    /// Token bucket: calls left, and when that was so.
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
            Proof::Jwt(key) => token.is_some_and(|token| is_signed(token, key, now)),
            Proof::Certificate(name) => certificate.as_ref().is_some_and(|certificate| {
                ServerName::try_from(name.as_str())
                    .is_ok_and(|name| verify_server_name(certificate, &name).is_ok())
            }),
        });
        known.map(|(_, identity)| Arc::clone(identity)).ok_or(Refused)
    }
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// Comparison in constant time: the time taken must not tell how much of a guess is right.
fn same(expect: &str, token: &str) -> bool {
    let digest = |text| mac(b"bearer", text).map(|mac| mac.finalize().into_bytes());
    let ours = digest(expect);
    ours.is_some_and(|ours| mac(b"bearer", token).is_some_and(|mac| mac.verify_slice(&ours).is_ok()))
}

/// HS256 only; `exp` and `nbf` count, and without `exp` a recent `iat` must be there, as geth wants it.
fn is_signed(token: &str, key: &[u8], now: SystemTime) -> bool {
    #[derive(serde::Deserialize)]
    struct Header {
        alg: String,
    }
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: Option<u64>,
        nbf: Option<u64>,
        iat: Option<u64>,
    }
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Some((header, claims)) = signed.split_once('.') else { return false };
    let valid = base64url(signature)
        .zip(mac(key, signed))
        .is_some_and(|(signature, mac)| mac.verify_slice(&signature).is_ok());
    let header = base64url(header).and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
    if !valid || header.is_none_or(|header| header.alg != "HS256") {
        return false;
    }
    let Some(claims) = base64url(claims).and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok())
    else {
        return false;
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fresh = match (claims.exp, claims.iat) {
        (Some(exp), _) => now < exp,
        (None, Some(iat)) => now.abs_diff(iat) <= ISSUED_WITHIN.as_secs(),
        (None, None) => false,
    };
    fresh && claims.nbf.is_none_or(|nbf| nbf <= now)
}

/// Base64 of URLs, without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn access() -> Access {
        let identity = |name: &str| Identity::new(name.to_owned(), None, true, None);
        Access::new([
            (Proof::Bearer("t0ken".to_owned()), identity("bearer")),
            (Proof::Jwt(b"your-256-bit-secret".to_vec()), identity("jwt")),
        ])
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits: Vec<u8> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |n| (byte >> n) & 1)).collect();
        let digit = |six: &[u8]| (0..6).fold(0, |n, i| n * 2 + usize::from(six.get(i).copied().unwrap_or(0)));
        bits.chunks(6).map(|six| char::from(DIGITS[digit(six)])).collect()
    }

    fn jwt(alg: &str, claims: &str, key: &str) -> String {
        let signed =
            format!("{}.{}", base64(format!("{{\"alg\":\"{alg}\"}}").as_bytes()), base64(claims.as_bytes()));
        let signature = mac(key.as_bytes(), &signed).expect("any key").finalize().into_bytes();
        format!("Bearer {signed}.{}", base64(&signature))
    }

    #[track_caller]
    fn check(authorization: &str, name: Option<&str>) {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
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
    fn a_jwt_counts_while_it_is_fresh() {
        const KEY: &str = "your-256-bit-secret";
        // The example of jwt.io, whose issue is long ago.
        let known = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        assert!(is_signed(known, KEY.as_bytes(), UNIX_EPOCH + Duration::from_secs(1_516_239_022)));
        check(&format!("Bearer {known}"), None);
        check(&jwt("HS256", &format!("{{\"iat\":{NOW}}}"), KEY), Some("jwt"));
        check(&jwt("HS256", &format!("{{\"iat\":{}}}", NOW - 61), KEY), None);
        check(&jwt("HS256", &format!("{{\"exp\":{}}}", NOW + 1), KEY), Some("jwt"));
        check(&jwt("HS256", &format!("{{\"exp\":{NOW}}}"), KEY), None);
        check(&jwt("HS256", &format!("{{\"exp\":{},\"nbf\":{}}}", NOW + 9, NOW + 1), KEY), None);
        check(&jwt("HS256", "{}", KEY), None);
        check(&jwt("none", &format!("{{\"iat\":{NOW}}}"), KEY), None);
        check(&jwt("HS256", &format!("{{\"iat\":{NOW}}}"), "another"), None);
        check("Bearer a.b", None);
        check("Bearer ..", None);
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
