//! Which versions of Kubernetes' programs may stand beside each other: the project's own rules, "Version Skew Policy". Pure.
//!
//! They are about minors. Patches of one minor go with each other in any order.

use std::fmt;
use std::str::FromStr;

use crate::KubernetesVersion;

/// A version of any minor of Kubernetes 1, as programs and nodes tell theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    minor: u16,
    patch: u16,
}

/// A text is no version of Kubernetes 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version of Kubernetes 1, like v1.37.1")]
pub struct NoRelease(String);

/// A program that asks the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Runs the pods of a node.
    Kubelet,
    /// Leads services to pods.
    KubeProxy,
    /// Runs the controllers.
    ControllerManager,
    /// Chooses nodes for pods.
    Scheduler,
}

/// A rule that would be broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skew {
    /// What a newer one has written, an older one may not know.
    #[error(
        "kube-apiserver may not go down a minor: {from} has run here, and {to} may not know what that has written"
    )]
    Down {
        /// What has run.
        from: Release,
        /// What would run.
        to: Release,
    },
    /// Each minor brings what is written into the form that the next one knows.
    #[error("kube-apiserver may not skip a minor: {from} has run here, after which comes 1.{}, and {to} is not that", from.minor + 1)]
    Skips {
        /// What has run.
        from: Release,
        /// What would run.
        to: Release,
    },
    /// They share what is written.
    #[error(
        "API servers of one cluster may be one minor apart: one is {other}, and {version} is further from it"
    )]
    Apart {
        /// What would run.
        version: Release,
        /// What another one runs.
        other: Release,
    },
    /// It would ask for what is not there.
    #[error(
        "{client} may not be newer than kube-apiserver: it would be {version}, and an API server is {server}"
    )]
    Newer {
        /// Who.
        client: Client,
        /// What would run.
        version: Release,
        /// The API server's.
        server: Release,
    },
    /// It would ask for what is not there any more.
    #[error(
        "{client} may be no more than {} older than kube-apiserver: it would be {version}, and an API server is {server}",
        minors(client.behind())
    )]
    Older {
        /// Who.
        client: Client,
        /// What would run.
        version: Release,
        /// The API server's.
        server: Release,
    },
}

fn minors(count: u16) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} minor{plural}")
}

impl Release {
    /// Whether two are of one minor, so that no rule is about them.
    #[must_use]
    pub fn is_minor_of(self, other: Self) -> bool {
        self.minor == other.minor
    }
}

impl From<KubernetesVersion> for Release {
    fn from(version: KubernetesVersion) -> Self {
        Self {
            minor: version.minor(),
            patch: version.patch(),
        }
    }
}

impl FromStr for Release {
    type Err = NoRelease;

    /// With or without the `v` of its tag; what a build or a candidate is called after the numbers does not count.
    fn from_str(text: &str) -> Result<Self, NoRelease> {
        let error = || NoRelease(text.to_owned());
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let end = numbers.find(['-', '+']).unwrap_or(numbers.len());
        let parts: Result<Vec<u16>, _> = numbers
            .get(..end)
            .unwrap_or_default()
            .split('.')
            .map(str::parse)
            .collect();
        match parts.as_deref() {
            Ok([1, minor, patch]) => Ok(Self {
                minor: *minor,
                patch: *patch,
            }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

impl Client {
    /// How many minors older than the API server it may be.
    #[must_use]
    pub fn behind(self) -> u16 {
        match self {
            Self::Kubelet | Self::KubeProxy => 3,
            Self::ControllerManager | Self::Scheduler => 1,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        })
    }
}

/// Whether an API server may follow one that has run on the same data.
///
/// # Errors
/// The rule that it would break.
pub fn follows(from: Release, to: Release) -> Result<(), Skew> {
    if to.minor < from.minor {
        return Err(Skew::Down { from, to });
    }
    if to.minor > from.minor.saturating_add(1) {
        return Err(Skew::Skips { from, to });
    }
    Ok(())
}

/// Whether an API server may run beside the other ones of its cluster.
///
/// # Errors
/// The rule that it would break.
pub fn beside(version: Release, others: &[Release]) -> Result<(), Skew> {
    let apart = |it: &&Release| version.minor.abs_diff(it.minor) > 1;
    match others.iter().find(apart) {
        Some(&other) => Err(Skew::Apart { version, other }),
        None => Ok(()),
    }
}

/// Whether a client may ask any of these API servers.
///
/// # Errors
/// The rule that it would break with one of them.
pub fn asks(client: Client, version: Release, servers: &[Release]) -> Result<(), Skew> {
    for &server in servers {
        if version.minor > server.minor {
            return Err(Skew::Newer {
                client,
                version,
                server,
            });
        }
        if version.minor.saturating_add(client.behind()) < server.minor {
            return Err(Skew::Older {
                client,
                version,
                server,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn a_release_is_read_as_programs_tell_it() {
        for (text, told) in [
            ("v1.37.1", "1.37.1"),
            ("1.36.0", "1.36.0"),
            ("v1.36.3+k3s1", "1.36.3"),
            ("v1.38.0-rc.1", "1.38.0"),
        ] {
            assert_eq!(release(text).to_string(), told);
        }
        for text in [
            "",
            "v",
            "1.37",
            "2.0.0",
            "v1.37.1.2",
            "1.x.0",
            "-1.37.1",
            "1.37.70000",
        ] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
        let newest = KubernetesVersion::NEWEST;
        assert_eq!(Release::from(newest), release(&newest.to_string()));
    }

    #[test]
    fn an_api_server_goes_up_one_minor_at_a_time() {
        let fits = |from, to| follows(release(from), release(to)).map_err(|it| it.to_string());
        assert_eq!(fits("1.36.3", "1.37.0"), Ok(()));
        assert_eq!(fits("1.37.4", "1.37.1"), Ok(()));
        let down = fits("1.37.1", "1.36.9").unwrap_err();
        assert!(
            down.starts_with("kube-apiserver may not go down a minor: 1.37.1"),
            "{down}"
        );
        let skips = fits("1.35.2", "1.37.1").unwrap_err();
        assert!(
            skips.contains("may not skip a minor") && skips.contains("comes 1.36,"),
            "{skips}"
        );
    }

    #[test]
    fn api_servers_are_one_minor_apart() {
        let fits = |version, others: &[&str]| {
            let others: Vec<_> = others.iter().map(|it| release(it)).collect();
            beside(release(version), &others).is_ok()
        };
        assert!(fits("1.37.1", &[]) && fits("1.37.1", &["1.36.3", "1.38.0"]));
        assert!(!fits("1.37.1", &["1.37.1", "1.35.9"]));
        assert!(!fits("1.37.1", &["1.39.0"]));
    }

    #[test]
    fn clients_are_never_newer_and_not_much_older() {
        let fits = |client, version, server| {
            asks(
                client,
                release(version),
                &[release("1.37.9"), release(server)],
            )
            .map_err(|it| it.to_string())
        };
        assert_eq!(fits(Client::Kubelet, "1.37.9", "1.37.1"), Ok(()));
        let newer = fits(Client::Kubelet, "1.37.1", "1.36.3").unwrap_err();
        assert_eq!(
            newer,
            "kubelet may not be newer than kube-apiserver: it would be 1.37.1, and an API server is 1.36.3"
        );
        for client in [Client::Kubelet, Client::KubeProxy] {
            assert_eq!(fits(client, "1.34.0", "1.36.3"), Ok(()));
            let older = fits(client, "1.33.0", "1.36.3").unwrap_err();
            assert!(older.contains("no more than 3 minors older"), "{older}");
        }
        for client in [Client::ControllerManager, Client::Scheduler] {
            assert_eq!(fits(client, "1.36.0", "1.36.3"), Ok(()));
            let older = fits(client, "1.35.0", "1.36.3").unwrap_err();
            assert!(older.contains("no more than 1 minor older"), "{older}");
        }
    }
}
