//! The live view: heads, lag and load, once a second.

use std::{
    io::{IsTerminal, Write, stdout},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::way::Counts;
use crate::{failure::Outcome, interrupt::Interrupt, rpc::Client};

/// Between two looks at a head: the resolution of the lag.
const LOOK: Duration = Duration::from_millis(2);
/// A replica that is further behind is shown as such instead of being waited for.
const LAG_MAX: Duration = Duration::from_secs(10);
/// Between two lines.
const LINE: Duration = Duration::from_secs(1);
/// So many of the newest lags are kept.
const LAGS_MAX: usize = 1_000;

/// Lags from a master's new head to the replica answering with it, as seen from outside.
#[derive(Debug, Default)]
pub(super) struct Meter {
    lags_ms: Mutex<Vec<f64>>,
    master: AtomicU64,
    replica: AtomicU64,
    served: AtomicU64,
}

impl Meter {
    /// Watches both heads until interrupted.
    pub(super) fn watch(&self, master: &Client, replica: &Client, stop: &Interrupt) {
        let mut last = None;
        while !stop.raised() {
            let Ok(head) = master.block_number() else {
                thread::sleep(LOOK);
                continue;
            };
            let seen = Instant::now();
            self.master.store(head, Ordering::Relaxed);
            // The first head has been there for an unknown time.
            if last.is_some_and(|last| head > last) && self.reached(replica, head, seen, stop) {
                self.note(seen.elapsed());
            }
            last = Some(head);
            thread::sleep(LOOK);
        }
    }

    /// Waits until the replica has `head`.
    fn reached(&self, replica: &Client, head: u64, since: Instant, stop: &Interrupt) -> bool {
        while !stop.raised() && since.elapsed() < LAG_MAX {
            if let Ok(number) = replica.block_number() {
                self.served.fetch_add(1, Ordering::Relaxed);
                self.replica.store(number, Ordering::Relaxed);
                if number >= head {
                    return true;
                }
            }
            thread::sleep(LOOK);
        }
        false
    }

    fn note(&self, lag: Duration) {
        let mut lags = self.lags_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if lags.len() == LAGS_MAX {
            lags.remove(0);
        }
        lags.push(lag.as_secs_f64() * 1_000.0);
    }

    /// Puts a steady load of ordinary questions on the replica until interrupted.
    pub(super) fn load(&self, replica: &Client, stop: &Interrupt) {
        let account = format!("0x{:040x}", 0xfeed_0000_u64);
        while !stop.raised() {
            for (method, params) in [
                ("eth_getBlockByNumber", json!(["latest", true])),
                ("eth_getBalance", json!([account, "latest"])),
                ("eth_getLogs", json!([{"fromBlock": "latest"}])),
            ] {
                if replica.respond(method, &params).is_ok() {
                    self.served.fetch_add(1, Ordering::Relaxed);
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The lag that a share of the heads stayed within.
    #[must_use]
    pub(super) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let mut lags = self.lags_ms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        lags.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below 1,000"
        )]
        let index = ((lags.len() as f64 - 1.0).max(0.0) * share).round() as usize;
        lags.get(index).copied()
    }

    /// One line about now.
    #[must_use]
    pub(super) fn line(&self, counts: Option<&Counts>) -> String {
        let last = self.lags_ms.lock().unwrap_or_else(PoisonError::into_inner).last().copied();
        let lag = last.map_or_else(|| "-".to_owned(), |lag| format!("{lag:.0} ms"));
        let counts = counts.map_or_else(String::new, Counts::line);
        format!(
            "master head {:>6}   replica head {:>6}   lag {lag:>7}   requests served {:>7}{counts}",
            self.master.load(Ordering::Relaxed),
            self.replica.load(Ordering::Relaxed),
            self.served.load(Ordering::Relaxed),
        )
    }
}

/// Prints a line a second until `done`, in place on a terminal. `counts` are those of transactions, if any are sent.
///
/// # Errors
/// The terminal is gone.
pub(super) fn show(meter: &Meter, counts: Option<&Counts>, done: impl Fn() -> bool) -> Outcome<()> {
    let mut out = stdout();
    let (start, end) = if out.is_terminal() { ("\r", "") } else { ("", "\n") };
    let mut due = Instant::now();
    while !done() {
        if Instant::now() >= due {
            due += LINE;
            write!(out, "{start}{}{end}", meter.line(counts))?;
            out.flush()?;
        }
        thread::sleep(Duration::from_millis(50));
    }
    if end.is_empty() {
        println!();
    }
    Ok(())
}

/// Two answers field by field, in two columns.
#[must_use]
pub(super) fn columns(names: [&str; 2], left: &Value, right: &Value) -> String {
    let mut text = format!("  {:<21} {:<32} {}", "", names[0], names[1]);
    let mut row = |name: &str, left: Option<&Value>, right: Option<&Value>| {
        let mark = if left == right { '=' } else { '≠' };
        text.push_str(&format!("\n  {name:<21} {:<30} {mark} {}", short(left), short(right)));
    };
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
                row(name, left.get(name), right.get(name));
            }
        }
        _ => row("", Some(left), Some(right)),
    }
    text
}

/// A value that fits a column; what is left out is in its middle.
fn short(value: Option<&Value>) -> String {
    let text = match value {
        None => return "(nothing)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => format!("{} items", items.len()),
        Some(other) => other.to_string(),
    };
    let letters: Vec<char> = text.chars().collect();
    match (letters.get(..16), letters.get(letters.len().saturating_sub(12)..)) {
        (Some(head), Some(tail)) if letters.len() > 30 => {
            format!("{}…{}", String::from_iter(head), String::from_iter(tail))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_seen() {
        let meter = Meter::default();
        assert_eq!(meter.quantile_ms(0.5), None);
        for lag in [3, 1, 2] {
            meter.note(Duration::from_millis(lag));
        }
        assert_eq!(meter.quantile_ms(0.5), Some(2.0));
        assert_eq!(meter.quantile_ms(0.99), Some(3.0));
    }

    #[test]
    fn columns_show_what_differs() {
        let (left, right) = (json!({"a": "0x1", "b": "x".repeat(60)}), json!({"a": "0x2", "c": []}));
        let text = columns(["geth", "replica"], &left, &right);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("0x1") && lines[1].ends_with("≠ 0x2"), "{text}");
        assert!(lines[2].contains(&format!("{}…{}", "x".repeat(16), "x".repeat(12))), "{text}");
        assert!(lines[3].contains("(nothing)") && lines[3].ends_with("≠ 0 items"), "{text}");
    }
}
