//! Settings of a Kafka cluster: addresses, encryption, login.

use crate::listeners::SecretFile;
use crate::shapes::is_host_port;
use crate::{Checker, StaticType};
use serde::Deserialize;

/// Settings of a Kafka cluster.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct KafkaRaw {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// Encryption, and the daemon's own certificate; `None` for brokers that speak in the clear.
    pub tls: Option<KafkaTlsRaw>,
    /// User and password, if the brokers ask for them.
    pub sasl: Option<SaslRaw>,
}

/// Trust in brokers, and proof to them. Files are `{credential:NAME}` or absolute paths.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct KafkaTlsRaw {
    /// PEM file of the authorities that sign brokers' certificates; `None` for those of the machine.
    pub ca: Option<String>,
    /// PEM file of the daemon's certificate, for brokers that want one (mutual TLS).
    pub certificate: Option<String>,
    /// PEM file of its key.
    pub key: Option<String>,
}

/// A user with a password.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct SaslRaw {
    /// Way in which the password is proved.
    pub mechanism: MechanismRaw,
    /// Name of the user.
    pub user: String,
    /// File with the password: `{credential:NAME}` or an absolute path.
    pub password: String,
}

/// SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, StaticType)]
pub enum MechanismRaw {
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// The password goes to the broker as it is, so over TLS only.
    Plain,
}

/// Validated [`KafkaRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// At least one `host:port`.
    pub brokers: Vec<String>,
    /// Encryption.
    pub tls: Option<Tls>,
    /// Login.
    pub sasl: Option<Sasl>,
}

/// Validated [`KafkaTlsRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the brokers' authorities.
    pub ca: Option<SecretFile>,
    /// PEM files of the daemon's certificate and key.
    pub identity: Option<(SecretFile, SecretFile)>,
}

/// Validated [`SaslRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// Way in which the password is proved.
    pub mechanism: MechanismRaw,
    /// Name of the user.
    pub user: String,
    /// File with the password.
    pub password: SecretFile,
}

/// Validates the settings of a cluster.
pub(crate) fn kafka(raw: KafkaRaw, checker: &mut Checker) -> Option<Kafka> {
    let wrong = raw.brokers.iter().find(|broker| !is_host_port(broker));
    if let Some(broker) = wrong {
        checker.wrong("brokers", format_args!("expected host:port, found `{broker}`"));
    } else if raw.brokers.is_empty() {
        checker.wrong("brokers", "expected at least one host:port");
    }
    let plain = raw.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == MechanismRaw::Plain);
    let bare = plain && raw.tls.is_none();
    let tls = raw.tls.map(|raw| checker.inside("tls", |checker| tls(&raw, checker)));
    let sasl = raw.sasl.map(|raw| {
        checker.inside("sasl", |checker| {
            if bare {
                let cure = "set tls, or take a SCRAM mechanism";
                checker.wrong("mechanism", format_args!("Plain sends the password in the clear: {cure}"));
            }
            sasl(raw, checker)
        })
    });
    if wrong.is_some() || raw.brokers.is_empty() || bare {
        return None;
    }
    Some(Kafka { tls: turned(tls)?, sasl: turned(sasl)?, brokers: raw.brokers })
}

/// `None` if what was set is wrong.
#[expect(clippy::option_option, reason = "set or not, and right or not")]
fn turned<T>(set: Option<Option<T>>) -> Option<Option<T>> {
    match set {
        Some(right) => right.map(Some),
        None => Some(None),
    }
}

fn tls(raw: &KafkaTlsRaw, checker: &mut Checker) -> Option<Tls> {
    let mut file = |field: &str, text: &Option<String>| {
        turned(text.as_ref().map(|text| SecretFile::parse(field, text, checker)))
    };
    let (ca, certificate, key) =
        (file("ca", &raw.ca), file("certificate", &raw.certificate), file("key", &raw.key));
    let identity = match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            checker.wrong("key", "expected the key of `certificate`");
            return None;
        }
        (None, Some(_)) => {
            checker.wrong("certificate", "expected the certificate of `key`");
            return None;
        }
    };
    Some(Tls { ca: ca?, identity })
}

fn sasl(raw: SaslRaw, checker: &mut Checker) -> Option<Sasl> {
    let password = SecretFile::parse("password", &raw.password, checker);
    if raw.user.is_empty() {
        checker.wrong("user", "expected the name of a user");
        return None;
    }
    Some(Sasl { mechanism: raw.mechanism, user: raw.user, password: password? })
}
