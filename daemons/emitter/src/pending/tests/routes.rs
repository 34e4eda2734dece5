//! Nodes that are asked where not all are asked at once.

use super::{Scene, block, holding, tx};
use crate::pending::Answer;
use crate::route::{Route, Routes, Rule};
use crate::turn::Standing;
use crate::verdict::Class;
use std::sync::Arc;

/// Has a route through both nodes, one of them at a time.
fn one_at_a_time(mut scene: Scene) -> Scene {
    let route = Route { name: "spare".to_owned(), nodes: vec![1, 0], at_once: 1 };
    let rule = Rule { senders: [].into(), tags: [].into(), route: Arc::new(route) };
    scene.set.routes = Routes::new(vec![rule], 2);
    scene
}

#[test]
fn a_node_stands_in_for_one_that_fails_and_for_no_other() {
    let (mut scene, one) = (one_at_a_time(Scene::new()), tx(1, 7, 0));
    scene.come(&one);
    assert_eq!(scene.asked(), "b Send 7");
    scene.say(&one, 1, Class::Gap);
    assert_eq!(scene.asked(), "", "all nodes would wait for the one before it");
    scene.pass(250);
    assert_eq!(scene.asked(), "b Send 7");
    scene.say(&one, 1, Class::Accepted);
    scene.change(&[], &[holding(block(1, b'x'), &[]), holding(block(2, b'x'), &[])], 0);
    scene.change(&[], &[holding(block(5, b'x'), &[])], 0);
    assert_eq!(scene.asked(), "b Send 7", "again, and to no other");
    scene.say(&one, 1, Class::Unanswered);
    assert_eq!(scene.asked(), "a Send 7");
    assert_eq!(scene.all_told(), "Received0 Accepted0");
}

#[test]
fn a_refusal_counts_once_all_of_the_route_have_refused() {
    for (first, told) in [(Class::Funds, "Received0 Rejected0"), (Class::Unsupported, "Received0")] {
        let (mut scene, one) = (one_at_a_time(Scene::new()), tx(1, 7, 0));
        scene.come(&one);
        scene.say(&one, 1, first);
        assert_eq!((scene.asked().as_str(), scene.all_told().as_str()), ("b Send 7, a Send 7", "Received0"));
        scene.say(&one, 0, Class::Funds);
        assert_eq!(scene.all_told(), told);
    }
    // One that is busy is no better than one that is away.
    let (mut scene, one) = (one_at_a_time(Scene::new()), tx(1, 7, 0));
    scene.come(&one);
    scene.run(|set, now| set.answer(one.hash, 1, Answer::Busy, now));
    assert_eq!(scene.asked(), "b Send 7, a Send 7");
}

#[test]
fn a_node_that_has_not_told_its_chain_is_not_waited_for() {
    let (mut scene, one) = (one_at_a_time(Scene::with_unproven_nodes()), tx(1, 7, 0));
    scene.run(|set, now| set.stand(0, Standing::Right, now));
    scene.come(&one);
    assert_eq!(scene.asked(), "a Send 7");
    scene.say(&one, 0, Class::Accepted);
    scene.run(|set, now| set.stand(1, Standing::Right, now));
    assert_eq!(scene.asked(), "b Send 7", "the first of the route");
}
