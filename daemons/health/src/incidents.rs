//! Record of incidents: a file that only grows, one line of JSON for each change of a verdict, and for each time in which nobody
//! watched.
//!
//! # Why a thread of its own
//! A disk that stands still for a minute would keep the hub, and with it all verdicts, waiting. The hub hands notes over and
//! never waits; those who ask read the history in memory, which no write holds.

use crate::history::{History, Incident};
use crate::unwritten::Unwritten;
use crate::verdict::Verdict;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// File of the incidents.
const FILE: &str = "incidents.jsonl";
/// File of the last sign of life.
const SIGNED: &str = "watched";
/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 8_192;
/// Lines from which the file is written anew, without those that are forgotten.
const LINES_MAX: usize = 200_000;
/// Notes that may wait for a disk that stands still.
const NOTES_MAX: usize = 4_096;

/// Note of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A verdict, which may be the same as before.
    Verdict {
        /// Unix time in milliseconds.
        at_ms: u64,
        /// Target, or `source:NAME`.
        subject: String,
        /// The verdict.
        to: Verdict,
        /// Reasons, as text.
        why: String,
    },
    /// Somebody watches, at this Unix time in milliseconds.
    Watched(u64),
}

/// Way for notes to the record.
#[derive(Clone, Debug)]
pub struct Notes(SyncSender<Note>);

impl Notes {
    /// Hands a note over, or loses it where the disk has kept too many waiting.
    pub fn put(&self, note: Note) {
        match self.0.try_send(note) {
            Ok(()) => {}
            Err(TrySendError::Full(note)) => {
                tracing::warn!("the record's disk stands still: {note:?} is lost");
            }
            // The record ends at the shutdown.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// History that everybody reads.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<History>>);

impl Shared {
    /// The history; whoever holds it keeps the record waiting.
    pub fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Record on disk.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    file: Option<File>,
    /// False while the file lacks what the disk refused, or has grown too long.
    whole: bool,
    /// Lines in the file.
    lines: usize,
    history: Shared,
    notes: Receiver<Note>,
    unwritten: Unwritten,
}

impl Record {
    /// Reads the record in `dir`, drops what is too old, and begins a watch.
    ///
    /// # Errors
    /// When the files cannot be read. A disk that takes nothing is told, and tried again.
    pub fn open(dir: &Path, now_ms: u64) -> io::Result<(Self, Notes, Shared)> {
        let history = History::resumed(read(&dir.join(FILE))?, read_signed(dir)?, now_ms);
        let history = Shared(Arc::new(Mutex::new(history)));
        let (notes, taken) = sync_channel(NOTES_MAX);
        let (dir, shared) = (dir.to_owned(), history.clone());
        let mut record = Self {
            dir,
            file: None,
            whole: false,
            lines: 0,
            history,
            notes: taken,
            unwritten: Unwritten::default(),
        };
        record.mend();
        Ok((record, Notes(notes), shared))
    }

    /// The same record, which tells there what the disk does not take.
    #[must_use]
    pub fn telling(self, unwritten: Unwritten) -> Self {
        Self { unwritten, ..self }
    }

    /// Writes until nobody is left who hands notes over.
    pub fn run(mut self) {
        while let Ok(note) = self.notes.recv() {
            self.take(note);
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Verdict { at_ms, subject, to, why } => {
                let incident = self.history.lock().note(at_ms, &subject, to, &why);
                self.append(incident);
            }
            Note::Watched(at_ms) => {
                let found = self.history.lock().sign(at_ms);
                self.append(found);
                self.mend();
                let path = self.dir.join(SIGNED);
                self.told(SIGNED, fs::write(&path, at_ms.to_string()));
            }
        }
    }

    fn append(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        let text: String = incidents.into_iter().map(|incident| line(&incident)).collect();
        if self.whole && !text.is_empty() {
            let written = self.write(text.as_bytes());
            self.lines += text.lines().count();
            self.whole = self.told(FILE, written) && self.lines <= LINES_MAX;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::options().create(true).append(true).open(self.dir.join(FILE))?),
        };
        file.write_all(bytes)
    }

    /// True if a file was written; else all who watch learn why not.
    fn told(&self, file: &'static str, written: io::Result<()>) -> bool {
        let is_written = written.is_ok();
        self.unwritten.note(file, written.map_err(|error| error.to_string()));
        is_written
    }

    /// Writes the whole file anew if it lacks anything.
    fn mend(&mut self) {
        if !self.whole {
            let text: String = self.history.lock().all().map(line).collect();
            self.file = None;
            self.lines = text.lines().count();
            let path = self.dir.join(FILE);
            self.whole = self.told(FILE, maidenlane_service::files::write_whole(&path, text.as_bytes()));
        }
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
    let (mut file, mut found, mut line) = (BufReader::new(file), Vec::new(), Vec::new());
    loop {
        line.clear();
        if file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        found.extend(serde_json::from_slice::<Incident>(&line));
    }
}

/// Moment of the last sign of life of the watch before; `None` without one.
fn read_signed(dir: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(dir.join(SIGNED)) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{Note, Record, Shared};
    use crate::history::ALIVE_EVERY;
    use crate::verdict::Verdict;
    use std::path::Path;

    const START_MS: u64 = 1_700_000_000_000;

    /// Seconds up, down, planned and unknown, and failures, of the last day.
    fn seconds(record: &Shared, now_ms: u64) -> ([u64; 4], u32) {
        let measured = record.lock().measure("r1", 1, now_ms);
        let all = [measured.up, measured.down, measured.planned, measured.unknown];
        (all.map(|time| time.as_secs()), measured.failures)
    }

    /// A watch of verdicts of one target, with signs of life up to an end; all but the first moment in seconds after it.
    fn watch(dir: &Path, start_ms: u64, verdicts: &[(u64, Verdict)], end_s: u64) -> Shared {
        let (record, notes, shared) = Record::open(dir, start_ms).unwrap();
        let written = std::thread::spawn(|| record.run());
        for at_s in 0..=end_s {
            let at_ms = start_ms + at_s * 1_000;
            for (_, to) in verdicts.iter().filter(|(when_s, _)| *when_s == at_s) {
                let (subject, why) = ("r1".to_owned(), format!("since {at_s}"));
                notes.put(Note::Verdict { at_ms, subject, to: *to, why });
            }
            if at_s.is_multiple_of(ALIVE_EVERY.as_secs()) {
                notes.put(Note::Watched(at_ms));
            }
        }
        drop(notes);
        written.join().unwrap();
        shared
    }

    #[test]
    fn a_record_survives_restarts_and_knows_what_it_did_not_see() {
        let (dir, day_s) = (tempfile::tempdir().unwrap(), 86_400);
        let verdicts =
            [(0, Verdict::Healthy), (100, Verdict::Down), (105, Verdict::Down), (130, Verdict::Healthy)];
        let record = watch(dir.path(), START_MS, &verdicts, 200);
        assert_eq!(seconds(&record, START_MS + 200_000), ([170, 30, 0, day_s - 200], 1));
        // Half of a line is what a power cut leaves.
        let path = dir.path().join("incidents.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"atMs\":17")).unwrap();
        let record = watch(dir.path(), START_MS + 500_000, &[(0, Verdict::Healthy)], 100);
        assert_eq!(seconds(&record, START_MS + 600_000), ([270, 30, 0, day_s - 300], 1));
        assert_eq!(record.lock().newest(1).next().map(|incident| incident.at_ms), Some(START_MS + 500_000));
    }

    #[test]
    fn a_disk_that_refuses_costs_no_verdict_and_gets_all_of_it_later() {
        let dir = tempfile::tempdir().unwrap();
        let (mut record, _notes, shared) = Record::open(dir.path(), START_MS).unwrap();
        let path = dir.path().join("incidents.jsonl");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let verdict = |at_s: u64, to| Note::Verdict {
            at_ms: START_MS + at_s * 1_000,
            subject: "r1".to_owned(),
            to,
            why: String::new(),
        };
        record.take(verdict(0, Verdict::Healthy));
        record.take(verdict(20, Verdict::Down));
        assert_eq!(seconds(&shared, START_MS + 60_000).0[..2], [20, 40]);
        assert!(!record.whole);
        assert_eq!(record.unwritten.warnings().len(), 1);
        std::fs::remove_file(&path).unwrap();
        record.take(Note::Watched(START_MS + 60_000));
        assert!(record.unwritten.warnings().is_empty());
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept.lines().count(), 2, "{kept}");
    }
}
