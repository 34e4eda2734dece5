//! Identities: who may come in, with rights and rates.
//!
//! # Why the token bucket is ours
//! governor would replace twenty lines, and brings five crates that nothing else here needs.

use crate::codes;
use crate::error::Error;
use crate::owner::Owner;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Identity with rights, as settings name it.
#[derive(Debug)]
pub struct Identity {
    /// Name, for people.
    pub name: String,
    /// Namespaces whose methods it may call; `None` for all that the listener serves.
    pub namespaces: Option<Vec<String>>,
    /// Right to send transactions.
    pub may_send: bool,
    pub(crate) owner: Owner,
    calls: Option<Rate>,
    bytes: Option<Rate>,
    /// True once it may no longer come in, for connections that it has open.
    is_revoked: AtomicBool,
}

impl Identity {
    /// Identity of these rights. A bucket of `calls_per_s` calls bounds its rate, so as many may come at once.
    #[must_use]
    pub fn new(
        name: String,
        namespaces: Option<Vec<String>>,
        may_send: bool,
        calls_per_s: Option<u32>,
    ) -> Self {
        let calls = calls_per_s.map(|calls| Rate::new(f64::from(calls), f64::from(calls)));
        let owner = Owner::known(&name, false, None);
        Self { name, namespaces, may_send, owner, calls, bytes: None, is_revoked: AtomicBool::new(false) }
    }

    /// The same identity with a bound on the bytes of its requests of a minute, and so of one burst.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a bound of more than 2^53 bytes is none")]
    pub fn spending(self, request_bytes_per_min: Option<u64>) -> Self {
        let bytes = request_bytes_per_min.map(|bytes| Rate::new(bytes as f64 / 60.0, bytes as f64));
        Self { bytes, ..self }
    }

    /// The same identity, which may see transactions of others or not, and whose own have this tag.
    #[must_use]
    pub fn sending(self, sees_all: bool, tag: Option<String>) -> Self {
        Self { owner: Owner::known(&self.name, sees_all, tag), ..self }
    }

    /// Counts one call.
    pub(crate) fn take(&self) -> Result<(), Error> {
        match &self.calls {
            Some(rate) if !rate.take(1.0, Instant::now()) => {
                Err(Error::new(codes::LIMIT_EXCEEDED, format!("more than {} calls per second", rate.per_s)))
            }
            _ => Ok(()),
        }
    }

    /// Counts the bytes of one request.
    #[expect(clippy::cast_precision_loss, reason = "no request has 2^53 bytes")]
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Error> {
        match &self.bytes {
            Some(rate) if !rate.take(bytes as f64, Instant::now()) => {
                let text = format!("more than {} bytes of requests per minute: send it later", rate.most);
                Err(Error::new(codes::LIMIT_EXCEEDED, text))
            }
            _ => Ok(()),
        }
    }

    /// Ends what it may, on open connections too.
    pub(crate) fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Release);
    }

    /// Error once it may no longer come in.
    pub(crate) fn stands(&self) -> Result<(), Error> {
        match self.is_revoked.load(Ordering::Acquire) {
            true => Err(Error::new(codes::INVALID_REQUEST, "this identity was revoked: ask for another")),
            false => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Rate {
    per_s: f64,
    /// Most at once.
    most: f64,
    /// Token bucket: what is left, and the time as of which that holds.
    bucket: Mutex<(f64, Instant)>,
}

impl Rate {
    fn new(per_s: f64, most: f64) -> Self {
        Self { per_s, most, bucket: Mutex::new((most, Instant::now())) }
    }

    fn take(&self, wanted: f64, now: Instant) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *bucket;
        let left =
            now.saturating_duration_since(since).as_secs_f64().mul_add(self.per_s, left).min(self.most);
        let taken = left >= wanted;
        *bucket = (if taken { left - wanted } else { left }, now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Rate};
    use crate::codes;
    use std::time::{Duration, Instant};

    #[test]
    fn rates_refill() {
        let rate = Rate::new(2.0, 2.0);
        let start = Instant::now();
        let take = |at| rate.take(1.0, at);
        assert!(take(start) && take(start) && !take(start));
        assert!(!take(start + Duration::from_millis(400)));
        assert!(take(start + Duration::from_millis(600)));
        let later = start + Duration::from_secs(60);
        assert!(take(later) && take(later) && !take(later), "no more than two at once");
    }

    #[test]
    fn bytes_of_a_minute_may_come_at_once() {
        let identity = Identity::new("one".to_owned(), None, true, None).spending(Some(600));
        assert!(identity.spend(601).is_err(), "never");
        assert_eq!(identity.spend(600), Ok(()));
        let refused = identity.spend(30).unwrap_err();
        assert_eq!((refused.code, refused.message.contains("600 bytes")), (codes::LIMIT_EXCEEDED, true));
        assert_eq!(Identity::new("any".to_owned(), None, true, None).spend(usize::MAX), Ok(()));
    }
}
