//! The files of the node: which there are, and what one of them holds.
//!
//! Both are read in steps, each on a blocking thread and only when the caller takes more: a reader that stops holds a
//! folder or a file open, and no thread.

use std::fs::{self, File, Metadata, ReadDir};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ::api::MAX_CHUNK;
use ::api::v1alpha1::{FileKind, ListFilesResponse, ReadFileResponse};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use nix::fcntl::OFlag;
use tonic::Status;

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// How many files are looked at in one step.
const STEP: usize = 256;

/// Who may read and write, without the kind of file.
const PERMISSIONS: u32 = 0o7777;

/// Does something that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| Status::internal(format!("a thread to read with: {error}")))?
}

/// The path that was asked for.
fn absolute(path: String) -> Result<PathBuf, Status> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Status::invalid_argument(format!(
            "`{}` is not a path from the root, such as /etc/hosts",
            path.display()
        )))
    }
}

fn failed(path: &Path, error: &io::Error) -> Status {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Status::not_found(format!("there is no {shown} on the node")),
        _ => Status::failed_precondition(format!("cannot read {shown}: {error}")),
    }
}

/// Lists a folder, `depth` folders deep, or one file.
pub(super) async fn list(path: String, depth: u32) -> Result<Answers<ListFilesResponse>, Status> {
    let path = absolute(path)?;
    let walk = blocking(move || Walk::begin(path, depth.max(1))).await?;
    let steps = stream::try_unfold(Some(walk), |walk| async {
        let Some(mut walk) = walk else {
            return Ok(None);
        };
        blocking(move || {
            let files = walk.step();
            let more = (!walk.is_over()).then_some(walk);
            Ok(Some((files, more)))
        })
        .await
    });
    let files = steps.map(|step: Result<Vec<_>, Status>| {
        stream::iter(match step {
            Ok(files) => files.into_iter().map(Ok).collect(),
            Err(status) => vec![Err(status)],
        })
    });
    Ok(files.flatten().boxed())
}

/// A list on its way: the folders that are open, the innermost last.
struct Walk {
    root: PathBuf,
    /// The one file, when no folder was asked for.
    single: Option<ListFilesResponse>,
    open: Vec<ReadDir>,
    depth: usize,
}

impl Walk {
    fn begin(root: PathBuf, depth: u32) -> Result<Self, Status> {
        // What was asked for may be a link to a folder.
        let metadata = fs::metadata(&root).or_else(|_| fs::symlink_metadata(&root));
        let metadata = metadata.map_err(|error| failed(&root, &error))?;
        let (mut single, mut open) = (None, Vec::new());
        if metadata.is_dir() {
            open.push(fs::read_dir(&root).map_err(|error| failed(&root, &error))?);
        } else {
            single = Some(described(&root, Path::new(""), &metadata));
        }
        Ok(Self {
            root,
            single,
            open,
            depth: usize::try_from(depth).unwrap_or(usize::MAX),
        })
    }

    fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// The next files.
    fn step(&mut self) -> Vec<ListFilesResponse> {
        let mut files: Vec<_> = self.single.take().into_iter().collect();
        while files.len() < STEP {
            let Some(folder) = self.open.last_mut() else {
                break;
            };
            match folder.next() {
                Some(Ok(entry)) => files.extend(self.file(&entry.path())),
                // A folder that breaks off, or goes, ends there.
                Some(Err(_)) | None => drop(self.open.pop()),
            }
        }
        files
    }

    /// One file, and what is in it when it is a folder and not too deep. None when it is gone already.
    fn file(&mut self, path: &Path) -> Option<ListFilesResponse> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        let mut file = described(path, name, &metadata);
        if metadata.is_dir() && self.open.len() < self.depth {
            match fs::read_dir(path) {
                Ok(folder) => self.open.push(folder),
                Err(error) => file.error = error.to_string(),
            }
        }
        Some(file)
    }
}

fn described(path: &Path, name: &Path, metadata: &Metadata) -> ListFilesResponse {
    let target = metadata.is_symlink().then(|| fs::read_link(path).ok());
    let target = target.flatten().unwrap_or_default();
    ListFilesResponse {
        name: name.to_string_lossy().into_owned(),
        kind: kind(metadata).into(),
        mode: metadata.mode() & PERMISSIONS,
        uid: metadata.uid(),
        gid: metadata.gid(),
        bytes: metadata.len(),
        modified: Some(prost_types::Timestamp {
            seconds: metadata.mtime(),
            nanos: i32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        }),
        target: target.to_string_lossy().into_owned(),
        error: String::new(),
    }
}

fn kind(metadata: &Metadata) -> FileKind {
    let kind = metadata.file_type();
    if kind.is_file() {
        FileKind::Regular
    } else if kind.is_dir() {
        FileKind::Folder
    } else if kind.is_symlink() {
        FileKind::Link
    } else if kind.is_block_device() {
        FileKind::BlockDevice
    } else if kind.is_char_device() {
        FileKind::CharacterDevice
    } else if kind.is_fifo() {
        FileKind::Pipe
    } else if kind.is_socket() {
        FileKind::Socket
    } else {
        FileKind::Other
    }
}

/// Reads a regular file.
pub(super) async fn read(path: String) -> Result<Answers<ReadFileResponse>, Status> {
    let path = absolute(path)?;
    let file = blocking(move || open(&path).map(|file| (path, file))).await?;
    let chunks = stream::try_unfold(file, |(path, mut file)| {
        blocking(move || {
            let mut data = Vec::new();
            let limit = u64::try_from(MAX_CHUNK).unwrap_or(u64::MAX);
            let read = (&mut file).take(limit).read_to_end(&mut data);
            read.map_err(|error| failed(&path, &error))?;
            let more = !data.is_empty();
            Ok(more.then_some((ReadFileResponse { data }, (path, file))))
        })
    });
    Ok(chunks.boxed())
}

/// Opens a regular file. Opening anything else must not wait, nor do what opening a device does.
fn open(path: &Path) -> Result<File, Status> {
    let metadata = fs::metadata(path).map_err(|error| failed(path, &error))?;
    let regular = |metadata: &Metadata| {
        metadata.is_file().then_some(()).ok_or_else(|| {
            let shown = path.display();
            Status::failed_precondition(if metadata.is_dir() {
                format!("{shown} is a folder; `osctl ls {shown}` lists it")
            } else {
                format!("{shown} is not a regular file")
            })
        })
    };
    regular(&metadata)?;
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(|error| failed(path, &error))?;
    // It may have become another one meanwhile.
    let metadata = file.metadata().map_err(|error| failed(path, &error))?;
    regular(&metadata).map(|()| file)
}

#[cfg(test)]
mod tests;
