//! A producer for whoever appends all his life, to a log that is away now and then.

use crate::{Append, Backend, Error, LogProducer, Offset};

/// Producer of one topic that is opened with the first append, and again with the next one after an error: what became of
/// the entries then may be unknown, and a producer of before would go on from where it thinks it is.
pub struct Reopening {
    log: Backend,
    topic: String,
    open: Option<Box<dyn LogProducer>>,
}

impl std::fmt::Debug for Reopening {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reopening").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Reopening {
    /// Nothing is opened yet: the topic may come later.
    #[must_use]
    pub const fn new(log: Backend, topic: String) -> Self {
        Self { log, topic, open: None }
    }

    /// Name of the topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl LogProducer for Reopening {
    fn append(&mut self, entries: &[Append<'_>]) -> Result<Vec<Offset>, Error> {
        let mut producer = match self.open.take() {
            Some(producer) => producer,
            None => self.log.producer(&self.topic)?,
        };
        let offsets = producer.append(entries)?;
        self.open = Some(producer);
        Ok(offsets)
    }
}
