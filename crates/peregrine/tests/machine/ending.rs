//! Nothing stays, however it ends; and nothing is lost on the way: descriptors, memory.

use std::collections::BTreeSet;
use std::process::Command;

use crate::watch::{Place, Watch, live, signal};

/// Ids of the BPF programs, maps and links that a process holds.
fn held_by(pid: u32) -> BTreeSet<(&'static str, u32)> {
    let mut held = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let kind = match key {
                "link_id" => "link",
                "prog_id" => "program",
                "map_id" => "map",
                _ => continue,
            };
            held.insert((kind, value.trim().parse().unwrap()));
        }
    }
    held
}

/// Ids of all programs and links that the kernel has.
fn programs_and_links() -> BTreeSet<(&'static str, u32)> {
    let mut all = BTreeSet::new();
    all.extend(libbpf_rs::query::ProgInfoIter::default().map(|p| ("program", p.id)));
    all.extend(libbpf_rs::query::LinkInfoIter::default().map(|l| ("link", l.id)));
    all
}

/// Ids of all maps.
fn maps() -> BTreeSet<(&'static str, u32)> {
    libbpf_rs::query::MapInfoIter::default()
        .map(|m| ("map", m.id))
        .collect()
}

/// Waits until none of them is left; the kernel frees them when it likes.
///
/// Maps come last: whoever looks at a table of programs while the kernel empties it, makes it stay
/// for good (seen on 6.18: the look takes the last user's reference once more, the emptying is
/// begun twice and ends once).
fn assert_gone(held: &BTreeSet<(&'static str, u32)>, how: &str) {
    for list in [programs_and_links, maps] {
        let mut left = Vec::new();
        for _ in 0..300 {
            left = held.intersection(&list()).copied().collect();
            if left.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(left.is_empty(), "after {how}, these stay: {left:?}");
    }
}

#[test]
fn nothing_stays_attached() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    for how in ["KILL", "TERM", "INT", "ABRT"] {
        let watch = Watch::start(&place, "", &["-q"]);
        let held = held_by(watch.pid());
        for kind in ["program", "map", "link"] {
            assert!(held.iter().any(|(k, _)| *k == kind), "{held:?}");
        }
        let all: BTreeSet<_> = programs_and_links().union(&maps()).copied().collect();
        assert!(held.is_subset(&all));
        signal(watch.pid(), how);
        let (_, _, status) = watch.join();
        let asked = how == "TERM" || how == "INT";
        assert_eq!(status.success(), asked, "{how}: {status}");
        assert_gone(&held, how);
    }
}

/// Processes, files and connections come and go by the thousand; the watcher's memory and
/// descriptors do not follow.
#[test]
fn memory_and_descriptors_do_not_grow() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = std::fs::read_to_string(
        testkit::corpus::workspace_root().join("rules/peregrine_rules.yaml"),
    );
    let mut watch = Watch::start(&place, &rules.unwrap(), &[]);
    let load = testkit::load::Load::new().unwrap();
    let round = || {
        let turns = testkit::load::Pace {
            turns: Some(150),
            ..Default::default()
        };
        load.work(testkit::load::Kind::Mixed, turns).unwrap();
        load.work(testkit::load::Kind::Exec, turns).unwrap();
    };
    round();
    watch.milestone();
    let (memory, descriptors) = (watch.resident(), watch.descriptors());
    for _ in 0..4 {
        round();
        watch.milestone();
    }
    let (after, descriptors_after) = (watch.resident(), watch.descriptors());
    println!("{memory} kB, then {after} kB; {descriptors} and {descriptors_after} descriptors");
    assert_eq!(descriptors, descriptors_after);
    // Another 600 of each: a hundred bytes a process would not be seen, a leak of its state would.
    assert!(after < memory + 4096, "{memory} kB, then {after} kB");
    let (_, said, status) = watch.stop();
    assert!(status.success(), "{said}");
}

/// `timeout` and its like: a closed output ends nothing silently.
#[test]
fn a_closed_output_does_not_hang_it() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = place.write(
        "rules.yaml",
        b"- rule: Any\n  desc: Any.\n  condition: evt.type = execve\n  output: x\n  priority: INFO\n",
    );
    let text = format!(
        "timeout 20 {} run -q -M 3 -r {} | head -n 1 >/dev/null; for i in 1 2 3; do /bin/true; done",
        env!("CARGO_BIN_EXE_peregrine"),
        rules.display()
    );
    let mut shell = Command::new("sh").args(["-c", &text]).spawn().unwrap();
    for _ in 0..20 {
        Command::new("/bin/true").status().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    shell.wait().unwrap();
}
