//! Tables of old blocks and of differences of states, as far as a copy of them must be understood.
//!
//! A table has data files, `bodies.0007.cdat` (`rdat` where nothing is compressed), and an index, `bodies.cidx`: six bytes for each
//! item, with the number of the data file in which it ends and the offset there. The entry before the first item names the
//! oldest data file, and the number of items that went with older ones. `bodies.meta` says how many items at the old end count as
//! gone though their file is there.

use alloy::rlp::{Decodable as _, Header};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const ENTRY_BYTES: u64 = 6;
/// Largest note of hidden items, in bytes: three numbers.
const META_BYTES_MAX: u64 = 64;

/// Table and number of a data file; `None` for any other file.
pub(crate) fn data_file(path: &Path) -> Option<(PathBuf, u64)> {
    let extension = path.extension()?.to_str()?;
    let index = match extension {
        "cdat" => "cidx",
        "rdat" => "ridx",
        _ => return None,
    };
    let (table, number) = path.file_stem()?.to_str()?.rsplit_once('.')?;
    Some((path.with_file_name(format!("{table}.{index}")), number.parse().ok()?))
}

/// Oldest data file that is changed when so many of the newest items are cut off; 0, which stands for all of them, where the
/// index does not say.
pub(crate) fn oldest_changed(index: &Path, items: u64) -> u64 {
    let found = Index::open(index).and_then(|index| index.entry(index.last.saturating_sub(items)));
    found.map_or(0, |(file, _)| file)
}

/// Number of items that can be read.
pub(crate) fn readable(index: &Path) -> std::io::Result<u64> {
    let opened = Index::open(index)?;
    let (_, dropped) = opened.entry(0)?;
    let meta = fs::read(index.with_extension("meta")).unwrap_or_default();
    let hidden = tail(&meta).unwrap_or_default().saturating_sub(dropped);
    Ok(opened.last.saturating_sub(hidden))
}

/// Items at the old end that are gone or count as gone: the second number of a list.
fn tail(meta: &[u8]) -> Option<u64> {
    let mut content = meta.get(..meta.len().min(usize::try_from(META_BYTES_MAX).ok()?))?;
    let mut fields = Header::decode_bytes(&mut content, true).ok()?;
    let _version = u64::decode(&mut fields).ok()?;
    u64::decode(&mut fields).ok()
}

/// An index that is read.
struct Index {
    file: File,
    /// Number of the last entry, which is that of the items.
    last: u64,
}

impl Index {
    fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let entries = file.metadata()?.len() / ENTRY_BYTES;
        Ok(Self { file, last: entries.saturating_sub(1) })
    }

    /// Number of a data file, and the offset in it.
    fn entry(&self, number: u64) -> std::io::Result<(u64, u64)> {
        let mut bytes = [0; 6];
        self.file.read_exact_at(&mut bytes, number.saturating_mul(ENTRY_BYTES))?;
        let [a, b, offset @ ..] = bytes;
        Ok((u16::from_be_bytes([a, b]).into(), u32::from_be_bytes(offset).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{data_file, oldest_changed, readable};
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_data_file_knows_its_index() {
        let of = |name: &str| data_file(Path::new(name));
        assert_eq!(of("a/bodies.0012.cdat"), Some((PathBuf::from("a/bodies.cidx"), 12)));
        assert_eq!(of("a/account.data.0000.rdat"), Some((PathBuf::from("a/account.data.ridx"), 0)));
        for other in ["a/bodies.cidx", "a/000012.sst", "a/bodies.meta", "a/bodies.cdat"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn an_index_says_which_files_a_cut_reaches_and_how_many_items_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let index = dir.path().join("bodies.cidx");
        // Ten items are gone with files before the third; two more end there, and three in the fourth.
        let entries = [(3_u16, 10_u32), (3, 70), (3, 90), (4, 10), (4, 20), (4, 30)];
        let bytes = entries.map(|(file, at)| [&file.to_be_bytes()[..], &at.to_be_bytes()].concat()).concat();
        fs::write(&index, &bytes).unwrap();
        let reached: Vec<_> = (0..7).map(|items| oldest_changed(&index, items)).collect();
        assert_eq!(reached, [4, 4, 4, 3, 3, 3, 3]);
        assert_eq!(readable(&index).unwrap(), 5);
        // As geth writes it: version 2, twelve items gone, flushed up to byte 36.
        fs::write(dir.path().join("bodies.meta"), [0xc3, 2, 12, 36]).unwrap();
        assert_eq!(readable(&index).unwrap(), 3);
        fs::write(&index, []).unwrap();
        assert_eq!(oldest_changed(&index, 1), 0, "nothing is known of it");
    }
}
