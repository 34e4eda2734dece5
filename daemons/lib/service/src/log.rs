//! Log of a feed, from the settings: the log itself knows no settings.

use maidenlane_config::feed::Log;
use maidenlane_config::kafka::{Kafka, MechanismRaw, Sasl, Tls};
use maidenlane_config::listeners::SecretFile;
use maidenlane_log::{Backend, Error, kafka, segment};
use std::path::PathBuf;

/// The log that `settings` name; `maidenlane-<daemon>` is the client's name in the brokers' logs and quotas.
///
/// # Errors
/// [`Error::Refused`] when a password cannot be read, or a credential was not given to the service.
pub fn log_backend(settings: &Log, daemon: &str) -> Result<Backend, Error> {
    let Kafka { brokers, tls, sasl } = match settings {
        Log::Segment { dir } => return Ok(Backend::Segment(segment::Options::new(dir))),
        Log::Kafka(kafka) => kafka,
    };
    let mut options = kafka::Options::new(brokers.clone());
    options.client_id = format!("maidenlane-{daemon}");
    let (tls, login) = (tls.as_ref().map(trust).transpose()?, sasl.as_ref().map(login).transpose()?);
    Ok(Backend::Kafka(options.secured(kafka::Security { tls, login })))
}

fn trust(Tls { ca, identity }: &Tls) -> Result<kafka::Tls, Error> {
    let identity = identity
        .as_ref()
        .map(|(certificate, key)| Ok(kafka::Identity { certificate: file(certificate)?, key: file(key)? }));
    Ok(kafka::Tls { ca: ca.as_ref().map(file).transpose()?, identity: identity.transpose()? })
}

fn login(Sasl { mechanism, user, password }: &Sasl) -> Result<kafka::Login, Error> {
    let mechanism = match mechanism {
        MechanismRaw::ScramSha256 => kafka::Mechanism::ScramSha256,
        MechanismRaw::ScramSha512 => kafka::Mechanism::ScramSha512,
        MechanismRaw::Plain => kafka::Mechanism::Plain,
    };
    let path = file(password)?;
    kafka::Login::read(mechanism, user.clone(), &path).map_err(|error| Error::Refused {
        what: format!("read the password of {user} in {}: {error}", path.display()),
    })
}

fn file(file: &SecretFile) -> Result<PathBuf, Error> {
    file.path(crate::env("CREDENTIALS_DIRECTORY").as_deref()).map_err(|what| Error::Refused { what })
}
