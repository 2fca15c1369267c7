//! Flags of the programs of Kubernetes and etcd.

/// The loopback: what answers there is for this node alone.
pub const LOCAL: &str = "127.0.0.1";

/// A flag and its value.
pub type Flag = (&'static str, String);

/// The words of a command line.
pub fn arguments<'a>(flags: impl IntoIterator<Item = &'a Flag>) -> impl Iterator<Item = String> {
    let flags = flags.into_iter();
    flags.map(|(flag, value)| format!("--{flag}={value}"))
}

/// The flags of a client of the API server, which answers for its own health at this port.
#[must_use]
pub fn of_a_client(kubeconfig: &str, port: u16) -> Vec<Flag> {
    vec![
        ("bind-address", LOCAL.to_owned()),
        ("secure-port", port.to_string()),
        ("kubeconfig", kubeconfig.to_owned()),
        ("authentication-kubeconfig", kubeconfig.to_owned()),
        ("authorization-kubeconfig", kubeconfig.to_owned()),
        ("leader-elect", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ]
}
