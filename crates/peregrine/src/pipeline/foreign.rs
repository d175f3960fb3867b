//! Events of other sources among those of the main one: a capture may hold them, and plugins send them.

use event::{Record, codes};
use fields::EventView;
use state::{Context, State};

use super::Alerting;

impl Alerting {
    /// An event of another source. Those of plugins that nobody knows reach no rule.
    #[cold]
    pub(super) fn foreign_event(
        &mut self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        plugin: u32,
    ) -> bool {
        let judge = self.others.iter_mut().find(|judge| judge.is_for(plugin));
        judge.is_none_or(|judge| {
            let flight = self.flight.as_mut();
            judge.event(record, state, context, &self.outputs, flight)
        })
    }

    /// Shows an event to what knows sessions, which looks at more than rules do.
    #[cold]
    pub(super) fn show(
        &self,
        record: &Record<'_>,
        state: &State,
        context: &Context,
        concerned: bool,
    ) {
        if let (Some(sessions), false) = (&self.sessions, concerned) {
            sessions.of(&EventView::new(record, state, context, &self.env));
        }
    }
}

/// The plugin that an event is from, if it is from one.
#[inline(always)]
pub(super) fn foreign(record: &Record<'_>) -> Option<u32> {
    let code = record.code.number();
    if code != codes::PLUGINEVENT_E && code != codes::ASYNCEVENT_E {
        return None;
    }
    record.u32(0).filter(|id| *id != 0)
}
