//! Any document, and any config.

mod registries;

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::{
    AdmissionConfig, AdmissionPlugin, ApiServerConfig, ApiTrustConfig, Bytes, Cidr,
    ClusterIdentityConfig, ConsoleConfig, ControlPlaneTrust, Cpu, Dhcp4Config, Document, Documents,
    EnvironmentConfig, EtcdConfig, EtcdSnapshotsConfig, Host, Hostname, HostnameConfig,
    ImageSource, JoinConfig, KernelLevel, KernelModuleConfig, KernelValue, KeyPair, KubeletConfig,
    KubernetesConfig, KubernetesEndpoint, KubernetesManifestConfig, KubernetesTrustConfig,
    LinkConfig, LogDestinationConfig, LogFormat, LogSource, MachineConfig, Mtu, Period, PodNetwork,
    ReservedConfig, ResolverConfig, Role, RouteConfig, StaticHostConfig, SysctlConfig,
    SystemDiskConfig, TimeConfig, TrustedRootsConfig,
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
    let address = cidr().prop_map(|it| Host::Address(it.address()));
    let server = prop_oneof![address, hostname().prop_map(Host::Name)];
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

fn kubernetes() -> impl Strategy<Value = KubernetesConfig> {
    let address = any::<IpAddr>().prop_map(|it| it.to_string());
    let endpoint = (
        prop_oneof![address, hostname().prop_map(|it| it.to_string())],
        1u16..,
    );
    let endpoint = endpoint.prop_filter_map("from everywhere", |(host, port)| match host.parse() {
        Ok(IpAddr::V6(it)) => KubernetesEndpoint::from_host(&format!("[{it}]:{port}")).ok(),
        _ => KubernetesEndpoint::from_host(&format!("{host}:{port}")).ok(),
    });
    let four = (0u8..=255, 16u8..=24).prop_map(|(net, prefix)| (format!("10.{net}.0.0"), prefix));
    let six = (0u16.., 48u8..=64).prop_map(|(net, prefix)| (format!("fd00:{net:x}::"), prefix));
    let range = |(address, prefix): (String, u8)| {
        Cidr::new(address.parse().unwrap(), prefix)
            .unwrap()
            .network()
    };
    let pods = prop_oneof![
        four.clone().prop_map(move |it| vec![range(it)]),
        (six, four).prop_map(move |(six, four)| vec![range(six), range(four)]),
    ];
    let services = (0u8..=255, 16u8..=28)
        .prop_map(move |(net, prefix)| vec![range((format!("172.{net}.0.0"), prefix))]);
    let patch = (36u16..=37, 0u16..)
        .prop_map(|(minor, patch)| format!("1.{minor}.{patch}").parse().unwrap());
    let words = (any::<bool>(), any::<bool>());
    (patch, endpoint, pods, services, hostname(), words).prop_map(
        |(version, endpoint, pod_ranges, service_ranges, dns_domain, (upstream, none))| {
            let mut it = KubernetesConfig::new(version, endpoint);
            it.pod_ranges = pod_ranges;
            it.service_ranges = service_ranges;
            it.dns_domain = dns_domain;
            if upstream {
                it.images = ImageSource::Upstream;
            }
            if none {
                it.network = PodNetwork::None;
            }
            it
        },
    )
}

fn kubernetes_trust() -> impl Strategy<Value = KubernetesTrustConfig> {
    let keys = (pem("PRIVATE KEY"), "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=");
    let plane = (key_pair(), key_pair(), key_pair(), keys);
    let plane =
        plane.prop_map(
            |(issuer, aggregator, etcd, (account, encryption))| ControlPlaneTrust {
                issuer,
                aggregator,
                etcd,
                service_account_key: account.parse().unwrap(),
                encryption_key: encryption.parse().unwrap(),
            },
        );
    (pem("CERTIFICATE"), of(plane)).prop_map(|(ca, control_plane)| KubernetesTrustConfig {
        ca: ca.parse().unwrap(),
        control_plane,
    })
}

fn join() -> impl Strategy<Value = JoinConfig> {
    let address = any::<std::net::Ipv6Addr>().prop_map(|it| it.to_string());
    // Some names are written like an address, and some addresses are no host's.
    let host = prop_oneof![address, hostname().prop_map(|it| it.to_string())]
        .prop_filter_map("a host", |it| it.parse().ok());
    let token = || {
        let token = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=";
        token.prop_map(|it| it.parse().unwrap())
    };
    (token(), vec(token(), 0..3), vec(host, 0..3)).prop_map(
        |(token, former_tokens, control_planes)| JoinConfig {
            token,
            former_tokens,
            control_planes,
        },
    )
}

fn etcd() -> impl Strategy<Value = EtcdConfig> {
    let every = (300_000u64..=31_622_400_000).prop_map(Period::milliseconds);
    let time = (0u8..24, 0u8..60).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    let snapshots = (of(every), btree_set(time, 0..4), 1i64..=1000, any::<u64>());
    let snapshots = snapshots.prop_map(|(every, at, keep, leave_free)| EtcdSnapshotsConfig {
        every,
        at: at.iter().map(|it| it.parse().unwrap()).collect(),
        keep: keep.try_into().unwrap(),
        leave_free: leave_free.to_string().parse().unwrap(),
    });
    (10u64..=5000, 50u64..=50_000, 32u32..=32_768, of(snapshots)).prop_map(
        |(heartbeat, election, quota, snapshots)| EtcdConfig {
            heartbeat: Period::milliseconds(heartbeat),
            election: Period::milliseconds(election),
            quota: Bytes::mebi(quota),
            snapshots,
        },
    )
}

/// With a secret that the line tells by its length.
fn kubernetes_manifest() -> impl Strategy<Value = KubernetesManifestConfig> {
    let name = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|it| it.parse().unwrap());
    let inline = ("it-[a-z]{1,9}", "[A-Za-z0-9+/]{24,60}").prop_map(|(name, secret)| {
        let object = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\ndata:\n  a: {secret}\n"
        );
        object.parse().unwrap()
    });
    let url = "https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[a-z0-9%?=]{0,9})?";
    let url = url.prop_map(|it| it.parse().unwrap());
    let sha256 = "[0-9a-f]{64}".prop_map(|it| it.parse().unwrap());
    (name, of(inline), of(url), of(sha256)).prop_map(|(name, inline, url, sha256)| {
        KubernetesManifestConfig {
            name,
            inline,
            url,
            sha256,
        }
    })
}

fn api_server() -> impl Strategy<Value = ApiServerConfig> {
    let settings = |version: &'static str, kind: &'static str| {
        "[a-z]{1,9}".prop_map(move |key| {
            let text = format!("apiVersion: {version}\nkind: {kind}\n{key}x: [1, off]\n");
            text.parse().unwrap()
        })
    };
    let quota = settings("apiserver.config.k8s.io/v1", "ResourceQuotaConfiguration");
    let quota = of(quota).prop_map(|configuration| AdmissionConfig {
        plugin: AdmissionPlugin::ResourceQuota,
        configuration,
    });
    let policy = settings("audit.k8s.io/v1", "Policy");
    (vec(quota, 0..2), of(policy)).prop_map(|(admission, audit_policy)| ApiServerConfig {
        admission,
        audit_policy,
    })
}

fn kubelet() -> impl Strategy<Value = KubeletConfig> {
    const NAME: &str = "[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,20}[a-zA-Z0-9])?";
    let key = || {
        (of("[a-z]{1,5}\\.[a-z]{1,3}"), NAME).prop_map(|(domain, name)| match domain {
            Some(domain) => format!("{domain}/{name}"),
            None => name,
        })
    };
    let label = (
        key().prop_map(|it| it.parse().unwrap()),
        NAME.prop_map(|it| it.parse().unwrap()),
    );
    let annotation = (
        key().prop_map(|it| it.parse().unwrap()),
        "[ -~\n]{0,20}|true|12",
    );
    let effect = prop_oneof![
        Just("NoSchedule"),
        Just("PreferNoSchedule"),
        Just("NoExecute")
    ];
    let taint = (key(), of(NAME), effect).prop_map(|(key, value, effect)| {
        let value = value.map(|it| format!("={it}")).unwrap_or_default();
        format!("{key}{value}:{effect}").parse().unwrap()
    });
    let reserved = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    let reserved = reserved.prop_map(|(cpu, memory, storage, processes)| ReservedConfig {
        cpu: Cpu::milli(cpu),
        memory: Bytes::mebi(memory),
        ephemeral_storage: storage.to_string().parse().unwrap(),
        processes,
    });
    let labels = vec(label, 0..3).prop_map(|it| it.into_iter().collect());
    let annotations = vec(annotation, 0..3).prop_map(|it| it.into_iter().collect());
    (labels, annotations, of(of(taint)), 1i64..=1000, reserved).prop_map(
        |(labels, annotations, taints, max_pods, system_reserved)| KubeletConfig {
            labels,
            annotations,
            taints: taints.map(|it| it.into_iter().collect()),
            max_pods: max_pods.try_into().unwrap(),
            system_reserved,
        },
    )
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
        kubernetes().prop_map(Document::from),
        kubernetes_trust().prop_map(Document::from),
        join().prop_map(Document::from),
        kubelet().prop_map(Document::from),
        etcd().prop_map(Document::from),
        kubernetes_manifest().prop_map(Document::from),
        api_server().prop_map(Document::from),
        registries::mirror().prop_map(Document::from),
        registries::auth().prop_map(Document::from),
        registries::tls().prop_map(Document::from),
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
