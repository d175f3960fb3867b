//! Which system calls are watched: what the rules ask for, what the state needs, what
//! `base_syscalls` adds and takes away.
//!
//! ```text
//! selected  = rules + (custom_set's names, or all that change state)
//!             with repair and no names in custom_set: rules + what the state needs for them
//! selected -= names with `!` in custom_set
//! selected -= calls that only move data, unless `all`
//! with repair and a custom_set: + what the state needs for what is selected
//! ```

use config::Settings;
use config::settings::BaseSyscalls;
use event::syscalls::{SYSCALL_NAMES, X86_64_SYSCALLS};
use event::{Category, EVENTS, EventFlags, EventInfo, codes};
use probe::{Filters, Syscalls, Tracepoints};
use rules::{CodeSet, RuleSet};

use crate::{ignored, log};

/// The selection.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Codes of system calls.
    pub(crate) calls: CodeSet,
    /// Tracepoints beside exec and exit.
    pub(crate) tracepoints: Tracepoints,
    /// What of them stays in the kernel.
    pub(crate) filters: Filters,
    /// System calls that rules name and that are not watched all the same.
    pub(crate) blind: Vec<&'static str>,
    /// Whether addresses get names: something asks for them.
    pub(crate) names: bool,
    /// Of these calls only those with name servers are watched.
    pub(crate) names_alone: CodeSet,
}

/// Fields that show what name servers were asked and said.
const NAME_FIELDS: [&str; 3] = ["fd.sip.dns", "fd.rip.dns", "dns.query"];

impl Wanted {
    /// What these rules need under these settings. `order` lists the rules that run.
    pub(crate) fn of(rules: &RuleSet, order: &[usize], settings: &Settings) -> Self {
        let running = || order.iter().map(|&at| &rules.rules[at]);
        let ours = || running().filter(|rule| rule.source == "syscall");
        let of_rules = ours().fold(CodeSet::EMPTY, |set, rule| set.or(&rule.syscall_codes));
        let base = &settings.base_syscalls;
        let mut calls = select(&of_rules, base);
        if settings.flight_recorder.enabled {
            calls = calls.or(&for_the_ring(&settings.flight_recorder.events));
        }
        let asks_names = ours().any(|rule| rule.speaks_of(&NAME_FIELDS));
        let names_alone = match asks_names {
            true => carriers(base).minus(&calls),
            false => CodeSet::EMPTY,
        };
        let blind = names(&of_rules.minus(&calls));
        // A rule without event types concerns all of them, but not for its sake alone is every
        // switch of the scheduler recorded.
        let wants = |code: u16, unasked: bool| {
            ours().any(|rule| {
                let codes = &rule.event_codes;
                codes.contains(code) && (unasked || codes.len() < EVENTS.len() / 2)
            })
        };
        Self {
            tracepoints: Tracepoints {
                signal: wants(codes::SIGNALDELIVER_E, true),
                switch: wants(codes::SCHEDSWITCH_6_E, base.all),
                page_fault: wants(codes::PAGE_FAULT_E, base.all),
            },
            calls: calls.or(&names_alone),
            filters: Filters::default(),
            blind,
            names: asks_names,
            names_alone,
        }
    }

    /// Everything, for recordings.
    pub(crate) fn everything() -> Self {
        Self {
            calls: X86_64_SYSCALLS.iter().map(|call| call.code).collect(),
            tracepoints: Tracepoints {
                signal: true,
                switch: false,
                page_fault: false,
            },
            filters: Filters::default(),
            blind: Vec::new(),
            names: false,
            names_alone: CodeSet::EMPTY,
        }
    }

    /// With more system calls.
    pub(crate) fn with(mut self, names: &[&str]) -> Self {
        for name in names {
            self.calls = self.calls.or(&named(name));
        }
        self
    }

    /// System calls that this wants and `loaded` does not have.
    pub(crate) fn beyond(&self, loaded: &Self) -> Vec<&'static str> {
        names(&self.calls.minus(&loaded.calls))
    }

    /// Whether programs that were loaded for `loaded` show less, or more, of name servers than this wants.
    pub(crate) fn names_differ(&self, loaded: &Self) -> bool {
        self.names != loaded.names || self.names_alone != loaded.names_alone
    }

    /// The calls of [`Self::names_alone`], as the probe wants them.
    pub(crate) fn names_alone(&self) -> Syscalls {
        Syscalls::from_codes(self.names_alone.iter())
    }

    /// Their names.
    pub(crate) fn names_alone_text(&self) -> String {
        match names(&self.names_alone) {
            all if all.is_empty() => "no call".to_owned(),
            all => all.join(", "),
        }
    }

    /// Names of the system calls.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        names(&self.calls)
    }

    /// As the probe wants them.
    pub(crate) fn syscalls(&self) -> Syscalls {
        Syscalls::from_codes(self.calls.iter())
    }
}

/// The selection by code.
fn select(of_rules: &CodeSet, base: &BaseSyscalls) -> CodeSet {
    let (mut added, mut removed) = (CodeSet::EMPTY, CodeSet::EMPTY);
    for name in &base.custom_set {
        let (name, set) = match name.strip_prefix('!') {
            Some(name) => (name, &mut removed),
            None => (name.as_str(), &mut added),
        };
        let found = named(name);
        if found.is_empty() {
            log::warning(&format!(
                "base_syscalls.custom_set: '{name}' is no system call; it is left out"
            ));
        }
        *set = set.or(&found);
    }
    let mut selected = if base.repair && added.is_empty() {
        repaired(of_rules)
    } else if added.is_empty() {
        of_rules.or(&state_set())
    } else {
        of_rules.or(&added)
    };
    selected = selected.minus(&removed);
    if !base.all {
        selected = selected.minus(&with(ignored::is_ignored));
    }
    if base.repair && !base.custom_set.is_empty() {
        selected = repaired(&selected);
    }
    selected
}

/// Calls over which names are asked for, but for those that the configuration takes away.
fn carriers(base: &BaseSyscalls) -> CodeSet {
    let removed = |name: &str| {
        let mut custom = base.custom_set.iter();
        custom.any(|own| own.strip_prefix('!') == Some(name))
    };
    let calls = probe::name_calls();
    let kept = calls.iter().filter(|name| !removed(name));
    kept.fold(CodeSet::EMPTY, |set, name| set.or(&named(name)))
}

/// What is captured though no rule asks for it, so that the flight recorder has it.
fn for_the_ring(events: &[String]) -> CodeSet {
    let mut set = CodeSet::EMPTY;
    for name in events {
        let found = match name.as_str() {
            "all" => Wanted::everything().calls,
            name => named(name),
        };
        if found.is_empty() {
            log::warning(&format!(
                "flight_recorder.events: '{name}' is no system call; it is left out"
            ));
        }
        set = set.or(&found);
    }
    set
}

/// Codes of a name in a configuration: of a system call, or of the event type it comes as.
pub(crate) fn named(name: &str) -> CodeSet {
    let by_name = SYSCALL_NAMES
        .iter()
        .position(|n| *n == name && !n.is_empty());
    let mut set: CodeSet = by_name.iter().map(|&code| code as u16).collect();
    let by_event = X86_64_SYSCALLS.iter().filter(|call| {
        call.exit > codes::GENERIC_X
            && EVENTS
                .get(usize::from(call.exit))
                .is_some_and(|info| info.name == name)
    });
    by_event.for_each(|call| set.insert(call.code));
    set
}

/// System calls whose event fulfils something.
fn with(fulfils: impl Fn(&EventInfo) -> bool) -> CodeSet {
    let info = |code: u16| EVENTS.get(usize::from(code));
    X86_64_SYSCALLS
        .iter()
        .filter(|call| call.exit > codes::GENERIC_X && info(call.exit).is_some_and(&fulfils))
        .map(|call| call.code)
        .collect()
}

/// Calls that change the state.
fn state_set() -> CodeSet {
    with(|info| info.flags.contains(EventFlags::MODIFIES_STATE))
}

/// Who runs what, as whom and where: without these no event has a right process.
const LIFE: [&str; 21] = [
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "chdir",
    "fchdir",
    "chroot",
    "capset",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setsid",
    "setpgid",
    "prctl",
    "setns",
    "unshare",
];
/// Where descriptors come from and go to.
const DESCRIPTORS: [&str; 8] = [
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "pidfd_getfd",
    "recvmsg",
];
/// Where files come from.
const FILES: [&str; 7] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "open_by_handle_at",
    "memfd_create",
    "pipe2",
];
/// Where sockets come from and what they are connected to.
const SOCKETS: [&str; 7] = [
    "socket",
    "socketpair",
    "bind",
    "connect",
    "accept",
    "accept4",
    "getsockopt",
];

/// A selection with what the state needs to tell its processes, files and addresses.
fn repaired(selected: &CodeSet) -> CodeSet {
    let all = |names: &[&str]| {
        names
            .iter()
            .fold(CodeSet::EMPTY, |set, name| set.or(&named(name)))
    };
    let mut set = selected.or(&all(&LIFE));
    let uses = |category: &dyn Fn(Category) -> bool| {
        let about = EventFlags::USES_FD | EventFlags::CREATES_FD;
        !with(|info| info.flags.intersects(about) && category(info.category))
            .and(selected)
            .is_empty()
    };
    let moves = uses(&|c| matches!(c, Category::IoRead | Category::IoWrite | Category::IoOther));
    let (files, net) = (
        uses(&|c| c == Category::File),
        uses(&|c| c == Category::Net),
    );
    if files || net || moves {
        set = set.or(&all(&DESCRIPTORS));
    }
    if files || moves {
        set = set.or(&all(&FILES));
    }
    if net || moves {
        set = set.or(&all(&SOCKETS));
    }
    set
}

/// Names of system calls by their codes.
pub(crate) fn names(set: &CodeSet) -> Vec<&'static str> {
    set.iter()
        .filter(|code| X86_64_SYSCALLS.iter().any(|call| call.code == *code))
        .filter_map(|code| SYSCALL_NAMES.get(usize::from(code)).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is selected where rules ask for these calls, and whether some are among it.
    fn selected(rules: &[&str], base: &BaseSyscalls) -> impl Fn(&str) -> bool + use<> {
        let rules = rules
            .iter()
            .fold(CodeSet::EMPTY, |set, name| set.or(&named(name)));
        let set = select(&rules, base);
        move |name| !named(name).and(&set).is_empty()
    }

    fn base(custom_set: &[&str], repair: bool, all: bool) -> BaseSyscalls {
        BaseSyscalls {
            custom_set: custom_set.iter().map(|name| (*name).to_owned()).collect(),
            repair,
            all,
        }
    }

    #[test]
    fn rules_and_all_that_changes_the_state() {
        let has = selected(&["connect", "write"], &base(&[], false, false));
        assert!(has("connect") && has("openat") && has("setsid") && has("eventfd2"));
        assert!(!has("mkdir"), "nobody asks for it");
        assert!(!has("write"), "it moves data only");
        let has = selected(&["connect", "write"], &base(&[], false, true));
        assert!(has("write") && has("openat"));
    }

    #[test]
    fn names_take_the_place_of_the_state_s() {
        let has = selected(&["connect"], &base(&["mkdir", "write"], false, false));
        assert!(has("connect") && has("mkdir"));
        assert!(!has("openat") && !has("clone") && !has("write"));
        let has = selected(&["connect"], &base(&["mkdir", "!connect"], false, false));
        assert!(has("mkdir") && !has("connect"));
        let has = selected(&["connect"], &base(&["!connect", "!setsid"], false, false));
        assert!(has("openat") && !has("connect") && !has("setsid"));
        let has = selected(&["connect"], &base(&["no_such_call"], false, false));
        assert!(has("connect") && has("openat"));
    }

    #[test]
    fn repaired_is_what_the_state_needs_for_it() {
        let has = selected(&["connect"], &base(&[], true, false));
        assert!(has("connect") && has("socket") && has("close") && has("clone") && has("execve"));
        assert!(!has("openat") && !has("eventfd2"), "no rule asks for files");
        let has = selected(&["openat"], &base(&[], true, false));
        assert!(has("openat") && has("dup3") && has("chdir") && !has("bind"));
        let has = selected(&["kill"], &base(&[], true, false));
        assert!(has("kill") && has("clone3") && !has("close"));
        // With names the repair comes last, and brings back what is needed.
        let has = selected(&["kill"], &base(&["connect"], true, false));
        assert!(has("kill") && has("connect") && has("socket") && !has("openat"));
        let has = selected(
            &["kill", "connect"],
            &base(&["!execve", "!kill"], true, false),
        );
        assert!(has("execve") && has("connect") && !has("kill"));
    }
}
