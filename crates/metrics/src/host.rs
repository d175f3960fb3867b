//! What the machine says about this process and itself, read from `/proc` under a root that tests
//! can choose.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the machine is looked at.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    cgroup_memory: PathBuf,
}

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Resident memory of this process, kB.
    pub rss_kb: u64,
    /// Address space of this process, kB.
    pub vsz_kb: u64,
    /// Its share of memory that is shared too, kB.
    pub pss_kb: u64,
    /// Processor time of this process.
    pub cpu: Duration,
    /// Memory of its container, bytes.
    pub container_memory: u64,
    /// Busy and whole processor time of the machine, in the kernel's ticks.
    pub host_cpu: (u64, u64),
    /// Memory in use on the machine, kB.
    pub host_memory_kb: u64,
    /// Processes that run right now.
    pub host_running: u64,
    /// Open files of the machine.
    pub host_files: u64,
    /// Seconds since the epoch at which the machine started.
    pub boot: u64,
}

impl Host {
    /// The machine whose files hang below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let cgroup = std::env::var_os("FALCO_CGROUP_MEM_PATH").map(PathBuf::from);
        let cgroup_memory =
            cgroup.unwrap_or_else(|| PathBuf::from("/sys/fs/cgroup/memory/memory.usage_in_bytes"));
        Self {
            root: root.to_owned(),
            cgroup_memory,
        }
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    /// Looks. What cannot be read is zero.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let (memory, machine) = (self.text("proc/meminfo"), self.text("proc/stat"));
        let memory_total = after(&memory, "MemTotal:");
        let unused = ["MemFree:", "Buffers:", "Cached:"].map(|key| after(&memory, key));
        let container = [
            self.cgroup_memory.clone(),
            PathBuf::from("/sys/fs/cgroup/memory.current"),
        ];
        let container = container
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        Usage {
            rss_kb: after(&status, "VmRSS:"),
            vsz_kb: after(&status, "VmSize:"),
            pss_kb: after(&rollup, "Pss:"),
            cpu: own_cpu(&stat),
            container_memory: container
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(0),
            host_cpu: host_cpu(&machine),
            host_memory_kb: memory_total.saturating_sub(unused.iter().sum()),
            host_running: after(&machine, "procs_running"),
            host_files: self
                .text("proc/sys/fs/file-nr")
                .split_ascii_whitespace()
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0),
            boot: after(&machine, "btime"),
        }
    }
}

/// The number behind a key at the begin of a line.
fn after(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// User and system time of this process; a blank or a bracket in its name does no harm.
fn own_cpu(stat: &str) -> Duration {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let numbers: Vec<u64> = rest
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse().ok())
        .collect();
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(numbers.iter().sum::<u64>().saturating_mul(1000) / hertz)
}

/// Ticks in which the processors did something, and all ticks.
fn host_cpu(stat: &str) -> (u64, u64) {
    let line = stat
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))
        .unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .take(8)
        .map(|n| n.parse().unwrap_or(0))
        .collect();
    let all = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// Per cent of one span of time that another took.
#[must_use]
pub fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole * 1000.0).round() / 10.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_made_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let proc = dir.path().join("proc");
        fs::create_dir_all(proc.join("sys/fs")).unwrap();
        fs::write(
            proc.join("meminfo"),
            "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 15 kB\n",
        )
        .unwrap();
        fs::write(
            proc.join("stat"),
            "cpu  1 2 3 4 5 6 7 8 9 10\nprocs_running 3\nbtime 1700000000\n",
        )
        .unwrap();
        fs::write(proc.join("sys/fs/file-nr"), "1234\t0\t999\n").unwrap();
        let usage = Host::new(dir.path()).usage();
        assert_eq!(
            (usage.host_memory_kb, usage.host_running, usage.host_files),
            (70, 3, 1234)
        );
        assert_eq!((usage.host_cpu, usage.boot), ((27, 36), 1_700_000_000));
        assert!(usage.rss_kb > 0 && usage.vsz_kb >= usage.rss_kb);
        let nothing = Host::new(Path::new("/nowhere")).usage();
        assert_eq!(nothing.host_files, 0);
    }

    #[test]
    fn a_name_with_brackets() {
        let stat = "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0";
        assert!(own_cpu(stat) >= Duration::from_millis(200));
    }
}
