//! Ports for servers that a test starts by themselves, or takes away and brings back.
//!
//! A port of the kernel's choice will not do for them. While nobody listens there, any connection to
//! anywhere may get it for its own end; and somebody who tries again and again to connect to it will
//! one day be given it himself and meet himself, which TCP allows. So these ports come from below the
//! range of which the kernel chooses.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lower ones belong to services that a machine may have.
const LOWEST: u16 = 15_000;
/// Where the kernel's range begins, unless it says otherwise.
const USUAL: u16 = 32_768;

/// The first port of which the kernel makes its choice.
fn ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    first.unwrap_or(USUAL)
}

/// A port of loopback that nobody has, for TCP and UDP; no other call in this process gives it too.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let room = u32::from(ephemeral().saturating_sub(LOWEST));
    if room == 0 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        return listener.local_addr().expect("an address").port();
    }
    // Processes of one time begin in different places.
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    let begin = std::process::id()
        .wrapping_mul(7919)
        .wrapping_add(nanos / 1000)
        | 1;
    let _ = NEXT.compare_exchange(0, begin, Ordering::Relaxed, Ordering::Relaxed);
    for _ in 0..room {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = LOWEST + u16::try_from(turn % room).expect("a part of the ports");
        let address = ("127.0.0.1", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!("all ports are taken");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_it_and_nobody_is_given_it() {
        let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free()).collect();
        assert_eq!(ports.len(), 50);
        let first = ephemeral();
        assert!(
            first < 16_000 || ports.iter().all(|&port| port < first),
            "{ports:?}"
        );
    }
}
