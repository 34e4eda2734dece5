//! A network whose consensus client is the test.

use std::path::PathBuf;

use super::{Carrier, Net, Plan};
use crate::{
    chain::Chain,
    failure::{Failure, Outcome},
    geth::engine::Engine,
    install::GETH,
};

/// The network, its geth at the end of a chain that is final; no daemon of ours is started.
#[derive(Debug)]
pub struct Fed {
    /// The network.
    pub net: Net,
    /// Feeds its geth.
    pub engine: Engine,
    /// Hash and time of the chain's end.
    pub head: (String, u64),
}

impl Fed {
    /// Built on a chain that is imported. `None`, said aloud, on a machine without Go.
    ///
    /// # Errors
    /// Something does not build or start.
    pub fn on(
        chain: Chain,
        replicas: usize,
        build: impl FnOnce(&Plan) -> Outcome<Net>,
    ) -> Outcome<Option<Self>> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return Ok(None);
        }
        let end = end(&chain)?;
        let mut net = build(&Plan { chain, carrier: Carrier::Segment, replicas })?;
        let engine = net.node().engine()?;
        engine.announce(&end)?;
        let head = net.master().block("latest")?;
        Ok(Some(Self { net, engine, head }))
    }
}

/// File that names the end of a chain.
fn end(chain: &Chain) -> Outcome<PathBuf> {
    match chain {
        Chain::Import(dir) | Chain::Stock(dir, _) => Ok(dir.join("headfcu.json")),
        Chain::Developer | Chain::Recorded => Err(Failure::new("nobody feeds a chain of this kind")),
    }
}
