//! How long our part of a boot takes, against the kernel's part.
//!
//! Ours is from PID 1's first instruction to the first answered call. The kernel's is from its own first tick to the
//! first instruction of a PID 1 that has nothing beside it: the same machine, kernel and command line with an initramfs
//! of one file. Both are taken in turns, so that a busy host slows both.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::{Lab, Node, places};
use image::cpio;
use image::tree::{Source, Tree};
use provision::{Boot, Deadline, Medium, VmSpec};

use crate::clock::{self, Heard};
use crate::row::{Row, Unit, median};
use crate::{call, size};

/// How many boots count. One more comes before them, so that the host has read all files.
const BOOTS: usize = 5;
/// How often one boot is tried.
const TRIES: usize = 3;
/// What most machines in a local cluster have.
const MEMORY: u32 = 512;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let work = tempfile::tempdir().context("making a work folder")?;
    let bare = bare_initramfs(work.path())?;
    legible(ours)?;
    let (mut kernel, mut user) = (Vec::new(), Vec::new());
    for _ in 0..BOOTS {
        kernel.push(legible(|| kernels(&bare))?);
        user.push(legible(ours)?);
    }
    let whole = median(&kernel);
    let seconds = |part: fn(&Ours) -> f64| user.iter().map(part).collect::<Vec<_>>();
    let ratios = user.iter().map(|it| it.whole() / whole).collect();
    Ok(vec![
        Row::new("boot.ratio", Unit::Ratio, ratios).budget(0.25),
        Row::new("boot.kernel", Unit::Seconds, kernel),
        Row::new("boot.user", Unit::Seconds, seconds(Ours::whole)),
        Row::new("boot.user.root", Unit::Seconds, seconds(|it| it.root)),
        Row::new("boot.user.daemons", Unit::Seconds, seconds(|it| it.daemons)),
        Row::new("boot.user.network", Unit::Seconds, seconds(|it| it.network)),
    ])
}

/// Boots again when the console cannot be understood: several write on it at once, and a line may be broken.
fn legible<T>(boot: impl Fn() -> Result<T>) -> Result<T> {
    let mut told = boot();
    for _ in 1..TRIES {
        if told.is_err() {
            told = boot();
        }
    }
    told
}

/// Our part of one boot, in seconds.
struct Ours {
    /// Until init runs in the verified root.
    root: f64,
    /// From there until machined does its work.
    daemons: f64,
    /// From there until a call is answered: the network comes up, and TLS is spoken.
    network: f64,
}

impl Ours {
    fn whole(&self) -> f64 {
        self.root + self.daemons + self.network
    }
}

/// An initramfs with our init and nothing else: it says when it began, and then finds no root.
fn bare_initramfs(work: &Path) -> Result<std::path::PathBuf> {
    let mut tree = Tree::default();
    tree.file("init", 0o755, Source::Bytes(size::init(work)?))?;
    let mut archive = Vec::new();
    cpio::write(&tree, &mut archive)?;
    let file = work.join("initramfs");
    fs::write(&file, archive).context("writing an initramfs")?;
    Ok(file)
}

fn machine() -> Result<VmSpec> {
    Ok(places::cloud()?.vm("boot".parse()?, MEMORY, Medium::Direct, false)?)
}

/// The kernel's time, in seconds.
fn kernels(bare: &Path) -> Result<f64> {
    let lab = Lab::new(1)?.quiet();
    let mut vm = machine()?;
    if let Boot::Direct { initramfs, .. } = &mut vm.boot {
        bare.clone_into(initramfs);
    }
    let since = Instant::now();
    let node = lab.node(&places::cloud()?, vm)?;
    let ear = Ear::new(&node, since)?;
    ear.listen_until(lab.boot_deadline(), clock::began)
}

fn ours() -> Result<Ours> {
    let lab = Lab::new(1)?.quiet();
    let since = Instant::now();
    let node = lab.node(&places::cloud()?, machine()?)?;
    let ear = Ear::new(&node, since)?;
    let patience = lab.boot_deadline().limit();
    let answered = call::first_answer(node.api()?, patience)?;
    let answered = answered.duration_since(since).as_secs_f64();
    let told = ear.listen_until(Deadline::after(Duration::from_secs(10)), clock::moments)?;
    Ok(Ours {
        root: told.root - told.began,
        daemons: told.ready - told.root,
        network: answered - told.ready,
    })
}

/// Listens to a machine's console from a thread of its own, which ends with the machine.
pub(crate) struct Ear {
    lines: Receiver<Heard>,
}

impl Ear {
    /// Counts from a moment before the machine was started.
    pub(crate) fn new(node: &Node<'_>, since: Instant) -> Result<Self> {
        let socket = node.cluster.console_input(&node.name);
        let console = UnixStream::connect(&socket).context("listening to a console")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(console).split(b'\n').map_while(Result::ok);
            lines.try_for_each(|line| {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                sender.send((since.elapsed(), line))
            })
        });
        Ok(Self { lines })
    }

    /// Listens until the lines tell what is asked of them.
    pub(crate) fn listen_until<T>(
        &self,
        deadline: Deadline,
        asked: impl Fn(&[Heard]) -> Option<T>,
    ) -> Result<T> {
        let mut heard = Vec::new();
        loop {
            if let Some(answer) = asked(&heard) {
                return Ok(answer);
            }
            let left = deadline.left().with_context(|| tail(&heard))?;
            heard.push(
                self.lines
                    .recv_timeout(left)
                    .with_context(|| tail(&heard))?,
            );
            heard.extend(self.lines.try_iter());
        }
    }
}

fn tail(heard: &[Heard]) -> String {
    let lines: Vec<_> = heard
        .iter()
        .rev()
        .take(10)
        .rev()
        .map(|(_, line)| line.as_str())
        .collect();
    format!(
        "the console does not tell what is needed; its end:\n{}",
        lines.join("\n")
    )
}
