//! Record of incidents: a file that only grows, one line of JSON for each change of a verdict, and for each time in which nobody
//! watched.

use crate::availability::{self, Measured, Point};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

/// File of the incidents.
const FILE: &str = "incidents.jsonl";
/// File of the last sign of life.
const SIGNED: &str = "watched";
/// Time that incidents are kept for: longer than the longest that availability is told over.
const KEPT_MS: u64 = 100 * 86_400_000;
/// Most incidents that are kept in memory and, after a start, in the file.
const KEPT_MAX: usize = 100_000;
/// Interval of signs of life in the file. What was not signed for twice as long was not watched.
pub const ALIVE_EVERY_MS: u64 = 10_000;
/// Longest line that is read.
const LINE_BYTES_MAX: usize = 8_192;
/// Longest text of a reason.
const WHY_CHARS_MAX: usize = 500;

/// Line of the record.
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

/// Record, in memory and in its file.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    file: Option<File>,
    /// Oldest first.
    incidents: Vec<Incident>,
    /// Verdicts as they are, by subject.
    now: BTreeMap<String, Verdict>,
    signed_ms: u64,
}

impl Record {
    /// Reads the record in `dir`, drops what is too old, and begins a watch.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn open(dir: &Path, now_ms: u64) -> io::Result<Self> {
        let mut incidents = read(&dir.join(FILE))?;
        forget(&mut incidents, now_ms);
        // The last sign of life of the watch before is where its knowledge ends.
        if let Some(ended_ms) = read_signed(dir)? {
            incidents.extend(ends(&incidents, ended_ms));
        }
        let mut record =
            Self { dir: dir.to_owned(), file: None, incidents, now: BTreeMap::new(), signed_ms: 0 };
        record.rewrite()?;
        Ok(record)
    }

    /// Writes the whole file anew.
    fn rewrite(&mut self) -> io::Result<()> {
        let text: String = self.incidents.iter().map(line).collect();
        self.file = None;
        maidenlane_service::files::write_whole(&self.dir.join(FILE), text.as_bytes())
    }

    /// Notes the verdict of a subject, if it is another than before.
    pub fn note(&mut self, at_ms: u64, subject: &str, to: Verdict, why: &str) {
        let from = self.now.insert(subject.to_owned(), to);
        if from == Some(to) {
            return;
        }
        let why = why.chars().take(WHY_CHARS_MAX).collect();
        let (from, to) = (from.map(|from| from.word().to_owned()), Some(to.word().to_owned()));
        self.append(Incident { at_ms, subject: subject.to_owned(), from, to, why });
    }

    /// Signs that somebody watches, from time to time.
    pub fn sign(&mut self, at_ms: u64) {
        let silent_ms = at_ms.saturating_sub(self.signed_ms);
        if silent_ms < ALIVE_EVERY_MS {
            return;
        }
        if self.signed_ms > 0 && silent_ms >= 2 * ALIVE_EVERY_MS {
            // The process stood still. What it finds now was so for no known time.
            let (ended_ms, now) = (self.signed_ms, std::mem::take(&mut self.now));
            for (subject, verdict) in now {
                let why = "nobody watched".to_owned();
                let from = Some(verdict.word().to_owned());
                self.append(Incident { at_ms: ended_ms, subject: subject.clone(), from, to: None, why });
                self.note(at_ms, &subject, verdict, "watched again");
            }
        }
        self.signed_ms = at_ms;
        if let Err(error) = fs::write(self.dir.join(SIGNED), at_ms.to_string()) {
            tracing::warn!("write {}: {error}", self.dir.join(SIGNED).display());
        }
    }

    /// Appends to memory and to the file. A disk that refuses costs the line and no verdict.
    fn append(&mut self, incident: Incident) {
        let written = self.write(&line(&incident));
        self.incidents.push(incident);
        let written = if self.incidents.len() > KEPT_MAX {
            self.incidents.drain(..KEPT_MAX / 10);
            self.rewrite()
        } else {
            written
        };
        if let Err(error) = written {
            self.file = None;
            tracing::warn!("write {}: {error}", self.dir.join(FILE).display());
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::options().create(true).append(true).open(self.dir.join(FILE))?),
        };
        file.write_all(line.as_bytes())
    }

    /// The newest incidents, the newest first.
    pub fn newest(&self, most: usize) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().rev().take(most)
    }

    /// Measurement of a subject over the last `days`, as of now.
    #[must_use]
    pub fn measure(&self, subject: &str, days: u64, now_ms: u64) -> Measured {
        let of = self.incidents.iter().filter(|incident| incident.subject == subject);
        let point = |incident: &Incident| Point {
            at_ms: incident.at_ms,
            verdict: incident.to.as_deref().and_then(Verdict::of_word),
        };
        let history: Vec<Point> = of.map(point).collect();
        availability::measure(&history, now_ms.saturating_sub(days * 86_400_000), now_ms)
    }
}

fn line(incident: &Incident) -> String {
    serde_json::to_string(incident).map_or_else(|_| String::new(), |text| text + "\n")
}

/// Reads the record. A line that was torn by a power cut is passed over.
fn read(path: &Path) -> io::Result<Vec<Incident>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        if line.len() <= LINE_BYTES_MAX
            && let Ok(incident) = serde_json::from_slice(&line)
        {
            found.push(incident);
        }
    }
    Ok(found)
}

/// Moment of the last sign of life of the watch before; `None` without one.
fn read_signed(dir: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(dir.join(SIGNED)) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Drops what is older than anything that is told, but for the newest of each subject: it says how things were when the oldest
/// time that is told began.
fn forget(incidents: &mut Vec<Incident>, now_ms: u64) {
    let mut known = BTreeSet::new();
    let mut kept: Vec<Incident> = std::mem::take(incidents)
        .into_iter()
        .rev()
        .filter(|one| one.at_ms.saturating_add(KEPT_MS) >= now_ms || known.insert(one.subject.clone()))
        .take(KEPT_MAX)
        .collect();
    kept.reverse();
    *incidents = kept;
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
    use super::{ALIVE_EVERY_MS, Record};
    use crate::verdict::Verdict;
    use std::time::Duration;

    const START_MS: u64 = 1_700_000_000_000;

    /// Seconds up, down, planned and unknown, and failures, of the last day.
    fn seconds(record: &Record, now_ms: u64) -> ([u64; 4], u32) {
        let measured = record.measure("r1", 1, now_ms);
        let all = [measured.up, measured.down, measured.planned, measured.unknown];
        (all.map(|time| time.as_secs()), measured.failures)
    }

    /// Signs from one moment to another.
    fn watch(record: &mut Record, from_ms: u64, to_ms: u64) {
        let mut at_ms = from_ms;
        while at_ms <= to_ms {
            record.sign(at_ms);
            at_ms += ALIVE_EVERY_MS;
        }
    }

    #[test]
    fn a_record_survives_restarts_and_knows_what_it_did_not_see() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path(), START_MS).unwrap();
        record.note(START_MS, "r1", Verdict::Healthy, "");
        watch(&mut record, START_MS, START_MS + 100_000);
        record.note(START_MS + 100_000, "r1", Verdict::Down, "lag");
        record.note(START_MS + 100_000, "r1", Verdict::Down, "lag and more");
        watch(&mut record, START_MS + 110_000, START_MS + 130_000);
        record.note(START_MS + 130_000, "r1", Verdict::Healthy, "");
        watch(&mut record, START_MS + 140_000, START_MS + 200_000);
        let day = Duration::from_secs(86_400).as_secs();
        assert_eq!(seconds(&record, START_MS + 200_000), ([170, 30, 0, day - 200], 1));
        drop(record);
        // Half of a line is what a power cut leaves.
        let path = dir.path().join("incidents.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"atMs\":17")).unwrap();
        let mut record = Record::open(dir.path(), START_MS + 500_000).unwrap();
        record.note(START_MS + 500_000, "r1", Verdict::Healthy, "");
        watch(&mut record, START_MS + 500_000, START_MS + 600_000);
        assert_eq!(seconds(&record, START_MS + 600_000), ([270, 30, 0, day - 300], 1));
        assert_eq!(record.newest(1).next().map(|incident| incident.at_ms), Some(START_MS + 500_000));
    }

    #[test]
    fn a_process_that_stood_still_saw_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path(), START_MS).unwrap();
        record.note(START_MS, "r1", Verdict::Healthy, "");
        watch(&mut record, START_MS, START_MS + 100_000);
        watch(&mut record, START_MS + 400_000, START_MS + 500_000);
        let day = 86_400;
        assert_eq!(seconds(&record, START_MS + 500_000), ([200, 0, 0, day - 200], 0));
    }

    #[test]
    fn what_is_too_old_goes_at_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path(), START_MS).unwrap();
        for (at_s, verdict) in [(0, Verdict::Down), (1, Verdict::Healthy), (2, Verdict::Down)] {
            record.note(START_MS + at_s * 1_000, "r1", verdict, "");
        }
        record.sign(START_MS + 20_000);
        drop(record);
        let later_ms = START_MS + 101 * 86_400_000;
        let record = Record::open(dir.path(), later_ms).unwrap();
        let left: Vec<_> = record.newest(9).map(|incident| incident.to.as_deref()).collect();
        assert_eq!(left, [None, Some("down")], "how it was then is kept");
    }

    #[test]
    fn a_disk_that_refuses_costs_lines_and_no_verdict() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(dir.path(), START_MS).unwrap();
        let path = dir.path().join("incidents.jsonl");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        record.note(START_MS, "r1", Verdict::Healthy, "");
        watch(&mut record, START_MS, START_MS + 60_000);
        assert_eq!(seconds(&record, START_MS + 60_000).0[0], 60);
    }
}
