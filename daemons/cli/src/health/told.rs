//! Words of a checker as text for people.

use serde_json::Value;

/// One target, or everything that a checker knows: what is wrong first.
pub(super) fn explained(found: &Value) -> Vec<String> {
    let Some(targets) = list(found, "targets") else { return target(found, None) };
    let now_ms = number(found, "atMs");
    let tip = number(found, "tip").map_or_else(|| "no tip".to_owned(), |tip| format!("tip {tip}"));
    let mut lines = vec![tip];
    for warning in list(found, "warnings").into_iter().flatten() {
        let group = text(warning, "group").filter(|group| !group.is_empty());
        let of = group.map_or_else(String::new, |group| format!("{group}: "));
        lines.push(format!("warning: {of}{}", text(warning, "text").unwrap_or_default()));
    }
    for group in list(found, "groups").into_iter().flatten() {
        let count = |field: &str| number(group, field).unwrap_or(0);
        let floor = match count("floor") {
            0 => String::new(),
            floor => format!(", floor {floor} ({} held)", count("held")),
        };
        let name = text(group, "name").unwrap_or_default();
        lines.push(String::new());
        lines.push(format!("{name}: {} of {} serve{floor}", count("serving"), count("targets")));
        let of_it = targets.iter().filter(|target| text(target, "group") == Some(name));
        lines.extend(of_it.flat_map(|one| target(one, now_ms)));
    }
    lines
}

/// One target: its verdict, each reason, and the figures. Alone it has no moment of the view, and its last look stands for it.
fn target(target: &Value, now_ms: Option<u64>) -> Vec<String> {
    let now_ms = now_ms.or_else(|| number(target, "observedMs"));
    let since = |value: &Value, field: &str| {
        let ago_ms = now_ms.zip(number(value, field)).map(|(now, since)| now.saturating_sub(since));
        ago_ms.map_or_else(String::new, |ago_ms| format!(" for {}", span(ago_ms)))
    };
    let name = text(target, "name").unwrap_or_default();
    let verdict = text(target, "verdict").unwrap_or_default();
    let mut lines = vec![format!("{name}: {verdict}{}", since(target, "sinceMs"))];
    let reasons = list(target, "reasons").into_iter().flatten();
    lines.extend(reasons.map(|reason| format!("  {}{}", why(reason), since(reason, "since"))));
    let figures = figures(target);
    if !figures.is_empty() {
        lines.push(format!("  ({})", figures.join(", ")));
    }
    lines
}

/// Line for a change of a verdict.
pub(super) fn changed(target: &Value) -> String {
    let reasons: Vec<String> = list(target, "reasons").into_iter().flatten().map(why).collect();
    let [name, verdict] = ["name", "verdict"].map(|field| text(target, field).unwrap_or_default());
    match reasons.as_slice() {
        [] => format!("{name}: {verdict}"),
        reasons => format!("{name}: {verdict}: {}", reasons.join("; ")),
    }
}

fn why(reason: &Value) -> String {
    let [check, observed, limit] =
        ["check", "observed", "limit"].map(|field| text(reason, field).unwrap_or_default());
    match limit {
        "" => format!("{check}: {observed}"),
        limit => format!("{check}: {observed} (limit: {limit})"),
    }
}

fn figures(target: &Value) -> Vec<String> {
    let count = |field: &str, of: &dyn Fn(u64) -> String| number(target, field).map(of);
    let latency = target.get("latencyMs").and_then(Value::as_f64);
    let all = [
        count("number", &|number| format!("block {number}")),
        count("finalized", &|number| format!("final {number}")),
        count("lag", &|blocks| format!("lag {blocks} blocks")),
        count("headAgeSeconds", &|seconds| format!("head {seconds} s old")),
        count("peers", &|peers| format!("{peers} peers")),
        latency.map(|ms| format!("answers in {ms:.1} ms")),
        text(target, "source").map(|source| format!("source {source}")),
        text(target, "serves").map(|address| format!("serves {address}")),
    ];
    all.into_iter().flatten().collect()
}

/// Time in its largest unit that says enough.
fn span(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field).and_then(Value::as_u64)
}

fn list<'a>(value: &'a Value, field: &str) -> Option<&'a Vec<Value>> {
    value.get(field).and_then(Value::as_array)
}

#[cfg(test)]
mod tests {
    use super::{changed, explained, span};
    use serde_json::{Value, json};

    fn down() -> Value {
        json!({
            "name": "replica-1", "group": "rpc", "source": "a", "verdict": "down", "sinceMs": 1_000,
            "reasons": [
                {"check": "lag", "verdict": "down", "observed": "50 blocks behind 100", "limit": "2", "since": 61_000},
                {"check": "cordon", "verdict": "draining", "observed": "a new disk", "limit": "", "since": 1_000},
            ],
            "number": 50, "finalized": null, "lag": 50, "headAgeSeconds": 7, "peers": null, "latencyMs": 4.25,
            "observedMs": 121_000, "serves": null,
        })
    }

    #[test]
    fn a_target_is_told_with_its_reasons() {
        let expect = [
            "replica-1: down for 2 min",
            "  lag: 50 blocks behind 100 (limit: 2) for 60 s",
            "  cordon: a new disk for 2 min",
            "  (block 50, lag 50 blocks, head 7 s old, answers in 4.2 ms, source a)",
        ];
        assert_eq!(explained(&down()), expect);
        let line = "replica-1: down: lag: 50 blocks behind 100 (limit: 2); cordon: a new disk";
        assert_eq!(changed(&down()), line);
    }

    #[test]
    fn the_whole_begins_with_what_is_wrong() {
        let found = json!({
            "atMs": 121_000, "tip": 100, "targets": [down()],
            "groups": [{"name": "rpc", "verdict": "down", "serving": 0, "held": 0, "targets": 1, "floor": 1}],
            "warnings": [
                {"name": "served", "group": "rpc", "text": "nobody serves"},
                {"name": "clock", "group": "", "text": "this machine's clock is off"},
            ],
        });
        let expect = [
            "tip 100",
            "warning: rpc: nobody serves",
            "warning: this machine's clock is off",
            "",
            "rpc: 0 of 1 serve, floor 1 (0 held)",
            "replica-1: down for 2 min",
        ];
        assert_eq!(explained(&found)[..6], expect);
    }

    #[test]
    fn times_have_the_unit_that_says_enough() {
        for (ms, expect) in [
            (0, "0 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
            (u64::MAX, "213503982334 d"),
        ] {
            assert_eq!(span(ms), expect);
        }
    }
}
