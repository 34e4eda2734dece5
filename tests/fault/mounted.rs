//! A file system of the kernel's, 64 MB in a file, under everything that a network writes: it fills up to the last byte and
//! is freed again.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::Command,
};

use maidenlane_tests::{install, process::output};
use tempfile::TempDir;

use crate::{
    check_everything,
    driven::Driven,
    full::stopped,
    long,
    rig::{self, Place},
};

const BYTES: u64 = 64 << 20;
/// Blocks that are made in vain.
const BLOCKS: usize = 12;

/// Mounted file system. Dropping it unmounts it: who uses it must be gone.
struct Mounted {
    at: PathBuf,
    // Last: unmounted before it is removed.
    _dir: TempDir,
}

impl Mounted {
    /// An empty one, or `None`, said aloud, where there are no loop devices.
    fn new() -> Option<Self> {
        if let Err(failure) = install::ensure(&install::FILE_SYSTEM) {
            println!("not run: {failure}");
            return None;
        }
        let dir = TempDir::with_prefix("maidenlane-loop-").unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("mounted"));
        File::create(&image).unwrap().set_len(BYTES).unwrap();
        fs::create_dir(&at).unwrap();
        // Nothing kept back for root, as whom the tests run.
        output(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image)).unwrap();
        if let Err(failure) = output(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at)) {
            println!("not run: no loop device: {failure}");
            return None;
        }
        Some(Self { at, _dir: dir })
    }

    fn place(&self, place: Place) -> PathBuf {
        let dir = self.at.join(format!("{place:?}"));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).unwrap();
        let mut bytes = 1 << 20;
        while bytes > 0 {
            if file.write_all(&vec![1; bytes]).and_then(|()| file.sync_data()).is_err() {
                bytes /= 2;
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(failure) = output(Command::new("umount").arg(&self.at)) {
            println!("{} stays mounted: {failure}", self.at.display());
        }
    }
}

#[test]
fn a_file_system_that_was_full_has_lost_nothing() {
    let Some(mounted) = Mounted::new() else { return };
    let Some(mut driven) = Driven::build(|plan| rig::build(plan, |place| mounted.place(place))) else {
        return;
    };
    let begun = driven.net.start();
    begun.unwrap_or_else(|failure| panic!("{failure}\n{}", driven.net.last_words()));
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    for turn in 0..if long() { 10 } else { 2 } {
        // Under a network that runs, then under one that starts.
        if turn % 2 == 1 {
            driven.net.tap().stop().unwrap();
            driven.daemon("replica").stop().unwrap();
        }
        mounted.fill();
        driven.grow(1, BLOCKS);
        if turn % 2 == 1 {
            driven.net.tap().launch().unwrap();
            driven.daemon("replica").launch().unwrap();
        }
        stopped(&mut driven, "tap.log", &format!("full, turn {turn}"));
        mounted.free();
        driven.grow(0, 1);
        driven.followed(&format!("freed, turn {turn}"));
    }
    check_everything(&mut driven.net);
}
