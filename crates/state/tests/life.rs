//! What single events do, seen through the public look-ups.

use event::snapshot::{Interface, MachineInfo, Process, User, UserList};
use event::sock::Endpoint;
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes as c};
use state::{Context, Kind, Options, State, ThreadIx};

const CWD: i64 = -100;
const THREAD: u32 = 0x2000;
const IN_PIDNS: u32 = 1 << 29;

struct World {
    state: State,
    ts: u64,
}

fn event(code: u16) -> RecordBuilder {
    // Time and thread are put in by the world.
    RecordBuilder::new(EventCode::new(code), 0, 0)
}

impl World {
    fn new() -> Self {
        let mut state = State::new(Options::default());
        state.load_machine(&MachineInfo {
            boot_time: 77,
            ..MachineInfo::default()
        });
        for (tid, ptid, comm) in [(1, 0, "init"), (100, 1, "sh")] {
            state.load_process(&Process {
                tid,
                pid: tid,
                ptid,
                vtid: tid,
                vpid: tid,
                sid: tid,
                comm: comm.as_bytes(),
                exe: comm.as_bytes(),
                exepath: b"/bin/x",
                env: b"HOME=/root\0EMPTY=\0",
                cwd: b"/home/u",
                ..Process::default()
            });
        }
        state.finish_load();
        Self {
            state,
            ts: 1_000_000_000_000,
        }
    }

    fn send(&mut self, tid: i64, builder: RecordBuilder) -> Context {
        self.ts += 1000;
        let mut bytes = builder.finish();
        bytes[..8].copy_from_slice(&self.ts.to_le_bytes());
        bytes[8..16].copy_from_slice(&tid.to_le_bytes());
        self.state
            .process(&Record::parse(&bytes, 0, RecordFlags::default()).expect("well built"))
    }

    fn ix(&self, tid: i64) -> ThreadIx {
        self.state.by_tid(tid).expect("a known thread")
    }

    /// One side of a birth; `res` is 0 for the child's.
    fn birth(&mut self, tid: i64, res: i64, pid: i64, ptid: i64, flags: u32, vtid: i64) -> Context {
        let b = event(c::SYSCALL_CLONE_20_X)
            .i64(res)
            .text("sh")
            .empty()
            .i64(tid)
            .i64(pid)
            .i64(ptid)
            .text("")
            .i64(1024)
            .u64(1)
            .u64(2)
            .u32(3)
            .u32(4)
            .u32(5)
            .text("sh")
            .bytes(b"cpu=/\0")
            .u32(flags)
            .u32(1000)
            .u32(1001)
            .i64(vtid)
            .i64(if pid == tid { vtid } else { pid })
            .u64(0);
        self.send(tid, b)
    }

    fn fork(&mut self, parent: i64, child: i64) {
        self.birth(parent, child, parent, 1, 0, parent);
        self.birth(child, 0, child, parent, 0, child);
    }

    fn exec(&mut self, tid: i64, path: &str) -> Context {
        let mut b = event(c::SYSCALL_EXECVE_19_X)
            .i64(0)
            .text("prog")
            .bytes(b"-a\0b\0")
            .i64(tid)
            .i64(tid)
            .i64(100)
            .text("")
            .i64(512)
            .u64(0)
            .u64(0)
            .u32(0)
            .u32(0)
            .u32(0)
            .text("prog")
            .bytes(b"cpu=/\0")
            .bytes(b"A=1\0")
            .u32(34816)
            .i64(tid);
        for _ in 18..27 {
            b = b.empty();
        }
        self.send(tid, b.text(path))
    }

    fn exit(&mut self, tid: i64, reaper: Option<i64>) -> Context {
        let b = event(c::PROCEXIT_1_E).i64(0).i64(0).u8(0).u8(0);
        self.send(
            tid,
            if let Some(reaper) = reaper {
                b.i64(reaper)
            } else {
                b.empty()
            },
        )
    }

    fn open(&mut self, tid: i64, fd: i64, dirfd: i64, name: &str, flags: u32) -> Context {
        let b = event(c::SYSCALL_OPENAT_2_X)
            .i64(fd)
            .i64(dirfd)
            .text(name)
            .u32(flags)
            .u32(0)
            .u32(8)
            .u64(9);
        self.send(tid, b)
    }

    /// An event that changes nothing.
    fn idle(&mut self, tid: i64) -> Context {
        self.send(tid, event(c::SYSCALL_GETUID_X).u32(0))
    }

    fn name(&self, tid: i64, fd: i64) -> Option<String> {
        let name = self.state.descriptor(self.ix(tid), fd)?.name();
        Some(String::from_utf8(name.to_vec()).expect("our own names"))
    }
}

#[test]
fn a_fork_shares_and_then_parts() {
    let mut w = World::new();
    w.open(100, 3, CWD, "a", 1);
    w.fork(100, 200);
    let child = w.state.thread(w.ix(200)).clone();
    assert_eq!(
        (child.pid, child.ptid, child.uid, child.sid),
        (200, 100, 1000, 100)
    );
    assert_eq!(child.image.exepath(), b"/bin/x");
    assert_eq!(child.pidns_init_start_ts, 77);
    assert_eq!(child.env_value(b"HOME"), Some(&b"/root"[..]));
    assert_eq!(child.env_value(b"EMPTY"), None);
    assert_eq!(
        child.image.generation(),
        w.state.thread(w.ix(100)).image.generation(),
        "the image is shared"
    );
    assert_eq!(w.name(200, 3).as_deref(), Some("/home/u/a"));
    w.open(200, 3, CWD, "/b", 1);
    assert_eq!(w.name(200, 3).as_deref(), Some("/b"));
    assert_eq!(w.name(100, 3).as_deref(), Some("/home/u/a"));
}

#[test]
fn either_side_of_a_fork_makes_the_child() {
    let mut w = World::new();
    w.birth(200, 0, 200, 100, 0, 200);
    let born = w.state.thread(w.ix(200)).clone_ts;
    w.birth(100, 200, 100, 1, 0, 100);
    assert_eq!(w.state.thread(w.ix(200)).clone_ts, born);
    assert_eq!(w.state.thread_count(), 3);
    // In another namespace the caller's number means nothing here.
    w.birth(100, 7, 100, 1, IN_PIDNS, 100);
    assert!(w.state.by_tid(7).is_none());
    w.birth(300, 0, 300, 100, IN_PIDNS, 7);
    assert!(w.state.thread(w.ix(300)).is_in_pidns());
    // A child that came and went before its parent's event.
    w.birth(400, 0, 400, 100, 0, 400);
    w.exit(400, None);
    w.idle(100);
    w.birth(100, 400, 100, 1, 0, 100);
    assert!(w.state.by_tid(400).is_none());
}

#[test]
fn threads_share_their_leaders_things() {
    let mut w = World::new();
    w.birth(100, 101, 100, 1, THREAD, 100);
    assert_eq!(w.state.thread(w.ix(101)).pid, 100);
    assert_eq!(w.state.thread_group_size(w.ix(100)), 2);
    assert_eq!(w.state.other_thread_count(w.ix(101)), 1);
    w.open(101, 5, CWD, "t", 1);
    assert_eq!(w.name(100, 5).as_deref(), Some("/home/u/t"));
    w.send(101, event(c::SYSCALL_CHDIR_X).i64(0).text("sub"));
    assert_eq!(w.state.cwd(w.ix(100)), b"/home/u/sub/");
    // The leader exits first: it stays for the thread's sake.
    w.exit(100, None);
    w.idle(101);
    assert_eq!(w.name(101, 5).as_deref(), Some("/home/u/t"));
    assert!(w.state.thread(w.ix(100)).is_dead());
    w.exit(101, None);
    w.idle(1);
    assert!(w.state.by_tid(100).is_none() && w.state.by_tid(101).is_none());
}

#[test]
fn an_exec_replaces_the_program() {
    let mut w = World::new();
    w.fork(100, 200);
    w.birth(200, 201, 200, 100, THREAD, 200);
    w.open(200, 3, CWD, "kept", 1);
    w.open(200, 4, CWD, "closed", 1 | 4096);
    let before = w.state.thread(w.ix(200)).image.generation();
    let context = w.exec(200, "/usr/bin/prog (deleted)");
    let thread = w.state.thread(context.thread.unwrap());
    assert_ne!(thread.image.generation(), before);
    assert_eq!(thread.image.cmdline(), b"prog -a b");
    assert_eq!(thread.image.exepath(), b"/usr/bin/prog");
    assert_eq!((thread.tty, thread.ptid), (34816, 100));
    assert_eq!(thread.env().collect::<Vec<_>>(), [b"A=1"]);
    assert!(w.state.by_tid(201).is_none(), "other threads are gone");
    assert!(w.name(200, 3).is_some() && w.name(200, 4).is_none());
}

#[test]
fn orphans_find_a_new_parent() {
    let mut w = World::new();
    w.fork(100, 200);
    w.fork(200, 300);
    let context = w.exit(200, Some(1));
    assert_eq!(context.thread, Some(w.ix(200)), "rules still see who exits");
    w.idle(300);
    assert_eq!(w.state.thread(w.ix(300)).ptid, 1);
    assert!(w.state.children(w.ix(1)).any(|child| child == w.ix(300)));
    // Without the kernel's word the nearest reaper is searched; init is one.
    w.fork(300, 400);
    w.exit(300, None);
    w.idle(400);
    assert_eq!(w.state.thread(w.ix(400)).ptid, 1);
}

#[test]
fn orphans_stay_in_the_tree_that_they_were_born_into() {
    let mut w = World::new();
    w.fork(100, 200);
    w.fork(200, 300);
    let tree = w.state.tree(w.ix(100));
    w.exit(200, Some(1));
    w.idle(300);
    assert_eq!(w.state.thread(w.ix(300)).ptid, 1);
    assert_eq!(w.state.tree(w.ix(300)), tree);
    w.fork(300, 400);
    assert_eq!(w.state.tree(w.ix(400)), tree);
    // What the first process starts begins a tree.
    w.fork(1, 500);
    assert_ne!(w.state.tree(w.ix(500)), tree);
    assert_ne!(w.state.tree(w.ix(500)), w.state.tree(w.ix(1)));
}

#[test]
fn rules_see_a_descriptor_while_it_is_closed() {
    let mut w = World::new();
    w.open(100, 3, CWD, "/etc/passwd", 1);
    let context = w.send(100, event(c::SYSCALL_CLOSE_X).i64(0).i64(3));
    assert_eq!(
        w.state.event_descriptor(&context).unwrap().name(),
        b"/etc/passwd"
    );
    w.idle(100);
    assert_eq!(w.name(100, 3), None);
    // A failed open gives no descriptor.
    let context = w.open(100, -2, CWD, "/none", 1);
    assert_eq!(context.fd, Some(-1));
    assert!(w.state.event_descriptor(&context).is_none());
}

#[test]
fn what_was_asked_for_at_the_entry_counts() {
    let mut w = World::new();
    w.open(100, 3, CWD, "/dir", 1 | 1024);
    let enter = event(c::SYSCALL_OPENAT_2_E)
        .i64(3)
        .text("secret")
        .u32(1)
        .u32(0);
    assert!(!w.send(100, enter.clone()).visible);
    let context = w.open(100, 4, CWD, "harmless", 1 | 16384);
    let d = w.state.event_descriptor(&context).unwrap();
    assert_eq!(
        (d.name(), d.name_raw()),
        (&b"/dir/secret"[..], &b"secret"[..])
    );
    assert_eq!(d.open_flags, 1 | 16384);
    // Another event of the thread in between parts them.
    w.send(100, enter);
    w.idle(100);
    w.open(100, 4, CWD, "harmless", 1);
    assert_eq!(w.name(100, 4).as_deref(), Some("/home/u/harmless"));
    assert_eq!(w.open(100, 5, 99, "x", 1).number, 7);
    assert_eq!(w.name(100, 5).as_deref(), Some("<UNKNOWN>x"));
}

#[test]
fn copies_and_the_close_on_exec_mark() {
    let mut w = World::new();
    w.open(100, 3, CWD, "f", 1 | 4096);
    let context = w.send(100, event(c::SYSCALL_DUP2_X).i64(1).i64(3).i64(1));
    assert_eq!(context.fd, Some(1));
    assert!(!w.state.descriptor(w.ix(100), 1).unwrap().closes_on_exec());
    w.send(100, event(c::SYSCALL_FCNTL_X).i64(9).i64(3).u8(26).u64(0));
    assert!(w.state.descriptor(w.ix(100), 9).unwrap().closes_on_exec());
    w.send(100, event(c::SYSCALL_FCNTL_X).i64(0).i64(3).u8(3).u64(0));
    assert!(!w.state.descriptor(w.ix(100), 3).unwrap().closes_on_exec());
    w.send(
        100,
        event(c::SYSCALL_CLOSE_RANGE_X).i64(0).u32(2).u32(8).u32(0),
    );
    assert!(w.name(100, 3).is_none() && w.name(100, 9).is_some());
}

fn tuple(source: ([u8; 4], u16), dest: ([u8; 4], u16)) -> Vec<u8> {
    let mut out = vec![2];
    for (ip, port) in [source, dest] {
        out.extend(ip);
        out.extend(port.to_le_bytes());
    }
    out
}

#[test]
fn a_connection_and_its_roles() {
    let mut w = World::new();
    let address = |s: &str| s.parse().unwrap();
    w.state.load_interfaces(&[Interface {
        name: b"eth0".to_vec(),
        address: address("10.0.0.1"),
        netmask: address("255.0.0.0"),
        broadcast: address("10.255.255.255"),
        link_speed: None,
    }]);
    let socket = |fd, ty| {
        event(c::SOCKET_SOCKET_X)
            .i64(fd)
            .u32(2)
            .u32(ty)
            .u32(0)
            .u32(0)
    };
    let context = w.send(100, socket(3, 1));
    assert_eq!(w.state.event_descriptor(&context).unwrap().kind, Kind::Ipv4);
    let (here, there) = (([10, 0, 0, 1], 4000), ([10, 0, 0, 9], 80));
    let connect = event(c::SOCKET_CONNECT_X)
        .i64(-115)
        .bytes(&tuple(here, there))
        .i64(3)
        .empty();
    let context = w.send(100, connect);
    let d = w.state.event_descriptor(&context).unwrap();
    assert_eq!(d.name(), b"10.0.0.1:4000->10.0.0.9:80");
    assert!(d.is_role_client() && context.name_changed);

    let accept = event(c::SOCKET_ACCEPT4_6_X)
        .i64(8)
        .bytes(&tuple(there, here))
        .u8(0)
        .u32(0);
    let context = w.send(100, accept.u32(0).u32(0));
    assert!(w.state.event_descriptor(&context).unwrap().is_role_server());

    // UDP: who writes first is the client; "any" becomes the machine's own address.
    w.send(100, socket(4, 2));
    let send = event(c::SOCKET_SENDTO_X).i64(1).bytes(b"x").i64(4).u32(1);
    let context = w.send(
        100,
        send.bytes(&tuple(([0; 4], 5000), ([10, 0, 0, 53], 53))),
    );
    let d = w.state.event_descriptor(&context).unwrap();
    assert_eq!(d.name(), b"10.0.0.1:5000->10.0.0.53:53");
    assert!(d.is_role_client() && context.name_changed);
    let receive = event(c::SOCKET_RECVFROM_X).i64(1).bytes(b"y");
    let context = w.send(
        100,
        receive
            .bytes(&tuple(([10, 0, 0, 53], 53), ([10, 0, 0, 1], 5000)))
            .i64(4)
            .u32(9),
    );
    assert_eq!(
        w.state.event_descriptor(&context).unwrap().name(),
        b"10.0.0.1:5000->10.0.0.53:53"
    );
    assert!(!context.name_changed);

    // Bound: the port is a server's.
    w.send(100, socket(5, 2));
    let bind = event(c::SOCKET_BIND_X)
        .i64(0)
        .bytes(&[2, 0, 0, 0, 0, 53, 0])
        .i64(5);
    let context = w.send(100, bind);
    let d = w.state.event_descriptor(&context).unwrap();
    assert_eq!((d.kind, d.name()), (Kind::Ipv4Server, &b"0.0.0.0:53"[..]));
    assert_eq!(
        d.local(),
        Some(Endpoint {
            ip: address("0.0.0.0"),
            port: 53
        })
    );
}

#[test]
fn a_connect_goes_where_it_was_asked_to() {
    let mut w = World::new();
    w.send(
        100,
        event(c::SOCKET_SOCKET_X).i64(3).u32(2).u32(1).u32(0).u32(0),
    );
    let asked = [2, 6, 6, 6, 6, 0x39, 0x05];
    let enter = event(c::SOCKET_CONNECT_E).i64(3).bytes(&asked);
    assert!(!w.send(100, enter).visible);
    let harmless = ([1, 1, 1, 1], 80);
    let exit = event(c::SOCKET_CONNECT_X)
        .i64(0)
        .bytes(&tuple(([10, 0, 0, 1], 4000), harmless))
        .i64(3)
        .bytes(&[2, 1, 1, 1, 1, 80, 0]);
    w.send(100, exit);
    assert_eq!(
        w.name(100, 3).as_deref(),
        Some("10.0.0.1:4000->6.6.6.6:1337")
    );
}

#[test]
fn credentials() {
    let mut w = World::new();
    let before = w.state.thread(w.ix(100)).generation;
    w.send(100, event(c::SYSCALL_SETUID_X).i64(0).u32(33));
    w.send(
        100,
        event(c::SYSCALL_SETRESGID_X).i64(0).u32(1).u32(44).u32(2),
    );
    w.send(100, event(c::SYSCALL_SETUID_X).i64(-1).u32(0));
    w.send(100, event(c::SYSCALL_SETSID_X).i64(100));
    w.send(100, event(c::SYSCALL_CAPSET_X).i64(0).u64(1).u64(2).u64(3));
    w.send(
        100,
        event(c::SYSCALL_SETRLIMIT_X)
            .i64(0)
            .i64(4096)
            .i64(4096)
            .u8(7),
    );
    let thread = w.state.thread(w.ix(100));
    assert_eq!((thread.uid, thread.gid, thread.sid), (33, 44, 100));
    assert_eq!((thread.caps.inheritable, thread.caps.effective), (1, 3));
    assert_eq!(thread.fdlimit, 4096);
    assert!(thread.generation > before);
}

#[test]
fn names_of_users_and_containers() {
    let mut w = World::new();
    assert!(w.state.user(b"", 0).is_none(), "no list, no names");
    let users = vec![User {
        uid: 5,
        name: b"five".to_vec(),
        ..User::default()
    }];
    w.state.load_users(&UserList {
        users,
        groups: Vec::new(),
    });
    assert_eq!(w.state.user(b"", 0).unwrap().name, b"root");
    assert_eq!(w.state.user(b"", 5).unwrap().name, b"five");
    let added = event(c::USER_ADDED_E)
        .u32(5)
        .u32(6)
        .text("inner")
        .text("/h")
        .text("/s")
        .text("c1");
    w.send(-1, added);
    assert_eq!(w.state.user(b"c1", 5).unwrap().name, b"inner");

    let json = br#"{"container":{"id":"c1","name":"web","type":11}}"#;
    let b = event(c::ASYNCEVENT_E)
        .u32(0)
        .text("container")
        .bytes(&[json, &b"\0"[..]].concat());
    let context = w.send(-1, b);
    assert_eq!(context.container.unwrap().name, b"web");
    assert_eq!(w.state.container(b"c1").unwrap().kind_name(), "podman");
    assert_eq!(w.state.container(b"").unwrap().kind_name(), "host");
    let b = event(c::ASYNCEVENT_E)
        .u32(0)
        .text("container_removed")
        .bytes(json);
    assert_eq!(w.send(-1, b).container.unwrap().name, b"web");
    assert!(w.state.container(b"c1").is_none() && w.state.user(b"c1", 5).is_none());
    w.send(-1, event(c::CONTAINER_JSON_2_E).bytes(b"{\0"));
    assert_eq!(w.state.counters().containers_malformed, 1);
    assert_eq!(w.state.counters().containers_without_image, 1);
}

#[test]
fn an_unknown_thread_gets_a_stand_in_and_heals() {
    let mut w = World::new();
    let context = w.idle(555);
    let thread = w.state.thread(context.thread.unwrap());
    assert!(thread.is_invalid());
    assert_eq!((thread.comm(), thread.pid), (&b"<NA>"[..], -1));
    assert_eq!(w.state.counters().threads_unknown, 1);
    w.idle(555);
    assert_eq!(w.state.counters().threads_unknown, 1);
    w.exec(555, "/bin/prog");
    let thread = w.state.thread(w.ix(555));
    assert!(!thread.is_invalid());
    assert_eq!((thread.pid, thread.ptid, thread.vtid), (555, 100, 555));
}

#[test]
fn a_full_table_drops_and_counts() {
    let options = Options {
        max_threads: 10,
        max_descriptors: 4,
        ..Options::default()
    };
    let mut w = World::new();
    w.state = State::new(options);
    for tid in 1..100 {
        w.idle(tid);
    }
    assert_eq!(w.state.thread_count(), 10);
    assert_eq!(w.state.counters().threads_dropped, 89);
    for fd in 0..10 {
        w.open(1, fd, CWD, "/f", 1);
    }
    assert_eq!(
        w.state.descriptor_count(w.ix(1)),
        0,
        "a stand-in has no leader"
    );
    assert_eq!(w.state.descriptors(w.ix(1)).unwrap().len(), 4);
    assert_eq!(w.state.counters().descriptors_dropped, 6);
}
