//! Durable delivery: through killed senders, restarted receivers and full disks.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outputs::channel::file::FileTarget;
use outputs::channel::rotation::Rotation;
use outputs::spool::store::Store;
use outputs::spool::{SpoolOptions, Sync, WhenFull};
use outputs::{Batch, Notice, Outputs, Target};
use rules::Priority;
use support::{Receiver, Shared, http, output, policy, quiet, until};

const MESSAGES: u64 = 100_000;
/// The sender that is killed runs as this test with this variable: URL, directory, first number.
const SENDER: &str = "PEREGRINE_TEST_SENDER";

/// Not a test by itself: the process that is killed.
#[test]
fn sender() {
    let Ok(orders) = std::env::var(SENDER) else {
        return;
    };
    let [url, directory, first] = orders.split('|').collect::<Vec<_>>().try_into().unwrap();
    let output = output(Target::Http(http(url)), Some(Path::new(directory)));
    let outputs = Outputs::start(&[output], policy(), Duration::from_secs(60), &quiet()).unwrap();
    let first: u64 = first.parse().unwrap();
    let route = outputs.route(&outputs::Subject {
        priority: Priority::Notice,
        source: "syscall",
        rule: "r",
        tags: &[],
    });
    let mut next = first;
    while next < MESSAGES {
        let end = (next + 500).min(MESSAGES);
        for number in next..end {
            outputs.send_to(
                route,
                Priority::Notice,
                format!("{{\"n\":{number}}}").as_bytes(),
            );
        }
        next = end;
        while outputs.report()[0].waiting > 0 {
            std::thread::yield_now();
        }
        // From here on they are the spool's.
        println!("\nkept {next}");
        std::io::stdout().flush().unwrap();
    }
    assert!(outputs.finish(Some(Duration::from_secs(600))));
    println!("\ndelivered");
}

fn spawn(url: &str, directory: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sender", "--nocapture"])
        .env(SENDER, format!("{url}|{}|{first}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn nothing_is_missing_after_three_kills_and_three_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::default());
    let mut receiver = Receiver::anywhere(Arc::clone(&shared));
    let address = receiver.address;
    let url = format!("http://{address}/");
    let mut kept = 0;
    for round in 1..=4 {
        let mut child = spawn(&url, dir.path(), kept);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kill_at = if round < 4 {
            round * MESSAGES / 4
        } else {
            u64::MAX
        };
        let mut ended = false;
        for line in &mut lines {
            let line = line.unwrap();
            if let Some(number) = line.strip_prefix("kept ") {
                kept = number.parse().unwrap();
            }
            ended |= line == "delivered";
            if kept >= kill_at {
                break;
            }
        }
        if round < 4 {
            child.kill().unwrap();
            // What it had said by then, however far it was ahead.
            for line in lines.map_while(Result::ok) {
                if let Some(number) = line.strip_prefix("kept ") {
                    kept = number.parse().unwrap_or(kept);
                }
            }
            // Meanwhile the receiver goes and comes again.
            receiver.stop();
            receiver = Receiver::start(&address.to_string(), Arc::clone(&shared));
        } else {
            assert!(ended, "the last sender delivers everything");
        }
        child.wait().unwrap();
    }
    receiver.stop();
    let bodies = shared.bodies.lock().unwrap();
    let mut seen = vec![false; usize::try_from(MESSAGES).unwrap()];
    let mut last = None;
    let mut repeated = 0_u64;
    for body in bodies.iter() {
        let number: usize = body
            .trim_start_matches("{\"n\":")
            .trim_end_matches('}')
            .parse()
            .unwrap();
        // In order: a number is new only if it follows the last new one.
        if seen[number] {
            repeated += 1;
        } else {
            assert_eq!(
                number,
                last.map_or(0, |last: usize| last + 1),
                "out of order"
            );
            last = Some(number);
        }
        seen[number] = true;
    }
    assert!(seen.iter().all(|seen| *seen), "messages are missing");
    // What is repeated: the unacknowledged at each interruption, and what a killed sender had handed
    // over after its last word to this test.
    assert!(repeated < 10_000, "{repeated} repeated");
}

fn store(directory: PathBuf, max_bytes: u64, when_full: WhenFull) -> std::io::Result<Store> {
    Store::open(&SpoolOptions {
        directory,
        max_bytes,
        when_full,
        sync: Sync::Always,
    })
}

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::default();
    numbers.for_each(|n| {
        batch.push(
            Priority::Notice,
            format!("message number {n:>8}").as_bytes(),
        );
    });
    batch
}

fn texts(batch: &Batch) -> Vec<String> {
    batch
        .messages()
        .map(|message| String::from_utf8(message.line.to_vec()).unwrap())
        .collect()
}

#[test]
fn what_was_delivered_is_not_read_again_and_the_rest_is() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let mut store = store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest).unwrap();
        let before = store.report().pending;
        assert_eq!(before, if round == 0 { 0 } else { 40 });
        let (done, result) = store.append(&batch(0..100), 0);
        result.unwrap();
        assert_eq!(done, 100);
        let mut left = before + 60;
        while left > 0 {
            let read = store.read(usize::try_from(left).unwrap());
            store.delivered(read.len()).unwrap();
            left -= read.len() as u64;
        }
        assert_eq!(store.report().pending, 40);
        assert_eq!(texts(&store.read(1)), ["message number       60"]);
    }
    assert!(
        store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest).is_ok(),
        "the lock is free"
    );
}

#[test]
fn a_spool_belongs_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest).unwrap();
    let second = store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest);
    assert!(
        second
            .err()
            .unwrap()
            .to_string()
            .contains("another process")
    );
    drop(first);
}

#[test]
fn a_full_spool_drops_what_it_was_told_to_and_counts() {
    for (when_full, first) in [(WhenFull::DropNewest, 0), (WhenFull::DropOldest, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path().to_owned(), 64 << 10, when_full).unwrap();
        let all = batch(0..10_000);
        let (done, result) = store.append(&all, 0);
        result.unwrap();
        assert_eq!(done, 10_000);
        let report = store.report();
        assert!(report.dropped > 0 && report.bytes <= 64 << 10, "{report:?}");
        assert_eq!(report.pending + report.dropped, 10_000);
        let mut read = Vec::new();
        loop {
            let batch = store.read(1000);
            if batch.is_empty() {
                break;
            }
            read.extend(texts(&batch));
            store.delivered(batch.len()).unwrap();
        }
        assert_eq!(read.len() as u64, report.pending);
        let from = if first == 0 { 0 } else { 10_000 - read.len() };
        assert_eq!(read, texts(&all)[from..from + read.len()]);
    }
}

#[test]
fn damaged_and_torn_segments_do_not_stop_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    for numbers in [0..10, 10..20, 20..30] {
        let mut store = store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest).unwrap();
        store.append(&batch(numbers), 0).1.unwrap();
    }
    let mut segments: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "spool"))
        .collect();
    segments.sort();
    let full: Vec<&PathBuf> = segments
        .iter()
        .filter(|path| std::fs::metadata(path).unwrap().len() > 8)
        .collect();
    let mut bytes = std::fs::read(full[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(full[0], bytes).unwrap();
    let mut bytes = std::fs::read(full[1]).unwrap();
    bytes.truncate(bytes.len() - 3);
    std::fs::write(full[1], bytes).unwrap();
    std::fs::write(dir.path().join("position"), "rubbish").unwrap();
    std::fs::write(
        dir.path().join("00000000000000000099.spool"),
        "no segment at all",
    )
    .unwrap();

    let mut store = store(dir.path().to_owned(), 1 << 20, WhenFull::DropNewest).unwrap();
    assert_eq!(store.report().damaged, 3);
    let mut read = Vec::new();
    loop {
        let batch = store.read(100);
        if batch.is_empty() {
            break;
        }
        read.extend(texts(&batch));
        store.delivered(batch.len()).unwrap();
    }
    let numbers: Vec<u32> = read
        .iter()
        .map(|text| text[15..].trim().parse().unwrap())
        .collect();
    // The middle of the first segment lies in its fifth message.
    assert_eq!(numbers[..5], [0, 1, 2, 3, 10]);
    assert!(
        numbers.ends_with(&[20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        "{numbers:?}"
    );
    assert!(
        numbers.contains(&18) && !numbers.contains(&19),
        "{numbers:?}"
    );
}

/// A small file system of its own, where root may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(at)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_waited_out() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else {
        assert!(
            std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
            "cannot mount a tmpfs"
        );
        eprintln!("left out: no small disk without root");
        return;
    };
    let shared = Arc::new(Shared::default());
    let receiver = Receiver::anywhere(Arc::clone(&shared));
    let address = receiver.address;
    receiver.stop();
    let complaints: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener: outputs::Listener = Arc::new({
        let complaints = Arc::clone(&complaints);
        move |notice| {
            if let Notice::Failed(_, error) = notice {
                complaints.lock().unwrap().push(error.to_string());
            }
        }
    });
    let output = output(
        Target::Http(http(&format!("http://{address}/"))),
        Some(&dir.path().join("spool")),
    );
    let outputs = Outputs::start(&[output], policy(), Duration::from_secs(60), &listener).unwrap();
    let padding = "x".repeat(200);
    for number in 0..3000 {
        outputs.send_internal(
            "r",
            Priority::Notice,
            format!("{number} {padding}").as_bytes(),
        );
    }
    until("the disk is full", || {
        complaints
            .lock()
            .unwrap()
            .iter()
            .any(|text| text.contains("No space left"))
    });
    let receiver = Receiver::start(&address.to_string(), Arc::clone(&shared));
    until("all are delivered", || {
        shared.bodies.lock().unwrap().len() >= 3000
    });
    assert!(outputs.finish(Some(Duration::from_secs(60))));
    receiver.stop();
    let bodies = shared.bodies.lock().unwrap();
    let numbers: Vec<usize> = bodies
        .iter()
        .map(|body| body.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
}

/// The file output needs no spool for that: what waits, waits in memory.
#[test]
fn a_file_on_a_full_disk_gets_every_line_once() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path()) else {
        assert!(
            std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
            "cannot mount a tmpfs"
        );
        eprintln!("left out: no small disk without root");
        return;
    };
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let path = dir.path().join("alerts");
    let target = FileTarget {
        path: path.clone(),
        keep_alive: true,
        rotation: Rotation {
            size: 0,
            every: Duration::ZERO,
            keep: 1,
        },
    };
    let output = output(Target::File(target), None);
    let outputs = Outputs::start(&[output], policy(), Duration::from_secs(60), &quiet()).unwrap();
    for number in 0..3000 {
        let line = format!("{number} and so much more about it");
        outputs.send_internal("r", Priority::Notice, line.as_bytes());
    }
    until("the disk is full", || {
        let error = outputs.report()[0].error.clone();
        error.is_some_and(|error| error.contains("No space left"))
    });
    std::fs::remove_file(ballast).unwrap();
    assert!(outputs.finish(Some(Duration::from_secs(60))));
    let text = std::fs::read_to_string(path).unwrap();
    let numbers: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" and so much more about it"))
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
}
