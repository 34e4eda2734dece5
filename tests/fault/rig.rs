//! A network of which everything that is written lies on disks of its own.

use std::{fs, os::unix::fs::symlink};

use fastrand::Rng;
use maidenlane_tests::scenario::{Net, Plan};
use tempfile::TempDir;

use crate::disk::Disk;

/// Directory on a disk of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Of the hook inside geth.
    Spool,
    /// Segments and marks.
    Log,
    /// Of the tap.
    Tap,
    /// Of the replica, with its database.
    Replica,
}

impl Place {
    const ALL: [Self; 4] = [Self::Spool, Self::Log, Self::Tap, Self::Replica];

    /// Below the network's directory.
    const fn path(self) -> &'static str {
        match self {
            Self::Spool => "geth/spool",
            Self::Log => "log",
            Self::Tap => "tap",
            Self::Replica => "replica-0",
        }
    }
}

/// The disks. They must outlive the network: declare it after them.
#[derive(Debug)]
pub(crate) struct Disks([Disk; 4]);

impl Disks {
    /// `None`, said aloud, where nothing can be mounted.
    pub(crate) fn mount() -> Option<Self> {
        let disks: Option<Vec<Disk>> = Place::ALL.iter().map(|_| Disk::mount()).collect();
        Some(Self(disks?.try_into().unwrap()))
    }

    /// Builds a network on them.
    pub(crate) fn build(&self, plan: &Plan) -> maidenlane_tests::failure::Outcome<Net> {
        let dir = TempDir::with_prefix("maidenlane-")?;
        fs::create_dir_all(dir.path().join("geth"))?;
        for place in Place::ALL {
            symlink(self.of(place).path(), dir.path().join(place.path()))?;
        }
        Net::inside(dir, plan)
    }

    pub(crate) fn of(&self, place: Place) -> &Disk {
        let [spool, log, tap, replica] = &self.0;
        match place {
            Place::Spool => spool,
            Place::Log => log,
            Place::Tap => tap,
            Place::Replica => replica,
        }
    }

    /// The power goes and comes back. Who wrote there must have been killed.
    pub(crate) fn cut(&self, places: &[Place], rng: &mut Rng) {
        for place in places {
            self.of(*place).cut(rng);
        }
    }
}
