//! The agent: a program inside the machine that does what no API offers, and tells what it sees there.
//!
//! It is in no image. The suite appends it to the initramfs and lets the kernel start it as `/agent`; it starts itself
//! a second time and becomes the product's own `/init`, so that PID 1 is what it would be without it. The second one
//! stays behind in the emptied initramfs with a `/proc` of its own, and takes commands over the second serial port.
//!
//! A command is a line `NUMBER WORD ARGUMENT...`. The answer is any number of lines `NUMBER = TEXT`, then `NUMBER ok` or
//! `NUMBER error TEXT`. What the agent was asked to watch comes between answers as `event TEXT`.

mod commands;
mod network;
mod processes;
mod programs;
mod room;
mod services;
mod traps;

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// The folder the agent keeps its things in: a file system of its own, which `/init` does not empty.
pub(crate) const ASIDE: &str = "/aside";

/// How the names of the programs in the initramfs begin that the agent carries for others.
const CARRIED: &str = "carried-";

/// Its own view of the processes, since the node's goes where the node goes.
pub(crate) const PROC: &str = "/aside/proc";

/// Its device file for the second serial port: character device 4:65 (admin-guide/devices.txt).
const TTY: &str = "/aside/tty";
const TTY_NUMBER: (u64, u64) = (4, 65);

fn main() -> ExitCode {
    let done = if std::process::id() == 1 {
        become_init().map(|never| match never {})
    } else if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == programs::WITHIN)
    {
        programs::become_program().map(|never| match never {})
    } else if let Some(does) = services::asked() {
        services::serve(&does)
    } else {
        serve()
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The kernel's console, if there is one.
            writeln!(io::stderr(), "agent: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Everything the agent needs is made here, before `/init` runs: it empties the initramfs.
fn become_init() -> io::Result<Infallible> {
    fs::create_dir_all(ASIDE)?;
    let flags = MsFlags::empty();
    mount(Some("aside"), ASIDE, Some("tmpfs"), flags, None::<&str>)?;
    take_carried()?;
    fs::create_dir_all(PROC)?;
    mount(
        Some("proc"),
        PROC,
        Some("proc"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    let (major, minor) = TTY_NUMBER;
    mknod(
        TTY,
        SFlag::S_IFCHR,
        Mode::S_IRUSR | Mode::S_IWUSR,
        makedev(major, minor),
    )?;
    let tty = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(TTY)?;
    // A second program, not a fork of this one: PID 1 shares its root with the kernel's threads, a child must not.
    Command::new("/agent")
        .stdin(Stdio::from(tty.try_clone()?))
        .stdout(Stdio::from(tty))
        .spawn()?;
    Err(Command::new("/init")
        .args(std::env::args_os().skip(1))
        .exec())
}

/// Puts what is carried where it stays.
fn take_carried() -> io::Result<()> {
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if let Some(name) = name.strip_prefix(CARRIED) {
            fs::copy(entry.path(), format!("{ASIDE}/{name}"))?;
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn serve() -> io::Result<()> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut raw = tcgetattr(&input)?;
    cfmakeraw(&mut raw);
    tcsetattr(&input, SetArg::TCSANOW, &raw)?;
    let port = Port(Mutex::new(File::from(
        io::stdout().as_fd().try_clone_to_owned()?,
    )));
    // It lives as long as the process.
    let port: &'static Port = Box::leak(Box::new(port));
    let mut held = commands::Held::default();
    for line in BufReader::new(input).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_whitespace();
        // A number that is none: the line's beginning was lost before the port was open.
        let Some(number) = words.next().and_then(|word| word.parse::<u32>().ok()) else {
            continue;
        };
        match commands::run(&mut words, port, &mut held) {
            Ok(text) => {
                text.lines()
                    .for_each(|line| port.say(&format!("{number} = {line}")));
                port.say(&format!("{number} ok"));
            }
            Err(error) => port.say(&format!("{number} error {error}")),
        }
    }
    Ok(())
}

/// The serial port, to which several threads write whole lines.
#[derive(Debug)]
pub(crate) struct Port(Mutex<File>);

impl Port {
    /// Writes a line. Nobody is left to tell when that fails.
    pub(crate) fn say(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes()).ok();
    }
}
