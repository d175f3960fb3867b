//! Why the kernel cannot be watched.

use std::io;

/// What went wrong, with what the user can do about it. Each says all of it: none has a source that would
/// say the refusal once more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel lacks something that the programs need.
    #[error("this kernel cannot be watched: {what}; {remedy}")]
    Kernel {
        /// The missing feature.
        what: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
    /// Not allowed to load programs.
    #[error(
        "not permitted to load BPF programs: run as root, or give CAP_BPF and CAP_PERFMON \
         (before Linux 5.8: CAP_SYS_ADMIN), and CAP_SYS_PTRACE to look at other users' processes"
    )]
    Privilege,
    /// Options that contradict the machine or each other.
    #[error("{0}")]
    Options(String),
    /// libbpf or the kernel refused; the last lines of libbpf's log are in `log`.
    #[error("cannot {action}: {refusal}{log}")]
    Load {
        /// What was being done.
        action: String,
        /// The refusal.
        refusal: libbpf_rs::Error,
        /// What libbpf said, indented; may be empty.
        log: String,
    },
    /// A system call of our own failed.
    #[error("cannot {action}: {refusal}")]
    System {
        /// What was being done.
        action: String,
        /// The failure.
        refusal: io::Error,
    },
}

impl Error {
    pub(crate) fn last_os(action: impl Into<String>) -> Self {
        Self::System {
            action: action.into(),
            refusal: io::Error::last_os_error(),
        }
    }

    pub(crate) fn load(action: impl Into<String>, refusal: libbpf_rs::Error) -> Self {
        // "Permission denied" is no proof of a missing privilege: the verifier says so too.
        Self::Load {
            action: action.into(),
            refusal,
            log: crate::loader::libbpf_log(),
        }
    }
}
