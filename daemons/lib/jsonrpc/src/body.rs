//! Body of an answer, in pieces: what was written for it, and large texts as they are, which a cache may keep for others.
//!
//! # Why
//! A block is 100 kB and more of text. To copy it into each answer would cost more than everything else about it, and an
//! answer that waits for a slow client would hold a copy of its own; so would each of a thousand calls of a batch.

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use maidenlane_json::{Cached, Json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Size from which a text is a piece of its own: a shorter one is copied sooner than sent by itself.
const PIECE_BYTES: usize = 4 << 10;

/// Body of an answer as it grows.
#[derive(Debug, Default)]
pub struct Body {
    pieces: Vec<Piece>,
    /// Bytes of the pieces.
    pieces_bytes: usize,
    /// Text that was written behind them.
    tail: String,
}

/// Piece of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Cached(Arc<Cached>),
}

impl Body {
    /// True if there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.pieces_bytes.saturating_add(self.tail.len())
    }

    /// The end of the body, to write to.
    pub(crate) const fn tail(&mut self) -> &mut String {
        &mut self.tail
    }

    /// Appends a value.
    pub(crate) fn push(&mut self, json: Json) {
        if json.as_str().len() < PIECE_BYTES {
            return self.tail.push_str(json.as_str());
        }
        let bytes = json.as_str().len();
        let piece = match json {
            Json::Cached(text) => Piece::Cached(text),
            Json::Owned(text) => Piece::Text(fitting(text)),
            Json::Static(_) | Json::Shared(_) => return self.tail.push_str(json.as_str()),
        };
        self.cut();
        self.pieces.push(piece);
        self.pieces_bytes = self.pieces_bytes.saturating_add(bytes);
    }

    /// Makes a piece of what was written.
    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.pieces_bytes = self.pieces_bytes.saturating_add(self.tail.len());
            self.pieces.push(Piece::Text(fitting(std::mem::take(&mut self.tail))));
        }
    }

    pub(crate) fn into_pieces(mut self) -> Vec<Piece> {
        self.cut();
        self.pieces
    }

    /// The body in one text.
    #[must_use]
    pub fn into_string(self) -> String {
        if self.pieces.is_empty() {
            return self.tail;
        }
        let mut whole = String::with_capacity(self.len());
        whole.extend(self.pieces.iter().map(Piece::as_str));
        whole + &self.tail
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self { tail: text, ..Self::default() }
    }
}

impl Piece {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Cached(text) => text.as_str(),
        }
    }
}

impl From<Piece> for Bytes {
    fn from(piece: Piece) -> Self {
        struct Shared(Arc<Cached>);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                self.0.as_str().as_bytes()
            }
        }
        match piece {
            Piece::Text(text) => text.into(),
            Piece::Cached(text) => Self::from_owner(Shared(text)),
        }
    }
}

/// Gives back the room of a text that has grown: its client may take long, and room for as much again would be held.
fn fitting(mut text: String) -> String {
    text.shrink_to_fit();
    text
}

/// Frames of a body as HTTP sends it, with its length beforehand.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Rest of the frame that is sent.
    next: Bytes,
    frames: std::vec::IntoIter<Bytes>,
    left: usize,
}

impl Frames {
    /// Next part, of at most so many bytes; `None` behind the last.
    pub(crate) fn part(&mut self, most: usize) -> Option<Bytes> {
        while self.next.is_empty() {
            self.next = self.frames.next()?;
        }
        let part = self.next.split_to(self.next.len().min(most));
        self.left = self.left.saturating_sub(part.len());
        Some(part)
    }
}

impl From<Vec<Bytes>> for Frames {
    fn from(frames: Vec<Bytes>) -> Self {
        let left = frames.iter().map(Bytes::len).sum();
        Self { next: Bytes::new(), frames: frames.into_iter(), left }
    }
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.part(usize::MAX).map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frame that says when nothing of it is held any more.
    struct Watched(Arc<[u8]>);

    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn parts_are_what_the_frames_were_and_hold_them_until_the_last() {
        let whole: Arc<[u8]> = b"0123456789".as_slice().into();
        let watched = Bytes::from_owner(Watched(Arc::clone(&whole)));
        let mut frames = Frames::from(vec![Bytes::from_static(b"abc"), Bytes::new(), watched]);
        assert_eq!(frames.size_hint().exact(), Some(13));
        let parts: Vec<Bytes> = std::iter::from_fn(|| frames.part(4)).collect();
        assert_eq!(parts, ["abc", "0123", "4567", "89"]);
        assert!(frames.is_end_stream());
        drop(frames);
        let mut parts = parts.into_iter();
        for _ in 0..3 {
            parts.next();
            assert_eq!(Arc::strong_count(&whole), 2, "what follows is held");
        }
        drop(parts);
        assert_eq!(Arc::strong_count(&whole), 1);
    }

    #[test]
    fn large_texts_are_pieces_and_small_ones_are_written() {
        let large = "1".repeat(PIECE_BYTES);
        let kept = Arc::new(Cached::new(&large));
        let build = || {
            let mut body = Body::default();
            body.tail().push_str("[a");
            body.push(Json::Owned("b".to_owned()));
            body.push(Json::Cached(Arc::clone(&kept)));
            body.push(Json::Owned(large.clone()));
            body.tail().push_str("c]");
            body
        };
        let whole = format!("[ab{large}{large}c]");
        assert_eq!(build().len(), whole.len());
        assert_eq!(build().into_string(), whole);
        let pieces = build().into_pieces();
        assert_eq!(pieces.iter().map(|piece| piece.as_str().len()).collect::<Vec<_>>(), [3, 4096, 4096, 2]);
        assert!(matches!(&pieces[1], Piece::Cached(text) if Arc::ptr_eq(text, &kept)), "not copied");
    }
}
