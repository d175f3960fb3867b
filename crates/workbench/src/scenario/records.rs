//! An event as the record of it, and what the state must be told before.

use event::snapshot::{Descriptor, L4Proto, MachineInfo, NamedKind, Target};
use event::{
    EVENTS, EventCode, EventFlags, EventInfo, ParamInfo, ParamType as T, Record, RecordBuilder,
    RecordFlags, codes, constants as c, syscalls,
};
use serde_json::{Map, Value, json};
use state::{PROGRAM_EVENT, State};

use super::cast::{Account, Actor, BOOT, Cast};
use super::network::Ends;
use super::spec::{EventSpec, Given, Read};
use super::value::{self, fixed};
use super::{identity, names};

/// An event that is ready to be played.
#[derive(Debug)]
pub struct Step {
    machine: bool,
    actors: Vec<Actor>,
    accounts: Vec<Account>,
    descriptor: Option<(i64, i64, Open)>,
    records: Vec<Vec<u8>>,
    now: u64,
    /// The record that rules see; for an audit event empty.
    pub record: Vec<u8>,
    /// The audit event, as JSON.
    pub audit: Option<Vec<u8>>,
    /// What was written of the event: fields that must have these values now; `None`: no value.
    pub claims: Vec<(String, Option<String>, usize)>,
}

/// A descriptor that was open before.
#[derive(Clone, Debug)]
enum Open {
    File(Vec<u8>, u32),
    Named(NamedKind, Vec<u8>),
    Socket(Ends, L4Proto),
    Server(Ends, L4Proto),
}

impl Step {
    /// Tells the state what stood before the event.
    ///
    /// # Errors
    /// A record that the state cannot read, which is a fault of this crate.
    pub fn prepare(&self, state: &mut State) -> Result<(), String> {
        if self.machine {
            state.load_machine(&MachineInfo {
                cpus: 1,
                memory: 1 << 30,
                hostname: b"test".to_vec(),
                boot_time: BOOT,
                ..MachineInfo::default()
            });
        }
        for actor in &self.actors {
            actor.load(self.now, state);
        }
        if !self.actors.is_empty() {
            state.finish_load();
        }
        for bytes in &self.records {
            let record =
                Record::parse(bytes, 0, RecordFlags::STATE_ONLY).map_err(|e| e.to_string())?;
            let _ = state.process(&record);
        }
        if let Some((tid, fd, open)) = &self.descriptor {
            let target = match open {
                Open::File(name, flags) => Target::File {
                    name,
                    open_flags: *flags,
                    dev: 51,
                },
                Open::Named(kind, name) => Target::Named { kind: *kind, name },
                Open::Socket(Ends::Inet { client, server }, l4) => Target::Connection {
                    source: *client,
                    dest: *server,
                    l4: *l4,
                },
                Open::Server(Ends::Inet { server, .. }, l4) => Target::Server {
                    local: *server,
                    l4: *l4,
                },
                Open::Socket(Ends::Unix(name), _) | Open::Server(Ends::Unix(name), _) => {
                    Target::Unix {
                        source: 0x100,
                        dest: 0x200,
                        name,
                    }
                }
            };
            state.load_descriptor(&Descriptor {
                tid: *tid,
                fd: *fd,
                ino: 4_712,
                target,
            });
        }
        Ok(())
    }
}

impl Cast {
    /// What the event is made of.
    ///
    /// # Errors
    /// A type that does not exist, or a value that a field or parameter cannot have.
    pub fn step(&mut self, spec: &EventSpec) -> Read<Step> {
        self.now += 1_000_000;
        if spec.kind == "audit" {
            let mut members: Map<String, Value> = usual();
            members.extend(
                spec.fields
                    .iter()
                    .map(|given| (given.name.clone(), given.value.clone())),
            );
            let json = Value::Object(members);
            return Ok(Step {
                machine: false,
                actors: Vec::new(),
                accounts: Vec::new(),
                descriptor: None,
                records: Vec::new(),
                now: self.now,
                record: Vec::new(),
                audit: Some(json.to_string().into_bytes()),
                claims: Vec::new(),
            });
        }
        let (info, generic) = find(spec)?;
        let scene = self.scene(spec)?;
        let mut step = Step {
            machine: true,
            actors: scene.new,
            accounts: scene.accounts,
            descriptor: None,
            records: Vec::new(),
            now: self.now,
            record: Vec::new(),
            audit: None,
            claims: spec
                .fields
                .iter()
                .filter(|given| is_claim(given, info))
                .map(claim)
                .collect(),
        };
        let script = Script {
            spec,
            info,
            actor: &scene.actor,
            generic,
        };
        let before = script.before(&mut step)?;
        step.record = script.record(self.now)?;
        let mut records = script.accounts(&step.accounts, self.now);
        records.extend(before);
        step.records = records;
        let actor = scene.actor;
        self.keep(&actor);
        Ok(step)
    }
}

/// What every audit event has: of a request that was answered.
fn usual() -> Map<String, Value> {
    let time = "2023-11-14T22:13:20.000000Z";
    let all = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "00000000-0000-4000-8000-000000000000",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        "responseStatus": {"code": 200},
    });
    match all {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Whether a field's value can be compared with what was written: parameters and records are written in other words
/// than they are shown.
fn is_claim(given: &Given, info: &EventInfo) -> bool {
    let parameter = given
        .name
        .strip_prefix("evt.arg.")
        .or(given.name.strip_prefix("evt.rawarg."));
    if let Some(parameter) = parameter {
        let text = info.param_index(parameter).map(|at| info.params[at].ty);
        return matches!(text, Some(T::CharBuf));
    }
    given.name != "container"
        && !matches!(
            given.name.as_str(),
            "fd.net"
                | "fd.snet"
                | "fd.cnet"
                | "fd.rnet"
                | "fd.lnet"
                | "fd.ip"
                | "fd.port"
                | "fd.proto"
        )
}

fn claim(given: &Given) -> (String, Option<String>, usize) {
    (given.name.clone(), given.text(), given.offset)
}

/// The type that an event's name means: today's, as it ends.
fn find(spec: &EventSpec) -> Read<(&'static EventInfo, Option<u16>)> {
    let usable = |info: &&EventInfo| {
        info.name == spec.kind
            && !info
                .flags
                .intersects(EventFlags::OLD_VERSION | EventFlags::UNUSED)
    };
    let all: Vec<&EventInfo> = EVENTS.iter().filter(usable).collect();
    let found = all
        .iter()
        .rev()
        .find(|info| !info.is_enter())
        .or(all.last());
    if let Some(info) = found {
        return Ok((info, None));
    }
    if let Some(code) = syscalls::SYSCALL_NAMES
        .iter()
        .position(|name| *name == spec.kind)
    {
        return Ok((&EVENTS[usize::from(codes::GENERIC_X)], Some(code as u16)));
    }
    let names = EVENTS.iter().map(|info| info.name).chain(["audit"]);
    let near = diag::nearest::nearest(&spec.kind, names);
    let near = near.map_or_else(String::new, |near| format!("; there is `{near}`"));
    Err(spec.fault(format!("there is no type of event `{}`{near}", spec.kind)))
}

/// What one event needs.
struct Script<'s> {
    spec: &'s EventSpec,
    info: &'static EventInfo,
    actor: &'s Actor,
    generic: Option<u16>,
}

impl Script<'_> {
    fn has(&self, flag: EventFlags) -> bool {
        self.info.flags.contains(flag)
    }

    fn is_exec(&self) -> bool {
        matches!(
            self.info.code,
            codes::SYSCALL_EXECVE_19_X | codes::SYSCALL_EXECVEAT_X
        )
    }

    fn accepts(&self) -> bool {
        matches!(
            self.info.name,
            "accept" | "accept4" | "recvfrom" | "recvmsg" | "bind" | "listen"
        )
    }

    /// The number of the descriptor that the event uses or makes.
    fn fd(&self) -> Read<i64> {
        Ok(self
            .spec
            .number(&["fd.num", "evt.arg.fd", "evt.rawarg.fd"])?
            .unwrap_or(3))
    }

    /// What the call returned.
    fn result(&self) -> Read<i64> {
        for name in ["evt.rawres", "evt.res", "evt.arg.res", "evt.rawarg.res"] {
            if let Some(given) = self.spec.given(name) {
                let text = given.text().unwrap_or_default();
                return value::result(&text).ok_or_else(|| {
                    given.fault(format!(
                        "`{name}` is a number, SUCCESS or an error such as ENOENT, not `{text}`"
                    ))
                });
            }
        }
        if self.spec.truth("evt.failed")? == Some(true) {
            return Ok(-13);
        }
        let made = self.info.params.first().is_some_and(|p| p.name == "fd");
        if made
            || (self.has(EventFlags::CREATES_FD)
                && self.info.params.first().is_some_and(|p| p.ty == T::Fd))
        {
            return self.fd();
        }
        if matches!(self.info.name, "clone" | "fork" | "vfork" | "clone3") {
            return Ok(self.actor.pid + 10_000);
        }
        Ok(0)
    }

    /// Users and groups as records.
    fn accounts(&self, all: &[Account], now: u64) -> Vec<Vec<u8>> {
        let begin = |code| RecordBuilder::new(EventCode::new(code), now - 1000, 1);
        let mut records = Vec::new();
        for account in all {
            for place in ["", self.actor.inside.id.as_str()] {
                records.push(if account.group {
                    begin(codes::GROUP_ADDED_E)
                        .u32(account.id)
                        .text(&account.name)
                        .text(place)
                        .finish()
                } else {
                    begin(codes::USER_ADDED_E)
                        .u32(account.id)
                        .u32(account.id)
                        .text(&account.name)
                        .text(&account.home)
                        .text(&account.shell)
                        .text(place)
                        .finish()
                });
                if place.is_empty() && self.actor.inside.id.is_empty() {
                    break;
                }
            }
        }
        records
    }

    /// Records before the event, the descriptor that it uses, and the process as it was before.
    fn before(&self, step: &mut Step) -> Read<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        let begin = |code| RecordBuilder::new(EventCode::new(code), step.now - 500, self.actor.tid);
        let is_container = self.info.name == "container";
        if let Some(json) = self.actor.inside.json.as_ref().filter(|_| !is_container) {
            records.push(begin(codes::CONTAINER_JSON_2_E).bytes(json).finish());
        }
        if let Some(json) = identity::told(self.spec, self.actor)? {
            let told = begin(codes::ASYNCEVENT_E)
                .u32(0)
                .text(PROGRAM_EVENT)
                .text(json);
            records.push(told.finish());
        }
        let ends = Ends::of(self.spec, self.accepts())?;
        let time = step.now - 400;
        records.extend(names::told(self.spec, ends.as_ref(), self.actor.tid, time));
        // A program that is about to become another one is still its parent's.
        let failed = self.result()? < 0;
        if self.is_exec()
            && !failed
            && let Some((actor, kin)) = step.actors.split_last_mut()
        {
            let parent = kin.iter().rev().find(|kin| kin.pid == actor.parent);
            if let Some(parent) = parent {
                actor.comm.clone_from(&parent.comm);
                actor.exe.clone_from(&parent.exe);
                actor.exepath.clone_from(&parent.exepath);
                actor.args.clone_from(&parent.args);
            }
        }
        let socket_needs_none = matches!(self.info.name, "accept" | "accept4" | "socket");
        let uses = self.info.fd_param.is_some()
            && self
                .info
                .params
                .first()
                .is_none_or(|p| p.name != "fd" || self.info.fd_param != Some(0));
        if !uses || socket_needs_none {
            return Ok(records);
        }
        let fd = if self.info.name.starts_with("dup") {
            self.spec
                .number(&["evt.arg.oldfd", "evt.rawarg.oldfd"])?
                .unwrap_or(9)
        } else {
            self.fd()?
        };
        if self.info.params[usize::from(self.info.fd_param.unwrap_or(0))]
            .name
            .contains("dir")
        {
            return Ok(records);
        }
        if matches!(self.info.name, "connect" | "bind" | "listen") {
            let domain = ends.as_ref().map_or(2, Ends::domain);
            let udp = self.l4()? == L4Proto::Udp;
            let socket = begin(codes::SOCKET_SOCKET_X)
                .i64(fd)
                .u32(u32::from(domain))
                .u32(1 + u32::from(udp))
                .u32(if udp { 17 } else { 6 })
                .u32(0);
            records.push(socket.finish());
            return Ok(records);
        }
        step.descriptor = self.open(ends)?.map(|open| (self.actor.pid, fd, open));
        Ok(records)
    }

    fn l4(&self) -> Read<L4Proto> {
        let Some(given) = self.spec.given("fd.l4proto") else {
            let datagrams = matches!(self.info.name, "sendto" | "recvfrom");
            return Ok(if datagrams {
                L4Proto::Udp
            } else {
                L4Proto::Tcp
            });
        };
        Ok(match given.text().as_deref() {
            Some("tcp") => L4Proto::Tcp,
            Some("udp") => L4Proto::Udp,
            Some("icmp") => L4Proto::Icmp,
            Some("raw") => L4Proto::Raw,
            _ => return Err(given.fault("`fd.l4proto` is tcp, udp, icmp or raw")),
        })
    }

    /// What the descriptor was before.
    fn open(&self, ends: Option<Ends>) -> Read<Option<Open>> {
        let kind = self.spec.text(&["fd.type"]);
        let sign = self.spec.text(&["fd.typechar"]);
        let name = self
            .spec
            .text(&["fd.name", "fd.nameraw"])
            .unwrap_or_default()
            .into_bytes();
        if let Some(ends) = ends {
            let l4 = self.l4()?;
            let server = self.spec.truth("fd.is_server")? == Some(true) && !name.contains(&b'>');
            return Ok(Some(if server {
                Open::Server(ends, l4)
            } else {
                Open::Socket(ends, l4)
            }));
        }
        let named = match (kind.as_deref(), sign.as_deref()) {
            (Some("directory"), _) | (_, Some("d")) => NamedKind::Directory,
            (Some("pipe"), _) | (_, Some("p")) => NamedKind::Fifo,
            (Some("event"), _) | (_, Some("e")) => NamedKind::EventFd,
            (Some("memfd"), _) | (_, Some("m")) => NamedKind::MemFd,
            (Some("netlink"), _) | (_, Some("n")) => NamedKind::Netlink,
            (Some("pidfd"), _) | (_, Some("P")) => NamedKind::PidFd,
            (Some("bpf"), _) | (_, Some("b")) => NamedKind::Bpf,
            (Some("userfaultfd"), _) => NamedKind::UserFaultFd,
            _ if name.is_empty() => return Ok(None),
            _ => return Ok(Some(Open::File(name, c::O_RDWR))),
        };
        Ok(Some(Open::Named(named, name)))
    }

    fn record(&self, now: u64) -> Read<Vec<u8>> {
        let tid = self.actor.tid;
        let mut builder = RecordBuilder::new(EventCode::new(self.info.code), now, tid);
        if let Some(code) = self.generic {
            return Ok(builder.u16(code).u16(0).finish());
        }
        if self.info.name == "container" {
            let json = self.actor.inside.json.clone().unwrap_or_default();
            return Ok(builder.bytes(&json).finish());
        }
        let ends = Ends::of(self.spec, self.accepts())?;
        for (at, info) in self.info.params.iter().enumerate() {
            let bytes = match self.written(at, info)? {
                Some(bytes) => bytes,
                None => self
                    .known(at, info, ends.as_ref())?
                    .unwrap_or_else(|| value::absent(info)),
            };
            if bytes.len() > usize::from(u16::MAX) {
                return Err(self.spec.fault(format!(
                    "parameter `{}` is longer than an event can carry",
                    info.name
                )));
            }
            builder.push(&bytes);
        }
        Ok(builder.finish())
    }

    /// A parameter that was written by its own name.
    fn written(&self, at: usize, info: &ParamInfo) -> Read<Option<Vec<u8>>> {
        let names = [
            format!("evt.arg.{}", info.name),
            format!("evt.rawarg.{}", info.name),
            format!("evt.arg[{at}]"),
        ];
        if let Some(given) = names.iter().find_map(|name| self.spec.given(name)) {
            if matches!(info.ty, T::SockAddr | T::SockTuple) {
                return Ok(None);
            }
            let text = given.text().unwrap_or_default();
            // A descriptor is shown with its kind and name.
            let number = matches!(info.ty, T::Fd | T::Fd32 | T::Pid);
            let bytes = value::parameter(info, &text).or_else(|| number.then(|| fixed(3, 8)));
            return bytes.map(Some).ok_or_else(|| {
                let names: Vec<&str> = info.flags.iter().map(|flag| flag.name).take(8).collect();
                let hint = if names.is_empty() {
                    String::new()
                } else {
                    format!("; it has names such as {}", names.join(", "))
                };
                given.fault(format!(
                    "`{text}` is no value of parameter `{}`{hint}",
                    info.name
                ))
            });
        }
        Ok(None)
    }

    /// A parameter that follows from fields, or from the process.
    fn known(&self, at: usize, info: &ParamInfo, ends: Option<&Ends>) -> Read<Option<Vec<u8>>> {
        if at == 0 && (matches!(info.ty, T::Errno | T::Fd | T::Pid)) && self.info.has_result() {
            return Ok(Some(fixed(self.result()?.cast_unsigned(), 8)));
        }
        if self.info.fd_param == Some(at as u8) && !info.name.contains("dir") {
            let fd = if info.name == "oldfd" { 9 } else { self.fd()? };
            return Ok(Some(fixed(
                fd.cast_unsigned(),
                info.ty.width().unwrap_or(8),
            )));
        }
        if matches!(info.ty, T::SockTuple) {
            return Ok(Some(ends.map_or_else(Vec::new, Ends::tuple)));
        }
        if matches!(info.ty, T::SockAddr) {
            return Ok(Some(ends.map_or_else(Vec::new, Ends::address)));
        }
        if let Some(names) = self.paths(info.name)
            && matches!(info.ty, T::CharBuf | T::FsPath | T::FsRelPath)
        {
            return Ok(self
                .spec
                .text(names)
                .map(|path| [path.as_bytes(), b"\0"].concat()));
        }
        if info.name == "newfd" {
            return Ok(Some(fixed(self.result()?.cast_unsigned(), 8)));
        }
        if info.name == "data" && info.ty == T::ByteBuf {
            return Ok(self
                .spec
                .text(&["evt.buffer", "evt.arg.data"])
                .map(String::into_bytes));
        }
        if matches!(info.name, "flags" | "creat_flags")
            && self.has(EventFlags::CREATES_FD)
            && self.info.param_index("name").is_some()
        {
            let flags = self.open_flags()?;
            let width = info.ty.width().unwrap_or(4);
            return Ok(Some(fixed(u64::from(flags), width)));
        }
        if info.name == "mode" && self.spec.truth("evt.is_open_exec")? == Some(true) {
            return Ok(Some(fixed(0o755, 4)));
        }
        if self.is_exec() || matches!(self.info.name, "clone" | "clone3" | "fork" | "vfork") {
            return Ok(self.of_process(info.name));
        }
        Ok(None)
    }

    /// The fields that name the path in a parameter.
    fn paths(&self, name: &str) -> Option<&'static [&'static str]> {
        Some(match (self.info.name, name) {
            // What a link leads to is its target, wherever the call names it.
            ("symlink" | "symlinkat", "target") | ("link" | "linkat", "oldpath") => {
                &["fs.path.targetraw", "fs.path.target"]
            }
            ("symlink" | "symlinkat", "linkpath") | ("link" | "linkat", "newpath") => {
                &["fs.path.sourceraw", "fs.path.source"]
            }
            (_, "oldpath") => &["fs.path.sourceraw", "fs.path.source"],
            (_, "newpath") => &["fs.path.targetraw", "fs.path.target"],
            ("mount", "dev") => &["fs.path.sourceraw", "fs.path.source"],
            ("mount", "dir") => &[
                "fs.path.targetraw",
                "fs.path.target",
                "fs.path.nameraw",
                "fs.path.name",
            ],
            ("open" | "openat" | "openat2" | "creat" | "open_by_handle_at", "name" | "path") => {
                &["fs.path.nameraw", "fd.nameraw", "fd.name", "fs.path.name"]
            }
            (_, "name" | "path" | "filename" | "pathname" | "dir") if !self.is_exec() => {
                &["fs.path.nameraw", "fs.path.name", "fd.name"]
            }
            _ => return None,
        })
    }

    fn open_flags(&self) -> Read<u32> {
        let says = |name| Ok(self.spec.truth(name)? == Some(true));
        let mut flags = 0;
        if says("evt.is_open_write")? {
            flags |= c::O_WRONLY;
        }
        if says("evt.is_open_read")? {
            flags |= c::O_RDONLY;
        }
        if says("evt.is_open_create")? {
            flags |= c::O_CREAT | c::O_F_CREATED;
        }
        if says("evt.is_open_exec")? {
            flags |= c::O_CREAT;
        }
        let creates = self.info.name == "creat";
        Ok(match flags {
            0 if creates => c::O_F_CREATED,
            0 => c::O_RDONLY,
            flags => flags,
        })
    }

    fn of_process(&self, name: &str) -> Option<Vec<u8>> {
        let actor = self.actor;
        let number = |number: i64| Some(fixed(number.cast_unsigned(), 8));
        let text = |text: &str| Some([text.as_bytes(), b"\0"].concat());
        let [inheritable, permitted, effective] = actor.caps;
        match name {
            "exe" => text(&actor.exe),
            "args" => Some(value::texts(&actor.args)),
            "tid" => number(actor.tid),
            "pid" => number(actor.pid),
            "ptid" => number(actor.parent),
            "cwd" => text(""),
            "fdlimit" => number(1024),
            "vm_size" | "vm_rss" => Some(fixed(9_812, 4)),
            "comm" => text(&actor.comm),
            "cgroups" => Some(actor.inside.cgroups()),
            "env" => Some(value::texts(&actor.env)),
            "tty" => Some(fixed(u64::from(actor.tty), 4)),
            "vpgid" => number(actor.vpgid),
            "pgid" => number(actor.pgid),
            "vtid" => number(actor.vtid),
            "vpid" => number(actor.vpid),
            "loginuid" => Some(fixed(u64::from(actor.loginuid), 4)),
            "uid" => Some(fixed(u64::from(actor.uid), 4)),
            "gid" => Some(fixed(u64::from(actor.gid), 4)),
            "cap_inheritable" => Some(fixed(inheritable, 8)),
            "cap_permitted" => Some(fixed(permitted, 8)),
            "cap_effective" => Some(fixed(effective, 8)),
            "exe_ino" => Some(fixed(actor.ino, 8)),
            "exe_ino_ctime" => Some(fixed(actor.ctime, 8)),
            "exe_ino_mtime" => Some(fixed(actor.mtime, 8)),
            "trusted_exepath" | "filename" => text(&actor.exepath),
            "flags" if self.is_exec() => {
                let bits = [
                    c::EXE_WRITABLE,
                    c::EXE_UPPER_LAYER,
                    c::EXE_FROM_MEMFD,
                    c::EXE_LOWER_LAYER,
                ];
                let flags = bits
                    .iter()
                    .zip(actor.file)
                    .filter(|(_, there)| *there)
                    .fold(0, |all, (bit, _)| all | bit);
                Some(fixed(u64::from(flags), 4))
            }
            _ => None,
        }
    }
}
