//! `record`: files that are rotated, cut, packed; and `-w` in Falco's form.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::watch::{Place, live, peregrine, signal};

/// Records a command line of `sh`; gives the files, in order, and what was said.
fn record(place: &Place, options: &[&str], script: &str) -> (Vec<PathBuf>, String) {
    let file = place.path("t.scap");
    let output = peregrine()
        .arg("record")
        .args(options)
        .arg(&file)
        .args(["--", "sh", "-c", script])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (files(place), said)
}

/// The capture files of a place, in order.
fn files(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.dir()).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "scap"))
        .collect();
    files.sort();
    files
}

/// What `read` prints of a file, a line for each event.
fn read(file: &Path, format: &str, filter: &[&str]) -> Vec<String> {
    let output = peregrine()
        .arg("read")
        .arg(file)
        .args(filter)
        .args(["-p", format])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_file_that_is_full_is_followed_by_another() {
    const FULL: u64 = 1_000_000;
    let Some(_one) = live() else { return };
    let place = Place::new();
    // 5 MB read and written, 50 kB at a time.
    let (files, _) = record(
        &place,
        &["--compression", "none", "-s", "60000", "-C", "1", "-W", "3"],
        "dd if=/dev/zero of=/dev/null bs=50000 count=100 2>/dev/null",
    );
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap()).collect();
    assert_eq!(files.len(), 3, "{names:?}");
    assert_ne!(names[0], "t.0001.scap", "the oldest are removed");
    for (n, file) in files.iter().enumerate() {
        let bytes = std::fs::metadata(file).unwrap().len();
        // Each ends with the event that filled it.
        assert!(n == 2 || (FULL..FULL + 200_000).contains(&bytes), "{bytes}");
        // And is read on its own, with who did it.
        let lines = read(file, "%proc.name %evt.type", &[]);
        // Nothing need have happened after the event that filled the last but one.
        assert!(n == 2 || !lines.is_empty());
        assert!(lines.iter().all(|line| !line.contains("<NA>")), "{lines:?}");
    }
}

#[test]
fn a_file_that_is_old_is_followed_by_another() {
    const SECOND: u64 = 1_000_000_000;
    let Some(_one) = live() else { return };
    let place = Place::new();
    let (files, said) = record(
        &place,
        &["-G", "1"],
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/true; sleep 0.2; done",
    );
    assert!(files.len() >= 2, "{said}");
    let times: Vec<Vec<u64>> = files
        .iter()
        .map(|file| {
            let lines = read(file, "%evt.rawtime", &[]);
            lines.iter().map(|line| line.parse().unwrap()).collect()
        })
        .collect();
    for file in times.windows(2) {
        let first = *file[0].first().expect("a file begins with an event");
        let younger = |time: &u64| time.saturating_sub(first) >= SECOND;
        // Each ends with the first event that is a second younger than its first; that one may be for the state
        // only, and not be shown.
        let within = file[0].len() - usize::from(file[0].last().is_some_and(younger));
        let late = file[0][..within].iter().find(|time| younger(time));
        assert_eq!(late, None, "after {first}");
        let around = [file[0].last(), file[1].first()];
        assert!(
            around.into_iter().flatten().any(younger),
            "{first}: {around:?}"
        );
    }
}

#[test]
fn a_recording_ends_after_so_many_events() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do /bin/true; done";
    let (files, said) = record(&place, &["-n", "50", "--compression", "zstd"], script);
    assert!(said.contains("50 events in"), "{said}");
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    assert!(
        std::fs::read(file)
            .unwrap()
            .starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
    );
    assert_eq!(read(file, "%evt.num", &[]).len(), 50);
}

#[test]
fn data_is_cut_where_it_is_said() {
    let Some(_one) = live() else { return };
    for length in [20, 700] {
        let place = Place::new();
        let content = place.write("content", &[b'x'; 1000]);
        let script = format!("cat {}", content.display());
        let (files, _) = record(&place, &["-s", &length.to_string()], &script);
        let filter = ["evt.type=read", "and", "fd.name", "endswith", "/content"];
        let data = read(&files[0], "%evt.rawres %evt.buffer", &filter);
        assert_eq!(
            data.first().map(String::as_str),
            Some(format!("1000 {}", "x".repeat(length)).as_str())
        );
    }
}

/// `falco -w FILE`: alerts and a recording of the same, which replays to the same alerts.
#[test]
fn falco_s_form_records_too() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let probe = place.write("touched", b"x");
    let rules = place.write(
        "rules.yaml",
        format!(
            "- rule: Touched\n  desc: A file of the test.\n  condition: evt.type in (open, \
             openat, openat2) and fd.name = {}\n  output: '%proc.name %fd.name %proc.pid'\n  \
             priority: WARNING\n",
            probe.display()
        )
        .as_bytes(),
    );
    place.write("falco.yaml", b"stdout_output: {enabled: true}\n");
    let file = place.path("t.scap");
    let mut falco = peregrine()
        .current_dir(place.dir())
        .args(["-c", "falco.yaml", "-o", "engine.kind=modern_ebpf", "-U"])
        .arg("-r")
        .arg(&rules)
        .arg("-w")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Until it has begun to write, then once more.
    let size = || std::fs::metadata(&file).map_or(0, |meta| meta.len());
    for _ in 0..600 {
        Command::new("cat").arg(&probe).output().unwrap();
        if size() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // No rule reads this one.
    let absent = place.path("absent");
    Command::new("cat").arg(&absent).output().unwrap();
    let mut cat = Command::new("cat")
        .arg(&probe)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = cat.id().to_string();
    cat.wait().unwrap();
    let alert = format!("cat {} {pid}", probe.display());
    let mut lines = BufReader::new(falco.stdout.take().unwrap()).lines();
    let told = lines.find(|line| line.as_ref().unwrap().contains(&alert));
    assert!(told.is_some(), "it ended without the alert");
    signal(falco.id(), "INT");
    lines.for_each(drop);
    assert!(falco.wait().unwrap().success());
    let replay = peregrine()
        .args(["replay", "-q", "-r"])
        .arg(&rules)
        .arg(&file)
        .output()
        .unwrap();
    let replayed = String::from_utf8_lossy(&replay.stdout).into_owned();
    assert!(replayed.contains(&alert), "{replayed}");
    // A capture is for other rules too: what these rules do not read is not left out of it.
    let condition = format!(
        "evt.type = openat and evt.failed = true and evt.arg.name = {}",
        absent.display()
    );
    let read = peregrine()
        .arg("read")
        .arg(&file)
        .arg(&condition)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// A Docker that knows one container, behind a socket of the test.
fn docker_with(id: &'static str, name: &'static str, socket: &Path) {
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, id, name));
        }
    });
}

fn answer(mut stream: std::os::unix::net::UnixStream, id: &str, name: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    let _ = reader.read_line(&mut first);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|got| got > 0) && !line.trim().is_empty() {
        line.clear();
    }
    let body = if first.contains("/containers/json") {
        format!("[{{\"Id\":\"{id}\"}}]")
    } else if first.contains(&format!("/containers/{id}/json")) {
        format!(
            "{{\"Id\":\"{id}\",\"Name\":\"/{name}\",\"Config\":{{\"Image\":\"nginx:1\"}},\
             \"State\":{{\"Pid\":0}}}}"
        )
    } else if first.contains("/events") {
        // Nothing ever happens.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let _ = reader.read_line(&mut line);
        return;
    } else {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
}

/// Every file tells of the containers that there are, for each is read on its own.
#[test]
fn known_containers_stand_in_every_file() {
    const NAME: &str = "web-that-stands-in-every-file";
    let Some(_one) = live() else { return };
    let place = Place::new();
    let socket = place.path("docker.sock");
    docker_with(
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        NAME,
        &socket,
    );
    let option = format!("container_engines.docker.sockets[]={}", socket.display());
    let (files, said) = record(
        &place,
        &[
            "--compression",
            "none",
            "--rotate-events",
            "150",
            "-o",
            &option,
        ],
        "for n in 1 2 3 4 5 6 7 8; do /bin/true; done",
    );
    assert!(files.len() >= 2, "{said}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(NAME.len()).any(|at| at == NAME.as_bytes());
        assert!(found, "{}", file.display());
    }
}
