//! Containers of runtimes that nobody can be asked about: their control groups are made by the test.
//! They have a record at once, and end with their first process.

use std::process::{Command, Stdio};

use crate::runtimes::have;
use crate::stage;
use crate::watching::{Asked, RULES, Watch};

/// Moves the shell into a group of each hierarchy, and runs a program as the first of a pid
/// namespace there.
const ENTER: &str = r#"
    for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -e $root/cgroup.procs ] || continue
        path=$root
        for part in $(printf %s "$1" | tr / ' '); do
            above=$path path=$path/$part
            [ -d $path ] || mkdir $path || continue
            for file in cpuset.cpus cpuset.mems; do
                [ ! -e $above/$file ] || cat $above/$file > $path/$file
            done
        done
        echo $$ > $path/cgroup.procs
    done 2>/dev/null
    exec unshare --pid --fork /bin/echo $2
"#;

/// Removes the groups.
const SWEEP: &str = r#"
    for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
        (cd $root && rmdir -p "$1")
    done 2>/dev/null
    true
"#;

fn shell(script: &str, args: &[&str]) {
    let done = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(args)
        .stdout(Stdio::null())
        .status();
    assert!(done.unwrap().success(), "{args:?}");
}

#[test]
fn containers_that_are_known_by_their_group() {
    let Some((_alone, bench)) = stage().filter(|_| have(&[("unshare", "util-linux")])) else {
        return;
    };
    let nowhere = bench.path("nowhere.sock");
    let asked = Asked {
        engines: &["docker", "podman", "cri", "containerd"],
        socket: &nowhere,
        more: "",
    };
    let watch = Watch::start(&bench, &asked, RULES);
    let task = "01234567-89ab-cdef-0123-456789abcdef";
    let own = [
        ("lxc.payload.pg-one", "lxc", "pg-one"),
        ("lxc/pg-two/init.scope", "lxc", "pg-two"),
        ("machine/pg-three.libvirt-lxc", "libvirt-lxc", "pg-three"),
        (
            "machine.slice/machine-pg\\x2dfour.scope",
            "systemd-nspawn",
            "pg-four",
        ),
        ("bpm-pg-five.scope", "bpm", "pg-five"),
        (&format!("mesos/{task}"), "mesos", task),
    ];
    for (path, kind, id) in own {
        let word = format!("word-{id}");
        shell(ENTER, &[path, &word]);
        let alert = watch.ran_with(&word);
        let seen = [
            "container.id",
            "container.name",
            "container.type",
            "container.metadata",
        ];
        let seen = seen.map(|field| alert.field(field));
        assert_eq!(seen, [id, id, kind, "complete"], "{}", alert.line);
        watch.told("container", id);
        watch.told("container_removed", id);
        shell(SWEEP, &[path]);
    }
    // Of these somebody should know more, and nobody does: they are told apart all the same.
    let id = "5ec7e7d0".repeat(8);
    for (n, path) in [
        format!("kubepods/pod1/crio-{id}"),
        format!("garden/x-{}.y", id.replace('5', "6")),
    ]
    .iter()
    .enumerate()
    {
        let word = format!("word-unknown-{n}");
        shell(ENTER, &[path, &word]);
        let alert = watch.ran_with(&word);
        assert_eq!(
            alert.field("container.metadata"),
            "unknown",
            "{}",
            alert.line
        );
        assert_eq!(
            alert.field("container.id"),
            ["5ec7e7d05ec7", "6ec7e7d06ec7"][n]
        );
        shell(SWEEP, &[path]);
    }
}
