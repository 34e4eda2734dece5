//! Damage to the frames that geth's hook wrote.

use std::{fs, io::Write};

use super::{Corruption, crc32c, files, name, refuses};
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
        let _damage = Corruption::flipped(file, percent);
        refuses(driven.net.tap(), &["corrupt", name(file), "byte", "tap repair"]);
    }
    {
        let _damage = Corruption::new(&closed, of_another_version);
        refuses(driven.net.tap(), &[name(&closed), "frames of version 9", "upgrade this tap"]);
    }
    {
        let _damage = Corruption::new(&live, with_a_wrong_root);
        refuses(driven.net.tap(), &["block 67", name(&live), "root", "remove the segment", "tap repair"]);
    }
    // The end of a closed segment may have been torn by a kill; then its last block is missing.
    {
        let _damage = Corruption::shorter(&closed, 10);
        refuses(driven.net.tap(), &["block 66", "a hole", "maidenlane tap repair"]);
    }
    driven.net.tap().start().unwrap();
    driven.followed("nothing of that did any harm");
    check_everything(&mut driven.net);
}

/// Every frame as another hook would write it.
fn of_another_version(segment: &mut Vec<u8>) {
    rewrite(segment, |content| *content.first_mut().unwrap() = 9);
}

/// Every block's state root before it, as a faulty hook might write it: `version | kind | [hash, number, root …]`.
fn with_a_wrong_root(segment: &mut Vec<u8>) {
    const STATE: u8 = 5;
    rewrite(segment, |content| {
        if content.get(1) == Some(&STATE) {
            let list = usize::from(content.get(2).unwrap().saturating_sub(0xf7)) + 1;
            let (hash, number) = (33, 1);
            *content.get_mut(2 + list + hash + number + 1).unwrap() ^= 1;
        }
    });
}

/// Changes frames as their writer would have: `len | crc32c | content`.
fn rewrite(segment: &mut Vec<u8>, change: impl Fn(&mut [u8])) {
    let mut at = 0;
    while at < segment.len() {
        let len = segment.get(at..at + 4).unwrap().try_into().map(u32::from_le_bytes).unwrap();
        let end = at + 8 + usize::try_from(len).unwrap();
        let content = segment.get_mut(at + 8..end).unwrap();
        change(content);
        let checksum = crc32c(content);
        segment.splice(at + 4..at + 8, checksum.to_le_bytes());
        at = end;
    }
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
