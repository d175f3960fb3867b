//! Nothing is allocated for an event of what programs do all day: known threads that open, read,
//! write, close, connect, with rules on. A counting allocator looks.

#![allow(clippy::unwrap_used, reason = "a test")]

use engine::{Engine, Matching};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes as c, snapshot::Process};
use fields::{Catalogue, Environment, EventView};
use rules::{Loader, Options, RuleSet};
use state::State;
use testkit::{corpus, many_rules};

const TUPLE: &[u8] = &[2, 10, 0, 0, 9, 0x39, 0x30, 10, 0, 0, 1, 0xbb, 1];
const ADDRESS: &[u8] = &[2, 10, 0, 0, 1, 0xbb, 1];

/// One round of everything, as thread `tid`, with descriptors from `fd` up.
fn round(tid: i64, fd: i64, ts: &mut u64) -> Vec<Vec<u8>> {
    let mut begin = |code| {
        *ts += 1000;
        RecordBuilder::new(EventCode::new(code), *ts, tid)
    };
    let mut all = Vec::new();
    // Absolute, relative, to be normalised; read, write, failed.
    let opens = [
        ("/usr/share/zoneinfo/Etc/UTC", 1, fd),
        ("src/../include/./config.h", 1, fd + 1),
        ("/var/log/app/service.log", 2, fd + 2),
        ("/no/such/file", 1, -2),
    ];
    for (name, flags, fd) in opens {
        let open = begin(c::SYSCALL_OPENAT_2_X).i64(fd).i64(-100).text(name);
        all.push(open.u32(flags).u32(0).u32(0x801).u64(77).finish());
    }
    for _ in 0..3 {
        let read = begin(c::SYSCALL_READ_X).i64(64).bytes(&[b'x'; 64]);
        all.push(read.i64(fd).u32(64).finish());
        let write = begin(c::SYSCALL_WRITE_X).i64(64).bytes(&[b'y'; 64]);
        all.push(write.i64(fd + 2).u32(64).finish());
    }
    let socket = begin(c::SOCKET_SOCKET_X).i64(fd + 3).u32(2).u32(1).u32(0);
    all.push(socket.u32(0).finish());
    let connect = begin(c::SOCKET_CONNECT_X).i64(0).bytes(TUPLE).i64(fd + 3);
    all.push(connect.bytes(ADDRESS).finish());
    let write = begin(c::SYSCALL_WRITE_X).i64(9).bytes(b"GET / HTT");
    all.push(write.i64(fd + 3).u32(9).finish());
    for fd in fd..fd + 4 {
        all.push(begin(c::SYSCALL_CLOSE_X).i64(0).i64(fd).finish());
    }
    all
}

fn check(name: &str, rules: &mut RuleSet, catalogue: &Catalogue) {
    let order = rules.select(&[]);
    let mut engine = Engine::new(rules, &order, catalogue, "syscall", Matching::First).unwrap();
    let mut state = State::new(state::Options::default());
    let tids = [100, 101, 102];
    for tid in tids {
        state.load_process(&Process {
            tid,
            pid: tid,
            ptid: 1,
            comm: b"server",
            exe: b"/usr/bin/server",
            cwd: b"/home/app/",
            ..Process::default()
        });
    }
    state.finish_load();
    let mut ts = 1_700_000_000_000_000_000;
    // One thread works with high numbers.
    let events: Vec<Vec<u8>> = tids
        .iter()
        .flat_map(|&tid| round(tid, if tid == 102 { 600 } else { 3 }, &mut ts))
        .collect();
    let mut env = Environment::default();
    let mut fired = 0;
    let mut replay = |rounds: usize| {
        for _ in 0..rounds {
            for bytes in &events {
                let record = Record::parse(bytes, 0, RecordFlags::default()).unwrap();
                env.see(&record);
                let context = state.process(&record);
                let view = EventView::new(&record, &state, &context, &env);
                fired += engine.on_event(record.code, &view).len();
            }
        }
        fired
    };
    // Long enough for the operands to find their order.
    replay(2_000);
    let counted = allocation_counter::measure(|| {
        replay(2_000);
    });
    assert_eq!(counted.count_total, 0, "{name}: {counted:?}");
}

#[test]
fn known_threads_cost_no_allocation() {
    let catalogue = Catalogue::new([]);
    let mut files = vec![
        (
            "shipped",
            include_str!("../../../rules/peregrine_rules.yaml").to_owned(),
        ),
        ("many", many_rules(500)),
    ];
    if let Some(corpus) = corpus::find("stock rules") {
        let stock = corpus.path("rules/falco-rules-latest/falco_rules.yaml");
        files.push(("stock", std::fs::read_to_string(stock).unwrap()));
    }
    for (name, text) in files {
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        let loaded = loader.load(name, text.as_bytes());
        assert!(
            loaded.successful(),
            "{}",
            loaded.text(loader.sources(), false)
        );
        check(name, &mut loader.finish(), &catalogue);
    }
}

/// The allocator really counts.
#[test]
fn an_allocation_is_seen() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 64])));
    assert_eq!(counted.count_total, 1);
}
