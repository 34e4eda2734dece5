//! Prerequisites of a machine, and how it gets them.

use std::{
    env,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::failure::{Doing, Failure, Outcome};

/// One thing that must be on the machine.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Name in messages when it is missing.
    pub name: &'static str,
    /// A program and arguments that succeed if it is there.
    probe: &'static [&'static str],
    /// Debian packages that bring it; empty if Debian's are too old to be of use.
    packages: &'static [&'static str],
    /// Advice for machines without Debian's packages.
    advice: &'static str,
    /// An environment variable that names a ready-made one.
    instead: Option<&'static str>,
}

/// Without these nothing builds: RocksDB and librdkafka are C++ and C.
pub const BUILD: [Need; 6] = [
    Need {
        name: "a C++ compiler",
        probe: &["c++", "--version"],
        packages: &["g++", "make"],
        advice: "install g++ or clang, and make",
        instead: None,
    },
    Need {
        name: "clang with libclang",
        probe: &["clang", "--version"],
        packages: &["clang", "libclang-dev"],
        advice: "install clang and libclang",
        instead: None,
    },
    Need {
        name: "cmake",
        probe: &["cmake", "--version"],
        packages: &["cmake"],
        advice: "install cmake",
        instead: None,
    },
    Need {
        name: "perl",
        probe: &["perl", "--version"],
        packages: &["perl"],
        advice: "install perl",
        instead: None,
    },
    Need {
        name: "pkg-config",
        probe: &["pkg-config", "--version"],
        packages: &["pkg-config"],
        advice: "install pkg-config",
        instead: None,
    },
    Need {
        name: "OpenSSL's headers",
        probe: &["pkg-config", "openssl"],
        packages: &["libssl-dev"],
        advice: "install libssl-dev or openssl-devel",
        instead: None,
    },
];

/// Names a geth that was built with the hook elsewhere.
pub const GETH_ENV: &str = "MAIDENLANE_GETH";

/// For programs of ours in Go, and tests that build geth.
pub const GO: Need = Need {
    name: "Go",
    probe: &["go", "version"],
    packages: &[],
    advice: "install Go 1.24 or newer from https://go.dev/dl and put it on the PATH",
    instead: None,
};

/// For a real geth.
pub const GETH: Need = Need {
    advice: "install Go 1.24 or newer from https://go.dev/dl and put it on the PATH, or name a geth that has the hook in \
             MAIDENLANE_GETH",
    instead: Some(GETH_ENV),
    ..GO
};

/// For a real Kafka broker.
pub const KAFKA: [Need; 2] = [
    Need {
        name: "a Java runtime",
        probe: &["java", "-version"],
        packages: &["default-jdk-headless"],
        advice: "install a JDK, 17 or newer",
        instead: None,
    },
    Need {
        name: "Maven",
        probe: &["mvn", "--version"],
        packages: &["maven"],
        advice: "install Maven",
        instead: None,
    },
];

/// For clocks that jump under a process.
pub const CLOCKS: [Need; 1] = [Need {
    name: "libfaketime",
    probe: &["faketime", "--version"],
    packages: &["faketime"],
    advice: "install faketime, 0.9.10 or newer",
    instead: None,
}];

/// For a load balancer in front of replicas.
pub const BALANCER: [Need; 1] = [Need {
    name: "haproxy",
    probe: &["haproxy", "-v"],
    packages: &["haproxy"],
    advice: "install haproxy, 2.6 or newer",
    instead: None,
}];

/// For pages as people see them.
pub const BROWSER: [Need; 1] = [Need {
    name: "Chromium",
    probe: &["chromium", "--version"],
    packages: &["chromium"],
    advice: "install chromium",
    instead: None,
}];

/// For questions to a name server.
pub const RESOLVER: [Need; 1] = [Need {
    name: "dig",
    probe: &["dig", "-v"],
    packages: &["bind9-dnsutils"],
    advice: "install dig, of BIND's utilities",
    instead: None,
}];

/// For rules of alerts.
pub const PROMTOOL: [Need; 1] = [Need {
    name: "promtool",
    probe: &["promtool", "--version"],
    packages: &["prometheus"],
    advice: "install prometheus",
    instead: None,
}];

const ROOT: Need = Need {
    name: "the rights of root",
    probe: &["sh", "-c", "test $(id -u) = 0"],
    packages: &[],
    advice: "run the suite as root",
    instead: None,
};

/// For a file system of the kernel's in a file.
pub const FILE_SYSTEM: [Need; 2] = [
    ROOT,
    Need {
        name: "mkfs.ext4",
        probe: &["mkfs.ext4", "-V"],
        packages: &["e2fsprogs"],
        advice: "install e2fsprogs",
        instead: None,
    },
];

/// For the flake and the modules.
pub const NIX: [Need; 1] = [Need {
    name: "Nix",
    probe: &["nix-build", "--version"],
    packages: &["nix-bin"],
    advice: "install Nix, 2.8 or newer",
    instead: None,
}];

/// For a machine with a real systemd.
pub const MACHINE: [Need; 3] = [
    ROOT,
    Need {
        name: "systemd-nspawn",
        probe: &["systemd-nspawn", "--version"],
        packages: &["systemd-container"],
        advice: "install systemd-container",
        instead: None,
    },
    Need {
        name: "debootstrap",
        probe: &["debootstrap", "--version"],
        packages: &["debootstrap"],
        advice: "install debootstrap",
        instead: None,
    },
];

impl Need {
    /// Advice for a machine on which it cannot be installed from here.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        self.advice
    }

    /// True if the machine has it.
    #[must_use]
    pub fn met(&self) -> bool {
        if self.instead.is_some_and(|name| env::var_os(name).is_some()) {
            return true;
        }
        let [program, arguments @ ..] = self.probe else { return true };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Brings what is missing, or says exactly what to install.
///
/// # Errors
/// Something is missing that cannot be installed from here; the message is the shopping list.
pub fn ensure(needs: &[Need]) -> Outcome<()> {
    // Tests that run at the same time want the same packages, and apt-get serves one at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    let installable = missing.iter().all(|need| !need.packages.is_empty());
    if installable && rustix::process::geteuid().is_root() && debian() {
        eprintln!("installing with apt-get: {} …", packages.join(" "));
        apt(&["update", "-qq"])?;
        apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages.as_slice()].concat())?;
        let still: Vec<&str> = missing.iter().filter(|need| !need.met()).map(|need| need.name).collect();
        return if still.is_empty() { Ok(()) } else { Err(list(&missing, &packages)) };
    }
    Err(list(&missing, &packages))
}

fn debian() -> bool {
    Need { name: "apt-get", probe: &["apt-get", "--version"], packages: &[], advice: "", instead: None }.met()
}

fn apt(arguments: &[&str]) -> Outcome<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    let status = command.status().doing(|| "run apt-get".to_owned())?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("apt-get {} failed", arguments.join(" "))))
    }
}

fn list(missing: &[&Need], packages: &[&str]) -> Failure {
    let mut text = String::from("this machine lacks:");
    for need in missing {
        text.push_str(&format!("\n  {}: {}", need.name, need.advice));
    }
    if !packages.is_empty() && debian() {
        text.push_str(&format!("\non Debian or Ubuntu: sudo apt-get install {}", packages.join(" ")));
    }
    Failure::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_is_named_with_its_cure() {
        let need = Need { name: "a unicorn", probe: &["no-such-program-here"], advice: "breed one", ..GO };
        let message = ensure(&[need]).unwrap_err().to_string();
        assert_eq!(message, "this machine lacks:\n  a unicorn: breed one");
    }

    #[test]
    fn nothing_missing_is_no_work() {
        ensure(&[Need { name: "true", probe: &["true"], packages: &[], advice: "", instead: None }]).unwrap();
    }
}
