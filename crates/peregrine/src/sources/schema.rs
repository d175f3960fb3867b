//! The fields of a source: those of every event, those of system calls, those of audit events.
//!
//! Numbers of fields tell whose they are:
//!
//! ```text
//!   0x0000 .. 0x8FFF   the catalogue's, constants of the configuration included
//!   0x9000 .. 0x9FEF   audit events'
//!   0x9FF0 .. 0x9FFF   those of sessions that audit events tell of
//!   0xA000 ..          plugins', in the order of their loading
//! ```

use fields::Catalogue;
use fields::catalogue::Id;
use fields::catalogue::row::Class;
use filter::{Argument, FieldDef, FieldRef, ResolveError, Schema, Type};

/// First number of the fields of audit events.
pub(crate) const AUDIT: u16 = 0x9000;
/// First number behind them.
pub(crate) const AUDIT_END: u16 = 0x9FF0;
/// `k8s.user.name`: who asked the API server for the session that a process belongs to.
pub(crate) const SESSION_USER: u16 = 0x9FF0;
/// `k8s.user.groups`: their groups.
pub(crate) const SESSION_GROUPS: u16 = 0x9FF1;
/// The fields of sessions.
const SESSION_FIELDS: [&str; 2] = ["k8s.user.name", "k8s.user.groups"];
/// First number of plugins' fields.
pub(crate) const PLUGINS: u16 = 0xA000;

/// First number of the constants of the configuration.
const STATIC: u16 = 0x8000;

/// The fields of one source.
#[derive(Clone, Debug)]
pub(crate) struct SourceSchema {
    catalogue: Catalogue,
    /// Whether all of the catalogue holds, or only what every event has.
    whole: bool,
    audit: Option<audit::Catalogue>,
    /// Plugins' fields, with the number of each plugin's first.
    plugins: Vec<(u16, plugins::Fields)>,
    /// Names of the events that plugins put into streams.
    injected: Vec<String>,
}

impl SourceSchema {
    /// System calls.
    pub(crate) fn syscall(catalogue: &Catalogue) -> Self {
        Self {
            catalogue: catalogue.clone(),
            whole: true,
            audit: None,
            plugins: Vec::new(),
            injected: Vec::new(),
        }
    }

    /// Any other source.
    pub(crate) fn other(catalogue: &Catalogue, audit: Option<audit::Catalogue>) -> Self {
        Self {
            catalogue: catalogue.clone(),
            whole: false,
            audit,
            plugins: Vec::new(),
            injected: Vec::new(),
        }
    }

    /// All of the catalogue, and what audit events have: for events of any source.
    pub(crate) fn everything(catalogue: &Catalogue) -> Self {
        Self {
            audit: Some(audit::Catalogue::new()),
            ..Self::syscall(catalogue)
        }
    }

    /// Adds the fields of a plugin.
    pub(crate) fn add(&mut self, first: u16, fields: &plugins::Fields) {
        self.plugins.push((first, fields.clone()));
    }

    /// Adds names of events: `evt.type` may be compared with them.
    pub(crate) fn announce(&mut self, names: &[String]) {
        self.injected.extend_from_slice(names);
    }

    /// Fields of plugins that alerts show by default.
    pub(crate) fn suggested(&self) -> impl Iterator<Item = &str> {
        let all = self.plugins.iter().flat_map(|(_, fields)| fields.infos());
        all.filter(|info| info.suggested)
            .map(|info| info.name.as_str())
    }

    /// The first of a plugin's fields that is there already.
    pub(crate) fn overlap<'f>(&self, fields: &'f plugins::Fields) -> Option<&'f str> {
        let names = fields.infos().iter().map(|info| info.name.as_str());
        let own = self.names();
        names.into_iter().find(|name| own.contains(name))
    }

    fn holds(&self, def: &FieldDef) -> bool {
        self.whole
            || def.field.id >= STATIC
            || Id::from_number(def.field.id).is_some_and(|id| id.row().class == Class::Generic)
    }
}

/// A field of the session that a process belongs to.
fn session_field(text: &str) -> FieldDef {
    let groups = text == "k8s.user.groups";
    let field = FieldRef {
        id: if groups { SESSION_GROUPS } else { SESSION_USER },
        arg: Argument::None,
    };
    FieldDef {
        list: groups,
        ..FieldDef::new(text, field, Type::CharBuf)
    }
}

impl Schema for SourceSchema {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        match self.catalogue.resolve(text) {
            Ok(def) if self.holds(&def) => return Ok(def),
            Err(error) if self.whole && error != ResolveError::Unknown => return Err(error),
            _ => {}
        }
        if let Some(audit) = &self.audit {
            match audit.resolve(text) {
                Ok(mut def) => {
                    def.field.id += AUDIT;
                    return Ok(def);
                }
                Err(ResolveError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        if self.whole && SESSION_FIELDS.contains(&text) {
            return Ok(session_field(text));
        }
        for (first, fields) in &self.plugins {
            match fields.resolve(text) {
                Ok(mut def) => {
                    def.field.id += first;
                    return Ok(def);
                }
                Err(ResolveError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ResolveError::Unknown)
    }

    fn names(&self) -> Vec<&str> {
        let own = self.catalogue.names().into_iter();
        let own = own.filter(|name| {
            self.whole
                || self
                    .catalogue
                    .resolve(name)
                    .is_ok_and(|def| self.holds(&def))
        });
        let sessions: &[&str] = if self.whole { &SESSION_FIELDS } else { &[] };
        let audit = self.audit.iter().flat_map(|audit| audit.names());
        let plugins = self.plugins.iter().flat_map(|(_, fields)| fields.infos());
        own.chain(sessions.iter().copied())
            .chain(audit)
            .chain(plugins.map(|info| info.name.as_str()))
            .collect()
    }

    fn check_constant(&self, field: &FieldDef, value: &[u8]) -> Result<(), String> {
        if field.field.id >= AUDIT {
            return Ok(());
        }
        let injected = || self.injected.iter().any(|name| name.as_bytes() == value);
        if field.field.id == Id::EvtType as u16 && injected() {
            return Ok(());
        }
        self.catalogue.check_constant(field, value)
    }

    fn as_text(&self, list: &FieldDef) -> Option<FieldDef> {
        let audit = self
            .audit
            .as_ref()
            .filter(|_| (AUDIT..AUDIT_END).contains(&list.field.id))?;
        audit.as_text(list)
    }

    fn service_port(&self, name: &str) -> Option<u16> {
        self.catalogue.service_port(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_their_own_fields() {
        let catalogue = Catalogue::new([("site".to_owned(), "x".to_owned())]);
        let syscall = SourceSchema::syscall(&catalogue);
        let audit = SourceSchema::other(&catalogue, Some(audit::Catalogue::new()));
        assert!(syscall.resolve("proc.name").is_ok() && audit.resolve("proc.name").is_err());
        assert!(syscall.resolve("ka.verb").is_err() && audit.resolve("ka.verb").is_ok());
        for both in ["evt.time", "static.site", "evt.num"] {
            assert!(
                syscall.resolve(both).is_ok() && audit.resolve(both).is_ok(),
                "{both}"
            );
        }
        let groups = audit.resolve("ka.user.groups").expect("a field");
        assert!(groups.list && !audit.as_text(&groups).expect("a text").list);
        assert!(audit.names().contains(&"ka.verb") && !audit.names().contains(&"fd.name"));
    }
}
