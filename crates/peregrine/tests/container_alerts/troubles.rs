//! Runtimes that are slow, go, and come back: other alerts go on, and nothing is silently missing.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::docker_here;
use crate::servers::Between;
use crate::watching::{Alert, Asked, RULES, Watch};

const HOST: &str = "
- rule: On the host
  desc: A program runs beside the containers.
  condition: evt.type in (execve, execveat) and proc.args contains beside-
  output: host %proc.args %container.metadata
  priority: NOTICE
";

const TOUCHED: &str = "
- rule: Touched
  desc: A container of this name opens a file.
  condition: >
    evt.type in (open, openat, openat2, creat) and fd.name startswith /tmp/touched-
    and container.name = touchy
  output: touched %fd.name %container.metadata
  priority: NOTICE
";

/// Runs a program on the host, and waits for its alert.
fn beside(watch: &Watch, word: &str) {
    assert!(
        Command::new("/bin/true")
            .arg(word)
            .status()
            .unwrap()
            .success()
    );
    watch.until(word, |alerts| {
        alerts
            .iter()
            .find(|alert| alert.field("proc.args") == word)
            .map(|_| ())
    });
}

/// Sets it when it goes, be it that the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_runtime_that_is_slow_and_one_that_goes() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let socket = bench.path("between.sock");
    let between = Between::new(&socket, &docker.socket);
    let asked = Asked {
        engines: &["docker"],
        socket: &socket,
        more: "container_metadata: {wait_ms: 3000}\n",
    };
    // Docker may take its time to answer about a container that it has just started, so this one was before.
    docker.done(&["run", "-d", "--name", "known", "bb:test", "sleep", "3001"]);
    let watch = Watch::start(&bench, &asked, &format!("{RULES}{HOST}"));
    docker.done(&["exec", "known", "echo", "known-before"]);
    watch.ran_with("known-before").is_whole("docker", "known");

    // An answer takes longer than an alert waits. That alert waits alone.
    between.delay(Duration::from_secs(3600));
    let over = AtomicBool::new(false);
    let alert = std::thread::scope(|scope| {
        // Something happens on the host all the time.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = Command::new("/bin/true").arg("beside-slow").status();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let _end = Ends(&over);
        docker.done(&["run", "-d", "--name", "slow", "bb:test", "sleep", "3002"]);
        docker.done(&["exec", "known", "echo", "in-known"]);
        watch.ran_with("in-known").is_whole("docker", "known");
        watch.ran_with("3002")
    });
    assert_eq!(
        alert.field("container.metadata"),
        "pending",
        "{}",
        alert.line
    );
    assert_eq!(alert.field("container.id"), docker.id("slow")[..12]);
    assert_eq!(alert.field("container.name"), "<NA>");
    // What happened after it was told before it.
    let time = |alert: &Alert| alert.field("evt.time").parse::<u64>().unwrap();
    let all = watch.alerts();
    let mut before = all.iter().take_while(|one| one.line != alert.line);
    let overtakes = |one: &Alert| one.rule == "On the host" && time(one) > time(&alert);
    assert!(before.any(overtakes), "{all:?}");

    // Once it answers again, all is known.
    between.delay(Duration::ZERO);
    between.cut();
    watch.told("container", "slow");
    docker.done(&["exec", "slow", "echo", "in-slow"]);
    watch.ran_with("in-slow").is_whole("docker", "slow");

    // Nobody answers.
    between.close();
    docker.done(&["run", "-d", "--name", "away", "bb:test", "sleep", "3003"]);
    beside(&watch, "beside-away");
    let alert = watch.ran_with("3003");
    assert_eq!(
        alert.field("container.metadata"),
        "unknown",
        "{}",
        alert.line
    );
    assert_eq!(alert.field("container.id"), docker.id("away")[..12]);
    between.open();
    watch.told("container", "away");
    docker.done(&["exec", "away", "echo", "in-away"]);
    watch.ran_with("in-away").is_whole("docker", "away");
    docker.done(&["rm", "-f", "known", "slow", "away"]);
}

/// One process does several things before anything is known of its container: that the first of them
/// had to wait says nothing about the others.
#[test]
fn what_waits_is_asked_again() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let socket = bench.path("between.sock");
    let between = Between::new(&socket, &docker.socket);
    let asked = Asked {
        engines: &["docker"],
        socket: &socket,
        more: "",
    };
    let watch = Watch::start(&bench, &asked, TOUCHED);
    between.delay(Duration::from_millis(500));
    let touch = ": >/tmp/touched-1; : >/tmp/touched-2; : >/tmp/touched-3";
    docker.done(&["run", "--name", "touchy", "bb:test", "sh", "-c", touch]);
    for file in ["/tmp/touched-1", "/tmp/touched-2", "/tmp/touched-3"] {
        let alert = watch.until(file, |alerts| {
            let is = |alert: &&Alert| alert.field("fd.name") == file;
            alerts.iter().find(is).cloned()
        });
        let known = alert.field("container.metadata");
        assert_eq!(known, "complete", "{}", alert.line);
    }
    docker.done(&["rm", "-f", "touchy"]);
}
