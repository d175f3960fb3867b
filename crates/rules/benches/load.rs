//! How long it takes to load rule files.

#![allow(missing_docs, reason = "the macros make undocumented functions")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use fields::Catalogue;
use rules::{Loader, Options};

/// Rules of the usual shape: lists, macros, exceptions.
fn generated(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count / 10 {
        write!(
            text,
            "- list: names_{n}\n  items: [bash, sh, zsh, dash, ksh, tool_{n}, other_{n}]\n\
             - macro: opens_{n}\n  condition: (evt.type in (open, openat, openat2) and fd.name startswith /dir{n}/)\n"
        )
        .expect("a string");
    }
    for n in 0..count {
        let m = n % (count / 10).max(1);
        write!(
            text,
            "- rule: Rule number {n}\n  desc: generated\n  condition: >\n    opens_{m} and proc.name in (names_{m})\n    and not proc.pname = \"parent {n}\"\n  output: rule {n} | file=%fd.name process=%proc.name parent=%proc.pname user=%user.name\n  priority: WARNING\n  tags: [a, b]\n  exceptions:\n    - name: known\n      fields: [proc.name, fd.directory]\n      comps: [=, startswith]\n      values:\n        - [tool_{n}, /tmp]\n"
        )
        .expect("a string");
    }
    text
}

fn load(catalogue: &Catalogue, text: &[u8]) -> usize {
    let mut loader = Loader::new(&[("syscall", catalogue)], Options::new());
    let loaded = loader.load("bench.yaml", black_box(text));
    assert!(
        loaded.successful(),
        "{}",
        loaded.text(loader.sources(), false)
    );
    loader.finish().rules.len()
}

fn benches(c: &mut Criterion) {
    let catalogue = Catalogue::new([]);
    let corpus = std::env::var_os("PEREGRINE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        Into::into,
    );
    let stock = corpus.join("rules/falco-rules-latest/falco_rules.yaml");
    if let Ok(text) = std::fs::read(stock) {
        c.bench_function("stock rules", |b| b.iter(|| load(&catalogue, &text)));
    }
    let mut group = c.benchmark_group("generated");
    group.sample_size(10);
    for count in [1000, 10_000] {
        let text = generated(count);
        group.bench_function(format!("{count} rules"), |b| {
            b.iter(|| load(&catalogue, text.as_bytes()));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
