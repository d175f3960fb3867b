//! Requests and answers, as bytes.
//!
//! ```text
//! request   length i32 | api i16 | version i16 | number i32 | client text | body
//! answer    length i32 | number i32 | body
//! text      length i16 (-1: none) | bytes          bytes   length i32 | bytes
//! ```
//!
//! All numbers are big-endian. A broker is believed nothing: every length is compared with what there is.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::channel::fault;
use crate::channel::wire::Wire;

/// Longest answer that is read.
const MAX_ANSWER: usize = 4 << 20;

const PRODUCE: (i16, i16) = (0, 3);
const METADATA: (i16, i16) = (3, 1);

/// What brokers answer, as far as it makes a difference, and words for the rest that is common.
pub(super) mod code {
    pub(crate) const NONE: i16 = 0;
    pub(crate) const MESSAGE_TOO_LARGE: i16 = 10;
    pub(crate) const RECORD_LIST_TOO_LARGE: i16 = 18;
    pub(crate) const INVALID_RECORD: i16 = 87;

    /// What a code means.
    pub(crate) fn text(code: i16) -> String {
        let text = match code {
            NONE => "it has no partitions",
            2 => "the records arrived damaged",
            3 => "the cluster has no such topic or partition",
            5 => "no leader yet",
            6 => "the leader has moved",
            7 => "replicas took too long",
            MESSAGE_TOO_LARGE | RECORD_LIST_TOO_LARGE => "larger than the broker takes",
            17 => "no name for a topic",
            19 | 20 => "too few replicas in step",
            29 => "we may not write to it",
            56 => "the broker cannot write to its disk",
            58 => "login refused",
            INVALID_RECORD => "the broker refuses the record",
            _ => return format!("error {code}"),
        };
        text.to_owned()
    }
}

/// A connection to one broker.
pub(super) struct Link {
    wire: Wire,
    number: i32,
    /// `host:port`
    pub(super) address: String,
}

impl Link {
    pub(super) fn new(wire: Wire, address: &str) -> Self {
        Self {
            wire,
            number: 0,
            address: address.to_owned(),
        }
    }

    /// One request and its answer, without the heads.
    pub(super) fn call(&mut self, api: (i16, i16), body: &[u8]) -> io::Result<Vec<u8>> {
        self.number = self.number.wrapping_add(1);
        let mut request = Request::default();
        request.i32(0);
        request.i16(api.0);
        request.i16(api.1);
        request.i32(self.number);
        request.text("peregrine");
        request.0.extend_from_slice(body);
        let length = i32::try_from(request.0.len() - 4).map_err(io::Error::other)?;
        request.0[..4].copy_from_slice(&length.to_be_bytes());
        self.wire.write_all(&request.0)?;
        self.wire.flush()?;
        let mut head = [0; 4];
        self.wire.read_exact(&mut head)?;
        let length = usize::try_from(i32::from_be_bytes(head)).unwrap_or(usize::MAX);
        if !(4..=MAX_ANSWER).contains(&length) {
            return Err(fault("this is no Kafka broker"));
        }
        let mut answer = vec![0; length];
        self.wire.read_exact(&mut answer)?;
        let body = answer.split_off(4);
        if answer != self.number.to_be_bytes() {
            return Err(fault("the broker answers another question"));
        }
        Ok(body)
    }
}

/// A request under construction.
#[derive(Default)]
pub(super) struct Request(pub(super) Vec<u8>);

impl Request {
    pub(super) fn i16(&mut self, number: i16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn i32(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// A text; those that we send are short: names of topics, mechanisms.
    pub(super) fn text(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Bytes; what we send is bounded far below 2 GB.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(bytes);
    }
}

/// Reads an answer from the front.
pub(super) struct Answer<'a>(pub(super) &'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let cut = || fault("the broker's answer is cut short");
        let (front, rest) = self.0.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn i16(&mut self) -> io::Result<i16> {
        let bytes = self.take(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn i32(&mut self) -> io::Result<i32> {
        let bytes = self.take(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A text, empty where it is none.
    pub(super) fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    pub(super) fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = usize::try_from(self.i32()?).unwrap_or(0);
        self.take(length)
    }

    /// Reads each item of a list.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        // Grows with what is there, not with what is promised.
        let mut all = Vec::new();
        for _ in 0..self.i32()?.max(0) {
            all.push(item(self)?);
        }
        Ok(all)
    }
}

/// What the cluster says of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) error: i16,
    /// Number and leader.
    pub(super) partitions: Vec<(i32, i32)>,
    brokers: Vec<(i32, String)>,
}

impl Topic {
    /// `host:port` of the broker that leads a partition.
    pub(super) fn leader(&self, partition: i32) -> Option<String> {
        let found = self
            .partitions
            .iter()
            .find(|(number, _)| *number == partition);
        let leader = found?.1;
        let broker = self.brokers.iter().find(|(id, _)| *id == leader)?;
        Some(broker.1.clone())
    }
}

/// Asks for a topic, which the cluster may make at that.
pub(super) fn metadata(link: &mut Link, topic: &str) -> io::Result<Topic> {
    let mut request = Request::default();
    request.i32(1);
    request.text(topic);
    read_metadata(&link.call(METADATA, &request.0)?)
}

fn read_metadata(answer: &[u8]) -> io::Result<Topic> {
    let mut answer = Answer(answer);
    let brokers = answer.list(|a| {
        let id = a.i32()?;
        let host = a.text()?;
        let port = a.i32()?;
        let _rack = a.text()?;
        // An address of IPv6 has colons of its own.
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        Ok((id, format!("{host}:{port}")))
    })?;
    let _controller = answer.i32()?;
    let mut topics = answer.list(|a| {
        let error = a.i16()?;
        let _name = a.text()?;
        let _internal = a.take(1)?;
        let partitions = a.list(|a| {
            let _error = a.i16()?;
            let place = (a.i32()?, a.i32()?);
            a.list(Answer::i32)?;
            a.list(Answer::i32)?;
            Ok(place)
        })?;
        Ok((error, partitions))
    })?;
    let (error, partitions) = topics
        .pop()
        .ok_or_else(|| fault("the broker says nothing of the topic"))?;
    Ok(Topic {
        error,
        partitions,
        brokers,
    })
}

/// Hands records to the leader of a partition; the code that it answers.
pub(super) fn produce(
    link: &mut Link,
    (topic, partition): (&str, i32),
    records: &[u8],
    timeout: Duration,
) -> io::Result<i16> {
    let mut request = Request::default();
    // In no transaction; all replicas in step; they have less time than we wait.
    request.i16(-1);
    request.i16(-1);
    request.i32(i32::try_from(timeout.as_millis() * 3 / 4).unwrap_or(i32::MAX));
    request.i32(1);
    request.text(topic);
    request.i32(1);
    request.i32(partition);
    request.bytes(records);
    read_produce(&link.call(PRODUCE, &request.0)?)
}

fn read_produce(answer: &[u8]) -> io::Result<i16> {
    let codes = Answer(answer).list(|a| {
        let _topic = a.text()?;
        a.list(|a| {
            let _partition = a.i32()?;
            let code = a.i16()?;
            let _offset_and_time = a.take(16)?;
            Ok(code)
        })
    })?;
    codes
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| fault("the broker says nothing of the records"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut out = Request::default();
        out.i32(2);
        for (id, host) in [(4, "one"), (7, "::1")] {
            out.i32(id);
            out.text(host);
            out.i32(9092);
            out.i16(-1);
        }
        out.i32(4);
        out.i32(1);
        out.i16(0);
        out.text("alerts");
        out.0.push(0);
        out.i32(2);
        for (number, leader) in [(1, 7), (0, 4)] {
            out.i16(0);
            out.i32(number);
            out.i32(leader);
            out.i32(1);
            out.i32(4);
            out.i32(0);
        }
        out.0
    }

    #[test]
    fn leaders_are_found() {
        let topic = read_metadata(&example()).unwrap();
        assert_eq!(topic.leader(0).unwrap(), "one:9092");
        assert_eq!(topic.leader(1).unwrap(), "[::1]:9092");
        assert_eq!(topic.leader(2), None);
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_an_error() {
        let whole = example();
        for length in 0..whole.len() {
            assert!(read_metadata(&whole[..length]).is_err(), "{length}");
        }
        assert!(read_produce(&[0, 0, 0, 0]).is_err());
        // A list that promises more than there is.
        assert!(read_produce(&[0x7f, 0xff, 0xff, 0xff, 0, 0]).is_err());
    }
}
