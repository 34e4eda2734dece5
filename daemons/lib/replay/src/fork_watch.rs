//! Forks of the chain config that this build does not implement: warned of early enough for an upgrade.

use crate::events::Event;
use maidenlane_service::Tracer;
use maidenlane_state::Head;

const DAY_S: u64 = 86_400;
/// Warnings begin so long before the fork.
const AHEAD_S: u64 = 30 * DAY_S;

/// The next fork that this build does not implement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFork {
    /// Name in the chain config, without `Time` or `Block`.
    pub name: String,
    /// Seconds until then; 0 once it rules the head.
    pub seconds_left: u64,
}

/// Looks at the chain config of each head, and warns at most once a day.
#[derive(Debug, Default)]
pub struct ForkWatch {
    warned_s: Option<u64>,
}

impl ForkWatch {
    /// The next unknown fork as seen at `now_s`, a Unix time. Emits [`Event::UnknownFork`] when a warning is due: the
    /// first time within 30 days of the fork, then daily.
    pub fn look(&mut self, head: &Head, now_s: u64, events: &Tracer<Event>) -> Option<UnknownFork> {
        let fork = next(head, now_s)?;
        let is_due = self.warned_s.is_none_or(|warned| now_s.saturating_sub(warned) >= DAY_S);
        if fork.seconds_left <= AHEAD_S && is_due {
            self.warned_s = Some(now_s);
            events.emit(&Event::UnknownFork { name: fork.name.clone(), seconds_left: fork.seconds_left });
        }
        Some(fork)
    }
}

fn next(head: &Head, now_s: u64) -> Option<UnknownFork> {
    if let Some(name) = head.rules.unknown_at(&head.header) {
        return Some(UnknownFork { name: name.to_owned(), seconds_left: 0 });
    }
    let shown_s = head.header.timestamp;
    let (fork, after_s) = head.rules.forks().unknown_after(shown_s)?;
    let seconds_left = shown_s.saturating_add(after_s).saturating_sub(now_s);
    Some(UnknownFork { name: fork.name.clone(), seconds_left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::Header;
    use maidenlane_chain::{BlockRef, Rules};
    use maidenlane_service::tracer::{Recorder, Told};
    use std::sync::Arc;

    const NOW_S: u64 = 1_800_000_000;

    /// A head of this moment on a chain with one more fork, so many seconds after it.
    fn head(fork: &str, after_s: u64) -> Head {
        let config = format!(r#"{{"chainId": 7, "londonBlock": 0, "{fork}Time": {}}}"#, NOW_S + after_s);
        let header = Header { number: 1, timestamp: NOW_S, ..Header::default() };
        Head {
            block: BlockRef::default(),
            header: Arc::new(header),
            safe: None,
            finalized: None,
            state_floor: 0,
            proofs_floor: None,
            body_floor: 0,
            rules: Arc::new(Rules::parse(&config).unwrap()),
            client_version: "".into(),
        }
    }

    /// What is warned of at these times after now, and the seconds that are left at the last of them.
    fn check(head: &Head, at_s: &[u64], warnings: &[&str], left: Option<u64>) {
        let (recorder, events) = Recorder::new();
        let mut watch = ForkWatch::default();
        let mut last = None;
        for at in at_s {
            last = watch.look(head, NOW_S + at, &events);
        }
        let lines = recorder.seen().into_iter().filter_map(|event| event.line());
        assert_eq!(lines.map(|line| line.message).collect::<Vec<_>>(), warnings);
        assert_eq!(last.map(|fork| fork.seconds_left), left);
    }

    #[test]
    fn an_unknown_fork_is_warned_of_daily_from_thirty_days_on() {
        let [in_ten, in_nine] = ["10 d 0 h", "9 d 0 h"].map(|left| {
            format!("fork amsterdam comes in {left} and this build does not implement it: upgrade before")
        });
        let ahead = head("amsterdam", 10 * DAY_S);
        check(&ahead, &[0, 1, DAY_S - 1], &[&in_ten], Some(9 * DAY_S + 1));
        check(&ahead, &[0, 1, DAY_S, DAY_S + 5], &[&in_ten, &in_nine], Some(9 * DAY_S - 5));
        check(&head("amsterdam", 31 * DAY_S), &[0, DAY_S - 1], &[], Some(30 * DAY_S + 1));
        check(&head("osaka", 10 * DAY_S), &[0], &[], None);
    }

    #[test]
    fn a_fork_in_force_is_warned_of_as_one() {
        let line =
            "fork amsterdam is in force and this build does not implement it: upgrade, nothing is executed";
        check(&head("amsterdam", 0), &[0, 5], &[line], Some(0));
    }
}
