//! Clients and servers together, in one process.

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use hyper::Uri;
    use probe::arguments::{Pace, Patience, Target};
    use probe::echo::{self, Echo};
    use probe::get::{GetError, get};
    use probe::names::Names;
    use probe::stream::{self, Event, Summary};
    use probe::tcp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// No names are looked up here.
    fn names() -> Names {
        Names::new(Vec::new(), None)
    }

    /// Far more than on the busiest machine, with tries as often as can be.
    fn patience() -> Patience {
        Patience {
            deadline: Duration::from_secs(300),
            timeout: Duration::from_secs(120),
            pause: Duration::from_millis(1),
        }
    }

    fn url(address: SocketAddr, path: &str) -> Uri {
        format!("http://{address}{path}").parse().unwrap()
    }

    #[tokio::test]
    async fn a_request_comes_back_as_it_was() {
        let (listener, address) = listener().await;
        let url = url(address, "/a/b?c=d");
        let (names, patience) = (names(), patience());
        let body = tokio::select! {
            body = get(&names, &url, &patience) => body.unwrap(),
            () = echo::serve(&listener, "pod-1", std::future::pending()) => panic!("it ended"),
        };
        let echo: Echo = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (echo.method.as_str(), echo.path.as_str()),
            ("GET", "/a/b?c=d")
        );
        assert_eq!(echo.host, "pod-1");
        assert_eq!(echo.headers["host"], address.to_string());
        assert_eq!(echo.remote.ip(), Ipv4Addr::LOCALHOST);
    }

    #[tokio::test]
    async fn the_server_answers_what_was_asked_before_it_ends() {
        let (listener, address) = listener().await;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // Half a request is one that is being answered.
            stream
                .write_all(b"GET / HTTP/1.1\r\nx: 1\r\n")
                .await
                .unwrap();
            stream.write_all(b"x: 2\r\n\r\n").await.unwrap();
            let mut first = [0; 1];
            stream.read_exact(&mut first).await.unwrap();
            stop.send(()).unwrap();
            let mut rest = String::new();
            stream.read_to_string(&mut rest).await.unwrap();
            rest
        };
        let stopped = async { stopped.await.unwrap() };
        let (rest, ()) = tokio::join!(client, echo::serve(&listener, "pod-1", stopped));
        assert!(rest.contains("\"x\":\"1, 2\""), "{rest}");
    }

    #[tokio::test]
    async fn it_is_asked_again_until_it_succeeds() {
        let (listener, address) = listener().await;
        let answers = [
            "not even HTTP\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine",
        ];
        let server = async {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                // What is not read when a connection is closed turns the end into a reset.
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let (url, names, patience) = (url(address, "/"), names(), patience());
        let (body, ()) = tokio::join!(get(&names, &url, &patience), server);
        assert_eq!(body.unwrap(), "fine");
    }

    #[tokio::test]
    async fn after_the_deadline_the_last_failure_is_told() {
        // Bound and then dropped: nobody listens there.
        let (listener, address) = listener().await;
        drop(listener);
        let mut patience = patience();
        // No time for a second try.
        patience.pause = patience.deadline;
        let error = get(&names(), &url(address, "/"), &patience)
            .await
            .unwrap_err();
        let GetError::Deadline { tries, last, .. } = &error;
        assert_eq!(*tries, 1);
        assert_eq!(last.to_string(), format!("connect to {address}"));
    }

    fn pace(count: u64) -> Pace {
        Pace {
            every: Duration::from_millis(1),
            gap: Duration::from_secs(300),
            count: Some(count),
        }
    }

    async fn streamed(address: SocketAddr, pace: &Pace) -> (Summary, Vec<Event>) {
        streamed_until(address, pace, std::future::pending()).await
    }

    async fn streamed_until(
        address: SocketAddr,
        pace: &Pace,
        stop: impl Future<Output = ()>,
    ) -> (Summary, Vec<Event>) {
        let target = Target {
            host: address.ip().to_string(),
            port: address.port(),
        };
        let mut events = Vec::new();
        let mut tell = |event: &Event| {
            events.push(event.clone());
            Ok(())
        };
        let summary = stream::run(&names(), &target, pace, stop, &mut tell).await;
        (summary.unwrap(), events)
    }

    #[tokio::test]
    async fn an_unbroken_stream_loses_nothing() {
        let (listener, address) = listener().await;
        let pace = pace(20);
        let (summary, events) = tokio::select! {
            done = streamed(address, &pace) => done,
            () = tcp::serve(&listener, std::future::pending()) => panic!("it ended"),
        };
        assert_eq!((summary.sent, summary.received), (20, 20));
        assert_eq!((summary.lost, summary.breaks), (0, 0));
        let peer = address.to_string();
        assert_eq!(events, [Event::Connected { peer }, Event::End(summary)]);
    }

    #[tokio::test]
    async fn a_stream_that_is_stopped_counts_what_it_sent() {
        let (listener, address) = listener().await;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..3 {
                let number = stream.read_u64().await.unwrap();
                stream.write_u64(number).await.unwrap();
            }
            // No echo of this one.
            stream.read_u64().await.unwrap();
            stop.send(()).unwrap();
            stream
        };
        let stopped = async { stopped.await.unwrap() };
        let mut pace = pace(1);
        pace.count = None;
        let client = streamed_until(address, &pace, stopped);
        let ((summary, _), _stream) = tokio::join!(client, server);
        assert!(summary.sent >= 4, "{summary:?}");
        assert!(summary.received <= 3, "{summary:?}");
        assert_eq!((summary.lost, summary.breaks), (0, 0));
    }

    #[tokio::test]
    async fn a_broken_stream_is_made_again_and_accounted_for() {
        let (listener, address) = listener().await;
        let server = async {
            // Two echoes, and a third message that is read and never answered.
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                let number = stream.read_u64().await.unwrap();
                stream.write_u64(number).await.unwrap();
            }
            stream.read_u64().await.unwrap();
            drop(stream);
            // Somebody who answers something else.
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u64().await.unwrap();
            stream.write_u64(7).await.unwrap();
            stream.read_u64().await.ok();
            drop(stream);
            tcp::serve(&listener, std::future::pending()).await;
        };
        let pace = pace(50);
        let (summary, events) = tokio::select! {
            done = streamed(address, &pace) => done,
            () = server => panic!("it ended"),
        };
        assert_eq!(summary.breaks, 2);
        assert!(summary.lost >= 2, "{summary:?}");
        assert_eq!((summary.sent, summary.received), (50, 50 - summary.lost));
        let broken = events.iter().filter_map(|event| match event {
            Event::Broken { error, .. } => Some(error.as_str()),
            _ => None,
        });
        let wrong = "the echo of message 7 came instead of that of";
        assert!(broken.clone().any(|it| it.starts_with(wrong)), "{events:?}");
        assert_eq!(broken.count(), 2);
    }
}
