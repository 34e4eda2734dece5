//! Fates of orders between relays and the log: told, sealed, stored, read back by all.
//!
//! # Why nobody waits until a fate is durable
//! The order is. A fate that is lost is told again: by the chain's at the next head, a builder's when the order is delivered once
//! more after a crash. So builders are served while the log is away.

use crate::journal::{Journal, NotStored};
use crate::keyring::Keyring;
use crate::seal::{self, Place, seal};
use crate::told::Told;
use maidenlane_chain::{Address, B256};
use maidenlane_service::clock;
use maidenlane_wire::{BundleFate, ContentId, Delivery, RelayBeat, SealedKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Failure to tell a fate.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// Not in the log.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// Not sealed.
    #[error(transparent)]
    NotSealed(#[from] seal::Error),
}

/// Fates that a relay tells and hears. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: Keyring,
    place: Place,
    journal: Journal,
    relay: [u8; 16],
    told: Mutex<Told>,
}

impl Fates {
    /// Fates that are sealed for a place, told by a relay of this id, of at most so many orders.
    #[must_use]
    pub fn new(keys: Keyring, place: Place, journal: Journal, relay: [u8; 16], most: usize) -> Self {
        Self(Arc::new(Shared { keys, place, journal, relay, told: Mutex::new(Told::new(most)) }))
    }

    /// Id of this relay.
    #[must_use]
    pub fn relay(&self) -> [u8; 16] {
        self.0.relay
    }

    /// All that was told, locked: for looks that do not wait.
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a fate of an order of this signer's; returns before it is durable.
    ///
    /// # Errors
    /// It is to be told again.
    pub fn tell(&self, content: ContentId, signer: Address, fate: Delivery) -> Result<(), NotTold> {
        let round = self.told().of(content).map_or(0, |history| history.round);
        let Shared { keys, place, journal, relay, .. } = &*self.0;
        let fate = BundleFate { content, signer, relay: *relay, round, fate, at_ms: clock::now_ms() };
        let entries = seal(keys, place, (SealedKind::Fate, content), &fate.encode(), rand::random())?;
        // Whoever wants to know reads it back.
        drop(journal.queue(keys.entry_key(&signer), entries)?);
        Ok(())
    }

    /// Tells that this relay lives; returns before it is durable.
    ///
    /// # Errors
    /// It is told again soon.
    pub fn beat(&self, beat: &RelayBeat) -> Result<(), NotTold> {
        let Shared { keys, place, journal, relay, .. } = &*self.0;
        // Names that no order and no signer has.
        let content = ContentId::new(B256::left_padding_from(relay));
        let key = keys.entry_key(&Address::left_padding_from(relay));
        let entries = seal(keys, place, (SealedKind::Fate, content), &beat.encode(), rand::random())?;
        drop(journal.queue(key, entries)?);
        Ok(())
    }

    /// Takes a fate that was read from the topic; true if it says something new.
    pub fn read(&self, fate: &BundleFate) -> bool {
        self.told().take(fate)
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
