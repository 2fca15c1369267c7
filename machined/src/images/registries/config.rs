//! What the config says of registries.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{Documents, RegistryHost, RegistryMirrorConfig, RegistryName, WebUrl};
use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::MachineConfig;
use resources::images::{RegistryEndpoint, RegistrySpec};

/// The controller.
#[derive(Debug, Default)]
pub struct Config;

cosi::declare! {
    Config as "images.registries.config" {
        reads MachineConfig;
        writes RegistrySpec;
    }
}

impl Transform for Config {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let documents = crate::config::documents(view)?;
        out.put_all(wanted(&documents));
        Ok(Outcome::Done)
    }
}

/// One spec per registry that any document is about. containerd looks for one alone, so each says all there is to say.
#[must_use]
pub fn wanted(documents: &Documents) -> BTreeMap<String, RegistrySpec> {
    let mirrored = documents.registry_mirrors().map(|it| it.name.clone());
    let auths = documents.registry_auths().map(|it| &it.name);
    let named = auths.chain(documents.registry_tls().map(|it| &it.name));
    let named = named.cloned().map(RegistryName::One);
    let names: BTreeSet<RegistryName> = mirrored.chain(named).collect();
    let specs = names
        .iter()
        .map(|name| (name.to_string(), spec(documents, name)));
    specs.collect()
}

/// The document that counts for a registry: its own, or that of all others.
fn mirror_of<'a>(
    documents: &'a Documents,
    name: &RegistryName,
) -> Option<&'a RegistryMirrorConfig> {
    let of = |name: &RegistryName| documents.registry_mirrors().find(|it| it.name == *name);
    of(name).or_else(|| of(&RegistryName::Any))
}

fn spec(documents: &Documents, name: &RegistryName) -> RegistrySpec {
    let mirror = mirror_of(documents, name);
    let mirrors = mirror.map(|it| it.endpoints.as_slice()).unwrap_or_default();
    let mirrors = mirrors.iter().map(|it| RegistryEndpoint {
        override_path: it.override_path,
        ..asked(documents, &it.url)
    });
    let fallback = mirror.is_none_or(|it| !it.skip_fallback);
    RegistrySpec {
        mirrors: mirrors.collect(),
        registry: fallback.then(|| match name {
            RegistryName::Any => RegistryEndpoint::default(),
            RegistryName::One(host) => itself(documents, host),
        }),
    }
}

/// The registry itself.
fn itself(documents: &Documents, host: &RegistryHost) -> RegistryEndpoint {
    let url = host.url();
    let mut endpoint = asked(documents, &url);
    // One on this machine may well be without TLS. containerd finds that out, but only if it is not told a protocol.
    if host.is_loopback() && documents.registry_tls_of(&url).is_none() {
        endpoint.url.clear();
    }
    endpoint
}

/// How a server is asked.
fn asked(documents: &Documents, url: &WebUrl) -> RegistryEndpoint {
    let mut endpoint = RegistryEndpoint {
        url: url.to_string(),
        ..RegistryEndpoint::default()
    };
    if let Some(auth) = documents.registry_auth_of(url) {
        auth.username.as_str().clone_into(&mut endpoint.username);
        auth.password.reveal().clone_into(&mut endpoint.password);
    }
    // Of a server that is asked without TLS there is nothing to say.
    if let Some(tls) = documents.registry_tls_of(url).filter(|_| url.is_https()) {
        if let Some(ca) = &tls.ca {
            ca.as_pem().clone_into(&mut endpoint.authorities);
        }
        if let Some(client) = &tls.client {
            let (certificate, key) = (client.certificate.as_pem(), client.key.as_pem());
            certificate.clone_into(&mut endpoint.certificate);
            key.clone_into(&mut endpoint.key);
        }
        endpoint.insecure_skip_verify = tls.insecure_skip_verify;
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "apiVersion: garboard/v1alpha1\n";

    fn of(texts: &[&str]) -> BTreeMap<String, RegistrySpec> {
        let texts: Vec<String> = texts.iter().map(|it| format!("{API}{it}\n")).collect();
        let documents = ::config::check("test", texts.join("---\n").as_bytes());
        wanted(&documents.unwrap_or_else(|it| panic!("{it}")))
    }

    /// Each registry with its URLs, and before them who is let in.
    fn said(specs: &BTreeMap<String, RegistrySpec>) -> Vec<(&str, Vec<String>)> {
        let said = specs.iter().map(|(name, spec)| {
            let urls = spec
                .mirrors
                .iter()
                .chain(&spec.registry)
                .map(|it| match &*it.username {
                    "" => it.url.clone(),
                    user => format!("{user}@{}", it.url),
                });
            (name.as_str(), urls.collect())
        });
        said.collect()
    }

    const ALL: &str = "kind: RegistryMirror\nname: '*'\nendpoints: [{url: https://all.lab}]";
    const DOCKER: &str = "kind: RegistryMirror\nname: docker.io\nendpoints: [{url: 'http://m.lab:5000', overridePath: true}]\nskipFallback: true";

    fn auth(name: &str, user: &str) -> String {
        format!("kind: RegistryAuth\nname: {name}\nusername: {user}\npassword: hunter2")
    }

    #[test]
    fn without_documents_there_is_nothing_to_say() {
        assert!(of(&["kind: Hostname\nhostname: a"]).is_empty());
    }

    #[test]
    fn a_registry_has_its_own_mirrors_or_those_of_all_others() {
        let specs = of(&[ALL, DOCKER, &auth("ghcr.io", "me")]);
        assert_eq!(
            said(&specs),
            [
                ("*", vec!["https://all.lab".into(), String::new()]),
                ("docker.io", vec!["http://m.lab:5000".into()]),
                (
                    "ghcr.io",
                    vec!["https://all.lab".into(), "me@https://ghcr.io".into()]
                ),
            ]
        );
        assert!(specs["docker.io"].mirrors[0].override_path);
    }

    #[test]
    fn a_document_without_mirrors_is_an_exception_from_that_of_all() {
        let exception = "kind: RegistryMirror\nname: ghcr.io";
        let only_own = "kind: RegistryMirror\nname: own.lab\nskipFallback: true";
        assert_eq!(
            said(&of(&[ALL, exception, only_own]))[1..],
            [
                ("ghcr.io", vec!["https://ghcr.io".to_owned()]),
                ("own.lab", vec![]),
            ]
        );
    }

    #[test]
    fn credentials_go_to_their_server_wherever_it_stands() {
        let auths = [auth("m.lab:5000", "mirror"), auth("docker.io", "docker")];
        let open = DOCKER.replace("skipFallback: true", "skipFallback: false");
        let specs = of(&[&open, &auths[0], &auths[1]]);
        assert_eq!(
            said(&specs),
            [
                (
                    "docker.io",
                    vec![
                        "mirror@http://m.lab:5000".into(),
                        "docker@https://registry-1.docker.io".into()
                    ]
                ),
                // It may have images of its own.
                ("m.lab:5000", vec!["mirror@https://m.lab:5000".into()]),
            ]
        );
    }

    #[test]
    fn tls_is_for_those_that_speak_it() {
        let pem =
            |label: &str| format!("-----BEGIN {label}-----\n  AAAA\n  -----END {label}-----\n");
        let tls = format!(
            "kind: RegistryTls\nname: m.lab:5000\nca: |\n  {}",
            pem("CERTIFICATE")
        );
        let specs = of(&[DOCKER, &tls]);
        assert_eq!(specs["docker.io"].mirrors[0].authorities, "");
        let own = specs["m.lab:5000"].registry.as_ref().unwrap();
        assert!(own.authorities.starts_with("-----BEGIN"), "{own:?}");
    }

    #[test]
    fn the_protocol_of_one_on_this_machine_is_left_open() {
        let blind = "kind: RegistryTls\nname: localhost:5001\ninsecureSkipVerify: true";
        let specs = of(&[&auth("localhost:5000", "me"), blind]);
        assert_eq!(
            said(&specs),
            [
                ("localhost:5000", vec!["me@".to_owned()]),
                ("localhost:5001", vec!["https://localhost:5001".to_owned()]),
            ]
        );
        let blind = specs["localhost:5001"].registry.as_ref().unwrap();
        assert!(blind.insecure_skip_verify);
    }
}
