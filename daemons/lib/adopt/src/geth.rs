//! geth's own commands, on a copy of a node's data.

use crate::copy::remove_file;
use crate::data_dir::DataDir;
use crate::error::{Error, io};
use crate::metadata::Metadata;
use crate::spool::Hook;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Name of the hook in geth.
const HOOK: &str = "maidenlane";
/// End of a log that an error repeats, in bytes.
const SAID_BYTES: u64 = 1_000;

/// A geth with the hook.
#[derive(Clone, Debug)]
pub struct Geth {
    binary: PathBuf,
    /// Version, as `1.17.5-stable`.
    version: String,
}

/// Commands of a geth, run as the user that owns a node's data, with what they say in one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commands<'a> {
    pub(crate) geth: &'a Geth,
    pub(crate) log: &'a Path,
    pub(crate) owner: (u32, u32),
}

impl Geth {
    /// Asks a geth for its version, and whether it has the hook: only the hook complains that it was given no spool.
    ///
    /// # Errors
    /// [`Error::NoHook`]; also where it cannot be run.
    pub fn open(binary: &Path) -> Result<Self, Error> {
        let no_hook = |said: String| Error::NoHook { path: binary.to_owned(), said };
        let output = |arguments: &[&str]| {
            Command::new(binary)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| no_hook(error.to_string()))
        };
        let version = String::from_utf8_lossy(&output(&["version"])?.stdout).into_owned();
        let version = version
            .lines()
            .find_map(|line| line.strip_prefix("Version: "))
            .map(|text| text.trim().to_owned());
        let version = version.ok_or_else(|| no_hook("it tells no version".to_owned()))?;
        // geth makes a database before it looks at the hook's settings.
        let nowhere = tempfile::tempdir().map_err(io("create a directory in", &std::env::temp_dir()))?;
        let datadir = nowhere.path().display().to_string();
        let probe =
            ["--datadir", &datadir, "--vmtrace", HOOK, "--vmtrace.jsonconfig", "{}", "import", "/dev/null"];
        let said = output(&probe)?.stderr;
        let said = String::from_utf8_lossy(&said);
        match said.contains(&format!("Failed to create tracer \"{HOOK}\": {HOOK}:")) {
            true => Ok(Self { binary: binary.to_owned(), version }),
            false => Err(no_hook(said.lines().last().unwrap_or("it says nothing").to_owned())),
        }
    }

    /// Version, as `1.17.5-stable`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl Commands<'_> {
    /// Metadata of a database.
    pub(crate) fn metadata(&self, data: &DataDir) -> Result<Metadata, Error> {
        let table = self.run(data, "db metadata", &["db", "metadata"], Some(Stdio::piped()), None)?;
        Metadata::parse(&String::from_utf8_lossy(&table))
    }

    /// Blocks, as RLP.
    pub(crate) fn blocks(&self, data: &DataDir, file: &Path, first: u64, last: u64) -> Result<(), Error> {
        // Otherwise geth appends.
        remove_file(file)?;
        let file = file.display().to_string();
        let arguments = ["export", &file, &first.to_string(), &last.to_string()];
        self.run(data, "export", &arguments, None, None).map(drop)
    }

    /// Executes blocks with the hook. The node's lock stays with the command, should it outlive its caller: a spool has one
    /// writer.
    pub(crate) fn execute(&self, data: &DataDir, file: &Path, hook: &Hook, lock: &File) -> Result<(), Error> {
        let file = file.display().to_string();
        let hook = hook.to_string();
        let arguments = ["--vmtrace", HOOK, "--vmtrace.jsonconfig", &hook, "import", &file];
        self.run(data, "import", &arguments, None, Some(lock)).map(drop)
    }

    /// Rows of a kind that are on the disk: `snapshot` or `code`.
    pub(crate) fn export(&self, data: &DataDir, kind: &str, file: &Path) -> Result<(), Error> {
        self.whole(file, |draft| {
            let path = draft.display().to_string();
            self.run(data, &format!("db export {kind}"), &["db", "export", kind, &path], None, None).map(drop)
        })
    }

    /// State of the head.
    pub(crate) fn dump(&self, data: &DataDir, file: &Path) -> Result<(), Error> {
        self.whole(file, |draft| {
            let output = File::create(draft).map_err(io("create", draft))?;
            self.run(data, "snapshot dump", &["snapshot", "dump"], Some(output.into()), None).map(drop)
        })
    }

    /// A file that has its name only when it is whole.
    fn whole(&self, file: &Path, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let draft = file.with_extension("draft");
        remove_file(&draft)?;
        write(&draft)?;
        File::open(&draft).and_then(|draft| draft.sync_all()).map_err(io("sync", &draft))?;
        fs::rename(&draft, file).map_err(io("name", file))
    }

    /// Runs a command, and returns what comes through a pipe. `output` takes its standard output in the place of the log.
    fn run(
        &self,
        data: &DataDir,
        what: &str,
        arguments: &[&str],
        output: Option<Stdio>,
        lock: Option<&File>,
    ) -> Result<Vec<u8>, Error> {
        let log = File::options().append(true).create(true).open(self.log).map_err(io("open", self.log))?;
        let mut command = Command::new(&self.geth.binary);
        command.arg("--datadir").arg(data.path()).args(arguments);
        // Some of its errors go to standard output.
        command.stdout(match output {
            Some(output) => output,
            None => log.try_clone().map_err(io("open", self.log))?.into(),
        });
        command.stderr(log);
        command.stdin(match lock {
            Some(lock) => Stdio::from(lock.try_clone().map_err(io("share the lock of", data.path()))?),
            None => Stdio::null(),
        });
        let (user, group) = self.owner;
        if rustix::process::geteuid().as_raw() != user {
            command.uid(user).gid(group);
        }
        let done = command.output().map_err(io("run", &self.geth.binary))?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let said = self.said().map_err(io("read", self.log))?;
        Err(Error::Command {
            what: what.to_owned(),
            status: done.status.to_string(),
            log: self.log.to_owned(),
            said,
        })
    }

    /// End of the log.
    fn said(&self) -> std::io::Result<String> {
        let mut log = File::open(self.log)?;
        let length = log.metadata()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(SAID_BYTES)))?;
        let mut end = Vec::new();
        log.take(SAID_BYTES).read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).trim_end().to_owned())
    }
}
