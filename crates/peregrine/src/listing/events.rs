//! Lists of events: `--list-events` and `peregrine list events`.

use std::collections::{BTreeSet, HashMap};

use event::syscalls::{SYSCALL_NAMES, X86_64_SYSCALLS};
use event::{EVENTS, EventFlags, EventInfo, ParamInfo, ParamType, Source, codes};
use serde_json::{Map, Value, json};

use super::Form;
use super::ignored::is_ignored;
use crate::version::SCHEMA;

/// Names of codes that are no system call, or go by the event of another one.
const NO_EVENT_OF_THEIR_OWN: [&str; 8] = [
    "unknown",
    "sched_switch",
    "sched_process_exit",
    "signal_deliver",
    "page_fault_user",
    "page_fault_kernel",
    "_llseek",
    "ugetrlimit",
];

/// An event of the list.
struct Entry {
    name: &'static str,
    enter: bool,
    available: bool,
    params: &'static [ParamInfo],
}

/// The groups, in order, each with its heading.
fn groups() -> [(&'static str, Vec<Entry>); 4] {
    let of = |source: Source| {
        let listed = EVENTS.iter().filter(move |info| info.source == source && is_listed(info));
        listed.map(entry).collect::<Vec<_>>()
    };
    let mut syscalls = of(Source::Syscall);
    let generic = &EVENTS[usize::from(codes::GENERIC_X)];
    for name in generic_names() {
        for enter in [true, false] {
            syscalls.push(Entry { name, enter, available: true, params: generic.params });
        }
    }
    [
        ("Syscall events", syscalls),
        ("Tracepoint events", of(Source::Tracepoint)),
        ("Plugin events", of(Source::Plugin)),
        ("Metaevents", of(Source::Meta)),
    ]
}

fn is_listed(info: &EventInfo) -> bool {
    !info.flags.intersects(EventFlags::OLD_VERSION | EventFlags::UNUSED)
        && !matches!(info.code, codes::GENERIC_E | codes::GENERIC_X)
}

fn entry(info: &EventInfo) -> Entry {
    Entry {
        name: info.name,
        enter: info.is_enter(),
        available: !is_ignored(info),
        params: info.params,
    }
}

/// System calls that share the generic event.
fn generic_names() -> impl Iterator<Item = &'static str> {
    let own: HashMap<&str, bool> = X86_64_SYSCALLS
        .iter()
        .map(|call| (call.name, call.exit != codes::GENERIC_X))
        .collect();
    let events: BTreeSet<&str> = EVENTS.iter().map(|info| info.name).collect();
    // Calls of other architectures such as `fcntl64` go by the event of the plain name.
    let variant = move |name: &str| {
        let base = ["64", "32", "2"].iter().find_map(|end| name.strip_suffix(end));
        events.contains(name) || base.is_some_and(|base| events.contains(base))
    };
    SYSCALL_NAMES.iter().copied().filter(move |name| {
        !name.is_empty()
            && !NO_EVENT_OF_THEIR_OWN.contains(name)
            && !own.get(name).copied().unwrap_or_else(|| variant(name))
    })
}

/// The list in the form asked for.
pub fn list(form: Form) -> String {
    match form {
        Form::Json => json_list(),
        Form::Text => lines(|entry| {
            let direction = if entry.enter { '>' } else { '<' };
            format!("{direction} {}({})\n", entry.name, parameters(entry, ""))
        }),
        Form::Markdown => lines(|entry| {
            let available = if entry.available { "Yes" } else { "No" };
            let direction = if entry.enter { '>' } else { '<' };
            let params = parameters(entry, "*");
            format!("{available} | `{direction}` | `{}` | {params}\n", entry.name)
        })
        .replace(
            " events\n\n",
            " events\n\nDefault | Dir | Name | Params \n:-------|:----|:-----|:-----\n",
        )
        .replace(
            "Metaevents\n\n",
            "Metaevents\n\nDefault | Dir | Name | Params \n:-------|:----|:-----|:-----\n",
        ),
    }
}

fn lines(line: impl Fn(&Entry) -> String) -> String {
    let mut out = format!("The events of this list are those of *Schema Version*: {SCHEMA}\n");
    for (n, (heading, entries)) in groups().iter().enumerate() {
        out.push_str(&format!("{}## {heading}\n\n", if n == 0 { "" } else { "\n" }));
        entries.iter().for_each(|entry| out.push_str(&line(entry)));
    }
    out.push('\n');
    out
}

/// `FSPATH **name**, FLAGS32 **flags**: O_RDONLY, ...`; `mark` stands around names of flags.
fn parameters(entry: &Entry, mark: &str) -> String {
    let mut texts = Vec::new();
    for param in entry.params {
        texts.push(format!("{} **{}**", type_name(param), param.name));
        let flags: Vec<String> =
            flags(param).iter().map(|flag| format!("{mark}{flag}{mark}")).collect();
        if !flags.is_empty() {
            let last = texts.last_mut().expect("it was just pushed");
            last.push_str(": ");
            last.push_str(&flags.join(", "));
        }
    }
    texts.join(", ")
}

/// Names of a parameter's flags, in the order of the table.
fn flags(param: &ParamInfo) -> Vec<&'static str> {
    param.flags.iter().map(|flag| flag.name).collect()
}

/// The listing's name of a type: the identifier in capitals, but for one.
fn type_name(param: &ParamInfo) -> String {
    match param.ty {
        ParamType::Dyn => "DYNAMIC".to_owned(),
        ty => format!("{ty:?}").to_ascii_uppercase(),
    }
}

fn json_list() -> String {
    let mut all = Map::new();
    all.insert("schema_version".to_owned(), json!(SCHEMA));
    for (heading, entries) in groups() {
        let entries: Vec<Value> = entries.iter().map(json_entry).collect();
        all.insert(heading.to_owned(), Value::Array(entries));
    }
    format!("{:#}\n", Value::Object(all))
}

fn json_entry(entry: &Entry) -> Value {
    let params: Vec<Value> = entry
        .params
        .iter()
        .map(|param| {
            let mut value = json!({"name": param.name, "type": type_name(param)});
            let flags = flags(param);
            if !flags.is_empty() {
                value["flags"] = json!(flags);
            }
            value
        })
        .collect();
    json!({
        "name": entry.name,
        "dir": if entry.enter { ">" } else { "<" },
        "available": entry.available,
        "params": params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_every_event() {
        let json: Value = serde_json::from_str(&list(Form::Json)).unwrap();
        let count: usize = json.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum();
        for form in [Form::Text, Form::Markdown] {
            let text = list(form);
            let lines = text.lines().filter(|line| {
                [">", "<", "Yes", "No"].iter().any(|start| line.starts_with(start))
            });
            assert_eq!(lines.count(), count, "{form:?}");
        }
        assert!(list(Form::Text).contains("\n> switch(PID **next**, UINT64 **pgft_maj**"));
    }
}
