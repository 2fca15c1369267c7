//! What containerd is told of registries: a folder for each with `hosts.toml` (containerd, `docs/hosts.md`), and certificates. Pure.
//!
//! The first folder that fits a registry is the only one that is read, so each says everything. Hosts are asked in the order of the file,
//! `server` at last; without one that is the registry itself. The first answer that it has no such image is what a failed pull tells,
//! whatever the others said: that nobody answered, or let no one in. So the node's own registry is named only where it has something.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use resources::images::RegistryEndpoint;

use crate::images::registry;

/// Files by folder and name.
pub(super) type Tree = BTreeMap<String, BTreeMap<String, String>>;

/// The folder that containerd takes when a registry has none.
const ANY: &str = "_default";

/// The folder of certificates, which no registry can be called like.
const CERTIFICATES: &str = ".certificates";

/// The registry that the product's own images are of. There is none in the network, so nobody else is to be asked.
pub(super) const OURS: &str = "garboard.internal";

/// What the node itself has images of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// Registries.
    pub(super) registries: BTreeSet<String>,
    /// Whether there are images without a name, which may be any registry's.
    pub(super) unnamed: bool,
}

impl Own {
    fn has(&self, folder: &str) -> bool {
        self.unnamed || self.registries.contains(folder) || folder == OURS
    }
}

/// All that containerd is told. `specs` are what is asked, by registry; `authorities` what every server is believed by, in PEM.
pub(super) fn render(
    specs: &BTreeMap<String, Vec<RegistryEndpoint>>,
    own: &Own,
    authorities: Option<&str>,
) -> Tree {
    let itself = vec![RegistryEndpoint::default()];
    let all = specs.get(::config::RegistryName::ANY).unwrap_or(&itself);
    let own_folders = own.registries.iter().map(String::as_str).chain([OURS]);
    let mut folders: BTreeMap<&str, &[RegistryEndpoint]> =
        own_folders.map(|folder| (folder, all.as_slice())).collect();
    folders.insert(ANY, all);
    let named = specs
        .iter()
        .filter(|(name, _)| *name != ::config::RegistryName::ANY);
    folders.extend(named.map(|(name, endpoints)| (name.as_str(), endpoints.as_slice())));
    let mut certificates = Certificates::default();
    let authorities = authorities.map(|it| certificates.place(it.to_owned()));
    let mut tree: Tree = folders
        .into_iter()
        .map(|(folder, endpoints)| {
            let mut file = File {
                authorities: authorities.as_deref(),
                certificates: &mut certificates,
                text: "# Written by machined; `osctl get registries` shows it.\n".to_owned(),
            };
            file.write(endpoints, own.has(folder));
            let files = BTreeMap::from([("hosts.toml".to_owned(), file.text)]);
            (folder.to_owned(), files)
        })
        .collect();
    tree.insert(CERTIFICATES.to_owned(), certificates.files());
    tree
}

/// Files with certificates, each content once.
#[derive(Default)]
struct Certificates(Vec<String>);

impl Certificates {
    fn name(number: usize) -> String {
        format!("{number}.pem")
    }

    /// Where a file is, seen from the folder of a registry.
    fn place(&mut self, content: String) -> String {
        let known = self.0.iter().position(|it| *it == content);
        let number = known.unwrap_or_else(|| {
            self.0.push(content);
            self.0.len() - 1
        });
        format!("../{CERTIFICATES}/{}", Self::name(number))
    }

    fn files(self) -> BTreeMap<String, String> {
        let files = self.0.into_iter().enumerate();
        files.map(|(number, it)| (Self::name(number), it)).collect()
    }
}

/// A file that is being written.
struct File<'a> {
    authorities: Option<&'a str>,
    certificates: &'a mut Certificates,
    text: String,
}

impl File<'_> {
    fn write(&mut self, endpoints: &[RegistryEndpoint], own: bool) {
        let node = RegistryEndpoint {
            url: format!("http://127.0.0.1:{}", registry::PORT),
            ..RegistryEndpoint::default()
        };
        // A table that is there twice makes the file unreadable.
        let others = endpoints.iter().filter(|it| it.url != node.url);
        let own = own || others.clone().next().is_none();
        let mut all: Vec<&RegistryEndpoint> =
            own.then_some(&node).into_iter().chain(others).collect();
        if let Some(last) = all.pop() {
            if !last.url.is_empty() {
                self.line("server", &quoted(&last.url));
            }
            self.fields(last);
            self.header(last, "header");
        }
        for it in all {
            let table = format!("host.{}", quoted(&it.url));
            self.text.push_str(&format!("[{table}]\n"));
            self.fields(it);
            self.header(it, &format!("{table}.header"));
        }
    }

    fn line(&mut self, key: &str, value: &str) {
        self.text.push_str(&format!("{key} = {value}\n"));
    }

    fn fields(&mut self, it: &RegistryEndpoint) {
        self.line("capabilities", "[\"pull\", \"resolve\"]");
        if it.override_path {
            self.line("override_path", "true");
        }
        // With any of the following containerd would try TLS with a host that is asked without.
        if it.url.starts_with("http://") {
            return;
        }
        if it.insecure_skip_verify {
            self.line("skip_verify", "true");
        }
        let mut believed: Vec<String> = self.authorities.map(quoted).into_iter().collect();
        if !it.authorities.is_empty() {
            believed.push(quoted(&self.certificates.place(it.authorities.clone())));
        }
        if !believed.is_empty() {
            self.line("ca", &format!("[{}]", believed.join(", ")));
        }
        if !it.certificate.is_empty() {
            let both = format!("{}\n{}", it.certificate.trim_end(), it.key);
            let place = self.certificates.place(both);
            self.line("client", &quoted(&place));
        }
    }

    /// RFC 7617, section 2.
    fn header(&mut self, it: &RegistryEndpoint, table: &str) {
        if it.username.is_empty() {
            return;
        }
        let both = BASE64.encode(format!("{}:{}", it.username, it.password).as_bytes());
        self.text.push_str(&format!("[{table}]\n"));
        self.line("Authorization", &quoted(&format!("Basic {both}")));
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            it if it.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(it))),
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> RegistryEndpoint {
        RegistryEndpoint {
            url: url.to_owned(),
            ..RegistryEndpoint::default()
        }
    }

    fn with_user(url: &str) -> RegistryEndpoint {
        RegistryEndpoint {
            username: "me".to_owned(),
            password: "hunter2".to_owned(),
            ..endpoint(url)
        }
    }

    fn hosts(endpoints: &[RegistryEndpoint], own: &Own, authorities: Option<&str>) -> String {
        let specs = BTreeMap::from([("a.lab".to_owned(), endpoints.to_vec())]);
        let mut tree = render(&specs, own, authorities);
        let files = tree.remove("a.lab").unwrap();
        let (head, text) = files["hosts.toml"].split_once('\n').unwrap();
        assert!(head.starts_with('#'), "{head}");
        text.to_owned()
    }

    fn own(registries: &[&str]) -> Own {
        Own {
            registries: registries.iter().map(|it| (*it).to_owned()).collect(),
            unnamed: false,
        }
    }

    #[test]
    fn the_registry_itself_is_asked_last_with_its_credentials() {
        let text = hosts(
            &[endpoint("https://m.lab/docker"), with_user("https://a.lab")],
            &own(&["a.lab"]),
            None,
        );
        assert_eq!(
            text,
            r#"server = "https://a.lab"
capabilities = ["pull", "resolve"]
[header]
Authorization = "Basic bWU6aHVudGVyMg=="
[host."http://127.0.0.1:3172"]
capabilities = ["pull", "resolve"]
[host."https://m.lab/docker"]
capabilities = ["pull", "resolve"]
"#
        );
    }

    #[test]
    fn the_last_mirror_stands_for_the_registry_where_that_is_not_asked() {
        let mirror = RegistryEndpoint {
            override_path: true,
            insecure_skip_verify: true,
            ..endpoint("https://m.lab/v2/docker")
        };
        let text = hosts(&[with_user("http://n.lab"), mirror], &Own::default(), None);
        assert_eq!(
            text,
            r#"server = "https://m.lab/v2/docker"
capabilities = ["pull", "resolve"]
override_path = true
skip_verify = true
[host."http://n.lab"]
capabilities = ["pull", "resolve"]
[host."http://n.lab".header]
Authorization = "Basic bWU6aHVudGVyMg=="
"#
        );
    }

    #[test]
    fn with_nobody_to_ask_there_are_the_images_of_the_node() {
        let server = "server = \"http://127.0.0.1:3172\"\ncapabilities = [\"pull\", \"resolve\"]\n";
        assert_eq!(hosts(&[], &Own::default(), None), server);
        assert_eq!(hosts(&[], &own(&["a.lab"]), Some("A")), server);
        // And once, though somebody names it as a mirror.
        let named = endpoint("http://127.0.0.1:3172");
        assert_eq!(hosts(&[named], &own(&["a.lab"]), None), server);
    }

    #[test]
    fn every_server_with_tls_is_believed_by_the_authorities() {
        let private = RegistryEndpoint {
            authorities: "PRIVATE\n".to_owned(),
            certificate: "CERTIFICATE\n".to_owned(),
            key: "KEY\n".to_owned(),
            ..endpoint("https://m.lab")
        };
        let both = [
            private.clone(),
            endpoint("http://n.lab"),
            endpoint("https://a.lab"),
        ];
        let specs = BTreeMap::from([
            ("a.lab".to_owned(), both.to_vec()),
            ("b.lab".to_owned(), vec![private]),
        ]);
        let tree = render(&specs, &own(&["a.lab"]), Some("ALL\n"));
        let text = &tree["a.lab"]["hosts.toml"];
        assert!(text.contains(
            "[host.\"https://m.lab\"]\ncapabilities = [\"pull\", \"resolve\"]\n\
             ca = [\"../.certificates/0.pem\", \"../.certificates/1.pem\"]\nclient = \"../.certificates/2.pem\"\n"
        ), "{text}");
        assert!(text.contains("\"https://a.lab\"\ncapabilities = [\"pull\", \"resolve\"]\nca = [\"../.certificates/0.pem\"]\n"), "{text}");
        assert!(
            text.ends_with("[host.\"http://n.lab\"]\ncapabilities = [\"pull\", \"resolve\"]\n"),
            "{text}"
        );
        let certificates = &tree[".certificates"];
        let contents: Vec<&str> = certificates.values().map(String::as_str).collect();
        assert_eq!(contents, ["ALL\n", "PRIVATE\n", "CERTIFICATE\nKEY\n"]);
        assert!(tree["_default"]["hosts.toml"].contains("\nca = [\"../.certificates/0.pem\"]\n"));
    }

    #[test]
    fn the_node_is_asked_for_what_it_has_and_nothing_else() {
        let asks = |own: &Own| -> Vec<String> {
            let specs = BTreeMap::from([(
                "*".to_owned(),
                vec![endpoint("https://m.lab"), endpoint("")],
            )]);
            let tree = render(&specs, own, None);
            let asking = tree.iter().filter(|(_, files)| {
                let hosts = files.get("hosts.toml");
                hosts.is_some_and(|it| it.contains(":3172") && it.contains("m.lab"))
            });
            asking.map(|(folder, _)| folder.clone()).collect()
        };
        assert_eq!(asks(&Own::default()), [OURS]);
        assert_eq!(asks(&own(&["b.lab"])), ["b.lab", OURS]);
        let unnamed = Own {
            unnamed: true,
            ..own(&["b.lab"])
        };
        assert_eq!(asks(&unnamed), ["_default", "b.lab", OURS]);
    }

    #[test]
    fn no_text_ends_its_string() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000A\"");
    }
}
