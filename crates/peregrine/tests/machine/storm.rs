//! Storms of processes with the shipped rules loaded: no exec, clone or exit event is lost, ever.

use std::process::Command;
use std::time::Duration;

use testkit::load::{Kind, Load, Pace};

use crate::watch::{Place, Watch, field, live};

#[test]
fn every_process_of_a_storm_is_told() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let shipped = testkit::corpus::workspace_root().join("rules/peregrine_rules.yaml");
    let program = place.path("storm-child");
    std::fs::copy("/bin/true", &program).unwrap();
    let rules = r#"
- rule: Storm runs
  desc: A child of the storm.
  condition: evt.type = execve and evt.dir = < and evt.res = SUCCESS and proc.name = storm-child
  output: "%proc.pid %proc.ppid"
  priority: INFO
- rule: Storm ends
  desc: Its end.
  condition: evt.type = procexit and proc.name = storm-child
  output: "%proc.pid"
  priority: INFO
"#
    .to_string()
        + &std::fs::read_to_string(shipped).unwrap();
    let watch = Watch::start(&place, &rules, &["-o", "outputs_queue.capacity=0"]);
    let load = Load::new().unwrap().with_program(program);
    let files = Load::new().unwrap();
    let time = Pace {
        time: Some(Duration::from_secs(4)),
        ..Pace::default()
    };
    let (children, files) = std::thread::scope(|scope| {
        let files = scope.spawn(|| files.work(Kind::Files, time).unwrap().turns);
        let children = load.work(Kind::Exec, time).unwrap().turns;
        (children, files.join().unwrap())
    });
    let (alerts, said, _) = watch.stop();
    println!(
        "{children} children, {files} files, {} alerts\n{said}",
        alerts.len()
    );
    let pids = |rule: &str| {
        let mut pids: Vec<String> = alerts
            .iter()
            .filter(|a| a["rule"] == rule)
            .map(|a| field(a, "proc.pid"))
            .collect();
        pids.sort();
        pids
    };
    let (ran, ended) = (pids("Storm runs"), pids("Storm ends"));
    assert_eq!(ran.len() as u64, children);
    assert_eq!(ran, ended);
    let me = std::process::id().to_string();
    let strangers = alerts.iter().filter(|a| a["rule"] == "Storm runs");
    assert_eq!(strangers.filter(|a| field(a, "proc.ppid") != me).count(), 0);
    for class in ["clone_fork_exit", "execve_exit", "proc_exit"] {
        assert!(!said.contains(&format!("buffer full, {class}")), "{said}");
    }
}

/// The same with stress-ng's storms, which start and end processes from many sides at once, beside a
/// loop on files that fills the other buffers.
#[test]
fn nothing_of_processes_is_lost_in_a_storm() {
    let Some(_one) = live() else { return };
    if Command::new("stress-ng").arg("--version").output().is_err() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but stress-ng is not installed"
        );
        eprintln!("left out: stress-ng is not installed");
        return;
    }
    let place = Place::new();
    let shipped = testkit::corpus::workspace_root().join("rules/peregrine_rules.yaml");
    let rules = std::fs::read_to_string(shipped).unwrap();
    for storm in ["--exec", "--fork"] {
        let watch = Watch::start(&place, &rules, &["-o", "outputs_queue.capacity=0"]);
        let mut stress = Command::new("stress-ng")
            .args([storm, "2", "-t", "3s", "--quiet"])
            .current_dir(place.dir())
            .spawn()
            .unwrap();
        let time = Pace {
            time: Some(Duration::from_secs(3)),
            ..Pace::default()
        };
        Load::new().unwrap().work(Kind::Files, time).unwrap();
        assert!(stress.wait().unwrap().success());
        let (_, said, status) = watch.stop();
        assert!(status.success(), "{said}");
        println!("{storm}: {said}");
        for class in ["clone_fork_exit", "execve_exit", "proc_exit"] {
            assert!(!said.contains(&format!("buffer full, {class}")), "{said}");
        }
    }
}
