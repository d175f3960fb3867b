//! Data between processes and name servers: what more of it is kept, and which calls are wanted for its
//! sake alone. The kernel side tells them by the port of the socket's other end
//! (`bpf/include/sock.bpf.h`); without anybody who asks for names none of that is in the programs.

use event::syscalls::SYSCALLS;

use crate::options::Syscalls;

/// By the number of their bit, as `enum names_call` has it.
const CALLS: [&str; 10] = [
    "read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "recvmmsg",
    "sendmmsg",
];

/// Calls over which questions for names go, and answers come.
#[must_use]
pub fn name_calls() -> [&'static str; 10] {
    CALLS
}

/// The bits of those that are in a set.
pub(crate) fn bits(set: &Syscalls) -> u32 {
    let has = |name: &str| {
        let call = SYSCALLS.iter().find(|call| call.name == name);
        call.is_some_and(|call| set.contains(call.number))
    };
    let bits = CALLS.iter().enumerate().filter(|(_, name)| has(name));
    bits.fold(0, |bits, (at, _)| bits | 1 << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_bit() {
        assert_eq!(bits(&Syscalls::all()), 0x3ff);
        assert_eq!(
            bits(&Syscalls::from_names(["write", "sendto"]).unwrap()),
            0b10_0010
        );
        assert_eq!(bits(&Syscalls::none()), 0);
    }
}
