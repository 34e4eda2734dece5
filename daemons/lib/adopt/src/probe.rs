//! Asks a geth whether it has the hook.
//!
//! Tests take this file as it is, so it names no crate of ours.

use std::path::Path;
use std::process::{Command, Stdio};

/// Name of the hook in geth.
pub(crate) const HOOK: &str = "maidenlane";

/// Makes sure that a geth has the hook: only the hook complains that it was given no spool.
///
/// # Errors
/// What the geth says in the place of that, or why it cannot be run.
pub(crate) fn hook_in(geth: &Path) -> Result<(), String> {
    // geth makes a database before it looks at the hook's settings.
    let nowhere = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let mut command = Command::new(geth);
    command.arg("--datadir").arg(nowhere.path()).stdin(Stdio::null());
    command.args(["--vmtrace", HOOK, "--vmtrace.jsonconfig", "{}", "import", "/dev/null"]);
    let said = command.output().map_err(|error| error.to_string())?.stderr;
    let said = String::from_utf8_lossy(&said);
    if said.contains(&format!("Failed to create tracer \"{HOOK}\": {HOOK}:")) {
        return Ok(());
    }
    Err(said.lines().last().unwrap_or("it says nothing").to_owned())
}
