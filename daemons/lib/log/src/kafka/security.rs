//! Encryption and login of every client of a cluster.

use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;

/// Encryption and login. By default neither: anybody who reaches the brokers reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS, if the brokers speak it.
    pub tls: Option<Tls>,
    /// SASL, if the brokers ask for it.
    pub login: Option<Login>,
}

/// Trust, and the client's own certificate. The name in a broker's certificate is always checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities that sign brokers' certificates; `None` for those of the machine.
    pub ca: Option<PathBuf>,
    /// Certificate by which brokers know the client (mutual TLS).
    pub identity: Option<Identity>,
}

/// PEM files of a client's certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The client's own certificate first.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
}

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Way in which the password is proved.
    pub mechanism: Mechanism,
    /// Name, which the brokers' rights are about.
    pub user: String,
    /// Secret.
    pub password: String,
}

impl Login {
    /// Login with the password in a file, whose last line may end with a newline.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(mechanism: Mechanism, user: String, password: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(password)?;
        Ok(Self { mechanism, user, password: text.trim_end_matches(['\r', '\n']).to_owned() })
    }
}

impl Debug for Login {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Login");
        out.field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

/// SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// The password itself goes to the broker.
    Plain,
}

impl Mechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Plain => "PLAIN",
        }
    }
}

impl Security {
    /// Writes it into a client's settings.
    pub(super) fn apply(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(Tls { ca, identity }) = &self.tls {
            if let Some(ca) = ca {
                config.set("ssl.ca.location", ca.display().to_string());
            }
            if let Some(Identity { certificate, key }) = identity {
                config.set("ssl.certificate.location", certificate.display().to_string());
                config.set("ssl.key.location", key.display().to_string());
            }
        }
        if let Some(Login { mechanism, user, password }) = &self.login {
            config.set("sasl.mechanism", mechanism.name());
            config.set("sasl.username", user);
            config.set("sasl.password", password);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_printed() {
        let login = Login { mechanism: Mechanism::Plain, user: "u".to_owned(), password: "hush".to_owned() };
        let security = Security { login: Some(login), ..Security::default() };
        assert!(!format!("{security:?}").contains("hush"));
    }
}
