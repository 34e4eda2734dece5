//! Address of a log, and the way into it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use maidenlane_log::{Backend, kafka, segment};

use crate::error::Error;

/// A person waits.
const BROKER_WAIT: Duration = Duration::from_secs(10);

/// Address of a log.
#[derive(Debug, Args)]
pub(crate) struct Carrier {
    /// Directory of a segment log
    #[arg(long, required_unless_present = "brokers", conflicts_with = "brokers")]
    dir: Option<PathBuf>,
    /// `host:port` of Kafka brokers, with commas
    #[arg(long, value_delimiter = ',')]
    brokers: Option<Vec<String>>,
    /// Kafka: over TLS, with brokers that the machine's authorities vouch for
    #[arg(long, requires = "brokers")]
    tls: bool,
    /// Kafka: over TLS, with brokers that the authorities in this PEM file vouch for
    #[arg(long, value_name = "FILE", requires = "brokers")]
    ca: Option<PathBuf>,
    /// Kafka: own certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["brokers", "key"])]
    certificate: Option<PathBuf>,
    /// Kafka: key of the own certificate, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Kafka: log in as this user
    #[arg(long, requires_all = ["brokers", "password_file"])]
    user: Option<String>,
    /// Kafka: file with the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Kafka: way in which the password is proved
    #[arg(long, value_enum, default_value_t = Mechanism::ScramSha512, requires = "user")]
    mechanism: Mechanism,
}

/// SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mechanism {
    #[value(name = "scram-sha-256")]
    ScramSha256,
    #[value(name = "scram-sha-512")]
    ScramSha512,
    /// The password goes to the broker as it is, so over TLS only
    Plain,
}

impl Carrier {
    /// The brokers, with commas.
    pub(crate) fn brokers(&self) -> String {
        self.brokers.as_deref().unwrap_or_default().join(",")
    }

    /// The log.
    ///
    /// # Errors
    /// The password cannot be read, or would be sent in the clear.
    pub(crate) fn backend(self) -> Result<Backend, Error> {
        let (security, Self { dir, brokers, .. }) = (self.security()?, self);
        match (dir, brokers) {
            (Some(dir), None) => Ok(Backend::Segment(segment::Options::new(dir))),
            (None, Some(brokers)) => {
                let mut options = kafka::Options::new(brokers).secured(security);
                options.timeout = BROKER_WAIT;
                Ok(Backend::Kafka(options))
            }
            _ => Err(Error::Usage("say either --dir or --brokers".to_owned())),
        }
    }

    fn security(&self) -> Result<kafka::Security, Error> {
        let identity = self.certificate.clone().zip(self.key.clone());
        let identity = identity.map(|(certificate, key)| kafka::Identity { certificate, key });
        let tls = (self.tls || self.ca.is_some() || identity.is_some())
            .then(|| kafka::Tls { ca: self.ca.clone(), identity });
        let Some((user, path)) = self.user.clone().zip(self.password_file.as_ref()) else {
            return Ok(kafka::Security { tls, login: None });
        };
        let mechanism = match self.mechanism {
            Mechanism::ScramSha256 => kafka::Mechanism::ScramSha256,
            Mechanism::ScramSha512 => kafka::Mechanism::ScramSha512,
            Mechanism::Plain if tls.is_none() => {
                let cure = "say --tls or --ca, or take a SCRAM mechanism";
                return Err(Error::Usage(format!("plain sends the password in the clear: {cure}")));
            }
            Mechanism::Plain => kafka::Mechanism::Plain,
        };
        let login = kafka::Login::read(mechanism, user, path)
            .map_err(|source| Error::Read { path: path.clone(), source })?;
        Ok(kafka::Security { tls, login: Some(login) })
    }
}
