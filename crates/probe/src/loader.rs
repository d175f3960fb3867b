//! Loads the programs that the options need, and attaches them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex};

use event::syscalls::{self, IA32_TO_X86_64, X86_64_SYSCALLS};
use libbpf_rs::{
    Link, MapCore, MapFlags, MapHandle, MapType, OpenObject, PrintLevel, ProgramInput,
};

use crate::filtering::Filtering;
use crate::filters::Filters;
use crate::layout::{MAX_CPUS, MAX_SYSCALLS, Settings};
use crate::objects::{self, Objects};
use crate::options::{Options, SelfFilter};
use crate::ring::Ring;
use crate::shared::{Shared, page_size};
use crate::support::{self, Support};
use crate::tracefs::Tracefs;
use crate::{Backend, Error, programs, uring};

/// What a program sits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// Called by the dispatcher on raw `sys_exit`.
    Dispatched,
    /// A tracepoint with typed arguments.
    TypedTracepoint,
    /// A tracepoint as it is.
    RawTracepoint,
    /// A system call's own tracepoint.
    SyscallTracepoint,
    /// The end of a kernel function.
    Function,
}

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// System call or tracepoint.
    pub name: String,
    /// Its program; the generic one for calls without a program of their own.
    pub program: String,
    /// How.
    pub how: Attachment,
}

/// Everything that lives as long as the kernel is watched.
pub(crate) struct Loaded {
    pub shared: Arc<Shared>,
    pub rings: Vec<Ring>,
    pub doorbell: OwnedFd,
    /// What filters look at, where they are heeded.
    pub filtering: Option<Filtering>,
    pub attached: Vec<Attached>,
    pub backend: Backend,
    pub boot_time: u64,
    /// What the programs are attached by.
    pub _links: Vec<Link>,
    /// The dispatcher's table, which would be emptied if nobody held it.
    pub _table: Option<OwnedFd>,
}

static LOG: Mutex<String> = Mutex::new(String::new());

/// Keeps libbpf's warnings for error messages instead of printing them.
pub(crate) fn keep_libbpf_log() {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "libbpf-rs wants this signature"
    )]
    fn keep(_: PrintLevel, text: String) {
        let mut log = LOG
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        log.push_str(&text);
        let excess = log.len().saturating_sub(4096);
        if let Some(cut) = (excess..=log.len()).find(|&at| log.is_char_boundary(at)) {
            log.drain(..cut);
        }
    }
    libbpf_rs::set_print(Some((PrintLevel::Warn, keep)));
}

/// What libbpf said last, a line each, indented; empty if nothing.
pub(crate) fn libbpf_log() -> String {
    let mut log = LOG
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let text: String = log.lines().map(|line| format!("\n  {line}")).collect();
    log.clear();
    text
}

/// Loads and attaches.
pub(crate) fn load(options: &Options) -> Result<Loaded, Error> {
    let support = support::support();
    support.check()?;
    check_options(options)?;
    if !support.loops && matches!(options.backend, Backend::Tracepoint | Backend::Fexit) {
        return Err(Error::Kernel {
            what: "it has no loops in BPF programs, which this way of attaching needs",
            remedy: "leave the choice of the way to the monitor, or boot Linux 5.17 or later",
        });
    }
    keep_libbpf_log();
    let backend = choose_backend(options, &support);
    let uring = (support.io_uring && uring::is_wanted(options))
        .then(uring::Places::find)
        .flatten();
    let groups = buffer_groups(options)?;
    let slots = support::cpus("possible")
        .last()
        .map_or(1, |last| last + 1)
        .min(MAX_CPUS);

    let bytes = programs::object(backend);
    let mut open = objects::open(bytes)?;
    let boot_time = boot_time();
    write_settings(&mut open, options, &support, uring, boot_time)?;
    size_maps(&mut open, slots as u32, page_size() as u32)?;
    let plan = Plan::new(options, backend, uring, &programs::names(&open));
    let table = make_table(slots)?;
    open.maps_mut()
        .find(|map| map.name() == OsStr::new("rings"))
        .expect("the object was built with this map")
        .reuse_fd(table.as_fd())
        .map_err(|e| Error::load("hand over the table of rings", e))?;
    let (rings, ring_slots) = make_rings(options, &groups)?;
    let (objects, filled) = std::thread::scope(|scope| {
        let filler = scope.spawn(|| fill_table(&table, &ring_slots));
        let objects = Objects::load(bytes, open, &plan.programs);
        (objects, filler.join().expect("it does not panic"))
    });
    let objects = objects?;
    filled?;

    let shared = Arc::new(Shared::map(objects.map(".data.shared")?.as_fd())?);
    fill_dispatch_table(&objects, &plan)?;
    let filtering = match (backend, objects.map("images")) {
        (Backend::Dispatch, Ok(images)) => Some(Filtering {
            prefixes: handle(&objects.map("prefixes")?)?,
            images: handle(&images)?,
        }),
        _ => None,
    };
    let filters = match &filtering {
        Some(filtering) => filtering.prepare(&options.filters),
        None => Filters::new(options.filters.unread),
    };
    shared.set_wanted(&options.syscalls, &filters, 0);
    set_own(&objects, &shared, options.own_events)?;
    let (links, attached) = attach(&objects, options, &plan, backend)?;
    Ok(Loaded {
        shared,
        rings,
        doorbell: objects.map_fd("doorbell")?,
        filtering,
        attached,
        backend,
        boot_time,
        _links: links,
        _table: objects.map_fd("exits").ok(),
    })
}

fn check_options(options: &Options) -> Result<(), Error> {
    if options.snaplen > 65_000 {
        return Err(Error::Options(format!(
            "a snap length of {} bytes is more than an event can hold; at most 65,000",
            options.snaplen
        )));
    }
    Ok(())
}

/// Per-call tracepoints spare all other calls the dispatcher, but do not see 32-bit programs, so
/// they are chosen only where there can be none; and the kernel takes 50 ms to let go of each, so
/// for a few calls only.
fn choose_backend(options: &Options, support: &Support) -> Backend {
    let few = options.syscalls.iter().count() <= 16;
    match options.backend {
        Backend::Auto if support.loops && few && support.syscall_tracepoints && !support.ia32 => {
            Backend::Tracepoint
        }
        Backend::Auto => Backend::Dispatch,
        chosen => chosen,
    }
}

/// The programs to load, and the calls that have one of their own.
struct Plan {
    programs: BTreeSet<String>,
    /// Wanted calls: number, name, program.
    calls: Vec<(u16, &'static str, String)>,
    /// Programs on raw tracepoints: program, tracepoint.
    raw: Vec<(&'static str, &'static str)>,
}

impl Plan {
    fn new(
        options: &Options,
        backend: Backend,
        uring: Option<uring::Places>,
        available: &BTreeSet<String>,
    ) -> Self {
        let mut programs = BTreeSet::new();
        let mut calls = Vec::new();
        programs.insert("t_whoami".to_owned());
        if backend == Backend::Dispatch && !options.syscalls.is_empty() {
            programs.insert("dispatch".to_owned());
        }
        for call in X86_64_SYSCALLS
            .iter()
            .filter(|call| options.syscalls.contains(call.number))
        {
            let own = programs::exit_program(call.name);
            let program = match available.contains(&own) {
                true => own,
                false if backend == Backend::Dispatch => "dispatch".to_owned(),
                false => "x_generic".to_owned(),
            };
            programs.insert(program.clone());
            calls.push((call.number, call.name, program));
        }
        programs.extend(
            programs::typed(options.tracepoints)
                .iter()
                .map(|(p, _)| (*p).to_owned()),
        );
        programs.extend(
            programs::entries(options)
                .iter()
                .map(|name| format!("e_{name}")),
        );
        let raw = uring.map(uring::Places::programs).unwrap_or_default();
        programs.extend(raw.iter().map(|(program, _)| (*program).to_owned()));
        Self {
            programs,
            calls,
            raw,
        }
    }
}

/// CPU numbers, grouped by the buffer they share.
fn buffer_groups(options: &Options) -> Result<Vec<Vec<usize>>, Error> {
    let cpus = support::cpus(if options.online_only {
        "online"
    } else {
        "possible"
    });
    let per_buffer = match options.cpus_per_buffer {
        0 => cpus.len(),
        n => usize::from(n),
    };
    if per_buffer > cpus.len() {
        return Err(Error::Options(format!(
            "{per_buffer} CPUs cannot share a buffer: there are {}",
            cpus.len()
        )));
    }
    Ok(cpus
        .chunks(per_buffer.max(1))
        .map(<[usize]>::to_vec)
        .collect())
}

/// The clock's time at which the boot clock was 0; taken once, so clock steps do not reorder.
fn boot_time() -> u64 {
    clock(libc::CLOCK_REALTIME).saturating_sub(clock(libc::CLOCK_BOOTTIME))
}

/// A clock's nanoseconds.
pub(crate) fn clock(which: libc::clockid_t) -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is a valid place for the answer; the clocks used exist on every kernel.
    unsafe { libc::clock_gettime(which, &raw mut t) };
    (t.tv_sec as u64) * 1_000_000_000 + t.tv_nsec as u64
}

fn write_settings(
    open: &mut OpenObject,
    options: &Options,
    support: &Support,
    uring: Option<uring::Places>,
    boot_time: u64,
) -> Result<(), Error> {
    let mut settings = Settings {
        boot_time,
        snaplen: options.snaplen,
        drop_failed: u8::from(options.drop_failed),
        ia32: u8::from(support.ia32),
        uring_complete_members: u8::from(uring.is_some_and(|places| places.complete_members)),
        pad: 0,
        ia32_table: [-1; MAX_SYSCALLS],
        code_table: [0; MAX_SYSCALLS],
        uring_table: uring::table(),
    };
    for &(narrow, native) in &IA32_TO_X86_64 {
        if let Some(slot) = settings.ia32_table.get_mut(usize::from(narrow)) {
            *slot = native;
        }
    }
    for call in &syscalls::X86_64_SYSCALLS {
        settings.code_table[usize::from(call.number)] = call.code;
    }
    let mut map = open
        .maps_mut()
        .find(|map| map.name() == OsStr::new(".rodata.settings"))
        .expect("the object was built with this section");
    map.set_initial_value(settings.bytes())
        .map_err(|e| Error::load("write the settings", e))
}

/// Sizes the maps for `cpus` CPU numbers.
pub(crate) fn size_maps(open: &mut OpenObject, cpus: u32, page: u32) -> Result<(), Error> {
    for mut map in open.maps_mut() {
        let entries = match map.name().to_str() {
            Some("rings") => LANES * cpus,
            Some("drafts") => cpus,
            Some("doorbell") => page,
            _ => continue,
        };
        map.set_max_entries(entries)
            .map_err(|e| Error::load("size the maps", e))?;
    }
    Ok(())
}

fn handle(map: &libbpf_rs::Map<'_>) -> Result<MapHandle, Error> {
    MapHandle::try_from(map).map_err(|e| Error::load("keep hold of a map", e))
}

/// Lanes, by the numbers of the programs: bulk, processes, credentials.
const LANES: u32 = 3;

/// Lanes and the sizes of their buffers, in the order of reading. Processes' are half the size of
/// bulk's, for their events are few: at least 2 MiB. Credentials' are small.
fn lanes(bulk: u32) -> [(u32, u32); LANES as usize] {
    [(1, (bulk / 2).max(2 << 20)), (2, 1 << 20), (0, bulk)]
}

/// Place in the table of rings, and the ring's descriptor.
type RingSlot = (u32, i32);

/// The rings, those of processes first, and what the table of rings has to hold.
fn make_rings(
    options: &Options,
    groups: &[Vec<usize>],
) -> Result<(Vec<Ring>, Vec<RingSlot>), Error> {
    let bulk = options.buffer.bytes();
    let mut rings = Vec::new();
    let mut slots = Vec::new();
    for (lane, size) in lanes(bulk) {
        for group in groups {
            let ring = make_ring(size)?;
            let fd = ring.fd().as_raw_fd();
            slots.extend(group.iter().map(|&cpu| (LANES * cpu as u32 + lane, fd)));
            rings.push(ring);
        }
    }
    Ok((rings, slots))
}

/// Fills the table of rings: in one call where the kernel has it (5.13), for it waits after each
/// until no program uses the old table any more, some 10 ms, which adds up over many CPUs.
fn fill_table(table: &impl MapCore, slots: &[RingSlot]) -> Result<(), Error> {
    let bytes = |of: fn(&RingSlot) -> [u8; 4]| slots.iter().flat_map(of).collect::<Vec<u8>>();
    let keys = bytes(|slot| slot.0.to_ne_bytes());
    let fds = bytes(|slot| slot.1.to_ne_bytes());
    let count = slots.len() as u32;
    if table
        .update_batch(&keys, &fds, count, MapFlags::ANY, MapFlags::ANY)
        .is_ok()
    {
        return Ok(());
    }
    for (slot, fd) in slots {
        table
            .update(&slot.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
            .map_err(|e| Error::load("hand over a ring buffer", e))?;
    }
    Ok(())
}

/// The table of rings. Made before the programs are loaded, so that it can be filled meanwhile.
fn make_table(slots: usize) -> Result<MapHandle, Error> {
    let template = make_map(MapType::RingBuf, 0, page_size() as u32, None)?;
    make_map(
        MapType::ArrayOfMaps,
        4,
        LANES * slots as u32,
        Some(template.as_fd().as_raw_fd()),
    )
}

fn make_map(
    kind: MapType,
    width: u32,
    entries: u32,
    inner: Option<i32>,
) -> Result<MapHandle, Error> {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        inner_map_fd: inner.unwrap_or(0) as u32,
        ..Default::default()
    };
    MapHandle::create(kind, Some("rings"), width, width, entries, &options)
        .map_err(|e| Error::load(format!("make a map of {entries} bytes or entries"), e))
}

fn make_ring(size: u32) -> Result<Ring, Error> {
    let map = make_map(MapType::RingBuf, 0, size, None)?;
    let fd = map
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| Error::System {
            action: "duplicate a descriptor".into(),
            source,
        })?;
    Ring::map(fd, size as usize)
}

fn fill_dispatch_table(objects: &Objects, plan: &Plan) -> Result<(), Error> {
    let Ok(table) = objects.map("exits") else {
        return Ok(());
    };
    if !plan.programs.contains("dispatch") {
        return Ok(());
    }
    for (number, _, name) in plan.calls.iter().filter(|(_, _, name)| name != "dispatch") {
        let program = objects.program(name)?;
        let fd = program.as_fd().as_raw_fd().to_ne_bytes();
        table
            .update(&u32::from(*number).to_ne_bytes(), &fd, MapFlags::ANY)
            .map_err(|e| Error::load(format!("register {name}"), e))?;
    }
    Ok(())
}

/// The numbers to compare with are those of the initial namespace, which we may not be in: a
/// program that is run on our behalf reads them.
fn set_own(objects: &Objects, shared: &Shared, filter: SelfFilter) -> Result<(), Error> {
    let is_thread = match filter {
        SelfFilter::Off => return Ok(()),
        SelfFilter::Thread => true,
        SelfFilter::Process => false,
    };
    shared.set_own(0, is_thread);
    let program = objects.program("t_whoami")?;
    let id = program.test_run(ProgramInput::default()).map_or_else(
        // Before 5.10 raw tracepoint programs cannot be run like that.
        |_| std::process::id(),
        |output| output.return_value,
    );
    shared.set_own(id, is_thread);
    Ok(())
}

fn attach(
    objects: &Objects,
    options: &Options,
    plan: &Plan,
    backend: Backend,
) -> Result<(Vec<Link>, Vec<Attached>), Error> {
    let mut links = Vec::new();
    let mut attached = Vec::new();
    // Exits and executions first: whoever is seen to begin is then seen to end.
    for (name, tracepoint) in programs::typed(options.tracepoints) {
        let program = objects.program(name)?;
        links.push(
            program
                .attach()
                .map_err(|e| Error::load(format!("attach {name}"), e))?,
        );
        attached.push(Attached {
            name: tracepoint.to_owned(),
            program: name.to_owned(),
            how: Attachment::TypedTracepoint,
        });
    }
    for (name, tracepoint) in &plan.raw {
        let program = objects.program(name)?;
        links.push(
            program
                .attach_raw_tracepoint(tracepoint)
                .map_err(|e| Error::load(format!("attach {name}"), e))?,
        );
        attached.push(Attached {
            name: (*tracepoint).to_owned(),
            program: (*name).to_owned(),
            how: Attachment::RawTracepoint,
        });
    }
    let how = match backend {
        Backend::Auto | Backend::Dispatch => {
            attach_dispatcher(objects, plan, &mut links)?;
            Attachment::Dispatched
        }
        Backend::Tracepoint => Attachment::SyscallTracepoint,
        Backend::Fexit => Attachment::Function,
    };
    let tracefs = Tracefs::open();
    for (_, name, program_name) in &plan.calls {
        match backend {
            Backend::Auto | Backend::Dispatch => {}
            Backend::Tracepoint => {
                let tracefs = tracefs
                    .as_ref()
                    .map_err(|e| Error::Options(e.to_string()))?;
                let event = format!("sys_exit_{}", kernel_name(name));
                let Some(event) = tracefs.perf_event("syscalls", &event)? else {
                    continue;
                };
                links.push(attach_perf(objects, program_name, event)?);
            }
            Backend::Fexit if program_name == "x_generic" => continue,
            Backend::Fexit => {
                let program = objects.program(program_name)?;
                links.push(
                    program
                        .attach()
                        .map_err(|e| Error::load(format!("attach {name}"), e))?,
                );
            }
        }
        attached.push(Attached {
            name: (*name).to_owned(),
            program: program_name.clone(),
            how,
        });
    }
    for name in programs::entries(options) {
        let Ok(tracefs) = &tracefs else { break };
        let Some(event) = tracefs.perf_event("syscalls", &format!("sys_enter_{name}"))? else {
            continue;
        };
        let program = format!("e_{name}");
        links.push(attach_perf(objects, &program, event)?);
        attached.push(Attached {
            name: format!("{name} (entry)"),
            program,
            how: Attachment::SyscallTracepoint,
        });
    }
    Ok((links, attached))
}

fn attach_dispatcher(objects: &Objects, plan: &Plan, links: &mut Vec<Link>) -> Result<(), Error> {
    if plan.programs.contains("dispatch") {
        let program = objects.program("dispatch")?;
        links.push(
            program
                .attach()
                .map_err(|e| Error::load("attach to sys_exit", e))?,
        );
    }
    Ok(())
}

fn attach_perf(objects: &Objects, program: &str, event: OwnedFd) -> Result<Link, Error> {
    // The link closes the perf event, but only once there is a link.
    let raw = event.into_raw_fd();
    objects
        .program(program)?
        .attach_perf_event(raw)
        .map_err(|e| {
            // SAFETY: libbpf left the descriptor to us when it failed.
            drop(unsafe { OwnedFd::from_raw_fd(raw) });
            Error::load(format!("attach {program}"), e)
        })
}

/// Name of the kernel's function where it is not the system call's.
fn kernel_name(syscall: &str) -> &str {
    match syscall {
        "stat" => "newstat",
        "lstat" => "newlstat",
        "fstat" => "newfstat",
        "uname" => "newuname",
        "umount2" => "umount",
        "sendfile" => "sendfile64",
        other => other,
    }
}
