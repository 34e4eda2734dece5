//! One round of an import: rows are read, checked and written side by side. Between two rounds everything is on the disk.

use crate::check::Check;
use crate::error::Error;
use crate::progress::Meter;
use crate::row::Row;
use crate::series::Series;
use crate::source::Source;
use maidenlane_store::Store;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Rows that are passed on together: about a megabyte, codes counted apart.
const BATCH_ROWS: usize = 8_192;
/// Bytes of codes in them: one may be large, and most are in a file of nothing else.
const BATCH_CODE_BYTES: usize = 1 << 20;
/// Batches that wait for each that takes them.
const BATCHES_MAX: usize = 8;

type Batch = Arc<Vec<Row>>;

/// Writes rows where they belong.
pub(crate) struct Writer<'a> {
    pub(crate) accounts: Series<'a>,
    pub(crate) slots: Series<'a>,
    pub(crate) store: &'a Store,
}

impl Writer<'_> {
    fn take(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            match row {
                Row::Account(key, account) => self.accounts.file()?.account(*key, account)?,
                Row::Slot(account, key, value) => self.slots.file()?.slot(*account, *key, *value)?,
                Row::Code(..) => {}
            }
        }
        let codes = rows.iter().filter_map(|row| match row {
            Row::Code(hash, code) => Some((*hash, code.as_ref())),
            _ => None,
        });
        Ok(self.store.put_codes(codes)?)
    }
}

/// Reads up to `rows_max` rows of `source` into both; tells how many there were, and whether more may come.
pub(crate) fn round<'a>(
    source: &mut Source,
    rows_max: u64,
    mut check: Check<'a>,
    writer: &mut Writer<'_>,
    meter: &Meter,
) -> Result<(Check<'a>, u64, bool), Error> {
    thread::scope(|scope| {
        let (to_check, for_check) = sync_channel::<Batch>(BATCHES_MAX);
        let (to_write, for_writer) = sync_channel::<Batch>(BATCHES_MAX);
        let reader = scope.spawn(move || read(source, rows_max, &[to_check, to_write], meter));
        let checker = scope.spawn(move || {
            for_check.iter().try_for_each(|rows| rows.iter().try_for_each(|row| check.take(row)))?;
            Ok::<_, Error>(check)
        });
        let written = write(writer, for_writer);
        // A thread that panics takes this one with it: there is nothing to go on with.
        let (checked, read) = (joined(checker), joined(reader));
        // Who reads ends without an error when nobody takes what it has.
        let (check, ()) = (checked?, written?);
        let (rows, more) = read?;
        Ok((check, rows, more))
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn write(writer: &mut Writer<'_>, batches: Receiver<Batch>) -> Result<(), Error> {
    batches.into_iter().try_for_each(|rows| writer.take(&rows))
}

/// Passes rows on until there are enough, none are left, or somebody takes no more.
fn read(
    source: &mut Source,
    rows_max: u64,
    to: &[SyncSender<Batch>],
    meter: &Meter,
) -> Result<(u64, bool), Error> {
    let mut rows = 0;
    while rows < rows_max {
        let room = usize::try_from(rows_max - rows).unwrap_or(usize::MAX).min(BATCH_ROWS);
        let (batch, ended) = batch(source, room)?;
        let len = batch.len() as u64;
        rows += len;
        meter.add(len);
        let batch = Arc::new(batch);
        let unwanted = to.iter().any(|to| to.send(Arc::clone(&batch)).is_err());
        if ended || unwanted {
            return Ok((rows, false));
        }
    }
    Ok((rows, true))
}

/// The next rows, and true if they are the last.
fn batch(source: &mut Source, room: usize) -> Result<(Vec<Row>, bool), Error> {
    let (mut batch, mut code_bytes) = (Vec::with_capacity(room), 0);
    while batch.len() < room && code_bytes < BATCH_CODE_BYTES {
        let Some(row) = source.next()? else { return Ok((batch, true)) };
        if let Row::Code(_, code) = &row {
            code_bytes += code.len();
        }
        batch.push(row);
    }
    Ok((batch, false))
}
