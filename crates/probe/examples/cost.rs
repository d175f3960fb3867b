//! What watching costs: the same loops with and without the probe, and the reader's own time.
//!
//! `cargo run --release -p peregrine-probe --example cost`

#![allow(unsafe_code, reason = "raw system calls and clocks")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use probe::{Backend, BufferSize, Options, Probe, Syscalls, Tracepoints};

fn getppid() {
    // SAFETY: no arguments, no effect.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

fn open_read_close() {
    let mut byte = 0u8;
    // SAFETY: a valid path, one byte of room, a descriptor just opened.
    unsafe {
        let fd = libc::open(c"/etc/hostname".as_ptr(), libc::O_RDONLY);
        libc::read(fd, (&raw mut byte).cast(), 1);
        libc::close(fd);
    }
}

/// Best of five, in nanoseconds a turn.
fn time(turn: fn(), turns: u32) -> f64 {
    (0..5)
        .map(|_| {
            let begun = Instant::now();
            (0..turns).for_each(|_| turn());
            begun.elapsed().as_nanos() as f64 / f64::from(turns)
        })
        .fold(f64::INFINITY, f64::min)
}

fn thread_cpu() -> Duration {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// Runs `turn` in another process (ours is left out) while a thread reads.
fn watched(options: &Options, turn: fn(), turns: u32) -> Result<f64, probe::Error> {
    let begun = Instant::now();
    let mut probe = Probe::open(options)?;
    let opened = begun.elapsed();
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    unsafe { libc::pipe(pipe.as_mut_ptr()) };
    // SAFETY: the child makes system calls only and ends without unwinding.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let nanos = time(turn, turns);
        // SAFETY: eight bytes of our own to a descriptor of ours.
        unsafe {
            libc::write(pipe[1], (&raw const nanos).cast(), 8);
            libc::_exit(0);
        }
    }
    let stop = AtomicBool::new(false);
    let mut nanos = 0f64;
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let cpu = thread_cpu();
            let mut events = 0u64;
            while !stop.load(Ordering::Relaxed) {
                while probe.next().is_some() {
                    events += 1;
                }
                let _ = probe.wait(Duration::from_millis(100));
            }
            (thread_cpu() - cpu, events, probe.counters().lost().total())
        });
        // SAFETY: eight bytes of room.
        unsafe { libc::read(pipe[0], (&raw mut nanos).cast(), 8) };
        stop.store(true, Ordering::Relaxed);
        let (cpu, events, lost) = reader.join().expect("the reader does not panic");
        println!(
            "    opened in {opened:.1?}; {events} events, {lost} lost, reader {:.3} s CPU per million",
            cpu.as_secs_f64() * 1e6 / events.max(1) as f64
        );
        // SAFETY: our own child.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    });
    Ok(nanos)
}

fn main() -> Result<(), probe::Error> {
    let loops: [(&str, fn(), u32); 2] = [
        ("getppid", getppid, 1_000_000),
        ("open, read, close", open_read_close, 200_000),
    ];
    for (name, turn, turns) in loops {
        let off = time(turn, turns);
        println!("{name}: {off:.0} ns a turn unwatched");
        for backend in [Backend::Dispatch, Backend::Tracepoint] {
            for calls in [
                &["chroot"][..],
                &["openat", "chroot"],
                &["openat", "read", "close"],
            ] {
                let options = Options {
                    syscalls: Syscalls::from_names(calls.iter().copied()).expect("known names"),
                    tracepoints: Tracepoints {
                        signal: false,
                        switch: false,
                        page_fault: false,
                    },
                    buffer: BufferSize::preset(4).expect("4 is a preset"),
                    backend,
                    ..Options::default()
                };
                let on = watched(&options, turn, turns)?;
                println!(
                    "  {backend:?}, watching {calls:?}: {on:.0} ns, x{:.2}",
                    on / off
                );
            }
        }
    }
    let begun = Instant::now();
    let probe = Probe::open(&Options::default())?;
    println!(
        "all {} programs: opened in {:.0?}",
        probe.attached().len(),
        begun.elapsed()
    );
    Ok(())
}
