//! Parsing, compiling and evaluating conditions of the size that rule files have.

#![allow(
    missing_docs,
    reason = "the macro that makes the entry point writes none"
)]

use std::hint::black_box;

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use filter::{
    Argument, FieldDef, FieldRef, FieldSource, Graph, Memo, Purpose, ResolveError, Schema,
    Template, Type, Value, parse,
};

const NAMES: [(&str, Type); 10] = [
    ("evt.type", Type::CharBuf),
    ("evt.is_open_write", Type::Bool),
    ("fd.typechar", Type::CharBuf),
    ("fd.name", Type::FsPath),
    ("fd.num", Type::Int64),
    ("proc.name", Type::CharBuf),
    ("proc.pname", Type::CharBuf),
    ("proc.cmdline", Type::CharBuf),
    ("user.uid", Type::Uint32),
    ("container.id", Type::CharBuf),
];

struct Names;

impl Schema for Names {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let id = NAMES
            .iter()
            .position(|(name, _)| *name == text)
            .ok_or(ResolveError::Unknown)?;
        let field = FieldRef {
            id: id as u16,
            arg: Argument::None,
        };
        Ok(FieldDef::new(text, field, NAMES[id].1))
    }

    fn names(&self) -> Vec<&str> {
        NAMES.iter().map(|(name, _)| *name).collect()
    }
}

struct Event([Value<'static>; 10]);

impl FieldSource for Event {
    #[inline]
    fn extract<'a>(&'a self, field: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> {
        Some(self.0[usize::from(field.id)])
    }
}

fn event(path: &'static str, name: &'static str) -> Event {
    Event([
        Value::Bytes(b"openat"),
        Value::Bool(true),
        Value::Bytes(b"f"),
        Value::Bytes(path.as_bytes()),
        Value::Signed(7),
        Value::Bytes(name.as_bytes()),
        Value::Bytes(b"bash"),
        Value::Bytes(b"systemd-journald --flush"),
        Value::Unsigned(1000),
        Value::Bytes(b"host"),
    ])
}

fn list(prefix: &str, count: usize) -> String {
    let all: Vec<_> = (0..count).map(|n| format!("{prefix}{n}")).collect();
    all.join(", ")
}

/// Conditions that share their first half, as rules share macros.
fn conditions(count: usize) -> Vec<String> {
    let open = "evt.type in (open, openat, openat2) and evt.is_open_write = true \
                and fd.typechar = f and fd.num >= 0";
    let packages = list("pkg", 40);
    (0..count)
        .map(|n| {
            format!(
                "({open}) and (fd.name startswith /etc{n}/ or fd.name pmatch (/usr/lib/x{n}, /opt/*/y{n})) \
                 and not proc.name in ({packages}) and not proc.pname in ({packages}, own{n}) \
                 and not (proc.name = tool{n} and fd.name contains /conf{n}/) \
                 and not proc.cmdline contains '--quiet{n}' and not (user.uid = 0 and container.id = host)",
            )
        })
        .collect()
}

fn benches(c: &mut Criterion) {
    let large = format!(
        "({}) or fd.name in ({}) or proc.name in ({})",
        conditions(20).join(") or ("),
        list("/etc/some/file", 400),
        list("program", 400)
    );
    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Bytes(large.len() as u64));
    group.bench_function("parse", |b| {
        b.iter(|| parse(black_box(&large)).expect("parses"));
    });
    let ast = parse(&large).expect("parses");
    group.bench_function("compile", |b| {
        b.iter(|| Graph::new().add(black_box(&ast), &Names).expect("compiles"));
    });
    group.finish();

    let mut group = c.benchmark_group("evaluate");
    for count in [1, 25, 100] {
        let mut graph = Graph::new();
        let roots: Vec<_> = conditions(count)
            .iter()
            .map(|text| {
                graph
                    .add(&parse(text).expect("parses"), &Names)
                    .expect("compiles")
                    .0
            })
            .collect();
        let near = event("/etc7/passwd", "cat");
        let far = event("/home/user/.cache/some/file", "systemd-journal");
        let mut closed = event("/home/user/.cache/some/file", "systemd-journal");
        closed.0[0] = Value::Bytes(b"close");
        for (name, event) in [("wrong type", closed), ("far", far), ("near", near)] {
            let mut memo = Memo::new();
            group.bench_function(format!("{count} conditions, {name}"), |b| {
                b.iter(|| {
                    memo.next_event();
                    let mut found = 0;
                    for &root in &roots {
                        found += u32::from(graph.evaluate(root, black_box(&event), &mut memo));
                    }
                    found
                });
            });
        }
    }
    group.finish();

    let mut group = c.benchmark_group("output");
    let template = Template::parse(
        "File opened (user=%user.uid program=%proc.name command=%proc.cmdline file=%fd.name %container.id)",
        &Names,
    );
    let template = template.expect("compiles");
    let event = event("/etc7/passwd", "cat");
    let mut out = Vec::new();
    group.bench_function("render", |b| {
        b.iter(|| {
            out.clear();
            template.render(black_box(&event), &mut out)
        });
    });
    group.finish();
}

criterion_group!(filter, benches);
criterion_main!(filter);
