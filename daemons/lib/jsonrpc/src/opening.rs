//! How a connection begins and ends: HTTP/2 is told by its first bytes, and what a client still sends is taken.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes with which a client begins that knows without asking that HTTP/2 is spoken (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Time for a client to send what nobody wants to read, and to take its answer. Go: the same.
const LINGER: Duration = Duration::from_millis(500);

/// True while the body of the latest request has not been read.
pub(crate) type Unread = Arc<AtomicBool>;

/// Stream whose first bytes have been looked at.
///
/// A socket that is closed with something unread is reset, and that may take back an answer which says why a body is
/// not read. So its end waits for the client's, while there is an unread body.
pub(crate) struct Opened<S> {
    stream: S,
    /// Bytes that were looked at.
    first: Vec<u8>,
    unread: Unread,
    /// Timer of a stream that we have ended, and the client not.
    linger: Option<Pin<Box<Sleep>>>,
}

/// Looks at the first bytes of a stream. True for HTTP/2.
pub(crate) async fn open<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Opened<S>, bool)> {
    let mut first = Vec::with_capacity(PREFACE.len());
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let room = u64::try_from(PREFACE.len() - first.len()).unwrap_or_default();
        if (&mut stream).take(room).read_buf(&mut first).await? == 0 {
            break;
        }
    }
    let is_http2 = first == PREFACE;
    Ok((Opened { stream, first, unread: Unread::default(), linger: None }, is_http2))
}

impl<S> Opened<S> {
    pub(crate) fn unread(&self) -> Unread {
        Arc::clone(&self.unread)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = buffer.remaining().min(self.first.len());
        let rest = self.first.split_off(count);
        buffer.put_slice(&std::mem::replace(&mut self.first, rest));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, unread, linger, .. } = &mut *self;
        let timer = match linger {
            Some(timer) => timer,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                if !unread.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(()));
                }
                linger.insert(Box::pin(sleep(LINGER)))
            }
        };
        let mut room = [0; 4_096];
        while timer.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    /// Opens a stream on which these parts arrive; nothing of them may be lost.
    #[track_caller]
    fn check(parts: &[&str], http2: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (mut client, stream) = tokio::io::duplex(4);
            let sending = async {
                for part in parts {
                    client.write_all(part.as_bytes()).await.expect("it reads");
                }
                client.shutdown().await.expect("its own half");
            };
            let reading = async {
                let (mut stream, is_http2) = open(stream).await.expect("a stream");
                assert_eq!(is_http2, http2, "{parts:?}");
                let mut text = String::new();
                stream.read_to_string(&mut text).await.expect("text");
                assert_eq!(text, parts.concat());
            };
            tokio::join!(sending, reading);
        });
    }

    #[test]
    fn first_bytes_tell_the_protocol() {
        check(&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "frames"], true);
        check(&["PRI * HTT", "P/2.0\r\n\r\nSM\r\n", "\r\n"], true);
        check(&["POST / HTTP/1.1\r\n"], false);
        check(&["PRI * HTTP/1.1\r\n\r\n"], false);
        check(&["PRI * HTTP/2.0\r\n\r\n"], false);
        check(&[], false);
    }
}
