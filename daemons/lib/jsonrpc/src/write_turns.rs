//! Turns of writers on the IO threads: long answers of one owner are written piece by piece, and a few of them at a time.
//!
//! # Why
//! A socket takes megabytes at once, a millisecond or more of copying for each. A client that asks for long answers on
//! hundreds of connections would have that many such copies ready, and everybody else would wait for all of them at each
//! step: 256 answers of 2 MB made others wait for two seconds on a busy machine. Writers take the turns that batches take.

use crate::turns::Turns;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::PollSemaphore;

/// Bytes of an answer that are written without a turn: most are shorter.
const FIRST_BYTES: usize = 16 << 10;
/// Bytes that are written in one turn.
const TURN_BYTES: usize = 64 << 10;

/// Stream whose long writes take turns with others of the same owner.
pub(crate) struct WriteTurns<S> {
    stream: S,
    turns: PollSemaphore,
    /// The turn, held while others that are ready run.
    held: Option<OwnedSemaphorePermit>,
    /// Bytes that may be written before the next turn.
    left: usize,
}

impl<S> WriteTurns<S> {
    pub(crate) fn new(stream: S, turns: Turns) -> Self {
        Self { stream, turns: PollSemaphore::new(turns), held: None, left: FIRST_BYTES }
    }

    /// Bytes that may be written now, at least one. Waits for a turn where none is left.
    fn may_write(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        if self.left > 0 {
            return Poll::Ready(self.left);
        }
        self.held = None;
        // Nobody closes the turns.
        self.held = ready!(self.turns.poll_acquire(context));
        self.left = TURN_BYTES;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives the turn back: nothing is written for now, since the peer is waited for, or all was.
    fn rest(&mut self) {
        self.held = None;
        self.left = FIRST_BYTES;
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.left = self.left.saturating_sub(*bytes),
            Poll::Ready(Err(_)) | Poll::Pending => self.rest(),
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTurns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTurns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = ready!(self.may_write(context));
        let bytes = bytes.get(..most).unwrap_or(bytes);
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let most = ready!(self.may_write(context));
        let mut total = 0_usize;
        let fits = slices.iter().take_while(|slice| {
            total = total.saturating_add(slice.len());
            total <= most
        });
        let whole = slices.get(..fits.count()).unwrap_or_default();
        let long = slices.first().and_then(|slice| slice.get(..most)).filter(|_| whole.is_empty());
        let stream = Pin::new(&mut self.stream);
        let written = match long {
            Some(piece) => stream.poll_write(context, piece),
            None => stream.poll_write_vectored(context, whole),
        };
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.rest();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.rest();
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Owner;
    use crate::turns::AllTurns;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::AsyncWriteExt as _;
    use tokio::task::JoinSet;

    /// Peer that takes whatever it is given, and counts it.
    struct Taking(Arc<AtomicUsize>);

    impl AsyncWrite for Taking {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.fetch_add(bytes.len(), Ordering::Relaxed);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn turns(of: &str) -> Turns {
        AllTurns::default().of(&Owner::identity(of))
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future)
    }

    #[test]
    fn long_answers_of_one_owner_delay_others_by_little() {
        const WRITERS: usize = 1_000;
        const PASSES: usize = 5;
        run(async {
            let (turns, taken) = (turns("crowd"), Arc::new(AtomicUsize::new(0)));
            let mut tasks = JoinSet::new();
            for _ in 0..WRITERS {
                let mut stream = WriteTurns::new(Taking(Arc::clone(&taken)), Arc::clone(&turns));
                tasks.spawn(async move { stream.write_all(&vec![7; 1 << 20]).await });
            }
            let counted = Arc::clone(&taken);
            let mut other = JoinSet::new();
            other.spawn(async move {
                for _ in 0..PASSES {
                    tokio::task::yield_now().await;
                }
                counted.load(Ordering::Relaxed)
            });
            // Those that hold a turn write one piece in a pass.
            let most = WRITERS * FIRST_BYTES + PASSES * 2 * 16 * TURN_BYTES;
            let taken = other.join_next().await.expect("one").expect("it ends");
            assert!((WRITERS * FIRST_BYTES..=most).contains(&taken), "{taken} of at most {most}");
        });
    }

    #[test]
    fn all_is_written_in_order_whatever_its_pieces() {
        run(async {
            let (mut client, stream) = tokio::io::duplex(100_000);
            let mut stream = WriteTurns::new(stream, turns("one"));
            let whole: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
            let (short, long) = whole.split_at(10_000);
            let (middle, long) = long.split_at(30_000);
            let writing = async {
                let mut pieces = [IoSlice::new(short), IoSlice::new(middle), IoSlice::new(long)];
                let mut left = &mut pieces[..];
                while !left.is_empty() {
                    let written = stream.write_vectored(left).await.expect("it takes all");
                    IoSlice::advance_slices(&mut left, written);
                }
                stream.shutdown().await.expect("it takes all");
                drop(stream);
            };
            let mut found = Vec::new();
            let reading = tokio::io::AsyncReadExt::read_to_end(&mut client, &mut found);
            let ((), read) = tokio::join!(writing, reading);
            read.expect("it comes");
            assert!(found == whole, "{} bytes of {}", found.len(), whole.len());
        });
    }

    #[test]
    fn a_writer_that_waits_for_its_peer_holds_no_turn() {
        run(async {
            let turns = turns("slow");
            let waiting: Vec<_> = (0..16).map(|_| tokio::io::duplex(FIRST_BYTES + 10)).collect();
            let mut tasks = JoinSet::new();
            let mut clients = Vec::new();
            for (client, stream) in waiting {
                let mut stream = WriteTurns::new(stream, Arc::clone(&turns));
                clients.push(client);
                tasks.spawn(async move { stream.write_all(&vec![7; 1 << 20]).await });
            }
            let taken = Arc::new(AtomicUsize::new(0));
            let mut stream = WriteTurns::new(Taking(Arc::clone(&taken)), turns);
            stream.write_all(&vec![7; 1 << 20]).await.expect("others wait, and this one is taken");
            assert_eq!(taken.load(Ordering::Relaxed), 1 << 20);
            drop(clients);
            while tasks.join_next().await.is_some() {}
        });
    }
}
