//! Which running programs certain rules cannot fire for, told to the kernel side, which then leaves
//! such calls of theirs out.
//!
//! What is asked of a process hangs on its own image alone ([`live::Shortcuts::images`]). Its answer
//! holds as of one event of the thread, and the kernel side knows of every later change of the image
//! before any other call of it. A thread is asked about when it has made many such calls: most make
//! few, and telling costs two system calls.

use event::Record;
use fields::{Environment, EventView};
use filter::{Filter, Memo, Schema};
use live::Shortcuts;
use state::{Context, State};

/// Calls of a thread after which it is asked about.
const MANY: u32 = 32;
/// Threads that are counted at a time.
const PLACES: usize = 256;

/// What is known of a thread's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) tid: u32,
    pub(crate) bits: u64,
    /// As of the event at this time.
    pub(crate) time: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    tid: i64,
    generation: u64,
    calls: u32,
}

/// Asks and remembers.
#[derive(Default)]
pub(crate) struct Images {
    /// By event type: whether calls of it can be left out for an image.
    types: Vec<bool>,
    /// By bit: false where all its conditions are.
    conditions: Vec<(Filter, Memo)>,
    places: Vec<Place>,
    told: Vec<Told>,
}

impl Images {
    /// For these shortcuts.
    pub(super) fn new(shortcuts: &Shortcuts, schema: &dyn Schema) -> Self {
        let mut images = Self::default();
        for conditions in &shortcuts.images {
            let text: Vec<String> = conditions.iter().map(|one| format!("({one})")).collect();
            let Ok(filter) = Filter::compile(&text.join(" or "), schema) else {
                // It came from a condition that compiled. Without it nothing is left out.
                return Self::default();
            };
            images.conditions.push((filter, Memo::new()));
        }
        for (code, _) in &shortcuts.by_image {
            let code = usize::from(code.number());
            if images.types.len() <= code {
                images.types.resize(code + 1, false);
            }
            images.types[code] = true;
        }
        if !images.conditions.is_empty() {
            images.places = vec![Place::default(); PLACES];
        }
        images
    }

    /// Looks at an event that came.
    #[inline]
    pub(super) fn see(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        env: &Environment,
    ) {
        let code = usize::from(record.code.number());
        if self.types.get(code).copied().unwrap_or(false) {
            self.count(record, state, context, env);
        }
    }

    #[cold]
    fn count(&mut self, record: &Record<'_>, state: &State, context: &Context, env: &Environment) {
        let (Some(thread), Ok(tid)) = (context.thread, u32::try_from(record.tid)) else {
            return;
        };
        let generation = state.thread(thread).generation;
        let place = &mut self.places[tid as usize % PLACES];
        if place.tid != record.tid || place.generation != generation {
            *place = Place {
                tid: record.tid,
                generation,
                calls: 0,
            };
        }
        place.calls = place.calls.saturating_add(1);
        if place.calls != MANY {
            return;
        }
        let view = EventView::new(record, state, context, env);
        let mut bits = 0;
        for (bit, (filter, memo)) in self.conditions.iter_mut().enumerate() {
            if !filter.matches(&view, memo) {
                bits |= 1 << bit;
            }
        }
        self.told.push(Told {
            tid,
            bits,
            time: record.ts,
        });
    }

    /// What is to be told, once.
    pub(super) fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }
}
