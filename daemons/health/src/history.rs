//! History of verdicts in memory: what changed and when, and in which time nobody watched.

use crate::availability::{self, Measured, Point};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Time that incidents are kept for: longer than the longest that availability is told over.
const KEPT_MS: u64 = 100 * 86_400_000;
/// Most incidents that are kept.
const KEPT_MAX: usize = 100_000;
/// Interval of signs of life. What was not signed for twice as long was not watched.
pub const ALIVE_EVERY_MS: u64 = 10_000;
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
    /// A history that goes on: what is too old is dropped, and what the watch before knew ends with its last sign of life.
    #[must_use]
    pub fn resumed(incidents: Vec<Incident>, signed_ms: Option<u64>, now_ms: u64) -> Self {
        let kept = young(incidents, now_ms);
        let ended = signed_ms.map(|signed_ms| ends(&kept, signed_ms)).unwrap_or_default();
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
        self.signed_ms = at_ms;
        if ended_ms == 0 || silent_ms < 2 * ALIVE_EVERY_MS {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (subject, verdict) in std::mem::take(&mut self.now) {
            let (from, why) = (Some(verdict.word().to_owned()), "nobody watched".to_owned());
            let ended = Incident { at_ms: ended_ms, subject: subject.clone(), from, to: None, why };
            self.append(ended.clone());
            found.push(ended);
            found.extend(self.note(at_ms, &subject, verdict, "watched again"));
        }
        found
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
    use super::{ALIVE_EVERY_MS, History};
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

    #[test]
    fn what_is_too_old_goes() {
        let mut history = History::default();
        for (at_s, verdict) in [(0, Verdict::Down), (1, Verdict::Healthy), (2, Verdict::Down)] {
            history.note(START_MS + at_s * 1_000, "r1", verdict, "");
        }
        let later_ms = START_MS + 101 * 86_400_000;
        let all = history.all().cloned().collect();
        let history = History::resumed(all, Some(START_MS + ALIVE_EVERY_MS), later_ms);
        let left: Vec<_> = history.newest(9).map(|incident| incident.to.as_deref()).collect();
        assert_eq!(left, [None, Some("down")], "how it was then is kept");
    }
}
