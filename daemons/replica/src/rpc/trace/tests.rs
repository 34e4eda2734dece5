//! Traces against geth's own, value for value.

use crate::rpc::tests::fake::{self, Still};
use crate::rpc::tests::{ask_text, rpc, rpc_compat};
use serde_json::Value;
use std::sync::Arc;

/// The first place where two values differ.
fn difference(path: &str, want: &Value, got: &Value) -> Option<String> {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => {
            let names: std::collections::BTreeSet<&String> = want.keys().chain(got.keys()).collect();
            names.into_iter().find_map(|name| {
                let path = format!("{path}.{name}");
                match (want.get(name), got.get(name)) {
                    (Some(want), Some(got)) => difference(&path, want, got),
                    (want, got) => Some(format!("{path}: {got:?}, not {want:?}")),
                }
            })
        }
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            let pairs = want.iter().zip(got).enumerate();
            pairs.into_iter().find_map(|(at, (want, got))| difference(&format!("{path}[{at}]"), want, got))
        }
        _ => (want != got).then(|| format!("{path}: {got}, not {want}")),
    }
}

#[test]
fn steps_are_geths() {
    let (Some(dir), Some(chain)) = (fake::fixtures(), fake::chain()) else { return };
    let rpc = rpc(Arc::new(Still::new(chain)));
    let mut compared = 0;
    for case in rpc_compat::load(&dir.join("io")).expect("readable cases") {
        if !case.method.starts_with("debug_trace") {
            continue;
        }
        for step in &case.steps {
            let got: Value = serde_json::from_str(&ask_text(&rpc, None, &step.request).1).expect("JSON");
            let want = &step.response;
            match want.get("error") {
                Some(error) => assert_eq!(got["error"]["code"], error["code"], "{got}"),
                None => assert_eq!(difference(&case.name, want, &got), None, "{}", case.method),
            }
            compared += 1;
        }
    }
    assert!(compared >= 9, "the cases have gone: {compared}");
}
