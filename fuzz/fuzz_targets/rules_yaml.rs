//! A rule file: whatever its bytes, it loads or is refused, and what is said of it can be shown.

#![no_main]

use std::sync::LazyLock;

use fields::Catalogue;
use libfuzzer_sys::fuzz_target;
use rules::{Loader, Options};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new([]));

fuzz_target!(|bytes: &[u8]| {
    // Two files in one input: what the second does depends on the first.
    let cut = bytes.windows(4).position(|w| w == b"\n##\n").unwrap_or(bytes.len());
    let sources: [(&str, &dyn filter::Schema); 1] = [("syscall", &*CATALOGUE)];
    let mut loader = Loader::new(&sources, Options::new());
    for (name, part) in [("a.yaml", &bytes[..cut]), ("b.yaml", &bytes[cut..])] {
        let loaded = loader.load(name, part);
        let text = loaded.text(loader.sources(), false);
        assert!(!text.contains('\x1b'));
        let _ = loaded.json(loader.sources());
        assert_eq!(loaded.successful(), loaded.falco().all(|f| !f.is_error()));
    }
    let _ = rules::describe::all(loader.rule_set(), &sources);
});
