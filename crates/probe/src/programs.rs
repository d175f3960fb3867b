//! The compiled programs, and which of them a set of options needs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use event::syscalls::SYSCALLS;
use libbpf_rs::ObjectBuilder;

use crate::functions::Functions;
use crate::options::{Options, Tracepoints};
use crate::{Backend, Error, btf};

/// An object file whose bytes are aligned as an ELF reader wants them.
#[repr(align(16))]
struct Object<const N: usize>([u8; N]);

static DISPATCH: &Object<{ include_bytes!(concat!(env!("OUT_DIR"), "/dispatch.bpf.o")).len() }> =
    &Object(*include_bytes!(concat!(env!("OUT_DIR"), "/dispatch.bpf.o")));
static TRACEPOINT: &Object<
    { include_bytes!(concat!(env!("OUT_DIR"), "/tracepoint.bpf.o")).len() },
> = &Object(*include_bytes!(concat!(
    env!("OUT_DIR"),
    "/tracepoint.bpf.o"
)));
static OLD: &Object<{ include_bytes!(concat!(env!("OUT_DIR"), "/old.bpf.o")).len() }> =
    &Object(*include_bytes!(concat!(env!("OUT_DIR"), "/old.bpf.o")));
static FEXIT: &Object<{ include_bytes!(concat!(env!("OUT_DIR"), "/fexit.bpf.o")).len() }> =
    &Object(*include_bytes!(concat!(env!("OUT_DIR"), "/fexit.bpf.o")));

/// All of them.
pub(crate) fn objects() -> [&'static [u8]; 4] {
    [&DISPATCH.0, &TRACEPOINT.0, &OLD.0, &FEXIT.0]
}

/// The object for a way of attaching.
pub(crate) fn object(backend: Backend) -> &'static [u8] {
    match backend {
        Backend::Auto | Backend::Dispatch if btf::Kernel::running().loops => &DISPATCH.0,
        Backend::Auto | Backend::Dispatch => &OLD.0,
        Backend::Tracepoint => &TRACEPOINT.0,
        Backend::Fexit => &FEXIT.0,
    }
}

/// Name of a system call's own program.
fn exit_program(syscall: &str) -> String {
    format!("x_{syscall}")
}

/// Calls that the dispatcher's programs have no program of their own for, but another call's.
const TOLD_BY: [(&str, &str); 3] = [("clone3", "clone"), ("fork", "clone"), ("vfork", "clone")];

/// The program of a system call: its own, or that of several.
pub(crate) fn of_call(syscall: &str, available: &BTreeSet<String>) -> Option<String> {
    let other = TOLD_BY.iter().find(|(call, _)| *call == syscall);
    let names = [Some(syscall), other.map(|(_, program)| *program)];
    let mut programs = names.into_iter().flatten().map(exit_program);
    programs.find(|program| available.contains(program))
}

/// Tracepoints with a typed program each: program, tracepoint.
const TYPED: [(&str, &str); 6] = [
    ("t_exec", "sched_process_exec"),
    ("t_exit", "sched_process_exit"),
    ("t_signal", "signal_deliver"),
    ("t_switch", "sched_switch"),
    ("t_fault_user", "page_fault_user"),
    ("t_fault_kernel", "page_fault_kernel"),
];

/// Typed tracepoint programs that are wanted.
pub(crate) fn typed(wanted: Tracepoints) -> Vec<(&'static str, &'static str)> {
    TYPED
        .into_iter()
        .filter(|(program, _)| match *program {
            "t_signal" => wanted.signal,
            "t_switch" => wanted.switch,
            "t_fault_user" | "t_fault_kernel" => wanted.page_fault && cfg!(target_arch = "x86_64"),
            _ => true,
        })
        .collect()
}

/// System calls with an entry event that are wanted.
pub(crate) fn entries(options: &Options) -> Vec<&'static str> {
    let mut names = Vec::new();
    if options.enter_events {
        names.extend(["open", "openat2", "creat", "connect"]);
    }
    if options.enter_openat {
        names.push("openat");
    }
    names.retain(|name| {
        let call = SYSCALLS.iter().find(|call| call.name == *name);
        call.is_some_and(|call| options.syscalls.contains(call.number))
    });
    names
}

/// What the verifier looked at for one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Program name.
    pub name: String,
    /// Instructions it has.
    pub instructions: usize,
    /// Instructions the verifier went through; 0 where the kernel does not tell (before 5.16).
    pub verified: u32,
}

/// Puts a program that sits on a function where this kernel has the call's; `false` if it has none.
fn place(program: &mut libbpf_rs::OpenProgramMut<'_>, functions: Option<&Functions>) -> bool {
    let Some(functions) = functions else {
        return true;
    };
    let section = program.section().to_string_lossy().into_owned();
    if !section.contains("fexit/") {
        return true;
    }
    let name = program.name().to_string_lossy().into_owned();
    let call = name.strip_prefix("x_").unwrap_or("getpriority");
    let function = functions.of(call).or_else(|| functions.of("getpriority"));
    function.is_some() && program.set_attach_target(0, function).is_ok()
}

/// Loads every program of a way of attaching, as long as settings can make it, without attaching any, and
/// tells their costs.
///
/// # Errors
/// The kernel refused a program.
pub fn verifier_costs(backend: Backend) -> Result<Vec<ProgramCost>, Error> {
    crate::loader::keep_libbpf_log();
    let mut open = ObjectBuilder::default()
        .open_memory(object(backend))
        .map_err(|e| Error::load("open the programs", e))?;
    let functions = (backend == Backend::Fexit).then(Functions::of_kernel);
    let mut sizes = BTreeMap::new();
    for mut program in open.progs_mut() {
        let placed = place(&mut program, functions.as_ref());
        program.set_autoload(placed);
        sizes.insert(
            program.name().to_string_lossy().into_owned(),
            program.insn_cnt(),
        );
    }
    let loaded = crate::loader::prepare_longest(open, backend)?
        .load()
        .map_err(|e| Error::load("load the programs", e))?;
    let mut costs = Vec::new();
    for program in loaded.progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        costs.push(ProgramCost {
            instructions: sizes.get(&name).copied().unwrap_or(0),
            verified: crate::functions::program_info(program.as_fd())
                .map_or(0, |info| info.verified_insns),
            name,
        });
    }
    costs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(costs)
}

/// The programs that this kernel refuses, each with the kernel's reason: for whoever ports them.
///
/// # Errors
/// The kernel refused something else than a program.
pub fn refused_programs(backend: Backend) -> Result<Vec<(String, String)>, Error> {
    crate::loader::keep_libbpf_log();
    let functions = (backend == Backend::Fexit).then(Functions::of_kernel);
    let mut refused: Vec<(String, String)> = Vec::new();
    loop {
        let mut open = ObjectBuilder::default()
            .open_memory(object(backend))
            .map_err(|e| Error::load("open the programs", e))?;
        for mut program in open.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            let placed = place(&mut program, functions.as_ref());
            program.set_autoload(placed && refused.iter().all(|(known, _)| *known != name));
        }
        let open = crate::loader::prepare_longest(open, backend)?;
        let Err(error) = open.load() else {
            return Ok(refused);
        };
        let log = crate::loader::libbpf_log();
        let name = log
            .rsplit_once("libbpf: prog '")
            .and_then(|(_, rest)| rest.split('\'').next())
            .map(str::to_owned);
        match name {
            Some(name) if refused.iter().all(|(known, _)| *known != name) => {
                refused.push((name, log));
            }
            _ => return Err(Error::load("load the programs", error)),
        }
    }
}

/// Programs of the object for a way of attaching, by name.
pub(crate) fn names_of(backend: Backend) -> BTreeSet<String> {
    ObjectBuilder::default()
        .open_memory(object(backend))
        .map(|open| names(&open))
        .unwrap_or_default()
}

/// Programs of the object, by name.
pub(crate) fn names(open: &libbpf_rs::OpenObject) -> BTreeSet<String> {
    open.progs()
        .map(|p| p.name().to_string_lossy().into_owned())
        .collect()
}
