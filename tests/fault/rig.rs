//! A network of which everything that is written lies on disks of its own.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use fastrand::Rng;
use maidenlane_tests::{
    failure::Outcome,
    scenario::{Net, Plan},
};
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

    /// The daemon that writes there, unless it is geth.
    pub(crate) const fn daemon(self) -> Option<&'static str> {
        match self {
            Self::Spool => None,
            Self::Log | Self::Tap => Some("tap"),
            Self::Replica => Some("replica"),
        }
    }
}

/// Builds a network with its places where `at` says.
pub(crate) fn build(plan: &Plan, at: impl Fn(Place) -> PathBuf) -> Outcome<Net> {
    let dir = TempDir::with_prefix("maidenlane-")?;
    fs::create_dir_all(dir.path().join("geth"))?;
    for place in Place::ALL {
        symlink(at(place), dir.path().join(place.path()))?;
    }
    Net::inside(dir, plan)
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
    pub(crate) fn build(&self, plan: &Plan) -> Outcome<Net> {
        build(plan, |place| self.of(place).path())
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
