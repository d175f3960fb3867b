//! Questions, answers and connections as events have them, and what the connections are called then.

use event::snapshot::Process;
use event::{EventCode, RecordBuilder, RecordFlags, codes as c};

use super::message::tests::{answer, question};
use super::*;
use crate::Options;

const SERVER: [u8; 4] = [10, 0, 0, 53];
const HERE: [u8; 4] = [10, 0, 0, 7];
const FAR: [u8; 4] = [192, 0, 2, 80];
const SECOND: u64 = 1_000_000_000;

/// Both ends as parameters have them.
fn tuple(source: ([u8; 4], u16), dest: ([u8; 4], u16)) -> Vec<u8> {
    let mut out = vec![2];
    for (ip, port) in [source, dest] {
        out.extend(ip);
        out.extend(port.to_le_bytes());
    }
    out
}

/// A machine with a process on the host and one in a container each.
struct Machine {
    state: State,
    time: u64,
    tid: i64,
}

impl Machine {
    fn new() -> Self {
        let mut state = State::new(Options::default());
        state.name_addresses(true);
        let id = "0123456789abcdef".repeat(4);
        let group = format!("cpuset=/docker/{id}\0").into_bytes();
        for (tid, cgroups) in [(7, &b""[..]), (8, &group)] {
            state.load_process(&Process {
                tid,
                pid: tid,
                vtid: if tid == 8 { 1 } else { tid },
                vpid: if tid == 8 { 1 } else { tid },
                ptid: 1,
                comm: b"a",
                cgroups,
                ..Process::default()
            });
        }
        state.finish_load();
        Self {
            state,
            time: SECOND,
            tid: 7,
        }
    }

    fn event(&mut self, code: u16, build: impl FnOnce(RecordBuilder) -> RecordBuilder) -> Context {
        self.time += 1;
        let bytes = build(RecordBuilder::new(
            EventCode::new(code),
            self.time,
            self.tid,
        ));
        let bytes = bytes.finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        self.state.process(&record)
    }

    /// A socket that is connected at once; 1 is TCP, 2 UDP.
    fn connect(&mut self, fd: i64, ty: u32, port: u16, to: ([u8; 4], u16)) -> Vec<String> {
        self.event(c::SOCKET_SOCKET_X, |r| {
            r.i64(fd).u32(2).u32(ty).u32(0).u32(0)
        });
        let ends = tuple((HERE, port), to);
        let cx = self.event(c::SOCKET_CONNECT_X, |r| {
            r.i64(0).bytes(&ends).i64(fd).empty()
        });
        self.names(&cx)
    }

    fn names(&self, cx: &Context) -> Vec<String> {
        let d = self.state.event_descriptor(cx).unwrap();
        let text = |name: &Rc<[u8]>| String::from_utf8_lossy(name).into_owned();
        d.named()
            .map_or_else(Vec::new, |named| named.names.iter().map(text).collect())
    }

    fn write(&mut self, fd: i64, data: &[u8]) {
        self.event(c::SYSCALL_WRITE_X, |r| {
            let length = data.len() as u32;
            r.i64(data.len() as i64).bytes(data).i64(fd).u32(length)
        });
    }

    /// Only the first `kept` bytes are captured.
    fn read(&mut self, fd: i64, data: &[u8], kept: usize) {
        let kept = &data[..data.len().min(kept)];
        self.event(c::SYSCALL_READ_X, |r| {
            let length = data.len() as u32;
            r.i64(data.len() as i64).bytes(kept).i64(fd).u32(length)
        });
    }

    /// A whole look-up over a connected UDP socket.
    fn look_up(&mut self, fd: i64, name: &str, records: &[(&str, &str, u32)]) {
        self.connect(fd, 2, 40_000 + fd as u16, (SERVER, 53));
        self.write(fd, &question(5, name, 1));
        self.read(fd, &answer(5, name, 1, records), usize::MAX);
    }

    fn reach(&mut self) -> Vec<String> {
        self.connect(9, 1, 50_000, (FAR, 443))
    }
}

#[test]
fn a_connection_is_called_what_was_asked_for() {
    let mut m = Machine::new();
    assert!(m.reach().is_empty());
    m.look_up(
        3,
        "www.example.com",
        &[
            ("www.example.com", "cdn.example.net", 60),
            ("cdn.example.net", "192.0.2.80", 60),
        ],
    );
    assert_eq!(m.reach(), ["www.example.com", "cdn.example.net"]);
    m.look_up(3, "other.example", &[("other.example", "192.0.2.80", 60)]);
    assert_eq!(
        m.reach(),
        ["other.example", "www.example.com", "cdn.example.net"]
    );
    // A container was told nothing of all that.
    m.tid = 8;
    assert!(m.reach().is_empty());
    m.look_up(3, "inside.example", &[("inside.example", "192.0.2.80", 60)]);
    assert_eq!(m.reach(), ["inside.example"]);
    // Who closed the connection, or has it open for long, has the names of its beginning.
    m.tid = 7;
    m.connect(9, 1, 50_000, (FAR, 443));
    m.time += 3 * 86_400 * SECOND;
    let cx = m.event(c::SYSCALL_WRITE_X, |r| r.i64(1).bytes(b"x").i64(9).u32(1));
    assert_eq!(m.names(&cx).len(), 3);
    assert!(m.reach().is_empty(), "too old");
    assert_eq!(m.state.counters().names_learnt, 3);
}

#[test]
fn nobody_is_told_what_was_not_asked() {
    let records = [("a.example", "192.0.2.80", 60)];
    let mut m = Machine::new();
    m.connect(3, 2, 40_000, (SERVER, 53));
    // No question; another number; another name; another type; another socket of the process.
    m.read(3, &answer(5, "a.example", 1, &records), 999);
    m.write(3, &question(6, "a.example", 1));
    m.read(3, &answer(5, "a.example", 1, &records), 999);
    m.write(3, &question(5, "b.example", 1));
    m.write(3, &question(5, "a.example", 28));
    m.read(3, &answer(5, "a.example", 1, &records), 999);
    m.connect(4, 2, 40_001, (SERVER, 53));
    m.write(4, &question(5, "a.example", 1));
    m.read(3, &answer(5, "a.example", 1, &records), 999);
    assert!(m.reach().is_empty());
    assert_eq!(m.state.counters().names_unasked, 4);
    // Nor from elsewhere than the port of name servers.
    m.connect(5, 2, 40_002, (SERVER, 5353));
    m.write(5, &question(5, "a.example", 1));
    m.read(5, &answer(5, "a.example", 1, &records), 999);
    assert!(m.reach().is_empty());
    // And off is off.
    m.state.name_addresses(false);
    m.look_up(3, "a.example", &records);
    assert!(m.reach().is_empty() && m.state.named_addresses() == 0);
}

#[test]
fn sockets_without_a_connection() {
    let mut m = Machine::new();
    m.event(c::SOCKET_SOCKET_X, |r| r.i64(3).u32(2).u32(2).u32(0).u32(0));
    let asked = question(5, "a.example", 1);
    let other = [10, 0, 0, 54];
    for server in [SERVER, other] {
        let ends = tuple(([0; 4], 40_000), (server, 53));
        m.event(c::SOCKET_SENDTO_X, |r| {
            let length = asked.len() as u32;
            r.i64(i64::from(length))
                .bytes(&asked)
                .i64(3)
                .u32(length)
                .bytes(&ends)
        });
    }
    let told = answer(5, "a.example", 1, &[("a.example", "192.0.2.80", 60)]);
    // A third that was not asked is not heeded; the second is.
    let third = [10, 0, 0, 55];
    for (server, learnt) in [(third, 0), (other, 1)] {
        let ends = tuple((server, 53), ([0; 4], 40_000));
        m.event(c::SOCKET_RECVMSG_X, |r| {
            let length = told.len() as u32;
            r.i64(i64::from(length))
                .u32(length)
                .bytes(&told)
                .bytes(&ends)
                .empty()
                .i64(3)
        });
        assert_eq!(m.state.counters().names_learnt, learnt);
    }
    assert_eq!(m.reach(), ["a.example"]);
}

#[test]
fn over_tcp_in_pieces() {
    let framed = |message: Vec<u8>| {
        let mut out = (message.len() as u16).to_be_bytes().to_vec();
        out.extend(message);
        out
    };
    let records = [("a.example", "192.0.2.80", 60)];
    let asked = framed(question(5, "a.example", 1));
    let told = framed(answer(5, "a.example", 1, &records));
    for size in 1..=told.len() {
        let mut m = Machine::new();
        m.connect(3, 1, 40_000, (SERVER, 53));
        asked.chunks(size).for_each(|piece| m.write(3, piece));
        told.chunks(size).for_each(|piece| m.read(3, piece, size));
        assert_eq!(m.reach(), ["a.example"], "{size}");
    }
}

#[test]
fn of_an_answer_that_was_cut_the_beginning_counts() {
    let mut m = Machine::new();
    let records: Vec<String> = (70..90).map(|n| format!("192.0.2.{n}")).collect();
    let records: Vec<_> = records.iter().map(|ip| ("a.example", &**ip, 9)).collect();
    let told = answer(5, "a.example", 1, &records);
    m.connect(3, 2, 40_000, (SERVER, 53));
    m.write(3, &question(5, "a.example", 1));
    m.read(3, &told, 80);
    assert!(m.reach().is_empty());
    assert_eq!(m.state.counters().names_cut, 1);
    assert_eq!(
        m.connect(4, 1, 50_001, ([192, 0, 2, 70], 80)),
        ["a.example"]
    );
}

#[test]
fn a_recording_begins_with_what_is_known() {
    let mut m = Machine::new();
    m.look_up(3, "a.example", &[("a.example", "192.0.2.80", 60)]);
    m.look_up(3, "b.example", &[("b.example", "192.0.2.80", 900)]);
    m.tid = 8;
    m.look_up(3, "c.example", &[("c.example", "2001:db8::1", 60)]);
    let texts = m.state.standing_names();
    assert_eq!(texts.len(), 2);
    let mut other = Machine::new();
    for text in texts.iter().map(String::as_str).chain(["", "{}", "[]"]) {
        other.event(c::ASYNCEVENT_E, |r| r.u32(0).text(NAMES_EVENT).text(text));
    }
    assert_eq!(other.state.counters().names_malformed, 3);
    assert_eq!(other.state.standing_names(), texts);
    assert_eq!(other.reach(), ["b.example", "a.example"]);
    other.time += 800 * SECOND;
    assert_eq!(other.reach(), ["b.example"], "times are kept");
}

#[test]
fn any_bytes_are_borne() {
    let mut m = Machine::new();
    m.connect(3, 2, 40_000, (SERVER, 53));
    m.connect(4, 1, 40_001, (SERVER, 53));
    let good = answer(5, "a.example", 1, &[("a.example", "192.0.2.80", 60)]);
    let mut seed = 7u32;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (seed >> 8) as usize % bytes.len();
            bytes[at] = (seed >> 24) as u8;
        }
        bytes.truncate((seed >> 4) as usize % (bytes.len() + 1));
        for fd in [3, 4] {
            m.write(fd, &bytes);
            m.read(fd, &bytes, 40);
        }
    }
    assert!(m.state.named_addresses() <= 1000);
}
