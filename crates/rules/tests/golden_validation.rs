//! Every rule file of the corpus alone: the same verdict, codes, items and places as Falco's.

#![allow(clippy::unwrap_used, reason = "a test")]

mod corpus;

use rules::{Loader, Options};
use serde_json::{Value, json};

/// What is compared of an error or warning: all but the sentences.
fn essence(entry: &Value) -> Value {
    json!([
        entry["code"],
        entry["context"]["locations"],
        entry["context"]["snippet"],
        entry.get("deprecated_field"),
    ])
}

#[test]
fn results_equal_falcos() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let golden = corpus::json(&folder.join("golden/validation/files.json.gz"));
    let catalogue = corpus::catalogue();
    let (mut passed, mut failed) = (0, Vec::new());
    for (file, expected) in golden.as_object().unwrap() {
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let loaded = loader.load(file, &bytes);
        let Some(result) = expected.get("result").filter(|r| !r.is_null()) else {
            // The run ended over a plugin that is not there.
            if loader.unmet_plugins().is_empty() {
                failed.push(format!("{file}: the missing plugin went unnoticed"));
            } else {
                passed += 1;
            }
            continue;
        };
        let want = &result["falco_load_results"][0];
        let have = loaded.json(loader.sources());
        let mut wrong = Vec::new();
        for key in ["name", "successful", "schema_valid", "schema_warnings"] {
            if want.get(key) != have.get(key) {
                wrong.push(format!(
                    "{key}: {:?} instead of {:?}",
                    have.get(key),
                    want.get(key)
                ));
            }
        }
        for key in ["errors", "warnings"] {
            let want: Vec<Value> = want[key].as_array().unwrap().iter().map(essence).collect();
            let have: Vec<Value> = have[key].as_array().unwrap().iter().map(essence).collect();
            for entry in want.iter().filter(|e| !have.contains(e)) {
                wrong.push(format!("{key}: lacks {entry}"));
            }
            for entry in have.iter().filter(|e| !want.contains(e)) {
                wrong.push(format!("{key}: too much: {entry}"));
            }
            if wrong.is_empty() && want != have {
                wrong.push(format!("{key}: another order"));
            }
        }
        if wrong.is_empty() {
            passed += 1;
        } else {
            failed.push(format!("{file}:\n  {}", wrong.join("\n  ")));
        }
    }
    println!("validation: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
