//! System calls that are left out by default because there are so many of them: `-i`.

use std::collections::BTreeSet;

use event::{Category, EVENTS, EventFlags, EventInfo};

/// Whether events of this type are left out unless `base_syscalls.all` asks for them: they move
/// data and change no state.
pub(crate) fn is_ignored(info: &EventInfo) -> bool {
    matches!(info.category, Category::IoRead | Category::IoWrite)
        && !info.flags.contains(EventFlags::MODIFIES_STATE)
        && !info.flags.contains(EventFlags::OLD_VERSION)
}

/// The text of `-i`.
pub(crate) fn list() -> String {
    let names: BTreeSet<&str> = EVENTS
        .iter()
        .filter(|info| is_ignored(info))
        .map(|info| info.name)
        .collect();
    let mut out = String::from("Ignored syscall(s):\n");
    for name in names {
        out.push_str(&format!("- {name}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn data_movers_only() {
        let list = list();
        assert!(list.contains("- read\n") && list.contains("- pwritev\n"));
        assert!(!list.contains("- sendto\n") && !list.contains("- open\n"));
        assert_eq!(list.lines().count(), 12);
    }
}
