//! Any bytes as frames, and as the payload of a frame whose checksum is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maidenlane_wire::frame::{Frame, encode, is_torn_tail, read, wrap};
use maidenlane_wire::frame_to_json;

fn check(bytes: &[u8]) {
    let Ok((frame, len)) = read(bytes) else { return };
    assert!(len <= bytes.len());
    let _ = frame_to_json(&frame);
    let again = encode(&frame);
    let (second, _) = read(&again).expect("what was read can be read again");
    // A state that mixes plain and hashed slots cannot be; everything else comes back.
    assert_eq!(frame, second);
    if let Frame::Block { block, .. } | Frame::Genesis { block, .. } = &frame
        && let Ok((header, body)) = maidenlane_chain::block::split(block)
    {
        let _ = maidenlane_chain::block::Body::parse(&body);
        let _ = maidenlane_chain::block::decode_header(&header);
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if bytes.len() < 4096 {
        let _ = is_torn_tail(bytes);
    }
    if let [kind, payload @ ..] = bytes {
        check(&wrap(kind % 11, payload));
    }
});
