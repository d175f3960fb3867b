//! What each runtime's containers go through: run, exec, stop, restart, rename, end; and many that
//! live for a moment. Every alert names its container.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::pods::Pod;
use crate::runtimes::{Bench, Runtime};
use crate::watching::{Alert, Asked, RULES, Watch};
use crate::{docker_here, stage};

/// Containers that are started at one time.
const AT_ONCE: usize = 6;

fn watch(bench: &Bench, runtime: &Runtime, engines: &[&str]) -> Watch {
    let asked = Asked {
        engines,
        socket: &runtime.socket,
        more: "",
    };
    Watch::start(bench, &asked, RULES)
}

/// What Docker and Podman have in common. `has_users`: others than root can be had.
fn like_docker(watch: &Watch, runtime: &Runtime, kind: &str, has_users: bool) {
    let whole = |args: &str, name: &str, id: &str| -> Alert {
        let alert = watch.ran_with(args);
        alert.is_whole(kind, name);
        alert.is_of(id);
        alert
    };
    runtime.done(&["run", "-d", "--name", "one", "bb:test", "sleep", "3001"]);
    let id = runtime.id("one");
    whole("3001", "one", &id);
    watch.told("container", "one");

    runtime.done(&["exec", "one", "echo", "in-one"]);
    let alert = whole("in-one", "one", &id);
    assert_eq!(alert.field("user.name"), "root");
    if has_users {
        // The name is the container's own; the host has another one for the number, or none.
        runtime.done(&["exec", "-u", "1000", "one", "echo", "as-user"]);
        let alert = whole("as-user", "one", &id);
        assert_eq!(alert.field("user.name"), "webmaster", "{}", alert.line);
        let run = [
            "run", "-d", "--name", "owned", "-u", "1000", "bb:test", "sleep", "3002",
        ];
        runtime.done(&run);
        let alert = whole("3002", "owned", &runtime.id("owned"));
        assert_eq!(alert.field("user.name"), "webmaster", "{}", alert.line);
        runtime.done(&["kill", "owned"]);
        runtime.done(&["rm", "-f", "owned"]);
    }

    runtime.done(&["rename", "one", "two"]);
    watch.told("container_updated", "two");
    runtime.done(&["exec", "two", "echo", "renamed"]);
    whole("renamed", "two", &id);

    runtime.done(&["stop", "-t", "0", "two"]);
    runtime.done(&["start", "two"]);
    runtime.done(&["exec", "two", "echo", "started"]);
    whole("started", "two", &id);
    runtime.done(&["restart", "-t", "0", "two"]);
    runtime.done(&["exec", "two", "echo", "restarted"]);
    whole("restarted", "two", &id);
    // Programs that are the first in their namespace do not heed SIGTERM; nobody need wait for it.
    runtime.done(&["kill", "two"]);
    runtime.done(&["rm", "-f", "two"]);
    watch.told("container_removed", "two");
}

/// Starts many containers that live for 20 ms, several at a time; `usual`: how many.
fn short_lived(watch: &Watch, kind: &str, usual: usize, start: impl Fn(&str, &str) + Sync) {
    let wanted = std::env::var("PEREGRINE_CONTAINERS").ok();
    let count = wanted.and_then(|count| count.parse().ok()).unwrap_or(usual);
    let some = |first: usize, end: usize| {
        let next = AtomicUsize::new(first);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::SeqCst);
                        if i >= end {
                            return;
                        }
                        start(&format!("short-{i}"), &format!("0.02{i:05}"));
                    }
                });
            }
        });
        for i in first..end {
            let alert = watch.ran_with(&format!("0.02{i:05}"));
            alert.is_whole(kind, &format!("short-{i}"));
        }
        for i in first..end {
            watch.told("container_removed", &format!("short-{i}"));
        }
    };
    // Tables and pools have their size after the first few.
    let warm = 20.min(count);
    some(0, warm);
    let before = watch.memory();
    let begin = Instant::now();
    some(warm, count + warm);
    let after = watch.memory();
    eprintln!(
        "{kind}: {count} containers in {:.0?}, {before} kB before, {after} kB after",
        begin.elapsed()
    );
    assert!(
        after < before + 24 * 1024,
        "{before} kB before, {after} kB after"
    );
    // Whatever else ran in any of them is told as well; the machine may run others' containers.
    let alerts = watch.alerts();
    let ran = || alerts.iter().filter(|alert| alert.rule == "Ran");
    let ours = ran().filter(|alert| alert.field("proc.args").starts_with("0.02"));
    let ours: BTreeSet<String> = ours.map(|alert| alert.field("container.id")).collect();
    for alert in ran().filter(|alert| ours.contains(&alert.field("container.id"))) {
        assert_eq!(
            alert.field("container.metadata"),
            "complete",
            "{}",
            alert.line
        );
        assert_ne!(alert.field("container.name"), "<NA>", "{}", alert.line);
    }
}

fn short_lived_by_run(watch: &Watch, runtime: &Runtime, kind: &str, usual: usize) {
    let ids = Mutex::new(Vec::new());
    short_lived(watch, kind, usual, |name, time| {
        let id = runtime.done(&[
            "run", "-d", "--rm", "--name", name, "bb:test", "sleep", time,
        ]);
        ids.lock().unwrap().push((time.to_owned(), id));
    });
    for (time, id) in ids.into_inner().unwrap() {
        watch.ran_with(&time).is_of(&id);
    }
}

#[test]
fn docker() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    docker.done(&["run", "-d", "--name", "before", "bb:test", "sleep", "3003"]);
    let watch = watch(&bench, &docker, &["docker"]);
    docker.done(&["exec", "before", "echo", "from-before"]);
    let alert = watch.ran_with("from-before");
    alert.is_whole("docker", "before");
    alert.is_of(&docker.id("before"));
    docker.done(&["rm", "-f", "before"]);

    like_docker(&watch, &docker, "docker", true);
    short_lived_by_run(&watch, &docker, "docker", 200);
}

#[test]
fn podman() {
    let Some((_alone, bench)) = stage() else {
        return;
    };
    let Some(podman) = bench.podman() else {
        return;
    };
    let watch = watch(&bench, &podman, &["podman"]);
    like_docker(&watch, &podman, "podman", true);
    short_lived_by_run(&watch, &podman, "podman", 60);
}

#[test]
fn rootless_podman() {
    let Some((_alone, bench)) = stage() else {
        return;
    };
    let Some(podman) = bench.rootless_podman() else {
        return;
    };
    let watch = watch(&bench, &podman, &["podman"]);
    // A user without a range of numbers has one user inside, who is root there.
    like_docker(&watch, &podman, "podman", false);
    short_lived_by_run(&watch, &podman, "podman", 60);
}

/// containerd with the test's image in both of its worlds.
pub(crate) fn containerd_with_image(bench: &Bench) -> Option<Runtime> {
    let (docker, containerd) = (bench.docker()?, bench.containerd()?);
    let image = bench.path("image.tar").display().to_string();
    docker.done(&["save", "bb:test", "-o", &image]);
    drop(docker);
    for namespace in ["default", "k8s.io"] {
        let import = [
            "-n",
            namespace,
            "images",
            "import",
            "--snapshotter",
            "native",
            &image,
        ];
        containerd.done(&import);
    }
    Some(containerd)
}

pub(crate) const IMAGE: &str = "docker.io/library/bb:test";

#[test]
fn containerd() {
    let Some((_alone, bench)) = stage() else {
        return;
    };
    let Some(containerd) = containerd_with_image(&bench) else {
        return;
    };
    let watch = watch(&bench, &containerd, &["cri", "containerd"]);
    let whole = |args: &str, name: &str| {
        let alert = watch.ran_with(args);
        alert.is_whole("containerd", name);
        alert
    };

    containerd.done(&["run", "-d", IMAGE, "plain-one", "sleep", "3001"]);
    let alert = whole("3001", "plain-one");
    assert_eq!(alert.field("container.id"), "plain-one");
    containerd.done(&[
        "tasks",
        "exec",
        "--exec-id",
        "x1",
        "plain-one",
        "echo",
        "in-plain",
    ]);
    whole("in-plain", "plain-one");
    let exec = [
        "tasks",
        "exec",
        "--exec-id",
        "x2",
        "--user",
        "1000",
        "plain-one",
        "echo",
        "user",
    ];
    containerd.done(&exec);
    assert_eq!(whole("user", "plain-one").field("user.name"), "webmaster");
    containerd.done(&["tasks", "kill", "-s", "SIGKILL", "plain-one"]);
    containerd.done_in_the_end(&["tasks", "delete", "plain-one"]);
    containerd.done(&["tasks", "start", "-d", "plain-one"]);
    containerd.done(&[
        "tasks",
        "exec",
        "--exec-id",
        "x3",
        "plain-one",
        "echo",
        "restarted",
    ]);
    whole("restarted", "plain-one");
    containerd.done(&["tasks", "kill", "-s", "SIGKILL", "plain-one"]);
    containerd.done_in_the_end(&["tasks", "delete", "plain-one"]);
    containerd.done(&["containers", "delete", "plain-one"]);
    watch.told("container_removed", "plain-one");

    short_lived(&watch, "containerd", 200, |name, time| {
        containerd.done(&["run", "--rm", IMAGE, name, "sleep", time]);
    });

    // Pods, as a kubelet makes them.
    for i in 0..3 {
        let (name, uid) = (format!("web-{i}"), format!("0a1b2c3d-{i}"));
        let pod = Pod::start(&containerd.socket, &name, &uid);
        let seconds = format!("400{i}");
        let container = pod.run("web", IMAGE, &["sleep", &seconds]);
        let in_pod = |args: &str| {
            let alert = watch.ran_with(args);
            alert.is_whole("containerd", "web");
            alert.is_of(&container);
            let seen = ["k8s.ns.name", "k8s.pod.name", "k8s.pod.uid"].map(|f| alert.field(f));
            assert_eq!(seen, ["shop", &name, &uid], "{}", alert.line);
        };
        in_pod(&seconds);
        let word = format!("in-pod-{i}");
        pod.exec(&container, &["echo", &word]);
        in_pod(&word);
        pod.end(&container);
        // The same again in the same pod, as after a crash.
        let seconds = format!("500{i}");
        let second = pod.run("again", IMAGE, &["sleep", &seconds]);
        watch.ran_with(&seconds).is_of(&second);
        pod.remove();
    }
    watch.told("container_removed", "web");
    watch.told("container_removed", "again");
}
