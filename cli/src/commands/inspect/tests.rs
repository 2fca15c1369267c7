use super::*;

fn process(pid: u32, cpu: u64, resident: u64, arguments: &[&str]) -> Process {
    Process::from(v1::Process {
        pid,
        state: "S".into(),
        threads: 1,
        cpu_microseconds: cpu,
        resident_bytes: resident,
        command: "name".into(),
        arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
        ..v1::Process::default()
    })
}

#[test]
fn processes_come_in_the_order_asked_for() {
    let mut all = [
        process(3, 10, 1024, &[]),
        process(1, 2_500_000, 512, &["/sbin/init"]),
        process(2, 20, 2048, &["machined"]),
    ];
    let mut pids = |order| {
        arrange(&mut all, order);
        all.iter().map(|it| it.pid).collect::<Vec<_>>()
    };
    assert_eq!(pids(Order::Pid), [1, 2, 3]);
    assert_eq!(pids(Order::Cpu), [1, 2, 3]);
    assert_eq!(pids(Order::Memory), [2, 3, 1]);
}

#[test]
fn threads_of_the_kernel_are_told_from_processes_and_the_dead() {
    let thread = process(2, 0, 0, &[]);
    assert!(thread.is_of_kernel());
    assert_eq!(thread.line(), "[name]");
    let mut dead = process(9, 0, 0, &[]);
    dead.state = "Z".into();
    assert!(!dead.is_of_kernel());
    assert!(!process(1, 0, 0, &["/sbin/init"]).is_of_kernel());
}

#[test]
fn the_node_is_named_where_there_are_several() {
    let row = process(1, 2_500_000, 1 << 20, &["/sbin/init", "--x"]);
    let rows = [("cp-1".to_owned(), &row)];
    assert_eq!(
        drawn(&rows, true),
        [
            "PID  STATE  THREADS  CPU TIME  MEMORY  COMMAND",
            "1    S      1        2.50 s    1 MiB   /sbin/init --x",
        ]
    );
    let several = drawn(&rows, false);
    assert!(several.iter().all(|line| line.len() <= 80), "{several:?}");
    assert!(several.last().is_some_and(|line| line.starts_with("cp-1")));
}

#[test]
fn a_full_filesystem_is_called_full() {
    let usage = |used_bytes, available_bytes| Usage {
        total_bytes: 0,
        used_bytes,
        available_bytes,
        inodes: 0,
        used_inodes: 0,
    };
    assert_eq!(usage(999, 1).percent(), 100);
    assert_eq!(usage(500, 500).percent(), 50);
    assert_eq!(usage(0, 1000).percent(), 0);
    assert_eq!(usage(0, 0).percent(), 0);
    assert_eq!(usage(u64::MAX, 0).percent(), 100);
}

#[test]
fn who_listens_waits_for_anybody() {
    let socket = |state: &str, remote: &str| {
        Socket::from(v1::Socket {
            state: state.into(),
            remote: remote.into(),
            ..v1::Socket::default()
        })
    };
    assert!(socket("listen", "[::]:0").listens());
    assert!(socket("", "0.0.0.0:0").listens());
    assert!(!socket("established", "10.0.0.1:443").listens());
    assert!(!socket("time-wait", "10.0.0.1:50").listens());
}
