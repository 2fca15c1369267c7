//! The kept inputs that are bytes and not text, made by the encoders of what they imitate.
//!
//! `GARBOARD_BLESS=1` (`cargo xtask gen`) writes them anew.

#![expect(
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;

use cosi::wire::proto;
use networkd::dhcp4::{Request, RequestKind, build};
use prost::Message;
use store::Registry;

#[test]
fn generated_inputs_are_current() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = std::env::var_os("GARBOARD_BLESS").is_some();
    for (name, bytes) in dhcp()
        .into_iter()
        .chain(talks())
        .chain(specs())
        .chain(calls())
        .chain(disks())
    {
        let file = corpus.join(&name);
        if write {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, &bytes).expect("a writable corpus");
        }
        let kept = fs::read(&file).unwrap_or_default();
        assert!(
            kept == bytes,
            "corpus/{name} is not current; run `cargo xtask gen`"
        );
    }
}

type Input = (String, Vec<u8>);

/// A server's answer to the client whose address the targets use.
fn answer(kind: u8, options: &[&[u8]]) -> Vec<u8> {
    let request = Request {
        kind: RequestKind::Discover,
        xid: 7,
        secs: 0,
        client: [0; 4].into(),
        mac: [2, 0, 0, 0, 0, 1],
        requested: None,
        server: None,
    };
    let mut bytes = request.encode();
    bytes.truncate(240);
    bytes[0] = 2;
    bytes[16..20].copy_from_slice(&[10, 0, 0, 9]);
    bytes.extend([53, 1, kind, 54, 4, 10, 0, 0, 1]);
    bytes.extend(options.concat());
    bytes.push(255);
    bytes
}

fn dhcp() -> Vec<Input> {
    let lease: &[u8] = &[51, 4, 0, 0, 14, 16];
    let mask: &[u8] = &[1, 4, 255, 255, 255, 0];
    let full = answer(
        5,
        &[
            lease,
            mask,
            &[58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 12, 78],
            &[
                3, 8, 10, 0, 0, 1, 10, 0, 0, 2, 6, 4, 10, 0, 0, 3, 42, 4, 10, 0, 0, 4,
            ],
            &[
                12, 4, b'n', b'o', b'd', b'e', 15, 7, b'e', b'x', b'.', b't', b'e', b's', b't', 26,
                2, 5, 220,
            ],
            &[121, 12, 16, 10, 17, 10, 0, 0, 1, 0, 10, 0, 0, 1],
        ],
    );
    let mut overloaded = answer(2, &[lease, &[52, 1, 3]]);
    overloaded[44..50].copy_from_slice(mask);
    overloaded[50] = 255;
    overloaded[108..114].copy_from_slice(&[6, 4, 10, 0, 0, 3]);
    let pieces = answer(2, &[lease, &[3, 2, 10, 0, 3, 2, 0, 1]]);
    let offer = answer(2, &[lease, mask]);
    let nak = answer(6, &[]);
    let from: SocketAddrV4 = "10.0.0.1:67".parse().expect("an address and a port");
    let to: SocketAddrV4 = "10.0.0.9:68".parse().expect("an address and a port");
    let packet = build(from, to, &offer).expect("it fits a packet");
    let mut heard = Vec::new();
    for message in [&offer, &full, &nak] {
        let length = u16::try_from(message.len()).expect("a short message");
        heard.push(5);
        heard.extend(length.to_le_bytes());
        heard.extend(message);
        heard.push(3);
    }
    let named = [
        ("offer", offer),
        ("ack-with-everything", full),
        ("options-in-the-text-fields", overloaded),
        ("option-in-pieces", pieces),
        ("nak", nak),
        ("packet", packet),
        ("talk-in-messages", heard),
    ];
    named
        .map(|(name, bytes)| (format!("dhcp/{name}"), bytes))
        .into()
}

/// Scripts of what happens to a client.
fn talks() -> Vec<Input> {
    // Offer, ack, renewal in vain, rebinding in vain, the end; then the same with a restart and a refusal.
    let short = [6, 1, 0, 0, 0, 60, 6, 2, 0, 0, 0, 60];
    let silence = [3; 24];
    let whole_life = [&short[..], &silence].concat();
    let restart = [&short[..], &[3, 7, 6, 0, 3, 3], &short].concat();
    let named = [
        ("until-the-lease-is-over", whole_life),
        ("with-a-restart", restart),
        (
            "for-ever",
            vec![6, 1, 255, 255, 255, 255, 6, 2, 255, 255, 255, 255, 3, 3],
        ),
        (
            "no-carrier",
            [&short[..], &[1, 3, 0, 3, 2, 255, 255, 255, 255]].concat(),
        ),
    ];
    named
        .map(|(name, bytes)| (format!("dhcp/talk-{name}"), bytes))
        .into()
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    resources::register_all(&mut registry).expect("the types do not clash");
    registry
}

/// One of some types, as YAML that says more than the defaults.
const SPECS: &[(&str, &str)] = &[
    (
        "AddressSpecs.net.garboard",
        "address: 10.0.0.1/24\nlink: eth0\nlayer: operator\n",
    ),
    (
        "RouteSpecs.net.garboard",
        "destination: 0.0.0.0/0\ngateway: 10.0.0.1\nlink: eth0\nmetric: 1024\nmtu: 1400\n",
    ),
    (
        "LinkSpecs.net.garboard",
        "name: eth0\nup: true\nmtu: 9000\n",
    ),
    (
        "LinkStatuses.net.garboard",
        "index: 2\ntype: ether\nmtu: 1500\ncarrier: true\noperationalState: up\n",
    ),
    (
        "Dhcp4Leases.net.garboard",
        "phase: bound\naddress: 10.0.0.9/24\nserver: 10.0.0.1\nrouters: [10.0.0.1]\n\
         routes: [{destination: 10.17.0.0/16, gateway: 10.0.0.1}]\nexpiresAt: 4711\n",
    ),
    (
        "ResolverSpecs.net.garboard",
        "servers: [10.0.0.3, 'fd00::3']\n",
    ),
];

fn specs() -> Vec<Input> {
    let registry = registry();
    let mut inputs = Vec::new();
    for (ty, yaml) in SPECS {
        let spec = registry
            .from_yaml(ty, yaml)
            .expect("a known type")
            .expect("a good spec");
        let name = ty.split('.').next().unwrap_or_default().to_lowercase();
        let line = format!("{ty}\n");
        inputs.push((
            format!("spec/{name}-bytes"),
            [line.as_bytes(), spec.proto()].concat(),
        ));
        inputs.push((
            format!("spec/{name}-yaml"),
            [line.as_bytes(), yaml.as_bytes()].concat(),
        ));
    }
    inputs
}

/// A resource as a client sends it.
fn resource(id: &str, version: &str, finalizer: Option<&str>) -> proto::Resource {
    let (ty, yaml) = SPECS[0];
    let spec = registry()
        .from_yaml(ty, yaml)
        .expect("a known type")
        .expect("a good spec");
    proto::Resource {
        metadata: Some(proto::Metadata {
            namespace: "network".into(),
            r#type: ty.into(),
            id: id.into(),
            version: version.into(),
            phase: "running".into(),
            finalizers: finalizer.into_iter().map(str::to_owned).collect(),
            labels: [("a".to_owned(), "1".to_owned())].into(),
            ..proto::Metadata::default()
        }),
        spec: Some(proto::Spec {
            proto_spec: spec.proto().to_vec(),
            yaml_spec: String::new(),
        }),
    }
}

fn record(method: u8, message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u16::try_from(bytes.len()).expect("a short message");
    [&[method][..], &length.to_le_bytes(), &bytes].concat()
}

fn create(id: &str, finalizer: Option<&str>) -> Vec<u8> {
    record(
        2,
        &proto::CreateRequest {
            resource: Some(resource(id, "undefined", finalizer)),
            options: None,
        },
    )
}

fn list(op: proto::label_term::Operation, pattern: &str) -> Vec<u8> {
    let terms = vec![proto::LabelTerm {
        key: "a".into(),
        op: op.into(),
        value: vec!["2KiB".into()],
        invert: false,
    }];
    record(
        1,
        &proto::ListRequest {
            namespace: "network".into(),
            r#type: SPECS[0].0.into(),
            options: Some(proto::ListOptions {
                label_query: vec![proto::LabelQuery { terms }],
                id_query: Some(proto::IdQuery {
                    regexp: pattern.into(),
                }),
            }),
        },
    )
}

fn watch(options: proto::WatchOptions) -> Vec<u8> {
    record(
        7,
        &proto::WatchRequest {
            namespace: "network".into(),
            r#type: SPECS[0].0.into(),
            id: None,
            options: Some(options),
            api_version: 1,
        },
    )
}

/// A call about one resource: all methods have its three names in the same places.
fn by_id(method: u8) -> Vec<u8> {
    record(
        method,
        &proto::GetRequest {
            namespace: "network".into(),
            r#type: SPECS[0].0.into(),
            id: "a".into(),
            options: None,
        },
    )
}

fn update() -> Vec<u8> {
    record(
        3,
        &proto::UpdateRequest {
            new_resource: Some(resource("a", "1", Some("holder"))),
            options: Some(proto::UpdateOptions {
                owner: String::new(),
                expected_phase: Some("running".into()),
            }),
        },
    )
}

fn calls() -> Vec<Input> {
    let bootstrap = proto::WatchOptions {
        bootstrap_contents: true,
        bootstrap_bookmark: true,
        ..proto::WatchOptions::default()
    };
    let tail = proto::WatchOptions {
        tail_events: 3,
        aggregated: true,
        start_from_bookmark: Some(vec![0; 16]),
        ..proto::WatchOptions::default()
    };
    let named = [
        (
            "write-read",
            [create("a", None), by_id(0), update(), by_id(0)].concat(),
        ),
        (
            "write-destroy",
            [create("a", None), by_id(4), by_id(0)].concat(),
        ),
        (
            "tear-down",
            [create("a", Some("holder")), by_id(5), by_id(6), by_id(4)].concat(),
        ),
        (
            "watch-all",
            [
                create("a", None),
                create("b", None),
                watch(bootstrap),
                update(),
            ]
            .concat(),
        ),
        ("watch-tail", [create("a", None), watch(tail)].concat()),
        (
            "list",
            [
                create("a", None),
                list(proto::label_term::Operation::LtNumeric, "^[ab]$"),
            ]
            .concat(),
        ),
        (
            "list-bad-pattern",
            list(proto::label_term::Operation::In, "(a|"),
        ),
    ];
    named
        .map(|(name, bytes)| (format!("wire/{name}"), bytes))
        .into()
}

/// What a folder of ISO 9660 has of something in it.
fn entry(name: &[u8], flags: u8) -> Vec<u8> {
    let mut record = vec![0; 33];
    (record[2], record[11], record[25]) = (20, 8, flags);
    record[32] = u8::try_from(name.len()).expect("a short name");
    record.extend(name);
    record.resize(record.len().next_multiple_of(2), 0);
    record[0] = u8::try_from(record.len()).expect("a short record");
    record
}

fn disks() -> Vec<Input> {
    let mut squashfs = vec![0; 96];
    squashfs[..4].copy_from_slice(b"hsqs");
    squashfs[28] = 4;
    squashfs[41] = 0x10;
    let mut label = vec![0; 32];
    label[..23].copy_from_slice(b"grbdlablGARBOARD-BUNDLE");
    let mut verity = vec![0; 512];
    verity[..8].copy_from_slice(b"verity\0\0");
    (verity[8], verity[12]) = (1, 1);
    verity[32..38].copy_from_slice(b"sha256");
    (verity[65], verity[69], verity[72], verity[80]) = (0x10, 0x10, 7, 2);
    let mut iso = vec![b' '; 190];
    iso[..7].copy_from_slice(b"\x01CD001\x01");
    iso[40..48].copy_from_slice(b"GARBOARD");
    iso[128..130].copy_from_slice(&2048_u16.to_le_bytes());
    let mut folder = entry(b"\0", 2);
    iso[156..].copy_from_slice(&folder);
    folder.extend(entry(b"BUNDLE.IMG;1", 0));
    let named = [
        ("squashfs", squashfs),
        ("label", label),
        ("verity", verity),
        ("iso9660", iso),
        ("folder", folder),
        ("nothing", vec![0; 16]),
    ];
    named
        .map(|(name, bytes)| (format!("disk/{name}"), bytes))
        .into()
}
