//! Names of addresses: what a name server told the process before, as the messages that it would have heard.

use std::net::IpAddr;

use event::{EventCode, RecordBuilder, codes};

use super::network::Ends;
use super::spec::EventSpec;

/// A descriptor that no test speaks of.
const FD: i64 = 99_053;
/// 10.0.0.7, port 40053, and the server 10.0.0.53, port 53.
const TUPLE: [u8; 13] = [2, 10, 0, 0, 7, 0x75, 0x9c, 10, 0, 0, 53, 53, 0];

/// A question for a name's address, and the answer; the first is cut from the second.
fn messages(name: &str, ip: IpAddr) -> Option<(Vec<u8>, Vec<u8>)> {
    let (ty, address) = match ip {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (28, ip.octets().to_vec()),
    };
    let mut question = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        question.push(u8::try_from(label.len()).ok().filter(|len| *len < 64)?);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, ty, 0, 1]);
    let mut answer = question.clone();
    (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
    answer.extend([0xc0, 12, 0, ty, 0, 1, 0, 0, 0, 60, 0, address.len() as u8]);
    answer.extend(address);
    Some((question, answer))
}

/// Events before a connection whose far end has names.
pub(super) fn told(spec: &EventSpec, ends: Option<&Ends>, tid: i64, time: u64) -> Vec<Vec<u8>> {
    let names = spec.text(&["fd.sip.dns", "fd.rip.dns"]);
    let (Some(names), Some(Ends::Inet { server, .. })) = (names, ends) else {
        return Vec::new();
    };
    let begin = |code| RecordBuilder::new(EventCode::new(code), time, tid);
    let socket = begin(codes::SOCKET_SOCKET_X).i64(FD).u32(2).u32(2);
    let connect = begin(codes::SOCKET_CONNECT_X).i64(0).bytes(&TUPLE);
    let mut records = vec![
        socket.u32(0).u32(0).finish(),
        connect.i64(FD).empty().finish(),
    ];
    // The latest comes first where they are shown.
    for name in names.split(',').rev() {
        let Some((question, answer)) = messages(name.trim(), server.ip) else {
            continue;
        };
        for (code, data) in [
            (codes::SYSCALL_WRITE_X, question),
            (codes::SYSCALL_READ_X, answer),
        ] {
            let event = begin(code).i64(data.len() as i64).bytes(&data).i64(FD);
            records.push(event.u32(data.len() as u32).finish());
        }
    }
    records.push(begin(codes::SYSCALL_CLOSE_X).i64(0).i64(FD).finish());
    records
}
