//! The host's side of the agent: a program inside a machine that does what no API offers (see `bin/agent`).

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use provision::{Boot, Deadline, VmSpec};

use crate::lab::Lab;
use crate::node::Node;
use crate::{cpio, places};

/// What has the kernel start the agent.
const ARGUMENT: &str = " rdinit=/agent";

/// How long one try to reach an agent waits before the next: what is sent before it listens is lost.
const TRY: Duration = Duration::from_secs(1);

/// The agent of one machine.
#[derive(Debug)]
pub struct Agent {
    port: UnixStream,
    lines: Receiver<String>,
    events: VecDeque<String>,
    number: u32,
    patience: Duration,
}

/// Puts the agent into a machine that boots directly, before it is started.
///
/// # Errors
/// When the machine boots otherwise, or a file cannot be read or written.
pub fn equip(lab: &Lab, vm: &mut VmSpec) -> Result<()> {
    equip_with(lab, vm, &[])
}

/// The same with programs, by name, that the agent can run there: `run carried NAME`. They must be static, and take memory of
/// the machine.
///
/// # Errors
/// When the machine boots otherwise, or a file cannot be read or written.
pub fn equip_with(lab: &Lab, vm: &mut VmSpec, carried: &[(&str, &Path)]) -> Result<()> {
    let Boot::Direct {
        initramfs, cmdline, ..
    } = &mut vm.boot
    else {
        bail!("only a machine that boots directly can be given an agent");
    };
    let mut archive = with_agent(initramfs)?;
    for (name, path) in carried {
        let program = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        cpio::append(&mut archive, &format!("carried-{name}"), &program)?;
    }
    let file = lab.home().join(format!("initramfs-{}", vm.name));
    fs::write(&file, archive).context("writing an initramfs")?;
    *initramfs = file;
    cmdline.push_str(ARGUMENT);
    vm.second_serial = true;
    Ok(())
}

/// An initramfs with the agent behind it.
fn with_agent(initramfs: &Path) -> Result<Vec<u8>> {
    let mut archive = fs::read(initramfs).context("reading the initramfs")?;
    let program = fs::read(places::agent()?).context("reading the agent")?;
    cpio::append(&mut archive, "agent", &program)?;
    Ok(archive)
}

/// A folder like that of a built image, for `osctl cluster create --second-serial`: machines that boot directly from it have the agent.
///
/// # Errors
/// When a file is missing, or cannot be written.
pub fn equip_image(lab: &Lab, image: &Path) -> Result<PathBuf> {
    let folder = lab.home().join("image-with-agent");
    fs::create_dir_all(&folder).context("making a folder")?;
    for name in ["vmlinuz", "rootfs.img"] {
        let link = symlink(image.join(name), folder.join(name));
        link.with_context(|| format!("a link to {name}"))?;
    }
    let initramfs = with_agent(&image.join("initramfs"))?;
    fs::write(folder.join("initramfs"), initramfs).context("writing an initramfs")?;
    let cmdline = fs::read_to_string(image.join("cmdline")).context("reading a command line")?;
    let cmdline = cmdline.trim().to_owned() + ARGUMENT;
    fs::write(folder.join("cmdline"), cmdline).context("writing a command line")?;
    Ok(folder)
}

impl Agent {
    /// Waits until the agent of a machine answers.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn meet(lab: &Lab, node: &Node<'_>) -> Result<Self> {
        let port = node.cluster.second_serial(&node.name)?;
        let reader = BufReader::new(port.try_clone().context("a second end of a socket")?);
        let (sender, lines) = mpsc::channel();
        // It ends with the machine, or with the test that nobody listens for any more.
        thread::spawn(move || {
            let mut lines = reader.split(b'\n').map_while(Result::ok);
            lines.try_for_each(|line| sender.send(String::from_utf8_lossy(&line).into_owned()))
        });
        let mut agent = Self {
            port,
            lines,
            events: VecDeque::new(),
            number: 0,
            patience: TRY,
        };
        let deadline = lab.boot_deadline();
        let met = deadline.until(|| agent.ask("ping").ok());
        met.with_context(|| format!("the agent of {} does not answer", node.name))?;
        agent.patience = lab.patience(Duration::from_secs(30));
        Ok(agent)
    }

    /// Has a command done; gives the lines of its answer.
    ///
    /// # Errors
    /// When it failed, or there is no answer.
    pub fn ask(&mut self, command: &str) -> Result<Vec<String>> {
        self.number += 1;
        let number = self.number.to_string();
        writeln!(self.port, "\n{number} {command}").context("writing to the agent")?;
        let deadline = Deadline::after(self.patience);
        let mut answer = Vec::new();
        loop {
            let line = self
                .line(deadline)
                .with_context(|| format!("no answer to {command:?}"))?;
            let Some(rest) = line.strip_prefix(&number) else {
                continue;
            };
            match rest
                .trim_start()
                .split_once(' ')
                .unwrap_or((rest.trim(), ""))
            {
                ("=", text) => answer.push(text.to_owned()),
                ("ok", _) => return Ok(answer),
                ("error", text) => bail!("{command:?}: {text}"),
                // The answer to a command with a longer number, given up before.
                _ => {}
            }
        }
    }

    /// As [`Self::ask`], for an answer of one line.
    ///
    /// # Errors
    /// When it failed, or the answer has more or fewer lines.
    pub fn ask_one(&mut self, command: &str) -> Result<String> {
        let answer = self.ask(command)?;
        ensure!(answer.len() == 1, "{command:?}: {answer:?}");
        Ok(answer.concat())
    }

    /// Everything it told by itself so far; what was given once is not given again.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn events(&mut self) -> Result<Vec<String>> {
        // Lines keep their order: what was told before the answer is here with it.
        self.ask("ping")?;
        Ok(self.events.drain(..).collect())
    }

    /// Waits until it tells what is looked for; gives it, and forgets what came before it.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn event(&mut self, deadline: Deadline, wanted: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return Ok(event);
                }
            }
            self.line(deadline)
                .context("what was looked for was not told")?;
        }
    }

    /// The next line that is an answer; an empty one after every event, so that a caller can look at those.
    fn line(&mut self, deadline: Deadline) -> Result<String> {
        let left = deadline.left().context("time is up")?;
        let line = match self.lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => bail!("time is up"),
            Err(RecvTimeoutError::Disconnected) => bail!("the machine ended"),
        };
        match line.strip_prefix("event ") {
            Some(event) => {
                self.events.push_back(event.to_owned());
                Ok(String::new())
            }
            None => Ok(line),
        }
    }
}
