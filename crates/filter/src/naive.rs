//! The language evaluated straight from the syntax tree: the oracle of the graph.
//!
//! Slow and plain on purpose. No node is shared, no set is built, every value is copied; fields
//! and constants are read anew for each comparison. Only the reading of constants and the matchers
//! for single patterns (`regex`, one path component) are the graph's own; these have other tests.

use bumpalo::Bump;

use crate::ast::{
    Ast, Check, ExprId, ExprKind, Literal, Operand, Right, Transformer, TransformerArgument,
};
use crate::compile::check;
use crate::compile_error::CompileError;
use crate::constant::{self, Constant};
use crate::glob::Glob;
use crate::operator::{Function, Modifier, Operator};
use crate::pattern::Pattern;
use crate::schema::{FieldDef, FieldSource, Purpose, Quantifier, Schema};
use crate::value::{Type, Value};

/// A value that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Signed(i64),
    Unsigned(u64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Ip(std::net::IpAddr),
    List(Vec<Owned>),
}

impl Owned {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Signed(number) => Self::Signed(*number),
            Value::Unsigned(number) => Self::Unsigned(*number),
            Value::Double(number) => Self::Double(*number),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Value::Ip(ip) => Self::Ip(*ip),
            Value::List(all) => Self::List(all.iter().map(Self::of).collect()),
        }
    }

    fn text(&self) -> Vec<u8> {
        match self {
            Self::Signed(number) => number.to_string().into_bytes(),
            Self::Unsigned(number) => number.to_string().into_bytes(),
            Self::Double(number) => format!("{number:.1}").into_bytes(),
            Self::Bool(truth) => truth.to_string().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Ip(ip) => ip.to_string().into_bytes(),
            Self::List(all) => all.iter().map(Self::text).collect::<Vec<_>>().join(&b','),
        }
    }
}

/// Whether a condition holds.
///
/// # Errors
/// The first of what [`crate::check`] finds.
pub fn evaluate<S: FieldSource>(
    ast: &Ast,
    schema: &dyn Schema,
    source: &S,
) -> Result<bool, CompileError> {
    if let Some(error) = check(ast, schema).0.into_iter().next() {
        return Err(error);
    }
    let naive = Naive { schema, source };
    // Operands come before what uses them, so a loop does instead of recursion.
    let mut results: Vec<bool> = Vec::new();
    for (_, expr) in ast.exprs() {
        let known = |id: &ExprId| results[id.index()];
        let result = match &expr.kind {
            ExprKind::And(all) => all.iter().all(known),
            ExprKind::Or(all) => all.iter().any(known),
            ExprKind::Not(inner) => !known(inner),
            ExprKind::Macro(_) => false,
            ExprKind::Check(check) => naive.check(check).unwrap_or(false),
        };
        results.push(result);
    }
    Ok(results.last().copied().unwrap_or(false))
}

struct Naive<'n, S> {
    schema: &'n dyn Schema,
    source: &'n S,
}

impl<S: FieldSource> Naive<'_, S> {
    fn def(&self, text: &str) -> Option<FieldDef> {
        self.schema.resolve(text).ok()
    }

    fn field(&self, text: &str) -> Option<Owned> {
        let def = self.def(text)?;
        let scratch = Bump::new();
        self.source
            .extract(&def.field, Purpose::Compare, &scratch)
            .map(|value| Owned::of(&value))
    }

    fn operand(&self, operand: &Operand) -> Option<Owned> {
        match operand {
            Operand::Field(field) => self.field(&field.text()),
            Operand::Transformer(call) => self.transformer(call),
        }
    }

    /// Type, whether it is a list, how several values compare.
    fn kind(&self, operand: &Operand) -> Option<(Type, bool, Quantifier)> {
        match operand {
            Operand::Field(field) => self
                .def(&field.text())
                .map(|def| (def.ty, def.list, def.quantifier)),
            Operand::Transformer(call) => {
                let inner = match call.arguments.first()? {
                    TransformerArgument::Field(field) => {
                        let def = self.def(&field.text())?;
                        (def.ty, def.list)
                    }
                    TransformerArgument::Transformer(inner) => {
                        let (ty, list, _) = self.kind(&Operand::Transformer(inner.clone()))?;
                        (ty, list)
                    }
                    TransformerArgument::Literal(_) => (Type::CharBuf, false),
                    TransformerArgument::List(..) => (Type::CharBuf, true),
                };
                let (ty, list) = match call.function {
                    Function::Len => (Type::Uint64, false),
                    Function::Join | Function::Concat => (Type::CharBuf, false),
                    Function::Getopt => (Type::CharBuf, call.selector.is_none()),
                    _ => inner,
                };
                Some((ty, list, Quantifier::One))
            }
        }
    }

    fn argument(&self, argument: &TransformerArgument) -> Option<Owned> {
        match argument {
            TransformerArgument::Field(field) => self.field(&field.text()),
            TransformerArgument::Transformer(inner) => self.transformer(inner),
            TransformerArgument::Literal(literal) => Some(Owned::Bytes(literal.bytes.clone())),
            TransformerArgument::List(items, _) => {
                let mut all = Vec::new();
                for item in items {
                    match self.argument(item)? {
                        Owned::List(inner) => all.extend(inner),
                        one => all.push(one),
                    }
                }
                Some(Owned::List(all))
            }
        }
    }

    fn transformer(&self, call: &Transformer) -> Option<Owned> {
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.argument(argument)?);
        }
        let first = arguments[0].clone();
        match call.function {
            Function::Val => Some(first),
            Function::ToLower => each(first, &|bytes| Some(bytes.to_ascii_lowercase())),
            Function::ToUpper => each(first, &|bytes| Some(bytes.to_ascii_uppercase())),
            Function::Basename => each(first, &|bytes| {
                bytes
                    .rsplit(|byte| *byte == b'/')
                    .next()
                    .map(<[u8]>::to_vec)
            }),
            Function::B64 => each(first, &base64),
            Function::Len => {
                let buffer = match &call.arguments[0] {
                    TransformerArgument::Field(field) => self.def(&field.text())?.ty,
                    TransformerArgument::Transformer(inner) => {
                        self.kind(&Operand::Transformer(inner.clone()))?.0
                    }
                    _ => Type::CharBuf,
                } == Type::ByteBuf;
                Some(Owned::Unsigned(match first {
                    Owned::List(all) => all.len() as u64,
                    Owned::Bytes(bytes) if buffer => bytes.len() as u64,
                    Owned::Bytes(bytes) => {
                        bytes.iter().take_while(|byte| **byte != 0).count() as u64
                    }
                    _ => return None,
                }))
            }
            Function::Concat => Some(Owned::Bytes(
                arguments.iter().flat_map(Owned::text).collect(),
            )),
            Function::Join => match arguments.get(1)? {
                Owned::List(all) => {
                    let texts: Vec<_> = all.iter().map(Owned::text).collect();
                    Some(Owned::Bytes(texts.join(&first.text()[..])))
                }
                _ => None,
            },
            Function::Getopt => match (first, arguments.get(1)?) {
                (Owned::List(words), Owned::Bytes(options)) => {
                    let words: Vec<_> = words.iter().map(Owned::text).collect();
                    let selector = call.selector.as_ref().map(|(text, _)| text.as_bytes()[0]);
                    getopt(&words, options, selector)
                }
                _ => None,
            },
        }
    }

    /// Nothing if a value is missing.
    fn check(&self, check: &Check) -> Option<bool> {
        let left = self.operand(&check.left)?;
        if check.operator == Operator::Exists {
            let (_, list, quantifier) = self.kind(&check.left)?;
            return Some(match &left {
                Owned::List(all) => list || quantifier != Quantifier::Any || !all.is_empty(),
                _ => true,
            });
        }
        if let Right::Transformer(call) = &check.right {
            let right = self.transformer(call)?;
            let member = |one: &Owned| match &right {
                Owned::List(all) => all.contains(one),
                only => only == one,
            };
            return Some(match (check.operator, &left) {
                (Operator::In, Owned::List(all)) => all.iter().all(member),
                (Operator::Intersects, Owned::List(all)) => all.iter().any(member),
                (Operator::In | Operator::Intersects, one) => member(one),
                (operator, one) => compare(operator, one, &right),
            });
        }
        let (ty, list, quantifier) = self.kind(&check.left)?;
        let holds = |values: &Owned| self.constants(check, ty, values, quantifier);
        Some(match (&left, list, quantifier) {
            (Owned::List(all), true, _)
                if matches!(check.operator, Operator::In | Operator::PMatch) =>
            {
                all.iter().all(holds)
            }
            (Owned::List(all), true, _) => all.iter().any(holds),
            (Owned::List(all), false, Quantifier::Any) => all.iter().any(holds),
            (whole, ..) => holds(whole),
        })
    }

    /// A value, or all values of a field with two ends, against the right side's constants.
    fn constants(&self, check: &Check, ty: Type, left: &Owned, quantifier: Quantifier) -> bool {
        let one = |literal: &Literal| match left {
            Owned::List(ends) if quantifier == Quantifier::Ends => {
                let mut results = ends
                    .iter()
                    .map(|end| self.constant(check, ty, end, literal));
                if check.operator == Operator::NotEqual {
                    !ends.is_empty() && results.all(|holds| holds)
                } else {
                    results.any(|holds| holds)
                }
            }
            value => self.constant(check, ty, value, literal),
        };
        let all = check.right.constants();
        let count = all.iter().filter(|literal| one(literal)).count();
        match check.modifier.map(|(modifier, _)| modifier) {
            Some(Modifier::OneOf) => count == 1,
            Some(Modifier::AllOf) => count == all.len() && count > 0,
            Some(Modifier::AnyOf) | None => count > 0,
        }
    }

    fn constant(&self, check: &Check, ty: Type, left: &Owned, literal: &Literal) -> bool {
        let operator = check.operator;
        let bytes = &literal.bytes;
        match (operator, left) {
            (Operator::PMatch, Owned::Bytes(value)) => {
                let parts = |path: &[u8]| -> Vec<Vec<u8>> {
                    let all = path.split(|byte| *byte == b'/');
                    all.filter(|part| !part.is_empty())
                        .map(<[u8]>::to_vec)
                        .collect()
                };
                let (pattern, value) = (parts(bytes), parts(value));
                pattern.len() <= value.len()
                    && pattern.iter().zip(&value).all(|(pattern, part)| {
                        if pattern.iter().any(|byte| b"*?[".contains(byte)) {
                            Glob::new(pattern, false).matches(part)
                        } else {
                            pattern == part
                        }
                    })
            }
            (Operator::Regex, Owned::Bytes(value)) => {
                Pattern::new(bytes).is_ok_and(|pattern| pattern.matches(value, &Bump::new()))
            }
            (_, Owned::Bytes(value)) if ty == Type::Domain => domain(operator, value, bytes),
            (Operator::BContains | Operator::BStartsWith, _) => {
                let digits = String::from_utf8_lossy(bytes).into_owned();
                let decoded: Vec<u8> = (0..digits.len() / 2)
                    .filter_map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok())
                    .collect();
                compare(operator, left, &Owned::Bytes(decoded))
            }
            _ => match constant::read(bytes, ty, self.schema) {
                Ok(Constant::Network(network)) => {
                    let inside = matches!(left, Owned::Ip(ip) if network.contains(*ip));
                    inside != (operator == Operator::NotEqual)
                }
                Ok(Constant::Signed(own)) => compare(operator, left, &Owned::Signed(own)),
                Ok(Constant::Unsigned(own)) => compare(operator, left, &Owned::Unsigned(own)),
                Ok(Constant::Double(own)) => compare(operator, left, &Owned::Double(own.into())),
                Ok(Constant::Bool(own)) => compare(operator, left, &Owned::Bool(own)),
                Ok(Constant::Bytes(own)) => compare(operator, left, &Owned::Bytes(own.to_vec())),
                Ok(Constant::Address(own)) => compare(operator, left, &Owned::Ip(own)),
                Ok(Constant::Pattern(_) | Constant::Domain(_)) | Err(_) => false,
            },
        }
    }
}

/// A name against a constant: with a dot before it, the constant stands for all below it as well.
fn domain(operator: Operator, value: &[u8], constant: &[u8]) -> bool {
    let ended = |name: &[u8]| {
        let mut name = name.to_ascii_lowercase();
        if name.len() > 1 && name != b".." {
            name.pop_if(|last| *last == b'.');
        }
        name
    };
    if !matches!(
        operator,
        Operator::Equal
            | Operator::DoubleEqual
            | Operator::NotEqual
            | Operator::In
            | Operator::Intersects
    ) {
        let constant = Owned::Bytes(constant.to_ascii_lowercase());
        return compare(operator, &Owned::Bytes(value.to_vec()), &constant);
    }
    let (value, constant) = (ended(value), ended(constant));
    let same = match constant.strip_prefix(b".") {
        Some(above) if !above.is_empty() => value == above || value.ends_with(&constant),
        _ => value == constant,
    };
    same != (operator == Operator::NotEqual)
}

fn compare(operator: Operator, left: &Owned, right: &Owned) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = match (left, right) {
        (Owned::Signed(a), Owned::Signed(b)) => a.cmp(b),
        (Owned::Unsigned(a), Owned::Unsigned(b)) => a.cmp(b),
        (Owned::Double(a), Owned::Double(b)) => a.total_cmp(b),
        (Owned::Bytes(a), Owned::Bytes(b)) => a.cmp(b),
        (a, b) if a == b => Equal,
        _ => Less,
    };
    let (a, b) = match (left, right) {
        (Owned::Bytes(a), Owned::Bytes(b)) => (a.clone(), b.clone()),
        _ => (Vec::new(), Vec::new()),
    };
    let inside = |a: &[u8], b: &[u8]| b.is_empty() || a.windows(b.len()).any(|part| part == b);
    match operator {
        Operator::NotEqual => order != Equal,
        Operator::Less => order == Less,
        Operator::LessEqual => order != Greater,
        Operator::Greater => order == Greater,
        Operator::GreaterEqual => order != Less,
        Operator::Contains | Operator::BContains => inside(&a, &b),
        Operator::IContains => inside(&a.to_ascii_lowercase(), &b.to_ascii_lowercase()),
        Operator::StartsWith | Operator::BStartsWith => a.starts_with(&b),
        Operator::EndsWith => a.ends_with(&b),
        Operator::Glob => Glob::new(&b, false).matches(&a),
        Operator::IGlob => Glob::new(&b, true).matches(&a),
        _ => order == Equal,
    }
}

fn each(value: Owned, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Owned> {
    match value {
        Owned::Bytes(bytes) => change(&bytes).map(Owned::Bytes),
        Owned::List(all) => all
            .into_iter()
            .map(|one| each(one, change))
            .collect::<Option<_>>()
            .map(Owned::List),
        _ => None,
    }
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = text.to_vec();
    if text.len().is_multiple_of(4) {
        for _ in 0..2 {
            text.pop_if(|last| *last == b'=');
        }
    }
    let mut bits = Vec::new();
    for digit in &text {
        let value = ALPHABET.iter().position(|own| own == digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    if text.len() % 4 == 1 {
        return None;
    }
    let byte = |eight: &[usize]| eight.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
    Some(bits.chunks_exact(8).map(byte).collect())
}

fn getopt(words: &[Vec<u8>], options: &[u8], selector: Option<u8>) -> Option<Owned> {
    let text = |bytes: &[u8]| Owned::Bytes(bytes.to_vec());
    let (mut found, mut selected) = (Vec::new(), None);
    let mut at = 0;
    while at < words.len() {
        let word = &words[at];
        at += 1;
        if word.len() > 2 && word.starts_with(b"--") {
            continue;
        }
        if word == b"--" || word == b"-" || !word.starts_with(b"-") {
            break;
        }
        let mut index = 1;
        while index < word.len() {
            let option = word[index];
            index += 1;
            let mut known = None;
            for (place, own) in options.iter().enumerate() {
                if known.is_none() && *own == option && option != b':' {
                    known = Some(options.get(place + 1) == Some(&b':'));
                }
            }
            let value = match known {
                None => {
                    found.push(text(b"?"));
                    continue;
                }
                Some(false) => text(&[option]),
                Some(true) => {
                    let value = if index < word.len() {
                        Some(word[index..].to_vec())
                    } else {
                        at += 1;
                        words.get(at - 1).cloned()
                    };
                    index = word.len();
                    found.extend(value.as_ref().map(|_| text(&[option])));
                    text(&value.unwrap_or_default())
                }
            };
            found.push(value.clone());
            if selector == Some(option) {
                selected = Some(value);
            }
        }
    }
    if selector.is_some() {
        selected
    } else {
        Some(Owned::List(found))
    }
}
