//! A made-up `/proc`, and the real one as far as this process knows it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use event::constants::{CL_CLONE_FILES, CL_CLONE_THREAD, O_RDWR};
use event::snapshot::{L4Proto, NamedKind, Target};
use host::{Host, Seen};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn fake() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for tid in ["42", "42/task/42", "42/task/43"] {
        let at = format!("proc/{tid}");
        write(root, &format!("{at}/cmdline"), "/bin/srv\0-l\0\u{1b}x\0");
        write(root, &format!("{at}/environ"), "A=1\0");
        write(
            root,
            &format!("{at}/status"),
            "Name:\tsr v\nTgid:\t42\nPPid:\t7\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t42\t5\nNStgid:\t42\t5\nNSpgid:\t40\t4\nVmSize:\t  100 kB\nVmRSS:\t 50 kB\nCapEff:\t0000000000000002\n",
        );
        write(
            root,
            &format!("{at}/stat"),
            "42 (sr v) S 7 40 41 0 -1 0 9 0 3 0\n",
        );
        write(root, &format!("{at}/cgroup"), "0::/sys/a\n");
        write(
            root,
            &format!("{at}/limits"),
            "Max open files   256   512   files\n",
        );
        write(root, &format!("{at}/loginuid"), "4294967295");
        symlink("/bin/srv", root.join(&at).join("exe")).unwrap();
        symlink("/tmp/x", root.join(&at).join("cwd")).unwrap();
        symlink("/", root.join(&at).join("root")).unwrap();
    }
    write(root, "proc/2/cmdline", "");
    write(
        root,
        "sys/fs/cgroup/sys/a/cgroup.controllers",
        "cpu memory\n",
    );
    let fd = root.join("proc/42/fd");
    fs::create_dir_all(&fd).unwrap();
    write(root, "data", "x");
    symlink(root.join("data"), fd.join("0")).unwrap();
    write(
        root,
        "proc/42/fdinfo/0",
        "pos:\t0\nflags:\t0100002\nmnt_id:\t1\n",
    );
    symlink("socket:[77]", fd.join("3")).unwrap();
    symlink("socket:[78]", fd.join("4")).unwrap();
    symlink("anon_inode:[eventpoll]", fd.join("5")).unwrap();
    symlink("pipe:[9]", fd.join("6")).unwrap();
    write(
        root,
        "proc/42/net/tcp",
        "head\n 0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 77 1\n",
    );
    write(
        root,
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nbroken\n",
    );
    write(root, "etc/group", "wheel:x:10:a,b\n");
    write(
        root,
        "proc/stat",
        "cpu  1\ncpu0 1\ncpu1 1\nbtime 1700000000\n",
    );
    write(root, "proc/meminfo", "MemTotal:  2048 kB\n");
    write(root, "proc/sys/kernel/hostname", "box\n");
    dir
}

#[test]
fn processes_and_descriptors() {
    let dir = fake();
    let (mut tids, mut fds) = (Vec::new(), Vec::new());
    let summary = Host::new(dir.path()).scan(&mut |seen| match seen {
        Seen::Process(p) => {
            assert_eq!(
                (p.pid, p.ptid, p.pgid, p.sid, p.vtid, p.vpgid),
                (42, 7, 40, 41, 5, 4)
            );
            assert_eq!(
                (p.comm, p.exe, p.args),
                (&b"sr v"[..], &b"/bin/srv"[..], &b"-l\0\x1bx\0"[..])
            );
            assert_eq!((p.uid, p.gid, p.fdlimit, p.loginuid), (2, 6, 256, u32::MAX));
            assert_eq!(
                (p.vm_size, p.vm_rss, p.pf_minor, p.pf_major),
                (100, 50, 9, 3)
            );
            assert_eq!(p.cgroups, b"cpu=/sys/a\0memory=/sys/a\0");
            assert_eq!(
                (p.cwd, p.exepath, p.cap_effective),
                (&b"/tmp/x"[..], &b"/bin/srv"[..], 2)
            );
            tids.push((p.tid, p.flags));
        }
        Seen::Descriptor(d) => {
            let what = match d.target {
                Target::File { open_flags, .. } => {
                    assert_eq!(open_flags & 3, O_RDWR);
                    "file"
                }
                Target::Server {
                    local,
                    l4: L4Proto::Tcp,
                } => {
                    assert_eq!(
                        (local.ip.to_string().as_str(), local.port),
                        ("127.0.0.1", 22)
                    );
                    "server"
                }
                Target::Named {
                    kind: NamedKind::EventPoll,
                    ..
                } => "epoll",
                Target::Named {
                    kind: NamedKind::Fifo,
                    ..
                } => "pipe",
                _ => "other",
            };
            fds.push((d.fd, what));
        }
    });
    assert_eq!(tids, [(42, 0), (43, CL_CLONE_THREAD | CL_CLONE_FILES)]);
    fds.sort_unstable();
    assert_eq!(fds, [(0, "file"), (3, "server"), (5, "epoll"), (6, "pipe")]);
    assert_eq!((summary.threads, summary.descriptors), (2, 4));
    assert!(!Host::new(dir.path()).scan_thread(2, &mut |_| ()));
}

#[test]
fn machine_and_users() {
    let dir = fake();
    let host = Host::new(dir.path());
    let machine = host.machine();
    assert_eq!((machine.cpus, machine.memory), (2, 2048 * 1024));
    assert_eq!(
        (machine.hostname.as_slice(), machine.boot_time),
        (&b"box"[..], 1_700_000_000_000_000_000)
    );
    let users = host.users();
    assert_eq!(
        (users.users.len(), users.users[0].home.as_slice()),
        (1, &b"/root"[..])
    );
    assert_eq!(
        (users.groups[0].gid, users.groups[0].name.as_slice()),
        (10, &b"wheel"[..])
    );
}

#[test]
fn this_process_is_found_as_it_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pid = i64::from(std::process::id());
    let (mut seen, mut listening) = (false, false);
    let summary = Host::new("/").scan(&mut |what| match what {
        Seen::Process(p) if p.tid == pid => {
            seen = true;
            assert_eq!(
                p.cwd,
                std::env::current_dir()
                    .unwrap()
                    .as_os_str()
                    .as_encoded_bytes()
            );
            assert_eq!(
                p.exepath,
                std::env::current_exe()
                    .unwrap()
                    .as_os_str()
                    .as_encoded_bytes()
            );
            assert!(p.vm_rss > 0 && p.exe_ino != 0 && p.fdlimit > 0);
        }
        Seen::Descriptor(d) if d.tid == pid => {
            listening |= matches!(d.target, Target::Server { local, .. } if local.port == port);
        }
        _ => {}
    });
    println!("{summary:?}");
    assert!(seen && listening);
    assert!(Host::new("/").interfaces().iter().any(|i| i.name == b"lo"));
}

#[test]
fn fifty_thousand_descriptors_are_little_work() {
    // As many as the limit of this process allows.
    let mut files = Vec::new();
    while files.len() < 50_000 {
        match fs::File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(_) => break,
        }
    }
    let spare = files.len() / 100 + 8;
    files.truncate(files.len() - spare.min(files.len()));
    // What this thread works, not what the machine lets it wait.
    let worked = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap()
    };
    let begun = worked();
    let mut found = 0;
    let pid = i64::from(std::process::id());
    assert!(Host::new("/").scan_thread(pid, &mut |seen| {
        found += usize::from(matches!(seen, Seen::Descriptor(_)));
    }));
    let each = (worked() - begun) / u32::try_from(found.max(1)).unwrap();
    println!("{found} descriptors, {each:?} each");
    assert!(found >= files.len());
    assert!(
        each < Duration::from_micros(200),
        "{each:?} for a descriptor"
    );
}
