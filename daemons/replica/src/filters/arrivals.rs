//! Arrivals of the topic's entries: when this replica read them, by a clock of its own that nobody sets.
//!
//! An entry's time is that of the replica that wrote it, whose clock may be wrong. It counts only for entries that were
//! there before this replica opened the topic, and then in the filter's favour: as if that clock were
//! [`CLOCKS_APART_MAX`] behind. How old such an entry is to others is unknown, so what they are to remember is said again.

use super::cursors::Ms;
use maidenlane_log::Offset;
use maidenlane_service::clock::millis;
use std::time::{Duration, Instant};

/// Difference of two replicas' clocks that ends and repeats nothing. Beyond it a replica that starts may read too little
/// of the topic.
pub(super) const CLOCKS_APART_MAX: Duration = Duration::from_secs(15 * 60);

/// Clock of arrivals.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Unix time at which the topic was opened.
    opened: Ms,
    since: Instant,
    /// The topic's end then.
    end: Offset,
    /// Arrival of the entry before: the topic's order is that of time.
    last: Ms,
}

impl Arrivals {
    /// Arrivals in a topic that ended at `end` when it was opened.
    pub(super) fn new(opened: Ms, since: Instant, end: Offset) -> Self {
        Self { opened, since, end, last: 0 }
    }

    /// Present moment.
    pub(super) fn now(&self) -> Ms {
        self.opened.saturating_add(millis(self.since.elapsed()))
    }

    /// True if the entry came while this replica read the topic, and is as old to all others.
    pub(super) fn is_live(&self, offset: Offset) -> bool {
        offset >= self.end
    }

    /// Arrival of the next entry, which says that it was written at `claimed`.
    pub(super) fn of(&mut self, offset: Offset, claimed: Ms) -> Ms {
        let now = self.now();
        let latest =
            if self.is_live(offset) { now } else { claimed.saturating_add(millis(CLOCKS_APART_MAX)) };
        self.last = self.last.max(latest.min(now));
        self.last
    }
}
