//! The config's field types into those of resources.

use resources::net::{Cidr, LinkName};

/// The same name.
pub(super) fn link_name(name: &config::LinkName) -> LinkName {
    name.as_str()
        .parse()
        .expect("the config refuses every name that resources refuse")
}

/// The same address.
pub(super) fn address(cidr: &config::Cidr) -> Cidr {
    Cidr::new(cidr.address(), cidr.prefix()).expect("the config checks the prefix length")
}

/// The same network.
pub(crate) fn network(network: &config::Network) -> Cidr {
    Cidr::new(network.address(), network.prefix()).expect("the config checks the prefix length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_name_is_lost(name in "\\PC{0,17}") {
            if let Ok(name) = name.parse::<config::LinkName>() {
                let same = link_name(&name);
                prop_assert_eq!(same.as_str(), name.as_str());
            }
        }
    }
}
