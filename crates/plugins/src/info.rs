//! What a plugin says of itself.

use serde::{Deserialize, Serialize};

/// What a plugin can do; several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Bring events.
    Sourcing = 1,
    /// Take fields from events.
    Extraction = 2,
    /// See all events of a stream.
    Parsing = 4,
    /// Put events into a stream of others.
    Async = 8,
    /// Hear of the begin and end of a capture.
    Listening = 16,
}

/// What a plugin says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its version, `x.y.z`.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Who made it.
    pub contact: String,
    /// The version of the interface that it needs.
    pub api: String,
    /// Bits of [`Capability`].
    pub capabilities: u32,
    /// Its number in captures; zero for raw events.
    pub id: u32,
    /// The source of its events; empty for raw ones.
    pub source: String,
    /// Its fields.
    pub fields: Vec<FieldInfo>,
    /// Sources of events that it takes fields from; empty: all.
    pub extract_sources: Vec<String>,
    /// Sources of events that it sees; empty: all.
    pub parse_sources: Vec<String>,
    /// Sources into which it puts events; empty: all.
    pub async_sources: Vec<String>,
    /// Names of the events that it puts into streams.
    pub async_events: Vec<String>,
    /// JSON schema of its settings.
    pub init_schema: Option<String>,
    /// Types of events that it takes fields from; empty: the default. Known after init.
    pub extract_types: Vec<u16>,
    /// Types of events that it sees; empty: the default. Known after init.
    pub parse_types: Vec<u16>,
    /// It reads or writes tables of the host or of other plugins. Known after init.
    pub uses_tables: bool,
    /// It can be given other settings while it runs.
    pub takes_config: bool,
    /// It counts things.
    pub has_metrics: bool,
    /// The version of the table of events that it was made for; `None`: 3.0.0. Known after init.
    pub event_schema: Option<String>,
}

/// A field as the plugin describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Its name.
    pub name: String,
    /// Number of its type in the interface.
    pub ftype: u32,
    /// Whether it is a list.
    pub list: bool,
    /// What it means.
    pub text: String,
    /// What may follow it.
    pub required: bool,
    /// A number may follow.
    pub index: bool,
    /// A text may follow.
    pub key: bool,
    /// Left out of listings.
    pub hidden: bool,
    /// Part of what alerts show by default.
    pub suggested: bool,
}

impl Info {
    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities & capability as u32 != 0
    }

    /// Whether it takes fields from events of this source.
    #[must_use]
    pub fn extracts_from(&self, source: &str) -> bool {
        self.can(Capability::Extraction) && self.compatible(&self.extract_sources, source)
    }

    /// Whether it sees events of this source.
    #[must_use]
    pub fn parses(&self, source: &str) -> bool {
        self.can(Capability::Parsing) && self.compatible(&self.parse_sources, source)
    }

    /// Whether it puts events into streams of this source.
    #[must_use]
    pub fn injects_into(&self, source: &str) -> bool {
        self.can(Capability::Async)
            && (self.async_sources.is_empty() || self.async_sources.iter().any(|s| s == source))
    }

    fn compatible(&self, named: &[String], source: &str) -> bool {
        if named.iter().any(|name| name == source) {
            return true;
        }
        if self.can(Capability::Sourcing) && !self.source.is_empty() {
            return source == self.source;
        }
        named.is_empty()
    }

    /// Whether an event type concerns it, of those that `types` names.
    #[must_use]
    pub fn takes(&self, types: &[u16], named: &[String], code: u16) -> bool {
        if !types.is_empty() {
            return types.contains(&code);
        }
        let syscalls = self.compatible(named, "syscall");
        syscalls
            || matches!(
                code,
                event::codes::PLUGINEVENT_E | event::codes::ASYNCEVENT_E
            )
    }

    /// Whether it was made for this version of the table of events; what looks at plugins' own events only always is.
    ///
    /// # Errors
    /// Why not.
    pub fn fits_events(&self, in_use: &str) -> Result<(), String> {
        let looks = |can: Capability, types: &[u16], named: &[String]| {
            let all = types.is_empty() && self.compatible(named, "syscall");
            self.can(can)
                && (all
                    || types
                        .iter()
                        .any(|code| *code != event::codes::PLUGINEVENT_E))
        };
        if !looks(Capability::Parsing, &self.parse_types, &self.parse_sources)
            && !looks(
                Capability::Extraction,
                &self.extract_types,
                &self.extract_sources,
            )
        {
            return Ok(());
        }
        let name = &self.name;
        let wanted = self.event_schema.as_deref().unwrap_or("3.0.0");
        let read = |text: &str| semver::Version::parse(text).map_err(|e| format!("'{text}': {e}"));
        let (required, used) = (read(wanted)?, read(in_use)?);
        let why = if required.major != used.major {
            "major versions disagree"
        } else if required.minor > used.minor {
            "minor version is less than the requested one"
        } else if required.minor == used.minor && required.patch > used.patch {
            "patch version is less than the requested one"
        } else {
            return Ok(());
        };
        Err(format!(
            "plugin {name} required event schema version '{wanted}' not compatible with the event schema version in use \
             '{in_use}': {why}"
        ))
    }

    /// The capabilities as listings word them.
    #[must_use]
    pub fn capability_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.can(Capability::Sourcing) {
            lines.push(if self.id == 0 {
                "Event Sourcing (system events)".to_owned()
            } else {
                format!("Event Sourcing (ID={}, source='{}')", self.id, self.source)
            });
        }
        for (capability, text) in [
            (Capability::Extraction, "Field Extraction"),
            (Capability::Parsing, "Event Parsing"),
            (Capability::Async, "Async Events"),
            (Capability::Listening, "Capture Listening"),
        ] {
            if self.can(capability) {
                lines.push(text.to_owned());
            }
        }
        lines
    }
}

/// Reads a JSON array of texts.
pub(crate) fn texts(json: &str, what: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(json).map_err(|e| format!("{what} returned an invalid JSON: {e}"))
}

/// Reads the description of fields.
pub(crate) fn fields(json: &str) -> Result<Vec<FieldInfo>, String> {
    let all: Vec<serde_json::Value> = serde_json::from_str(json)
        .map_err(|e| format!("get_fields returned an invalid JSON: {e}"))?;
    if all.is_empty() {
        return Err("plugins with extraction capability must export at least one field".to_owned());
    }
    all.iter().map(field).collect()
}

fn field(entry: &serde_json::Value) -> Result<FieldInfo, String> {
    let text = |key: &str| {
        let value = entry[key].as_str().filter(|text| !text.is_empty());
        value.ok_or_else(|| format!("field JSON entry has no {key}"))
    };
    let truth = |value: &serde_json::Value, name: &str| match value {
        serde_json::Value::Null => Ok(false),
        serde_json::Value::Bool(is) => Ok(*is),
        _ => Err(format!("field {name} property is not boolean")),
    };
    let name = text("name")?;
    if !name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    {
        return Err(format!(
            "field {name:?} has a name that no condition can hold"
        ));
    }
    let ftype = match text("type")? {
        "uint64" => 8,
        "string" => 9,
        "reltime" => 20,
        "abstime" => 21,
        "bool" => 25,
        "ipaddr" => 40,
        "ipnet" => 41,
        other => return Err(format!("invalid field type {other}")),
    };
    let argument = &entry["arg"];
    let property = |wanted: &str| {
        let all = entry["properties"].as_array().into_iter().flatten();
        all.filter_map(serde_json::Value::as_str)
            .any(|p| p == wanted)
    };
    let info = FieldInfo {
        name: name.to_owned(),
        ftype,
        list: truth(&entry["isList"], &format!("{name} isList"))?,
        text: text("desc")?.to_owned(),
        required: truth(&argument["isRequired"], &format!("{name} isRequired"))?,
        index: truth(&argument["isIndex"], &format!("{name} isIndex"))?,
        key: truth(&argument["isKey"], &format!("{name} isKey"))?,
        hidden: property("hidden"),
        suggested: truth(&entry["addOutput"], &format!("{name} addOutput"))?,
    };
    if info.required && !info.index && !info.key {
        return Err(format!("field {name} requires an argument but takes none"));
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_checked() {
        let good = r#"[{"type":"string","name":"a.b","desc":"x","isList":true,
                        "arg":{"isRequired":true,"isKey":true},"properties":["hidden"]}]"#;
        let read = fields(good).unwrap();
        assert!(
            read[0].list && read[0].required && read[0].key && read[0].hidden && !read[0].index
        );
        for (bad, word) in [
            ("{", "invalid JSON"),
            ("[]", "at least one"),
            (r#"[{"name":"a","desc":"x"}]"#, "no type"),
            (r#"[{"type":"string","desc":"x"}]"#, "no name"),
            (r#"[{"type":"int","name":"a","desc":"x"}]"#, "type int"),
            (
                r#"[{"type":"bool","name":"a","desc":"x","isList":1}]"#,
                "not boolean",
            ),
            (
                r#"[{"type":"bool","name":"a b","desc":"x"}]"#,
                "no condition",
            ),
            (
                r#"[{"type":"bool","name":"a","desc":"x","arg":{"isRequired":true}}]"#,
                "takes none",
            ),
        ] {
            assert!(fields(bad).unwrap_err().contains(word), "{bad}");
        }
    }

    #[test]
    fn sources_that_fit() {
        let extraction = Capability::Extraction as u32;
        let any = Info {
            capabilities: extraction,
            ..Info::default()
        };
        assert!(any.extracts_from("syscall") && any.extracts_from("x"));
        let own = Info {
            capabilities: extraction | 1,
            source: "own".into(),
            ..Info::default()
        };
        assert!(own.extracts_from("own") && !own.extracts_from("syscall"));
        let named = Info {
            extract_sources: vec!["x".into()],
            ..own
        };
        assert!(
            named.extracts_from("x") && named.extracts_from("own") && !named.extracts_from("y")
        );
        assert!(!named.takes(&[], &named.extract_sources, 3) && named.takes(&[], &[], 322));
        assert!(any.takes(&[], &[], 3) && !any.takes(&[7], &[], 3));
    }
}
