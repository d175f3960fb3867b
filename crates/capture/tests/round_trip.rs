//! Whatever is written is read back the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use capture::{Compression, Error, Item, Reader, Writer};
use event::snapshot::{
    Descriptor, Group, Interface, L4Proto, MachineInfo, NamedKind, Process, Target, User, UserList,
};
use event::sock::Endpoint;
use event::{EventCode, EventFlags, Record, RecordBuilder, RecordFlags, table::events::EVENTS};
use proptest::collection::vec;
use proptest::prelude::*;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=most)
}

/// Texts that each end in NUL.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..4096).prop_map(|mut text| {
        if let Some(last) = text.last_mut() {
            *last = 0;
        }
        text
    })
}

fn ip() -> impl Strategy<Value = (IpAddr, IpAddr, IpAddr)> {
    prop_oneof![
        any::<[[u8; 4]; 3]>().prop_map(|a| a.map(|a| IpAddr::V4(Ipv4Addr::from(a))).into()),
        any::<[[u8; 16]; 3]>().prop_map(|a| a.map(|a| IpAddr::V6(Ipv6Addr::from(a))).into()),
    ]
}

fn machine() -> impl Strategy<Value = MachineInfo> {
    let host = vec(1u8.., 0..128);
    (any::<(u32, u64, u64, u64, u64)>(), host).prop_map(|(n, hostname)| MachineInfo {
        cpus: n.0,
        memory: n.1,
        max_pid: n.2,
        hostname,
        boot_time: n.3,
        flags: n.4,
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    (bytes(20), ip(), any::<Option<u64>>()).prop_map(|(name, ips, link_speed)| {
        let (address, netmask, broadcast) = ips;
        Interface {
            name,
            address,
            netmask,
            broadcast,
            link_speed,
        }
    })
}

fn users() -> impl Strategy<Value = UserList> {
    let user = (any::<(u32, u32)>(), bytes(255), bytes(255), bytes(255)).prop_map(
        |((uid, gid), name, home, shell)| User {
            uid,
            gid,
            name,
            home,
            shell,
        },
    );
    let group = (any::<u32>(), bytes(255)).prop_map(|(gid, name)| Group { gid, name });
    (vec(user, 0..4), vec(group, 0..4)).prop_map(|(users, groups)| UserList { users, groups })
}

/// A process with its texts, which it borrows when it is asked for.
#[derive(Clone, Debug)]
struct OwnedProcess {
    numbers: [u64; 24],
    switches: [bool; 4],
    paths: [Vec<u8>; 5],
    blobs: [Vec<u8>; 3],
}

impl OwnedProcess {
    fn process(&self) -> Process<'_> {
        let n = &self.numbers;
        let [comm, exe, exepath, cwd, root] = self.paths.each_ref().map(Vec::as_slice);
        let [args, env, cgroups] = self.blobs.each_ref().map(Vec::as_slice);
        let [
            exe_writable,
            exe_upper_layer,
            exe_lower_layer,
            exe_from_memfd,
        ] = self.switches;
        Process {
            tid: n[0] as i64,
            pid: n[1] as i64,
            ptid: n[2] as i64,
            sid: n[3] as i64,
            vpgid: n[4] as i64,
            pgid: n[5] as i64,
            vtid: n[6] as i64,
            vpid: n[7] as i64,
            comm,
            exe,
            exepath,
            args,
            env,
            cwd,
            root,
            cgroups,
            fdlimit: n[8] as i64,
            flags: n[9] as u32,
            uid: n[10] as u32,
            gid: n[11] as u32,
            loginuid: n[12] as u32,
            vm_size: n[13] as u32,
            vm_rss: n[14] as u32,
            vm_swap: n[15] as u32,
            pf_major: n[16],
            pf_minor: n[17],
            tty: n[18] as u32,
            pidns_start: n[19],
            started: 0,
            cap_inheritable: n[20],
            cap_permitted: n[21],
            cap_effective: n[22],
            exe_writable,
            exe_upper_layer,
            exe_lower_layer,
            exe_from_memfd,
            exe_ino: n[23],
            exe_ino_ctime: n[0] ^ n[1],
            exe_ino_mtime: n[2] ^ n[3],
        }
    }
}

fn process() -> impl Strategy<Value = OwnedProcess> {
    let paths = [bytes(1024), bytes(200), bytes(200), bytes(200), bytes(200)];
    let blobs = (blob(), blob(), blob()).prop_map(|(a, b, c)| [a, b, c]);
    (any::<[u64; 24]>(), any::<[bool; 4]>(), paths, blobs).prop_map(
        |(numbers, switches, paths, blobs)| OwnedProcess {
            numbers,
            switches,
            paths,
            blobs,
        },
    )
}

const NAMED: [NamedKind; 14] = [
    NamedKind::Directory,
    NamedKind::Fifo,
    NamedKind::EventFd,
    NamedKind::Unsupported,
    NamedKind::SignalFd,
    NamedKind::EventPoll,
    NamedKind::Inotify,
    NamedKind::TimerFd,
    NamedKind::Netlink,
    NamedKind::Bpf,
    NamedKind::UserFaultFd,
    NamedKind::IoUring,
    NamedKind::MemFd,
    NamedKind::PidFd,
];

/// Numbers and a name from which any descriptor can be made.
type Seed = (
    u8,
    i64,
    i64,
    u64,
    u64,
    u64,
    Vec<u8>,
    (IpAddr, IpAddr, IpAddr),
);

fn seed() -> impl Strategy<Value = Seed> {
    (
        any::<u8>(),
        0..3i64,
        any::<i64>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        bytes(1023),
        ip(),
    )
}

fn descriptor((kind, tid, fd, ino, a, b, name, ips): &Seed) -> Descriptor<'_> {
    let l4 = L4Proto::from_code(*a as u8 % 6);
    let source = Endpoint {
        ip: ips.0,
        port: *a as u16,
    };
    let dest = Endpoint {
        ip: ips.1,
        port: *b as u16,
    };
    let target = match kind % 7 {
        0 => Target::Unknown,
        1 => Target::OldFile { name },
        2 => Target::File {
            name,
            open_flags: *a as u32,
            dev: *b as u32,
        },
        3 => Target::Connection { source, dest, l4 },
        4 => Target::Server { local: source, l4 },
        5 => Target::Unix {
            source: *a,
            dest: *b,
            name,
        },
        _ => Target::Named {
            kind: NAMED[usize::from(*kind) % NAMED.len()],
            name,
        },
    };
    Descriptor {
        tid: *tid,
        fd: *fd,
        ino: *ino,
        target,
    }
}

fn event() -> impl Strategy<Value = (Vec<u8>, u16, bool)> {
    let params = vec(bytes(300), 0..8);
    let head = (0..EVENTS.len() as u16, any::<u64>(), any::<i64>());
    (head, params, any::<u16>(), any::<bool>(), 0..40u8).prop_map(
        |((code, ts, tid), mut params, cpu, state_only, long)| {
            let info = &EVENTS[usize::from(code)];
            params.truncate(info.params.len());
            // Now and then longer than an ordinary block.
            if long == 0 && info.flags.contains(EventFlags::LARGE_PAYLOAD) {
                params.iter_mut().for_each(|p| p.resize(100_000, 7));
            } else if long == 1 {
                params.iter_mut().for_each(|p| p.resize(30_000, 7));
            }
            let mut event = RecordBuilder::new(EventCode::new(code), ts, tid);
            params.iter().for_each(|p| event.push(p));
            (event.finish(), cpu, state_only)
        },
    )
}

fn record((bytes, cpu, state_only): &(Vec<u8>, u16, bool)) -> Record<'_> {
    let flags = if *state_only {
        RecordFlags::STATE_ONLY
    } else {
        RecordFlags::empty()
    };
    Record::parse(bytes, *cpu, flags).expect("a built event")
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        Just(Compression::Gzip),
        Just(Compression::Zstd)
    ]
}

/// Gives out few bytes at a time, as a pipe may.
struct Trickle<'a>(&'a [u8], usize);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = out.len().min(self.1).min(self.0.len());
        let (front, back) = self.0.split_at(count);
        out[..count].copy_from_slice(front);
        self.0 = back;
        Ok(count)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_back(
        machine in machine(),
        mut interfaces in vec(interface(), 0..6),
        users in users(),
        processes in vec(process(), 0..5),
        seeds in vec(seed(), 0..12),
        events in vec(event(), 0..12),
        compression in compression(),
        flush in any::<bool>(),
        step in 1usize..5000,
    ) {
        let mut writer = Writer::new(Vec::new(), compression)?;
        writer.machine(&machine)?;
        writer.interfaces(&interfaces)?;
        writer.users(&users)?;
        for p in &processes {
            writer.process(&p.process())?;
        }
        for seed in &seeds {
            writer.descriptor(&descriptor(seed))?;
        }
        if flush {
            writer.flush()?;
        }
        for e in &events {
            writer.event(&record(e))?;
        }
        let file = writer.finish()?;

        let mut reader = Reader::raw(Trickle(&file, step)).expect("an own capture");
        prop_assert_eq!(reader.compression(), compression);
        interfaces.sort_by_key(|i| !i.address.is_ipv4());
        let (mut processes, mut seeds) = (processes.iter(), seeds.iter());
        let mut events_left = events.iter();
        let (mut machines, mut loaded) = (0, false);
        let end = loop {
            let item = match reader.next() {
                Ok(Some(item)) => item,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            match item {
                Item::Machine(found) => {
                    prop_assert_eq!(&*found, &machine);
                    machines += 1;
                }
                Item::Process(found) => {
                    prop_assert_eq!(Some(*found), processes.next().map(OwnedProcess::process));
                }
                Item::Descriptor(found) => {
                    prop_assert_eq!(Some(*found), seeds.next().map(descriptor));
                }
                Item::Interfaces(found) => prop_assert_eq!(&found, &interfaces),
                Item::Users(found) => prop_assert_eq!(&found, &users),
                Item::Loaded => loaded = true,
                Item::Event(found) => {
                    let wanted = events_left.next().map(record).expect("no more than written");
                    prop_assert_eq!(found.bytes(), wanted.bytes());
                    prop_assert_eq!((found.cpu, found.flags), (wanted.cpu, wanted.flags));
                    for i in 0..wanted.len() {
                        prop_assert_eq!(found.param(i), wanted.param(i));
                    }
                }
                other => prop_assert!(false, "{:?}", other),
            }
        };
        prop_assert!(loaded && machines == 1);
        prop_assert!(processes.next().is_none() && seeds.next().is_none());
        prop_assert!(events_left.next().is_none());
        match end {
            None => prop_assert!(!events.is_empty()),
            Some(error) => {
                prop_assert!(matches!(error, Error::NoEvents { .. }), "{}", error);
                prop_assert!(events.is_empty());
            }
        }
    }
}

#[test]
fn texts_too_long_are_cut() {
    let long = vec![b'x'; 70_000];
    let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
    let process = Process {
        comm: &long,
        args: &long,
        cgroups: &long,
        ..Process::default()
    };
    writer.process(&process).unwrap();
    let target = Target::OldFile { name: &long };
    writer
        .descriptor(&Descriptor {
            tid: 1,
            fd: 1,
            ino: 1,
            target,
        })
        .unwrap();
    let user = User {
        name: long.clone(),
        ..User::default()
    };
    writer
        .users(&UserList {
            users: vec![user],
            groups: Vec::new(),
        })
        .unwrap();
    let mut args = vec![b'x'; 4096];
    args[4095] = 0;
    let file = writer.finish().unwrap();
    let mut reader = Reader::raw(file.as_slice()).unwrap();
    match reader.next().unwrap().unwrap() {
        Item::Process(p) => {
            assert_eq!((p.comm, p.args), (&long[..1024], &args[..]));
        }
        other => panic!("{other:?}"),
    }
    match reader.next().unwrap().unwrap() {
        Item::Descriptor(d) => assert_eq!(
            d.target,
            Target::OldFile {
                name: &long[..1023]
            }
        ),
        other => panic!("{other:?}"),
    }
    match reader.next().unwrap().unwrap() {
        Item::Users(list) => assert_eq!(list.users[0].name, &long[..255]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flushed_file_can_be_read_while_it_grows() {
    let close = RecordBuilder::new(EventCode::new(event::codes::SYSCALL_CLOSE_X), 1, 1);
    let close = close.i64(0).i64(3).finish();
    let record = Record::parse(&close, 0, RecordFlags::default()).unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, compression).unwrap();
        writer.event(&record).unwrap();
        writer.flush().unwrap();
        // As after a crash: nothing is completed.
        std::mem::forget(writer);
        let mut reader = Reader::new(file.as_slice()).unwrap();
        assert!(
            matches!(reader.next(), Ok(Some(Item::Loaded))),
            "{compression}"
        );
        assert!(
            matches!(reader.next(), Ok(Some(Item::Event(_)))),
            "{compression}"
        );
        assert!(matches!(reader.next(), Ok(None)), "{compression}");
    }
}
