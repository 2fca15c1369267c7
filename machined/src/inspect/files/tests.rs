use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use futures_util::TryStreamExt as _;
use tonic::Code;

use super::*;

async fn listed(path: &Path, depth: u32) -> Vec<ListFilesResponse> {
    let files = list(path.to_str().unwrap().to_owned(), depth).await;
    let mut files: Vec<_> = files.unwrap().try_collect().await.unwrap();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn names(files: &[ListFilesResponse]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

async fn held(path: &Path) -> Result<Vec<u8>, Status> {
    let chunks: Vec<_> = read(path.to_str().unwrap().to_owned())
        .await?
        .try_collect()
        .await?;
    assert!(chunks.iter().all(|chunk| chunk.data.len() <= MAX_CHUNK));
    Ok(chunks.into_iter().flat_map(|chunk| chunk.data).collect())
}

/// A folder with a file, a link, a socket, and folders in folders.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir_all(path.join("a/b/c")).unwrap();
    fs::write(path.join("a/file"), "text").unwrap();
    fs::set_permissions(path.join("a/file"), fs::Permissions::from_mode(0o4750)).unwrap();
    symlink("/no/where", path.join("link")).unwrap();
    drop(UnixListener::bind(path.join("socket")).unwrap());
    folder
}

#[tokio::test]
async fn folders_are_listed_as_deep_as_asked_for() {
    let folder = tree();
    let path = folder.path();
    let one = listed(path, 0).await;
    assert_eq!(names(&one), ["a", "link", "socket"]);
    let kinds: Vec<_> = one.iter().map(ListFilesResponse::kind).collect();
    assert_eq!(kinds, [FileKind::Folder, FileKind::Link, FileKind::Socket]);
    assert_eq!(
        one.get(1).map(|link| link.target.as_str()),
        Some("/no/where")
    );
    let two = listed(path, 2).await;
    assert_eq!(names(&two), ["a", "a/b", "a/file", "link", "socket"]);
    let file = two.get(2).unwrap();
    assert_eq!((file.mode, file.bytes), (0o4750, 4));
    let all = listed(path, u32::MAX).await;
    assert_eq!(
        names(&all),
        ["a", "a/b", "a/b/c", "a/file", "link", "socket"]
    );
}

#[tokio::test]
async fn a_folder_of_more_than_one_step_is_listed_whole() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..STEP * 2 + 1 {
        fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    assert_eq!(listed(folder.path(), 1).await.len(), STEP * 2 + 1);
}

#[tokio::test]
async fn one_file_and_a_link_to_a_folder_can_be_asked_for() {
    let folder = tree();
    let file = listed(&folder.path().join("a/file"), 1).await;
    assert_eq!(names(&file), [""], "it is what was asked for");
    let broken = listed(&folder.path().join("link"), 1).await;
    assert_eq!(names(&broken), [""]);
    assert_eq!(
        broken.first().map(ListFilesResponse::kind),
        Some(FileKind::Link)
    );
    symlink("a", folder.path().join("to-a")).unwrap();
    let through = listed(&folder.path().join("to-a"), 1).await;
    assert_eq!(names(&through), ["b", "file"]);
}

#[tokio::test]
async fn a_file_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let content: Vec<u8> = (0..=255).cycle().take(MAX_CHUNK * 3 + 7).collect();
    fs::write(&path, &content).unwrap();
    assert!(held(&path).await.unwrap() == content);
    fs::write(&path, "").unwrap();
    assert_eq!(held(&path).await.unwrap(), b"");
    let version = held(Path::new("/proc/version")).await.unwrap();
    assert!(version.starts_with(b"Linux"), "a size of 0 says nothing");
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_nobody_waits() {
    let folder = tree();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (path, code, part) in [
        (folder.path().join("none"), Code::NotFound, "there is no"),
        (
            folder.path().join("a"),
            Code::FailedPrecondition,
            "osctl ls",
        ),
        (pipe, Code::FailedPrecondition, "not a regular file"),
        (
            "/dev/null".into(),
            Code::FailedPrecondition,
            "not a regular",
        ),
        ("relative".into(), Code::InvalidArgument, "from the root"),
        ("".into(), Code::InvalidArgument, "from the root"),
    ] {
        let status = held(&path).await.unwrap_err();
        assert_eq!(status.code(), code, "{path:?}");
        assert!(status.message().contains(part), "{status}");
    }
    let missing = list("/no/where".to_owned(), 1).await;
    let missing = missing.err().unwrap();
    assert_eq!(missing.code(), Code::NotFound);
}
