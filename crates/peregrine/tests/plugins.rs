//! Plugins through the binary: their sources, fields and listings, and that a bad one harms nobody.

use std::path::Path;
use std::process::{Command, Output};

const RULES: &str = r#"
- required_plugin_versions:
    - name: misbehaving
      version: 0.0.1

- rule: Harm done
  desc: An event of the plugin.
  condition: harm.n = 7 and harm.s = fine
  output: harm %evt.pluginname %harm.n %harm.s (%evt.plugininfo)
  priority: WARNING
  source: harm
"#;

/// Configuration, rules and a plugin that does as its settings say.
fn place(mode: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let library = testkit::plugins::compiled(dir.path(), "misbehaving");
    let config = format!(
        "engine: {{kind: nodriver}}\nlog_stderr: true\nlog_syslog: false\nstdout_output: {{enabled: true}}\n\
         plugins:\n  - {{name: misbehaving, library_path: {}, init_config: {mode}}}\n",
        library
    );
    std::fs::write(dir.path().join("falco.yaml"), config).expect("written");
    std::fs::write(dir.path().join("rules.yaml"), RULES).expect("written");
    dir
}

fn run(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["-c", "falco.yaml"])
        .args(args)
        .current_dir(dir)
        .env("TZ", "UTC")
        .output()
        .expect("the binary is built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

#[test]
fn a_source_that_fails_is_told_after_its_events() {
    let dir = place("fails");
    let (code, out, err) = run(dir.path(), &["-r", "rules.yaml"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        out.contains("Warning harm misbehaving 7 fine (datalen=8 data="),
        "{out}\n{err}"
    );
    assert!(err.contains("my own words"), "{err}");
    assert!(err.contains("Loaded plugin 'misbehaving@0.0.1'"), "{err}");
    assert!(
        err.contains("Opening 'harm' source with plugin 'misbehaving'"),
        "{err}"
    );
}

#[test]
fn a_plugin_that_crashes_is_started_again() {
    let dir = place("crashes");
    // Event time goes from 1001 ns to nowhere: a limit of time never ends it, a reader that has enough does.
    let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["-c", "falco.yaml", "-r", "rules.yaml"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary is built");
    use std::io::BufRead;
    let lines = std::io::BufReader::new(child.stdout.take().expect("piped")).lines();
    let alerts = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("Warning harm"));
    assert_eq!(
        alerts.take(3).count(),
        3,
        "each child brings one event before it crashes"
    );
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn listings_speak_of_plugins() {
    let dir = place("fine");
    let (_, out, err) = run(dir.path(), &["--list-plugins"]);
    assert!(
        out.contains("1 Plugins Loaded:") && out.contains("Name: misbehaving"),
        "{out}\n{err}"
    );
    assert!(
        out.contains("  - Event Sourcing (ID=999, source='harm')\n  - Field Extraction"),
        "{out}"
    );
    let (_, out, err) = run(dir.path(), &["--plugin-info", "misbehaving"]);
    assert!(out.contains("Version: 0.0.1"), "{out}\n{err}");
    assert_eq!(run(dir.path(), &["--plugin-info", "none"]).0, Some(1));
    let (_, out, _) = run(dir.path(), &["--list=harm"]);
    assert!(
        out.contains("harm.n") && out.contains("evt.time") && !out.contains("proc.name"),
        "{out}"
    );
    let (_, out, _) = run(dir.path(), &["--list=harm", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        json["fieldclasses"][1]["fields"][0]["type"], "UINT64",
        "{out}"
    );
    let (_, out, _) = run(dir.path(), &["--list=k8s_audit", "-N"]);
    assert!(
        out.contains("ka.verb\n") && out.contains("jevt.value\n") && !out.contains("harm.n"),
        "{out}"
    );
    assert_eq!(run(dir.path(), &["--list=none"]).0, Some(1));
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = place("fine");
    let rules = RULES.replace("0.0.1", "0.0.2");
    std::fs::write(dir.path().join("newer.yaml"), rules).expect("written");
    let (code, _, err) = run(dir.path(), &["-r", "newer.yaml"]);
    assert!(code == Some(1) && err.contains("misbehaving"), "{err}");
    let (code, _, err) = run(
        dir.path(),
        &["-r", "rules.yaml", "--disable-source", "harm"],
    );
    assert!(code == Some(1), "{err}");
    let (code, _, err) = run(dir.path(), &["-r", "rules.yaml", "--enable-source", "none"]);
    assert!(code == Some(1) && err.contains("'none'"), "{err}");
    let (code, _, err) = run(dir.path(), &["-V", "rules.yaml"]);
    assert_eq!(code, Some(0), "{err}");
    let init = place("init-fails");
    let (code, _, err) = run(init.path(), &["-r", "rules.yaml"]);
    assert!(
        code == Some(1) && err.contains("could not initialize plugin: my own words"),
        "{err}"
    );
}
