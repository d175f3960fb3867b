//! One thread, from the files of its directory in `/proc`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use event::constants::{CL_CLONE_FILES, CL_CLONE_THREAD};
use event::snapshot::Process;

use crate::Host;
use crate::read::{self, field, hex, number, words};

/// Arguments and environment are cut as the kernel's probe cuts them.
const MAX_AREA: usize = 4096;

/// Clock ticks in a second, as `/proc` counts them: the same on every architecture of Linux that
/// programs run on here.
const TICKS: u64 = 100;

/// Reads threads one after the other, reusing its buffers.
pub(crate) struct Reader {
    host: Host,
    cmdline: Vec<u8>,
    environ: Vec<u8>,
    status: Vec<u8>,
    stat: Vec<u8>,
    small: Vec<u8>,
    exepath: Vec<u8>,
    cwd: Vec<u8>,
    root: Vec<u8>,
    cgroups: Vec<u8>,
    controllers: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    image: Option<ImageFile>,
    loginuid: u32,
    fdlimit: i64,
    pidns_start: u64,
}

impl Reader {
    pub(crate) fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            cmdline: Vec::new(),
            environ: Vec::new(),
            status: Vec::new(),
            stat: Vec::new(),
            small: Vec::new(),
            exepath: Vec::new(),
            cwd: Vec::new(),
            root: Vec::new(),
            cgroups: Vec::new(),
            controllers: Vec::new(),
            image: None,
            loginuid: u32::MAX,
            fdlimit: 0,
            pidns_start: 0,
        }
    }

    /// The thread with this directory; `None` if it is gone or is the kernel's own.
    pub(crate) fn thread(&mut self, dir: &Path, tid: i64) -> Option<Process<'_>> {
        if !read::read_into(&dir.join("cmdline"), MAX_AREA, &mut self.cmdline) {
            return None;
        }
        self.exepath = read::link(&dir.join("exe"));
        if self.cmdline.is_empty() && self.exepath.is_empty() {
            return None;
        }
        read::read_into(&dir.join("environ"), MAX_AREA, &mut self.environ);
        self.cwd = read::link(&dir.join("cwd"));
        self.root = read::link(&dir.join("root"));
        self.image = ImageFile::of(dir);
        self.loginuid = match read::read_into(&dir.join("loginuid"), 64, &mut self.small) {
            true => number(&self.small).unwrap_or(u32::MAX),
            false => u32::MAX,
        };
        read::read_into(&dir.join("limits"), 1 << 13, &mut self.small);
        self.fdlimit = open_file_limit(&self.small);
        let pidns_init = dir.join("root/proc/1/cmdline");
        self.pidns_start = std::fs::metadata(pidns_init)
            .map_or(0, |meta| nanoseconds(meta.ctime(), meta.ctime_nsec()));
        self.sibling(dir, tid)
    }

    /// Another thread of the process that was read last: memory, program, limits and namespaces are
    /// one for all of them, so only what is its own is read.
    pub(crate) fn sibling(&mut self, dir: &Path, tid: i64) -> Option<Process<'_>> {
        if !read::read_into(&dir.join("status"), 1 << 14, &mut self.status) {
            return None;
        }
        read::read_into(&dir.join("stat"), 4096, &mut self.stat);
        self.read_cgroups(dir);
        let mut process = Process {
            tid,
            loginuid: self.loginuid,
            fdlimit: self.fdlimit,
            pidns_start: self.pidns_start,
            exe_from_memfd: self.exepath.starts_with(b"/memfd:"),
            ..Process::default()
        };
        fill_from_status(&mut process, &self.status);
        fill_from_stat(&mut process, &self.stat);
        if let Some(image) = &self.image {
            image.fill(&mut process, &self.status);
        }
        if process.pid != tid {
            process.flags = CL_CLONE_THREAD | CL_CLONE_FILES;
        }
        process.comm = field(&self.status, "Name").unwrap_or_default();
        let cut = memchr::memchr(0, &self.cmdline).map_or(self.cmdline.len(), |nul| nul + 1);
        let (exe, args) = self.cmdline.split_at(cut);
        process.exe = exe.strip_suffix(b"\0").unwrap_or(exe);
        process.args = args;
        process.env = &self.environ;
        process.exepath = &self.exepath;
        process.cwd = &self.cwd;
        process.root = &self.root;
        process.cgroups = &self.cgroups;
        Some(process)
    }

    /// `controller=path` for each line of version 1; for version 2, for each controller that
    /// works on the cgroup.
    fn read_cgroups(&mut self, dir: &Path) {
        self.cgroups.clear();
        let file = read::bytes(&dir.join("cgroup"));
        for line in file.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            let mut parts = line.splitn(3, |&b| b == b':');
            let (Some(_), Some(names), Some(path)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if names.is_empty() {
                let controllers = self.controllers_of(path).clone();
                for name in controllers {
                    add_cgroup(&mut self.cgroups, &name, path);
                }
            } else {
                for name in names.split(|&b| b == b',') {
                    add_cgroup(&mut self.cgroups, name, path);
                }
            }
        }
    }

    /// Controllers of a cgroup or, if it has no list of its own, of the next one above that has.
    fn controllers_of(&mut self, path: &[u8]) -> &Vec<Vec<u8>> {
        if let Some(at) = self.controllers.iter().position(|(known, _)| known == path) {
            return &self.controllers[at].1;
        }
        let base = self.host.path("sys/fs/cgroup");
        let mut below = PathBuf::from(std::ffi::OsStr::new(
            std::str::from_utf8(path)
                .unwrap_or("/")
                .trim_start_matches('/'),
        ));
        let list = loop {
            let names = read::bytes(&base.join(&below).join("cgroup.controllers"));
            let list: Vec<Vec<u8>> = words(&names).map(<[u8]>::to_vec).collect();
            if !list.is_empty() || !below.pop() {
                break list;
            }
        };
        // Few cgroups hold most processes; a list that grows beyond that is begun anew.
        if self.controllers.len() >= 256 {
            self.controllers.clear();
        }
        self.controllers.push((path.to_vec(), list));
        &self.controllers.last().expect("just pushed").1
    }
}

fn add_cgroup(out: &mut Vec<u8>, name: &[u8], path: &[u8]) {
    out.extend_from_slice(name);
    out.push(b'=');
    out.extend_from_slice(path);
    out.push(0);
}

fn nanoseconds(seconds: i64, fraction: i64) -> u64 {
    u64::try_from(
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(fraction),
    )
    .unwrap_or(0)
}

/// The soft limit in the line `Max open files  SOFT  HARD  files`.
fn open_file_limit(limits: &[u8]) -> i64 {
    limits
        .split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"Max open files"))
        .and_then(|rest| words(rest).next())
        .and_then(number)
        .unwrap_or(0)
}

fn fill_from_status(process: &mut Process<'_>, status: &[u8]) {
    let nth = |name, n| field(status, name).and_then(|line| words(line).nth(n).map(<[u8]>::to_vec));
    let innermost = |name| {
        field(status, name)
            .and_then(|line| words(line).last().and_then(number))
            .unwrap_or(-1)
    };
    let size = |name| {
        field(status, name)
            .and_then(|line| number(words(line).next()?))
            .unwrap_or(0)
    };
    let caps = |name| field(status, name).and_then(hex).unwrap_or(0);
    process.pid = field(status, "Tgid")
        .and_then(number)
        .unwrap_or(process.tid);
    process.ptid = field(status, "PPid").and_then(number).unwrap_or(0);
    process.uid = nth("Uid", 1)
        .and_then(|text| number(&text))
        .unwrap_or(u32::MAX);
    process.gid = nth("Gid", 1)
        .and_then(|text| number(&text))
        .unwrap_or(u32::MAX);
    process.vtid = innermost("NSpid");
    process.vpid = innermost("NStgid");
    process.vpgid = innermost("NSpgid");
    process.vm_size = size("VmSize");
    process.vm_rss = size("VmRSS");
    process.vm_swap = size("VmSwap");
    process.cap_inheritable = caps("CapInh");
    process.cap_permitted = caps("CapPrm");
    process.cap_effective = caps("CapEff");
}

/// `PID (COMM) STATE PPID PGRP SESSION TTY TPGID FLAGS MINFLT CMINFLT MAJFLT ..`; the name may
/// hold anything, parentheses included.
fn fill_from_stat(process: &mut Process<'_>, stat: &[u8]) {
    let Some(end) = memchr::memrchr(b')', stat) else {
        return;
    };
    let fields: Vec<&[u8]> = words(&stat[end + 1..]).collect();
    let at = |i: usize| fields.get(i).copied().unwrap_or_default();
    process.pgid = number(at(2)).unwrap_or(-1);
    process.sid = number(at(3)).unwrap_or(-1);
    process.tty = number::<i32>(at(4)).unwrap_or(0).cast_unsigned();
    process.pf_minor = number(at(7)).unwrap_or(0);
    process.pf_major = number(at(9)).unwrap_or(0);
    let ticks: u64 = number(at(19)).unwrap_or(0);
    process.started = ticks.saturating_mul(1_000_000_000 / TICKS);
}

/// The file of a program.
struct ImageFile {
    meta: Metadata,
    on_read_only: bool,
}

impl ImageFile {
    fn of(dir: &Path) -> Option<Self> {
        let exe = dir.join("exe");
        Some(Self {
            meta: std::fs::metadata(&exe).ok()?,
            on_read_only: rustix::fs::statvfs(&exe)
                .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY)),
        })
    }

    fn fill(&self, process: &mut Process<'_>, status: &[u8]) {
        const CAP_DAC_OVERRIDE: u64 = 1 << 1;
        let meta = &self.meta;
        process.exe_ino = meta.ino();
        process.exe_ino_ctime = nanoseconds(meta.ctime(), meta.ctime_nsec());
        process.exe_ino_mtime = nanoseconds(meta.mtime(), meta.mtime_nsec());
        let in_groups = || {
            field(status, "Groups")
                .is_some_and(|line| words(line).any(|gid| number(gid) == Some(meta.gid())))
        };
        let mode = meta.mode();
        let allowed = mode & 0o002 != 0
            || (mode & 0o200 != 0 && process.uid == meta.uid())
            || (mode & 0o020 != 0 && (process.gid == meta.gid() || in_groups()))
            || process.cap_effective & CAP_DAC_OVERRIDE != 0;
        process.exe_writable = allowed && !self.on_read_only;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses() {
        let mut process = Process::default();
        fill_from_stat(
            &mut process,
            b"7 (a) b) S 1 70 71 34816 -1 4194304 5 0 6 0 0 0 0 0 20 0 1 0 150 0\n",
        );
        assert_eq!(process.started, 1_500_000_000);
        let p = &process;
        assert_eq!(
            (p.pgid, p.sid, p.tty, p.pf_minor, p.pf_major),
            (70, 71, 34816, 5, 6)
        );
    }

    #[test]
    fn limits() {
        let text = b"Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(open_file_limit(text), 1024);
        assert_eq!(open_file_limit(b""), 0);
    }
}
