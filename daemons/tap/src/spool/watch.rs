//! Tells that geth wrote to the spool.
//!
//! A hint and no more: by it a block is checked before it is announced. Where nothing tells, for want of inotify or of the
//! directory, blocks are found when they are looked for.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Watches a directory.
#[derive(Debug, Default)]
pub struct Watch(Option<OwnedFd>);

impl Watch {
    /// From now on: what is written before [`Watch::wait`] is not missed.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let wanted = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        let watched = inotify::init(flags).and_then(|fd| inotify::add_watch(&fd, dir, wanted).map(|_| fd));
        Self(watched.ok())
    }

    /// Waits until something was written or `other` can be read, `most` at longest. Whether something was written.
    pub fn wait(&self, other: &impl AsFd, most: Duration) -> bool {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let watched = self.0.as_ref().map(AsFd::as_fd);
        let mut all: Vec<_> = std::iter::once(other.as_fd()).chain(watched).map(readable).collect();
        let seconds = i64::try_from(most.as_secs()).unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: most.subsec_nanos().into() };
        // Interrupted or refused, it is looked at again a little later.
        let _ = rustix::event::poll(&mut all, Some(&timeout));
        let mut written = false;
        let mut events = [0; 4096];
        while self.0.as_ref().is_some_and(|fd| rustix::io::read(fd, &mut events).is_ok_and(|bytes| bytes > 0))
        {
            written = true;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_written_and_what_can_be_read_end_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let (mut here, there) = UnixStream::pair().unwrap();
        let watch = Watch::new(dir.path());
        assert!(!watch.wait(&there, Duration::ZERO), "nothing yet");
        std::fs::write(dir.path().join("00000000000000000001.spool"), "a").unwrap();
        assert!(watch.wait(&there, LONG), "a new file");
        let grown =
            std::fs::OpenOptions::new().append(true).open(dir.path().join("00000000000000000001.spool"));
        grown.unwrap().write_all(b"b").unwrap();
        assert!(watch.wait(&there, LONG), "more in it");
        here.write_all(b"c").unwrap();
        assert!(!watch.wait(&there, LONG), "the other");
        assert!(!Watch::new(&dir.path().join("missing")).wait(&there, LONG), "not to be watched");
    }
}
