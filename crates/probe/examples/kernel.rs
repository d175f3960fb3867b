//! Checks the probe on whatever kernel this is started on, and prints what it costs there.
//!
//! Made for `tests/kernels/run`, which boots kernels in an emulator: needs nothing but the C library,
//! libelf and zlib, and a `/bin/true`. A line for each way of attaching, and a last line `PASS` or
//! `FAIL`. `kernel costs` says what calls cost, watched against unwatched: in an emulator whose clock
//! counts instructions, that is what it prints. `kernel ways` names the ways of attaching that such a kernel
//! has. `kernel hotplug` takes the second CPU away and gives it
//! back, `kernel clock` sets the time of day an hour forth and back: not for machines that are in use.

#![allow(unsafe_code, reason = "raw system calls")]

use std::ffi::CStr;
use std::time::{Duration, Instant};

use probe::{Backend, Choice, Options, Probe, Syscalls, Tracepoints};

#[allow(dead_code, reason = "shared with the tests of events")]
#[path = "../tests/events/elf.rs"]
mod elf;

/// A call that the child makes and the event that must come of it: event, whether it succeeds, a
/// parameter and bytes it must have.
struct Case {
    make: fn(),
    event: &'static str,
    succeeds: bool,
    param: &'static str,
    bytes: &'static [u8],
}

fn path_call(number: libc::c_long, path: &CStr, a: libc::c_long, b: libc::c_long) {
    // SAFETY: a NUL-terminated path and numbers.
    unsafe { libc::syscall(number, path.as_ptr(), a, b) };
}

fn spawn(program: &CStr) {
    // SAFETY: the child only replaces itself or ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let argv = [program.as_ptr(), c"one".as_ptr(), std::ptr::null()];
            libc::execv(program.as_ptr(), argv.as_ptr());
            libc::_exit(3);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

fn connect() {
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 9u16.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: an address of the length that is told.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        libc::connect(fd, (&raw const to).cast(), 16);
        libc::close(fd);
    }
}

fn write_vector() {
    let (one, two) = (*b"ab", *b"cde");
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let vector = [part(&one), part(&two)];
    // SAFETY: two buffers; /dev/null takes all.
    unsafe {
        let fd = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::writev(fd, vector.as_ptr(), 2);
        libc::close(fd);
    }
}

/// A call that a filter answers, so that the kernel's function never runs.
fn refused() {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ, 0, 1, libc::SYS_rmdir as u32),
        step(libc::BPF_RET, 0, 0, libc::SECCOMP_RET_ERRNO | 1),
        step(libc::BPF_RET, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the child filters itself, makes a call, ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            );
            let path = c"/kernel-check-refused";
            // The kernel does not look at the path: nobody else has brought it into memory.
            std::ptr::read_volatile(path.as_ptr());
            libc::rmdir(path.as_ptr());
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

/// What a 32-bit program does: by numbers of its own, and by socketcall(2).
fn narrow() {
    let mut program = elf::Program32::new();
    let path = program.data(b"/kernel-check-32\0");
    let socket = program.data(&[2u32, 2, 99].map(u32::to_le_bytes).concat());
    program.call(10, &[path]);
    program.call(102, &[1, socket]);
    program.call(65, &[]);
    program.call(252, &[0]);
    let file = c"/tmp/kernel-check-program32";
    let name = file.to_str().expect("ASCII");
    if std::fs::write(name, program.file()).is_ok() {
        path_call(libc::SYS_chmod, file, 0o755, 0);
        spawn(file);
    }
}

const CASES: &[Case] = &[
    Case {
        make: || path_call(libc::SYS_mkdir, c"/kernel-check", 0o755, 0),
        event: "mkdir",
        succeeds: true,
        param: "path",
        bytes: b"/kernel-check\0",
    },
    Case {
        make: || path_call(libc::SYS_open, c"/kernel-check/file", 0o101, 0o600),
        event: "open",
        succeeds: true,
        param: "name",
        bytes: b"/kernel-check/file\0",
    },
    Case {
        make: || path_call(libc::SYS_open, c"/kernel-check/none", 0, 0),
        event: "open",
        succeeds: false,
        param: "name",
        bytes: b"/kernel-check/none\0",
    },
    Case {
        make: || path_call(libc::SYS_unlink, c"/kernel-check/file", 0, 0),
        event: "unlink",
        succeeds: true,
        param: "path",
        bytes: b"/kernel-check/file\0",
    },
    Case {
        make: || path_call(libc::SYS_rmdir, c"/kernel-check", 0, 0),
        event: "rmdir",
        succeeds: true,
        param: "path",
        bytes: b"/kernel-check\0",
    },
    Case {
        make: write_vector,
        event: "writev",
        succeeds: true,
        param: "data",
        bytes: b"abcde",
    },
    Case {
        make: connect,
        event: "connect",
        succeeds: true,
        param: "addr",
        bytes: &[2, 127, 0, 0, 1, 9, 0],
    },
    Case {
        // SAFETY: sends no signal.
        make: || unsafe {
            libc::kill(1, 0);
        },
        event: "kill",
        succeeds: true,
        param: "pid",
        bytes: &1u64.to_le_bytes(),
    },
    Case {
        make: || spawn(c"/bin/true"),
        event: "execve",
        succeeds: true,
        param: "filename",
        bytes: b"/bin/true\0",
    },
    Case {
        make: || spawn(c"/bin/none"),
        event: "execve",
        succeeds: false,
        param: "filename",
        bytes: b"/bin/none\0",
    },
    Case {
        make: || spawn(c"/bin/true"),
        event: "procexit",
        succeeds: true,
        param: "status",
        bytes: &0u64.to_le_bytes(),
    },
    Case {
        make: || spawn(c"/bin/none"),
        event: "procexit",
        succeeds: true,
        param: "ret",
        bytes: &3u64.to_le_bytes(),
    },
    Case {
        make: refused,
        event: "rmdir",
        succeeds: false,
        param: "path",
        bytes: b"/kernel-check-refused\0",
    },
    Case {
        make: narrow,
        event: "unlink",
        succeeds: false,
        param: "path",
        bytes: b"/kernel-check-32\0",
    },
    Case {
        make: || (),
        event: "socket",
        succeeds: false,
        param: "proto",
        bytes: &99u32.to_le_bytes(),
    },
    Case {
        make: || (),
        event: "syscall",
        succeeds: true,
        param: "nativeID",
        bytes: &(libc::SYS_getpgrp as u16).to_le_bytes(),
    },
    Case {
        // SAFETY: no arguments, no effect.
        make: || unsafe {
            libc::syscall(libc::SYS_getppid);
        },
        event: "syscall",
        succeeds: true,
        param: "nativeID",
        bytes: &(libc::SYS_getppid as u16).to_le_bytes(),
    },
];

/// Runs `work` in a child process (our own work is left out) and waits for its end.
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child makes system calls and ends without unwinding.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            work();
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

fn options(backend: Backend) -> Options {
    Options {
        syscalls: Syscalls::from_names([
            "mkdir",
            "open",
            "unlink",
            "rmdir",
            "writev",
            "connect",
            "socket",
            "kill",
            "execve",
            "execveat",
            "clone",
            "clone3",
            "fork",
            "vfork",
            "getppid",
            "close",
            "openat",
            "sendmmsg",
            "recvmmsg",
            "recvmsg",
            "sendmsg",
            "prctl",
            "setuid",
            "capset",
            "ptrace",
            "mmap",
            "poll",
            "io_uring_setup",
            "setsockopt",
            "openat2",
            "renameat2",
            "accept4",
            "bind",
            "quotactl",
            "getpgrp",
        ])
        .expect("names of system calls"),
        tracepoints: Tracepoints {
            signal: true,
            switch: false,
            page_fault: false,
        },
        cpus_per_buffer: 0,
        backend,
        ..Options::default()
    }
}

/// The cases whose event did not come.
fn missing(backend: Backend) -> Result<(Vec<String>, Duration), probe::Error> {
    let begun = Instant::now();
    let mut probe = Probe::open(&options(backend))?;
    let opened = begun.elapsed();
    in_child(|| CASES.iter().for_each(|case| (case.make)()));
    let until = probe.now();
    let mut found = vec![false; CASES.len()];
    'all: loop {
        while let Some(event) = probe.next() {
            let record = &event.record;
            if record.ts > until {
                break 'all;
            }
            for (case, found) in CASES.iter().zip(&mut found) {
                let param = record.info.param_index(case.param);
                let same = !record.info.is_enter()
                    || matches!(record.info.name, "procexit" | "signaldeliver");
                let result = record.result().is_none_or(|r| (r >= 0) == case.succeeds);
                *found |= record.info.name == case.event
                    && same
                    && result
                    && param.is_some_and(|i| record.param(i) == case.bytes);
            }
        }
        if !probe.wait(Duration::from_millis(500))? {
            break;
        }
    }
    let mut missing: Vec<String> = CASES
        .iter()
        .zip(&found)
        .filter(|(_, found)| !**found)
        .map(|(case, _)| format!("{} ({})", case.event, case.param))
        .collect();
    let lost = probe.counters().lost().total();
    if lost > 0 {
        missing.push(format!("{lost} lost"));
    }
    Ok((missing, opened))
}

fn turn_getppid() {
    // SAFETY: no arguments, no effect.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

fn turn_open_close() {
    // SAFETY: a valid path; the descriptor just opened.
    unsafe {
        let fd = libc::open(c"/proc/version".as_ptr(), libc::O_RDONLY);
        libc::close(fd);
    }
}

/// Nanoseconds a turn in a child, best of five.
fn time(turn: fn(), turns: u32) -> f64 {
    let mut pipe = [0; 2];
    let mut best = f64::INFINITY;
    // SAFETY: room for two descriptors.
    unsafe { libc::pipe(pipe.as_mut_ptr()) };
    in_child(|| {
        for _ in 0..5 {
            let begun = Instant::now();
            (0..turns).for_each(|_| turn());
            best = best.min(begun.elapsed().as_nanos() as f64 / f64::from(turns));
        }
        // SAFETY: eight bytes of our own.
        unsafe { libc::write(pipe[1], (&raw const best).cast(), 8) };
    });
    // SAFETY: eight bytes of room; descriptors of ours.
    unsafe {
        libc::read(pipe[0], (&raw mut best).cast(), 8);
        libc::close(pipe[0]);
        libc::close(pipe[1]);
    }
    best
}

/// A call nobody asked for, and one that is: unwatched, and watched.
fn costs(backend: Backend) -> Result<[(f64, f64); 2], probe::Error> {
    let turns = || (time(turn_getppid, 20_000), time(turn_open_close, 3_000));
    let off = turns();
    let _probe = Probe::open(&Options {
        syscalls: Syscalls::from_names(["openat", "close"]).expect("names of system calls"),
        enter_events: false,
        io_uring: false,
        ..options(backend)
    })?;
    Ok([off, turns()])
}

fn print_costs() {
    // What has just started is still busy with itself, and with letting go of what was attached before.
    for _ in 0..5 {
        time(turn_open_close, 3_000);
        time(turn_getppid, 20_000);
    }
    for backend in ways() {
        match costs(backend) {
            Ok([(other, asked), (other_on, asked_on)]) => println!(
                "COSTS {}: getppid {other:.0} -> {other_on:.0} ({:+.1} %), open and close {asked:.0} -> \
                 {asked_on:.0} ({:+.0} %)",
                backend.name(),
                (other_on / other - 1.0) * 100.0,
                (asked_on / asked - 1.0) * 100.0
            ),
            Err(error) => println!("COSTS {}: {error}", backend.name()),
        }
    }
}

const BACKENDS: [Backend; 3] = [Backend::Dispatch, Backend::Tracepoint, Backend::Fexit];

/// Takes the second CPU away, or gives it back.
fn switch(to: &str) -> Result<(), String> {
    const SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";
    std::fs::write(SWITCH, to).map_err(|e| format!("{SWITCH}: {e}"))
}

/// A CPU that comes while events are read has a place for them from its first one on.
fn hotplug(backend: Backend) -> Result<String, String> {
    switch("0")?;
    let opened = Probe::open(&options(backend));
    switch("1")?;
    let mut probe = opened.map_err(|e| e.to_string())?;
    in_child(|| {
        // SAFETY: a set of CPUs with one in it; a call without arguments.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(1, &mut set);
            assert_eq!(
                libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
                0
            );
            (0..1000).for_each(|_| {
                libc::syscall(libc::SYS_getppid);
            });
        }
    });
    let until = probe.now();
    let mut seen = 0;
    'all: loop {
        while let Some(event) = probe.next() {
            if event.record.ts > until {
                break 'all;
            }
            seen += u32::from(event.record.cpu == 1 && event.record.info.name == "syscall");
        }
        if !probe
            .wait(Duration::from_millis(500))
            .map_err(|e| e.to_string())?
        {
            break;
        }
    }
    // Away again, while watched: nothing of it may hang or fail.
    switch("0")?;
    let intact = probe.intact();
    switch("1")?;
    intact.map_err(|e| format!("CPU gone: {e}"))?;
    let lost = probe.counters().lost().total();
    match seen {
        1000 if lost == 0 => Ok(format!("{seen} events of a CPU that came later")),
        _ => Err(format!(
            "{seen} of 1000 events of a CPU that came later, {lost} lost"
        )),
    }
}

/// A clock's nanoseconds.
fn nanoseconds(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place for the answer.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn set_time_of_day(nanoseconds: i64) -> Result<(), String> {
    let time = libc::timespec {
        tv_sec: nanoseconds / 1_000_000_000,
        tv_nsec: nanoseconds % 1_000_000_000,
    };
    // SAFETY: a valid time.
    match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

/// The time of day is set forth and back between events: they keep their order and their distances, for
/// theirs is the clock that was right at the start.
fn clock_steps() -> Result<String, String> {
    const HOUR: i64 = 3_600_000_000_000;
    const STEPS: usize = 30;
    // How far the start's offset and ours may be apart.
    const SLACK: i64 = 1_000_000_000;
    let mut probe = Probe::open(&options(Backend::Dispatch)).map_err(|e| e.to_string())?;
    let boot = || nanoseconds(libc::CLOCK_BOOTTIME);
    let offset = nanoseconds(libc::CLOCK_REALTIME) - boot();
    let mut spans = Vec::new();
    for step in 0..STEPS {
        set_time_of_day(offset + boot() + [HOUR, -HOUR, 0][step % 3])?;
        let path = std::ffi::CString::new(format!("/kernel-check-step-{step}")).expect("no NUL");
        let before = boot() + offset;
        in_child(|| path_call(libc::SYS_open, &path, 0, 0));
        spans.push((path, before, boot() + offset));
    }
    set_time_of_day(offset + boot())?;
    let until = probe.now();
    let (mut last, mut late) = (0, 0);
    let mut times: Vec<Option<i64>> = vec![None; STEPS];
    'all: loop {
        while let Some(event) = probe.next() {
            let record = &event.record;
            if record.ts > until {
                break 'all;
            }
            if record.info.name == "open" && !record.info.is_enter() {
                let name = record.info.param_index("name").map(|at| record.param(at));
                let step = spans
                    .iter()
                    .position(|(path, ..)| Some(path.as_bytes_with_nul()) == name);
                if let Some(step) = step {
                    late += u32::from(record.ts < last);
                    last = record.ts;
                    times[step] = i64::try_from(record.ts).ok();
                }
            }
        }
        let more = probe.wait(Duration::from_millis(500));
        if !more.map_err(|e| e.to_string())? {
            break;
        }
    }
    for ((path, before, after), time) in spans.iter().zip(times) {
        let time = time.ok_or_else(|| format!("no event of {path:?}"))?;
        if !(before - SLACK..after + SLACK).contains(&time) {
            return Err(format!("{path:?} at {time}, not from {before} to {after}"));
        }
    }
    match late {
        0 => Ok(format!(
            "{STEPS} steps, by an hour, and all events in order"
        )),
        _ => Err(format!("{late} of {STEPS} events out of order")),
    }
}

/// Locked-down kernels refuse the one, old ones both.
fn may_be_missing(backend: Backend, support: &probe::Support) -> bool {
    match backend {
        // Debian's kernels offer it wherever the programs can run at all.
        Backend::Fexit => !support.loops || std::env::var_os("PEREGRINE_LOCKED_DOWN").is_some(),
        Backend::Tracepoint => !support.loops,
        Backend::Auto | Backend::Dispatch => false,
    }
}

/// Those that this kernel should have.
fn ways() -> impl Iterator<Item = Backend> {
    let support = probe::support();
    BACKENDS
        .into_iter()
        .filter(move |way| !may_be_missing(*way, &support))
}

/// Which programs the kernel refuses, and why.
fn explain(backend: Backend) {
    match probe::refused_programs(backend) {
        Ok(refused) => {
            for (name, log) in refused {
                let lines: Vec<&str> = log.lines().collect();
                let tail = &lines[lines.len().saturating_sub(12)..];
                println!("-- {name}:\n{}", tail.join("\n"));
            }
        }
        Err(error) => println!("-- {error}"),
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("costs") => return print_costs(),
        Some("ways") => return ways().for_each(|way| println!("{}", way.name())),
        Some("clock") => {
            return match clock_steps() {
                Ok(text) => println!("CLOCK {text}"),
                Err(text) => println!("CLOCK FAILED: {text}"),
            };
        }
        Some("hotplug") => {
            for backend in ways() {
                match hotplug(backend) {
                    Ok(text) => println!("HOTPLUG {}: {text}", backend.name()),
                    Err(text) => println!("HOTPLUG {} FAILED: {text}", backend.name()),
                }
            }
            return;
        }
        _ => {}
    }
    let support = probe::support();
    println!("{support:?}");
    let mut works = 0;
    let mut faults = 0;
    for backend in BACKENDS {
        match missing(backend) {
            Ok((missing, opened)) if missing.is_empty() => {
                works += 1;
                println!(
                    "{backend:?}: all {} events, opened in {opened:.0?}",
                    CASES.len()
                );
            }
            Ok((missing, _)) => {
                faults += 1;
                println!("{backend:?}: missing {}", missing.join(", "));
            }
            Err(error) if may_be_missing(backend, &support) => {
                println!("{backend:?}: not here: {error}");
            }
            Err(error) => {
                faults += 1;
                println!("{backend:?}: {error}");
                explain(backend);
            }
        }
    }
    let choice = Choice::of(&Options::default());
    println!("chosen: {} ({})", choice.backend.name(), choice.reason);
    let begun = Instant::now();
    match Probe::open(&Options::default()) {
        Ok(probe) => {
            let uring = probe
                .attached()
                .iter()
                .any(|a| a.program == "t_uring_submit");
            let said = if uring { "told" } else { "not told" };
            println!(
                "all of it: {} attached by {:?} in {:.0?}, io_uring {said}",
                probe.attached().len(),
                probe.backend(),
                begun.elapsed()
            );
            if let Err(damage) = probe.intact() {
                faults += 1;
                println!("not intact: {damage}");
            }
        }
        Err(error) => {
            faults += 1;
            println!("all of it: {error}");
        }
    }
    println!(
        "{}",
        if faults == 0 && works > 0 {
            "PASS"
        } else {
            "FAIL"
        }
    );
    if faults > 0 {
        std::process::exit(1);
    }
}
