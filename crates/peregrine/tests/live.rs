//! The commands that watch the running kernel, from outside. They need root and BPF:
//! `PEREGRINE_REQUIRE_LIVE=1` makes their absence a failure, otherwise they say so and pass.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use support::Place;

/// Whether the kernel can be watched from here.
fn live() -> bool {
    let place = Place::new();
    let run = place.run(&["doctor"]);
    if run.code() == 0 {
        return true;
    }
    let required = std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_some_and(|v| v == "1");
    assert!(
        !required,
        "the kernel cannot be watched:\n{}{}",
        run.out(),
        run.err()
    );
    eprintln!("left out: the kernel cannot be watched from here");
    false
}

/// Rules that fire on files of one folder only: other tests run at the same time.
fn rules(place: &Place) -> String {
    let folder = place.path("").display().to_string();
    format!(
        "
- rule: Opened
  desc: A file of the test is opened.
  condition: evt.type in (open, openat, openat2) and fd.name startswith {folder} and fd.name endswith .probe
  output: opened %fd.name by %proc.name under %proc.pname
  priority: WARNING

- rule: Started
  desc: A program of the test is started.
  condition: evt.type = execve and evt.res = SUCCESS and proc.args contains {folder}
  output: started %proc.cmdline with %evt.arg.filename
  priority: NOTICE
"
    )
}

fn place() -> Place {
    let place = Place::new();
    place.write("live.yaml", rules(&place).as_bytes());
    place.write("a.probe", b"x");
    place
}

/// A watching peregrine, which is told to end when it goes out of scope.
struct Watcher {
    child: Child,
    log: Receiver<String>,
}

impl Watcher {
    /// Starts it and waits until a line of its log says that it watches.
    fn start(place: &Place, args: &[&str], ready: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .args(args)
            .current_dir(place.path(""))
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read to its end, or a full pipe would hold it up.
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let watcher = Self { child, log };
        watcher.until(ready);
        watcher
    }

    /// Waits for a line of its log.
    fn until(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(120);
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in {seen:#?}"));
            if line.contains(text) {
                return;
            }
            seen.push(line);
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it; what it printed, and its exit code. What happened before is in it.
    fn end(mut self, signal: &str) -> (String, i32) {
        self.signal(signal);
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut out).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (out, code)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Falco's form: live without being told so.
fn falco<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["-c", "falco.yaml", "-r", "live.yaml", "-v"];
    args.extend(["-o", "engine.kind=modern_ebpf"]);
    args.extend(more);
    args
}

fn cat(place: &Place) {
    let status = Command::new("cat")
        .arg(place.path("a.probe"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn falco_s_form_watches_and_counts() {
    if !live() {
        return;
    }
    let place = place();
    let watcher = Watcher::start(&place, &falco(&[]), "watching after");
    cat(&place);
    let (out, code) = watcher.end("-INT");
    assert_eq!(code, 0, "{out}");
    let name = place.path("a.probe").display().to_string();
    assert!(
        out.contains(&format!("Warning opened {name} by cat")),
        "{out}"
    );
    assert!(out.contains("Notice started cat"), "{out}");
    assert!(out.contains("Events detected: 2\n"), "{out}");
    assert!(out.contains("   Opened: 1\n"), "{out}");
}

#[test]
fn what_ran_before_the_start_is_known() {
    if !live() {
        return;
    }
    let place = place();
    // A shell that has a descriptor and a directory from before, and opens a relative path later.
    let mut shell = Command::new("sh")
        .args(["-c", "read go; : < early.probe; exit 0", "early-shell"])
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    place.write("early.probe", b"x");
    let watcher = Watcher::start(&place, &falco(&[]), "watching after");
    drop(shell.stdin.take());
    shell.wait().unwrap();
    let (out, _) = watcher.end("-TERM");
    let name = place.path("early.probe").display().to_string();
    assert!(out.contains(&format!("opened {name} by sh")), "{out}");
}

#[test]
fn a_command_is_watched_with_what_it_starts_and_nothing_else() {
    if !live() {
        return;
    }
    let place = place();
    let probe = place.path("a.probe").display().to_string();
    let script = format!(
        "cat {probe} > /dev/null; (sleep 0.1; cat {probe}) > /dev/null; echo x > {probe}.new; exit 7"
    );
    let run = place.run(&["run", "-r", "live.yaml", "--", "sh", "-c", &script]);
    run.check(
        7,
        &["opened", "by cat"],
        &[
            "ended with code 7",
            "programs run",
            "files written: 1",
            ".probe.new",
        ],
    );
    assert_eq!(run.out().matches("by cat").count(), 2, "{}", run.out());
    // A signal's number is in the code.
    let killed = place.run(&[
        "run",
        "-r",
        "live.yaml",
        "-q",
        "--",
        "sh",
        "-c",
        "kill -9 $$",
    ]);
    assert_eq!(killed.code(), 137, "{}", killed.err());
    let none = place.run(&["run", "-r", "live.yaml", "--", "/no/such/program"]);
    none.check(1, &[], &["/no/such/program"]);
}

/// Every program of the probe is a descriptor: more than many shells allow without asking.
#[test]
fn a_low_limit_of_descriptors_is_raised_and_the_command_keeps_it() {
    if !live() {
        return;
    }
    let place = place();
    let watched = "ulimit -Sn 64; exec \"$0\" run -r live.yaml -- sh -c 'sleep 1; ulimit -Sn'";
    let out = Command::new("sh")
        .args(["-c", watched, env!("CARGO_BIN_EXE_peregrine")])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let (told, log) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(out.status.success(), "{told}{log}");
    assert!(told.lines().any(|line| line == "64"), "{told}{log}");
}

#[test]
fn strangers_do_not_show_in_a_command_s_run() {
    if !live() {
        return;
    }
    let place = place();
    let mut command = Command::new(env!("CARGO_BIN_EXE_peregrine"));
    command.args(["run", "-q", "-r", "live.yaml", "--", "sleep", "1"]);
    let run = command
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(900) {
        cat(&place);
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn a_recording_replays_to_the_same_alerts() {
    if !live() {
        return;
    }
    let place = place();
    let probe = place.path("a.probe").display().to_string();
    let script = format!(
        "cd {}; cat a.probe; (cat {probe}); exec cat ./a.probe",
        place.path("").display()
    );
    let record = place.run(&["record", "r.scap", "--", "sh", "-c", &script]);
    record.check(0, &[], &["events in"]);
    let replay = place.run(&["replay", "-q", "r.scap", "-r", "live.yaml"]);
    replay.check(0, &[], &[]);
    let opened = format!("opened {probe} by cat under");
    assert_eq!(replay.out().matches(&opened).count(), 3, "{}", replay.out());
    let live = place.run(&["run", "-q", "-r", "live.yaml", "--", "sh", "-c", &script]);
    let alerts = |text: String| -> Vec<String> {
        let lines = text.lines();
        let mut alerts: Vec<String> = lines
            .filter_map(|line| line.split_once(": ").map(|(_, alert)| alert.to_owned()))
            .collect();
        // An alert that waited for a container's metadata comes after those that did not have to.
        alerts.sort();
        alerts
    };
    assert_eq!(alerts(live.out()), alerts(replay.out()));
}

#[test]
fn a_filter_hides_and_the_state_stays() {
    if !live() {
        return;
    }
    let place = place();
    let args = [
        "record", "-q", "r.scap", "evt.type", "=", "read", "--", "cat", "a.probe",
    ];
    place.run(&args).check(0, &[], &[]);
    let read = place.run(&["read", "r.scap", "-p", "%evt.type %fd.name %proc.name"]);
    let probe = place.path("a.probe").display().to_string();
    // The open is hidden, but the read knows what it made.
    assert!(
        read.out().contains(&format!("read {probe} cat")),
        "{}",
        read.out()
    );
    assert!(
        read.out().lines().all(|line| line.starts_with("read ")),
        "{}",
        read.out()
    );
}

#[test]
fn environments_can_be_left_out() {
    if !live() {
        return;
    }
    let place = place();
    let record = |args: &[&str]| {
        let mut command = place.command(args);
        command.env("PEREGRINE_TEST_SECRET", "hunter2");
        assert!(command.output().unwrap().status.success());
    };
    let show = |file: &str| {
        place
            .run(&["read", file, "evt.type=execve", "-p", "%proc.env %evt.args"])
            .out()
    };
    record(&["record", "-q", "with.scap", "--", "true"]);
    assert!(show("with.scap").contains("hunter2"));
    record(&[
        "record",
        "-q",
        "--compression",
        "none",
        "--redact-env",
        "without.scap",
        "--",
        "true",
    ]);
    let bytes = std::fs::read(place.path("without.scap")).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    assert!(!show("without.scap").is_empty());
}

#[test]
fn files_rotate_and_each_stands_alone() {
    if !live() {
        return;
    }
    let place = place();
    let script = "for n in 1 2 3 4 5 6 7 8; do cat a.probe > /dev/null; done";
    let args = [
        "record",
        "-q",
        "t.scap",
        "--rotate-events",
        "200",
        "--keep",
        "2",
        "--",
        "sh",
        "-c",
        script,
    ];
    place.run(&args).check(0, &[], &[]);
    let mut files: Vec<String> = std::fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("t.") && name.ends_with(".scap"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(!files.contains(&"t.0001.scap".to_owned()), "{files:?}");
    for file in files {
        let read = place.run(&["read", &file, "-p", "%proc.name %proc.pname"]);
        read.check(0, &[], &[]);
        let known = read.out().lines().all(|line| !line.contains("<NA>"));
        assert!(known, "{file}: {}", read.out());
    }
}

#[test]
fn old_sysdig_reads_a_compatible_recording() {
    if !live() {
        return;
    }
    if Command::new("sysdig").arg("--version").output().is_err() {
        let required = std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_some_and(|v| v == "1");
        assert!(!required, "sysdig is not installed");
        return;
    }
    let place = place();
    // Pipes, duplicates, new kinds of calls and of descriptors.
    let script = "cat a.probe | cat > b; chmod 600 b; mv b c; sleep 0.01; rm c; exec 7< a.probe";
    let args = [
        "record", "-q", "--compat", "c.scap", "--", "sh", "-c", script,
    ];
    place.run(&args).check(0, &[], &[]);
    let sysdig = Command::new("sysdig")
        .arg("-r")
        .arg(place.path("c.scap"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&sysdig.stdout).into_owned();
    assert!(
        sysdig.status.success(),
        "{shown}\n{}",
        String::from_utf8_lossy(&sysdig.stderr)
    );
    let probe = place.path("a.probe").display().to_string();
    let has = |text: &str| assert!(shown.contains(text), "no {text:?} in\n{shown}");
    has(&format!("(<f>{probe}) "));
    has("> close fd=");
    has("< unlinkat res=0");
    has("> dup fd=");
    // The same file in today's eyes: the same calls, in the same order.
    let ours = place.run(&["read", "c.scap", "-p", "%evt.type %thread.tid"]);
    ours.check(0, &[], &[]);
    let theirs: Vec<String> = shown
        .lines()
        .filter(|line| line.contains(" < "))
        .filter_map(|line| {
            let (head, tail) = line.split_once(" < ")?;
            let tid = head.rsplit_once('(')?.1.trim_end_matches(')');
            Some(format!("{} {tid}", tail.split(' ').next()?))
        })
        .collect();
    let known: Vec<String> = ours.out().lines().map(str::to_owned).collect();
    // What the old release has no name for shows as nothing there.
    let known: Vec<&String> = known
        .iter()
        .filter(|line| !line.starts_with("procexit") && !line.starts_with("signaldeliver"))
        .collect();
    assert_eq!(known.len(), theirs.len());
    for (ours, theirs) in known.iter().zip(&theirs) {
        let nameless = theirs.starts_with('<') || ours.starts_with("unknown");
        assert!(nameless || *ours == theirs, "{ours} is {theirs} there");
    }
}

/// Programs that are loaded on this machine and belong to this process.
fn programs_of(pid: u32) -> usize {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return 0;
    };
    fds.flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .filter(|info| info.contains("prog_id"))
        .count()
}

#[test]
fn a_killed_watcher_leaves_nothing_behind() {
    if !live() {
        return;
    }
    let place = place();
    let watcher = Watcher::start(&place, &falco(&[]), "watching after");
    assert!(programs_of(watcher.child.id()) > 0);
    let pinned = || std::fs::read_dir("/sys/fs/bpf").map_or(0, Iterator::count);
    let before = pinned();
    watcher.signal("-KILL");
    let mut watcher = watcher;
    watcher.child.wait().unwrap();
    assert_eq!(programs_of(watcher.child.id()), 0);
    assert_eq!(
        pinned(),
        before,
        "nothing is pinned, so nothing outlives the process"
    );
}

#[test]
fn a_time_limit_ends_it_even_in_silence() {
    if !live() {
        return;
    }
    let place = place();
    let rules = "- rule: Never\n  desc: Nothing does this.\n  condition: evt.type = swapoff\n  output: x\n  priority: INFO\n";
    place.write("never.yaml", rules.as_bytes());
    place
        .run(&["run", "-r", "never.yaml", "-M", "1"])
        .check(0, &[], &["events in"]);
}

#[test]
fn only_what_is_needed_is_watched() {
    if !live() {
        return;
    }
    let place = place();
    let selected = |option: &str| -> Vec<String> {
        let mut args = falco(&["-M", "1", "-o", "base_syscalls.repair=false"]);
        if !option.is_empty() {
            args.extend(["-o", option]);
        }
        let run = place.run(&args);
        let log = run.err();
        let line = log
            .lines()
            .find(|line| line.contains("syscalls selected"))
            .unwrap_or_else(|| panic!("nothing selected in\n{log}"));
        let calls = line.split(": ").find(|part| part.contains(", ")).unwrap();
        let calls = calls.split(';').next().unwrap();
        calls
            .split(", ")
            .map(|call| call.trim().to_owned())
            .collect()
    };
    let has = |calls: &[String], name: &str| calls.iter().any(|call| call == name);
    let usual = selected("");
    assert!(has(&usual, "openat") && has(&usual, "setsid") && !has(&usual, "read"));
    let all = selected("base_syscalls.all=true");
    assert!(!has(&all, "read"), "no rule and no state asks for it");
    let custom = selected("base_syscalls.custom_set[]=close");
    assert!(has(&custom, "close") && has(&custom, "openat") && !has(&custom, "setsid"));
    let without = selected("base_syscalls.custom_set[]=!openat");
    assert!(!has(&without, "openat") && has(&without, "setsid"));
}

#[test]
fn a_reload_that_needs_other_calls_misses_and_doubles_nothing() {
    if !live() {
        return;
    }
    let place = place();
    let watcher = Watcher::start(&place, &falco(&[]), "watching after");
    let script = "n=0; while [ $n -lt 400 ]; do : < a.probe; sleep 0.005; n=$((n+1)); done";
    let mut load = Command::new("sh")
        .args(["-c", script])
        .current_dir(place.path(""))
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let more = "
- rule: Made
  desc: A folder of the test is made.
  condition: evt.type in (mkdir, mkdirat) and evt.res = SUCCESS and evt.args contains reload-probe
  output: made by %proc.name
  priority: WARNING
";
    place.write("live.yaml", format!("{}{more}", rules(&place)).as_bytes());
    watcher.signal("-HUP");
    // The kernel side has the new call by then.
    watcher.until("watched from now on");
    assert!(load.wait().unwrap().success());
    let made = Command::new("mkdir")
        .arg(place.path("reload-probe"))
        .status()
        .unwrap();
    assert!(made.success());
    let (out, _) = watcher.end("-INT");
    assert_eq!(out.matches("a.probe by sh under").count(), 400, "{out}");
    assert_eq!(out.matches("made by mkdir").count(), 1, "{out}");
}

#[test]
fn simulated_losses_are_told() {
    if !live() {
        return;
    }
    let place = place();
    let args = falco(&[
        "-M",
        "3",
        "-o",
        "syscall_event_drops.simulate_drops=true",
        "-o",
        "syscall_event_drops.actions[]=log",
        "-o",
        "syscall_event_drops.actions[]=alert",
        "-o",
        "syscall_event_drops.threshold=0",
        "-o",
        "syscall_event_drops.max_burst=10",
    ]);
    let run = place.run(&args);
    run.check(
        0,
        &[
            "Debug Falco internal: syscall event drop.",
            "ebpf_enabled=\"1\"",
        ],
        &["Syscall event drop monitoring:"],
    );
    let exit = falco(&[
        "-M",
        "9",
        "-o",
        "syscall_event_drops.simulate_drops=true",
        "-o",
        "syscall_event_drops.actions[]=exit",
    ]);
    place.run(&exit).check(1, &[], &["Exiting"]);
}

#[test]
fn without_the_privilege_the_message_says_what_is_missing() {
    // Not root, not privileged: setpriv drops what root has.
    let place = place();
    let output = Command::new("setpriv")
        .args([
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--reuid=65534",
            "--clear-groups",
            "--",
        ])
        .arg(env!("CARGO_BIN_EXE_peregrine"))
        .args(["run", "-M", "1"])
        .current_dir("/")
        .output();
    let Ok(output) = output else {
        eprintln!("left out: there is no setpriv here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.contains("setpriv:") || text.contains("Permission denied") {
        eprintln!("left out: {text}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("CAP_BPF") && text.contains("root"), "{text}");
    drop(place);
}

#[test]
fn bad_arguments_are_refused_before_anything_is_opened() {
    let place = Place::new();
    let bad = [
        (&["record"][..], 2),
        (&["record", "x.scap", "evt.type", "="], 1),
        (&["record", "x.scap", "-s", "0"], 2),
        (&["record", "x.scap", "-s", "70000"], 2),
        (&["record", "x.scap", "--keep", "2"], 1),
        (&["record", "x.scap", "--rotate-size", "0"], 1),
        (&["record", "-", "--rotate-size", "1"], 1),
        (&["run", "-r", "none.yaml"], 1),
    ];
    for (args, code) in bad {
        let run = place.run(args);
        assert_eq!(run.code(), code, "{args:?}: {}", run.err());
        assert!(!place.path("x.scap").exists(), "{args:?}");
    }
}
