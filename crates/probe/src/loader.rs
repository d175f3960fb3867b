//! Loads the programs that the options need, and attaches them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event::syscalls::{IA32_TO_X86_64, SYSCALLS};
use libbpf_rs::{MapCore, MapFlags, MapHandle, OpenObject, PrintLevel, ProgramInput};

use crate::attach::Hold;
use crate::choice::Choice;
use crate::filtering::Filtering;
use crate::filters::Filters;
use crate::functions::Functions;
use crate::lanes::{self, LANES};
use crate::layout::{MAX_CPUS, MAX_SYSCALLS, Settings};
use crate::objects::{self, Objects};
use crate::options::{Options, SelfFilter};
use crate::plan::{self, Copy, Part};
use crate::ring::Ring;
use crate::shared::{Shared, page_size};
use crate::support::{self, Support};
use crate::{Backend, Error, names, programs, room, uring};

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
    /// As many for each lane: processes', credentials', bulk's.
    pub rings: Vec<Ring>,
    pub doorbell: OwnedFd,
    /// What filters look at, where they are heeded.
    pub filtering: Option<Filtering>,
    pub choice: Choice,
    pub boot_time: u64,
    /// Until events came.
    pub first_events: Duration,
    pub hold: Hold,
    /// The tables of programs that call others: the kernel empties one that no descriptor is left of.
    pub _tables: Vec<OwnedFd>,
}

/// Programs that come when events come already: io_uring's, for which the verifier needs as long as for all
/// others.
pub(crate) struct Late {
    objects: Objects,
    copy: Copy,
}

impl Late {
    /// Has the kernel take them.
    pub(crate) fn load(&mut self) -> Result<(), Error> {
        self.objects.load_later(&self.copy.late(), &BTreeMap::new())
    }

    /// Puts them in place.
    pub(crate) fn attach(self, loaded: &mut Loaded) -> Result<(), Error> {
        loaded.hold.attach_raw(&self.objects, &self.copy)?;
        loaded.hold.seal();
        Ok(())
    }
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

/// Loads and attaches. Where the choice is ours, ends of functions that are refused after all are no
/// reason to give up.
pub(crate) fn load(options: &Options) -> Result<(Loaded, Late), Error> {
    let begun = Instant::now();
    let support = support::support();
    support.check()?;
    check_options(options)?;
    keep_libbpf_log();
    room::make();
    let mut choice = Choice::make(options, &support);
    match load_as(options, &support, &choice, begun) {
        Err(error) if options.backend == Backend::Auto && choice.backend == Backend::Fexit => {
            choice.backend = Backend::Dispatch;
            choice.reason = format!("ends of functions would cost less, but: {error}");
            load_as(options, &support, &choice, begun)
        }
        loaded => loaded,
    }
}

fn load_as(
    options: &Options,
    support: &Support,
    choice: &Choice,
    begun: Instant,
) -> Result<(Loaded, Late), Error> {
    let backend = choice.backend;
    let functions = (backend == Backend::Fexit).then(Functions::of_kernel);
    check_backend(backend, support, functions.as_ref())?;
    let uring = (support.io_uring && uring::is_wanted(options))
        .then(uring::Places::find)
        .flatten();
    let groups = lanes::buffer_groups(options)?;
    let slots = support::cpus("possible")
        .last()
        .map_or(1, |last| last + 1)
        .min(MAX_CPUS);
    let boot_time = boot_time();
    let machine = Machine {
        support,
        uring,
        boot_time,
        slots,
    };

    let bytes = programs::object(backend);
    let open = objects::open(bytes)?;
    let available = programs::names(&open);
    let first = Copy::first(options, backend, uring, functions.as_ref(), &available);
    let mut open = machine.prepare(open, options, first.backend, first.part)?;
    let table = lanes::make_table(slots)?;
    let (rings, ring_slots) = lanes::make_rings(options, &groups)?;
    reuse(&mut open, "rings", table.as_fd())?;
    let (objects, filled) = std::thread::scope(|scope| {
        let filler = scope.spawn(|| lanes::fill_table(&table, &ring_slots));
        let objects = Objects::load(bytes, open, &first.early(), &first.functions());
        (objects, filler.join().expect("it does not panic"))
    });
    let objects = objects?;
    filled?;

    let shared = Arc::new(Shared::map(objects.map(".data.shared")?.as_fd(), slots)?);
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
    fill_dispatch_table(&objects, &first)?;
    let mut hold = Hold::default();
    hold.attach_first(&objects, &first, options, functions.as_ref())?;
    let doorbell = objects.map_fd("doorbell")?;
    let memory = [
        ("drafts", objects.map_fd("drafts")?),
        ("doorbell", objects.map_fd("doorbell")?),
        (".data.shared", objects.map_fd(".data.shared")?),
    ];
    let mut tables = vec![objects.map_fd("exits")?];
    // Links hold what is attached: when the late ones are, the rest, descriptors above all, is not needed
    // any more.
    let late = Late {
        objects,
        copy: first,
    };
    let others = Copy::others(
        options,
        backend,
        support,
        functions.as_ref(),
        programs::names_of,
    );
    for copy in others {
        let bytes = programs::object(copy.backend);
        let open = objects::open(bytes)?;
        let mut open = machine.prepare(open, options, copy.backend, copy.part)?;
        reuse(&mut open, "rings", table.as_fd())?;
        for (name, map) in &memory {
            reuse(&mut open, name, map.as_fd())?;
        }
        let objects = Objects::load(bytes, open, &copy.programs, &copy.functions())?;
        fill_dispatch_table(&objects, &copy)?;
        hold.attach_other(&objects, &copy)?;
        tables.push(objects.map_fd("exits")?);
    }
    hold.seal();
    shared.watch_programs(std::mem::take(&mut hold.on_functions));
    let loaded = Loaded {
        shared,
        rings,
        doorbell,
        filtering,
        choice: choice.clone(),
        boot_time,
        first_events: begun.elapsed(),
        hold,
        _tables: tables,
    };
    Ok((loaded, late))
}

/// Hands a map over that exists already.
fn reuse(open: &mut OpenObject, name: &str, map: BorrowedFd<'_>) -> Result<(), Error> {
    open.maps_mut()
        .find(|map| map.name() == OsStr::new(name))
        .expect("the object was built with this map")
        .reuse_fd(map)
        .map_err(|e| Error::load(format!("hand over the map {name}"), e))
}

/// What every copy of the programs is told of the machine.
struct Machine<'a> {
    support: &'a Support,
    uring: Option<uring::Places>,
    boot_time: u64,
    slots: usize,
}

/// Sets an object up with everything on that makes programs longer: for who wants to know what they cost
/// at most.
pub(crate) fn prepare_longest(open: OpenObject, backend: Backend) -> Result<OpenObject, Error> {
    let support = Support {
        ia32: cfg!(target_arch = "x86_64"),
        ..support::support()
    };
    let machine = Machine {
        support: &support,
        uring: uring::Places::find(),
        boot_time: boot_time(),
        slots: 1,
    };
    let options = Options {
        name_snaplen: 512,
        drop_failed: true,
        ..Options::default()
    };
    machine.prepare(open, &options, backend, Part::All)
}

impl Machine<'_> {
    /// Sets what has to be set before a copy is loaded.
    fn prepare(
        &self,
        mut open: OpenObject,
        options: &Options,
        backend: Backend,
        part: Part,
    ) -> Result<OpenObject, Error> {
        self.write_settings(&mut open, options, part)?;
        size_maps(&mut open, backend, self.slots as u32, page_size() as u32)?;
        Ok(open)
    }

    fn write_settings(
        &self,
        open: &mut OpenObject,
        options: &Options,
        part: Part,
    ) -> Result<(), Error> {
        let mut settings = Settings {
            boot_time: self.boot_time,
            snaplen: options.snaplen,
            drop_failed: u8::from(options.drop_failed),
            ia32: u8::from(self.support.ia32),
            uring_complete_members: u8::from(
                self.uring.is_some_and(|places| places.complete_members),
            ),
            part: part as u8,
            name_snaplen: options.name_snaplen,
            names_alone: names::bits(&options.names_alone),
            others_left_out: u32::from(options.own_events == SelfFilter::Others),
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
        for call in &SYSCALLS {
            settings.code_table[usize::from(call.number)] = call.code;
        }
        let mut map = open
            .maps_mut()
            .find(|map| map.name() == OsStr::new(".rodata.settings"))
            .expect("the object was built with this section");
        map.set_initial_value(settings.bytes())
            .map_err(|e| Error::load("write the settings", e))
    }
}

/// What a way of attaching needs of the kernel.
fn check_backend(
    backend: Backend,
    support: &Support,
    functions: Option<&Functions>,
) -> Result<(), Error> {
    if !support.loops && matches!(backend, Backend::Tracepoint | Backend::Fexit) {
        return Err(Error::Kernel {
            what: "it has no loops in BPF programs, which this way of attaching needs",
            remedy: "leave the choice of the way to the monitor, or boot Linux 5.17 or later",
        });
    }
    let Some(functions) = functions else {
        return Ok(());
    };
    if support.ia32 && !functions.has(crate::functions::NARROW) {
        return Err(Error::Kernel {
            what: "its 32-bit programs' calls do not go through one function",
            remedy: "leave the choice of the way to the monitor, or boot Linux 6.9 or later",
        });
    }
    match functions.are_open() {
        Ok(_) => Ok(()),
        Err(Error::System { refusal, .. })
            if refusal.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Err(Error::Kernel {
                what: "it refuses programs on the ends of its functions, as kernels do that are locked down",
                remedy: "leave the choice of the way to the monitor",
            })
        }
        Err(error) => Err(error),
    }
}

fn check_options(options: &Options) -> Result<(), Error> {
    if options.snaplen.max(options.name_snaplen) > 65_000 {
        return Err(Error::Options(format!(
            "a snap length of {} bytes is more than an event can hold; at most 65,000",
            options.snaplen.max(options.name_snaplen)
        )));
    }
    Ok(())
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

/// Drafts of a CPU; as `DRAFTS` in `bpf/include/maps.bpf.h`.
fn drafts(backend: Backend) -> u32 {
    if backend == Backend::Fexit { 2 } else { 1 }
}

/// Sizes the maps for `cpus` CPU numbers.
fn size_maps(open: &mut OpenObject, backend: Backend, cpus: u32, page: u32) -> Result<(), Error> {
    for mut map in open.maps_mut() {
        let entries = match map.name().to_str() {
            Some("rings") => LANES * cpus,
            Some("drafts") => drafts(backend) * cpus,
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

/// Says which program is a call's, where one program calls the others.
fn fill_dispatch_table(objects: &Objects, copy: &Copy) -> Result<(), Error> {
    let entrance = plan::entrance(copy.backend);
    if !copy.programs.contains(entrance) {
        return Ok(());
    }
    let table = objects.map("exits")?;
    for call in copy.calls.iter().filter(|call| call.program != entrance) {
        let program = objects.program(&call.program)?;
        let fd = program.as_fd().as_raw_fd().to_ne_bytes();
        table
            .update(&u32::from(call.number).to_ne_bytes(), &fd, MapFlags::ANY)
            .map_err(|e| Error::load(format!("register {}", call.name), e))?;
    }
    Ok(())
}

/// The numbers to compare with are those of the initial namespace, which we may not be in: a
/// program that is run on our behalf reads them.
fn set_own(objects: &Objects, shared: &Shared, filter: SelfFilter) -> Result<(), Error> {
    let kind = match filter {
        SelfFilter::Off => return Ok(()),
        SelfFilter::Process => 0,
        SelfFilter::Thread => 1,
        SelfFilter::Others => 2,
    };
    shared.set_own(0, kind & 1);
    let program = objects.program("t_whoami")?;
    let id = program.test_run(ProgramInput::default()).map_or_else(
        // Before 5.10 raw tracepoint programs cannot be run like that.
        |_| std::process::id(),
        |output| output.return_value,
    );
    shared.set_own(id, kind);
    Ok(())
}
