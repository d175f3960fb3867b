//! The fields of a source: those of every event, those of system calls, those of audit events.
//!
//! Numbers of fields tell whose they are:
//!
//! ```text
//!   0x0000 .. 0x8FFF   the catalogue's, constants of the configuration included
//!   0x9000 .. 0x9FFF   audit events'
//! ```

use fields::Catalogue;
use fields::catalogue::Id;
use fields::catalogue::row::Class;
use filter::{FieldDef, ResolveError, Schema};

/// First number of the fields of audit events.
pub(crate) const AUDIT: u16 = 0x9000;
/// First number behind them.
pub(crate) const AUDIT_END: u16 = 0xA000;

/// First number of the constants of the configuration.
const STATIC: u16 = 0x8000;

/// The fields of one source.
#[derive(Clone, Debug)]
pub(crate) struct SourceSchema {
    catalogue: Catalogue,
    /// Whether all of the catalogue holds, or only what every event has.
    whole: bool,
    audit: Option<audit::Catalogue>,
}

impl SourceSchema {
    /// System calls.
    pub(crate) fn syscall(catalogue: &Catalogue) -> Self {
        Self {
            catalogue: catalogue.clone(),
            whole: true,
            audit: None,
        }
    }

    /// Any other source.
    pub(crate) fn other(catalogue: &Catalogue, audit: Option<audit::Catalogue>) -> Self {
        Self {
            catalogue: catalogue.clone(),
            whole: false,
            audit,
        }
    }

    /// Whether events of the source have fields besides those of the catalogue.
    pub(crate) fn is_plain(&self) -> bool {
        self.audit.is_none()
    }

    /// Whether its events are audit events.
    pub(crate) fn is_audit(&self) -> bool {
        self.audit.is_some()
    }

    fn holds(&self, def: &FieldDef) -> bool {
        self.whole
            || def.field.id >= STATIC
            || Id::from_number(def.field.id).is_some_and(|id| id.row().class == Class::Generic)
    }
}

impl Schema for SourceSchema {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        match self.catalogue.resolve(text) {
            Ok(def) if self.holds(&def) => return Ok(def),
            Err(error) if self.whole && error != ResolveError::Unknown => return Err(error),
            _ => {}
        }
        let Some(audit) = &self.audit else {
            return Err(ResolveError::Unknown);
        };
        let mut def = audit.resolve(text)?;
        def.field.id += AUDIT;
        Ok(def)
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
        let audit = self.audit.iter().flat_map(|audit| audit.names());
        own.chain(audit).collect()
    }

    fn check_constant(&self, field: &FieldDef, value: &[u8]) -> Result<(), String> {
        if field.field.id >= AUDIT {
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
