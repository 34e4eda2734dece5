//! Other relays on the same log, as far as their beats tell of them. Pure.
//!
//! # Why time is that of hearing
//! Clocks of machines differ. What counts is how long ago a beat was read here.

use maidenlane_wire::RelayBeat;
use std::collections::HashMap;

/// Silence after which a relay counts as dead.
pub const ALIVE_MS: u64 = 500;
/// Silence after which it is no company any more: until then it may only stand still.
const FORGOTTEN_MS: u64 = 60_000;
/// Relays that are known at one time.
const MOST: usize = 64;

type Id = [u8; 16];

#[derive(Debug)]
struct Peer {
    heard_ms: u64,
    /// For each partition the first offset that it has not acted on.
    read: Vec<u64>,
}

/// Other relays.
#[derive(Debug)]
pub struct Peers {
    ours: Id,
    others: HashMap<Id, Peer>,
}

impl Peers {
    /// Nobody yet, for a relay of this name.
    #[must_use]
    pub fn new(ours: Id) -> Self {
        Self { ours, others: HashMap::new() }
    }

    /// Takes a beat; true if nobody knew that this relay lives.
    pub fn hear(&mut self, beat: &RelayBeat, now_ms: u64) -> bool {
        if beat.relay == self.ours {
            return false;
        }
        if beat.ends {
            self.others.remove(&beat.relay);
            return false;
        }
        let is_new = !self.lives(beat.relay, now_ms);
        if self.others.len() >= MOST && !self.others.contains_key(&beat.relay) {
            let oldest = self.others.iter().min_by_key(|(_, peer)| peer.heard_ms).map(|(id, _)| *id);
            oldest.map(|oldest| self.others.remove(&oldest));
        }
        self.others.insert(beat.relay, Peer { heard_ms: now_ms, read: beat.read.clone() });
        is_new
    }

    /// True for this relay, and for any that was heard of late.
    #[must_use]
    pub fn lives(&self, relay: Id, now_ms: u64) -> bool {
        let heard = |peer: &Peer| now_ms.saturating_sub(peer.heard_ms) < ALIVE_MS;
        relay == self.ours || self.others.get(&relay).is_some_and(heard)
    }

    /// True if there may be others, dead or alive.
    pub fn has_company(&mut self, now_ms: u64) -> bool {
        self.others.retain(|_, peer| now_ms.saturating_sub(peer.heard_ms) < FORGOTTEN_MS);
        !self.others.is_empty()
    }

    /// True if all others that live have acted on the entry of that partition and offset.
    #[must_use]
    pub fn have_read(&self, (partition, offset): (usize, u64), now_ms: u64) -> bool {
        let mut living = self.others.values().filter(|peer| now_ms.saturating_sub(peer.heard_ms) < ALIVE_MS);
        living.all(|peer| peer.read.get(partition).is_some_and(|next| *next > offset))
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIVE_MS, FORGOTTEN_MS, MOST, Peers};
    use maidenlane_wire::RelayBeat;

    fn beat(relay: u8, read: &[u64], ends: bool) -> RelayBeat {
        RelayBeat { relay: [relay; 16], read: read.to_vec(), ends, at_ms: 0 }
    }

    #[test]
    fn a_relay_lives_as_long_as_it_is_heard() {
        let mut peers = Peers::new([1; 16]);
        assert!(peers.lives([1; 16], 0) && !peers.lives([2; 16], 0) && !peers.has_company(0));
        assert!(peers.hear(&beat(2, &[], false), 100) && !peers.hear(&beat(2, &[], false), 200));
        assert!(!peers.hear(&beat(1, &[], false), 200), "of its own");
        assert!(peers.lives([2; 16], 199 + ALIVE_MS) && !peers.lives([2; 16], 200 + ALIVE_MS));
        assert!(peers.has_company(199 + FORGOTTEN_MS));
        assert!(peers.hear(&beat(2, &[], false), 10_000), "back again");
        assert!(!peers.has_company(10_000 + FORGOTTEN_MS));
        peers.hear(&beat(3, &[], false), 0);
        peers.hear(&beat(3, &[], true), 1);
        assert!(!peers.lives([3; 16], 1) && !peers.has_company(1), "it said that it ends");
    }

    #[test]
    fn a_cancel_is_read_when_all_who_live_have_read_it() {
        let mut peers = Peers::new([1; 16]);
        assert!(peers.have_read((0, 7), 0), "nobody else is there");
        peers.hear(&beat(2, &[9, 7], false), 0);
        peers.hear(&beat(3, &[8, 8], false), 0);
        for (at, expect) in
            [((0, 7), true), ((0, 8), false), ((1, 7), false), ((1, 6), true), ((2, 0), false)]
        {
            assert_eq!(peers.have_read(at, 1), expect, "{at:?}");
        }
        peers.hear(&beat(3, &[8, 8], false), ALIVE_MS);
        assert!(peers.have_read((1, 7), ALIVE_MS), "the other has died");
    }

    #[test]
    fn there_are_not_too_many() {
        let mut peers = Peers::new([255; 16]);
        for (relay, now_ms) in (0..=u8::try_from(MOST).unwrap()).zip(0..) {
            peers.hear(&beat(relay, &[], false), now_ms);
        }
        assert_eq!(peers.others.len(), MOST);
        assert!(!peers.lives([0; 16], 1) && peers.lives([1; 16], 1), "who was heard longest ago goes");
    }
}
