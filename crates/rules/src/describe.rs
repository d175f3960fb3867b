//! What is loaded, as JSON: the rules, macros and lists, as written and as compiled.
//!
//! The form is that of `falco -L` with JSON output. Lists of names are sorted.

use std::collections::BTreeSet;

use event::{EVENTS, codes, syscalls};
use filter::ast::TransformerArgument;
use filter::{Ast, Check, Field, Operand, Right, Schema, Template, Transformer};
use serde_json::{Value, json};

use crate::codes::CodeSet;
use crate::events::{Events, codes_of};
use crate::ruleset::{List, Macro, Rule, RuleSet};
use crate::stateful::{RuleSchema, Stateful, duration};

/// Event sources by name.
pub type Sources<'s> = [(&'s str, &'s dyn Schema)];

/// Everything: `required_engine_version`, `required_plugin_versions`, `rules`, `macros`, `lists`.
#[must_use]
pub fn all(set: &RuleSet, sources: &Sources<'_>) -> Value {
    let plugins = set.required_plugin_versions.iter().map(|group| {
        let version = |v: &crate::PluginVersion| json!({"name": v.name, "version": v.version});
        let mut value = group
            .alternatives
            .first()
            .map_or_else(|| json!({}), version);
        value["alternatives"] = group.alternatives.iter().skip(1).map(version).collect();
        value
    });
    let plugins: Vec<Value> = plugins.collect();
    json!({
        "required_engine_version": set.required_engine_version.as_deref().unwrap_or("0.0.0"),
        "required_plugin_versions": plugins,
        "rules": set.rules.iter().map(|r| one(set, r, sources)).collect::<Vec<_>>(),
        "macros": set.macros.iter().map(|m| macro_(set, m)).collect::<Vec<_>>(),
        "lists": set.lists.iter().map(|l| list(set, l)).collect::<Vec<_>>(),
    })
}

/// A single rule: `{"rules": [...]}`. `None` if there is none by that name.
#[must_use]
pub fn rule(set: &RuleSet, name: &str, sources: &Sources<'_>) -> Option<Value> {
    let rule = set.rules.iter().find(|r| r.name == name)?;
    Some(json!({ "rules": [one(set, rule, sources)] }))
}

fn one(set: &RuleSet, rule: &Rule, sources: &Sources<'_>) -> Value {
    let mut compiled = Usage::of(&rule.ast);
    let schema = sources
        .iter()
        .find(|(name, _)| *name == rule.source)
        .map(|(_, s)| *s);
    let mut text = rule.condition.clone();
    for part in rule.stateful.iter().flat_map(Stateful::parts) {
        compiled.add(&part.ast);
        text = joined(&text, &part.condition);
    }
    // A field that the output prints twice is listed twice.
    let mut output_fields: Vec<String> = schema
        .and_then(|schema| {
            let schema = RuleSchema::new(rule, schema);
            Template::parse(&rule.output_template, &schema).ok()
        })
        .map(|template| template.mentions().map(str::to_owned).collect())
        .unwrap_or_default();
    output_fields.sort_unstable();
    let used = || rule.exceptions.iter();
    let strings = |of: fn(&crate::Exception) -> &[String]| -> BTreeSet<&String> {
        used().flat_map(of).collect()
    };
    let events = if rule.source == "syscall" {
        event_names(&codes_of(&rule.ast, &Events, false))
    } else {
        event_names(&rule.event_codes)
    };
    let (macros, lists) = mentions(set, &text);
    let mut details = json!({
        "macros": macros,
        "lists": lists,
        "condition_operators": compiled.operators,
        "condition_fields": compiled.fields,
        "output_fields": output_fields,
        "exception_fields": strings(|e| &e.fields),
        "exception_names": used().map(|e| &e.name).collect::<BTreeSet<_>>(),
        "exception_operators": strings(|e| &e.comparisons),
        "events": events,
        "condition_compiled": rule.ast.to_string(),
        "output_compiled": rule.output_template,
        "plugins": plugins(compiled.fields.iter().chain(&output_fields)),
    });
    let extra: serde_json::Map<String, Value> = rule
        .extra_fields
        .iter()
        .filter_map(|f| Some((f.key.clone(), json!(f.format.as_ref()?))))
        .collect();
    if let Some(stateful) = &rule.stateful {
        details["stateful"] = memory(stateful);
    }
    if !extra.is_empty() {
        details["extra_output_formatted_fields"] = Value::Object(extra);
    }
    let mut described = json!({
        "info": {
            "name": rule.name,
            "condition": rule.condition,
            "priority": rule.priority.name(),
            "output": rule.output,
            "description": rule.description,
            "enabled": rule.enabled,
            "source": rule.source,
            "capture": rule.capture,
            "capture_duration": rule.capture_duration,
            "tags": rule.tags,
        },
        "details": details,
    });
    // Ours: told where it is used only, for what reads Falco's descriptions.
    if rule.capture_before != 0 {
        described["info"]["capture_before"] = rule.capture_before.into();
    }
    described
}

/// What a rule remembers; a key of ours.
fn memory(stateful: &Stateful) -> Value {
    let mut value = json!({
        "kind": stateful.key(),
        "summary": stateful.summary(),
        "by": stateful.by,
    });
    if let Some(within) = stateful.within() {
        value["within"] = duration::text(within).into();
    }
    let parts = stateful.parts().map(|part| {
        let (condition, compiled) = (&part.condition, part.ast.to_string());
        json!({"step": part.name, "condition": condition, "condition_compiled": compiled})
    });
    let parts: Vec<Value> = parts.collect();
    if !parts.is_empty() {
        value["steps"] = parts.into();
    }
    value
}

/// Two conditions as one text, either of which may be empty.
fn joined(a: &str, b: &str) -> String {
    if a.is_empty() {
        return format!("({b})");
    }
    format!("({a}) or ({b})")
}

fn macro_(set: &RuleSet, one: &Macro) -> Value {
    let (macros, lists) = mentions(set, &one.condition);
    let compiled = one.ast.as_ref().map(Usage::of).unwrap_or_default();
    let events = one
        .ast
        .as_ref()
        .map(|ast| event_names(&codes_of(ast, &Events, false)));
    json!({
        "info": { "name": one.name, "condition": one.condition },
        "details": {
            "used": one.used,
            "macros": macros,
            "lists": lists,
            "condition_operators": compiled.operators,
            "condition_fields": compiled.fields,
            "events": events.unwrap_or_default(),
            "condition_compiled": one.ast.as_ref().map(Ast::to_string).unwrap_or_default(),
            "plugins": [],
        },
    })
}

fn list(set: &RuleSet, one: &List) -> Value {
    let (lists, items): (Vec<&String>, Vec<&String>) = one
        .items
        .iter()
        .partition(|item| set.lists.iter().any(|l| l.name == **item));
    let lists: BTreeSet<&String> = lists.into_iter().collect();
    json!({
        "info": { "name": one.name, "items": items },
        "details": {
            "used": one.used,
            "lists": lists,
            "items_compiled": one.expanded,
            "plugins": [],
        },
    })
}

/// Macros and lists that a condition as written mentions itself.
fn mentions(set: &RuleSet, condition: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    // A condition that needs its lists to be one at all mentions what nobody can tell.
    let Ok(ast) = filter::parse(condition) else {
        return Default::default();
    };
    let macros = ast.macros().map(|(_, name)| name.to_owned()).collect();
    let constants = ast.checks().flat_map(|(_, check)| check.right.constants());
    let lists = constants
        .filter_map(|c| std::str::from_utf8(&c.bytes).ok())
        .filter(|word| set.lists.iter().any(|l| l.name == *word))
        .map(str::to_owned)
        .collect();
    (macros, lists)
}

/// Operators and fields of a condition.
#[derive(Default)]
struct Usage {
    operators: BTreeSet<String>,
    fields: BTreeSet<String>,
}

impl Usage {
    fn of(ast: &Ast) -> Self {
        let mut usage = Self::default();
        usage.add(ast);
        usage
    }

    fn add(&mut self, ast: &Ast) {
        for (_, check) in ast.checks() {
            self.check(check);
        }
    }

    fn check(&mut self, check: &Check) {
        self.operators.insert(match check.modifier {
            Some((modifier, _)) => format!("{} {modifier}", check.operator),
            None => check.operator.to_string(),
        });
        match &check.left {
            Operand::Field(field) => self.field(field),
            Operand::Transformer(call) => self.call(call),
        }
        if let Right::Transformer(call) = &check.right {
            self.call(call);
        }
    }

    fn field(&mut self, field: &Field) {
        self.fields.insert(field.text());
    }

    fn call(&mut self, call: &Transformer) {
        self.arguments(&call.arguments);
    }

    fn arguments(&mut self, arguments: &[TransformerArgument]) {
        for argument in arguments {
            match argument {
                TransformerArgument::Field(field) => self.field(field),
                TransformerArgument::Transformer(call) => self.call(call),
                TransformerArgument::Literal(_) => {}
                TransformerArgument::List(all, _) => self.arguments(all),
            }
        }
    }
}

/// Plugins that provide some of the fields. Container metadata is built in; listings still name
/// the plugin that provides it elsewhere.
fn plugins<'f>(mut fields: impl Iterator<Item = &'f String>) -> Vec<&'static str> {
    let container = |field: &String| {
        field.starts_with("container.")
            || field.starts_with("k8s.")
            || field.starts_with("proc.is_container_")
    };
    if fields.any(container) {
        vec!["container"]
    } else {
        Vec::new()
    }
}

/// System calls that come as an event of another name, so that the generic one is not theirs.
const RENAMED: [&str; 24] = [
    "_llseek",
    "fcntl64",
    "getegid32",
    "geteuid32",
    "getgid32",
    "getresgid32",
    "getresuid32",
    "getuid32",
    "page_fault_kernel",
    "page_fault_user",
    "pread64",
    "prlimit64",
    "pwrite64",
    "sched_process_exit",
    "sched_switch",
    "sendfile64",
    "setgid32",
    "setresgid32",
    "setresuid32",
    "setuid32",
    "signal_deliver",
    "ugetrlimit",
    "unknown",
    "",
];

/// Names of the events in a set, with those that injected events always have.
fn event_names(set: &CodeSet) -> BTreeSet<&'static str> {
    let generic = [codes::GENERIC_E, codes::GENERIC_X];
    let mut names: BTreeSet<&'static str> = set
        .iter()
        .chain([codes::ASYNCEVENT_E])
        .filter(|code| !generic.contains(code))
        .filter_map(|code| EVENTS.get(usize::from(code)))
        .map(|event| event.name)
        .collect();
    // The first form of accept4 bears the name of accept.
    if set.contains(codes::SOCKET_ACCEPT4_X) {
        names.insert("accept4");
    }
    if generic.iter().any(|&code| set.contains(code)) {
        let own = |name: &str| EVENTS.iter().any(|e| e.name == name);
        names.extend(
            syscalls::SYSCALL_NAMES
                .iter()
                .filter(|n| !RENAMED.contains(n) && !own(n)),
        );
    }
    names
}
