//! Consumer of several partitions of Kafka topics, through one client.
//!
//! # Why
//! Each client has threads and connections of its own to every broker, and a consumer of one partition is two of them. Who
//! follows two topics of eight partitions would have thirty-two.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use super::complaint::Complaints;
use super::consumer::{connect, entry};
use super::ends::refuse_outside;
use super::gather::{Rest, gather};
use super::{Options, admin, failed, is_transient, signed, unsigned};
use crate::{Entry, Error, Offset, Place, PlacesConsumer};

/// Consumer of several partitions; in no group.
pub struct Places {
    options: Options,
    /// Places, each as far as it was read.
    places: Vec<Place>,
    client: BaseConsumer<Complaints>,
    rest: Rest<(usize, Entry)>,
}

impl std::fmt::Debug for Places {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Places").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Places {
    /// Opens the partitions of `places`, each where its place says.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when no broker answers. A place that is not in its log is an error of the first read.
    pub fn open(options: &Options, places: &[Place]) -> Result<Self, Error> {
        let mut list = TopicPartitionList::new();
        let mut known = None;
        for place in places {
            // All partitions of a topic stand together.
            let count = match known {
                Some((topic, count)) if topic == &place.topic => count,
                _ => admin::shape(options, &place.topic)?.partitions,
            };
            known = Some((&place.topic, count));
            if place.partition >= count {
                let what = format!("{} has no partition {}, only {count}", place.topic, place.partition);
                return Err(Error::Refused { what });
            }
            let offset = rdkafka::Offset::Offset(i64::try_from(place.next.0).unwrap_or(i64::MAX));
            list.add_partition_offset(&place.topic, signed(place.partition), offset)
                .map_err(|error| failed(options, &place.topic, "assignment", error))?;
        }
        let first = places.first().map_or("", |place| place.topic.as_str());
        let client = connect(options, first)?;
        client.assign(&list).map_err(|error| failed(options, first, "assignment", error))?;
        Ok(Self { options: options.clone(), places: places.to_vec(), client, rest: Rest::default() })
    }

    fn failed(&self, what: &str, error: KafkaError) -> Error {
        failed(&self.options, self.places.first().map_or("", |place| &place.topic), what, error)
    }

    /// Polls for the next entry within `wait`.
    fn poll(&mut self, wait: Duration) -> Result<Option<(usize, Entry)>, Error> {
        let error = match self.client.poll(wait) {
            None => return Ok(None),
            Some(Ok(message)) => {
                let is_of = |place: &Place| {
                    place.topic == message.topic() && signed(place.partition) == message.partition()
                };
                let Some(at) = self.places.iter().position(is_of) else { return Ok(None) };
                let read = entry(&message);
                let Some(place) = self.places.get_mut(at) else { return Ok(None) };
                let read = read.filter(|entry| entry.offset >= place.next);
                place.next =
                    read.as_ref().map_or(place.next, |entry| Offset(entry.offset.0.saturating_add(1)));
                return Ok(read.map(|entry| (at, entry)));
            }
            Some(Err(error)) => error,
        };
        // The group that librdkafka wants named is never joined, and no right to it is needed.
        if is_transient(&error)
            || error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
        {
            return Ok(None);
        }
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
            self.refuse_outside()?;
        }
        Err(self.failed("reading", error))
    }

    /// Refuses places that are no longer, or not yet, in their logs.
    fn refuse_outside(&self) -> Result<(), Error> {
        let wait = self.options.timeout;
        for place in &self.places {
            let ask = || {
                let marks = self.client.fetch_watermarks(&place.topic, signed(place.partition), wait);
                let marks = marks.map(|(low, high)| (unsigned(low), unsigned(high)));
                marks.map_err(|error| failed(&self.options, &place.topic, "watermarks", error))
            };
            refuse_outside(&place.topic, place.next.0, wait, ask)?;
        }
        Ok(())
    }
}

impl PlacesConsumer for Places {
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(usize, Entry)>, Error> {
        gather(self, |this| &mut this.rest, Self::poll, |(_, entry)| entry.payload.len(), (max_bytes, wait))
    }
}
