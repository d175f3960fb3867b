//! A compiled operand: a field, a constant, or a transformer of such.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::ast::{Field, Operand, Transformer, TransformerArgument};
use crate::compile_error::{CompileErrorKind as Kind, TypeText};
use crate::constant::Family;
use crate::operator::Function;
use crate::schema::{FieldDef, FieldRef, Quantifier, ResolveError, Schema};
use crate::span::Span;
use crate::value::Type;

/// What is evaluated to a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    Field(FieldRef),
    Text(Box<[u8]>),
    Items(Box<[Term]>),
    Call(Box<Call>),
}

/// A transformer with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Box<[Term]>,
    /// The option that `getopt` shall find.
    pub(crate) selector: Option<u8>,
    /// Whether a text argument of `len` ends at its first NUL.
    pub(crate) text: bool,
}

/// A term and what is known about its values.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) term: Term,
    pub(crate) ty: Type,
    pub(crate) list: bool,
    pub(crate) quantifier: Quantifier,
    /// All plain fields in it.
    pub(crate) fields: Vec<Arc<FieldDef>>,
}

impl Typed {
    fn constant(term: Term, list: bool) -> Self {
        Self {
            term,
            ty: Type::CharBuf,
            list,
            quantifier: Quantifier::One,
            fields: Vec::new(),
        }
    }

    pub(crate) fn type_text(&self) -> TypeText {
        TypeText {
            ty: self.ty,
            list: self.list,
        }
    }
}

/// Where an error is, besides what it is.
pub(crate) type Fault = (Kind, Span);

/// Resolved fields by their text, so that each is looked up once.
#[derive(Debug, Default)]
pub(crate) struct FieldCache {
    known: HashMap<String, Arc<FieldDef>>,
}

impl FieldCache {
    pub(crate) fn resolve(
        &mut self,
        text: &str,
        schema: &dyn Schema,
    ) -> Result<Arc<FieldDef>, ResolveError> {
        if let Some(known) = self.known.get(text) {
            return Ok(Arc::clone(known));
        }
        let def = Arc::new(schema.resolve(text)?);
        self.known.insert(text.to_owned(), Arc::clone(&def));
        Ok(def)
    }
}

/// Turns operands into terms.
pub(crate) struct TermCompiler<'c> {
    pub(crate) schema: &'c dyn Schema,
    pub(crate) cache: &'c mut FieldCache,
}

impl TermCompiler<'_> {
    pub(crate) fn operand(&mut self, operand: &Operand) -> Result<Typed, Fault> {
        match operand {
            Operand::Field(field) => self.field(field),
            Operand::Transformer(transformer) => self.transformer(transformer),
        }
    }

    pub(crate) fn field(&mut self, field: &Field) -> Result<Typed, Fault> {
        let text = field.text();
        let def = self.cache.resolve(&text, self.schema).map_err(|error| {
            let kind = match error {
                ResolveError::Unknown => Kind::UnknownField {
                    suggestion: crate::suggest::nearest(&field.name, &self.schema.names()),
                    field: text,
                },
                ResolveError::Argument(reason) => Kind::FieldArgument {
                    field: text,
                    reason,
                },
                ResolveError::Removed { since } => Kind::RemovedField { field: text, since },
            };
            (kind, field.span)
        })?;
        Ok(Typed {
            term: Term::Field(def.field.clone()),
            ty: def.ty,
            list: def.list,
            quantifier: def.quantifier,
            fields: vec![def],
        })
    }

    fn argument(&mut self, argument: &TransformerArgument) -> Result<Typed, Fault> {
        match argument {
            TransformerArgument::Field(field) => self.field(field),
            TransformerArgument::Transformer(inner) => self.transformer(inner),
            TransformerArgument::Literal(literal) => Ok(Typed::constant(
                Term::Text(literal.bytes.as_slice().into()),
                false,
            )),
            TransformerArgument::List(items, _) => {
                let mut all = Typed::constant(Term::Items(Box::default()), true);
                let mut terms = Vec::with_capacity(items.len());
                for item in items {
                    let typed = self.argument(item)?;
                    if Family::of(typed.ty) != Family::Text {
                        all.ty = typed.ty;
                    }
                    all.fields.extend(typed.fields);
                    terms.push(typed.term);
                }
                all.term = Term::Items(terms.into());
                Ok(all)
            }
        }
    }

    pub(crate) fn transformer(&mut self, call: &Transformer) -> Result<Typed, Fault> {
        let function = call.function;
        let fault = |kind| (kind, call.span);
        if let (Some((_, span)), false) = (&call.selector, function == Function::Getopt) {
            return Err((Kind::NoSelector { function }, *span));
        }
        let (fewest, most, takes) = match function {
            Function::Join | Function::Getopt => (2, 2, "exactly two arguments"),
            Function::Concat => (2, usize::MAX, "two arguments or more"),
            _ => (1, 1, "one argument"),
        };
        let given = call.arguments.len();
        if given < fewest || given > most {
            return Err(fault(Kind::ArgumentCount {
                function,
                takes,
                given,
            }));
        }
        let mut arguments = Vec::with_capacity(given);
        for argument in &call.arguments {
            arguments.push(self.argument(argument)?);
        }
        if function == Function::Val {
            return Ok(arguments.swap_remove(0));
        }
        let all_fields = arguments.iter().flat_map(|argument| &argument.fields);
        if let Some(def) = all_fields.clone().find(|def| !def.transformers_allowed) {
            return Err(fault(Kind::TransformersRefused {
                field: def.name.clone(),
            }));
        }
        let fields = all_fields.cloned().collect();
        let (ty, list) = result_type(call, &arguments)?;
        let selector = selector_of(call)?;
        let text = Family::of(arguments[0].ty) == Family::Text && !arguments[0].list;
        let arguments = arguments
            .into_iter()
            .map(|argument| argument.term)
            .collect();
        let term = Term::Call(Box::new(Call {
            function,
            arguments,
            selector,
            text,
        }));
        Ok(Typed {
            term,
            ty,
            list,
            quantifier: Quantifier::One,
            fields,
        })
    }
}

fn selector_of(call: &Transformer) -> Result<Option<u8>, Fault> {
    match &call.selector {
        None => Ok(None),
        Some((text, span)) => match text.as_bytes() {
            [one] => Ok(Some(*one)),
            _ => Err((Kind::Selector, *span)),
        },
    }
}

/// Checks the arguments' types; their number is right.
fn result_type(call: &Transformer, arguments: &[Typed]) -> Result<(Type, bool), Fault> {
    let function = call.function;
    let first = &arguments[0];
    let family = Family::of(first.ty);
    let is_text = |typed: &Typed| Family::of(typed.ty) == Family::Text;
    let wrong = |position: usize, wanted| {
        Err((
            Kind::ArgumentKind {
                function,
                position,
                wanted,
            },
            call.arguments[position - 1].span(),
        ))
    };
    let accepted = match function {
        Function::ToLower | Function::ToUpper | Function::Basename => family == Family::Text,
        Function::B64 => matches!(family, Family::Text | Family::Buffer),
        Function::Len => first.list || matches!(family, Family::Text | Family::Buffer),
        _ => true,
    };
    if !accepted {
        let argument = call.arguments[0].to_string();
        let kind = Kind::TransformerType {
            function,
            ty: first.type_text(),
            argument,
        };
        return Err((kind, call.arguments[0].span()));
    }
    match function {
        Function::Val
        | Function::ToLower
        | Function::ToUpper
        | Function::Basename
        | Function::B64 => Ok((first.ty, first.list)),
        Function::Len => Ok((Type::Uint64, false)),
        Function::Join => {
            let from_getopt = matches!(
                &call.arguments[1],
                TransformerArgument::Transformer(inner) if inner.function == Function::Getopt
            );
            if first.list {
                wrong(1, "one value, the separator")
            } else if !arguments[1].list || from_getopt {
                wrong(2, "a list")
            } else {
                Ok((Type::CharBuf, false))
            }
        }
        Function::Concat => match arguments.iter().position(|a| a.list || !is_text(a)) {
            Some(index) => wrong(index + 1, "a text"),
            None => Ok((Type::CharBuf, false)),
        },
        Function::Getopt => {
            if !first.list {
                wrong(1, "a list")
            } else if arguments[1].list {
                wrong(2, "one value, the options")
            } else if !is_text(first) {
                wrong(1, "a list of texts")
            } else if !is_text(&arguments[1]) {
                wrong(2, "a text, the options")
            } else {
                Ok((Type::CharBuf, call.selector.is_none()))
            }
        }
    }
}

impl TransformerArgument {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Field(field) => field.span,
            Self::Transformer(inner) => inner.span,
            Self::Literal(literal) => literal.span,
            Self::List(_, span) => *span,
        }
    }
}
