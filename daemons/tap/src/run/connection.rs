//! The connection to the master: made anew whenever it broke, and the newest answer about its head.

use crate::config::Settings;
use crate::error::Error;
use crate::ipc;
use crate::master::{ANSWER_WITHIN, Master};
use crate::tail::Chain;
use maidenlane_chain::BlockRef;
use maidenlane_log::Watch;
use maidenlane_service::Current;
use std::time::{Duration, SystemTime};

pub(super) struct Connection {
    settings: Current<Settings>,
    chain: Chain,
    master: Option<Master>,
    /// File watch on the spool: reports frames that come.
    watch: Watch,
    /// The master's head and the time of its answer.
    seen: Option<(BlockRef, SystemTime)>,
}

impl Connection {
    pub(super) fn new(settings: Current<Settings>, chain: Chain) -> Self {
        Self { settings, chain, master: None, watch: Watch::default(), seen: None }
    }

    /// Connects if there is no connection. True if it is new.
    ///
    /// # Errors
    /// When the master is away or serves another chain.
    pub(super) fn ensure(&mut self) -> Result<bool, Error> {
        if self.master.is_some() {
            return Ok(false);
        }
        let mut master = Master::connect(&self.settings.get().ipc)?;
        let (id, genesis) = master.identity()?;
        if (id, genesis) != (self.chain.id, self.chain.genesis) {
            let (wanted_id, wanted) = (self.chain.id, self.chain.genesis);
            return Err(Error::WrongChain { wanted_id, wanted, found_id: id, found: genesis });
        }
        self.master = Some(master);
        self.watch = Watch::new([self.settings.get().spool.as_path()]);
        Ok(true)
    }

    /// Drops what a failure put in doubt: the last head seen, and the connection unless geth merely refused.
    pub(super) fn failed(&mut self, cause: &ipc::Error) {
        self.seen = None;
        if !cause.is_refusal() {
            self.master = None;
        }
    }

    /// The connected master.
    ///
    /// # Errors
    /// When there is no connection.
    pub(super) fn master(&mut self) -> Result<&mut Master, Error> {
        self.master.as_mut().ok_or(Error::Master(ipc::Error::Closed))
    }

    /// Waits until frames may have come, at most `most`. True if they may.
    pub(super) fn wait(&self, most: Duration) -> bool {
        self.watch.wait(most)
    }

    /// Asks for the master's head.
    pub(super) fn head(&mut self) -> Result<BlockRef, Error> {
        self.seen = None;
        let head = self.master()?.head()?;
        self.seen = Some((head, SystemTime::now()));
        Ok(head)
    }

    /// The master's head as it answered last.
    pub(super) fn seen(&self) -> Option<BlockRef> {
        self.seen.map(|(head, _)| head)
    }

    /// The master's last head with the time of its answer, if that was a moment ago.
    pub(super) fn just_seen(&self) -> Option<(BlockRef, SystemTime)> {
        self.seen.filter(|(_, at)| at.elapsed().is_ok_and(|age| age <= ANSWER_WITHIN))
    }
}
