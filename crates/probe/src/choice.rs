//! Which way of attaching is taken, and why: what a system call costs under each is measured.
//!
//! The figure that counts is what a call costs that nobody asked for, for most calls of a machine are
//! such. An empty program is put on the place of each way, and the time of `getppid` taken: some
//! milliseconds in all. What a way cannot see rules it out first, and so does a start that would take
//! long: a function takes the kernel a while to attach, each anew, and until the last one is attached
//! the machine is watched in part. What nearly costs the same goes by the order: ends of functions,
//! then tracepoints, then the dispatcher.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::functions::{self, Functions, empty};
use crate::options::{Backend, Options};
use crate::support::Support;
use crate::tracefs::Tracefs;

/// Calls in one round, and rounds: the best one counts, for others may have been interrupted.
const CALLS: u32 = 400;
const ROUNDS: u32 = 12;
/// Two figures this close are the same.
const SAME: f64 = 1.04;
/// What attaching to the functions of all calls may take: a start should see everything within 200 ms.
const LONGEST_START: Duration = Duration::from_millis(150);
/// The kernel takes some 50 ms to let go of each call's tracepoint: they are for few calls.
const FEW: usize = 16;

/// Nanoseconds of a system call that nobody asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallCosts {
    /// With nothing attached.
    pub plain: f64,
    /// With a program on all calls' ends; none if that could not be tried.
    pub dispatch: Option<f64>,
    /// With a program on the tracepoint of another call; tried only where it may be taken.
    pub tracepoint: Option<f64>,
    /// With a program on the end of another call's function.
    pub function: Option<f64>,
    /// What attaching to the functions of all calls that are asked for would take, reckoned from one.
    pub functions_start: Option<Duration>,
}

/// A way of attaching, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Never [`Backend::Auto`].
    pub backend: Backend,
    /// A sentence without a full stop.
    pub reason: String,
    /// What was measured; nothing if the way was asked for.
    pub costs: Option<CallCosts>,
}

impl Choice {
    /// What these options lead to on this machine.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        Self::make(options, &crate::support())
    }

    pub(crate) fn make(options: &Options, support: &Support) -> Self {
        match options.backend {
            Backend::Auto => Self::measured(options, support),
            backend => Self {
                backend,
                reason: "it was asked for".into(),
                costs: None,
            },
        }
    }

    fn measured(options: &Options, support: &Support) -> Self {
        let calls = options.syscalls.iter().count();
        let few = calls <= FEW;
        // Where 32-bit programs can run, tracepoints need the dispatcher beside them.
        let costs = measure(support, few && !support.ia32, calls);
        let soon = costs.functions_start.is_some_and(|it| it <= LONGEST_START);
        let ways = [
            (Backend::Fexit, costs.function.filter(|_| soon)),
            (Backend::Tracepoint, costs.tracepoint),
            (Backend::Dispatch, costs.dispatch),
        ];
        let least = ways
            .iter()
            .filter_map(|(_, cost)| *cost)
            .fold(f64::INFINITY, f64::min);
        let chosen = ways
            .iter()
            .find(|(_, cost)| cost.is_some_and(|cost| cost <= least * SAME));
        let backend = chosen.map_or(Backend::Dispatch, |(backend, _)| *backend);
        Self {
            backend,
            reason: format!(
                "of the ways that see everything here, and soon, it costs least: {costs}"
            ),
            costs: Some(costs),
        }
    }
}

impl fmt::Display for CallCosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a call that nobody asked for takes {:.0} ns unwatched",
            self.plain
        )?;
        let ways = [
            ("ends of functions", self.function),
            ("tracepoints of calls", self.tracepoint),
            ("the dispatcher", self.dispatch),
        ];
        for (way, cost) in ways {
            match cost {
                Some(cost) => write!(f, ", {cost:.0} under {way}")?,
                None => write!(f, ", {way} are no choice")?,
            }
        }
        match self.functions_start {
            Some(start) => write!(f, "; to attach to all functions takes {start:.0?}"),
            None => Ok(()),
        }
    }
}

/// Takes the time of a call under each way that can be had, one after the other.
fn measure(support: &Support, tracepoints: bool, calls: usize) -> CallCosts {
    let plain = time();
    let mut costs = CallCosts {
        plain,
        ..CallCosts::default()
    };
    if support.loops {
        let functions = Functions::of_kernel();
        let sees_all = !support.ia32 || functions.has(functions::NARROW);
        let begun = Instant::now();
        let link = functions.are_open().ok().filter(|_| sees_all);
        let one = begun.elapsed();
        costs.function = link.map(|_link| time());
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        costs.functions_start = costs.function.map(|_| one.saturating_mul(calls));
    }
    costs.dispatch = on_raw_tracepoint().map(|_links| time());
    // Closing one takes the kernel tens of milliseconds: only where it may be taken.
    if support.loops && support.syscall_tracepoints && tracepoints {
        costs.tracepoint = on_tracepoint().map(|_links| time());
    }
    costs
}

/// Nanoseconds of a call.
fn time() -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            // SAFETY: no arguments, no effect.
            unsafe { libc::syscall(libc::SYS_getppid) };
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

fn on_raw_tracepoint() -> Option<[OwnedFd; 2]> {
    let kind = libbpf_sys::BPF_PROG_TYPE_RAW_TRACEPOINT;
    let program = functions::load_program(kind, &empty(), Default::default()).ok()?;
    let link = functions::attach_raw(c"sys_exit", &program).ok()?;
    Some([link, program])
}

/// On a call that hardly anybody makes.
fn on_tracepoint() -> Option<[OwnedFd; 2]> {
    const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
    let event = Tracefs::open()
        .ok()?
        .perf_event("syscalls", "sys_exit_vhangup")
        .ok()??;
    let kind = libbpf_sys::BPF_PROG_TYPE_TRACEPOINT;
    let program = functions::load_program(kind, &empty(), Default::default()).ok()?;
    // SAFETY: both descriptors are ours and open.
    let failed = unsafe {
        libc::ioctl(
            event.as_raw_fd(),
            PERF_EVENT_IOC_SET_BPF as _,
            program.as_raw_fd(),
        )
    };
    (failed == 0).then_some([event, program])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_taken() {
        let options = Options {
            backend: Backend::Tracepoint,
            ..Options::default()
        };
        let choice = Choice::of(&options);
        assert_eq!(choice.backend, Backend::Tracepoint);
        assert!(choice.costs.is_none());
    }

    #[test]
    fn the_figures_are_shown() {
        let costs = CallCosts {
            plain: 178.2,
            dispatch: Some(260.0),
            tracepoint: Some(227.4),
            function: None,
            functions_start: None,
        };
        assert_eq!(
            costs.to_string(),
            "a call that nobody asked for takes 178 ns unwatched, ends of functions are no choice, \
             227 under tracepoints of calls, 260 under the dispatcher"
        );
    }
}
