//! The narrowest exception that covers an alert.
//!
//! All that an alert says of who did it, to what and where becomes a comparison; only what is different the next time
//! (numbers of processes, times, ids of containers, ports of clients) is left out.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use anyhow::{Context as _, Result, bail};
use bumpalo::Bump;
use filter::{ExprKind, FieldRef, FieldSource, Purpose, Schema, Type, Value};
use jiff::civil::Date;

use super::super::test::files::Loaded;
use super::alert::Alert;

/// Fields that are different each time, or say nothing of who did what.
const VOLATILE: [&str; 30] = [
    "evt.time",
    "evt.num",
    "evt.res",
    "evt.rawres",
    "evt.args",
    "evt.info",
    "evt.buffer",
    "evt.cpu",
    "evt.outputtime",
    "evt.count",
    "evt.source",
    "evt.hostname",
    "proc.pid",
    "proc.ppid",
    "proc.vpid",
    "proc.pvpid",
    "proc.sid",
    "proc.tty",
    "proc.duration",
    "thread.tid",
    "thread.vtid",
    "container.id",
    "container.duration",
    "container.start_ts",
    "fd.num",
    "fd.cport",
    "fd.lport",
    "k8s.pod.uid",
    "k8s.pod.name",
    "ka.auditid",
];

/// Beginnings of the same.
const VOLATILE_CLASSES: [&str; 9] = [
    "evt.time.",
    "evt.rawtime",
    "evt.reltime",
    "evt.deltatime",
    "evt.latency",
    "proc.pid.",
    "proc.ppid.",
    "proc.exe_ino",
    "container.healthcheck",
];

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) rule: String,
    pub(super) name: String,
    /// Fields with the values that they must have.
    pub(super) fields: Vec<(String, String)>,
    /// Only in containers: whose numbers are different each time, but which are never the host.
    pub(super) inside: bool,
}

impl Exception {
    /// From an alert; `named`: only these fields.
    pub(super) fn of(alert: &Alert, loaded: &Loaded, named: &[String]) -> Result<Self> {
        let Some(rule) = loaded.set.rules.iter().find(|rule| rule.name == alert.rule) else {
            bail!(
                "the rules have no rule \"{}\", which raised the alert; name its files with -r",
                alert.rule
            );
        };
        let schema = loaded
            .sources
            .schema(&rule.source)
            .context("the rule is of an unknown source")?;
        let mut fields = Vec::new();
        for (name, value) in &alert.fields {
            let wanted = if named.is_empty() {
                !is_volatile(name)
            } else {
                named.contains(name)
            };
            if wanted && can_compare(name, value, schema) {
                fields.push((name.clone(), value.clone()));
            }
        }
        if let Some(missing) = named
            .iter()
            .find(|name| !fields.iter().any(|(field, _)| field == *name))
        {
            bail!("the alert has no value of {missing} that an exception could compare");
        }
        // On the host there is no image to tell; in a container that nobody knows, neither.
        let container = alert
            .fields
            .get("container.id")
            .filter(|_| named.is_empty() && schema.resolve("container.id").is_ok());
        let inside = container.is_some_and(|id| id != "host")
            && !alert.fields.contains_key("container.image.repository");
        if container.is_some_and(|id| id == "host") {
            fields.push(("container.id".to_owned(), "host".to_owned()));
        }
        if fields.is_empty() {
            bail!(
                "the alert has no field that tells it from others; let the rule's output say more, such as %proc.exepath"
            );
        }
        let mut hasher = DefaultHasher::new();
        fields.hash(&mut hasher);
        let name = format!("suppressed_{:08x}", hasher.finish() as u32);
        Ok(Self {
            rule: alert.rule.clone(),
            name,
            fields,
            inside,
        })
    }

    /// As an item of a rule file.
    pub(super) fn yaml(&self, owner: &str, reason: &str, expires: Date) -> String {
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let mut out = String::new();
        let _ = writeln!(
            out,
            "# suppressed: owner={}; expires={expires}; reason={}",
            line(owner).replace(';', ","),
            line(reason)
        );
        let _ = writeln!(out, "- rule: {}", scalar(&self.rule));
        let _ = writeln!(out, "  exceptions:\n    - name: {}", self.name);
        let mut names: Vec<String> = self.fields.iter().map(|(name, _)| scalar(name)).collect();
        let mut comps: Vec<&str> = self.fields.iter().map(|_| "'='").collect();
        let mut values: Vec<String> = self
            .fields
            .iter()
            .map(|(_, value)| scalar(&constant(value)))
            .collect();
        if self.inside {
            names.push("container.id".to_owned());
            comps.push("'!='");
            values.push("host".to_owned());
        }
        let _ = writeln!(out, "      fields: [{}]", names.join(", "));
        let _ = writeln!(out, "      comps: [{}]", comps.join(", "));
        let _ = writeln!(out, "      values:\n        - [{}]", values.join(", "));
        out.push_str("  override:\n    exceptions: append\n");
        out
    }

    /// Whether all its comparisons hold on an alert's own values.
    pub(super) fn covers(&self, alert: &Alert) -> bool {
        let container = alert.fields.get("container.id");
        alert.rule == self.rule
            && (!self.inside || container.is_some_and(|id| id != "host"))
            && self
                .fields
                .iter()
                .all(|(name, value)| alert.fields.get(name) == Some(value))
    }

    /// Whether an alert lacks a field, so that nothing can be said.
    pub(super) fn is_unclear(&self, alert: &Alert) -> bool {
        alert.rule == self.rule
            && self
                .fields
                .iter()
                .any(|(name, _)| !alert.fields.contains_key(name))
            && self
                .fields
                .iter()
                .all(|(name, value)| alert.fields.get(name).is_none_or(|own| own == value))
    }

    /// Whether the loaded rule, evaluated on the alert's values, lets the alert go: what was written is what was meant.
    pub(super) fn holds(&self, alert: &Alert, with: &Loaded) -> Result<bool> {
        let rule = with
            .set
            .rules
            .iter()
            .find(|rule| rule.name == self.rule)
            .context("the rule is gone")?;
        let schema = with
            .sources
            .schema(&rule.source)
            .context("the source is gone")?;
        let ast = &rule.ast;
        let ExprKind::And(all) = &ast.expr(ast.root()).kind else {
            return Ok(false);
        };
        let Some(&last) = all.last() else {
            return Ok(false);
        };
        let own = ast.clone().with_root(last);
        let source = Values { alert, schema };
        let kept = filter::naive::evaluate(&own, schema, &source)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(!kept)
    }
}

fn is_volatile(name: &str) -> bool {
    VOLATILE.contains(&name) || VOLATILE_CLASSES.iter().any(|class| name.starts_with(class))
}

/// Whether `field = value` can be written and means what it shows.
fn can_compare(name: &str, value: &str, schema: &dyn Schema) -> bool {
    let Ok(def) = schema.resolve(name) else {
        return false;
    };
    let shown_differently = matches!(
        def.ty,
        Type::RelTime | Type::AbsTime | Type::ByteBuf | Type::Double
    );
    let plain = !value.contains(['\u{fffd}', '\n', '\r', '\t', '\0'])
        && !value.is_empty()
        && value.len() < 250;
    !def.list && !def.filter_only && !shown_differently && plain && !value.ends_with('\\')
}

/// A value as a constant of a condition.
fn constant(value: &str) -> String {
    if value.contains(|c: char| c.is_whitespace() || "()\"'=,\\".contains(c)) {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

/// A text as YAML.
fn scalar(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._- ".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// An alert's values as those of an event.
struct Values<'a> {
    alert: &'a Alert,
    schema: &'a dyn Schema,
}

impl FieldSource for Values<'_> {
    fn extract<'s>(&'s self, field: &FieldRef, _: Purpose, scratch: &'s Bump) -> Option<Value<'s>> {
        let (def, text) = self.alert.fields.iter().find_map(|(name, text)| {
            let def = self.schema.resolve(name).ok()?;
            (def.field == *field).then_some((def, text))
        })?;
        Some(match def.ty {
            Type::Bool => Value::Bool(text == "true"),
            Type::CharBuf | Type::FsPath | Type::FsRelPath => {
                Value::Bytes(scratch.alloc_slice_copy(text.as_bytes()))
            }
            ty => match (text.parse::<u64>(), text.parse::<i64>(), text.parse()) {
                (_, _, Ok(ip)) => Value::Ip(ip),
                (Ok(number), _, _) if !is_signed(ty) => Value::Unsigned(number),
                (_, Ok(number), _) => Value::Signed(number),
                _ => Value::Bytes(scratch.alloc_slice_copy(text.as_bytes())),
            },
        })
    }
}

fn is_signed(ty: Type) -> bool {
    matches!(
        ty,
        Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Pid | Type::Fd | Type::Errno
    )
}
