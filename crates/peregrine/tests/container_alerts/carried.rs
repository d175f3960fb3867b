//! A recorded capture carries what was known of containers: a replay says what the live watch said.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::docker_here;
use crate::watching::{Alert, Asked, RULES, Watch};

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
        .args(["record", "live.scap", "-o", &engines])
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
    docker.done(&["rename", "old", "older"]);
    watch.told("container_updated", "older");
    docker.done(&["exec", "older", "echo", "in-older"]);
    docker.done(&["rm", "-f", "older"]);
    let words = ["in-old", "in-old-as-user", "0.02", "in-older"];
    let seen = words.map(|word| watch.ran_with(word));
    watch.told("container_removed", "short");
    watch.told("container_removed", "older");
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
