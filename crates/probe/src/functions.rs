//! The kernel's functions that system calls end in, and small programs on them.
//!
//! A call `NAME` ends in `__x64_sys_NAME`, which unpacks the registers. A call without arguments has
//! nothing to unpack: that name is a second one there of `__do_sys_NAME`, and type information
//! knows only the latter. 32-bit programs' calls end in some other two hundred functions, but they all
//! go through one; those that seccomp answers itself end in none.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::{Error, btf};

#[cfg(target_arch = "aarch64")]
const PREFIX: &str = "__arm64_sys_";
#[cfg(not(target_arch = "aarch64"))]
const PREFIX: &str = "__x64_sys_";

/// All system calls of 32-bit x86 programs go through it; since 6.9, and kept in fixed older ones.
pub(crate) const NARROW: &str = "ia32_sys_call";
/// Says whether a call of a process with filters may run.
pub(crate) const REFUSAL: &str = "__secure_computing";

/// Names and types' numbers.
pub(crate) struct Functions(HashMap<String, u32>);

impl Functions {
    /// Looks them up in the running kernel.
    pub(crate) fn of_kernel() -> Self {
        Self(btf::functions(|name| {
            name.starts_with(PREFIX.as_bytes())
                || name.starts_with(b"__do_sys_")
                || name == NARROW.as_bytes()
                || name == REFUSAL.as_bytes()
        }))
    }

    /// Where `syscall` ends; `None` if this kernel does not have it.
    pub(crate) fn of(&self, syscall: &str) -> Option<String> {
        let name = kernel_name(syscall);
        [format!("{PREFIX}{name}"), format!("__do_sys_{name}")]
            .into_iter()
            .find(|name| self.0.contains_key(name))
    }

    /// Whether there is a function of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Number of its type.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Whether programs may sit on the ends of functions here: tried with one that does nothing.
    /// (Kernels that are locked down refuse it, or have no tracing of functions.)
    pub(crate) fn are_open(&self) -> Result<OwnedFd, Error> {
        let Some(id) = self.of("getpriority").and_then(|name| self.id(&name)) else {
            return Err(Error::Kernel {
                what: "its system calls have no functions with type information",
                remedy: "leave the choice of the way to the monitor",
            });
        };
        let program = load_on(id, &empty())?;
        attach_on(&program)
    }
}

/// Name of the kernel's function where it is not the system call's.
pub(crate) fn kernel_name(syscall: &str) -> &str {
    match syscall {
        "stat" => "newstat",
        "lstat" => "newlstat",
        "fstat" => "newfstat",
        "uname" => "newuname",
        "umount2" => "umount",
        "sendfile" => "sendfile64",
        #[cfg(target_arch = "aarch64")]
        "fadvise64" => "fadvise64_64",
        #[cfg(target_arch = "aarch64")]
        "personality" => "arm64_personality",
        other => other,
    }
}

/// `return 0`.
pub(crate) fn empty() -> [libbpf_sys::bpf_insn; 2] {
    const SET: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    [SET, EXIT].map(|code| libbpf_sys::bpf_insn {
        code,
        ..Default::default()
    })
}

/// Loads instructions as a program on the end of the function whose type has this number.
pub(crate) fn load_on(
    function: u32,
    instructions: &[libbpf_sys::bpf_insn],
) -> Result<OwnedFd, Error> {
    let options = libbpf_sys::bpf_prog_load_opts {
        expected_attach_type: libbpf_sys::BPF_TRACE_FEXIT,
        attach_btf_id: function,
        ..Default::default()
    };
    load_program(libbpf_sys::BPF_PROG_TYPE_TRACING, instructions, options)
}

/// Loads instructions as a program.
pub(crate) fn load_program(
    kind: libbpf_sys::bpf_prog_type,
    instructions: &[libbpf_sys::bpf_insn],
    mut options: libbpf_sys::bpf_prog_load_opts,
) -> Result<OwnedFd, Error> {
    options.sz = size_of_val(&options) as libbpf_sys::size_t;
    let license = CString::new("Dual BSD/GPL").expect("no NUL in it");
    // SAFETY: instructions and their number, a string, options that state their size; the kernel
    // checks the instructions; the descriptor is owned from here on.
    unsafe {
        let fd = libbpf_sys::bpf_prog_load(
            kind,
            c"peregrine".as_ptr(),
            license.as_ptr(),
            instructions.as_ptr(),
            instructions.len() as libbpf_sys::size_t,
            &raw mut options,
        );
        if fd < 0 {
            return Err(Error::System {
                action: "load a program on the end of a function".into(),
                refusal: std::io::Error::from_raw_os_error(-fd),
            });
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Attaches a program to the function that it was loaded for; it stays as long as the descriptor.
pub(crate) fn attach_on(program: &OwnedFd) -> Result<OwnedFd, Error> {
    open_raw(std::ptr::null(), program, "attach to the end of a function")
}

/// Attaches a program to a raw tracepoint; it stays as long as the descriptor.
pub(crate) fn attach_raw(tracepoint: &std::ffi::CStr, program: &OwnedFd) -> Result<OwnedFd, Error> {
    open_raw(tracepoint.as_ptr(), program, "attach to a raw tracepoint")
}

fn open_raw(
    name: *const std::ffi::c_char,
    program: &OwnedFd,
    action: &str,
) -> Result<OwnedFd, Error> {
    // SAFETY: a string or none, and a program; the descriptor is owned from here on.
    unsafe {
        let fd = libbpf_sys::bpf_raw_tracepoint_open(name, program.as_raw_fd());
        if fd < 0 {
            return Err(Error::System {
                action: action.into(),
                refusal: std::io::Error::from_raw_os_error(-fd),
            });
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// How often the programs of these numbers were passed over because they were still running on that
/// CPU, put aside by the scheduler. The kernel counts that (5.12).
pub(crate) fn passed_over(programs: &[u32]) -> u64 {
    let misses = |number: &u32| {
        // SAFETY: a number; the descriptor is owned from here on.
        let program = unsafe {
            let fd = libbpf_sys::bpf_prog_get_fd_by_id(*number);
            (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
        };
        program
            .and_then(|program| program_info(program.as_fd()))
            .map_or(0, |info| info.recursion_misses)
    };
    programs.iter().map(misses).sum()
}

/// What the kernel says of a program; `None` if the descriptor is of none.
pub(crate) fn program_info(program: BorrowedFd<'_>) -> Option<libbpf_sys::bpf_prog_info> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: `info` is as long as `len` says, zeroed, and all its pointers are null.
    let failed = unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(
            program.as_raw_fd(),
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    (failed == 0).then_some(info)
}

/// What the kernel says of a link; `None` if the descriptor is of none.
pub(crate) fn link_info(link: BorrowedFd<'_>) -> Option<libbpf_sys::bpf_link_info> {
    let mut info = libbpf_sys::bpf_link_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: `info` is as long as `len` says and zeroed, so it names no place for the tracepoint's name.
    let failed = unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(link.as_raw_fd(), (&raw mut info).cast(), &raw mut len)
    };
    (failed == 0).then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_without_arguments_have_another_function() {
        let known = |names: &[&str]| {
            Functions(
                (1..)
                    .zip(names)
                    .map(|(i, n)| ((*n).to_owned(), i))
                    .collect(),
            )
        };
        let functions = known(&["__x64_sys_umount", "__do_sys_fork", "__do_sys_umount"]);
        let of = |name| functions.of(name);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(of("umount2").as_deref(), Some("__x64_sys_umount"));
        }
        assert_eq!(of("fork").as_deref(), Some("__do_sys_fork"));
        assert_eq!(of("read"), None);
        assert_eq!(functions.id("__do_sys_fork"), Some(2));
    }
}
