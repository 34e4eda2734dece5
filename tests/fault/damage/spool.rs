//! What geth's hook wrote.

use std::{fs, io::Write};

use super::{Damaged, crc32c, files, name, refuses};
use crate::{check_everything, driven::Driven};

#[test]
fn a_damaged_spool_is_never_published() {
    let Some(mut driven) = Driven::new() else { return };
    driven.net.start().unwrap();
    driven.followed("before the damage");
    driven.net.tap().stop().unwrap();
    // Not published yet: the rest of one segment, and another.
    driven.grow(0, 2);
    driven.net.node().stop().unwrap();
    driven.net.node().restart().unwrap();
    driven.grow(0, 2);
    let mut spool = files(&driven.net.node().spool(), "spool");
    let (live, closed) = (spool.pop().unwrap(), spool.pop().unwrap());
    for (file, percent) in [(&closed, 1), (&closed, 50), (&live, 50)] {
        let _damage = Damaged::flipped(file, percent);
        refuses(driven.net.tap(), &["corrupt", name(file), "byte", "tap repair"]);
    }
    {
        let _damage = Damaged::new(&closed, of_another_version);
        refuses(driven.net.tap(), &[name(&closed), "frame version 9 is unknown", "must be of one release"]);
    }
    // The end of a closed segment may have been torn by a kill; then its last block is missing.
    {
        let _damage = Damaged::shorter(&closed, 10);
        refuses(driven.net.tap(), &["block 66", "a hole", "maidenlane tap repair"]);
    }
    driven.net.tap().start().unwrap();
    driven.followed("nothing of that did any harm");
    check_everything(&mut driven.net);
}

/// The first frame as another hook would write it: `len | crc32c | version | …`.
fn of_another_version(segment: &mut Vec<u8>) {
    let field = |at: usize| segment.get(at..at + 4).unwrap().try_into().map(u32::from_le_bytes).unwrap();
    let content = 8..8 + usize::try_from(field(0)).unwrap();
    *segment.get_mut(8).unwrap() = 9;
    let checksum = crc32c(segment.get(content).unwrap());
    segment.splice(4..8, checksum.to_le_bytes());
}

#[test]
fn a_frame_that_a_kill_tore_is_skipped() {
    let Some(mut driven) = Driven::new() else { return };
    driven.grow(0, 2);
    driven.net.node().stop().unwrap();
    let newest = files(&driven.net.node().spool(), "spool").pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    fs::File::options().append(true).open(&newest).unwrap().write_all(half.get(..200).unwrap()).unwrap();
    driven.net.node().restart().unwrap();
    driven.net.start().unwrap();
    driven.grow(0, 3);
    driven.followed("behind a torn frame");
    check_everything(&mut driven.net);
}
