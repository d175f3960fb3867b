//! Containers that lie about who they are, or say far too much.

use crate::docker_here;
use crate::watching::{Asked, RULES, Watch};

/// Puts the shell that runs it into groups of its own making that are called like another container,
/// below its own group and beside it, in every hierarchy that it can write.
const FORGE: &str = "
    for own in $(ls -d /groups/docker/$1 /groups/*/docker/$1 /groups/system.slice/docker-$1.scope \
                 /groups/*/system.slice/docker-$1.scope 2>/dev/null); do
        made=$own$3/docker-$2.scope
        mkdir -p $made 2>/dev/null
        for file in cpuset.cpus cpuset.mems; do
            cat $own/$file > $made/../$file; cat $own/$file > $made/$file
        done 2>/dev/null
        echo $$ > $made/cgroup.procs
    done 2>/dev/null
    /bin/echo $4
";

#[test]
fn who_poses_as_another() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    docker.done(&["run", "-d", "--name", "victim", "bb:test", "sleep", "3001"]);
    let victim = docker.id("victim");
    // By its name.
    docker.done(&["create", "--name", &victim[..12], "bb:test", "true"]);
    docker.done(&["create", "--name", &victim[1..13], "bb:test", "true"]);
    let asked = Asked {
        engines: &["docker"],
        socket: &docker.socket,
        more: "",
    };
    let watch = Watch::start(&bench, &asked, RULES);
    docker.done(&["exec", &victim, "echo", "from-victim"]);
    let alert = watch.ran_with("from-victim");
    alert.is_whole("docker", "victim");
    alert.is_of(&victim);

    // By its control group, from the inside.
    let groups = "--volume=/sys/fs/cgroup:/groups";
    docker.done(&[
        "run", "-d", "--name", "liar", groups, "bb:test", "sleep", "3002",
    ]);
    let liar = docker.id("liar");
    for (below, word) in [("", "forged-below"), ("/../..", "forged-beside")] {
        let forge = [
            "exec", "liar", "sh", "-c", FORGE, "sh", &liar, &victim, below, word,
        ];
        docker.done(&forge);
        let alert = watch.ran_with(word);
        alert.is_of(&liar);
        alert.is_whole("docker", "liar");
    }
    docker.done(&["rm", "-f", "victim", "liar", &victim[..12], &victim[1..13]]);
    sweep(&victim);
}

/// Removes the groups that were made beside the container's own.
fn sweep(victim: &str) {
    let name = format!("docker-{victim}.scope");
    let root = std::path::Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(root)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    for hierarchy in hierarchies.chain([root.to_owned()]) {
        let _ = std::fs::remove_dir(hierarchy.join(&name));
    }
}

#[test]
fn who_says_too_much() {
    let Some((_alone, bench, docker)) = docker_here() else {
        return;
    };
    let shows = format!(
        "{RULES}
- rule: Odd
  desc: What a stranger chose.
  condition: evt.type in (execve, execveat) and evt.res = SUCCESS and container.name = odd
  output: odd %container.label[odd] %container.labels %container.mounts
  priority: NOTICE
"
    );
    let asked = Asked {
        engines: &["docker"],
        socket: &docker.socket,
        more: "rule_matching: all\n",
    };
    let watch = Watch::start(&bench, &asked, &shows);
    let forged = "\u{1b}[2J\u{7}\n{\"rule\":\"Forged\",\"output_fields\":{}}\n\u{202e}";
    let label = format!("--label=odd={forged}");
    let variable = format!("--env=ODD={forged}");
    let run = [
        "run", "--rm", &label, &variable, "--name", "odd", "bb:test", "echo", "odd-one",
    ];
    docker.done(&run);
    watch.ran_with("odd-one").is_whole("docker", "odd");
    let alert = watch.until("the odd label", |alerts| {
        alerts.iter().find(|alert| alert.rule == "Odd").cloned()
    });
    // It is told, however its odd characters are written.
    let told = alert.field("container.label[odd]");
    assert!(told.contains("Forged"), "{}", alert.line);
    assert!(!alert.line.contains(['\u{1b}', '\u{7}']), "{}", alert.line);
    assert!(watch.alerts().iter().all(|alert| alert.rule != "Forged"));

    let many: String = (0..10_000)
        .map(|i| format!("key-{i}={}\n", "v".repeat(40)))
        .collect();
    std::fs::write(bench.path("labels"), many).unwrap();
    let file = format!("--label-file={}", bench.path("labels").display());
    docker.done(&[
        "run",
        "--rm",
        &file,
        "--name",
        "many",
        "bb:test",
        "echo",
        "many-labels",
    ]);
    watch.ran_with("many-labels").is_whole("docker", "many");
}
