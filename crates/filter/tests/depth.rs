//! Deep and long conditions: nothing overflows the stack, however they came about.

use filter::{
    Ast, ExprKind, Filter, Graph, Memo, Node, ParseErrorKind, ParseOptions, SourceId, naive, parse,
    parse_with,
};

mod synthetic;
use synthetic::{Env, Synthetic};

#[test]
fn long_chains() {
    for word in ["and", "or"] {
        let text = vec!["t.u64 = 1"; 100_000].join(&format!(" {word} "));
        let ast = parse(&text).expect("a chain is not deep");
        assert_eq!(ast.to_string().len(), text.len() + 2);
        let mut graph = Graph::new();
        let (id, _) = graph.add(&ast, &Synthetic).expect("compiles");
        assert_eq!(graph.len(), 1, "equal operands are one node");
        assert!(graph.evaluate(id, &Env::standard(), &mut Memo::new()));
    }
}

#[test]
fn deep_text_is_refused() {
    let deep = |levels: usize| format!("{}m{}", "(".repeat(levels), ")".repeat(levels));
    let rules = |text: &str| parse_with(text, ParseOptions::for_rules(SourceId(0)));
    assert!(parse(&deep(19)).is_ok());
    assert!(matches!(parse(&deep(20)), Err(e) if e.kind == ParseErrorKind::TooDeep { limit: 100 }));
    assert!(rules(&deep(199)).is_ok());
    assert!(rules(&deep(200)).is_err());
    assert!(rules(&deep(1_000_000)).is_err());
    assert!(rules(&"not(".repeat(1_000_000)).is_err());
    assert!(rules(&"tolower(".repeat(1_000_000)).is_err());
    assert!(rules(&"a and(".repeat(1_000_000)).is_err());
    assert!(rules(&"not ".repeat(1_000_000)).is_err());
    assert!(rules(&format!("{}m", "not ".repeat(1_000_000))).is_ok());
    let unlimited = ParseOptions {
        max_depth: u32::MAX,
        source: SourceId(0),
    };
    assert!(parse_with(&deep(100_000), unlimited).is_err());
}

/// `m` nested in itself `levels` times, as macros that use each other would.
fn nested(levels: usize) -> Ast {
    let step = parse("not (m and t.bool = true)").expect("parses");
    let mut ast = parse("t.u64 = 1").expect("parses");
    for _ in 0..levels {
        ast = step
            .replace_macros(usize::MAX, |_, _| Some(&ast))
            .expect("no limit");
    }
    ast
}

#[test]
fn deep_trees_from_macros() {
    let ast = nested(3_000);
    let copy = ast.clone();
    assert!(copy.to_string().len() > 3_000);
    drop(copy);
    assert!(
        Graph::new().add(&ast, &Synthetic).is_err(),
        "deeper than the graph's limit"
    );
    assert!(naive::evaluate(&ast, &Synthetic, &Env::standard()).is_ok());
    let fits = nested(400);
    let mut graph = Graph::new();
    let (id, _) = graph.add(&fits, &Synthetic).expect("within the limit");
    let expected = naive::evaluate(&fits, &Synthetic, &Env::standard()).expect("compiles");
    assert_eq!(
        graph.evaluate(id, &Env::standard(), &mut Memo::new()),
        expected
    );
}

#[test]
fn exponential_macros_are_refused() {
    let step = parse("m and m").expect("parses");
    let mut ast = step.clone();
    let mut refused = false;
    for _ in 0..64 {
        match step.replace_macros(10_000, |_, _| Some(&ast)) {
            Ok(larger) => ast = larger,
            Err(error) => {
                assert_eq!(error.limit, 10_000);
                refused = true;
                break;
            }
        }
    }
    assert!(refused);
}

#[test]
fn replacement_keeps_places() {
    let body = parse_with("t.str = x or m2", ParseOptions::for_rules(SourceId(7))).expect("parses");
    let rule = parse("m1 and not m3").expect("parses");
    let whole = rule
        .replace_macros(100, |name, _| (name == "m1").then_some(&body))
        .expect("fits");
    assert_eq!(whole.to_string(), "((t.str = x or m2) and not m3)");
    let names: Vec<_> = whole
        .macros()
        .map(|(expr, name)| (name, expr.source.0))
        .collect();
    assert_eq!(names, [("m2", 7), ("m3", 0)]);
    assert!(matches!(whole.expr(whole.root()).kind, ExprKind::And(_)));
}

#[test]
fn equal_parts_are_one_node() {
    let mut graph = Graph::new();
    let mut add = |text: &str| {
        graph
            .add(&parse(text).expect(text), &Synthetic)
            .expect(text)
            .0
    };
    let first = add("t.str = a and t.u64 in (1, 2)");
    assert_eq!(first, add("t.u64 in (2, 1, 1) and t.str == a"));
    assert_eq!(first, add("(t.str in (a) and (t.u64 = anyof (1,2)))"));
    assert_eq!(
        first,
        add("not (not (t.str = a and (t.u64 in (1,2) and t.str = a)))")
    );
    assert_ne!(first, add("t.str = a or t.u64 in (1, 2)"));
    assert_ne!(add("t.u64 = oneof (1, 1)"), add("t.u64 = oneof (1)"));
    assert_eq!(graph.predicates(), 4);
    let Node::And(operands) = graph.node(first) else {
        panic!("an `and`")
    };
    let Node::Check(check) = graph.node(operands[0]) else {
        panic!("a check")
    };
    assert_eq!(
        (check.text.as_str(), check.constants[0].as_slice()),
        ("t.str = a", &b"a"[..])
    );
}

#[test]
fn a_hundred_thousand_constants() {
    let all: Vec<_> = (0..100_000).map(|n| format!("'/tmp/{n}'")).collect();
    let text = format!(
        "t.str in ({}) or t.path pmatch ({})",
        all.join(","),
        all.join(",")
    );
    let filter = Filter::compile(&text, &Synthetic).expect("compiles");
    assert!(!filter.matches(&Env::standard(), &mut Memo::new()));
}
