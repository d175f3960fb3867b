//! The description of whole rule sets equals Falco's.

#![allow(clippy::unwrap_used, reason = "a test")]

mod corpus;

use rules::{Loader, Options};
use serde_json::Value;

/// Differences between two values, as paths.
fn differences(path: &str, want: &Value, have: &Value, out: &mut Vec<String>) {
    match (want, have) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                let (x, y) = (a.get(key), b.get(key));
                let null = &Value::Null;
                differences(
                    &format!("{path}/{key}"),
                    x.unwrap_or(null),
                    y.unwrap_or(null),
                    out,
                );
            }
        }
        (Value::Array(a), Value::Array(b))
            if a.iter().all(Value::is_object) && a.len() == b.len() =>
        {
            for (n, (x, y)) in a.iter().zip(b).enumerate() {
                let name = x.pointer("/info/name").and_then(Value::as_str);
                let step = name.map_or_else(|| n.to_string(), str::to_owned);
                differences(&format!("{path}/{step}"), x, y, out);
            }
        }
        _ if want == have => {}
        _ => out.push(format!("{path}:\n    want {want}\n    have {have}")),
    }
}

#[test]
fn descriptions_equal_falcos() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let sets = [
        (
            "describe-stable",
            "rules/falco-rules-latest/falco_rules.yaml",
        ),
        (
            "describe-falco-0.25.0",
            "rules/falco-0.25.0/falco_rules.yaml",
        ),
        ("describe-broad", "golden/rules/broad.yaml"),
    ];
    let catalogue = corpus::catalogue();
    let mut wrong = Vec::new();
    for (listing, file) in sets {
        let want = corpus::json(&folder.join(format!("golden/listings/{listing}.json.gz")));
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        let loaded = loader.load(file, &std::fs::read(folder.join(file)).unwrap());
        assert!(
            loaded.successful(),
            "{}",
            loaded.text(loader.sources(), false)
        );
        let have = rules::describe::all(loader.rule_set(), &[("syscall", &catalogue)]);
        let before = wrong.len();
        differences(listing, &want, &have, &mut wrong);
        println!("{listing}: {} differences", wrong.len() - before);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
