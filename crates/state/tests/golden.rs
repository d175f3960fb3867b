//! The state after each event of each capture of the corpus, against what the original's fields
//! say there.
//!
//! Only values that come straight from the state are compared here; how fields render them is the
//! field crate's business. In the golden data no thread has a container (a stub stood in for the
//! container plugin), so the matchers are off.

use std::collections::BTreeMap;

use capture::{Item, Reader};
use serde_json::{Value, json};
use state::{
    Context, Descriptor, DescriptorFlags, Engines, Group, L4Proto, Options, State, Thread,
    ThreadIx, User,
};

type Fields = BTreeMap<&'static str, Value>;

fn text(bytes: &[u8]) -> Value {
    // As the original writes JSON: what does not print is one replacement character.
    let text = String::from_utf8_lossy(bytes);
    Value::String(
        text.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect(),
    )
}

fn joined<'a>(items: impl Iterator<Item = &'a [u8]>) -> Value {
    text(&items.collect::<Vec<_>>().join(&b' '))
}

fn account_fields(state: &State, thread: &Thread, out: &mut Fields) {
    out.insert("user.uid", json!(thread.uid));
    out.insert("group.gid", json!(thread.gid));
    let loginuid = if thread.loginuid == u32::MAX {
        -1
    } else {
        i64::from(thread.loginuid)
    };
    out.insert("user.loginuid", json!(loginuid));
    let na = || text(b"<NA>");
    let user = state.user(thread.container_id(), thread.uid);
    out.insert("user.name", user.map_or_else(na, |u| text(&u.name)));
    out.insert("user.homedir", user.map_or_else(na, |u| text(&u.home)));
    out.insert("user.shell", user.map_or_else(na, |u| text(&u.shell)));
    let group = state.group(thread.container_id(), thread.gid);
    out.insert("group.name", group.map_or_else(na, |g| text(&g.name)));
}

fn leader_fields(
    state: &State,
    leader: Option<ThreadIx>,
    names: [&'static str; 3],
    out: &mut Fields,
) {
    let image = leader.map(|l| &state.thread(l).image);
    let of = |f: fn(&state::Image) -> &[u8]| image.map_or_else(|| text(b""), |i| text(f(i)));
    out.insert(names[0], of(state::Image::comm));
    out.insert(names[1], of(state::Image::exe));
    out.insert(names[2], of(state::Image::exepath));
}

fn ancestor_fields(state: &State, ix: ThreadIx, out: &mut Fields) {
    let main = state.main_thread(ix).unwrap_or(ix);
    let ancestors: Vec<_> = state.ancestors(main).collect();
    if let Some(&parent) = ancestors.first() {
        let parent = state.thread(parent);
        out.insert("proc.pname", text(parent.comm()));
        out.insert("proc.pexe", text(parent.image.exe()));
        out.insert("proc.pexepath", text(parent.image.exepath()));
        out.insert("proc.pcmdline", text(parent.image.cmdline()));
        out.insert("proc.ppid", json!(parent.pid));
        out.insert("proc.pvpid", json!(parent.vpid));
    }
    let names = [
        "proc.aname[1]",
        "proc.aname[2]",
        "proc.aname[3]",
        "proc.aname[4]",
    ];
    for (&name, &ancestor) in names.iter().zip(&ancestors) {
        out.insert(name, text(state.thread(ancestor).comm()));
    }
    for (&name, &ancestor) in ["proc.apid[1]", "proc.apid[2]"].iter().zip(&ancestors) {
        out.insert(name, json!(state.thread(ancestor).pid));
    }
}

fn thread_fields(state: &State, ix: ThreadIx, ts: u64, out: &mut Fields) {
    let thread = state.thread(ix);
    let image = &thread.image;
    out.insert("proc.name", text(image.comm()));
    out.insert("proc.exe", text(image.exe()));
    out.insert("proc.exepath", text(image.exepath()));
    out.insert("proc.cmdline", text(image.cmdline()));
    out.insert("proc.args", text(image.args_joined()));
    out.insert("proc.cmdnargs", json!(image.args().len()));
    out.insert("proc.pid", json!(thread.pid));
    out.insert("proc.sid", json!(thread.sid));
    out.insert("proc.vpgid", json!(thread.vpgid));
    out.insert("proc.pgid", json!(thread.pgid));
    out.insert("proc.tty", json!(thread.tty));
    out.insert("proc.fdlimit", json!(state.descriptor_limit(ix)));
    out.insert("proc.cwd", text(state.cwd(ix)));
    out.insert("proc.nthreads", json!(state.thread_group_size(ix)));
    out.insert("proc.nchilds", json!(state.other_thread_count(ix)));
    out.insert("proc.vmsize", json!(thread.memory.size_kb));
    out.insert("proc.vmrss", json!(thread.memory.rss_kb));
    out.insert("proc.vmswap", json!(thread.memory.swap_kb));
    out.insert("thread.pfmajor", json!(thread.memory.faults_major));
    out.insert("thread.pfminor", json!(thread.memory.faults_minor));
    out.insert("proc.fdopencount", json!(state.descriptor_count(ix)));
    for (name, set) in [
        ("thread.cap_inheritable", thread.caps.inheritable),
        ("thread.cap_permitted", thread.caps.permitted),
        ("thread.cap_effective", thread.caps.effective),
    ] {
        out.insert(name, json!(set.count_ones()));
    }
    out.insert("proc.is_exe_writable", json!(image.file.writable));
    out.insert("proc.is_exe_upper_layer", json!(image.file.upper_layer));
    out.insert("proc.is_exe_lower_layer", json!(image.file.lower_layer));
    out.insert("proc.is_exe_from_memfd", json!(image.file.from_memfd));
    out.insert("proc.exe_ino", json!(image.file.ino));
    if image.file.ctime_to_clone != 0 {
        out.insert(
            "proc.exe_ino.ctime_duration_proc_start",
            json!(image.file.ctime_to_clone as i64),
        );
    }
    if image.file.pidns_start_to_ctime != 0 {
        let duration = image.file.pidns_start_to_ctime;
        out.insert("proc.exe_ino.ctime_duration_pidns_start", json!(duration));
    }
    out.insert("thread.tid", json!(thread.tid));
    out.insert("thread.ismain", json!(thread.is_main()));
    if thread.vtid >= 0 || thread.vpid >= 0 {
        out.insert("thread.vtid", json!(thread.vtid));
        out.insert("proc.vpid", json!(thread.vpid));
    }
    if thread.clone_ts != 0 {
        out.insert("proc.duration", json!(ts - thread.clone_ts));
        out.insert("proc.pid.ts", json!(thread.clone_ts));
    }
    let groups: Vec<_> = thread
        .cgroups
        .iter()
        .map(|(name, path)| [name, b"=", path].concat())
        .collect();
    out.insert("thread.cgroups", joined(groups.iter().map(Vec::as_slice)));
    let env = state.env(ix);
    out.insert(
        "proc.env",
        env.map_or_else(|| text(b""), |t| joined(t.env())),
    );
    account_fields(state, thread, out);
    ancestor_fields(state, ix, out);
    leader_fields(
        state,
        state.session_leader(ix),
        ["proc.sname", "proc.sid.exe", "proc.sid.exepath"],
        out,
    );
    leader_fields(
        state,
        state.pgid_leader(ix),
        ["proc.pgid.name", "proc.pgid.exe", "proc.pgid.exepath"],
        out,
    );
    leader_fields(
        state,
        state.vpgid_leader(ix),
        ["proc.vpgid.name", "proc.vpgid.exe", "proc.vpgid.exepath"],
        out,
    );
    for (fd, name) in [
        (0, "proc.stdin.name"),
        (1, "proc.stdout.name"),
        (2, "proc.stderr.name"),
    ] {
        if let Some(d) = state.descriptor(ix, fd) {
            out.insert(name, text(d.name()));
        }
    }
}

fn l4_name(d: &Descriptor) -> &'static str {
    if !d.kind.is_ip() || (d.has_no_role() && d.l4 != L4Proto::Raw) {
        return "<NA>";
    }
    match d.l4 {
        L4Proto::Tcp => "tcp",
        L4Proto::Udp => "udp",
        L4Proto::Icmp => "icmp",
        L4Proto::Raw => "raw",
        _ => "<NA>",
    }
}

fn descriptor_fields(context: &Context, d: &Descriptor, out: &mut Fields) {
    out.insert("fd.name", text(d.name()));
    out.insert("fd.nameraw", text(d.name_raw()));
    out.insert("fd.type", json!(d.kind.name().unwrap_or("<NA>")));
    out.insert("fd.ino", json!(d.ino));
    out.insert("fd.dev", json!(format!("{:X}", d.dev)));
    out.insert("fd.name_changed", json!(context.name_changed));
    out.insert(
        "fd.is_upper_layer",
        json!(d.flags.contains(DescriptorFlags::UPPER_LAYER)),
    );
    out.insert(
        "fd.is_lower_layer",
        json!(d.flags.contains(DescriptorFlags::LOWER_LAYER)),
    );
    out.insert(
        "fd.connected",
        json!(d.flags.contains(DescriptorFlags::CONNECTED)),
    );
    out.insert("fd.l4proto", json!(l4_name(d)));
    if let Some(local) = d.local() {
        out.insert("fd.sip", json!(local.ip.to_string()));
        out.insert("fd.sport", json!(local.port));
    }
    if let (Some(source), Some(dest), false) = (d.source(), d.dest(), d.has_no_role()) {
        out.insert("fd.cip", json!(source.ip.to_string()));
        out.insert("fd.cport", json!(source.port));
        out.insert("fd.sip", json!(dest.ip.to_string()));
        out.insert("fd.sport", json!(dest.port));
    }
}

/// Fields that our map leaves out where the original has none, and the other way round.
const OPTIONAL: &[&str] = &[
    "proc.name",
    "proc.pid",
    "fd.sport",
    "fd.cport",
    "proc.pname",
    "proc.pexe",
    "proc.ppid",
    "proc.aname[1]",
    "proc.aname[2]",
    "proc.aname[3]",
    "proc.aname[4]",
    "proc.stdin.name",
    "proc.stdout.name",
    "proc.stderr.name",
    "thread.vtid",
    "fd.type",
    "fd.num",
    "proc.duration",
    "fd.cip",
    "fd.sip",
];

/// Fields that the golden data has for chosen events only: compared where they are.
fn is_sampled(name: &str) -> bool {
    matches!(
        name,
        "proc.nchilds"
            | "thread.tid"
            | "thread.ismain"
            | "thread.cgroups"
            | "proc.env"
            | "proc.pid.ts"
            | "proc.apid[1]"
            | "proc.apid[2]"
    )
}

fn golden_value<'a>(name: &str, golden: &'a Value) -> Option<std::borrow::Cow<'a, Value>> {
    use std::borrow::Cow;
    let value = golden.get(name)?;
    if name.starts_with("thread.cap_") {
        let words = value.as_str().unwrap_or("").split_whitespace().count();
        return Some(Cow::Owned(json!(words)));
    }
    Some(Cow::Borrowed(value))
}

struct Differences {
    shown: BTreeMap<String, (usize, Vec<String>)>,
    compared: usize,
}

impl Differences {
    fn compare(&mut self, place: &str, ours: &Fields, golden: &Value) {
        for (&name, value) in ours {
            let expected = golden_value(name, golden);
            match expected {
                Some(expected) => {
                    self.compared += 1;
                    if *expected != *value {
                        self.note(name, format!("{place}: {value} for {expected}"));
                    }
                }
                None if OPTIONAL.contains(&name) && !is_sampled(name) => {
                    self.note(name, format!("{place}: {value} for nothing"));
                }
                None => {}
            }
        }
        for &name in OPTIONAL {
            if !ours.contains_key(name)
                && let Some(expected) = golden.get(name)
            {
                self.note(name, format!("{place}: nothing for {expected}"));
            }
        }
    }

    fn note(&mut self, name: &str, what: String) {
        let (count, examples) = self.shown.entry(name.to_owned()).or_default();
        *count += 1;
        if examples.len() < 12 {
            examples.push(what);
        }
    }
}

/// The machine that made the golden data read the captures with its own users at hand; some of them
/// show in a capture whose list lacks the numbers.
fn golden_machine() -> Options {
    let user = |uid, name: &str, home: &str, shell: &str| User {
        uid,
        gid: uid,
        name: name.into(),
        home: home.into(),
        shell: shell.into(),
    };
    let group = |gid, name: &str| Group {
        gid,
        name: name.into(),
    };
    Options {
        engines: Engines::none(),
        local_users: vec![
            user(101, "postgres", "/var/lib/postgresql", "/bin/bash"),
            user(102, "redis", "/var/lib/redis", "/usr/sbin/nologin"),
        ],
        local_groups: vec![
            group(102, "messagebus"),
            group(103, "ssl-cert"),
            group(106, "rdma"),
            group(107, "redis"),
        ],
        ..Options::default()
    }
}

#[test]
fn every_event_of_every_capture() {
    let Some(corpus) = testkit::corpus::find("state against golden events") else {
        return;
    };
    let mut all = Differences {
        shown: BTreeMap::new(),
        compared: 0,
    };
    let mut events = 0usize;
    for file in corpus.captures() {
        let golden = format!("golden/events/{}.jsonl.gz", file.name);
        let Some(golden) = corpus.existing(&golden) else {
            continue;
        };
        let mut lines = testkit::jsonl::lines(&golden).unwrap();
        let mut state = State::new(golden_machine());
        let input = std::fs::File::open(&file.path).unwrap();
        let mut reader = Reader::new(std::io::BufReader::new(input)).unwrap();
        while let Some(item) = reader.next().unwrap() {
            match item {
                Item::Machine(machine) => state.load_machine(&machine),
                Item::Process(process) => state.load_process(&process),
                Item::Descriptor(descriptor) => state.load_descriptor(&descriptor),
                Item::Interfaces(interfaces) => state.load_interfaces(&interfaces),
                Item::Users(users) => state.load_users(&users),
                Item::Loaded => state.finish_load(),
                Item::Restart => state.reset(),
                Item::Event(record) => {
                    let context = state.process(&record);
                    if !context.visible {
                        continue;
                    }
                    let golden = lines.next().unwrap().unwrap();
                    let place = format!("{} {} {}", file.name, golden["n"], record.info.name);
                    if golden["n"] != json!(context.number)
                        || golden["ts"] != json!(record.ts)
                        || golden["code"] != json!(record.code.number())
                    {
                        all.note("evt", format!("{place}: number {}", context.number));
                    }
                    let mut ours = Fields::new();
                    if let Some(ix) = context.thread {
                        thread_fields(&state, ix, record.ts, &mut ours);
                    }
                    if let Some(fd) = context.fd {
                        ours.insert("fd.num", json!(fd));
                    }
                    if let Some(d) = state.event_descriptor(&context) {
                        descriptor_fields(&context, d, &mut ours);
                    }
                    all.compare(&place, &ours, &golden["f"]);
                    events += 1;
                }
                _ => {}
            }
        }
        if lines.next().is_some() {
            all.note(
                "evt",
                format!("{}: events are missing at the end", file.name),
            );
        }
    }
    for (name, (count, examples)) in &all.shown {
        eprintln!("{name}: {count}");
        for example in examples {
            eprintln!("    {example}");
        }
    }
    let total: usize = all.shown.values().map(|(count, _)| count).sum();
    eprintln!(
        "{events} events, {} values compared, {total} differ",
        all.compared
    );
    assert_eq!(total, 0);
}
