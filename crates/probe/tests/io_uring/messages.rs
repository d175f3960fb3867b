//! Messages with headers, and what makes a socket wait for others.

use crate::ring::{Request, Ring};
use crate::{close, socket_address, watch};

/// A header for one buffer, and what it points at.
struct Message {
    _piece: Box<libc::iovec>,
    header: Box<libc::msghdr>,
}

impl Message {
    fn of(bytes: &mut [u8]) -> Self {
        let mut piece = Box::new(libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        });
        // SAFETY: all zeros is a header without name, buffers and control.
        let mut header: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        header.msg_iov = &raw mut *piece;
        header.msg_iovlen = 1;
        Self {
            _piece: piece,
            header,
        }
    }

    fn request(&self, opcode: u8, fd: i32) -> Request {
        Request {
            opcode,
            fd,
            addr: (&raw const *self.header) as u64,
            len: 1,
            ..Request::default()
        }
    }
}

const SENDMSG: u8 = 9;
const RECVMSG: u8 = 10;
const BIND: u8 = 56;
const LISTEN: u8 = 57;

#[test]
fn messages() {
    let mut pair = [0; 2];
    // SAFETY: room for two descriptors.
    let made = unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_DGRAM, 0, pair.as_mut_ptr()) };
    assert_eq!(made, 0);
    let mut text = *b"a header's message";
    let mut room = [0; 64];
    let (sent, received) = (Message::of(&mut text), Message::of(&mut room));
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        assert_eq!(ring.run(sent.request(SENDMSG, pair[0])), 18);
        assert_eq!(ring.run(received.request(RECVMSG, pair[1])), 18);
        assert_eq!(ring.run(sent.request(SENDMSG, 9999)), -libc::EBADF);
        assert_eq!(ring.run(received.request(RECVMSG, 9999)), -libc::EBADF);
    }) else {
        return;
    };
    pair.into_iter().for_each(close);
    let names: Vec<_> = seen.iter().map(|e| (e.name, e.number("res"))).collect();
    assert_eq!(
        names,
        [
            ("sendmsg", 18),
            ("recvmsg", 18),
            ("sendmsg", -9),
            ("recvmsg", -9)
        ],
        "{seen:#?}"
    );
    for (event, fd) in seen.iter().zip([pair[0], pair[1], 9999, 9999]) {
        assert_eq!(event.number("fd"), fd.into(), "{event:?}");
    }
    for event in &seen[..2] {
        assert_eq!(event.bytes("data"), b"a header's message", "{event:?}");
        assert_eq!(event.number("size"), 18, "{event:?}");
        // Family, two ends, an empty path.
        let tuple = event.bytes("tuple");
        assert_eq!((tuple[0], tuple.len()), (1, 18), "{event:?}");
    }
    assert_eq!(seen[2].bytes("tuple"), b"");
    assert_eq!(
        (seen[3].number("size"), seen[3].bytes("data")),
        (0, &b""[..])
    );
}

#[test]
fn a_socket_that_waits_for_others() {
    let anywhere = socket_address(0);
    let mut known = true;
    // SAFETY: no memory is handed over.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        let bind = Request {
            opcode: BIND,
            fd,
            addr: (&raw const anywhere) as u64,
            off: 16,
            ..Request::default()
        };
        let listen = Request {
            opcode: LISTEN,
            fd,
            len: 7,
            ..Request::default()
        };
        match ring.run(bind) {
            0 => {
                assert_eq!(ring.run(listen), 0);
                assert_eq!(ring.run(Request { fd: 9999, ..listen }), -libc::EBADF);
            }
            refused => {
                assert_eq!(refused, -libc::EINVAL);
                known = false;
            }
        }
    }) else {
        return;
    };
    close(fd);
    if !known {
        eprintln!("left out: io_uring binds from Linux 6.11 on");
        assert!(seen.is_empty(), "{seen:#?}");
        return;
    }
    let names: Vec<_> = seen.iter().map(|e| (e.name, e.number("res"))).collect();
    assert_eq!(
        names,
        [("bind", 0), ("listen", 0), ("listen", -9)],
        "{seen:#?}"
    );
    assert_eq!(seen[0].number("fd"), fd.into());
    assert_eq!(seen[0].bytes("addr"), [2, 127, 0, 0, 1, 0, 0]);
    assert_eq!(
        (seen[1].number("fd"), seen[1].number("backlog")),
        (fd.into(), 7)
    );
}
