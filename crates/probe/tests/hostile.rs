//! What a program does to be overlooked or misread: names and arguments as long and as broken as the
//! kernel takes them, floods, numbers used again. To the last byte, on the running kernel.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that makes raw system calls"
)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use event::codes;
use probe::{BufferSize, Class, Options, Probe, SelfFilter, Syscalls, Tracepoints};

static ONE: Mutex<()> = Mutex::new(());

/// An event, out of the buffer.
#[derive(Debug)]
struct Kept {
    tid: i64,
    info: &'static event::EventInfo,
    params: Vec<Vec<u8>>,
}

impl Kept {
    fn bytes(&self, name: &str) -> &[u8] {
        &self.params[self.info.param_index(name).unwrap()]
    }

    fn number(&self, name: &str) -> i64 {
        let mut wide = [0; 8];
        let bytes = self.bytes(name);
        wide[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    }
}

/// Runs `work` while watching these calls, and hands it the probe; gives what was seen.
fn watch(calls: &[&str], preset: u8, work: impl FnOnce()) -> Option<(Vec<Kept>, probe::Counters)> {
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return None;
    }
    let mut probe = Probe::open(&Options {
        syscalls: Syscalls::from_names(calls.iter().copied()).unwrap(),
        tracepoints: Tracepoints {
            signal: false,
            switch: false,
            page_fault: false,
        },
        enter_events: false,
        buffer: BufferSize::preset(preset).unwrap(),
        own_events: SelfFilter::Off,
        ..Options::default()
    })
    .unwrap();
    work();
    let until = probe.now();
    let mut seen = Vec::new();
    'all: loop {
        while let Some(event) = probe.next() {
            let record = &event.record;
            if record.ts > until {
                break 'all;
            }
            seen.push(Kept {
                tid: record.tid,
                info: record.info,
                params: (0..record.len())
                    .map(|i| record.param(i).to_vec())
                    .collect(),
            });
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            break;
        }
    }
    let counters = probe.counters();
    Some((seen, counters))
}

fn own_tid() -> i64 {
    // SAFETY: no arguments, no effect.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

#[test]
fn names_are_told_as_they_are() {
    let me = own_tid();
    let broken = CString::new(b"/\xff\xfe\xc3(\n\x1b[31m\x80".to_vec()).unwrap();
    let longest = CString::new([b"/".as_slice(), &b"d/".repeat(2046), b"ef"].concat()).unwrap();
    let too_long = CString::new(b"/x".repeat(2500)).unwrap();
    assert_eq!(longest.as_bytes_with_nul().len(), 4096);
    let Some((seen, _)) = watch(&["openat", "unlink", "rename"], 4, || {
        for name in [&broken, &longest, &too_long] {
            // SAFETY: strings that end; nothing has such a name.
            unsafe {
                assert!(libc::unlink(name.as_ptr()) < 0);
                assert!(libc::rename(name.as_ptr(), name.as_ptr()) < 0);
            }
        }
    }) else {
        return;
    };
    let ours = |name: &str| -> Vec<&Kept> {
        seen.iter()
            .filter(|e| e.tid == me && e.info.name == name)
            .collect()
    };
    let (unlinks, renames) = (ours("unlink"), ours("rename"));
    assert_eq!((unlinks.len(), renames.len()), (3, 3));
    for (event, name) in unlinks.iter().zip([&broken, &longest]) {
        assert_eq!(event.bytes("path"), name.as_bytes_with_nul());
    }
    // The kernel refuses it; what it would have read of it is told, and ends.
    let cut = [&too_long.as_bytes()[..4095], b"\0"].concat();
    assert_eq!(unlinks[2].number("res"), -i64::from(libc::ENAMETOOLONG));
    assert_eq!(unlinks[2].bytes("path"), cut);
    for (event, name) in renames.iter().zip([&broken, &longest]) {
        assert_eq!(event.bytes("oldpath"), name.as_bytes_with_nul());
        assert_eq!(event.bytes("newpath"), name.as_bytes_with_nul());
    }
}

#[test]
fn long_arguments_and_environments_are_cut() {
    let argument = "a".repeat(131_071);
    let value = "v".repeat(131_000);
    let mut child = 0;
    let Some((seen, counters)) = watch(&["execve", "clone", "clone3", "fork", "vfork"], 4, || {
        let mut run = Command::new("/bin/true")
            .arg(&argument)
            .env_clear()
            .env("LONG", &value)
            .spawn()
            .unwrap();
        child = i64::from(run.id());
        assert!(run.wait().unwrap().success());
    }) else {
        return;
    };
    assert_eq!(counters.lost().total(), 0);
    let exec = |e: &&Kept| e.tid == child && e.info.name == "execve" && e.number("res") == 0;
    let exec = seen.iter().find(exec).unwrap();
    assert_eq!(exec.bytes("exe"), b"/bin/true\0");
    let cut = |text: &str, room: usize| [&text.as_bytes()[..room - 1], b"\0"].concat();
    assert_eq!(exec.bytes("args"), cut(&argument, 4096 - 10));
    assert_eq!(exec.bytes("env"), cut(&format!("LONG={value}"), 4096));
    assert_eq!(exec.bytes("filename"), b"/bin/true\0");
}

#[test]
fn deep_control_groups_keep_their_end() {
    let root = std::path::Path::new("/sys/fs/cgroup");
    if !root.join("cgroup.procs").exists() {
        eprintln!("left out: no unified control groups here");
        return;
    }
    let top = root.join(format!("peregrine-deep-{}", std::process::id()));
    let deep = (1..=9).fold(top.clone(), |path, i| path.join(format!("level{i}")));
    std::fs::create_dir_all(&deep).unwrap();
    let mut child = 0;
    let seen = watch(&["execve", "clone", "clone3", "fork", "vfork"], 4, || {
        let procs = deep.join("cgroup.procs");
        let mut command = Command::new("/bin/true");
        // SAFETY: writes a file; the text is made before.
        unsafe {
            command.pre_exec(move || std::fs::write(&procs, "0"));
        }
        let mut run = command.spawn().unwrap();
        child = i64::from(run.id());
        assert!(run.wait().unwrap().success());
    });
    for path in deep.ancestors().take(10) {
        std::fs::remove_dir(path).unwrap();
    }
    let Some((seen, _)) = seen else { return };
    let exec = |e: &&Kept| e.tid == child && e.info.name == "execve" && e.number("res") == 0;
    let exec = seen.iter().find(exec).unwrap();
    let wanted = b"/level4/level5/level6/level7/level8/level9";
    let groups = exec.bytes("cgroups").split(|b| *b == 0);
    let mut compared = 0;
    for group in groups.filter(|group| !group.is_empty()) {
        let path = group.splitn(2, |b| *b == b'=').nth(1).unwrap();
        assert_eq!(path, wanted, "{:?}", String::from_utf8_lossy(group));
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn a_number_that_is_used_again_is_two_lives() {
    // In a namespace of its own, where the next number can be chosen.
    let script = "echo 1000 > /proc/sys/kernel/ns_last_pid; /bin/true first; \
                  echo 1000 > /proc/sys/kernel/ns_last_pid; /bin/true second; exit 0";
    let Some((seen, _)) = watch(&["execve", "clone", "clone3", "fork", "vfork"], 4, || {
        let status = Command::new("/usr/bin/unshare")
            .args(["--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script])
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }) else {
        return;
    };
    let argument = |e: &Kept| -> Option<&'static str> {
        let args = (e.info.name == "execve" && e.number("res") == 0).then(|| e.bytes("args"))?;
        ["first", "second"]
            .into_iter()
            .find(|name| args == [name.as_bytes(), b"\0"].concat())
    };
    let runs: Vec<i64> = seen
        .iter()
        .filter(|e| argument(e).is_some())
        .map(|e| e.tid)
        .collect();
    assert_eq!(runs.len(), 2, "{runs:?}");
    // The number inside is the same; the one outside, by which events are told apart, is not; each is
    // born, named and ended once.
    let mut inside = Vec::new();
    for tid in &runs {
        let of = |code: u16| {
            let code = event::EVENTS[usize::from(code)].id;
            seen.iter()
                .filter(move |e| e.tid == *tid && e.info.id == code)
        };
        let births: Vec<&Kept> = [
            codes::SYSCALL_CLONE_20_X,
            codes::SYSCALL_FORK_20_X,
            codes::SYSCALL_VFORK_20_X,
        ]
        .into_iter()
        .flat_map(of)
        .filter(|e| e.number("res") == 0)
        .collect();
        assert_eq!(births.len(), 1, "{tid}");
        inside.push(births[0].number("vtid"));
        assert_eq!(of(codes::PROCEXIT_1_E).count(), 1, "{tid}");
    }
    assert_eq!(inside, [1001, 1001]);
}

#[test]
fn a_child_that_borrows_memory_has_that_much() {
    let mut child = 0;
    let room = vec![1u8; 64 << 20];
    let Some((seen, _)) = watch(&["vfork", "clone", "clone3"], 4, || {
        extern "C" fn ends(_: *mut libc::c_void) -> libc::c_int {
            0
        }
        let mut stack = vec![0u128; 4096];
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the child has a stack of its own, which is there until it has ended.
        child = i64::from(unsafe {
            let top = stack.as_mut_ptr_range().end.cast();
            libc::clone(ends, top, flags, std::ptr::null_mut())
        });
        assert!(child > 0);
        let mut status = 0;
        // SAFETY: room for the status.
        unsafe { libc::waitpid(child as i32, &raw mut status, 0) };
    }) else {
        return;
    };
    assert_eq!(room.iter().map(|b| u64::from(*b)).sum::<u64>(), 64 << 20);
    let of = |tid: i64, result: i64| {
        let born = |e: &&Kept| e.tid == tid && e.info.name == "clone" && e.number("res") == result;
        seen.iter().find(born).unwrap()
    };
    let (parent, child) = (of(own_tid(), child), of(child, 0));
    let rss = |event: &Kept| event.number("vm_rss");
    assert_eq!(child.number("vm_size"), parent.number("vm_size"));
    assert!(rss(child) > 64 << 10, "{} kB", rss(child));
    let apart = rss(child).abs_diff(rss(parent));
    assert!(apart < 4096, "{} and {} kB", rss(child), rss(parent));
}

/// One process makes as many calls of the lane of credentials as it can, and nobody reads meanwhile.
#[test]
fn a_flood_of_credentials_hides_nobody_elses() {
    const CALLS: u64 = 60_000;
    let calls = [
        "setpgid", "setsid", "setuid", "unshare", "execve", "clone", "clone3",
    ];
    let mut quiet = 0;
    let Some((seen, counters)) = watch(&calls, 1, || {
        for _ in 0..CALLS {
            // SAFETY: fails, for there is no such process.
            unsafe { libc::setpgid(0x3fff_fff0, 1) };
        }
        let mut command = Command::new("/bin/true");
        // SAFETY: calls of the child about itself.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::setuid(0);
                Ok(())
            });
        }
        let mut run = command.spawn().unwrap();
        quiet = i64::from(run.id());
        assert!(run.wait().unwrap().success());
    }) else {
        return;
    };
    let lost = counters.lost();
    assert!(lost.of(Class::OtherInterestExit) > 0, "no flood: {lost:?}");
    let floods = |e: &&Kept| e.tid == own_tid() && e.info.name == "setpgid";
    let received = seen.iter().filter(floods).count() as u64;
    assert_eq!(
        received + lost.of(Class::OtherInterestExit),
        CALLS,
        "{lost:?}"
    );
    let of_quiet: Vec<&str> = seen
        .iter()
        .filter(|e| e.tid == quiet)
        .map(|e| e.info.name)
        .collect();
    for name in ["setsid", "setuid", "execve", "procexit"] {
        assert!(of_quiet.contains(&name), "{name} of {of_quiet:?}");
    }
    for class in [Class::CloneForkExit, Class::ExecveExit, Class::ProcExit] {
        assert_eq!(lost.of(class), 0, "{class:?}: {lost:?}");
    }
}

#[test]
fn paths_of_any_bytes_reach_the_environment() {
    let broken = std::ffi::OsStr::from_bytes(b"\xff\xfe=\n");
    let mut child = 0;
    let Some((seen, _)) = watch(&["execve"], 4, || {
        let mut run = Command::new("/bin/true")
            .arg(broken)
            .env_clear()
            .env("A", broken)
            .spawn()
            .unwrap();
        child = i64::from(run.id());
        run.wait().unwrap();
    }) else {
        return;
    };
    let exec = |e: &&Kept| e.tid == child && e.info.name == "execve" && e.number("res") == 0;
    let exec = seen.iter().find(exec).unwrap();
    assert_eq!(exec.bytes("args"), b"\xff\xfe=\n\0");
    assert_eq!(exec.bytes("env"), b"A=\xff\xfe=\n\0");
}
