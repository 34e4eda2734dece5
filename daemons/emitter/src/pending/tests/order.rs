//! Transactions of one sender: when the next one has its turn.

use super::{Scene, block, holding, tx};
use crate::verdict::Class;

#[test]
fn the_next_of_a_sender_is_sent_when_the_gap_closes() {
    let (mut scene, first, second) = (Scene::new(), tx(1, 7, 0), tx(1, 8, 0));
    scene.come(&second);
    scene.both(&second, Class::Gap);
    scene.come(&first);
    scene.asked();
    scene.say(&first, 0, Class::Accepted);
    assert_eq!(scene.asked(), "a Send 8, b Send 8");
}

#[test]
fn the_next_of_a_sender_is_sent_when_a_block_has_made_room() {
    let (mut scene, first, second) = (Scene::new(), tx(1, 7, 0), tx(1, 8, 0));
    scene.come(&first);
    scene.both(&first, Class::Accepted);
    scene.come(&second);
    scene.say(&second, 0, Class::PoolFull);
    scene.say(&second, 1, Class::Accepted);
    scene.asked();
    scene.change(&[], &[holding(block(1, b'x'), &[&first])], 0);
    assert_eq!(scene.asked(), "a Send 8", "b has it");
}
