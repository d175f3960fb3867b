//! The ring from outside: what goes in comes out, within its limits, whatever the disk does.

#![allow(clippy::unwrap_used, reason = "a failed look is a failed test")]

mod support;

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flight::{Notice, Overflow, Recorder, Segments, Server, Wish};
use support::{SECOND, Stream, held, options, read, times};

#[test]
fn what_is_recorded_is_held_and_hunted() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/flight.sock");
    for place in [None, Some(folder.path().join("ring"))] {
        let mut stream = Stream::start(&options(place.as_deref()));
        let server = Server::start(&socket, &stream.recorder).unwrap();
        stream.events(20_000);
        stream.settle();
        let segments = Segments::of_service(&socket).unwrap();
        assert!(segments.newest >= *stream.written.last().unwrap());
        let found = held(segments);
        assert_eq!(found, stream.written, "{place:?}");
        let mut again = Segments::of_service(&socket).unwrap();
        while again.next().unwrap().is_some() {}
        assert!(again.next().unwrap().is_none());
        drop(server);
        assert!(!socket.exists());
        let written = stream.written.clone();
        let (counts, notices) = stream.recorder.finish();
        assert_eq!((counts.events, counts.lost), (20_000, 0));
        assert_eq!(notices, []);
        if let Some(place) = place {
            let segments = Segments::in_directory(&place).unwrap();
            assert_eq!(held(segments), written);
            let private = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o077 == 0;
            assert!(private(&place));
            for entry in place.read_dir().unwrap() {
                assert!(private(&entry.unwrap().path()));
            }
        }
    }
}

#[test]
fn the_limits_hold_and_the_newest_stays() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path())] {
        let mut options = options(place);
        options.most_bytes = 2_000_000;
        let mut stream = Stream::start(&options);
        for _ in 0..60 {
            stream.events(5_000);
            let held = stream.recorder.counts().held;
            assert!(held <= 2_000_000, "{held}");
        }
        stream.settle();
        let counts = stream.recorder.counts();
        assert!(counts.evicted > 0 && counts.segments > 1 && counts.held <= 2_000_000);
        // An eighth of it fills a segment: none is begun twice.
        assert!(counts.segments <= 9, "{counts:?}");
        let written = stream.written.clone();
        drop(stream.recorder.finish());
        if let Some(place) = place {
            let on_disk: u64 = place
                .read_dir()
                .unwrap()
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .sum();
            assert!(on_disk <= 2_000_000, "{on_disk}");
            let found = held(Segments::in_directory(place).unwrap());
            assert!(found.len() > 10_000 && written.ends_with(&found));
        }
    }
}

#[test]
fn what_is_older_than_allowed_goes() {
    let mut options = options(None);
    options.most_age = 8 * SECOND;
    let mut stream = Stream::start(&options);
    for _ in 0..60 {
        stream.events(100);
        stream.pass(SECOND);
        stream.settle();
    }
    let span = stream.recorder.counts().span;
    assert!((8 * SECOND..=12 * SECOND).contains(&span), "{span}");
}

#[test]
fn a_killed_writer_leaves_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::start(&options(Some(folder.path())));
    stream.events(20_000);
    stream.settle();
    // Killed in the middle of a write: a frame is torn, and the lock is gone with the process.
    let newest = newest(folder.path());
    let file = OpenOptions::new().append(true).open(&newest).unwrap();
    let whole = file.metadata().unwrap().len();
    let found = held(Segments::in_directory(folder.path()).unwrap());
    assert_eq!(found, stream.written);
    for cut in 1..40 {
        file.set_len(whole - cut * 11).unwrap();
        let found = held(Segments::in_directory(folder.path()).unwrap());
        assert!(
            !found.is_empty() && stream.written.starts_with(&found),
            "{cut}"
        );
    }
    std::mem::forget(stream.recorder);
}

#[test]
fn a_second_run_goes_on_and_two_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Some(folder.path()));
    let mut first = Stream::start(&options);
    let refused = Recorder::start(&options).err().unwrap().to_string();
    assert!(refused.contains("another process"), "{refused}");
    first.events(3_000);
    drop(first.recorder.finish());
    let mut second = Stream::start(&options);
    second.time = first.time + SECOND;
    second.events(3_000);
    drop(second.recorder.finish());
    let mut all = first.written;
    all.extend(&second.written);
    assert_eq!(held(Segments::in_directory(folder.path()).unwrap()), all);
    // Others may write there: then it is no place for evidence.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Recorder::start(&options).is_err());
}

#[test]
fn files_that_others_left_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let name = |n: u8| format!("flight-{n:020}-{n:016x}-{n:010}.scap");
    std::fs::write(folder.path().join(name(1)), b"").unwrap();
    std::fs::write(
        folder.path().join(name(2)),
        [0x28, 0xb5, 0x2f, 0xfd, 9, 9, 9],
    )
    .unwrap();
    std::fs::write(folder.path().join(name(3)), vec![0xff; 5000]).unwrap();
    std::fs::create_dir(folder.path().join(name(4))).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join(name(5))).unwrap();
    let mut stream = Stream::start(&options(Some(folder.path())));
    stream.events(1_000);
    let written = stream.written.clone();
    drop(stream.recorder.finish());
    let segments = Segments::in_directory(folder.path()).unwrap();
    assert_eq!(held(segments), written);
}

/// Whatever somebody does to the files of a ring, reading ends, and what is whole in front of the damage is
/// read.
#[test]
fn spoilt_segments_are_read_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(Some(folder.path()));
    options.most_bytes = 1_000_000;
    let mut stream = Stream::start(&options);
    stream.events(20_000);
    drop(stream.recorder.finish());
    let whole = held(Segments::in_directory(folder.path()).unwrap()).len();
    let path = newest(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let mut random = 1_u64;
    let mut next = |most: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005) + 1;
        (random >> 33) as usize % most
    };
    for _ in 0..200 {
        let mut spoilt = bytes.clone();
        for _ in 0..=next(4) {
            let at = next(spoilt.len());
            spoilt[at] ^= 1 << next(8);
        }
        if next(3) == 0 {
            spoilt.truncate(next(bytes.len()));
        }
        std::fs::write(&path, &spoilt).unwrap();
        let segments = Segments::in_directory(folder.path()).unwrap();
        assert!(support::readable(segments) <= whole);
    }
}

#[test]
fn an_alert_is_saved_with_what_came_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    for place in [None, Some(folder.path().join("ring"))] {
        let mut stream = Stream::start(&options(place.as_deref()));
        stream.events(30_000);
        let wish = Wish {
            path: folder.path().join("a.scap"),
            time: stream.time,
            before: 5_000_000,
            after: 3_000_000,
        };
        assert_eq!(stream.recorder.save(&wish), wish.path);
        stream.events(30_000);
        // One in the window of the other has no file of its own, and makes it longer.
        let (counts, notices) = stream.recorder.finish();
        assert_eq!((counts.saved, counts.not_saved, counts.short), (1, 0, 0));
        let found = times(&read(&wish.path));
        let (from, until) = (wish.time - wish.before, wish.time + wish.after);
        let expected: Vec<u64> = stream
            .written
            .iter()
            .copied()
            .filter(|time| (from..=until).contains(time))
            .collect();
        assert_eq!(found, expected);
        let [
            Notice::Saved {
                events,
                missing: 0,
                gaps: 0,
                ..
            },
        ] = notices[..]
        else {
            panic!("{notices:?}");
        };
        assert_eq!(events, expected.len() as u64);
        let mode = wish.path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn alerts_in_the_window_of_another_share_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::start(&options(None));
    let mut files = Vec::new();
    for n in 0..20 {
        stream.events(2_000);
        let wish = Wish {
            path: folder.path().join(format!("{n}.scap")),
            time: stream.time,
            before: 1_000_000,
            after: 5_000_000,
        };
        files.push(stream.recorder.save(&wish));
    }
    // Reaches further back than the file that is open: that takes one of its own.
    let early = Wish {
        path: folder.path().join("early.scap"),
        time: stream.time,
        before: 60_000_000,
        after: 0,
    };
    assert_eq!(stream.recorder.save(&early), early.path);
    stream.events(10_000);
    let counts = stream.recorder.finish().0;
    files.dedup();
    assert_eq!(files.len(), 1);
    assert_eq!((counts.joined, counts.saved, counts.short), (19, 2, 1));
    let found = times(&read(&files[0]));
    let last = early.time + 5_000_000;
    assert_eq!(found.iter().max(), Some(&last));
    assert_eq!(times(&read(&early.path))[0], stream.written[0]);
}

#[test]
fn a_file_has_its_limit_and_a_missing_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(None);
    options.most_file_bytes = 200_000;
    let mut stream = Stream::start(&options);
    let wish = |name: &str, time| Wish {
        path: folder.path().join(name),
        time,
        before: 0,
        after: u64::MAX,
    };
    stream.events(10);
    let full = wish("full.scap", stream.time);
    let path = stream.recorder.save(&full);
    stream.events(50_000);
    let nowhere = wish("none/x.scap", stream.time - 1_000_000_000);
    stream.recorder.save(&Wish { time: 0, ..nowhere });
    let (counts, notices) = stream.recorder.finish();
    assert!(path.metadata().unwrap().len() <= 200_000);
    assert_eq!((counts.saved, counts.not_saved), (1, 1));
    let full = |n: &Notice| matches!(n, Notice::Full { bytes, .. } if *bytes <= 200_000);
    let failed = |n: &Notice| matches!(n, Notice::NotSaved { .. });
    assert!(
        notices.iter().any(full) && notices.iter().any(failed),
        "{notices:?}"
    );
}

#[test]
fn without_a_ring_only_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(None);
    options.always = false;
    let mut stream = Stream::start(&options);
    stream.events(1_000);
    assert_eq!(stream.recorder.counts().events, 0);
    stream.stand();
    let mut expected = Vec::new();
    for n in 0..2 {
        if n > 0 {
            stream.stand();
        }
        let before = stream.written.len();
        stream.events(1);
        let wish = Wish {
            path: folder.path().join(format!("{n}.scap")),
            time: stream.time,
            before: 0,
            after: 1_000_000,
        };
        stream.recorder.save(&wish);
        stream.events(5_000);
        stream.pass(2 * SECOND);
        assert!(!stream.recorder.is_on());
        let times = stream.written[before..].iter().copied();
        let until = wish.time + wish.after;
        expected.push((wish.path, times.filter(|t| *t <= until).collect::<Vec<_>>()));
    }
    let counts = stream.recorder.finish().0;
    assert_eq!(counts.saved, 2);
    for (path, expected) in expected {
        assert_eq!(times(&read(&path)), expected);
    }
}

#[test]
fn a_full_disk_is_counted_and_ends_nothing() {
    let Some(small) = support::small_disk() else {
        return;
    };
    let ring = small.path().join("ring");
    let mut stream = Stream::start(&options(Some(&ring)));
    for _ in 0..20 {
        stream.events(20_000);
    }
    stream.settle();
    let counts = stream.recorder.counts();
    assert!(counts.faults > 0, "{counts:?}");
    assert_eq!(counts.events + counts.lost, 400_000);
    let notices = stream.recorder.notices();
    let told = |n: &&Notice| matches!(n, Notice::NotHeld { .. });
    assert_eq!(notices.iter().filter(told).count(), 1, "{notices:?}");
    let found = held(Segments::in_directory(&ring).unwrap());
    assert!(!found.is_empty() && found.iter().all(|time| stream.written.contains(time)));
    drop(stream.recorder.finish());
}

#[test]
fn a_machine_that_outruns_the_press_loses_and_counts() {
    let mut options = options(None);
    options.overflow = Overflow::Lose;
    let mut stream = Stream::start(&options);
    stream.events(600_000);
    stream.settle();
    let counts = stream.recorder.counts();
    assert_eq!(counts.events + counts.lost, 600_000);
}

fn newest(folder: &Path) -> std::path::PathBuf {
    let all = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some()).max().unwrap()
}
