//! Listings of event types.
//!
//! Types that are converted on reading, or that nothing sends, are left out. System calls without a type of their
//! own follow the others, by name; each is listed as entered and left.

use std::fmt::Write;

use event::info::Flag;
use event::syscalls::SYSCALL_NAMES;
use event::{EVENTS, EventFlags, EventInfo, ParamInfo, ParamType, Source, codes};
use serde_json::{Value, json};

use super::{SCHEMA_VERSION, pretty};

/// Calls that rules see only when asked for all of them: they are many and say little.
const OFF_BY_DEFAULT: [&str; 11] = [
    "pread", "preadv", "pwrite", "pwritev", "read", "readv", "recv", "send", "sendfile", "write",
    "writev",
];

/// Codes that are tracepoints, or another machine's word for a call that has a type of its own.
#[rustfmt::skip]
const NO_CALLS: [&str; 23] = [
    "_llseek", "fcntl64", "getegid32", "geteuid32", "getgid32", "getresgid32", "getresuid32", "getuid32",
    "page_fault_kernel", "page_fault_user", "pread64", "prlimit64", "pwrite64", "sched_process_exit",
    "sched_switch", "sendfile64", "setgid32", "setresgid32", "setresuid32", "setuid32", "signal_deliver",
    "ugetrlimit", "unknown",
];

/// A line of the listing.
struct Line {
    name: &'static str,
    enter: bool,
    params: &'static [ParamInfo],
}

impl Line {
    fn of(info: &'static EventInfo) -> Self {
        Self {
            name: info.name,
            enter: info.is_enter(),
            params: info.params,
        }
    }

    fn direction(&self) -> char {
        if self.enter { '>' } else { '<' }
    }

    fn by_default(&self) -> bool {
        !OFF_BY_DEFAULT.contains(&self.name)
    }
}

const SECTIONS: [(&str, Source); 4] = [
    ("Syscall events", Source::Syscall),
    ("Tracepoint events", Source::Tracepoint),
    ("Plugin events", Source::Plugin),
    ("Metaevents", Source::Meta),
];

fn lines(source: Source) -> Vec<Line> {
    let mut lines: Vec<Line> = EVENTS
        .iter()
        .filter(|e| e.source == source && e.code > codes::GENERIC_X)
        .filter(|e| {
            !e.flags
                .intersects(EventFlags::OLD_VERSION | EventFlags::UNUSED)
        })
        .map(Line::of)
        .collect();
    if source == Source::Syscall {
        lines.extend(generic());
    }
    lines
}

fn generic() -> impl Iterator<Item = Line> {
    let own = |name: &str| {
        EVENTS
            .iter()
            .any(|e| e.code > codes::GENERIC_X && e.name == name)
    };
    let mut names: Vec<&'static str> = SYSCALL_NAMES
        .iter()
        .copied()
        .filter(|&n| !n.is_empty() && !NO_CALLS.contains(&n) && !own(n))
        .collect();
    names.sort_unstable();
    names.dedup();
    let line = |name, enter, code: u16| Line {
        name,
        enter,
        params: EVENTS[code as usize].params,
    };
    names.into_iter().flat_map(move |name| {
        [
            line(name, true, codes::GENERIC_E),
            line(name, false, codes::GENERIC_X),
        ]
    })
}

/// Names of a parameter's bits or values. Permission bits have names too, but they are well known.
fn flags(param: &ParamInfo) -> &'static [Flag] {
    if param.ty == ParamType::Mode {
        &[]
    } else {
        param.flags
    }
}

/// Name of a parameter's type: that of the variants where it differs from event to event.
fn type_name(ty: ParamType) -> &'static str {
    match ty {
        ParamType::CharBufArray => "CHARBUFARRAY",
        ParamType::CharBufPairArray => "CHARBUFPAIRARRAY",
        ParamType::Fd32 => "FD32",
        ParamType::Pid32 => "PID32",
        ParamType::Ipv4Net => "IPV4NET",
        ParamType::Ipv6Net => "IPV6NET",
        ParamType::None => "NONE",
        ParamType::Dyn => "DYNAMIC",
        other => crate::catalogue::field_type(other).name(),
    }
}

/// `TYPE **name**: FLAG, FLAG` of all parameters; flags between `mark`s.
fn params(line: &Line, mark: &str, out: &mut String) {
    for (i, param) in line.params.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "{} **{}**", type_name(param.ty), param.name);
        for (i, flag) in flags(param).iter().enumerate() {
            let separator = if i == 0 { ": " } else { ", " };
            let _ = write!(out, "{separator}{mark}{}{mark}", flag.name);
        }
    }
}

fn preamble() -> String {
    format!("The events below are valid for Falco *Schema Version*: {SCHEMA_VERSION}\n")
}

pub(super) fn text() -> String {
    let mut out = preamble();
    for (title, source) in SECTIONS {
        let _ = write!(out, "## {title}\n\n");
        for line in lines(source) {
            let _ = write!(out, "{} {}(", line.direction(), line.name);
            params(&line, "", &mut out);
            out.push_str(")\n");
        }
        out.push('\n');
    }
    out
}

pub(super) fn markdown() -> String {
    let mut out = preamble();
    for (title, source) in SECTIONS {
        let _ = write!(
            out,
            "## {title}\n\nDefault | Dir | Name | Params \n:-------|:----|:-----|:-----\n"
        );
        for line in lines(source) {
            let default = if line.by_default() { "Yes" } else { "No" };
            let _ = write!(
                out,
                "{default} | `{}` | `{}` | ",
                line.direction(),
                line.name
            );
            params(&line, "*", &mut out);
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

pub(super) fn json() -> String {
    let param = |p: &ParamInfo| {
        let mut object = json!({ "name": p.name, "type": type_name(p.ty) });
        if !flags(p).is_empty() {
            let flags: Vec<&str> = flags(p).iter().map(|f| f.name).collect();
            object["flags"] = json!(flags);
        }
        object
    };
    let event = |line: &Line| {
        json!({
            "name": line.name,
            "dir": line.direction().to_string(),
            "available": line.by_default(),
            "params": line.params.iter().map(param).collect::<Vec<Value>>(),
        })
    };
    let mut document = json!({ "schema_version": SCHEMA_VERSION });
    for (title, source) in SECTIONS {
        document[title] = lines(source).iter().map(event).collect();
    }
    pretty(&document)
}
