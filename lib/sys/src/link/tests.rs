use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn start() -> FromInit {
    FromInit::Start(Start {
        epoch: 3,
        safe: true,
        restarts: 2,
        reason: "killed by signal 9".into(),
    })
}

#[test]
fn frames_keep_their_written_form() {
    assert_eq!(
        start().encode(),
        "START epoch=3 safe=1 restarts=2 reason=killed by signal 9"
    );
    let child = FromInit::Child(ChildStatus {
        name: "networkd".into(),
        pid: 12,
        state: ChildState::Running,
        restarts: 0,
        reason: String::new(),
    });
    assert_eq!(
        child.encode(),
        "CHILD name=networkd pid=12 state=running restarts=0 reason="
    );
    assert_eq!(FromInit::parse(&child.encode()), Ok(child));
}

#[test]
fn refuses_what_is_no_frame() {
    for text in [
        "",
        "PONG",
        "PING x",
        "STORE",
        "STORE a b",
        "STORE \u{e4}",
        "DROP",
        "START epoch=1",
    ] {
        assert!(ToInit::parse(text).is_err(), "{text:?}");
    }
    for text in [
        "START",
        "START epoch=x safe=0 restarts=0 reason=",
        "CHILD name= pid=1 state=running",
        "CHILD name=a\u{1a} pid=1 state=running restarts=0 reason=",
        "FD",
        "PING",
    ] {
        assert!(FromInit::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_reason_is_one_line_and_bounded() {
    let reason = "a\nb".to_owned() + &"\u{20ac}".repeat(1000);
    let frame = FromInit::Start(Start {
        epoch: 1,
        safe: false,
        restarts: 0,
        reason,
    });
    let text = frame.encode();
    assert!(text.len() <= MAX_FRAME && !text.contains('\n') && text.contains("reason=a b\u{20ac}"));
    assert!(FromInit::parse(&text).is_ok());
}

#[test]
fn carries_frames_and_descriptors_both_ways() {
    let (init, daemon) = pair().unwrap();
    let mut file = tempfile();
    file.write_all(b"kept").unwrap();
    let name = StoreName::new("log/etcd").unwrap();
    daemon
        .send(&ToInit::Store { name: name.clone() }, Some(file.as_fd()))
        .unwrap();
    drop(file);
    let Received::Frame(ToInit::Store { name: got }, Some(fd)) = init.recv().unwrap() else {
        panic!("no STORE")
    };
    assert_eq!(got, name);
    assert!(matches!(init.recv().unwrap(), Received::Nothing));

    init.send(&FromInit::Fd { name }, Some(fd.as_fd())).unwrap();
    init.send(&start(), None).unwrap();
    let greeting = daemon.wait_start(Duration::from_secs(5)).unwrap();
    assert!(greeting.start.safe);
    let (_, back) = greeting.stored.into_iter().next().unwrap();
    let mut back = std::fs::File::from(back);
    let mut text = String::new();
    back.rewind().unwrap();
    back.read_to_string(&mut text).unwrap();
    assert_eq!(text, "kept");
}

#[test]
fn tells_empty_full_and_closed_apart() {
    let (init, daemon) = pair().unwrap();
    assert!(matches!(
        daemon.wait_start(Duration::from_millis(1)),
        Err(LinkError::NoStart)
    ));
    let full = (0..1_000_000).find_map(|_| daemon.send(&ToInit::Ping, None).err());
    assert!(matches!(full, Some(LinkError::Full)));
    drop(daemon);
    let mut frames = 0;
    while let Received::Frame(..) = init.recv().unwrap() {
        frames += 1;
    }
    assert!(frames > 0);
    assert!(matches!(init.recv().unwrap(), Received::Closed));
    assert!(matches!(
        init.send(&FromInit::Shutdown, None),
        Err(LinkError::Closed)
    ));
}

#[test]
fn a_bad_frame_does_not_end_the_link() {
    let (init, daemon) = pair().unwrap();
    let long = [b'x'; MAX_FRAME + 1];
    for bytes in [&b"nonsense"[..], &b"\xff\xfe"[..], &long[..]] {
        nix::sys::socket::send(daemon.as_raw_fd(), bytes, MsgFlags::empty()).unwrap();
        assert!(matches!(init.recv(), Err(LinkError::Frame(_))));
    }
    daemon.send(&ToInit::Ping, None).unwrap();
    assert!(matches!(
        init.recv().unwrap(),
        Received::Frame(ToInit::Ping, None)
    ));
}

fn tempfile() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("garboard-link-{}", std::process::id()));
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in ".{0,200}") {
        let _ = ToInit::parse(&text);
        let _ = FromInit::parse(&text);
    }

    #[test]
    fn a_start_survives_the_wire(epoch: u64, safe: bool, restarts: u32, reason in "[ -~]{0,300}") {
        let frame = FromInit::Start(Start { epoch, safe, restarts, reason });
        prop_assert_eq!(FromInit::parse(&frame.encode()), Ok(frame));
    }
}
