//! A disk that loses what was not synced, refuses the call of its choice, and fills up: a file system in this process,
//! through `fuser`, which speaks FUSE in safe Rust and mounts without libfuse. One disk is one mount.

mod filesystem;
mod image;

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use fastrand::Rng;
use filesystem::{Served, State};
use fuser::{BackgroundSession, Config, Errno, MountOption};
use image::{BOUNDLESS, Image};
use tempfile::TempDir;

/// A call that can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Write,
    /// Of a file or a directory.
    Sync,
    Rename,
    /// A new file or directory.
    Create,
    /// As far as the kernel does not remember: it forgets a file that is opened.
    Read,
}

/// Error of a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// EIO.
    Broken,
    /// ENOSPC.
    Full,
}

/// A refusal that is to come.
#[derive(Debug)]
struct Fault {
    call: Call,
    /// Calls that pass before it.
    passed: u64,
    refusal: Refusal,
}

/// Refusals that are to come, in this order.
#[derive(Debug, Default)]
struct Faults {
    next: VecDeque<Fault>,
    /// Calls of each kind so far.
    made: BTreeMap<Call, u64>,
}

impl Faults {
    fn pass(&mut self, call: Call) -> Result<(), Errno> {
        *self.made.entry(call).or_default() += 1;
        match self.next.front_mut().filter(|fault| fault.call == call) {
            Some(fault) if fault.passed > 0 => {
                fault.passed -= 1;
                Ok(())
            }
            Some(Fault { refusal, .. }) => {
                let error = if *refusal == Refusal::Full { Errno::ENOSPC } else { Errno::EIO };
                self.next.pop_front();
                Err(error)
            }
            None => Ok(()),
        }
    }
}

/// A mounted disk. Dropping it unmounts it: who uses it must be gone.
#[derive(Debug)]
pub(crate) struct Disk {
    served: Served,
    session: Option<BackgroundSession>,
    // Last: unmounted before it is removed.
    dir: TempDir,
}

impl Disk {
    /// An empty disk, or `None`, said aloud, where nothing can be mounted.
    pub(crate) fn mount() -> Option<Self> {
        if !Path::new("/dev/fuse").exists() || !rustix::process::geteuid().is_root() {
            println!("not run: this needs /dev/fuse and the rights of root");
            return None;
        }
        let dir = TempDir::with_prefix("maidenlane-disk-").unwrap();
        let state = State { image: Image::new(), faults: Faults::default() };
        let served = Served(Arc::new(Mutex::new(state)));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("maidenlane-disk".to_owned()), MountOption::NoAtime];
        let session = fuser::spawn_mount(served.clone(), dir.path(), &config).unwrap();
        Some(Self { served, session: Some(session), dir })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The power goes and comes back. Who wrote to it must have been killed.
    pub(crate) fn cut(&self, rng: &mut Rng) {
        self.served.lock().image.cut(rng);
    }

    /// Refuses one call, after `passed` of its kind from now on, or from the refusal on that was asked for before.
    pub(crate) fn refuse(&self, call: Call, passed: u64, refusal: Refusal) {
        self.served.lock().faults.next.push_back(Fault { call, passed, refusal });
    }

    /// Refuses nothing any more; true if nothing was left to refuse.
    pub(crate) fn heal(&self) -> bool {
        std::mem::take(&mut self.served.lock().faults.next).is_empty()
    }

    /// Calls of this kind so far.
    pub(crate) fn made(&self, call: Call) -> u64 {
        self.served.lock().faults.made.get(&call).copied().unwrap_or_default()
    }

    /// Leaves room for so many bytes more; `None`: for as many as anybody wants.
    pub(crate) fn leave(&self, bytes: Option<u64>) {
        let image = &mut self.served.lock().image;
        image.limit = bytes.map_or(BOUNDLESS, |bytes| image.used() + bytes);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(failure) = self.session.take().and_then(|session| session.umount_and_join().err()) {
            println!("{} stays mounted: {failure}", self.dir.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{ErrorKind, Write as _},
    };

    use super::*;

    #[test]
    fn a_disk_keeps_what_was_synced_and_refuses_what_it_is_told_to() {
        let Some(disk) = Disk::mount() else { return };
        let path = disk.path().join("a");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"safe").unwrap();
        file.sync_all().unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        disk.refuse(Call::Write, 1, Refusal::Full);
        file.write_all(b" and").unwrap();
        assert_eq!(file.write_all(b" refused").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "safe and");
        drop(file);
        let left: Vec<String> = (0..20)
            .map(|seed| {
                let mut file = File::options().append(true).open(&path).unwrap();
                file.set_len(4).unwrap();
                file.sync_all().unwrap();
                file.write_all(b" and").unwrap();
                drop(file);
                disk.cut(&mut Rng::with_seed(seed));
                fs::read_to_string(&path).unwrap()
            })
            .collect();
        // The length may be safe before the bytes are.
        let allowed = ["safe", "safe and", "safe\0\0\0\0"];
        assert!(left.iter().all(|text| allowed.contains(&text.as_str())), "{left:?}");
        assert!(left.iter().any(|text| text == "safe"), "{left:?}");
    }

    #[test]
    fn a_full_disk_takes_no_more() {
        let Some(disk) = Disk::mount() else { return };
        disk.leave(Some(10));
        let mut file = File::create(disk.path().join("a")).unwrap();
        assert_eq!(file.write(b"twelve bytes").unwrap(), 10);
        assert_eq!(file.write(b"es").unwrap_err().kind(), ErrorKind::StorageFull);
        disk.leave(None);
        file.write_all(b"es").unwrap();
    }
}
