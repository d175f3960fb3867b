//! Blocks of the initial state: every type and version, in both byte orders.

mod made;

use capture::Item;
use event::codes;
use event::snapshot::{L4Proto, NamedKind, Process, Target};
use made::{Body, Made, converted, raw};

/// A process list entry of a version, with every field different.
fn process(body: Body, version: u8, tail: usize) -> Body {
    let start = body.fresh();
    let mut e = start.i64(101).i64(100).i64(1);
    if version >= 6 {
        e = e.i64(55);
    }
    if version >= 8 {
        e = e.i64(66);
    }
    e = e.text(b"comm").text(b"exe");
    if version >= 7 {
        e = e.text(b"/bin/exe");
    }
    e = e
        .text(b"one\0two\0")
        .text(b"/tmp")
        .i64(1024)
        .u32(7)
        .u32(1000)
        .u32(1001);
    if version >= 2 {
        e = e.u32(11).u32(12).u32(13).u64(14).u64(15);
    }
    if version >= 3 {
        // Without its last NUL, which the reader adds.
        e = e.text(b"A=1\0B=2");
    }
    if version >= 4 {
        e = e.i64(5).i64(4).text(b"cpu=/\0");
    }
    if version >= 5 {
        e = e.text(b"/root");
    }
    if version < 9 {
        return body.raw(&e.bytes);
    }
    let mut rest = body.fresh();
    if tail > 29 {
        rest = rest.u64(16).u32(17);
    }
    let known = rest
        .u32(18)
        .u8(1)
        .u64(19)
        .u64(20)
        .u64(21)
        .u8(1)
        .u64(22)
        .u64(23)
        .u64(24)
        .u8(1)
        .u8(1)
        .i64(25)
        .raw(&[9; 40]);
    body.sized(&e.raw(&known.bytes[..tail]), true)
}

fn expected(version: u8, tail: usize) -> Process<'static> {
    let mut p = Process {
        tid: 101,
        pid: 100,
        ptid: 1,
        comm: b"comm",
        exe: b"exe",
        args: b"one\0two\0",
        cwd: b"/tmp",
        fdlimit: 1024,
        flags: 7,
        uid: 1000,
        gid: 1001,
        ..Process::default()
    };
    if version >= 2 {
        (p.vm_size, p.vm_rss, p.vm_swap, p.pf_major, p.pf_minor) = (11, 12, 13, 14, 15);
    }
    if version >= 3 {
        p.env = b"A=1\0B=2\0";
    }
    if version >= 4 {
        (p.vtid, p.vpid, p.cgroups) = (5, 4, b"cpu=/\0");
    }
    if version >= 5 {
        p.root = b"/root";
    }
    if version >= 6 {
        p.sid = 55;
    }
    if version >= 7 {
        p.exepath = b"/bin/exe";
    }
    if version >= 8 {
        p.vpgid = 66;
    }
    if version >= 9 {
        let offset = if tail > 29 {
            (p.pidns_start, p.tty) = (16, 17);
            12
        } else {
            0
        };
        let has = |end: usize| tail >= end + offset;
        if has(4) {
            p.loginuid = 18;
        }
        p.exe_writable = has(5);
        if has(13) {
            p.cap_inheritable = 19;
        }
        if has(21) {
            p.cap_permitted = 20;
        }
        if has(29) {
            p.cap_effective = 21;
        }
        p.exe_upper_layer = has(30);
        if has(38) {
            p.exe_ino = 22;
        }
        if has(46) {
            p.exe_ino_ctime = 23;
        }
        if has(54) {
            p.exe_ino_mtime = 24;
        }
        p.exe_from_memfd = has(55);
        p.exe_lower_layer = has(56);
        if has(64) {
            p.pgid = 25;
        }
    }
    p
}

const CLOSE: &[&[u8]] = &[&[0; 8], &[3, 0, 0, 0, 0, 0, 0, 0]];

#[test]
fn process_lists_of_all_versions() {
    let versions = [
        (1, vec![0x202, 0x8000_ABCD]),
        (2, vec![0x207, 0x8013_ABCD]),
        (3, vec![0x209, 0x8014_ABCD]),
        (4, vec![0x210]),
        (5, vec![0x211]),
        (6, vec![0x212]),
        (7, vec![0x213]),
        (8, vec![0x214]),
        (9, vec![0x215]),
    ];
    for big in [false, true] {
        for (version, codes) in &versions {
            let tails = match version {
                9 => &[0, 4, 5, 29, 66, 67, 68, 76, 90][..],
                _ => &[0],
            };
            for (code, &tail) in codes.iter().flat_map(|c| tails.iter().map(move |t| (c, t))) {
                let made = Made::new(big);
                let body = process(made.body(), *version, tail);
                let body = process(body, *version, tail);
                let file = made
                    .block(*code, &body)
                    .event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
                let wanted = format!("{:?}", Item::Process(Box::new(expected(*version, tail))));
                let (found, error) = raw(&file.bytes);
                assert_eq!(
                    found[..2],
                    [wanted.clone(), wanted],
                    "version {version}, tail {tail}"
                );
                assert!(error.is_none(), "{error:?}");
                assert_eq!(found.len(), 4);
            }
        }
    }
}

#[test]
fn descriptors_of_all_kinds() {
    for (big, sized) in [(false, false), (false, true), (true, false), (true, true)] {
        let made = Made::new(big);
        let mut body = made.body().i64(77);
        let mut wanted = Vec::new();
        let mut add = |kind: u8, payload: Body, target: Target<'static>| {
            let fd = wanted.len() as i64;
            let entry = made.body().i64(fd).u64(1234).u8(kind).raw(&payload.bytes);
            let old = std::mem::take(&mut body.bytes);
            let next = made.body().raw(&old);
            body = if sized {
                next.sized(&entry, true)
            } else {
                next.raw(&entry.bytes)
            };
            let descriptor = event::snapshot::Descriptor {
                tid: 77,
                fd,
                ino: 1234,
                target,
            };
            wanted.push(format!("{:?}", Item::Descriptor(Box::new(descriptor))));
        };
        let new = || made.body();
        add(0, new(), Target::Unknown);
        add(1, new().text(b"/old"), Target::OldFile { name: b"/old" });
        let endpoint = |ip: &str, port| event::sock::Endpoint {
            ip: ip.parse().unwrap(),
            port,
        };
        let v4 = new()
            .raw(&[10, 0, 0, 1, 10, 0, 0, 2])
            .u16(4000)
            .u16(80)
            .u8(2);
        let (source, dest) = (endpoint("10.0.0.1", 4000), endpoint("10.0.0.2", 80));
        add(
            3,
            v4,
            Target::Connection {
                source,
                dest,
                l4: L4Proto::Tcp,
            },
        );
        let mut ips = [0; 32];
        (ips[15], ips[31]) = (1, 2);
        let (source, dest) = (endpoint("::1", 4001), endpoint("::2", 81));
        let v6 = new().raw(&ips).u16(4001).u16(81).u8(3);
        add(
            4,
            v6,
            Target::Connection {
                source,
                dest,
                l4: L4Proto::Udp,
            },
        );
        let local = endpoint("127.0.0.1", 8080);
        let server = new().raw(&[127, 0, 0, 1]).u16(8080).u8(5);
        add(
            5,
            server,
            Target::Server {
                local,
                l4: L4Proto::Raw,
            },
        );
        let local = endpoint("::1", 8081);
        add(
            6,
            new().raw(&ips[..16]).u16(8081).u8(4),
            Target::Server {
                local,
                l4: L4Proto::Icmp,
            },
        );
        let unix = new().u64(0xaaaa).u64(0xbbbb).text(b"/run/s");
        add(
            8,
            unix,
            Target::Unix {
                source: 0xaaaa,
                dest: 0xbbbb,
                name: b"/run/s",
            },
        );
        let dev = if sized { new().u32(0x801) } else { new() };
        let file = new().u32(0x1001).text(b"/etc/passwd").raw(&dev.bytes);
        let dev = if sized { 0x801 } else { 0 };
        add(
            16,
            file,
            Target::File {
                name: b"/etc/passwd",
                open_flags: 0x1001,
                dev,
            },
        );
        let named = [
            (2, NamedKind::Directory),
            (7, NamedKind::Fifo),
            (9, NamedKind::EventFd),
            (10, NamedKind::Unsupported),
            (11, NamedKind::SignalFd),
            (12, NamedKind::EventPoll),
            (13, NamedKind::Inotify),
            (14, NamedKind::TimerFd),
            (15, NamedKind::Netlink),
            (17, NamedKind::Bpf),
            (18, NamedKind::UserFaultFd),
            (19, NamedKind::IoUring),
            (20, NamedKind::MemFd),
            (21, NamedKind::PidFd),
        ];
        for (code, kind) in named {
            add(
                code,
                new().text(b"name"),
                Target::Named {
                    kind,
                    name: b"name",
                },
            );
        }
        // A kind of the future; in a list without lengths nothing after it can be read.
        let name = b"unknown-type:[99]";
        let kind = NamedKind::Unsupported;
        add(99, new().raw(&[1; 9]), Target::Named { kind, name });
        if sized {
            add(
                7,
                new().text(b"after"),
                Target::Named {
                    kind: NamedKind::Fifo,
                    name: b"after",
                },
            );
        } else {
            body = body.raw(&[0xee; 50]);
        }
        let code = if sized { 0x218 } else { 0x203 };
        let file = made
            .clone()
            .block(code, &body)
            .event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
        let (found, error) = raw(&file.bytes);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(found[..wanted.len()], wanted);
        assert_eq!(found.len(), wanted.len() + 2);
    }
}

#[test]
fn machine_interfaces_and_users() {
    for big in [false, true] {
        for sized in [false, true] {
            let made = Made::new(big);
            let mut host = [0; 128];
            host[..4].copy_from_slice(b"host");
            let machine = made.body().u32(8).u64(1 << 34).u64(4_194_304).raw(&host);
            let machine = machine.u64(99).u64(5).u64(0).u64(0);
            let entry = |kind: u16, speed: Option<u64>| {
                let len = if kind % 2 == 1 { 4 } else { 16 };
                let e = made.body().u16(kind).u16(4);
                let e = e
                    .raw(&[1; 16][..len])
                    .raw(&[255; 16][..len])
                    .raw(&[2; 16][..len]);
                match speed {
                    Some(speed) => e.u64(speed).raw(b"eth0"),
                    None => e.raw(b"eth0"),
                }
            };
            let mut interfaces = made.body();
            for (kind, speed) in [(1, Some(1000)), (2, Some(2000)), (3, None), (4, None)] {
                let e = entry(kind, speed);
                interfaces = if sized {
                    interfaces.sized(&e, false)
                } else {
                    interfaces.raw(&e.bytes)
                };
            }
            let user = made
                .body()
                .u8(0)
                .u32(1000)
                .u32(100)
                .text(b"ann")
                .text(b"/home")
                .text(b"sh");
            let group = made.body().u8(1).u32(100).text(b"users");
            let users = if sized {
                made.body().sized(&user, true).sized(&group, true)
            } else {
                made.body().raw(&user.bytes).raw(&group.bytes)
            };
            let codes = if sized {
                [0x201, 0x219, 0x220]
            } else {
                [0x8002_ABCD, 0x205, 0x206]
            };
            let file = made
                .clone()
                .block(codes[0], &machine)
                .block(codes[1], &interfaces)
                .block(0x7777, &made.body().raw(b"unknown, passed over"))
                .block(codes[2], &users)
                .event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
            let (found, error) = converted(&file.bytes);
            assert!(error.is_none(), "{error:?}");
            assert!(found[0].contains("cpus: 8, memory: 17179869184, max_pid: 4194304"));
            assert!(found[0].contains("hostname: [104, 111, 115, 116], boot_time: 99, flags: 5"));
            assert_eq!(
                found[1].matches("101, 116, 104, 48").count(),
                4,
                "{}",
                found[1]
            );
            assert_eq!(found[1].matches("address: 1.1.1.1").count(), 2);
            assert!(found[1].contains("link_speed: Some(2000)"));
            assert!(found[2].contains("uid: 1000, gid: 100, name: [97, 110, 110]"));
            assert!(found[2].contains("Group { gid: 100, name: [117, 115, 101, 114, 115] }"));
            assert_eq!(found[3], "Loaded");
            assert!(
                found[4].starts_with("PPME_SYSCALL_CLOSE_X ts 1 tid 1 cpu 3"),
                "{}",
                found[4]
            );
        }
    }
}

#[test]
fn a_later_list_replaces_an_earlier_one() {
    let made = Made::new(false);
    let user = |name| {
        made.body()
            .u8(0)
            .u32(1)
            .u32(1)
            .text(name)
            .text(b"")
            .text(b"")
    };
    let file = made
        .clone()
        .block(0x206, &user(b"first"))
        .block(0x206, &user(b"second"))
        .event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
    let (found, _) = converted(&file.bytes);
    assert_eq!(found.len(), 3);
    assert!(
        found[0].contains("[115, 101, 99, 111, 110, 100]"),
        "{}",
        found[0]
    );
}
