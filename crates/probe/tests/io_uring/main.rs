//! What a program has done by io_uring appears as the ordinary system calls' events, with a mark.
//! On the running kernel; needs root, BTF and Linux 6.0.

#![allow(
    clippy::unwrap_used,
    unsafe_code,
    reason = "a test that makes raw system calls"
)]

use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::Duration;

use probe::{Backend, BufferSize, Options, Probe, SelfFilter, Syscalls, Tracepoints};

use crate::ring::{Request, Ring};

mod messages;
mod ring;

const AT_FDCWD: i32 = libc::AT_FDCWD;
/// Registered files are told as descriptors from here on.
const REGISTERED: i64 = 0x4000_0000;

/// An event, out of the buffer.
#[derive(Debug)]
struct Seen {
    name: &'static str,
    tid: i64,
    params: Vec<(&'static str, Vec<u8>)>,
}

impl Seen {
    fn number(&self, name: &str) -> i64 {
        let bytes = self.bytes(name);
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    }

    fn bytes(&self, name: &str) -> &[u8] {
        let found = self.params.iter().find(|(n, _)| *n == name);
        &found.unwrap_or_else(|| panic!("{self:?} has no {name}")).1
    }

    fn text(&self, name: &str) -> &str {
        let bytes = self.bytes(name);
        std::str::from_utf8(bytes.strip_suffix(b"\0").unwrap()).unwrap()
    }
}

/// One at a time: they are threads of one process, and would see each other's events.
static ONE: Mutex<()> = Mutex::new(());

/// Runs `work` while watching; gives the events that io_uring made.
fn watch(work: impl FnOnce()) -> Option<Vec<Seen>> {
    let _one = ONE
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
    if !probe::support().io_uring {
        eprintln!("left out: what io_uring does cannot be told on this kernel");
        return None;
    }
    Ring::new(false)?;
    let mut probe = Probe::open(&Options {
        // No more than it takes: the kernel lets go of each slowly.
        syscalls: Syscalls::from_names(probe::io_uring_syscalls()).unwrap(),
        tracepoints: Tracepoints {
            signal: false,
            switch: false,
            page_fault: false,
        },
        own_events: SelfFilter::Off,
        // What others do until all is read must fit beside it.
        buffer: BufferSize::preset(7).unwrap(),
        backend: std::env::var("PEREGRINE_BACKEND")
            .map_or(Backend::Auto, |way| way.parse().unwrap()),
        ..Options::default()
    })
    .unwrap();
    assert!(
        probe
            .attached()
            .iter()
            .any(|a| a.program == "t_uring_submit"),
        "io_uring is not watched"
    );
    work();
    let until = probe.now();
    let pid = i64::from(std::process::id());
    let mut seen = Vec::new();
    loop {
        while let Some(event) = probe.next() {
            let record = &event.record;
            if record.ts > until {
                return Some(seen);
            }
            if event.io_uring
                && std::path::Path::new(&format!("/proc/{pid}/task/{}", record.tid)).exists()
            {
                assert!(record.flags.contains(event::RecordFlags::IO_URING));
                seen.push(Seen {
                    name: record.info.name,
                    tid: record.tid,
                    params: (0..record.len())
                        .map(|i| (record.info.params[i].name, record.param(i).to_vec()))
                        .collect(),
                });
            }
        }
        if !probe.wait(Duration::from_millis(100)).unwrap() {
            return Some(seen);
        }
    }
}

fn own_tid() -> i64 {
    // SAFETY: no arguments, no effect.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

fn address(text: &CStr) -> u64 {
    text.as_ptr() as u64
}

fn close(fd: i32) {
    // SAFETY: a descriptor that the caller owns.
    unsafe { libc::close(fd) };
}

fn open(path: &CStr, flags: i32) -> Request {
    Request {
        opcode: 18,
        fd: AT_FDCWD,
        addr: address(path),
        op_flags: flags as u32,
        len: 0o640,
        ..Request::default()
    }
}

fn path(dir: &tempfile::TempDir, name: &str) -> CString {
    CString::new(dir.path().join(name).to_str().unwrap()).unwrap()
}

#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, sub, link, soft) = (
        path(&dir, "one"),
        path(&dir, "two"),
        path(&dir, "sub"),
        path(&dir, "link"),
        path(&dir, "soft"),
    );
    let missing = path(&dir, "missing/file");
    let me = own_tid();
    let mut fds = [0; 2];
    let how = [libc::O_RDONLY as u64, 0, 0x04];
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        let pair = |opcode, from: &CStr, to: &CStr| Request {
            opcode,
            fd: AT_FDCWD,
            addr: address(from),
            off: address(to),
            len: AT_FDCWD as u32,
            ..Request::default()
        };
        let single = |opcode, path: &CStr| Request {
            opcode,
            fd: AT_FDCWD,
            addr: address(path),
            ..Request::default()
        };
        fds[0] = ring.run(open(&one, libc::O_CREAT | libc::O_RDWR));
        assert!(fds[0] > 0);
        assert_eq!(ring.run(open(&missing, libc::O_RDONLY)), -libc::ENOENT);
        fds[1] = ring.run(Request {
            opcode: 28,
            fd: AT_FDCWD,
            addr: address(&one),
            off: how.as_ptr() as u64,
            len: 24,
            ..Request::default()
        });
        assert!(fds[1] > 0);
        for (fd, result) in [(fds[1], 0), (9999, -libc::EBADF)] {
            let request = Request {
                opcode: 19,
                fd,
                ..Request::default()
            };
            assert_eq!(ring.run(request), result);
        }
        for request in [
            pair(35, &one, &two),
            pair(39, &two, &link),
            Request {
                fd: 0,
                len: 0,
                ..single(37, &sub)
            },
        ] {
            let request = Request {
                fd: AT_FDCWD,
                ..request
            };
            assert_eq!(ring.run(request), 0, "{}", request.opcode);
        }
        let symlink = Request {
            opcode: 38,
            fd: AT_FDCWD,
            addr: address(&two),
            off: address(&soft),
            ..Request::default()
        };
        assert_eq!(ring.run(symlink), 0);
        assert_eq!(ring.run(symlink), -libc::EEXIST);
        assert_eq!(ring.run(pair(35, &missing, &two)), -libc::ENOENT);
        assert_eq!(ring.run(single(36, &link)), 0);
        assert_eq!(ring.run(single(36, &link)), -libc::ENOENT);
        assert_eq!(
            ring.run(Request {
                op_flags: libc::AT_REMOVEDIR as u32,
                ..single(36, &sub)
            }),
            0
        );
    }) else {
        return;
    };
    close(fds[0]);
    assert!(seen.iter().all(|e| e.tid == me), "{seen:#?}");
    let told: Vec<_> = seen
        .iter()
        .map(|e| {
            (
                e.name,
                e.number(if e.name.starts_with("openat") {
                    "fd"
                } else {
                    "res"
                }),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("openat", fds[0].into()),
            ("openat", -2),
            ("openat2", fds[1].into()),
            ("close", 0),
            ("close", -9),
            ("renameat2", 0),
            ("linkat", 0),
            ("mkdirat", 0),
            ("symlinkat", 0),
            ("symlinkat", -17),
            ("renameat2", -2),
            ("unlinkat", 0),
            ("unlinkat", -2),
            ("unlinkat", 0),
        ]
    );
    let text = |c: &CString| c.to_str().unwrap().to_owned();
    assert_eq!(seen[0].text("name"), text(&one));
    assert_eq!(seen[0].number("dirfd"), -100);
    // Read and write, create, and that this call created it.
    assert_eq!(seen[0].number("flags"), 1 << 14 | 1 << 2 | 3);
    assert_eq!(seen[0].number("mode"), 0o640);
    let there = std::fs::metadata(dir.path().join("two")).unwrap();
    assert_eq!(
        seen[0].number("ino") as u64,
        std::os::unix::fs::MetadataExt::ino(&there)
    );
    assert_eq!(seen[1].text("name"), text(&missing));
    assert_eq!(seen[2].text("name"), text(&one));
    assert_ne!(seen[2].number("resolve"), 0);
    assert_eq!(seen[3].number("fd"), fds[1].into());
    assert_eq!(
        (seen[5].text("oldpath"), seen[5].text("newpath")),
        (&*text(&one), &*text(&two))
    );
    assert_eq!(seen[6].text("newpath"), text(&link));
    assert_eq!(seen[7].text("path"), text(&sub));
    assert_eq!(
        (seen[8].text("target"), seen[8].text("linkpath")),
        (&*text(&two), &*text(&soft))
    );
    assert_eq!(seen[11].text("name"), text(&link));
    assert_ne!(seen[13].number("flags"), 0);
}

fn socket_address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    }
}

#[test]
fn sockets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let closed = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let (open, refused) = (socket_address(port), socket_address(closed));
    let message = *b"over the ring";
    let mut room = [0u8; 32];
    let mut fds = [0; 3];
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        let socket = Request {
            opcode: 45,
            fd: libc::AF_INET,
            off: libc::SOCK_STREAM as u64,
            ..Request::default()
        };
        let connect = |fd, to: &libc::sockaddr_in| Request {
            opcode: 16,
            fd,
            addr: std::ptr::from_ref(to) as u64,
            off: 16,
            ..Request::default()
        };
        fds[0] = ring.run(socket);
        fds[1] = ring.run(socket);
        assert!(fds[0] > 0 && fds[1] > 0);
        assert_eq!(ring.run(connect(fds[0], &open)), 0);
        assert_eq!(ring.run(connect(fds[1], &refused)), -libc::ECONNREFUSED);
        fds[2] = ring.run(Request {
            opcode: 13,
            fd: listener.as_raw_fd(),
            op_flags: libc::SOCK_CLOEXEC as u32,
            ..Request::default()
        });
        assert!(fds[2] > 0);
        let data = |opcode, fd, addr, len| Request {
            opcode,
            fd,
            addr,
            len,
            ..Request::default()
        };
        assert_eq!(ring.run(data(26, fds[0], message.as_ptr() as u64, 13)), 13);
        assert_eq!(ring.run(data(27, fds[2], room.as_mut_ptr() as u64, 32)), 13);
        assert_eq!(ring.run(data(34, fds[0], 0, libc::SHUT_WR as u32)), 0);
    }) else {
        return;
    };
    fds.into_iter().for_each(close);
    let names: Vec<_> = seen.iter().map(|e| e.name).collect();
    assert_eq!(
        names,
        [
            "socket", "socket", "connect", "connect", "accept4", "sendto", "recvfrom", "shutdown"
        ],
        "{seen:#?}"
    );
    assert_eq!(seen[0].number("fd"), fds[0].into());
    assert_eq!((seen[0].number("domain"), seen[0].number("type")), (2, 1));
    let end = |port: u16| [&[127, 0, 0, 1][..], &port.to_le_bytes()].concat();
    assert_eq!(seen[2].number("res"), 0);
    assert_eq!(seen[2].number("fd"), fds[0].into());
    assert_eq!(seen[2].bytes("tuple")[7..], end(port));
    assert_eq!(seen[2].bytes("addr")[1..], end(port));
    assert_eq!(seen[3].number("res"), -111);
    assert_eq!(seen[3].bytes("tuple"), b"");
    assert_eq!(seen[3].bytes("addr")[1..], end(closed));
    assert_eq!(seen[4].number("fd"), fds[2].into());
    assert_eq!(seen[4].bytes("tuple")[7..], end(port));
    assert_eq!(seen[5].bytes("data"), message);
    assert_eq!(seen[5].bytes("tuple")[7..], end(port));
    assert_eq!(seen[6].bytes("data"), message);
    assert_eq!(seen[7].number("how"), 1);
}

#[test]
fn a_kernel_thread_polls_the_ring() {
    let process = i64::from(std::process::id());
    let Some(seen) = watch(|| {
        let ring = Ring::new(true).unwrap();
        close(ring.run(open(c"/etc/passwd", libc::O_RDONLY)));
    }) else {
        return;
    };
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(
        (seen[0].tid, seen[0].text("name")),
        (process, "/etc/passwd")
    );
}

#[test]
fn success_without_a_completion_is_told() {
    const SKIP: u8 = 1 << 6;
    let dir = tempfile::tempdir().unwrap();
    let (made, missing) = (path(&dir, "made"), path(&dir, "no/such"));
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        ring.submit(Request {
            opcode: 37,
            flags: SKIP,
            fd: AT_FDCWD,
            addr: address(&made),
            ..Request::default()
        });
        ring.submit(Request {
            flags: SKIP,
            ..open(&missing, libc::O_RDONLY)
        });
        // Only the failure has a completion; what comes behind it ends later.
        assert_eq!(ring.completion().1, -libc::ENOENT);
        while !dir.path().join("made").exists() {
            std::thread::yield_now();
        }
    }) else {
        return;
    };
    let told = |event: &str, path: &str, result: &str| -> Vec<i64> {
        let same = seen.iter().filter(|e| e.name == event);
        same.inspect(|e| assert!(e.text(path).starts_with(dir.path().to_str().unwrap())))
            .map(|e| e.number(result))
            .collect()
    };
    assert_eq!(told("mkdirat", "path", "res"), [0], "{seen:#?}");
    // Told as a success at once, for nobody can know; then as what it came to.
    assert_eq!(told("openat", "name", "fd"), [0x7fff_ffff, -2], "{seen:#?}");
}

#[test]
fn completions_that_find_no_room_are_told() {
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        // 16 places for completions, and nobody takes them away before all are asked for.
        for _ in 0..20 {
            ring.submit(open(c"/no/such/file", libc::O_RDONLY));
        }
        // Some kernels look for the file on a thread of their own, and are done later.
        for _ in 0..20 {
            assert_eq!(ring.completion().1, -libc::ENOENT);
        }
    }) else {
        return;
    };
    assert_eq!(seen.len(), 20, "{seen:#?}");
    assert!(
        seen.iter()
            .all(|e| e.number("fd") == -2 && e.text("name") == "/no/such/file")
    );
}

#[test]
fn long_paths_are_whole() {
    let long = CString::new(format!("/tmp/{}x", "a/../".repeat(700))).unwrap();
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        assert!(ring.run(open(&long, libc::O_RDONLY)) < 0);
        assert!(ring.run(open(c"/short", libc::O_RDONLY)) < 0);
    }) else {
        return;
    };
    assert_eq!(seen[0].text("name"), long.to_str().unwrap());
    assert_eq!(seen[1].text("name"), "/short");
}

#[test]
fn registered_files_are_no_descriptors() {
    let Some(seen) = watch(|| {
        let ring = Ring::new(false).unwrap();
        ring.register_files(&[-1; 4]);
        let request = Request {
            file_index: 3,
            ..open(c"/etc/passwd", libc::O_RDONLY)
        };
        assert_eq!(ring.run(request), 0);
        let close = Request {
            opcode: 19,
            file_index: 3,
            ..Request::default()
        };
        assert_eq!(ring.run(close), 0);
    }) else {
        return;
    };
    let fds: Vec<_> = seen.iter().map(|e| (e.name, e.number("fd"))).collect();
    assert_eq!(fds, [("openat", REGISTERED | 2), ("close", REGISTERED | 2)]);
}
