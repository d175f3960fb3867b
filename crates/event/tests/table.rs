//! The tables against the specification they were made from.

use std::collections::BTreeMap;

use event::info::{EventInfo, ParamInfo, Source};
use event::syscalls::{IA32_TO_X86_64, SYSCALL_NAMES, X86_64_SYSCALLS};
use event::{EVENTS, EventCode, ParamType, Print};
use serde_json::Value;

fn spec() -> Option<Value> {
    let folder = testkit::corpus::spec("the event table")?;
    let text = std::fs::read_to_string(folder.join("events.json")).expect("the specification");
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// `PT_CHARBUF_PAIR_ARRAY` and `CharBufPairArray` alike.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .collect::<String>()
        .to_uppercase()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn check_type(ty: ParamType, print: Print, wanted: &Value, spec: &Value, place: &str) {
    let wanted_type = text(wanted, "type").trim_start_matches("PT_");
    assert_eq!(
        squeezed(&format!("{ty:?}")),
        squeezed(wanted_type),
        "{place}"
    );
    let width = spec["param_types"][text(wanted, "type")]["fixed_size"].as_u64();
    assert_eq!(ty.width().map(|w| w as u64), width, "{place}");
    let wanted_print = match text(wanted, "fmt") {
        "PF_NA" => Print::None,
        "PF_DEC" => Print::Dec,
        "PF_HEX" => Print::Hex,
        "PF_OCT" => Print::Oct,
        other => panic!("{place}: format {other}"),
    };
    assert_eq!(print, wanted_print, "{place}");
}

fn check_param(param: &ParamInfo, wanted: &Value, spec: &Value, place: &str) {
    assert_eq!(param.name, text(wanted, "name"), "{place}");
    check_type(param.ty, param.print, wanted, spec, place);
    let found: Vec<(&str, u64)> = param
        .flags
        .iter()
        .map(|f| (f.name, f.value.into()))
        .collect();
    let table: Vec<(&str, u64)> = match wanted["table"].as_str() {
        Some(name) => spec["flag_tables"][name]
            .as_array()
            .unwrap_or_else(|| panic!("{place}: table {name}"))
            .iter()
            .map(|f| (text(f, "name"), f["value"].as_u64().expect("a number")))
            .collect(),
        None => Vec::new(),
    };
    assert_eq!(found, table, "{place}");
    let variants = match wanted["dyn"].as_str() {
        Some(name) => spec["dynamic_tables"][name]
            .as_array()
            .expect("variants")
            .as_slice(),
        None => &[],
    };
    assert_eq!(param.variants.len(), variants.len(), "{place}");
    for (i, (variant, wanted)) in param.variants.iter().zip(variants).enumerate() {
        assert_eq!(wanted["index"].as_u64(), Some(i as u64), "{place}");
        check_type(variant.ty, variant.print, wanted, spec, place);
    }
    let dir = wanted["dirfd_param"].as_u64();
    assert_eq!(param.dir_param.map(u64::from), dir, "{place}");
}

fn check_event(info: &EventInfo, wanted: &Value, spec: &Value) {
    let id = text(wanted, "id");
    assert_eq!(
        u64::from(info.code),
        wanted["code"].as_u64().expect("a code"),
        "{id}"
    );
    assert_eq!((info.id, info.name), (id, text(wanted, "name")));
    assert_eq!(
        if info.is_enter() { ">" } else { "<" },
        text(wanted, "dir"),
        "{id}"
    );
    let source = match wanted["source"].as_str() {
        Some("SYSCALL") => Source::Syscall,
        Some("TRACEPOINT") => Source::Tracepoint,
        Some("PLUGIN") => Source::Plugin,
        Some("METAEVENT") => Source::Meta,
        Some("ITER") => Source::Iterator,
        None => Source::None,
        Some(other) => panic!("{id}: source {other}"),
    };
    assert_eq!(info.source, source, "{id}");
    let category = text(wanted, "category");
    assert_eq!(
        squeezed(&format!("{:?}", info.category)),
        squeezed(category),
        "{id}"
    );
    assert_eq!(
        info.internal,
        wanted["internal"].as_bool().unwrap_or(false),
        "{id}"
    );
    let flags = wanted["flags"].as_array().map_or(&[][..], Vec::as_slice);
    let bit = |f: &Value| spec["event_flags"][f.as_str().expect("a name")].as_u64();
    let bits: u64 = flags.iter().map(|f| bit(f).expect("a known flag")).sum();
    assert_eq!(u64::from(info.flags.bits()), bits, "{id}");
    let fd = wanted["fd_param"].as_i64().filter(|fd| *fd >= 0);
    assert_eq!(info.fd_param.map(i64::from), fd, "{id}");
    let params = wanted["params"].as_array().expect("parameters");
    assert_eq!(info.params.len(), params.len(), "{id}");
    for (param, wanted) in info.params.iter().zip(params) {
        check_param(param, wanted, spec, &format!("{id}.{}", param.name));
    }
}

#[test]
fn events_are_the_specification_s() {
    let Some(spec) = spec() else { return };
    let wanted = spec["events"].as_array().expect("events");
    assert_eq!(EVENTS.len(), wanted.len());
    for (info, wanted) in EVENTS.iter().zip(wanted) {
        check_event(info, wanted, &spec);
        assert_eq!(
            EventCode::new(info.code).info().map(|i| i.id),
            Some(info.id)
        );
    }
}

#[test]
fn system_calls_are_the_specification_s() {
    let Some(spec) = spec() else { return };
    let names = spec["ppm_sc"].as_object().expect("names");
    let used = SYSCALL_NAMES
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.is_empty());
    let found: BTreeMap<String, &str> =
        used.map(|(code, name)| (code.to_string(), *name)).collect();
    let wanted: BTreeMap<String, &str> = names
        .iter()
        .map(|(code, name)| (code.clone(), name.as_str().expect("a name")))
        .collect();
    assert_eq!(found, wanted);

    let wanted = spec["x86_64_syscalls"].as_array().expect("system calls");
    assert_eq!(X86_64_SYSCALLS.len(), wanted.len());
    for (call, wanted) in X86_64_SYSCALLS.iter().zip(wanted) {
        let name = text(wanted, "name");
        assert_eq!(call.name, name);
        assert_eq!(
            Some(u64::from(call.number)),
            wanted["nr"].as_u64(),
            "{name}"
        );
        assert_eq!(
            Some(u64::from(call.code)),
            wanted["ppm_sc_code"].as_u64(),
            "{name}"
        );
        let id = |code: u16| EVENTS[usize::from(code)].id;
        assert_eq!(
            (id(call.enter), id(call.exit)),
            (text(wanted, "enter"), text(wanted, "exit"))
        );
        let flags = wanted["flags"].as_array().map_or(&[][..], Vec::as_slice);
        let bit = |f: &Value| spec["syscall_flags"][f.as_str().expect("a name")].as_u64();
        let bits: u64 = flags.iter().map(|f| bit(f).expect("a known flag")).sum();
        assert_eq!(u64::from(call.flags), bits, "{name}");
    }

    let wanted = spec["ia32_to_x86_64"].as_object().expect("numbers");
    assert_eq!(IA32_TO_X86_64.len(), wanted.len());
    for (old, new) in IA32_TO_X86_64 {
        assert_eq!(wanted[&old.to_string()].as_i64(), Some(new.into()), "{old}");
    }
}

/// Constants cannot be listed by a program, so their source is read.
#[test]
fn constants_are_the_specification_s() {
    let Some(spec) = spec() else { return };
    let source = include_str!("../src/table/constants.rs");
    let found: BTreeMap<String, i128> = source
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("pub const ")?.split_once(": ")?;
            let value = value.split_once("= ")?.1.trim_end_matches(';');
            Some((name.to_owned(), value.parse().expect("a decimal number")))
        })
        .collect();
    let wanted: BTreeMap<String, i128> = spec["constants"]
        .as_object()
        .expect("constants")
        .iter()
        .map(|(name, value)| {
            let value = value
                .as_i64()
                .map(i128::from)
                .or(value.as_u64().map(i128::from));
            (
                name.strip_prefix("PPM_").unwrap_or(name).to_uppercase(),
                value.expect("a number"),
            )
        })
        .collect();
    assert_eq!(found, wanted);
}

/// Tables that no parameter names are compared by their source.
#[test]
fn flag_tables_are_the_specification_s() {
    let Some(spec) = spec() else { return };
    let source = include_str!("../src/table/flags.rs");
    let mut found: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    let mut table = None;
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("pub static ") {
            let name = rest.split(':').next().unwrap_or_default().to_lowercase();
            table = rest
                .contains("[Flag;")
                .then(|| found.entry(name).or_default());
        } else if let (Some(rest), Some(table)) = (line.trim().strip_prefix("flag(\""), &mut table)
        {
            let (name, value) = rest.split_once("\", ").expect("a row");
            let value = value
                .trim_end_matches("),")
                .parse()
                .expect("a decimal number");
            table.push((name.to_owned(), value));
        }
    }
    let wanted: BTreeMap<String, Vec<(String, u64)>> = spec["flag_tables"]
        .as_object()
        .expect("tables")
        .iter()
        .map(|(name, rows)| {
            let row = |f: &Value| {
                (
                    text(f, "name").to_owned(),
                    f["value"].as_u64().expect("one"),
                )
            };
            (
                name.clone(),
                rows.as_array().expect("rows").iter().map(row).collect(),
            )
        })
        .collect();
    assert_eq!(found, wanted);
}
