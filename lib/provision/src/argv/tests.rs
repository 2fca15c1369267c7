//! Command lines are compared with the files beside this one; `GARBOARD_WRITE_GENERATED=1` writes them anew.

use std::path::PathBuf;

use super::*;
use crate::spec::{Disk, Nic};

const OLD: QemuVersion = QemuVersion { major: 7, minor: 2 };
const NEW: QemuVersion = QemuVersion {
    major: 10,
    minor: 0,
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// One option with its value per line.
fn render(argv: &[OsString]) -> String {
    let mut text = String::new();
    for word in argv {
        let word = word.to_str().unwrap();
        let option = word.starts_with('-') && !text.ends_with("-append");
        let gap = if option { "\n" } else { " " };
        text.push_str(if text.is_empty() { "" } else { gap });
        text.push_str(word);
    }
    text + "\n"
}

fn same(case: &str, argv: &[OsString]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/argv/{case}.argv"));
    let text = render(argv);
    if std::env::var_os("GARBOARD_WRITE_GENERATED").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{case}");
}

fn build(spec: &VmSpec, accel: Accel, version: QemuVersion) -> Vec<OsString> {
    let firmware = Firmware {
        code: "/fw/OVMF_CODE.fd".into(),
        vars: "/fw/OVMF_VARS.fd".into(),
    };
    let cluster = name("demo");
    machine(
        spec,
        Identity {
            cluster: &cluster,
            mac: "52:54:00:67:62:01",
            uuid: "00000000-0000-4000-8000-000000000001",
        },
        Means {
            accel,
            version,
            firmware: Some(&firmware),
            folder: Path::new("/clusters/demo"),
        },
    )
}

#[test]
fn direct() {
    let boot = Boot::Direct {
        kernel: "/i/vmlinuz".into(),
        initramfs: "/i/initramfs".into(),
        cmdline: "console=ttyS0 garboard.root=ab".to_owned(),
    };
    let mut spec = VmSpec::new(name("cp-1"), 512, boot);
    spec.disks = vec![
        Disk::shared("/i/rootfs,v1.img", Bus::Virtio),
        Disk::system(10 << 30),
        Disk::bundle("/i/bundle.img"),
    ];
    same("direct", &build(&spec, Accel::Tcg, OLD));
}

#[test]
fn iso_uefi_on_newer_qemu() {
    let boot = Boot::Iso {
        image: "/i/garboard.iso".into(),
        bus: Bus::Cdrom,
    };
    let mut spec = VmSpec::new(name("cp-1"), 512, boot);
    spec.uefi = true;
    spec.cpus = 2;
    same("iso-uefi", &build(&spec, Accel::Kvm, NEW));
}

#[test]
fn usb_stick_and_real_card_in_another_century() {
    let boot = Boot::Iso {
        image: "/i/garboard.iso".into(),
        bus: Bus::Usb,
    };
    let mut spec = VmSpec::new(name("metal"), 512, boot);
    spec.nic = Nic::E1000e;
    spec.clock = Some("2099-01-01T00:00:00".to_owned());
    spec.second_serial = true;
    same("usb-e1000e", &build(&spec, Accel::Tcg, OLD));
}

#[test]
fn pxe_with_disks_on_every_bus() {
    let mut spec = VmSpec::new(name("w-1"), 1024, Boot::Pxe);
    for bus in [Bus::Ahci, Bus::Nvme] {
        spec.disks.push(Disk::shared("/d.img", bus));
    }
    let between = QemuVersion { major: 8, minor: 2 };
    same("pxe", &build(&spec, Accel::Tcg, between));
}

#[test]
fn disks_of_its_own_on_every_bus() {
    let mut spec = VmSpec::new(name("w-1"), 1024, Boot::Disk);
    for bus in [Bus::Ahci, Bus::Nvme, Bus::Usb] {
        spec.disks.push(Disk::Own(OwnDisk::new(1 << 30, bus)));
    }
    spec.disks.push(Disk::Own(OwnDisk {
        serial: Some("WD-42".parse().unwrap()),
        ..OwnDisk::new(1 << 30, Bus::Nvme)
    }));
    spec.disks.push(Disk::Own(OwnDisk {
        record: true,
        ..OwnDisk::new(1 << 30, Bus::Virtio)
    }));
    same("own", &build(&spec, Accel::Tcg, OLD));
}

#[test]
fn network_of_two() {
    let network = |closed, fenced| {
        let out = Out {
            tftp: Some(Path::new("/i/pxe")),
            fenced,
            closed,
        };
        let vms = [name("cp-1"), name("w-1")];
        switch(&name("demo"), Path::new("/clusters/demo"), out, &vms)
    };
    same("switch", &network(false, false));
    same("switch-closed", &network(true, false));
    same("switch-fenced", &network(false, true));
}

#[test]
fn commas_in_paths_do_not_end_an_option() {
    assert_eq!(escape(Path::new("/a,b,,c")), "/a,,b,,,,c");
}
