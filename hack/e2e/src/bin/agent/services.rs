//! Services for tests: the agent itself, in the node's own root, under another name.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;

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

/// Describes a service to the node; it finds that with the next start of its daemon.
pub(crate) fn describe(name: &str, does: &str) -> io::Result<()> {
    let root = format!("{PROC}/1/root");
    // Where programs may be run that are not in the root.
    let program = format!("var/{name}");
    let new = format!("{root}/{program}.new");
    fs::copy(format!("{PROC}/self/exe"), &new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, format!("{root}/{program}"))?;
    fs::create_dir_all(format!("{root}/{FOLDER}"))?;
    let file = format!("{root}/{FOLDER}/{name}.yaml");
    fs::write(
        file,
        format!("program: /{program}\nargs: [{SERVICE}, {does}]\n"),
    )
}

/// Does what such a service does.
pub(crate) fn serve(does: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{does}")?;
    match does {
        "stay" => loop {
            pause();
        },
        "crash" => Err(io::Error::other("as it was told")),
        other => Err(io::Error::other(format!("no service does {other:?}"))),
    }
}
