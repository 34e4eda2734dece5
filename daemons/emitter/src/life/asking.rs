//! Nodes that are asked about a transaction, and when one stands in for another.

use super::Flight;
use crate::answer::{Ask, Try};
use crate::turn::{Action, Standing, Turn};
use crate::verdict::Class;
use std::sync::Arc;

impl Flight {
    /// Sends it to the nodes whose turn it is, unless they are being asked already.
    pub(crate) fn broadcast(&mut self, turn: &mut Turn<'_>) {
        (self.broadcast_ms, self.broadcast_block) = (turn.now.steady_ms, turn.head);
        for upstream in self.wanted(turn) {
            self.ask(turn, upstream, Ask::Send);
        }
    }

    /// Sends it to those who stand in for nodes that have failed meanwhile.
    pub(super) fn widen(&mut self, turn: &mut Turn<'_>) {
        for upstream in self.wanted(turn) {
            if self.tries.get(upstream).is_some_and(Try::is_new) {
                self.ask(turn, upstream, Ask::Send);
            }
        }
    }

    /// Nodes whose turn it is: the first of the route, up to as many that stand as are to have it.
    fn wanted(&self, turn: &Turn<'_>) -> Vec<usize> {
        let (mut wanted, mut standing) = (Vec::new(), 0);
        for upstream in &self.route.nodes {
            if standing >= self.route.at_once {
                break;
            }
            wanted.push(*upstream);
            let is_right = turn.standings.get(*upstream) == Some(&Standing::Right);
            standing += usize::from(is_right && self.tries.get(*upstream).is_some_and(Try::stands));
        }
        wanted
    }

    pub(super) fn ask(&mut self, turn: &mut Turn<'_>, upstream: usize, ask: Ask) {
        let right = turn.standings.get(upstream) == Some(&Standing::Right);
        let Some(one) = self.tries.get_mut(upstream) else { return };
        if right && one.begin(ask) {
            turn.actions.push(Action::Ask { tx: Arc::clone(&self.tx), upstream, ask });
        }
    }

    /// The sender's transaction before it was taken: nodes that wait for that are asked at once.
    pub(crate) fn gap_closed(&mut self, turn: &mut Turn<'_>) {
        self.ask_those_with(turn, &[Class::Gap]);
    }

    /// The sender's transaction before it is in a block: nodes that had no room beside it have some now, such as those that
    /// take one at a time of an account with a delegation (EIP-7702).
    pub(crate) fn has_its_turn(&mut self, turn: &mut Turn<'_>) {
        if self.is_open() {
            self.ask_those_with(turn, &[Class::Gap, Class::PoolFull]);
        }
    }

    fn ask_those_with(&mut self, turn: &mut Turn<'_>, classes: &[Class]) {
        for upstream in 0..self.tries.len() {
            let class = self.tries.get(upstream).and_then(Try::class);
            if class.is_some_and(|class| classes.contains(&class)) {
                self.ask(turn, upstream, Ask::Send);
            }
        }
    }

    /// A node proved to be of the right chain: it gets what it was not given before, where its turn is.
    pub(crate) fn welcome(&mut self, turn: &mut Turn<'_>, upstream: usize) {
        let is_new = self.tries.get(upstream).is_some_and(|one| one.class().is_none());
        if is_new && self.is_open() && self.wanted(turn).contains(&upstream) {
            self.ask(turn, upstream, Ask::Send);
        }
    }
}
