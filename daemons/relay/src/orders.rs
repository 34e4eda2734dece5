//! Orders between their clients and the log: sealed, stored, read back, and then answered.
//!
//! # Why an order is answered only after it was read back
//! Which of several orders under one name counts is decided by their order in the topic, and nobody knows that before they stand there.
//! So there is one way into the book for all, whether they come from a client of this relay, from another relay, or from before a
//! crash.

use crate::book::{Applied, Book, Bounds, Head, NoRoom};
use crate::bundle::Checked;
use crate::company::At;
use crate::journal::{Journal, NotStored};
use crate::keyring::Keyring;
use crate::seal::{self, Place, seal};
use maidenlane_wire::{BundleCancel, Order, SealedKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Time in which an order that is durable must have been read back.
const READ_BACK_WITHIN: Duration = Duration::from_secs(5);

/// Reason for which an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// No room.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// Not in the log.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// Not sealed.
    #[error(transparent)]
    NotSealed(#[from] seal::Error),
}

/// Answer to the client of an order that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The order was read back there, with this consequence.
    Applied(Applied, At),
    /// The order was not read back in time: it is durable, and its consequence is not known yet.
    Pending,
}

/// Nonce of a seal, by which an order's clients wait for it.
pub type Nonce = [u8; 24];

/// Orders of a relay. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: Keyring,
    place: Place,
    journal: Journal,
    book: Mutex<Book>,
    /// Clients that wait until their order was read back; as many as there are requests on their way.
    waiting: Mutex<HashMap<Nonce, oneshot::Sender<(Applied, At)>>>,
}

/// Client that waits; it is forgotten where it goes.
struct Ticket<'a> {
    shared: &'a Shared,
    nonce: Nonce,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.shared.waiting).remove(&self.nonce);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Orders {
    /// Orders that are sealed for a place.
    #[must_use]
    pub fn new(keys: Keyring, place: Place, journal: Journal, bounds: Bounds) -> Self {
        let (book, waiting) = (Mutex::new(Book::new(bounds)), Mutex::default());
        Self(Arc::new(Shared { keys, place, journal, book, waiting }))
    }

    /// The book, locked: for looks that do not wait.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.0.book)
    }

    /// Takes note of a head.
    pub fn advance(&self, head: Head) {
        self.book().advance(head);
    }

    /// Takes a bundle; returns once it is durable and read back.
    ///
    /// # Errors
    /// The bundle may be sent again.
    pub async fn bundle(&self, checked: Checked) -> Result<Stored, NotTaken> {
        self.book().room(&checked)?;
        self.store(Order::Bundle(Box::new(checked.bundle))).await
    }

    /// Takes a cancel, likewise.
    ///
    /// # Errors
    /// The cancel may be sent again.
    pub async fn cancel(&self, cancel: BundleCancel) -> Result<Stored, NotTaken> {
        self.store(Order::Cancel(cancel)).await
    }

    async fn store(&self, order: Order) -> Result<Stored, NotTaken> {
        let shared = &*self.0;
        let nonce: Nonce = rand::random();
        let named = (SealedKind::Order, order.content());
        let entries = seal(&shared.keys, &shared.place, named, &order.encode(), nonce)?;
        let (answer, answered) = oneshot::channel();
        lock(&shared.waiting).insert(nonce, answer);
        let ticket = Ticket { shared, nonce };
        shared.journal.store(shared.keys.entry_key(&order.signer()), entries).await?;
        let applied = tokio::time::timeout(READ_BACK_WITHIN, answered).await;
        drop(ticket);
        Ok(match applied {
            Ok(Ok((applied, at))) => Stored::Applied(applied, at),
            Ok(Err(_)) | Err(_) => Stored::Pending,
        })
    }

    /// Takes an order that was read from the topic; its client is answered, if it still waits: then that is the second value.
    pub fn read(&self, at: At, nonce: Nonce, order: Order) -> (Applied, bool) {
        let (_, offset) = at;
        let applied = match order {
            Order::Bundle(bundle) => match Checked::again(*bundle) {
                Ok(checked) => self.book().bundle(offset, checked),
                // Taken by a relay that knows kinds of transactions which this one does not.
                Err(refusal) => {
                    tracing::warn!(offset, reason = refusal.reason(), "an order of the log cannot be read");
                    Applied::Stale
                }
            },
            Order::Cancel(cancel) => self.book().cancel(offset, &cancel),
        };
        let waiting = lock(&self.0.waiting).remove(&nonce);
        let is_answered = waiting.is_some_and(|waiting| waiting.send((applied, at)).is_ok());
        (applied, is_answered)
    }

    /// Keys of the log.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.0.keys
    }

    /// Topic and chain.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }
}
