//! Alerts of containers say which container it was: against Docker, Podman, containerd and its side
//! for Kubernetes, each started by the test. They need root and BPF: `PEREGRINE_REQUIRE_LIVE=1`
//! makes their absence a failure, otherwise they say so and pass.
//!
//! `PEREGRINE_CONTAINERS=200` starts so many short-lived containers instead of a few.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod pods;
mod runtimes;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runtimes::{Bench, Runtime, left_out};

/// Longest time until an expected alert is there: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// One runtime at a time: the machine is small.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn live() -> bool {
    let run = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .arg("doctor")
        .output()
        .unwrap();
    if !run.status.success() {
        left_out("the kernel cannot be watched from here");
    }
    run.status.success()
}

const RULES: &str = "
- rule: Ran
  desc: A program runs in a container.
  condition: evt.type in (execve, execveat) and evt.res = SUCCESS and container.id != host
  output: >
    ran|%proc.args|%container.id|%container.name|%container.image.repository|%container.image.tag|%container.type|%user.name|%container.metadata|%k8s.ns.name|%k8s.pod.name|%k8s.pod.uid|%container.privileged|%proc.name
  priority: NOTICE

- rule: Container event
  desc: Something is told of a container.
  condition: evt.type in (container, container_updated, container_removed)
  output: told|%evt.type|%container.id|%container.name|%container.type
  priority: INFO
";

/// A watching peregrine and what it has printed.
struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

/// An alert of the first rule.
#[derive(Clone, Debug)]
struct Ran {
    args: String,
    id: String,
    name: String,
    image: String,
    tag: String,
    kind: String,
    user: String,
    metadata: String,
    rest: Vec<String>,
    whole: String,
}

impl Watch {
    fn start(bench: &Bench, engine: &str, socket: &str, rules: &str) -> Self {
        let off = ["docker", "podman", "cri", "containerd"].map(|name| {
            if engine.contains(name) {
                format!("{name}: {{enabled: true, sockets: ['{socket}']}}")
            } else {
                format!(
                    "{name}: {{enabled: {}, sockets: ['/nowhere']}}",
                    name != "containerd"
                )
            }
        });
        let config = format!(
            "engine: {{kind: modern_ebpf}}\nstdout_output: {{enabled: true}}\nlog_stderr: true\n\
             log_syslog: false\nlog_level: debug\nwatch_config_files: false\n\
             container_metadata: {{wait_ms: 5000}}\nplugins:\n  - name: container\n    \
             library_path: libcontainer.so\n    init_config: {{engines: {{{}, lxc: {{enabled: true}}, \
             libvirt_lxc: {{enabled: true}}, bpm: {{enabled: true}}}}}}\n",
            off.join(", ")
        );
        std::fs::write(bench.path("falco.yaml"), config).unwrap();
        std::fs::write(bench.path("rules.yaml"), rules).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .args(["-c", "falco.yaml", "-r", "rules.yaml", "-v", "-U"])
            .current_dir(bench.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("watching after") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended early");
        }
        // The log is read on, or a full pipe would hold it up.
        std::thread::spawn(move || log.lines().map_while(Result::ok).count());
        Self { child, lines }
    }

    fn ran(&self) -> Vec<Ran> {
        let lines = self.lines.lock().unwrap();
        let parse = |line: &String| {
            let parts: Vec<&str> = line.split("ran|").nth(1)?.split('|').collect();
            let at = |i: usize| {
                parts
                    .get(i)
                    .map_or_else(String::new, |part| (*part).to_owned())
            };
            Some(Ran {
                args: at(0),
                id: at(1),
                name: at(2),
                image: at(3),
                tag: at(4),
                kind: at(5),
                user: at(6),
                metadata: at(7),
                rest: parts[8.min(parts.len())..]
                    .iter()
                    .map(|part| (*part).to_owned())
                    .collect(),
                whole: line.clone(),
            })
        };
        lines.iter().filter_map(parse).collect()
    }

    fn until<T>(&self, what: &str, found: impl Fn(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            if begin.elapsed() > PATIENCE {
                let lines = self.lines.lock().unwrap();
                panic!("{what} does not come; what came:\n{}", lines.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The alert of a program with these arguments.
    fn ran_with(&self, args: &str) -> Ran {
        self.until(args, |watch| {
            watch.ran().into_iter().find(|ran| ran.args == args)
        })
    }

    fn told(&self, event: &str, name: &str) {
        let wanted = |line: &String| {
            let mut parts = line.split("told|").nth(1).unwrap_or_default().split('|');
            parts.next() == Some(event) && parts.nth(1) == Some(name)
        };
        self.until(event, |watch| {
            watch.lines.lock().unwrap().iter().any(wanted).then_some(())
        });
    }

    /// Kilobytes of memory in use.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn is_whole(ran: &Ran, kind: &str, name: &str) {
    let seen = (ran.kind.as_str(), ran.name.as_str(), ran.metadata.as_str());
    assert_eq!(seen, (kind, name, "complete"), "{}", ran.whole);
    assert!(
        ran.image.ends_with("bb") && ran.tag == "test",
        "{}",
        ran.whole
    );
    let known = ran
        .whole
        .split('|')
        .take(9)
        .all(|part| !part.contains("<NA>"));
    assert!(known, "{}", ran.whole);
}

/// What Docker and Podman have in common.
fn like_docker(watch: &Watch, runtime: &Runtime, kind: &str, own_users: bool) {
    runtime.done(&["run", "-d", "--name", "one", "bb:test", "sleep", "3001"]);
    let id = runtime.id("one");
    let ran = watch.ran_with("3001");
    is_whole(&ran, kind, "one");
    assert_eq!(ran.id, &id[..12]);

    runtime.done(&["exec", "one", "echo", "in-one"]);
    let ran = watch.ran_with("in-one");
    is_whole(&ran, kind, "one");
    assert_eq!(ran.id, &id[..12]);
    if own_users {
        runtime.done(&["exec", "-u", "1000", "one", "echo", "as-user"]);
        assert_eq!(watch.ran_with("as-user").user, "webmaster");
    }

    runtime.done(&["rename", "one", "two"]);
    watch.told("container_updated", "two");
    runtime.done(&["exec", "two", "echo", "renamed"]);
    is_whole(&watch.ran_with("renamed"), kind, "two");

    runtime.done(&["stop", "-t", "0", "two"]);
    runtime.done(&["start", "two"]);
    runtime.done(&["exec", "two", "echo", "restarted"]);
    let ran = watch.ran_with("restarted");
    is_whole(&ran, kind, "two");
    assert_eq!(ran.id, &id[..12]);
    runtime.done(&["rm", "-f", "two"]);
    watch.told("container_removed", "two");
}

/// Containers that live for a moment only.
fn short_lived(watch: &Watch, runtime: &Runtime, kind: &str, few: usize) {
    let count = std::env::var("PEREGRINE_CONTAINERS").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(few);
    let before = watch.memory();
    for i in 0..count {
        let (name, word) = (format!("short-{i}"), format!("word-{i}-"));
        runtime.done(&["run", "--rm", "--name", &name, "bb:test", "echo", &word]);
    }
    for i in 0..count {
        is_whole(
            &watch.ran_with(&format!("word-{i}-")),
            kind,
            &format!("short-{i}"),
        );
    }
    watch.told("container_removed", &format!("short-{}", count - 1));
    let after = watch.memory();
    assert!(
        after < before + 64 * 1024,
        "{before} kB before, {after} kB after"
    );
    assert!(watch.ran().iter().all(|ran| ran.metadata == "complete"));
}

#[test]
fn docker() {
    let _alone = alone();
    if !live() {
        return;
    }
    let bench = Bench::new();
    let Some(mut docker) = bench.docker() else {
        return;
    };
    // It stands before the watch begins, and is called like a part of another one's id.
    docker.done(&["run", "-d", "--name", "before", "bb:test", "sleep", "3002"]);
    let id = docker.id("before");
    docker.done(&["create", "--name", &id[..12], "bb:test", "true"]);
    let socket = docker.socket.display().to_string();
    let watch = Watch::start(&bench, "docker", &socket, RULES);
    docker.done(&["exec", "before", "echo", "from-before"]);
    let ran = watch.ran_with("from-before");
    is_whole(&ran, "docker", "before");
    assert_eq!(ran.id, &id[..12]);
    docker.done(&["rm", &id[..12]]);

    like_docker(&watch, &docker, "docker", true);
    short_lived(&watch, &docker, "docker", 12);

    // What a stranger writes stays in its line and in its place.
    let odd = "--label=odd=\u{1b}[31m\nfake|alert";
    docker.done(&[
        "run", "--rm", odd, "--name", "odd", "-e", "X=a\nb|c", "bb:test", "echo", "odd-one",
    ]);
    is_whole(&watch.ran_with("odd-one"), "docker", "odd");
    let mut many: Vec<String> = (0..3000)
        .map(|i| format!("--label=key-{i}={}", "v".repeat(20)))
        .collect();
    many.splice(
        0..0,
        [
            "run".to_owned(),
            "--rm".to_owned(),
            "--name=many".to_owned(),
        ],
    );
    many.extend(["bb:test", "echo", "many-labels"].map(str::to_owned));
    docker.done(&many.iter().map(String::as_str).collect::<Vec<_>>());
    is_whole(&watch.ran_with("many-labels"), "docker", "many");

    docker.done(&[
        "run",
        "--rm",
        "--privileged",
        "--name",
        "strong",
        "bb:test",
        "echo",
        "strong-one",
    ]);
    let ran = watch.ran_with("strong-one");
    assert_eq!(ran.rest[3], "true", "{}", ran.whole);
    docker.done(&["rm", "-f", "before"]);
    docker.stop();
}

#[test]
fn podman() {
    let _alone = alone();
    if !live() {
        return;
    }
    let bench = Bench::new();
    let Some(podman) = bench.podman() else {
        return;
    };
    let socket = podman.socket.display().to_string();
    let watch = Watch::start(&bench, "podman", &socket, RULES);
    like_docker(&watch, &podman, "podman", true);
    short_lived(&watch, &podman, "podman", 6);
}

#[test]
fn rootless_podman() {
    let _alone = alone();
    if !live() {
        return;
    }
    let bench = Bench::new();
    let Some(podman) = bench.rootless_podman() else {
        return;
    };
    let socket = podman.socket.display().to_string();
    let watch = Watch::start(&bench, "podman", &socket, RULES);
    like_docker(&watch, &podman, "podman", false);
    short_lived(&watch, &podman, "podman", 4);
}

#[test]
fn containerd() {
    let _alone = alone();
    if !live() {
        return;
    }
    let bench = Bench::new();
    let (Some(docker), Some(containerd)) = (bench.docker(), bench.containerd()) else {
        return;
    };
    let image = bench.path("image.tar").display().to_string();
    docker.done(&["save", "bb:test", "-o", &image]);
    drop(docker);
    containerd.done(&["images", "import", "--snapshotter", "native", &image]);
    containerd.done(&[
        "-n",
        "k8s.io",
        "images",
        "import",
        "--snapshotter",
        "native",
        &image,
    ]);
    let socket = containerd.socket.display().to_string();
    let watch = Watch::start(&bench, "cri,containerd", &socket, RULES);

    let name = "docker.io/library/bb:test";
    containerd.done(&["run", "--rm", name, "plain-one", "echo", "plain"]);
    let ran = watch.ran_with("plain");
    is_whole(&ran, "containerd", "plain-one");
    assert_eq!(ran.id, "plain-one");
    for i in 0..4 {
        let (id, word) = (format!("quick-{i}"), format!("quick-word-{i}"));
        containerd.done(&["run", "--rm", name, &id, "echo", &word]);
        is_whole(&watch.ran_with(&word), "containerd", &id);
    }

    let pod = pods::Pod::start(&containerd.socket, name);
    let ran = watch.ran_with("in-pod");
    is_whole(&ran, "containerd", "web");
    assert_eq!(
        ran.rest[..3],
        ["shop", "web-1", "0a1b2c3d"],
        "{}",
        ran.whole
    );
    assert_eq!(ran.id, &pod.container[..12]);
    pod.remove();
    watch.told("container_removed", "web");
}

/// The four threats of the guided tour, as it tells them.
#[test]
fn the_tour() {
    let _alone = alone();
    if !live() || !runtimes::have(&[("script", "bsdutils")]) {
        return;
    }
    let bench = Bench::new();
    let Some(docker) = bench.docker() else {
        return;
    };
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/tour_rules.yaml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let socket = docker.socket.display().to_string();
    let watch = Watch::start(&bench, "docker", &socket, &rules);
    let says = |what: &str, more: &str| {
        watch.until(what, |watch| {
            let lines = watch.lines.lock().unwrap();
            lines
                .iter()
                .any(|line| line.contains(what) && line.contains(more))
                .then_some(())
        });
    };
    docker.done(&[
        "run", "-d", "--name", "tour-web", "bb:test", "sleep", "3600",
    ]);
    let shell = format!(
        "docker -H unix://{socket} exec -it tour-web sh -c '/bin/id; /bin/touch /etc/hosts.new'"
    );
    let typed = Command::new("script")
        .args(["-qec", &shell, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(typed.unwrap().success());
    says(
        "A shell was opened in a container",
        "container=tour-web image=bb:test",
    );
    says("An unexpected program ran", "container=tour-web program=id");
    says(
        "A file was written where no user data belongs",
        "container=tour-web file=/etc/hosts.new",
    );
    docker.done(&[
        "run",
        "--rm",
        "--name",
        "tour-mount",
        "-v",
        "/:/host",
        "bb:test",
        "ls",
        "/host/bin",
    ]);
    says(
        "A container with a sensitive mount was started",
        "container=tour-mount",
    );
    docker.done(&["rm", "-f", "tour-web"]);
}
