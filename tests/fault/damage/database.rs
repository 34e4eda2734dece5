//! A replica's RocksDB.

use std::{
    fs,
    path::{Path, PathBuf},
};

use maidenlane_tests::{compare, rpc::Client, wait};

use super::{Corruption, DATA, REFUSED_WITHIN, files, name, refuses};
use crate::{check_everything, driven::Driven, long};

/// The code of an answer that needed what is damaged.
const DAMAGED: i32 = -32_603;
/// Tables damaged in the suite; a long run takes all.
const TABLES_MAX: usize = 3;

/// A copy of the database, and where it belongs.
struct Backup {
    place: PathBuf,
    copy: PathBuf,
}

impl Backup {
    fn of(driven: &mut Driven) -> Self {
        let place =
            files(driven.daemon("replica").state(), "sst").pop().unwrap().parent().unwrap().to_owned();
        let copy = driven.net.dir().join("backup");
        copy_all(&place, &copy);
        Self { place, copy }
    }

    fn restore(&self) {
        fs::remove_dir_all(&self.place).unwrap();
        copy_all(&self.copy, &self.place);
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(name(&path))).unwrap();
    }
}

#[test]
fn a_damaged_database_is_never_served() {
    let Some(mut driven) = Driven::new() else { return };
    driven.net.start().unwrap();
    driven.grow(0, 6);
    driven.followed("before the damage");
    // What stood in the write-ahead log goes to tables at a start.
    driven.daemon("replica").stop().unwrap();
    driven.daemon("replica").start().unwrap();
    driven.followed("after a restart");
    driven.daemon("replica").stop().unwrap();
    let backup = Backup::of(&mut driven);
    damaged_names(&mut driven, &backup);
    damaged_tables(&mut driven, &backup);
    damaged_write_ahead_log(&mut driven, &backup);
    check_everything(&mut driven.net);
}

/// CURRENT and the manifest say which files make up the database: without them it does not open.
fn damaged_names(driven: &mut Driven, backup: &Backup) {
    let beginning = |with: &str| {
        let found = fs::read_dir(&backup.place).unwrap().map(|entry| entry.unwrap().path());
        found.filter(|file| name(file).starts_with(with)).max().unwrap()
    };
    let place = backup.place.display().to_string();
    for (file, percent) in [("CURRENT", 40), ("MANIFEST", 1), ("MANIFEST", 50)] {
        let damage = Corruption::flipped(&beginning(file), percent);
        refuses(driven.daemon("replica"), &[&place, "restore a snapshot"]);
        drop(damage);
        backup.restore();
    }
}

/// A damaged table may be found only when somebody asks for what stands in it. Then no answer is a wrong one, and the
/// replica ends.
fn damaged_tables(driven: &mut Driven, backup: &Backup) {
    let mut tables = files(&backup.place, "sst");
    // The larger, the more blocks of rows.
    tables.sort_by_key(|file| std::cmp::Reverse(file.metadata().unwrap().len()));
    let count = if long() { tables.len() } else { TABLES_MAX };
    for file in tables.iter().step_by(tables.len().div_ceil(count)) {
        let damage = Corruption::flipped(file, 30);
        driven.daemon("replica").launch().unwrap();
        if let Ok(replica) = driven.net.replica(0) {
            // What no answer needs, a reorganisation reads.
            if !ask_everything(&driven.net.master(), &replica) {
                driven.grow(3, 4);
            }
        }
        let what = format!("the replica to refuse {}", name(file));
        let code = wait::until(&what, REFUSED_WITHIN, || {
            let ended = driven.daemon("replica").process().and_then(|process| process.ended());
            ended.map(|status| status.code()).ok_or_else(|| "it runs".to_owned())
        });
        let said = driven.daemon("replica").log_tail(6);
        assert_eq!(code.unwrap_or_else(|failure| panic!("{failure}\n{said}")), Some(DATA), "{said}");
        let error = driven.daemon("replica").errors().pop().unwrap_or_default();
        assert!(
            error.contains(name(file)) && error.contains("restore a snapshot"),
            "{}: {error}",
            name(file)
        );
        driven.daemon("replica").kill();
        drop(damage);
        backup.restore();
    }
}

/// Every answer is right, or an error, or none because the replica has ended. Whether one was the error of damage.
fn ask_everything(master: &Client, replica: &Client) -> bool {
    let mut met = false;
    for question in compare::questions(master, master.block_number().unwrap()).unwrap() {
        let Ok(answer) = replica.respond(question.method, &question.params) else { continue };
        if answer.get("result").is_some() {
            let expected = master.respond(question.method, &question.params).unwrap();
            let [answer, expected] = [answer.clone(), expected].map(|mut answer| {
                compare::forget_free(&mut answer);
                answer
            });
            assert_eq!(answer, expected, "{question:?}");
        }
        met |= answer.pointer("/error/code").is_some_and(|code| *code == DAMAGED);
    }
    met
}

/// Loss at the end of the write-ahead log is made good by the feed.
fn damaged_write_ahead_log(driven: &mut Driven, backup: &Backup) {
    for percent in [5, 50, 95] {
        let newest = files(&backup.place, "log").pop().unwrap();
        let _damage = Corruption::flipped(&newest, percent);
        driven.daemon("replica").start().unwrap();
        driven.followed("with a damaged write-ahead log");
        driven.daemon("replica").stop().unwrap();
        let config = driven.daemon("replica").config().display().to_string();
        driven.net.command(&["replica", "verify", "--config", &config]).unwrap();
        backup.restore();
    }
    driven.daemon("replica").start().unwrap();
    driven.followed("with the good database");
}
