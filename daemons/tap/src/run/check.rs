//! What must be true of a block by itself, checked as soon as its frames are there.
//!
//! # Why ahead of the announcement
//! A consensus client has a block executed first and makes it the head afterwards. In between there is nothing to do but
//! to check it, so that its announcement finds it ready: the master's proofs alone take longer than all else the tap does.
//! Only the block that continues the published head is looked at so. What is found wrong with it counts when it is
//! announced: a block that never becomes canonical is nobody's trouble.

use super::Tap;
use crate::audit;
use crate::block::{self, Facts};
use crate::error::Error;
use crate::events::Event;
use crate::spool::Executed;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::Rows;
use std::time::{Duration, SystemTime};

/// Blocks younger than this are audited, and whatever is the master's head.
const AUDIT_AGE_MAX: Duration = Duration::from_secs(600);

/// A block whose parts agree with each other.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) facts: Facts,
    pub(super) executed: Executed,
    /// The master proved some of its rows.
    audited: bool,
}

/// The block that is likely to be announced next, and what came of its check.
#[derive(Debug)]
pub(super) struct Ahead {
    hash: B256,
    checked: Result<Checked, Error>,
}

impl Tap {
    /// Checks a block whose frames came, if it continues the published head.
    ///
    /// # Errors
    /// When the master is away.
    pub(super) fn look_ahead(&mut self, block: B256) -> Result<(), Error> {
        let head = self.publisher.tail().published.head().map(|head| head.hash);
        if head.is_none() || self.spool.find(&block).map(|located| located.parent) != head {
            return Ok(());
        }
        let checked = self.check(block);
        let checked = match checked.and_then(|checked| self.prove_young(checked)) {
            Err(error @ Error::Master(_)) => return Err(error),
            checked => checked,
        };
        self.events.emit(&Event::Ahead { fit: checked.is_ok() });
        self.ahead = Some(Ahead { hash: block, checked });
        Ok(())
    }

    /// A block that is about to be published: checked before, or now. `head` says that the master announced it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn checked(&mut self, hash: B256, head: bool) -> Result<Checked, Error> {
        let checked = match self.ahead.take_if(|ahead| ahead.hash == hash) {
            Some(ahead) => ahead.checked?,
            None => self.check(hash)?,
        };
        if head && !checked.audited && self.is_near_head(&checked.facts) {
            match self.audit(&checked.facts, &checked.executed.state.rows)? {
                Audit::Proved => {}
                Audit::Refused(reason) => self.events.emit(&Event::Unaudited { reason }),
            }
        }
        Ok(checked)
    }

    fn check(&mut self, hash: B256) -> Result<Checked, Error> {
        let block = BlockRef::new(self.spool.find(&hash).map_or(0, |located| located.number), hash);
        let executed = self.spool.load(&hash)?.ok_or(Error::Hole(block))?;
        let bad = |what: String| self.bad_frames(block, what);
        let facts = block::examine(hash, &executed.block).map_err(bad)?;
        block::examine_receipts(&facts, &executed.receipts).map_err(bad)?;
        Ok(Checked { facts, executed, audited: false })
    }

    /// Asks once more when the block is announced if the master cannot prove it yet.
    fn prove_young(&mut self, mut checked: Checked) -> Result<Checked, Error> {
        if is_young(&checked.facts) {
            let audit = self.audit(&checked.facts, &checked.executed.state.rows)?;
            checked.audited = matches!(audit, Audit::Proved);
        }
        Ok(checked)
    }

    /// Old states are gone from the master, and proving them would slow down a sync.
    fn is_near_head(&self, facts: &Facts) -> bool {
        is_young(facts) || self.seen.is_some_and(|(head, _)| head == facts.block)
    }

    fn audit(&mut self, facts: &Facts, rows: &Rows) -> Result<Audit, Error> {
        let questions =
            audit::choose(rows, self.settings.get().audit_keys, |below| rand::random_range(0..below));
        let wanted = questions.iter().map(|question| {
            (question.address, question.slot.iter().map(|(plain, ..)| *plain).collect::<Vec<B256>>())
        });
        let proofs = match self.master()?.proofs(wanted, facts.block.hash) {
            Ok(proofs) => proofs,
            Err(error) if error.is_refusal() => return Ok(Audit::Refused(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        for (question, proof) in questions.iter().zip(&proofs) {
            audit::verify(question, facts.header.state_root, proof)
                .map_err(|what| self.bad_frames(facts.block, format!("audit: {what}")))?;
        }
        self.events.emit(&Event::Audited { keys: questions.len() });
        Ok(Audit::Proved)
    }

    pub(super) fn bad_frames(&self, block: BlockRef, what: String) -> Error {
        Error::BadFrames { block, segment: self.spool.segment_of(&block.hash), what }
    }
}

/// What the master says when asked for proofs.
enum Audit {
    Proved,
    /// For example because it no longer has that state.
    Refused(String),
}

fn is_young(facts: &Facts) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The master's clock may be ahead of ours, and a header may say anything.
    now.saturating_sub(Duration::from_secs(facts.header.timestamp)) <= AUDIT_AGE_MAX
}
