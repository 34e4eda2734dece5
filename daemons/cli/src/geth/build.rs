//! geth with the hook, from go-ethereum's published source. Only the standard library: the harness of the tests takes
//! this file in as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const MODULE: &str = "github.com/ethereum/go-ethereum";

/// Version that tests and demo run on.
pub(crate) const VERSION: &str = "1.17.5";
/// The oldest and the newest, which the suite builds and compares.
pub(crate) const SUPPORTED: [&str; 2] = ["1.17.0", "1.17.10"];

/// Where go-ethereum keeps its live tracers.
const PLACE: &str = "eth/tracers/live/maidenlane.go";

/// Builds `geth` of `version` with `hook` in it, through a copy of the source in `work`, and moves it to `binary`.
///
/// The same version and hook give the same bytes, wherever and by whomever they are built.
///
/// # Errors
/// Go is missing, or what it said.
pub(crate) fn build(version: &str, hook: &str, work: &Path, binary: &Path) -> Result<(), String> {
    let source = source(version, work)?;
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
    };
    write(&source.join(PLACE), hook)?;
    let draft = work.join("geth");
    let mut go = Command::new("go");
    // A build id is of the machine; everything else is of the source.
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-buildid=", "-o"]).arg(&draft);
    run(go.arg("./cmd/geth").current_dir(&source))?;
    fs::rename(&draft, binary)
        .or_else(|_| fs::copy(&draft, binary).map(drop))
        .map_err(|error| format!("write {}: {error}", binary.display()))?;
    fs::remove_dir_all(&source).map_err(|error| format!("remove {}: {error}", source.display()))
}

/// A copy of go-ethereum's source below `work`, unless it is there.
///
/// # Errors
/// Go is missing or cannot get it.
pub(crate) fn source(version: &str, work: &Path) -> Result<PathBuf, String> {
    let to = work.join(format!("go-ethereum-{version}"));
    if to.exists() {
        return Ok(to);
    }
    let module = format!("{MODULE}@v{}", version.trim_start_matches('v'));
    let module_info = run(Command::new("go").args(["mod", "download", "-json", &module]))?;
    let from = field(&module_info, "Dir")
        .ok_or_else(|| format!("go did not say where {module} is: {module_info}"))?;
    fs::create_dir_all(work).map_err(|error| format!("create {}: {error}", work.display()))?;
    let draft = work.join(format!("go-ethereum-{version}.{}", std::process::id()));
    run(Command::new("cp").args(["-r", from]).arg(&draft))?;
    // Modules are kept read-only.
    run(Command::new("chmod").args(["-R", "u+w"]).arg(&draft))?;
    fs::rename(&draft, &to).map_err(|error| format!("rename {}: {error}", draft.display()))?;
    Ok(to)
}

/// The text of a field in flat JSON, as `go` prints it.
fn field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let rest = json.split_once(&format!("\"{name}\": \""))?.1;
    rest.split_once('"').map(|(text, _)| text)
}

fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{program} is not on the PATH: install Go 1.24 or newer from https://go.dev/dl")
        }
        _ => format!("run {program}: {error}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
