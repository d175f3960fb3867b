//! Which event types the rows have not shown, and why that is right.

use std::collections::BTreeMap;

use event::{codes, syscalls};

/// Why a type, or one of its outcomes, is not shown.
enum Reason {
    /// No system call of this architecture has it.
    NoNumber,
    /// The mode of dropping events on purpose is not offered; the original does not use it.
    NoDroppingMode,
    /// The start-up scan reads /proc; records of kernel iterators are not made.
    NoIterators,
    /// Told by another event: the new image's own.
    ToldOtherwise,
    /// It has no result, or its result is no error.
    NoResult,
    /// It cannot fail, or not by anything that a test can do.
    CannotFail,
    /// It cannot succeed on a machine that is to go on, or without hardware that it asks for.
    CannotSucceed,
}

use Reason::{
    CannotFail, CannotSucceed, NoDroppingMode, NoIterators, NoNumber, NoResult, ToldOtherwise,
};

/// Types that no row shows.
const NOT_SHOWN: &[(u16, Reason)] = &[
    (codes::SOCKET_SEND_X, NoNumber),
    (codes::SOCKET_RECV_X, NoNumber),
    (codes::SYSCALL_LLSEEK_X, NoNumber),
    (codes::SYSCALL_MMAP2_X, NoNumber),
    (codes::SYSCALL_UMOUNT_1_X, NoNumber),
    (codes::DROP_E, NoDroppingMode),
    (codes::DROP_X, NoDroppingMode),
    (codes::ITER_TASK_E, NoIterators),
    (codes::ITER_TASK_FILE_PIPE_E, NoIterators),
    (codes::ITER_TASK_FILE_MEMFD_E, NoIterators),
    (codes::ITER_TASK_FILE_REGULAR_E, NoIterators),
    (codes::ITER_TASK_FILE_DIRECTORY_E, NoIterators),
    (codes::ITER_TASK_FILE_SOCKET_INET_E, NoIterators),
    (codes::ITER_TASK_FILE_SOCKET_INET6_E, NoIterators),
    (codes::ITER_TASK_FILE_SOCKET_UNIX_E, NoIterators),
    (codes::ITER_TASK_FILE_SOCKET_NETLINK_E, NoIterators),
    (codes::ITER_TASK_FILE_ANON_INODE_E, NoIterators),
];

/// Types that were not seen to fail.
const NOT_FAILED: &[(u16, Reason)] = &[
    (codes::GENERIC_X, NoResult),
    (codes::SOCKET_GETSOCKNAME_X, NoResult),
    (codes::SOCKET_GETPEERNAME_X, NoResult),
    (codes::SYSCALL_GETUID_X, NoResult),
    (codes::SYSCALL_GETEUID_X, NoResult),
    (codes::SYSCALL_GETGID_X, NoResult),
    (codes::SYSCALL_GETEGID_X, NoResult),
    (codes::SYSCALL_BRK_4_X, NoResult),
    (codes::SYSCALL_OPEN_E, NoResult),
    (codes::SYSCALL_CREAT_E, NoResult),
    (codes::SYSCALL_OPENAT_2_E, NoResult),
    (codes::SYSCALL_OPENAT2_E, NoResult),
    (codes::SOCKET_CONNECT_E, NoResult),
    (codes::SIGNALDELIVER_E, NoResult),
    (codes::PROCEXIT_1_E, NoResult),
    (codes::SYSCALL_MUNLOCKALL_X, CannotFail),
    // For want of memory or of processes only, which would hit others.
    (codes::SYSCALL_FORK_20_X, CannotFail),
    (codes::SYSCALL_VFORK_20_X, CannotFail),
];

/// Types that were not seen to succeed.
const NOT_SUCCEEDED: &[(u16, Reason)] = &[
    (codes::SYSCALL_EXECVEAT_X, ToldOtherwise),
    (codes::SYSCALL_INIT_MODULE_X, CannotSucceed),
    (codes::SYSCALL_FINIT_MODULE_X, CannotSucceed),
    (codes::SYSCALL_DELETE_MODULE_X, CannotSucceed),
];

/// The types that the original driver sends, from the specification.
fn sent_by_the_original() -> Option<Vec<u16>> {
    let spec = std::env::var_os("PEREGRINE_SPEC").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec"),
        std::path::PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(spec.join("events.json")) else {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_CORPUS").is_err(),
            "no specification at {} (PEREGRINE_SPEC)",
            spec.display()
        );
        eprintln!("left out for want of the specification: whether all types are shown");
        return None;
    };
    let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sent = spec["events"].as_array().unwrap().iter();
    let sent = sent.filter(|e| e["sent_by_modern_driver"].is_string());
    Some(sent.map(|e| e["code"].as_u64().unwrap() as u16).collect())
}

/// What is neither shown nor excused, and excuses that are none.
pub(crate) fn gaps(seen: &BTreeMap<u16, (bool, bool)>) -> Vec<String> {
    let name = |code: u16| event::EVENTS[usize::from(code)].id;
    let mut gaps = Vec::new();
    for (code, reason) in NOT_SHOWN {
        let has_number = syscalls::X86_64_SYSCALLS
            .iter()
            .any(|call| call.exit == *code);
        if seen.contains_key(code) {
            gaps.push(format!("{} is shown, and is excused from it", name(*code)));
        }
        if matches!(reason, NoNumber) && has_number {
            gaps.push(format!("{}: a system call here has it", name(*code)));
        }
    }
    for code in sent_by_the_original().unwrap_or_default() {
        let excused = NOT_SHOWN.iter().any(|(c, _)| *c == code);
        if !seen.contains_key(&code) && !excused {
            gaps.push(format!("{}: no row shows it", name(code)));
        }
    }
    for (code, (succeeded, failed)) in seen {
        let excused = |list: &[(u16, Reason)]| list.iter().any(|(c, _)| c == code);
        if !succeeded && !excused(NOT_SUCCEEDED) {
            gaps.push(format!("{}: no row shows its success", name(*code)));
        }
        if !failed && !excused(NOT_FAILED) {
            gaps.push(format!("{}: no row shows its failure", name(*code)));
        }
        if *succeeded && excused(NOT_SUCCEEDED) || *failed && excused(NOT_FAILED) {
            gaps.push(format!(
                "{}: it is shown, and is excused from it",
                name(*code)
            ));
        }
    }
    gaps
}
