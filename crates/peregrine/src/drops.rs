//! What is done when events are lost: the actions of `syscall_event_drops`.
//!
//! Looked at once a second of event time, or of the clock where no events come. A capture loses
//! nothing, but `simulate_drops` pretends one lost event each second, and so tries the whole path.

use config::settings::{DropAction, Drops};
use outputs::{Formatter, Internal, Outputs};
use probe::{Class, Losses};
use rules::Priority;

use crate::log;

/// What the internal alert goes by.
pub(crate) const RULE: &str = "Falco internal: syscall event drop";

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// Least time between two warnings, nanoseconds.
const WARNED: u64 = 30 * SECOND;

/// Counts and acts.
#[derive(Debug)]
pub(crate) struct DropMonitor {
    settings: Drops,
    /// A running machine can lose events.
    live: bool,
    /// Losses up to the last look.
    before: Losses,
    /// Event time from which the next look is due.
    next: u64,
    /// Tokens for actions, filled at a rate.
    tokens: f64,
    filled: u64,
    /// Times at which events were lost.
    pub(crate) occurrences: u64,
    /// Times at which the actions ran.
    pub(crate) actions: u64,
    /// Lost, and not told yet.
    untold: u64,
    /// Event time from which the next warning may come.
    silent_until: u64,
}

impl DropMonitor {
    /// A monitor.
    pub(crate) fn new(settings: Drops, live: bool) -> Self {
        let tokens = settings.max_burst;
        Self {
            settings,
            live,
            before: Losses::default(),
            next: 0,
            tokens,
            filled: 0,
            occurrences: 0,
            actions: 0,
            untold: 0,
            silent_until: 0,
        }
    }

    /// Goes over to other settings; what was counted stays.
    pub(crate) fn adopt(&mut self, settings: Drops) {
        self.tokens = settings.max_burst;
        self.settings = settings;
    }

    /// Event time of the next look; never, where nothing can come of it.
    pub(crate) fn next_look(&self) -> u64 {
        if self.settings.simulate || self.live {
            self.next
        } else {
            u64::MAX
        }
    }

    /// Looks, from the second time on; `events` is the number of events since the last look. False when the program must
    /// end.
    pub(crate) fn look(
        &mut self,
        time: u64,
        events: u64,
        losses: &Losses,
        formatter: &mut Formatter,
        outputs: &Outputs,
    ) -> bool {
        let first = self.next == 0;
        // An event exactly a second later is still early.
        self.next = time.saturating_add(SECOND + 1);
        if first {
            return true;
        }
        let lost = losses.since(&self.before);
        self.before = *losses;
        if self.live && self.settings.actions.is_empty() {
            self.untold += lost.total();
            self.warn(time);
        }
        let drops = lost.total() + u64::from(self.settings.simulate);
        // What was lost happened too. Without events the share is without bound.
        let events = events + lost.total();
        #[allow(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let share = if events == 0 {
            f64::INFINITY
        } else {
            drops as f64 / events as f64
        };
        if drops == 0 || (share <= self.settings.threshold && !self.settings.simulate) {
            return true;
        }
        self.occurrences += 1;
        if !self.take_token(time) {
            return true;
        }
        self.actions += 1;
        for action in self.settings.actions.clone() {
            match action {
                DropAction::Ignore => {}
                DropAction::Log => {
                    let text = format!("{RULE}. {drops} system calls dropped in last second.");
                    log::log(Priority::Debug, &text);
                }
                DropAction::Alert => {
                    self.alert(time, events, drops, &lost, formatter, outputs);
                }
                DropAction::Exit => {
                    let text = format!("{RULE}. {drops} system calls dropped in last second.");
                    log::log(Priority::Critical, &format!("{text} Exiting."));
                    return false;
                }
            }
        }
        true
    }

    /// Losses that nobody said anything about are no secret.
    fn warn(&mut self, time: u64) {
        if self.untold == 0 || time < self.silent_until {
            return;
        }
        let text = format!(
            "{} events were lost: they came faster than they were read (engine.modern_ebpf.buf_size_preset makes the \
             buffers larger, syscall_event_drops.actions says what else is to happen)",
            std::mem::take(&mut self.untold)
        );
        log::say(Priority::Warning, &text);
        self.silent_until = time.saturating_add(WARNED);
    }

    fn take_token(&mut self, time: u64) -> bool {
        if self.filled != 0 {
            #[allow(
                clippy::cast_precision_loss,
                reason = "fractions of a token are enough"
            )]
            let seconds = time.saturating_sub(self.filled) as f64 / SECOND as f64;
            self.tokens = (self.tokens + seconds * self.settings.rate).min(self.settings.max_burst);
        }
        self.filled = time;
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }

    fn alert(
        &self,
        time: u64,
        events: u64,
        drops: u64,
        lost: &Losses,
        formatter: &mut Formatter,
        outputs: &Outputs,
    ) {
        let text = format!("{RULE}. {drops} system calls dropped in last second.");
        let number = |number: u64| format!("\"{number}\"");
        let of = |class: Class| number(lost.of(class));
        let simulated = u64::from(self.settings.simulate);
        let fields: Vec<(&str, String)> = vec![
            ("ebpf_enabled", number(u64::from(self.live))),
            ("n_drops", number(drops)),
            ("n_drops_buffer_clone_fork_exit", of(Class::CloneForkExit)),
            ("n_drops_buffer_close_exit", of(Class::CloseExit)),
            ("n_drops_buffer_connect_exit", of(Class::ConnectExit)),
            ("n_drops_buffer_dir_file_exit", of(Class::DirFileExit)),
            ("n_drops_buffer_execve_exit", of(Class::ExecveExit)),
            ("n_drops_buffer_open_exit", of(Class::OpenExit)),
            (
                "n_drops_buffer_other_interest_exit",
                of(Class::OtherInterestExit),
            ),
            ("n_drops_buffer_proc_exit", of(Class::ProcExit)),
            (
                "n_drops_buffer_total",
                number(lost.buffer_full() + lost.no_buffer + lost.passed_over + simulated),
            ),
            ("n_drops_bug", number(0)),
            ("n_drops_page_faults", number(0)),
            ("n_drops_scratch_map", number(lost.large)),
            ("n_evts", number(events)),
        ];
        let internal = Internal {
            time,
            priority: Priority::Debug,
            rule: RULE,
            text: &text,
        };
        let mut line = Vec::new();
        formatter.internal(&internal, &fields, &mut line);
        outputs.send_internal(RULE, Priority::Debug, &line);
    }

    /// The lines that end a run, on standard error.
    pub(crate) fn closing(&self) -> String {
        format!(
            "Syscall event drop monitoring:\n   - event drop detected: {} occurrences\n   \
             - num times actions taken: {}\n",
            self.occurrences, self.actions
        )
    }
}

#[cfg(test)]
mod tests {
    use filter::render::Buffers;
    use jiff::tz::TimeZone;
    use outputs::{Clock, Form};

    use super::*;

    fn looks(settings: &Drops, times: impl Iterator<Item = u64>) -> (DropMonitor, bool) {
        let form = Form {
            iso8601: false,
            json: false,
            include_output: true,
            include_message: false,
            include_fields: true,
            include_tags: true,
            hostname: Vec::new(),
            buffers: Buffers::Text,
        };
        let mut formatter = Formatter::new(form, Clock::new(TimeZone::UTC));
        let mut monitor = DropMonitor::new(settings.clone(), false);
        let mut goes_on = true;
        for time in times {
            if time >= monitor.next_look() {
                goes_on &= monitor.look(
                    time,
                    10,
                    &Losses::default(),
                    &mut formatter,
                    &Outputs::default(),
                );
            }
        }
        (monitor, goes_on)
    }

    fn settings(action: DropAction) -> Drops {
        let actions = vec![action];
        Drops {
            actions,
            threshold: 0.1,
            rate: 0.03333,
            max_burst: 3.0,
            simulate: true,
        }
    }

    #[test]
    fn one_look_a_second_and_a_bucket_of_actions() {
        let tenths = (0..=100).map(|n| n * SECOND / 10);
        let (monitor, goes_on) = looks(&settings(DropAction::Ignore), tenths);
        assert!(goes_on);
        assert_eq!((monitor.occurrences, monitor.actions), (9, 3));
    }

    #[test]
    fn losses_can_end_the_program() {
        let (_, goes_on) = looks(&settings(DropAction::Exit), [1, 2 * SECOND].into_iter());
        assert!(!goes_on);
        let mut quiet = settings(DropAction::Exit);
        quiet.simulate = false;
        assert!(looks(&quiet, [1, 2 * SECOND].into_iter()).1);
    }
}
