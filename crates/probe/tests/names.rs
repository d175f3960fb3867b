//! What goes between programs and name servers, on the running kernel; root and BTF as in `live`. The way of
//! attaching is that of PEREGRINE_BACKEND, or each that is to be had everywhere.

#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that makes raw system calls"
)]

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use probe::{Backend, BufferSize, Options, Probe, SelfFilter, Syscalls, Tracepoints};

/// What is kept of messages to and from name servers, and of others.
const KEPT: usize = 512;
const OTHERWISE: usize = 80;

/// Longest wait for a message, which only a lost one takes.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// One at a time: they have one address.
static ONE: Mutex<()> = Mutex::new(());

fn live() -> Option<MutexGuard<'static, ()>> {
    let one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return None;
    }
    Some(one)
}

fn ways() -> Vec<Backend> {
    match std::env::var("PEREGRINE_BACKEND") {
        Ok(way) => vec![way.parse().unwrap()],
        Err(_) => vec![Backend::Dispatch, Backend::Tracepoint],
    }
}

/// With `alone`, of the calls only those with name servers are wanted.
fn open(backend: Backend, alone: bool) -> Probe {
    let syscalls = Syscalls::from_names(probe::name_calls()).unwrap();
    let probe = Probe::open(&Options {
        syscalls,
        tracepoints: Tracepoints {
            signal: false,
            switch: false,
            page_fault: false,
        },
        snaplen: OTHERWISE as u32,
        name_snaplen: KEPT as u32,
        names_alone: if alone { syscalls } else { Syscalls::none() },
        buffer: BufferSize::preset(6).unwrap(),
        own_events: SelfFilter::Others,
        io_uring: false,
        backend,
        ..Options::default()
    });
    let mut probe = probe.unwrap_or_else(|error| panic!("{}: {error}", backend.name()));
    assert_eq!(probe.backend(), backend);
    // What was read to open it is none of what follows.
    told(&mut probe);
    probe
}

/// Name of a call, descriptor, what is kept.
type Told = (&'static str, i64, Vec<u8>);

/// What this thread transferred up to now.
fn told(probe: &mut Probe) -> Vec<Told> {
    // SAFETY: no arguments, no effect.
    let me = unsafe { libc::syscall(libc::SYS_gettid) };
    let until = probe.now();
    let mut all = Vec::new();
    loop {
        while let Some(event) = probe.next() {
            let record = &event.record;
            if record.ts > until {
                return all;
            }
            let at = |name| record.info.param_index(name);
            if let (Some(fd), Some(data)) = (at("fd"), at("data"))
                && record.tid == me
                && record.result().is_some_and(|result| result > 0)
            {
                let fd = record.i64(fd).unwrap();
                all.push((record.info.name, fd, record.param(data).to_vec()));
            }
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            return all;
        }
    }
}

/// A question for the addresses of a name, and an answer that has `count`.
fn messages(name: &str, count: u8) -> (Vec<u8>, Vec<u8>) {
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let mut answer = question.clone();
    (answer[2], answer[3], answer[7]) = (0x81, 0x80, count);
    for last in 0..count {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend([192, 0, 2, last]);
    }
    (question, answer)
}

/// The calls as programs and C libraries make them: what is sent, or room for what comes, in two pieces
/// where a call takes several.
struct Transfer {
    fd: i32,
    /// The other end, where the call names it.
    end: Option<libc::sockaddr_in>,
}

impl Transfer {
    fn make(&self, call: &'static str, bytes: &mut [u8]) -> usize {
        let mut end = self.end;
        let (at, len) = (bytes.as_mut_ptr(), bytes.len());
        let (name, mut name_len) = match &mut end {
            Some(end) => (std::ptr::from_mut(end).cast::<libc::c_void>(), 16u32),
            None => (std::ptr::null_mut(), 0),
        };
        // SAFETY: the first piece ends within the bytes.
        let second = unsafe { at.add(len / 2) };
        let mut pieces = [(at, len / 2), (second, len - len / 2)].map(|(at, len)| libc::iovec {
            iov_base: at.cast(),
            iov_len: len,
        });
        // SAFETY: a header of nothing is valid.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_name = name;
        header.msg_hdr.msg_namelen = name_len;
        header.msg_hdr.msg_iov = pieces.as_mut_ptr();
        header.msg_hdr.msg_iovlen = 2;
        let fd = self.fd;
        // SAFETY: buffers and lengths that belong together, of this frame or the caller's.
        let done = unsafe {
            match call {
                "read" => libc::read(fd, at.cast(), len),
                "write" => libc::write(fd, at.cast(), len),
                "readv" => libc::readv(fd, pieces.as_ptr(), 2),
                "writev" => libc::writev(fd, pieces.as_ptr(), 2),
                "recvfrom" if name.is_null() => {
                    libc::recvfrom(fd, at.cast(), len, 0, name.cast(), std::ptr::null_mut())
                }
                "recvfrom" => libc::recvfrom(fd, at.cast(), len, 0, name.cast(), &raw mut name_len),
                "sendto" => libc::sendto(fd, at.cast(), len, 0, name.cast(), name_len),
                "recvmsg" => libc::recvmsg(fd, &raw mut header.msg_hdr, 0),
                "sendmsg" => libc::sendmsg(fd, &raw const header.msg_hdr, 0),
                "recvmmsg" => {
                    let none = std::ptr::null_mut();
                    let count = libc::recvmmsg(fd, &raw mut header, 1, 0, none);
                    if count == 1 {
                        header.msg_len as isize
                    } else {
                        -1
                    }
                }
                "sendmmsg" => {
                    let count = libc::sendmmsg(fd, &raw mut header, 1, 0);
                    if count == 1 {
                        header.msg_len as isize
                    } else {
                        -1
                    }
                }
                other => panic!("{other} is none of these"),
            }
        };
        assert!(done > 0, "{call}: {}", std::io::Error::last_os_error());
        done as usize
    }
}

/// Where this process's name server listens.
fn server_address() -> Ipv4Addr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + a, b, c | 1)
}

/// Questions and answers over loopback, by all calls that can carry them: both are told with their bytes.
fn ask(probe: &mut Probe, alone: bool, what: &str) {
    let address = SocketAddrV4::new(server_address(), 53);
    let server = UdpSocket::bind(address).unwrap();
    server.set_read_timeout(PATIENCE).unwrap();
    let listener = TcpListener::bind(address).unwrap();
    let named = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 53u16.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    };
    let mut wants: Vec<Told> = Vec::new();
    let mut want = |call, fd: i32, bytes: &[u8]| {
        wants.push((call, fd.into(), bytes[..bytes.len().min(KEPT)].to_vec()));
    };
    // An answer of more than is kept otherwise, and one of more than is kept at all.
    let mut clients = Vec::new();
    for (number, (ask, hear, connects)) in [
        ("sendto", "recvfrom", true),
        ("sendto", "recvfrom", false),
        ("write", "read", true),
        ("writev", "readv", true),
        ("sendmsg", "recvmsg", true),
        ("sendmsg", "recvmsg", false),
        ("sendmmsg", "recvmmsg", true),
        ("sendmmsg", "recvmmsg", false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{hear}-{connects}.named.example");
        let (mut question, answer) = messages(&name, if number == 0 { 40 } else { 20 });
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client.set_read_timeout(PATIENCE).unwrap();
        if connects {
            client.connect(address).unwrap();
        }
        let transfer = Transfer {
            fd: client.as_raw_fd(),
            end: (!connects).then_some(named),
        };
        assert_eq!(transfer.make(ask, &mut question), question.len());
        let mut room = vec![0; 1024];
        let (_, from) = server.recv_from(&mut room).unwrap();
        server.send_to(&answer, from).unwrap();
        assert_eq!(transfer.make(hear, &mut room), answer.len());
        want(ask, transfer.fd, &question);
        want(hear, transfer.fd, &answer);
        clients.push(client);
    }
    let (mut question, answer) = messages("tcp.named.example", 20);
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(PATIENCE).unwrap();
    let (served, _) = listener.accept().unwrap();
    let (ours, theirs) = [&client, &served]
        .map(|end| Transfer {
            fd: end.as_raw_fd(),
            end: None,
        })
        .into();
    ours.make("write", &mut question);
    theirs.make("read", &mut vec![0; 1024]);
    theirs.make("write", &mut answer.clone());
    let mut room = vec![0; answer.len()];
    assert_eq!(ours.make("read", &mut room), answer.len());
    want("write", ours.fd, &question);
    want("read", ours.fd, &answer);

    let (of_server, of_clients): (Vec<Told>, Vec<Told>) = told(probe)
        .into_iter()
        .filter(|(_, fd, _)| {
            let ends = clients.iter().map(AsRawFd::as_raw_fd);
            let ends = ends.chain([ours.fd, theirs.fd, server.as_raw_fd()]);
            ends.into_iter().any(|end| i64::from(end) == *fd)
        })
        .partition(|(_, fd, _)| [theirs.fd, server.as_raw_fd()].map(i64::from).contains(fd));
    for (told, want) in of_clients.iter().zip(&wants) {
        assert_eq!(told, want, "{what}");
    }
    assert_eq!(of_clients.len(), wants.len(), "{what}");
    // Who answers does not speak with a name server.
    assert_eq!(of_server.is_empty(), alone, "{what}: {of_server:?}");
    let most = of_server.iter().map(|(_, _, data)| data.len()).max();
    assert!(
        most.is_none_or(|most| most == OTHERWISE),
        "{what}: {most:?}"
    );
    assert_eq!(probe.counters().lost().total(), 0, "{what}");
}

/// What goes to other ports is kept no longer, and does not come at all where it is not wanted.
fn speak_to_others(probe: &mut Probe, alone: bool, what: &str) {
    let message = [b'q'; 1000];
    for port in [53, 5353, 853] {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let nobody = (server_address(), port);
        let _ = socket.send_to(&message, nobody);
        socket.connect(nobody).unwrap();
        let _ = socket.send(&message);
        let mut file = std::fs::File::from(std::os::fd::OwnedFd::from(socket));
        // Nobody listens: the one before may have been refused, which the next call is told.
        for _ in 0..3 {
            let _ = std::io::Write::write(&mut file, &message);
        }
        let (head, rest) = message.split_at(300);
        let pieces = [std::io::IoSlice::new(head), std::io::IoSlice::new(rest)];
        for _ in 0..2 {
            let _ = std::io::Write::write_vectored(&mut file, &pieces);
        }
    }
    let kept: Vec<(&str, usize)> = told(probe)
        .into_iter()
        .filter(|(_, _, data)| message.starts_with(data) && !data.is_empty())
        .map(|(call, _, data)| (call, data.len()))
        .collect();
    for call in ["sendto", "write", "writev"] {
        let of = |length| kept.iter().filter(|one| **one == (call, length)).count();
        assert!(of(KEPT) >= 1, "{what}: {call} {kept:?}");
        assert_eq!(of(OTHERWISE) > 0, !alone, "{what}: {call} {kept:?}");
    }
    let lengths = [KEPT, OTHERWISE];
    assert!(kept.iter().all(|(_, length)| lengths.contains(length)));
}

#[test]
fn messages_come_with_their_bytes() {
    let Some(_one) = live() else { return };
    for backend in ways() {
        for alone in [false, true] {
            let what = format!("{}, alone: {alone}", backend.name());
            let mut probe = open(backend, alone);
            ask(&mut probe, alone, &what);
            speak_to_others(&mut probe, alone, &what);
        }
    }
}
