use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    asked: Asked,
}

fn asked(options: &str) -> Asked {
    let line = format!("create {options}");
    Line::try_parse_from(line.split_whitespace())
        .expect("a command line")
        .asked
}

const fn room(processors: u32, memory: u32) -> Room {
    Room { processors, memory }
}

/// Processors and memory of the control planes and of the workers, and how many of these there are.
type Told = ((u32, u32), (u32, u32), u8);

fn fit(options: &str, room: Room, accel: Accel) -> Told {
    let fit = Fit::kubernetes(asked(options), room, accel);
    let told = |machine: Machine| (machine.cpus, machine.memory);
    (told(fit.plane), told(fit.worker), fit.workers)
}

#[test]
fn a_worker_comes_where_there_is_room() {
    let workers = |room| fit("", room, Accel::Kvm).2;
    assert_eq!(workers(room(2, 4096)), 1);
    for small in [room(1, 4096), room(2, 4095), room(8, 0)] {
        assert_eq!(workers(small), 0, "{small:?}");
    }
    let larger = fit("--memory 4096", room(8, 8192), Accel::Kvm);
    assert_eq!(larger.2, 0, "two of 4096 MiB leave this computer nothing");
}

#[test]
fn machines_share_what_there_is() {
    for (options, room, accel, told) in [
        ("", room(8, 16_000), Accel::Kvm, ((4, 3840), (4, 3840), 1)),
        ("", room(64, 250_000), Accel::Kvm, ((4, 4096), (4, 4096), 1)),
        ("", room(2, 21_932), Accel::Kvm, ((2, 4096), (2, 4096), 1)),
        ("", room(2, 21_932), Accel::Tcg, ((2, 4096), (1, 4096), 1)),
        ("", room(4, 5000), Accel::Tcg, ((2, 2048), (2, 1024), 1)),
        ("", room(4, 3000), Accel::Kvm, ((4, 2048), (4, 1280), 0)),
        (
            "--workers 3",
            room(4, 4000),
            Accel::Kvm,
            ((2, 2048), (2, 1024), 3),
        ),
        (
            "--workers 0",
            room(8, 16_000),
            Accel::Kvm,
            ((4, 4096), (4, 4096), 0),
        ),
        (
            "--cpus 1 --memory 8192 --workers 2",
            room(4, 8000),
            Accel::Kvm,
            ((1, 8192), (1, 8192), 2),
        ),
    ] {
        assert_eq!(fit(options, room, accel), told, "{options} {room:?}");
    }
}

#[test]
fn the_bare_system_takes_what_it_always_took() {
    let bare = Fit::bare(asked(""));
    let least = Machine {
        cpus: 1,
        memory: 1024,
    };
    assert_eq!((bare.planes, bare.workers), (1, 0));
    assert_eq!(bare.machine(Role::ControlPlane), least);
    let asked = asked("--control-planes 3 --workers 2 --memory 512 --cpus 2");
    let bare = Fit::bare(asked);
    assert_eq!((bare.planes, bare.workers), (3, 2));
    let told = Machine {
        cpus: 2,
        memory: 512,
    };
    assert_eq!(bare.machine(Role::Worker), told);
}

#[test]
fn it_says_what_was_chosen_and_why() {
    let why = |options: &str, room: Room| {
        let asked = asked(options);
        Fit::kubernetes(asked, room, Accel::Kvm).why(asked, room)
    };
    assert_eq!(
        why("", room(8, 16_000)),
        "this computer has 8 processors and 16000 MiB of free memory: 1 control plane with 4 processors and 3840 MiB, \
         1 worker with 4 processors and 3840 MiB"
    );
    let alone = why("", room(2, 3000));
    assert!(
        alone.ends_with(
            "2048 MiB; a worker does not fit beside it, --workers 1 makes one all the same"
        ),
        "{alone}"
    );
    let asked = why("--workers 0", room(2, 3000));
    assert!(asked.ends_with("2048 MiB"), "{asked}");
    assert_eq!(
        why("--workers 3", room(1, 4000)),
        "this computer has 1 processor and 4000 MiB of free memory: 1 control plane with 2 processors and 2048 MiB, \
         3 workers with 2 processors and 1024 MiB each; in time they may take more than is free"
    );
}

#[test]
fn what_is_crowded_takes_longer() {
    let patience = |options: &str, room: Room, accel| {
        let fit = Fit::kubernetes(asked(options), room, accel);
        fit.patience(accel, room).scale(Duration::from_secs(1))
    };
    let roomy = patience("", room(8, 16_000), Accel::Kvm);
    assert_eq!(roomy, Duration::from_secs(1));
    let crowded = patience("--workers 2", room(2, 16_000), Accel::Kvm);
    assert_eq!(crowded, Duration::from_secs(3));
    let translated = patience("", room(2, 16_000), Accel::Tcg);
    assert_eq!(translated, Accel::Tcg.scale(Duration::from_secs(2)));
}
