//! The probe under load. The load knows how many calls it made: what was received and what the
//! kernel counted as lost must add up to that, to the last one; and the events that the process
//! tree hangs on are never lost.
//!
//! No assertion is about time. A loaded machine makes for more losses, not for other sums.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event::codes;
use probe::{BufferSize, Class, Losses, Options, Probe, SelfFilter, Syscalls, Tracepoints};
use testkit::load::{Kind, Load, Pace};

/// One probe at a time: they would slow each other down.
static ONE: Mutex<()> = Mutex::new(());

fn live() -> Option<std::sync::MutexGuard<'static, ()>> {
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return None;
    }
    Some(
        ONE.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    )
}

fn options(calls: &[&str], preset: u8) -> Options {
    Options {
        syscalls: Syscalls::from_names(calls.iter().copied()).unwrap(),
        tracepoints: Tracepoints {
            signal: false,
            switch: false,
            page_fault: false,
        },
        enter_events: false,
        buffer: BufferSize::preset(preset).unwrap(),
        // What else runs on the machine makes such calls too.
        own_events: SelfFilter::Others,
        ..Options::default()
    }
}

const VITAL: [&str; 6] = ["clone", "clone3", "fork", "vfork", "execve", "execveat"];

/// How many events of each type came, of this process' threads and of its children.
#[derive(Default)]
struct Tally {
    /// Of this process.
    own: BTreeMap<u16, u64>,
    /// Of anybody else, its children included.
    others: BTreeMap<u16, u64>,
    children: HashSet<i64>,
    /// Of its children: births, programs started, ends.
    births: u64,
    runs: u64,
    ends: u64,
    total: u64,
}

impl Tally {
    fn take(&mut self, record: &event::Record<'_>, own: &HashSet<i64>) {
        self.total += 1;
        let code = record.code.number();
        let side = if own.contains(&record.tid) {
            &mut self.own
        } else {
            &mut self.others
        };
        *side.entry(code).or_default() += 1;
        match code {
            codes::SYSCALL_CLONE_20_X
            | codes::SYSCALL_CLONE3_X
            | codes::SYSCALL_FORK_20_X
            | codes::SYSCALL_VFORK_20_X
                if record.result() == Some(0)
                    && record.i64(5).is_some_and(|parent| own.contains(&parent)) =>
            {
                self.births += 1;
                self.children.insert(record.tid);
            }
            codes::SYSCALL_EXECVE_19_X
                if record.result() == Some(0) && self.children.contains(&record.tid) =>
            {
                self.runs += 1;
            }
            codes::PROCEXIT_1_E if self.children.remove(&record.tid) => self.ends += 1,
            _ => {}
        }
    }

    fn own(&self, code: u16) -> u64 {
        self.own.get(&code).copied().unwrap_or(0)
    }
}

fn assert_nothing_vital_is_lost(lost: &Losses) {
    for class in [Class::CloneForkExit, Class::ExecveExit, Class::ProcExit] {
        assert_eq!(lost.of(class), 0, "{class:?}: {lost:?}");
    }
    assert_eq!(lost.large + lost.no_buffer, 0, "{lost:?}");
}

/// Turns of each kind of load, each on a thread of its own, while `read` looks at the events.
struct Work {
    kind: Kind,
    pace: Pace,
}

/// Runs the loads and the reader; gives the turns of each load.
fn together(probe: &mut Probe, loads: &[Work], tally: &mut Tally, reads: bool) -> Vec<u64> {
    let load = Load::new().unwrap();
    let own = Mutex::new(HashSet::new());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = loads
            .iter()
            .map(|work| {
                let (load, own) = (&load, &own);
                let (kind, pace) = (work.kind, work.pace);
                let (ready, wait) = std::sync::mpsc::channel();
                let worker = scope.spawn(move || {
                    let tid = std::fs::read_link("/proc/thread-self").unwrap();
                    let tid = tid.file_name().unwrap().to_str().unwrap().parse().unwrap();
                    own.lock().unwrap().insert(tid);
                    ready.send(()).unwrap();
                    // The reader takes the list of threads before the first turn.
                    std::thread::sleep(Duration::from_millis(50));
                    load.work(kind, pace).unwrap().turns
                });
                wait.recv().unwrap();
                worker
            })
            .collect();
        let threads = own.lock().unwrap().clone();
        let watch = scope.spawn(|| {
            let turns: Vec<u64> = workers.into_iter().map(|w| w.join().unwrap()).collect();
            ended.store(true, Ordering::SeqCst);
            turns
        });
        while reads && !ended.load(Ordering::SeqCst) {
            while let Some(event) = probe.next() {
                tally.take(&event.record, &threads);
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
            probe.wait(Duration::from_millis(20)).unwrap();
        }
        let turns = watch.join().unwrap();
        // All that happened until now; others on the machine go on.
        let until = probe.now();
        loop {
            while let Some(event) = probe.next() {
                if event.record.ts > until {
                    return turns;
                }
                tally.take(&event.record, &threads);
            }
            if !probe.wait(Duration::from_millis(100)).unwrap() {
                return turns;
            }
        }
    })
}

/// Two loops at full speed, and children as fast as they come: with a reader that keeps up as it
/// can.
#[test]
fn sums_agree_at_full_speed() {
    let Some(_one) = live() else { return };
    let calls: Vec<&str> = ["openat", "read", "close"]
        .into_iter()
        .chain(VITAL)
        .collect();
    let mut probe = Probe::open(&options(&calls, 4)).unwrap();
    let time = Pace {
        time: Some(Duration::from_secs(4)),
        ..Pace::default()
    };
    let loads = [
        Work {
            kind: Kind::Files,
            pace: time,
        },
        Work {
            kind: Kind::Exec,
            pace: time,
        },
    ];
    let mut tally = Tally::default();
    let turns = together(&mut probe, &loads, &mut tally, true);
    let lost = probe.counters().lost();
    println!(
        "{} turns, {} children, {} events, {} lost",
        turns[0],
        turns[1],
        tally.total,
        lost.total()
    );
    assert_nothing_vital_is_lost(&lost);
    assert_eq!(
        (tally.births, tally.runs, tally.ends),
        (turns[1], turns[1], turns[1])
    );
    for (code, class) in [
        (codes::SYSCALL_OPENAT_2_X, Class::OpenExit),
        (codes::SYSCALL_CLOSE_X, Class::CloseExit),
        (codes::SYSCALL_READ_X, Class::Other),
    ] {
        // Starting a child takes opens and reads of its own, on the other thread: a few each.
        let (received, lost) = (tally.own(code), lost.of(class));
        assert!(
            received + lost >= turns[0],
            "{class:?}: {received} received, {lost} lost, {} made",
            turns[0]
        );
        if lost == 0 {
            let extra = received - turns[0];
            assert!(extra <= 8 * turns[1] + 8, "{class:?}: {extra} too many");
        }
    }
}

/// Calls in four classes and two lanes, and nobody reads: the sums are exact.
#[test]
fn losses_are_counted_exactly() {
    let Some(_one) = live() else { return };
    let calls: Vec<&str> = ["openat2", "linkat", "getppid", "setpgid"]
        .into_iter()
        .chain(VITAL)
        .collect();
    let mut probe = Probe::open(&options(&calls, 1)).unwrap();
    let turns = |turns| Pace {
        turns: Some(turns),
        ..Pace::default()
    };
    let loads = [
        Work {
            kind: Kind::Openat2,
            pace: turns(150_000),
        },
        Work {
            kind: Kind::Linkat,
            pace: turns(60_000),
        },
        Work {
            kind: Kind::Getppid,
            pace: turns(200_000),
        },
        Work {
            kind: Kind::Setpgid,
            pace: turns(90_000),
        },
        Work {
            kind: Kind::Exec,
            pace: turns(300),
        },
    ];
    let mut tally = Tally::default();
    let made = together(&mut probe, &loads, &mut tally, false);
    let lost = probe.counters().lost();
    println!("{lost:?}");
    assert_nothing_vital_is_lost(&lost);
    assert_eq!((tally.births, tally.runs, tally.ends), (300, 300, 300));
    for (code, class, made) in [
        (codes::SYSCALL_OPENAT2_X, Class::OpenExit, made[0]),
        (codes::SYSCALL_LINKAT_2_X, Class::DirFileExit, made[1]),
        (codes::GENERIC_X, Class::Other, made[2]),
        (codes::SYSCALL_SETPGID_X, Class::OtherInterestExit, made[3]),
    ] {
        assert!(
            lost.of(class) > 0,
            "{class:?} lost nothing: this tests nothing"
        );
        assert_eq!(
            tally.own(code) + lost.of(class),
            made,
            "{class:?}: {lost:?}"
        );
    }
}

/// A reader that was kept away for long: before it is too late for what waits of processes, it gives up
/// what waits besides, and counts it.
#[test]
fn bulk_gives_way_to_processes() {
    const PROCESSES: u64 = 2 << 20;
    let Some(_one) = live() else { return };
    let calls: Vec<&str> = ["openat2"].into_iter().chain(VITAL).collect();
    let mut probe = Probe::open(&Options {
        cpus_per_buffer: 0,
        ..options(&calls, 1)
    })
    .unwrap();
    let tid = std::fs::read_link("/proc/thread-self").unwrap();
    let tid: i64 = tid.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let load = Load::new().unwrap();
    let turns = |turns| Pace {
        turns: Some(turns),
        ..Pace::default()
    };
    // Of processes hardly anything waits yet, and of the rest more than is looked at in one go.
    let made = load.work(Kind::Openat2, turns(3000)).unwrap().turns;
    probe.wait(Duration::ZERO).unwrap();
    let others = probe.backlog();
    let mut children = 0;
    while probe.backlog() - others < PROCESSES / 8 * 7 {
        children += load.work(Kind::Exec, turns(10)).unwrap().turns;
        probe.wait(Duration::ZERO).unwrap();
    }
    let mut tally = Tally::default();
    let own = HashSet::from([tid]);
    let until = probe.now();
    'reading: loop {
        while let Some(event) = probe.next() {
            if event.record.ts > until {
                break 'reading;
            }
            tally.take(&event.record, &own);
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            break;
        }
    }
    let lost = probe.counters().lost();
    println!("{children} children, {lost:?}");
    assert_nothing_vital_is_lost(&lost);
    assert_eq!(
        (tally.births, tally.runs, tally.ends),
        (children, children, children)
    );
    let received = tally.own(codes::SYSCALL_OPENAT2_X);
    assert!(lost.of(Class::OpenExit) > 0, "nothing was given up");
    assert_eq!(received + lost.of(Class::OpenExit), made);
}
