//! Captures as they were recorded: counts, fields and filters over unconverted events.
//!
//! The expectations are those of sysdig 0.29.3, whose engine delivers the enter and exit halves of a
//! system call as the driver recorded them; `read --raw` shows the same events. Where sysdig and the
//! newer original (`golden/events`) differ about an exit event, the newer one decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Bench, brief};
use crate::corpus::CaptureFile;
use crate::{Tally, jsonl};

/// Compares the number of events by type and direction, and the first and last one.
#[must_use]
pub fn counts(bench: &Bench) -> Tally {
    let mut tally = Tally::new("raw-counts");
    let Some(expected) = bench.document("captures/expected-events.json", &mut tally) else {
        return tally;
    };
    let captures = known(bench, &expected, &mut tally);
    let results = bench.each(&captures, |capture| {
        let wanted = &expected[format!("{}.scap", capture.name)];
        match raw(
            bench,
            capture,
            &["evt.num", "evt.rawtime", "evt.type", "evt.dir"],
            None,
        ) {
            Ok(events) => count_faults(&events, wanted),
            Err(why) => vec![why],
        }
    });
    for (capture, faults) in captures.iter().zip(results) {
        tally.case(&capture.name, &faults);
    }
    tally
}

fn count_faults(events: &[Value], wanted: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: &str, ours: Value, wanted: &Value| {
        if !wanted.is_null() && ours != *wanted {
            faults.push(format!(
                "{what}: {}, expected {}",
                brief(&ours.to_string()),
                brief(&wanted.to_string())
            ));
        }
    };
    fault("events", events.len().into(), &wanted["events"]);
    for (key, field) in [("events_by_type", "evt.type"), ("events_by_dir", "evt.dir")] {
        let mut ours = BTreeMap::<&str, u64>::new();
        for event in events {
            *ours
                .entry(event[field].as_str().unwrap_or("<NA>"))
                .or_default() += 1;
        }
        let empty = serde_json::Map::new();
        let table = wanted[key].as_object().unwrap_or(&empty);
        let names: BTreeSet<&str> = ours
            .keys()
            .copied()
            .chain(table.keys().map(String::as_str))
            .collect();
        for name in names {
            let found = ours.get(name).copied().unwrap_or(0);
            fault(
                name,
                found.into(),
                table.get(name).unwrap_or(&Value::from(0)),
            );
        }
    }
    for (key, event) in [("first", events.first()), ("last", events.last())] {
        let Some(event) = event else { continue };
        fault(
            key,
            event["evt.num"].clone(),
            &wanted[format!("{key}_evt_num")],
        );
        for stamp in ["ts", "timestamp", "rawtime"] {
            fault(
                key,
                event["evt.rawtime"].clone(),
                &wanted[format!("{key}_{stamp}")],
            );
        }
    }
    faults
}

/// Compares the fields of every event; one case for each capture, field, and kind of event:
/// `CAPTURE/FIELD/>open`, see [`circumstance`].
#[must_use]
pub fn fields(bench: &Bench) -> Tally {
    let mut tally = Tally::new("raw-fields");
    let captures: Vec<CaptureFile> = bench
        .corpus
        .captures()
        .into_iter()
        .filter(|capture| bench.corpus.existing(listing(capture)).is_some())
        .collect();
    if captures.is_empty() {
        tally.skip("captures/sysdig: not in this corpus");
    }
    let results = bench.each(&captures, |capture| {
        field_faults(bench, capture).unwrap_or_else(|why| vec![(capture.name.clone(), vec![why])])
    });
    for (id, faults) in results.into_iter().flatten() {
        tally.case(id, &faults);
    }
    tally
}

fn listing(capture: &CaptureFile) -> String {
    format!("captures/sysdig/{}.sysdig.jsonl.gz", capture.name)
}

type Case = (String, Vec<String>);

/// Number of events, and those that differ: ours and theirs.
type Compared<'a> = (usize, Vec<(&'a Value, &'a Value)>);

fn field_faults(bench: &Bench, capture: &CaptureFile) -> Result<Vec<Case>, String> {
    let path = bench.corpus.path(listing(capture));
    let lines = jsonl::lines(&path).map_err(|e| e.to_string())?;
    let wanted: Vec<Value> = lines.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let names: BTreeSet<&str> = wanted
        .iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(k, _)| k.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let ours = raw(bench, capture, &names, None)?;
    if ours.len() != wanted.len() {
        return Err(format!("{} events, expected {}", ours.len(), wanted.len()));
    }
    let golden = golden_fields(bench, capture, &names);
    let mut cases = BTreeMap::<String, Compared<'_>>::new();
    for (ours, wanted) in ours.iter().zip(&wanted) {
        let event = format!("{}{}", text(&wanted["evt.dir"]), text(&wanted["evt.type"]));
        for name in &names {
            let id = format!(
                "{}/{name}/{event}{}",
                capture.name,
                circumstance(name, ours)
            );
            let (count, differing) = cases.entry(id).or_default();
            *count += 1;
            let decided = || {
                let key = (
                    wanted["evt.rawtime"].as_u64(),
                    wanted["thread.tid"].as_i64(),
                );
                let golden = golden.get(&key).filter(|_| wanted["evt.dir"] == "<");
                golden.is_some_and(|golden| {
                    // Today's events have more parameters behind those that were recorded.
                    let begins = *name == "evt.args"
                        && text(&golden[*name]).starts_with(text(&ours[*name]).trim_end());
                    begins || equal(name, &ours[*name], &golden[*name])
                })
            };
            if !equal(name, &ours[*name], &wanted[*name]) && !decided() {
                differing.push((ours, wanted));
            }
        }
    }
    let mut explained = Vec::new();
    for (id, (count, differing)) in cases {
        let name = id.split('/').nth(1).unwrap_or("");
        let examples = differing.iter().take(2).map(|(a, b)| {
            let (ours, wanted) = (brief(&a[name].to_string()), brief(&b[name].to_string()));
            format!(
                "{} of {count}: {} {ours}\nexpected {wanted}",
                differing.len(),
                b["evt.num"]
            )
        });
        let faults = examples.collect();
        explained.push((id, faults));
    }
    Ok(explained)
}

/// What sets some values of a field apart, as the end of the case's id: there is no descriptor, or the
/// process is in a container.
fn circumstance(name: &str, ours: &Value) -> &'static str {
    let nothing = match name {
        "fd.name" => ours[name] == "",
        "fd.directory" => ours[name] == "/" && ours["fd.filename"].is_null(),
        "fd.typechar" => ours[name] == "o" && ours["fd.type"].is_null(),
        _ => false,
    };
    let container = &ours["container.id"];
    match name {
        _ if nothing => "/none",
        "user.name" if !container.is_null() && container != "host" => "/contained",
        _ => "",
    }
}

type Golden = HashMap<(Option<u64>, Option<i64>), Value>;

/// What today's original says about the same events, by time and thread. It decides where the two
/// differ; it has exit events only.
fn golden_fields(bench: &Bench, capture: &CaptureFile, names: &[&str]) -> Golden {
    let mut found = Golden::new();
    let path = bench
        .corpus
        .path(format!("golden/events/{}.jsonl.gz", capture.name));
    let Ok(lines) = jsonl::lines(&path) else {
        return found;
    };
    for event in lines.map_while(Result::ok) {
        let fields: Value = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), event["f"].get(*name)?.clone())))
            .collect();
        found.insert((event["ts"].as_u64(), event["tid"].as_i64()), fields);
    }
    found
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "<NA>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Equality by value: numbers, booleans and their texts are the same thing here, and so are a missing
/// value and `<NA>`; bytes that do not print are dots in `evt.args`.
fn equal(name: &str, ours: &Value, wanted: &Value) -> bool {
    let (mut a, mut b) = (text(ours), text(wanted));
    if name == "evt.args" {
        let dots = |s: &str| {
            s.chars()
                .map(|c| if c.is_control() { '.' } else { c })
                .collect()
        };
        (a, b) = (dots(a.trim_end()), dots(b.trim_end()));
    }
    a == b
}

/// Compares how many events each filter matches, and which are the first of them.
#[must_use]
pub fn filters(bench: &Bench) -> Tally {
    let mut tally = Tally::new("filter-counts");
    let Some(expected) = bench.document("captures/expected-filter-counts.json", &mut tally) else {
        return tally;
    };
    let captures = bench.corpus.captures();
    let filters: Vec<(&String, &Value)> = expected.as_object().into_iter().flatten().collect();
    let results = bench.each(&filters, |(filter, wanted)| {
        let mut faults = Vec::new();
        for capture in &captures {
            let key = format!("{}.scap", capture.name);
            let events = raw(bench, capture, &["evt.num"], Some(filter));
            if !wanted["sysdig_error"].is_null() {
                if events.is_ok() {
                    faults.push("must be refused".to_owned());
                }
                break;
            }
            let Some(count) = wanted["counts"][&key].as_u64() else {
                continue;
            };
            match events {
                Err(why) => {
                    faults.push(format!("{}: {why}", capture.name));
                    break;
                }
                Ok(events) => {
                    let first: Vec<&Value> = events.iter().map(|e| &e["evt.num"]).take(5).collect();
                    let none = Vec::new();
                    let listed = wanted["first_evt_nums"][&key].as_array().unwrap_or(&none);
                    if events.len() as u64 != count || !listed.iter().eq(first.iter().copied()) {
                        faults.push(format!(
                            "{}: {} events {first:?}, expected {count} {listed:?}",
                            capture.name,
                            events.len()
                        ));
                    }
                }
            }
        }
        faults
    });
    for ((filter, _), faults) in filters.iter().zip(results) {
        tally.case(*filter, &faults);
    }
    tally
}

/// The captures that an expectation speaks of; those it does not know are said.
fn known(bench: &Bench, expected: &Value, tally: &mut Tally) -> Vec<CaptureFile> {
    let (known, other): (Vec<_>, Vec<_>) =
        bench.corpus.captures().into_iter().partition(|capture| {
            // No event at all: sysdig was too old to read the file.
            let events = &expected[format!("{}.scap", capture.name)]["events"];
            events.as_u64().is_some_and(|events| events > 0)
        });
    for capture in other {
        tally.skip(format!("{}: no expectation", capture.name));
    }
    known
}

/// Events as recorded, as objects of the named fields.
fn raw(
    bench: &Bench,
    capture: &CaptureFile,
    fields: &[&str],
    filter: Option<&str>,
) -> Result<Vec<Value>, String> {
    let format: Vec<String> = fields.iter().map(|name| format!("%{name}")).collect();
    let (file, format) = (capture.path.display().to_string(), format.join(" "));
    let mut args = vec!["read", "--raw", "--json", "-p", &format, &file];
    args.extend(filter);
    let run = bench.program.run(&args);
    if run.code != Some(0) {
        return Err(run.ending());
    }
    let out = run.out();
    out.lines()
        .map(|line| serde_json::from_str(line).map_err(|e| format!("{e}: {}", brief(line))))
        .collect()
}
