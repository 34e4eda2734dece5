//! Places in a log by time. Entries tell theirs, by clocks that differ a little: a place is right but for that.

use maidenlane_feed::Scanner;
use maidenlane_log::{Entry, Error, Offset};

/// Offset of the first entry that is not older than `since`; the end if there is none. `time_of` tells an entry's time,
/// where it has one; times grow with the offsets, so that halving finds the place.
///
/// # Errors
/// The log's.
pub fn first_since(
    scanner: &mut Scanner,
    since: u64,
    time_of: impl Fn(&Entry) -> Option<u64>,
) -> Result<Offset, Error> {
    let (mut low, end) = (scanner.earliest()?.0, scanner.end()?.0);
    let mut high = end;
    while low < high {
        let middle = low + (high - low) / 2;
        let found = scanner.find(Offset(middle), Offset(end), |entry| {
            Ok::<_, Error>(time_of(entry).map(|time| (entry.offset.0, time)))
        })?;
        match found {
            Some((at, time)) if time < since => low = at.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(Offset(low))
}

#[cfg(test)]
mod tests {
    use super::first_since;
    use maidenlane_feed::Scanner;
    use maidenlane_log::{Append, Backend, TopicOptions, segment};

    #[test]
    fn the_place_of_a_time_is_found_between_entries_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let log = Backend::Segment(segment::Options::new(dir.path()));
        log.create("t", &TopicOptions::default()).unwrap();
        let times: Vec<[u8; 1]> = [0, 10, 0, 0, 20, 20, 0, 30, 0].map(|time| [time]).to_vec();
        let entries: Vec<_> = times.iter().map(|payload| Append { key: None, payload }).collect();
        let offsets = log.producer("t").unwrap().append(&entries).unwrap();
        let mut scanner = Scanner::new(log.consumer("t", 0).unwrap());
        let time_of = |entry: &maidenlane_log::Entry| {
            entry.payload.first().copied().map(u64::from).filter(|time| *time > 0)
        };
        let mut place = |since| {
            let found = first_since(&mut scanner, since, time_of).unwrap();
            offsets.iter().position(|offset| *offset >= found).unwrap_or(offsets.len())
        };
        assert_eq!([5, 10, 11, 20, 25].map(&mut place), [0, 0, 2, 2, 6]);
        assert!(place(31) >= 8, "at or behind the last that is older");
    }
}
