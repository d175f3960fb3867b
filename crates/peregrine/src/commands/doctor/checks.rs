//! What is looked at.

use std::time::Duration;

use config::Settings;
use probe::{Backend, Choice, Support};

use super::{Check, Health};
use crate::watch::Machine;

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
        "run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE and CAP_SYS_PTRACE",
    );
    needs(
        "type information",
        support.btf,
        "/sys/kernel/btf/vmlinux is there",
        "/sys/kernel/btf/vmlinux is missing",
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions since 2021 are",
    );
    // Without the privilege the kernel tells nothing of these.
    if support.privileged {
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
    let of_init = |file: &str| {
        let mut path = root
            .clone()
            .map_or_else(|| "/".into(), std::path::PathBuf::from);
        path.push(format!("proc/1/{file}"));
        path
    };
    let environment = std::fs::read(of_init("environ")).is_ok();
    let descriptors = std::fs::read_dir(of_init("fd")).is_ok();
    let own_namespace =
        std::fs::read_link("/proc/self/ns/pid").ok() == std::fs::read_link(of_init("ns/pid")).ok();
    let (health, found, remedy) = if !environment || !descriptors {
        (
            Health::Degraded,
            "environments and descriptors of other processes cannot be read: what ran before the \
             start is known by name only",
            "give CAP_SYS_PTRACE; look at the mount option hidepid of /proc",
        )
    } else if !own_namespace {
        (
            Health::Degraded,
            "/proc shows another pid namespace than ours",
            "run in the host's pid namespace (docker run --pid=host)",
        )
    } else {
        (Health::Good, "processes of all users can be read", "")
    };
    Check {
        name: "/proc",
        health,
        found: found.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// How watching went.
pub(super) fn of_watch(machine: &Machine, ready: Duration) -> Vec<Check> {
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
                "{calls} system calls and tracepoints; events from {:.0?} after the start, ready \
                 after {ready:.0?}",
                start.open
            ),
        ),
        good(
            "reading /proc",
            format!(
                "{} threads and {} descriptors in {:.0?}",
                start.summary.threads, start.summary.descriptors, start.scan
            ),
        ),
        backend(machine.choice()),
    ];
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
        good(
            "entry events",
            format!("{entries} calls are read when they begin, against races"),
        )
    });
    checks
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
