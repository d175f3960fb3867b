//! From a check of the syntax tree to a typed test, with all that can be said against it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ast::{Ast, Check, ExprKind, Literal, Right};
use crate::compile_error::{
    CompileError, CompileErrorKind as Kind, TypeText, Warning, WarningKind,
};
use crate::constant::{self, Constant, Family};
use crate::domain;
use crate::operator::{Function, Modifier, Operator};
use crate::pattern::Pattern;
use crate::schema::{FieldDef, Quantifier, Schema};
use crate::span::{SourceId, Span};
use crate::term::{Fault, FieldCache, Term, TermCompiler, Typed};
use crate::value::Type;

/// What a test does with one value and one constant. Spellings of the same are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Contains,
    IContains,
    StartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
}

/// A test of one left value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Exists,
    /// With one constant.
    One(Relation, Constant),
    /// Is one of these; in order of the text.
    In(Vec<Constant>),
    /// `pmatch`
    Paths(Vec<Box<[u8]>>),
    /// With a modifier.
    Several(Modifier, Relation, Vec<Constant>),
    /// With the right side's value.
    Against(Relation, Term),
    /// Is in the right side's values.
    InValues(Term),
}

/// How the left side's values are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// One value.
    One,
    /// Any of several.
    Any,
    /// Any of several; all of them for `!=`.
    Ends,
    /// A list, of which each element must be in the set.
    Every,
    /// A list, of which some element must be in the set.
    Some,
}

/// A check that makes sense.
#[derive(Clone, Debug)]
pub(crate) struct CompiledCheck {
    pub(crate) left: Term,
    pub(crate) shape: Shape,
    pub(crate) test: Test,
    /// All plain fields on both sides.
    pub(crate) fields: Vec<Arc<FieldDef>>,
}

/// All that is wrong and all that is doubtful in a condition.
#[must_use]
pub fn check(ast: &Ast, schema: &dyn Schema) -> (Vec<CompileError>, Vec<Warning>) {
    Checker::default().check(ast, |_| false, schema)
}

/// Checks many conditions of one schema. What macros insert is in many of them: found sound once, it
/// is not looked at again.
#[derive(Debug, Default)]
pub struct Checker {
    cache: FieldCache,
    sound: HashSet<(SourceId, Span)>,
}

impl Checker {
    /// As [`check`](self::check), with the same schema in each call. `inserted` tells the sources whose
    /// number stands for the same text in each call.
    #[must_use]
    pub fn check(
        &mut self,
        ast: &Ast,
        inserted: impl Fn(SourceId) -> bool,
        schema: &dyn Schema,
    ) -> (Vec<CompileError>, Vec<Warning>) {
        let mut compiler = CheckCompiler::new(schema, &mut self.cache);
        for (_, expr) in ast.exprs() {
            compiler.here = expr.source;
            match &expr.kind {
                ExprKind::Check(check) => {
                    let place = (expr.source, expr.span);
                    if self.sound.contains(&place) {
                        continue;
                    }
                    let doubts = compiler.warnings.len();
                    let passes = compiler.check(check).is_some();
                    if passes && compiler.warnings.len() == doubts && inserted(expr.source) {
                        self.sound.insert(place);
                    }
                }
                ExprKind::Macro(name) => compiler.unknown_macro(name, expr.span),
                _ => {}
            }
        }
        (compiler.errors, compiler.warnings)
    }
}

/// Compiles checks and gathers what is wrong with them.
pub(crate) struct CheckCompiler<'c> {
    pub(crate) terms: TermCompiler<'c>,
    pub(crate) here: SourceId,
    pub(crate) errors: Vec<CompileError>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'c> CheckCompiler<'c> {
    pub(crate) fn new(schema: &'c dyn Schema, cache: &'c mut FieldCache) -> Self {
        Self {
            terms: TermCompiler { schema, cache },
            here: SourceId::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn unknown_macro(&mut self, name: &str, span: Span) {
        self.fail((
            Kind::UnknownMacro {
                name: name.to_owned(),
            },
            span,
        ));
    }

    fn fail(&mut self, (kind, span): Fault) {
        self.errors.push(CompileError {
            kind,
            span,
            source_id: self.here,
        });
    }

    /// The compiled check, or nothing and an error more.
    pub(crate) fn check(&mut self, check: &Check) -> Option<CompiledCheck> {
        match self.compile(check) {
            Ok(compiled) => Some(compiled),
            Err(fault) => {
                self.fail(fault);
                None
            }
        }
    }

    fn compile(&mut self, check: &Check) -> Result<CompiledCheck, Fault> {
        let left = self.terms.operand(&check.left)?;
        let left = self.text_of_list(check, left);
        let mut fields = left.fields.clone();
        let test = match &check.right {
            Right::Nothing => Test::Exists,
            Right::Transformer(right) => {
                legal(check, &left)?;
                let typed = self.terms.transformer(right)?;
                let test = against(check, &left, right.function, &typed)
                    .map_err(|kind| (kind, check.operator_span.to(right.span)))?;
                fields.extend(typed.fields);
                test
            }
            Right::Value(_) | Right::Name(_) | Right::List(..) => {
                if !(check.operator == Operator::PMatch && self.has_text(&left)) {
                    legal(check, &left)?;
                }
                self.constants(check, &left)?
            }
        };
        let shape = match (left.list, left.quantifier) {
            (true, _) if matches!(check.operator, Operator::In | Operator::PMatch) => Shape::Every,
            (true, _) if check.operator == Operator::Intersects => Shape::Some,
            (true, _) | (_, Quantifier::One | Quantifier::Within) => Shape::One,
            (false, Quantifier::Any) => Shape::Any,
            (false, Quantifier::Ends) => Shape::Ends,
        };
        Ok(CompiledCheck {
            left: left.term,
            shape,
            test,
            fields,
        })
    }

    /// Whether a list is one whose schema has a text for it.
    fn has_text(&self, left: &Typed) -> bool {
        left.list
            && matches!((&left.term, left.fields.as_slice()), (Term::Field(_), [def])
                if self.terms.schema.as_text(def).is_some())
    }

    /// The text of a list, where the schema has one and the operator is for texts.
    fn text_of_list(&self, check: &Check, left: Typed) -> Typed {
        let for_lists = matches!(
            check.operator,
            Operator::In | Operator::Intersects | Operator::Exists | Operator::PMatch
        );
        let constants = !matches!(check.right, Right::Nothing | Right::Transformer(_));
        if for_lists || !constants || !self.has_text(&left) {
            return left;
        }
        let Some(text) = self.terms.schema.as_text(&left.fields[0]) else {
            return left;
        };
        Typed {
            term: Term::Field(text.field.clone()),
            ty: text.ty,
            list: text.list,
            quantifier: text.quantifier,
            fields: vec![Arc::new(text)],
        }
    }

    fn constants(&mut self, check: &Check, left: &Typed) -> Result<Test, Fault> {
        let constants = check.right.constants();
        for constant in constants {
            self.doubts(check.operator, constant);
        }
        let mut read = Vec::with_capacity(constants.len());
        for constant in constants {
            read.push(
                self.constant(check, left, constant)
                    .map_err(|kind| (kind, constant.span))?,
            );
        }
        if let Some((modifier, _)) = check.modifier {
            return Ok(Test::Several(modifier, relation(check.operator), read));
        }
        if check.operator == Operator::PMatch {
            let bytes = |constant| match constant {
                Constant::Bytes(bytes) => Some(bytes),
                _ => None,
            };
            return Ok(Test::Paths(read.into_iter().filter_map(bytes).collect()));
        }
        if check.operator.takes_list() {
            return Ok(Test::In(read));
        }
        let only = read
            .pop()
            .expect("the grammar gives these operators one constant");
        match left.quantifier {
            Quantifier::Within => Ok(Test::One(Relation::LessEqual, only)),
            _ => Ok(Test::One(relation(check.operator), only)),
        }
    }

    fn constant(&self, check: &Check, left: &Typed, literal: &Literal) -> Result<Constant, Kind> {
        let schema = self.terms.schema;
        if matches!(check.operator, Operator::BContains | Operator::BStartsWith) {
            return constant::read_hex(&literal.bytes);
        }
        let constant = constant::read(&literal.bytes, left.ty, schema)?;
        // What the schema says holds for the plain field only, not for what a transformer makes.
        if let (Term::Field(_), [def]) = (&left.term, left.fields.as_slice()) {
            schema
                .check_constant(def, &literal.bytes)
                .map_err(|reason| Kind::Refused { reason })?;
        }
        match (check.operator, constant) {
            (Operator::Regex, Constant::Bytes(bytes)) => Pattern::new(&bytes)
                .map(|pattern| Constant::Pattern(Arc::new(pattern)))
                .map_err(|reason| Kind::Regex { reason }),
            (operator, Constant::Bytes(bytes))
                if left.ty == Type::Domain && operator != Operator::PMatch =>
            {
                Ok(domain_constant(operator, &bytes))
            }
            (_, constant) => Ok(constant),
        }
    }

    fn doubts(&mut self, operator: Operator, literal: &Literal) {
        let mut warn = |kind| {
            let (span, source_id) = (literal.span, self.here);
            self.warnings.push(Warning {
                kind,
                span,
                source_id,
            });
        };
        let value = String::from_utf8_lossy(&literal.bytes);
        let tight: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if tight.contains('.') && self.terms.cache.resolve(&tight, self.terms.schema).is_ok() {
            warn(WarningKind::FieldAsText {
                value: tight.clone(),
            });
        }
        let called = tight
            .split_once('(')
            .filter(|_| tight.ends_with(')'))
            .map(|(name, _)| name);
        let all = Function::LEFT.iter().chain(std::iter::once(&Function::Val));
        if called.is_some_and(|name| all.clone().any(|function| function.text() == name)) {
            warn(WarningKind::TransformerAsText { value: tight });
        }
        if operator == Operator::Regex && Pattern::is_plain(&literal.bytes) {
            warn(WarningKind::PlainRegex {
                value: value.into_owned(),
            });
        }
    }
}

/// What a domain's names are compared with: whole names and what lies below them by equality and
/// membership, texts otherwise. Names are in lower case, so constants are.
fn domain_constant(operator: Operator, bytes: &[u8]) -> Constant {
    let names = operator.is_equality()
        || matches!(
            operator,
            Operator::NotEqual | Operator::In | Operator::Intersects
        );
    if names {
        Constant::Domain(domain::normal(bytes))
    } else {
        Constant::Bytes(bytes.to_ascii_lowercase().into())
    }
}

/// Whether the operator is defined for the left side's type.
fn legal(check: &Check, left: &Typed) -> Result<(), Fault> {
    use Operator as Op;
    let operator = check.operator;
    let modifier = check.modifier.map(|(modifier, _)| modifier);
    let fault = |kind| Err((kind, check.operator_span));
    let family = Family::of(left.ty);
    if left.list {
        if !matches!(operator, Op::In | Op::Intersects) {
            return fault(Kind::ListOperator { operator });
        }
        let comparable = matches!(family, Family::Text | Family::Bool | Family::Unsigned(64))
            || matches!(family, Family::Address | Family::Network);
        return if comparable {
            Ok(())
        } else {
            fault(Kind::ListType { ty: left.ty })
        };
    }
    if left.quantifier == Quantifier::Within && (!operator.is_equality() || modifier.is_some()) {
        let ty = TypeText {
            ty: left.ty,
            list: left.list,
        };
        return fault(Kind::Operator {
            operator,
            modifier,
            ty,
        });
    }
    let equality = operator.is_equality() || operator == Op::NotEqual;
    let membership = matches!(operator, Op::In | Op::Intersects);
    let order = matches!(
        operator,
        Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual
    );
    let binary = matches!(operator, Op::BContains | Op::BStartsWith);
    let fits = match family {
        Family::Text => !binary,
        Family::Buffer => {
            let pieces = matches!(operator, Op::Contains | Op::StartsWith | Op::EndsWith);
            equality || membership || binary || pieces
        }
        _ if family.is_numeric() => equality || membership || order,
        Family::Opaque => false,
        _ => equality || membership,
    };
    if fits {
        return Ok(());
    }
    let ty = TypeText {
        ty: left.ty,
        list: left.list,
    };
    fault(Kind::Operator {
        operator,
        modifier,
        ty,
    })
}

/// A comparison with another field's value.
fn against(check: &Check, left: &Typed, function: Function, right: &Typed) -> Result<Test, Kind> {
    let operator = check.operator;
    if matches!(operator, Operator::PMatch | Operator::Regex) {
        return Err(Kind::RightOperator { operator });
    }
    if Family::of(left.ty) == Family::Network {
        return Err(Kind::RightType { ty: left.ty });
    }
    if let Some(def) = left.fields.iter().find(|def| !def.rhs_allowed) {
        return Err(Kind::RightRefused {
            field: def.name.clone(),
        });
    }
    if let Some(def) = right.fields.iter().find(|def| !def.rhs_allowed) {
        return Err(Kind::RightField {
            field: def.name.clone(),
        });
    }
    if left.ty != right.ty || left.list != right.list {
        let right_text = match &check.right {
            Right::Transformer(call) if function == Function::Val => call.arguments[0].to_string(),
            Right::Transformer(call) => call.to_string(),
            _ => String::new(),
        };
        return Err(Kind::Mismatch {
            left: check.left.to_string(),
            left_type: left.type_text(),
            right: right_text,
            right_type: right.type_text(),
        });
    }
    if matches!(operator, Operator::In | Operator::Intersects) {
        return Ok(Test::InValues(right.term.clone()));
    }
    Ok(Test::Against(relation(operator), right.term.clone()))
}

/// `in`, `intersects`, `pmatch` and `exists` are no relations and never come here.
fn relation(operator: Operator) -> Relation {
    match operator {
        Operator::NotEqual => Relation::NotEqual,
        Operator::Less => Relation::Less,
        Operator::LessEqual => Relation::LessEqual,
        Operator::Greater => Relation::Greater,
        Operator::GreaterEqual => Relation::GreaterEqual,
        Operator::Contains | Operator::BContains => Relation::Contains,
        Operator::IContains => Relation::IContains,
        Operator::StartsWith | Operator::BStartsWith => Relation::StartsWith,
        Operator::EndsWith => Relation::EndsWith,
        Operator::Glob => Relation::Glob,
        Operator::IGlob => Relation::IGlob,
        Operator::Regex => Relation::Regex,
        Operator::Equal
        | Operator::DoubleEqual
        | Operator::Exists
        | Operator::In
        | Operator::Intersects
        | Operator::PMatch => Relation::Equal,
    }
}
