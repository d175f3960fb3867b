//! A recorded capture carries what was known of containers: a replay says what the live watch said.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::docker_here;
use crate::watching::{Alert, Asked, PATIENCE, RULES, Watch};

const FIELDS: [&str; 11] = [
    "container.id",
    "container.full_id",
    "container.name",
    "container.image.repository",
    "container.image.tag",
    "container.type",
    "container.metadata",
    "container.privileged",
    "container.label[colour]",
    "container.mounts",
    "user.name",
];

/// Waits until a text stands so often in a capture that grows.
fn written(capture: &Path, text: &str, times: usize) {
    let begin = Instant::now();
    let mut file = std::fs::File::open(capture).unwrap();
    let (mut waiting, mut found) = (Vec::new(), 0);
    while found < times {
        assert!(begin.elapsed() < PATIENCE, "{text} is not recorded");
        file.read_to_end(&mut waiting).unwrap();
        let windows = waiting.windows(text.len());
        found += windows.filter(|one| *one == text.as_bytes()).count();
        // It may stand across the end of what is there.
        waiting.drain(..waiting.len().saturating_sub(text.len() - 1));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_replay_says_the_same() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let rules = RULES.replace(
        "%proc.name",
        "%proc.name %container.label[colour] %container.mounts",
    );
    let asked = Asked {
        engines: &["docker"],
        socket: &docker.socket,
        more: "",
    };
    let run = [
        "run",
        "-d",
        "--label=colour=blue",
        "-v=/var/tmp:/data:ro",
        "--name",
        "old",
        "bb:test",
        "sleep",
        "3001",
    ];
    docker.done(&run);
    let engines = format!(
        "container_engines={{docker: {{enabled: true, sockets: ['{}']}}, podman: {{enabled: false}}, \
         cri: {{enabled: false}}, containerd: {{enabled: false}}}}",
        docker.socket.display()
    );
    let mut recorder = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["record", "live.scap", "--compression=none", "-o", &engines])
        .args(["-o", "container_metadata.wait_ms=10000"])
        .current_dir(bench.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(recorder.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("recording to") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended early");
    }
    let watch = Watch::start(&bench, &asked, &rules);

    docker.done(&["exec", "old", "echo", "in-old"]);
    docker.done(&["exec", "-u", "1000", "old", "echo", "in-old-as-user"]);
    docker.done(&["run", "--rm", "--name", "short", "bb:test", "sleep", "0.02"]);
    // Two observers: what is renamed before the slower one has looked has had no other name for him.
    let capture = bench.path("live.scap");
    written(&capture, "in-old-as-user", 1);
    written(&capture, "0.02", 1);
    docker.done(&["rename", "old", "older"]);
    watch.told("container_updated", "older");
    written(&capture, r#""name":"older""#, 1);
    docker.done(&["exec", "older", "echo", "in-older"]);
    docker.done(&["rm", "-f", "older"]);
    let words = ["in-old", "in-old-as-user", "0.02", "in-older"];
    let seen = words.map(|word| watch.ran_with(word));
    watch.told("container_removed", "short");
    watch.told("container_removed", "older");
    written(&capture, "container_removed", 2);
    watch.end();
    let pid = recorder.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(recorder.wait().unwrap().success());

    let replayed = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args([
            "-c",
            "falco.yaml",
            "-r",
            "rules.yaml",
            "-o",
            "engine.kind=replay",
        ])
        .args(["-o", "engine.replay.capture_file=live.scap"])
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    let text = String::from_utf8(replayed.stdout).unwrap();
    let alerts: Vec<Alert> = text
        .lines()
        .filter_map(|line| Alert::read(line.to_owned()))
        .collect();
    for (word, live) in words.iter().zip(&seen) {
        let again = alerts
            .iter()
            .find(|alert| alert.field("proc.args") == *word);
        let again = again.unwrap_or_else(|| panic!("{word} is not in the replay:\n{text}"));
        for field in FIELDS {
            assert_eq!(
                again.field(field),
                live.field(field),
                "{field} of {}",
                again.line
            );
        }
    }
    assert_eq!(seen[1].field("user.name"), "webmaster");
    let told = |event: &str, name: &str| {
        alerts
            .iter()
            .any(|alert| alert.field("evt.type") == event && alert.field("container.name") == name)
    };
    assert!(told("container", "short") && told("container_updated", "older"));
    assert!(told("container_removed", "short") && told("container_removed", "older"));
}
