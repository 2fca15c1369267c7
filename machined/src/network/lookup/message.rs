//! Queries and answers on the wire (RFC 1035). Pure.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Whole, without a dot at its end.
    pub(super) name: String,
    /// IPv6 instead of IPv4.
    pub(super) six: bool,
    /// Told from all others by this, which nobody can guess.
    pub(super) id: u16,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Where the host is; empty when the name has no address of this family.
    Addresses(Vec<IpAddr>),
    /// No host has this name.
    NoSuchName,
    /// It does not fit; it is to be asked over TCP.
    Truncated,
    /// The server cannot or will not say.
    Failed(String),
}

impl Query {
    fn kind(&self) -> TYPE {
        if self.six { TYPE::AAAA } else { TYPE::A }
    }

    /// The bytes of the query; `None` when this is no name.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        // The crate takes more for a name: escapes, and labels without a letter, which it leaves out.
        let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        let mut labels = self.name.split('.');
        if !labels.all(|it| !it.is_empty() && it.bytes().all(plain)) {
            return None;
        }
        let name = Name::new(&self.name).ok()?;
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let kind = QTYPE::TYPE(self.kind());
        packet
            .questions
            .push(Question::new(name, kind, CLASS::IN.into(), false));
        packet.build_bytes_vec().ok()
    }

    /// Reads what came; `None` when it answers something else, or nothing.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<Answer> {
        let packet = Packet::parse(bytes).ok()?;
        let asked = packet.questions.first()?;
        let ours = packet.id() == self.id
            && packet.has_flags(PacketFlag::RESPONSE)
            && asked.qtype == QTYPE::TYPE(self.kind())
            && asked.qname.to_string().eq_ignore_ascii_case(&self.name);
        if !ours {
            return None;
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Some(Answer::Truncated);
        }
        Some(match packet.rcode() {
            // The way over other names is the server's concern: it was asked to go it.
            RCODE::NoError => Answer::Addresses(
                packet
                    .answers
                    .iter()
                    .filter_map(|record| address(&record.rdata))
                    .filter(|it| it.is_ipv6() == self.six)
                    .collect(),
            ),
            RCODE::NameError => Answer::NoSuchName,
            other => Answer::Failed(format!("{other:?}")),
        })
    }
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(it) => Some(IpAddr::V4(it.address.into())),
        RData::AAAA(it) => Some(IpAddr::V6(it.address.into())),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, AAAA};

    use super::*;

    /// The answer of a server that knows these.
    pub(in crate::network::lookup) fn answer(query: &[u8], addresses: &[IpAddr]) -> Vec<u8> {
        reply(query, addresses, |_| {})
    }

    pub(in crate::network::lookup) fn reply(
        query: &[u8],
        addresses: &[IpAddr],
        change: impl FnOnce(&mut Packet<'_>),
    ) -> Vec<u8> {
        let mut packet = Packet::parse(query).unwrap().into_reply();
        let name = packet.questions[0].qname.clone();
        for address in addresses {
            let data = match address {
                IpAddr::V4(it) => RData::A(A {
                    address: (*it).into(),
                }),
                IpAddr::V6(it) => RData::AAAA(AAAA {
                    address: (*it).into(),
                }),
            };
            let record = ResourceRecord::new(name.clone(), CLASS::IN, 60, data);
            packet.answers.push(record);
        }
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn query(six: bool) -> Query {
        Query {
            name: "ntp.example.org".to_owned(),
            six,
            id: 7,
        }
    }

    #[test]
    fn an_answer_is_read_and_what_answers_another_question_is_not() {
        let four: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let six: IpAddr = Ipv6Addr::LOCALHOST.into();
        let query = query(false);
        let asked = query.encode().unwrap();
        let both = answer(&asked, &[four, six]);
        assert_eq!(query.decode(&both), Some(Answer::Addresses(vec![four])));
        let truncated = reply(&asked, &[], |it| it.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(query.decode(&truncated), Some(Answer::Truncated));
        let nobody = reply(&asked, &[], |it| *it.rcode_mut() = RCODE::NameError);
        assert_eq!(query.decode(&nobody), Some(Answer::NoSuchName));

        assert_eq!(query.decode(&asked), None, "no answer");
        for other in [
            Query {
                id: 8,
                ..query.clone()
            },
            Query {
                six: true,
                ..query.clone()
            },
            Query {
                name: "other.example.org".to_owned(),
                ..query.clone()
            },
        ] {
            assert_eq!(other.decode(&both), None, "{other:?}");
        }
        for none in ["a..b", "", "a b", "a\\.b", &"a".repeat(64)] {
            let name = none.to_owned();
            let none = Query {
                name,
                ..query.clone()
            };
            assert_eq!(none.encode(), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_breaks_the_reader(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let query = query(true);
            query.decode(&bytes);
            let mut damaged = answer(&query.encode().unwrap(), &[Ipv6Addr::LOCALHOST.into(); 3]);
            let at = at.index(damaged.len());
            damaged[at] = byte;
            query.decode(&damaged);
            query.decode(&damaged[..at]);
        }
    }
}
