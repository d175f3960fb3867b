//! Programs that mean ill. The watcher lives on, its memory stays within bounds, and what is done is
//! put down to the one who did it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use crate::watch::{Place, Watch, field, live, peregrine, sh};

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
    Watch::start(place, &rules(place), &["-o", "base_syscalls.all=true"])
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
    let touched = place.write("touched-by-leaves", b"");
    let watch = watch(&place);
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

/// 100,000 descriptors: known from /proc where they were there before, from their calls where they
/// came later. In as few processes as the limit of descriptors allows. Of one process, 4,096 are
/// kept, as in the original; what is done through another has no name, and not a wrong one.
#[test]
fn a_hundred_thousand_descriptors() {
    let Some(_one) = live() else { return };
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(200_000);
    let each = (limit - 100).min(50_000);
    let processes = 50_000_u64.div_ceil(each);
    let place = Place::new();
    // Opens them all, says so, waits, writes through the last one, says so.
    let script = |name: &str, n: u64| {
        let dir = place.dir().display();
        format!(
            "ulimit -n {limit}; for ((i = 0; i < {each}; i++)); do exec {{fd}}>>{dir}/{name}; done; \
             : >{dir}/ready-{name}-{n}; while [ ! -e {dir}/go-{name} ]; do sleep 0.05; done; \
             echo first >&1000; echo last >&$fd; : >{dir}/done-{name}-{n}; while [ ! -e {dir}/end ]; do sleep 0.05; done"
        )
    };
    let start = |name: &str| -> Vec<std::process::Child> {
        let children = (0..processes)
            .map(|n| {
                Command::new("bash")
                    .args(["-c", &script(name, n)])
                    .spawn()
                    .unwrap()
            })
            .collect();
        for n in 0..processes {
            wait_for(&place.path(&format!("ready-{name}-{n}")));
        }
        children
    };
    let write = |name: &str| {
        place.write(&format!("go-{name}"), b"");
        for n in 0..processes {
            wait_for(&place.path(&format!("done-{name}-{n}")));
        }
    };
    let mut children = start("written-before");
    let rules = format!(
        r#"
- rule: Written
  desc: A descriptor of the test.
  condition: >
    evt.type = write and proc.cmdline contains "{}/"
    and (evt.buffer startswith "first" or evt.buffer startswith "last")
  output: "%proc.pid %evt.buffer %fd.name"
  priority: INFO
"#,
        place.mark()
    );
    let mut watch = Watch::start(&place, &rules, &["-o", "base_syscalls.all=true"]);
    write("written-before");
    children.extend(start("written-later"));
    write("written-later");
    watch.milestone();
    let pids: Vec<String> = children.iter().map(|c| c.id().to_string()).collect();
    place.write("end", b"");
    for mut child in children {
        child.wait().unwrap();
    }
    let alerts = end(watch);
    let mut seen: Vec<(String, String, String)> = of(&alerts, "Written")
        .iter()
        .map(|a| {
            (
                field(a, "proc.pid"),
                field(a, "evt.buffer"),
                field(a, "fd.name"),
            )
        })
        .collect();
    seen.sort();
    let names = ["written-before", "written-later"].map(|n| place.path(n).display().to_string());
    let mut wanted = Vec::new();
    for (n, pid) in pids.into_iter().enumerate() {
        let name = names[n / processes as usize].clone();
        wanted.push((pid.clone(), "first.".to_owned(), name));
        wanted.push((pid, "last.".to_owned(), String::new()));
    }
    wanted.sort();
    assert_eq!(seen, wanted);
}

/// Until a file is there: a minute at most, which only a hang takes.
fn wait_for(path: &Path) {
    for _ in 0..3000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} does not come", path.display());
}

/// Paths of 4,095 bytes, the longest there are: as one file far down, and as a way round. A name of
/// more than 1,024 bytes is not made absolute, as in the original; what was passed is still there.
#[test]
fn the_longest_paths() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let below = |top: &str, len: usize| {
        let mut path = place.path(top);
        while path.as_os_str().len() + 202 < len - 10 {
            path = path.join("d".repeat(200));
        }
        std::fs::create_dir_all(&path).unwrap();
        let path = path.join("f".repeat(len - 1 - path.as_os_str().len()));
        assert_eq!(path.as_os_str().len(), len);
        path
    };
    let (long, longest) = (below("touched-long", 1000), below("touched-longest", 4095));
    let mut round = place.dir().as_os_str().as_bytes().to_vec();
    while round.len() + 2 + "/touched-plain".len() <= 4095 {
        round.extend(b"/.");
    }
    round.extend(b"/touched-plain");
    let rules = format!(
        r#"
- rule: Passed
  desc: A path of the test, as it was passed.
  condition: >
    evt.type in (open, openat) and evt.arg.name contains "{}" and evt.arg.name contains "touched"
  output: "%proc.name %fd.name %evt.arg.name"
  priority: INFO
"#,
        place.mark()
    );
    let watch = Watch::start(&place, &rules, &[]);
    std::fs::write(&long, b"").unwrap();
    std::fs::write(&longest, b"").unwrap();
    std::fs::write(OsStr::from_bytes(&round), b"").unwrap();
    let too_long = [round.as_slice(), b"xx"].concat();
    assert!(std::fs::write(OsStr::from_bytes(&too_long), b"").is_err());
    let alerts = end(watch);
    let told: Vec<(String, String)> = of(&alerts, "Passed")
        .iter()
        .map(|a| (field(a, "evt.arg.name"), field(a, "fd.name")))
        .collect();
    let (long, longest) = (long.display().to_string(), longest.display().to_string());
    let round = String::from_utf8(round).unwrap();
    let too = "/DIR_TOO_LONG/FILENAME_TOO_LONG".to_owned();
    for wanted in [(&long, &long), (&longest, &too), (&round, &too)] {
        let found = told.iter().any(|(passed, name)| (passed, name) == wanted);
        assert!(found, "{:.300}", format!("{wanted:?} of {told:?}"));
    }
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
    for n in 0..4 {
        place.write(&format!("touched-{n}"), b"");
    }
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
        let touched = place.path(&name);
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

/// Opens pipes by name in one thread, which waits for a writer in the kernel, and has another one change
/// the name meanwhile. Arguments: a folder.
const CHANGE_PATHS: &str = r#"
import ctypes, os, sys, threading, time

libc = ctypes.CDLL(None)
how = (ctypes.c_uint64 * 3)()
for call, number, before, after in [
    ("open", 2, [], [0]), ("openat", 257, [-100], [0]), ("openat2", 437, [-100], [how, 24])
]:
    true, lie = (sys.argv[1] + "/" + call + end for end in ("-true", "-lied"))
    os.mkfifo(true)
    path = ctypes.create_string_buffer(true.encode())
    tid = []
    def act():
        tid.append(threading.get_native_id())
        libc.syscall(number, *before, path, *after)
    thread = threading.Thread(target=act)
    thread.start()
    while True:
        time.sleep(0.01)
        if tid and open(f"/proc/self/task/{tid[0]}/syscall").read().split()[0] == str(number):
            break
    path.value = lie.encode()
    os.open(true, os.O_WRONLY)
    thread.join()
"#;

/// A path that another thread changes while the kernel is at work: told is the one that the kernel read.
#[test]
fn paths_that_change_meanwhile() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Read
  desc: A pipe of the test is opened for reading.
  condition: evt.type in (open, openat, openat2) and fd.name contains "{}/open" and evt.is_open_read = true
  output: "%evt.type %fd.name"
  priority: INFO
"#,
        place.mark()
    );
    let mut command = peregrine();
    command
        .args(["run", "--json", "-o", "priority=debug"])
        .env("PEREGRINE_OPENAT_ENTRY", "on");
    let watch = Watch::of(&place, &rules, &mut command);
    let status = Command::new("python3")
        .args(["-c", CHANGE_PATHS])
        .arg(place.dir())
        .status();
    assert!(status.unwrap().success());
    let alerts = end(watch);
    let read: Vec<(String, String)> = of(&alerts, "Read")
        .into_iter()
        .map(|alert| (field(alert, "evt.type"), field(alert, "fd.name")))
        .collect();
    let wanted = ["open", "openat", "openat2"].map(|call| {
        let path = place.dir().join(format!("{call}-true"));
        (call.to_owned(), path.display().to_string())
    });
    assert_eq!(read, wanted, "{alerts:#?}");
}

/// Nanoseconds since the epoch, and since the machine began.
fn clocks() -> (i128, i128) {
    let nanoseconds = |id| {
        let time = rustix::time::clock_gettime(id);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    (
        nanoseconds(rustix::time::ClockId::Realtime),
        nanoseconds(rustix::time::ClockId::Boottime),
    )
}

/// Sets the time of day; false where we may not.
fn set_clock(nanoseconds: i128) -> bool {
    let time = rustix::time::Timespec {
        tv_sec: i64::try_from(nanoseconds / 1_000_000_000).unwrap(),
        tv_nsec: i64::try_from(nanoseconds % 1_000_000_000).unwrap(),
    };
    rustix::time::clock_settime(rustix::time::ClockId::Realtime, time).is_ok()
}

/// The time of day is set forth and back while it watches: events keep their order and their
/// distances, for their clock is the machine's own. (A few seconds for some milliseconds: others
/// live here too.)
#[test]
fn steps_of_the_clock() {
    const STEP: i128 = 4_000_000_000;
    // How far the two clocks may be apart: they are read one after the other, and one is slewed.
    const SLACK: i128 = 500_000_000;
    let Some(_one) = live() else { return };
    let place = Place::new();
    let rules = format!(
        r#"
- rule: Touched
  desc: A file of the test.
  condition: evt.type in (open, openat, openat2) and fd.name contains "{}/touched"
  output: "%evt.rawtime %fd.name %proc.name %proc.duration"
  priority: INFO
"#,
        place.mark()
    );
    let files: Vec<PathBuf> = (0..30)
        .map(|n| place.write(&format!("touched-{n:02}"), b""))
        .collect();
    let watch = Watch::start(&place, &rules, &[]);
    let (day, boot) = clocks();
    let offset = day - boot;
    let mut times = Vec::new();
    for (n, file) in files.iter().enumerate() {
        // Ahead, behind, and as it should be, by turns.
        let step = [STEP, -STEP, 0][n % 3];
        if !set_clock(offset + clocks().1 + step) {
            eprintln!("left out: the clock cannot be set here");
            return;
        }
        let before = clocks().1 + offset;
        std::fs::read(file).unwrap();
        times.push((before, clocks().1 + offset));
        set_clock(offset + clocks().1);
    }
    let alerts = end(watch);
    let touched = of(&alerts, "Touched");
    assert_eq!(touched.len(), files.len(), "{alerts:#?}");
    for ((alert, file), (before, after)) in touched.iter().zip(&files).zip(times) {
        assert_eq!(field(alert, "fd.name"), file.display().to_string());
        let time: i128 = field(alert, "evt.rawtime").parse().unwrap();
        assert!(
            (before - SLACK..after + SLACK).contains(&time),
            "{time} is not between {before} and {after}"
        );
    }
    let order: Vec<i128> = touched
        .iter()
        .map(|alert| field(alert, "evt.rawtime").parse().unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");
}
