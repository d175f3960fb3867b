//! The alerts name who did what.

use std::process::Command;

use crate::watch::{Place, Watch, field, live, sh};

#[test]
fn an_alert_names_program_file_and_parent() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Touched
  desc: A file of the test is opened.
  condition: evt.type in (open, openat, openat2) and fd.name endswith "{}/secret"
  output: "%proc.name %proc.pid %proc.ppid %proc.pname %proc.cmdline %proc.exepath %fd.name %user.uid %evt.type %evt.res"
  priority: WARNING
- rule: Ran
  desc: A program of the test is run.
  condition: evt.type in (execve, execveat) and proc.exepath contains "{}"
  output: "%proc.name %proc.pid %proc.cmdline %proc.exepath %proc.is_exe_writable %proc.pname"
  priority: WARNING
"#,
        place.mark(),
        place.mark()
    );
    let secret = place.write("secret", b"");
    let watch = Watch::start(&place, &rules, &[]);
    let mut child = Command::new("cat").arg(&secret).spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let program = place.path("own-program");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut child = Command::new(&program)
        .args(["one", "two words"])
        .spawn()
        .unwrap();
    let program_pid = child.id();
    child.wait().unwrap();
    let (alerts, _, status) = watch.stop();
    assert!(status.success());
    let [touched, ran] = alerts.as_slice() else {
        panic!("{alerts:#?}")
    };
    assert_eq!(touched["rule"], "Touched");
    let own_name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    for (name, value) in [
        ("proc.name", "cat".to_owned()),
        ("proc.pid", pid.to_string()),
        ("proc.ppid", std::process::id().to_string()),
        ("proc.pname", own_name.trim().to_owned()),
        ("proc.cmdline", format!("cat {}", secret.display())),
        ("fd.name", secret.display().to_string()),
        ("user.uid", sh("id -u").trim().to_owned()),
        ("evt.type", "openat".to_owned()),
        ("evt.res", "SUCCESS".to_owned()),
    ] {
        assert_eq!(field(touched, name), value, "{name}");
    }
    assert!(field(touched, "proc.exepath").ends_with("/cat"));
    assert_eq!(ran["rule"], "Ran");
    assert_eq!(field(ran, "proc.pid"), program_pid.to_string());
    assert_eq!(field(ran, "proc.cmdline"), "own-program one two words");
    assert_eq!(field(ran, "proc.exepath"), program.display().to_string());
    assert_eq!(field(ran, "proc.is_exe_writable"), "true");
}

/// Programs that ran before the watcher started are known, with their descriptors.
#[test]
fn what_ran_before_is_known() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let name = place.path("opened-before");
    std::fs::write(&name, b"").unwrap();
    // Opens first, and writes when it is told to.
    let script = format!(
        "exec 5>>{}; while [ ! -e {}/go ]; do sleep 0.05; done; echo x >&5",
        name.display(),
        place.dir().display()
    );
    let mut child = Command::new("bash")
        .args(["-c", &script, "the-old-one"])
        .spawn()
        .unwrap();
    let rules = format!(
        r#"
- rule: Written
  desc: A descriptor that was opened before is written to.
  condition: evt.type = write and fd.name contains "{}/opened-before"
  output: "%proc.name %proc.pid %proc.cmdline %fd.name %proc.pname"
  priority: WARNING
"#,
        place.mark()
    );
    let watch = Watch::start(&place, &rules, &["-o", "base_syscalls.all=true"]);
    place.write("go", b"");
    child.wait().unwrap();
    let (alerts, _, _) = watch.stop();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(field(&alerts[0], "proc.pid"), child.id().to_string());
    assert_eq!(field(&alerts[0], "fd.name"), name.display().to_string());
    assert!(field(&alerts[0], "proc.cmdline").contains("the-old-one"));
}

/// `run -- COMMAND` sees the command and what it starts, nobody else, and ends with its code.
#[test]
fn one_command_is_watched_to_its_end() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Opened
  desc: A file of the test is opened.
  condition: evt.type in (open, openat, openat2) and fd.name contains "{}/file"
  output: "%proc.name %fd.name"
  priority: WARNING
"#,
        place.mark()
    );
    let rules = place.write("rules.yaml", rules.as_bytes());
    for name in ["file-inside", "file-outside", "file-later"] {
        place.write(name, b"");
    }
    let dir = place.dir().display();
    let outside = format!("while [ ! -e {dir}/stop ]; do cat {dir}/file-outside; sleep 0.02; done");
    let mut other = Command::new("sh").args(["-c", &outside]).spawn().unwrap();
    let inside =
        format!("cat {dir}/file-inside; (sleep 0.3; cat {dir}/file-later) & wait; exit 23");
    let output = crate::watch::peregrine()
        .args(["run", "--json", "-r"])
        .arg(&rules)
        .args(["--", "sh", "-c", &inside])
        .output()
        .unwrap();
    place.write("stop", b"");
    other.wait().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(23), "{said}");
    let alerts: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<String> = alerts.iter().map(|a| field(a, "fd.name")).collect();
    let wanted: Vec<String> = ["file-inside", "file-later"]
        .iter()
        .map(|n| format!("{dir}/{n}"))
        .collect();
    assert_eq!(names, wanted, "{said}");
}
