//! Roll: identities that come and go while a daemon runs, each known by the digest of its token.
//!
//! # Why digests
//! Whoever keeps a roll on disk need not keep it secret: a token that was drawn at random cannot be found by its SHA-256. For the same
//! reason looking one up need not take constant time.

use crate::identity::Identity;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// SHA-256 of a token.
pub type Digest = [u8; 32];

/// Digest of a token.
#[must_use]
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

/// Identities by the digests of their tokens. Cheap to clone; all clones are one roll.
#[derive(Clone, Debug, Default)]
pub struct Roll(Arc<RwLock<HashMap<Digest, Arc<Identity>>>>);

impl Roll {
    /// Lets an identity in from now on.
    pub fn enrol(&self, token: Digest, identity: Identity) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(token, Arc::new(identity));
    }

    /// Lets an identity in no more, and ends what it has open.
    pub fn strike(&self, token: &Digest) {
        if let Some(identity) = self.0.write().unwrap_or_else(PoisonError::into_inner).remove(token) {
            identity.revoke();
        }
    }

    pub(crate) fn find(&self, token: &str) -> Option<Arc<Identity>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&digest(token)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Roll, digest};
    use crate::access::{Access, Proof};
    use crate::identity::Identity;
    use std::time::SystemTime;

    #[test]
    fn who_is_on_the_roll_may_come_in_until_he_is_struck() {
        let identity = |name: &str| Identity::new(name.to_owned(), None, true, None);
        let roll = Roll::default();
        let access =
            Access::new([(Proof::Bearer("fixed".to_owned()), identity("settings"))]).with(roll.clone());
        let name = |token: &str| {
            let found = access.identify(Some(&format!("Bearer {token}")), None, SystemTime::now());
            found.ok().map(|identity| identity.name.clone())
        };
        assert_eq!(name("t0ken"), None);
        roll.enrol(digest("t0ken"), identity("roll"));
        roll.enrol(digest("fixed"), identity("behind the settings"));
        assert_eq!((name("t0ken").as_deref(), name("fixed").as_deref()), (Some("roll"), Some("settings")));
        let open = roll.find("t0ken").unwrap();
        assert_eq!(open.stands(), Ok(()));
        roll.strike(&digest("t0ken"));
        roll.strike(&digest("t0ken"));
        assert_eq!(name("t0ken"), None);
        assert!(open.stands().is_err(), "nor may who is in already");
    }
}
