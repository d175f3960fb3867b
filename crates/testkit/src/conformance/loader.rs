//! The cases of `regression/loader-cases.json`: rule contents loaded one after the other.

use serde_json::Value;

use super::{Bench, sentences, strings};
use crate::Tally;

/// Runs all of them through `-V`, `-L` and `-l`.
#[must_use]
pub fn run(bench: &Bench) -> Tally {
    let mut tally = Tally::new("loader");
    let Some(cases) = bench.document("regression/loader-cases.json", &mut tally) else {
        return tally;
    };
    let cases = cases.as_array().cloned().unwrap_or_default();
    let results = bench.each(&cases, |case| faults(bench, case));
    for (case, faults) in cases.iter().zip(results) {
        tally.case(case["name"].as_str().unwrap_or(""), &faults);
    }
    tally
}

fn faults(bench: &Bench, case: &Value) -> Vec<String> {
    let folder = bench.folder(&format!("loader/{}", case["name"]));
    let program = bench.program.inside(&folder);
    let steps = case["steps"].as_array().cloned().unwrap_or_default();
    let mut files = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        // Steps may use one name for several contents.
        let file = format!(
            "{number}-{}",
            step["file_name"].as_str().unwrap_or("rules.yaml")
        );
        std::fs::write(folder.join(&file), step["content"].as_str().unwrap_or(""))
            .expect("the scratch folder is ours");
        files.push(file);
    }
    let config = bench.golden_config();
    let mut faults = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let expected = &step["expected"];
        let loaded = &files[..=number];
        let mut args = vec!["-c", config.as_str(), "-o", "json_output=true"];
        let validate: Vec<&str> = loaded.iter().flat_map(|file| ["-V", file]).collect();
        args.extend(validate);
        let run = program.run(&args);
        let Some(json) = run.json() else {
            faults.push(format!(
                "step {number}: no JSON on stdout; {}",
                run.ending()
            ));
            continue;
        };
        faults.extend(result_faults(expected, &json["falco_load_results"][number]));
        if expected["loads"] == true {
            let describe = |flags: &[&str]| {
                let mut args = vec!["-c", config.as_str(), "-o", "json_output=true"];
                args.extend(loaded.iter().flat_map(|file| ["-r", file]));
                args.extend(flags);
                let run = program.run(&args);
                run.json()
                    .ok_or_else(|| format!("{flags:?}: no JSON; {}", run.ending()))
            };
            faults.extend(description_faults(expected, &describe));
        }
    }
    faults
}

fn result_faults(expected: &Value, result: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if expected["loads"] != result["successful"] {
        faults.push(format!(
            "loads: {}, expected {}; {}",
            result["successful"],
            expected["loads"],
            super::brief(&result["errors"].to_string())
        ));
    }
    let schema = match result["schema_valid"].as_bool() {
        Some(true) => "ok",
        Some(false) => "failed",
        None => "none",
    };
    if expected["schema_validation"]
        .as_str()
        .is_some_and(|wanted| wanted != schema)
    {
        faults.push(format!(
            "schema validation {schema}, expected {}; {}",
            expected["schema_validation"], result["schema_warnings"]
        ));
    }
    for list in ["errors", "warnings"] {
        let found = result[list].as_array().cloned().unwrap_or_default();
        if let Some(wanted) = expected[format!("has_{list}")].as_bool()
            && wanted == found.is_empty()
        {
            faults.push(format!("{} {list}, expected some: {wanted}", found.len()));
        }
        for message in strings(&expected[format!("{list}_contain")]) {
            if !sentences::said_by(&message, &found) {
                let text = super::brief(&Value::from(found.clone()).to_string());
                faults.push(format!("{list}: nothing like \"{message}\" in {text}"));
            }
        }
        for message in strings(&expected[format!("{list}_do_not_contain")]) {
            if sentences::said_by(&message, &found) {
                faults.push(format!("{list}: must not say \"{message}\""));
            }
        }
    }
    faults
}

type Describe<'a> = dyn Fn(&[&str]) -> Result<Value, String> + 'a;

fn description_faults(expected: &Value, describe: &Describe) -> Vec<String> {
    let mut faults = Vec::new();
    let keys = ["compiled_condition", "compiled_output", "enabled_rules"];
    if keys.iter().any(|key| !expected[key].is_null()) {
        match describe(&["-L"]) {
            Ok(description) => faults.extend(rules_faults(expected, &description)),
            Err(why) => faults.push(why),
        }
    }
    for wanted in expected["describe"].as_array().into_iter().flatten() {
        let rule = wanted["rule"].as_str().unwrap_or("");
        let description = match describe(&["-l", rule]) {
            Ok(description) => description,
            Err(why) => {
                faults.push(why);
                continue;
            }
        };
        let path = wanted["path"].as_array().into_iter().flatten();
        let found = path.fold(&description, |at, step| match step.as_u64() {
            Some(index) => &at[usize::try_from(index).unwrap_or(usize::MAX)],
            None => &at[step.as_str().unwrap_or("")],
        });
        let equal = match (&wanted["size"], &wanted["value"]) {
            (Value::Null, value) => number(value).as_ref().unwrap_or(value) == found,
            (size, _) => found.as_array().map(|a| a.len() as u64) == size.as_u64(),
        };
        if !equal {
            faults.push(format!("{wanted}: found {found}"));
        }
    }
    faults
}

/// A number written as C++ writes an unsigned one: `15000u`.
fn number(value: &Value) -> Option<Value> {
    value
        .as_str()?
        .strip_suffix('u')?
        .parse::<u64>()
        .ok()
        .map(Value::from)
}

fn rules_faults(expected: &Value, description: &Value) -> Vec<String> {
    let rules = description["rules"].as_array().cloned().unwrap_or_default();
    let mut faults = Vec::new();
    if let Some(wanted) = expected["enabled_rules"].as_u64() {
        let found = rules
            .iter()
            .filter(|rule| rule["info"]["enabled"] == true)
            .count();
        if found as u64 != wanted {
            faults.push(format!("{found} enabled rules, expected {wanted}"));
        }
    }
    for (key, detail) in [
        ("compiled_condition", "condition_compiled"),
        ("compiled_output", "output_compiled"),
    ] {
        for (name, wanted) in expected[key].as_object().into_iter().flatten() {
            let rule = rules
                .iter()
                .find(|rule| rule["info"]["name"] == name.as_str());
            let found = rule.map_or(&Value::Null, |rule| &rule["details"][detail]);
            if found != wanted {
                faults.push(format!("{name}: {detail} is {found}, expected {wanted}"));
            }
        }
    }
    faults
}
