//! From what rules and state need to what the kernel side may leave out.

use engine::needs::{Access, Filter, Need};
use event::EventCode;
use event::syscalls::SYSCALLS;
use probe::{Filters, IMAGE_BITS, Kind, Syscalls, Unread};

/// What may be left out, and what must be known of images for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortcuts {
    /// For the probe.
    pub filters: Filters,
    /// By bit: conditions that hang on a process's own image. The bit of an image says that all of them
    /// are false for it.
    pub images: Vec<Vec<String>>,
    /// Event types of calls that are left out for images with a bit, and the bit.
    pub by_image: Vec<(EventCode, u8)>,
}

impl Shortcuts {
    /// Of needs.
    #[must_use]
    pub fn of(needs: &[Need]) -> Self {
        let (mut successes, mut failures) = (Syscalls::none(), Syscalls::none());
        for need in needs {
            for call in calls(need) {
                let failed = |filter: &Filter| matches!(filter, Filter::Failed { .. });
                if need.filters.iter().any(failed) {
                    failures.insert(call.number);
                }
                if need.filters.contains(&Filter::Succeeded) {
                    successes.insert(call.number);
                }
            }
        }
        let mut shortcuts = Self {
            filters: Filters::new(Unread::new(&successes, &failures)),
            ..Self::default()
        };
        for need in needs {
            for call in calls(need) {
                for filter in &need.filters {
                    shortcuts.add(need.code, call.name, filter);
                }
            }
        }
        shortcuts
    }

    /// Whether the kernel side can recognise what this filter of a need leaves out.
    #[must_use]
    pub fn heeds(need: &Need, filter: &Filter) -> bool {
        let alone = Need {
            filters: vec![filter.clone()],
            ..need.clone()
        };
        !Self::of(&[alone]).filters.is_empty()
    }

    fn add(&mut self, code: EventCode, call: &str, filter: &Filter) {
        let filters = &mut self.filters;
        match filter {
            // Whole outcomes are dealt with.
            Filter::Failed { .. } | Filter::Succeeded => {}
            Filter::FailedOpen(access) => {
                let access = match access {
                    Access::Read => probe::Access::Read,
                    Access::Write => probe::Access::Write,
                    Access::Both => probe::Access::Both,
                };
                filters.leave_out_failed_open(call, access);
            }
            Filter::Descriptor(kind) => {
                let kind = match *kind {
                    "file" => Kind::File,
                    "directory" => Kind::Directory,
                    "pipe" => Kind::Pipe,
                    _ => return,
                };
                filters.leave_out_kind(call, kind);
            }
            Filter::Path(prefixes) => {
                filters.leave_out_elsewhere(call, prefixes);
            }
            Filter::Process(conditions) => {
                let mut conditions = conditions.clone();
                conditions.sort();
                conditions.dedup();
                let known = self.images.iter().position(|known| *known == conditions);
                let bit = known.unwrap_or(self.images.len());
                let Some(bit) = u8::try_from(bit).ok().filter(|bit| *bit < IMAGE_BITS) else {
                    return;
                };
                if !filters.leave_out_image(call, bit) {
                    return;
                }
                if known.is_none() {
                    self.images.push(conditions);
                }
                if !self.by_image.contains(&(code, bit)) {
                    self.by_image.push((code, bit));
                }
            }
        }
    }
}

/// System calls whose events are of the type. Events of calls without a type of their own are not
/// filtered.
fn calls(need: &Need) -> impl Iterator<Item = &'static event::info::Syscall> {
    let code = need.code.number();
    SYSCALLS
        .iter()
        .filter(move |call| call.exit == code && code > event::codes::GENERIC_X)
}
