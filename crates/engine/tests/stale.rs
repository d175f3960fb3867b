//! Results that are kept with threads never outlive what they were found out from.
//!
//! A handful of threads fork, execute, change who they are and where they stand, get new parents,
//! exit and come back under the same numbers; users and containers come and go. After each event
//! every rule's answer must be that of the naive evaluator, which keeps nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

use engine::{Engine, Matching};
use event::constants as k;
use event::{EVENTS, EventCode, ParamType, Record, RecordBuilder, RecordFlags, codes as c};
use fields::{Catalogue, Environment, EventView, catalogue::ROWS};
use filter::{FieldSource, Lifetime, Purpose, Schema, Value};
use proptest::prelude::*;
use rules::{Loader, Options, RuleSet};
use state::State;

/// A small generator: the test's own streams must not change with a library's.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())]
    }
}

/// Types that change what process fields show, the most telling ones several times, and some that
/// only look.
const TYPES: &[u16] = &[
    c::SYSCALL_CLONE_20_X,
    c::SYSCALL_CLONE_20_X,
    c::SYSCALL_CLONE_20_X,
    c::SYSCALL_FORK_20_X,
    c::SYSCALL_VFORK_20_X,
    c::SYSCALL_CLONE3_X,
    c::SYSCALL_EXECVE_19_X,
    c::SYSCALL_EXECVE_19_X,
    c::SYSCALL_EXECVEAT_X,
    c::PROCEXIT_1_E,
    c::PROCEXIT_1_E,
    c::PROCEXIT_1_E,
    c::SYSCALL_SETUID_X,
    c::SYSCALL_SETRESUID_X,
    c::SYSCALL_SETGID_X,
    c::SYSCALL_SETRESGID_X,
    c::SYSCALL_SETSID_X,
    c::SYSCALL_CAPSET_X,
    c::SYSCALL_UNSHARE_X,
    c::SYSCALL_PRCTL_X,
    c::SYSCALL_CHDIR_X,
    c::SYSCALL_CHDIR_X,
    c::SYSCALL_FCHDIR_X,
    c::SYSCALL_CHROOT_X,
    c::SYSCALL_OPENAT_2_X,
    c::SYSCALL_CLOSE_X,
    c::SYSCALL_RENAME_X,
    c::SYSCALL_BRK_4_X,
    c::SYSCALL_PRLIMIT_X,
    c::SCHEDSWITCH_6_E,
    c::USER_ADDED_E,
    c::USER_DELETED_E,
    c::GROUP_ADDED_E,
    c::GROUP_DELETED_E,
    c::CONTAINER_JSON_2_E,
    c::ASYNCEVENT_E,
];

const IDS: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 7];
const NAMES: &[&str] = &["sh", "cat", "sshd"];
const GROUPS: &[&[u8]] = &[
    b"memory=/\0",
    b"memory=/docker/aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000\0",
    b"memory=/docker/bbbbbbbbbbbb0000000000000000000000000000000000000000000000000000\0",
];
const FLAGS: &[u32] = &[
    0,
    0,
    k::CL_CLONE_THREAD | k::CL_CLONE_FILES,
    k::CL_CLONE_THREAD,
    k::CL_CLONE_PARENT,
    k::CL_CLONE_NEWPID,
    k::CL_CHILD_IN_PIDNS,
    k::CL_CLONE_NEWUSER,
];

fn container(dice: &mut Dice) -> String {
    let id = dice.pick(&["aaaaaaaaaaaa", "bbbbbbbbbbbb"]);
    let name = dice.pick(&["web", "db"]);
    format!(
        r#"{{"container":{{"type":0,"id":"{id}","full_id":"{id}","name":"{name}","image":"{name}:1","imagerepo":"{name}","imagetag":"1","imageid":"x","imagedigest":"","privileged":false,"is_pod_sandbox":false,"Mounts":[],"labels":{{"io.kubernetes.pod.name":"{name}"}}}}}}"#
    )
}

/// The next event: parameters by the names that the table gives them, out of few values.
fn event(dice: &mut Dice, ts: u64) -> Vec<u8> {
    let code = dice.pick(TYPES);
    let info = &EVENTS[usize::from(code)];
    let tid = dice.pick(IDS);
    let mut b = RecordBuilder::new(EventCode::new(code), ts, tid);
    // Mostly, processes lead themselves.
    let pid = if dice.roll(3) == 0 {
        dice.pick(IDS)
    } else {
        tid
    };
    let name = dice.pick(NAMES);
    for param in info.params {
        if dice.roll(40) == 0 {
            b = b.empty();
            continue;
        }
        let id = match param.name {
            "tid" | "pid" | "vtid" | "vpid" => pid,
            "res" if code == c::SYSCALL_SETSID_X => tid,
            "res" if matches!(param.ty, ParamType::Pid) => dice.pick(IDS),
            "res" | "fd" => dice.pick(&[0, 0, 0, 3, -1]),
            _ => dice.pick(IDS),
        };
        b = match (param.name, param.ty) {
            ("comm", _) => b.text(name),
            ("exe", _) => b.text(format!("/bin/{name}")),
            ("trusted_exepath", _) => b.text(format!("/usr/bin/{}", dice.pick(NAMES))),
            ("args", _) => b.bytes(dice.pick(&[&b"-c\0x\0"[..], b"", b"-l\0"])),
            ("env", _) => b.bytes(dice.pick(&[&b"A=1\0B=2\0"[..], b"A=2\0", b""])),
            ("cgroups", _) => b.bytes(dice.pick(GROUPS)),
            ("flags", ParamType::Flags32) => b.u32(dice.pick(FLAGS)),
            ("json", _) => b.text(container(dice)),
            ("name", _) if code == c::ASYNCEVENT_E => {
                b.text(dice.pick(&["container", "container_removed"]))
            }
            ("data", _) if code == c::ASYNCEVENT_E => b.text(container(dice)),
            ("container_id", _) => b.text(dice.pick(&["", "aaaaaaaaaaaa"])),
            ("path" | "name" | "home" | "shell", _) => {
                b.text(dice.pick(&["/tmp", "sub", "..", "/root", "root", "ann"]))
            }
            ("option", _) => b.u32(k::PR_SET_CHILD_SUBREAPER),
            _ => match param.ty.width() {
                Some(1) => b.u8(id as u8),
                Some(2) => b.u16(id as u16),
                Some(4) => b.u32(id as u32),
                Some(8) => b.i64(id),
                _ => b.text(name),
            },
        };
    }
    b.finish()
}

/// Every field whose results may be kept, and some that may not.
fn fields(catalogue: &Catalogue) -> Vec<String> {
    let mut all = Vec::new();
    let kept = [
        Lifetime::Process,
        Lifetime::Lineage,
        Lifetime::Lineage,
        Lifetime::Container,
    ];
    for row in kept
        .iter()
        .flat_map(|&kept| ROWS.iter().filter(move |row| row.lifetime == kept))
    {
        for argument in ["", "[1]", "[2]", "[A]", ".memory"] {
            let text = format!("{}{argument}", row.name);
            if catalogue.resolve(&text).is_ok() {
                all.push(text);
            }
        }
    }
    all.extend(["proc.sname", "proc.pgid.name", "evt.rawres", "evt.failed"].map(str::to_owned));
    all
}

/// A constant that the field may be equal to, written so that the language reads it.
fn constant(dice: &mut Dice, def: &filter::FieldDef, seen: &[(String, String)]) -> String {
    let of_field: Vec<_> = seen.iter().filter(|(name, _)| *name == def.name).collect();
    if !of_field.is_empty() && dice.roll(4) != 0 {
        return format!("\"{}\"", of_field[dice.roll(of_field.len())].1);
    }
    match def.ty {
        filter::Type::Bool => "true".to_owned(),
        filter::Type::CharBuf | filter::Type::FsPath => dice.pick(NAMES).to_owned(),
        _ => dice.roll(8).to_string(),
    }
}

fn condition(
    dice: &mut Dice,
    catalogue: &Catalogue,
    fields: &[String],
    seen: &[(String, String)],
    depth: usize,
) -> String {
    if depth > 0 && dice.roll(3) > 0 {
        let word = dice.pick(&[" and ", " or "]);
        let all: Vec<String> = (0..2 + dice.roll(3))
            .map(|_| condition(dice, catalogue, fields, seen, depth - 1))
            .collect();
        let not = dice.pick(&["", "", "not "]);
        return format!("{not}({})", all.join(word));
    }
    let field = &fields[dice.roll(fields.len())];
    let def = catalogue.resolve(field).unwrap();
    if dice.roll(6) == 0 && !def.filter_only {
        return format!("{field} exists");
    }
    let value = constant(dice, &def, seen);
    format!("{field} = {value}")
}

fn load(catalogue: &Catalogue, conditions: &[String]) -> RuleSet {
    let mut text = String::new();
    for (i, condition) in conditions.iter().enumerate() {
        text.push_str(&format!(
            "- rule: r{i}\n  desc: d\n  condition: >\n    {condition}\n  output: o\n  priority: INFO\n  warn_evttypes: false\n",
        ));
    }
    let mut loader = Loader::new(&[("syscall", catalogue)], Options::new());
    let loaded = loader.load("random.yaml", text.as_bytes());
    assert!(
        loaded.successful(),
        "{}",
        loaded.text(loader.sources(), false)
    );
    loader.finish()
}

/// Values that fields have in a stream like the one that is tested, so that conditions are true now
/// and then.
fn values(catalogue: &Catalogue, fields: &[String], mut dice: Dice) -> Vec<(String, String)> {
    let defs: Vec<_> = fields
        .iter()
        .map(|f| catalogue.resolve(f).unwrap())
        .collect();
    let mut state = State::new(state::Options::default());
    let env = Environment::default();
    let mut seen = Vec::new();
    for n in 0..200 {
        let bytes = event(&mut dice, 1_000_000_000 * n);
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        let context = state.process(&record);
        let view = EventView::new(&record, &state, &context, &env);
        let scratch = Default::default();
        let def = &defs[dice.roll(defs.len())];
        let text = match view.extract(&def.field, Purpose::Compare, &scratch) {
            Some(Value::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
            Some(Value::Signed(n)) => n.to_string(),
            Some(Value::Unsigned(n)) => n.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            _ => continue,
        };
        if text.len() < 100 && !text.contains(['"', '\\', '\n']) {
            seen.push((def.name.clone(), text));
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_kept_result_is_stale(seed in 1u64.., load_first: bool) {
        let catalogue = Catalogue::new([]);
        let fields = fields(&catalogue);
        let mut dice = Dice(seed);
        let seen = values(&catalogue, &fields, dice.clone());
        let conditions: Vec<String> = (0..40)
            .map(|_| {
                let depth = dice.roll(4);
                condition(&mut dice, &catalogue, &fields, &seen, depth)
            })
            .collect();
        let mut rules = load(&catalogue, &conditions);
        let order = rules.select(&[]);
        let mut engine = Engine::new(&rules, &order, &catalogue, "syscall", Matching::All).unwrap();
        // One engine sees several states: their threads have the same numbers and slots.
        for _ in 0..2 {
            let mut state = State::new(state::Options::default());
            if load_first {
                for &tid in &IDS[1..5] {
                    let comm = dice.pick(NAMES).as_bytes();
                    let ptid = dice.pick(IDS);
                    state.load_process(&event::snapshot::Process {
                        tid, pid: tid, ptid, comm, exe: comm, ..Default::default()
                    });
                }
                state.finish_load();
            }
            let mut env = Environment::default();
            for n in 0..400 {
                let bytes = event(&mut dice, 1_000_000_000 * n);
                let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
                env.see(&record);
                let context = state.process(&record);
                let view = EventView::new(&record, &state, &context, &env);
                let expected: Vec<u32> = rules
                    .rules
                    .iter()
                    .enumerate()
                    .filter(|(_, rule)| rule.event_codes.contains(record.code.number()))
                    .filter(|(_, rule)| {
                        filter::naive::evaluate(&rule.ast, &catalogue, &view).unwrap()
                    })
                    .map(|(i, _)| i as u32)
                    .collect();
                let ruled_out = fields::keep(&state, &context)
                    .is_some_and(|keep| engine.rules_out(record.code, keep));
                prop_assert!(
                    !ruled_out || expected.is_empty() || !engine_concerns(&record),
                    "event {n}, {}: the thread rules out what fires: {:?}",
                    record.info.id,
                    expected.iter().map(|&r| &conditions[r as usize]).collect::<Vec<_>>(),
                );
                let fired = engine.on_event(record.code, &view);
                prop_assert!(
                    !engine_concerns(&record) || fired == expected.as_slice(),
                    "event {n}, {}: fired {:?}, expected {:?}",
                    record.info.id,
                    fired.iter().map(|&r| &conditions[r as usize]).collect::<Vec<_>>(),
                    expected.iter().map(|&r| &conditions[r as usize]).collect::<Vec<_>>(),
                );
                if n % 97 == 96 {
                    state.reset();
                }
            }
        }
    }
}

/// Entries of system calls serve the state only.
fn engine_concerns(record: &Record<'_>) -> bool {
    !(record.info.source == event::Source::Syscall && record.code.is_enter())
}

/// What is false because it is not known yet is asked again, as soon as the engine is told so.
#[test]
fn what_is_not_known_yet_is_not_kept() {
    let catalogue = Catalogue::new([]);
    let condition = "evt.type = chdir and container.name = web";
    let mut rules = load(&catalogue, &[condition.to_owned()]);
    let order = rules.select(&[]);
    let mut engine = Engine::new(&rules, &order, &catalogue, "syscall", Matching::All).unwrap();
    let mut state = State::new(state::Options::default());
    state.await_containers(500);
    state.load_process(&event::snapshot::Process {
        tid: 7,
        pid: 7,
        cgroups: GROUPS[1],
        ..Default::default()
    });
    state.finish_load();
    let env = Environment::default();
    let awaits = || {
        env.awaits_container
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let chdir = RecordBuilder::new(EventCode::new(c::SYSCALL_CHDIR_X), 1, 7);
    let chdir = chdir.i64(0).text("/tmp").finish();
    let record = Record::parse(&chdir, 0, RecordFlags::default()).unwrap();
    for _ in 0..3 {
        let context = state.process(&record);
        let view = EventView::new(&record, &state, &context, &env);
        assert!(engine.on_event(record.code, &view).is_empty());
        assert!(awaits());
        engine.forget_kept();
        env.awaits_container
            .store(false, std::sync::atomic::Ordering::Relaxed);
    }
    let known = r#"{"container":{"id":"aaaaaaaaaaaa","name":"web"}}"#;
    let known = RecordBuilder::new(EventCode::new(c::ASYNCEVENT_E), 2, 0)
        .u32(0)
        .text("container")
        .text(known)
        .finish();
    state.process(&Record::parse(&known, 0, RecordFlags::default()).unwrap());
    let context = state.process(&record);
    let view = EventView::new(&record, &state, &context, &env);
    assert_eq!(engine.on_event(record.code, &view), [0]);
    assert!(!awaits());
}
