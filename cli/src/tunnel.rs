//! The way to a node that is not reached straight: through another one of the context that is of the control plane.

use std::fmt;
use std::io;

use anyhow::Result;
use api::v1alpha1::ConnectRequest;
use api::v1alpha1::tunnel_service_client::TunnelServiceClient;
use futures_util::stream::{self, FuturesUnordered, StreamExt as _, unfold};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tonic::transport::Channel;

use crate::explain::sentence;

/// What is on its way on this side, in each direction, in bytes: as much as a node takes at once.
const PIECE: usize = 64 << 10;

/// Bytes to a member of a cluster and back, over a node that is reached by this channel.
pub(crate) async fn open(channel: Channel, member: &str) -> Result<DuplexStream> {
    let (ours, theirs) = duplex(PIECE);
    let (from, mut to) = split(theirs);
    let first = ConnectRequest {
        member: member.to_owned(),
        data: Vec::new(),
    };
    let pieces = unfold(from, |mut from| async move {
        let mut data = vec![0; PIECE];
        let length = from.read(&mut data).await.ok().filter(|it| *it > 0)?;
        data.truncate(length);
        let piece = ConnectRequest {
            data,
            ..ConnectRequest::default()
        };
        Some((piece, from))
    });
    let sent = stream::iter([first]).chain(pieces);
    let answer = TunnelServiceClient::new(channel).connect(sent).await?;
    let mut back = answer.into_inner();
    // It ends when the member or the node between does, or when nobody reads any more; the reader then meets the end.
    tokio::spawn(async move {
        while let Ok(Some(piece)) = back.message().await {
            if to.write_all(&piece.data).await.is_err() {
                return;
            }
        }
    });
    Ok(ours)
}

/// A way that is given up when `end` comes first.
pub(crate) async fn until<T, E: From<io::Error>>(
    end: impl Future<Output = ()>,
    way: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::select! {
        // What says why it does not lead there tells more than that time is up.
        biased;
        taken = way => taken,
        () = end => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time").into()),
    }
}

/// The first of several ways that leads there; in words why each does not.
pub(crate) async fn first<T, F>(ways: Vec<(String, F)>) -> Result<T, Vec<(String, String)>>
where
    F: Future<Output = Result<T>>,
{
    let tries = ways.into_iter().map(|(name, way)| async {
        let tried = way.await;
        (name, tried)
    });
    let mut tries: FuturesUnordered<_> = tries.collect();
    let mut failed = Vec::new();
    while let Some((name, tried)) = tries.next().await {
        match tried {
            Ok(found) => return Ok(found),
            Err(error) => failed.push((name, sentence(&error))),
        }
    }
    failed.sort();
    Err(failed)
}

/// Why no way leads to a node.
#[derive(Debug)]
pub(crate) struct NoWay {
    straight: io::Error,
    through: Vec<(String, String)>,
}

impl NoWay {
    /// Why the straight one does not, and why those through other nodes do not.
    pub(crate) fn error(straight: io::Error, through: Vec<(String, String)>) -> io::Error {
        if through.is_empty() {
            return straight;
        }
        io::Error::new(straight.kind(), Self { straight, through })
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let straight = self.straight.to_string();
        let straight = crate::explain::without_number(&straight);
        write!(f, "straight: {straight}")?;
        for (node, why) in &self.through {
            write!(f, "; through {node}: {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NoWay {}

/// Whichever leads there: the straight way, or one around that begins when that fails or has had its head start.
pub(crate) async fn race<T>(
    straight: impl Future<Output = io::Result<T>>,
    head_start: impl Future<Output = ()>,
    around: impl Future<Output = Result<T, Vec<(String, String)>>>,
) -> io::Result<T> {
    let (mut straight, mut around) = (std::pin::pin!(straight), std::pin::pin!(around));
    tokio::select! {
        // What is there at once needs no other way.
        biased;
        reached = &mut straight => match reached {
            Ok(found) => return Ok(found),
            Err(error) => return around.await.map_err(|through| NoWay::error(error, through)),
        },
        () = head_start => {}
    }
    tokio::select! {
        reached = &mut straight => match reached {
            Ok(found) => Ok(found),
            Err(error) => around.await.map_err(|through| NoWay::error(error, through)),
        },
        found = &mut around => match found {
            Ok(found) => Ok(found),
            Err(through) => straight.await.map_err(|error| NoWay::error(error, through)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn refused<T>() -> io::Result<T> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    fn run<T>(task: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(task)
    }

    #[test]
    fn the_straight_way_is_taken_where_there_is_one() {
        let both = race(ready(Ok("straight")), ready(()), ready(Ok("around")));
        assert_eq!(run(both).expect("reached"), "straight");
        let slow = race(pending(), ready(()), ready(Ok("around")));
        assert_eq!(run(slow).expect("reached"), "around");
        let refused = race(ready(refused()), pending(), ready(Ok("around")));
        assert_eq!(run(refused).expect("reached"), "around");
    }

    #[test]
    fn the_error_names_every_way() {
        let through = vec![("cp-1".to_owned(), "no member is \"x\"".to_owned())];
        let error = run(race::<()>(ready(refused()), pending(), ready(Err(through))));
        let error =
            anyhow::Error::from(error.expect_err("no way")).context("connecting to x:50000");
        let told = sentence(&error);
        assert!(
            told.starts_with(
                "connecting to x:50000: straight: connection refused; through cp-1: no member is \"x\""
            ),
            "{told}"
        );
        // Alone, a way is not named.
        let alone = run(race::<()>(
            ready(refused()),
            pending(),
            ready(Err(Vec::new())),
        ));
        assert_eq!(alone.expect_err("no way").to_string(), "connection refused");
    }

    #[test]
    fn a_way_that_hangs_is_named_like_one_that_fails() {
        let (straight, around) = (pending::<io::Result<()>>(), pending::<Result<()>>());
        let around = first(vec![("cp-1".to_owned(), until(ready(()), around))]);
        let error = run(race(until(ready(()), straight), ready(()), around));
        assert_eq!(
            error.expect_err("no way").to_string(),
            "straight: no answer in time; through cp-1: no answer in time"
        );
        let both = until(ready(()), ready(refused::<()>()));
        let told = run(both).expect_err("refused");
        assert_eq!(told.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn whichever_node_leads_there_does() {
        let ways = ["a", "b"].map(|name| {
            let found = match name {
                "a" => Err(anyhow::anyhow!("not me")),
                _ => Ok(name),
            };
            (name.to_owned(), ready(found))
        });
        assert_eq!(run(first(ways.into())).expect("found"), "b");
    }
}
