//! Any document, and any config.

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::{
    ApiTrustConfig, Cidr, ClusterIdentityConfig, ConsoleConfig, Dhcp4Config, Document, Documents,
    EnvironmentConfig, Hostname, HostnameConfig, KernelLevel, KernelModuleConfig, KernelValue,
    KeyPair, LinkConfig, LogDestinationConfig, LogFormat, LogSource, MachineConfig, Mtu,
    ResolverConfig, Role, RouteConfig, StaticHostConfig, SysctlConfig, SystemDiskConfig,
    TimeConfig, TimeServer, TrustedRootsConfig,
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

/// Any condition, and any joined with another: what it says is not looked at here, but the way it stands in YAML is.
fn system_disk() -> impl Strategy<Value = SystemDiskConfig> {
    let condition = prop_oneof![
        "!?(rotational|removable)",
        "size [<>]=? [0-9]{1,4}(B|GB|TiB)",
        "(model|serial) [!=]= \"[ !#-\\[\\]-~äß]{0,20}\"",
        "!?wwid\\.contains\\('[ -&(-\\[\\]-~]{1,20}'\\)",
        "!\\(bus == 'nvme'\\)",
    ];
    let selector = (condition.clone(), "( (&&|\\|\\|)[ \n]{1,3})", condition);
    let selector = selector.prop_map(|(one, join, other)| format!("{one}{join}{other}"));
    (selector, any::<bool>()).prop_map(|(selector, wipe)| SystemDiskConfig {
        selector: selector.parse().unwrap(),
        wipe,
    })
}

fn time() -> impl Strategy<Value = TimeConfig> {
    let address = cidr().prop_map(|it| TimeServer::Address(it.address()));
    let server = prop_oneof![address, hostname().prop_map(TimeServer::Name)];
    // A name of digits and dots alone reads as an address.
    let server = server.prop_filter("read as written", |it| {
        it.to_string().parse().as_ref() == Ok(it)
    });
    (any::<bool>(), btree_set(server, 0..8)).prop_map(|(enabled, servers)| TimeConfig {
        enabled,
        servers: servers.into_iter().collect(),
    })
}

fn trusted_roots() -> impl Strategy<Value = TrustedRootsConfig> {
    let name = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|it| it.parse().unwrap());
    (name, vec(pem("CERTIFICATE"), 1..3)).prop_map(|(name, certificates)| TrustedRootsConfig {
        name,
        certificates: certificates.concat().parse().unwrap(),
    })
}

fn console() -> impl Strategy<Value = ConsoleConfig> {
    let name = "[a-zA-Z0-9]{1,15}".prop_map(|it| it.parse().unwrap());
    let level = prop_oneof![Just(KernelLevel::Emergency), Just(KernelLevel::Warning)];
    (of(vec(name, 0..3)), of(level)).prop_map(|(devices, kernel_messages)| ConsoleConfig {
        devices,
        kernel_messages,
    })
}

fn cluster_identity() -> impl Strategy<Value = ClusterIdentityConfig> {
    ("[a-z0-9]{1,9}", "[0-9a-f]{32}").prop_map(|(cluster, id)| ClusterIdentityConfig {
        cluster: cluster.parse().unwrap(),
        id: id.parse().unwrap(),
    })
}

fn environment() -> impl Strategy<Value = EnvironmentConfig> {
    let name =
        "[a-zA-Z_][a-zA-Z0-9_]{0,8}".prop_filter_map("no name of the node's", |it| it.parse().ok());
    let value = prop_oneof!["-?[0-9]{1,20}", "[ -~\t\n]{0,20}", "true|no|null"];
    let value = value.prop_map(|it| it.parse().unwrap());
    // What stands before an `@` is a secret in a text that is none as a whole: its own tests look at it.
    let proxy = || {
        of(
            (hostname(), 1u16..).prop_filter_map("a host", |(host, port)| {
                format!("http://{host}:{port}").parse().ok()
            }),
        )
    };
    let without = prop_oneof![
        Just("*".to_owned()),
        cidr().prop_map(|it| it.network().to_string()),
        cidr().prop_map(|it| it.address().to_string()),
    ];
    let without = vec(without.prop_map(|it| it.parse().unwrap()), 0..3);
    (btree_map(name, value, 0..3), proxy(), proxy(), without).prop_map(
        |(variables, http_proxy, https_proxy, no_proxy)| EnvironmentConfig {
            variables,
            http_proxy,
            https_proxy,
            no_proxy,
        },
    )
}

fn log_destination() -> impl Strategy<Value = LogDestinationConfig> {
    let name = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|it| it.parse().unwrap());
    let address = any::<IpAddr>().prop_filter_map("a host's address", |it| {
        let host = match it {
            IpAddr::V4(it) => it.to_string(),
            IpAddr::V6(it) => format!("[{it}]"),
        };
        format!("tcp://{host}:1").parse().ok()
    });
    let name_of_host = "(tcp|udp)://[a-z]([a-z0-9-]{0,20}[a-z0-9])?:[1-9][0-9]{0,3}";
    let url = prop_oneof![address, name_of_host.prop_map(|it| it.parse().unwrap())];
    let sources = btree_set(
        prop_oneof![Just(LogSource::Kernel), Just(LogSource::Services)],
        1..=2,
    );
    let tags = btree_map("x[a-zA-Z0-9_.-]{0,20}", "[ -~]{0,20}", 0..4);
    (name, url, sources, tags).prop_map(|(name, url, sources, tags)| LogDestinationConfig {
        name,
        url,
        sources: sources.into_iter().collect(),
        format: LogFormat::JsonLines,
        tags: tags
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect(),
    })
}

pub(crate) fn document() -> impl Strategy<Value = Document> {
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
        system_disk().prop_map(Document::from),
        time().prop_map(Document::from),
        console().prop_map(Document::from),
        cluster_identity().prop_map(Document::from),
        environment().prop_map(Document::from),
        log_destination().prop_map(Document::from),
        trusted_roots().prop_map(Document::from),
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

pub(crate) fn documents() -> impl Strategy<Value = Documents> {
    vec(document(), 1..8).prop_map(|documents| {
        let unique: BTreeMap<_, _> = documents
            .into_iter()
            .map(|it| (it.identity(), it))
            .collect();
        Documents::new(unique.into_values()).unwrap()
    })
}
