//! Lines that stand for many alerts of a rule: those of a group, and those that a limit held back.
//!
//! They have the form of an alert of that rule, so that every reader of alerts takes them, and tell by
//! their fields (`group.…`, `limit.…`) what they are.

use filter::json;
use filter::render::sanitize;

use super::{Formatter, RuleOutput};
use crate::grouping::Group;
use crate::limit::Held;
use crate::time::iso8601;

impl Formatter {
    /// Appends the line of a group that has ended, without newline.
    pub fn group(&mut self, output: &RuleOutput, group: &Group, line: &mut Vec<u8>) {
        let mut text = format!("{} more like the alert of ", group.held).into_bytes();
        self.time(group.first, &mut text);
        text.extend_from_slice(b": ");
        text.extend_from_slice(&group.message);
        for example in &group.examples {
            text.extend_from_slice(b"; also: ");
            text.extend_from_slice(example);
        }
        group.captures.text(&mut text);
        let mut examples = b"[".to_vec();
        for (n, example) in group.examples.iter().enumerate() {
            if n > 0 {
                examples.push(b',');
            }
            json::string(example, &mut examples);
        }
        examples.push(b']');
        let mut fields = group.values.clone();
        fields.extend([
            number("group.count", group.held + 1),
            ("group.examples".to_owned(), examples),
            number("group.first", group.first),
            number("group.last", group.last),
            number("group.more", group.held),
        ]);
        group.captures.fields("group", &mut fields);
        self.told(output, group.last, text, fields, line);
    }

    /// Appends the line about alerts of the rule `name` that its limit, so written, held back.
    pub fn held(
        &mut self,
        output: &RuleOutput,
        (name, rate): (&str, &str),
        held: &Held,
        line: &mut Vec<u8>,
    ) {
        let plural = if held.count == 1 { "" } else { "s" };
        let mut text = format!("{} alert{plural} of the rule \"", held.count).into_bytes();
        sanitize(name.as_bytes(), &mut text);
        text.extend_from_slice(b"\" held back since ");
        self.time(held.first, &mut text);
        text.extend_from_slice(b" by its limit of ");
        sanitize(rate.as_bytes(), &mut text);
        held.captures.text(&mut text);
        let mut written = Vec::new();
        json::string(rate.as_bytes(), &mut written);
        let mut fields = vec![
            number("limit.first", held.first),
            number("limit.held", held.count),
            number("limit.last", held.last),
            ("limit.rate".to_owned(), written),
        ];
        held.captures.fields("limit", &mut fields);
        self.told(output, held.last, text, fields, line);
    }

    fn time(&mut self, time: u64, out: &mut Vec<u8>) {
        if self.form.iso8601 {
            iso8601(time, "+0000", out);
        } else {
            self.clock.local(time, out);
        }
    }

    fn told(
        &mut self,
        output: &RuleOutput,
        time: u64,
        text: Vec<u8>,
        mut fields: Vec<(String, Vec<u8>)>,
        line: &mut Vec<u8>,
    ) {
        self.head(output.priority, time);
        self.message = text;
        if !self.form.json {
            line.extend_from_slice(&self.head);
            line.extend_from_slice(&self.message);
            return;
        }
        self.texts(line);
        if self.form.include_fields {
            let at = if self.form.iso8601 {
                "evt.time.iso8601"
            } else {
                "evt.time"
            };
            fields.push(number(at, time));
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields.dedup_by(|a, b| a.0 == b.0);
            line.extend_from_slice(b"\"output_fields\":{");
            for (n, (key, value)) in fields.iter().enumerate() {
                if n > 0 {
                    line.push(b',');
                }
                json::string(key.as_bytes(), line);
                line.push(b':');
                line.extend_from_slice(value);
            }
            line.extend_from_slice(b"},");
        }
        line.extend_from_slice(&output.tail);
        iso8601(time, "Z", line);
        line.extend_from_slice(b"\"}");
    }
}

fn number(key: &str, number: u64) -> (String, Vec<u8>) {
    (key.to_owned(), number.to_string().into_bytes())
}
