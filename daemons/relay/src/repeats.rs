//! Requests that came before: the signature of a request has neither number nor time, so that whoever has seen one can send it
//! again.
//!
//! A repeat is answered as the first was and does nothing. That makes a client's own retry safe as well, after an answer that
//! got lost.
//!
//! # Correctness
//! The window must be longer than a cancel is remembered ([`crate::replacement`]): a bundle without a block number is for the
//! next one, so that the same bytes, once forgotten, would be another order under a name that was cancelled.

use maidenlane_chain::{Address, B256};
use std::collections::{BTreeMap, HashMap};

/// Signed request: who signed it, and the hash of its body.
pub type Request = (Address, B256);

/// Requests of late, with their answers.
#[derive(Debug)]
pub struct Repeats<T> {
    window_ms: u64,
    most: usize,
    answers: HashMap<Request, (u64, T)>,
    /// All of them by time, then in their order.
    by_time: BTreeMap<(u64, u64), Request>,
    next: u64,
}

impl<T> Repeats<T> {
    /// None yet; of more than `most`, or for longer than `window_ms`, none is kept.
    #[must_use]
    pub fn new(window_ms: u64, most: usize) -> Self {
        Self { window_ms, most, answers: HashMap::new(), by_time: BTreeMap::new(), next: 0 }
    }

    /// Answer to the same request, if it came within the window. Times are a steady clock's, in milliseconds.
    pub fn find(&mut self, request: &Request, now_ms: u64) -> Option<&T> {
        self.forget(now_ms);
        self.answers.get(request).map(|(_, answer)| answer)
    }

    /// Keeps the answer to a request that is none of those.
    pub fn keep(&mut self, request: Request, answer: T, now_ms: u64) {
        self.forget(now_ms);
        if self.most == 0 || self.answers.contains_key(&request) {
            return;
        }
        if self.answers.len() >= self.most
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.answers.remove(&oldest);
        }
        self.answers.insert(request, (now_ms, answer));
        self.by_time.insert((now_ms, self.next), request);
        self.next = self.next.saturating_add(1);
    }

    /// Number of requests that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn forget(&mut self, now_ms: u64) {
        while let Some(entry) = self.by_time.first_entry()
            && entry.key().0.saturating_add(self.window_ms) < now_ms
        {
            self.answers.remove(&entry.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Repeats, Request};
    use maidenlane_chain::{Address, B256};

    fn request(signer: u8, body: u8) -> Request {
        (Address::repeat_byte(signer), B256::repeat_byte(body))
    }

    #[test]
    fn the_same_request_gets_the_same_answer_for_a_while() {
        let mut repeats = Repeats::new(1_000, 10);
        assert_eq!(repeats.find(&request(1, 1), 0), None);
        repeats.keep(request(1, 1), "first", 0);
        repeats.keep(request(1, 1), "second", 10);
        assert_eq!(repeats.find(&request(1, 1), 1_000), Some(&"first"));
        assert_eq!(repeats.find(&request(2, 1), 1_000), None, "another's");
        assert_eq!(repeats.find(&request(1, 2), 1_000), None, "other bytes");
        assert_eq!(repeats.find(&request(1, 1), 1_001), None, "forgotten");
        assert!(repeats.is_empty() && repeats.by_time.is_empty());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut repeats = Repeats::new(1_000, 2);
        for body in 1..=3 {
            repeats.keep(request(1, body), body, 5);
        }
        let kept = [1, 2, 3].map(|body| repeats.find(&request(1, body), 6).copied());
        assert_eq!((kept, repeats.len(), repeats.by_time.len()), ([None, Some(2), Some(3)], 2, 2));
    }
}
