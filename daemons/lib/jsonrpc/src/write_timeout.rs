//! Write timeout: a stream that gives up a peer which takes too little.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes per second that a peer must take while there is something to take, on average over the patience: some 130
/// kbit/s, of which the slowest networks have more.
const LEAST_RATE: usize = 16 << 10;

/// Stream whose writes fail with `TimedOut` when the peer takes less than the least rate for `patience`.
///
/// Answers are large, and the bytes on their way are bounded over all connections: clients that ask and do not read, or
/// read a byte now and then, would hold what others need for as long as they like.
pub struct WriteTimeout<S> {
    stream: S,
    patience: Duration,
    /// Bytes that must be taken within the patience.
    least: usize,
    /// Timer, made at the first wait: most writes never wait.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since the peer was first waited for; `None` while it is not.
    taken: Option<usize>,
}

impl<S> WriteTimeout<S> {
    /// Gives up a peer over `patience`.
    #[must_use]
    pub fn new(stream: S, patience: Duration) -> Self {
        let seconds = usize::try_from(patience.as_secs()).unwrap_or(usize::MAX);
        let parts = usize::try_from(patience.subsec_millis()).unwrap_or_default();
        let least =
            seconds.saturating_mul(LEAST_RATE).saturating_add(parts.saturating_mul(LEAST_RATE) / 1_000);
        Self { stream, patience, least: least.max(1), timer: None, taken: None }
    }

    /// Counts what was written: `Some` bytes, or `None` of a flush, after which nothing is left to be taken.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        bytes: impl Fn(&T) -> Option<usize>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = polled {
            let taken = done.as_ref().ok().and_then(bytes);
            let taken = self.taken.zip(taken).map(|(before, taken)| before.saturating_add(taken));
            self.taken = taken.filter(|taken| *taken < self.least);
            return Poll::Ready(done);
        }
        let deadline = Instant::now() + self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if self.taken.is_none() {
            timer.as_mut().reset(deadline);
            self.taken = Some(0);
        }
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written, |bytes| Some(*bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written, |bytes| Some(*bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed, |()| None)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, shut, |()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_millis(300);
    /// Bytes that must be taken within the patience.
    const LEAST: usize = LEAST_RATE * 3 / 10;

    /// Writes `len` bytes to a peer that takes so many at a time, ten times per patience; how long that took.
    fn write(len: usize, at_a_time: usize) -> (io::Result<()>, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut client, stream) = tokio::io::duplex(16);
            let mut paced = WriteTimeout::new(stream, PATIENCE);
            let before = Instant::now();
            let reading = async {
                let mut taken = vec![0; at_a_time];
                let mut ticks = tokio::time::interval(PATIENCE / 10);
                while client.read_exact(&mut taken).await.is_ok() {
                    ticks.tick().await;
                }
            };
            let writing = async {
                let bytes = vec![7; len];
                let written = async {
                    paced.write_all(&bytes).await?;
                    paced.flush().await
                }
                .await;
                drop(paced);
                written
            };
            let (written, ()) = tokio::join!(writing, reading);
            (written, before.elapsed())
        })
    }

    #[test]
    fn a_peer_that_takes_too_little_is_given_up() {
        let (written, took) = write(4 * LEAST, LEAST / 4);
        written.expect("a slow client is a client");
        assert!(took > PATIENCE, "{took:?}");
        for at_a_time in [1, LEAST / 40] {
            let (written, _) = write(4 * LEAST, at_a_time);
            assert_eq!(written.expect_err("it hardly reads").kind(), io::ErrorKind::TimedOut, "{at_a_time}");
        }
    }

    #[test]
    fn time_without_anything_to_take_does_not_count() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut client, stream) = tokio::io::duplex(16);
            let mut paced = WriteTimeout::new(stream, PATIENCE);
            let mut ticks = tokio::time::interval(PATIENCE * 2);
            for _ in 0..2 {
                ticks.tick().await;
                let mut taken = [0; 40];
                let sending = async {
                    paced.write_all(&[7; 40]).await?;
                    paced.flush().await
                };
                let (sent, read) = tokio::join!(sending, client.read_exact(&mut taken));
                sent.expect("little, and taken at once");
                read.expect("it sends");
            }
        });
    }
}
