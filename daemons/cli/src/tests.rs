//! Commands as an operator types them, results as they are printed.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use clap::Parser;
use maidenlane_log::{Append, Backend, segment};

use crate::{Arguments, output::Output, run};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The one door: a command line in, its output or its error and exit code out.
fn command(line: &str) -> Result<String, (u8, String)> {
    let arguments = Arguments::try_parse_from(line.split(' ')).map_err(|error| (0, error.to_string()))?;
    let sink = Sink::default();
    run(arguments, &mut Output::to(sink.clone()))
        .map_err(|error| (error.exit().number(), error.to_string()))?;
    let bytes = sink.0.lock().unwrap().clone();
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn a_log_is_made_filled_listed_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let made = command(&format!("maidenlane log init --dir {place} --chain c --feed f")).unwrap();
    assert_eq!(made.lines().count(), 6);
    assert!(made.starts_with(r#"{"created":true,"partitions":1,"topic":"maidenlane.c.f.blocks"}"#), "{made}");
    let again = command(&format!("maidenlane log init --dir {place} --chain c --feed f")).unwrap();
    assert!(!again.contains("true"), "{again}");

    let backend = Backend::Segment(segment::Options::new(place));
    let mut producer = backend.producer("maidenlane.c.f.blocks").unwrap();
    let entries = [b"one".as_slice(), b"three"].map(|payload| Append { key: None, payload });
    producer.append(&entries).unwrap();
    let topic = "--topic maidenlane.c.f.blocks";
    let listed = command(&format!("maidenlane log verify --dir {place} {topic}")).unwrap();
    assert!(listed.contains(r#""entries":2"#) && listed.contains(r#""end":2"#), "{listed}");
    let tail = command(&format!("maidenlane log tail --dir {place} {topic} --entries 1")).unwrap();
    assert_eq!(tail.lines().count(), 1, "{tail}");
    assert!(tail.contains(r#""offset":1"#) && tail.contains(r#""bytes":5"#), "{tail}");
    let cut = |entries| command(&format!("maidenlane log cut --dir {place} {topic} --entries {entries}"));
    assert_eq!(cut(1).unwrap().trim(), r#"{"end":1,"partition":0}"#);
    let (code, text) = cut(2).unwrap_err();
    assert!(text.contains("has 1 entries"), "{code}: {text}");
}

#[test]
fn errors_have_the_exit_codes_of_the_daemons() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let (code, text) = command(&format!("maidenlane log inspect --dir {place} --topic none")).unwrap_err();
    assert_eq!(code, 78, "{text}");
    let (code, text) = command("maidenlane config check tap /nowhere.dhall").unwrap_err();
    assert_eq!(code, 78);
    assert!(text.contains("/nowhere.dhall"), "{text}");
}
