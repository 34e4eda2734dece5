//! Rules that a machine can hold: what crates may not name, how long files may be, what the guides promise.
//!
//! Most invariants of this code are absences ("only lib/log names rdkafka"), which no type checker sees.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a broken tree may panic")]

#[path = "tidy/circles.rs"]
mod circles;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A word that only some paths may name, in code (comments may talk about anything).
struct Absence {
    words: &'static [&'static str],
    within: &'static [&'static str],
    except: &'static [&'static str],
    why: &'static str,
}

const ABSENCES: &[Absence] = &[
    Absence {
        words: &["rdkafka"],
        within: &["daemons/"],
        except: &["daemons/lib/log/"],
        why: "only lib/log knows Kafka",
    },
    Absence {
        words: &["rocksdb"],
        within: &["daemons/"],
        except: &["daemons/lib/store/"],
        why: "only lib/store knows RocksDB",
    },
    Absence {
        words: &["serde_dhall::", "dhall::"],
        within: &["daemons/"],
        except: &["daemons/lib/config/"],
        why: "only lib/config knows the Dhall implementation",
    },
    Absence {
        words: &["tokio::signal", "signal_hook", "env::var", "env::args", "process::exit"],
        within: &["daemons/"],
        except: &["daemons/lib/service/"],
        why: "only lib/service touches signals, environment and exit",
    },
    Absence {
        words: &["tokio", "std::fs", "std::net", "std::env", "Instant", "SystemTime", "std::thread"],
        within: &[
            "daemons/lib/wire/src/",
            "daemons/lib/chain/src/",
            "daemons/lib/state/src/",
            "daemons/lib/json/src/",
            "daemons/lib/feed/src/",
        ],
        except: &[],
        why: "wire, chain, state, json and feed do no IO, read no clock and know no runtime",
    },
    Absence {
        words: &["LogConsumer", "LogProducer", "Backend", "Scanner"],
        within: &["daemons/lib/feed/src/"],
        except: &["daemons/lib/feed/src/scan.rs", "daemons/lib/feed/src/lib.rs"],
        why: "which entries count is decided without a log; only feed::scan reads one",
    },
    Absence {
        words: &["Joiner"],
        within: &["daemons/"],
        except: &["daemons/lib/wire/", "daemons/lib/feed/"],
        why: "only lib/feed puts parts together, for the entries that count",
    },
    Absence {
        words: &["maidenlane-wire", "maidenlane-chain", "maidenlane_wire", "maidenlane_chain", "alloy"],
        within: &["daemons/lib/log/", "daemons/lib/service/", "daemons/lib/config/"],
        except: &[],
        why: "log, service and config know nothing of Ethereum",
    },
    Absence {
        words: &["jsonrpsee", "rpc_types", "maidenlane_jsonrpc", "maidenlane-jsonrpc", "ethjson"],
        within: &["daemons/lib/state/", "daemons/lib/store/", "daemons/lib/replay/", "daemons/lib/evm/"],
        except: &[],
        why: "state, store, replay and EVM know nothing of the RPC",
    },
    Absence {
        words: &["maidenlane-store", "maidenlane-replay", "maidenlane-log", "maidenlane-service"],
        within: &["daemons/lib/state/", "daemons/lib/evm/", "daemons/lib/ethjson/"],
        except: &[],
        why: "what answers from a view knows no database and no feed",
    },
    Absence {
        words: &["tokio", "hyper", "tungstenite"],
        within: &["daemons/lib/ethjson/"],
        except: &[],
        why: "geth's JSON knows no transport",
    },
    Absence {
        words: &["testkit"],
        within: &["daemons/"],
        except: &["daemons/lib/testkit/"],
        why: "the testkit is for tests alone",
    },
    Absence {
        words: &["maidenlane-replica", "maidenlane-emitter", "maidenlane-relay", "maidenlane-cli"],
        within: &["daemons/tap/", "daemons/lib/"],
        except: &[],
        why: "daemons do not depend on each other, libraries on no daemon",
    },
    Absence {
        words: &["maidenlane-tap", "maidenlane-emitter", "maidenlane-relay", "maidenlane-cli"],
        within: &["daemons/replica/", "daemons/lib/"],
        except: &[],
        why: "daemons do not depend on each other, libraries on no daemon",
    },
    Absence {
        words: &[
            "maidenlane-tap",
            "maidenlane-replica",
            "maidenlane-relay",
            "maidenlane-cli",
            "maidenlane-store",
            "maidenlane-replay",
        ],
        within: &["daemons/emitter/", "daemons/health/"],
        except: &["daemons/emitter/README.md", "daemons/health/README.md"],
        why: "neither needs a database, and daemons do not depend on each other",
    },
    Absence {
        words: &["maidenlane-tap", "maidenlane-replica", "maidenlane-emitter", "maidenlane-cli"],
        within: &["daemons/relay/", "daemons/health/"],
        except: &["daemons/health/README.md"],
        why: "daemons do not depend on each other",
    },
    Absence {
        words: &["tokio", "std::fs", "std::net::Tcp", "Instant", "SystemTime", "std::thread", "clock::now"],
        within: &[
            "daemons/health/src/allow.rs",
            "daemons/health/src/availability.rs",
            "daemons/health/src/board",
            "daemons/health/src/checks.rs",
            "daemons/health/src/history.rs",
            "daemons/health/src/limits.rs",
            "daemons/health/src/observe.rs",
            "daemons/health/src/steady.rs",
            "daemons/health/src/verdict.rs",
            "daemons/health/src/view.rs",
            "daemons/health/src/votes.rs",
            "daemons/health/src/zone.rs",
        ],
        except: &[],
        why: "verdicts follow from observations and the time that is given, so that tests have their own",
    },
    Absence {
        words: &["maidenlane-wire", "maidenlane-log", "alloy", "tokio", "revm", "rocksdb", "rdkafka"],
        within: &["tests/Cargo.toml"],
        except: &[],
        why: "the harness starts before the product is built",
    },
];

/// Files that may be longer than [`FILE_LINES_MAX`], with their bound: it may only be lowered. The hook must be one
/// file, to be copied into geth.
const LONGER: &[(&str, usize)] = &[("daemons/tap/geth/hook.go", 500)];
const FILE_LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 600;
const GO_FUNCTION_LINES_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All files below the visible top level with one of these endings, as paths relative to the root.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let others = ["target", "vectors", "node_modules", "__pycache__"];
            if name.starts_with('.') || others.contains(&name) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs")
        || ["/tests/", "/benches/", "lib/testkit/"].iter().any(|dir| path.contains(dir))
        || path.ends_with("_test.go")
}

/// The part of a file that ships: without comments and without what follows `#[cfg(test)]`, or is for tests alone.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = ["#[cfg(test)]", "[dev-dependencies]"];
    let lines = text
        .lines()
        .enumerate()
        .take_while(move |(_, line)| !tests.iter().any(|from| line.starts_with(from)));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//") && !line.trim_start().starts_with('#'))
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn crates_name_only_what_they_may() {
    let mut problems = Vec::new();
    for (path, text) in files(&[".rs", "Cargo.toml"]) {
        for rule in ABSENCES {
            let inside = rule.within.iter().any(|prefix| path.starts_with(prefix));
            if !inside || is_test(&path) || rule.except.iter().any(|prefix| path.starts_with(prefix)) {
                continue;
            }
            for (number, line) in shipped(&text) {
                if let Some(word) = rule.words.iter().find(|word| line.contains(**word)) {
                    problems.push(format!("{path}:{}: names {word}, but {}", number + 1, rule.why));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn files_fit_the_head() {
    let mut problems = Vec::new();
    for (path, text) in files(&[".rs", ".go", ".py"]) {
        let bound = LONGER.iter().find(|(name, _)| *name == path).map(|(_, bound)| *bound);
        let max = bound.unwrap_or(if is_test(&path) { TEST_LINES_MAX } else { FILE_LINES_MAX });
        let lines =
            text.lines().take_while(|line| is_test(&path) || !line.starts_with("#[cfg(test)]")).count();
        if lines > max {
            problems.push(format!("{path}: {lines} lines, at most {max}: split it"));
        }
    }
    none(&problems);
}

#[test]
fn go_functions_fit_a_screen() {
    let mut problems = Vec::new();
    for (path, text) in files(&[".go"]) {
        let mut start = None;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("func ") {
                start = Some((number, line));
            } else if line == "}"
                && let Some((first, name)) = start.take()
                && number - first > GO_FUNCTION_LINES_MAX
            {
                problems.push(format!("{path}:{}: {} lines: {name}", first + 1, number - first));
            }
        }
    }
    none(&problems);
}

#[test]
fn imports_make_no_circles() {
    let sources: Vec<_> = files(&[".rs"]).into_iter().filter(|(path, _)| !is_test(path)).collect();
    let mut problems = Vec::new();
    for (folder, circles) in circles::circles(&sources) {
        problems.extend(circles.iter().map(|circle| format!("{folder}: {circle:#?}")));
    }
    none(&problems);
}

/// Files called `m/src/<name>.rs`, and the circles among them.
fn check_circles(files: &[(&str, &str)], expect: &[&[&str]]) {
    let path = |name: &str| format!("m/src/{name}.rs");
    let sources: Vec<_> = files.iter().map(|(name, text)| (path(name), (*text).to_owned())).collect();
    let found = circles::circles(&sources).into_values().flatten();
    let found: Vec<Vec<_>> = found.map(|circle| circle.into_keys().collect()).collect();
    let expect: Vec<Vec<_>> =
        expect.iter().map(|names| names.iter().map(|name| path(name)).collect()).collect();
    assert_eq!(found, expect, "{files:?}");
}

#[test]
fn circles_are_what_they_are_said_to_be() {
    let lib = ("lib", "mod a;\nmod b;\npub use a::A;\npub use b::{C as B, b};\npub struct Root;");
    let check = |a: &str, b: &str, expect| check_circles(&[lib, ("a", a), ("b", b)], expect);
    check("use crate::b::b;", "use crate::Root;", &[]);
    check("use crate::b::b;", "use crate::{\n    A,\n    Root\n};", &[&["a", "b"]]);
    check("fn a() { crate::B::new() }", "type B = super::a::A;", &[&["a", "b"]]);
    check("// crate::b", "use crate::a::{self, A};", &[]);
    check("use crate::b;", "#[cfg(test)]\nuse crate::a;", &[]);
    let parent = ("a", "mod c;\nmod d;\nstruct T;\nfn a() { c::c() }\nfn d() { d::d() }");
    let check = |c: &str, d: &str, expect| check_circles(&[lib, parent, ("a/c", c), ("a/d", d)], expect);
    check("use super::T;", "use super::{T, c};", &[]);
    check("use super::a;", "", &[&["a", "a/c"]]);
    check("use super::d::D;", "use crate::a::c::c;", &[&["a/c", "a/d"]]);
    check_circles(&[("a", "mod c;\npub(crate) use c::c;\nfn a() {}"), ("a/c", "use super::a;")], &[]);
}

#[test]
fn no_module_is_a_grab_bag() {
    let bags = ["utils", "util", "common", "shared", "types", "helpers", "misc"];
    let is_bag = |path: &str| {
        let path = path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        path.rsplit('/').next().is_some_and(|name| bags.contains(&name))
    };
    let found = files(&[".rs"]).into_iter().filter(|(path, _)| is_bag(path));
    none(&found.map(|(path, _)| format!("{path}: name it after what it is about")).collect::<Vec<_>>());
}

#[test]
fn nothing_unfinished_and_nothing_of_one_machine() {
    let words =
        ["TODO", "FIXME", "todo!(", "unimplemented!(", "//! placeholder", "/root/", "/work/", "/home/"];
    let mut problems = Vec::new();
    for (path, text) in files(&[".rs", ".go", ".py", ".md", ".toml", ".dhall", ".nix", ".avsc", ".service"]) {
        if path == "tests/tidy.rs" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                problems.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    none(&problems);
}

/// Words that point to a subject, or ask for one, instead of naming it: who reads that line alone learns nothing.
const POINTERS: &str = "It Its This These That Those He She They Their We Our You Your Who Whoever Whose Which What \
                        Whatever Whether";

#[test]
fn docs_begin_with_their_subject() {
    let is_doc = |line: &&str| ["///", "//!"].iter().any(|mark| line.starts_with(mark));
    let mut problems = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| is_doc(line)) {
            let first = line[3..].trim_start().split(|letter: char| !letter.is_alphabetic()).next().unwrap();
            let begins = number == 0 || !is_doc(&lines[number - 1]);
            if begins && POINTERS.split_whitespace().any(|word| word == first) {
                problems.push(format!("{path}:{}: begins with {first}: name what is meant", number + 1));
            }
        }
    }
    none(&problems);
}

#[test]
fn every_crate_is_a_member() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let crates = files(&["Cargo.toml"]).into_iter().filter_map(|(path, _)| {
        let folder = path.strip_suffix("/Cargo.toml")?.to_owned();
        (!manifest.contains(&format!("\"{folder}\""))).then(|| format!("{folder} is not in the members list"))
    });
    none(&crates.collect::<Vec<_>>());
}

#[test]
fn every_member_is_compiled_lightly() {
    let root = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifests = files(&["Cargo.toml"]).into_iter().map(|(_, text)| text);
    let members = manifests.filter(|text| text.contains("version.workspace = true"));
    // The name is the first thing in quotes.
    let lines = members.map(|text| format!("{} = {{ opt-level = 1 }}", text.split('"').nth(1).unwrap()));
    let missing = lines.filter(|line| !root.lines().any(|other| other == line));
    none(&missing.map(|line| format!("[profile.dev.package] has no `{line}`")).collect::<Vec<_>>());
}

#[test]
fn guides_name_only_what_exists() {
    let tops = ["daemons/", "tests/", "dhall/", "nix/", "systemd/", ".cargo/", ".ci/"];
    let mut problems = Vec::new();
    for (guide, text) in files(&[".md"]) {
        let words = text.split(['`', '(', ')', '\n', ' ', ',']).map(str::trim);
        for word in words.filter(|word| tops.iter().any(|top| word.starts_with(top))) {
            let path = word.trim_end_matches(['.', ':', ';']);
            let literal = !path.contains(['*', '<', '{', '$', '…']);
            if literal && !root().join(path).exists() {
                problems.push(format!("{guide}: {path} does not exist"));
            }
        }
    }
    none(&problems);
}
