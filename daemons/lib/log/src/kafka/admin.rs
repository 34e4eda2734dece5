//! Administration of topics: creation, and judging the live settings of existing ones.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaRespErr;

use super::complaint::Complaints;
use super::{Options, failed, signed};
use crate::{Error, TopicNeeds, TopicOptions};

/// Partitions and copies of a topic, as its brokers report them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) partitions: u32,
    pub(super) replicas_min: usize,
}

/// Room that Kafka needs around an entry: compression that fails and the head of a batch.
fn batch_bytes(entry_bytes: usize) -> usize {
    entry_bytes + entry_bytes / 128 + 4096
}

/// The largest entry that surely fits into a batch of `batch_bytes`.
pub(super) fn entry_bytes(batch_bytes: usize) -> usize {
    let net = batch_bytes.saturating_sub(4096);
    net - net / 129
}

/// Creates `topic`; false if it exists, whose settings then stay as they are.
///
/// # Errors
/// When no broker answers or the options are refused.
pub fn create(options: &Options, topic: &str, with: &TopicOptions) -> Result<bool, Error> {
    let number_or_none =
        |value: Option<u64>| value.map_or_else(|| "-1".to_owned(), |value| value.to_string());
    let age_ms = with.retention_max_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let mut config = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.bytes", number_or_none(with.retention_max_bytes)),
        ("retention.ms", number_or_none(age_ms)),
        ("segment.bytes", with.segment_max_bytes.clamp(1 << 20, 1 << 30).to_string()),
        ("max.message.bytes", batch_bytes(with.entry_max_bytes).to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ];
    if let Some(in_sync_min) = with.in_sync_min {
        config.push(("min.insync.replicas", in_sync_min.to_string()));
    }
    if with.replicas == Some(1) {
        // Nothing else holds what a power cut takes from the only copy.
        config.push(("flush.messages", "1".to_owned()));
    }
    let replicas = TopicReplication::Fixed(with.replicas.map_or(-1, i32::from));
    let mut new = NewTopic::new(topic, signed(with.partitions), replicas);
    for (name, value) in &config {
        new = new.set(name, value);
    }
    let admin = client(options)?;
    let requested = block_on(admin.create_topics([&new], &request(options)));
    let result = requested.map_err(|error| failed(options, topic, "creation", error))?;
    match result.into_iter().next() {
        Some(Ok(_)) => wait_until_known(options, topic).map(|()| true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(failed(options, topic, "creation", KafkaError::AdminOp(code))),
        None => Err(Error::NoTopic { topic: topic.to_owned() }),
    }
}

/// Has `topic` keep entries for `age` at most; false if it keeps none longer.
///
/// # Errors
/// [`Error::NoTopic`], or when no broker answers or the change is refused.
pub fn shorten(options: &Options, topic: &str, age: Duration) -> Result<bool, Error> {
    let config = describe(options, topic)?;
    let age_ms = age.as_millis();
    let has = config.get("retention.ms").and_then(|entry| entry.value.as_deref()?.parse::<i128>().ok());
    // -1 is without limit.
    if has.is_some_and(|has| u128::try_from(has).is_ok_and(|has| has <= age_ms)) {
        return Ok(false);
    }
    let age_ms = age_ms.to_string();
    let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", &age_ms);
    // The request names all settings of the topic: one that it leaves out falls back to the broker's.
    for entry in &config.entries {
        if let (ConfigSource::DynamicTopic, Some(value)) = (&entry.source, &entry.value)
            && entry.name != "retention.ms"
        {
            altered = altered.set(&entry.name, value);
        }
    }
    let admin = client(options)?;
    let requested = block_on(admin.alter_configs([&altered], &request(options)));
    let result = requested.map_err(|error| failed(options, topic, "change", error))?;
    match result.into_iter().next() {
        Some(Err((_, code))) => Err(failed(options, topic, "change", KafkaError::AdminOp(code))),
        Some(Ok(_)) | None => Ok(true),
    }
}

/// Deletes `topic` with all that is in it. For tests and for operators.
///
/// # Errors
/// [`Error::NoTopic`], or when no broker answers.
pub fn delete(options: &Options, topic: &str) -> Result<(), Error> {
    let admin = client(options)?;
    let requested = block_on(admin.delete_topics(&[topic], &request(options)));
    match requested.map_err(|error| failed(options, topic, "deletion", error))?.into_iter().next() {
        Some(Err((_, code))) => Err(failed(options, topic, "deletion", KafkaError::AdminOp(code))),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Waits until a created topic has reached the brokers' metadata, which takes a moment.
fn wait_until_known(options: &Options, topic: &str) -> Result<(), Error> {
    let deadline = Instant::now() + options.timeout;
    loop {
        match shape(options, topic) {
            Err(Error::NoTopic { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result.map(|_| ()),
        }
    }
}

/// Live settings of `topic` that would lose data.
///
/// # Errors
/// [`Error::NoTopic`], or when no broker answers.
pub fn check(options: &Options, topic: &str, needs: &TopicNeeds) -> Result<Vec<String>, Error> {
    let shape = shape(options, topic)?;
    let config = describe(options, topic)?;
    let setting = |name: &str| config.get(name).and_then(|entry| entry.value.clone());
    Ok(hazards(topic, needs, shape, setting))
}

/// The largest batch that `topic` takes.
pub(super) fn max_message_bytes(options: &Options, topic: &str) -> Result<usize, Error> {
    let config = describe(options, topic)?;
    let value = config.get("max.message.bytes").and_then(|entry| entry.value.as_deref()?.parse().ok());
    Ok(value.unwrap_or(1_000_000))
}

/// Number of partitions of `topic`.
///
/// # Errors
/// [`Error::NoTopic`], or when no broker answers.
pub fn partitions(options: &Options, topic: &str) -> Result<u32, Error> {
    Ok(shape(options, topic)?.partitions)
}

/// Partitions and copies of `topic`.
pub(super) fn shape(options: &Options, topic: &str) -> Result<Shape, Error> {
    let failed = |error: KafkaError| failed(options, topic, "description", error);
    let client: BaseConsumer<Complaints> =
        options.client(&[]).create_with_context(options.complaints.clone()).map_err(failed)?;
    let metadata = client.fetch_metadata(Some(topic), options.timeout).map_err(|error| {
        options.complaints.gather(&client);
        failed(error)
    })?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if found.and_then(MetadataTopic::error)
        == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    {
        return Err(failed(KafkaError::MetadataFetch(RDKafkaErrorCode::TopicAuthorizationFailed)));
    }
    let Some(found) = found.filter(|found| found.error().is_none() && !found.partitions().is_empty()) else {
        return Err(Error::NoTopic { topic: topic.to_owned() });
    };
    Ok(Shape {
        partitions: u32::try_from(found.partitions().len()).unwrap_or(u32::MAX),
        replicas_min: found.partitions().iter().map(|one| one.replicas().len()).min().unwrap_or_default(),
    })
}

fn describe(options: &Options, topic: &str) -> Result<ConfigResource, Error> {
    let admin = client(options)?;
    let wanted = [ResourceSpecifier::Topic(topic)];
    let requested = block_on(admin.describe_configs(&wanted, &request(options)));
    let result = requested.map_err(|error| failed(options, topic, "description", error))?;
    match result.into_iter().next() {
        // Every topic has settings. The crate drops the error with which brokers keep them to themselves.
        Some(Ok(config)) if config.entries.is_empty() => {
            let code = RDKafkaErrorCode::TopicAuthorizationFailed;
            Err(failed(options, topic, "description", KafkaError::AdminOp(code)))
        }
        Some(Ok(config)) => Ok(config),
        Some(Err(code)) => Err(failed(options, topic, "description", KafkaError::AdminOp(code))),
        None => Err(Error::NoTopic { topic: topic.to_owned() }),
    }
}

/// Judges settings; pure.
fn hazards(
    topic: &str,
    needs: &TopicNeeds,
    shape: Shape,
    setting: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let number = |name: &str| setting(name).and_then(|value| value.parse::<i128>().ok());
    let too_low = |name: &str, need: u128| {
        let need = i128::try_from(need).unwrap_or(i128::MAX);
        // -1 is without limit.
        number(name).filter(|has| (0..need).contains(has)).map(|has| (has, need))
    };
    let mut found = Vec::new();
    if let Some(wanted) = needs.partitions.filter(|wanted| *wanted != shape.partitions) {
        found.push(format!("{topic} has {} partitions where {wanted} are expected", shape.partitions));
    }
    if let Some(policy) = setting("cleanup.policy").filter(|policy| policy != "delete") {
        found.push(format!("{topic} has cleanup.policy {policy}, which drops entries; set it to delete"));
    }
    if let Some((has, need)) = too_low("retention.ms", needs.retention_min_age.as_millis()) {
        found.push(format!("{topic} has retention.ms {has}, {need} are needed"));
    }
    if let Some((has, _)) = too_low("retention.bytes", u128::from(needs.retention_min_bytes)) {
        found.push(format!("{topic} has retention.bytes {has}, {}", needs.wanted_bytes()));
    }
    if let Some((has, need)) = too_low("max.message.bytes", batch_bytes(needs.entry_bytes) as u128) {
        found.push(format!("{topic} has max.message.bytes {has}, {need} are needed"));
    }
    let in_sync_min = number("min.insync.replicas").unwrap_or(1);
    if shape.replicas_min > 1 && in_sync_min < 2 {
        found.push(format!(
            "{topic} has {} copies and min.insync.replicas {in_sync_min}: one broker alone may acknowledge and then \
             be lost; set it to 2",
            shape.replicas_min
        ));
    }
    if shape.replicas_min == 1 && number("flush.messages") != Some(1) {
        found.push(format!(
            "{topic} has one copy and flush.messages is not 1: a power cut loses what was acknowledged"
        ));
    }
    if in_sync_min > i128::try_from(shape.replicas_min).unwrap_or(i128::MAX) {
        found.push(format!(
            "{topic} has min.insync.replicas {in_sync_min} but {} copies: nothing can be appended",
            shape.replicas_min
        ));
    }
    if shape.replicas_min > 1 && setting("unclean.leader.election.enable").as_deref() == Some("true") {
        found.push(format!(
            "{topic} has unclean.leader.election.enable, which loses entries; set it to false"
        ));
    }
    found
}

fn client(options: &Options) -> Result<AdminClient<DefaultClientContext>, Error> {
    options.client(&[]).create().map_err(|error| Error::Kafka {
        what: "creation of an admin client failed".to_owned(),
        source: Box::new(error),
    })
}

/// Options with the time in which librdkafka answers every request, from a thread of its own, whatever becomes of the
/// brokers.
fn request(options: &Options) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(options.timeout)).operation_timeout(Some(options.timeout))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Options, Shape, batch_bytes, create, delete, entry_bytes, hazards};
    use crate::{TopicNeeds, TopicOptions};

    /// Hazards of a sound topic with `changed` settings, in one line.
    fn check(changed: &[(&str, &str)], partitions: u32, replicas_min: usize) -> String {
        let needs = TopicNeeds {
            partitions: Some(1),
            entry_bytes: 1000,
            retention_min_age: Duration::from_secs(60),
            retention_min_bytes: 1000,
        };
        let sound = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "60000"),
            ("retention.bytes", "-1"),
            ("max.message.bytes", "1000000"),
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "false"),
            ("flush.messages", "9223372036854775807"),
        ];
        let setting = |name: &str| {
            let all = changed.iter().chain(&sound);
            all.clone().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        hazards("t", &needs, Shape { partitions, replicas_min }, setting).join("; ")
    }

    #[test]
    fn what_loses_data_is_named() {
        assert_eq!(check(&[], 1, 3), "");
        assert_eq!(check(&[("flush.messages", "1"), ("min.insync.replicas", "1")], 1, 1), "");
        for (name, value, part) in [
            ("cleanup.policy", "compact", "cleanup.policy compact"),
            ("cleanup.policy", "compact,delete", "cleanup.policy compact,delete"),
            ("retention.ms", "59999", "retention.ms 59999, 60000 are needed"),
            ("retention.bytes", "999", "retention.bytes 999"),
            ("max.message.bytes", "1000", "max.message.bytes 1000"),
            ("min.insync.replicas", "1", "min.insync.replicas 1: one broker"),
            ("min.insync.replicas", "4", "nothing can be appended"),
            ("unclean.leader.election.enable", "true", "unclean"),
        ] {
            let found = check(&[(name, value)], 1, 3);
            assert!(
                found.contains(part) && !found.contains(';'.to_string().repeat(2).as_str()),
                "{name}: {found}"
            );
        }
        assert!(check(&[("min.insync.replicas", "1")], 1, 1).contains("power cut"));
        assert!(check(&[], 2, 3).contains("2 partitions where 1"));
    }

    #[test]
    fn requests_end_without_brokers() {
        let nobody = Options::new(vec!["127.0.0.1:1".to_owned()]);
        let options = Options { timeout: Duration::from_millis(200), ..nobody };
        let begun = Instant::now();
        assert!(create(&options, "t", &TopicOptions::default()).is_err());
        assert!(delete(&options, "t").is_err());
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_entry_that_was_asked_for_fits() {
        for bytes in [1, 1000, 900_000, 1_000_000, 50_000_000] {
            assert!(entry_bytes(batch_bytes(bytes)) >= bytes, "{bytes}");
        }
    }
}
