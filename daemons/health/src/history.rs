//! History of verdicts in memory: what changed and when, and in which time nobody watched.

use crate::availability::{self, Measured, Point};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Time that incidents are kept for: longer than the longest that availability is told over.
const KEPT_MS: u64 = 100 * 86_400_000;
/// Most incidents that are kept.
const KEPT_MAX: usize = 100_000;
/// Interval of signs of life.
pub const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Time without one after which nobody was watching, in milliseconds.
const UNWATCHED_MS: u64 = 20_000;
/// Longest text of a reason.
const WHY_CHARS_MAX: usize = 500;

/// Change of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Target, or `source:NAME`.
    pub subject: String,
    /// Verdict before; `None` where nobody watched.
    pub from: Option<String>,
    /// Verdict from then on; `None` while nobody watches.
    pub to: Option<String>,
    /// Reasons, as text.
    pub why: String,
}

/// History of all subjects.
#[derive(Debug, Default)]
pub struct History {
    /// Oldest first.
    incidents: VecDeque<Incident>,
    /// The same, by subject, as far as measurements need it.
    points: BTreeMap<String, VecDeque<Point>>,
    /// Verdicts as they are, by subject.
    now: BTreeMap<String, Verdict>,
    signed_ms: u64,
}

impl History {
    /// A history that goes on: what is too old is dropped, and what the watch before knew ends with its last sign of life, or with
    /// what it saw after that. A clock that was ahead then leaves nothing that is still to come.
    #[must_use]
    pub fn resumed(mut incidents: Vec<Incident>, signed_ms: Option<u64>, now_ms: u64) -> Self {
        for incident in &mut incidents {
            incident.at_ms = incident.at_ms.min(now_ms);
        }
        let kept = young(incidents, now_ms);
        let newest_ms = kept.last().map_or(0, |incident| incident.at_ms);
        let ended_ms = |signed_ms: u64| signed_ms.clamp(newest_ms, now_ms.max(newest_ms));
        let ended = signed_ms.map(|signed_ms| ends(&kept, ended_ms(signed_ms))).unwrap_or_default();
        let mut history = Self::default();
        for incident in kept.into_iter().chain(ended) {
            history.append(incident);
        }
        history
    }

    /// Notes the verdict of a subject; the incident, if it is another than before.
    pub fn note(&mut self, at_ms: u64, subject: &str, to: Verdict, why: &str) -> Option<Incident> {
        let from = self.now.insert(subject.to_owned(), to);
        if from == Some(to) {
            return None;
        }
        let at_ms = self.newest_ms().max(at_ms);
        let why = why.chars().take(WHY_CHARS_MAX).collect();
        let (from, to) = (from.map(|from| from.word().to_owned()), Some(to.word().to_owned()));
        let incident = Incident { at_ms, subject: subject.to_owned(), from, to, why };
        self.append(incident.clone());
        Some(incident)
    }

    /// Notes that somebody watches; the incidents that follow, where nobody did for a while: the process stood still, and what it
    /// finds now was so for no known time.
    pub fn sign(&mut self, at_ms: u64) -> Vec<Incident> {
        let (ended_ms, silent_ms) = (self.signed_ms, at_ms.saturating_sub(self.signed_ms));
        let ended_ms = if ended_ms == 0 { 0 } else { ended_ms.max(self.newest_ms()) };
        self.signed_ms = at_ms;
        if ended_ms == 0 || silent_ms < UNWATCHED_MS {
            return Vec::new();
        }
        let known = std::mem::take(&mut self.now);
        let ended = known.iter().map(|(subject, verdict)| Incident {
            at_ms: ended_ms,
            subject: subject.clone(),
            from: Some(verdict.word().to_owned()),
            to: None,
            why: "nobody watched".to_owned(),
        });
        let mut found: Vec<_> = ended.collect();
        for incident in &found {
            self.append(incident.clone());
        }
        for (subject, verdict) in &known {
            found.extend(self.note(at_ms, subject, *verdict, "watched again"));
        }
        found
    }

    /// Unix time in milliseconds of the newest incident: none goes before another.
    fn newest_ms(&self) -> u64 {
        self.incidents.back().map_or(0, |incident| incident.at_ms)
    }

    fn append(&mut self, incident: Incident) {
        let verdict = incident.to.as_deref().and_then(Verdict::of_word);
        let points = self.points.entry(incident.subject.clone()).or_default();
        points.push_back(Point { at_ms: incident.at_ms, verdict });
        self.incidents.push_back(incident);
        if self.incidents.len() > KEPT_MAX
            && let Some(oldest) = self.incidents.pop_front()
            && let Some(points) = self.points.get_mut(&oldest.subject)
        {
            points.pop_front();
        }
    }

    /// All of it, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter()
    }

    /// The newest incidents, the newest first.
    pub fn newest(&self, most: usize) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().rev().take(most)
    }

    /// Measurement of a subject over the last `days`, as of now.
    #[must_use]
    pub fn measure(&self, subject: &str, days: u64, now_ms: u64) -> Measured {
        let points = self.points.get(subject).into_iter().flatten().copied();
        availability::measure(points, now_ms.saturating_sub(days * 86_400_000), now_ms)
    }
}

/// Incidents no older than anything that is told, and the newest of each subject before that: it says how things were when the
/// oldest time that is told began.
fn young(incidents: Vec<Incident>, now_ms: u64) -> Vec<Incident> {
    let mut known = BTreeSet::new();
    let mut kept: Vec<Incident> = incidents
        .into_iter()
        .rev()
        .filter(|one| one.at_ms.saturating_add(KEPT_MS) >= now_ms || known.insert(one.subject.clone()))
        .take(KEPT_MAX)
        .collect();
    kept.reverse();
    kept
}

/// Ends of all that was known, at the moment from which on nobody watched.
fn ends(incidents: &[Incident], at_ms: u64) -> Vec<Incident> {
    let last: BTreeMap<&String, &Option<String>> =
        incidents.iter().map(|one| (&one.subject, &one.to)).collect();
    let watched = last.into_iter().filter(|(_, to)| to.is_some());
    let end = |(subject, to): (&String, &Option<String>)| Incident {
        at_ms,
        subject: subject.clone(),
        from: to.clone(),
        to: None,
        why: "nobody watches".to_owned(),
    };
    watched.map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::History;
    use crate::verdict::Verdict;

    const START_MS: u64 = 1_700_000_000_000;

    #[test]
    fn a_process_that_stood_still_saw_nothing() {
        let mut history = History::default();
        history.note(START_MS, "r1", Verdict::Healthy, "");
        for at_ms in [0, 10_000, 20_000, 320_000, 330_000] {
            let found = history.sign(START_MS + at_ms);
            assert_eq!(found.is_empty(), at_ms != 320_000, "{at_ms}: {found:?}");
        }
        let measured = history.measure("r1", 1, START_MS + 330_000);
        assert_eq!((measured.up.as_secs(), measured.unknown.as_secs()), (30, 86_400 - 30));
    }

    /// Seconds up, down and unknown of the last day.
    fn seconds(history: &History, now_s: u64) -> [u64; 3] {
        let measured = history.measure("r1", 1, START_MS + now_s * 1_000);
        [measured.up, measured.down, measured.unknown].map(|time| time.as_secs())
    }

    #[test]
    fn what_was_seen_after_the_last_sign_of_life_counts() {
        let mut history = History::default();
        history.note(START_MS, "r1", Verdict::Healthy, "");
        history.sign(START_MS);
        history.note(START_MS + 7_000, "r1", Verdict::Down, "");
        let all = history.all().cloned().collect();
        let history = History::resumed(all, Some(START_MS), START_MS + 60_000);
        assert_eq!(seconds(&history, 60), [7, 0, 86_400 - 7]);
        let mut history = History::default();
        history.note(START_MS, "r1", Verdict::Healthy, "");
        history.sign(START_MS);
        history.note(START_MS + 7_000, "r2", Verdict::Down, "");
        history.sign(START_MS + 60_000);
        assert_eq!(seconds(&history, 60), [7, 0, 86_400 - 7]);
    }

    #[test]
    fn no_incident_goes_before_another() {
        let in_order = |history: &History| {
            let told: Vec<_> = history.all().map(|incident| incident.at_ms).collect();
            assert!(told.is_sorted(), "{told:?}");
        };
        // A clock that was a day ahead, and is right again.
        let mut ahead = History::default();
        for subject in ["r1", "r2"] {
            ahead.note(START_MS + 86_400_000, subject, Verdict::Healthy, "");
        }
        ahead.sign(START_MS + 86_400_000);
        ahead.sign(START_MS + 86_500_000);
        in_order(&ahead);
        let all = ahead.all().cloned().collect();
        let mut history = History::resumed(all, Some(START_MS + 86_500_000), START_MS);
        history.note(START_MS + 10_000, "r1", Verdict::Healthy, "");
        history.note(START_MS + 9_000, "r1", Verdict::Down, "");
        in_order(&history);
        assert_eq!(seconds(&history, 20), [0, 10, 86_400 - 10]);
    }

    #[test]
    fn what_is_too_old_goes() {
        let mut history = History::default();
        for (at_s, verdict) in [(0, Verdict::Down), (1, Verdict::Healthy), (2, Verdict::Down)] {
            history.note(START_MS + at_s * 1_000, "r1", verdict, "");
        }
        let later_ms = START_MS + 101 * 86_400_000;
        let all = history.all().cloned().collect();
        let history = History::resumed(all, Some(START_MS + 10_000), later_ms);
        let left: Vec<_> = history.newest(9).map(|incident| incident.to.as_deref()).collect();
        assert_eq!(left, [None, Some("down")], "how it was then is kept");
    }
}
