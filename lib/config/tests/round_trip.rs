//! Whatever can be built is written as YAML that reads back the same; whatever bytes come in, the
//! reader answers.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::{
    ApiTrustConfig, Cidr, Dhcp4Config, Document, Documents, Hostname, HostnameConfig,
    KernelModuleConfig, KernelValue, KeyPair, LinkConfig, MachineConfig, Mtu, ResolverConfig, Role,
    RouteConfig, StaticHostConfig, SysctlConfig,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;

const NAMES: &str = "[a-zA-Z0-9_.@~#*&!|>-]{1,15}";

fn pem(label: &'static str) -> impl Strategy<Value = String> {
    vec("[A-Za-z0-9+/]{4,64}", 1..4).prop_map(move |lines| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    })
}

fn key_pair() -> impl Strategy<Value = KeyPair> {
    (pem("CERTIFICATE"), pem("PRIVATE KEY"))
        .prop_map(|(certificate, key)| KeyPair::from_pem(&certificate, &key).unwrap())
}

fn cidr() -> impl Strategy<Value = Cidr> {
    (any::<IpAddr>(), 0u8..=128).prop_filter_map("a host's address", |(address, prefix)| {
        Cidr::new(address, prefix).ok()?.to_string().parse().ok()
    })
}

fn route() -> impl Strategy<Value = RouteConfig> {
    (cidr(), of(cidr()), any::<u32>()).prop_filter_map("one family", |(to, via, metric)| {
        RouteConfig::new(to.network(), via.map(|it| it.address()), metric).ok()
    })
}

fn link() -> impl Strategy<Value = LinkConfig> {
    let name = NAMES.prop_filter_map("a link name", |it| it.parse().ok());
    let mtu = of((68u32..=65536).prop_map(|it| Mtu::try_from(it).unwrap()));
    (
        name,
        any::<bool>(),
        mtu,
        vec(cidr(), 0..3),
        vec(route(), 0..3),
    )
        .prop_map(|(name, up, mtu, addresses, routes)| LinkConfig {
            name,
            up,
            mtu,
            addresses,
            routes,
        })
}

fn hostname() -> impl Strategy<Value = Hostname> {
    "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z0-9]{1,5})?"
        .prop_filter_map("a host name", |it| it.parse().ok())
}

fn kernel_value() -> impl Strategy<Value = KernelValue> {
    let text = prop_oneof!["-?[0-9]{1,20}", "[ -~\t]{0,20}", "\\PC{0,10}"];
    text.prop_filter_map("one line", |it| it.parse().ok())
}

fn sysctl() -> impl Strategy<Value = SysctlConfig> {
    let key = "[a-z]{1,4}([./][a-z0-9_.@&-]{1,5}){1,4}";
    let key = key.prop_filter_map("a key", |it| it.parse().ok());
    (key, kernel_value()).prop_filter_map("safe", |(key, value)| SysctlConfig::new(key, value).ok())
}

fn kernel_module() -> impl Strategy<Value = KernelModuleConfig> {
    let name = "[a-z0-9_-]{1,20}".prop_map(|it| it.parse().unwrap());
    let parameter = "[a-z0-9_]{1,8}".prop_map(|it| it.parse().unwrap());
    (name, btree_map(parameter, kernel_value(), 0..3))
        .prop_map(|(name, parameters)| KernelModuleConfig { name, parameters })
}

fn static_host() -> impl Strategy<Value = StaticHostConfig> {
    let addresses = btree_set(cidr().prop_map(|it| it.address()), 1..4);
    (hostname(), addresses, btree_set(hostname(), 0..3)).prop_map(|(name, addresses, aliases)| {
        StaticHostConfig {
            name,
            addresses: addresses.into_iter().collect(),
            aliases: aliases.into_iter().collect(),
        }
    })
}

fn document() -> impl Strategy<Value = Document> {
    let role = prop_oneof![Just(Role::ControlPlane), Just(Role::Worker)];
    let name = || NAMES.prop_filter_map("a link name", |it| it.parse().ok());
    prop_oneof![
        role.prop_map(|role| MachineConfig { role }.into()),
        (pem("CERTIFICATE"), of(key_pair()), of(key_pair())).prop_map(|(ca, issuer, serving)| {
            ApiTrustConfig {
                ca: ca.parse().unwrap(),
                issuer,
                serving,
            }
            .into()
        }),
        hostname().prop_map(|hostname| HostnameConfig { hostname }.into()),
        sysctl().prop_map(Document::from),
        kernel_module().prop_map(Document::from),
        static_host().prop_map(Document::from),
        link().prop_map(Document::from),
        (name(), any::<bool>(), any::<u32>()).prop_map(|(name, enabled, metric)| Dhcp4Config {
            name,
            enabled,
            metric
        }
        .into()),
        vec(cidr(), 1..4).prop_map(|servers| {
            ResolverConfig {
                servers: servers.iter().map(Cidr::address).collect(),
            }
            .into()
        }),
    ]
}

fn documents() -> impl Strategy<Value = Documents> {
    vec(document(), 1..8).prop_map(|documents| {
        let unique: BTreeMap<_, _> = documents
            .into_iter()
            .map(|it| (it.identity(), it))
            .collect();
        Documents::new(unique.into_values()).unwrap()
    })
}

proptest! {
    #[test]
    fn written_documents_read_back(documents in documents()) {
        let text = documents.to_yaml().unwrap();
        let again = config::parse("written", text.as_bytes())
            .unwrap_or_else(|it| panic!("{it}\n{text}"));
        prop_assert_eq!(&again, &documents);
        prop_assert_eq!(again.to_yaml().unwrap(), text);
    }

    #[test]
    fn a_redacted_config_shows_no_key_and_is_refused(documents in documents()) {
        let keys: Vec<String> = documents
            .api_trust()
            .into_iter()
            .flat_map(|it| it.issuer.iter().chain(&it.serving))
            .map(|it| it.key.as_pem().lines().nth(1).unwrap().to_owned())
            .collect();
        let redacted = documents.redacted();
        let text = redacted.to_yaml().unwrap();
        prop_assert_eq!(keys.is_empty(), !text.contains(config::REDACTED));
        prop_assert!(!text.contains("PRIVATE KEY"));
        let debug = format!("{documents:?}");
        prop_assert!(!debug.contains("PRIVATE KEY"));
        let again = config::parse("redacted", text.as_bytes());
        prop_assert_eq!(keys.is_empty(), again.is_ok());
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..256)) {
        let _answer = config::parse("bytes", &bytes);
    }

    #[test]
    fn any_damage_is_answered(
        documents in documents(),
        at in any::<prop::sample::Index>(),
        with in vec(prop_oneof!["[-:?,\\[\\]{}#&*!|>'\"%@` \n\t]", ".{1,3}"], 0..4),
    ) {
        let text = documents.to_yaml().unwrap();
        let cut = at.index(text.len());
        prop_assume!(text.is_char_boundary(cut));
        let (before, after) = text.split_at(cut);
        let _answer = config::parse("damaged", before.as_bytes());
        let _answer = config::parse("damaged", format!("{before}{}{after}", with.concat()).as_bytes());
    }
}

#[test]
fn limits() {
    let huge = vec![b'#'; config::MAX_BYTES + 1];
    let error = config::parse("huge", &huge).unwrap_err().to_string();
    assert_eq!(
        error,
        "huge: a config has at most 1048576 bytes, and this one has more"
    );
}
