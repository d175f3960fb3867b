//! Messages of the domain name system (RFC 1035), read from bytes that anybody may have written.
//!
//! ```text
//! | id u16 | flags u16 | questions u16 | answers u16 | authorities u16 | additional u16 |
//! | name, type u16, class u16 |                                   for each question
//! | name, type u16, class u16, ttl u32, length u16, data |        for each answer
//! ```
//!
//! A name is labels, each behind its length, up to an empty one; two high bits in the place of a length
//! make it a pointer to where the name goes on. Pointers lead backwards only, so no name has an end that
//! is never reached. A capture may hold the beginning of a message only: what is whole is read, and
//! [`Message::is_cut`] tells. Authorities and additional records are not looked at: nobody asked for
//! them.

use std::net::IpAddr;

/// Longest name on the wire.
const WIRE_MAX: usize = 255;
/// Most records of a message that are read.
const RECORDS_MAX: usize = 512;
/// Bytes before the first question.
const HEAD: usize = 12;

/// Internet, the one class that is heeded.
const IN: u16 = 1;
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// A name as text: lower case, labels with dots between them, `.` for the root. Bytes that are not
/// printable, and dots inside a label, are written `\DDD` as in zone files.
pub(crate) type Name = Vec<u8>;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) name: Name,
    /// Type of the records that are wanted.
    pub(crate) ty: u16,
}

/// What an answer says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// It has this address.
    Address(IpAddr),
    /// It is another name for this one.
    Alias(Name),
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) name: Name,
    /// Seconds for which it may be kept.
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

/// A message, as far as it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) is_answer: bool,
    /// The first; no software sends more.
    pub(crate) question: Question,
    /// Addresses and aliases, in their order; empty where the answer is an error.
    pub(crate) answers: Vec<Answer>,
    /// It goes on behind what was captured.
    pub(crate) is_cut: bool,
}

/// Bytes of a message, and a place in them.
struct Cursor<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl<'m> Cursor<'m> {
    fn take(&mut self, count: usize) -> Option<&'m [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.take(2)?.first_chunk()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.take(4)?.first_chunk()?))
    }

    /// The name here; the place is behind it afterwards.
    fn name(&mut self) -> Option<Name> {
        let mut name = Name::new();
        let (mut at, mut wire) = (self.at, 0);
        // Where the name goes on must lie before where this part of it began.
        let mut before = self.at;
        let mut behind = None;
        loop {
            let length = usize::from(*self.bytes.get(at)?);
            match length >> 6 {
                0 if length == 0 => break,
                0 => {
                    wire += length + 1;
                    if wire > WIRE_MAX {
                        return None;
                    }
                    let label = self.bytes.get(at + 1..at + 1 + length)?;
                    if !name.is_empty() {
                        name.push(b'.');
                    }
                    write_label(&mut name, label);
                    at += 1 + length;
                }
                3 => {
                    let low = usize::from(*self.bytes.get(at + 1)?);
                    behind.get_or_insert(at + 2);
                    let to = (length & 0x3f) << 8 | low;
                    if to >= before {
                        return None;
                    }
                    (at, before) = (to, to);
                }
                _ => return None,
            }
        }
        self.at = behind.unwrap_or(at + 1);
        if name.is_empty() {
            name.push(b'.');
        }
        Some(name)
    }
}

fn write_label(name: &mut Name, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' | 0..=b' ' | 0x7f.. => {
                name.push(b'\\');
                for place in [100, 10, 1] {
                    name.push(b'0' + byte / place % 10);
                }
            }
            _ => name.push(byte.to_ascii_lowercase()),
        }
    }
}

impl Message {
    /// Reads a message; `None` where not even its question is whole, or where it asks for nothing that
    /// the Internet's names are about.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { bytes, at: 0 };
        let (id, flags) = (cursor.u16()?, cursor.u16()?);
        let (questions, answers) = (cursor.u16()?, cursor.u16()?);
        cursor.at = HEAD;
        // Opcode 0: an ordinary question, or what answers it.
        if flags >> 11 & 15 != 0 || questions == 0 {
            return None;
        }
        let question = Question {
            name: cursor.name()?,
            ty: cursor.u16()?,
        };
        if cursor.u16()? != IN {
            return None;
        }
        let mut message = Self {
            id,
            is_answer: flags >> 15 != 0,
            question,
            answers: Vec::new(),
            is_cut: false,
        };
        let is_error = flags & 15 != 0;
        if !message.is_answer || is_error {
            return Some(message);
        }
        // Further questions have no answer here.
        for _ in 1..usize::from(questions).min(RECORDS_MAX) {
            if cursor.name().is_none() || cursor.take(4).is_none() {
                message.is_cut = true;
                return Some(message);
            }
        }
        for _ in 0..usize::from(answers).min(RECORDS_MAX) {
            match record(&mut cursor) {
                None => {
                    message.is_cut = true;
                    break;
                }
                Some(None) => {}
                Some(Some(answer)) => message.answers.push(answer),
            }
        }
        Some(message)
    }

    /// The addresses that the answer gives to the name that was asked for, each with the names that
    /// lead to it, the one asked for first, and the seconds for which all of that may be kept. What
    /// the answer says of other names is passed over.
    pub(crate) fn addresses(&self) -> (Vec<IpAddr>, Vec<&[u8]>, u32) {
        let mut chain: Vec<&[u8]> = vec![&self.question.name];
        let mut ttl = u32::MAX;
        for answer in &self.answers {
            if let Data::Alias(name) = &answer.data
                && chain.contains(&&answer.name[..])
                && !chain.contains(&&name[..])
                && chain.len() < CHAIN_MAX
            {
                chain.push(name);
                ttl = ttl.min(answer.ttl);
            }
        }
        let mut addresses = Vec::new();
        for answer in &self.answers {
            if let Data::Address(ip) = answer.data
                && chain.contains(&&answer.name[..])
                && !addresses.contains(&ip)
                && addresses.len() < ADDRESSES_MAX
            {
                addresses.push(ip);
                ttl = ttl.min(answer.ttl);
            }
        }
        (addresses, chain, ttl)
    }
}

/// Most names from the one asked for to an address.
const CHAIN_MAX: usize = 8;
/// Most addresses of one answer.
const ADDRESSES_MAX: usize = 256;

/// A record: outside `None` where it is not whole, inside where it is of no interest.
fn record(cursor: &mut Cursor<'_>) -> Option<Option<Answer>> {
    let name = cursor.name()?;
    let (ty, class, ttl) = (cursor.u16()?, cursor.u16()?, cursor.u32()?);
    let length = usize::from(cursor.u16()?);
    let start = cursor.at;
    let data = cursor.take(length)?;
    if class != IN {
        return Some(None);
    }
    let data = match ty {
        A => data
            .try_into()
            .ok()
            .map(|ip: [u8; 4]| Data::Address(ip.into())),
        AAAA => data
            .try_into()
            .ok()
            .map(|ip: [u8; 16]| Data::Address(ip.into())),
        CNAME => {
            let mut alias = Cursor {
                bytes: &cursor.bytes[..start + length],
                at: start,
            };
            alias.name().map(Data::Alias)
        }
        _ => None,
    };
    Some(data.map(|data| Answer { name, ttl, data }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A name on the wire.
    fn wire(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            out.push(label.len() as u8);
            out.extend_from_slice(label.as_bytes());
        }
        out.push(0);
        out
    }

    /// A question for addresses, IPv6 ones where `ty` is 28.
    pub(crate) fn question(id: u16, name: &str, ty: u16) -> Vec<u8> {
        let head = [id, 0x0100, 1, 0, 0, 0];
        let mut out: Vec<u8> = head.iter().flat_map(|n| n.to_be_bytes()).collect();
        out.extend(wire(name));
        out.extend([0, ty as u8, 0, 1]);
        out
    }

    /// An answer to it: names with their addresses or aliases.
    pub(crate) fn answer(id: u16, name: &str, ty: u16, records: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut out = question(id, name, ty);
        out[2..4].copy_from_slice(&0x8180u16.to_be_bytes());
        out[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (owner, data, ttl) in records {
            if *owner == name {
                out.extend([0xc0, 12]);
            } else {
                out.extend(wire(owner));
            }
            let (ty, data) = match data.parse() {
                Ok(IpAddr::V4(ip)) => (A, ip.octets().to_vec()),
                Ok(IpAddr::V6(ip)) => (AAAA, ip.octets().to_vec()),
                Err(_) => (CNAME, wire(data)),
            };
            out.extend(ty.to_be_bytes());
            out.extend(IN.to_be_bytes());
            out.extend(ttl.to_be_bytes());
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(data);
        }
        out
    }

    fn texts(names: &[&[u8]]) -> Vec<String> {
        let text = |name: &&[u8]| String::from_utf8_lossy(name).into_owned();
        names.iter().map(text).collect()
    }

    #[test]
    fn an_answer_with_aliases() {
        let bytes = answer(
            7,
            "WWW.example.com",
            1,
            &[
                ("WWW.example.com", "cdn.example.net", 300),
                ("cdn.example.net", "edge.example.org", 20),
                ("edge.example.org", "192.0.2.1", 60),
                ("edge.example.org", "192.0.2.2", 60),
                ("unasked.example", "192.0.2.3", 60),
            ],
        );
        let message = Message::parse(&bytes).unwrap();
        assert!(message.is_answer && !message.is_cut);
        assert_eq!((message.id, message.question.ty), (7, 1));
        let (addresses, chain, ttl) = message.addresses();
        assert_eq!(
            texts(&chain),
            ["www.example.com", "cdn.example.net", "edge.example.org"]
        );
        assert_eq!((addresses.len(), ttl), (2, 20));
    }

    #[test]
    fn every_beginning_of_an_answer_is_read_as_far_as_it_goes() {
        let records: Vec<String> = (0..20).map(|n| format!("192.0.2.{n}")).collect();
        let records: Vec<_> = records.iter().map(|ip| ("a.example", &**ip, 9)).collect();
        let bytes = answer(1, "a.example", 1, &records);
        let mut most = 0;
        for end in 0..=bytes.len() {
            let Some(message) = Message::parse(&bytes[..end]) else {
                assert_eq!(most, 0);
                continue;
            };
            assert_eq!(message.is_cut, end < bytes.len());
            assert!(message.answers.len() >= most);
            most = message.answers.len();
        }
        assert_eq!(most, 20);
    }

    #[test]
    fn names_that_never_end() {
        let head = |answers: u16| {
            let head = [1, 0x8180, 1, answers, 0, 0];
            head.iter()
                .flat_map(|n: &u16| n.to_be_bytes())
                .collect::<Vec<u8>>()
        };
        // To itself, forwards, to a pointer that leads back here, and a reserved length.
        for name in [
            &[0xc0, 12][..],
            &[0xc0, 40],
            &[1, b'a', 0xc0, 12],
            &[0x40, 0],
            &[0xff, 0xff],
        ] {
            let mut bytes = head(0);
            bytes.extend_from_slice(name);
            bytes.extend([0, 1, 0, 1]);
            assert_eq!(Message::parse(&bytes), None, "{name:?}");
        }
        // A chain of pointers, each to the one before it, is long and ends.
        let mut bytes = head(1);
        bytes.extend([1, b'a', 0, 0, 1, 0, 1]);
        let mut last = 12;
        for _ in 0..4000 {
            let here = bytes.len();
            bytes.extend([0xc0 | (last >> 8) as u8, last as u8]);
            last = here;
            if last > 0x3ff0 {
                break;
            }
        }
        assert!(Message::parse(&bytes).is_some());
        // Labels without an end.
        let mut bytes = head(0);
        for _ in 0..200 {
            bytes.extend([1, b'x']);
        }
        bytes.extend([0, 0, 1, 0, 1]);
        assert_eq!(Message::parse(&bytes), None);
    }

    #[test]
    fn odd_bytes_cannot_forge_a_name() {
        let mut bytes = question(1, "", 1);
        bytes.truncate(12);
        bytes.extend([4, b'A', b'.', 0xff, b'\n', 3, b'c', b'o', b'm', 0]);
        bytes.extend([0, 1, 0, 1]);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.question.name, br"a\046\255\010.com");
        assert_eq!(
            Message::parse(&question(1, "", 2)).unwrap().question.name,
            b"."
        );
    }

    #[test]
    fn what_is_no_ordinary_message() {
        let good = question(1, "a.b", 1);
        assert!(Message::parse(&good).is_some());
        for (at, value) in [(2, 0x28), (5, 0)] {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(Message::parse(&bytes), None, "{at}");
        }
        let mut chaos = good.clone();
        *chaos.last_mut().unwrap() = 3;
        assert_eq!(Message::parse(&chaos), None);
        // An answer that says that there is no such name names nothing.
        let mut error = answer(1, "a.b", 1, &[("a.b", "192.0.2.1", 1)]);
        error[3] |= 3;
        assert!(Message::parse(&error).unwrap().answers.is_empty());
    }
}
