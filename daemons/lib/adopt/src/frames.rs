//! Frames that the hook wrote, as far as it takes to see of which blocks they are.

use crate::error::{Error, io};
use maidenlane_chain::B256;
use maidenlane_wire::frame::{self, Heading};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Parents of the blocks whose frames in `dir` are whole, by the hash of the block.
pub(crate) fn parents(dir: &Path) -> Result<HashMap<B256, B256>, Error> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir(dir).map_err(io("read", dir))? {
        let path = entry.map_err(io("read", dir))?.path();
        // A segment has the size that the hook's settings give it.
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let mut rest = bytes.as_slice();
        while let Ok((checked, length)) = frame::check(rest) {
            if let Ok(Heading::End { hash, parent, .. }) = checked.heading() {
                parents.insert(hash, parent);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    Ok(parents)
}

#[cfg(test)]
mod tests {
    use super::parents;
    use maidenlane_chain::B256;
    use maidenlane_wire::frame::{Frame, encode};

    #[test]
    fn whole_blocks_are_found_and_holes_are_none() {
        let [one, two, three] = [1, 2, 3].map(B256::repeat_byte);
        let end = |hash, parent, number| encode(&Frame::End { hash, parent, number });
        let hole = encode(&Frame::Hole { hash: Some(three), number: 3, reason: "no room".to_owned() });
        let dir = tempfile::tempdir().unwrap();
        let mut segment = [end(one, B256::ZERO, 1), hole, end(two, one, 2)].concat();
        std::fs::write(dir.path().join("1.spool"), &segment).unwrap();
        let found = parents(dir.path()).unwrap();
        assert_eq!((found.len(), found.get(&two), found.get(&three)), (2, Some(&one), None));
        segment.pop();
        std::fs::write(dir.path().join("1.spool"), &segment).unwrap();
        assert_eq!(parents(dir.path()).unwrap().len(), 1, "a torn frame is none");
    }
}
