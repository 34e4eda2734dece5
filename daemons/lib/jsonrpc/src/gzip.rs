//! Compression of answers, for clients that ask for it.
//!
//! Ours because tower-http compresses a stream piece by piece on the IO thread, without a `Content-Length`, and brings
//! six crates; an answer is one ready body that is compressed once, away from that thread when it is large.

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use std::io::Write as _;

/// Size below which an answer fits into one packet anyway.
const LEAST_BYTES: usize = 1_400;
/// Size below which a body is compressed on the IO thread: a hand-over to another would take longer.
const INLINE_BYTES: usize = 64 << 10;

/// Content negotiation: true when a client takes gzip; as in geth, without regard to weights other than a refusal.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter();
    all.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).any(|each| {
        let mut parts = each.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        named && !parts.any(refused)
    })
}

/// Compresses a body that is worth it; returns others as they are.
pub(crate) async fn compress(body: String) -> Result<Vec<u8>, String> {
    if body.len() < LEAST_BYTES {
        return Err(body);
    }
    if body.len() < INLINE_BYTES {
        return Ok(now(&body));
    }
    let work = tokio::task::spawn_blocking(move || now(&body));
    work.await.map_err(|_| {
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"compression failed"}}"#.to_owned()
    })
}

fn now(body: &str) -> Vec<u8> {
    // The fastest level: answers are hexadecimal digits, on which the others gain little.
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(body.as_bytes());
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::io::Read as _;

    #[test]
    fn only_those_who_ask() {
        for (accepts, wanted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br, deflate", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepts))]);
            assert_eq!(is_wanted(&headers), wanted, "{accepts}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for bytes in [LEAST_BYTES, INLINE_BYTES, 1 << 20] {
            let body = "0123456789abcdef".repeat(bytes / 16 + 1);
            let compressed = runtime.block_on(compress(body.clone())).expect("worth it");
            assert!(compressed.len() < body.len() / 10);
            let mut out = String::new();
            flate2::read::GzDecoder::new(&*compressed).read_to_string(&mut out).expect("gzip");
            assert_eq!(out, body);
        }
        assert_eq!(runtime.block_on(compress("short".to_owned())), Err("short".to_owned()));
    }
}
