//! The validation result of every rule file (`golden/validation`): codes, items, places, snippets.

use serde_json::Value;

use super::{Bench, brief};
use crate::Tally;

/// Validates each file alone and compares.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let mut tally = Tally::new("validation");
    let Some(files) = bench.document("golden/validation/files.json.gz", &mut tally) else {
        return tally;
    };
    let files: Vec<(&String, &Value)> = files.as_object().into_iter().flatten().collect();
    let (present, missing): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|(file, _)| bench.corpus.existing(file).is_some());
    for (file, _) in missing {
        tally.skip(format!("{file}: not in this corpus"));
    }
    let config = bench.golden_config();
    let results = bench.each(&present, |(file, expected)| {
        let args = ["-c", &config, "-o", "json_output=true", "-V", file];
        let run = bench.program.run(&args);
        let mut faults = Vec::new();
        if run.code.map(i64::from) != expected["exit"].as_i64() {
            faults.push(format!(
                "expected exit code {}; {}",
                expected["exit"],
                run.ending()
            ));
        }
        let wanted = &expected["result"]["falco_load_results"][0];
        if wanted.is_null() {
            return faults;
        }
        match run.json() {
            Some(json) => faults.extend(result_faults(&json["falco_load_results"][0], wanted)),
            None => faults.push(format!("no JSON on stdout; {}", run.ending())),
        }
        faults
    });
    for ((file, _), faults) in present.iter().zip(results) {
        tally.case(*file, &faults);
    }
    tally
}

fn result_faults(ours: &Value, wanted: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for key in ["name", "successful", "schema_valid"] {
        if ours[key] != wanted[key] {
            faults.push(format!("{key}: {}, expected {}", ours[key], wanted[key]));
        }
    }
    let (a, b) = (schema_places(ours), schema_places(wanted));
    if a != b {
        faults.push(format!("schema warnings: {a:?}, expected {b:?}"));
    }
    for list in ["errors", "warnings"] {
        let none = Vec::new();
        let ours = ours[list].as_array().unwrap_or(&none);
        let wanted = wanted[list].as_array().unwrap_or(&none);
        for at in 0..ours.len().max(wanted.len()) {
            match (ours.get(at).map(finding), wanted.get(at).map(finding)) {
                (a, b) if a == b => {}
                (a, b) => {
                    let show = |f: Option<Value>| {
                        f.map_or("nothing".to_owned(), |f| brief(&f.to_string()))
                    };
                    faults.push(format!(
                        "{list}[{at}] of {}, expected {}: {}\nexpected {}\n  says {}",
                        ours.len(),
                        wanted.len(),
                        show(a),
                        show(b),
                        wanted
                            .get(at)
                            .map_or("", |w| w["message"].as_str().unwrap_or(""))
                    ));
                    break;
                }
            }
        }
    }
    faults
}

/// What of a finding is no sentence: code, places, snippet, the deprecated field.
fn finding(finding: &Value) -> Value {
    let places = finding["context"]["locations"]
        .as_array()
        .into_iter()
        .flatten();
    let places: Vec<Value> = places
        .map(|place| {
            serde_json::json!({
                "item": [place["item_type"], place["item_name"]],
                "at": [
                    place["position"]["name"],
                    place["position"]["line"],
                    place["position"]["column"],
                    place["position"]["offset"],
                ],
            })
        })
        .collect();
    serde_json::json!({
        "code": finding["code"],
        "places": places,
        "snippet": finding["context"]["snippet"],
        "field": finding["deprecated_field"],
    })
}

/// The places in a document that schema warnings speak of: `failed for PLACE: sentence`.
fn schema_places(result: &Value) -> Vec<String> {
    super::strings(&result["schema_warnings"])
        .iter()
        .map(|warning| warning.split(": ").next().unwrap_or("").to_owned())
        .collect()
}
