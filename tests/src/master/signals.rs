//! Clean stops of a geth: it answers before it handles the signal for one.

use std::{fs, process::Command};

use rustix::process::Signal;

/// The same command with SIGINT ignored until the program handles it: geth answers before it does, and a stop in
/// between would be a kill.
pub(super) fn without_interrupt(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" INT; exec "$0" "$@""#]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// True once the process no longer ignores SIGINT.
pub(super) fn takes_interrupt(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (Signal::INT.as_raw() - 1) & 1 == 0)
}
