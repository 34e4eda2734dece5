//! JSON Web Tokens as geth's engine endpoint takes them: HS256, and fresh.
//!
//! # Why not jsonwebtoken
//! Since version 10 it comes with a second backend of cryptography, or with fourteen crates for RSA and elliptic curves
//! that HS256 does not need, or wants its traits implemented: more lines than these.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use serde::de::DeserializeOwned;
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Age at which a token without `exp` expires, counted from its `iat`; also how far that may lie ahead. geth's.
const ISSUED_WITHIN: Duration = Duration::from_secs(60);

pub(crate) fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// True for a token signed with this key by HS256 that counts now: `exp` and `nbf` are kept, and without `exp` a recent
/// `iat` must be there, as geth wants it.
pub(crate) fn is_valid(token: &str, key: &[u8], now: SystemTime) -> bool {
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
    let signature = BASE64.decode(signature).ok().zip(mac(key, signed));
    if signature.is_none_or(|(signature, mac)| mac.verify_slice(&signature).is_err())
        || json::<Header>(header).is_none_or(|header| header.alg != "HS256")
    {
        return false;
    }
    let Some(claims) = json::<Claims>(claims) else { return false };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fresh = match (claims.exp, claims.iat) {
        (Some(exp), _) => now < exp,
        (None, Some(iat)) => now.abs_diff(iat) <= ISSUED_WITHIN.as_secs(),
        (None, None) => false,
    };
    fresh && claims.nbf.is_none_or(|nbf| nbf <= now)
}

/// Token issued now and signed with this key.
pub(crate) fn sign(key: &[u8], now: SystemTime) -> Option<String> {
    let issued_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = BASE64.encode(format!(r#"{{"iat":{issued_s}}}"#));
    let signed = format!("{}.{claims}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#));
    let signature = BASE64.encode(mac(key, &signed)?.finalize().into_bytes());
    Some(format!("{signed}.{signature}"))
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64.decode(part).ok()?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const KEY: &str = "your-256-bit-secret";
    const NOW: u64 = 1_700_000_000;
    /// Example token of jwt.io, issued at 1,516,239,022.
    pub(crate) const KNOWN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";

    fn jwt(alg: &str, claims: &str, key: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(format!("{{\"alg\":\"{alg}\"}}")), BASE64.encode(claims));
        let signature = mac(key.as_bytes(), &signed).expect("any key").finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    #[track_caller]
    fn check(token: &str, valid: bool) {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        assert_eq!(is_valid(token, KEY.as_bytes(), now), valid, "{token}");
    }

    #[test]
    fn a_jwt_counts_while_it_is_fresh() {
        assert!(is_valid(KNOWN, KEY.as_bytes(), UNIX_EPOCH + Duration::from_secs(1_516_239_022)));
        check(KNOWN, false);
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        check(&sign(KEY.as_bytes(), now).expect("any key"), true);
        check(&jwt("HS256", &format!("{{\"iat\":{NOW}}}"), KEY), true);
        check(&jwt("HS256", &format!("{{\"iat\":{}}}", NOW - 61), KEY), false);
        check(&jwt("HS256", &format!("{{\"exp\":{}}}", NOW + 1), KEY), true);
        check(&jwt("HS256", &format!("{{\"exp\":{NOW}}}"), KEY), false);
        check(&jwt("HS256", &format!("{{\"exp\":{},\"nbf\":{}}}", NOW + 9, NOW + 1), KEY), false);
        check(&jwt("HS256", "{}", KEY), false);
        check(&jwt("none", &format!("{{\"iat\":{NOW}}}"), KEY), false);
        check(&jwt("HS256", &format!("{{\"iat\":{NOW}}}"), "another"), false);
        check("a.b", false);
        check("..", false);
    }
}
