//! Events whose alerts wait for what is not known yet: what their container's runtime says, what their program's file is.
//!
//! An event waits alone: the others go on, and their alerts with them. It is kept with as much of
//! the state as its fields can ask for, so that it is looked at later as if the answer had been
//! there. It waits until the answer comes, or for a time measured by the events: of a runtime nobody knows
//! whether it will answer, of a program's file there is always an answer, if only that it cannot be known. How many
//! wait is bounded, and the oldest goes first where there are too many.

use std::collections::VecDeque;

use event::{Record, RecordFlags};
use state::{Context, State};

/// Most events that wait, and most bytes of them.
const EVENTS_MAX: usize = 4096;
const BYTES_MAX: usize = 32 << 20;
/// Longest time for an answer about a program, nanoseconds: whoever reads the files gives one up no later.
const PROGRAM_WAIT: u64 = 10_000_000_000;

/// An event that waits.
pub(super) struct Waiting {
    bytes: Vec<u8>,
    cpu: u16,
    flags: RecordFlags,
    pub(super) state: State,
    pub(super) context: Context,
    /// Times of the environment when it happened: first, latest, the one before.
    pub(super) times: [Option<u64>; 3],
    /// When it is looked at, at the latest; later once, where only a program is waited for.
    pub(super) until: u64,
    /// When runtimes had their time.
    runtimes: u64,
    /// When the readers of programs had theirs.
    programs: u64,
    size: usize,
}

impl Waiting {
    /// The event.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        Record::parse(&self.bytes, self.cpu, self.flags).ok()
    }

    /// Whether it has what it waited for, or has waited long enough.
    fn is_ready(&self, state: &State, now: u64) -> bool {
        state.has_answers(&self.state)
            || self.programs <= now
            || (self.runtimes <= now && !state.awaits_programs_in(&self.state))
    }
}

/// All that wait, the oldest first.
#[derive(Default)]
pub(super) struct WaitingEvents {
    queue: VecDeque<Waiting>,
    bytes: usize,
    /// Events that had to go without an answer because too many waited.
    pub(super) crowded: u64,
    /// Events that had to go without an answer because none came in time.
    pub(super) late: u64,
}

impl WaitingEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Events that wait now, that went without an answer in time, and for want of room.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.queue.len() as u64, self.late, self.crowded)
    }

    /// When the first of them has waited long enough.
    pub(super) fn due(&self) -> u64 {
        self.queue.front().map_or(u64::MAX, |first| first.until)
    }

    /// Keeps an event. One that has to go for it is returned.
    pub(super) fn push(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        times: [Option<u64>; 3],
    ) -> Option<Waiting> {
        let (part, context) = state.excerpt(context, record.tid);
        let size = record.bytes().len() + part.excerpt_size();
        self.bytes += size;
        let runtimes = record.ts.saturating_add(state.container_wait());
        let one = Waiting {
            bytes: record.bytes().to_vec(),
            cpu: record.cpu,
            flags: record.flags,
            state: part,
            context,
            times,
            until: runtimes,
            runtimes,
            programs: runtimes.max(record.ts.saturating_add(PROGRAM_WAIT)),
            size,
        };
        self.queue.insert(self.behind(one.until), one);
        if self.queue.len() <= EVENTS_MAX && self.bytes <= BYTES_MAX {
            return None;
        }
        self.crowded += 1;
        self.first()
    }

    fn first(&mut self) -> Option<Waiting> {
        let first = self.queue.pop_front()?;
        self.bytes -= first.size;
        Some(first)
    }

    /// Keeps an event that needs something else now, until its time is over.
    pub(super) fn put_back(&mut self, one: Waiting) {
        self.bytes += one.size;
        self.queue.insert(self.behind(one.until), one);
    }

    /// The place behind all that wait no longer than until then.
    fn behind(&self, until: u64) -> usize {
        self.queue.partition_point(|other| other.until <= until)
    }

    /// Has those go on waiting whose runtimes had their time and whose program is still being read.
    fn extend(&mut self, state: &State, now: u64) {
        while let Some(first) = self.queue.front()
            && first.until <= now
            && !first.is_ready(state, now)
            && let Some(mut one) = self.queue.pop_front()
        {
            one.until = one.programs;
            self.queue.insert(self.behind(one.until), one);
        }
    }

    /// The oldest event that need not wait any more; it knows what `state` knows now.
    pub(super) fn next(&mut self, state: &State, now: u64) -> Option<Waiting> {
        self.extend(state, now);
        let mut all = self.queue.iter();
        let at = all.position(|one| one.is_ready(state, now))?;
        let mut one = self.queue.remove(at)?;
        self.bytes -= one.size;
        if !state.has_answers(&one.state) {
            self.late += 1;
        }
        one.state.take_containers(state);
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use event::snapshot::Process;
    use event::{EventCode, RecordBuilder, codes};
    use state::Program;

    use super::*;

    const MS: u64 = 1_000_000;
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// A machine on which both are waited for, with one process in a container that nobody has spoken of.
    fn machine() -> State {
        let mut state = State::new(state::Options::default());
        state.await_containers(500);
        state.await_programs();
        state.load_process(&Process {
            tid: 7,
            pid: 7,
            exepath: b"/bin/x",
            exe_ino: 70,
            cgroups: format!("cpuset=/docker/{ID}\0").as_bytes(),
            ..Process::default()
        });
        state.finish_load();
        state
    }

    fn wait_for(state: &mut State, queue: &mut WaitingEvents) {
        let chdir = RecordBuilder::new(EventCode::new(codes::SYSCALL_CHDIR_X), MS, 7);
        let bytes = chdir.i64(0).text("/tmp").finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        let context = state.process(&record);
        assert!(queue.push(&record, state, &context, [None; 3]).is_none());
    }

    fn tell(state: &mut State, name: &str, text: &str) {
        let event = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 2 * MS, 0);
        let bytes = event.u32(0).text(name).text(text).finish();
        state.process(&Record::parse(&bytes, 0, RecordFlags::default()).unwrap());
    }

    fn ask(state: &State) {
        let thread = state.thread(state.by_tid(7).unwrap());
        assert!(matches!(state.program(thread), Program::Pending));
    }

    fn answer(state: &mut State) {
        let [question] = &state.take_program_questions()[..] else {
            panic!("one question");
        };
        let identity = state::ProgramIdentity::default();
        let text = state::program_json(&question.file, &identity, true);
        tell(state, state::PROGRAM_EVENT, &text);
    }

    #[test]
    fn a_runtime_has_its_time_and_no_more() {
        let mut state = machine();
        let mut queue = WaitingEvents::default();
        wait_for(&mut state, &mut queue);
        assert!(queue.next(&state, 500 * MS).is_none());
        assert_eq!(queue.due(), 501 * MS);
        assert!(queue.next(&state, 501 * MS).is_some());
        assert_eq!((queue.due(), queue.counts()), (u64::MAX, (0, 1, 0)));
    }

    #[test]
    fn what_a_program_is_will_be_known() {
        let mut state = machine();
        let mut queue = WaitingEvents::default();
        ask(&state);
        wait_for(&mut state, &mut queue);
        // The runtime had its time; the file is still being read.
        assert!(queue.next(&state, 501 * MS).is_none());
        assert_eq!(queue.due(), 10_001 * MS);
        assert!(queue.next(&state, 9_000 * MS).is_none());
        answer(&mut state);
        assert!(queue.next(&state, 9_000 * MS).is_some());

        // It is not waited for without end.
        let mut state = machine();
        let mut queue = WaitingEvents::default();
        ask(&state);
        wait_for(&mut state, &mut queue);
        assert!(queue.next(&state, 501 * MS).is_none());
        assert!(queue.next(&state, 10_001 * MS).is_some());

        // With the answer there, only the runtime's time is left.
        let mut state = machine();
        let mut queue = WaitingEvents::default();
        ask(&state);
        wait_for(&mut state, &mut queue);
        answer(&mut state);
        assert!(queue.next(&state, 400 * MS).is_none());
        assert!(queue.next(&state, 501 * MS).is_some());
    }
}
