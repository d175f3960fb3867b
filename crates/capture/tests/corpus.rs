//! Every capture of the corpus, against what Falco and sysdig read from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Read};

use capture::{Item, Reader};
use event::{Record, RecordFlags};

/// A line of the golden events, without the fields that are not the capture's business.
#[derive(serde::Deserialize)]
struct Golden {
    n: u64,
    ts: u64,
    code: u16,
    cpu: u16,
    tid: i64,
    p: Vec<Vec<Option<serde_json::Value>>>,
}

/// Bytes of a parameter that the golden files hold.
const GOLDEN_BYTES: usize = 1024;

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        let _ = write!(text, "{b:02x}");
    }
    text
}

/// Enter events that only the state sees: they take a number and are not in the golden files.
fn state_only(record: &Record<'_>) -> bool {
    let enters = [
        event::codes::SYSCALL_OPEN_E,
        event::codes::SYSCALL_CREAT_E,
        event::codes::SYSCALL_OPENAT_2_E,
        event::codes::SYSCALL_OPENAT2_E,
        event::codes::SOCKET_CONNECT_E,
        event::codes::SYSCALL_EXECVE_19_E,
        event::codes::SYSCALL_EXECVEAT_E,
    ];
    record.flags.contains(RecordFlags::STATE_ONLY) || enters.contains(&record.code.number())
}

fn content(name: &str, path: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut f| f.read_to_end(&mut bytes));
    read.unwrap_or_else(|e| panic!("{name}: {e}"));
    bytes
}

#[test]
fn converted_events_equal_the_golden_ones() {
    let Some(corpus) = testkit::corpus::find("conversion of the corpus' captures") else {
        return;
    };
    let mut differences = Vec::new();
    let (mut captures, mut events, mut params) = (0, 0u64, 0u64);
    for file in corpus.captures() {
        let golden = corpus.path(format!("golden/events/{}.jsonl.gz", file.name));
        if !golden.exists() {
            continue;
        }
        captures += 1;
        let golden = testkit::jsonl::open(&golden).expect("readable golden events");
        let mut golden = golden.lines();
        let bytes = content(&file.name, &file.path);
        let mut reader = Reader::new(bytes.as_slice()).expect("a capture");
        let mut number = 0u64;
        while let Some(item) = reader
            .next()
            .unwrap_or_else(|e| panic!("{}: {e}", file.name))
        {
            let Item::Event(record) = item else { continue };
            number += 1;
            if state_only(&record) {
                continue;
            }
            let Some(expected) = golden.next() else {
                differences.push(format!("{}: event {number} is too many", file.name));
                break;
            };
            let expected = expected.expect("readable golden events");
            let expected: Golden = serde_json::from_str(&expected).expect("a golden event");
            events += 1;
            let code = record.code.number();
            let found = (
                number,
                record.ts,
                code,
                record.cpu,
                record.tid,
                record.len(),
            );
            let Golden {
                n,
                ts,
                code,
                cpu,
                tid,
                p,
            } = expected;
            let wanted = (n, ts, code, cpu, tid, p.len());
            if found != wanted {
                differences.push(format!("{}: {found:?}, expected {wanted:?}", file.name));
                break;
            }
            for (i, wanted) in p.iter().enumerate() {
                params += 1;
                let bytes = record.param(i);
                let found = (
                    Some(record.info.params[i].name),
                    Some(bytes.len() as u64),
                    hex(&bytes[..bytes.len().min(GOLDEN_BYTES)]),
                );
                let wanted = (
                    wanted[0].as_ref().and_then(|v| v.as_str()),
                    wanted[1].as_ref().and_then(serde_json::Value::as_u64),
                    wanted[2]
                        .as_ref()
                        .and_then(|v| v.as_str())
                        .unwrap_or_default()
                        .to_owned(),
                );
                if found != wanted {
                    differences.push(format!(
                        "{}: event {number} ({}, {}): {found:?}, expected {wanted:?}",
                        file.name,
                        record.info.name,
                        record.code.number()
                    ));
                }
            }
        }
        if golden.next().is_some() {
            differences.push(format!("{}: events are missing after {number}", file.name));
        }
    }
    println!("{captures} captures, {events} events, {params} parameters compared");
    for line in differences.iter().take(40) {
        println!("{}", line.chars().take(400).collect::<String>());
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
    assert!(captures > 0, "the corpus has no golden events");
}

/// The name sysdig 0.29.3 prints for a raw event; generic events are named by their system call.
fn sysdig_name(record: &Record<'_>) -> String {
    if !matches!(
        record.code.number(),
        event::codes::GENERIC_E | event::codes::GENERIC_X
    ) {
        return record.info.name.to_owned();
    }
    let known = record
        .u16(0)
        .and_then(|id| event::syscalls::SYSCALL_NAMES.get(usize::from(id)));
    match known {
        // It knew number 298 by another name.
        Some(&"rt_sigreturn") => "sigreturn".to_owned(),
        Some(&"unknown") | None => "<unknown>".to_owned(),
        Some(&name) => name.to_owned(),
    }
}

#[test]
fn raw_events_are_those_sysdig_counts() {
    let Some(corpus) = testkit::corpus::find("raw events of the corpus' captures") else {
        return;
    };
    let Some(expected) = corpus.existing("captures/expected-events.json") else {
        return;
    };
    let expected = testkit::jsonl::document(&expected).expect("JSON");
    let mut compared = 0;
    for file in corpus.captures() {
        let wanted = &expected[format!("{}.scap", file.name)];
        let bytes = content(&file.name, &file.path);
        let mut reader = Reader::raw(bytes.as_slice()).expect("a capture");
        let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
        let mut by_dir: BTreeMap<String, u64> = BTreeMap::new();
        let mut initial = true;
        let mut total = 0u64;
        while let Some(item) = reader
            .next()
            .unwrap_or_else(|e| panic!("{}: {e}", file.name))
        {
            let Item::Event(record) = item else { continue };
            total += 1;
            initial &= capture::is_initial_state(record.code.number());
            // sysdig shows neither the initial state nor its own kinds of events.
            if initial || record.info.internal {
                continue;
            }
            *by_type.entry(sysdig_name(&record)).or_default() += 1;
            let dir = if record.info.is_enter() { ">" } else { "<" };
            *by_dir.entry(dir.to_owned()).or_default() += 1;
        }
        // One capture is too new for the sysdig that counted.
        if wanted["events"].as_u64().unwrap_or(0) == 0 {
            println!("{}: {total} raw events, not counted by sysdig", file.name);
            continue;
        }
        compared += 1;
        let counts = |key: &str| -> BTreeMap<String, u64> {
            serde_json::from_value(wanted[key].clone()).expect("counts")
        };
        assert_eq!(by_type, counts("events_by_type"), "{}", file.name);
        assert_eq!(by_dir, counts("events_by_dir"), "{}", file.name);
    }
    println!("{compared} captures compared");
    assert!(compared > 0, "the corpus counts no events");
}
