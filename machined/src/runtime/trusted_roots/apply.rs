//! Writes the file of authorities that programs look for.

use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use pki::{Certificate, CertificateError, Trust, TrustError};
use resources::runtime::{TrustedRootsSpec, TrustedRootsStatus};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::network::file;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    path: PathBuf,
}

/// Why a document's authorities cannot be believed.
#[derive(Debug, thiserror::Error)]
enum RootsError {
    #[error("using them as authorities")]
    Trust(#[source] TrustError),
    #[error("reading a certificate")]
    Certificate(#[source] CertificateError),
}

cosi::declare! {
    Apply as "runtime.trusted-roots.apply" {
        reads TrustedRootsSpec;
        writes TrustedRootsStatus;
    }
}

impl Apply {
    /// Writes this file.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

/// Whom the certificates of a text name.
fn authorities(pem: &str) -> Result<Vec<String>, RootsError> {
    Trust::from_pem(pem).map_err(RootsError::Trust)?;
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| {
        let der = der.map_err(CertificateError::Pem)?;
        Certificate::from_der(&der).map(|it| it.subject)
    });
    let subjects: Result<_, CertificateError> = certificates.collect();
    subjects.map_err(RootsError::Certificate)
}

/// What has become of a document.
fn status(spec: &TrustedRootsSpec) -> TrustedRootsStatus {
    match authorities(&spec.certificates) {
        Ok(authorities) => TrustedRootsStatus {
            authorities,
            error: String::new(),
        },
        // A mistake in one document is no reason to believe nobody, and trying again mends nothing.
        Err(error) => TrustedRootsStatus {
            authorities: Vec::new(),
            error: cosi::report(&error),
        },
    }
}

/// Certificates one after the other, each text ended by a line break.
fn bundle<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut bundle = String::new();
    for text in texts {
        bundle.push_str(text.trim_end());
        bundle.push('\n');
    }
    bundle
}

/// All authorities that can be believed, one after the other.
pub(crate) fn believed<'a>(specs: impl IntoIterator<Item = &'a TrustedRootsSpec>) -> String {
    let good = specs.into_iter().filter(|it| status(it).error.is_empty());
    bundle(good.map(|it| &*it.certificates))
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let specs = cx.list::<TrustedRootsSpec>();
        let text = believed(specs.iter().map(|it| &*it.spec));
        // What is missing may only mean that the config has not been read yet; more than there is nobody is hurt by.
        if cx.deletions_allowed() || !specs.is_empty() || !self.path.exists() {
            file::replace(&self.path, &text)?;
        }
        cx.replace::<TrustedRootsStatus>();
        for spec in &specs {
            cx.put(spec.id(), status(&spec.spec));
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use cosi::Runtime;
    use jiff::Timestamp;
    use resources::config::{ACTIVE, MachineConfig};
    use store::{Resource, Spec, Store, Transaction};

    use super::super::config::Config;
    use super::*;

    fn authority(name: &str) -> String {
        let authority = pki::Authority::generate(name, Timestamp::now()).unwrap();
        authority.identity().certificate_pem().to_owned()
    }

    fn configure(store: &Store, documents: &[(&str, &str)]) {
        let document = |(name, pem): &(&str, &str)| {
            let pem: String = pem.lines().map(|line| format!("  {line}\n")).collect();
            format!(
                "apiVersion: garboard/v1alpha1\nkind: TrustedRoots\nname: {name}\ncertificates: |\n{pem}"
            )
        };
        let hostname = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n".to_owned();
        let texts: Vec<String> = documents.iter().map(document).chain([hostname]).collect();
        let spec = MachineConfig {
            text: texts.join("---\n"),
            ..MachineConfig::default()
        };
        let transaction = Transaction::owned("test").put(Resource::in_default(ACTIVE, spec));
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    fn statuses(store: &Store) -> Vec<(String, TrustedRootsStatus)> {
        let namespace = TrustedRootsStatus::DEFINITION.namespace;
        let snapshot = store.snapshot();
        let found = snapshot.list_as::<TrustedRootsStatus>(namespace);
        found
            .map(|it| (it.id().to_owned(), (*it.spec).clone()))
            .collect()
    }

    #[tokio::test]
    async fn authorities_are_believed_document_by_document() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let [own, other] = ["own", "other"].map(authority);
        let store = Store::new(1);
        let mut runtime = Runtime::new("machined", store.clone());
        runtime.register(Config).unwrap();
        runtime.register(Apply::new(at("bundle"))).unwrap();
        let rest = runtime.rest();
        let written = |path: &Path| fs::read_to_string(path).unwrap();
        let testing = async {
            let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            let both = format!("{own}{other}");
            configure(&store, &[("a", &both), ("b", broken)]);
            rest.reached().await;
            assert_eq!(written(&at("bundle")), both);
            let [(a, good), (b, bad)] = &statuses(&store)[..] else {
                panic!("{:?}", statuses(&store))
            };
            assert_eq!((&**a, good.authorities.len(), &*good.error), ("a", 2, ""));
            assert!(good.authorities[0].contains("own"), "{good:?}");
            assert_eq!((&**b, bad.authorities.len()), ("b", 0));
            assert!(
                bad.error.starts_with("using them as authorities: "),
                "{bad:?}"
            );
            configure(&store, &[]);
            rest.reached().await;
            assert_eq!(written(&at("bundle")), "");
            assert!(statuses(&store).is_empty());
        };
        tokio::select! {
            _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
            () = testing => {}
        }
    }
}
