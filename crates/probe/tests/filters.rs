//! Calls that are left out for what they are done with, on the running kernel; root and BTF as in
//! `live`.

#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that makes raw system calls"
)]

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use probe::{Access, Backend, Filters, Kind, Options, Probe, SelfFilter, Syscalls};

/// One probe at a time.
static ONE: Mutex<()> = Mutex::new(());

fn live() -> Option<MutexGuard<'static, ()>> {
    let one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = probe::support().check() {
        assert!(
            std::env::var("PEREGRINE_REQUIRE_LIVE").is_err(),
            "live tests are required, but {error}"
        );
        eprintln!("left out: {error}");
        return None;
    }
    Some(one)
}

fn open(names: &[&str], filters: &Filters) -> Probe {
    let probe = Probe::open(&Options {
        syscalls: Syscalls::from_names(names.iter().copied()).unwrap(),
        own_events: SelfFilter::Off,
        backend: Backend::Dispatch,
        filters: filters.clone(),
        ..Options::default()
    });
    let probe = probe.unwrap();
    assert!(probe.filters_calls());
    probe
}

/// What this thread did up to now, as `see` tells it.
fn seen<T>(probe: &mut Probe, see: impl Fn(&event::Record<'_>) -> Option<T>) -> Vec<T> {
    // SAFETY: no arguments, no effect.
    let me = unsafe { libc::syscall(libc::SYS_gettid) };
    let until = probe.now();
    let mut all = Vec::new();
    loop {
        while let Some(event) = probe.next() {
            if event.record.ts > until {
                return all;
            }
            if event.record.tid == me {
                all.extend(see(&event.record));
            }
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            return all;
        }
    }
}

#[test]
fn descriptors_of_a_kind() {
    let Some(_one) = live() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(dir.path().join("file")).unwrap();
    let folder = std::fs::File::open(dir.path()).unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    // SAFETY: a name that ends, and no flags.
    let nameless = unsafe { libc::memfd_create(c"nameless".as_ptr(), 0) };
    let every = [
        file.as_raw_fd(),
        folder.as_raw_fd(),
        reader.as_raw_fd(),
        null.as_raw_fd(),
        socket.as_raw_fd(),
        nameless,
        -1,
    ];
    for (kind, left_out) in [(Kind::File, 0), (Kind::Directory, 1), (Kind::Pipe, 2)] {
        let mut filters = Filters::default();
        assert!(filters.leave_out_kind("lseek", kind));
        let mut probe = open(&["lseek"], &filters);
        for fd in every {
            // SAFETY: numbers only.
            unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
        }
        let told = seen(&mut probe, |record| record.i64(1));
        let mut wanted: Vec<i64> = every.iter().map(|fd| i64::from(*fd)).collect();
        wanted.remove(left_out);
        assert_eq!(told, wanted, "{kind:?}");
        let [succeeded, failed] = probe.left_out();
        assert!(succeeded + failed >= 1);
        // The switch: without filters all of it comes.
        probe.set_syscalls(
            &Syscalls::from_names(["lseek"]).unwrap(),
            &Filters::default(),
        );
        for fd in every {
            // SAFETY: numbers only.
            unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
        }
        assert_eq!(seen(&mut probe, |record| record.i64(1)).len(), every.len());
    }
    // SAFETY: our own descriptor, used no more.
    unsafe { libc::close(nameless) };
}

#[test]
fn failed_opens() {
    let Some(_one) = live() else { return };
    let mut filters = Filters::default();
    assert!(filters.leave_out_failed_open("openat", Access::Read));
    assert!(filters.leave_out_failed_open("openat", Access::Both));
    let mut probe = open(&["openat"], &filters);
    let open = |path: &std::ffi::CStr, flags| {
        // SAFETY: a name that ends; the descriptor is closed at once.
        unsafe { libc::close(libc::openat(libc::AT_FDCWD, path.as_ptr(), flags)) };
    };
    for flags in [libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR] {
        open(c"/no/such/file", flags);
        open(c"/dev/null", flags);
    }
    let told = seen(&mut probe, |record| {
        let ours = [b"/no/such/file".as_slice(), b"/dev/null"].contains(&record.text(2));
        ours.then_some((record.result()? >= 0, record.u32(3)? & 3))
    });
    // The event's own flags: 1 read, 2 write.
    assert_eq!(told, [(true, 1), (false, 2), (true, 2), (true, 3)]);
}

/// Removes a folder that is not there.
fn remove(path: &Path) {
    let path = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: a name that ends.
    unsafe { libc::syscall(libc::SYS_rmdir, path.as_ptr()) };
}

#[test]
fn paths_that_begin_otherwise() {
    let Some(_one) = live() else { return };
    let mut filters = Filters::default();
    let here = [b"/no/etc".to_vec(), b"/no/srv/www/".to_vec()];
    assert!(filters.leave_out_elsewhere("rmdir", &here));
    let mut probe = open(&["rmdir", "unlink"], &filters);
    let long = format!("/no/{}", "x".repeat(140));
    let almost = format!("/no/{}", "y".repeat(122));
    let paths = [
        ("/no/etc", true),
        ("/no/etc/a", true),
        ("/no/etcetera", true),
        ("/no/srv/www/a", true),
        ("/no/srv/www", false),
        ("/no/srv/ww", false),
        ("/no/et", false),
        ("/no/usr/a", false),
        ("/no/0234567/a.b-c_d", false),
        (almost.as_str(), false),
        // What may stand for something else comes.
        ("no/usr", true),
        ("/no//etc/x", true),
        ("/no/0123/../etc", true),
        ("/no/./etc", true),
        ("/no/a/.hidden", true),
        ("/no/012//x", true),
        ("/no/\u{e9}", true),
        ("/no/\u{1}", true),
        (long.as_str(), true),
        ("", true),
    ];
    for (path, _) in paths {
        remove(Path::new(path));
    }
    let told = seen(&mut probe, |record| {
        Some(String::from_utf8_lossy(record.text(1)).into_owned())
    });
    let wanted: Vec<&str> = paths
        .iter()
        .filter(|(_, comes)| *comes)
        .map(|(path, _)| *path)
        .collect();
    assert_eq!(told, wanted);
}

/// Random paths against the same question asked the plain way.
#[test]
fn random_paths() {
    let Some(_one) = live() else { return };
    let prefixes = ["/no/a", "/no/a/bb", "/no/c.d/"];
    let mut filters = Filters::default();
    let bytes: Vec<Vec<u8>> = prefixes.iter().map(|p| p.as_bytes().to_vec()).collect();
    assert!(filters.leave_out_elsewhere("rmdir", &bytes));
    let mut probe = open(&["rmdir"], &filters);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut wanted = Vec::new();
    for _ in 0..2000 {
        let mut path = "/no/".to_owned();
        for _ in 0..next(40) {
            let pieces = ["a", "bb", "/", "/", ".", "..", "c.d", "longer-name"];
            path.push_str(pieces[next(pieces.len() as u64) as usize]);
        }
        remove(Path::new(&path));
        let plain = path.len() < 127 && !path.contains("//") && !path.contains("/.");
        if !plain || prefixes.iter().any(|prefix| path.starts_with(prefix)) {
            wanted.push(path);
        }
    }
    let told = seen(&mut probe, |record| {
        Some(String::from_utf8_lossy(record.text(1)).into_owned())
    });
    assert_eq!(told, wanted);
    assert!(wanted.len() < 1990, "some were left out");
}

#[test]
fn images_until_they_change() {
    let Some(_one) = live() else { return };
    let mut filters = Filters::default();
    assert!(filters.leave_out_image("rmdir", 3));
    let mut probe = open(&["rmdir", "prctl"], &filters);
    let count =
        |probe: &mut Probe| seen(probe, |record| (record.info.name == "rmdir").then_some(())).len();
    let path = Path::new("/no/such/folder");
    // SAFETY: no arguments, no effect.
    let tid = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    remove(path);
    assert_eq!(count(&mut probe), 1);
    // Another bit, then this one.
    assert!(probe.tell_image(tid, 1 << 2, probe.now()));
    remove(path);
    assert_eq!(count(&mut probe), 1);
    let before = probe.now();
    assert!(probe.tell_image(tid, 1 << 3, before));
    remove(path);
    assert_eq!(count(&mut probe), 0);
    // A child is another thread.
    let child = std::thread::spawn(move || remove(path));
    child.join().unwrap();
    // The image goes by another name: what was known of it is over, and stays so if it is told late.
    // SAFETY: a name that ends.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"another".as_ptr()) };
    remove(path);
    assert_eq!(count(&mut probe), 1);
    assert!(probe.tell_image(tid, 1 << 3, before));
    remove(path);
    assert_eq!(count(&mut probe), 1);
    assert!(probe.tell_image(tid, 1 << 3, probe.now()));
    remove(path);
    assert_eq!(count(&mut probe), 0);
    assert!(
        !probe.tell_image(u32::MAX >> 2, 1 << 3, before),
        "no such thread"
    );
}

/// A thread that gets the number of one that is gone knows nothing of what was told of that one.
#[test]
fn what_was_known_before_a_thread_began_counts_not() {
    let Some(_one) = live() else { return };
    let mut filters = Filters::default();
    assert!(filters.leave_out_image("rmdir", 0));
    let mut probe = open(&["rmdir"], &filters);
    let before = probe.now();
    let (told, tell) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        // SAFETY: no arguments, no effect.
        told.send(unsafe { libc::syscall(libc::SYS_gettid) } as u32)
            .unwrap();
        gone.recv().unwrap();
        remove(Path::new("/no/such/worker"));
    });
    let tid = tell.recv().unwrap();
    if probe.tell_image(tid, 1, before) {
        go.send(()).unwrap();
        worker.join().unwrap();
        let mut came = 0;
        let until = probe.now();
        loop {
            while let Some(event) = probe.next() {
                came += u32::from(event.record.text(1) == b"/no/such/worker");
                if event.record.ts > until {
                    break;
                }
            }
            if !probe.wait(Duration::from_millis(50)).unwrap() {
                break;
            }
        }
        assert_eq!(came, 1);
    } else {
        // Kernels before 6.9 have handles for the leaders only.
        go.send(()).unwrap();
        worker.join().unwrap();
    }
}
