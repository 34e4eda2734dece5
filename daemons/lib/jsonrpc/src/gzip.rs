//! Compression of answers, for clients that ask for it.
//!
//! Ours because tower-http compresses a stream piece by piece on the IO thread, without a `Content-Length`, and brings
//! six crates. An answer is put together from pieces: those that a cache keeps were compressed for whoever asked first,
//! the others are compressed now, away from that thread when they are large.

use crate::body::{Body, Piece};
use flate2::Crc;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use hyper::body::Bytes;
use maidenlane_json::{Cached, Deflated};
use std::sync::Arc;

/// Size below which an answer fits into one packet anyway.
const LEAST_BYTES: usize = 1_400;
/// Size below which text is compressed on the IO thread: a hand-over to another would take longer.
const INLINE_BYTES: usize = 64 << 10;
/// Size below which a piece stands in the stream as it is: what it would save costs more than to send it.
const STORED_BYTES: usize = 128;
/// Header of a gzip stream (RFC 1952): deflate, no name, no time, fastest level, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// Last block of a deflate stream (RFC 1951), an empty one of fixed codes.
const END: [u8; 2] = [0x03, 0x00];

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
pub(crate) async fn compress(body: Body) -> Result<Vec<Bytes>, Body> {
    if body.len() < LEAST_BYTES {
        return Err(body);
    }
    let pieces = body.into_pieces();
    let work: usize = pieces.iter().filter(|piece| !is_ready(piece)).map(|piece| piece.as_str().len()).sum();
    if work < INLINE_BYTES {
        return Ok(now(pieces));
    }
    let work = tokio::task::spawn_blocking(move || now(pieces));
    work.await.map_err(|_| {
        let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"compression failed"}}"#;
        Body::from(text.to_owned())
    })
}

fn is_ready(piece: &Piece) -> bool {
    matches!(piece, Piece::Cached(text) if text.is_deflated())
}

fn now(pieces: Vec<Piece>) -> Vec<Bytes> {
    let mut stream = Stream { frames: Vec::new(), tail: HEADER.to_vec(), crc: Crc::new() };
    for piece in pieces {
        match piece {
            Piece::Cached(text) => stream.cached(text),
            Piece::Text(text) if text.len() < STORED_BYTES => stream.stored(&text),
            Piece::Text(text) => {
                let deflated = Deflated::of(&text);
                stream.crc.combine(deflated.crc());
                stream.tail.extend_from_slice(deflated.bytes());
            }
        }
    }
    stream.end()
}

/// Gzip stream as it is put together.
struct Stream {
    frames: Vec<Bytes>,
    /// Bytes behind the frames.
    tail: Vec<u8>,
    /// Checksum and length of the text.
    crc: Crc,
}

impl Stream {
    fn cached(&mut self, text: Arc<Cached>) {
        struct Shared(Arc<Cached>);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                self.0.deflated().bytes()
            }
        }
        self.crc.combine(text.deflated().crc());
        self.frames.push(std::mem::take(&mut self.tail).into());
        self.frames.push(Bytes::from_owner(Shared(text)));
    }

    /// Appends a block that is not compressed: its length, the complement of that, and the bytes.
    fn stored(&mut self, text: &str) {
        let length = u16::try_from(text.len()).unwrap_or_default();
        self.tail.push(0);
        self.tail.extend_from_slice(&length.to_le_bytes());
        self.tail.extend_from_slice(&(!length).to_le_bytes());
        self.tail.extend_from_slice(text.as_bytes());
        self.crc.update(text.as_bytes());
    }

    fn end(mut self) -> Vec<Bytes> {
        self.tail.extend_from_slice(&END);
        self.tail.extend_from_slice(&self.crc.sum().to_le_bytes());
        self.tail.extend_from_slice(&self.crc.amount().to_le_bytes());
        self.frames.push(self.tail.into());
        self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use maidenlane_json::Json;
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

    fn inflate(frames: &[Bytes]) -> String {
        let mut out = String::new();
        flate2::read::GzDecoder::new(&*frames.concat()).read_to_string(&mut out).expect("gzip");
        out
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let compressed = |body: Body| runtime.block_on(compress(body));
        for bytes in [LEAST_BYTES, INLINE_BYTES, 1 << 20] {
            let text = "0123456789abcdef".repeat(bytes / 16 + 1);
            let kept = Arc::new(Cached::new(&text));
            let answer = |turn: usize| {
                let mut body = Body::from(format!("[{turn},"));
                body.push(Json::Cached(Arc::clone(&kept)));
                body.tail().push(',');
                body.push(Json::Owned(text.clone()));
                body.tail().push_str(&"-".repeat(STORED_BYTES * turn));
                body
            };
            for turn in 0..3 {
                let frames = compressed(answer(turn)).expect("worth it");
                assert!(frames.concat().len() < text.len() / 5);
                assert_eq!(inflate(&frames), answer(turn).into_string(), "{bytes} bytes");
                assert_eq!(kept.is_deflated(), bytes > 4 << 10, "compressed once, where it is a piece");
            }
        }
        let short = compressed(Body::from("short".to_owned()));
        assert_eq!(short.map_err(Body::into_string), Err("short".to_owned()));
    }

    #[test]
    fn a_cache_counts_no_less_than_a_text_and_its_compressed_form() {
        // The least compressible text that there is in answers: random digits.
        let digits: String = (0..1 << 17).map(|_| format!("{:016x}", fastrand::u64(..))).collect();
        let kept = Cached::new(&digits);
        let held = digits.len() + kept.deflated().bytes().len();
        assert!(held <= kept.most_bytes(), "{held} of {}", kept.most_bytes());
    }
}
