//! A kubelet of a few lines.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, RawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

use super::message::{HEAD, length, written};
use super::*;

const BUS: &str = "org.freedesktop.DBus";
const MANAGER: &str = "org.freedesktop.login1.Manager";

struct Kubelet {
    stream: UnixStream,
    serial: u32,
}

impl Kubelet {
    async fn connect(path: &Path) -> Self {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(b"\0AUTH\r\n").await.unwrap();
        for (said, line) in [
            ("REJECTED EXTERNAL\r\n", "AUTH EXTERNAL 30\r\n"),
            (
                "OK 67617262000000000000000000000000\r\n",
                "NEGOTIATE_UNIX_FD\r\n",
            ),
            ("AGREE_UNIX_FD\r\n", "BEGIN\r\n"),
        ] {
            let mut heard = vec![0; said.len()];
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(String::from_utf8(heard).unwrap(), said);
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        let mut kubelet = Self { stream, serial: 0 };
        let hello = kubelet.asks(BUS, "Hello", &[]).await;
        assert!(hello.windows(4).any(|it| it == b":1.1"), "{hello:?}");
        kubelet
    }

    async fn call(&mut self, interface: &str, member: &str, texts: &[&str]) {
        self.serial += 1;
        let call = written(self.serial, interface, member, texts);
        self.stream.write_all(&call).await.unwrap();
    }

    async fn hears(&mut self) -> Vec<u8> {
        let mut head = [0; HEAD];
        self.stream.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; length(&head).unwrap() - HEAD];
        self.stream.read_exact(&mut rest).await.unwrap();
        [&head[..], &rest].concat()
    }

    async fn asks(&mut self, interface: &str, member: &str, texts: &[&str]) -> Vec<u8> {
        self.call(interface, member, texts).await;
        self.hears().await
    }

    /// Holds up the end, until what comes back is closed.
    async fn inhibits(&mut self) -> RawFd {
        let texts = ["shutdown", "kubelet", "to end pods", "delay"];
        self.call(MANAGER, "Inhibit", &texts).await;
        let stream = &self.stream;
        let received = stream.async_io(Interest::READABLE, || {
            let mut bytes = [0; 256];
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let mut space = nix::cmsg_space!([RawFd; 1]);
            let message = recvmsg::<()>(
                stream.as_raw_fd(),
                &mut slices,
                Some(&mut space),
                MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT,
            )?;
            let mut numbers = Vec::new();
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(some) = control {
                    numbers.extend(some);
                }
            }
            Ok(numbers)
        });
        let numbers = received.await.unwrap();
        let [number] = numbers.as_slice() else {
            panic!("{numbers:?}")
        };
        *number
    }

    async fn listens(&mut self) {
        let rule = "type='signal',member='PrepareForShutdown'";
        let done = self.asks(BUS, "AddMatch", &[rule]).await;
        assert_eq!(done.get(1), Some(&2));
    }
}

/// Serves at a path, until it is dropped.
fn served(path: &Path) -> (Inhibitors, JoinSet<io::Error>) {
    let inhibitors = Inhibitors::default();
    let listener = UnixListener::from_std(listen(path).unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    let serving = inhibitors.clone();
    tasks.spawn(async move { serving.serve(listener).await });
    (inhibitors, tasks)
}

#[tokio::test]
async fn the_end_waits_until_the_kubelet_has_ended_its_pods() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inhibit.sock");
    let (inhibitors, mut tasks) = served(&path);
    let mut kubelet = Kubelet::connect(&path).await;
    let asked = [MANAGER, "InhibitDelayMaxUSec"];
    let limit = kubelet.asks("org.freedesktop.DBus.Properties", "Get", &asked);
    assert!(limit.await.ends_with(&35_000_000_u64.to_le_bytes()));
    let descriptor = kubelet.inhibits().await;
    kubelet.listens().await;
    let (told, mut ended) = watch::channel(None);
    tasks.spawn(async move {
        told.send_replace(Some(inhibitors.end_pods(false).await));
        std::future::pending().await
    });
    let signal = kubelet.hears().await;
    let has = |text: &str| signal.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(has("PrepareForShutdown") && has(MANAGER), "{signal:?}");
    assert!(signal.ends_with(&[1, 0, 0, 0]));
    assert_eq!(*ended.borrow(), None);
    nix::unistd::close(descriptor).unwrap();
    let ended = *ended.wait_for(Option::is_some).await.unwrap();
    assert_eq!(ended, Some(Ended::All));
}

#[tokio::test]
async fn a_kubelet_that_dies_holds_nothing_up_and_one_that_comes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inhibit.sock");
    let (inhibitors, _tasks) = served(&path);
    assert_eq!(inhibitors.end_pods(false).await, Ended::Nobody);
    let mut kubelet = Kubelet::connect(&path).await;
    let descriptor = kubelet.inhibits().await;
    // As the kernel does for it.
    nix::unistd::close(descriptor).unwrap();
    drop(kubelet);
    let mut held = inhibitors.0.held.subscribe();
    held.wait_for(|it| *it == 0).await.unwrap();
    assert_eq!(inhibitors.end_pods(false).await, Ended::Nobody);
    let mut kubelet = Kubelet::connect(&path).await;
    let descriptor = kubelet.inhibits().await;
    // One that asks to be told only when the end is near already is told at once.
    let ends = inhibitors.end_pods(true);
    let listens = async {
        let mut near = inhibitors.0.near.subscribe();
        near.wait_for(|it| *it).await.unwrap();
        kubelet.listens().await;
        kubelet.hears().await;
        nix::unistd::close(descriptor).unwrap();
    };
    let (ended, ()) = tokio::join!(ends, listens);
    assert_eq!(ended, Ended::All);
}

#[tokio::test]
async fn what_is_asked_of_others_is_refused_and_what_is_no_message_ends_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inhibit.sock");
    let (_inhibitors, _tasks) = served(&path);
    let mut kubelet = Kubelet::connect(&path).await;
    for (interface, member, texts) in [
        (MANAGER, "Reboot", &[][..]),
        (MANAGER, "Inhibit", &["sleep", "me", "why", "block"]),
    ] {
        let refused = kubelet.asks(interface, member, texts).await;
        assert_eq!(refused.get(1), Some(&3), "{member}");
    }
    kubelet.stream.write_all(&[b'?'; 64]).await.unwrap();
    assert!(kubelet.stream.read_u8().await.is_err());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
