//! Python with libraries, in an environment of its own that is made once and kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::{Doing, Outcome},
    process, product,
};

/// An interpreter that has what `list`, a file of pip's, names with versions; `None`, said aloud, on a machine without
/// Python and venv. `name` tells this environment from others.
///
/// # Errors
/// What pip said.
pub fn with(name: &str, list: &Path) -> Outcome<Option<PathBuf>> {
    if process::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_err() {
        println!("not run: no Python with venv");
        return Ok(None);
    }
    let dir = product::cache().join("clients").join(name);
    fs::create_dir_all(&dir).doing(|| format!("create {}", dir.display()))?;
    let lock = fs::File::create(dir.join("lock")).doing(|| format!("create a lock in {}", dir.display()))?;
    lock.lock()?;
    let (python, done) = (dir.join("bin/python"), dir.join("installed"));
    let wanted = fs::read_to_string(list).doing(|| format!("read {}", list.display()))?;
    if !fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        process::output(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
        let mut pip = Command::new(dir.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-deps", "--requirement"]).arg(list);
        process::output(&mut pip)?;
        fs::write(done, wanted)?;
    }
    Ok(Some(python))
}
