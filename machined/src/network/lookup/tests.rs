//! A name server of a few lines on loopback.

use simple_dns::{Packet, PacketFlag, RCODE};
use store::{Resource, Store, Transaction};
use tokio::net::TcpListener;

use super::message::tests::{answer, reply};
use super::*;

const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

fn resolvers(servers: &[SocketAddr]) -> Resolvers {
    Resolvers {
        servers: servers.to_vec(),
        search: vec!["example.org".to_owned()],
        hosts: BTreeMap::new(),
    }
}

fn name(query: &[u8]) -> String {
    Packet::parse(query).unwrap().questions[0].qname.to_string()
}

/// Answers over UDP while `with` lasts.
async fn serve<T>(
    socket: &UdpSocket,
    respond: impl Fn(&[u8]) -> Vec<Vec<u8>>,
    with: impl Future<Output = T>,
) -> T {
    let answers = async {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for it in respond(&buffer[..length]) {
                socket.send_to(&it, from).await.unwrap();
            }
        }
    };
    tokio::select! {
        () = answers => unreachable!("it has no end"),
        done = with => done,
    }
}

async fn server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn what_needs_no_server_asks_none() {
    let mut known = resolvers(&[]);
    known.hosts.insert("time".to_owned(), vec![SIX]);
    for (name, addresses) in [("192.0.2.1", FOUR), ("Time", SIX), ("time.", SIX)] {
        assert_eq!(lookup(name, &known).await.unwrap(), [addresses]);
    }
    assert_eq!(lookup("localhost", &known).await.unwrap().len(), 2);
    let error = lookup("other", &known).await.unwrap_err();
    assert!(matches!(error, LookupError::NoServer(_)), "{error}");
}

#[tokio::test]
async fn a_short_name_is_searched_and_a_stranger_not_believed() {
    let (socket, address) = server().await;
    let respond = |query: &[u8]| {
        if name(query) != "time.example.org" {
            return vec![reply(query, &[], |it| *it.rcode_mut() = RCODE::NameError)];
        }
        let mut guessed = answer(query, &[Ipv4Addr::LOCALHOST.into()]);
        guessed[0] ^= 1;
        vec![guessed, b"noise".to_vec(), answer(query, &[FOUR, SIX])]
    };
    let known = resolvers(&[address]);
    let asked = async {
        let found = lookup("time", &known).await.unwrap();
        (
            found,
            lookup("nobody.example.net", &known).await.unwrap_err(),
        )
    };
    let (found, error) = serve(&socket, respond, asked).await;
    assert_eq!(found, [FOUR, SIX]);
    assert!(matches!(error, LookupError::Unknown(_)), "{error}");
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_fails() {
    // Nothing can be sent there.
    let dead = SocketAddr::from(([127, 0, 0, 1], 0));
    let (broken, failing) = server().await;
    let (socket, address) = server().await;
    let fails = |query: &[u8]| {
        vec![reply(query, &[], |it| {
            *it.rcode_mut() = RCODE::ServerFailure
        })]
    };
    let known = resolvers(&[dead, failing, address]);
    let asked = serve(
        &socket,
        |query| vec![answer(query, &[FOUR])],
        lookup("a.b", &known),
    );
    assert_eq!(serve(&broken, fails, asked).await.unwrap(), [FOUR]);

    let known = resolvers(&[dead, failing]);
    let error = serve(&broken, fails, lookup("a.b", &known)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("ServerFailure"), "{error}");
    let known = resolvers(&[failing]);
    let error = serve(&broken, fails, lookup("a..b", &known)).await;
    assert!(matches!(error, Err(LookupError::NoName(_))), "{error:?}");
}

#[tokio::test]
async fn what_does_not_fit_comes_over_tcp() {
    let (socket, listener) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Another program may have the same port of the other protocol.
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
            break (socket, listener);
        }
    };
    let address = socket.local_addr().unwrap();
    let cut = |query: &[u8]| vec![reply(query, &[], |it| it.set_flags(PacketFlag::TRUNCATION))];
    let whole = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let answer = answer(&query, &[FOUR]);
            let length = u16::try_from(answer.len()).unwrap();
            stream.write_all(&length.to_be_bytes()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    };
    let known = resolvers(&[address]);
    let found = tokio::select! {
        () = whole => unreachable!("it has no end"),
        found = serve(&socket, cut, lookup("a.b", &known)) => found,
    };
    assert_eq!(found.unwrap(), [FOUR]);
}

#[test]
fn the_node_knows_its_servers_and_hosts() {
    let store = Store::new(1);
    let servers = ResolverSpec {
        servers: vec![FOUR],
        search: vec!["example.org".to_owned()],
        ..ResolverSpec::default()
    };
    let host = StaticHostSpec {
        name: "Time".to_owned(),
        addresses: vec![SIX],
        aliases: vec!["clock".to_owned()],
        ..StaticHostSpec::default()
    };
    let told = Transaction::owned("test")
        .create(Resource::in_default(RESOLVERS, servers))
        .create(Resource::in_default("Time", host));
    store.commit(told, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let known = Resolvers::of(&store.snapshot());
    assert_eq!(known.servers, [SocketAddr::new(FOUR, 53)]);
    assert_eq!(known.hosts["time"], [SIX]);
    assert_eq!(known.hosts["clock"], [SIX]);
    assert_eq!(known.candidates("a"), ["a.example.org", "a"]);
    assert_eq!(known.candidates("a.b"), ["a.b", "a.b.example.org"]);
    assert_eq!(known.candidates("a."), ["a"]);
}

#[tokio::test]
async fn nobody_is_asked_where_an_address_is() {
    let nobody = Lookup::new(|name| Box::pin(async move { Err(format!("asked for {name}")) }));
    let found = async |host: &str| nobody.addresses(&host.parse().unwrap()).await;
    assert_eq!(found("fd00::2").await, Ok(vec!["fd00::2".parse().unwrap()]));
    assert_eq!(found("a.lab").await, Err("asked for a.lab".to_owned()));
}
