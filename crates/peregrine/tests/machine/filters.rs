//! What the kernel side leaves out changes no alert: two watchers see the same activity, chosen by a
//! generator of random numbers, one of them with filters; their alerts are the same.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, SeekFrom};
use rustix::process::Uid;

use crate::watch::{Place, Watch, live, peregrine};

/// A rule for each kind of filter; all of them speak of the actor's calls only.
fn rules(dir: &Path) -> String {
    let mark = dir.file_name().unwrap().to_str().unwrap();
    let dir = dir.display();
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: \"%thread.tid %evt.type \
             %evt.rawres %evt.args\"\n  priority: INFO\n"
        )
    };
    let pid = std::process::id();
    [
        // Failed opens for reading only.
        rule(
            "Written",
            &format!("evt.type = openat and evt.is_open_write = true and evt.arg.name contains \"{mark}/\""),
        ),
        // Paths elsewhere.
        rule(
            "Removed",
            &format!("evt.type = rmdir and fs.path.name startswith \"{dir}/in/\""),
        ),
        rule(
            "Removed too",
            &format!("evt.type = rmdir and evt.arg.path = \"{dir}/out/5\""),
        ),
        // Successes, failures.
        rule(
            "Refused",
            &format!("evt.type = unlink and evt.failed = true and evt.arg.path contains \"{mark}/\""),
        ),
        rule(
            "Made",
            &format!("evt.type = mkdir and evt.rawres >= 0 and evt.arg.path contains \"{mark}/\""),
        ),
        // Descriptors of other kinds.
        rule(
            "Sent",
            &format!("evt.type in (read, write, recvfrom, sendto) and fd.type in (unix, ipv4) and proc.pid = {pid} and evt.rawres = 5"),
        ),
        rule(
            "Sought",
            &format!("evt.type = lseek and fd.type in (pipe, directory) and proc.pid = {pid}"),
        ),
        // Programs of another user.
        rule(
            "Changed",
            &format!("evt.type = chmod and user.uid = 12345 and evt.arg.filename contains \"{mark}/\""),
        ),
        rule(
            "Owned",
            &format!("evt.type = chown and user.uid = 23456 and evt.arg.path contains \"{mark}/\""),
        ),
    ]
    .concat()
}

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Does `turns` things, each told from the others by a number in its name where it has one.
fn act(dir: &Path, seed: u64, turns: u64) {
    let mut dice = Dice(seed);
    let file = std::fs::File::open("/etc/passwd").unwrap();
    let folder = std::fs::File::open(dir).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    // This thread alone becomes somebody else.
    let become_user = |uid: u32| {
        let uid = Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(None::<Uid>, uid, None::<Uid>).unwrap();
    };
    for turn in 0..turns {
        let unique = dir.join(format!("{seed}-{turn}"));
        let existing = dir.join("file");
        match dice.below(12) {
            0 | 1 => {
                let path = if dice.below(2) == 0 {
                    &unique
                } else {
                    &existing
                };
                let flags = [OFlags::RDONLY, OFlags::WRONLY, OFlags::RDWR];
                let path = path.as_path();
                let _ = rustix::fs::openat(CWD, path, flags[dice.below(3) as usize], Mode::empty());
            }
            2 | 3 => {
                let places = [
                    "in",
                    "out",
                    "in/../out",
                    "out/../in",
                    "in//",
                    "./out",
                    "else/in",
                ];
                let place = dir.join(places[dice.below(7) as usize]);
                let place = place.join(dice.below(8).to_string());
                // Another may have been faster, or it lies in what is not there.
                let _ = std::fs::create_dir(&place);
                let _ = std::fs::remove_dir(&place);
            }
            4 => {
                if dice.below(2) == 0 {
                    // Not as anybody.
                    let _ = std::fs::write(&unique, "");
                }
                let _ = std::fs::remove_file(&unique);
            }
            5 => {
                let path = if dice.below(2) == 0 {
                    unique.as_path()
                } else {
                    dir
                };
                let _ = std::fs::create_dir(path);
            }
            6 => {
                let mut bytes = [0; 5];
                (&file).read_exact(&mut bytes).unwrap();
                rustix::fs::seek(&file, SeekFrom::Start(0)).unwrap();
                writer.write_all(b"piped").unwrap();
                (&reader).read_exact(&mut bytes).unwrap();
            }
            7 => {
                let mut bytes = [0; 5];
                here.write_all(b"there").unwrap();
                there.read_exact(&mut bytes).unwrap();
            }
            8 => {
                let fds = [file.as_fd(), folder.as_fd(), reader.as_fd(), here.as_fd()];
                let _ = rustix::fs::seek(fds[dice.below(4) as usize], SeekFrom::Current(0));
            }
            9 => {
                let _ = std::fs::set_permissions(&unique, std::fs::Permissions::from_mode(0o700));
            }
            10 => {
                let _ = std::os::unix::fs::chown(&unique, None, None);
            }
            _ => {}
        }
        if turn.is_multiple_of(1000) {
            become_user(0);
            become_user([12345, 23456, 0][((turn / 1000 + seed) % 3) as usize]);
        }
        if turn.is_multiple_of(256) {
            // What is known of images is told between events.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn alerts_are_the_same_with_and_without() {
    let Some(_one) = live() else { return };
    let [actor, with, without] = [(); 3].map(|()| Place::new());
    std::fs::write(actor.path("file"), "").unwrap();
    for folder in ["in", "out"] {
        std::fs::create_dir(actor.path(folder)).unwrap();
    }
    let rules = rules(actor.dir());
    // Buffers that a busy machine does not fill: what is compared must be complete.
    let options = [
        "-o",
        "base_syscalls.all=true",
        "-o",
        "engine.modern_ebpf.buf_size_preset=7",
    ];
    let off = ["-o", "engine.modern_ebpf.kernel_filters=false"];
    let mut filtered = Watch::start(&with, &rules, &options);
    let mut plain = Watch::start(&without, &rules, &[&options[..], &off].concat());
    // Filters are in force from the first pause on.
    std::thread::sleep(Duration::from_millis(300));
    filtered.milestone();
    plain.milestone();
    std::thread::scope(|scope| {
        for seed in [0x9e37_79b9, 0x85eb_ca6b] {
            let dir = actor.dir();
            scope.spawn(move || act(dir, seed, 6000));
        }
    });
    let (with_filters, said, status) = filtered.stop();
    assert!(status.success(), "{said}");
    let (without_filters, said_plain, status) = plain.stop();
    assert!(status.success(), "{said_plain}");
    for said in [&said, &said_plain] {
        assert!(!said.contains("events lost"), "{said}");
    }
    let told = |alerts: &[serde_json::Value]| -> Vec<String> {
        let tell = |alert: &serde_json::Value| {
            let text = alert["output"].as_str().unwrap();
            // Its time is the watcher's own.
            let rest = text.split_once(": ").map_or(text, |(_, rest)| rest);
            format!("{}: {rest}", alert["rule"].as_str().unwrap())
        };
        let mut all: Vec<String> = alerts.iter().map(tell).collect();
        // Threads' events may change places, those of one may not.
        all.sort_by_key(|line| line.split(' ').find_map(|word| word.parse::<u64>().ok()));
        all
    };
    let (with_filters, without_filters) = (told(&with_filters), told(&without_filters));
    for rule in [
        "Written",
        "Removed",
        "Removed too",
        "Refused",
        "Made",
        "Sent",
        "Sought",
        "Changed",
        "Owned",
    ] {
        let fired = without_filters
            .iter()
            .filter(|line| line.starts_with(&format!("{rule}:")));
        assert!(fired.count() > 10, "{rule} fired seldom");
    }
    let missing = without_filters
        .iter()
        .find(|line| !with_filters.contains(line));
    assert_eq!(missing, None);
    assert_eq!(with_filters, without_filters);
    assert!(said.contains("calls stayed in the kernel"), "{said}");
    assert!(
        !said_plain.contains("calls stayed in the kernel"),
        "{said_plain}"
    );
}

#[test]
fn explain_lists_what_is_left_out_and_why() {
    let place = Place::new();
    let file = place.write("rules.yaml", rules(place.dir()).as_bytes());
    let output = peregrine()
        .args(["explain", "--kernel", "-r"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for part in [
        "left out: calls that fail to open a file for reading:",
        "left out: absolute, normal paths that begin with none of these",
        "left out: calls that succeed:",
        "left out: calls that fail:",
        "left out: calls on a file:",
        "left out: calls of programs for which none of these is true",
        "kernel_filters=false",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
