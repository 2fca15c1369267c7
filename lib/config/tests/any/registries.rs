//! Any document of registries.

use config::{RegistryAuthConfig, RegistryEndpointConfig, RegistryMirrorConfig, RegistryTlsConfig};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{key_pair, pem};

/// Hosts of registries, with a port or without.
fn registry() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,9}[a-z0-9])?\\.[a-z]{1,5}(:[1-9][0-9]{0,3})?"
}

pub(super) fn mirror() -> impl Strategy<Value = RegistryMirrorConfig> {
    let name = prop_oneof![Just("*".to_owned()), registry()];
    let endpoint = ("https?", registry(), "(/[a-z0-9%~]{0,9})?", any::<bool>());
    let endpoint = endpoint.prop_map(|(protocol, host, path, override_path)| {
        let url = format!("{protocol}://{host}{path}");
        RegistryEndpointConfig {
            url: url.parse().unwrap(),
            override_path,
        }
    });
    (name, vec(endpoint, 0..3), any::<bool>()).prop_map(|(name, endpoints, skip_fallback)| {
        RegistryMirrorConfig {
            name: name.parse().unwrap(),
            endpoints,
            skip_fallback,
        }
    })
}

/// With a password that the line tells by its length.
pub(super) fn auth() -> impl Strategy<Value = RegistryAuthConfig> {
    let password = "[A-Za-z0-9+/]{24,60}";
    (registry(), "[ -9;-~]{1,20}", password).prop_map(|(name, username, password)| {
        RegistryAuthConfig {
            name: name.parse().unwrap(),
            username: username.parse().unwrap(),
            password: password.parse().unwrap(),
        }
    })
}

pub(super) fn tls() -> impl Strategy<Value = RegistryTlsConfig> {
    let parts = (of(pem("CERTIFICATE")), of(key_pair()), any::<bool>());
    (registry(), parts).prop_map(
        |(name, (ca, client, insecure_skip_verify))| RegistryTlsConfig {
            name: name.parse().unwrap(),
            ca: ca.map(|it| it.parse().unwrap()),
            client,
            insecure_skip_verify,
        },
    )
}
