//! One node's last answer about one transaction, and when to ask again.

use crate::verdict::Class;

/// Time until a node is asked again; doubled with each time, up to the longest.
const AGAIN_MS: u64 = 250;
const AGAIN_MAX_MS: u64 = 8_000;

/// Question to a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// `eth_sendRawTransaction`.
    #[default]
    Send,
    /// `eth_getTransactionByHash`: whether a nonce that is used was used by this transaction.
    Look,
}

/// One node's last answer about one transaction.
#[derive(Debug, Default)]
pub(crate) struct Try {
    /// True between a question and its answer.
    is_asked: bool,
    class: Option<Class>,
    reason: Option<String>,
    /// True while a used nonce is not yet told to be another's.
    is_doubtful: bool,
    next: Ask,
    again_ms: Option<u64>,
    failures: u32,
}

impl Try {
    /// Begins to ask; false where that is being done.
    pub(crate) fn begin(&mut self, ask: Ask) -> bool {
        if std::mem::replace(&mut self.is_asked, true) {
            return false;
        }
        (self.next, self.again_ms) = (ask, None);
        true
    }

    /// Notes a verdict.
    pub(crate) fn note(&mut self, class: Class, reason: Option<String>, now_ms: u64) {
        self.is_asked = false;
        (self.class, self.reason) = (Some(class), reason);
        (self.next, self.is_doubtful) = (Ask::Send, class == Class::NonceLow);
        if class.has_it() || class.refuses() {
            (self.failures, self.again_ms) = (0, None);
        } else {
            self.again_later(now_ms);
        }
    }

    /// Notes whether the node knows the hash.
    pub(crate) fn looked(&mut self, found: bool) {
        (self.is_asked, self.is_doubtful, self.failures) = (false, false, 0);
        if found {
            self.class = Some(Class::Known);
        }
    }

    /// Notes that nothing was learnt: the same is asked again later.
    pub(crate) fn wait(&mut self, now_ms: u64) {
        self.is_asked = false;
        self.again_later(now_ms);
    }

    fn again_later(&mut self, now_ms: u64) {
        let wait = AGAIN_MS.checked_shl(self.failures).unwrap_or(AGAIN_MAX_MS).min(AGAIN_MAX_MS);
        self.failures = (self.failures + 1).min(16);
        self.again_ms = Some(now_ms.saturating_add(wait));
    }

    /// Class of the last verdict, which may be in doubt or be asked for again.
    pub(crate) const fn class(&self) -> Option<Class> {
        self.class
    }

    /// The answer, where it stands.
    pub(crate) fn answer(&self) -> Option<(Class, Option<&str>)> {
        self.class.filter(|_| !self.is_doubtful).map(|class| (class, self.reason.as_deref()))
    }

    /// True before it was ever asked.
    pub(crate) const fn is_new(&self) -> bool {
        !self.is_asked && self.class.is_none() && self.failures == 0
    }

    /// True unless it has failed, by its last answer or by none: it has the transaction, or is asked, or waits for one
    /// before it, as all nodes do.
    pub(crate) fn stands(&self) -> bool {
        match self.class {
            None => self.failures == 0,
            Some(class) => self.is_doubtful || class.has_it() || class == Class::Gap,
        }
    }

    /// The question that is due.
    pub(crate) fn due(&self, now_ms: u64) -> Option<Ask> {
        let is_due = !self.is_asked && self.again_ms.is_some_and(|at| at <= now_ms);
        is_due.then_some(self.next)
    }

    /// Time of the next question.
    pub(crate) const fn again_ms(&self) -> Option<u64> {
        if self.is_asked { None } else { self.again_ms }
    }
}
