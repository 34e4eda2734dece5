//! Settings of snapshots.

use crate::snapshots::Settings;
use maidenlane_config::listeners::SecretFile;
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_snapshot::{Source, s3::Bucket};
use serde::Deserialize;
use std::num::NonZeroU64;

/// Snapshots: those that an empty replica begins with, and those that are made of it.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct SnapshotsRaw {
    /// Repositories in which a replica without a block looks for a snapshot, in order; it begins with the newest verified one.
    pub sources: Vec<RepositoryRaw>,
    /// Repository that takes snapshots of this replica; `None` makes none while it runs.
    pub target: Option<RepositoryRaw>,
    /// Bytes that snapshots read and send per second; `None` for as many as there are.
    pub maxRate_MB_per_s: Option<u64>,
    /// Share of what the log holds: a snapshot is due once the newest verified one can lose no more records than that.
    pub dueBelow_percent: u64,
}

/// A repository of snapshots.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum RepositoryRaw {
    /// A directory, which exists.
    Directory(String),
    /// A bucket of an S3-compatible store.
    S3(S3Raw),
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct S3Raw {
    /// `https://host`; in the clear for a store of this machine only.
    pub endpoint: String,
    /// Region of the bucket, a part of each signature.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Beginning of all keys.
    pub prefix: String,
    /// Id of the access key.
    pub keyId: String,
    /// File with the secret of that key: `{credential:NAME}` or an absolute path.
    pub secret: String,
    /// PEM file of the authorities that sign the store's certificate; `None` for those of the machine.
    pub ca: Option<String>,
}

pub(super) fn validate(raw: &SnapshotsRaw, checker: &mut Checker) -> Option<Settings> {
    let sources: Vec<_> = raw.sources.iter().map(|raw| place("sources", raw, checker)).collect();
    let target = raw.target.as_ref().map(|raw| place("target", raw, checker));
    let rate = raw.maxRate_MB_per_s.map(|rate| checker.within::<u64>("maxRate_MB_per_s", rate, 1..=100_000));
    let bytes_per_s = match rate {
        Some(rate) => NonZeroU64::new(rate? * 1_000_000),
        None => None,
    };
    let due_below_percent = checker.within::<u64>("dueBelow_percent", raw.dueBelow_percent, 1..=99);
    let target = match target {
        Some(target) => Some(target?),
        None => None,
    };
    let sources = sources.into_iter().collect::<Option<_>>()?;
    Some(Settings { sources, target, bytes_per_s, due_below_percent: due_below_percent? })
}

fn place(field: &str, raw: &RepositoryRaw, checker: &mut Checker) -> Option<Source> {
    match raw {
        RepositoryRaw::Directory(path) => shapes::path(field, path, checker).map(Source::Directory),
        RepositoryRaw::S3(raw) => checker.inside(field, |checker| bucket(raw, checker)).map(Source::S3),
    }
}

fn bucket(raw: &S3Raw, checker: &mut Checker) -> Option<Bucket> {
    let S3Raw { endpoint, region, bucket, prefix, keyId: key_id, .. } = raw;
    let host = endpoint.strip_prefix("http://").map(|rest| rest.split([':', '/']).next().unwrap_or(rest));
    let own = host.is_none_or(|host| ["127.0.0.1", "localhost"].contains(&host));
    let secure = own && (host.is_some() || endpoint.starts_with("https://"));
    if !secure {
        let what = "expected https://host, or http:// for a store of this machine";
        checker.wrong("endpoint", format_args!("{what}, found `{endpoint}`"));
    }
    let named = [("region", region), ("bucket", bucket), ("keyId", key_id)].map(|(field, text)| {
        let empty = text.is_empty();
        if empty {
            checker.wrong(field, "expected a name");
        }
        !empty
    });
    let secret = SecretFile::parse("secret", &raw.secret, checker);
    let ca = raw.ca.as_ref().map(|ca| SecretFile::parse("ca", ca, checker));
    let ca = match ca {
        Some(ca) => Some(ca?),
        None => None,
    };
    (secure && named.iter().all(|named| *named)).then_some(Bucket {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        region: region.clone(),
        bucket: bucket.clone(),
        prefix: prefix.trim_matches('/').to_owned(),
        key_id: key_id.clone(),
        secret: secret?,
        ca,
    })
}
