//! The program itself: what it prints, how it ends.

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, ExitStatus, Output, Stdio};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    /// How long anything may take: far more than on the busiest machine.
    const DEADLINE: Duration = Duration::from_secs(120);

    fn probe(words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_probe"));
        command.args(words.split(' '));
        command
    }

    /// The running program; ended with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.kill().ok();
        }
    }

    impl Running {
        fn start(words: &str) -> Self {
            Self(probe(words).stdout(Stdio::piped()).spawn().unwrap())
        }

        /// What it prints first.
        fn line(&mut self) -> String {
            let mut line = String::new();
            let output = self.0.stdout.as_mut().unwrap();
            BufReader::new(output).read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        }

        fn end(&mut self, signal: Signal) -> ExitStatus {
            kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
            let began = Instant::now();
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status;
                }
                assert!(began.elapsed() < DEADLINE, "it does not end");
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }

    fn output(words: &str) -> (Option<i32>, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = probe(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    #[test]
    fn servers_say_where_they_listen_and_end_well_by_a_signal() {
        for (words, signal) in [
            ("http --listen 127.0.0.1:0", Signal::SIGTERM),
            ("tcp --listen 127.0.0.1:0", Signal::SIGINT),
        ] {
            let mut server = Running::start(words);
            let line = server.line();
            let port = line.strip_prefix("listening on 127.0.0.1:");
            assert!(port.is_some_and(|it| it.parse::<u16>().is_ok()), "{line}");
            assert_eq!(server.end(signal).code(), Some(0), "{words}");
        }
    }

    #[test]
    fn clients_use_servers() {
        let mut http = Running::start("http --listen 127.0.0.1:0");
        let address = http.line().replace("listening on ", "");
        let (code, said, _) = output(&format!("get http://{address}/path --deadline 120"));
        assert_eq!(code, Some(0));
        assert!(said.contains("\"path\":\"/path\""), "{said}");

        let mut tcp = Running::start("tcp --listen 127.0.0.1:0");
        let address = tcp.line().replace("listening on ", "");
        let words = format!("stream {address} --count 3 --every 0.001 --gap 120");
        let (code, said, _) = output(&words);
        assert_eq!(code, Some(0), "{said}");
        let last = said.lines().last().unwrap();
        let wanted = "{\"event\":\"end\",\"sent\":3,\"received\":3,\"lost\":0,\"breaks\":0,";
        assert!(last.starts_with(wanted), "{said}");
    }

    #[test]
    fn exit_codes_tell_failure_from_wrong_usage() {
        let (code, said, _) = output("lookup 2001:db8::1");
        assert_eq!((code, said.as_str()), (Some(0), "2001:db8::1\n"));
        // Nobody listens on the port that is for multiplexing others.
        let (code, _, error) = output("get http://127.0.0.1:1/ --deadline 1 --pause 1");
        assert_eq!(code, Some(1));
        let wanted = "probe: get http://127.0.0.1:1/ (tries: 1): ";
        assert!(error.starts_with(wanted), "{error}");
        let (code, _, error) = output("get https://a.example/");
        assert_eq!(code, Some(2));
        assert!(error.contains("http://HOST[:PORT]/PATH"), "{error}");
    }
}
