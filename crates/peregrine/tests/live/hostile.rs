//! Programs that mean ill. The watcher lives on, its memory stays within bounds, and what is done is
//! put down to the one who did it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::watch::{Place, Watch, field, live, sh};

/// Kilobytes that the watcher may use whatever is done to it.
const BOUND: u64 = 400 << 10;

/// Rules on files and programs that bear the mark.
fn rules(place: &Place) -> String {
    let mark = place.mark();
    let who = "%proc.name %proc.pid %proc.ppid %proc.pname %proc.exepath %proc.cmdline %fd.name \
               %fd.num %thread.cgroup.memory %thread.cgroup.cpu %container.id %proc.env[LAST]";
    format!(
        r#"
- rule: Opened
  desc: A file of the test.
  condition: evt.type in (open, openat, openat2, creat) and fd.name contains "{mark}/touched"
  output: "{who}"
  priority: INFO
- rule: Ran
  desc: A program of the test.
  condition: evt.type in (execve, execveat) and proc.exepath contains "{mark}/program"
  output: "{who}"
  priority: INFO
- rule: Written
  desc: A descriptor of the test.
  condition: evt.type = write and fd.name contains "{mark}/written"
  output: "{who}"
  priority: INFO
"#
    )
}

fn watch(place: &Place) -> Watch {
    Watch::start(
        place,
        &rules(place),
        &["-o", "base_syscalls.custom_set=[write]"],
    )
}

/// Ends the watcher, which must be well; gives its alerts.
#[track_caller]
fn end(mut watch: Watch) -> Vec<Value> {
    watch.milestone();
    let resident = watch.resident();
    assert!(resident < BOUND, "{resident} kB");
    let (alerts, said, status) = watch.stop();
    assert!(status.success(), "{status}\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    alerts
}

fn of<'a>(alerts: &'a [Value], rule: &str) -> Vec<&'a Value> {
    alerts.iter().filter(|a| a["rule"] == rule).collect()
}

/// A copy of a program that does nothing, under a name of the test.
fn program(place: &Place, name: &OsStr) -> PathBuf {
    let path = place.dir().join(name);
    std::fs::copy("/bin/true", &path).unwrap();
    path
}

/// Two thousand processes, each of which starts two more and ends.
#[test]
fn a_fork_bomb() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let watch = watch(&place);
    let touched = place.write("touched-by-leaves", b"");
    let bomb = format!(
        "bomb() {{ if [ $1 -gt 0 ]; then bomb $(($1-1)) & bomb $(($1-1)) & wait; \
         else : < {}; fi; }}; bomb 10",
        touched.display()
    );
    sh(&bomb);
    let alerts = end(watch);
    let opened = of(&alerts, "Opened");
    assert_eq!(opened.len(), 1024, "leaves of the tree");
    let pids: std::collections::BTreeSet<String> =
        opened.iter().map(|a| field(a, "proc.pid")).collect();
    assert_eq!(pids.len(), 1024);
    assert!(opened.iter().all(|a| field(a, "proc.name") == "sh"));
    assert!(
        opened
            .iter()
            .all(|a| field(a, "proc.cmdline").contains("bomb"))
    );
}

/// A process with 100,000 descriptors: known from /proc if it was there before, from its calls if
/// it came later.
#[test]
fn a_hundred_thousand_descriptors() {
    let Some(_one) = live() else { return };
    let old = getrlimit(Resource::Nofile);
    let many = 105_000;
    let raised = Rlimit {
        current: Some(many),
        maximum: old.maximum.map(|max| max.max(many)),
    };
    if setrlimit(Resource::Nofile, raised).is_err() {
        eprintln!("left out: the limit of descriptors cannot be raised to {many}");
        return;
    }
    let place = Place::new();
    let open = |name: &str| {
        let mut files = Vec::new();
        let path = place.write(name, b"");
        for _ in 0..100_000 {
            files.push(std::fs::File::options().append(true).open(&path).unwrap());
        }
        files
    };
    let write = |files: &[std::fs::File]| {
        use std::io::Write;
        (&files[99_999]).write_all(b"x").unwrap();
    };
    let before = open("written-before");
    let mut watch = watch(&place);
    write(&before);
    drop(before);
    let later = open("written-later");
    write(&later);
    watch.milestone();
    drop(later);
    let alerts = end(watch);
    let names: Vec<String> = of(&alerts, "Written")
        .iter()
        .map(|a| field(a, "fd.name"))
        .collect();
    let wanted = ["written-before", "written-later"].map(|n| place.path(n).display().to_string());
    assert_eq!(names, wanted);
    setrlimit(Resource::Nofile, old).unwrap();
}

/// Paths of 4,095 bytes, the longest there are: as one file far down, and as a way round.
#[test]
fn the_longest_paths() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let mut deep = place.path("touched-deep");
    while deep.as_os_str().len() + 202 < 4000 {
        deep = deep.join("d".repeat(200));
    }
    std::fs::create_dir_all(&deep).unwrap();
    deep = deep.join("f".repeat(4094 - deep.as_os_str().len()));
    assert_eq!(deep.as_os_str().len(), 4095);
    let plain = place.path("touched-plain");
    let mut round = place.dir().as_os_str().as_bytes().to_vec();
    while round.len() + 2 + "/touched-plain".len() <= 4095 {
        round.extend(b"/.");
    }
    round.extend(b"/touched-plain");
    let watch = watch(&place);
    std::fs::write(&deep, b"").unwrap();
    std::fs::write(OsStr::from_bytes(&round), b"").unwrap();
    let too_long = [round.as_slice(), b"xx"].concat();
    assert!(std::fs::write(OsStr::from_bytes(&too_long), b"").is_err());
    let alerts = end(watch);
    let names: Vec<String> = of(&alerts, "Opened")
        .iter()
        .map(|a| field(a, "fd.name"))
        .collect();
    assert!(
        names.contains(&deep.display().to_string()),
        "{} names",
        names.len()
    );
    assert!(names.contains(&plain.display().to_string()), "{names:?}");
}

/// Arguments and environments of 128 KB: what is kept is the start, and it is the right one.
#[test]
fn long_arguments_and_environments() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let path = program(&place, OsStr::new("program-long"));
    let watch = watch(&place);
    let long = "a".repeat(128 * 1024 - 1);
    let mut command = Command::new(&path);
    command.args(["start", &long, &long]).env_clear();
    command
        .env("FIRST", &long[..100_000])
        .env("LAST", &long[..120_000]);
    assert!(command.status().unwrap().success());
    let many: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    assert!(Command::new(&path).args(&many).status().unwrap().success());
    let alerts = end(watch);
    let ran = of(&alerts, "Ran");
    assert_eq!(ran.len(), 2, "{}", alerts.len());
    let line = field(ran[0], "proc.cmdline");
    assert!(line.starts_with("program-long start aaaa"), "{line:.80}");
    assert!(line.len() > 3900 && line.len() < 4200, "{}", line.len());
    let line = field(ran[1], "proc.cmdline");
    assert!(line.starts_with("program-long 0 1 2 3"), "{line:.80}");
}

/// Names with line ends, escapes and bytes that are no text: an alert stays one line.
#[test]
fn names_that_are_no_text() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let watch = watch(&place);
    let ugly: [&[u8]; 4] = [
        b"touched\nnew line",
        b"touched\x1b[31mred\x07",
        b"touched\xff\xfe\x80",
        b"touched\"quote\\ {\"rule\": \"forged\"}",
    ];
    for name in ugly {
        std::fs::write(place.dir().join(OsStr::from_bytes(name)), b"").unwrap();
    }
    let path = program(&place, OsStr::from_bytes(b"program\n\xffx"));
    let mut command = Command::new(path);
    command
        .arg0(OsStr::from_bytes(b"arg\nzero\xff"))
        .arg(OsStr::from_bytes(b"\xff\n\t"));
    assert!(command.status().unwrap().success());
    let alerts = end(watch);
    let opened = of(&alerts, "Opened");
    assert_eq!(opened.len(), 4, "{alerts:#?}");
    for alert in &opened {
        let output = alert["output"].as_str().unwrap();
        assert!(!output.contains(['\n', '\x1b', '\x07']), "{output:?}");
    }
    assert!(field(opened[3], "fd.name").contains("forged"));
    assert!(alerts.iter().all(|a| a["rule"] != "forged"));
    assert_eq!(of(&alerts, "Ran").len(), 1, "{alerts:#?}");
}

/// Folders of the kernel's control groups: of memory's own hierarchy, or of the unified one.
fn control_group_roots() -> Vec<PathBuf> {
    ["memory", "cpu", "unified", ""]
        .iter()
        .map(|name| Path::new("/sys/fs/cgroup").join(name))
        .filter(|path| path.join("cgroup.procs").exists())
        .collect()
}

/// Processes in groups far down, and in one that looks like a container's.
#[test]
fn deep_control_groups() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let watch = watch(&place);
    let mut tried = Vec::new();
    for root in control_group_roots() {
        let top = root.join(place.mark());
        let id = "0123456789abcdef".repeat(4);
        let mut deep = top.clone();
        for level in 0..9 {
            deep = deep.join(format!("level{level}"));
        }
        let deep = deep.join(format!("docker-{id}.scope"));
        if let Err(error) = std::fs::create_dir_all(&deep) {
            eprintln!("left out: control groups under {}: {error}", root.display());
            continue;
        }
        let name = format!("touched-{}", tried.len());
        let touched = place.write(&name, b"");
        // The shell goes there, and what it starts is born there.
        let text = format!(
            "echo $$ > {}/cgroup.procs && cat {}",
            deep.display(),
            touched.display()
        );
        sh(&text);
        let mut at = deep.as_path();
        while at != root {
            let _ = std::fs::remove_dir(at);
            at = at.parent().unwrap();
        }
        tried.push((root, name));
    }
    let alerts = end(watch);
    let opened = of(&alerts, "Opened");
    for (root, name) in &tried {
        let alert = opened
            .iter()
            .find(|a| field(a, "fd.name").ends_with(name.as_str()))
            .unwrap();
        assert_eq!(field(alert, "proc.name"), "cat");
        // The unified one shows for controllers without a hierarchy of their own.
        if ["memory", "cpu"].iter().any(|own| root.ends_with(own)) {
            assert_eq!(field(alert, "container.id"), "0123456789ab", "{alert:#?}");
        }
    }
}

/// A number is used again at once: the second process is not taken for the first.
#[test]
fn numbers_that_are_used_again() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let last = Path::new("/proc/sys/kernel/ns_last_pid");
    if !last.exists() {
        eprintln!("left out: this kernel does not let process numbers be chosen");
        return;
    }
    let watch = watch(&place);
    let first = program(&place, OsStr::new("program-first"));
    let second = program(&place, OsStr::new("program-second"));
    let mut reused = Vec::new();
    for _ in 0..200 {
        let mut one = Command::new(&first).spawn().unwrap();
        let number = one.id();
        one.wait().unwrap();
        // The next process gets the number behind this one, unless another program is quicker.
        if std::fs::write(last, (number - 1).to_string()).is_err() {
            break;
        }
        let mut two = Command::new(&second).arg("again").spawn().unwrap();
        if two.id() == number {
            reused.push(number.to_string());
        }
        two.wait().unwrap();
        if reused.len() >= 20 {
            break;
        }
    }
    let alerts = end(watch);
    assert!(
        !reused.is_empty(),
        "no number was used twice: this tests nothing"
    );
    let ran = of(&alerts, "Ran");
    for number in &reused {
        let names: Vec<String> = ran
            .iter()
            .filter(|a| field(a, "proc.pid") == *number)
            .map(|a| field(a, "proc.cmdline"))
            .collect();
        assert!(
            names.ends_with(&["program-first".into(), "program-second again".into()]),
            "{names:?}"
        );
    }
}

/// Processes that do one thing and are gone before anybody could ask /proc.
#[test]
fn processes_that_end_at_once() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let watch = watch(&place);
    let mut wanted = Vec::new();
    for n in 0..200 {
        let touched = place.write(&format!("touched-{n}"), b"");
        let mut child = Command::new("cat")
            .arg(&touched)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wanted.push((touched.display().to_string(), child.id().to_string()));
        child.wait().unwrap();
    }
    let alerts = end(watch);
    let opened = of(&alerts, "Opened");
    let by_cat: Vec<&&Value> = opened
        .iter()
        .filter(|a| field(a, "proc.name") == "cat")
        .collect();
    assert_eq!(by_cat.len(), wanted.len());
    for (alert, (path, pid)) in by_cat.iter().zip(&wanted) {
        assert_eq!(field(alert, "fd.name"), *path);
        assert_eq!(field(alert, "proc.pid"), *pid);
        assert_eq!(field(alert, "proc.cmdline"), format!("cat {path}"));
        assert_eq!(field(alert, "proc.ppid"), std::process::id().to_string());
    }
}
