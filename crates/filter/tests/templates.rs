//! Output templates.

use filter::render::Buffers;
use filter::template::Rendering;
use filter::{Template, TemplateErrorKind, json};

mod synthetic;
use synthetic::{Env, Synthetic};

fn shown(template: &str) -> String {
    let template = Template::parse(template, &Synthetic).expect(template);
    let mut out = Vec::new();
    if !template.render(&Env::standard(), &mut out) {
        assert!(out.is_empty());
        return "nothing".to_owned();
    }
    String::from_utf8(out).expect("the values are UTF-8")
}

#[test]
fn the_longest_expression_wins() {
    for (template, expected) in [
        ("plain", "plain"),
        ("a\nb", "a\nb"),
        ("%t.str", "/tmp/file_to_run"),
        ("%t.str.", "/tmp/file_to_run."),
        ("%t.strs", "/tmp/file_to_runs"),
        ("%t.str2x %t.str)", "Hello Worldx /tmp/file_to_run)"),
        ("(%t.u64,%t.i64)", "(1,-22)"),
        ("%t.keyed[k]", "v"),
        ("%t.keyed['a b']]", "v]"),
        ("%t.str[0]", "/tmp/file_to_run[0]"),
        ("%t.str[", "/tmp/file_to_run["),
        ("%t.str[]x", "/tmp/file_to_run[]x"),
        ("%toupper(t.str2)", "HELLO WORLD"),
        ("%toupper( t.str2 )[x]", "HELLO WORLD[x]"),
        ("%toupper(t.str2)[", "HELLO WORLD["),
        ("%join(\"-\", (t.u64,t.i64, 'x')).", "1--22-x."),
        ("%len(t.slist)%t.slist", "2(ipv4,file)"),
        ("%getopt(('-b','v'),'b:')[b]", "v"),
        ("%6t.u64|%3t.str2|%0t.u64|", "1     |Hel|1|"),
        (
            "%t.ip4 %t.ip6 %t.net4",
            "142.251.111.147 2001:4860:4860::8888 <IPNET>",
        ),
        ("%t.bool %t.dbl %t.buf", "true 3.0 hello"),
        ("%t.none", "nothing"),
        ("x%t.none", "nothing"),
        ("*x%t.none.", "x<NA>."),
        ("*%6t.none|%toupper(t.none)", "<NA>  |<NA>"),
        ("*%t.str%t.str2", "/tmp/file_to_runHello World"),
    ] {
        assert_eq!(shown(template), expected, "{template}");
    }
}

#[test]
fn errors() {
    let error = |text: &str| Template::parse(text, &Synthetic).expect_err(text);
    assert_eq!(error("").kind, TemplateErrorKind::Empty);
    assert_eq!(error("*").kind, TemplateErrorKind::Empty);
    assert_eq!(error("a %").kind, TemplateErrorKind::EndsWithPercent);
    assert_eq!(error("a %12").kind, TemplateErrorKind::EndsWithNumber);
    for text in [
        "100% sure",
        "%%t.str",
        "%(t.str)",
        "%-5t.str",
        "%val(t.str)",
        "%no.field",
        "%t.keyed",
        "%tolower(t.u64)",
        "%tolower(t.str",
        "%5%t.str",
        "%é",
    ] {
        let kind = error(text).kind;
        assert!(
            matches!(kind, TemplateErrorKind::UnknownToken { .. }),
            "{text}: {kind:?}"
        );
    }
}

#[test]
fn error_spans_cover_the_token() {
    let text = "é %t.str and %no.such.field rest";
    let error = Template::parse(text, &Synthetic).expect_err("no such field");
    assert_eq!(&text[error.span.range()], "%no.such.field");
    assert!(error.to_string().contains("no.such.field"), "{error}");
    let close = Template::parse("%t.sr2", &Synthetic).expect_err("no such field");
    assert!(close.to_string().contains("t.str2"), "{close}");
}

#[test]
fn fields_are_the_plain_ones_once() {
    let template = Template::parse(
        "%toupper(t.str) %t.str %t.keyed['a b'] %concat(t.str2, t.path)",
        &Synthetic,
    );
    let template = template.expect("compiles");
    let names: Vec<_> = template
        .fields()
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["t.str", "t.keyed[a b]", "t.str2", "t.path"]);
}

#[test]
fn values_cannot_forge_lines() {
    let mut env = Env::standard();
    env.values[0] = Some(synthetic::Held::Bytes(b"x\nforged\x1b\xff".to_vec()));
    let template = Template::parse("a\nb %t.str", &Synthetic).expect("compiles");
    let mut out = Vec::new();
    let rendering = Rendering {
        sanitized: true,
        ..Rendering::default()
    };
    assert!(template.render_with(&env, rendering, &mut out));
    assert_eq!(out, "a\nb x\u{fffd}forged\u{fffd}\u{fffd}".as_bytes());
}

#[test]
fn json_values() {
    let env = Env::standard();
    let shown = |name: &str| {
        use filter::{FieldSource, Purpose, Schema};
        let def = Synthetic.resolve(name).expect(name);
        let scratch = bumpalo::Bump::new();
        let value = env.extract(&def.field, Purpose::Json, &scratch);
        let mut out = Vec::new();
        json::value(&def, value.as_ref(), Buffers::Text, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    assert_eq!(shown("t.str"), "\"/tmp/file_to_run\"");
    assert_eq!(shown("t.i64"), "-22");
    assert_eq!(shown("t.dbl"), "3.0");
    assert_eq!(shown("t.bool"), "true");
    assert_eq!(shown("t.ip6"), "\"2001:4860:4860::8888\"");
    assert_eq!(shown("t.slist"), "[\"ipv4\",\"file\"]");
    assert_eq!(shown("t.none"), "null");
    assert_eq!(shown("t.buf"), "\"hello\"");
}
