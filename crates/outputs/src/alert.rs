//! An alert as a line: text, or JSON with its keys in alphabetical order.
//!
//! What does not change from one alert of a rule to the next (names, tags, keys, their escaping)
//! is prepared when the rule is compiled; an alert then is a handful of copies into one buffer.

mod told;

use std::sync::Arc;

use bumpalo::Bump;
use filter::render::{Buffers, sanitize};
use filter::{FieldDef, FieldSource, Purpose, Rendering, Schema, Template, TemplateError, json};
use rules::{Priority, Rule};

use crate::time::{Clock, iso8601};

/// What alerts look like.
#[derive(Clone, Debug)]
pub struct Form {
    /// Times in ISO 8601, UTC, instead of local times of day.
    pub iso8601: bool,
    /// JSON lines.
    pub json: bool,
    /// JSON: the text line.
    pub include_output: bool,
    /// JSON: the message, which is the text line without time and priority.
    pub include_message: bool,
    /// JSON: the values of the fields in the message.
    pub include_fields: bool,
    /// JSON: the rule's tags.
    pub include_tags: bool,
    /// JSON: the name of this machine.
    pub hostname: Vec<u8>,
    /// How data buffers print.
    pub buffers: Buffers,
}

/// Writes alerts of compiled rules.
#[derive(Debug)]
pub struct Formatter {
    form: Form,
    clock: Clock,
    scratch: Bump,
    head: Vec<u8>,
    message: Vec<u8>,
    value: Vec<u8>,
}

/// The output of a rule, compiled.
#[derive(Debug)]
pub struct RuleOutput {
    priority: Priority,
    template: Template,
    /// Sorted by key.
    fields: Vec<Field>,
    /// `"priority":..,"rule":..,"source":..,"tags":[..],"time":"`, ready to copy.
    tail: Vec<u8>,
}

#[derive(Debug)]
struct Field {
    /// `"key":`
    key: Vec<u8>,
    value: FieldValue,
}

#[derive(Debug)]
enum FieldValue {
    /// The time of the event in nanoseconds.
    Time,
    /// The field's own value.
    Raw(Arc<FieldDef>),
    /// A text.
    Formatted(Template),
}

impl RuleOutput {
    /// Compiles the output of a rule.
    ///
    /// # Errors
    /// When the template, or one of the extra fields, does not compile.
    pub fn new(rule: &Rule, form: &Form, schema: &dyn Schema) -> Result<Self, TemplateError> {
        let template = Template::parse(&rule.output_template, schema)?.permissive();
        let mut fields: Vec<(String, FieldValue)> = Vec::new();
        if form.json && form.include_fields {
            let time = if form.iso8601 {
                "evt.time.iso8601"
            } else {
                "evt.time"
            };
            fields.push((time.to_owned(), FieldValue::Time));
            for field in template.fields() {
                fields.push((field.name.clone(), FieldValue::Raw(Arc::clone(field))));
            }
            for extra in &rule.extra_fields {
                let value = match &extra.format {
                    Some(format) => {
                        FieldValue::Formatted(Template::parse(format, schema)?.permissive())
                    }
                    None => {
                        let token = Template::parse(&format!("%{}", extra.key), schema)?;
                        match token.fields().first() {
                            Some(field) => FieldValue::Raw(Arc::clone(field)),
                            None => FieldValue::Formatted(token.permissive()),
                        }
                    }
                };
                fields.retain(|(key, _)| *key != extra.key);
                fields.push((extra.key.clone(), value));
            }
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        let fields = fields.into_iter().map(|(name, value)| {
            let mut key = Vec::new();
            json::string(name.as_bytes(), &mut key);
            key.push(b':');
            Field { key, value }
        });
        Ok(Self {
            priority: rule.priority,
            template,
            fields: fields.collect(),
            tail: tail(rule, form),
        })
    }

    /// The rule's priority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }
}

fn tail(rule: &Rule, form: &Form) -> Vec<u8> {
    let mut tail = b"\"priority\":\"".to_vec();
    tail.extend_from_slice(rule.priority.name().as_bytes());
    tail.extend_from_slice(b"\",\"rule\":");
    json::string(rule.name.as_bytes(), &mut tail);
    tail.extend_from_slice(b",\"source\":");
    json::string(rule.source.as_bytes(), &mut tail);
    if form.include_tags {
        tail.extend_from_slice(b",\"tags\":[");
        for (n, tag) in rule.tags.iter().enumerate() {
            if n > 0 {
                tail.push(b',');
            }
            json::string(tag.as_bytes(), &mut tail);
        }
        tail.push(b']');
    }
    tail.extend_from_slice(b",\"time\":\"");
    tail
}

impl Formatter {
    /// A formatter.
    #[must_use]
    pub fn new(form: Form, clock: Clock) -> Self {
        Self {
            form,
            clock,
            scratch: Bump::new(),
            head: Vec::new(),
            message: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Its form.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Appends the alert of a rule on an event, without newline.
    pub fn alert(
        &mut self,
        output: &RuleOutput,
        time: u64,
        source: &impl FieldSource,
        line: &mut Vec<u8>,
    ) {
        self.head(output.priority, time);
        self.message.clear();
        let needs_message =
            !self.form.json || self.form.include_output || self.form.include_message;
        if needs_message {
            let rendering = Rendering {
                buffers: self.form.buffers,
                sanitized: true,
            };
            output
                .template
                .render_with(source, rendering, &mut self.message);
        }
        if self.form.json {
            self.json(output, time, source, line);
        } else {
            line.extend_from_slice(&self.head);
            line.extend_from_slice(&self.message);
        }
        self.scratch.reset();
    }

    /// `time: Priority `
    fn head(&mut self, priority: Priority, time: u64) {
        self.head.clear();
        if self.form.iso8601 {
            iso8601(time, "+0000", &mut self.head);
        } else {
            self.clock.local(time, &mut self.head);
        }
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(priority.name().as_bytes());
        self.head.push(b' ');
    }

    fn json(
        &mut self,
        output: &RuleOutput,
        time: u64,
        source: &impl FieldSource,
        line: &mut Vec<u8>,
    ) {
        self.texts(line);
        if self.form.include_fields {
            line.extend_from_slice(b"\"output_fields\":{");
            for (n, field) in output.fields.iter().enumerate() {
                if n > 0 {
                    line.push(b',');
                }
                line.extend_from_slice(&field.key);
                match &field.value {
                    FieldValue::Time => line.extend_from_slice(time.to_string().as_bytes()),
                    FieldValue::Raw(def) => {
                        let value = source.extract(&def.field, Purpose::Json, &self.scratch);
                        json::value(def, value.as_ref(), self.form.buffers, line);
                    }
                    FieldValue::Formatted(template) => {
                        self.value.clear();
                        let buffers = self.form.buffers;
                        let rendering = Rendering {
                            buffers,
                            sanitized: true,
                        };
                        template.render_with(source, rendering, &mut self.value);
                        json::string(&self.value, line);
                    }
                }
            }
            line.extend_from_slice(b"},");
        }
        line.extend_from_slice(&output.tail);
        iso8601(time, "Z", line);
        line.extend_from_slice(b"\"}");
    }

    /// The begin of a JSON line, from head and message.
    fn texts(&mut self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"hostname\":");
        json::string(&self.form.hostname, line);
        line.push(b',');
        if self.form.include_message {
            line.extend_from_slice(b"\"message\":");
            json::string(&self.message, line);
            line.push(b',');
        }
        if self.form.include_output {
            line.extend_from_slice(b"\"output\":");
            self.head.extend_from_slice(&self.message);
            json::string(&self.head, line);
            line.push(b',');
        }
    }

    /// Appends the message alone, as it stands in the alert.
    pub fn message(&self, output: &RuleOutput, source: &impl FieldSource, text: &mut Vec<u8>) {
        let rendering = Rendering {
            buffers: self.form.buffers,
            sanitized: true,
        };
        output.template.render_with(source, rendering, text);
    }

    /// Appends an alert that no rule raised: `text` and fields whose values are JSON already, in
    /// the order of their keys.
    pub fn internal(
        &mut self,
        internal: &Internal<'_>,
        fields: &[(&str, String)],
        line: &mut Vec<u8>,
    ) {
        if !self.form.json {
            self.clock.local(internal.time, line);
            line.extend_from_slice(format!(": {} ", internal.priority.name()).as_bytes());
            sanitize(internal.text.as_bytes(), line);
            let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
            line.extend_from_slice(format!(" ({})", fields.join(" ")).as_bytes());
            return;
        }
        line.extend_from_slice(b"{\"hostname\":");
        json::string(&self.form.hostname, line);
        line.extend_from_slice(b",\"output\":");
        json::string(internal.text.as_bytes(), line);
        line.extend_from_slice(b",\"output_fields\":{");
        for (n, (key, value)) in fields.iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            json::string(key.as_bytes(), line);
            line.push(b':');
            line.extend_from_slice(value.as_bytes());
        }
        line.extend_from_slice(b"},\"priority\":\"");
        line.extend_from_slice(internal.priority.name().as_bytes());
        line.extend_from_slice(b"\",\"rule\":");
        json::string(internal.rule.as_bytes(), line);
        line.extend_from_slice(b",\"source\":\"internal\",\"time\":\"");
        iso8601(internal.time, "Z", line);
        line.extend_from_slice(b"\"}");
    }
}

/// An alert that no rule raised.
#[derive(Clone, Copy, Debug)]
pub struct Internal<'a> {
    /// Nanoseconds since the epoch.
    pub time: u64,
    /// Its priority.
    pub priority: Priority,
    /// What stands in the place of a rule's name.
    pub rule: &'a str,
    /// The message.
    pub text: &'a str,
}

#[cfg(test)]
mod tests {
    use filter::{Argument, FieldRef, ResolveError, Type, Value};
    use jiff::tz::TimeZone;
    use rules::{CodeSet, ExtraField};

    use super::*;

    /// Fields `t.name`, `t.num`, `t.none`.
    struct Fields;

    impl Schema for Fields {
        fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
            let names = ["t.name", "t.num", "t.none"];
            let id = names
                .iter()
                .position(|name| *name == text)
                .ok_or(ResolveError::Unknown)?;
            let field = FieldRef {
                id: id as u16,
                arg: Argument::None,
            };
            let ty = if id == 1 { Type::Int64 } else { Type::CharBuf };
            Ok(FieldDef::new(text, field, ty))
        }

        fn names(&self) -> Vec<&str> {
            Vec::new()
        }
    }

    impl FieldSource for Fields {
        fn extract<'a>(
            &'a self,
            field: &FieldRef,
            _purpose: Purpose,
            _scratch: &'a Bump,
        ) -> Option<Value<'a>> {
            match field.id {
                0 => Some(Value::Bytes(
                    b"ev\"il\n12:00:00.000000000: Alert forged \xff",
                )),
                1 => Some(Value::Signed(-7)),
                _ => None,
            }
        }
    }

    fn rule() -> Rule {
        Rule {
            name: "A \"rule\"".to_owned(),
            description: String::new(),
            condition: "t.num = 1".to_owned(),
            ast: filter::parse("t.num = 1").unwrap(),
            output: String::new(),
            output_template: "*seen %t.name (%t.num %t.none)".to_owned(),
            extra_fields: vec![
                ExtraField {
                    key: "a.text".to_owned(),
                    format: Some("<%t.num>".to_owned()),
                },
                ExtraField {
                    key: "t.num".to_owned(),
                    format: None,
                },
            ],
            priority: Priority::Informational,
            tags: vec!["a".to_owned(), "b".to_owned()],
            source: "syscall".to_owned(),
            enabled: true,
            capture: false,
            capture_duration: 0,
            capture_before: 0,
            exceptions: Vec::new(),
            event_codes: CodeSet::default(),
            syscall_codes: CodeSet::default(),
            origins: Vec::new(),
            stateful: None,
        }
    }

    fn form(json: bool) -> Form {
        Form {
            iso8601: false,
            json,
            include_output: true,
            include_message: true,
            include_fields: true,
            include_tags: true,
            hostname: b"h".to_vec(),
            buffers: Buffers::Text,
        }
    }

    fn line(form: Form) -> String {
        let output = RuleOutput::new(&rule(), &form, &Fields).unwrap();
        let mut formatter = Formatter::new(form, Clock::new(TimeZone::UTC));
        let mut line = Vec::new();
        formatter.alert(&output, 1_700_000_000_000_000_001, &Fields, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_text_line_cannot_be_forged() {
        assert_eq!(
            line(form(false)),
            "22:13:20.000000001: Informational seen ev\"il\u{fffd}12:00:00.000000000: Alert forged \
             \u{fffd} (-7 <NA>)"
        );
        let iso = line(Form {
            iso8601: true,
            ..form(false)
        });
        assert!(iso.starts_with("2023-11-14T22:13:20.000000001+0000: Informational seen"));
    }

    #[test]
    fn json_has_sorted_keys() {
        let message = "seen ev\\\"il\u{fffd}12:00:00.000000000: Alert forged \u{fffd} (-7 <NA>)";
        let name = "ev\\\"il\u{fffd}12:00:00.000000000: Alert forged \u{fffd}";
        assert_eq!(
            line(form(true)),
            format!(
                "{{\"hostname\":\"h\",\"message\":\"{message}\",\
                 \"output\":\"22:13:20.000000001: Informational {message}\",\
                 \"output_fields\":{{\"a.text\":\"<-7>\",\"evt.time\":1700000000000000001,\
                 \"t.name\":\"{name}\",\"t.none\":null,\"t.num\":-7}},\
                 \"priority\":\"Informational\",\"rule\":\"A \\\"rule\\\"\",\
                 \"source\":\"syscall\",\"tags\":[\"a\",\"b\"],\
                 \"time\":\"2023-11-14T22:13:20.000000001Z\"}}"
            )
        );
    }

    #[test]
    fn json_without_its_optional_keys() {
        let bare = Form {
            include_output: false,
            include_message: false,
            include_fields: false,
            include_tags: false,
            ..form(true)
        };
        assert_eq!(
            line(bare),
            "{\"hostname\":\"h\",\"priority\":\"Informational\",\"rule\":\"A \\\"rule\\\"\",\
             \"source\":\"syscall\",\"time\":\"2023-11-14T22:13:20.000000001Z\"}"
        );
    }

    #[test]
    fn internal_alerts() {
        let internal = Internal {
            time: 0,
            priority: Priority::Debug,
            rule: "R",
            text: "R. 1",
        };
        let fields = [("a", "\"1\"".to_owned()), ("b", "2".to_owned())];
        for (json, expected) in [
            (false, "00:00:00.000000000: Debug R. 1 (a=\"1\" b=2)"),
            (
                true,
                "{\"hostname\":\"h\",\"output\":\"R. 1\",\"output_fields\":{\"a\":\"1\",\"b\":2},\
                 \"priority\":\"Debug\",\"rule\":\"R\",\"source\":\"internal\",\
                 \"time\":\"1970-01-01T00:00:00.000000000Z\"}",
            ),
        ] {
            let mut formatter = Formatter::new(form(json), Clock::new(TimeZone::UTC));
            let mut line = Vec::new();
            formatter.internal(&internal, &fields, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
