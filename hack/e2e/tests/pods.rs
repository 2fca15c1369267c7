//! A node finds the images on a disk or medium that it was given, starts a pod from them without a registry, and the pod outlives
//! whoever started it; when the disk goes, so do the images.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::PROBE;
use e2e::services::{is, until};
use e2e::{Agent, Lab, Node, agent, loss, places, volumes};
use provision::{Boot, Bus, Disk, Medium, VmSpec};
use serde_json::Value;

/// The runtime takes most of it; what the agent carries lies in it too.
const MEMORY: u32 = 1024;

/// As much as a node's own disk has to hold, and some.
const DISK: u64 = 4 << 30;

/// What has the node start the runtime.
const ARGUMENT: &str = " garboard.services=/usr/lib/garboard/services/kubernetes";

/// How long one try to ask it may take.
const LOOK: Duration = Duration::from_secs(5);

/// Where the probe answers.
const PORT: u16 = 8080;

/// What holds the namespaces of a pod; made with the product, so of its version.
const PAUSE: &str = concat!("garboard.internal/pause:", env!("CARGO_PKG_VERSION"));

/// Where the runtime's shims are, so that they outlive it.
const SHIMS: &str = "/sys/fs/cgroup/system/shims/cgroup.procs";

/// The pod in the form of the container runtime interface (its api.proto); 2 is the node's own network.
const POD: &str = r#"{"metadata":{"name":"probe","namespace":"default","uid":"0"},"linux":{"security_context":{"namespace_options":{"network":2}}}}"#;

fn machine(lab: &Lab) -> Result<VmSpec> {
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::system(DISK));
    vm.disks.push(Disk::bundle(places::bundle()?));
    vm.ports.push(PORT);
    if let Boot::Direct { cmdline, .. } = &mut vm.boot {
        cmdline.push_str(ARGUMENT);
    }
    agent::equip_with(lab, &mut vm, &[("crictl", &places::crictl()?)])?;
    Ok(vm)
}

#[test]
fn a_pod_starts_from_a_disk_and_outlives_who_started_it() -> Result<()> {
    let lab = Lab::new(1)?;
    let mut node = lab.node(&places::cloud()?, machine(&lab)?)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure_with(volumes::SYSTEM_DISK)?;
    volumes::ready(&lab)?;
    the_images_are_there(&lab)?;
    runs(&lab, &mut agent)?;

    let pod = Pod::start(&mut agent)?;
    let address = node.cluster.vm(&node.name)?.endpoint(PORT);
    let address = address.context("the port is not forwarded")?;
    answers(&lab, address)?;
    let probe = agent.ask_one("pid probe")?;
    let shim = agent.ask_one("pid containerd-shim")?;
    let shims = agent.ask(&format!("read {SHIMS}"))?;
    ensure!(shims.contains(&shim), "{shim} is not among {shims:?}");

    for daemon in ["containerd", "machined"] {
        loss::kill(&lab, &mut agent, daemon)?;
        runs(&lab, &mut agent)?;
        ensure!(agent.ask_one("pid probe")? == probe, "it is another one");
        ensure!(
            pod.running(&mut agent)? == [pod.container.as_str()],
            "{daemon} does not find it again"
        );
        answers(&lab, address)?;
    }
    mounted_once(&lab)?;

    pod.end(&mut agent)?;
    ensure!(agent.ask("pid probe").is_err(), "it goes on");
    // The runtime does not wait for the end of a shim that it has told to end.
    let left = |agent: &mut Agent| agent.ask(&format!("read {SHIMS}"));
    let none = lab
        .change_deadline()
        .until(|| left(&mut agent).ok().filter(Vec::is_empty));
    none.with_context(|| format!("shims are left: {:?}", left(&mut agent)))?;
    the_images_go_and_come_with_their_disk(&lab, &node, &mut agent)
}

/// A pod with a probe in it.
struct Pod {
    id: String,
    container: String,
}

impl Pod {
    fn start(agent: &mut Agent) -> Result<Self> {
        crictl(agent, &format!("pull {PROBE}"))?;
        let container = format!(
            r#"{{"metadata":{{"name":"probe"}},"image":{{"image":"{PROBE}"}},"args":["http"]}}"#
        );
        agent.ask(&format!("create /run/pod.json {POD}"))?;
        agent.ask(&format!("create /run/container.json {container}"))?;
        let id = crictl(agent, "runp /run/pod.json")?;
        let create = format!("create {id} /run/container.json /run/pod.json");
        let container = crictl(agent, &create)?;
        crictl(agent, &format!("start {container}"))?;
        let pod = Self { id, container };
        let running = pod.running(agent)?;
        ensure!(running == [pod.container.as_str()], "{running:?} run");
        let images = crictl(agent, "images -o json")?;
        for image in [PAUSE, PROBE] {
            ensure!(images.contains(image), "{image} is not in {images}");
        }
        let url = format!("http://127.0.0.1:{PORT}/from/within");
        let told = crictl(
            agent,
            &format!("exec -s {} /usr/bin/probe get {url}", pod.container),
        )?;
        ensure!(told.contains("/from/within"), "{told}");
        Ok(pod)
    }

    /// The containers that run, by what the runtime says.
    fn running(&self, agent: &mut Agent) -> Result<Vec<String>> {
        let ids = crictl(agent, &format!("ps -q --no-trunc --pod {}", self.id))?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    fn end(self, agent: &mut Agent) -> Result<()> {
        crictl(agent, &format!("stopp {}", self.id))?;
        crictl(agent, &format!("rmp {}", self.id))?;
        let left = crictl(agent, "ps -a -q")?;
        ensure!(left.is_empty(), "{left} is left");
        Ok(())
    }
}

/// Asks the runtime as kubelet does; what it said.
fn crictl(agent: &mut Agent, line: &str) -> Result<String> {
    let socket = "unix:///run/containerd/containerd.sock";
    // A machine without a processor that helps is slow, and nothing here waits for a network.
    let options = format!("--runtime-endpoint {socket} --timeout 120s");
    let said = agent.ask(&format!("run carried crictl {options} {line}"))?;
    Ok(said.join("\n").trim().to_owned())
}

/// Waits until the runtime is well, and answers: it listens before it has looked what runs. It may take as long as a boot.
fn runs(lab: &Lab, agent: &mut Agent) -> Result<()> {
    let well = |said: &str| said.contains("\"health\": \"healthy\"");
    let deadline = lab.boot_deadline();
    lab.osctl_within(deadline, "get services containerd -o json", well)?;
    until(lab, "containerd", |it| is(it, "state", "running"))?;
    let mut last = None;
    let answered = lab.change_deadline().until(|| {
        let answer = crictl(agent, "ps -q");
        last = answer.as_ref().err().map(ToString::to_string);
        answer.ok()
    });
    answered.with_context(|| format!("the runtime does not answer: {last:?}"))?;
    Ok(())
}

/// Waits until the probe answers from outside the machine.
fn answers(lab: &Lab, address: SocketAddr) -> Result<()> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, LOOK)?;
        // QEMU takes a connection before the machine does.
        stream.set_read_timeout(Some(LOOK))?;
        stream
            .write_all(b"GET /from/outside HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let heard = || ask().ok().filter(|it| it.contains("/from/outside"));
    let deadline = lab.change_deadline();
    deadline.until(heard).context("the probe does not answer")?;
    Ok(())
}

fn the_images_are_there(lab: &Lab) -> Result<()> {
    lab.osctl_until("get bundles -o json", |it| {
        it.contains("/run/garboard/bundles/") && it.contains("\"whole\"")
    })?;
    let images = lab.osctl("get imagecache -o json")?.fine()?;
    for image in [PAUSE, PROBE] {
        ensure!(images.contains(image), "{image} is not in {images}");
    }
    mounted_once(lab)
}

/// There is one mount of the bundle, for reading its content and nothing else.
fn mounted_once(lab: &Lab) -> Result<()> {
    let said = lab.osctl("get mounts -o json")?.fine()?;
    let mounts: Vec<Value> = serde_json::from_str(&said)?;
    let of_bundle = mounts.iter().map(Value::to_string);
    let of_bundle: Vec<_> = of_bundle
        .filter(|it| it.contains("/run/garboard/bundles/"))
        .collect();
    let [mount] = of_bundle.as_slice() else {
        anyhow::bail!("{of_bundle:#?}");
    };
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        ensure!(mount.contains(&format!("\"{option}\"")), "{mount}");
    }
    Ok(())
}

fn the_images_go_and_come_with_their_disk(
    lab: &Lab,
    node: &Node<'_>,
    agent: &mut Agent,
) -> Result<()> {
    let said = lab.osctl("get disks -o json")?.fine()?;
    let disks: Vec<Value> = serde_json::from_str(&said)?;
    let specs = disks.iter().filter_map(|it| it.get("spec"));
    let mut bundles = specs.filter(|it| is(it, "serial", "bundle"));
    let place = bundles.next().and_then(|it| it.get("busPath"));
    let place = place.and_then(Value::as_str);
    let place = place.with_context(|| format!("{} has no bundle: {said}", node.name))?;
    agent.ask(&format!("write /sys/bus/pci/devices/{place}/remove 1"))?;
    let none = |said: &str| said.trim() == "[]";
    lab.osctl_until("get bundles -o json", none)?;
    lab.osctl_until("get imagecache -o json", none)?;
    lab.osctl_until("get mounts -o json", |it| {
        !it.contains("/run/garboard/bundles/")
    })?;
    agent.ask("write /sys/bus/pci/rescan 1")?;
    the_images_are_there(lab)
}

#[test]
fn images_are_found_on_a_medium_beside_other_files() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let medium = lab.home().join("medium.iso");
    let bundle = std::fs::read(places::bundle()?).context("reading the bundle")?;
    std::fs::write(&medium, iso(&bundle)?).context("writing a medium")?;
    let mut vm = image.vm("node".parse()?, 512, Medium::Direct, false)?;
    vm.disks.push(Disk::shared(medium, Bus::Cdrom));
    let mut node = lab.node(&image, vm)?;
    node.configure()?;
    the_images_are_there(&lab)?;
    let bundles = lab.osctl("get bundles")?.fine()?;
    ensure!(bundles.contains("/run/garboard/bundles/sr0"), "{bundles}");
    Ok(())
}

/// A medium with the bundle where media have it, and nothing that is not needed to find it (ECMA-119).
fn iso(bundle: &[u8]) -> Result<Vec<u8>> {
    /// The length of a block, and the numbers of those with the descriptor, the root, the folder and the file.
    const BLOCK: usize = 2048;
    const PLACES: [u8; 4] = [16, 18, 19, 20];
    let record = |name: &str, place: u8, bytes: usize, flags: u8| -> Result<Vec<u8>> {
        let mut record = vec![0; 33];
        let length = u8::try_from(record.len() + name.len())?;
        let fields = [
            (0, vec![length]),
            (2, vec![place]),
            (10, u32::try_from(bytes)?.to_le_bytes().to_vec()),
            (25, vec![flags]),
            (32, vec![u8::try_from(name.len())?]),
        ];
        for (at, field) in fields {
            record.splice(at..at + field.len(), field);
        }
        record.extend(name.bytes());
        Ok(record)
    };
    let [descriptor, root, folder, file] = PLACES;
    let mut primary = b"\x01CD001\x01".to_vec();
    primary.resize(40, 0);
    primary.extend(b"SOMETHING ELSE                  ");
    primary.resize(128, 0);
    primary.extend(u16::try_from(BLOCK)?.to_le_bytes());
    primary.resize(156, 0);
    primary.extend(record("\0", root, BLOCK, 2)?);
    let mut image = Vec::new();
    for (place, content) in [
        (descriptor, primary.as_slice()),
        (root, &record("GARBOARD", folder, BLOCK, 2)?),
        (folder, &record("BUNDLE.IMG;1", file, bundle.len(), 0)?),
        (file, bundle),
    ] {
        image.resize(usize::from(place) * BLOCK, 0);
        image.extend(content);
    }
    image.resize(image.len().next_multiple_of(BLOCK), 0);
    Ok(image)
}
