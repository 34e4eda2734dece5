//! Watch of files on this machine that other processes write to, by inotify.
//!
//! A hint and no more: inotify has few instances per user, and some file systems report nothing to it. Callers look
//! again now and then.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;

/// Interval of looks without inotify.
const POLL_EVERY: Duration = Duration::from_millis(5);
/// Interval of looks that are taken with inotify anyway.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(200);

/// File watch, which wakes when one of several files, or a file of one of several directories, is written to.
#[derive(Debug, Default)]
pub struct Watch(Option<OwnedFd>);

impl Watch {
    /// Watch from now on: writings between a look and [`Watch::wait`] are not missed. Where one path cannot be watched,
    /// none is.
    #[must_use]
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let writes = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        let watched = inotify::init(flags).and_then(|fd| {
            paths.into_iter().try_for_each(|path| inotify::add_watch(&fd, path, writes).map(drop))?;
            Ok(fd)
        });
        Self(watched.ok())
    }

    /// Waits until a file may have been written, at most `most`. True if one may: without inotify after a moment.
    pub fn wait(&self, most: Duration) -> bool {
        let Some(watched) = &self.0 else {
            std::thread::sleep(most.min(POLL_EVERY));
            return true;
        };
        let seconds = i64::try_from(most.as_secs()).unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: most.subsec_nanos().into() };
        // Interrupted or refused, it is looked at again a little later.
        let _ = rustix::event::poll(&mut [PollFd::new(watched, PollFlags::IN)], Some(&timeout));
        let (mut written, mut events) = (false, [0; 4096]);
        while rustix::io::read(watched, &mut events).is_ok_and(|bytes| bytes > 0) {
            written = true;
        }
        written
    }

    /// Returns when it is time to look again, at the latest at `deadline`. False once the deadline is past.
    pub(crate) fn until(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            self.wait(left.min(LOOK_AT_LEAST_EVERY));
        }
        !left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_written_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new([dir.path()]);
        assert!(!watch.wait(Duration::ZERO), "nothing yet");
        std::fs::write(dir.path().join("00000000000000000001.spool"), "a").unwrap();
        assert!(watch.wait(LONG), "a new file");
        let grown =
            std::fs::OpenOptions::new().append(true).open(dir.path().join("00000000000000000001.spool"));
        grown.unwrap().write_all(b"b").unwrap();
        assert!(watch.wait(LONG), "more in it");
        assert!(!watch.wait(Duration::ZERO), "all of it is known");
        assert!(
            Watch::new([dir.path().join("missing").as_path()]).wait(LONG),
            "not to be watched: who knows"
        );
    }
}
