//! A door before geth's IPC socket, which a test can slam: connections end, and nobody comes in until it opens again.

use std::{
    io,
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[derive(Debug)]
pub(crate) struct Door {
    open: Arc<AtomicBool>,
    passing: Arc<Mutex<Vec<UnixStream>>>,
}

impl Door {
    /// Listens at `path` for what goes to the socket `behind`.
    pub(crate) fn before(behind: &Path, path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let door = Self { open: Arc::new(AtomicBool::new(true)), passing: Arc::default() };
        let (open, passing, behind) = (Arc::clone(&door.open), Arc::clone(&door.passing), behind.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if open.load(Ordering::SeqCst) {
                    // Whoever finds geth away finds the door shut.
                    let _away = pass(stream, &behind, &passing);
                }
            }
        });
        door
    }

    pub(crate) fn slam(&self) {
        self.open.store(false, Ordering::SeqCst);
        for stream in self.passing.lock().unwrap().drain(..) {
            // Gone already where the other side left.
            let _gone = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    pub(crate) fn reopen(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

fn pass(stream: UnixStream, behind: &Path, passing: &Mutex<Vec<UnixStream>>) -> io::Result<()> {
    let beyond = UnixStream::connect(behind)?;
    passing.lock().unwrap().extend([stream.try_clone()?, beyond.try_clone()?]);
    for (mut from, mut to) in [(stream.try_clone()?, beyond.try_clone()?), (beyond, stream)] {
        thread::spawn(move || {
            let _ended = io::copy(&mut from, &mut to);
            let _gone = to.shutdown(std::net::Shutdown::Both);
        });
    }
    Ok(())
}
