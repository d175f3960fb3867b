//! What this machine's kernel offers to the probe.

use std::path::Path;

use libbpf_rs::{MapType, ProgramType};

use crate::Error;

/// What was found out, for `doctor` and for clear errors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a list of independent findings"
)]
pub struct Support {
    /// Type information of the kernel, `/sys/kernel/btf/vmlinux`.
    pub btf: bool,
    /// The call `bpf` reaches the kernel; filters of system calls around containers may answer in its place.
    pub reachable: bool,
    /// Ring buffers (5.8).
    pub ring_buffer: bool,
    /// Programs on raw tracepoints with types (5.5).
    pub tracing: bool,
    /// Whether any program may be loaded by us.
    pub privileged: bool,
    /// Loops in programs (5.17). Without, all system calls go through the dispatcher, and of
    /// sendmmsg and recvmmsg only the first message is told.
    pub loops: bool,
    /// What io_uring does can be told (6.0).
    pub io_uring: bool,
    /// Tracepoints of single system calls.
    pub syscall_tracepoints: bool,
    /// Programs of 32-bit x86 can run here.
    pub ia32: bool,
    /// CPUs online, and CPUs that may ever be.
    pub cpus_online: usize,
    /// See `cpus_online`.
    pub cpus_possible: usize,
}

/// Asks the kernel.
#[must_use]
pub fn support() -> Support {
    let ring_buffer = MapType::RingBuf.is_supported();
    let privileged = !matches!(&ring_buffer, Err(error)
        if error.kind() == libbpf_rs::ErrorKind::PermissionDenied);
    Support {
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        // Every kernel with BPF has arrays, and gives them to those who may load programs.
        reachable: MapType::Array.is_supported().unwrap_or(false),
        ring_buffer: ring_buffer.unwrap_or(false),
        // Not ProgramType::Tracing: that is tried out with fentry, which locked-down kernels refuse
        // while typed tracepoints work.
        tracing: ProgramType::RawTracepoint.is_supported().unwrap_or(false),
        privileged: privileged && may_load(),
        loops: crate::btf::Kernel::running().loops,
        io_uring: crate::uring::Places::find().is_some(),
        syscall_tracepoints: crate::tracefs::Tracefs::open()
            .and_then(|fs| fs.number("syscalls", "sys_exit_getppid"))
            .is_ok_and(|number| number.is_some()),
        ia32: runs_ia32(),
        cpus_online: cpus("online").len(),
        cpus_possible: cpus("possible").len(),
    }
}

impl Support {
    /// The first thing that is missing.
    ///
    /// # Errors
    /// [`Error::Privilege`] or [`Error::Kernel`].
    pub fn check(&self) -> Result<(), Error> {
        if !self.privileged {
            return Err(Error::Privilege);
        }
        if !self.reachable {
            return Err(Error::Kernel {
                what: "calls of bpf() do not get through to it",
                remedy: "in a container, let its seccomp filter pass bpf and perf_event_open (older filters do so for \
                         CAP_SYS_ADMIN alone); elsewhere, boot one built with CONFIG_BPF_SYSCALL=y",
            });
        }
        if !self.btf {
            return Err(Error::Kernel {
                what: "it has no type information (/sys/kernel/btf/vmlinux)",
                remedy: "boot one built with CONFIG_DEBUG_INFO_BTF=y, as distributions since 2021 are",
            });
        }
        if !self.ring_buffer {
            return Err(Error::Kernel {
                what: "it has no BPF ring buffers",
                remedy: "boot Linux 5.8 or later",
            });
        }
        if !self.tracing {
            return Err(Error::Kernel {
                what: "it has no BPF tracing programs",
                remedy: "boot one built with CONFIG_BPF_SYSCALL=y and CONFIG_BPF_EVENTS=y",
            });
        }
        Ok(())
    }
}

/// CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON.
fn may_load() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let caps = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    caps >> 21 & 1 == 1 || caps >> 38 & 3 == 3
}

/// x86 with IA32 emulation. The setting exists only where it was compiled in; whether it was turned
/// off again is on the command line. (The kernel's symbols would tell too, but reading them all
/// takes longer than loading the programs.)
fn runs_ia32() -> bool {
    if !cfg!(target_arch = "x86_64") || !Path::new("/proc/sys/abi/vsyscall32").exists() {
        return false;
    }
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    !line
        .split_whitespace()
        .any(|word| matches!(word, "ia32_emulation=0" | "ia32_emulation=off"))
}

/// CPU numbers of `/sys/devices/system/cpu/NAME`, which reads `0-3,5`.
pub(crate) fn cpus(name: &str) -> Vec<usize> {
    let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/{name}"))
        .unwrap_or_else(|_| "0".into());
    parse_cpus(&text)
}

fn parse_cpus(text: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cpus.extend((first..=last).take(crate::layout::MAX_CPUS));
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpus("0-3,5\n"), [0, 1, 2, 3, 5]);
        assert_eq!(parse_cpus("0\n"), [0]);
        assert!(parse_cpus("").is_empty());
    }

    #[test]
    fn missing_features_are_named() {
        let good = Support {
            btf: true,
            reachable: true,
            ring_buffer: true,
            tracing: true,
            privileged: true,
            loops: true,
            io_uring: true,
            syscall_tracepoints: true,
            ia32: true,
            cpus_online: 1,
            cpus_possible: 1,
        };
        assert!(good.check().is_ok());
        let text = |s: Support| s.check().unwrap_err().to_string();
        assert!(
            text(Support {
                btf: false,
                ..good.clone()
            })
            .contains("CONFIG_DEBUG_INFO_BTF")
        );
        assert!(
            text(Support {
                reachable: false,
                ring_buffer: false,
                ..good.clone()
            })
            .contains("seccomp")
        );
        assert!(
            text(Support {
                ring_buffer: false,
                ..good.clone()
            })
            .contains("5.8")
        );
        assert!(
            text(Support {
                privileged: false,
                ..good
            })
            .contains("CAP_BPF")
        );
    }
}
