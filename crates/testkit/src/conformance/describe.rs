//! Descriptions of rule sets: `golden/listings/describe-SET.json.gz`.

use serde_json::Value;

use super::{Bench, brief, strings};
use crate::{Tally, jsonl};

/// Compares the description of every set, object by object.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let mut tally = Tally::new("describe");
    let Some(summary) = bench.document("golden/alerts/summary.json.gz", &mut tally) else {
        return tally;
    };
    for path in bench.corpus.files("golden/listings") {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let Some(set) = name
            .strip_prefix("describe-")
            .and_then(|n| n.split(".json").next())
        else {
            continue;
        };
        let rules = ["first", "all"]
            .iter()
            .map(|mode| strings(&summary[format!("{set}.{mode}")]["rules"]))
            .find(|rules| !rules.is_empty());
        let Some(rules) = rules else {
            tally.skip(format!(
                "{set}: the summary of alerts does not tell its rules"
            ));
            continue;
        };
        let wanted = match jsonl::document(&path) {
            Ok(wanted) => wanted,
            Err(e) => {
                tally.fail(set, e.to_string());
                continue;
            }
        };
        let mut args = vec![
            "-c".to_owned(),
            bench.golden_config(),
            "-o".to_owned(),
            "json_output=true".to_owned(),
        ];
        rules
            .into_iter()
            .for_each(|file| args.extend(["-r".to_owned(), file]));
        args.push("-L".to_owned());
        let run = bench.program.run(&args);
        match run.json() {
            Some(ours) => compare(set, ours, wanted, &mut tally),
            None => tally.fail(set, format!("no JSON on stdout; {}", run.ending())),
        }
    }
    tally
}

fn compare(set: &str, mut ours: Value, mut wanted: Value, tally: &mut Tally) {
    for kind in ["rules", "macros", "lists"] {
        let theirs = wanted[kind].take();
        let mine = ours[kind].take();
        let mine = mine.as_array().map_or(&[][..], Vec::as_slice);
        let theirs = theirs.as_array().map_or(&[][..], Vec::as_slice);
        let name = |object: &Value| object["info"]["name"].as_str().unwrap_or("").to_owned();
        for object in mine
            .iter()
            .filter(|o| !theirs.iter().any(|t| name(t) == name(o)))
        {
            tally.fail(
                format!("{set}/{kind}/{}", name(object)),
                "the original has no such one",
            );
        }
        for object in theirs {
            let id = format!("{set}/{kind}/{}", name(object));
            match mine.iter().find(|o| name(o) == name(object)) {
                None => tally.fail(id, "missing"),
                Some(found) => {
                    let mut faults = Vec::new();
                    differences("", &sorted(found), &sorted(object), &mut faults);
                    tally.case(id, &faults);
                }
            }
        }
    }
    let mut faults = Vec::new();
    differences("", &sorted(&ours), &sorted(&wanted), &mut faults);
    tally.case(set, &faults);
}

/// The same with lists of strings sorted, whose order the original leaves open. The items of a list
/// keep theirs.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| {
                let ordered = k == "items" || k == "items_compiled";
                (k.clone(), if ordered { v.clone() } else { sorted(v) })
            })
            .collect(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            if items.iter().all(Value::is_string) {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            items.into()
        }
        other => other.clone(),
    }
}

/// Names the places in which two documents differ.
pub(super) fn differences(path: &str, ours: &Value, wanted: &Value, faults: &mut Vec<String>) {
    if let (Value::Object(a), Value::Object(b)) = (ours, wanted) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (a, b) = (&ours[key.as_str()], &wanted[key.as_str()]);
            differences(&format!("{path}/{key}"), a, b, faults);
        }
        return;
    }
    if ours != wanted {
        if let (Value::Array(a), Value::Array(b)) = (ours, wanted)
            && a.iter().chain(b).all(Value::is_string)
        {
            let more: Vec<_> = a
                .iter()
                .filter(|x| !b.contains(x))
                .map(Value::to_string)
                .collect();
            let less: Vec<_> = b
                .iter()
                .filter(|x| !a.contains(x))
                .map(Value::to_string)
                .collect();
            let text = format!(
                "superfluous [{}], missing [{}]",
                more.join(" "),
                less.join(" ")
            );
            faults.push(format!("{path}: {}", brief(&text)));
            return;
        }
        let (a, b) = (brief(&ours.to_string()), brief(&wanted.to_string()));
        faults.push(format!("{path}: {a}\nexpected {b}"));
    }
}
