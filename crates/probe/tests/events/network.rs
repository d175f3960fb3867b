//! Sockets: making and naming them, finding a peer, options.

use event::constants as k;
use libc::{
    AF_INET, AF_INET6, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET,
};

use crate::raw::Word;
use crate::stage::{Actor, Row};
use crate::value::{Value, dynamic, has, none};

pub(crate) const ROWS: &[Row] = row![
    socket,
    bind_and_listen,
    connect_inet,
    connect_inet6,
    connect_unix,
    accept,
    socketpair,
    shutdown,
    names,
    setsockopt,
    getsockopt,
];

const EBADF: i64 = -9;
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const LOOPBACK6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// `struct sockaddr_in` with a port in the order of the host.
pub(crate) fn inet(ip: [u8; 4], port: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&(AF_INET as u16).to_le_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[4..8].copy_from_slice(&ip);
    bytes
}

fn inet6(ip: [u8; 16], port: u16) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..2].copy_from_slice(&(AF_INET6 as u16).to_le_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[8..24].copy_from_slice(&ip);
    bytes
}

/// `struct sockaddr_un`, as long as it needs to be.
pub(crate) fn unix(path: &[u8]) -> Vec<u8> {
    [&(AF_UNIX as u16).to_le_bytes(), path].concat()
}

/// The same as a parameter: family, address, port.
pub(crate) fn told(family: i32, ip: &[u8], port: u16) -> Vec<u8> {
    [&[family as u8], ip, &port.to_le_bytes()].concat()
}

pub(crate) fn tuple(family: i32, from: (&[u8], u16), to: (&[u8], u16)) -> Vec<u8> {
    [
        &[family as u8],
        from.0,
        &from.1.to_le_bytes(),
        to.0,
        &to.1.to_le_bytes(),
    ]
    .concat()
}

/// Two kernel addresses that nobody can foretell, and a path.
pub(crate) fn unix_tuple(path: &[u8]) -> Value {
    let path = [path, b"\0"].concat();
    has(
        format!("two sockets and {:?}", String::from_utf8_lossy(&path)),
        move |b| {
            b.len() == 17 + path.len()
                && b[0] == AF_UNIX as u8
                && b[1..9].iter().any(|x| *x != 0)
                && b[9..17].iter().any(|x| *x != 0)
                && b[17..] == path
        },
    )
}

/// The port a socket is bound to.
pub(crate) fn port_of(fd: i64) -> u16 {
    let mut name = [0u8; 28];
    let mut len = 28u32;
    let (name_at, len_at) = ((&raw mut name).word(), (&raw mut len).word());
    let done = crate::raw::syscall(libc::SYS_getsockname, &[fd as u64, name_at, len_at]);
    assert_eq!(done, 0);
    u16::from_be_bytes([name[2], name[3]])
}

pub(crate) fn new_socket(a: &mut Actor, family: i32, kind: i32) -> i64 {
    let fd = call!(a, SYS_socket, family, kind, 0);
    assert!(fd > 0);
    fd
}

/// A socket on a free port of the loopback; with a backlog if it is a stream.
pub(crate) fn bound(a: &mut Actor, kind: i32) -> (i64, u16) {
    let fd = new_socket(a, AF_INET, kind);
    let address = inet(LOOPBACK, 0);
    assert_eq!(call!(a, SYS_bind, fd, &raw const address, 16), 0);
    if kind == SOCK_STREAM {
        assert_eq!(call!(a, SYS_listen, fd, 5), 0);
    }
    (fd, port_of(fd))
}

/// A port that was free a moment ago.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn socket(a: &mut Actor) {
    let kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    let fd = call!(a, SYS_socket, AF_INET6, kind, libc::IPPROTO_TCP);
    let flags = k::O_CLOEXEC | k::O_NONBLOCK;
    sees!(
        a,
        SOCKET_SOCKET_X,
        fd,
        AF_INET6 as u32,
        kind as u32,
        6u32,
        flags
    );
    call!(a, SYS_socket, AF_UNIX, 77, 1);
    sees!(
        a,
        SOCKET_SOCKET_X,
        -22i64,
        AF_UNIX as u32,
        77u32,
        1u32,
        0u32
    );
}

fn bind_and_listen(a: &mut Actor) {
    let fd = new_socket(a, AF_INET, SOCK_STREAM);
    let port = closed_port();
    let address = inet(LOOPBACK, port);
    call!(a, SYS_bind, fd, &raw const address, 16);
    sees!(a, SOCKET_BIND_X, 0i64, told(AF_INET, &LOOPBACK, port), fd);
    call!(a, SYS_bind, fd, &raw const address, 16);
    sees!(a, SOCKET_BIND_X, -22i64, told(AF_INET, &LOOPBACK, port), fd);
    call!(a, SYS_listen, fd, 3);
    sees!(a, SOCKET_LISTEN_X, 0i64, fd, 3i32);
    call!(a, SYS_listen, -1, -2);
    sees!(a, SOCKET_LISTEN_X, EBADF, -1i64, -2i32);
    let fd = new_socket(a, AF_INET6, SOCK_DGRAM);
    let address = inet6(LOOPBACK6, 0);
    call!(a, SYS_bind, fd, &raw const address, 28);
    sees!(a, SOCKET_BIND_X, 0i64, told(AF_INET6, &LOOPBACK6, 0), fd);
    let fd = new_socket(a, AF_UNIX, SOCK_DGRAM);
    let path = a.path("bound");
    let address = unix(path.as_bytes_with_nul());
    call!(a, SYS_bind, fd, address.as_ptr(), address.len());
    sees!(
        a,
        SOCKET_BIND_X,
        0i64,
        [&[1], path.as_bytes_with_nul()].concat(),
        fd
    );
}

fn connect_inet(a: &mut Actor) {
    let (_, port) = bound(a, SOCK_STREAM);
    let fd = new_socket(a, AF_INET, SOCK_STREAM);
    let address = inet(LOOPBACK, port);
    assert_eq!(call!(a, SYS_connect, fd, &raw const address, 16), 0);
    let addr = told(AF_INET, &LOOPBACK, port);
    let pair = tuple(AF_INET, (&LOOPBACK, port_of(fd)), (&LOOPBACK, port));
    sees!(a, SOCKET_CONNECT_E, fd, addr.clone());
    sees!(a, SOCKET_CONNECT_X, 0i64, pair, fd, addr);
    // It takes a while, and nobody waits.
    let fd = new_socket(a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    let res = call!(a, SYS_connect, fd, &raw const address, 16);
    let addr = told(AF_INET, &LOOPBACK, port);
    let pair = tuple(AF_INET, (&LOOPBACK, port_of(fd)), (&LOOPBACK, port));
    assert!(res == -115 || res == 0, "{res}");
    sees!(a, SOCKET_CONNECT_E, fd, addr.clone());
    sees!(a, SOCKET_CONNECT_X, res, pair, fd, addr);
    // Nobody listens.
    let fd = new_socket(a, AF_INET, SOCK_STREAM);
    let port = closed_port();
    let address = inet(LOOPBACK, port);
    call!(a, SYS_connect, fd, &raw const address, 16);
    let addr = told(AF_INET, &LOOPBACK, port);
    sees!(a, SOCKET_CONNECT_E, fd, addr.clone());
    sees!(a, SOCKET_CONNECT_X, -111i64, none(), fd, addr);
    // A family without a form of its own.
    let address = [0u8; 16];
    call!(a, SYS_connect, -1, &raw const address, 16);
    sees!(a, SOCKET_CONNECT_E, -1i64, none());
    sees!(a, SOCKET_CONNECT_X, EBADF, none(), -1i64, none());
}

fn connect_inet6(a: &mut Actor) {
    let server = new_socket(a, AF_INET6, SOCK_STREAM);
    let address = inet6(LOOPBACK6, 0);
    call!(a, SYS_bind, server, &raw const address, 28);
    call!(a, SYS_listen, server, 5);
    let port = port_of(server);
    let fd = new_socket(a, AF_INET6, SOCK_STREAM);
    let address = inet6(LOOPBACK6, port);
    assert_eq!(call!(a, SYS_connect, fd, &raw const address, 28), 0);
    let addr = told(AF_INET6, &LOOPBACK6, port);
    let pair = tuple(AF_INET6, (&LOOPBACK6, port_of(fd)), (&LOOPBACK6, port));
    sees!(a, SOCKET_CONNECT_E, fd, addr.clone());
    sees!(a, SOCKET_CONNECT_X, 0i64, pair, fd, addr);
}

fn connect_unix(a: &mut Actor) {
    let path = a.path("listens");
    let address = unix(path.as_bytes_with_nul());
    let server = new_socket(a, AF_UNIX, SOCK_STREAM);
    call!(a, SYS_bind, server, address.as_ptr(), address.len());
    call!(a, SYS_listen, server, 5);
    let fd = new_socket(a, AF_UNIX, SOCK_STREAM);
    let res = call!(a, SYS_connect, fd, address.as_ptr(), address.len());
    assert_eq!(res, 0);
    let addr = [&[1], path.as_bytes_with_nul()].concat();
    sees!(a, SOCKET_CONNECT_E, fd, addr.clone());
    sees!(
        a,
        SOCKET_CONNECT_X,
        0i64,
        unix_tuple(path.as_bytes()),
        fd,
        addr
    );
    let missing = a.path("missing");
    let address = unix(missing.as_bytes_with_nul());
    call!(a, SYS_connect, server, address.as_ptr(), address.len());
    let addr = [&[1], missing.as_bytes_with_nul()].concat();
    sees!(a, SOCKET_CONNECT_E, server, addr.clone());
    sees!(a, SOCKET_CONNECT_X, -2i64, none(), server, addr);
}

fn accept(a: &mut Actor) {
    let (server, port) = bound(a, SOCK_STREAM);
    let address = inet(LOOPBACK, port);
    let clients = [(); 3].map(|()| {
        let fd = new_socket(a, AF_INET, SOCK_STREAM);
        assert_eq!(call!(a, SYS_connect, fd, &raw const address, 16), 0);
        port_of(fd)
    });
    let fd = call!(a, SYS_accept, server, 0, 0);
    let pair = tuple(AF_INET, (&LOOPBACK, clients[0]), (&LOOPBACK, port));
    // Two of five places are still taken.
    sees!(a, SOCKET_ACCEPT_5_X, fd, pair, 40u8, 2u32, 5u32);
    let fd = call!(a, SYS_accept4, server, 0, 0, SOCK_CLOEXEC);
    let pair = tuple(AF_INET, (&LOOPBACK, clients[1]), (&LOOPBACK, port));
    let flags = k::O_CLOEXEC;
    sees!(a, SOCKET_ACCEPT4_6_X, fd, pair, 20u8, 1u32, 5u32, flags);
    call!(a, SYS_accept, -1, 0, 0);
    sees!(a, SOCKET_ACCEPT_5_X, EBADF, none(), 0u8, 0u32, 0u32);
    call!(a, SYS_accept4, -1, 0, 0, 0);
    sees!(a, SOCKET_ACCEPT4_6_X, EBADF, none(), 0u8, 0u32, 0u32, 0i32);
}

fn socketpair(a: &mut Actor) {
    let mut fds = [0i32; 2];
    call!(a, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, &raw mut fds);
    let [one, two] = fds.map(i64::from);
    let address = || has("the address of a socket", |b| b.len() == 8 && b[7] == 0xff);
    let (domain, kind) = (AF_UNIX as u32, SOCK_STREAM as u32);
    sees!(
        a,
        SOCKET_SOCKETPAIR_X,
        0i64,
        one,
        two,
        address(),
        address(),
        domain,
        kind,
        0u32
    );
    call!(a, SYS_socketpair, AF_INET, SOCK_STREAM, 0, &raw mut fds);
    let domain = AF_INET as u32;
    sees!(
        a,
        SOCKET_SOCKETPAIR_X,
        -95i64,
        -1i64,
        -1i64,
        0u64,
        0u64,
        domain,
        kind,
        0u32
    );
}

fn shutdown(a: &mut Actor) {
    let mut fds = [0i32; 2];
    call!(a, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, &raw mut fds);
    let fd = i64::from(fds[0]);
    call!(a, SYS_shutdown, fd, libc::SHUT_WR);
    sees!(a, SOCKET_SHUTDOWN_X, 0i64, fd, k::SHUT_WR as u8);
    call!(a, SYS_shutdown, fd, 44);
    sees!(a, SOCKET_SHUTDOWN_X, -22i64, fd, k::SHUT_UNKNOWN as u8);
}

fn names(a: &mut Actor) {
    let (fd, _) = bound(a, SOCK_DGRAM);
    let (mut name, mut len) = ([0u8; 28], 28u32);
    // Events without parameters, whatever came of the call.
    call!(a, SYS_getsockname, fd, &raw mut name, &raw mut len);
    sees!(a, SOCKET_GETSOCKNAME_X);
    call!(a, SYS_getpeername, fd, &raw mut name, &raw mut len);
    sees!(a, SOCKET_GETPEERNAME_X);
}

fn setsockopt(a: &mut Actor) {
    let fd = new_socket(a, AF_INET, SOCK_STREAM);
    let on = 1u32;
    call!(
        a,
        SYS_setsockopt,
        fd,
        SOL_SOCKET,
        libc::SO_REUSEADDR,
        &raw const on,
        4
    );
    let level = k::SOCKOPT_LEVEL_SOL_SOCKET as u8;
    let uint32 = k::SOCKOPT_IDX_UINT32 as u8;
    let name = k::SOCKOPT_SO_REUSEADDR as u8;
    sees!(
        a,
        SOCKET_SETSOCKOPT_X,
        0i64,
        fd,
        level,
        name,
        dynamic(uint32, &on.to_le_bytes()),
        4u32
    );
    let time = libc::timeval {
        tv_sec: 2,
        tv_usec: 500_000,
    };
    call!(
        a,
        SYS_setsockopt,
        fd,
        SOL_SOCKET,
        libc::SO_RCVTIMEO,
        &raw const time,
        16
    );
    let value = dynamic(
        k::SOCKOPT_IDX_TIMEVAL as u8,
        &2_500_000_000u64.to_le_bytes(),
    );
    sees!(
        a,
        SOCKET_SETSOCKOPT_X,
        0i64,
        fd,
        level,
        k::SOCKOPT_SO_RCVTIMEO as u8,
        value,
        16u32
    );
    // Options of other levels are told as bytes.
    call!(
        a,
        SYS_setsockopt,
        fd,
        libc::IPPROTO_TCP,
        libc::TCP_NODELAY,
        &raw const on,
        4
    );
    let value = dynamic(k::SOCKOPT_IDX_UNKNOWN as u8, &on.to_le_bytes());
    let tcp = k::SOCKOPT_LEVEL_SOL_TCP as u8;
    sees!(a, SOCKET_SETSOCKOPT_X, 0i64, fd, tcp, 0u8, value, 4u32);
    call!(
        a,
        SYS_setsockopt,
        -1,
        SOL_SOCKET,
        libc::SO_MARK,
        &raw const on,
        4
    );
    let value = dynamic(uint32, &on.to_le_bytes());
    sees!(
        a,
        SOCKET_SETSOCKOPT_X,
        EBADF,
        -1i64,
        level,
        k::SOCKOPT_SO_MARK as u8,
        value,
        4u32
    );
}

fn getsockopt(a: &mut Actor) {
    // A datagram that nobody takes leaves an error behind.
    let fd = new_socket(a, AF_INET, SOCK_DGRAM);
    let address = inet(LOOPBACK, closed_port());
    call!(a, SYS_connect, fd, &raw const address, 16);
    call!(a, SYS_write, fd, c"x", 1);
    let (mut value, mut len) = (0u32, 4u32);
    let (value_at, len_at) = ((&raw mut value).word(), (&raw mut len).word());
    call!(
        a,
        SYS_getsockopt,
        fd,
        SOL_SOCKET,
        libc::SO_ERROR,
        value_at,
        len_at
    );
    assert_eq!(value, 111);
    let level = k::SOCKOPT_LEVEL_SOL_SOCKET as u8;
    let error = dynamic(k::SOCKOPT_IDX_ERRNO as u8, &(-111i64).to_le_bytes());
    sees!(
        a,
        SOCKET_GETSOCKOPT_X,
        0i64,
        fd,
        level,
        k::SOCKOPT_SO_ERROR as u8,
        error,
        4u32
    );
    call!(
        a,
        SYS_getsockopt,
        fd,
        SOL_SOCKET,
        libc::SO_TYPE,
        value_at,
        len_at
    );
    let kind = dynamic(
        k::SOCKOPT_IDX_UINT32 as u8,
        &(SOCK_DGRAM as u32).to_le_bytes(),
    );
    sees!(
        a,
        SOCKET_GETSOCKOPT_X,
        0i64,
        fd,
        level,
        k::SOCKOPT_SO_TYPE as u8,
        kind,
        4u32
    );
    let (mut cookie, mut eight) = (0u64, 8u32);
    let (value_at, len_at) = ((&raw mut cookie).word(), (&raw mut eight).word());
    call!(a, SYS_getsockopt, fd, SOL_SOCKET, 57, value_at, len_at);
    let value = dynamic(k::SOCKOPT_IDX_UINT64 as u8, &cookie.to_le_bytes());
    sees!(
        a,
        SOCKET_GETSOCKOPT_X,
        0i64,
        fd,
        level,
        k::SOCKOPT_SO_COOKIE as u8,
        value,
        8u32
    );
    // The caller's bytes as they were.
    let (kept, four) = (77u32, 4u32);
    let (value_at, len_at) = ((&raw const kept).word(), (&raw const four).word());
    call!(
        a,
        SYS_getsockopt,
        -1,
        SOL_SOCKET,
        libc::SO_RCVBUF,
        value_at,
        len_at
    );
    let value = dynamic(k::SOCKOPT_IDX_UINT32 as u8, &77u32.to_le_bytes());
    sees!(
        a,
        SOCKET_GETSOCKOPT_X,
        EBADF,
        -1i64,
        level,
        k::SOCKOPT_SO_RCVBUF as u8,
        value,
        4u32
    );
}
