//! Who takes part: the process that an event is of, its ancestors, its user.
//!
//! An event without a `proc.pid` is of a process of its own, unless it says nothing of its process at all: then it
//! is of the one before. What a process is, the first event of it says; what later events say must agree.

use std::collections::BTreeMap;

use event::snapshot::Process;

use super::container::Inside;
use super::spec::{EventSpec, Given, Read};
use super::value;

/// 14 November 2023, 22:13:20 UTC.
pub(super) const START: u64 = 1_700_000_000_000_000_000;
/// A day before.
pub(super) const BOOT: u64 = START - 86_400_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// The first process that an event makes.
const FIRST: i64 = 2000;

/// Everything that lasts from one event of a test to the next.
#[derive(Clone, Debug)]
pub struct Cast {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
    next: i64,
    latest: Option<Actor>,
    pub(super) now: u64,
}

/// A process.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) pid: i64,
    pub(super) tid: i64,
    pub(super) vpid: i64,
    pub(super) vtid: i64,
    pub(super) parent: i64,
    pub(super) sid: i64,
    pub(super) pgid: i64,
    pub(super) vpgid: i64,
    pub(super) comm: String,
    pub(super) exe: String,
    pub(super) exepath: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) cwd: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) loginuid: u32,
    pub(super) tty: u32,
    /// Seconds since it was made.
    pub(super) age: u64,
    pub(super) inside: Inside,
    pub(super) caps: [u64; 3],
    /// Writable, upper layer, in memory, lower layer.
    pub(super) file: [bool; 4],
    pub(super) ino: u64,
    pub(super) ctime: u64,
    pub(super) mtime: u64,
}

/// An account that the state must know.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) group: bool,
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) home: String,
    pub(super) shell: String,
}

/// The process of an event and those around it.
pub(super) struct Scene {
    pub(super) actor: Actor,
    /// The process is new: it and its ancestors, the eldest first.
    pub(super) new: Vec<Actor>,
    pub(super) accounts: Vec<Account>,
}

impl Default for Cast {
    fn default() -> Self {
        Self::new()
    }
}

impl Cast {
    /// Nobody but root.
    #[must_use]
    pub fn new() -> Self {
        Self {
            users: BTreeMap::from([("root".to_owned(), 0)]),
            groups: BTreeMap::from([("root".to_owned(), 0)]),
            next: FIRST,
            latest: None,
            now: START,
        }
    }

    fn fresh(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// Who does what the event says.
    pub(super) fn scene(&mut self, spec: &EventSpec) -> Read<Scene> {
        let about = |name: &str| {
            ["proc.", "thread.", "user.", "group.", "container", "k8s."]
                .iter()
                .any(|class| name.starts_with(class))
        };
        let says = spec.fields.iter().any(|given| about(&given.name));
        let named = spec.number(&["proc.pid", "thread.tid"])?;
        if let Some(latest) = &self.latest
            && (!says || named == Some(latest.pid))
        {
            return Ok(Scene {
                actor: latest.clone(),
                new: Vec::new(),
                accounts: Vec::new(),
            });
        }
        let mut accounts = Vec::new();
        let mut actor = self.actor(spec, named, &mut accounts)?;
        let mut new = self.ancestors(spec, &mut actor)?;
        self.leader(spec, &mut actor, &mut new)?;
        new.push(actor.clone());
        self.latest = Some(actor.clone());
        Ok(Scene {
            actor,
            new,
            accounts,
        })
    }

    /// The process is from now on what it became.
    pub(super) fn keep(&mut self, actor: &Actor) {
        self.latest = Some(actor.clone());
    }

    fn actor(
        &mut self,
        spec: &EventSpec,
        named: Option<i64>,
        accounts: &mut Vec<Account>,
    ) -> Read<Actor> {
        let inside = Inside::of(spec)?;
        let pid = match spec.number(&["proc.pid"])?.or(named) {
            Some(pid) => pid,
            None => self.fresh(),
        };
        let tid = spec.number(&["thread.tid"])?.unwrap_or(pid);
        let own = if inside.id.is_empty() {
            pid
        } else {
            pid - FIRST + 10
        };
        let vpid = spec.number(&["proc.vpid"])?.unwrap_or(own);
        let line = Line::of(
            spec,
            [
                "proc.name",
                "proc.exe",
                "proc.exepath",
                "proc.args",
                "proc.cmdline",
                "proc.exeline",
            ],
        );
        let uid = self.user(spec, accounts)?;
        let gid = self.group(spec, accounts)?;
        let loginuid = match spec.text(&["user.loginname"]) {
            Some(name) if name != "<NA>" => self.named_user(&name, None, spec, accounts),
            _ => u32::MAX,
        };
        let login = spec.number(&["user.loginuid", "proc.loginuid"])?;
        let loginuid = login.map_or(loginuid, |number| number as u32);
        let leads = |field| spec.truth(field);
        let sid = match (spec.number(&["proc.sid"])?, leads("proc.is_sid_leader")?) {
            (Some(sid), _) => sid,
            (None, Some(true)) => vpid,
            (None, _) => 1,
        };
        let vpgid = match (
            spec.number(&["proc.vpgid"])?,
            leads("proc.is_vpgid_leader")?,
        ) {
            (Some(vpgid), _) => vpgid,
            (None, Some(false)) => 1,
            (None, _) => vpid,
        };
        let duration = spec.number(&["proc.duration"])?;
        let file = |name| Ok(spec.truth(name)?.unwrap_or(false));
        let time = |name| Ok(spec.number(&[name])?.map_or(BOOT, i64::cast_unsigned));
        Ok(Actor {
            pid,
            tid,
            vpid,
            vtid: spec
                .number(&["thread.vtid"])?
                .unwrap_or(if tid == pid { vpid } else { tid }),
            parent: spec.number(&["proc.ppid"])?.unwrap_or(1),
            sid,
            pgid: spec
                .number(&["proc.pgid"])?
                .unwrap_or(if vpgid == vpid { pid } else { 1 }),
            vpgid,
            comm: line.comm,
            exe: line.exe,
            exepath: line.exepath,
            args: line.args,
            env: environment(spec),
            cwd: spec.text(&["proc.cwd"]).unwrap_or_else(|| "/".to_owned()),
            uid,
            gid,
            loginuid,
            tty: spec.number(&["proc.tty"])?.unwrap_or(0) as u32,
            age: duration.map_or(60 * SECOND, i64::cast_unsigned),
            caps: [
                capabilities(spec.given("thread.cap_inheritable"))?.unwrap_or(0),
                capabilities(spec.given("thread.cap_permitted"))?.unwrap_or(0),
                capabilities(spec.given("thread.cap_effective"))?.unwrap_or(0),
            ],
            file: [
                file("proc.is_exe_writable")?,
                file("proc.is_exe_upper_layer")?,
                file("proc.is_exe_from_memfd")?,
                file("proc.is_exe_lower_layer")?,
            ],
            ino: spec
                .number(&["proc.exe_ino"])?
                .unwrap_or(4_711)
                .cast_unsigned(),
            ctime: time("proc.exe_ino.ctime")?,
            mtime: time("proc.exe_ino.mtime")?,
            inside,
        })
    }

    fn user(&mut self, spec: &EventSpec, accounts: &mut Vec<Account>) -> Read<u32> {
        let number = spec.number(&["user.uid"])?.map(|number| number as u32);
        let name = match (spec.text(&["user.name"]), number) {
            (Some(name), _) => name,
            (None, None | Some(0)) => "root".to_owned(),
            (None, Some(number)) => format!("user{number}"),
        };
        Ok(self.named_user(&name, number, spec, accounts))
    }

    fn named_user(
        &mut self,
        name: &str,
        number: Option<u32>,
        spec: &EventSpec,
        accounts: &mut Vec<Account>,
    ) -> u32 {
        let free = 1000 + self.users.len() as u32;
        let id = number
            .or_else(|| self.users.get(name).copied())
            .unwrap_or(free);
        self.users.insert(name.to_owned(), id);
        let home = if id == 0 {
            "/root".to_owned()
        } else {
            format!("/home/{name}")
        };
        accounts.push(Account {
            group: false,
            id,
            name: name.to_owned(),
            home: spec.text(&["user.homedir"]).unwrap_or(home),
            shell: spec
                .text(&["user.shell"])
                .unwrap_or_else(|| "/bin/bash".to_owned()),
        });
        id
    }

    fn group(&mut self, spec: &EventSpec, accounts: &mut Vec<Account>) -> Read<u32> {
        let number = spec.number(&["group.gid"])?.map(|number| number as u32);
        let name = spec
            .text(&["group.name"])
            .unwrap_or_else(|| "root".to_owned());
        let free = 1000 + self.groups.len() as u32;
        let id = number
            .or_else(|| self.groups.get(&name).copied())
            .unwrap_or(free);
        self.groups.insert(name.clone(), id);
        accounts.push(Account {
            group: true,
            id,
            name,
            home: String::new(),
            shell: String::new(),
        });
        Ok(id)
    }

    /// The ancestors that the event names, and the first process; the eldest first.
    fn ancestors(&mut self, spec: &EventSpec, actor: &mut Actor) -> Read<Vec<Actor>> {
        let mut lines: BTreeMap<u32, Line> = BTreeMap::new();
        for given in &spec.fields {
            if let Some(level) = level(&given.name) {
                let names = if level == 1 && given.name.starts_with("proc.p") {
                    [
                        "proc.pname",
                        "proc.pexe",
                        "proc.pexepath",
                        "proc.pargs",
                        "proc.pcmdline",
                        "proc.pexeline",
                    ]
                    .map(str::to_owned)
                } else {
                    ["aname", "aexe", "aexepath", "aargs", "acmdline", "aexeline"]
                        .map(|name| format!("proc.{name}[{level}]"))
                };
                lines.insert(level, Line::of(spec, names.each_ref().map(String::as_str)));
            }
        }
        // Named without a number: any of them, so the parent.
        for (loose, at) in [
            ("proc.aname", 0),
            ("proc.aexe", 1),
            ("proc.aexepath", 2),
            ("proc.acmdline", 4),
        ] {
            if spec.given(loose).is_some() {
                let mut names = ["", "", "", "", "", ""];
                names[at] = loose;
                lines.entry(1).or_insert_with(|| Line::of(spec, names));
            }
        }
        let highest = lines.keys().max().copied().unwrap_or(0);
        let mut all = vec![first_process()];
        let mut parent = 1;
        for level in (1..=highest).rev() {
            let line = lines.remove(&level).unwrap_or_else(|| Line::named("init"));
            let given = if level == 1 {
                spec.number(&["proc.ppid"])?
            } else {
                None
            };
            let vpid = if level == 1 {
                spec.number(&["proc.pvpid"])?
            } else {
                None
            };
            let pid = match given {
                Some(pid) => pid,
                None => self.fresh(),
            };
            all.push(Actor {
                pid,
                tid: pid,
                vpid: vpid.unwrap_or(pid),
                vtid: vpid.unwrap_or(pid),
                parent,
                pgid: pid,
                vpgid: pid,
                comm: line.comm,
                exe: line.exe,
                exepath: line.exepath,
                args: line.args,
                ..actor.clone()
            });
            parent = pid;
        }
        if highest > 0 {
            actor.parent = parent;
        }
        Ok(all)
    }

    /// The leader of the session, where one is named.
    fn leader(&mut self, spec: &EventSpec, actor: &mut Actor, new: &mut Vec<Actor>) -> Read<()> {
        for (name, group) in [("proc.sname", false), ("proc.pgid.name", true)] {
            let Some(wanted) = spec.text(&[name]) else {
                continue;
            };
            if wanted == actor.comm {
                if group {
                    actor.vpgid = actor.vpid;
                    actor.pgid = actor.pid;
                } else {
                    actor.sid = actor.vpid;
                }
                continue;
            }
            if let Some(kin) = new.iter().rev().find(|kin| kin.comm == wanted) {
                if group {
                    (actor.pgid, actor.vpgid) = (kin.pid, kin.vpid);
                } else {
                    actor.sid = kin.vpid;
                }
                continue;
            }
            let pid = self.fresh();
            let line = Line::named(&wanted);
            let parent = new.last().map_or(1, |kin| kin.pid);
            new.push(Actor {
                pid,
                tid: pid,
                vpid: pid,
                vtid: pid,
                sid: pid,
                pgid: pid,
                vpgid: pid,
                parent: if new.len() > 1 { new[0].pid } else { parent },
                comm: line.comm,
                exe: line.exe,
                exepath: line.exepath,
                args: line.args,
                ..actor.clone()
            });
            if group {
                (actor.pgid, actor.vpgid) = (pid, pid);
            } else {
                actor.sid = pid;
            }
        }
        Ok(())
    }
}

fn first_process() -> Actor {
    let line = Line::named("systemd");
    Actor {
        pid: 1,
        tid: 1,
        vpid: 1,
        vtid: 1,
        parent: 0,
        sid: 1,
        pgid: 1,
        vpgid: 1,
        comm: line.comm,
        exe: line.exe,
        exepath: "/usr/lib/systemd/systemd".to_owned(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        loginuid: u32::MAX,
        tty: 0,
        age: 86_000 * SECOND,
        inside: Inside {
            id: String::new(),
            json: None,
        },
        caps: [0, 0x1ff_ffff_ffff, 0x1ff_ffff_ffff],
        file: [false; 4],
        ino: 1,
        ctime: BOOT,
        mtime: BOOT,
    }
}

/// Which ancestor a field is about.
fn level(name: &str) -> Option<u32> {
    if [
        "proc.pname",
        "proc.pexe",
        "proc.pexepath",
        "proc.pargs",
        "proc.pcmdline",
        "proc.pexeline",
        "proc.ppid",
        "proc.pvpid",
    ]
    .contains(&name)
    {
        return Some(1);
    }
    let (field, rest) = name.split_once('[')?;
    let known = [
        "proc.aname",
        "proc.aexe",
        "proc.aexepath",
        "proc.aargs",
        "proc.acmdline",
        "proc.aexeline",
    ]
    .contains(&field);
    let level = rest.strip_suffix(']')?.parse().ok()?;
    (known && (1..=64).contains(&level)).then_some(level)
}

/// What a process was started with.
struct Line {
    comm: String,
    exe: String,
    exepath: String,
    args: Vec<String>,
}

impl Line {
    fn named(name: &str) -> Self {
        Self {
            comm: name.to_owned(),
            exe: name.to_owned(),
            exepath: format!("/usr/bin/{name}"),
            args: Vec::new(),
        }
    }

    /// From the fields of name, first argument, path, other arguments, and the two forms of the whole line.
    fn of(spec: &EventSpec, names: [&str; 6]) -> Self {
        let [name, exe, exepath, args, cmdline, exeline] = names;
        let split = |field: &str| {
            let text = spec.text(&[field])?;
            let mut words = text.split(' ').map(str::to_owned);
            let first = words.next().unwrap_or_default();
            Some((first, words.collect::<Vec<_>>()))
        };
        let (whole, started) = (split(cmdline), split(exeline));
        let path = spec.text(&[exepath]).filter(|path| !path.is_empty());
        let of_path = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
        let comm = spec
            .text(&[name])
            .or_else(|| whole.as_ref().map(|(first, _)| first.clone()))
            .or_else(|| path.as_ref().map(of_path))
            .or_else(|| spec.text(&[exe]).as_ref().map(of_path))
            .or_else(|| started.as_ref().map(|(first, _)| of_path(first)))
            .unwrap_or_else(|| "app".to_owned());
        // The kernel keeps fifteen bytes of a name.
        let comm: String = comm.bytes().take(15).map(char::from).collect();
        let exe = spec
            .text(&[exe])
            .or_else(|| started.as_ref().map(|(first, _)| first.clone()))
            .unwrap_or_else(|| path.clone().unwrap_or_else(|| comm.clone()));
        let exepath = path.unwrap_or_else(|| {
            if exe.starts_with('/') {
                exe.clone()
            } else {
                format!("/usr/bin/{comm}")
            }
        });
        let mut all = spec
            .given(args)
            .map(Given::words)
            .or(whole.map(|(_, rest)| rest))
            .or(started.map(|(_, rest)| rest))
            .unwrap_or_default();
        for given in &spec.fields {
            let index = given.name.strip_prefix(args).and_then(|rest| {
                rest.strip_prefix('[')?
                    .strip_suffix(']')?
                    .parse::<usize>()
                    .ok()
            });
            if let Some(index) = index.filter(|&index| index < 64 && !args.is_empty()) {
                if all.len() <= index {
                    all.resize(index + 1, String::new());
                }
                all[index] = given.text().unwrap_or_default();
            }
        }
        Self {
            comm,
            exe,
            exepath,
            args: all,
        }
    }
}

fn environment(spec: &EventSpec) -> Vec<String> {
    let mut all = spec.given("proc.env").map(Given::words).unwrap_or_default();
    for given in &spec.fields {
        let key = given
            .name
            .strip_prefix("proc.env[")
            .and_then(|rest| rest.strip_suffix(']'));
        if let (Some(key), Some(value)) = (key, given.text()) {
            all.push(format!("{key}={value}"));
        }
    }
    all
}

fn capabilities(given: Option<&Given>) -> Read<Option<u64>> {
    let Some(given) = given else { return Ok(None) };
    let mut set = 0;
    for word in given.words() {
        match fields::capability(&word) {
            Some(bit) => set |= 1 << bit,
            None => match value::integer(&word) {
                Some(bits) => set |= bits.cast_unsigned(),
                None => {
                    return Err(given.fault(format!(
                        "there is no capability `{word}`; they are written as CAP_SYS_ADMIN"
                    )));
                }
            },
        }
    }
    Ok(Some(set))
}

impl Actor {
    /// Gives it to the state.
    pub(super) fn load(&self, now: u64, state: &mut state::State) {
        let (args, env, cgroups) = (
            value::texts(&self.args),
            value::texts(&self.env),
            self.inside.cgroups(),
        );
        let [writable, upper, memory, lower] = self.file;
        let [inheritable, permitted, effective] = self.caps;
        state.load_process(&Process {
            tid: self.tid,
            pid: self.pid,
            ptid: self.parent,
            sid: self.sid,
            vpgid: self.vpgid,
            pgid: self.pgid,
            vtid: self.vtid,
            vpid: self.vpid,
            comm: self.comm.as_bytes(),
            exe: self.exe.as_bytes(),
            exepath: self.exepath.as_bytes(),
            args: &args,
            env: &env,
            cwd: self.cwd.as_bytes(),
            root: b"/",
            cgroups: &cgroups,
            fdlimit: 1024,
            uid: self.uid,
            gid: self.gid,
            loginuid: self.loginuid,
            tty: self.tty,
            vm_size: 62_104,
            vm_rss: 9_812,
            started: now.saturating_sub(BOOT).saturating_sub(self.age),
            cap_inheritable: inheritable,
            cap_permitted: permitted,
            cap_effective: effective,
            exe_writable: writable,
            exe_upper_layer: upper,
            exe_from_memfd: memory,
            exe_lower_layer: lower,
            exe_ino: self.ino,
            exe_ino_ctime: self.ctime,
            exe_ino_mtime: self.mtime,
            ..Process::default()
        });
    }
}
