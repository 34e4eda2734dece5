//! Kafka's archives, from Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// The version that everything here was tried with.
const VERSION: &str = "4.1.0";
/// Without it the broker says nothing about its own troubles.
const LOGGER_VERSION: &str = "1.7.36";

/// The first prerequisite of a broker that this machine lacks.
#[must_use]
pub fn missing() -> Option<&'static str> {
    let runs = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match (runs("java", "-version"), runs("mvn", "-version")) {
        (true, true) => None,
        (false, _) => Some("java (Debian: openjdk-17-jre-headless)"),
        (true, false) => Some("mvn (Debian: maven)"),
    }
}

/// Fetches the broker's archives into `cache` unless they are there. `cache` is `~/.cache/maidenlane/kafka`.
///
/// # Errors
/// What Maven said.
pub fn install(cache: &Path) -> Result<PathBuf, String> {
    install_one(cache, "kafka_2.13")
}

/// The same for one artifact of Kafka's and all that it needs.
pub(super) fn install_one(cache: &Path, artifact: &str) -> Result<PathBuf, String> {
    let libs = cache.join(format!("{artifact}-{VERSION}"));
    if libs.join("complete").exists() {
        return Ok(libs);
    }
    eprintln!("fetching {artifact} {VERSION} with Maven, once …");
    // Tests that run at the same time may all miss it: each fetches its own, and the first to be done counts.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = format!("fetching-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let own = cache.join(own);
    fs::create_dir_all(&own).map_err(|error| format!("create {}: {error}", own.display()))?;
    let fetched = fetch(&own, artifact).and_then(|()| match fs::rename(&own, &libs) {
        Err(error) if !libs.join("complete").exists() => {
            Err(format!("rename {} to {}: {error}", own.display(), libs.display()))
        }
        _ => Ok(libs),
    });
    drop(fs::remove_dir_all(&own));
    fetched
}

/// Fetches everything into a directory.
fn fetch(libs: &Path, artifact: &str) -> Result<(), String> {
    let pom = libs.join("pom.xml");
    let text = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>local</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId>\n\
         <version>{VERSION}</version></dependency>\n\
         <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>\n\
         <version>{LOGGER_VERSION}</version></dependency></dependencies></project>\n"
    );
    fs::write(&pom, text).map_err(|error| format!("write {}: {error}", pom.display()))?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."])
        .current_dir(libs)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("start mvn: {error}"))?;
    if !output.status.success() {
        return Err(format!("mvn failed: {}", String::from_utf8_lossy(&output.stdout)));
    }
    fs::write(libs.join("complete"), "").map_err(|error| format!("write to {}: {error}", libs.display()))
}
