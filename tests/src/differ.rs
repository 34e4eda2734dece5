//! Random questions, valid and malformed, to geth and replica: answers must be the same JSON, but for the differences
//! that `tests/differ/differences.txt` lists with their reason.

mod ask;
mod normalize;

use std::{
    collections::BTreeMap,
    fmt, fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    failure::{Doing, Failure, Outcome},
    geth::chaingen,
    interrupt::Interrupt,
    product,
    rpc::Client,
    rpc_compat,
    scenario::{Carrier, Chain, Net, Plan},
};
use normalize::Normalizer;

/// The generated chain: all forks, every kind of contract and transaction.
pub const CHAIN: (u32, u32) = (64, 3);
/// Another network id than the chain's, so that an answer which takes the one for the other is seen.
const NETWORK_ID: &str = "--networkid=7000";
/// Differences that are told in full.
const PRINTED_MAX: usize = 40;

/// How many requests, and which.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Requests; without it they go on until an interrupt
    #[arg(long)]
    requests: Option<u32>,
    /// Chooses them
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Block that most of them are about, so that its fork's rules are met
    #[arg(long)]
    at: Option<u64>,
}

/// Choice of the requests, of all that there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// Chooses them.
    pub seed: u64,
    /// Block that most are about.
    pub at: Option<u64>,
}

/// One line of the list: geth and replica answer this method so and so and differ there, for a reason.
#[derive(Debug)]
struct Listed {
    method: String,
    /// `result`, `nothing`, or an error's code.
    geth: String,
    /// The same, or a star for any.
    replica: String,
    /// Part of the first difference's path and values.
    at: String,
}

/// Allowed differences between two answers.
#[derive(Debug)]
struct Rules {
    listed: Vec<Listed>,
    normalizer: Normalizer,
}

/// Outcome of a run.
#[derive(Debug, Default)]
pub struct Findings {
    /// Equal answers by method.
    pub equal: BTreeMap<String, usize>,
    /// How often each listed difference was met, in the list's order.
    pub listed: Vec<(String, usize)>,
    /// Requests with both answers that differ for no listed reason.
    pub differences: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in self.differences.iter().take(PRINTED_MAX) {
            writeln!(f, "{difference}")?;
        }
        let (equal, listed) = (self.equal.values().sum::<usize>(), self.listed.iter().map(|(_, met)| met));
        let (listed, differ) = (listed.sum::<usize>(), self.differences.len());
        write!(f, "{equal} equal over {} methods, {listed} listed, {differ} different", self.equal.len())
    }
}

/// The command: asks until told to stop.
///
/// # Errors
/// Something does not build or start.
pub fn run(arguments: &Arguments) -> Outcome<bool> {
    let stop = Interrupt::on_signals()?;
    let mut net = network()?;
    let (master, replica) = (net.master(), net.replica(0)?);
    let choice = Choice { seed: arguments.seed, at: arguments.at };
    let findings = ask_all(&master, &replica, choice, arguments.requests, &stop)?;
    println!("{findings}");
    net.stop()?;
    Ok(findings.differences.is_empty())
}

/// geth and one replica on the generated chain, both at its end. The replica keeps trie nodes, so that it can tell all that
/// geth tells.
///
/// # Errors
/// Something does not build or start.
pub fn network() -> Outcome<Net> {
    network_with(|_| Ok(()))
}

/// The same, with something done before the daemons start.
///
/// # Errors
/// Something does not build or start.
pub fn network_with(prepare: impl FnOnce(&mut Net) -> Outcome<()>) -> Outcome<Net> {
    let chain = chaingen::varied(CHAIN.0, CHAIN.1)?;
    let plan = Plan { chain: Chain::Import(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::proving(&plan)?;
    prepare(&mut net)?;
    let node = net.node();
    node.argument(NETWORK_ID);
    node.stop()?;
    node.restart()?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    net.start()?;
    net.caught_up(0)?;
    crate::compare::same_block(&net.master(), &net.replica(0)?, "finalized")?;
    Ok(net)
}

/// Asks both so many requests, without a number until an interrupt.
///
/// # Errors
/// One of them does not answer, or the list cannot be read.
pub fn ask_all(
    master: &Client,
    replica: &Client,
    choice: Choice,
    requests: Option<u32>,
    stop: &Interrupt,
) -> Outcome<Findings> {
    let mut asker = ask::Asker::new(master, choice.seed, choice.at)?;
    let rules = Rules { listed: listed()?, normalizer: Normalizer { cancun: asker.cancun() } };
    let met = rules.listed.iter().map(|each| (each.to_string(), 0)).collect();
    let mut findings = Findings { listed: met, ..Findings::default() };
    let (mut asked, mut reported) = (0, Instant::now());
    while requests.is_none_or(|most| asked < most) && !stop.raised() {
        let request = asker.request();
        findings.take(&rules, &request, master.post(&request)?.1.trim(), replica.post(&request)?.1.trim());
        asked += 1;
        if requests.is_none() && reported.elapsed() > Duration::from_secs(10) {
            println!("{asked} requests, {} different", findings.differences.len());
            reported = Instant::now();
        }
    }
    Ok(findings)
}

impl Findings {
    /// Compares two answers, those to a batch call by call.
    fn take(&mut self, rules: &Rules, request: &str, left: &str, right: &str) {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let (asked, left, right) = (json(request), json(left), json(right));
        if let (Value::Array(calls), Value::Array(left), Value::Array(right)) = (&asked, &left, &right)
            && (left.len(), right.len()) == (calls.len(), calls.len())
        {
            for ((call, left), right) in calls.iter().zip(left).zip(right) {
                self.take_one(rules, call, &call.to_string(), left, right);
            }
            return;
        }
        self.take_one(rules, &asked, request, &left, &right);
    }

    fn take_one(&mut self, rules: &Rules, asked: &Value, request: &str, geth: &Value, replica: &Value) {
        let method = method_of(asked).to_owned();
        let [left, right] = [geth, replica].map(|answer| {
            let mut answer = answer.clone();
            rules.normalizer.forget(&method, &mut answer);
            answer
        });
        let Err(difference) = rpc_compat::compare(&right, &left, false) else {
            *self.equal.entry(method).or_default() += 1;
            return;
        };
        let (left, right) = (kind(geth), kind(replica));
        let known = rules.listed.iter().position(|each| {
            each.covers(&method)
                && each.geth == left
                && (each.replica == right || each.replica == "*")
                && difference.contains(&each.at)
        });
        match known.and_then(|at| self.listed.get_mut(at)) {
            Some((_, met)) => *met += 1,
            None => self.differences.push(format!(
                "{method} | {left} | {right} | {difference:.300}\n  request: {request:.4000}\n  geth:    {geth:.300}\n  replica: {replica:.300}"
            )),
        }
    }
}

/// Method of a request, whose members' names may be in any case.
fn method_of(asked: &Value) -> &str {
    let members = asked.as_object().into_iter().flatten();
    let named = members.filter(|(name, _)| name.eq_ignore_ascii_case("method"));
    named.filter_map(|(_, value)| value.as_str()).next_back().unwrap_or("-")
}

/// Sort of an answer: `result`, `nothing`, or an error's code.
fn kind(answer: &Value) -> String {
    match (answer.pointer("/error/code"), answer.get("result"), answer) {
        (Some(code), ..) => code.to_string(),
        (None, Some(_), _) => "result".to_owned(),
        (None, None, Value::Array(_)) => "batch".to_owned(),
        _ => "nothing".to_owned(),
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {} | {} | {}", self.method, self.geth, self.replica, self.at)
    }
}

impl Listed {
    /// A method that ends in a star stands for all that begin so.
    fn covers(&self, method: &str) -> bool {
        self.method.strip_suffix('*').map_or(self.method == method, |begin| method.starts_with(begin))
    }
}

fn listed() -> Outcome<Vec<Listed>> {
    let path = product::root().join("tests/differ/differences.txt");
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| parse(line).ok_or_else(|| Failure::new(format!("{}: {line}", path.display())))).collect()
}

/// `method | geth | replica | at | reason`, all five.
fn parse(line: &str) -> Option<Listed> {
    let mut parts = line.split('|').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    let listed =
        Listed { method: parts.next()?, geth: parts.next()?, replica: parts.next()?, at: parts.next()? };
    parts.next().map(|_reason| listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_may_differ_and_only_in_that_way() {
        let listed = ["m | result | -32601 | .error | why"].iter().filter_map(|line| parse(line)).collect();
        let rules = Rules { listed, normalizer: Normalizer::default() };
        let mut findings = Findings { listed: vec![(String::new(), 0)], ..Findings::default() };
        let request = r#"{"method":"m"}"#;
        let refusal = r#"{"error":{"code":-32601,"message":"no"}}"#;
        findings.take(&rules, request, r#"{"result":1}"#, refusal);
        findings.take(&rules, request, refusal, r#"{"error":{"code":-32601,"message":"never"}}"#);
        assert_eq!((findings.equal.len(), findings.differences.len()), (1, 0), "{findings}");
        assert_eq!(findings.listed.first().map(|(_, met)| *met), Some(1));
        findings.take(&rules, request, r#"{"result":1}"#, r#"{"result":2}"#);
        findings.take(&rules, request, refusal, r#"{"result":2}"#);
        assert_eq!(findings.differences.len(), 2, "{findings}");
    }

    #[test]
    fn a_difference_without_a_reason_is_no_entry() {
        assert!(parse("m | result | -32601 | .error |").is_none());
    }

    #[test]
    fn the_list_is_readable() {
        assert!(listed().is_ok());
    }
}
