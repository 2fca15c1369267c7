//! `osctl read` and `osctl cp`: what files of one node hold.
//!
//! A node may be in strange hands, so its names of files are checked before anything is written by them: nothing is
//! ever written outside of the one new file or folder that was asked for.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use api::v1alpha1::inspect_service_client::InspectServiceClient;
use api::v1alpha1::{FileKind, ListFilesRequest, ListFilesResponse, ReadFileRequest};
use clap::Subcommand;
use tonic::transport::Channel;

use crate::exit::interruptible;
use crate::files::half_name;
use crate::fleet::Session;
use crate::output::{self, counted, printable, size};
use crate::progress::Progress;

/// What of a file's permissions is kept: the owner's.
const OWNER: u32 = 0o700;

/// What can be done with files of a node.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a file of one node holds
    Read {
        /// The file
        path: String,
    },
    /// Copy a file or a folder from one node
    ///
    /// Links stay links; devices, pipes and sockets are left out. What comes is for you alone to read, since files of a
    /// node may hold its keys, and is there whole or not at all.
    Cp {
        /// The file or folder on the node
        source: String,
        /// Where to put it: a name that is free, or a folder to put it into
        destination: PathBuf,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: Command) -> Result<()> {
    match command {
        Command::Read { path } => read(session, path).await,
        Command::Cp {
            source,
            destination,
        } => copy(session, &source, &destination).await,
    }
}

/// Writes a file to standard output.
async fn read(session: &Session, path: String) -> Result<()> {
    session
        .one(|_, channel| async move {
            let mut client = InspectServiceClient::new(channel);
            let request = ReadFileRequest { path };
            let mut chunks = session
                .within(client.read_file(request))
                .await?
                .into_inner();
            while let Some(chunk) = session.within(chunks.message()).await? {
                output::raw(&chunk.data)?;
            }
            Ok(())
        })
        .await
}

/// Copies a file or a folder to this computer.
async fn copy(session: &Session, source: &str, destination: &Path) -> Result<()> {
    let source = match source.trim_end_matches('/') {
        "" => "/",
        source => source,
    };
    let destination = place(source, destination)?;
    session
        .one(|_, channel| async move {
            let copy = Copy {
                session,
                channel,
                source,
                progress: Progress::new(),
            };
            let half = Half(half_name(&destination));
            let said = interruptible(|| "nothing was copied".to_owned(), copy.all(&half.0)).await?;
            drop(copy);
            // A rename would replace an empty folder or a file that came meanwhile.
            free(&destination)?;
            fs::rename(&half.0, &destination)
                .with_context(|| format!("naming {}", destination.display()))?;
            output::line(&format!("{said} to {}", destination.display()))
        })
        .await
}

/// What is copied so far. It goes with this value, however that ends, unless it has its own name by then.
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        // Why it cannot be removed matters less than why it is not whole.
        drop(fs::remove_file(&self.0).or_else(|_| fs::remove_dir_all(&self.0)));
    }
}

/// Where the copy goes: into a folder that is there, else under the name that was given.
fn place(source: &str, destination: &Path) -> Result<PathBuf> {
    let place = if destination.is_dir() {
        let name = Path::new(source).file_name();
        let name =
            name.context("the root has no name to be put under; give it a name that is free")?;
        destination.join(name)
    } else {
        destination.to_owned()
    };
    free(&place).map(|()| place)
}

fn free(place: &Path) -> Result<()> {
    if place.symlink_metadata().is_ok() {
        bail!("{} exists; remove it or give another name", place.display());
    }
    Ok(())
}

/// One copy on its way.
struct Copy<'a> {
    session: &'a Session,
    channel: Channel,
    source: &'a str,
    progress: Progress,
}

impl Copy<'_> {
    /// Copies everything to `half`; says what.
    async fn all(&self, half: &Path) -> Result<String> {
        let files = self.list().await?;
        if let [file] = files.as_slice()
            && file.name.is_empty()
        {
            // The node refuses what is no regular file, and says so.
            let bytes = self.file(self.source, half, file.mode).await?;
            return Ok(format!("copied {}", size(bytes)));
        }
        let (mut count, mut bytes, mut left_out) = (0, 0, 0);
        folder(half)?;
        let mut links = Vec::new();
        for file in &files {
            let name = checked(&file.name)?;
            let (from, to) = (format!("{}/{}", self.source, file.name), half.join(name));
            if !file.error.is_empty() {
                bail!("the node cannot read {from}: {}", printable(&file.error));
            }
            match file.kind() {
                FileKind::Folder => folder(&to)?,
                FileKind::Regular => {
                    bytes += self.file(&from, &to, file.mode).await?;
                    count += 1;
                }
                FileKind::Link => links.push((&file.target, to)),
                _ => left_out += 1,
            }
            self.progress
                .tell(format!("{}, {}", counted(count, "file"), size(bytes)));
        }
        // Last, so that nothing is written through one.
        for (target, link) in links {
            symlink(target, &link).with_context(|| format!("making {}", link.display()))?;
        }
        let mut said = format!("copied {}, {}", counted(count, "file"), size(bytes));
        if left_out > 0 {
            said.push_str(&format!(" (left out what is no file: {left_out})"));
        }
        Ok(said)
    }

    /// What there is, each folder before what is in it.
    async fn list(&self) -> Result<Vec<ListFilesResponse>> {
        let request = ListFilesRequest {
            path: self.source.to_owned(),
            depth: u32::MAX,
        };
        let mut client = self.client();
        let files = self.session.within(client.list_files(request)).await?;
        let mut coming = files.into_inner();
        let mut files = Vec::new();
        while let Some(file) = self.session.within(coming.message()).await? {
            files.push(file);
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    async fn file(&self, from: &str, to: &Path, mode: u32) -> Result<u64> {
        let failed = || format!("writing {}", to.display());
        let request = ReadFileRequest {
            path: from.to_owned(),
        };
        let mut client = self.client();
        let chunks = self.session.within(client.read_file(request)).await?;
        let mut chunks = chunks.into_inner();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)
            .with_context(failed)?;
        let mut bytes = 0;
        while let Some(chunk) = self.session.within(chunks.message()).await? {
            file.write_all(&chunk.data).with_context(failed)?;
            bytes += u64::try_from(chunk.data.len()).unwrap_or_default();
            self.progress
                .tell(format!("{}: {}", printable(from), size(bytes)));
        }
        file.set_permissions(fs::Permissions::from_mode(mode & OWNER))
            .and_then(|()| file.sync_all())
            .with_context(failed)?;
        Ok(bytes)
    }

    fn client(&self) -> InspectServiceClient<Channel> {
        InspectServiceClient::new(self.channel.clone())
    }
}

/// A name of the node's that leads nowhere else.
fn checked(name: &str) -> Result<&Path> {
    let path = Path::new(name);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || !path.components().all(plain) {
        bail!("the node named a file {name:?}, which is no name; nothing was copied");
    }
    Ok(path)
}

fn folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().mode(OWNER).create(path);
    made.with_context(|| format!("making {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in ["a", "a/b", "..a", "a/.b"] {
            assert_eq!(checked(name).unwrap(), Path::new(name));
        }
        for name in ["", "/etc", "..", "a/../../b", "./a"] {
            assert!(checked(name).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_that_is_there_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(place("/etc/hosts", path).unwrap(), path.join("hosts"));
        assert_eq!(
            place("/etc/hosts", &path.join("mine")).unwrap(),
            path.join("mine")
        );
        fs::write(path.join("hosts"), "").unwrap();
        for taken in [path.to_owned(), path.join("hosts")] {
            let error = place("/etc/hosts", &taken).unwrap_err().to_string();
            assert!(error.contains("exists"), "{error}");
        }
        assert!(
            place("/", path)
                .unwrap_err()
                .to_string()
                .contains("no name")
        );
    }
}
