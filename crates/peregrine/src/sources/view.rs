//! An event of a source other than system calls, as its fields are taken from it.

use bumpalo::Bump;
use event::codes;
use fields::EventView;
use fields::catalogue::Id;
use filter::{FieldRef, FieldSource, Keep, Purpose, Value};

use super::running::Values;
use super::schema::{AUDIT, AUDIT_END, PLUGINS, SESSION_GROUPS, SESSION_USER};

/// An event with what its source knows of it.
pub(crate) struct SourceView<'a> {
    /// What every event has.
    pub(crate) base: EventView<'a>,
    /// The audit event in it.
    pub(crate) audit: Option<audit::View<'a>>,
    /// Name of the plugin that it is from.
    pub(crate) plugin: &'a str,
    /// Whose session in a pod it belongs to.
    pub(crate) session: Option<&'a audit::Session>,
    /// What plugins take from it.
    pub(crate) values: Values<'a>,
}

impl FieldSource for SourceView<'_> {
    /// What comes from plugins, audit events and sessions is of the event: it is never kept.
    #[inline]
    fn keep(&self) -> Option<Keep> {
        self.base.keep()
    }

    #[inline]
    fn extract<'s>(
        &'s self,
        field: &FieldRef,
        purpose: Purpose,
        scratch: &'s Bump,
    ) -> Option<Value<'s>> {
        const PLUGIN_NAME: u16 = Id::EvtPluginname as u16;
        const PLUGIN_INFO: u16 = Id::EvtPlugininfo as u16;
        const INFO: u16 = Id::EvtInfo as u16;
        match field.id {
            AUDIT..AUDIT_END => self
                .audit
                .as_ref()?
                .value(field.id - AUDIT, &field.arg, scratch),
            SESSION_USER => self.session.map(|session| Value::Bytes(&session.user)),
            SESSION_GROUPS => {
                let groups = self.session?.groups.iter().map(|group| Value::Bytes(group));
                let groups = groups.collect::<Vec<_>>();
                Some(Value::List(scratch.alloc_slice_copy(&groups)))
            }
            PLUGINS.. => self.values.value(field.id, &field.arg, scratch),
            PLUGIN_NAME | PLUGIN_INFO | INFO
                if self.base.record.code.number() == codes::PLUGINEVENT_E =>
            {
                if field.id == PLUGIN_NAME {
                    return Some(Value::Bytes(self.plugin.as_bytes()));
                }
                let payload = self.base.record.param(1);
                // An audit event is its own summary.
                if self.audit.is_some() {
                    return Some(Value::Bytes(payload));
                }
                Some(Value::Bytes(self.values.describe(payload, scratch)))
            }
            _ => self.base.extract(field, purpose, scratch),
        }
    }
}
