//! Transactions stored a moment ago: clients, and balancers in front of them, send the same one again and again.
//!
//! Only for a moment: a transaction that the nodes have dropped must find its way to them when it is sent again.

use maidenlane_chain::B256;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Time during which a transaction is not stored again.
pub(crate) const FOR: Duration = Duration::from_secs(10);
/// Most hashes that are remembered; the oldest are forgotten first.
const MOST: usize = 100_000;

/// Hashes of the newest transactions.
#[derive(Debug, Default)]
pub(super) struct Known {
    hashes: HashSet<B256>,
    order: VecDeque<(Instant, B256)>,
}

impl Known {
    /// True for a transaction that was stored a moment ago.
    pub(super) fn has(&self, hash: &B256) -> bool {
        self.hashes.contains(hash)
    }

    /// Remembers a stored transaction.
    pub(super) fn add(&mut self, hash: B256, now: Instant) {
        if self.hashes.insert(hash) {
            self.order.push_back((now, hash));
        }
    }

    /// Forgets hashes that are too old or too many.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((since, hash)) = self.order.front() {
            if now.saturating_duration_since(*since) < FOR && self.order.len() <= MOST {
                return;
            }
            self.hashes.remove(hash);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FOR, Known, MOST};
    use maidenlane_chain::{B256, keccak256};
    use std::time::{Duration, Instant};

    #[test]
    fn remembers_for_a_while_and_not_too_much() {
        let (now, one) = (Instant::now(), B256::repeat_byte(1));
        let mut known = Known::default();
        known.add(one, now);
        known.forget(now + FOR - Duration::from_millis(1));
        assert!(known.has(&one));
        known.forget(now + FOR);
        assert!(!known.has(&one));
        let many: Vec<B256> = (0..=MOST).map(|number| keccak256(number.to_be_bytes())).collect();
        many.iter().for_each(|hash| known.add(*hash, now));
        known.forget(now);
        assert!(!known.has(&many[0]) && known.has(&many[1]) && known.has(&many[MOST]));
    }
}
