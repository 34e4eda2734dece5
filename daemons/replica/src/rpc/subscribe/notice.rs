//! Notifications of one block that came or left. Each is rendered once, and shared by all subscribers that get it.

use super::hub::{Kind, Subscriber};
use crate::rpc::Shared;
use crate::rpc::block_logs::BlockLogs;
use crate::rpc::mined::Mined;
use crate::rpc::request_view::RequestView;
use alloy::primitives::map::B256Set;
use maidenlane_chain::{BlockRef, LogRef};
use maidenlane_ethjson::block::own_header_json;
use maidenlane_ethjson::select;
use maidenlane_jsonrpc::Error;
use std::cell::RefCell;
use std::sync::Arc;

/// The block.
pub(super) struct Notice<'a> {
    pub(super) shared: &'a Shared,
    pub(super) view: &'a RequestView,
    pub(super) at: BlockRef,
    pub(super) removed: bool,
}

impl Notice<'_> {
    /// Notifies `subscribers`.
    pub(super) fn send(&self, subscribers: &[Arc<Subscriber>]) -> Result<(), Error> {
        self.logs(subscribers)?;
        if !self.removed {
            self.heads(subscribers)?;
            self.receipts(subscribers)?;
        }
        Ok(())
    }

    pub(super) fn heads(&self, subscribers: &[Arc<Subscriber>]) -> Result<(), Error> {
        let mut to = subscribers.iter().filter(|each| matches!(each.kind, Kind::Heads)).peekable();
        if to.peek().is_some() {
            let header = header_json(self.view, self.at)?;
            to.for_each(|each| each.send(&header));
        }
        Ok(())
    }

    /// Log by log: one that several subscribers want is rendered for the first of them.
    fn logs(&self, subscribers: &[Arc<Subscriber>]) -> Result<(), Error> {
        let criteria = |each: &Subscriber| match &each.kind {
            Kind::Logs(criteria) => criteria.covers(self.at.number),
            _ => false,
        };
        let covering: Vec<_> = subscribers.iter().filter(|each| criteria(each)).collect();
        if covering.is_empty() {
            return Ok(());
        }
        let wanting = RefCell::new(Vec::new());
        let wants = |_, log: &LogRef<'_>| {
            let matches = |each: &Subscriber| {
                let of_query = matches!(&each.kind, Kind::Logs(criteria) if criteria.query.matches(log));
                of_query && !each.publisher.is_closed()
            };
            let mut wanting = wanting.borrow_mut();
            wanting.clear();
            wanting.extend(covering.iter().filter(|each| matches(each)).copied());
            !wanting.is_empty()
        };
        BlockLogs::read(self.view, self.at)?.each(self.removed, wants, |write| {
            let mut out = String::new();
            write(&mut out);
            let log: Arc<str> = out.into();
            wanting.borrow().iter().for_each(|each| each.send(&log));
            true
        })
    }

    fn receipts(&self, subscribers: &[Arc<Subscriber>]) -> Result<(), Error> {
        let mut of_all: Option<Option<Arc<str>>> = None;
        for each in subscribers {
            let Kind::Receipts(wanted) = &each.kind else { continue };
            let receipts = match &of_all {
                _ if !wanted.is_empty() => self.receipts_of(wanted)?,
                Some(receipts) => receipts.clone(),
                None => of_all.insert(self.receipts_of(wanted)?).clone(),
            };
            if let Some(receipts) = receipts {
                each.send(&receipts);
            }
        }
        Ok(())
    }

    /// Receipts of these transactions, or of all; `None` where the block has none of them.
    fn receipts_of(&self, wanted: &B256Set) -> Result<Option<Arc<str>>, Error> {
        let block = self.shared.blocks.block(self.view, self.at)?;
        let mut out = String::from("[");
        for (index, tx) in block.transactions.iter().enumerate() {
            if wanted.is_empty() || wanted.contains(tx.tx_hash()) {
                if out.len() > 1 {
                    out.push(',');
                }
                let mined = Mined::Within(Arc::clone(&block), index);
                out.push_str(self.shared.blocks.receipt(self.view, &mined)?.as_str());
            }
        }
        if out.len() == 1 {
            return Ok(None);
        }
        out.push(']');
        Ok(Some(out.into()))
    }
}

/// JSON of a header as geth notifies it.
fn header_json(view: &RequestView, at: BlockRef) -> Result<Arc<str>, Error> {
    let header = select::header(view.source(), at)?;
    Ok(own_header_json(&header, at.hash).as_str().into())
}
