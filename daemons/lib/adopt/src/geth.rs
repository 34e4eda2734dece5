//! geth's own commands, on a copy of a node's data.

use crate::copy::remove_file;
use crate::data_dir::DataDir;
use crate::error::{Error, io};
use crate::metadata::Metadata;
use crate::probe::{self, HOOK};
use crate::spool::Hook;
use crate::user::User;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Flags of a geth that is to meet nobody.
const ALONE: [&str; 12] = [
    "--nodiscover",
    "--maxpeers",
    "0",
    "--nat",
    "none",
    "--port",
    "0",
    "--authrpc.port",
    "0",
    "--ipcdisable",
    "--syncmode",
    "full",
];
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
    pub(crate) owner: User,
}

impl Geth {
    /// Asks a geth for its version, and whether it has the hook.
    ///
    /// # Errors
    /// [`Error::NoHook`]; also where it cannot be run.
    pub fn open(binary: &Path) -> Result<Self, Error> {
        let no_hook = |said: String| Error::NoHook { path: binary.to_owned(), said };
        let printed = Command::new(binary).arg("version").stdin(Stdio::null()).output();
        let printed = printed.map_err(|error| no_hook(error.to_string()))?.stdout;
        let printed = String::from_utf8_lossy(&printed);
        let version = printed.lines().find_map(|line| line.strip_prefix("Version: "));
        let version = version.ok_or_else(|| no_hook("it tells no version".to_owned()))?.trim().to_owned();
        probe::hook_in(binary).map_err(no_hook)?;
        Ok(Self { binary: binary.to_owned(), version })
    }

    /// Version, as `1.17.5-stable`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// A command, as far as commands differ.
struct Call<'a> {
    /// Words by which errors name it.
    what: &'a str,
    arguments: &'a [&'a str],
    /// Standard output, where it does not go to the log.
    output: Option<Stdio>,
    /// The node's lock, which stays with a command that outlives its caller.
    lock: Option<&'a File>,
    user: User,
}

impl Commands<'_> {
    /// Metadata of a database.
    pub(crate) fn metadata(&self, data: &DataDir) -> Result<Metadata, Error> {
        let call = self.call("db metadata", &["db", "metadata"]);
        let table = self.run(data, Call { output: Some(Stdio::piped()), ..call })?;
        Metadata::parse(&String::from_utf8_lossy(&table))
    }

    /// Blocks, as RLP.
    pub(crate) fn blocks(&self, data: &DataDir, file: &Path, first: u64, last: u64) -> Result<(), Error> {
        // Otherwise geth appends.
        remove_file(file)?;
        let file = file.display().to_string();
        let arguments = ["export", &file, &first.to_string(), &last.to_string()];
        self.run(data, self.call("export", &arguments)).map(drop)
    }

    /// Goes back to a block below the state that is on the disk. geth says so and succeeds where it does not.
    pub(crate) fn rewind(&self, data: &DataDir, to: u64, lock: &File) -> Result<(), Error> {
        let script = format!("debug.setHead(\"{to:#x}\")");
        let arguments = [&ALONE[..], &["--exec", &script, "console"]].concat();
        self.run(data, Call { lock: Some(lock), ..self.call("console", &arguments) }).map(drop)
    }

    /// Executes blocks with the hook. The node's lock stays with the command, should it outlive its caller: a spool has one
    /// writer.
    pub(crate) fn execute(&self, data: &DataDir, file: &Path, hook: &Hook, lock: &File) -> Result<(), Error> {
        let spool = hook.spool();
        let user = hook.user(self.owner).map_err(io("look at", &spool))?;
        let (file, hook) = (file.display().to_string(), hook.to_string());
        let arguments = ["--vmtrace", HOOK, "--vmtrace.jsonconfig", &hook, "import", &file];
        self.run(data, Call { lock: Some(lock), user, ..self.call("import", &arguments) }).map(drop)
    }

    /// Rows of a kind that are on the disk: `snapshot` or `code`.
    pub(crate) fn export(&self, data: &DataDir, kind: &str, file: &Path) -> Result<(), Error> {
        self.whole(file, |draft| {
            let path = draft.display().to_string();
            let (what, arguments) = (format!("db export {kind}"), ["db", "export", kind, &path]);
            self.run(data, self.call(&what, &arguments)).map(drop)
        })
    }

    /// State of the head.
    pub(crate) fn dump(&self, data: &DataDir, file: &Path) -> Result<(), Error> {
        self.whole(file, |draft| {
            let output = File::create(draft).map_err(io("create", draft))?;
            self.owner.give(draft).map_err(io("give to geth's user", draft))?;
            let call = self.call("snapshot dump", &["snapshot", "dump"]);
            self.run(data, Call { output: Some(output.into()), ..call }).map(drop)
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

    /// A command of geth's user that prints to the log.
    const fn call<'a>(&self, what: &'a str, arguments: &'a [&'a str]) -> Call<'a> {
        Call { what, arguments, output: None, lock: None, user: self.owner }
    }

    /// Runs a command, and returns what comes through a pipe.
    fn run(&self, data: &DataDir, call: Call<'_>) -> Result<Vec<u8>, Error> {
        let log = File::options().append(true).create(true).open(self.log).map_err(io("open", self.log))?;
        self.owner.give(self.log).map_err(io("give to geth's user", self.log))?;
        let mut command = Command::new(&self.geth.binary);
        command.arg("--datadir").arg(data.path()).args(call.arguments);
        // Some of its errors go to standard output.
        command.stdout(match call.output {
            Some(output) => output,
            None => log.try_clone().map_err(io("open", self.log))?.into(),
        });
        command.stderr(log);
        command.stdin(match call.lock {
            Some(lock) => Stdio::from(lock.try_clone().map_err(io("share the lock of", data.path()))?),
            None => Stdio::null(),
        });
        let done = call.user.runs(&mut command).output();
        let done = done.map_err(io("run, as the user that owns geth's data,", &self.geth.binary))?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let said = self.said().map_err(io("read", self.log))?;
        Err(Error::Command {
            what: call.what.to_owned(),
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
