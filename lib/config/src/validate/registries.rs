//! What the documents of registries say beside each other.

use std::collections::BTreeSet;

use super::Fault;
use crate::document::Documents;
use crate::kinds::{RegistryAuthConfig, RegistryMirrorConfig, RegistryTlsConfig};
use crate::types::{WebUrl, is_loopback};

/// One place under two spellings.
fn place(url: &WebUrl) -> String {
    let protocol = if url.is_https() { "https" } else { "http" };
    let path = url.path().trim_end_matches('/');
    format!("{protocol}://{}:{}{path}", url.host(), url.port())
}

pub(super) fn check_mirror(mirror: &RegistryMirrorConfig) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (index, endpoint) in mirror.endpoints.iter().enumerate() {
        let (url, number) = (&endpoint.url, index.to_string());
        let mut fault = |message, help| {
            faults.push(Fault::new(&["endpoints", &number, "url"], message, help));
        };
        if url.path().contains('?') {
            let message = format!("the URL of a mirror has no query: {url}");
            fault(message, "remove what begins with `?`");
        }
        if !seen.insert(place(url)) {
            let message = format!("{url} is there already");
            fault(message, "a mirror is asked once; remove one of the two");
        }
    }
    faults
}

pub(super) fn check_tls(tls: &RegistryTlsConfig) -> Vec<Fault> {
    let fault = match (&tls.ca, &tls.client, tls.insecure_skip_verify) {
        (Some(_), _, true) => Fault::new(
            &["insecureSkipVerify"],
            "RegistryTls with `ca` looks at the certificate, and with `insecureSkipVerify` it does not",
            "remove `insecureSkipVerify`, or else `ca`",
        ),
        (None, None, false) => Fault::new(
            &[],
            "RegistryTls says nothing: it has neither `ca` nor `client`",
            "add one, or remove the document: without it the server is asked all the same",
        ),
        _ => return Vec::new(),
    };
    vec![fault]
}

impl Documents {
    /// The credentials for a URL. Those that name its port count more.
    #[must_use]
    pub fn registry_auth_of(&self, url: &WebUrl) -> Option<&RegistryAuthConfig> {
        let fitting = self.registry_auths().filter(|it| it.name.is_at(url));
        fitting.max_by_key(|it| it.name.has_port())
    }

    /// How TLS is spoken with a URL. A document that names its port counts more.
    #[must_use]
    pub fn registry_tls_of(&self, url: &WebUrl) -> Option<&RegistryTlsConfig> {
        let fitting = self.registry_tls().filter(|it| it.name.is_at(url));
        fitting.max_by_key(|it| it.name.has_port())
    }

    /// What of registries should be thought over.
    pub(super) fn registry_warnings(&self) -> Vec<String> {
        let open = self.registry_tls().filter(|it| it.insecure_skip_verify);
        let mut warnings: Vec<String> = open
            .map(|it| {
                let name = &it.name;
                format!(
                    "RegistryTls `{name}`: nobody finds out whether it is {name} that answers, and what is sent there whoever answers \
                     can read; give it the authority of its certificate as `ca` instead of `insecureSkipVerify`"
                )
            })
            .collect();
        let mirrors = self.registry_mirrors().flat_map(|it| &it.endpoints);
        let urls: BTreeSet<&WebUrl> = mirrors.map(|it| &it.url).collect();
        for url in urls.iter().filter(|url| !url.is_https()) {
            if let Some(auth) = self
                .registry_auth_of(url)
                .filter(|_| !is_loopback(url.host()))
            {
                warnings.push(format!(
                    "RegistryAuth `{}`: everybody on the way to {url} can read the password; write https:// in its RegistryMirror",
                    auth.name
                ));
            }
            if let Some(tls) = self.registry_tls_of(url) {
                warnings.push(format!(
                    "RegistryTls `{}` does nothing for {url}, which is asked without TLS; write https:// in its RegistryMirror",
                    tls.name
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "apiVersion: garboard/v1alpha1\n";

    fn documents(texts: &[&str]) -> Documents {
        let texts: Vec<String> = texts.iter().map(|it| format!("{API}{it}\n")).collect();
        let documents = crate::check("test", texts.join("---\n").as_bytes());
        documents.unwrap_or_else(|it| panic!("{it}"))
    }

    #[test]
    fn the_document_that_names_the_port_counts_more() {
        let auth = |name: &str| {
            format!("kind: RegistryAuth\nname: {name}\nusername: {name}\npassword: hunter2")
        };
        let (plain, with) = (
            auth("a.lab"),
            "kind: RegistryAuth\nname: a.lab:443\nusername: port\npassword: hunter2",
        );
        let user = |documents: &Documents, url: &str| {
            let auth = documents.registry_auth_of(&url.parse().unwrap());
            auth.map(|it| it.username.to_string())
        };
        for texts in [[plain.as_str(), with], [with, plain.as_str()]] {
            let documents = documents(&texts);
            assert_eq!(user(&documents, "https://a.lab").as_deref(), Some("port"));
            assert_eq!(user(&documents, "http://a.lab").as_deref(), Some("a.lab"));
            assert_eq!(user(&documents, "https://b.lab"), None);
        }
    }

    #[test]
    fn what_others_could_read_is_told() {
        let mirror = |url: &str| {
            format!("kind: RegistryMirror\nname: docker.io\nendpoints: [{{url: \"{url}\"}}]")
        };
        let auth = "kind: RegistryAuth\nname: a.lab:5000\nusername: me\npassword: hunter2";
        let local = "kind: RegistryAuth\nname: 127.0.0.1:5000\nusername: me\npassword: hunter2";
        for (url, auth) in [
            ("https://a.lab:5000", auth),
            ("http://b.lab:5000", auth),
            ("http://127.0.0.1:5000", local),
        ] {
            assert_eq!(
                documents(&[&mirror(url), auth]).warnings(),
                Vec::<String>::new(),
                "{url}"
            );
        }
        let open = documents(&[&mirror("http://a.lab:5000"), auth]).warnings();
        assert_eq!(
            open,
            [
                "RegistryAuth `a.lab:5000`: everybody on the way to http://a.lab:5000 can read the password; write https:// in its \
              RegistryMirror"
            ]
        );
        let tls = "kind: RegistryTls\nname: a.lab:5000\ninsecureSkipVerify: true";
        let [blind, idle] = &documents(&[&mirror("http://a.lab:5000"), tls]).warnings()[..] else {
            panic!("not two");
        };
        assert!(
            blind.starts_with("RegistryTls `a.lab:5000`: nobody finds out"),
            "{blind}"
        );
        assert!(
            idle.contains("does nothing for http://a.lab:5000"),
            "{idle}"
        );
    }
}
