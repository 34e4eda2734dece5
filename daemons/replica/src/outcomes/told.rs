//! News in what was read: the topic is at-least-once, and of several outcomes with one id the first counts.

use maidenlane_chain::B256;
use maidenlane_store::fates::Fates;
use maidenlane_wire::{Outcome, OutcomeId};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// Outcomes among entries; those that cannot be read are of a later build.
pub(super) fn decoded(entries: &[Vec<u8>]) -> Vec<Outcome> {
    entries.iter().filter_map(|entry| Outcome::decode(entry).ok()).collect()
}

/// Outcomes that were told, of the transactions of one batch.
#[derive(Default)]
pub(super) struct Told {
    of: HashMap<B256, BTreeSet<OutcomeId>>,
}

impl Told {
    /// True if an outcome is told for the first time.
    pub(super) fn is_new(
        &mut self,
        outcome: &Outcome,
        fates: &Fates,
        history_max: usize,
    ) -> Result<bool, maidenlane_store::Error> {
        let told = match self.of.entry(outcome.hash) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let told = decoded(&fates.history(outcome.hash, history_max)?);
                place.insert(told.iter().map(Outcome::id).collect())
            }
        };
        // Nobody tells as many; whoever does is not believed.
        Ok(told.len() < history_max && told.insert(outcome.id()))
    }
}
