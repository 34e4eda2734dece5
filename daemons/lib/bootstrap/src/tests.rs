//! Tests of whole imports, of states made here; those of a real geth are in `tests/e2e/bootstrap.rs`.

mod refused;
mod resumed;
mod sample;

use crate::import::{Imported, Plan, import};
use crate::{Error, Files};
use maidenlane_chain::BlockRef;
use maidenlane_replay::store_path;
use maidenlane_state::trie::NodeKey;
use maidenlane_store::{Store, View, bulk, canonical_rows, state_root};
use sample::{Chain, State};
use std::fs;
use std::path::{Path, PathBuf};

const CACHE_BYTES: usize = 8 << 20;
/// Rows of a round: so few that every import has many.
const ROUND_ROWS: u64 = 400;

/// An import into a directory of its own.
struct World {
    dir: tempfile::TempDir,
    state: State,
    chain: Chain,
    plan: Plan,
}

impl World {
    fn export(state: State) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (snapshot, code) = (dir.path().join("snapshot"), dir.path().join("code"));
        fs::write(&snapshot, state.snapshot()).unwrap();
        fs::write(&code, state.codes()).unwrap();
        Self::of(dir, state, Files::Export { snapshot, code })
    }

    fn dump(state: State) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dump = dir.path().join("dump");
        fs::write(&dump, state.dump()).unwrap();
        Self::of(dir, state, Files::Dump(dump))
    }

    fn of(dir: tempfile::TempDir, state: State, files: Files) -> Self {
        let chain = Chain::up_to(state.root());
        let plan = Plan {
            files,
            state_dir: dir.path().join("state"),
            block: chain.head().at.hash.to_string(),
            chain_id: sample::CHAIN_ID,
            genesis: None,
            proofs: true,
            restart: false,
            round_rows: ROUND_ROWS,
        };
        Self { dir, state, chain, plan }
    }

    fn import(&self) -> Result<Imported, Error> {
        import(&self.plan, &self.chain, Box::new(|_| ()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Checks that a replica would find this state, and nothing of the import.
    fn check(&self, imported: &Imported) {
        let (expected, block) = (self.state.counts(), self.chain.head().at);
        assert_eq!((imported.block, imported.floor), (block, 1));
        assert_eq!((imported.counts.accounts, imported.counts.slots), expected);
        let view = view(&self.plan.state_dir);
        assert_eq!((view.head(), state_root(&view).unwrap().root), (block, self.state.root()));
        check_nodes(&view, &self.state);
        for (hash, code) in &self.state.codes {
            assert_eq!(view.code(*hash).unwrap().as_ref(), Some(code));
        }
        let facts = view.facts();
        assert_eq!((facts.base, facts.state_floor, facts.chain_id), (1, block.number, sample::CHAIN_ID));
        for number in 0..=block.number {
            let at = BlockRef::new(number, view.hash_of(number).unwrap().unwrap());
            assert!(view.header(at).unwrap().is_some());
            assert_eq!(view.body(at).unwrap().is_some(), number >= 1, "block 0 was dropped by the node");
        }
        assert!(!self.plan.state_dir.join("import").exists());
    }
}

fn view(state_dir: &Path) -> View {
    Store::open(&store_path(state_dir), CACHE_BYTES).unwrap().view().unwrap()
}

/// Checks the trie nodes against those of tries that grew in no order.
fn check_nodes(view: &View, state: &State) {
    let key = |(place, node): (NodeKey, Vec<u8>)| (bulk::node_key(&place), node);
    let mut expected: Vec<_> = state.nodes().into_iter().map(key).collect();
    expected.sort();
    let rows = canonical_rows(view).unwrap().into_iter();
    let found: Vec<_> =
        rows.filter(|row| row.0 == bulk::Table::Nodes.name()).map(|(_, key, node)| (key, node)).collect();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}

#[test]
fn an_export_becomes_the_state_of_its_block() {
    for seed in 0..3 {
        let world = World::export(State::generate(seed));
        world.check(&world.import().unwrap());
    }
}

#[test]
fn a_dump_becomes_the_same() {
    let world = World::dump(State::generate(0));
    world.check(&world.import().unwrap());
    let other = World::export(State::generate(0));
    other.import().unwrap();
    let rows = |world: &World| canonical_rows(&view(&world.plan.state_dir)).unwrap();
    assert_eq!(rows(&world), rows(&other));
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let world = World::export(State::generate(1));
    for name in ["snapshot", "code"] {
        let plain = fs::read(world.path(name)).unwrap();
        // In two members, as two files that were put together.
        let (one, two) = plain.split_at(plain.len() / 3);
        fs::write(world.path(name), [sample::gzip(one), sample::gzip(two)].concat()).unwrap();
    }
    world.check(&world.import().unwrap());
}

#[test]
fn without_proofs_no_node_is_kept() {
    let mut world = World::export(State::generate(2));
    world.plan.proofs = false;
    world.import().unwrap();
    let view = view(&world.plan.state_dir);
    assert_eq!(view.facts().proofs, None);
    assert!(canonical_rows(&view).unwrap().iter().all(|row| row.0 != bulk::Table::Nodes.name()));
}

#[test]
fn an_empty_state_is_one() {
    let world = World::export(State::default());
    let imported = world.import().unwrap();
    assert_eq!((imported.counts.accounts, imported.block), (0, world.chain.head().at));
}
