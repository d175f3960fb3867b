//! `peregrine migrate`: installations of three ages become configurations that load, with the same rules.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const RULES: &str = "- rule: Passwords are read\n  desc: of all users\n  condition: evt.type = openat and fd.name = /etc/shadow\n  output: read by %proc.name\n  priority: WARNING\n";

fn migrate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .arg("migrate")
        .args(args)
        .output()
        .unwrap()
}

/// What is told, as JSON, after an exit with 0.
fn told(args: &[&str]) -> Value {
    let mut args = args.to_vec();
    args.extend(["--format", "json"]);
    let output = migrate(&args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The fate of a key and its reason.
fn fate<'v>(told: &'v Value, section: &str, name: &str) -> (&'v str, &'v str) {
    let items = told[section].as_array().unwrap();
    let item = items.iter().find(|item| item["name"] == name);
    let item = item.unwrap_or_else(|| panic!("{name} in {told:#}"));
    (
        item["fate"].as_str().unwrap(),
        item["reason"].as_str().unwrap(),
    )
}

fn write(base: &Path, name: &str, text: &str) {
    let path = base.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The rules that a configuration gives.
fn rules_of(config: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .arg("-c")
        .arg(config)
        .args(["-L", "-o", "json_output=true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = all["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| rule["info"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn one_of_today() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("falco"), place.path().join("peregrine"));
    write(
        &from,
        "falco.yaml",
        "# Ours since 2024.\nconfig_files:\n  - /etc/falco/config.d\nrules_files:\n  - /etc/falco/falco_rules.yaml # stock\n  - /etc/falco/rules.d\n\
         engine:\n  kind: modern_ebpf\n  modern_ebpf:\n    cpus_for_each_buffer: 3\n    disable_iterators: true\n\
         json_output: ${JSON_WANTED}\nplugins:\n  - name: k8saudit\n    library_path: libk8saudit.so\n  - name: idle\n    library_path: libidle.so\nload_plugins: [k8saudit]\n\
         # Nobody listens any more.\ngrpc:\n  enabled: true\n  bind_address: unix:///run/falco.sock\ngrpc_output: {enabled: no}\nhttp_output:\n  enabled: true\n  url: http://127.0.0.1:1\n",
    );
    write(&from, "config.d/more.yaml", "priority: notice\n");
    write(&from, "falco_rules.yaml", RULES);
    write(
        &from,
        "rules.d/ours.yaml",
        &RULES.replace("Passwords are", "Nothing is"),
    );
    let (from, to_text) = (from.display().to_string(), to.display().to_string());

    let told = told(&[&from, "--to", &to_text]);
    assert_eq!(fate(&told, "configuration", "priority").0, "unchanged");
    assert_eq!(fate(&told, "configuration", "json_output").0, "unchanged");
    assert_eq!(
        fate(&told, "configuration", "plugins: k8saudit").0,
        "translated"
    );
    assert_eq!(fate(&told, "configuration", "plugins: idle").0, "needless");
    let (word, reason) = fate(&told, "configuration", "grpc.enabled");
    assert!(
        word == "unsupported" && reason.contains("http_output"),
        "{reason}"
    );
    assert_eq!(
        fate(&told, "configuration", "grpc_output.enabled").0,
        "needless"
    );
    let idle = "engine.modern_ebpf.disable_iterators";
    assert_eq!(fate(&told, "configuration", idle).0, "needless");
    assert_eq!(fate(&told, "rules", "ours.yaml").0, "unchanged");

    let text = std::fs::read_to_string(to.join("peregrine.yaml")).unwrap();
    for kept in [
        "# Ours since 2024.\n",
        "json_output: ${JSON_WANTED}\n",
        "# grpc:\n#   enabled: true\n",
        &format!("  - {to_text}/falco_rules.yaml # stock\n"),
    ] {
        assert!(text.contains(kept), "{kept:?} in {text}");
    }
    assert!(!text.contains("/etc/falco"), "{text}");
    assert_eq!(
        rules_of(&to.join("peregrine.yaml")),
        ["Passwords are read", "Nothing is read"]
    );

    // A second time nothing is overwritten unless asked for.
    let again = migrate(&[&from, "--to", &to_text]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
    assert!(
        migrate(&[&from, "--to", &to_text, "--force"])
            .status
            .success()
    );
    // A variable that the service has and we have not.
    write(
        Path::new(&from),
        "falco.yaml",
        "priority: ${OF_THE_SERVICE}\n",
    );
    let unset = migrate(&[&from]);
    assert_eq!(unset.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unset.stderr).contains("OF_THE_SERVICE not set here"));
}

#[test]
fn what_is_lost_can_be_an_error() {
    let place = tempfile::tempdir().unwrap();
    let lost = "grpc: {enabled: true}\nplugins:\n  - {name: ours, library_path: libours.so}\n";
    write(place.path(), "falco.yaml", lost);
    let from = place.path().display().to_string();
    for name in ["grpc.enabled", "plugins: ours"] {
        assert_eq!(
            fate(&told(&[&from]), "configuration", name).0,
            "unsupported"
        );
    }
    let strict = migrate(&[&from, "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
}

#[test]
fn our_rules_in_the_place_of_falco_s() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("falco"), place.path().join("new"));
    write(
        &from,
        "falco.yaml",
        "rules_files: [/etc/falco/falco_rules.yaml, /etc/falco/falco_rules.local.yaml]\n",
    );
    write(&from, "falco_rules.yaml", RULES);
    write(&from, "falco_rules.local.yaml", RULES);
    let from = from.display().to_string();
    told(&[&from, "--own-rules", "--to", &to.display().to_string()]);
    let text = std::fs::read_to_string(to.join("peregrine.yaml")).unwrap();
    let local = to.join("falco_rules.local.yaml");
    assert!(
        text.contains("[/etc/peregrine/peregrine_rules.yaml, "),
        "{text}"
    );
    assert!(
        text.contains(&local.display().to_string()) && local.exists(),
        "{text}"
    );
    assert!(!to.join("falco_rules.yaml").exists());
}

#[test]
fn engines_of_the_past() {
    for (old, preset) in [
        (
            "syscall_buf_size_preset: 6\nmodern_bpf:\n  cpus_for_each_syscall_buffer: 4\n",
            "6",
        ),
        (
            "engine:\n  kind: ebpf\n  ebpf:\n    probe: /root/.falco/probe.o\n    buf_size_preset: 7\n  modern_ebpf:\n    cpus_for_each_buffer: 4\n",
            "7",
        ),
        (
            "engine:\n  kind: kmod\n  kmod:\n    buf_size_preset: 5\n  modern_ebpf:\n    cpus_for_each_buffer: 4\n    buf_size_preset: 2\n",
            "5",
        ),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("falco"), place.path().join("new"));
        write(
            &from,
            "falco.yaml",
            &format!("rules_file: /etc/falco/falco_rules.yaml\n{old}json_output: true\n"),
        );
        write(&from, "falco_rules.yaml", RULES);
        let from = from.display().to_string();
        told(&[&from, "--to", &to.display().to_string()]);
        let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .args(["config", "--changed", "--format", "json"])
            .arg(to.join("peregrine.yaml"))
            .output()
            .unwrap();
        let config: Value = serde_json::from_slice(&output.stdout).unwrap();
        let value = |key: &str| config[key]["value"].as_str().unwrap_or("-").to_owned();
        assert_eq!(value("engine.kind"), "modern_ebpf", "{old}");
        assert_eq!(value("engine.modern_ebpf.buf_size_preset"), preset, "{old}");
        assert_eq!(
            value("engine.modern_ebpf.cpus_for_each_buffer"),
            "4",
            "{old}"
        );
        assert_eq!(value("json_output"), "true", "{old}");
        assert_eq!(rules_of(&to.join("peregrine.yaml")), ["Passwords are read"]);
    }
}

#[test]
fn values_of_a_chart() {
    let place = tempfile::tempdir().unwrap();
    write(
        place.path(),
        "values.yaml",
        "tty: true\ndriver:\n  kind: ebpf\n  loader:\n    enabled: true\nfalcosidekick:\n  enabled: true\n  webui:\n    enabled: true\n\
         falco:\n  json_output: true\n  rules_files:\n    - /etc/falco/falco_rules.yaml\n    - /etc/falco/rules.d\n  grpc:\n    enabled: true\n\
         customRules:\n  mine.yaml: |-\n    - list: a\n      items: []\ntolerations:\n  - key: x\nnoSuchThing: 1\n",
    );
    let values = place.path().join("values.yaml").display().to_string();
    let to = place.path().join("new");
    let told = told(&["--helm", &values, "--to", &to.display().to_string()]);
    for (name, word) in [
        ("tty", "unchanged"),
        ("driver.kind", "translated"),
        ("driver.loader", "needless"),
        ("falcosidekick", "unsupported"),
        ("falco.json_output", "unchanged"),
        ("falco.grpc.enabled", "unsupported"),
        ("customRules", "unchanged"),
        ("tolerations", "unchanged"),
        ("noSuchThing", "unsupported"),
    ] {
        assert_eq!(fate(&told, "configuration", name).0, word, "{name}");
    }
    let text = std::fs::read_to_string(to.join("values.yaml")).unwrap();
    for kept in [
        "# falcosidekick:\n#   enabled: true\n",
        "    - /etc/peregrine/peregrine_rules.yaml\n    - /etc/peregrine/rules.d\n",
        "  mine.yaml: |-\n    - list: a\n",
    ] {
        assert!(text.contains(kept), "{kept:?} in {text}");
    }
}

#[test]
fn what_falco_s_chart_knows_is_known() {
    let values =
        testkit::corpus::workspace_root().join("packaging/kubernetes/tests/values/of-falco.yaml");
    let told = told(&["--helm", &values.display().to_string()]);
    let unsupported: Vec<&str> = told["configuration"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["fate"] == "unsupported")
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        unsupported,
        ["certs.client", "certs.ca", "falcosidekick", "falcoctl"]
    );
}

/// What a fresh installation of Falco has: nothing of it is lost, and what is written loads.
#[test]
fn the_configuration_that_falco_ships() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/falco-0.44.yaml");
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (place.path().join("falco"), place.path().join("new"));
    let text = std::fs::read_to_string(data).unwrap();
    write(&from, "falco.yaml", &text);
    write(&from, "rules.yaml", RULES);
    let from = from.display().to_string();
    let told = told(&[&from, "--to", &to.display().to_string()]);
    for item in told["configuration"].as_array().unwrap() {
        assert_ne!(item["fate"], "unsupported", "{item}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .arg("check")
        .arg(to.join("peregrine.yaml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let place = tempfile::tempdir().unwrap();
    let nothing = migrate(&[&place.path().display().to_string()]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("falco.yaml"));

    write(
        place.path(),
        "falco.yaml",
        "priority: debug\nrules_files: [a\n",
    );
    let broken = migrate(&[&place.path().display().to_string()]);
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        said.contains("falco.yaml:") && !said.contains("panicked"),
        "{said}"
    );

    write(
        place.path(),
        "falco.yaml",
        "rules_files: [/etc/falco/r.yaml]\n",
    );
    write(
        place.path(),
        "r.yaml",
        "- rule: half\n  condition: no.such.field = 1\n",
    );
    let refused = told(&[&place.path().display().to_string()]);
    let (word, reason) = fate(&refused, "rules", "r.yaml");
    assert!(
        word == "unsupported" && reason.contains("r.yaml:1"),
        "{reason}"
    );
}
