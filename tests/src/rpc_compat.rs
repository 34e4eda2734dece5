//! Runs `.io` files of execution-apis against anything that answers JSON-RPC, with the comparison rules of hive's
//! `rpc-compat`: `//` comment, `>>` request, `<<` the exact answer. Key order is free, numbers compare as floats,
//! missing *and extra* fields fail, and only the `message` of an error is free.
//!
//! Light on purpose (std and serde_json), so that the harness and the replica's own tests can both use it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// One `.io` file.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The directory's name, for instance `eth_getBalance`.
    pub method: String,
    /// The file's name without ending.
    pub name: String,
    /// The answer is an example: only its form is checked, unless it is an error.
    pub speconly: bool,
    /// Requests and answers, in order.
    pub steps: Vec<Step>,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// As sent, byte for byte.
    pub request: String,
    /// As wanted.
    pub response: Value,
}

/// Reads all cases below `dir/<method>/<name>.io`, sorted.
pub fn load(dir: &Path) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for method in sorted(dir)? {
        if !method.is_dir() {
            continue;
        }
        for file in sorted(&method)? {
            if file.extension().is_some_and(|ending| ending == "io") {
                let text = fs::read_to_string(&file)?;
                let case = parse(&name(&method), &name(&file), &text);
                cases.push(case.map_err(|problem| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {problem}", file.display()))
                })?);
            }
        }
    }
    Ok(cases)
}

fn sorted(dir: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads one file's text.
pub fn parse(method: &str, name: &str, text: &str) -> Result<Case, String> {
    let mut case =
        Case { method: method.to_owned(), name: name.to_owned(), speconly: false, steps: Vec::new() };
    let mut pending: Option<String> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("//") {
            case.speconly |= comment.trim().starts_with("speconly:");
        } else if let Some(request) = line.strip_prefix(">>") {
            if pending.replace(request.trim().to_owned()).is_some() {
                return Err("a request without an answer".into());
            }
        } else if let Some(response) = line.strip_prefix("<<") {
            let request = pending.take().ok_or("an answer without a request")?;
            let response = serde_json::from_str(response.trim()).map_err(|e| format!("answer: {e}"))?;
            case.steps.push(Step { request, response });
        } else {
            return Err(format!("neither comment, request nor answer: {line:.60}"));
        }
    }
    match pending {
        Some(_) => Err("a request without an answer".into()),
        None if case.steps.is_empty() => Err("no exchange".into()),
        None => Ok(case),
    }
}

/// Compares an answer with the wanted one; the error names the first difference by its path.
pub fn compare(got: &Value, want: &Value, speconly: bool) -> Result<(), String> {
    if speconly && let (Some(got), Some(want)) = (got.get("result"), want.get("result")) {
        return same_form(got, want, "result");
    }
    let (mut got, mut want) = (got.clone(), want.clone());
    forget_messages(&mut got, &mut want);
    same(&got, &want, "")
}

/// Removes the `message` of every `error` object that stands on both sides. Inside an error nothing is removed.
fn forget_messages(got: &mut Value, want: &mut Value) {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            for (key, got) in got.iter_mut() {
                let Some(want) = want.get_mut(key) else { continue };
                match (key.as_str(), &mut *got, &mut *want) {
                    ("error", Value::Object(got), Value::Object(want)) => {
                        got.remove("message");
                        want.remove("message");
                    }
                    _ => forget_messages(got, want),
                }
            }
        }
        (Value::Array(got), Value::Array(want)) => {
            for (got, want) in got.iter_mut().zip(want) {
                forget_messages(got, want);
            }
        }
        _ => (),
    }
}

fn same(got: &Value, want: &Value, path: &str) -> Result<(), String> {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            if let Some(extra) = got.keys().find(|key| !want.contains_key(*key)) {
                return Err(format!("{path}.{extra}: not wanted"));
            }
            for (key, want) in want {
                let path = format!("{path}.{key}");
                same(got.get(key).ok_or_else(|| format!("{path}: missing"))?, want, &path)?;
            }
            Ok(())
        }
        (Value::Array(got), Value::Array(want)) => {
            if got.len() != want.len() {
                return Err(format!("{path}: {} items, want {}", got.len(), want.len()));
            }
            let mut pairs = got.iter().zip(want).enumerate();
            pairs.try_for_each(|(index, (got, want))| same(got, want, &format!("{path}[{index}]")))
        }
        (Value::Number(got), Value::Number(want)) if got.as_f64() == want.as_f64() => Ok(()),
        (got, want) if got == want => Ok(()),
        (got, want) => Err(format!("{path}: {got:.120}, want {want:.120}")),
    }
}

/// Same kinds of values and, in objects, all wanted fields.
fn same_form(got: &Value, want: &Value, path: &str) -> Result<(), String> {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            for (key, want) in want {
                let path = format!("{path}.{key}");
                same_form(got.get(key).ok_or_else(|| format!("{path}: missing"))?, want, &path)?;
            }
            Ok(())
        }
        (Value::Array(got), Value::Array(want)) => match (got.first(), want.first()) {
            (Some(got), Some(want)) => same_form(got, want, &format!("{path}[0]")),
            _ => Ok(()),
        },
        (got, want) if std::mem::discriminant(got) == std::mem::discriminant(want) => Ok(()),
        (got, want) => Err(format!("{path}: {got:.60}, want the kind of {want:.60}")),
    }
}

/// Outcome of one method's cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that agreed.
    pub passed: usize,
    /// Case and first difference of those that did not.
    pub failed: Vec<(String, String)>,
}

/// Outcome of all cases, by method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By method.
    pub methods: BTreeMap<String, Tally>,
}

impl Report {
    /// Cases that agreed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.methods.values().map(|tally| tally.passed).sum()
    }

    /// Cases that did not.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.methods.values().map(|tally| tally.failed.len()).sum()
    }
}

/// One line per method, and one per failure.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (method, tally) in &self.methods {
            writeln!(f, "{method}: {} of {}", tally.passed, tally.passed + tally.failed.len())?;
            for (case, problem) in &tally.failed {
                writeln!(f, "  {case}: {problem}")?;
            }
        }
        write!(f, "{} passed, {} failed", self.passed(), self.failed())
    }
}

/// Runs `cases` one after the other. `ask` sends a request's text and gives the answer's.
pub fn run<'a>(
    cases: impl IntoIterator<Item = &'a Case>,
    mut ask: impl FnMut(&str) -> Result<String, String>,
) -> Report {
    let mut report = Report::default();
    for case in cases {
        let tally = report.methods.entry(case.method.clone()).or_default();
        match case.steps.iter().try_for_each(|step| exchange(step, case.speconly, &mut ask)) {
            Ok(()) => tally.passed += 1,
            Err(problem) => tally.failed.push((case.name.clone(), problem)),
        }
    }
    report
}

fn exchange(
    step: &Step,
    speconly: bool,
    ask: &mut impl FnMut(&str) -> Result<String, String>,
) -> Result<(), String> {
    let answer = ask(&step.request)?;
    let got: Value =
        serde_json::from_str(&answer).map_err(|e| format!("answer is not JSON: {e}: {answer:.80}"))?;
    compare(&got, &step.response, speconly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: &str, want: &str, expect: Result<(), &str>) {
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("test input is JSON");
        let outcome = compare(&json(got), &json(want), false);
        match (outcome, expect) {
            (Ok(()), Ok(())) => (),
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem}"),
            (outcome, expect) => panic!("{outcome:?}, not {expect:?}"),
        }
    }

    #[test]
    fn compares_exactly_but_for_messages() {
        check(r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1}"#, Ok(()));
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, Err(".b: missing"));
        check(r#"{"a":1,"b":2}"#, r#"{"a":1}"#, Err(".b: not wanted"));
        check(r#"{"a":"0xA"}"#, r#"{"a":"0xa"}"#, Err(".a: "));
        check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, Err("1 items, want 2"));
        check(r#"{"error":{"code":1,"message":"x"}}"#, r#"{"error":{"code":1,"message":"y"}}"#, Ok(()));
        check(
            r#"{"error":{"code":1,"message":"x"}}"#,
            r#"{"error":{"code":2,"message":"x"}}"#,
            Err(".error.code"),
        );
        check(r#"{"r":[{"error":{"message":"x"}}]}"#, r#"{"r":[{"error":{"message":"y"}}]}"#, Ok(()));
        check(r#"{"message":"x"}"#, r#"{"message":"y"}"#, Err(".message"));
        check(r#"{"result":null}"#, r#"{"error":{"code":1}}"#, Err("not wanted"));
    }

    #[test]
    fn reads_files() {
        let text = "// speconly: only its form\n>> {\"id\":1}\n<< {\"id\":1,\"result\":\"0x1\"}\n";
        let case = parse("m", "n", text).expect("a case");
        assert!(case.speconly);
        assert_eq!(case.steps.len(), 1);
        assert!(parse("m", "n", ">> {}\n").is_err());
        assert!(parse("m", "n", "<< {}\n").is_err());
        assert!(parse("m", "n", "nonsense\n").is_err());
        let report = run([&case], |_| Ok(r#"{"id":1,"result":"0x2"}"#.to_owned()));
        assert_eq!((report.passed(), report.failed()), (1, 0));
        let report = run([&case], |_| Ok(r#"{"id":1,"result":7}"#.to_owned()));
        assert_eq!((report.passed(), report.failed()), (0, 1));
    }
}
