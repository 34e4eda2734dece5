//! Keys of what the log keeps: lost, and rotated.

use super::{SOON, Searcher, World};
use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::json;

/// A key that is lost stops the start, and is named.
#[test]
fn a_keyring_without_a_key_that_sealed_is_refused() {
    let mut world = World::new(Carrier::Segment);
    let one = Searcher::new(1);
    let bundle = world.bundle(&json!({}));
    assert_eq!(world.ask(&one, "eth_sendBundle", &json!([bundle]))["result"]["durable"], true);
    let keyring = world.net.dir().join("keyring");
    let before = std::fs::read_to_string(&keyring).unwrap();
    std::fs::write(&keyring, before.replace("02", "03")).unwrap();
    world.relay.stop().unwrap();
    world.relay.launch().unwrap();
    let ended = world.relay.wait(SOON).unwrap();
    assert_eq!(ended.code(), Some(78), "{}", world.relay.log_tail(5));
    assert!(world.relay.log_tail(5).contains("which the keyring lacks"), "{}", world.relay.log_tail(5));
    let new = before
        .replace("seal ", "seal 0303030303030303030303030303030303030303030303030303030303030303\nseal ");
    std::fs::write(&keyring, new).unwrap();
    world.relay.start().unwrap();
    world.relay.ready(SOON).unwrap();
    let seen = wait::until("the bundle to be known", SOON, || {
        let hash = world.ask(&one, "eth_sendBundle", &json!([bundle]));
        if hash["result"]["known"] == true { Ok(()) } else { Err(hash.to_string()) }
    });
    seen.unwrap();
}
