//! Specs to command lines, purely.
//!
//! Every process runs in its cluster's folder, so sockets have short relative names: a socket's path has room for 108
//! bytes only, a home folder's for more. `-pidfile` alone is absolute: it is what tells our processes from others (see
//! `process`).

use std::ffi::OsString;
use std::path::Path;

use crate::accel::Accel;
use crate::fence;
use crate::host::{Firmware, QemuVersion};
use crate::name::Name;
use crate::spec::{Boot, Bus, Disk, OwnDisk, Serial, VmSpec};

/// The name of the network's process and of its files; no machine can have it, since machines' files carry a prefix.
pub(crate) const SWITCH: &str = "switch";

/// The user network's name inside the switch.
pub(crate) const OUT: &str = "out";

/// The name of a machine's own end of its cable.
pub(crate) const NETWORK: &str = "net";

/// What a machine is besides its spec: chosen once, when the cluster is made.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The cluster.
    pub cluster: &'a Name,
    /// The card's address.
    pub mac: &'a str,
    /// The machine's SMBIOS UUID.
    pub uuid: &'a str,
}

/// What the host gives.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// How it runs.
    pub accel: Accel,
    /// The emulator's version.
    pub version: QemuVersion,
    /// Firmware, for machines with UEFI.
    pub firmware: Option<&'a Firmware>,
    /// The cluster's folder.
    pub folder: &'a Path,
}

/// Where the network of a cluster leads to, besides its machines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Out<'a> {
    /// The folder that it serves by TFTP.
    pub tftp: Option<&'a Path>,
    /// Whether there is a fence between the machines and the way out.
    pub fenced: bool,
    /// Neither to this host nor to the world: leases have no router and no resolver then. Ports that are forwarded to
    /// machines, leases and TFTP are not touched by that.
    pub closed: bool,
}

/// A machine's files and sockets inside the cluster's folder.
pub(crate) fn stem(vm: &Name) -> String {
    format!("vm-{vm}")
}

/// The file with everything a machine wrote to its serial console.
pub(crate) fn console_log(vm: &Name) -> String {
    format!("console-{vm}.log")
}

/// The socket of a machine's second serial port.
pub(crate) fn second_serial(vm: &Name) -> String {
    format!("{}.second", stem(vm))
}

/// The file of a disk that is of one machine alone; `number` counts all disks of the machine.
pub(crate) fn disk_file(vm: &Name, number: usize) -> String {
    format!("{}.disk{number}", stem(vm))
}

/// The file with everything that was done to a disk, when it is recorded.
pub(crate) fn record_file(vm: &Name, number: usize) -> String {
    format!("{}.record{number}", stem(vm))
}

/// What QEMU calls a disk's file, and everything below it.
pub(crate) fn disk_node(number: usize) -> String {
    format!("disk{number}")
}

/// What QEMU calls the device that the machine sees of a disk of its own.
pub(crate) fn disk_device(number: usize) -> String {
    format!("device-disk{number}")
}

/// The hub port of a machine, by which its cable is pulled.
pub(crate) fn hub_port(vm: &Name) -> String {
    format!("hub-{vm}")
}

/// The filter of a machine's port that holds its frames back.
pub(crate) fn slow(vm: &Name) -> String {
    format!("slow-{vm}")
}

/// The switch: a QEMU without a machine, whose hub joins one stream per machine and the way out.
pub fn switch(cluster: &Name, folder: &Path, out: Out<'_>, vms: &[Name]) -> Vec<OsString> {
    let mut argv = Argv::new(&format!("{cluster}-{SWITCH}"), folder, SWITCH);
    argv.words(["-machine", "none"]);
    let mut user = OsString::from(format!("user,id={OUT}"));
    if out.closed {
        user.push(",restrict=on");
    }
    if let Some(tftp) = out.tftp {
        user.push(",tftp=");
        user.push(escape(tftp));
        user.push(",bootfile=boot.ipxe");
    }
    argv.pair("-netdev", user);
    let hub = u8::from(out.fenced);
    argv.pair(
        "-netdev",
        format!("hubport,id=hub-{OUT},hubid={hub},netdev={OUT}"),
    );
    if out.fenced {
        for (hub, side, socket) in [(1, "outer", fence::OUTER), (0, "inner", fence::INNER)] {
            argv.pair(
                "-netdev",
                format!("stream,id={side},server=off,addr.type=unix,addr.path={socket}"),
            );
            argv.pair(
                "-netdev",
                format!("hubport,id=hub-{side},hubid={hub},netdev={side}"),
            );
        }
    }
    for vm in vms {
        let stem = stem(vm);
        argv.pair(
            "-netdev",
            format!("stream,id={stem},server=on,addr.type=unix,addr.path={stem}.net"),
        );
        argv.pair(
            "-netdev",
            format!("hubport,id={},hubid=0,netdev={stem}", hub_port(vm)),
        );
    }
    argv.0
}

/// A machine.
pub fn machine(spec: &VmSpec, identity: Identity<'_>, means: Means<'_>) -> Vec<OsString> {
    let stem = stem(&spec.name);
    let mut argv = Argv::new(
        &format!("{}-{}", identity.cluster, spec.name),
        means.folder,
        &stem,
    );
    argv.words(["-machine", "q35"]);
    match means.accel {
        Accel::Kvm => argv.words(["-accel", "kvm", "-cpu", "host"]),
        // Without cx16: the translation of cmpxchg16b in QEMU 7.2 now and then leaves garbage in the flags, and the
        // kernel's allocator, which uses the instruction when it is offered, dies of a double fault (4 of 20 boots
        // under load, 0 of 30 without it). No wider model either: translated SIMD is slower than none.
        Accel::Tcg => argv.words(["-accel", "tcg,thread=multi", "-cpu", "qemu64,-cx16"]),
    }
    argv.pair("-m", spec.memory.to_string());
    argv.pair("-smp", spec.cpus.to_string());
    argv.pair("-uuid", identity.uuid);
    argv.pair("-rtc", clock(spec.clock.as_deref()));
    argv.pair(
        "-chardev",
        format!(
            "socket,id=console,path={stem}.console,server=on,wait=off,logfile={},logappend=on",
            console_log(&spec.name)
        ),
    );
    argv.words(["-serial", "chardev:console"]);
    if spec.second_serial {
        let socket = second_serial(&spec.name);
        argv.pair(
            "-chardev",
            format!("socket,id=second,path={socket},server=on,wait=off"),
        );
        argv.words(["-serial", "chardev:second"]);
    }
    argv.words(["-device", "virtio-rng-pci"]);
    // The one watchdog that both kernels have a driver for; a machine it resets starts again.
    argv.words(["-device", "i6300esb", "-action", "watchdog=reset"]);
    if let Some(firmware) = means.firmware.filter(|_| spec.uefi) {
        argv.firmware(firmware, &stem);
    }
    argv.network(spec, identity, means.version);
    argv.boot(spec);
    argv.0
}

/// A base in the virtual machine's own time: QEMU keeps the distance to the host's time in 32 bits, which a base more
/// than 68 years away overflows.
fn clock(base: Option<&str>) -> String {
    base.map_or_else(
        || "base=utc".to_owned(),
        |base| format!("base={base},clock=vm"),
    )
}

/// A comma ends an option; a doubled one stands for itself.
fn escape(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = Vec::with_capacity(path.as_os_str().len());
    for byte in path.as_os_str().as_bytes() {
        bytes.extend(std::iter::repeat_n(
            *byte,
            if *byte == b',' { 2 } else { 1 },
        ));
    }
    OsString::from_vec(bytes)
}

/// A command line under construction.
struct Argv(Vec<OsString>);

impl Argv {
    fn new(name: &str, folder: &Path, stem: &str) -> Self {
        let mut argv = Self(Vec::new());
        argv.pair("-name", format!("garboard-{name}"));
        argv.pair("-pidfile", folder.join(format!("{stem}.pid")));
        argv.words(["-nodefaults", "-no-user-config"]);
        argv.words(["-display", "none"]);
        argv.pair("-qmp", format!("unix:{stem}.qmp,server=on,wait=off"));
        argv
    }

    fn words<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.push(option.into());
        self.0.push(value.into());
    }

    fn firmware(&mut self, firmware: &Firmware, stem: &str) {
        let mut code = OsString::from("if=pflash,unit=0,format=raw,readonly=on,file=");
        code.push(escape(&firmware.code));
        self.pair("-drive", code);
        self.pair(
            "-drive",
            format!("if=pflash,unit=1,format=raw,file={stem}.vars"),
        );
    }

    fn network(&mut self, spec: &VmSpec, identity: Identity<'_>, version: QemuVersion) {
        let stem = stem(&spec.name);
        let mut stream =
            format!("stream,id={NETWORK},server=off,addr.type=unix,addr.path={stem}.net");
        // Older ones connect once, which is why the switch is always started first.
        match (version.major, version.minor) {
            (..=7, _) => {}
            (8, _) | (9, ..=1) => stream.push_str(",reconnect=1"),
            _ => stream.push_str(",reconnect-ms=500"),
        }
        self.pair("-netdev", stream);
        let mut card = format!(
            "{},netdev={NETWORK},mac={}",
            spec.nic.device(),
            identity.mac
        );
        // The card's own boot program is needed for PXE alone; without it nothing of iPXE has to be installed.
        card.push_str(if spec.boot == Boot::Pxe {
            ",bootindex=0"
        } else {
            ",romfile="
        });
        self.pair("-device", card);
    }

    fn boot(&mut self, spec: &VmSpec) {
        match &spec.boot {
            Boot::Direct {
                kernel,
                initramfs,
                cmdline,
            } => {
                self.pair("-kernel", kernel);
                self.pair("-initrd", initramfs);
                self.pair("-append", cmdline);
            }
            Boot::Iso { image, bus } => self.shared_disk("medium", image, *bus, None, Some(0)),
            Boot::Pxe | Boot::Disk => {}
        }
        for (number, disk) in spec.disks.iter().enumerate() {
            let id = disk_node(number);
            let first = (spec.boot == Boot::Disk && number == 0).then_some(0);
            match disk {
                Disk::Shared { file, bus, serial } => {
                    self.shared_disk(&id, file, *bus, serial.as_ref(), first);
                }
                Disk::Own(own) => {
                    let file = disk_file(&spec.name, number);
                    let record = own.record.then(|| record_file(&spec.name, number));
                    self.own_disk(number, &file, record.as_deref(), own, first);
                }
            }
        }
    }

    /// A disk that the machine never writes: one that must look writable gets a layer that is thrown away.
    fn shared_disk(
        &mut self,
        id: &str,
        file: &Path,
        bus: Bus,
        serial: Option<&Serial>,
        bootindex: Option<u32>,
    ) {
        let guard = match bus {
            Bus::Ahci => "snapshot=on",
            Bus::Virtio | Bus::Cdrom | Bus::Usb | Bus::Nvme => "readonly=on",
        };
        let mut drive = OsString::from(format!("if=none,id={id},format=raw,{guard},file="));
        drive.push(escape(file));
        self.pair("-drive", drive);
        let serial = serial.map(|it| format!("serial={it}"));
        // An NVMe drive must have one.
        let serial = serial.or_else(|| (bus == Bus::Nvme).then(|| format!("serial={id}")));
        self.drive(id, bus, bootindex, serial.as_slice());
    }

    /// A disk that the machine writes. Writes stay in the host's memory until the machine flushes them, and what it
    /// discards leaves the file.
    fn own_disk(
        &mut self,
        number: usize,
        file: &str,
        record: Option<&str>,
        disk: &OwnDisk,
        bootindex: Option<u32>,
    ) {
        let id = disk_node(number);
        let layers = record.map_or_else(
            || format!("driver=file,filename={file},cache.direct=off"),
            // It goes on after the record of earlier starts, and counts every entry at once: the last ones before the
            // machine ends count too. It need not survive the host, so it is not flushed each time it counts.
            |record| {
                format!(
                    "driver=blklogwrites,log-append=on,log-super-update-interval=1,\
                     file.driver=file,file.filename={file},file.cache.direct=off,file.discard=unmap,\
                     log.driver=file,log.filename={record},log.cache.no-flush=on"
                )
            },
        );
        self.pair(
            "-blockdev",
            format!("{layers},node-name={id},discard=unmap"),
        );
        let mut options = vec![format!("id={}", disk_device(number))];
        match (&disk.serial, disk.bus) {
            (Some(serial), _) => options.push(format!("serial={serial}")),
            (None, Bus::Nvme) => options.push(format!("serial={id}")),
            (None, _) => {}
        }
        if disk.bus != Bus::Nvme {
            // A host without room stops the machine otherwise, which looks like a machine that hangs.
            options.push("werror=report".to_owned());
        }
        if record.is_some() {
            // Zeros are recorded in two parts, which older ones let others come between; and with the record's own part, a
            // write that QEMU has put together of several can be of more parts than the host's kernel takes at once.
            options.push("write-zeroes=off,request-merging=off".to_owned());
        }
        self.drive(&id, disk.bus, bootindex, &options);
    }

    /// What the machine sees of a disk.
    fn drive(&mut self, id: &str, bus: Bus, bootindex: Option<u32>, more: &[String]) {
        let device = match bus {
            Bus::Virtio => "virtio-blk-pci",
            Bus::Ahci => "ide-hd",
            Bus::Cdrom => "ide-cd",
            Bus::Usb => "usb-storage",
            Bus::Nvme => "nvme",
        };
        let mut options = format!("{device},drive={id}");
        if bus == Bus::Usb {
            self.pair("-device", format!("qemu-xhci,id=usb-{id}"));
            options.push_str(&format!(",bus=usb-{id}.0,removable=on"));
        }
        for option in more {
            options.push_str(&format!(",{option}"));
        }
        if let Some(index) = bootindex {
            options.push_str(&format!(",bootindex={index}"));
        }
        self.pair("-device", options);
    }
}

#[cfg(test)]
mod tests;
