//! The probe on the running kernel. Needs root and BTF; says what it left out otherwise, and fails
//! instead under PEREGRINE_REQUIRE_LIVE=1.

#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that makes raw system calls"
)]

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use probe::{
    Backend, BufferSize, Class, Damage, Filters, Options, Probe, SelfFilter, Syscalls, Tracepoints,
    Unread,
};

/// One probe at a time: they would count each other's work.
static ONE: Mutex<()> = Mutex::new(());

fn live() -> Option<std::sync::MutexGuard<'static, ()>> {
    // Before anything else: asking what is supported opens descriptors, which a test counts.
    let one = ONE
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
    Some(one)
}

fn options(names: &[&str]) -> Options {
    Options {
        syscalls: Syscalls::from_names(names.iter().copied()).unwrap(),
        tracepoints: Tracepoints {
            signal: false,
            switch: false,
            page_fault: false,
        },
        own_events: SelfFilter::Off,
        ..Options::default()
    }
}

/// Reads all that happened up to now; calls `see` on every event. Others on the machine go on.
fn drain(probe: &mut Probe, mut see: impl FnMut(&probe::Event<'_>)) {
    let until = probe.now();
    loop {
        while let Some(event) = probe.next() {
            if event.record.ts > until {
                return;
            }
            see(&event);
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            return;
        }
    }
}

fn getppid(times: u64) {
    for _ in 0..times {
        // SAFETY: no arguments, no effect.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
}

fn own_tid() -> i64 {
    // SAFETY: no arguments, no effect.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

#[test]
fn wanted_calls_come_and_others_do_not() {
    let Some(_one) = live() else { return };
    let mut probe = Probe::open(&options(&["getppid"])).unwrap();
    let me = own_tid();
    getppid(3);
    std::fs::metadata("/").unwrap();
    let mut seen = Vec::new();
    drain(&mut probe, |event| {
        if event.record.tid == me {
            seen.push((event.record.info.name, event.record.u16(1)));
        }
    });
    assert_eq!(seen, [("syscall", Some(libc::SYS_getppid as u16)); 3]);
    let names: Vec<_> = probe.attached().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(
        names,
        ["sched_process_exec", "sched_process_exit", "getppid"]
    );
    probe.set_syscalls(&Syscalls::none(), &Filters::default());
    getppid(3);
    drain(&mut probe, |event| assert_ne!(event.record.tid, me));
}

#[test]
fn per_call_tracepoints_tell_the_same() {
    let Some(_one) = live() else { return };
    let me = own_tid();
    let mut told = Vec::new();
    for backend in [Backend::Dispatch, Backend::Tracepoint] {
        let mut options = options(&["openat", "close", "getppid", "stat", "lseek"]);
        options.backend = backend;
        let mut probe = Probe::open(&options).unwrap();
        assert_eq!(probe.backend(), backend);
        let file = std::fs::File::open("/proc/self/status").unwrap();
        getppid(2);
        drop(file);
        let mut seen = Vec::new();
        drain(&mut probe, |event| {
            if event.record.tid == me {
                let record = &event.record;
                let params: Vec<_> = (0..record.len())
                    .filter(|&i| !matches!(record.info.params[i].name, "ino" | "fd"))
                    .map(|i| record.param(i).to_vec())
                    .collect();
                // What the loader itself did before the last program was attached is not it.
                if record.text(2) == b"/proc/self/status" {
                    seen.clear();
                }
                seen.push((record.code.number(), params));
            }
        });
        assert!(seen.len() >= 4, "{seen:?}");
        told.push(seen);
    }
    assert_eq!(told[0], told[1]);
}

#[test]
fn failed_calls_can_be_left_out() {
    let Some(_one) = live() else { return };
    let me = own_tid();
    for drop_failed in [false, true] {
        let mut probe = Probe::open(&Options {
            drop_failed,
            ..options(&["close", "rmdir"])
        })
        .unwrap();
        // SAFETY: descriptor 999 is none of ours.
        unsafe { libc::close(999) };
        let mut failed = 0;
        drain(&mut probe, |event| {
            let record = &event.record;
            failed += u32::from(record.tid == me && record.result() == Some(-9));
        });
        assert_eq!(failed, u32::from(!drop_failed));
    }
}

/// What failed is left out when it returns; that it was tried is told all the same, for nobody could
/// know better.
#[test]
fn tries_are_told_where_failures_are_left_out() {
    let Some(_one) = live() else { return };
    let me = own_tid();
    let mut probe = Probe::open(&Options {
        drop_failed: true,
        ..options(&["open", "connect"])
    })
    .unwrap();
    // SAFETY: a path that ends; no descriptor.
    unsafe {
        libc::syscall(libc::SYS_open, c"/no/such/file".as_ptr(), 0);
        libc::connect(-1, std::ptr::null(), 0);
    }
    let mut seen = Vec::new();
    drain(&mut probe, |event| {
        if event.record.tid == me {
            seen.push(event.record.code.number());
        }
    });
    assert_eq!(
        seen,
        [event::codes::SYSCALL_OPEN_E, event::codes::SOCKET_CONNECT_E]
    );
}

/// The snap length holds whatever is said over whatever port: nothing is kept longer on its own account.
#[test]
fn snap_lengths_hold() {
    let Some(_one) = live() else { return };
    let me = own_tid();
    let request = [b"GET / HTTP/1.1\r\n".as_slice(), &[b'x'; 3000]].concat();
    for snaplen in [0, 16, 80, 2000] {
        let mut probe = Probe::open(&Options {
            snaplen,
            ..options(&["sendto", "write", "writev"])
        })
        .unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for port in [53, 8125, 3306] {
            // Nobody listens: that is told by the next call, if at all.
            let _ = socket.send_to(&request, ("127.0.0.1", port));
        }
        let null = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .unwrap();
        std::io::Write::write_all(&mut &null, &request).unwrap();
        let half = request.len() / 2;
        let pieces = [
            std::io::IoSlice::new(&request[..half]),
            std::io::IoSlice::new(&request[half..]),
        ];
        std::io::Write::write_vectored(&mut &null, &pieces).unwrap();
        let mut seen = 0;
        drain(&mut probe, |event| {
            let record = &event.record;
            let data = record.info.param_index("data").map(|i| record.param(i));
            if record.tid == me && record.result().is_some_and(|r| r > 1000) {
                assert_eq!(
                    data,
                    Some(&request[..snaplen as usize]),
                    "{} {snaplen}",
                    record.info.name
                );
                seen += 1;
            }
        });
        assert!(seen >= 3, "{seen}");
    }
}

#[test]
fn unread_outcomes_are_left_out_and_counted() {
    let Some(_one) = live() else { return };
    let me = own_tid();
    let calls = Syscalls::from_names(["unlink", "openat"]).unwrap();
    for backend in [Backend::Dispatch, Backend::Tracepoint] {
        for (successes, failures) in [
            (Syscalls::none(), calls),
            (calls, Syscalls::none()),
            (calls, calls),
        ] {
            let mut probe = Probe::open(&Options {
                filters: Filters::new(Unread::new(&successes, &failures)),
                backend,
                ..options(&["unlink", "openat"])
            })
            .unwrap();
            let dir = tempfile::tempdir().unwrap();
            let there = dir.path().join("file");
            std::fs::write(&there, "").unwrap();
            std::fs::remove_file(&there).unwrap();
            std::fs::remove_file(&there).unwrap_err();
            std::fs::File::open(&there).unwrap_err();
            let mut seen = Vec::new();
            drain(&mut probe, |event| {
                let record = &event.record;
                let path = there.as_os_str().as_encoded_bytes();
                let ours = (1..3).any(|i| record.text(i) == path);
                if record.tid == me && ours {
                    seen.push((record.info.name, record.result().is_some_and(|r| r >= 0)));
                }
            });
            // Making the file is what the descriptors are known by: it stays.
            let mut wanted = vec![("openat", true)];
            if successes == Syscalls::none() {
                wanted.push(("unlink", true));
            }
            if failures == Syscalls::none() {
                wanted.extend([("unlink", false), ("openat", false)]);
            }
            assert_eq!(seen, wanted, "{backend:?}");
            let [succeeded, failed] = probe.left_out();
            assert!(succeeded >= u64::from(successes != Syscalls::none()));
            assert!(failed >= 2 * u64::from(failures != Syscalls::none()));
        }
    }
}

#[test]
fn own_work_can_be_left_out() {
    let Some(_one) = live() else { return };
    let mut options = options(&["getppid"]);
    for (filter, here, elsewhere) in [
        (SelfFilter::Off, 5, 5),
        (SelfFilter::Thread, 0, 5),
        (SelfFilter::Process, 0, 0),
        (SelfFilter::Others, 5, 5),
    ] {
        options.own_events = filter;
        let mut probe = Probe::open(&options).unwrap();
        let me = own_tid();
        getppid(5);
        let other = std::thread::spawn(|| {
            getppid(5);
            own_tid()
        });
        let other = other.join().unwrap();
        let mut seen = (0, 0);
        drain(&mut probe, |event| {
            if event.record.code.number() == event::codes::GENERIC_X {
                seen.0 += i32::from(event.record.tid == me);
                seen.1 += i32::from(event.record.tid == other);
            }
        });
        assert_eq!(seen, (here, elsewhere), "{filter:?}");
    }
}

#[test]
fn what_was_lost_and_received_is_what_happened() {
    let Some(_one) = live() else { return };
    let mut options = options(&["getppid", "clone", "clone3", "fork", "vfork", "execve"]);
    options.buffer = BufferSize::preset(1).unwrap();
    // Shells ask for their parent at their start, and some may run beside this.
    options.own_events = SelfFilter::Others;
    let mut probe = Probe::open(&options).unwrap();
    // Nobody reads: a buffer of 1 MiB takes some 16,000 of these.
    let calls = 100_000;
    getppid(calls);
    let children = 50;
    for _ in 0..children {
        assert!(
            Command::new("/bin/true")
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
    }
    drain(&mut probe, |_| ());
    let counters = probe.counters();
    let lost = counters.lost();
    assert!(lost.of(Class::Other) > calls / 2, "{lost:?}");
    let mine = counters.received_of(Class::Other) + lost.of(Class::Other);
    assert_eq!(mine, calls);
    assert_eq!(
        lost.total(),
        lost.of(Class::Other),
        "the lane of vital events lost some: {lost:?}"
    );
    assert!(counters.received_of(Class::ExecveExit) >= children);
    assert!(counters.received_of(Class::ProcExit) >= children);
    assert_eq!(lost.large + lost.no_buffer, 0);
}

#[test]
fn order_holds_across_cpus_and_lanes() {
    let Some(_one) = live() else { return };
    let mut options = options(&["getppid", "setpgid", "openat", "close"]);
    options.cpus_per_buffer = 1;
    options.buffer = BufferSize::preset(7).unwrap();
    let mut probe = Probe::open(&options).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    getppid(20);
                    // SAFETY: fails without effect; its events take the other lane.
                    unsafe { libc::setpgid(-1, -1) };
                    drop(std::fs::File::open("/dev/null"));
                }
            });
        }
        let (mut last, mut events, mut late) = (0, 0u64, 0u64);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(700) {
            while let Some(event) = probe.next() {
                events += 1;
                late += u64::from(event.record.ts < last);
                last = last.max(event.record.ts);
                if events % 4096 == 0 && begun.elapsed() > Duration::from_millis(700) {
                    break;
                }
            }
            probe.wait(Duration::from_millis(10)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        println!(
            "{events} events, {late} late, {:?}",
            probe.counters().lost().total()
        );
        assert!(events > 10_000);
        // A virtual CPU may stop in the middle of a program for longer than the reader waits.
        assert!(
            late * 10_000 <= events,
            "{late} of {events} events came late"
        );
    });
}

#[test]
fn events_arrive_soon_on_a_quiet_machine() {
    let Some(_one) = live() else { return };
    let mut probe = Probe::open(&options(&["getppid"])).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let tid = own_tid();
            while !stop.load(Ordering::Relaxed) {
                getppid(1);
                std::thread::sleep(Duration::from_millis(3));
            }
            tid
        });
        let mut delays = Vec::new();
        while delays.len() < 300 {
            probe.wait(Duration::from_secs(1)).unwrap();
            let now = probe.now();
            while let Some(event) = probe.next() {
                if event.record.code.number() == event::codes::GENERIC_X {
                    delays.push(now.saturating_sub(event.record.ts) / 1000);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        caller.join().unwrap();
        delays.sort_unstable();
        let (p50, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
        println!("call to user space: p50 {p50} µs, p99 {p99} µs");
        assert!(p50 < 1000, "{p50} µs");
    });
}

#[test]
fn a_probe_that_is_taken_apart_knows_it() {
    let Some(_one) = live() else { return };
    for backend in [Backend::Dispatch, Backend::Tracepoint] {
        let mut options = options(&["getppid", "close"]);
        options.own_events = SelfFilter::Process;
        options.backend = backend;
        let mut probe = Probe::open(&options).unwrap();
        assert_eq!(probe.intact(), Ok(()), "{backend:?}");
        // Asked for nothing, it has nothing to see, and that is no fault.
        probe.set_syscalls(&Syscalls::none(), &options.filters);
        assert_eq!(probe.intact(), Ok(()), "{backend:?}");
        probe.set_syscalls(&options.syscalls, &options.filters);
        let link = |entry: &std::fs::DirEntry| {
            std::fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("anon_inode:bpf_link"))
        };
        let fds: Vec<std::fs::DirEntry> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .map_while(Result::ok)
            .filter(link)
            .collect();
        let fd: i32 = fds[0].file_name().to_str().unwrap().parse().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: both are open; what the first was is what the test is about.
        unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), fd) };
        assert_eq!(
            probe.intact(),
            Err(Damage::Detached { links: 1 }),
            "{backend:?}"
        );
    }
}

#[test]
fn nothing_stays_when_the_probe_goes() {
    let Some(_one) = live() else { return };
    let programs = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = programs();
    for _ in 0..3 {
        let probe = Probe::open(&options(&["getppid", "openat"])).unwrap();
        assert!(programs() > before);
        drop(probe);
        assert_eq!(programs(), before, "descriptors leak");
    }
}
