//! Room on the disk that the suite builds and runs on: geth ends by itself where little is left, and its tests would fail for
//! a reason that none of them names.

use std::{fs, path::Path};

use crate::failure::{Doing, Failure, Outcome};

/// Bytes below which a cache of the compiler is given up: it makes the next build of an edited file faster, and nothing else.
const SPARE_BYTES: u64 = 20 << 30;
/// Bytes below which nothing is begun.
const NEEDED_BYTES: u64 = 4 << 30;

/// Makes room in the build directory, where little is left.
///
/// # Errors
/// Too little is left all the same.
pub(super) fn make(target: &Path) -> Outcome<()> {
    within(target, SPARE_BYTES, NEEDED_BYTES)
}

fn within(target: &Path, spare_bytes: u64, needed_bytes: u64) -> Outcome<()> {
    let cache = target.join("debug/incremental");
    if free_bytes(target)? < spare_bytes && cache.exists() {
        eprintln!("little room on the disk: {} goes …", cache.display());
        fs::remove_dir_all(&cache).doing(|| format!("remove {}", cache.display()))?;
    }
    let free = free_bytes(target)?;
    if free >= needed_bytes {
        return Ok(());
    }
    let (free, needed) = (free >> 20, needed_bytes >> 20);
    Err(Failure::new(format!(
        "{free} MiB are free at {}, the suite needs {needed}: make room",
        target.display()
    )))
}

fn free_bytes(path: &Path) -> Outcome<u64> {
    let found = rustix::fs::statvfs(path).map_err(std::io::Error::from);
    let found = found.doing(|| format!("look at {}", path.display()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_goes_before_anything_fails() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("debug/incremental");
        fs::create_dir_all(&cache).unwrap();
        within(dir.path(), 0, 0).unwrap();
        assert!(cache.exists());
        within(dir.path(), u64::MAX, 0).unwrap();
        assert!(!cache.exists());
        let refused = within(dir.path(), 0, u64::MAX).unwrap_err().to_string();
        assert!(refused.contains("make room"), "{refused}");
    }
}
