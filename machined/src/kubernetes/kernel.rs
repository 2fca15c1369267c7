//! What Kubernetes needs of the kernel beyond what every node has: `init` lets it route, among others, before anything runs. Pure.
//!
//! Weaker than what the config says of the same module or setting. Modules for rules are loaded by the kernel itself when it is given some.

/// Modules that have to be there and that nothing asks for.
pub const MODULES: [&str; 1] = ["br_netfilter"];

/// Settings.
pub const PARAMS: [(&str, &str); 4] = [
    // What pods of a node send each other passes the rules for services too: a service may lead back to its own bridge. They come with
    // the module.
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    // Every container has a keyring of root's, and its kubelet would set these by itself (its `rlimit` keys): 25 bytes for each of a million.
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
];

#[cfg(test)]
mod tests {
    use ::config::{ModuleName, SysctlKey};

    use super::*;

    #[test]
    fn the_config_could_say_otherwise() {
        for (key, _) in PARAMS {
            let parsed: SysctlKey = key.parse().unwrap();
            assert_eq!(parsed.to_string(), key);
        }
        for module in MODULES {
            let parsed: ModuleName = module.parse().unwrap();
            assert_eq!(parsed.to_string(), module);
        }
    }
}
