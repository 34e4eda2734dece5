//! `maidenlane tap …`: what an operator does to a tap that has stopped.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use maidenlane_tap::{
    config::Settings,
    master::Master,
    repair::{Repaired, repair},
    tail::Chain,
};
use serde_json::{Value, json};

use crate::{error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Close a hole: make the master execute the missing block again
    Repair {
        /// The stopped tap's settings
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Wait so long for the consensus layer to feed the block again
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        patience_s: u64,
    },
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    let Verb::Repair { config, patience_s } = verb;
    let settings = maidenlane_config::load::<Settings>(config)?.settings;
    let genesis = match settings.genesis {
        Some(genesis) => genesis,
        None => {
            let asked = Master::connect(&settings.ipc).and_then(|mut master| master.identity());
            asked.map_err(|error| Error::tap(maidenlane_tap::error::Error::from(error)))?.1
        }
    };
    let chain = Chain { id: settings.chain_id, genesis };
    let patience = Duration::from_secs(*patience_s);
    // First that the master is back at the block before, and who has to feed it now.
    let mut written = Ok(());
    let say = |state| written = output.json(&line(state));
    let repaired = repair(&settings, chain, patience, say);
    written?;
    output.json(&line(repaired.map_err(Error::tap)?))
}

fn line(state: Repaired) -> Value {
    let (state, missing) = match state {
        Repaired::Whole => return json!({"repaired": "whole"}),
        Repaired::Executed { missing } => ("executed", missing),
        Repaired::Waiting { missing } => ("waiting", missing),
    };
    json!({"repaired": state, "number": missing.number, "hash": missing.hash.to_string()})
}
