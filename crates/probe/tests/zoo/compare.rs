//! Golden events against recorded ones; what may differ is a placeholder in the golden data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::record::Kept;
use crate::roles::Subtest;

/// What the original driver sent.
pub(crate) struct Golden(Value);

impl Golden {
    /// Reads the corpus file.
    pub(crate) fn read(path: &Path) -> Self {
        let mut text = String::new();
        let file = std::fs::File::open(path).unwrap();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }
}

/// The outcome.
pub(crate) struct Report {
    /// Differences that have no reason.
    pub(crate) differences: usize,
    /// Sub-tests they are in.
    pub(crate) subtests: Vec<String>,
    /// All of it, for people.
    pub(crate) text: String,
}

/// Differences with a reason: sub-test (empty: all), event, parameter (empty: the event is missing, whenever the zoo was run).
const EXPLAINED: &[(&str, &str, &str, &str)] = &[
    (
        "bind_fail",
        "bind",
        "addr",
        "an address without a path: the original shows the path of the call before",
    ),
    (
        "orphan",
        "fork",
        "ptid",
        "parent and child race; the parent may not have ended yet",
    ),
    ("orphan", "fork", "flags", "as ptid"),
    (
        "kill",
        "syscall",
        "",
        "parent and child race: where no CPU is free, the child is stopped and killed before it pauses",
    ),
];

fn explained(subtest: &str, event: &str, param: &str) -> Option<&'static str> {
    EXPLAINED
        .iter()
        .find(|(s, e, p, _)| (s.is_empty() || *s == subtest) && *e == event && *p == param)
        .map(|(.., why)| *why)
}

/// Compares all sub-tests, or some. `last`: the zoo will not be run again, so that an event may be missing where that has a reason.
pub(crate) fn compare(
    golden: &Golden,
    recorded: &[Subtest<'_>],
    only: &[String],
    last: bool,
) -> Report {
    let mut report = Report {
        differences: 0,
        subtests: Vec::new(),
        text: String::new(),
    };
    let (mut equal, mut total) = (0, 0);
    for wanted in golden.0["subtests"].as_array().unwrap() {
        let name = wanted["name"].as_str().unwrap();
        if !only.is_empty() && !only.iter().any(|n| n == name) {
            continue;
        }
        let before = report.differences;
        let Some(found) = recorded.iter().find(|s| s.name == name) else {
            report.differences += 1;
            report.subtests.push(name.to_owned());
            let _ = writeln!(report.text, "{name}: not recorded");
            continue;
        };
        let mut by_role: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for event in wanted["events"].as_array().unwrap() {
            by_role
                .entry(event["tid"].as_str().unwrap())
                .or_default()
                .push(event);
        }
        for (role, wanted) in &by_role {
            total += wanted.len();
            let nothing = Vec::new();
            let events = found.events.get(*role).unwrap_or(&nothing);
            equal += compare_role(name, role, wanted, events, (found, last), &mut report);
        }
        for role in found
            .events
            .keys()
            .filter(|role| !by_role.contains_key(role.as_str()))
        {
            report.differences += 1;
            let _ = writeln!(report.text, "{name}: events of unknown role {role}");
        }
        if report.differences > before {
            report.subtests.push(name.to_owned());
        }
    }
    let _ = writeln!(report.text, "{equal} of {total} events equal");
    report
}

fn compare_role(
    subtest: &str,
    role: &str,
    wanted: &[&Value],
    found: &[&Kept],
    (context, last): (&Subtest<'_>, bool),
    report: &mut Report,
) -> usize {
    let mut equal = 0;
    let mut ours = found.iter().peekable();
    for (i, want) in wanted.iter().enumerate() {
        let code = want["code"].as_u64().unwrap();
        let ty = want["type"].as_str().unwrap();
        // Skip what only we have, if the event wanted comes soon.
        let mut skipped = Vec::new();
        let mut ahead = ours.clone();
        while let Some(event) = ahead.peek() {
            if u64::from(event.info.code) == code {
                break;
            }
            skipped.push(event.info.name);
            ahead.next();
        }
        if ahead.peek().is_none() || skipped.len() > 3 {
            let why = explained(subtest, ty, "").filter(|_| last);
            report.differences += usize::from(why.is_none());
            let _ = writeln!(
                report.text,
                "{subtest} {role} #{i}: {ty} ({code}) is missing{}{}",
                if why.is_some() { ", " } else { "" },
                why.unwrap_or_default()
            );
            continue;
        }
        for extra in skipped {
            report.differences += 1;
            let _ = writeln!(report.text, "{subtest} {role} #{i}: {extra} is too many");
        }
        ours = ahead;
        let event = ours.next().expect("peeked");
        let mut same = true;
        for (name, value) in want["params"].as_object().unwrap() {
            let bytes = event.param(name).unwrap_or(b"<no such parameter>");
            if matches(value, bytes, context) {
                continue;
            }
            if let Some(why) = explained(subtest, ty, name) {
                let _ = writeln!(report.text, "{subtest} {role} {ty}.{name}: differs, {why}");
                continue;
            }
            same = false;
            report.differences += 1;
            let want = value.get("v").unwrap_or(&value["hex"]);
            let _ = writeln!(
                report.text,
                "{subtest} {role} #{i} {ty}.{name}: want {want:.300}, got {:.300}",
                hex(bytes)
            );
        }
        equal += usize::from(same);
    }
    for extra in ours {
        report.differences += 1;
        let _ = writeln!(
            report.text,
            "{subtest} {role}: {} at the end is too many",
            extra.info.name
        );
    }
    equal
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

fn number(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        1 => i64::from(bytes[0]),
        2 => i64::from(i16::from_le_bytes(bytes.try_into().ok()?)),
        4 => i64::from(i32::from_le_bytes(bytes.try_into().ok()?)),
        8 => i64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn matches(want: &Value, bytes: &[u8], context: &Subtest<'_>) -> bool {
    match want.get("v") {
        None => {
            let wanted = want["hex"].as_str().unwrap();
            if wanted == "<varies>" {
                return true;
            }
            match want.get("len").and_then(Value::as_u64) {
                Some(len) => bytes.len() as u64 == len && hex(bytes).starts_with(wanted),
                None => hex(bytes) == wanted,
            }
        }
        Some(Value::String(placeholder)) => matches_placeholder(placeholder, bytes, context),
        Some(Value::Object(fields)) if fields.contains_key("family") => {
            matches_address(fields, bytes)
        }
        Some(Value::Object(fields)) => {
            fields.get("dyn").and_then(Value::as_u64) == bytes.first().map(|b| u64::from(*b))
                && fields.get("v").and_then(Value::as_str).is_some_and(|v| {
                    matches_placeholder(v, bytes.get(1..).unwrap_or_default(), context)
                })
        }
        Some(_) => false,
    }
}

fn matches_placeholder(placeholder: &str, bytes: &[u8], context: &Subtest<'_>) -> bool {
    let value = number(bytes);
    let role = |text: &str| context.tid(text.trim_end_matches('>'));
    if let Some(text) = placeholder.strip_prefix("<tid:") {
        return value.is_some() && value == role(text);
    }
    if let Some(text) = placeholder.strip_prefix("<-tid:") {
        return value.is_some() && value == role(text).map(|tid| -tid);
    }
    if placeholder.contains("=<cg>") {
        let names: Vec<_> = placeholder
            .split(' ')
            .map(|item| item.replace("<cg>", ""))
            .collect();
        let items: Vec<_> = bytes
            .strip_suffix(b"\0")
            .unwrap_or_default()
            .split(|b| *b == 0)
            .collect();
        return names.len() == items.len()
            && names
                .iter()
                .zip(items)
                .all(|(name, item)| item.starts_with(name.as_bytes()));
    }
    match placeholder {
        "<n>" | "<loginuid>" | "<varies>" => true,
        "<semid>" => value.is_some_and(|v| v >= 0),
        "<pid>" => value.is_some_and(|v| v > 0),
        "<ino>" | "<dev>" | "<time>" | "<rootcaps>" | "<key>" | "<cookie>" => {
            bytes.iter().any(|b| *b != 0)
        }
        "<addr>" | "<ptr>" => value.is_some_and(|v| v as u64 >= 1 << 20),
        _ => false,
    }
}

fn matches_address(want: &serde_json::Map<String, Value>, bytes: &[u8]) -> bool {
    let Some((&family, rest)) = bytes.split_first() else {
        return false;
    };
    if want["family"].as_u64() != Some(u64::from(family)) {
        return false;
    }
    let mut at = rest;
    let mut take = |n: usize| {
        let (head, tail) = at.split_at_checked(n)?;
        at = tail;
        Some(head.to_vec())
    };
    let width = if family == 2 { 4 } else { 16 };
    let fields: &[(&str, usize)] = match (family, want.contains_key("sip")) {
        (1, _) if want.contains_key("source") => &[("source", 8), ("dest", 8)],
        (1, _) => &[],
        (_, true) => &[("sip", 0), ("sport", 2), ("dip", 0), ("dport", 2)],
        (_, false) => &[("ip", 0), ("port", 2)],
    };
    for (name, len) in fields {
        let Some(bytes) = take(if *len == 0 { width } else { *len }) else {
            return false;
        };
        let ok = match &want[*name] {
            Value::String(s) if s == "<ptr>" => bytes.iter().any(|b| *b != 0),
            Value::String(s) if s == "<eport>" => {
                (32768..=60999).contains(&u16::from_le_bytes([bytes[0], bytes[1]]))
            }
            Value::String(s) => *s == hex(&bytes),
            Value::Number(n) if *len == 2 => {
                n.as_u64() == Some(u64::from(u16::from_le_bytes([bytes[0], bytes[1]])))
            }
            Value::Number(n) => n.as_u64() == number(&bytes).map(|v| v as u64),
            _ => false,
        };
        if !ok {
            return false;
        }
    }
    match want.get("path_hex").and_then(Value::as_str) {
        Some(path) => match path.strip_suffix("<rest>") {
            Some(start) => hex(at).starts_with(start),
            None => hex(at) == path,
        },
        None => at.is_empty(),
    }
}
