//! A small world: events with a kind, a key, two values and an amount.

use bumpalo::Bump;
use engine::{Engine, Matching};
use event::{EventCode, codes};
use filter::{
    Argument, FieldDef, FieldRef, FieldSource, Purpose, ResolveError, Schema, Type, Value,
};
use rules::{Loader, Options, RuleSet};

const NAMES: [&str; 7] = [
    "t.kind", "t.key", "t.value", "t.other", "t.amount", "t.list", "t.text",
];

/// Their schema.
pub(crate) struct Fields;

impl Schema for Fields {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let id = NAMES.iter().position(|name| *name == text);
        let id = id.ok_or(ResolveError::Unknown)?;
        let field = FieldRef {
            id: id as u16,
            arg: Argument::None,
        };
        let ty = match id {
            0 | 5 | 6 => Type::CharBuf,
            4 => Type::Int64,
            _ => Type::Uint64,
        };
        Ok(FieldDef {
            list: id == 5,
            ..FieldDef::new(text, field, ty)
        })
    }

    fn names(&self) -> Vec<&str> {
        NAMES.to_vec()
    }
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) time: u64,
    pub(crate) kind: &'static str,
    pub(crate) key: Option<u64>,
    pub(crate) value: Option<u64>,
    pub(crate) other: Option<u64>,
    pub(crate) amount: i64,
    pub(crate) text: String,
}

impl FieldSource for Happening {
    fn extract<'a>(&'a self, field: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> {
        match field.id {
            0 => Some(Value::Bytes(self.kind.as_bytes())),
            1 => self.key.map(Value::Unsigned),
            2 => self.value.map(Value::Unsigned),
            3 => self.other.map(Value::Unsigned),
            4 => Some(Value::Signed(self.amount)),
            6 => Some(Value::Bytes(self.text.as_bytes())),
            _ => None,
        }
    }
}

/// The rules of a text.
pub(crate) fn rules(text: &str) -> RuleSet {
    let mut loader = Loader::new(&[("syscall", &Fields)], Options::new());
    let loaded = loader.load("rules.yaml", text.as_bytes());
    let errors: Vec<String> = loaded
        .findings
        .iter()
        .filter(|finding| finding.is_error())
        .map(|finding| finding.text(loader.sources(), false).to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    loader.finish()
}

/// An engine for them.
pub(crate) fn engine(rules: &RuleSet) -> Engine {
    let order: Vec<usize> = (0..rules.rules.len()).collect();
    Engine::new(rules, &order, &Fields, "syscall", Matching::First).unwrap()
}

/// What an event completes: rules, and what they show.
pub(crate) fn happens(engine: &mut Engine, event: &Happening) -> Vec<(u32, Vec<String>)> {
    let code = EventCode::new(codes::SYSCALL_OPENAT_2_X);
    engine.on_event(code, event);
    let firings = engine.advance(event.time, event).iter();
    firings
        .map(|firing| {
            let slots = firing.evidence.values.iter();
            let slots = slots.map(|value| format!("{value:?}"));
            let measured = firing.evidence.measured.iter();
            let measured = measured.map(|(name, value)| format!("{name} {value:?}"));
            (firing.rule, slots.chain(measured).collect())
        })
        .collect()
}
