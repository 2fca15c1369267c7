//! Services for tests: the agent itself, in the node's own root, under another name.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::unistd::pause;

use crate::PROC;

/// The first argument of an agent that is a service.
const SERVICE: &str = "service";

/// The folder that the test names on the kernel command line.
const FOLDER: &str = "run/garboard/services.d";

/// What this process does if it is one.
pub(crate) fn asked() -> Option<String> {
    let mut words = std::env::args().skip(1);
    let service = words.next().filter(|word| word == SERVICE);
    service.and_then(|_| words.next())
}

/// How much a service that eats takes at once.
const BITE: usize = 1 << 20;

/// Describes a service to the node, with further fields as `NAME=VALUE`; it finds that with the next start of its daemon.
pub(crate) fn describe<'a>(
    name: &str,
    does: &str,
    fields: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let root = format!("{PROC}/1/root");
    // Where programs may be run that are not in the root.
    let program = format!("var/{name}");
    let new = format!("{root}/{program}.new");
    fs::copy(format!("{PROC}/self/exe"), &new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, format!("{root}/{program}"))?;
    fs::create_dir_all(format!("{root}/{FOLDER}"))?;
    let file = format!("{root}/{FOLDER}/{name}.yaml");
    let mut text = format!("program: /{program}\nargs: [{SERVICE}, {does}]\n");
    for field in fields {
        text.push_str(&field.replacen('=', ": ", 1));
        text.push('\n');
    }
    fs::write(file, text)
}

/// Does what such a service does.
pub(crate) fn serve(does: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{does}")?;
    match does {
        "stay" => loop {
            pause();
        },
        "crash" => Err(io::Error::other("as it was told")),
        "eat" => {
            let mut eaten = Vec::new();
            loop {
                // Zeros alone would take no memory until they are written to.
                eaten.push(vec![1_u8; BITE]);
                std::hint::black_box(&eaten);
            }
        }
        "multiply" => {
            let mut children = Vec::new();
            let refusal = loop {
                let mut child = Command::new(std::env::current_exe()?);
                match child.args([SERVICE, "stay"]).spawn() {
                    Ok(child) => children.push(child),
                    Err(error) => break error,
                }
            };
            writeln!(io::stdout(), "{} children: {refusal}", children.len())?;
            loop {
                pause();
            }
        }
        other => Err(io::Error::other(format!("no service does {other:?}"))),
    }
}
