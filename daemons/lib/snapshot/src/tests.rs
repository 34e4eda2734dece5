//! Tests of whole snapshots, of databases made here; those of real replicas are in `tests/e2e/snapshot.rs`.

mod damaged;
mod rights;
mod side_by_side;

use crate::progress::Progress;
use crate::restore::{Need, need};
use crate::{
    Demands, Error, Id, Made, Manifest, Pace, Repository, Restore, Workshop, restore, verify_snapshot,
};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_replay::{reach::Reach, store_path};
use maidenlane_service::Shutdown;
use maidenlane_store::{Keep, Past, Position, Store, canonical_rows};
use maidenlane_testkit::feed::{Block, CHAIN_ID};
use maidenlane_wire::{Genesis, Record};
use std::fs;
use std::path::{Path, PathBuf};

const CACHE_BYTES: usize = 8 << 20;
const KEEP: Keep = Keep { undo_blocks: 128, history: Past::All, proofs: None };
const DEMANDS: Demands = Demands { chain_id: CHAIN_ID, genesis: None, proofs: false, reach: None };

fn pace() -> Pace {
    Pace::new(None, Shutdown::new())
}

fn quiet(_: Progress) {}

/// A replica's database, with a state directory of its own.
struct Replica {
    state_dir: PathBuf,
    store: Store,
    head: Block,
}

impl Replica {
    fn begin(state_dir: &Path) -> Self {
        fs::create_dir_all(state_dir).unwrap();
        let store = Store::open(&store_path(state_dir), CACHE_BYTES).unwrap();
        let head = Block::genesis();
        let mut batch = store.batch(store.facts(), KEEP);
        let (block, header, rows) = (head.at, head.header.clone(), head.rows.clone());
        // An empty body: no transactions, no uncles, no withdrawals.
        let record = Genesis { block, header, body: vec![0xc3, 0xc0, 0xc0, 0xc0].into(), rows };
        store.genesis(&mut batch, &record).unwrap();
        let facts = batch.facts();
        (facts.chain_id, facts.genesis) = (CHAIN_ID, block.hash);
        store.write(batch).unwrap();
        Self { state_dir: state_dir.to_owned(), store, head }
    }

    /// Adds blocks, and has each in a file.
    fn grow(&mut self, blocks: u64, seed: u8) {
        for _ in 0..blocks {
            self.head = self.head.child(seed);
            let Record::Advance(record) = self.head.advance() else { panic!("an ADVANCE") };
            let mut batch = self.store.batch(self.store.facts(), KEEP);
            self.store.advance(&mut batch, &record).unwrap();
            let seq = self.head.at.number;
            let (feed, writer) = ([1; 16], [2; 16]);
            batch.facts().position =
                Some(Position { feed, epoch: 0, writer, seq, offset: seq, crc32c: 0, more: false });
            self.store.write(batch).unwrap();
            self.store.flush().unwrap();
        }
    }

    fn snapshot(&self, repository: &Repository) -> Result<Made, Error> {
        Workshop::open(&self.state_dir)?.create(&self.store, repository, &pace(), &quiet)
    }

    fn rows(&self) -> Vec<maidenlane_store::Row> {
        canonical_rows(&self.store.view().unwrap()).unwrap()
    }
}

/// A repository and a replica beside it.
struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    replica: Replica,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("repository");
        fs::create_dir(&path).unwrap();
        let repository = Repository::directory(&path).unwrap();
        let mut replica = Replica::begin(&dir.path().join("replica"));
        replica.grow(6, 0);
        Self { dir, repository, replica }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn restored(&self, id: Option<&Id>, name: &str) -> Result<(Id, Manifest), Error> {
        self.restored_by(id, name, DEMANDS, &pace())
    }

    fn restored_by(
        &self,
        id: Option<&Id>,
        name: &str,
        demands: Demands,
        pace: &Pace,
    ) -> Result<(Id, Manifest), Error> {
        let (repository, report, passed_over) = (&self.repository, &quiet, &|_: &Error| ());
        let replaces = false;
        restore(&Restore { repository, id, demands, replaces, pace, report, passed_over }, &self.path(name))
    }

    fn verify(&self, id: &Id) -> Result<crate::Verified, Error> {
        let scratch = self.path("scratch");
        fs::create_dir_all(scratch.join("another's")).unwrap();
        let verified = verify_snapshot(&self.repository, id, &scratch, &pace(), &quiet);
        assert!(scratch.join("another's").exists(), "a scratch directory may hold anything");
        assert!(!scratch.join(".maidenlane-verify").exists(), "nothing is left");
        fs::remove_dir_all(scratch).unwrap();
        verified
    }

    /// Objects in the repository.
    fn objects(&self) -> Vec<PathBuf> {
        let dirs = fs::read_dir(self.path("repository/objects")).unwrap();
        let files = dirs.flat_map(|dir| fs::read_dir(dir.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }
}

/// Checks that a replica would find these rows, and nothing of the restore.
fn check(state_dir: &Path, head: BlockRef, rows: &[maidenlane_store::Row]) {
    let view = Store::open(&store_path(state_dir), CACHE_BYTES).unwrap().view().unwrap();
    assert_eq!(view.head(), head);
    assert_eq!(canonical_rows(&view).unwrap(), rows);
    assert!(!state_dir.join("restore").exists());
}

#[test]
fn a_snapshot_is_restored_while_the_replica_goes_on() {
    let mut world = World::new();
    let (head, rows) = (world.replica.head.at, world.replica.rows());
    let made = world.replica.snapshot(&world.repository).unwrap();
    let manifest = &made.manifest;
    assert_eq!((manifest.head, manifest.chain_id), (head, CHAIN_ID));
    assert_eq!(manifest.position, world.replica.store.facts().position);
    assert_eq!(made.sent.0, world.objects().len() as u64);
    world.replica.grow(3, 1);
    assert_eq!(world.restored(Some(&made.id), "other").unwrap(), (made.id.clone(), made.manifest));
    check(&world.path("other"), head, &rows);
    // What the restored database writes does not reach the snapshot, to which it has links.
    let store = Store::open(&store_path(&world.path("other")), CACHE_BYTES).unwrap();
    let mut other = Replica { state_dir: world.path("other"), store, head: world.replica.head.clone() };
    other.grow(5, 2);
    drop(other);
    world.restored(Some(&made.id), "third").unwrap();
    check(&world.path("third"), head, &rows);
    assert!(!world.path("replica/snapshot/checkpoint").exists());
}

#[test]
fn only_a_verified_snapshot_is_taken_unasked() {
    let mut world = World::new();
    let first = world.replica.snapshot(&world.repository).unwrap();
    let head = world.replica.head.at;
    let rows = world.replica.rows();
    assert!(matches!(world.restored(None, "other"), Err(Error::NoneVerified { .. })));
    let verified = world.verify(&first.id).unwrap();
    assert_eq!(world.repository.snapshot(&first.id).unwrap().verified, Some(verified.clone()));
    let header = maidenlane_chain::block::decode_header(&world.replica.head.header).unwrap();
    assert_eq!(verified.root, header.state_root);
    world.replica.grow(2, 0);
    let second = world.replica.snapshot(&world.repository).unwrap();
    assert_eq!(world.repository.ids().unwrap(), [first.id.clone(), second.id.clone()]);
    assert_eq!(world.restored(None, "other").unwrap().0, first.id);
    check(&world.path("other"), head, &rows);
    world.verify(&second.id).unwrap();
    assert_eq!(world.restored(None, "third").unwrap().0, second.id);
}

#[test]
fn a_table_is_sent_once() {
    let mut world = World::new();
    let tables = |made: &Made| made.manifest.files.iter().filter(|file| file.is_table()).count() as u64;
    let first = world.replica.snapshot(&world.repository).unwrap();
    assert_eq!(first.sent.0, first.manifest.files.len() as u64);
    world.replica.grow(1, 0);
    let second = world.replica.snapshot(&world.repository).unwrap();
    assert!(second.sent.0 < tables(&second), "{:?} of {}", second.sent, tables(&second));
    // Whoever has lost its notes reads all, and sends no more.
    fs::remove_file(world.path("replica/snapshot/known.json")).unwrap();
    let third = world.replica.snapshot(&world.repository).unwrap();
    assert!(third.sent.0 <= 3, "CURRENT, MANIFEST and OPTIONS at most: {:?}", third.sent);
}

#[test]
fn a_state_directory_with_a_block_is_left_alone() {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    world.restored(Some(&made.id), "other").unwrap();
    let again = world.restored(Some(&made.id), "other").unwrap_err().to_string();
    assert!(again.contains(&format!("holds block {}", world.replica.head.at)), "{again}");
    let running = world.restored(Some(&made.id), "replica").unwrap_err().to_string();
    assert!(running.contains("in use; stop the replica"), "{running}");
    // One that was begun and holds nothing gives way.
    drop(Store::open(&store_path(&world.path("empty")), CACHE_BYTES).unwrap());
    world.restored(Some(&made.id), "empty").unwrap();
    check(&world.path("empty"), world.replica.head.at, &world.replica.rows());
}

#[test]
fn a_snapshot_that_does_not_suit_is_refused_before_a_byte_is_fetched() {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&made.id).unwrap();
    let foreign = Some(B256::repeat_byte(9));
    for (demands, setting) in [
        (Demands { chain_id: 5, ..DEMANDS }, "`chain`"),
        (Demands { genesis: foreign, ..DEMANDS }, "`chain`"),
        (Demands { proofs: true, ..DEMANDS }, "`proofs`"),
    ] {
        for id in [None, Some(&made.id)] {
            let refused = world.restored_by(id, "other", demands, &pace()).unwrap_err();
            assert!(matches!(refused, Error::Unfit { .. }), "{refused}");
            assert!(refused.to_string().contains(setting), "{refused}");
            assert!(!world.path("other/restore").exists());
        }
    }
}

#[test]
fn a_shutdown_ends_it_and_the_next_attempt_goes_on() {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    let shutdown = Shutdown::new();
    let stopping = Pace::new(None, shutdown.clone());
    shutdown.trigger();
    let stopped = world.restored_by(Some(&made.id), "other", DEMANDS, &stopping).unwrap_err();
    assert!(matches!(stopped, Error::Stopped));
    assert!(!store_path(&world.path("other")).exists());
    world.restored(Some(&made.id), "other").unwrap();
    check(&world.path("other"), world.replica.head.at, &world.replica.rows());
}

#[test]
fn a_database_that_the_log_left_behind_is_replaced() {
    let mut world = World::new();
    let first = world.replica.snapshot(&world.repository).unwrap();
    world.restored(Some(&first.id), "other").unwrap();
    let (other, empty) = (world.path("other"), world.path("empty"));
    let next = first.manifest.position.unwrap().offset + 1;
    let reach = |earliest| Reach { feed: [1; 16], earliest, sets_earliest: None };
    assert!(need(&other, Some(&reach(next))).unwrap().is_none(), "the record behind it is there");
    assert!(need(&other, None).unwrap().is_none(), "a log that cannot be asked");
    assert!(matches!(need(&empty, Some(&reach(next))).unwrap(), Some(Need::Beginning)));
    let behind = reach(next + 1);
    assert!(matches!(need(&other, Some(&behind)).unwrap(), Some(Need::Gap(_))));
    let (repository, pace) = (&world.repository, &pace());
    let demands = Demands { reach: Some(behind), ..DEMANDS };
    let (report, passed_over) = (&quiet, &|_: &Error| ());
    let what = Restore { repository, id: None, demands, replaces: true, pace, report, passed_over };
    world.verify(&first.id).unwrap();
    assert!(matches!(restore(&what, &other), Err(Error::Unfit { .. })), "it is as old");
    world.replica.grow(2, 0);
    let second = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&second.id).unwrap();
    assert_eq!(restore(&what, &other).unwrap().0, second.id);
    check(&other, world.replica.head.at, &world.replica.rows());
}
