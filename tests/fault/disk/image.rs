//! The files of a disk, once as programs see them and once as they would be after a power cut. No FUSE in here.
//!
//! As strict as POSIX allows: bytes are safe after an fsync of their file, names after one of their directory. A rename
//! happens whole or not at all. A failed fsync forgets that its bytes were to be written, as Linux does, so that a
//! second one that succeeds proves nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
};

use fastrand::Rng;
use fuser::Errno;

pub(super) const ROOT: u64 = 1;
/// A disk writes so many bytes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// Beyond any test: a disk without a limit.
pub(super) const BOUNDLESS: u64 = 1 << 40;

type Names = BTreeMap<OsString, u64>;

/// A file or directory.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) mode: u16,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(File),
    Folder(Folder),
}

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    /// From durable to live.
    pending: Vec<Change>,
    /// Names that it has in `live` folders.
    links: u32,
}

#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) live: Names,
    durable: Names,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Size(usize),
}

/// A change of names, of which no part is durable without the others.
#[derive(Debug)]
struct Naming(Vec<(u64, OsString, Option<u64>)>);

#[derive(Debug)]
pub(super) struct Image {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Changes of names that are not durable, oldest first.
    namings: Vec<Naming>,
    pub(super) limit: u64,
}

impl File {
    fn resize(&mut self, bytes: usize) {
        self.live.resize(bytes, 0);
        self.pending.push(Change::Size(bytes));
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
    }

    /// Leaves what a cut leaves: what was synced, what was written at a moment since, or any of that moment's sectors.
    fn cut(&mut self, rng: &mut Rng) {
        let older = self.durable.clone();
        let mut pending = std::mem::take(&mut self.pending);
        pending.truncate(rng.usize(..=pending.len()));
        pending.into_iter().for_each(|change| change.apply(&mut self.durable));
        if rng.bool() {
            for (index, sector) in self.durable.chunks_mut(SECTOR_BYTES).enumerate() {
                if rng.bool() {
                    let old = older.get(index * SECTOR_BYTES..).unwrap_or_default();
                    sector.fill(0);
                    sector.iter_mut().zip(old).for_each(|(byte, old)| *byte = *old);
                }
            }
        }
        self.live.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(self, to: &mut Vec<u8>) {
        match self {
            Self::Size(bytes) => to.resize(bytes, 0),
            Self::Write { at, bytes } => put(to, at, &bytes),
        }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    to.resize(to.len().max(at + bytes.len()), 0);
    to.get_mut(at..at + bytes.len()).unwrap().copy_from_slice(bytes);
}

impl Image {
    pub(super) fn new() -> Self {
        let root = Node { mode: 0o755, kind: Kind::Folder(Folder::default()) };
        Self { nodes: [(ROOT, root)].into(), next: ROOT + 1, namings: Vec::new(), limit: BOUNDLESS }
    }

    pub(super) fn node(&self, id: u64) -> Result<&Node, Errno> {
        self.nodes.get(&id).ok_or(Errno::ENOENT)
    }

    pub(super) fn node_mut(&mut self, id: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&id).ok_or(Errno::ENOENT)
    }

    pub(super) fn folder(&self, id: u64) -> Result<&Folder, Errno> {
        match &self.node(id)?.kind {
            Kind::Folder(folder) => Ok(folder),
            Kind::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, id: u64) -> Result<&mut Folder, Errno> {
        match &mut self.node_mut(id)?.kind {
            Kind::Folder(folder) => Ok(folder),
            Kind::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn file(&self, id: u64) -> Result<&File, Errno> {
        match &self.node(id)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Folder(_) => Err(Errno::EISDIR),
        }
    }

    fn file_mut(&mut self, id: u64) -> Result<&mut File, Errno> {
        match &mut self.node_mut(id)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Folder(_) => Err(Errno::EISDIR),
        }
    }

    pub(super) fn find(&self, parent: u64, name: &OsStr) -> Result<u64, Errno> {
        self.folder(parent)?.live.get(name).copied().ok_or(Errno::ENOENT)
    }

    pub(super) fn create(&mut self, parent: u64, name: &OsStr, mode: u32, kind: Kind) -> Result<u64, Errno> {
        if self.find(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let (id, mode) = (self.next, u16::try_from(mode & 0o7777).unwrap());
        self.next += 1;
        self.nodes.insert(id, Node { mode, kind });
        self.rename_all(vec![(parent, name.to_owned(), Some(id))])?;
        Ok(id)
    }

    pub(super) fn remove(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let id = self.find(parent, name)?;
        if self.folder(id).is_ok_and(|folder| !folder.live.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.rename_all(vec![(parent, name.to_owned(), None)])
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let id = self.find(from.0, from.1)?;
        if self.find(to.0, to.1) == Ok(id) {
            return Ok(());
        }
        self.rename_all(vec![(from.0, from.1.to_owned(), None), (to.0, to.1.to_owned(), Some(id))])
    }

    /// Does a change of names for those who look, and notes that it is not durable.
    fn rename_all(&mut self, changes: Vec<(u64, OsString, Option<u64>)>) -> Result<(), Errno> {
        for (parent, name, id) in &changes {
            let names = &mut self.folder_mut(*parent)?.live;
            let before = match id {
                Some(id) => names.insert(name.clone(), *id),
                None => names.remove(name),
            };
            if let Some(file) = before.and_then(|id| self.file_mut(id).ok()) {
                file.links -= 1;
            }
            if let Some(file) = id.and_then(|id| self.file_mut(id).ok()) {
                file.links += 1;
            }
        }
        self.namings.push(Naming(changes));
        Ok(())
    }

    pub(super) fn write(&mut self, id: u64, at: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let at = usize::try_from(at).unwrap();
        let free = usize::try_from(self.limit.saturating_sub(self.used())).unwrap_or(usize::MAX);
        let file = self.file_mut(id)?;
        let fits = bytes.len().min(file.live.len().saturating_sub(at).saturating_add(free));
        let bytes = bytes.get(..fits).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        put(&mut file.live, at, bytes);
        file.pending.push(Change::Write { at, bytes: bytes.to_owned() });
        Ok(fits)
    }

    pub(super) fn resize(&mut self, id: u64, bytes: u64) -> Result<(), Errno> {
        self.file_mut(id)?.resize(usize::try_from(bytes).unwrap());
        Ok(())
    }

    pub(super) fn sync(&mut self, id: u64) -> Result<(), Errno> {
        self.file_mut(id)?.sync();
        Ok(())
    }

    /// A failed fsync: nobody will write these bytes any more.
    pub(super) fn forget(&mut self, id: u64) {
        if let Ok(file) = self.file_mut(id) {
            file.pending.clear();
        }
    }

    /// Makes the names in a folder durable, with those in folders that renames connect it with.
    pub(super) fn sync_folder(&mut self, id: u64) -> Result<(), Errno> {
        self.folder(id)?;
        let mut folders = BTreeSet::from([id]);
        for Naming(changes) in self.namings.iter().rev() {
            if changes.iter().any(|(parent, ..)| folders.contains(parent)) {
                folders.extend(changes.iter().map(|(parent, ..)| *parent));
            }
        }
        let touches = |Naming(changes): &Naming| changes.iter().any(|(parent, ..)| folders.contains(parent));
        let (now, later) = std::mem::take(&mut self.namings).into_iter().partition(touches);
        self.namings = later;
        self.settle(now);
        Ok(())
    }

    fn settle(&mut self, namings: Vec<Naming>) {
        for (parent, name, id) in namings.into_iter().flat_map(|Naming(changes)| changes) {
            let Ok(folder) = self.folder_mut(parent) else { continue };
            match id {
                Some(id) => folder.durable.insert(name, id),
                None => folder.durable.remove(&name),
            };
        }
    }

    /// The power goes, and comes back.
    pub(super) fn cut(&mut self, rng: &mut Rng) {
        let mut namings = std::mem::take(&mut self.namings);
        namings.truncate(rng.usize(..=namings.len()));
        self.settle(namings);
        let mut reached = BTreeMap::new();
        let mut folders = vec![ROOT];
        while let Some(id) = folders.pop() {
            reached.entry(id).or_insert(0);
            let Ok(folder) = self.folder_mut(id) else { continue };
            folder.live.clone_from(&folder.durable);
            for id in folder.live.values() {
                *reached.entry(*id).or_insert(0) += 1;
                folders.push(*id);
            }
        }
        self.nodes.retain(|id, _| reached.contains_key(id));
        for (id, node) in &mut self.nodes {
            if let Kind::File(file) = &mut node.kind {
                file.links = reached.get(id).copied().unwrap_or_default();
                file.cut(rng);
            }
        }
    }

    pub(super) fn used(&self) -> u64 {
        let files = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::File(file) if file.links > 0 => Some(file.live.len() as u64),
            _ => None,
        });
        files.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Kind {
        Kind::File(File::default())
    }

    fn name(name: &str) -> &OsStr {
        OsStr::new(name)
    }

    /// Files that many cuts leave, with their content.
    fn left(make: impl Fn(&mut Image)) -> BTreeSet<Vec<(String, String)>> {
        let after = |seed| {
            let mut image = Image::new();
            make(&mut image);
            image.cut(&mut Rng::with_seed(seed));
            let names = image.folder(ROOT).unwrap().live.iter();
            let text = |id: u64| String::from_utf8(image.file(id).unwrap().live.clone()).unwrap();
            names.map(|(name, id)| (name.to_str().unwrap().to_owned(), text(*id))).collect()
        };
        (0..200).map(after).collect()
    }

    fn list(items: &[(&str, &str)]) -> Vec<(String, String)> {
        items.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn only_what_was_synced_is_sure() {
        let all = left(|image| {
            let id = image.create(ROOT, name("a"), 0o644, file()).unwrap();
            image.write(id, 0, b"one").unwrap();
            image.sync(id).unwrap();
            image.sync_folder(ROOT).unwrap();
            image.write(id, 3, b"two").unwrap();
            image.create(ROOT, name("b"), 0o644, file()).unwrap();
        });
        // The length of a file may be safe before its bytes are.
        let expected = ["one", "onetwo", "one\0\0\0"]
            .iter()
            .flat_map(|text| [list(&[("a", text)]), list(&[("a", text), ("b", "")])]);
        assert_eq!(all, expected.collect());
    }

    #[test]
    fn a_rename_happens_whole_or_not_at_all() {
        let all = left(|image| {
            for (each, text) in [("old", "1"), ("new", "2")] {
                let id = image.create(ROOT, name(each), 0o644, file()).unwrap();
                image.write(id, 0, text.as_bytes()).unwrap();
                image.sync(id).unwrap();
            }
            image.sync_folder(ROOT).unwrap();
            image.rename((ROOT, name("new")), (ROOT, name("old"))).unwrap();
        });
        assert_eq!(all, [list(&[("new", "2"), ("old", "1")]), list(&[("old", "2")])].into());
    }

    #[test]
    fn bytes_of_a_failed_sync_are_lost_whatever_a_second_one_says() {
        let all = left(|image| {
            let id = image.create(ROOT, name("a"), 0o644, file()).unwrap();
            image.sync_folder(ROOT).unwrap();
            image.write(id, 0, b"x").unwrap();
            image.forget(id);
            image.sync(id).unwrap();
        });
        assert_eq!(all, [list(&[("a", "")])].into());
    }
}
