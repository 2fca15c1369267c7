use dhcproto::v4::{self, DhcpOption, MessageType, Opcode};
use dhcproto::{Decodable, Decoder, Encodable};
use proptest::prelude::*;

use super::*;

const MAC: Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn request(kind: RequestKind) -> Request {
    Request {
        kind,
        xid: 0xdead_beef,
        secs: 9,
        client: Ipv4Addr::UNSPECIFIED,
        mac: MAC,
        requested: Some(Ipv4Addr::new(10, 0, 0, 9)),
        server: Some(SERVER),
    }
}

/// An answer as another implementation writes it.
fn answer(kind: MessageType, change: impl FnOnce(&mut v4::Message)) -> Vec<u8> {
    let any = Ipv4Addr::UNSPECIFIED;
    let mut message = v4::Message::new_with_id(7, any, Ipv4Addr::new(10, 0, 0, 9), any, any, &MAC);
    message.set_opcode(Opcode::BootReply);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(SERVER));
    options.insert(DhcpOption::AddressLeaseTime(600));
    options.insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
    change(&mut message);
    message.to_vec().unwrap()
}

fn taken(bytes: &[u8]) -> Terms {
    *parse_reply(bytes).unwrap().terms.unwrap()
}

#[test]
fn another_implementation_reads_what_we_send() {
    for kind in [
        RequestKind::Discover,
        RequestKind::Request,
        RequestKind::Release,
    ] {
        let bytes = request(kind).encode();
        assert!(bytes.len() >= LEAST);
        let read = v4::Message::decode(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(
            (read.xid(), read.secs(), read.chaddr()),
            (0xdead_beef, 9, &MAC[..])
        );
        assert_eq!(read.opcode(), Opcode::BootRequest);
        let has = |code| read.opts().get(code).cloned();
        assert_eq!(
            has(v4::OptionCode::ServerIdentifier),
            Some(DhcpOption::ServerIdentifier(SERVER))
        );
        let parameters = has(v4::OptionCode::ParameterRequestList).is_some();
        assert_eq!(parameters, kind != RequestKind::Release);
    }
}

#[test]
fn we_read_what_another_implementation_sends() {
    let bytes = answer(MessageType::Ack, |m| {
        let options = m.opts_mut();
        options.insert(DhcpOption::Router(vec![SERVER]));
        options.insert(DhcpOption::DomainNameServer(vec![
            SERVER,
            Ipv4Addr::new(9, 9, 9, 9),
        ]));
        options.insert(DhcpOption::DomainName("example.org".to_owned()));
        options.insert(DhcpOption::Hostname("node-1".to_owned()));
        options.insert(DhcpOption::InterfaceMtu(1460));
        options.insert(DhcpOption::Renewal(100));
        options.insert(DhcpOption::Rebinding(200));
        let route = ("172.16.0.0/12".parse().unwrap(), SERVER);
        options.insert(DhcpOption::ClasslessStaticRoute(vec![route]));
    });
    let reply = parse_reply(&bytes).unwrap();
    assert_eq!(
        (reply.kind, reply.xid, reply.mac, reply.server),
        (ReplyKind::Ack, 7, MAC, Some(SERVER))
    );
    let terms = taken(&bytes);
    assert_eq!(terms.address.to_string(), "10.0.0.9/24");
    assert_eq!(
        (terms.seconds, terms.renew, terms.rebind, terms.mtu),
        (600, Some(100), Some(200), Some(1460))
    );
    assert_eq!(
        (
            terms.routers.len(),
            terms.resolvers.len(),
            terms.routes.len()
        ),
        (1, 2, 1)
    );
    assert_eq!(
        (terms.domain.as_str(), terms.hostname.as_str()),
        ("example.org", "node-1")
    );
}

#[test]
fn a_refusal_needs_no_terms() {
    let bytes = answer(MessageType::Nak, |m| {
        m.set_yiaddr(Ipv4Addr::UNSPECIFIED);
        m.opts_mut().remove(v4::OptionCode::AddressLeaseTime);
    });
    let reply = parse_reply(&bytes).unwrap();
    assert_eq!((reply.kind, reply.terms), (ReplyKind::Nak, None));
}

#[test]
fn what_a_lease_needs_must_be_there() {
    let without = |code| answer(MessageType::Offer, |m| drop(m.opts_mut().remove(code)));
    assert_eq!(
        parse_reply(&without(v4::OptionCode::AddressLeaseTime)),
        Err(MessageError::Option(51))
    );
    assert_eq!(
        parse_reply(&without(v4::OptionCode::ServerIdentifier)),
        Err(MessageError::Option(54))
    );
    assert_eq!(
        parse_reply(&without(v4::OptionCode::MessageType)),
        Err(MessageError::Option(53))
    );
    let class = taken(&without(v4::OptionCode::SubnetMask));
    assert_eq!(class.address.to_string(), "10.0.0.9/8");
    let broadcast = answer(MessageType::Offer, |m| {
        m.set_yiaddr(Ipv4Addr::BROADCAST);
    });
    assert_eq!(
        parse_reply(&broadcast),
        Err(MessageError::Address(Ipv4Addr::BROADCAST))
    );
}

#[test]
fn options_in_pieces_and_in_the_text_fields_are_put_together() {
    let mut bytes = answer(MessageType::Ack, |_| {});
    let end = bytes.iter().rposition(|b| *b == 255).unwrap();
    bytes.truncate(end);
    // Half an address, the other half, and the word that the server's name holds options too.
    bytes.extend([6, 2, 9, 9, 6, 2, 9, 9, 52, 1, 2, 255]);
    bytes[44..50].copy_from_slice(&[15, 4, b'h', b'o', b'm', b'e']);
    bytes[50] = 255;
    let terms = taken(&bytes);
    assert_eq!(terms.resolvers, [Ipv4Addr::new(9, 9, 9, 9)]);
    assert_eq!(terms.domain, "home");
}

#[test]
fn every_cut_is_noticed_or_harmless() {
    let bytes = answer(MessageType::Ack, |_| {});
    for length in 0..bytes.len() {
        // Cut options may leave a whole one behind; the fixed part never does.
        let parsed = parse_reply(&bytes[..length]);
        assert!(
            length >= FIXED + COOKIE.len() || parsed.is_err(),
            "{length} bytes were taken"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(parse_reply(&bytes));
    }

    #[test]
    fn any_options_are_survived(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = answer(MessageType::Ack, |_| {});
        let end = bytes.iter().rposition(|b| *b == 255).unwrap();
        bytes.truncate(end);
        bytes.extend(tail);
        if let Ok(Reply { terms: Some(terms), .. }) = parse_reply(&bytes) {
            prop_assert!(terms.seconds > 0);
            prop_assert!(terms.domain.len() <= 253 && terms.hostname.len() <= 63);
        }
    }
}
