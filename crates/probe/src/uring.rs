//! io_uring: which system call each of its operations stands for, and where its work can be seen.

use event::syscalls;

use crate::btf;
use crate::options::Options;

/// Operation number and the system call that does the same.
const OPERATIONS: [(usize, &str); 20] = [
    (9, "sendmsg"),
    (10, "recvmsg"),
    (13, "accept4"),
    (16, "connect"),
    (18, "openat"),
    (19, "close"),
    (26, "sendto"),
    (27, "recvfrom"),
    (28, "openat2"),
    (34, "shutdown"),
    (35, "renameat2"),
    (36, "unlinkat"),
    (37, "mkdirat"),
    (38, "symlinkat"),
    (39, "linkat"),
    (45, "socket"),
    (47, "sendto"),
    (48, "sendmsg"),
    (56, "bind"),
    (57, "listen"),
];

/// Names of the system calls whose work io_uring can do, each once.
#[must_use]
pub fn io_uring_syscalls() -> Vec<&'static str> {
    let mut names: Vec<&str> = OPERATIONS.iter().map(|(_, name)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Operations are numbered below this.
pub(crate) const MAX_OPERATIONS: usize = 64;

/// The tracepoints that are asked about.
pub(crate) const TRACEPOINTS: [&str; 4] = [
    "io_uring_submit_req",
    "io_uring_submit_sqe",
    "io_uring_complete",
    "io_uring_cqe_overflow",
];

/// Number of the system call by operation; -1: none that is told.
pub(crate) fn table() -> [i16; MAX_OPERATIONS] {
    let mut table = [-1; MAX_OPERATIONS];
    for (operation, name) in OPERATIONS {
        let call = syscalls::SYSCALLS.iter().find(|c| c.name == name);
        table[operation] = call.map_or(-1, |call| call.number as i16);
    }
    table
}

/// Where a kernel shows what io_uring does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Tracepoint of a submitted request.
    pub submit: &'static str,
    /// The completion's tracepoint has the completion's members for arguments.
    pub complete_members: bool,
    /// Completions that find no room are told too (5.19).
    pub overflow: bool,
}

impl Places {
    /// `None` where the kernel does not show it well enough: before 6.0.
    pub(crate) fn find() -> Option<Self> {
        let known = btf::Kernel::running();
        let submit = match (
            known.arguments("io_uring_submit_req"),
            known.arguments("io_uring_submit_sqe"),
        ) {
            (Some(1), _) => "io_uring_submit_req",
            // Request and whether it may wait. Earlier forms have five and more.
            (None, Some(2)) => "io_uring_submit_sqe",
            _ => return None,
        };
        Some(Self {
            submit,
            complete_members: known.arguments("io_uring_complete")? > 3,
            overflow: known.arguments("io_uring_cqe_overflow") == Some(5),
        })
    }

    /// Program and tracepoint, each.
    pub(crate) fn programs(self) -> Vec<(&'static str, &'static str)> {
        let mut programs = vec![
            ("t_uring_complete", "io_uring_complete"),
            ("t_uring_submit", self.submit),
        ];
        if self.overflow {
            programs.insert(0, ("t_uring_overflow", "io_uring_cqe_overflow"));
        }
        programs
    }
}

/// Whether anything is wanted that io_uring can do.
pub(crate) fn is_wanted(options: &Options) -> bool {
    let wanted =
        |number: i16| u16::try_from(number).is_ok_and(|number| options.syscalls.contains(number));
    options.io_uring && table().into_iter().any(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Syscalls;

    #[test]
    fn operations_have_system_calls() {
        let table = table();
        assert!(OPERATIONS.iter().all(|&(op, _)| table[op] >= 0));
        assert_eq!(table[18], 257);
        assert_eq!(table[0], -1);
    }

    #[test]
    fn only_what_is_wanted() {
        let mut options = Options {
            syscalls: Syscalls::from_names(["getppid", "open"]).unwrap(),
            ..Options::default()
        };
        assert!(!is_wanted(&options));
        options.syscalls = Syscalls::from_names(["openat"]).unwrap();
        assert!(is_wanted(&options));
        options.io_uring = false;
        assert!(!is_wanted(&options));
    }
}
