//! What `peregrine doctor` says of a machine, and of what is configured for it. Needs nothing of the machine: what is
//! missing is what it tells.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use support::Place;

#[test]
fn the_doctor_speaks_json() {
    let place = Place::new();
    let run = place.run(&["doctor", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
    assert!(value["checks"].as_array().unwrap().len() >= 4);
    let words = ["ok", "degraded", "missing"];
    assert!(words.contains(&value["status"].as_str().unwrap()));
    assert_eq!(run.code() == 0, value["status"] != "missing");
}

#[test]
fn the_doctor_looks_at_the_flight_recorder() {
    let place = Place::new();
    let said = |options: &str, rule: &str| {
        place.write(
            "doctor.yaml",
            format!("rules_files: []\n{options}").as_bytes(),
        );
        let rules = support::RULES.replace("output: shadow", &format!("{rule}output: shadow"));
        place.write("rules.yaml", rules.as_bytes());
        let args = [
            "doctor",
            "--format",
            "json",
            "-c",
            "doctor.yaml",
            "-r",
            "rules.yaml",
        ];
        let run = place.run(&args);
        let value: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
        let checks = value["checks"].as_array().unwrap().clone();
        let of = |name: &str| {
            let found = checks.iter().find(|check| check["name"] == name);
            found.map(|check| {
                let text = |key: &str| check[key].as_str().unwrap().to_owned();
                (text("status"), text("found"))
            })
        };
        (of("flight recorder").unwrap(), of("captures of alerts"))
    };
    let wants = "capture: true\n  capture_before: 1000\n  ";
    let ((status, _), captures) = said("", wants);
    assert_eq!((&*status, captures), ("ok", None), "nothing is saved");
    let folder = place.path("").display().to_string();
    let saves = format!("capture: {{enabled: true, path_prefix: {folder}/saved}}\n");
    let ((status, found), captures) = said(&saves, wants);
    assert!(
        status == "degraded" && found.contains("capture_before"),
        "{found}"
    );
    let (status, found) = captures.unwrap();
    assert!(
        status == "ok" && found.starts_with("1 rules save"),
        "{found}"
    );
    let nowhere = saves.replace("/saved", "/none/saved");
    assert_eq!(said(&nowhere, wants).1.unwrap().0, "degraded");
    let ring = "flight_recorder: {enabled: true, max_size_mb: 1";
    let ((status, found), _) = said(&format!("{ring}}}\n"), "");
    assert!(
        status == "ok" && found.contains("in memory, 1 MB"),
        "{found}"
    );
    let ((status, found), _) = said(&format!("{ring}, directory: {folder}/ring}}\n"), "");
    assert!(status == "ok" && found.contains("MB are free"), "{found}");
    assert!(!place.path("ring").exists(), "looking makes nothing");
    let file = format!("{ring}, directory: {folder}/rules.yaml}}\n");
    let ((status, found), _) = said(&file, "");
    assert!(
        status == "missing" && found.contains("would not start"),
        "{found}"
    );
}
