//! Times at which the master is asked for the heads that it announced.
//!
//! A block is executed first and becomes the head soon afterwards. So frames that came are the sign to ask: at once, then
//! in steps that grow with the time since, so that the wait for an answer is a small part of the time the master took
//! itself. Once that block was announced, nothing is expected before the next frames, and a heartbeat's interval will do.

use maidenlane_chain::{B256, BlockRef};
use std::time::{Duration, Instant};

/// Shortest time between two questions.
const SHORTEST: Duration = Duration::from_micros(500);
/// Time since the frames over the time to the next question.
const STEPS: u32 = 16;

/// Schedule of questions for heads.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Expected>);

/// A block that was executed and may be announced any moment.
#[derive(Debug)]
struct Expected {
    hash: B256,
    executed: Instant,
    due: Instant,
}

impl Pace {
    /// Notes that the frames of a block came.
    pub(super) fn executed(&mut self, now: Instant, hash: B256) {
        self.0 = Some(Expected { hash, executed: now, due: now });
    }

    /// Notes that the master was asked, and its answer.
    pub(super) fn asked(&mut self, now: Instant, announced: &[BlockRef]) {
        self.0.take_if(|expected| announced.iter().any(|head| head.hash == expected.hash));
        if let Some(expected) = &mut self.0 {
            let gap = now.saturating_duration_since(expected.executed) / STEPS;
            expected.due = now + gap.max(SHORTEST);
        }
    }

    /// Time of the next question; `None` if no head is expected.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|expected| expected.due)
    }

    /// True once the next question is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds after the frames came at which the master is asked, when it takes `after_ms` to announce the block.
    fn check(after_ms: u64, expect: (usize, u64)) {
        let begun = Instant::now();
        let block = BlockRef::new(1, B256::repeat_byte(1));
        let announced = begun + Duration::from_millis(after_ms);
        let (mut pace, mut times) = (Pace::default(), Vec::new());
        assert_eq!(pace.due(), None);
        pace.executed(begun, block.hash);
        while let Some(due) = pace.due() {
            assert!(pace.is_due(due) && (due == begun || !pace.is_due(due - Duration::from_nanos(1))));
            times.push(due - begun);
            let other = BlockRef::new(1, B256::ZERO);
            pace.asked(
                due,
                if due < announced { std::slice::from_ref(&other) } else { std::slice::from_ref(&block) },
            );
        }
        let late = times.last().map(|last| last.saturating_sub(Duration::from_millis(after_ms)));
        assert_eq!(
            (times.len(), late.map(|late| u64::try_from(late.as_micros()).unwrap())),
            (expect.0, Some(expect.1))
        );
    }

    #[test]
    fn a_head_is_seen_within_a_sixteenth_of_the_time_it_took() {
        check(0, (1, 0));
        check(2, (5, 0));
        check(500, (86, 24_549));
        check(12_000, (138, 271_316));
    }
}
