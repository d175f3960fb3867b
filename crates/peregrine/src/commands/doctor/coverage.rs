//! Which rules see less than they ask for.

use std::collections::BTreeSet;

use event::syscalls::{SYSCALL_NAMES, X86_64_SYSCALLS};
use probe::Support;
use rules::{CodeSet, RuleSet};

use super::Loss;
use crate::watch::{Machine, Wanted};

/// Rules that ask for so many calls do not name what they want.
const UNRESTRICTED: usize = 300;

/// Rules whose system calls are not all watched.
pub(super) fn losses(
    rules: &RuleSet,
    order: &[usize],
    wanted: &Wanted,
    machine: &Machine,
    support: &Support,
) -> Vec<Loss> {
    let unseen = unseen(support, machine);
    let attached: BTreeSet<&str> = machine.attached().collect();
    let mut losses = Vec::new();
    for rule in order.iter().map(|&at| &rules.rules[at]) {
        if rule.source != "syscall" || rule.syscall_codes.len() >= UNRESTRICTED {
            continue;
        }
        let of_here = here(&rule.syscall_codes);
        let left_out = of_here.minus(&wanted.calls);
        if !left_out.is_empty() {
            losses.push(Loss {
                rule: rule.name.clone(),
                events: names(&left_out),
                because: "base_syscalls leaves them out",
            });
        }
        let unattached: Vec<&'static str> = names(&of_here.and(&wanted.calls))
            .into_iter()
            .filter(|name| !attached.contains(name))
            .collect();
        if !unattached.is_empty() {
            losses.push(Loss {
                rule: rule.name.clone(),
                events: unattached,
                because: "this kernel lacks them",
            });
        }
        let asked = names(&of_here);
        for (calls, because) in &unseen {
            let events: Vec<&'static str> = asked
                .iter()
                .copied()
                .filter(|name| calls.contains(name))
                .collect();
            if !events.is_empty() {
                losses.push(Loss {
                    rule: rule.name.clone(),
                    events,
                    because,
                });
            }
        }
    }
    losses
}

/// Calls of which this kernel does not show all, and what that is.
fn unseen(support: &Support, machine: &Machine) -> Vec<(Vec<&'static str>, &'static str)> {
    let mut unseen = Vec::new();
    if !support.io_uring {
        unseen.push((
            probe::io_uring_syscalls(),
            "where io_uring does it, this kernel does not show it",
        ));
    }
    if !support.loops {
        unseen.push((
            vec!["sendmmsg", "recvmmsg"],
            "only the first message: this kernel has no loops in BPF programs",
        ));
    }
    if machine.entries() == 0 {
        unseen.push((
            vec!["open", "openat2", "creat", "connect"],
            "as the call began: a race can show another path or address",
        ));
    }
    unseen
}

/// All rules of the kernel's events: none of them can be watched.
pub(super) fn all_lost(rules: &RuleSet, order: &[usize]) -> Vec<Loss> {
    order
        .iter()
        .map(|&at| &rules.rules[at])
        .filter(|rule| rule.source == "syscall")
        .map(|rule| Loss {
            rule: rule.name.clone(),
            events: Vec::new(),
            because: "the kernel cannot be watched",
        })
        .collect()
}

/// Those that this architecture has at all: nobody misses a call that no program can make.
fn here(codes: &CodeSet) -> CodeSet {
    codes
        .iter()
        .filter(|code| X86_64_SYSCALLS.iter().any(|call| call.code == *code))
        .collect()
}

fn names(codes: &CodeSet) -> Vec<&'static str> {
    codes
        .iter()
        .filter_map(|code| SYSCALL_NAMES.get(usize::from(code)).copied())
        .collect()
}
