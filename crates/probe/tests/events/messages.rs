//! What goes through sockets.

use libc::{AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM, iovec, mmsghdr, msghdr};

use crate::network::{bound, inet, tuple, unix_tuple};
use crate::stage::{Actor, Row};
use crate::value::none;

pub(crate) const ROWS: &[Row] = row![sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg];

const EBADF: i64 = -9;
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// Two bound datagram sockets.
struct Pair {
    one: i64,
    two: i64,
    one_port: u16,
    two_port: u16,
}

impl Pair {
    fn new(a: &mut Actor) -> Self {
        let (one, one_port) = bound(a, SOCK_DGRAM);
        let (two, two_port) = bound(a, SOCK_DGRAM);
        Self {
            one,
            two,
            one_port,
            two_port,
        }
    }

    /// From the first to the second; both directions are told as sender, receiver.
    fn tuple(&self) -> Vec<u8> {
        tuple(
            AF_INET,
            (&LOOPBACK, self.one_port),
            (&LOOPBACK, self.two_port),
        )
    }
}

fn message(name: &mut [u8], parts: &mut [iovec], control: &mut [u8]) -> msghdr {
    // SAFETY: all zeroes is a message without anything.
    let mut header: msghdr = unsafe { std::mem::zeroed() };
    if !name.is_empty() {
        header.msg_name = name.as_mut_ptr().cast();
        header.msg_namelen = name.len() as u32;
    }
    header.msg_iov = parts.as_mut_ptr();
    header.msg_iovlen = parts.len();
    if !control.is_empty() {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = control.len();
    }
    header
}

fn part(bytes: &mut [u8]) -> iovec {
    iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

fn sendto(a: &mut Actor) {
    let pair = Pair::new(a);
    let to = inet(LOOPBACK, pair.two_port);
    call!(a, SYS_sendto, pair.one, c"hello", 5, 0, &raw const to, 16);
    sees!(
        a,
        SOCKET_SENDTO_X,
        5i64,
        &b"hello"[..],
        pair.one,
        5u32,
        pair.tuple()
    );
    call!(a, SYS_sendto, -1, c"hello", 5, 0, &raw const to, 16);
    sees!(
        a,
        SOCKET_SENDTO_X,
        EBADF,
        &b"hello"[..],
        -1i64,
        5u32,
        none()
    );
}

fn recvfrom(a: &mut Actor) {
    let pair = Pair::new(a);
    let to = inet(LOOPBACK, pair.two_port);
    call!(a, SYS_sendto, pair.one, c"hello", 5, 0, &raw const to, 16);
    let (mut buffer, mut from, mut len) = ([0u8; 64], [0u8; 16], 16u32);
    let out = &raw mut buffer;
    call!(
        a,
        SYS_recvfrom,
        pair.two,
        out,
        64,
        0,
        &raw mut from,
        &raw mut len
    );
    sees!(
        a,
        SOCKET_RECVFROM_X,
        5i64,
        &b"hello"[..],
        pair.tuple(),
        pair.two,
        64u32
    );
    call!(a, SYS_recvfrom, pair.two, out, 64, libc::MSG_DONTWAIT, 0, 0);
    sees!(
        a,
        SOCKET_RECVFROM_X,
        -11i64,
        none(),
        none(),
        pair.two,
        64u32
    );
}

fn sendmsg(a: &mut Actor) {
    let pair = Pair::new(a);
    let (mut one, mut two) = (*b"head ", *b"and tail");
    let mut parts = [part(&mut one), part(&mut two)];
    let mut to = inet(LOOPBACK, pair.two_port);
    let header = message(&mut to, &mut parts, &mut []);
    call!(a, SYS_sendmsg, pair.one, &raw const header, 0);
    sees!(
        a,
        SOCKET_SENDMSG_X,
        13i64,
        &b"head and tail"[..],
        pair.one,
        13u32,
        pair.tuple()
    );
    call!(a, SYS_sendmsg, -1, &raw const header, 0);
    sees!(
        a,
        SOCKET_SENDMSG_X,
        EBADF,
        &b"head and tail"[..],
        -1i64,
        13u32,
        none()
    );
}

/// A descriptor travels along.
fn recvmsg(a: &mut Actor) {
    let mut fds = [0i32; 2];
    call!(a, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, &raw mut fds);
    let [one, two] = fds.map(i64::from);
    let mut control = [0u8; 24];
    control[..8].copy_from_slice(&20u64.to_le_bytes());
    control[8..12].copy_from_slice(&libc::SOL_SOCKET.to_le_bytes());
    control[12..16].copy_from_slice(&libc::SCM_RIGHTS.to_le_bytes());
    control[16..20].copy_from_slice(&fds[0].to_le_bytes());
    let mut bytes = *b"with a gift";
    let mut parts = [part(&mut bytes)];
    let header = message(&mut [], &mut parts, &mut control);
    call!(a, SYS_sendmsg, one, &raw const header, 0);
    sees!(
        a,
        SOCKET_SENDMSG_X,
        11i64,
        &b"with a gift"[..],
        one,
        11u32,
        unix_tuple(b"")
    );
    let (mut room, mut gift) = ([0u8; 50], [0u8; 64]);
    let mut parts = [part(&mut room)];
    let mut header = message(&mut [], &mut parts, &mut gift);
    assert_eq!(call!(a, SYS_recvmsg, two, &raw mut header, 0), 11);
    assert_eq!(header.msg_controllen, 24);
    let tuple = unix_tuple(b"");
    sees!(
        a,
        SOCKET_RECVMSG_X,
        11i64,
        11u32,
        &b"with a gift"[..],
        tuple,
        &gift[..24],
        two
    );
    let flags = libc::MSG_DONTWAIT;
    call!(a, SYS_recvmsg, two, &raw mut header, flags);
    sees!(
        a,
        SOCKET_RECVMSG_X,
        -11i64,
        0u32,
        none(),
        none(),
        none(),
        two
    );
}

/// Kernels without loops in programs tell the first only, as with the original.
fn tells_all_messages() -> bool {
    probe::support().loops
}

/// One event for each message that was sent.
fn sendmmsg(a: &mut Actor) {
    let pair = Pair::new(a);
    let (mut one, mut two) = (*b"first", *b"second!");
    let mut to = [inet(LOOPBACK, pair.two_port); 2];
    let [to_one, to_two] = &mut to;
    let (mut part_one, mut part_two) = ([part(&mut one)], [part(&mut two)]);
    let mut list = [
        mmsghdr {
            msg_hdr: message(to_one, &mut part_one, &mut []),
            msg_len: 0,
        },
        mmsghdr {
            msg_hdr: message(to_two, &mut part_two, &mut []),
            msg_len: 0,
        },
    ];
    assert_eq!(call!(a, SYS_sendmmsg, pair.one, &raw mut list, 2, 0), 2);
    sees!(
        a,
        SOCKET_SENDMMSG_X,
        5i64,
        pair.one,
        5u32,
        &b"first"[..],
        pair.tuple()
    );
    if tells_all_messages() {
        sees!(
            a,
            SOCKET_SENDMMSG_X,
            7i64,
            pair.one,
            7u32,
            &b"second!"[..],
            pair.tuple()
        );
    }
    call!(a, SYS_sendmmsg, -1, &raw mut list, 2, 0);
    sees!(a, SOCKET_SENDMMSG_X, EBADF, -1i64, 0u32, none(), none());
}

fn recvmmsg(a: &mut Actor) {
    let pair = Pair::new(a);
    let to = inet(LOOPBACK, pair.two_port);
    for text in [c"alpha", c"be"] {
        call!(
            a,
            SYS_sendto,
            pair.one,
            text,
            text.to_bytes().len(),
            0,
            to.as_ptr(),
            16
        );
    }
    let (mut one, mut two) = ([0u8; 32], [0u8; 32]);
    let mut names = [[0u8; 16]; 2];
    let [name_one, name_two] = &mut names;
    let (mut part_one, mut part_two) = ([part(&mut one)], [part(&mut two)]);
    let mut list = [
        mmsghdr {
            msg_hdr: message(name_one, &mut part_one, &mut []),
            msg_len: 0,
        },
        mmsghdr {
            msg_hdr: message(name_two, &mut part_two, &mut []),
            msg_len: 0,
        },
    ];
    assert_eq!(call!(a, SYS_recvmmsg, pair.two, &raw mut list, 2, 0, 0), 2);
    let fd = pair.two;
    sees!(
        a,
        SOCKET_RECVMMSG_X,
        5i64,
        fd,
        5u32,
        &b"alpha"[..],
        pair.tuple(),
        none()
    );
    if tells_all_messages() {
        sees!(
            a,
            SOCKET_RECVMMSG_X,
            2i64,
            fd,
            2u32,
            &b"be"[..],
            pair.tuple(),
            none()
        );
    }
    call!(a, SYS_recvmmsg, fd, &raw mut list, 2, libc::MSG_DONTWAIT, 0);
    sees!(
        a,
        SOCKET_RECVMMSG_X,
        -11i64,
        fd,
        0u32,
        none(),
        none(),
        none()
    );
}
