//! Stock clients, unmodified: what each is told by a real geth and by a replica, compared; then filters, subscriptions and
//! a transaction of its own on the replica alone. The programs are in `clients/`, one per library.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use maidenlane_log::{Backend, segment};
use maidenlane_tests::{
    install::{GETH, GO},
    interrupt::Interrupt,
    libraries, product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::Log,
    traffic::Traffic,
};
use serde_json::{Value, json};

use crate::transactions::stored;

/// Enough blocks for a hundred questions about them.
const BURSTS: usize = 4;
const SCRIPTS: &str = "tests/e2e/clients";

/// Standard output, or why the command failed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    if output.status.success() { Ok(text.into_owned()) } else { Err(format!("{command:?}:\n{text}{errors}")) }
}

/// A program of Node.js beside its libraries: that is where it looks for them.
pub(crate) fn node(script: &str) -> Option<Command> {
    let scripts = product::root().join(SCRIPTS);
    let dir = libraries::npm("node", &scripts).unwrap()?;
    libraries::copied(&scripts.join("ask.mjs"), &dir).unwrap();
    Some(node_in(&dir, &scripts.join(script)))
}

/// The same with libraries of its own, which stand with it in a folder.
pub(crate) fn node_beside(folder: &str, script: &str) -> Option<Command> {
    let scripts = product::root().join(SCRIPTS).join(folder);
    let dir = libraries::npm(folder, &scripts).unwrap()?;
    Some(node_in(&dir, &scripts.join(script)))
}

fn node_in(dir: &Path, script: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(libraries::copied(script, dir).unwrap());
    command
}

/// Where npm has put Foundry: a package each for a program and a machine.
pub(crate) fn foundry() -> Option<PathBuf> {
    let dir = libraries::npm("foundry", &product::root().join(SCRIPTS).join("foundry")).unwrap()?;
    Some(dir.join("node_modules/@foundry-rs"))
}

fn python(script: &str) -> Option<Command> {
    python_in("python", &product::root().join(SCRIPTS), script)
}

/// A program of Python with libraries of its own, which stand with it in a folder.
pub(crate) fn python_beside(folder: &str, script: &str) -> Option<Command> {
    python_in(&format!("python-{folder}"), &product::root().join(SCRIPTS).join(folder), script)
}

fn python_in(name: &str, scripts: &Path, script: &str) -> Option<Command> {
    let python = libraries::python(name, &scripts.join("requirements.txt")).unwrap()?;
    let mut command = Command::new(python);
    command.arg(scripts.join(script));
    Some(command)
}

/// A program of a workspace of its own, which cargo builds once: its many dependencies are nobody else's.
pub(crate) fn alloy() -> Option<Command> {
    let target = product::cache().join("clients/alloy");
    let manifest = product::root().join(SCRIPTS).join("alloy/Cargo.toml");
    let mut cargo = product::cargo();
    cargo.args(["build", "--locked", "--quiet", "--manifest-path"]).arg(manifest);
    output(cargo.env("CARGO_TARGET_DIR", &target)).unwrap_or_else(|error| panic!("{error}"));
    Some(Command::new(target.join("debug/maidenlane-client-alloy")))
}

/// Where the programs of a Go module are: ours on geth's client packages, and geth's own that it names as tools.
pub(crate) fn go() -> Option<PathBuf> {
    if !GO.met() {
        println!("not run: no {}", GO.name);
        return None;
    }
    let scripts = product::root().join(SCRIPTS).join("go");
    let dir = product::cache().join("clients/go");
    let mut build = Command::new("go");
    // Go builds only what has changed.
    build.args(["build", "-o"]).arg(dir.join("")).args([".", "tool"]).current_dir(scripts);
    output(&mut build).unwrap_or_else(|error| panic!("{error}"));
    Some(dir)
}

/// A network with traffic for as long as the client runs.
fn check(client: Option<Command>) {
    let Some(mut client) = client else { return };
    if !GETH.met() {
        return println!("not run: no {}", GETH.name);
    }
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::proving(&plan).unwrap();
    net.take_transactions().unwrap();
    net.start().unwrap();
    let Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let log = Backend::Segment(segment::Options::new(dir));
    let (geth, replica) = (net.master(), net.replica(0).unwrap());
    let mut emitter = net.emitter("emitter-0", &[("geth", geth.url())]).unwrap();
    emitter.start().unwrap();

    // The client's own account.
    let (key, address) = (format!("0x{}", "01".repeat(32)), "0x1a642f0e3c3af545e7acbd38b07251b3990914f1");
    let from = geth.call("eth_accounts", &json!([])).unwrap();
    let gift = json!({"from": from.get(0), "to": address, "value": "0xde0b6b3a7640000"});
    geth.call("eth_sendTransaction", &json!([gift])).unwrap();
    let mut traffic = Traffic::open(&geth).unwrap();
    let contract = traffic.contract().to_owned();
    for _ in 0..BURSTS {
        traffic.burst().unwrap();
        traffic.settle().unwrap();
    }
    let block = net.caught_up(0).unwrap();
    let balance = replica.call("eth_getBalance", &json!([address, "latest"])).unwrap();
    assert_ne!(balance, Value::from("0x0"));

    let stop = Interrupt::default();
    let printed = thread::scope(|scope| {
        scope.spawn(|| traffic.run(&stop, |_| ()).unwrap());
        let socket = replica.url().replace("http", "ws");
        let urls = [geth.url(), replica.url(), &socket, &contract, &block.to_string(), &key];
        let printed = output(client.args(urls));
        stop.raise();
        printed
    });
    println!("{}", printed.unwrap_or_else(|error| panic!("{error}\n{}", net.last_words())));
    emitter.stop().unwrap();
    assert_eq!(stored(&log).len(), 1, "it has sent one");
    net.stop().unwrap();
}

#[test]
fn viem_gets_the_same_answers() {
    check(node("viem.mjs"));
}

#[test]
fn ethers_gets_the_same_answers() {
    check(node("ethers.mjs"));
}

#[test]
fn alloy_gets_the_same_answers() {
    check(alloy());
}

#[test]
fn web3_py_gets_the_same_answers() {
    check(python("web3_py.py"));
}

#[test]
fn geths_own_client_gets_the_same_answers() {
    check(go().map(|dir| Command::new(dir.join("client"))));
}
