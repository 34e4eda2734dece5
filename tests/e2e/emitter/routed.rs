//! Routes: whose transactions go to which nodes, in which order, and to the next when one fails.

use maidenlane_tests::{scenario::Carrier, settings};
use serde_json::json;

use super::World;
use super::crooked::{Crooked, Manner};

#[test]
fn a_route_names_the_nodes_of_a_sender_and_the_next_is_asked_when_one_fails() {
    let mut world = World::new(Carrier::Segment);
    let geth = world.net.master();
    let doors = ["first", "second", "other"].map(|name| (name, Crooked::open(&geth, Manner::Honest)));
    let urls = doors.each_ref().map(|(name, door)| (*name, door.url()));
    let nodes = urls.each_ref().map(|(name, url)| (*name, url.as_str()));
    let mut emitter = world.net.emitter("emitter-0", &nodes).unwrap();
    let route = format!(
        "[ {{ name = \"desk\", redundancy = Some 1, senders = [ \"{}\" ], tags = [] : List Text, upstreams = [ \"second\", \
         \"first\" ] }} ]",
        world.sender.from
    );
    emitter.edit(|text| settings::routed(text, &route)).unwrap();
    emitter.start().unwrap();
    let came = || doors.each_ref().map(|(_, door)| door.came());
    let hash = world.send(&json!({"value": "0x1"}));
    world.meets(&hash, "Mined");
    let [first, second, other] = came();
    assert!(first == 0 && second > 0 && other == 0, "{:?}", came());
    // The one that is asked first says that it is busy.
    doors[1].1.be(Manner::Limiting);
    let hash = world.send(&json!({"value": "0x2"}));
    world.meets(&hash, "Mined");
    let [first, second, other] = came();
    assert!(first > 0 && second > 1 && other == 0, "{:?}", came());
    let metrics = emitter.admin("metrics").unwrap();
    assert!(metrics.contains("maidenlane_emitter_routed_total{route=\"desk\"} 2"), "{metrics}");
    emitter.stop().unwrap();
}
