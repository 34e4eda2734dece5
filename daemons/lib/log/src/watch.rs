//! Watch of files on this machine that other processes write to, by inotify.
//!
//! A hint and no more: inotify has few instances per user, and some file systems report nothing to it. Callers look
//! again now and then.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

    /// Waits until a file was written or `other` can be read, at most `most`. True if a file was written.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, most: Duration) -> bool {
        let watched = self.0.as_ref().map(AsFd::as_fd);
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut all: Vec<_> = other.into_iter().chain(watched).map(readable).collect();
        let seconds = i64::try_from(most.as_secs()).unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: most.subsec_nanos().into() };
        // Interrupted or refused, it is looked at again a little later.
        let _ = rustix::event::poll(&mut all, Some(&timeout));
        let (mut written, mut events) = (false, [0; 4096]);
        while watched.is_some_and(|fd| rustix::io::read(fd, &mut events).is_ok_and(|bytes| bytes > 0)) {
            written = true;
        }
        written
    }

    /// Returns when it is time to look again, at the latest at `deadline`. False once the deadline is past.
    pub(crate) fn until(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let most = if self.0.is_some() { LOOK_AT_LEAST_EVERY } else { POLL_EVERY };
        if !left.is_zero() {
            self.wait(None, left.min(most));
        }
        !left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_written_and_what_can_be_read_end_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let (mut here, there) = UnixStream::pair().unwrap();
        let other = Some(there.as_fd());
        let watch = Watch::new([dir.path()]);
        assert!(!watch.wait(other, Duration::ZERO), "nothing yet");
        std::fs::write(dir.path().join("00000000000000000001.spool"), "a").unwrap();
        assert!(watch.wait(other, LONG), "a new file");
        let grown =
            std::fs::OpenOptions::new().append(true).open(dir.path().join("00000000000000000001.spool"));
        grown.unwrap().write_all(b"b").unwrap();
        assert!(watch.wait(other, LONG), "more in it");
        here.write_all(b"c").unwrap();
        assert!(!watch.wait(other, LONG), "the other");
        assert!(!Watch::new([dir.path().join("missing").as_path()]).wait(other, LONG), "not to be watched");
    }
}
