//! What is looked at.

use std::path::Path;
use std::time::Duration;

use config::Settings;
use probe::{Backend, Choice, Support};
use rules::RuleSet;

use super::{Check, Health};
use crate::watch::Machine;

/// Whether rules that ask for packages get answers on this machine; nothing where none asks.
pub(super) fn of_packages(set: &RuleSet, order: &[usize]) -> Option<Check> {
    let mut running = order.iter().map(|&at| &set.rules[at]);
    if !running.any(|rule| rule.speaks_of(&["proc.exe_package"])) {
        return None;
    }
    let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
    let root = root.unwrap_or_else(|| "/".into());
    let (health, found, remedy) = match provenance::of_machine(Path::new(&root)) {
        Ok(Some(name)) => (
            Health::Good,
            format!("programs are looked for in {name}'s"),
            "",
        ),
        Ok(None) => (
            Health::Good,
            "this machine has none; containers have their own".to_owned(),
            "",
        ),
        Err(_) => (
            Health::Degraded,
            "that of this machine cannot be read: its programs are of no known package".to_owned(),
            "rpmdb --rebuilddb brings RPM's to today's form (SQLite), where the release has it",
        ),
    };
    Some(Check {
        name: "package database",
        health,
        found,
        remedy: remedy.to_owned(),
    })
}

/// What the kernel offers.
pub(super) fn of_kernel(support: &Support) -> Vec<Check> {
    let system = rustix::system::uname();
    let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
    let mut checks = vec![Check {
        name: "kernel",
        health: Health::Good,
        found: format!(
            "Linux {} on {}, {} of {} CPUs online",
            text(system.release()),
            text(system.machine()),
            support.cpus_online,
            support.cpus_possible
        ),
        remedy: String::new(),
    }];
    let mut needs = |name, there: bool, found: &str, lacking: &str, remedy: &str| {
        checks.push(Check {
            name,
            health: if there { Health::Good } else { Health::Bad },
            found: if there { found } else { lacking }.to_owned(),
            remedy: if there { "" } else { remedy }.to_owned(),
        });
    };
    needs(
        "privilege",
        support.privileged,
        "BPF programs may be loaded",
        "BPF programs may not be loaded",
        "run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
    );
    needs(
        "type information",
        support.btf,
        "/sys/kernel/btf/vmlinux is there",
        "/sys/kernel/btf/vmlinux is missing",
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions since 2021 are",
    );
    // Without the privilege the kernel tells nothing of these.
    if support.privileged && !support.reachable {
        needs(
            "BPF",
            false,
            "",
            "calls of bpf() do not get through to the kernel",
            "in a container, let its seccomp filter pass bpf and perf_event_open (older filters do so for CAP_SYS_ADMIN alone)",
        );
    } else if support.privileged {
        needs(
            "ring buffers",
            support.ring_buffer,
            "BPF ring buffers work",
            "the kernel has no BPF ring buffers",
            "boot Linux 5.8 or later",
        );
        needs(
            "tracing",
            support.tracing,
            "BPF programs on tracepoints work",
            "the kernel has no BPF tracing programs",
            "boot a kernel built with CONFIG_BPF_SYSCALL=y and CONFIG_BPF_EVENTS=y",
        );
    }
    checks.extend([lockdown(), proc_is_readable()]);
    checks
}

/// Which container runtimes answer. None is no fault: there may be no containers.
pub(super) fn of_runtimes(settings: &Settings) -> Check {
    let asked = crate::containers::asked(settings);
    let found = containers::survey(&asked, Duration::from_secs(2)).unwrap_or_default();
    let mut lines = Vec::new();
    let mut silent = 0;
    for one in &found {
        let says = match &one.containers {
            Ok(count) => format!("{count} containers"),
            Err(error) => {
                silent += 1;
                error.to_string()
            }
        };
        lines.push(format!(
            "{} at {}: {says}",
            one.runtime.name(),
            one.path.display()
        ));
    }
    let answering = found.len() - silent;
    lines.insert(
        0,
        match found.len() {
            0 => "no socket of Docker, Podman, containerd or CRI-O was found".to_owned(),
            all => format!("{answering} of {all} sockets answer"),
        },
    );
    Check {
        name: "container runtimes",
        health: Health::Good,
        found: lines.join("\n"),
        remedy: String::new(),
    }
}

/// A kernel that is locked down refuses some ways of attaching.
fn lockdown() -> Check {
    let modes = std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let mode = modes
        .split('[')
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or("none");
    let confidential = mode == "confidentiality";
    Check {
        name: "lockdown",
        health: if confidential {
            Health::Bad
        } else {
            Health::Good
        },
        found: format!("mode {mode}"),
        remedy: if confidential {
            "programs may not read the kernel's memory: boot with lockdown=integrity or none".into()
        } else {
            String::new()
        },
    }
}

/// Whether the processes of others show what they are.
fn proc_is_readable() -> Check {
    let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
    let proc = root
        .map_or_else(|| "/".into(), std::path::PathBuf::from)
        .join("proc");
    let namespace = |of: &Path| std::fs::read_link(of).ok();
    // Of a process that keeps it to itself, nothing can be said.
    let own_namespace = match (
        namespace(Path::new("/proc/self/ns/pid")),
        namespace(&proc.join("1/ns/pid")),
    ) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => true,
    };
    let (mut all, mut closed) = (0_usize, Vec::new());
    for entry in std::fs::read_dir(&proc).into_iter().flatten().flatten() {
        let pid = entry.file_name();
        let dir = entry.path();
        // Threads of the kernel, and processes that have just ended, have no program.
        if !pid.as_encoded_bytes().iter().all(u8::is_ascii_digit)
            || std::fs::read(dir.join("cmdline")).is_ok_and(|line| line.is_empty())
        {
            continue;
        }
        all += 1;
        let refused = |result: std::io::Result<()>| {
            result.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        };
        if refused(std::fs::read(dir.join("environ")).map(drop))
            || refused(std::fs::read_dir(dir.join("fd")).map(drop))
        {
            closed.push(pid.to_string_lossy().into_owned());
        }
    }
    let of_all = format!(
        "{} of {all} processes keep environment and descriptors to themselves",
        closed.len()
    );
    let (health, found, remedy) = if all == 0 {
        (
            Health::Degraded,
            "no process of others is shown".to_owned(),
            "look at the mount option hidepid of /proc, or name the host's tree with HOST_ROOT",
        )
    } else if !own_namespace {
        (
            Health::Degraded,
            "/proc shows another pid namespace than ours".to_owned(),
            "run in the host's pid namespace (docker run --pid=host)",
        )
    } else if closed.len() * 10 > all {
        (
            Health::Degraded,
            format!("{of_all}: what they had open before the start is not known"),
            "give CAP_SYS_PTRACE; look at the mount option hidepid of /proc",
        )
    } else if closed.is_empty() {
        (
            Health::Good,
            "processes of all users can be read".to_owned(),
            "",
        )
    } else {
        (
            Health::Good,
            format!("{of_all} (guarded by the kernel): {}", closed.join(", ")),
            "",
        )
    };
    Check {
        name: "/proc",
        health,
        found,
        remedy: remedy.to_owned(),
    }
}

/// What this kernel shows less of than others do.
fn features(support: &Support) -> Vec<Check> {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .is_ok_and(|value| value.trim() == "2");
    let check = |name, there: bool, found: &str, lacking: &str, remedy: &str| Check {
        name,
        health: if there {
            Health::Good
        } else {
            Health::Degraded
        },
        found: if there { found } else { lacking }.to_owned(),
        remedy: if there { "" } else { remedy }.to_owned(),
    };
    vec![
        check(
            "io_uring",
            support.io_uring || disabled,
            if disabled {
                "nobody may use it here (kernel.io_uring_disabled)"
            } else {
                "what it opens, connects, renames and removes is seen"
            },
            "what programs do through it is not seen",
            "boot Linux 6.0 or later, or forbid it: sysctl kernel.io_uring_disabled=2",
        ),
        check(
            "messages",
            support.loops,
            "all messages of sendmmsg and recvmmsg are seen",
            "of sendmmsg and recvmmsg only the first message is seen",
            "boot Linux 5.17 or later",
        ),
    ]
}

/// How watching went.
pub(super) fn of_watch(machine: &Machine, support: &Support, ready: Duration) -> Vec<Check> {
    let start = machine.start();
    let calls = machine.attached().count();
    let good = |name, found: String| Check {
        name,
        health: Health::Good,
        found,
        remedy: String::new(),
    };
    let mut checks = vec![
        good(
            "watching",
            format!(
                "{calls} system calls and tracepoints; events from {} ms after the start, those of \
                 io_uring from {} ms, ready after {} ms",
                start.first_events.as_millis(),
                start.open.as_millis(),
                ready.as_millis()
            ),
        ),
        good(
            "reading /proc",
            format!(
                "{} threads and {} descriptors in {} ms",
                start.summary.threads,
                start.summary.descriptors,
                start.scan.as_millis()
            ),
        ),
        backend(machine.choice()),
        precedence(),
    ];
    checks.extend(features(support));
    let entries = machine.entries();
    checks.push(if entries == 0 {
        Check {
            name: "entry events",
            health: Health::Degraded,
            found:
                "none: a path or address that another thread changes during the call is seen as \
                    it is after the call"
                    .into(),
            remedy: "boot a kernel built with CONFIG_FTRACE_SYSCALLS=y; and mount tracefs".into(),
        }
    } else {
        let openat = if machine.sees_entry("openat") {
            ""
        } else {
            "; openat, the busiest, is not (PEREGRINE_OPENAT_ENTRY=on has it read, for an event more a call)"
        };
        good(
            "entry events",
            format!("{entries} calls are read when they begin, against races{openat}"),
        )
    });
    checks
}

/// How the thread that opened the machine stands among others: it is the one that reads.
fn precedence() -> Check {
    let niceness = probe::niceness().unwrap_or(0);
    let preferred = niceness < 0;
    Check {
        name: "precedence",
        health: if preferred {
            Health::Good
        } else {
            Health::Degraded
        },
        found: if preferred {
            format!("events are read at niceness {niceness}, before ordinary work")
        } else {
            format!(
                "events are read at niceness {niceness}: where others use all CPUs, some may be lost"
            )
        },
        remedy: if preferred {
            String::new()
        } else if niceness == 0 {
            "give CAP_SYS_NICE or CAP_SYS_RESOURCE".to_owned()
        } else {
            "start it without nice".to_owned()
        },
    }
}

fn backend(choice: &Choice) -> Check {
    let sits = match choice.backend {
        Backend::Fexit => "the end of each watched call's function; other calls cost nothing",
        Backend::Tracepoint => "the tracepoint of each watched call",
        Backend::Auto | Backend::Dispatch => {
            "one program on the end of all calls, which passes over those that are not watched"
        }
    };
    Check {
        name: "way of attaching",
        health: Health::Good,
        found: format!(
            "{}: {sits}; {} (PEREGRINE_ATTACH forces one)",
            choice.backend.name(),
            choice.reason
        ),
        remedy: String::new(),
    }
}
