//! The program itself, told what to do by signals.

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    const PAUSE: &str = env!("CARGO_BIN_EXE_pause");

    /// How long anything may take: far more than on the busiest machine.
    const DEADLINE: Duration = Duration::from_secs(120);

    /// The running program; ended with the test.
    struct Pause(Child);

    impl Drop for Pause {
        fn drop(&mut self) {
            self.0.kill().ok();
        }
    }

    impl Pause {
        /// A shell becomes it, with a child that has ended or soon will, and one that ends with its input.
        fn start() -> Self {
            let shell = "exec 3<&0; true & cat <&3 & exec \"$0\" 3<&-";
            let mut command = Command::new("sh");
            command.args(["-c", shell, PAUSE]).stdin(Stdio::piped());
            Self(command.spawn().unwrap())
        }

        fn name(&self) -> String {
            read_to_string(format!("/proc/{}/comm", self.0.id())).unwrap()
        }

        fn children(&self) -> usize {
            let path = format!("/proc/{0}/task/{0}/children", self.0.id());
            read_to_string(path).unwrap().split_whitespace().count()
        }
    }

    fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(met) = condition() {
                return met;
            }
            assert!(began.elapsed() < DEADLINE, "waited in vain until {what}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    #[test]
    fn it_reaps_and_ends_when_asked_to() {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let mut pause = Pause::start();
            until("it began", || (pause.name() == "pause\n").then_some(()));
            until("the first is gone", || {
                (pause.children() == 1).then_some(())
            });
            drop(pause.0.stdin.take());
            // What reaps has blocked its signals before.
            until("the last is gone", || (pause.children() == 0).then_some(()));
            assert_eq!(pause.0.try_wait().unwrap(), None, "it still waits");
            let pid = Pid::from_raw(pause.0.id().try_into().unwrap());
            kill(pid, signal).unwrap();
            let status = until("it ends", || pause.0.try_wait().unwrap());
            assert_eq!(status.code(), Some(0), "{signal}");
        }
    }
}
