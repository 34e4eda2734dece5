//! haproxy's agent-check: a connection, the name of a target, one line of verdict.
//!
//! # Why always whole sentences
//! haproxy leaves what a reply does not mention as it was: after `drain` or `maint` only `ready` ends it, after `down` only
//! `up`. So each reply says both, and the weight where there is one.

use crate::hub::Views;
use crate::verdict::{Check, Verdict};
use crate::view::TargetView;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Clients at one time: haproxy opens a connection for each look at each server.
pub const CLIENTS_MAX: usize = 4_096;
/// Time that a client has for its question, and for taking the answer.
const WITHIN: Duration = Duration::from_secs(1);
/// Longest name, with the end of its line.
const NAME_BYTES_MAX: usize = 128;
/// Longest text of a reason: haproxy keeps some hundred bytes.
const REASON_CHARS_MAX: usize = 120;
/// Stand for what is left out.
const DOTS: &str = " ... ";

/// Reply to who asks about a target.
#[must_use]
pub fn reply(target: &TargetView) -> String {
    match target.verdict {
        Verdict::Healthy | Verdict::Degraded => format!("ready up {}%\n", target.weight_percent),
        Verdict::Draining if target.cordon.as_ref().is_some_and(|cordon| !cordon.drain) => {
            "maint\n".to_owned()
        }
        // Up as well: a target that was down before would get its last requests cut off.
        Verdict::Draining => "drain up\n".to_owned(),
        Verdict::Down => {
            let starting = target.reasons.iter().any(|reason| reason.check == Check::Starting);
            let why = if starting { "starting".to_owned() } else { worst(target) };
            format!("ready down #{}\n", line(&why))
        }
    }
}

/// The worst reason, and how many there are beside it: all of them would leave no room for its cause.
fn worst(target: &TargetView) -> String {
    let more = match target.reasons.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    target.reasons.first().map_or_else(String::new, |reason| format!("{reason}{more}"))
}

/// A text in one line that haproxy keeps: of a longer one the start, and the end, where the cause stands.
fn line(text: &str) -> String {
    let line: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let length = line.chars().count();
    if length <= REASON_CHARS_MAX {
        return line;
    }
    let half = (REASON_CHARS_MAX - DOTS.len()) / 2;
    let at = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
    let (start, _) = line.split_at(at(half));
    let (_, end) = line.split_at(at(length - half));
    // Whole words, but for one that has no end.
    let start = start.rsplit_once(' ').map_or(start, |(words, _)| words);
    let end = end.split_once(' ').map_or(end, |(_, words)| words);
    format!("{start}{DOTS}{end}")
}

/// Answers one client. A name that nobody has gets no answer, nor does one of which nothing is known any more: haproxy then
/// goes by its own check, or by another checker.
///
/// # Errors
/// The client has gone.
pub async fn converse(stream: TcpStream, views: Views) -> std::io::Result<()> {
    tokio::time::timeout(WITHIN, answer(stream, &views)).await?
}

async fn answer(stream: TcpStream, views: &Views) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    // No more than a name, of thousands of clients at one time.
    let bounded = read.take(u64::try_from(NAME_BYTES_MAX).unwrap_or(u64::MAX));
    let (mut read, mut name) = (BufReader::with_capacity(NAME_BYTES_MAX, bounded), String::new());
    read.read_line(&mut name).await?;
    let view = views.now();
    let Some(target) = view.target(name.trim()) else { return Ok(()) };
    if target.observed.is_some() && target.unwatched(views.at()).is_some() {
        return Ok(());
    }
    write.write_all(reply(target).as_bytes()).await?;
    write.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::reply;
    use crate::verdict::{Check, Reason, Verdict};
    use crate::view::{Cordon, TargetView};
    use std::time::Duration;

    fn check(verdict: Verdict, check: Option<(Check, &str)>, drain: Option<bool>, expect: &str) {
        let reason = |(check, observed): (Check, &str)| Reason {
            check,
            verdict,
            observed: observed.to_owned(),
            limit: String::new(),
            since: Duration::ZERO,
        };
        let target = TargetView {
            name: "r1".to_owned(),
            group: "g".to_owned(),
            source: None,
            verdict,
            since: Duration::ZERO,
            reasons: check.map(reason).into_iter().collect(),
            cordon: drain.map(|drain| Cordon { reason: String::new(), since_ms: 0, drain }),
            head: None,
            finalized: None,
            lags: Vec::new(),
            latency: None,
            peers: None,
            observed: None,
            fresh_for: Duration::ZERO,
            weight_percent: 10,
            serves: None,
        };
        assert_eq!(reply(&target), expect);
    }

    #[test]
    fn a_long_reason_keeps_its_cause() {
        let told = "call a batch at http://127.0.0.1:8545: no connection: see that the server runs and listens there, and \
                    that tokens and certificates fit: tcp connect error: Connection refused (os error 111)";
        let expect = "ready down #answer: call a batch at http://127.0.0.1:8545: no ... tcp connect error: Connection \
                      refused (os error 111)\n";
        check(Verdict::Down, Some((Check::Answer, told)), None, expect);
        let endless = "x".repeat(1_000);
        let expect = format!("ready down #lag: ... {}\n", "x".repeat(57));
        check(Verdict::Down, Some((Check::Lag, endless.as_str())), None, &expect);
    }

    #[test]
    fn a_reply_says_all_that_haproxy_keeps() {
        check(Verdict::Healthy, None, None, "ready up 10%\n");
        check(Verdict::Degraded, Some((Check::Peers, "0")), None, "ready up 10%\n");
        check(
            Verdict::Down,
            Some((Check::Lag, "5 blocks\nup 100%")),
            None,
            "ready down #lag: 5 blocksup 100%\n",
        );
        check(Verdict::Down, Some((Check::Starting, "not looked at")), None, "ready down #starting\n");
        check(Verdict::Draining, Some((Check::Draining, "it stops")), None, "drain up\n");
        check(Verdict::Draining, Some((Check::Cordon, "disk")), Some(true), "drain up\n");
        check(Verdict::Draining, Some((Check::Cordon, "disk")), Some(false), "maint\n");
    }
}
