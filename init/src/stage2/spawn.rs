//! Starting a daemon with no more rights than it needs.
//!
//! Owns: what each daemon may do, and the steps between fork and exec that see to it. Never restarts.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use caps::{CapSet, Capability, CapsHashSet};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, setgid, setgroups, setsid, setuid};
use std::os::fd::AsRawFd as _;
use sys::child::{self, SpawnError};
use sys::link::{self, DaemonEnd, Start};

use super::cgroup;
use crate::BEGAN_ENV;
use crate::supervise::Daemon;

/// Where the daemons' output goes; machined cuts the files when they grow.
pub(super) const LOGS: &str = "/run/garboard/logs";
/// networkd's user and group.
const NETWORKD_ID: u32 = 50;
/// Our daemons are the last ones that the kernel kills for memory, short of never.
const OOM_SCORE: &str = "-900";

/// What networkd may do: links and addresses, DHCP's raw sockets, DHCP's low port.
const NETWORKD_KEEPS: [Capability; 3] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_NET_BIND_SERVICE,
];

/// What machined and everything it starts can never do. The rest it needs itself, or a privileged pod may ask for.
const MACHINED_DROPS: [Capability; 6] = [
    // init alone ends the machine.
    Capability::CAP_SYS_BOOT,
    // Process accounting writes files as root for ever.
    Capability::CAP_SYS_PACCT,
    // There are no terminals to hang up.
    Capability::CAP_SYS_TTY_CONFIG,
    // A node does not sleep, so nothing may wake it or keep it from it.
    Capability::CAP_WAKE_ALARM,
    Capability::CAP_BLOCK_SUSPEND,
    // Smack is not in use.
    Capability::CAP_MAC_OVERRIDE,
];

/// Why a daemon was not started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("open the log")]
    Log(#[source] io::Error),
    #[error("run {0}")]
    Spawn(String, #[source] SpawnError),
}

/// Starts a daemon; its end of the link is already filled. Gives the process id.
pub(super) fn start(
    daemon: Daemon,
    end: DaemonEnd,
    start: &Start,
    began: &str,
) -> Result<u32, StartError> {
    let name = daemon.name();
    let log = File::options()
        .append(true)
        .create(true)
        .open(Path::new(LOGS).join(format!("{name}.log")));
    let log = log.map_err(StartError::Log)?;
    let output = log.try_clone().map_err(StartError::Log)?;
    // Without control groups it still runs, in init's.
    let group = File::options()
        .write(true)
        .open(cgroup::procs_file(name))
        .ok();
    let program = format!("/usr/bin/{name}");
    let mut command = Command::new(&program);
    command
        .args(start.safe.then_some("--safe"))
        .env_clear()
        .env("PATH", "/usr/bin:/usr/sbin")
        .env(BEGAN_ENV, began)
        .env(link::ENV, end.as_raw_fd().to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(log);
    let confine = confine(daemon);
    let setup = move || set_up(&end, group.as_ref()).and_then(|()| confine());
    child::spawn(&mut command, setup).map_err(|error| StartError::Spawn(program, error))
}

/// The steps for every daemon.
fn set_up(end: &DaemonEnd, group: Option<&File>) -> io::Result<()> {
    if let Some(mut group) = group {
        // The group may have been removed meanwhile; init's is then good enough.
        io::Write::write_all(&mut group, b"0").ok();
    }
    SigSet::empty().thread_set_mask()?;
    setsid()?;
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // The hard limit is the kernel's own (fs.nr_open): services inherit it and lower it themselves.
    setrlimit(Resource::RLIMIT_NOFILE, 65_536, 1_048_576)?;
    fcntl(end, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// The last steps: giving up rights.
fn confine(daemon: Daemon) -> fn() -> io::Result<()> {
    match daemon {
        Daemon::Machined => || {
            let drops: CapsHashSet = MACHINED_DROPS.into_iter().collect();
            bound(|capability| !drops.contains(&capability))
        },
        Daemon::Networkd => || {
            let keeps: CapsHashSet = NETWORKD_KEEPS.into_iter().collect();
            bound(|capability| keeps.contains(&capability))?;
            become_user(&keeps)?;
            prctl::set_no_new_privs()?;
            Ok(())
        },
    }
}

/// Takes everything out of the bounding set that `keeps` does not want.
fn bound(keeps: impl Fn(Capability) -> bool) -> io::Result<()> {
    for capability in caps::all() {
        // One that this kernel does not know cannot be held either.
        let held = caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false);
        if held && !keeps(capability) {
            caps::drop(None, CapSet::Bounding, capability).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// Changes the user and keeps these capabilities over the change and over exec.
fn become_user(keeps: &CapsHashSet) -> io::Result<()> {
    prctl::set_keepcaps(true)?;
    setgroups(&[])?;
    setgid(Gid::from_raw(NETWORKD_ID))?;
    setuid(Uid::from_raw(NETWORKD_ID))?;
    for set in [CapSet::Permitted, CapSet::Inheritable, CapSet::Effective] {
        caps::set(None, set, keeps).map_err(io::Error::other)?;
    }
    for capability in keeps {
        caps::raise(None, CapSet::Ambient, *capability).map_err(io::Error::other)?;
    }
    Ok(())
}
