//! A config stream, as `osctl config apply` and a disk bring it.

use config::{Document, Documents, MAX_BYTES, Problems};

pub(super) const WORDS: &[&str] = &[
    "apiVersion: garboard/v1alpha1\n",
    "\nkind: ",
    "Machine\nrole: ",
    "control-plane",
    "ApiTrust\nca: |\n",
    "Hostname\nhostname: ",
    "Link\nname: ",
    "\nmtu: 1500",
    "\naddresses: [",
    "\nroutes: [{to: ",
    ", via: ",
    ", metric: ",
    "Dhcp4\nname: ",
    "enabled: false",
    "Resolver\nservers: [",
    "StaticHost\nname: ",
    "\naliases: [",
    "Time\nenabled: ",
    "Environment\nvariables: {A: ",
    "\nhttpProxy: http://a:b@c:1",
    "\nnoProxy: [",
    "ClusterIdentity\ncluster: a\nid: ",
    "Console\ndevices: [",
    "\nkernelMessages: ",
    "LogDestination\nname: a\nurl: ",
    "tcp://[::1]:1",
    "\ntags: {a: ",
    "TrustedRoots\nname: ",
    "\ncertificates: |\n",
    "Sysctl\nname: net.ipv4.ip_forward",
    "\nvalue: true",
    "KernelModule\nname: ",
    "\nparameters: {a: ",
    "SystemDisk\nmatch: ",
    "\nwipe: true",
    "10.0.0.1/24",
    "fe80::1",
    "\n---\n",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "? ",
    "|2-\n",
    ">+\n",
    "%YAML 1.2\n",
    "-----BEGIN CERTIFICATE-----",
    "-----END CERTIFICATE-----",
    "-----BEGIN PRIVATE KEY-----",
];

pub(super) fn run(data: &[u8]) {
    let documents = match config::parse("fuzz", data) {
        Ok(documents) => documents,
        Err(problems) => return refused(&problems, data.len()),
    };
    let text = documents.to_yaml().expect("every config can be written");
    shows_no_key(&documents);
    if text.len() <= MAX_BYTES {
        let again = config::parse("again", text.as_bytes())
            .unwrap_or_else(|problems| unreadable(&text, &problems));
        assert_eq!(again, documents, "written, it says something else");
        assert_eq!(
            again.to_yaml().expect("as before"),
            text,
            "writing is not stable"
        );
    }
    // The checks between documents see the same, whichever way the documents were written.
    assert_eq!(
        config::check("fuzz", data).is_ok(),
        documents.validate().is_empty()
    );
    if let Some(problems) = Problems::new(documents.validate()) {
        refused(&problems, data.len());
    }
}

fn shows_no_key(documents: &Documents) {
    // What the kernel is told, what a disk is asked for and what a node is annotated with is any text, these words too.
    let any_text = |it: &Document| {
        matches!(
            it,
            Document::Sysctl(_)
                | Document::KernelModule(_)
                | Document::SystemDisk(_)
                | Document::Kubelet(_)
        )
    };
    if documents.iter().any(any_text) {
        return;
    }
    assert!(
        !format!("{documents:?}").contains("PRIVATE KEY"),
        "a debug print shows a key"
    );
    let redacted = documents
        .redacted()
        .to_yaml()
        .expect("every config can be written");
    assert!(
        !redacted.contains("PRIVATE KEY"),
        "a redacted config shows a key"
    );
}

#[expect(clippy::panic, reason = "a target fails by panicking")]
fn unreadable(text: &str, problems: &Problems) -> Documents {
    panic!("what was written does not parse: {problems}\n{text}")
}

/// A refusal says something, in proportion to what was sent, and nothing that moves the reader's terminal.
pub(super) fn refused(problems: &Problems, sent: usize) {
    let text = problems.to_string();
    assert!(!text.is_empty());
    assert!(
        text.len() <= 4096 + 64 * sent,
        "{} bytes of problems for {sent}",
        text.len()
    );
    let printable = |it: char| it == '\n' || !it.is_control();
    assert!(
        text.chars().all(printable),
        "a refusal holds control characters: {text:?}"
    );
}
