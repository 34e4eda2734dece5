//! Gathering of one read out of many polls: bounded in bytes, waiting only for the first entry.

use std::time::{Duration, Instant};

use crate::Error;

/// Leftover of one read for the next.
#[derive(Debug)]
pub(super) struct Rest<T> {
    /// Entry that was polled, but was too large for that read.
    held: Option<T>,
    /// Error to be returned at the next read, after the good entries have been taken: librdkafka reports it once.
    failure: Option<Error>,
}

impl<T> Default for Rest<T> {
    fn default() -> Self {
        Self { held: None, failure: None }
    }
}

/// Gathers entries of at most `max_bytes` together, or one larger; none if nothing comes within `wait`.
///
/// `poll` gives the next entry within a time; `rest` gives the place where the reader keeps what is left.
pub(super) fn gather<R, T>(
    reader: &mut R,
    rest: impl Fn(&mut R) -> &mut Rest<T>,
    mut poll: impl FnMut(&mut R, Duration) -> Result<Option<T>, Error>,
    bytes_of: impl Fn(&T) -> usize,
    (max_bytes, wait): (usize, Duration),
) -> Result<Vec<T>, Error> {
    if let Some(failure) = rest(reader).failure.take() {
        return Err(failure);
    }
    let deadline = Instant::now() + wait;
    let (mut entries, mut bytes) = (Vec::new(), 0usize);
    loop {
        let left = if entries.is_empty() {
            deadline.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        let polled = match rest(reader).held.take() {
            Some(held) => Ok(Some(held)),
            None => poll(reader, left),
        };
        match polled {
            Ok(Some(entry)) => {
                bytes = bytes.saturating_add(bytes_of(&entry));
                if !entries.is_empty() && bytes > max_bytes {
                    rest(reader).held = Some(entry);
                    return Ok(entries);
                }
                entries.push(entry);
            }
            Ok(None) if entries.is_empty() && Instant::now() < deadline => {}
            Ok(None) => return Ok(entries),
            Err(error) if entries.is_empty() => return Err(error),
            Err(error) => {
                rest(reader).failure = Some(error);
                return Ok(entries);
            }
        }
    }
}
