//! Peak of this process's memory.

use super::Outcome;
use std::fs;

/// Forgets the peak so far, and returns the memory that is resident now, in bytes.
pub(super) fn begin() -> Outcome<u64> {
    fs::write("/proc/self/clear_refs", "5")?;
    peak()
}

/// Most memory that was resident, in bytes.
pub(super) fn peak() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
