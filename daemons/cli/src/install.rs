//! `maidenlane install`: puts binaries, units and settings types where systemd and their users look for them.
//!
//! What is no binary is inside this one, so an installation is always of one version.

mod files;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{error::Error, output::Output};
use files::BINARIES;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where programs and units go
    #[arg(long, value_name = "DIR", default_value = "/usr")]
    prefix: PathBuf,
    /// Put in front of every path, without becoming part of any: to build a package
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Change nothing, print what would be written
    #[arg(long)]
    dry_run: bool,
}

/// One file to write.
struct Step {
    to: PathBuf,
    mode: u32,
    content: Content,
}

enum Content {
    Copy(PathBuf),
    Text(String),
}

pub(crate) fn run(options: &Options, output: &mut Output) -> Result<(), Error> {
    if !options.prefix.is_absolute() {
        let prefix = options.prefix.display();
        return Err(Error::Usage(format!("--prefix {prefix}: expected an absolute path")));
    }
    let program =
        std::env::current_exe().map_err(|source| failed("find", Path::new("maidenlane"), source))?;
    let from = program.parent().unwrap_or(Path::new("/"));
    // Everything is looked at before anything is written.
    let steps = plan(&options.prefix, from)?;
    for step in &steps {
        let to = below(&options.root, &step.to);
        if !options.dry_run {
            write(step, &to).map_err(|source| failed("write", &to, source))?;
        }
        output.line(&to.display().to_string())?;
    }
    if !options.dry_run && options.root == Path::new("/") {
        output.line(NEXT)?;
    }
    Ok(())
}

const NEXT: &str = "now: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload";

fn plan(prefix: &Path, from: &Path) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for name in BINARIES {
        let binary = from.join(name);
        fs::metadata(&binary).map_err(|source| failed("find", &binary, source))?;
        steps.push(Step { to: prefix.join("bin").join(name), mode: 0o755, content: Content::Copy(binary) });
    }
    // The units name the programs of the standard prefix, and deployments are copied to where they import from here.
    let programs = format!("ExecStart={}/bin/", prefix.display());
    let package = prefix.join("share/maidenlane/dhall/package.dhall").display().to_string();
    for (to, text) in files::all() {
        let mut text = text.replace("ExecStart=/usr/bin/", &programs);
        if to.contains("/dhall/deploy/") && to.ends_with("/package.dhall") {
            text = text.replace("../../package.dhall", &package);
        }
        steps.push(Step { to: prefix.join(to), mode: 0o644, content: Content::Text(text) });
    }
    Ok(steps)
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Beside its place first, then in it: a program that runs cannot be written to, but its name can be given away.
fn write(step: &Step, to: &Path) -> io::Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut draft = to.as_os_str().to_owned();
    draft.push(".new");
    match &step.content {
        Content::Copy(from) => drop(fs::copy(from, &draft)?),
        Content::Text(text) => fs::write(&draft, text)?,
    }
    fs::set_permissions(&draft, fs::Permissions::from_mode(step.mode))?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, to)
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Install { what, path: path.to_owned(), source }
}
