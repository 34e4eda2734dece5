//! `maidenlane master adopt`: a geth that was synced without the hook becomes a master.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use maidenlane_adopt::{Adopted, Adoption, DataDir, Event, Geth, Hook, Way, adopt, plan::Plan};
use maidenlane_bootstrap::master::Master;
use maidenlane_jsonrpc::client::Endpoint;
use maidenlane_service::Failure;
use serde_json::json;

use crate::{error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Prepare a stopped geth that was synced without the hook: copy its data, execute the newest blocks with the hook in
    /// one copy, export the state from another; geth's own data are not touched
    Adopt(Box<Options>),
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// geth's data directory
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// Directory of its old blocks, where the node runs with --datadir.ancient
    #[arg(long, value_name = "DIR")]
    ancient: Option<PathBuf>,
    /// The geth with the hook with which the node goes on: `maidenlane geth build`
    #[arg(long, value_name = "FILE")]
    geth: PathBuf,
    /// Settings of the hook, as geth is given them by --vmtrace.jsonconfig, such as '{"spool":"/var/lib/maidenlane/spool"}'
    #[arg(long, value_name = "JSON")]
    hook: Hook,
    /// Where copies and export go, on the file system of the data directory; `.adopt` behind its name, if none is named
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Take the state of geth's head, by `geth snapshot dump`: for states kept by hash, and small ones
    #[arg(long)]
    dump: bool,
    /// Number of the newest block of a feed that lost its master: its tap goes on with it on this node, and no state is exported.
    /// Where geth's disk is above that block, a copy goes back to it
    #[arg(long, value_name = "NUMBER", conflicts_with = "dump")]
    feed_head: Option<u64>,
    /// Only print each step, how long it takes and how to go back; geth may run
    #[arg(long)]
    plan: bool,
    /// IPC path of the running node, for --plan; `geth.ipc` in the data directory, if none is named
    #[arg(long, value_name = "FILE")]
    ipc: Option<PathBuf>,
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    let Verb::Adopt(options) = verb;
    let adoption = options.adoption()?;
    if options.plan {
        return planned(options, &adoption, output);
    }
    let done = adopt(&adoption, &mut |event| eprintln!("{}", line(event))).map_err(failure)?;
    eprintln!("{}", next(&done, &options.ipc(&adoption)));
    output.json(&json!({
        "number": done.block.number,
        "hash": done.block.hash.to_string(),
        "head": done.head,
        "downtime_ms": done.downtime_ms,
        "files": done.files,
    }))
}

/// Prints the plan; what is in the way makes it an error.
fn planned(options: &Options, adoption: &Adoption, output: &mut Output) -> Result<(), Error> {
    let ipc = options.ipc(adoption);
    let node = match ipc.exists() {
        true => Some(Master::connect(Endpoint::Ipc(ipc)).map_err(|error| Error::Daemon(error.into()))?),
        false => None,
    };
    let plan = Plan::of(adoption, node.as_ref()).map_err(failure)?;
    for line in plan.to_string().lines() {
        output.line(line)?;
    }
    match plan.objections.is_empty() {
        true => Ok(()),
        false => Err(failure(maidenlane_adopt::Error::Objections(plan.objections))),
    }
}

impl Options {
    fn adoption(&self) -> Result<Adoption, Error> {
        let whole =
            |path: &Path| path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source });
        let root = whole(&self.datadir)?;
        let ancient = self.ancient.as_deref().map(whole).transpose()?;
        let work = match &self.work {
            Some(work) => {
                std::path::absolute(work).map_err(|source| Error::Read { path: work.clone(), source })?
            }
            None => root.with_added_extension("adopt"),
        };
        let way = match (self.feed_head, self.dump) {
            (Some(feed_head), _) => Way::TakeOver { feed_head },
            (None, true) => Way::Dump,
            (None, false) => Way::Export,
        };
        let data_dir = DataDir::open(&root, ancient.as_deref()).map_err(failure)?;
        let geth = Geth::open(&whole(&self.geth)?).map_err(failure)?;
        Adoption::new(data_dir, &work, geth, self.hook.clone(), way).map_err(failure)
    }

    fn ipc(&self, adoption: &Adoption) -> PathBuf {
        self.ipc.clone().unwrap_or_else(|| adoption.data_dir().path().join("geth.ipc"))
    }
}

fn failure(error: maidenlane_adopt::Error) -> Error {
    Error::Daemon(Failure::from(error))
}

fn line(event: Event) -> String {
    match event {
        Event::Copying => "copying geth's data".to_owned(),
        Event::Rewinding { from, to } => format!("going back from block {from} to {to} in a copy"),
        Event::Executing { base, head } => {
            format!("executing the blocks behind {base} up to {head} with the hook, in a copy")
        }
        Event::Start { downtime_ms } => {
            let seconds = downtime_ms.div_ceil(1_000);
            format!("START GETH NOW, with the hook: it could not run for {seconds} s")
        }
        Event::Exporting => "exporting the state from a copy, while geth runs".to_owned(),
    }
}

/// Steps that are left.
fn next(done: &Adopted, ipc: &Path) -> String {
    if done.files.is_empty() {
        let from = done.block;
        return format!("the spool goes on behind block {from}; now start the tap of the feed on this node");
    }
    let names = done.files.iter().map(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!(" --{name} '{}'", file.display())
    });
    let (block, names, ipc) = (done.block.number, names.collect::<String>(), ipc.display());
    format!(
        "the feed begins at block {}; now, on each replica's machine:\n\
         maidenlane replica import --config /etc/maidenlane/replica/main.dhall{names} --block {block} --node '{ipc}'",
        done.block
    )
}
