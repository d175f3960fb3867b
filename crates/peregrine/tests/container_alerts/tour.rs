//! The four threats of the guided tour, as it tells them.

use std::process::{Command, Stdio};

use crate::docker_here;
use crate::runtimes::have;
use crate::watching::{Asked, Watch};

#[test]
fn the_tour() {
    if !have(&[("script", "bsdutils")]) {
        return;
    }
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/tour_rules.yaml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let asked = Asked {
        engines: &["docker"],
        socket: &docker.socket,
        more: "",
    };
    let watch = Watch::start(&bench, &asked, &rules);
    let says = |what: &str, more: &str| {
        watch.until(what, |alerts| {
            let said = |alert: &&crate::watching::Alert| {
                alert.line.contains(what) && alert.line.contains(more)
            };
            alerts.iter().find(said).map(|_| ())
        });
    };
    docker.done(&[
        "run", "-d", "--name", "tour-web", "bb:test", "sleep", "3600",
    ]);
    let socket = docker.socket.display();
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
    let run = [
        "run",
        "--rm",
        "--name",
        "tour-mount",
        "-v",
        "/:/host",
        "bb:test",
        "ls",
        "/host/bin",
    ];
    docker.done(&run);
    says(
        "A container with a sensitive mount was started",
        "container=tour-mount",
    );
    docker.done(&["rm", "-f", "tour-web"]);
}
