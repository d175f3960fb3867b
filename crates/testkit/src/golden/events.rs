//! Every event of every capture, compared with what the original says about it: the parameters as text, and
//! up to 196 fields as JSON.
//!
//! Differences are counted by field and capture: one case is one field of one capture, `CAPTURE/FIELD`; parameters are
//! `CAPTURE/p.TYPE`, events that are missing or superfluous `CAPTURE/events`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

use bumpalo::Bump;
use capture::{Item, Reader};
use event::Record;
use fields::{Catalogue, Environment, EventView, render};
use filter::{FieldDef, FieldSource, Purpose, Schema};
use serde_json::Value;
use state::{Engines, Options, State};

use super::accounts;
use super::event_fields::{ALWAYS, SOMETIMES};
use super::value;
use crate::{Corpus, Tally, jsonl};

/// Differences of one field that are kept as examples.
const EXAMPLES: usize = 12;
/// Bytes of a parameter that the golden files hold.
const PARAM_BYTES: usize = 1024;

/// What became of one field.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Values compared, missing ones included.
    pub compared: u64,
    /// Values that differ.
    pub differing: u64,
    /// The first few: event number, type, theirs, ours.
    pub examples: Vec<String>,
}

/// Counts by case, see the module's head.
pub type Counts = BTreeMap<String, Count>;

/// Compares all captures of the corpus that have a golden file.
///
/// # Errors
/// What the file system says, or a capture that cannot be read.
pub fn compare(corpus: &Corpus) -> io::Result<BTreeMap<String, Counts>> {
    let mut all = BTreeMap::new();
    for capture in corpus.captures() {
        let golden = format!("golden/events/{}.jsonl.gz", capture.name);
        if let Some(golden) = corpus.existing(golden) {
            all.insert(capture.name.clone(), compare_one(&capture.path, &golden)?);
        }
    }
    Ok(all)
}

/// Counts as cases for the conformance report.
#[must_use]
pub fn tally(all: &BTreeMap<String, Counts>) -> Tally {
    let mut tally = Tally::new("golden-events");
    for (capture, counts) in all {
        for (field, count) in counts {
            let id = format!("{capture}/{field}");
            if count.differing == 0 {
                tally.pass(&id);
            } else {
                let what = format!("{} of {} differ\n", count.differing, count.compared);
                tally.fail(&id, what + &count.examples.join("\n"));
            }
        }
    }
    tally
}

/// A table of fields with the number of differences over all captures, the worst first.
#[must_use]
pub fn table(all: &BTreeMap<String, Counts>, examples: usize) -> String {
    let mut sums: BTreeMap<&str, Count> = BTreeMap::new();
    for (capture, counts) in all {
        for (field, count) in counts {
            let sum = sums.entry(field).or_default();
            sum.compared += count.compared;
            sum.differing += count.differing;
            let named = count
                .examples
                .iter()
                .take(examples)
                .map(|e| format!("{capture} {e}"));
            sum.examples.extend(named);
        }
    }
    let mut rows: Vec<_> = sums.into_iter().filter(|(_, c)| c.differing > 0).collect();
    rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.differing));
    let mut text = String::new();
    for (field, count) in rows {
        let _ = writeln!(
            text,
            "{field:40} {:8} of {:8}",
            count.differing, count.compared
        );
        for example in &count.examples {
            let _ = writeln!(text, "    {example}");
        }
    }
    text
}

/// Compares one capture with its golden file.
///
/// # Errors
/// What the file system says, or a capture that cannot be read.
pub fn compare_one(capture: &Path, golden: &Path) -> io::Result<Counts> {
    let mut run = Run::new()?;
    let mut expected = jsonl::lines(golden)?;
    let mut reader = Reader::new(File::open(capture)?).map_err(io::Error::other)?;
    let mut state = State::new(options());
    let mut environment = Environment {
        hostname: b"golden".to_vec(),
        ..Environment::default()
    };
    let mut scratch = Bump::new();
    while let Some(item) = reader.next().map_err(io::Error::other)? {
        match item {
            Item::Machine(machine) => state.load_machine(&machine),
            Item::Process(process) => {
                state.load_process(&process);
            }
            Item::Descriptor(descriptor) => state.load_descriptor(&descriptor),
            Item::Interfaces(interfaces) => state.load_interfaces(&interfaces),
            Item::Users(users) => state.load_users(&users),
            Item::Loaded => state.finish_load(),
            Item::Restart => state.reset(),
            Item::Event(record) => {
                let context = state.process(&record);
                environment.see(&record);
                if context.visible {
                    let view = EventView::new(&record, &state, &context, &environment);
                    match expected.next().transpose()? {
                        Some(line) => run.compare(&line, &view, &scratch),
                        None => {
                            run.count("events", true, || format!("{} too many", context.number));
                        }
                    }
                    scratch.reset();
                }
            }
            _ => {}
        }
    }
    for line in expected {
        let line = line?;
        run.count("events", true, || format!("{} is missing", line["n"]));
    }
    Ok(run.counts)
}

/// Captures without a user list show the accounts of the machine that made the golden files.
fn options() -> Options {
    Options {
        local_users: accounts::users(),
        local_groups: accounts::groups(),
        // Containers were a stub's: every thread was on the host.
        engines: Engines::none(),
        ..Options::default()
    }
}

struct Run {
    always: Vec<FieldDef>,
    sometimes: Vec<FieldDef>,
    counts: Counts,
}

impl Run {
    fn new() -> io::Result<Self> {
        let catalogue = Catalogue::new([]);
        let resolve = |names: &[&str]| {
            let fields = names.iter().map(|name| {
                catalogue
                    .resolve(name)
                    .map_err(|e| io::Error::other(format!("{name}: {e}")))
            });
            fields.collect::<io::Result<Vec<_>>>()
        };
        Ok(Self {
            always: resolve(ALWAYS)?,
            sometimes: resolve(SOMETIMES)?,
            counts: Counts::new(),
        })
    }

    fn count(&mut self, case: &str, differs: bool, example: impl FnOnce() -> String) {
        if !self.counts.contains_key(case) {
            self.counts.insert(case.to_owned(), Count::default());
        }
        let Some(count) = self.counts.get_mut(case) else {
            return;
        };
        count.compared += 1;
        if differs {
            count.differing += 1;
            if count.examples.len() < EXAMPLES {
                count.examples.push(example());
            }
        }
    }

    fn compare(&mut self, line: &Value, view: &EventView<'_>, scratch: &Bump) {
        let record = view.record;
        let same = line["ts"] == record.ts
            && line["code"] == record.code.number()
            && line["n"] == view.context.number
            && line["tid"] == record.tid
            && line["cpu"] == record.cpu;
        self.count("events", !same, || {
            format!(
                "{} {} at {} of {} on {}: ours is {} {} at {} of {} on {}",
                line["n"],
                line["code"],
                line["ts"],
                line["tid"],
                line["cpu"],
                view.context.number,
                record.code.number(),
                record.ts,
                record.tid,
                record.cpu
            )
        });
        self.parameters(line, view, scratch);
        let theirs = &line["f"];
        let always = std::mem::take(&mut self.always);
        for field in &always {
            self.field(field, theirs, view, scratch);
        }
        self.always = always;
        if theirs.get("evt.num").is_some() {
            let sometimes = std::mem::take(&mut self.sometimes);
            for field in &sometimes {
                self.field(field, theirs, view, scratch);
            }
            self.sometimes = sometimes;
        }
    }

    fn field(&mut self, field: &FieldDef, theirs: &Value, view: &EventView<'_>, scratch: &Bump) {
        // Where the data is empty the original prints left-over bytes, and the golden file leaves it out.
        if field.name.starts_with("evt.deltatime")
            || (field.name == "evt.buffer"
                && view.record.param_named("data").is_none_or(<[u8]>::is_empty))
        {
            return;
        }
        let ours = view.extract(&field.field, Purpose::Json, scratch);
        let ours = ours.map_or(Value::Null, |value| value::json(field, &value));
        let theirs = theirs.get(&field.name).unwrap_or(&Value::Null);
        let equal = match (theirs, &ours) {
            // The original keeps a set without an order.
            (Value::Array(theirs), Value::Array(ours)) => {
                theirs.len() == ours.len() && theirs.iter().all(|item| ours.contains(item))
            }
            // What the reader of JSON makes of the last digit is not ours to tell.
            (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
                let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
                (a - b).abs() <= 1e-12 * b.abs()
            }
            _ => *theirs == ours,
        };
        self.count(&field.name, !equal, || {
            example(view.record, view.context.number, theirs, &ours)
        });
    }

    fn parameters(&mut self, line: &Value, view: &EventView<'_>, scratch: &Bump) {
        let record = view.record;
        let none = Vec::new();
        let theirs = line["p"].as_array().unwrap_or(&none);
        self.count("p", theirs.len() != record.len(), || {
            format!(
                "{} {}: {} parameters, ours {}",
                line["n"],
                record.info.name,
                theirs.len(),
                record.len()
            )
        });
        for (index, expected) in theirs.iter().enumerate().take(record.len()) {
            let param = &record.info.params[index];
            let bytes = record.param(index);
            let mut hex = String::new();
            for byte in bytes.iter().take(PARAM_BYTES) {
                let _ = write!(hex, "{byte:02x}");
            }
            let mut raw = render::Out::new_in(scratch);
            render::raw(view, index, &mut raw);
            let mut resolved = render::Out::new_in(scratch);
            let mut ours = vec![
                Value::from(param.name),
                bytes.len().into(),
                hex.into(),
                String::from_utf8_lossy(&raw).into(),
            ];
            if render::resolved(view, index, &mut resolved) && resolved != raw {
                ours.push(String::from_utf8_lossy(&resolved).into());
            }
            let ours = Value::Array(ours);
            let case = format!("p.{:?}", param.ty);
            self.count(&case, ours != *expected, || {
                example(
                    record,
                    view.context.number,
                    &without_hex(expected),
                    &without_hex(&ours),
                )
            });
        }
    }
}

fn without_hex(param: &Value) -> Value {
    let mut param = param.clone();
    if let Some(hex) = param.get_mut(2)
        && hex.as_str().is_some_and(|h| h.len() > 32)
    {
        *hex = Value::from("...");
    }
    param
}

fn example(record: &Record<'_>, number: u64, theirs: &Value, ours: &Value) -> String {
    format!(
        "{number} {} ({}): theirs {theirs} ours {ours}",
        record.info.name, record.tid
    )
}
