//! Random conditions over random values: the graph agrees with the naive evaluator, printing and
//! parsing agree with each other.

use std::net::IpAddr;

use filter::{
    Ast, ExprKind, Graph, Literal, Memo, Operand, ParseOptions, Right, SourceId, Type, check,
    naive, parse_with,
};
use proptest::prelude::*;

mod synthetic;
use synthetic::{Env, FIELDS, Held, Synthetic};

fn words() -> impl Strategy<Value = String> {
    let samples = [
        "a",
        "b",
        "ab",
        "/tmp",
        "/tmp/x",
        "/opt/a/b",
        "file",
        "FILE",
        "''",
        "'Hello World'",
        "hello",
        "-a",
        "\"t\\\"q\"",
        "true",
        "1",
        "-22",
        "é",
        "\"\\xff\"",
        "'*.log'",
        "SGVsbG8",
        "\"a b\"",
    ];
    proptest::sample::select(samples.to_vec()).prop_map(str::to_owned)
}

fn constant(ty: Type) -> BoxedStrategy<String> {
    let pick = |all: &[&'static str]| {
        proptest::sample::select(all.to_vec())
            .prop_map(str::to_owned)
            .boxed()
    };
    match ty {
        Type::CharBuf | Type::FsPath => words().boxed(),
        Type::Domain => pick(&[
            "example.com",
            ".example.com",
            ".Example.com.",
            "www.example.com",
            ".com",
            ".",
            "com",
            "exam",
            "*.com",
            "''",
        ]),
        Type::ByteBuf => pick(&["hello", "ell", "h", "''", "\"\\xff\"", "6865"]),
        Type::Bool => pick(&["true", "false"]),
        Type::IpAddr => pick(&["142.251.111.147", "10.0.0.1", "::1", "2001:4860:4860::8888"]),
        Type::IpNet => pick(&[
            "10.0.0.0/8",
            "142.251.0.0/16",
            "0.0.0.0/0",
            "2001::/16",
            "::/1",
        ]),
        Type::Port => pick(&["443", "65979", "80", "50000", "0"]),
        _ => pick(&[
            "0",
            "1",
            "5",
            "-22",
            "3",
            "1000",
            "18446744073709551615",
            "+2",
        ]),
    }
}

fn list(ty: Type) -> impl Strategy<Value = String> {
    proptest::collection::vec(constant(ty), 0..7).prop_map(|all| format!("({})", all.join(",")))
}

/// A left side with its type and whether it is a list.
fn left() -> BoxedStrategy<(String, Type, bool)> {
    let field = (0..FIELDS.len()).prop_map(|index| {
        let (name, ty, list, _) = FIELDS[index];
        let argument = if name == "t.keyed" { "[k]" } else { "" };
        (format!("{name}{argument}"), ty, list)
    });
    let text = proptest::sample::select(vec![
        "tolower(t.str)",
        "toupper(t.str2)",
        "basename(t.path)",
        "b64(t.str)",
        "b64(toupper(t.str))",
        "concat(t.str,'x')",
        "concat(t.str, t.none)",
        "join(',',(t.str, t.u64, 1))",
        "join(t.str2, t.slist)",
        "getopt(t.slist,'ab:')[b]",
        "b64('SGVsbG8')",
    ]);
    let number = proptest::sample::select(vec![
        "len(t.str)",
        "len(t.slist)",
        "len(t.buf)",
        "len(b64(t.buf))",
    ]);
    let lists = proptest::sample::select(vec![
        "tolower(t.slist)",
        "getopt(t.slist,'ab:')",
        "getopt(('-a',t.str),'a:')",
        "basename(t.slist)",
    ]);
    prop_oneof![
        8 => field,
        2 => text.prop_map(|text| (text.to_owned(), Type::CharBuf, false)),
        1 => number.prop_map(|text| (text.to_owned(), Type::Uint64, false)),
        1 => lists.prop_map(|text| (text.to_owned(), Type::CharBuf, true)),
    ]
    .boxed()
}

fn operators(ty: Type) -> Vec<&'static str> {
    match ty {
        Type::CharBuf | Type::FsPath | Type::Domain => vec![
            "=",
            "==",
            "!=",
            "contains",
            "icontains",
            "startswith",
            "endswith",
            "glob",
            "iglob",
            "regex",
        ],
        Type::ByteBuf => vec!["=", "!=", "contains", "startswith", "endswith"],
        Type::Bool | Type::IpAddr | Type::IpNet => vec!["=", "==", "!="],
        _ => vec!["=", "!=", "<", "<=", ">", ">="],
    }
}

fn comparison() -> BoxedStrategy<String> {
    left()
        .prop_flat_map(|(left, ty, is_list)| {
            let member = {
                let left = left.clone();
                (proptest::sample::select(vec!["in", "intersects"]), list(ty))
                    .prop_map(move |(word, list)| format!("{left} {word} {list}"))
                    .boxed()
            };
            let exists = Just(format!("{left} exists")).boxed();
            let right = match left.contains('(') {
                true => left.clone(),
                false => format!("val({})", left.replace("[k]", "[j]")),
            };
            let same = Just(format!("{left} in {right}")).boxed();
            if is_list {
                return prop_oneof![4 => member, 1 => exists, 1 => same].boxed();
            }
            let one = {
                let left = left.clone();
                (proptest::sample::select(operators(ty)), constant(ty))
                    .prop_map(move |(operator, constant)| format!("{left} {operator} {constant}"))
                    .boxed()
            };
            let several = {
                let left = left.clone();
                let words: Vec<_> =
                    operators(ty).into_iter().filter(|word| !word.starts_with(['<', '>'])).collect();
                let modifiers = vec!["oneof", "anyof", "allof"];
                (proptest::sample::select(words), proptest::sample::select(modifiers), list(ty))
                    .prop_map(move |(word, modifier, list)| format!("{left} {word} {modifier} {list}"))
                    .boxed()
            };
            let paths = {
                let left = left.clone();
                let word = match ty {
                    Type::CharBuf | Type::FsPath => "pmatch",
                    _ => "in",
                };
                list(ty).prop_map(move |list| format!("{left} {word} {list}")).boxed()
            };
            let against = {
                let left = left.clone();
                let others = match ty {
                    Type::CharBuf => vec!["val(t.str2)", "toupper(t.str)", "b64(t.str2)", "val(t.none)"],
                    Type::Uint64 => vec!["val(t.u64)", "len(t.str)", "len(t.slist)"],
                    Type::IpAddr => vec!["val(t.ip4)", "val(t.ip6)"],
                    Type::Int64 => vec!["val(t.i64)", "val(t.nonum)"],
                    _ => vec!["val(t.bool)", "val(t.buf)", "val(t.port)"],
                };
                let words: Vec<_> = operators(ty).into_iter().filter(|word| *word != "regex").collect();
                (proptest::sample::select(words), proptest::sample::select(others))
                    .prop_map(move |(operator, other)| format!("{left} {operator} {other}"))
                    .boxed()
            };
            prop_oneof![6 => one, 3 => several, 3 => member, 1 => paths, 1 => against, 1 => exists, 1 => same]
                .boxed()
        })
        .boxed()
}

fn condition() -> impl Strategy<Value = String> {
    comparison().prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..5)
                .prop_map(|all| format!("({})", all.join(" and "))),
            proptest::collection::vec(inner.clone(), 2..5)
                .prop_map(|all| format!("({})", all.join(" or "))),
            inner.clone().prop_map(|one| format!("not {one}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} and ({b} or {a}))")),
        ]
    })
}

fn held(ty: Type) -> BoxedStrategy<Held> {
    let texts = [
        "",
        "a",
        "ab",
        "/tmp/x",
        "/opt/a/b/c",
        "file",
        "FILE",
        "Hello World",
        "hello",
        "-a",
        "-b",
        "-ab",
        "é",
        "/tmp",
        "SGVsbG8=",
        "true",
        "t\"q",
        "*.log",
        "\u{0}x",
    ];
    let ips: [IpAddr; 4] = [
        [142, 251, 111, 147].into(),
        [10, 0, 0, 1].into(),
        [0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888].into(),
        [0, 0, 0, 0, 0, 0, 0, 1].into(),
    ];
    match ty {
        Type::CharBuf | Type::FsPath | Type::ByteBuf => prop_oneof![
            6 => proptest::sample::select(texts.to_vec())
                .prop_map(|text| Held::Bytes(text.as_bytes().to_vec())),
            1 => Just(Held::Bytes(vec![0xff])),
            1 => any::<Vec<u8>>().prop_map(Held::Bytes),
        ]
        .boxed(),
        Type::Domain => proptest::sample::select(vec![
            "example.com",
            "www.example.com",
            "WWW.Example.COM",
            "a.b.www.example.com.",
            "badexample.com",
            "com",
            ".",
            "",
            "..",
        ])
        .prop_map(|text| Held::Bytes(text.as_bytes().to_vec()))
        .boxed(),
        Type::Bool => any::<bool>().prop_map(Held::Bool).boxed(),
        Type::IpAddr | Type::IpNet => proptest::sample::select(ips.to_vec())
            .prop_map(Held::Ip)
            .boxed(),
        Type::Int64 => proptest::sample::select(vec![-22, 0, 1, i64::MIN])
            .prop_map(Held::Signed)
            .boxed(),
        Type::Double => proptest::sample::select(vec![3.0, 0.5, -22.0])
            .prop_map(Held::Double)
            .boxed(),
        _ => proptest::sample::select(vec![0, 1, 3, 5, 443, 1000, u64::MAX])
            .prop_map(Held::Unsigned)
            .boxed(),
    }
}

fn environment() -> impl Strategy<Value = Env> {
    let fields: Vec<_> = FIELDS
        .iter()
        .map(|(_, ty, list, quantifier)| {
            let several = *list || *quantifier != filter::Quantifier::One;
            let value = if several {
                proptest::collection::vec(held(*ty), 0..4)
                    .prop_map(Held::List)
                    .boxed()
            } else {
                held(*ty)
            };
            proptest::option::weighted(0.85, value)
        })
        .collect();
    fields.prop_map(|values| Env { values })
}

fn parse(text: &str) -> Ast {
    parse_with(text, ParseOptions::for_rules(SourceId(0))).unwrap_or_else(|e| panic!("{text}: {e}"))
}

proptest! {
    // PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(3000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn graph_agrees_with_the_oracle(
        conditions in proptest::collection::vec(condition(), 1..6),
        environments in proptest::collection::vec(environment(), 1..4),
    ) {
        let mut graph = Graph::new();
        let mut roots = Vec::new();
        for condition in &conditions {
            let ast = parse(condition);
            match (graph.add(&ast, &Synthetic), check(&ast, &Synthetic).0.is_empty()) {
                (Ok((id, _)), true) => roots.push((id, ast)),
                (Err(_), false) => {}
                (result, sane) => prop_assert!(false, "{condition}: {result:?}, {sane}"),
            }
        }
        let mut memo = Memo::new();
        for environment in &environments {
            memo.next_event();
            for (id, ast) in &roots {
                let expected = naive::evaluate(ast, &Synthetic, environment).unwrap();
                let found = graph.evaluate(*id, environment, &mut memo);
                prop_assert_eq!(found, expected, "{} on {:?}", ast, environment);
                // A second time from the memo.
                prop_assert_eq!(graph.evaluate(*id, environment, &mut memo), expected);
            }
        }
    }

    #[test]
    fn printing_is_stable_and_parses_back(condition in condition()) {
        let ast = parse(&condition);
        let printed = ast.to_string();
        // What the canonical text cannot say: see `print`.
        let faithful = ast.checks().all(|(_, check)| {
            let plain = |literal: &Literal| {
                !literal.bytes.is_empty() && !literal.bytes.iter().any(|b| b"(),".contains(b))
            };
            let call = |operand: &Operand| matches!(operand, Operand::Transformer(t) if t.to_string().contains(['(', ',']));
            check.right.constants().iter().all(plain)
                && !call(&check.left)
                && !matches!(check.right, Right::Transformer(_))
        });
        if faithful {
            let again = parse(&printed);
            prop_assert_eq!(again.to_string(), printed);
            prop_assert!(same(&ast, &again), "{:?} {:?}", ast, again);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[ a-z.()\"'=<>!,\\[\\]\\\\0-9\n]{0,60}") {
        if let Ok(ast) = filter::parse(&text) {
            let _ = check(&ast, &Synthetic);
        }
    }
}

/// Equal but for places.
fn same(a: &Ast, b: &Ast) -> bool {
    a.exprs().len() == b.exprs().len()
        && a.exprs()
            .zip(b.exprs())
            .all(|((_, a), (_, b))| match (&a.kind, &b.kind) {
                (ExprKind::Check(a), ExprKind::Check(b)) => {
                    a.to_string() == b.to_string()
                        && a.right
                            .constants()
                            .iter()
                            .zip(b.right.constants())
                            .all(|(a, b)| a.bytes == b.bytes)
                }
                (a, b) => a == b,
            })
}
