//! A node that was synced without the hook becomes a master, or goes on with the feed of one that is lost.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use maidenlane_tests::{
    chain::Scheme,
    master::{self, Node, Tracer},
    process,
    product::Product,
    scenario::Net,
    wait,
};
use serde_json::{Value, json};

use super::adopted::{Adopted, said};
use super::points;
use crate::consensus::PATIENCE;

/// Blocks of a chain that is longer than what geth keeps in memory.
const BLOCKS: u32 = 200;
/// Blocks that geth keeps in memory.
const IN_MEMORY: u64 = 128;
/// geth's user and group, the group that shares the spool with the tap, and another user.
const USER: u32 = 43_210;
const GROUP: u32 = 43_211;
const TAPS: u32 = 43_212;
const OTHER: u32 = 43_213;

/// The way of large states: what geth has on its disk is exported from a copy, and another one executes the blocks above.
#[test]
fn a_large_state_is_adopted_though_each_step_is_killed() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, BLOCKS) else { return };
    let plan = String::from_utf8(world.adopt(&["--plan"], "").stdout).unwrap();
    assert!(plan.contains("runs at block 200, its disk 128 blocks behind"), "{plan}");
    assert!(plan.contains("execute 128 blocks once more"), "{plan}");
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("geth, or one of its commands, runs on"), "{refused}");
    world.net.node().stop().unwrap();
    // geth goes on after all, and what was begun is of no use.
    assert_eq!(world.adopt(&[], "adopt.copied").status.code(), None);
    world.resumed();
    world.grow(0, 2);
    world.net.node().stop().unwrap();
    let whole = world.adopted(&[]);
    assert_eq!(whole["head"], u64::from(BLOCKS) + 2, "{whole}");
    println!("geth could not run for {} ms", whole["downtime_ms"]);
    assert_eq!(world.adopted(&[]), whole, "done twice");
    // Nor is what was done once, when geth has run since and is stopped again.
    world.resumed();
    world.grow(0, 1);
    world.net.node().stop().unwrap();
    // Frames of the first adoption begin at another block.
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("the spool is not empty"), "{refused}");
    fs::remove_dir_all(world.net.node().spool()).unwrap();
    let data = world.data();
    // In the order in which an adoption passes them, so that each start goes on where the one before was killed.
    let passages = points("adopt", "adopt.").into_iter().flat_map(|name| match name.as_str() {
        "adopt.after_file" => vec![format!("{name}:1"), format!("{name}:2")],
        _ => vec![name],
    });
    for name in passages {
        let output = world.adopt(&[], &name);
        assert_eq!(output.status.code(), None, "{name}: {}", said(&output));
    }
    assert_eq!(world.adopted(&[])["head"], u64::from(BLOCKS) + 3);
    assert!(!world.path("adopt/state").exists() && !world.path("adopt/rerun").exists());
    assert!(world.data() == data, "the node's own data have changed");
    world.hooked();
    imported_way(world);
}

/// A replica begins with what was exported, and follows.
fn imported_way(mut world: Adopted) {
    // Whoever names the wrong block is told the root.
    let refused = said(&world.import(world.base + 1, ""));
    assert!(refused.contains("the state has root"), "{refused}");
    let done = world.imported();
    assert_eq!((&done["number"], &done["oldestBlock"]), (&json!(world.base), &json!(0)), "{done}");
    assert!(done["slots"].as_u64().unwrap() > 100, "{done}");
    world.net.start().unwrap();
    world.grow(0, 3);
    world.followed();
    world.check();
    world.grow(2, 4);
    world.followed();
    world.net.stop().unwrap();
    let config = world.net.replica_daemon(0).unwrap().config().display().to_string();
    world.net.command(&["replica", "verify", "--config", &config]).unwrap();
}

#[test]
fn what_is_in_the_way_of_an_adoption_is_told_before_anything_is_done() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, BLOCKS) else { return };
    world.net.node().stop().unwrap();
    let spool = world.net.node().spool();
    let hook = json!({"spool": spool});
    let work = world.path("adopt").display().to_string();
    for plan in [&["--plan"][..], &[]] {
        let mut refused = |hook: &Value, work: &str, words: &[&str]| {
            let refused = world.refused(hook, &[plan, &["--work", work]].concat());
            assert!(words.iter().all(|word| refused.contains(word)), "{words:?}: {refused}");
        };
        // Not even root makes files there.
        let nowhere = json!({"spool": "/proc/sys/spool"});
        refused(&nowhere, &work, &["cannot write to the spool /proc/sys/spool"]);
        let cramped = json!({"spool": spool, "minFree_MB": 1_000_000_000});
        refused(&cramped, &work, &["`minFree_MB`", "where the spool is"]);
        for below in ["", "/below"] {
            let inside = format!("{}{below}", spool.display());
            refused(&hook, &inside, &[&inside, "which is the spool"]);
        }
        refused(&json!({"spool": format!("{work}/spool")}), &work, &["which is --work"]);
        let data = format!("{}/work", world.net.node().data().display());
        let words = ["which is geth's data"];
        let refused = world.refused(&hook, &[plan, &["--work", &data]].concat());
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
    }
    assert!(!Path::new(&work).join("state").exists(), "a copy was made");
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0);
}

/// A command that is killed leaves a geth that executes blocks, and no other one may write to the spool until that ends.
#[test]
fn a_geth_that_outlives_the_command_keeps_others_out() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, BLOCKS) else { return };
    world.net.node().stop().unwrap();
    let go_on = world.orphaned();
    for _ in 0..2 {
        let refused = said(&world.adopt(&[], ""));
        assert!(refused.contains("geth, or one of its commands, runs on"), "{refused}");
    }
    assert!(world.net.node().restart().is_err(), "a geth started beside it");
    fs::write(go_on, "").unwrap();
    wait::until("it to end", PATIENCE, || match world.adopt(&[], "") {
        done if done.status.success() => Ok(()),
        refused => Err(said(&refused)),
    })
    .unwrap();
    assert_eq!(world.adopted(&[])["head"], BLOCKS);
}

/// A geth that was killed has lost what it held in memory: at its next start it rewinds.
#[test]
fn a_geth_that_was_killed_is_not_adopted() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, BLOCKS) else { return };
    world.grow(0, 3);
    world.net.node().kill();
    let output = world.adopt(&[], "");
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("does not take over what the node held in memory"), "{}", said(&output));
    assert!(!world.path("adopt/state").exists() && !world.path("adopt/rerun").exists());
    fs::remove_file(world.net.node().data().join("geth/triedb/merkle.journal")).unwrap();
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("geth has left no journal"), "{refused}");
}

/// Root adopts for geth's user, to whom everything belongs then, and the spool stays open to its group.
#[test]
fn what_root_adopts_belongs_to_geths_user() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root has files of other users");
        return;
    }
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, BLOCKS) else { return };
    world.net.node().stop().unwrap();
    // Nobody else may look into our own directories.
    let [ours, geth] = [Product::build().unwrap().binary("maidenlane"), master::build().unwrap()];
    let [ours, geth] = [ours, geth].map(|binary| {
        let to = world.path(binary.file_name().unwrap().to_str().unwrap()).with_extension("bin");
        fs::copy(binary, &to).unwrap();
        to
    });
    fs::set_permissions(world.net.dir(), Permissions::from_mode(0o755)).unwrap();
    let (data, spool) = (world.net.node().data(), world.net.node().spool());
    process::output(Command::new("chown").args(["-R", &format!("{USER}:{GROUP}")]).arg(&data)).unwrap();
    // As the packages make it.
    chown(&spool, Some(0), Some(TAPS)).unwrap();
    fs::set_permissions(&spool, Permissions::from_mode(0o2770)).unwrap();
    let work = world.path("adopt");
    let mut run = |user: u32| {
        let mut command = Command::new(&ours);
        command.args(world.adopting(&geth, &json!({"spool": spool})).get_args()).arg("--work").arg(&work);
        command.uid(user).output().unwrap()
    };
    let refused = run(OTHER);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains(&format!("belong to user {USER}")), "{}", said(&refused));
    let done = run(0);
    assert!(done.status.success(), "{}", said(&done));
    let frames = owners(&spool);
    assert!(!frames.is_empty());
    for (path, user, group, mode) in frames {
        assert_eq!((user, group, mode & 0o060), (USER, TAPS, 0o060), "{}", path.display());
    }
    for (path, user, ..) in owners(&work).into_iter().chain(owners(&data)) {
        assert_eq!(user, USER, "{}", path.display());
    }
    // That user can repeat what root has begun.
    let again = run(USER);
    assert!(again.status.success() && again.stdout == done.stdout, "{}", said(&again));
}

/// Path, user, group and mode of everything in a directory.
fn owners(dir: &Path) -> Vec<(PathBuf, u32, u32, u32)> {
    let (mut all, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = open.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                open.push(path.clone());
            }
            all.push((path, meta.uid(), meta.gid(), meta.mode()));
        }
    }
    all
}

/// A master that was adopted and has told its feed some blocks, and other nodes that have the blocks of before.
fn mastered(others: &[&str]) -> Option<(Adopted, Vec<Node>)> {
    let mut world = Adopted::stock(Net::build, Scheme::Path, BLOCKS)?;
    world.net.node().stop().unwrap();
    let others = others.iter().map(|name| world.another(name)).collect();
    world.adopted(&[]);
    world.hooked();
    world.imported();
    world.net.start().unwrap();
    world.grow(0, 3);
    world.followed();
    Some((world, others))
}

/// The node in the master's place goes on with the feed, which has one writer more and begins where it did.
fn goes_on(mut world: Adopted, base: u64, begun: Instant) {
    world.net.node().tracer(Tracer::Hook);
    world.resumed();
    world.net.tap().start().unwrap();
    world.grow(0, 2);
    world.followed();
    println!("the next block was published {} ms after the loss", begun.elapsed().as_millis());
    world.base = base;
    world.check();
    let records = world.net.feed().unwrap();
    let of = |kind: &str| {
        let kinds = records.iter().map(|line| line.get("entry").unwrap_or(line).get("record"));
        kinds.filter(|found| found.and_then(Value::as_str) == Some(kind)).count()
    };
    assert_eq!((of("Open"), of("Start")), (2, 1), "a second writer goes on where the first one was");
    world.net.stop().unwrap();
}

/// A master is lost with its disk and its spool. A node that never had the hook takes over its feed, whose replicas go on.
#[test]
fn another_node_takes_over_the_feed_of_a_lost_master() {
    let Some((mut world, mut others)) = mastered(&["another"]) else { return };
    let (other, base) = (others.pop().unwrap(), world.base);
    world.shared(&other, 3);
    world.net.tap().stop().unwrap();
    world.lost(other);
    let begun = Instant::now();
    fs::remove_dir_all(world.path("adopt")).unwrap();
    let feed_head = (u64::from(BLOCKS) + 3).to_string();
    let done = world.adopted(&["--feed-head", &feed_head]);
    assert!(world.base < u64::from(BLOCKS) && done["head"] == u64::from(BLOCKS) + 3, "{done}");
    assert_eq!(done["files"], json!([]), "no replica wants a state");
    goes_on(world, base, begun);
}

/// The same by a node whose disk is above the feed's newest block: it goes back as far as it has kept how.
#[test]
fn a_node_that_is_ahead_of_a_feed_goes_back_to_it() {
    let Some((mut world, others)) = mastered(&["another", "short"]) else { return };
    let Ok([other, mut short]) = <[Node; 2]>::try_from(others) else { unreachable!() };
    let (base, feed_head) = (world.base, u64::from(BLOCKS) + 3);
    world.net.tap().stop().unwrap();
    let ahead = IN_MEMORY + 12;
    world.grow(0, usize::try_from(ahead).unwrap());
    world.shared(&other, ahead + 3);
    short.argument("--history.state=4");
    world.shared(&short, ahead + 3);
    world.lost(short);
    let begun = Instant::now();
    fs::remove_dir_all(world.path("adopt")).unwrap();
    let feed_head = feed_head.to_string();
    let refused = world.adopt(&["--feed-head", &feed_head], "");
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    let why =
        "the feed ends 12 blocks below the state on geth's disk, and geth can go back over 4, 8 too few";
    assert!(said(&refused).contains(why), "{}", said(&refused));
    world.lost(other);
    fs::remove_dir_all(world.path("adopt")).unwrap();
    // Without it, frames begin above the feed.
    world.adopted(&[]);
    assert_eq!(world.base, u64::from(BLOCKS) + 3 + 12);
    fs::remove_dir_all(world.net.node().spool()).unwrap();
    let data = world.data();
    assert_eq!(world.adopt(&["--feed-head", &feed_head], "adopt.before_execution").status.code(), None);
    let done = world.adopted(&["--feed-head", &feed_head]);
    assert_eq!((world.base.to_string(), &done["head"]), (feed_head, &json!(u64::from(BLOCKS) + 3 + ahead)));
    assert!(world.data() == data, "the node's own data have changed");
    goes_on(world, base, begun);
}

/// A state kept by hash is that of the head only.
#[test]
fn a_state_kept_by_hash_is_dumped() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Hash, 64) else { return };
    world.net.node().stop().unwrap();
    let refused = said(&world.adopt(&["--plan"], ""));
    assert!(refused.contains("geth keeps its state by hash") && refused.contains("--dump"), "{refused}");
    let refused = said(&world.adopt(&["--plan", "--feed-head", "60"], ""));
    assert!(refused.contains("only a node that keeps it by path can take over a feed"), "{refused}");
}
