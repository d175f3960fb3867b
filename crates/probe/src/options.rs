//! What to watch and with how much memory.

use event::syscalls;

use crate::filters::Filters;

/// A set of system calls, by the native 64-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscalls([u64; 8]);

impl Syscalls {
    /// No system call.
    #[must_use]
    pub const fn none() -> Self {
        Self([0; 8])
    }

    /// Every system call that the portable table knows.
    #[must_use]
    pub fn all() -> Self {
        syscalls::SYSCALLS
            .iter()
            .fold(Self::none(), |set, call| set.with(call.number))
    }

    /// The calls with these portable codes (`ppm_sc`); codes this machine lacks are left out.
    #[must_use]
    pub fn from_codes(codes: impl IntoIterator<Item = u16>) -> Self {
        let mut set = Self::none();
        for code in codes {
            for call in syscalls::SYSCALLS.iter().filter(|call| call.code == code) {
                set.insert(call.number);
            }
        }
        set
    }

    /// The calls with these names; `Err` holds the first name that is none.
    ///
    /// # Errors
    /// A name that no system call of this machine has.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut set = Self::none();
        for name in names {
            let call = syscalls::SYSCALLS.iter().find(|call| call.name == name);
            set.insert(call.ok_or(name)?.number);
        }
        Ok(set)
    }

    /// With one more.
    #[must_use]
    pub const fn with(mut self, number: u16) -> Self {
        self.insert(number);
        self
    }

    /// Adds one; numbers from 512 are no system calls and are ignored.
    pub const fn insert(&mut self, number: u16) {
        if (number as usize) < 512 {
            self.0[number as usize / 64] |= 1 << (number % 64);
        }
    }

    /// Whether `number` is in the set.
    #[must_use]
    pub const fn contains(&self, number: u16) -> bool {
        (number as usize) < 512 && self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// All numbers in the set, rising.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..512).filter(|&n| self.contains(n))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 8]
    }
}

/// Tracepoints beside the system calls. Exec and exit are always on: nothing makes sense without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracepoints {
    /// `signaldeliver` events.
    pub signal: bool,
    /// `switch` events: many.
    pub switch: bool,
    /// `page_fault` events: many.
    pub page_fault: bool,
}

/// How the programs of system calls are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Backend {
    /// The cheapest that sees everything on this machine.
    #[default]
    Auto,
    /// One program on raw `sys_exit` that calls the others.
    Dispatch,
    /// The tracepoint of each call; where 32-bit programs can run, with the dispatcher for these.
    Tracepoint,
    /// The end of each call's function. Not on kernels that are locked down.
    Fexit,
}

impl Backend {
    /// All, with the names that people use.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("dispatch", Self::Dispatch),
        ("tracepoint", Self::Tracepoint),
        ("function", Self::Fexit),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(_, way)| *way == self)
            .map_or("", |(name, _)| name)
    }
}

impl std::str::FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, way)| *way).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            format!("`{text}` is no way of attaching; there are {names}")
        })
    }
}

/// Size of one buffer for bulk events, as Falco's presets 1 to 10: 1 MiB to 512 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSize(u8);

impl BufferSize {
    /// A preset; `None` if it is not 1 to 10.
    #[must_use]
    pub const fn preset(number: u8) -> Option<Self> {
        if number >= 1 && number <= 10 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        1 << (19 + self.0 as u32)
    }
}

impl Default for BufferSize {
    fn default() -> Self {
        Self(4)
    }
}

/// Whether the monitor's own system calls are left out in the kernel. Its clone, exec and exit
/// events always come: the process tree needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SelfFilter {
    /// They are reported.
    Off,
    /// Those of the thread that opened the probe are left out.
    Thread,
    /// Those of the whole process are left out.
    #[default]
    Process,
    /// Those of everybody else are left out, but for its children's: for measurements whose sums must agree
    /// whatever else runs on the machine. (The programs and ends of others are told.)
    Others,
}

/// What to watch and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// System calls that are reported when they return.
    pub syscalls: Syscalls,
    /// Other sources.
    pub tracepoints: Tracepoints,
    /// Whether `open`, `openat2`, `creat`, `connect` are also reported on entry, against races.
    pub enter_events: bool,
    /// The same for `openat`, the busiest of them.
    pub enter_openat: bool,
    /// Whether what io_uring does is told too, as far as the same system calls are asked for.
    pub io_uring: bool,
    /// Bytes of data buffers that are kept; at most 65,000.
    pub snaplen: u32,
    /// Bytes that are kept of what goes to and comes from name servers (port 53), where that is more;
    /// 0: as of all other data.
    pub name_snaplen: u32,
    /// Calls of which only those with name servers are wanted: see [`crate::name_calls`]. They are to be
    /// among `syscalls`.
    pub names_alone: Syscalls,
    /// Calls that nobody reads, and that the kernel side leaves out therefore.
    pub filters: Filters,
    /// Leave out calls that failed.
    pub drop_failed: bool,
    /// Size of a buffer of bulk events.
    pub buffer: BufferSize,
    /// How many CPUs share a buffer; 0: all of them.
    pub cpus_per_buffer: u16,
    /// Buffers for CPUs that are online now; otherwise for all that may ever be.
    pub online_only: bool,
    /// What to do with events of our own.
    pub own_events: SelfFilter,
    /// Way of attaching.
    pub backend: Backend,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            syscalls: Syscalls::all(),
            tracepoints: Tracepoints {
                signal: true,
                switch: false,
                page_fault: false,
            },
            enter_events: true,
            enter_openat: false,
            io_uring: true,
            snaplen: 80,
            name_snaplen: 0,
            names_alone: Syscalls::none(),
            filters: Filters::default(),
            drop_failed: false,
            buffer: BufferSize::default(),
            cpus_per_buffer: 2,
            online_only: true,
            own_events: SelfFilter::default(),
            backend: Backend::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_calls() {
        let set = Syscalls::from_names(["read", "openat2"]).unwrap();
        assert!(set.contains(0) && set.contains(437) && !set.contains(1));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 437]);
        assert_eq!(Syscalls::from_names(["read", "nonsense"]), Err("nonsense"));
        assert!(!Syscalls::none().with(5000).contains(5000));
        assert_eq!(Syscalls::all().iter().count(), syscalls::SYSCALLS.len());
    }

    #[test]
    fn ways_have_names() {
        for (name, way) in Backend::NAMES {
            assert_eq!(name.parse(), Ok(way));
            assert_eq!(way.name(), name);
        }
        let refused = "kprobe".parse::<Backend>().unwrap_err();
        assert!(refused.contains("kprobe") && refused.contains("dispatch"));
    }

    #[test]
    fn presets() {
        assert_eq!(BufferSize::default().bytes(), 8 << 20);
        assert_eq!(BufferSize::preset(10).unwrap().bytes(), 512 << 20);
        assert!(BufferSize::preset(0).is_none() && BufferSize::preset(11).is_none());
    }
}
