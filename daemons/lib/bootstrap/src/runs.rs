//! Runs: the nodes of one trie, as they are made, brought into the order in which they are kept.
//!
//! Nodes are kept by the length of their path, and those of one length come from the left to the right. So there is one
//! run for each length, in memory as long as all are small, and one after the other they are in order.
//!
//! # Correctness
//! Files only grow: a start after a kill cuts them to the length that the journal says. So every trie has files of its
//! own, by a number that is in the journal, too, and those of tries before it go when the next start or round begins.

use crate::error::{Error, io};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lengths of paths, in nibbles: 0 to 64.
const LENGTHS: usize = 65;

/// Files of the runs of one trie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Files {
    /// Number of the trie, among all that had runs.
    trie: u64,
    /// Bytes of each run that are in its file.
    bytes: Vec<u64>,
}

/// The runs of one trie.
pub(crate) struct Runs {
    dir: PathBuf,
    name: &'static str,
    trie: u64,
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// By length of path; made when the first node comes.
    runs: Vec<Run>,
}

#[derive(Default)]
struct Run {
    memory: Vec<u8>,
    file: Option<File>,
    file_bytes: u64,
}

impl Runs {
    /// Runs in files named after `name` in `dir`, as they were when `files` was told, and before that in memory.
    pub(crate) fn open(
        dir: &Path,
        name: &'static str,
        memory_bytes_max: usize,
        files: &Files,
    ) -> Result<Self, Error> {
        let (dir, trie) = (dir.to_owned(), files.trie);
        let mut runs = Self { dir, name, trie, memory_bytes_max, memory_bytes: 0, runs: Vec::new() };
        runs.runs.resize_with(LENGTHS, Run::default);
        runs.remove_others()?;
        for length in 0..LENGTHS {
            let bytes = files.bytes.get(length).copied().unwrap_or_default();
            let path = runs.path(length);
            let Some(run) = runs.runs.get_mut(length).filter(|_| bytes > 0) else { continue };
            let open = || {
                let mut file = File::options().read(true).write(true).open(&path)?;
                file.set_len(bytes)?;
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            };
            run.file = Some(open().map_err(|error| io("open", &path, error))?);
            run.file_bytes = bytes;
        }
        Ok(runs)
    }

    /// Removes the files of other tries.
    fn remove_others(&self) -> Result<(), Error> {
        let (all, own) = (format!("{}-", self.name), format!("{}-{}.", self.name, self.trie));
        let remove = || {
            for entry in fs::read_dir(&self.dir)? {
                let name = entry?.file_name();
                if name.to_str().is_some_and(|name| name.starts_with(&all) && !name.starts_with(&own)) {
                    fs::remove_file(self.dir.join(name))?;
                }
            }
            Ok(())
        };
        remove().map_err(|error| io("tidy up", &self.dir, error))
    }

    fn path(&self, length: usize) -> PathBuf {
        self.dir.join(format!("{}-{}.{length:02}", self.name, self.trie))
    }

    /// Adds a node whose path has this length.
    pub(crate) fn add(&mut self, length: usize, key: &[u8], node: &[u8]) -> Result<(), Error> {
        let Some(run) = self.runs.get_mut(length) else { return Ok(()) };
        let before = run.memory.len();
        for part in [key, node] {
            // A key has 67 bytes at most, a node 532.
            run.memory.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes());
            run.memory.extend_from_slice(part);
        }
        self.memory_bytes += run.memory.len() - before;
        if self.memory_bytes > self.memory_bytes_max { self.spill() } else { Ok(()) }
    }

    /// Moves everything to files.
    fn spill(&mut self) -> Result<(), Error> {
        for length in 0..LENGTHS {
            let path = self.path(length);
            let Some(run) = self.runs.get_mut(length).filter(|run| !run.memory.is_empty()) else { continue };
            let file = match &mut run.file {
                Some(file) => file,
                None => {
                    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
                    run.file.insert(file.map_err(|error| io("create", &path, error))?)
                }
            };
            file.write_all(&run.memory).map_err(|error| io("write", &path, error))?;
            run.file_bytes += run.memory.len() as u64;
            run.memory = Vec::new();
        }
        self.memory_bytes = 0;
        Ok(())
    }

    /// Has everything on the disk, and tells how much.
    pub(crate) fn sync(&mut self) -> Result<Files, Error> {
        self.spill()?;
        for (length, run) in self.runs.iter().enumerate() {
            let synced = run.file.as_ref().map_or(Ok(()), File::sync_data);
            synced.map_err(|error| io("write", &self.path(length), error))?;
        }
        Ok(Files { trie: self.trie, bytes: self.runs.iter().map(|run| run.file_bytes).collect() })
    }

    /// Passes all nodes to `take` in the order of their keys; then come those of the next trie.
    pub(crate) fn drain(
        &mut self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for length in 0..LENGTHS {
            let Some(mut run) = self.runs.get_mut(length).map(std::mem::take) else { continue };
            let failed = |error| io("read", &self.path(length), error);
            if let Some(mut file) = run.file.take() {
                file.rewind().map_err(failed)?;
                each(BufReader::with_capacity(1 << 18, file), &mut take, &failed)?;
            }
            each(run.memory.as_slice(), &mut take, &failed)?;
            run.memory.clear();
            if let Some(kept) = self.runs.get_mut(length) {
                kept.memory = run.memory;
            }
        }
        self.memory_bytes = 0;
        self.trie = self.trie.saturating_add(1);
        Ok(())
    }
}

/// Passes the nodes of one run on.
fn each(
    mut run: impl Read,
    take: &mut impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<(), Error> {
    let (mut key, mut node) = (Vec::new(), Vec::new());
    while part(&mut run, &mut key).map_err(failed)? {
        part(&mut run, &mut node).map_err(failed)?;
        take(&key, &node)?;
    }
    Ok(())
}

/// Reads a key or a node; false at the end.
fn part(run: &mut impl Read, to: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut length = [0; 2];
    match run.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    to.resize(usize::from(u16::from_le_bytes(length)), 0);
    run.read_exact(to).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::{Files, Runs};

    type Nodes = Vec<(Vec<u8>, Vec<u8>)>;

    fn drained(runs: &mut Runs) -> Nodes {
        let mut nodes = Vec::new();
        runs.drain(|key, node| {
            nodes.push((key.to_vec(), node.to_vec()));
            Ok(())
        })
        .unwrap();
        nodes
    }

    #[test]
    fn the_shortest_path_comes_first_wherever_the_nodes_waited() {
        for memory_bytes_max in [0, 40, 1 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let mut runs = Runs::open(dir.path(), "runs", memory_bytes_max, &Files::default()).unwrap();
            for (length, key) in [(64, "d"), (2, "b"), (2, "c"), (0, "a")] {
                runs.add(length, key.as_bytes(), &[7; 20]).unwrap();
            }
            let lengths = runs.sync().unwrap();
            runs.add(64, b"gone with a kill", &[7]).unwrap();
            let mut again = Runs::open(dir.path(), "runs", memory_bytes_max, &lengths).unwrap();
            again.add(64, b"e", &[]).unwrap();
            let keys: Vec<_> =
                drained(&mut again).into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect();
            assert_eq!(keys, ["a", "b", "c", "d", "e"], "{memory_bytes_max}");
            assert_eq!(drained(&mut again), [], "{memory_bytes_max}");
        }
    }

    #[test]
    fn a_kill_after_the_trie_has_ended_takes_none_of_its_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let mut runs = Runs::open(dir.path(), "runs", 0, &Files::default()).unwrap();
        runs.add(1, b"a", &[7; 20]).unwrap();
        let files = runs.sync().unwrap();
        drained(&mut runs);
        // Of the next trie.
        runs.add(1, b"b", &[8; 3]).unwrap();
        drop(runs);
        let mut again = Runs::open(dir.path(), "runs", 0, &files).unwrap();
        assert_eq!(drained(&mut again), [(b"a".to_vec(), vec![7; 20])]);
        let files = again.sync().unwrap();
        drop(Runs::open(dir.path(), "runs", 0, &files).unwrap());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "files of a trie that has ended are left"
        );
    }
}
