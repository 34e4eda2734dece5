//! Changes between two heads, worked out from one view alone, for subscriptions and filters.

use super::block_logs::BlockLogs;
use super::eth::logs::Criteria;
use super::request_view::RequestView;
use maidenlane_chain::{BlockRef, LogRef};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::Error;
use maidenlane_state::StateView;

/// Blocks that left the chain and blocks that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Blocks that left the chain, oldest first.
    pub(crate) gone: Vec<BlockRef>,
    /// Blocks that came, oldest first.
    pub(crate) came: Vec<BlockRef>,
}

/// Changes from the block `from` to the view's head. `None` when a block that left the chain is not held any more, or
/// when more than `most` blocks came or left.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn between(source: &dyn StateView, from: BlockRef, most: u64) -> Result<Option<Changes>, Error> {
    let head = source.head().block;
    let mut gone = Vec::new();
    let mut at = from;
    while source.hash_of(at.number).map_err(unreadable)?.filter(|_| at.number <= head.number) != Some(at.hash)
    {
        let full = u64::try_from(gone.len()).is_ok_and(|gone| gone >= most);
        let Some(parent) = at.number.checked_sub(1).filter(|_| !full) else { return Ok(None) };
        if source.header(at).map_err(unreadable)?.is_none() {
            return Ok(None);
        }
        let header = select::header(source, at)?;
        gone.push(at);
        at = BlockRef::new(parent, header.parent_hash);
    }
    if head.number.saturating_sub(at.number) > most {
        return Ok(None);
    }
    let mut came = Vec::new();
    for number in at.number.saturating_add(1)..=head.number {
        let Some(hash) = source.hash_of(number).map_err(unreadable)? else { return Ok(None) };
        came.push(BlockRef::new(number, hash));
    }
    gone.reverse();
    Ok(Some(Changes { gone, came }))
}

/// Calls `take` with the JSON of each matching log of a block that came or left, until it returns false; false then.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn logs(
    view: &RequestView,
    criteria: &Criteria,
    at: BlockRef,
    removed: bool,
    take: &mut dyn FnMut(String) -> bool,
) -> Result<bool, Error> {
    if !criteria.covers(at.number) {
        return Ok(true);
    }
    let mut listens = true;
    let wants = |_, log: &LogRef<'_>| criteria.query.matches(log);
    BlockLogs::read(view, at)?.each(removed, wants, |write| {
        let mut out = String::new();
        write(&mut out);
        listens = take(out);
        listens
    })?;
    Ok(listens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::tests::fake;

    /// Checks the changes from a block to a chain's head: the numbers of the blocks that left and that came.
    fn check(chain: &fake::Chain, from: BlockRef, most: u64, expect: Option<(&[u64], &[u64])>) {
        let changes = between(chain, from, most).expect("in memory");
        let numbers = |blocks: &[BlockRef]| blocks.iter().map(|at| at.number).collect::<Vec<_>>();
        let found = changes.map(|changes| (numbers(&changes.gone), numbers(&changes.came)));
        assert_eq!(found, expect.map(|(gone, came)| (gone.to_vec(), came.to_vec())));
    }

    #[test]
    fn blocks_come_and_go() {
        let Some(chain) = fake::chain() else { return };
        let at = |number| BlockRef::new(number, chain.hash_of(number).expect("in memory").expect("there"));
        check(&chain, at(54), 8, Some((&[], &[])));
        check(&chain, at(51), 8, Some((&[], &[52, 53, 54])));
        check(&chain, at(51), 2, None);
        let (shorter, gone) = chain.undone_to(52);
        check(&shorter, BlockRef::new(53, gone), 8, Some((&[53], &[])));
        check(&shorter, BlockRef::new(53, alloy::primitives::B256::repeat_byte(1)), 8, None);
        check(&shorter, BlockRef::new(54, chain.head().block.hash), 8, None);
    }
}
