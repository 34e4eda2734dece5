//! The table of steps.

use crate::install::{GETH, GO, Need};

/// One line of the suite: cargo commands that must all succeed.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) commands: Vec<Vec<&'static str>>,
    pub(super) environment: &'static [(&'static str, &'static str)],
    pub(super) needs: &'static [Need],
}

/// `--show-output` lets a test that lacked its prerequisite say so although it passes.
const SHOW: [&str; 2] = ["--", "--show-output"];

/// All steps, cheapest first.
pub(super) fn all() -> Vec<Step> {
    let plain = |name, command: &[&'static str]| Step {
        name,
        commands: vec![command.to_vec()],
        environment: &[],
        needs: &[],
    };
    let target = |name, file: &'static str, needs| Step {
        name,
        commands: vec![
            [&["test", "--locked", "-p", "maidenlane-tests", "--test", file], SHOW.as_slice()].concat(),
        ],
        environment: &[],
        needs,
    };
    vec![
        Step {
            commands: vec![
                vec!["fmt", "--all", "--check"],
                vec!["fmt", "--check", "--manifest-path", "tests/e2e/clients/alloy/Cargo.toml"],
            ],
            ..plain("format", &[])
        },
        target("tidy", "tidy", &[]),
        plain("clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Step {
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
            ..plain("docs", &["doc", "--locked", "--workspace", "--no-deps"])
        },
        Step {
            commands: vec![
                [
                    &["test", "--locked", "--no-fail-fast", "--workspace", "--exclude", "maidenlane-tests"],
                    SHOW.as_slice(),
                ]
                .concat(),
                [&["test", "--locked", "-p", "maidenlane-tests", "--lib", "--bins"], SHOW.as_slice()]
                    .concat(),
            ],
            ..plain("unit", &[])
        },
        Step {
            commands: vec![
                ["run", "--quiet", "-p", "maidenlane-tests", "--bin", "harness", "--", "demo", "--once"]
                    .to_vec(),
                [&["test", "--locked", "-p", "maidenlane-tests", "--test", "demo"], SHOW.as_slice()].concat(),
            ],
            ..plain("demo", &[])
        },
        target("hook", "hook", &[GO]),
        target("conformance", "conformance", &[]),
        target("nix", "nix", &[]),
        target("systemd", "systemd", &[]),
        target("e2e", "e2e", &[GETH]),
        target("fault", "fault", &[GETH]),
    ]
}
