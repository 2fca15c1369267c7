//! What of the config can be used: pure.
//!
//! containerd refuses every pull from a registry of whose certificates it cannot read one. So what it could not use it is not given, and
//! the rest is: the server then proves itself or does not.

use pki::{Identity, Trust};
use resources::images::{RegistryEndpoint, RegistrySpec, RegistryStatus};

/// What is asked, in this order, and what is said of it. `name` is the registry.
pub(super) fn judge(name: &str, spec: &RegistrySpec) -> (Vec<RegistryEndpoint>, RegistryStatus) {
    let mirrors = spec.mirrors.iter().map(|it| it.url.clone());
    let mut status = RegistryStatus {
        mirrors: mirrors.collect(),
        fallback: spec.registry.is_some(),
        ..RegistryStatus::default()
    };
    let mut endpoints = Vec::new();
    let mut errors = Vec::new();
    for endpoint in spec.mirrors.iter().chain(&spec.registry) {
        let shown = match endpoint.url.as_str() {
            "" => name,
            url => url,
        };
        if !endpoint.username.is_empty() {
            status.credentials.push(shown.to_owned());
        }
        if endpoint.insecure_skip_verify {
            status.insecure.push(shown.to_owned());
        }
        let (usable, faults) = usable(endpoint);
        errors.extend(faults.iter().map(|fault| format!("{shown}: {fault}")));
        endpoints.push(usable);
    }
    status.error = errors.join("; ");
    (endpoints, status)
}

/// An endpoint without what cannot be read, and why that cannot.
fn usable(endpoint: &RegistryEndpoint) -> (RegistryEndpoint, Vec<String>) {
    let mut usable = endpoint.clone();
    let mut faults = Vec::new();
    if !usable.authorities.is_empty()
        && let Err(error) = Trust::from_pem(&usable.authorities)
    {
        usable.authorities.clear();
        let error = cosi::report(&error);
        faults.push(format!("its `ca` is not used: {error}"));
    }
    if !usable.certificate.is_empty()
        && let Err(error) = Identity::from_pem(&usable.certificate, &usable.key)
    {
        usable.certificate.clear();
        usable.key.clear();
        let error = cosi::report(&error);
        faults.push(format!("its `client` is not used: {error}"));
    }
    (usable, faults)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out_and_told() {
        let authority = pki::Authority::generate("lab", Timestamp::now()).unwrap();
        let identity = authority.identity();
        let (pem, key) = (identity.certificate_pem(), identity.key_pem().expose());
        let good = RegistryEndpoint {
            url: "https://a.lab".to_owned(),
            username: "me".to_owned(),
            authorities: pem.to_owned(),
            certificate: pem.to_owned(),
            key: key.to_owned(),
            ..RegistryEndpoint::default()
        };
        let other = pki::Authority::generate("other", Timestamp::now()).unwrap();
        let bad = RegistryEndpoint {
            url: String::new(),
            authorities: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
            key: other.identity().key_pem().expose().clone(),
            insecure_skip_verify: true,
            ..good.clone()
        };
        let spec = RegistrySpec {
            mirrors: vec![good.clone()],
            registry: Some(bad),
        };
        let (endpoints, status) = judge("b.lab", &spec);
        assert_eq!(endpoints[0], good);
        let [_, left] = &endpoints[..] else {
            panic!("{endpoints:?}")
        };
        assert_eq!(
            (&*left.authorities, &*left.certificate, &*left.key),
            ("", "", "")
        );
        assert_eq!(
            (&*status.mirrors, status.fallback),
            (&["https://a.lab".to_owned()][..], true)
        );
        assert_eq!(status.credentials, ["https://a.lab", "b.lab"]);
        assert_eq!(status.insecure, ["b.lab"]);
        for fault in [
            "b.lab: its `ca` is not used: ",
            "; b.lab: its `client` is not used: ",
        ] {
            assert!(status.error.contains(fault), "{status:?}");
        }
    }
}
