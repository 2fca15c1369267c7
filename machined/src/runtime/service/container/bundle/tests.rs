use resources::runtime::{ServiceMount, ServiceSpec};
use serde_json::{Value, json};

use super::*;

fn spec() -> ServiceSpec {
    ServiceSpec {
        image: "garboard.internal/etcd:3.7.3".to_owned(),
        ..ServiceSpec::default()
    }
}

fn run() -> Run {
    Run {
        entrypoint: vec!["/usr/bin/etcd".to_owned()],
        cmd: vec!["--help".to_owned()],
        environment: vec!["A=image".to_owned(), "B=image".to_owned()],
        folder: "/data".to_owned(),
        user: "65532:65532".to_owned(),
    }
}

fn bundle(spec: &ServiceSpec, run: &Run) -> Result<Value, BundleError> {
    let service = Service::of(spec).expect("a service");
    let container = service.container.clone().expect("a container");
    let shared = Shared::of(&["B=all".to_owned(), "C=all".to_owned()]);
    // CAP_CHOWN and CAP_NET_ADMIN.
    let bundle = Bundle::of(&service, &container, run, &shared, 1 | 1 << 12)?;
    Ok(serde_json::to_value(bundle).expect("JSON"))
}

#[test]
fn what_the_service_does_not_say_is_the_images() {
    let of_image = bundle(&spec(), &run()).expect("a bundle");
    let process = &of_image["process"];
    assert_eq!(process["args"], json!(["/usr/bin/etcd", "--help"]));
    assert_eq!(
        (&process["user"]["uid"], &process["cwd"]),
        (&json!(65532), &json!("/data"))
    );
    let env = json!(["PATH=/usr/bin:/usr/sbin", "A=image", "B=all", "C=all"]);
    assert_eq!(process["env"], env);
    assert_eq!(process["capabilities"]["bounding"], json!([]));
    assert_eq!(process["noNewPrivileges"], json!(true));
    assert_eq!(of_image["linux"]["namespaces"], json!([{"type": "mount"}]));
    assert_eq!(of_image["linux"]["rootfsPropagation"], json!("rprivate"));
    assert_eq!(
        of_image["root"],
        json!({"path": "rootfs", "readonly": true})
    );
}

#[test]
fn what_the_service_says_counts() {
    let own = ServiceSpec {
        args: vec!["--x".to_owned()],
        environment: vec!["PATH=/own".to_owned(), "C=own".to_owned()],
        gid: 7,
        groups: vec![8],
        capabilities: vec!["all".to_owned()],
        ..spec()
    };
    let process = |spec: &ServiceSpec| bundle(spec, &run()).expect("a bundle")["process"].clone();
    let told = process(&own);
    assert_eq!(told["args"], json!(["/usr/bin/etcd", "--x"]));
    assert_eq!(
        told["user"],
        json!({"uid": 0, "gid": 7, "additionalGids": [8]})
    );
    assert_eq!(
        told["env"],
        json!(["PATH=/own", "A=image", "B=all", "C=own"])
    );
    let all = json!(["CAP_CHOWN", "CAP_NET_ADMIN"]);
    for set in [
        "bounding",
        "effective",
        "inheritable",
        "permitted",
        "ambient",
    ] {
        assert_eq!(told["capabilities"][set], all, "{set}");
    }
    assert_eq!(told["noNewPrivileges"], json!(false));
    let program = ServiceSpec {
        program: "/bin/other".to_owned(),
        ..spec()
    };
    assert_eq!(process(&program)["args"], json!(["/bin/other"]));
}

#[test]
fn mounts_are_as_they_are_told_above_what_every_container_has() {
    let mount = |source: &str, target: &str, read_only, propagation| ServiceMount {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
        propagation,
    };
    let kubelet = ServiceSpec {
        mounts: vec![
            mount("/dev", "/dev", false, MountPropagation::Slave),
            mount(
                "/var/lib/kubelet",
                "/var/lib/kubelet",
                false,
                MountPropagation::Shared,
            ),
            mount("/etc/x", "/etc/x", true, MountPropagation::Private),
            mount("", "/tmp", false, MountPropagation::Private),
        ],
        ..spec()
    };
    let bundle = bundle(&kubelet, &run()).expect("a bundle");
    let mounts = bundle["mounts"].as_array().expect("a list");
    let told: Vec<_> = mounts
        .iter()
        .map(|it| (it["destination"].clone(), it["options"][1].clone()))
        .collect();
    let wanted = [
        ("/proc", "rprivate"),
        ("/sys", "rro"),
        ("/dev", "rslave"),
        ("/var/lib/kubelet", "rshared"),
        ("/etc/x", "rprivate"),
        ("/tmp", "nodev"),
    ];
    let wanted = wanted.map(|(target, option)| (json!(target), json!(option)));
    assert_eq!(told, wanted);
    assert_eq!(mounts[4]["options"], json!(["rbind", "rprivate", "rro"]));
    assert_eq!(bundle["linux"]["rootfsPropagation"], json!("rshared"));
}

#[test]
fn what_nobody_says_is_asked_for() {
    let error = bundle(&spec(), &Run::default()).expect_err("no program");
    assert!(matches!(error, BundleError::Program), "{error}");
    let named = Run {
        user: "etcd".to_owned(),
        ..run()
    };
    let error = bundle(&spec(), &named).expect_err("a name");
    assert!(error.to_string().contains("\"etcd\""), "{error}");
    let numbered = ServiceSpec { uid: 5, ..spec() };
    bundle(&numbered, &named).expect("the service says it");
}
