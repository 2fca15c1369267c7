//! Certificates and keys as a config, a file or a peer brings them.

use pki::{Certificate, Identity, Trust};

pub(super) fn run(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(data) {
        assert!(certificate.subject.len() <= data.len());
        assert!(certificate.serial.bytes().all(|it| it.is_ascii_hexdigit()));
        assert!(certificate.roles.iter().count() <= 4);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // A text that holds both is the kind of file people have.
    if let Ok(identity) = Identity::from_pem(text, text) {
        assert!(!format!("{identity:?}").contains("PRIVATE KEY"));
        let facts = Certificate::from_pem(text).expect("an identity has a certificate");
        assert_eq!(&facts, identity.certificate());
    }
    if let Ok(trust) = Trust::from_pem(text) {
        assert!(!trust.fingerprints().is_empty(), "trust in nobody");
    }
}
