//! Blocks checked before they are announced.
//!
//! # Why
//! A consensus client has a block executed first and makes it the head afterwards. In between there is nothing to do
//! but to check it, so that its announcement finds it ready: the master's proofs alone take longer than all else the
//! tap does. Only the block that continues the published head is checked so. A fault in it counts when it is announced:
//! a block that never becomes canonical is nobody's trouble.

use super::blocks::{Audit, Blocks, Checked};
use crate::block::Examined;
use crate::error::Error;
use crate::events::Event;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::Tracer;
use maidenlane_service::clock::age_of;
use std::time::Duration;

/// Age below which blocks are audited; the master's head is, whatever its age.
const AUDIT_AGE_MAX: Duration = Duration::from_secs(600);

pub(super) struct Lookahead {
    events: Tracer<Event>,
    /// The block that came last, if it may be announced next.
    ahead: Option<Ahead>,
}

struct Ahead {
    hash: B256,
    /// Result of the check, true if the master proved some of the rows.
    checked: Result<(Checked, bool), Error>,
}

impl Lookahead {
    pub(super) fn new(events: Tracer<Event>) -> Self {
        Self { events, ahead: None }
    }

    /// Checks a block whose frames came, if it continues the published `head`.
    ///
    /// # Errors
    /// When the master is away.
    pub(super) fn look(
        &mut self,
        block: B256,
        head: Option<BlockRef>,
        blocks: &mut Blocks,
    ) -> Result<(), Error> {
        let head = head.map(|head| head.hash);
        if head.is_none() || blocks.spool.find(&block).map(|indexed| indexed.parent) != head {
            return Ok(());
        }
        let checked = match blocks.check(block).and_then(|checked| prove_young(checked, blocks)) {
            Err(error @ Error::Master(_)) => return Err(error),
            checked => checked,
        };
        self.events.emit(&Event::Ahead { fit: checked.is_ok() });
        self.ahead = Some(Ahead { hash: block, checked });
        Ok(())
    }

    /// A block that is about to be published: checked before, or now. `announced` is true if the master made it its
    /// head.
    ///
    /// # Errors
    /// The fault in it.
    pub(super) fn take(
        &mut self,
        hash: B256,
        announced: bool,
        blocks: &mut Blocks,
    ) -> Result<Checked, Error> {
        let (checked, audited) = match self.ahead.take_if(|ahead| ahead.hash == hash) {
            Some(ahead) => ahead.checked?,
            None => (blocks.check(hash)?, false),
        };
        // Old states are gone from the master, and proving them would slow down a sync.
        let is_near_head = || is_young(&checked.block) || blocks.connection.seen() == Some(checked.block.at);
        if announced
            && !audited
            && is_near_head()
            && let Audit::Refused(reason) = blocks.audit(&checked.block, &checked.executed.state.rows)?
        {
            self.events.emit(&Event::Unaudited { reason });
        }
        Ok(checked)
    }
}

/// Audits a young block. The master may not be able to prove it yet, and is asked once more when it is announced.
fn prove_young(checked: Checked, blocks: &mut Blocks) -> Result<(Checked, bool), Error> {
    let audited = is_young(&checked.block)
        && matches!(blocks.audit(&checked.block, &checked.executed.state.rows)?, Audit::Proved);
    Ok((checked, audited))
}

fn is_young(block: &Examined) -> bool {
    // The master's clock may be ahead of ours, and a header may say anything.
    age_of(Duration::from_secs(block.header.timestamp)) <= AUDIT_AGE_MAX
}
