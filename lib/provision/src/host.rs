//! What this host brings: QEMU, its version, firmware, and how to get what is missing.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::accel::{self, Decision};

/// The program of the first architecture.
const QEMU: &str = "qemu-system-x86_64";

/// The oldest QEMU with `-netdev stream`, on which the network between machines rests.
const OLDEST: QemuVersion = QemuVersion { major: 7, minor: 2 };

/// Where distributions keep OVMF: code and variables always as a pair of the same size, raw.
const FIRMWARE: &[(&str, &str)] = &[
    // Debian, Ubuntu
    (
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    // Arch
    (
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
    ),
    // Fedora
    (
        "/usr/share/edk2/ovmf/OVMF_CODE.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.fd",
    ),
    // openSUSE
    (
        "/usr/share/qemu/ovmf-x86_64-4m-code.bin",
        "/usr/share/qemu/ovmf-x86_64-4m-vars.bin",
    ),
];

/// What was found on this host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The emulator.
    pub qemu: PathBuf,
    /// Its version, which decides how some options are spelled.
    pub version: QemuVersion,
    /// How machines will run, and why.
    pub accel: Decision,
    /// The program that is the [`crate::fence`] of clusters of several machines. Without one, machines cannot rely on connections
    /// to each other.
    pub fence: Option<PathBuf>,
}

/// A version of QEMU, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QemuVersion {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// UEFI firmware: code that machines share, and the variables each gets a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The code, mapped read-only.
    pub code: PathBuf,
    /// The template of the variables.
    pub vars: PathBuf,
}

/// What this host lacks.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No emulator on the path.
    #[error("{QEMU} is not installed; {hint}")]
    NoQemu {
        /// What to type.
        hint: String,
    },
    /// No firmware in the known places.
    #[error("no UEFI firmware (OVMF) in the places where distributions put it; {hint}")]
    NoFirmware {
        /// What to type.
        hint: String,
    },
    /// The emulator does not run.
    #[error("cannot run {}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It runs, but does not say which version it is.
    #[error("{} --version says nothing that looks like a version: {said:?}", path.display())]
    Version {
        /// The program.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// It is too old.
    #[error("{} is version {found}; {OLDEST} or newer is needed", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: QemuVersion,
    },
}

impl Host {
    /// Looks for everything a cluster needs; firmware is looked for when a machine needs it.
    ///
    /// # Errors
    /// When the emulator is missing, does not run or is too old; the text says what to install.
    pub fn detect() -> Result<Self, HostError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let qemu = find_in(&path, QEMU).ok_or_else(|| HostError::NoQemu {
            hint: install_hint(&os_release(), Tool::Qemu),
        })?;
        let output = Command::new(&qemu)
            .arg("--version")
            .output()
            .map_err(|source| HostError::Run {
                path: qemu.clone(),
                source,
            })?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = parse_version(&said).ok_or_else(|| HostError::Version {
            path: qemu.clone(),
            said,
        })?;
        if version < OLDEST {
            return Err(HostError::TooOld {
                path: qemu,
                found: version,
            });
        }
        Ok(Self {
            qemu,
            version,
            accel: accel::detect(),
            fence: None,
        })
    }

    /// The same with a program that is the fence of clusters when it is started with [`crate::fence::ARGUMENT`].
    #[must_use]
    pub fn fenced_by(self, program: PathBuf) -> Self {
        Self {
            fence: Some(program),
            ..self
        }
    }

    /// The UEFI firmware.
    ///
    /// # Errors
    /// When it is in none of the known places; the text says what to install.
    pub fn firmware(&self) -> Result<Firmware, HostError> {
        FIRMWARE
            .iter()
            .map(|(code, vars)| (Path::new(code), Path::new(vars)))
            .find(|(code, vars)| code.is_file() && vars.is_file())
            .map(|(code, vars)| Firmware {
                code: code.to_owned(),
                vars: vars.to_owned(),
            })
            .ok_or_else(|| HostError::NoFirmware {
                hint: install_hint(&os_release(), Tool::Ovmf),
            })
    }
}

fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Reads `QEMU emulator version 7.2.22 (Debian ...)`.
fn parse_version(said: &str) -> Option<QemuVersion> {
    let (_, after) = said.split_once("version ")?;
    let mut numbers = after
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    Some(QemuVersion {
        major: numbers.next()?.ok()?,
        minor: numbers.next()?.ok()?,
    })
}

fn os_release() -> String {
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Tool {
    Qemu,
    Ovmf,
}

/// What to type on the distribution that `/etc/os-release` names.
fn install_hint(os_release: &str, tool: Tool) -> String {
    let ids: Vec<&str> = os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .collect();
    let is = |id: &str| ids.contains(&id);
    if is("debian") || is("ubuntu") {
        let package = match tool {
            Tool::Qemu => "qemu-system-x86 ipxe-qemu",
            Tool::Ovmf => "ovmf",
        };
        format!("try: sudo apt install {package}")
    } else if is("fedora") || is("rhel") {
        let package = match tool {
            Tool::Qemu => "qemu-system-x86 ipxe-roms-qemu",
            Tool::Ovmf => "edk2-ovmf",
        };
        format!("try: sudo dnf install {package}")
    } else if is("arch") {
        let package = match tool {
            Tool::Qemu => "qemu-system-x86",
            Tool::Ovmf => "edk2-ovmf",
        };
        format!("try: sudo pacman -S {package}")
    } else {
        let package = match tool {
            Tool::Qemu => "QEMU for x86_64",
            Tool::Ovmf => "OVMF (edk2)",
        };
        format!("install {package} with this system's package manager")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_distributions_print_them() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c)";
        assert_eq!(
            parse_version(debian),
            Some(QemuVersion { major: 7, minor: 2 })
        );
        let fedora = "QEMU emulator version 10.0.2 (qemu-10.0.2-1.fc43)\n";
        assert_eq!(
            parse_version(fedora),
            Some(QemuVersion {
                major: 10,
                minor: 0
            })
        );
        assert_eq!(parse_version("garbage"), None);
        assert_eq!(parse_version("version x.y"), None);
    }

    #[test]
    fn hints_name_the_package() {
        let debian = install_hint("NAME=x\nID=debian\n", Tool::Ovmf);
        assert_eq!(debian, "try: sudo apt install ovmf");
        let derived = install_hint("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", Tool::Qemu);
        assert!(derived.contains("dnf"), "{derived}");
        assert!(install_hint("", Tool::Qemu).contains("QEMU"));
    }

    #[test]
    fn programs_are_found_on_the_path_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(QEMU);
        fs::write(&file, "").unwrap();
        let path = std::env::join_paths([Path::new("/nonexistent"), folder.path()]).unwrap();
        assert_eq!(find_in(&path, QEMU), Some(file));
        assert_eq!(find_in(OsStr::new("/nonexistent"), QEMU), None);
    }
}
