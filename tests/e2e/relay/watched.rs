//! A relay as the target of a health checker.

use maidenlane_tests::{scenario::Carrier, settings::Target, wait};
use serde_json::{Value, json};

use super::{SOON, World};

#[test]
fn a_checker_knows_a_relay_that_serves_and_one_that_is_away() {
    let mut world = World::new(Carrier::Segment);
    let target = Target {
        name: "relay-0".to_owned(),
        kind: "Daemon",
        address: format!("http://{}", world.relay.address("admin").unwrap()),
        admin: None,
        feed: None,
        serves: None,
    };
    let mut checker = world.net.health("health-1", &[target]).unwrap();
    checker.start().unwrap();
    checker.ready(SOON).unwrap();
    let config = checker.config().display().to_string();
    let comes = |world: &World, expect: Value| {
        wait::until(&format!("the relay to be {expect}"), SOON, || {
            let told = world.net.command(&["health", "explain", "--config", &config, "relay-0"]);
            let told: Value = serde_json::from_str(&told.map_err(|failure| failure.to_string())?)
                .map_err(|error| error.to_string())?;
            let said = json!([told["verdict"], told["reasons"][0]["check"]]);
            if said == expect { Ok(()) } else { Err(told.to_string()) }
        })
        .unwrap();
    };
    comes(&world, json!(["healthy", null]));
    world.relay.stop().unwrap();
    comes(&world, json!(["down", "answer"]));
    checker.stop().unwrap();
}
