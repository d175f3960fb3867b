//! From root to somebody with the few capabilities that watching takes (`run_as`).
//!
//! It happens before the first thread starts: on Linux credentials belong to threads, and those that
//! come later inherit them. What is started later (commands, plugins) has none of the capabilities.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::thread::{CapabilitySet, CapabilitySets};
use rustix::{process, thread};

/// What watching takes: BPF programs, tracepoints, `/proc` of every process, files whatever their owner,
/// and memory that older kernels count against a limit.
const NEEDED: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::SYS_RESOURCE);

/// Above this, kernels of Debian and Ubuntu want CAP_SYS_ADMIN where others want CAP_PERFMON.
const PARANOIA: i32 = 2;

/// What watching takes on this machine.
fn needed() -> CapabilitySet {
    let paranoia = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    let paranoia: Option<i32> = paranoia.ok().and_then(|text| text.trim().parse().ok());
    if paranoia.is_some_and(|paranoia| paranoia > PARANOIA) {
        NEEDED | CapabilitySet::SYS_ADMIN
    } else {
        NEEDED
    }
}

/// A line of `/etc/passwd` and what `/etc/group` says of it.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// Becomes the user of this name, for good.
///
/// # Errors
/// When there is no such user, this process may not become it, or has threads already.
pub(crate) fn become_user(name: &str) -> Result<()> {
    let read =
        |path: &str| std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let account = account(name, &read("/etc/passwd")?, &read("/etc/group")?)
        .with_context(|| format!("run_as: there is no user '{name}'"))?;
    if process::geteuid().as_raw() == account.uid {
        return Ok(());
    }
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    ensure!(
        matches!(threads, Ok(1)),
        "run_as: threads run already; they would keep their rights"
    );
    let denied = || format!("run_as: this process may not become '{name}'");
    let held = thread::capabilities(None).context("cannot ask for capabilities")?;
    let kept = held.permitted & needed();
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if !kept.contains(capability)
            && thread::capability_is_in_bounding_set(capability) == Ok(true)
        {
            thread::remove_capability_from_bounding_set(capability).with_context(denied)?;
        }
    }
    thread::set_keep_capabilities(true).with_context(denied)?;
    let groups: Vec<process::Gid> = account
        .groups
        .iter()
        .map(|id| process::Gid::from_raw(*id))
        .collect();
    let (uid, gid) = (
        process::Uid::from_raw(account.uid),
        process::Gid::from_raw(account.gid),
    );
    thread::set_thread_groups(&groups).with_context(denied)?;
    thread::set_thread_res_gid(gid, gid, gid).with_context(denied)?;
    thread::set_thread_res_uid(uid, uid, uid).with_context(denied)?;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    thread::set_capabilities(None, sets).with_context(denied)?;
    thread::set_keep_capabilities(false).with_context(denied)?;
    if thread::set_thread_uid(process::Uid::ROOT).is_ok() {
        bail!("run_as: the way back to root is still open");
    }
    Ok(())
}

/// Hands no capability on to programs that are started: under systemd's `AmbientCapabilities` they would
/// have ours. Threads that come later do as the first.
pub(crate) fn keep_to_ourselves() {
    // Kernels that know no ambient capabilities hand none on.
    let _ = thread::clear_ambient_capability_set();
}

/// Where runtimes listen that only root may talk to unless somebody changed that.
const RUNTIMES: [&str; 4] = [
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
];

/// Sockets of container runtimes on this machine that this process may not talk to: what they know of
/// containers will be missing.
pub(crate) fn closed_runtimes() -> Vec<&'static str> {
    let open = |path: &str| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let paths = RUNTIMES.into_iter();
    paths
        .filter(|path| Path::new(path).exists() && !open(path))
        .collect()
}

fn account(name: &str, users: &str, groups: &str) -> Option<Account> {
    let parts = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let user = users.lines().map(parts).find(|parts| parts[0] == name)?;
    let number = |text: Option<&String>| text?.parse::<u32>().ok();
    let gid = number(user.get(3))?;
    let mut all = vec![gid];
    for group in groups.lines().map(parts) {
        let members = group.get(3).map(String::as_str).unwrap_or_default();
        if members.split(',').any(|member| member == name) {
            all.extend(number(group.get(2)));
        }
    }
    all.dedup();
    Some(Account {
        uid: number(user.get(2))?,
        gid,
        groups: all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\nperegrine:x:990:991::/:/usr/sbin/nologin\nbad:x\n";
        let groups = "root:x:0:\ndocker:x:120:alice,peregrine\nfuse:x:121:peregrin\nlibvirt:x:130:peregrine\n";
        assert_eq!(
            account("peregrine", users, groups),
            Some(Account {
                uid: 990,
                gid: 991,
                groups: vec![991, 120, 130]
            })
        );
        assert_eq!(account("nobody", users, groups), None);
        assert_eq!(account("bad", users, groups), None);
    }
}
