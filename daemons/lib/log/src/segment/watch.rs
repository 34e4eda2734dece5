//! Waits for other processes to publish: inotify, with a bounded poll where it is not to be had.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;

/// Without inotify (its instances are few per user) the mark is looked at this often.
const POLL_EVERY: Duration = Duration::from_millis(5);
/// With inotify it is looked at this often anyway, for file systems that do not tell.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(200);

/// Wakes when one of several files is written to.
#[derive(Debug)]
pub(super) struct Watch(Option<OwnedFd>);

impl Watch {
    /// Watches from now on: what is written between a look and [`Watch::wait`] is not missed.
    pub(super) fn new<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let Ok(fd) = inotify::init(flags) else { return Self(None) };
        let all =
            files.into_iter().all(|file| inotify::add_watch(&fd, file, inotify::WatchFlags::MODIFY).is_ok());
        Self(all.then_some(fd))
    }

    /// Returns when there may be news, at the latest at `deadline`. False once the deadline is past.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let Some(fd) = &self.0 else {
            std::thread::sleep(left.min(POLL_EVERY));
            return true;
        };
        let most = left.min(LOOK_AT_LEAST_EVERY);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(most.subsec_nanos()) };
        let mut wanted = [PollFd::new(fd, PollFlags::IN)];
        if rustix::event::poll(&mut wanted, Some(&timeout)).is_ok_and(|ready| ready > 0) {
            let mut events = [0; 4096];
            while rustix::io::read(fd, &mut events).is_ok_and(|bytes| bytes > 0) {}
        }
        true
    }
}
