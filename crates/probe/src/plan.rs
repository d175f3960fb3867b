//! Which programs are loaded, how often, and what for.
//!
//! Some ways of attaching need the programs more than once, for part of the calls each ([`Part`]): a
//! copy is an object of its own, which shares the first one's memory and buffers.

use std::collections::{BTreeMap, BTreeSet};

use event::syscalls::{IA32_TO_X86_64, SYSCALLS};

use crate::functions::{self, Functions};
use crate::options::Options;
use crate::support::Support;
use crate::{Backend, programs, uring};

/// What a copy of the programs is for; as in `bpf/include/maps.bpf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    /// All calls, or all that the way shows.
    All = 0,
    /// Those of 32-bit programs.
    Narrow = 1,
    /// Those that seccomp answers itself.
    Refused = 2,
}

/// A wanted system call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub number: u16,
    pub name: &'static str,
    /// Its program; the generic one if it has none of its own.
    pub program: String,
    /// The function it ends in, where programs sit on functions.
    pub function: Option<String>,
}

/// A copy of the programs.
pub(crate) struct Copy {
    pub part: Part,
    /// Which object.
    pub backend: Backend,
    /// Programs to load.
    pub programs: BTreeSet<String>,
    pub calls: Vec<Call>,
    /// The function that all its programs sit on or are called from.
    pub function: Option<&'static str>,
    /// Programs on raw tracepoints: program, tracepoint.
    pub raw: Vec<(&'static str, &'static str)>,
}

/// The program of calls that have none of their own.
pub(crate) fn generic(backend: Backend) -> &'static str {
    match backend {
        Backend::Auto | Backend::Dispatch => "dispatch",
        Backend::Tracepoint | Backend::Fexit => "x_generic",
    }
}

impl Copy {
    /// The copy that everything needs.
    pub(crate) fn first(
        options: &Options,
        backend: Backend,
        uring: Option<uring::Places>,
        functions: Option<&Functions>,
        available: &BTreeSet<String>,
    ) -> Self {
        let calls: Vec<Call> = wanted(options, backend, available)
            .map(|call| Call {
                function: functions.and_then(|functions| functions.of(call.name)),
                ..call
            })
            .filter(|call| functions.is_none() || call.function.is_some())
            // These do not return: nothing can sit on their end, and there is nothing to tell.
            .filter(|call| functions.is_none() || !matches!(call.name, "exit" | "exit_group"))
            .collect();
        let mut programs: BTreeSet<String> = calls.iter().map(|c| c.program.clone()).collect();
        programs.insert("t_whoami".to_owned());
        if backend == Backend::Dispatch && !options.syscalls.is_empty() {
            programs.insert("dispatch".to_owned());
        }
        let births = ["clone", "clone3", "fork", "vfork"];
        if available.contains("t_fork") && calls.iter().any(|c| births.contains(&c.name)) {
            programs.insert("t_fork".to_owned());
        }
        programs.extend(
            programs::typed(options.tracepoints)
                .iter()
                .map(|(program, _)| (*program).to_owned()),
        );
        programs.extend(
            programs::entries(options)
                .iter()
                .map(|name| format!("e_{name}")),
        );
        let raw = uring.map(uring::Places::programs).unwrap_or_default();
        programs.extend(raw.iter().map(|(program, _)| (*program).to_owned()));
        Self {
            part: Part::All,
            backend,
            programs,
            calls,
            function: None,
            raw,
        }
    }

    /// Programs without which the rest makes little sense: all but those on raw tracepoints.
    pub(crate) fn early(&self) -> BTreeSet<String> {
        self.programs.difference(&self.late()).cloned().collect()
    }

    /// Programs that may come later: io_uring's.
    pub(crate) fn late(&self) -> BTreeSet<String> {
        let names = self.raw.iter().map(|(program, _)| (*program).to_owned());
        names.collect()
    }

    /// The function that each of its programs sits on, where they sit on functions.
    pub(crate) fn functions(&self) -> BTreeMap<String, String> {
        let own = self.calls.iter().filter_map(|call| {
            let function = match self.function {
                Some(function) => function.to_owned(),
                None => call.function.clone()?,
            };
            Some((call.program.clone(), function))
        });
        let entrance = self
            .function
            .map(|function| (entrance(self.backend).to_owned(), function.to_owned()));
        // Of several calls with one program the first: the others have programs of their own later.
        let mut functions = BTreeMap::new();
        for (program, function) in own.chain(entrance) {
            functions.entry(program).or_insert(function);
        }
        functions
    }

    /// The copies that show what the first one cannot.
    pub(crate) fn others(
        options: &Options,
        backend: Backend,
        support: &Support,
        functions: Option<&Functions>,
        available: impl Fn(Backend) -> BTreeSet<String>,
    ) -> Vec<Self> {
        if options.syscalls.is_empty() {
            return Vec::new();
        }
        match (backend, functions) {
            (Backend::Tracepoint, _) if support.ia32 => {
                let backend = Backend::Dispatch;
                vec![Self::aside(
                    options,
                    backend,
                    Part::Narrow,
                    None,
                    &available(backend),
                )]
            }
            (Backend::Fexit, Some(functions)) => {
                let mut parts = Vec::new();
                if support.ia32 {
                    parts.push((Part::Narrow, functions::NARROW));
                }
                if functions.has(functions::REFUSAL) {
                    parts.push((Part::Refused, functions::REFUSAL));
                }
                let available = available(backend);
                parts
                    .into_iter()
                    .map(|(part, function)| {
                        Self::aside(options, backend, part, Some(function), &available)
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn aside(
        options: &Options,
        backend: Backend,
        part: Part,
        function: Option<&'static str>,
        available: &BTreeSet<String>,
    ) -> Self {
        let calls: Vec<Call> = wanted(options, backend, available)
            .filter(|call| part == Part::Refused || may_be_narrow(call.number))
            .collect();
        let mut programs: BTreeSet<String> = calls.iter().map(|c| c.program.clone()).collect();
        programs.insert(entrance(backend).to_owned());
        Self {
            part,
            backend,
            programs,
            calls,
            function,
            raw: Vec::new(),
        }
    }
}

/// The program that calls the others of a copy.
pub(crate) fn entrance(backend: Backend) -> &'static str {
    match backend {
        Backend::Fexit => "t_aside",
        Backend::Auto | Backend::Dispatch | Backend::Tracepoint => "dispatch",
    }
}

fn wanted<'a>(
    options: &'a Options,
    backend: Backend,
    available: &'a BTreeSet<String>,
) -> impl Iterator<Item = Call> + 'a {
    SYSCALLS
        .iter()
        .filter(|call| options.syscalls.contains(call.number))
        .map(move |call| Call {
            number: call.number,
            name: call.name,
            program: programs::of_call(call.name, available)
                .unwrap_or_else(|| generic(backend).to_owned()),
            function: None,
        })
}

/// Whether 32-bit programs have the call, be it as one of socketcall(2).
fn may_be_narrow(number: u16) -> bool {
    let socketcall = 41..=55;
    socketcall.contains(&number)
        || IA32_TO_X86_64
            .iter()
            .any(|(_, native)| *native == number as i16)
}
