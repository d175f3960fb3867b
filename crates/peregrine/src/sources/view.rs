//! An event of a source other than system calls, as its fields are taken from it.

use bumpalo::Bump;
use event::codes;
use fields::EventView;
use fields::catalogue::Id;
use filter::{FieldRef, FieldSource, Purpose, Value};

use super::schema::{AUDIT, AUDIT_END};

/// An event with what its source knows of it.
#[derive(Clone, Copy)]
pub(crate) struct SourceView<'a> {
    /// What every event has.
    pub(crate) base: EventView<'a>,
    /// The audit event in it.
    pub(crate) audit: Option<audit::View<'a>>,
    /// Name of the plugin that it is from.
    pub(crate) plugin: &'a str,
    /// What the plugin says of it.
    pub(crate) info: Option<&'a [u8]>,
}

impl FieldSource for SourceView<'_> {
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
            PLUGIN_NAME | PLUGIN_INFO | INFO
                if self.base.record.code.number() == codes::PLUGINEVENT_E =>
            {
                if field.id == PLUGIN_NAME {
                    return Some(Value::Bytes(self.plugin.as_bytes()));
                }
                self.info.map(Value::Bytes)
            }
            _ => self.base.extract(field, purpose, scratch),
        }
    }
}
