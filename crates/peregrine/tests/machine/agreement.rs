//! Live and replay agree: what `run` alerts while `record` writes is what `replay` alerts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::watch::{Place, Watch, field, live, peregrine, signal};

/// Rules that say a lot, about all that the script does.
fn rules(mark: &str, port: u16) -> String {
    let who = "%proc.name %proc.pid %proc.ppid %proc.pname %proc.cmdline %proc.exepath %proc.cwd \
               %proc.sid %proc.tty %proc.vpid %proc.aname[2] %proc.is_exe_writable \
               %proc.is_exe_upper_layer %proc.exe_ino %thread.cap_effective %user.uid %user.name \
               %group.gid %container.id %evt.type %evt.res %evt.args";
    let ours = format!(
        "(proc.cmdline contains \"{mark}/play\" or proc.cmdline contains \"{mark}/script\")"
    );
    format!(
        r#"
- rule: Opened
  desc: Files of the script.
  condition: evt.type in (open, openat, openat2, creat) and fd.name contains "{mark}/play"
  output: "%fd.name %fd.num %fd.directory %fd.filename %evt.is_open_write {who}"
  priority: INFO
- rule: Read or written
  desc: Bytes of the script's files.
  condition: evt.type in (read, write) and fd.name contains "{mark}/play"
  output: "%fd.name %evt.rawres %evt.buffer {who}"
  priority: INFO
- rule: Ran
  desc: Programs of the script.
  condition: evt.type in (execve, execveat) and {ours}
  output: "%proc.args %proc.env[PLAY] {who}"
  priority: NOTICE
- rule: Changed
  desc: Names and modes of the script's files.
  condition: >
    evt.type in (unlink, unlinkat, rename, renameat, renameat2, mkdir, mkdirat, rmdir, link,
    linkat, symlink, symlinkat, chmod, fchmod, fchmodat, chown, fchownat)
    and evt.args contains "{mark}/play"
  output: "%fs.path.name %fs.path.source %fs.path.target {who}"
  priority: NOTICE
- rule: Connected
  desc: Connections of the script.
  condition: evt.type = connect and fd.sport = {port}
  output: "%fd.sip %fd.sport %fd.l4proto %fd.type {who}"
  priority: NOTICE
- rule: Identity
  desc: The script becomes somebody else.
  condition: evt.type in (setuid, setresuid, setgid, setresgid) and {ours}
  output: "{who}"
  priority: NOTICE
- rule: Ended
  desc: Processes of the script end.
  condition: evt.type = procexit and {ours}
  output: "{who}"
  priority: INFO
"#
    )
}

/// What an intruder might do; every path and every command line bears the mark.
fn play(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        r#"
cd {dir}
export PLAY="a value"
mkdir {dir}/play
echo "first line" > {dir}/play/one
cat {dir}/play/one /etc/hostname > {dir}/play/two
cat {dir}/play/missing 2>/dev/null
cp /bin/true {dir}/play/dropped
chmod 4755 {dir}/play/dropped
{dir}/play/dropped --quiet "two words" {dir}
ln -s /etc/shadow {dir}/play/soft
ln {dir}/play/one {dir}/play/hard
mv {dir}/play/two {dir}/play/"name with
newline"
( exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3 )
cat < {dir}/play/soft > /dev/null
chown 1:1 {dir}/play/one
for i in 1 2 3 4 5; do
  ( sleep 0.0$i; cat {dir}/play/one > {dir}/play/copy$i; rm {dir}/play/copy$i ) &
done
wait
setpriv --reuid=65534 --regid=65534 --clear-groups cat {dir}/play/one
rm -r {dir}/play
exit 0
"#
    )
}

/// Buffers that a busy machine does not fill: what is compared must be complete.
const ROOMY: &str = "engine.modern_ebpf.buf_size_preset=7";

struct Recorder {
    child: Child,
    said: std::thread::JoinHandle<String>,
}

fn recorder(file: &Path, options: &[&str]) -> Recorder {
    let mut child = peregrine()
        .arg("record")
        .arg(file)
        .args(options)
        .args(["-o", ROOMY])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says when it has begun.
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("recording"), "{said}");
    let said = std::thread::spawn(move || {
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    Recorder { child, said }
}

fn finish(mut recorder: Recorder) {
    signal(recorder.child.id(), "INT");
    let ended = recorder.child.wait().unwrap();
    let said = recorder.said.join().unwrap();
    assert!(ended.success(), "{said}");
    assert!(!said.contains("lost"), "{said}");
}

/// Performs the play.
fn perform(place: &Place) -> u16 {
    // The names of the play are old news when the watcher comes; its port is free.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    perform_with(place, &listener, port);
    port
}

fn perform_with(place: &Place, listener: &TcpListener, port: u16) {
    let script = place.script("script.sh", &play(place.dir(), port));
    let mut bash = Command::new("bash").arg(script).spawn().unwrap();
    drop(listener.accept().unwrap());
    assert!(bash.wait().unwrap().success());
}

/// Rule, process, and all fields but those that tell when and how many.
fn essence(alerts: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut by_process: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for alert in alerts {
        let mut fields = alert["output_fields"].as_object().unwrap().clone();
        fields.remove("evt.time");
        let text = format!("{} {}", alert["rule"], Value::Object(fields));
        by_process
            .entry(field(alert, "proc.pid"))
            .or_default()
            .push(text);
    }
    // An alert that waited for a container's metadata comes after those that did not have to.
    by_process.values_mut().for_each(|alerts| alerts.sort());
    by_process
}

fn replayed(place: &Place, file: &Path, rules: &str) -> Vec<Value> {
    let rules = place.write("replay-rules.yaml", rules.as_bytes());
    let output = peregrine()
        .args(["replay", "--json", "-q", "-r"])
        .arg(rules)
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn assert_same(live: &[Value], replayed: &[Value]) {
    let (live, replayed) = (essence(live), essence(replayed));
    for (process, alerts) in &live {
        let other = replayed.get(process).map_or(&[][..], Vec::as_slice);
        for (n, alert) in alerts.iter().enumerate() {
            assert_eq!(
                Some(alert),
                other.get(n),
                "alert {n} of process {process}, live and from the recording"
            );
        }
        assert_eq!(alerts.len(), other.len(), "process {process}: {other:#?}");
    }
    assert_eq!(
        live.keys().collect::<Vec<_>>(),
        replayed.keys().collect::<Vec<_>>()
    );
}

#[test]
fn what_run_alerts_replay_alerts() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules = rules(place.mark(), port);
    let file = place.path("recorded.scap");
    let recording = recorder(&file, &[]);
    let watch = Watch::start(
        &place,
        &rules,
        &["-o", "base_syscalls.all=true", "-o", ROOMY],
    );
    perform_with(&place, &listener, port);
    let (alerts, said, _) = watch.stop();
    finish(recording);
    assert!(!said.contains("lost"), "{said}");
    let rules_seen: std::collections::BTreeSet<&str> =
        alerts.iter().map(|a| a["rule"].as_str().unwrap()).collect();
    assert_eq!(rules_seen.len(), 7, "{rules_seen:?}");
    assert!(alerts.len() > 60, "{}", alerts.len());
    assert_same(&alerts, &replayed(&place, &file, &rules));
}

/// The shipped rules too.
#[test]
fn shipped_rules_alert_the_same() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let shipped = testkit::corpus::workspace_root().join("rules/peregrine_rules.yaml");
    let rules = std::fs::read_to_string(shipped).unwrap();
    let file = place.path("recorded.scap");
    let recording = recorder(&file, &[]);
    let watch = Watch::start(&place, &rules, &["-o", ROOMY]);
    perform(&place);
    let (alerts, _, _) = watch.stop();
    finish(recording);
    // Others on the machine are seen by one of the two only, before or after the other; the start of
    // the one that watches is seen by the one that records.
    let ours = |alerts: Vec<Value>| -> Vec<Value> {
        let mine = |a: &Value| {
            a.to_string().contains(place.mark()) && a["output_fields"]["proc.name"] != "peregrine"
        };
        alerts.into_iter().filter(mine).collect()
    };
    let (alerts, replayed) = (ours(alerts), ours(replayed(&place, &file, &rules)));
    assert!(!alerts.is_empty());
    let sorted = |alerts: &[Value]| {
        let mut lines: Vec<String> = essence_of_any(alerts);
        lines.sort();
        lines
    };
    assert_eq!(sorted(&alerts), sorted(&replayed));
}

fn essence_of_any(alerts: &[Value]) -> Vec<String> {
    alerts
        .iter()
        .map(|alert| {
            let mut fields = alert["output_fields"].as_object().unwrap().clone();
            fields.remove("evt.time");
            format!("{} {}", alert["rule"], Value::Object(fields))
        })
        .collect()
}

/// Debian's sysdig reads a recording for it to its end, and shows the same events; what it cannot
/// show is left out of the file.
#[test]
fn sysdig_reads_a_recording_for_it() {
    let Some(_one) = live() else { return };
    if Command::new("sysdig").arg("--version").output().is_err() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but sysdig is not installed"
        );
        eprintln!("left out: sysdig is not installed");
        return;
    }
    let place = Place::new();
    let file = place.path("compat.scap");
    let recording = recorder(&file, &["--compat"]);
    perform(&place);
    finish(recording);
    let format = "*%evt.num %evt.dir %evt.type %thread.tid %proc.name %fd.num %fd.name %evt.rawres";
    let sysdig = Command::new("sysdig")
        .args(["-r"])
        .arg(&file)
        .args(["-p", format, "evt.type!=notification"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&sysdig.stderr);
    assert!(sysdig.status.success() && said.is_empty(), "{said}");
    let theirs = String::from_utf8_lossy(&sysdig.stdout).into_owned();
    let ours = peregrine()
        .args(["read", "--raw", "-p", "%evt.type %thread.tid"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        ours.status.success(),
        "{}",
        String::from_utf8_lossy(&ours.stderr)
    );
    let ours = String::from_utf8_lossy(&ours.stdout).into_owned();
    assert_eq!(
        theirs.lines().count(),
        ours.lines().count(),
        "events in the file"
    );
    // What the script did is there, with its paths and its threads.
    for name in ["play/one", "play/dropped", "play/soft", "play/copy3"] {
        let path = place.path(name);
        let path = path.to_str().unwrap();
        let opened = |l: &&str| l.contains("open") && l.contains(path);
        assert!(
            theirs.lines().any(|l| opened(&l)),
            "{path} in what sysdig shows"
        );
    }
    let types = |text: &str, column: usize| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for line in text.lines() {
            let name = line.split(' ').nth(column).unwrap_or_default();
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        counts
    };
    let (theirs, ours) = (types(&theirs, 2), types(&ours, 0));
    for (name, count) in &ours {
        // Calls without an event of their own: sysdig knows fewer by name.
        if theirs.get(name) != Some(count) {
            println!(
                "{name}: {count} in the file, sysdig shows {:?}",
                theirs.get(name)
            );
        }
    }
    for name in [
        "execve", "clone", "openat", "read", "write", "close", "procexit", "connect",
    ] {
        assert_eq!(theirs.get(name), ours.get(name), "{name}");
    }
}
