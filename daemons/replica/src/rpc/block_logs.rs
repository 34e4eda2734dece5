//! Logs of one block: read straight from its receipts, or rendered to JSON for later requests.

use super::request_view::RequestView;
use alloy::primitives::{Bytes, keccak256};
use maidenlane_chain::block::Body;
use maidenlane_chain::{BlockRef, LogRef, Logs};
use maidenlane_ethjson::log_json::LogWriter;
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::Error;
use std::iter::Peekable;
use std::ops::Range;

/// Stored body and receipts of a block, from which its logs are read.
pub(crate) struct BlockLogs {
    at: BlockRef,
    timestamp: u64,
    body: Bytes,
    receipts: Bytes,
}

impl BlockLogs {
    /// Reads body and receipts of a block that is known to exist.
    pub(crate) fn read(view: &RequestView, at: BlockRef) -> Result<Self, Error> {
        let source = view.source();
        let (Some(body), Some(receipts)) =
            (source.body(at).map_err(unreadable)?, source.receipts(at).map_err(unreadable)?)
        else {
            return Err(pruned());
        };
        Ok(Self { at, timestamp: select::header(source, at)?.timestamp, body, receipts })
    }

    /// Number of logs.
    pub(crate) fn count(&self) -> Result<usize, Error> {
        Ok(self.logs()?.count())
    }

    fn logs(&self) -> Result<Logs<'_>, Error> {
        Logs::of(&self.receipts).map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, error: &dyn std::fmt::Display) -> Error {
        Error::internal(format!("block {} in the store: {error}", self.at))
    }

    /// Calls `take` with a writer of each log that `wants` picks, until it returns false.
    pub(crate) fn each(
        &self,
        removed: bool,
        mut wants: impl FnMut(usize, &LogRef<'_>) -> bool,
        mut take: impl FnMut(&dyn Fn(&mut String)) -> bool,
    ) -> Result<(), Error> {
        let (mut body, mut writer, mut writes) = (None, LogWriter::default(), None);
        for (index, log) in self.logs()?.enumerate() {
            let log = log.map_err(|error| self.damaged(&error))?;
            if !wants(index, &log) {
                continue;
            }
            if writes != Some(log.transaction) {
                writes = Some(log.transaction);
                let body = match &mut body {
                    Some(body) => body,
                    none => none.insert(Body::parse(&self.body).map_err(|error| self.damaged(&error))?),
                };
                let transaction = body.transactions.get(log.transaction);
                let hash =
                    transaction.map(keccak256).ok_or_else(|| self.damaged(&"a receipt of no transaction"))?;
                writer.begin(self.at, self.timestamp, log.transaction, &hash);
            }
            let write =
                |out: &mut String| writer.write(out, log.address, log.topics(), log.data, index, removed);
            if !take(&write) {
                break;
            }
        }
        Ok(())
    }

    /// Renders all logs to JSON, for later requests.
    pub(crate) fn ready(&self) -> Result<ReadyLogs, Error> {
        let (mut text, mut ends, mut topics) = (String::new(), Vec::new(), Vec::new());
        let all = |_, log: &LogRef<'_>| {
            topics.push(log.topics().len());
            true
        };
        self.each(false, all, |write| {
            write(&mut text);
            ends.push(text.len());
            text.push(',');
            true
        })?;
        text.shrink_to_fit();
        Ok(ReadyLogs { text, ends: ends.into_iter().zip(topics).collect() })
    }
}

/// Rendered logs of one block.
#[derive(Debug, Default)]
pub(crate) struct ReadyLogs {
    /// JSON of the logs one after the other, each followed by a comma.
    text: String,
    /// End in `text`, and number of topics, of each log.
    ends: Vec<(usize, usize)>,
}

impl ReadyLogs {
    /// Size in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<(usize, usize)>()
    }

    /// Number of logs.
    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Takes from `wanted`, which ascend, the indexes of logs that there are, and calls `take` with those that have
    /// enough topics: adjacent ones in one piece, with their number; until it returns false.
    pub(crate) fn each(
        &self,
        wanted: &mut Peekable<impl Iterator<Item = usize>>,
        topics_least: usize,
        mut take: impl FnMut(usize, &str) -> bool,
    ) {
        let mut run = 0..0;
        let mut flush = |run: &Range<usize>| {
            let last = run.end.checked_sub(1).and_then(|last| self.ends.get(last));
            let text = last.and_then(|(end, _)| self.text.get(self.begin(run.start)..*end));
            text.filter(|_| !run.is_empty()).is_none_or(|text| take(run.len(), text))
        };
        while let Some(index) = wanted.next_if(|index| *index < self.ends.len()) {
            if self.ends.get(index).is_none_or(|(_, topics)| *topics < topics_least) {
                continue;
            }
            if run.end != index {
                if !flush(&run) {
                    return;
                }
                run.start = index;
            }
            run.end = index + 1;
        }
        flush(&run);
    }

    fn begin(&self, index: usize) -> usize {
        let before = index.checked_sub(1).and_then(|before| self.ends.get(before));
        before.map_or(0, |(end, _)| end + 1)
    }
}
