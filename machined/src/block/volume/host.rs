//! What the plan needs of this machine: looking at disks, writing to them, and the programs of e2fsprogs.

mod mounting;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::syncfs;
use procfs::process::{MountInfo, Process};
use resources::block::Disk;
use sys::partitions;

use super::device::{HostError, device, file_systems, is_held, open, write};
use super::layout::{MIB, Volume};
use super::meta;
use super::partition;
use super::plan::{Seen, Step};
use super::table::{self, Ends, Found, Piece};

/// Where the programs' words go; `osctl logs disk` shows them.
const LOG: &str = "disk";
/// e2fsck: all is well, or was mended (e2fsck(8), EXIT CODE).
const MENDED: [i32; 2] = [0, 1];

/// The mounted volumes of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounted {
    /// All of them.
    pub(super) volumes: BTreeSet<Volume>,
    /// Those that the kernel lets nobody write any more, since their disk failed.
    pub(super) stopped: BTreeSet<Volume>,
}

/// This machine.
#[derive(Debug)]
pub(super) struct Host {
    run: PathBuf,
    state: PathBuf,
    ephemeral: PathBuf,
}

impl Host {
    /// Works in `run`, and mounts STATE and EPHEMERAL at those places.
    pub(super) fn new(run: &Path, state: &Path, ephemeral: &Path) -> Self {
        Self {
            run: run.to_owned(),
            state: state.to_owned(),
            ephemeral: ephemeral.to_owned(),
        }
    }

    /// Where a volume is mounted when it is; `None` for those that never are.
    pub(super) fn place(&self, volume: Volume) -> Option<&Path> {
        match volume {
            Volume::State => Some(&self.state),
            Volume::Ephemeral => Some(&self.ephemeral),
            Volume::Efi | Volume::RootA | Volume::RootB | Volume::Meta => None,
        }
    }

    /// Looks at a disk of this kernel's name.
    pub(super) fn look(&self, name: &str, disk: &Disk) -> Result<Seen, HostError> {
        let file = File::open(&disk.path).map_err(open(&disk.path))?;
        let read = |at: u64, bytes: u64| {
            let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
            let done = file.read_exact_at(&mut buffer, at);
            done.map(|()| buffer)
                .map_err(|source| HostError::Read(disk.path.clone(), source))
        };
        let end = disk.bytes.min(MIB);
        let head = read(0, end)?;
        let head_is_blank = head.iter().all(|byte| *byte == 0);
        let tail = read(disk.bytes - end, end)?;
        let ends = Ends {
            disk_bytes: disk.bytes,
            sector: u64::from(disk.sector_bytes.max(512)),
            head,
            tail,
        };
        let has_notes = disk.bytes >= Volume::Meta.start() + meta::BYTES as u64;
        let notes = match has_notes {
            true => read(Volume::Meta.start(), meta::BYTES as u64)?,
            false => Vec::new(),
        };
        let found = table::read(&ends);
        let known = match &found {
            Found::Table { table, .. } => partition::are_known(&disk.path, table),
            Found::Blank | Found::Other(_) => true,
        };
        Ok(Seen {
            name: name.to_owned(),
            bytes: disk.bytes,
            held: is_held(&disk.path),
            found,
            known,
            head_is_blank,
            notes: meta::read(&notes),
            file_systems: file_systems(&disk.path),
        })
    }

    /// The volumes of a disk that are mounted where they belong. Looking touches no disk.
    pub(super) fn mounted(&self, disk: &str) -> Result<Mounted, HostError> {
        let own = Process::myself().and_then(|this| this.mountinfo());
        let mounts = own.map_err(HostError::Mounts)?.0;
        Ok(self.mounted_of(disk, &mounts))
    }

    /// The same, of what is mounted.
    pub(super) fn mounted_of(&self, disk: &str, mounts: &[MountInfo]) -> Mounted {
        let mut found = Mounted::default();
        for volume in Volume::MOUNTED {
            let device = device(disk, volume);
            let mount = mounts.iter().find(|it| {
                it.mount_source.as_deref() == Some(&device)
                    && Some(it.mount_point.as_path()) == self.place(volume)
            });
            found.volumes.extend(mount.map(|_| volume));
            // Nobody mounts them like that: the kernel does it when it fails to write what it must.
            let stopped = mount.filter(|it| it.super_options.contains_key("ro"));
            found.stopped.extend(stopped.map(|_| volume));
        }
        found
    }

    /// Whether what is written to a mounted volume can be kept. A kernel that could not keep something notices that at the
    /// next change only, and says nothing; a disk without anything to keep has nothing to do.
    pub(super) fn keeps(&self, volume: Volume) -> bool {
        let synced = |place| {
            let folder = File::open(place).map_err(|error| error.raw_os_error());
            syncfs(folder?).map_err(|errno| Some(errno as i32))
        };
        // These are not the disk's fault.
        let innocent = [
            Errno::ENOSPC,
            Errno::EDQUOT,
            Errno::ENOMEM,
            Errno::EMFILE,
            Errno::ENFILE,
        ];
        match self.place(volume).map(synced) {
            Some(Err(code)) => {
                let errno = Errno::from_raw(code.unwrap_or_default());
                tracing::error!(volume = volume.name(), %errno, "a volume cannot be flushed");
                innocent.contains(&errno)
            }
            Some(Ok(())) | None => true,
        }
    }

    /// Takes a step on the disk at this path; says what of it an operator should know.
    pub(super) fn take(&self, step: &Step, disk: &Disk, seen: &Seen) -> Result<String, HostError> {
        let path = disk.path.as_str();
        match step {
            Step::Note(meta) => write(path, &[meta::piece(&seen.notes, meta)])?,
            Step::Clear => {
                let mebibyte = disk.bytes.min(MIB);
                let zeros = |at| Piece {
                    at,
                    bytes: vec![0; usize::try_from(mebibyte).unwrap_or_default()],
                };
                write(path, &[zeros(0), zeros(disk.bytes - mebibyte)])?;
            }
            Step::Partition(table) => partition::write(disk, table)?,
            Step::Announce(table) => partition::announce(path, table)?,
            Step::Empty(volume) => {
                let bytes = vec![0; usize::try_from(MIB).unwrap_or_default()];
                write(&device(path, *volume), &[Piece { at: 0, bytes }])?;
            }
            Step::Make(volume) => self.make(path, *volume)?,
            Step::Check(volume) => return self.check(path, *volume),
            Step::Mount(volume) => self.mount(path, *volume)?,
            Step::Grow(volume) => {
                let device = device(path, *volume);
                let code = self.run("resize2fs", &[&device])?;
                if code != Some(0) {
                    return Err(HostError::Program("resize2fs", ended(code)));
                }
            }
        }
        Ok(String::new())
    }

    /// Makes a disk blank: both ends of it and of each of its partitions, and the place of our notes.
    pub(super) fn wipe(&self, disk: &Disk, seen: &Seen) -> Result<(), HostError> {
        let mebibyte = disk.bytes.min(MIB);
        let mut places = vec![0, disk.bytes - mebibyte];
        if let Found::Table { table, .. } = &seen.found {
            for it in &table.partitions {
                places.extend([
                    it.start,
                    it.start.saturating_add(it.bytes).saturating_sub(MIB),
                ]);
            }
        }
        if disk.bytes > Volume::Meta.start() + meta::BYTES as u64 + MIB {
            places.extend([0, meta::APART].map(|it| Volume::Meta.start() + u64::from(it)));
        }
        places.retain(|at| {
            at.checked_add(mebibyte)
                .is_some_and(|end| end <= disk.bytes)
        });
        let zeros = vec![0; usize::try_from(mebibyte).unwrap_or_default()];
        let pieces = places.into_iter().map(|at| Piece {
            at,
            bytes: zeros.clone(),
        });
        write(&disk.path, &pieces.collect::<Vec<_>>())?;
        let file = File::open(&disk.path).map_err(open(&disk.path))?;
        partitions::read_again(&file)
            .map_err(|errno| HostError::Partitions(disk.path.clone(), errno))
    }

    fn make(&self, disk: &str, volume: Volume) -> Result<(), HostError> {
        let device = device(disk, volume);
        let arguments = [
            "-F",
            "-q",
            "-t",
            "ext4",
            "-m",
            "1",
            "-L",
            volume.name(),
            &device,
        ];
        match self.run("mke2fs", &arguments)? {
            Some(0) => Ok(()),
            code => Err(HostError::Program("mke2fs", ended(code))),
        }
    }

    /// Checks a file system, mending what can be mended without asking, then what cannot: there is nobody to ask, and what
    /// counts on STATE proves itself by its hash.
    fn check(&self, disk: &str, volume: Volume) -> Result<String, HostError> {
        let device = device(disk, volume);
        match self.run("e2fsck", &["-p", &device])? {
            Some(0) => return Ok(String::new()),
            Some(code) if MENDED.contains(&code) => {
                return Ok("e2fsck mended small damage; `osctl logs disk` has what".to_owned());
            }
            _ => {}
        }
        let code = self.run("e2fsck", &["-y", &device])?;
        if code.is_some_and(|code| MENDED.contains(&code)) {
            let told = "e2fsck mended damage that may have cost files; `osctl logs disk` has which";
            return Ok(told.to_owned());
        }
        Err(HostError::Program("e2fsck", ended(code)))
    }

    /// Runs a program to its end; its exit code, `None` when it was killed.
    ///
    /// A program outlives this process, and must never work on a disk beside another one: the lock, which it inherits as
    /// its standard input, is free only when both are gone.
    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<Option<i32>, HostError> {
        let open = |path: PathBuf| {
            let file = OpenOptions::new().append(true).create(true).open(&path);
            file.map_err(|source| HostError::Open(path.display().to_string(), source))
        };
        let lock = Flock::lock(open(self.run.join("disk.lock"))?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| HostError::Lock(errno.into()))?;
        let log = open(self.run.join("logs").join(format!("{LOG}.log")))?;
        let failed = |source| HostError::Run(program, source);
        let (held, errors) = (lock.try_clone(), log.try_clone());
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(held.map_err(failed)?))
            .stderr(Stdio::from(errors.map_err(failed)?))
            .stdout(Stdio::from(log))
            .status()
            .map_err(failed)?;
        tracing::info!(program, ?arguments, code = status.code(), "ran");
        Ok(status.code())
    }
}

fn ended(code: Option<i32>) -> String {
    code.map_or("was killed".to_owned(), |code| {
        format!("failed with code {code}")
    })
}
