//! An incident on the running kernel: alerts of processes that fork, leave their parents and run something else belong
//! together; the store tells it beside the running service, and a capture of the same time gives the same ids.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::watch::{Place, Watch, field, live, peregrine};

fn incident(args: &[&str]) -> Option<Value> {
    let output = peregrine()
        .arg("incident")
        .arg("--json")
        .args(args)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

fn texts(all: &Value, key: &str) -> Vec<String> {
    let all = all.as_array().into_iter().flatten();
    all.map(|one| one[key].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_belongs_together_is_found_live_and_in_a_capture() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let dir = place.dir().display().to_string();
    let rules = format!(
        r#"
- rule: Touched
  desc: A file of the test is opened.
  condition: evt.type in (open, openat, openat2) and fd.name startswith "{dir}/secret"
  output: "%proc.name %proc.pid %fd.name %alert.id %incident.id %incident.number"
  priority: WARNING
"#
    );
    let (store, capture) = (format!("{dir}/kept.sqlite"), format!("{dir}/all.scap"));
    place.write(
        "falco.yaml",
        format!(
            "engine: {{kind: modern_ebpf}}\njson_output: true\nstdout_output: {{enabled: true}}\nlog_syslog: false\n\
             priority: debug\nalert_store: {{enabled: true, path: {store}}}\n"
        )
        .as_bytes(),
    );
    for n in 1..4 {
        place.write(&format!("secret-{n}"), b"x");
    }
    let mut command = peregrine();
    let configuration = place.path("falco.yaml");
    command.arg("-c").arg(&configuration).args(["-w", &capture]);
    let mut watch = Watch::of(&place, &rules, &mut command);
    // The second reader's parents are gone and it is in a session of its own; the third is another program in the same process.
    let script = format!(
        "cat {dir}/secret-1; echo y >{dir}/written; \
         (setsid sh -c 'while [ ! -e {dir}/go ]; do sleep 0.02; done; cat {dir}/secret-2; exec cat {dir}/secret-3' &)"
    );
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(status.success());
    place.write("go", b"");
    let until = Instant::now() + Duration::from_secs(60);
    while watch.alerts().len() < 3 {
        assert!(Instant::now() < until, "{:#?}", watch.alerts());
        watch.milestone();
    }
    let alerts = watch.alerts();
    let ids: Vec<String> = alerts
        .iter()
        .map(|alert| field(alert, "alert.id"))
        .collect();
    let first = field(&alerts[0], "incident.id");
    assert!(ids.iter().all(|id| id.len() == 16), "{alerts:#?}");
    assert!(
        alerts
            .iter()
            .all(|alert| field(alert, "incident.id") == first),
        "{alerts:#?}"
    );

    // Beside the running service.
    let kept = loop {
        let found = incident(&[&ids[2], "--store", &store]);
        let whole = |found: &Value| texts(&found["alerts"], "id").contains(&ids[2]);
        if let Some(found) = found.filter(whole) {
            break found;
        }
        assert!(Instant::now() < until, "the store does not have it");
        std::thread::sleep(Duration::from_millis(50));
    };
    let in_store = texts(&kept["alerts"], "id");
    assert!(ids.iter().all(|id| in_store.contains(id)), "{kept:#}");
    let files = texts(&kept["files"], "name");
    assert!(files.contains(&format!("{dir}/secret-2")), "{kept:#}");
    let earlier = kept["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] == *ids[2]);
    assert!(
        texts_of(&earlier.unwrap()["earlier"]).contains(&ids[1]),
        "{kept:#}"
    );

    let (_, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    let rules = place.path("live-rules.yaml").display().to_string();
    let again = incident(&[&ids[0], "-e", &capture, "-r", &rules]).expect("an incident");
    let in_capture = texts(&again["alerts"], "id");
    assert!(
        ids.iter().all(|id| in_capture.contains(id)),
        "{in_capture:?} lack some of {ids:?}"
    );
    // What no alert spoke of: done by a process that alerted, or by one that it started.
    let processes = again["processes"].as_array().unwrap();
    let last = processes.iter().find(|one| {
        one["alerts"]
            .as_array()
            .unwrap()
            .contains(&Value::from(ids[2].as_str()))
    });
    let last = last.expect("the last reader");
    assert_eq!(last["name"], "cat");
    assert!(
        texts(&last["before"], "name").contains(&"sh".to_owned()),
        "{last:#}"
    );
}

/// Nothing more happens to a rule: the clock ends its group, and its line comes while the program runs.
#[test]
fn a_group_is_told_while_nothing_more_happens() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Touched
  desc: A file of the test is opened.
  condition: evt.type in (open, openat, openat2) and fd.name startswith "{}/secret"
  output: "%proc.name opened %fd.name"
  priority: WARNING
"#,
        place.dir().display()
    );
    place.write("secret", b"x");
    let mut watch = Watch::start(
        &place,
        &rules,
        &[
            "-o",
            "alert_grouping.enabled=true",
            "-o",
            "alert_grouping.window=1s",
            "-o",
            "alert_grouping.fields[]=proc.name",
            // By these the test sees how far the program is.
            "-o",
            "alert_grouping.alerts[]={match: {rules: [Milestone]}, enabled: false}",
        ],
    );
    let secret = place.path("secret").display().to_string();
    let status = Command::new("sh")
        .args([
            "-c",
            "for n in 1 2 3 4 5 6 7 8 9; do cat \"$0\" >/dev/null; done",
            &secret,
        ])
        .status();
    assert!(status.unwrap().success());
    let until = Instant::now() + Duration::from_secs(60);
    let sum = |alerts: &[Value]| -> u64 {
        let more = |alert: &Value| alert["output_fields"]["group.more"].as_u64();
        alerts.iter().map(|alert| more(alert).unwrap_or(1)).sum()
    };
    // A busy machine may need more than one window for nine of them.
    while sum(&watch.alerts()) < 9 {
        assert!(Instant::now() < until, "{:#?}", watch.alerts());
        watch.milestone();
    }
    let (alerts, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    assert_eq!(sum(&alerts), 9, "{alerts:#?}");
    assert!(alerts.iter().all(|alert| alert["rule"] == "Touched"));
}

fn texts_of(all: &Value) -> Vec<String> {
    let all = all.as_array().into_iter().flatten();
    all.map(|one| one.as_str().unwrap_or_default().to_owned())
        .collect()
}
