//! Requests to builders that listen for stratum, as lines or messages on a connection that is kept: beside the request stands what
//! HTTP has headers for. Pure.
//!
//! # Why the id is a part of the hash
//! Answers are found by it, and so no two requests that are under way may have one; and an order that comes again has the same bytes.
//! Numbers in JSON are exact up to 53 bits.
//!
//! # What is signed
//! The message without its last two members: who checks it cuts them off, and closes the object.

use crate::dialect::ID;
use maidenlane_chain::B256;

/// Bits of the hash that no number in JSON holds.
const BITS_BEYOND: u32 = 64 - 53;
/// Scheme of addresses whose messages are those of a WebSocket.
pub const WEB_SOCKET: &str = "stratumss://";
/// Scheme of addresses whose messages are lines.
pub const LINES: &str = "stratumss+tcp://";

/// A request under an id of its own, which follows from the hash of what it says.
#[must_use]
pub fn numbered(request: &str, digest: B256) -> (u64, String) {
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    let id = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> BITS_BEYOND;
    (id, request.replacen(ID, &format!("\"id\":{id}"), 1))
}

/// A request with its marks.
#[must_use]
pub fn marked(request: &str, idempotency: &str, signature: Option<&str>) -> String {
    let open = request.strip_suffix('}').unwrap_or(request);
    let signature = signature.map(|signature| format!(",\"signature\":\"{signature}\"")).unwrap_or_default();
    format!("{open},\"idempotencyKey\":\"{idempotency}\"{signature}}}")
}

#[cfg(test)]
mod tests {
    use super::{marked, numbered};
    use crate::dialect::Dialect;
    use maidenlane_chain::{B256, keccak256};
    use serde_json::Value;
    use uuid::Uuid;

    fn request(number: u128) -> (u64, String) {
        let body = Dialect::Titan.cancel(Uuid::from_u128(number));
        numbered(body.reveal(), keccak256(body.reveal()))
    }

    #[test]
    fn the_same_request_has_the_same_id_and_another_has_another() {
        assert_eq!(request(7), request(7));
        let ids: std::collections::BTreeSet<u64> = (0..1_000).map(|number| request(number).0).collect();
        assert_eq!(ids.len(), 1_000);
        let (id, text) =
            numbered("{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":[\"id\"]}", B256::repeat_byte(0xff));
        assert_eq!(id, (1 << 53) - 1, "exact in every JSON");
        assert_eq!(text, format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"params\":[\"id\"]}}"));
    }

    #[test]
    fn what_was_signed_is_what_stands_before_the_marks() {
        let (id, text) = request(7);
        let line = marked(&text, "0a0b", Some("0x01:0x02"));
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["id"], &read["idempotencyKey"]), (&id.into(), &"0a0b".into()));
        assert_eq!(read["signature"], "0x01:0x02");
        let (signed, _) = line.split_once(",\"idempotencyKey\":").unwrap();
        assert_eq!(format!("{signed}}}"), text);
        assert_eq!(marked(&text, "0a0b", None), format!("{signed},\"idempotencyKey\":\"0a0b\"}}"));
        assert!(!line.contains('\n'), "one line");
    }
}
