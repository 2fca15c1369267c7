//! Flags of the programs of Kubernetes and etcd.

use std::time::Duration;

/// The loopback: what answers there is for this node alone.
pub const LOCAL: &str = "127.0.0.1";

/// How long a leader among programs is one without showing that it is there, how long it tries to, and how often: what Kubernetes has
/// them by itself (`k8s.io/component-base/config/v1alpha1`, defaults).
const LEASE: Duration = Duration::from_secs(15);
const RENEWAL: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// The election of etcd, likewise of its time, that these suit.
const ELECTION: Duration = Duration::from_secs(3);

/// A flag and its value.
pub type Flag = (&'static str, String);

/// The words of a command line.
pub fn arguments<'a>(flags: impl IntoIterator<Item = &'a Flag>) -> impl Iterator<Item = String> {
    let flags = flags.into_iter();
    flags.map(|(flag, value)| format!("--{flag}={value}"))
}

/// The flags of a client of the API server, which answers for its own health at this port; `election` is that of etcd's members.
///
/// A leader that cannot show in time that it is there ends. On a machine where etcd is late because everything is, it would start
/// again and again, so it gets as much more time as etcd does, and never less than by itself.
#[must_use]
pub fn of_a_client(kubeconfig: &str, port: u16, election: Duration) -> Vec<Flag> {
    let late = election.div_duration_f64(ELECTION).max(1.0);
    let time = |usual: Duration| format!("{}ms", usual.mul_f64(late).as_millis());
    vec![
        ("bind-address", LOCAL.to_owned()),
        ("secure-port", port.to_string()),
        ("kubeconfig", kubeconfig.to_owned()),
        ("authentication-kubeconfig", kubeconfig.to_owned()),
        ("authorization-kubeconfig", kubeconfig.to_owned()),
        ("leader-elect", "true".to_owned()),
        ("leader-elect-lease-duration", time(LEASE)),
        ("leader-elect-renew-deadline", time(RENEWAL)),
        ("leader-elect-retry-period", time(RETRY)),
        ("profiling", "false".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_get_more_time_where_etcd_does() {
        let times = |seconds| {
            let flags = of_a_client("", 1, Duration::from_secs(seconds));
            let times = flags.into_iter().filter(|(_, it)| it.ends_with("ms"));
            times.map(|(_, time)| time).collect::<Vec<_>>()
        };
        assert_eq!(times(1), ["15000ms", "10000ms", "2000ms"]);
        assert_eq!(times(3), times(1));
        assert_eq!(times(12), ["60000ms", "40000ms", "8000ms"]);
    }
}
