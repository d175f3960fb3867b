//! Attaches the programs of a copy.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use libbpf_rs::Link;

use crate::functions::{self, Functions, kernel_name};
use crate::loader::{Attached, Attachment};
use crate::objects::Objects;
use crate::options::Options;
use crate::plan::{Copy, Part, entrance, generic};
use crate::tracefs::Tracefs;
use crate::{Backend, Error, programs};

/// What keeps programs where they are.
#[derive(Default)]
pub(crate) struct Hold {
    pub links: Vec<Link>,
    /// Links that libbpf knows nothing of.
    pub plain: Vec<OwnedFd>,
    /// Numbers of the programs that the kernel may pass over: those on functions.
    pub on_functions: Vec<u32>,
    pub attached: Vec<Attached>,
    /// Each link's descriptor, and the number of the program that it held at the start. What is no
    /// link is a perf event with a program on it (before 5.15), which cannot be asked.
    sealed: Vec<(i32, Option<u32>)>,
}

impl Hold {
    fn note(&mut self, name: &str, program: &str, how: Attachment) {
        self.attached.push(Attached {
            name: name.to_owned(),
            program: program.to_owned(),
            how,
        });
    }

    fn attach(&mut self, objects: &Objects, program: &str) -> Result<(), Error> {
        let link = objects
            .program(program)?
            .attach()
            .map_err(|e| Error::load(format!("attach {program}"), e))?;
        self.links.push(link);
        Ok(())
    }

    /// A copy that shows what the first one cannot.
    pub(crate) fn attach_other(&mut self, objects: &Objects, copy: &Copy) -> Result<(), Error> {
        let program = entrance(copy.backend);
        self.attach(objects, program)?;
        let how = match copy.function {
            Some(_) => Attachment::Function,
            None => Attachment::TypedTracepoint,
        };
        if copy.function.is_some() {
            for program in &copy.programs {
                self.watch(objects, program)?;
            }
        }
        let name = match copy.part {
            Part::Refused => "calls refused by seccomp",
            Part::All | Part::Narrow => "calls of 32-bit programs",
        };
        self.note(name, program, how);
        Ok(())
    }

    /// The copy that everything needs, as far as it was loaded early.
    pub(crate) fn attach_first(
        &mut self,
        objects: &Objects,
        copy: &Copy,
        options: &Options,
        functions: Option<&Functions>,
    ) -> Result<(), Error> {
        // Exits and executions first: whoever is seen to begin is then seen to end.
        for (program, tracepoint) in programs::typed(options.tracepoints) {
            self.attach(objects, program)?;
            self.note(tracepoint, program, Attachment::TypedTracepoint);
        }
        if copy.programs.contains("t_fork") {
            self.attach(objects, "t_fork")?;
            self.note("sched_process_fork", "t_fork", Attachment::TypedTracepoint);
        }
        match copy.backend {
            Backend::Auto | Backend::Dispatch => {
                if copy.programs.contains("dispatch") {
                    self.attach(objects, "dispatch")?;
                }
                for call in &copy.calls {
                    self.note(call.name, &call.program, Attachment::Dispatched);
                }
            }
            Backend::Tracepoint => self.attach_tracepoints(objects, copy)?,
            Backend::Fexit => self.attach_functions(objects, copy, functions)?,
        }
        self.attach_entries(objects, options)
    }

    /// What sits on tracepoints as they are.
    pub(crate) fn attach_raw(&mut self, objects: &Objects, copy: &Copy) -> Result<(), Error> {
        for (program, tracepoint) in &copy.raw {
            let link = objects
                .program(program)?
                .attach_raw_tracepoint(tracepoint)
                .map_err(|e| Error::load(format!("attach {program}"), e))?;
            self.links.push(link);
            self.note(tracepoint, program, Attachment::RawTracepoint);
        }
        Ok(())
    }

    fn attach_tracepoints(&mut self, objects: &Objects, copy: &Copy) -> Result<(), Error> {
        let tracefs = Tracefs::open()?;
        for call in &copy.calls {
            let event = format!("sys_exit_{}", kernel_name(call.name));
            let Some(event) = tracefs.perf_event("syscalls", &event)? else {
                continue;
            };
            self.attach_perf(objects, &call.program, event)?;
            self.note(call.name, &call.program, Attachment::SyscallTracepoint);
        }
        Ok(())
    }

    /// A program sits on one function: the generic one is loaded again for each but the first.
    fn attach_functions(
        &mut self,
        objects: &Objects,
        copy: &Copy,
        functions: Option<&Functions>,
    ) -> Result<(), Error> {
        let mut is_first = true;
        for call in &copy.calls {
            if call.program != generic(copy.backend) || std::mem::take(&mut is_first) {
                self.attach(objects, &call.program)?;
                self.watch(objects, &call.program)?;
            } else if let Some(id) = call
                .function
                .as_ref()
                .and_then(|name| functions.and_then(|functions| functions.id(name)))
            {
                let program = objects.program(&call.program)?;
                // Functions that never return, above all, can have none.
                let Ok(link) = functions::load_on(id, program.insns())
                    .and_then(|again| functions::attach_on(&again))
                else {
                    continue;
                };
                self.on_functions.extend(held_program(link.as_raw_fd()));
                self.plain.push(link);
            }
            self.note(call.name, &call.program, Attachment::Function);
        }
        Ok(())
    }

    fn attach_entries(&mut self, objects: &Objects, options: &Options) -> Result<(), Error> {
        let names = programs::entries(options);
        if names.is_empty() {
            return Ok(());
        }
        let Ok(tracefs) = Tracefs::open() else {
            return Ok(());
        };
        for name in names {
            let Some(event) = tracefs.perf_event("syscalls", &format!("sys_enter_{name}"))? else {
                continue;
            };
            let program = format!("e_{name}");
            self.attach_perf(objects, &program, event)?;
            self.note(
                &format!("{name} (entry)"),
                &program,
                Attachment::SyscallTracepoint,
            );
        }
        Ok(())
    }

    fn attach_perf(
        &mut self,
        objects: &Objects,
        program: &str,
        event: OwnedFd,
    ) -> Result<(), Error> {
        // The link closes the perf event, but only once there is a link.
        let raw = event.into_raw_fd();
        let link = objects
            .program(program)?
            .attach_perf_event(raw)
            .map_err(|e| {
                // SAFETY: libbpf left the descriptor to us when it failed.
                drop(unsafe { OwnedFd::from_raw_fd(raw) });
                Error::load(format!("attach {program}"), e)
            })?;
        self.links.push(link);
        Ok(())
    }

    /// Counts how often the kernel passes over a program.
    fn watch(&mut self, objects: &Objects, program: &str) -> Result<(), Error> {
        let program = objects.program(program)?;
        let info = functions::program_info(program.as_fd());
        self.on_functions.extend(info.map(|info| info.id));
        Ok(())
    }

    /// Remembers what is in place, now that all is.
    pub(crate) fn seal(&mut self) {
        let ours = self.links.iter().map(AsFd::as_fd);
        let plain = self.plain.iter().map(AsFd::as_fd);
        self.sealed = ours
            .chain(plain)
            .map(|link| (link.as_raw_fd(), held_program(link.as_raw_fd())))
            .collect();
    }

    /// How many links do not hold what they did: see [`crate::Probe::intact`].
    pub(crate) fn missing(&self) -> usize {
        let gone = |(fd, program): &&(i32, Option<u32>)| match program {
            Some(program) => held_program(*fd) != Some(*program),
            // SAFETY: only the number is looked at, by a call that takes any.
            None => unsafe { libc::fcntl(*fd, libc::F_GETFD) < 0 },
        };
        self.sealed.iter().filter(gone).count()
    }
}

/// Number of the program that a link holds; `None` if the descriptor is no link, or closed.
fn held_program(fd: i32) -> Option<u32> {
    if fd < 0 {
        return None;
    }
    // SAFETY: only the number is handed to a call that takes any, and not kept.
    functions::link_info(unsafe { BorrowedFd::borrow_raw(fd) }).map(|info| info.prog_id)
}
