//! The arm64 system calls: what they have in common with those of x86_64, and the kernel's numbers.

use std::collections::BTreeMap;

use event::syscalls::{ARM64_SYSCALLS, X86_64_SYSCALLS};

#[test]
fn a_call_is_the_same_event_everywhere() {
    for call in &ARM64_SYSCALLS {
        let same = X86_64_SYSCALLS.iter().find(|c| c.name == call.name);
        let same = same.unwrap_or_else(|| panic!("{} has no event", call.name));
        assert_eq!(
            (call.code, call.flags, call.enter, call.exit),
            (same.code, same.flags, same.enter, same.exit),
            "{}",
            call.name
        );
        // The numbers are the same on all architectures from here on.
        if call.number >= 424 {
            assert_eq!(call.number, same.number, "{}", call.name);
        }
    }
    assert!(ARM64_SYSCALLS.windows(2).all(|w| w[0].number < w[1].number));
    for gone in ["open", "creat", "fork", "vfork", "stat", "unlink", "dup2"] {
        assert!(ARM64_SYSCALLS.iter().all(|c| c.name != gone), "{gone}");
    }
}

/// The header lies on every machine that can compile C.
#[test]
fn numbers_are_the_kernels() {
    let Ok(header) = std::fs::read_to_string("/usr/include/asm-generic/unistd.h") else {
        eprintln!("left out: no header of the kernel's numbers here");
        return;
    };
    let numbers: BTreeMap<&str, u16> = header
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = (words.next()? == "#define").then(|| words.next())??;
            let name = name
                .strip_prefix("__NR_")
                .or_else(|| name.strip_prefix("__NR3264_"))?;
            Some((name, words.next()?.parse().ok()?))
        })
        .collect();
    let mut compared = 0;
    for call in &ARM64_SYSCALLS {
        let name = match call.name {
            "newfstatat" => "fstatat",
            other => other,
        };
        let Some(number) = numbers.get(name) else {
            // The header may be older than the table.
            assert!(call.number > 440, "{}", call.name);
            continue;
        };
        assert_eq!(call.number, *number, "{}", call.name);
        compared += 1;
    }
    assert!(compared > 290, "{compared}");
}
