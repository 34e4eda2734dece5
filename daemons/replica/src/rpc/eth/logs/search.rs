//! Search for logs on a pool thread, and its answer as it grows.

use crate::rpc::Shared;
use crate::rpc::block_logs::BlockLogs;
use crate::rpc::blocks::Found;
use crate::rpc::request_view::RequestView;
use maidenlane_chain::{BlockRef, LogRef};
use maidenlane_ethjson::select::pruned;
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::{Error, Json, codes};
use maidenlane_state::LogQuery;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// JSON list of logs or hashes as it grows, up to the limits of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    logs: usize,
    most_logs: usize,
    most_bytes: usize,
}

impl Answer {
    /// Empty list.
    pub(crate) fn new(shared: &Shared) -> Self {
        let settings = shared.settings.get();
        let (most_logs, most_bytes) = (settings.logs_max, settings.limits.answer_bytes);
        Self { text: "[".into(), logs: 0, most_logs, most_bytes }
    }

    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        self.logs
    }

    /// Appends `count` items, which `write` renders. False once the answer is too large.
    pub(crate) fn add(&mut self, count: usize, write: impl FnOnce(&mut String)) -> bool {
        if self.logs > 0 {
            self.text.push(',');
        }
        self.logs += count;
        write(&mut self.text);
        self.check().is_ok()
    }

    /// Refuses an answer that is too large.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.logs > self.most_logs {
            let most = self.most_logs;
            let text = format!("query returns more than {most} logs; ask for a smaller range");
            return Err(Error::new(codes::CLIENT_LIMIT, text));
        }
        if self.text.len() > self.most_bytes {
            return Err(Error::new(codes::RESPONSE_TOO_LARGE, "response too large"));
        }
        Ok(())
    }

    /// Ends the list.
    pub(crate) fn finish(mut self) -> Json {
        self.text.push(']');
        Json::Owned(self.text)
    }
}

/// One search on a pool thread.
pub(super) struct Search<'a> {
    shared: &'a Shared,
    view: &'a RequestView,
    deadline: Option<Instant>,
    cancelled: Arc<AtomicBool>,
    answer: Answer,
}

impl<'a> Search<'a> {
    /// New search, which ends with an error at `deadline`, or when it is `cancelled`.
    pub(super) fn new(
        shared: &'a Shared,
        view: &'a RequestView,
        deadline: Option<Instant>,
        cancelled: Arc<AtomicBool>,
    ) -> Self {
        Self { shared, view, deadline, cancelled, answer: Answer::new(shared) }
    }

    fn check(&self) -> Result<(), Error> {
        if self.cancelled.load(Ordering::Relaxed) || self.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Error::new(codes::TIMEOUT, "request timed out"));
        }
        self.answer.check()
    }

    /// All logs of one block that match.
    pub(super) fn block(mut self, at: BlockRef, query: &LogQuery) -> Result<Json, Error> {
        if query.is_selective() {
            // It may have left the chain, and then no index knows it.
            let logs = BlockLogs::read(self.view, at)?;
            let answer = &mut self.answer;
            logs.each(false, |_, log| query.matches(log), |write| answer.add(1, write))?;
        } else {
            self.append(at, None, query.topics.len())?;
        }
        self.check()?;
        Ok(self.answer.finish())
    }

    /// All logs of the blocks from `query.from` to `query.to` that match.
    pub(super) fn range(mut self, query: &LogQuery) -> Result<Json, Error> {
        let topics = query.topics.len();
        if !query.is_selective() {
            for number in query.from..=query.to {
                self.append(self.canonical(number)?, None, topics)?;
                self.check()?;
            }
            return Ok(self.answer.finish());
        }
        let (view, mut outcome) = (self.view, Ok(()));
        view.source()
            .logs(query, &mut |number, indexes| {
                outcome = self.found(number, indexes, topics);
                outcome.is_ok()
            })
            .map_err(unreadable)?;
        outcome?;
        Ok(self.answer.finish())
    }

    fn found(&mut self, number: u64, indexes: &[u32], topics: usize) -> Result<(), Error> {
        if !indexes.is_empty() {
            self.append(self.canonical(number)?, Some(indexes), topics)?;
        }
        self.check()
    }

    fn canonical(&self, number: u64) -> Result<BlockRef, Error> {
        let hash = self.view.source().hash_of(number).map_err(unreadable)?.ok_or_else(pruned)?;
        Ok(BlockRef::new(number, hash))
    }

    /// Appends these logs of a block, or all. The index does not know how many topics a log has, and a query may
    /// require more than it names.
    fn append(&mut self, at: BlockRef, these: Option<&[u32]>, topics: usize) -> Result<(), Error> {
        let answer = &mut self.answer;
        let mut wanted = these
            .map(|these| these.iter().map(|index| usize::try_from(*index).unwrap_or(usize::MAX)).peekable());
        match self.shared.blocks.logs(self.view, at, these.map(<[u32]>::len))? {
            Found::Ready(ready) => {
                let add = |count: usize, text: &str| answer.add(count, |out| out.push_str(text));
                match &mut wanted {
                    Some(wanted) => ready.each(wanted, topics, add),
                    None => ready.each(&mut (0..ready.count()).peekable(), topics, add),
                }
            }
            Found::Stored(logs) => {
                let wants = |index: usize, log: &LogRef<'_>| {
                    let named = wanted.as_mut().is_none_or(|wanted| wanted.next_if_eq(&index).is_some());
                    named && log.topics().len() >= topics
                };
                logs.each(false, wants, |write| answer.add(1, write))?;
            }
        }
        match wanted.and_then(|mut wanted| wanted.next()).filter(|_| answer.check().is_ok()) {
            Some(index) => Err(Error::internal(format!("log {index} of block {at} is missing"))),
            None => Ok(()),
        }
    }
}
