//! Output templates: text with `%field` tokens.
//!
//! A token is the longest text behind the `%` that is a field or a transformer expression and
//! compiles; so `%proc.name.` is a field and a full stop, and `%proc.names` a field and an `s`. There
//! is no way to write a percent sign alone.
//!
//! The original tries every length from the end of the text downwards. The same result comes from
//! reading forwards once: lexing is greedy, so the whole expression either ends in one place, or
//! it is a field whose argument or last letters do not belong to it.

use std::sync::Arc;

use bumpalo::Bump;

use crate::ast::{Field, Operand};
use crate::compile_error::CompileErrorKind;
use crate::parser::{operand_prefix, parse_operand};
use crate::render::{self, Buffers};
use crate::schema::{FieldDef, FieldSource, Format, Purpose, Schema};
use crate::span::Span;
use crate::term::{FieldCache, Term, TermCompiler, Typed};
use crate::transform;
use crate::value::Value;

/// A template that compiles.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    fields: Vec<Arc<FieldDef>>,
    permissive: bool,
}

/// A template that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// The token, from its `%` on.
    pub span: Span,
}

/// Classes of template errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// Nothing at all.
    #[error("the output is empty")]
    Empty,
    /// A `%` at the end.
    #[error("a `%` at the end lacks its field")]
    EndsWithPercent,
    /// A width at the end.
    #[error("a width at the end lacks its field")]
    EndsWithNumber,
    /// No field behind a `%`.
    #[error("no field follows the `%`{}", shown(.text, .reason.as_deref()))]
    UnknownToken {
        /// What stands there, up to the end of what could be a name.
        text: String,
        /// What the nearest reading of it lacks.
        reason: Option<Box<CompileErrorKind>>,
    },
}

fn shown(text: &str, reason: Option<&CompileErrorKind>) -> String {
    match reason {
        Some(reason) => format!(": {reason}"),
        None if text.is_empty() => String::new(),
        None => format!(": `{text}` is none"),
    }
}

#[derive(Clone, Debug)]
enum Part {
    Literal(Box<str>),
    Token(Token),
}

#[derive(Clone, Debug)]
struct Token {
    value: Typed,
    /// How integers print; plain where a transformer made them.
    format: Format,
    /// Bytes that the text is padded or cut to.
    width: Option<usize>,
    /// The expression, where it is more than a field.
    call: Option<Box<str>>,
}

/// What a missing value prints as.
pub const MISSING: &[u8] = b"<NA>";

/// Longest width; more is cut to it, so that a rule cannot ask for gigabytes.
const WIDEST: usize = 1 << 16;

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`TemplateError`] for the first token that is none.
    pub fn parse(text: &str, schema: &dyn Schema) -> Result<Self, TemplateError> {
        let (permissive, body) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let shift = text.len() - body.len();
        if body.is_empty() {
            return Err(TemplateError {
                kind: TemplateErrorKind::Empty,
                span: Span::default(),
            });
        }
        let mut cache = FieldCache::default();
        let mut compiler = TermCompiler {
            schema,
            cache: &mut cache,
        };
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'%', &body.as_bytes()[at..]) {
            let percent = at + found;
            if percent > at {
                parts.push(Part::Literal(body[at..percent].into()));
            }
            let (token, length) = token(&body[percent + 1..], &mut compiler).map_err(|kind| {
                let length = match &kind {
                    TemplateErrorKind::UnknownToken { text, .. } => text.len(),
                    _ => body.len() - percent - 1,
                };
                let start = percent + shift;
                TemplateError {
                    kind,
                    span: Span::new(start, start + 1 + length),
                }
            })?;
            parts.push(Part::Token(token));
            at = percent + 1 + length;
        }
        if at < body.len() {
            parts.push(Part::Literal(body[at..].into()));
        }
        let mut fields: Vec<Arc<FieldDef>> = Vec::new();
        for part in &parts {
            let Part::Token(token) = part else { continue };
            for field in &token.value.fields {
                if !fields.iter().any(|known| known.name == field.name) {
                    fields.push(Arc::clone(field));
                }
            }
        }
        // There are thousands of them.
        parts.shrink_to_fit();
        fields.shrink_to_fit();
        Ok(Self {
            parts,
            fields,
            permissive,
        })
    }

    /// All plain fields in its tokens, each once, in the order of the text: the keys of JSON output,
    /// whose values are those of the fields, not of the transformers around them.
    #[must_use]
    pub fn fields(&self) -> &[Arc<FieldDef>] {
        &self.fields
    }

    /// What the tokens print, in the order of the text: fields, and transformer expressions
    /// together with the fields inside them; repeated ones too. For listings.
    pub fn mentions(&self) -> impl Iterator<Item = &str> {
        let tokens = self.parts.iter().filter_map(|part| match part {
            Part::Token(token) => Some(token),
            Part::Literal(_) => None,
        });
        tokens.flat_map(|token| {
            let fields = token.value.fields.iter().map(|field| field.name.as_str());
            token.call.as_deref().into_iter().chain(fields)
        })
    }

    /// Whether missing values print as `<NA>`.
    #[must_use]
    pub fn is_permissive(&self) -> bool {
        self.permissive
    }

    /// The same with missing values printed as `<NA>`.
    #[must_use]
    pub fn permissive(mut self) -> Self {
        self.permissive = true;
        self
    }

    /// Adds the text for an event, values as they are. False, and nothing added, if a value is
    /// missing and the template isn't permissive.
    pub fn render<S: FieldSource>(&self, source: &S, out: &mut Vec<u8>) -> bool {
        self.render_with(source, Rendering::default(), out)
    }

    /// Adds the text for an event.
    pub fn render_with<S: FieldSource>(
        &self,
        source: &S,
        rendering: Rendering,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let scratch = Bump::new();
        let mut raw = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Token(token) => {
                    raw.clear();
                    let value = token.evaluate(source, &scratch);
                    match value {
                        Some(value) => token.text(&value, rendering.buffers, &mut raw),
                        None if self.permissive => raw.extend_from_slice(MISSING),
                        None => {
                            out.truncate(start);
                            return false;
                        }
                    }
                    if rendering.sanitized && token.width.is_some() {
                        let unclean = std::mem::take(&mut raw);
                        render::sanitize(&unclean, &mut raw);
                    }
                    if let Some(width) = token.width {
                        raw.resize(width, b' ');
                    }
                    if rendering.sanitized {
                        render::sanitize(&raw, out);
                    } else {
                        out.extend_from_slice(&raw);
                    }
                }
            }
        }
        true
    }
}

/// How values print in a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rendering {
    /// How buffers print.
    pub buffers: Buffers,
    /// Whether control characters and invalid UTF-8 in values are made harmless by
    /// [`render::sanitize`]. The author's own text is never changed.
    pub sanitized: bool,
}

impl Token {
    fn evaluate<'a, S: FieldSource>(
        &'a self,
        source: &'a S,
        scratch: &'a Bump,
    ) -> Option<Value<'a>> {
        match &self.value.term {
            Term::Field(field) => source.extract(field, Purpose::Text, scratch),
            term => transform::value(term, source, scratch),
        }
    }

    fn text(&self, value: &Value<'_>, buffers: Buffers, out: &mut Vec<u8>) {
        render::typed_text(self.value.ty, self.format, value, buffers, out);
    }
}

/// The token behind a `%`, and its length.
fn token(text: &str, compiler: &mut TermCompiler<'_>) -> Result<(Token, usize), TemplateErrorKind> {
    if text.is_empty() {
        return Err(TemplateErrorKind::EndsWithPercent);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let expression = &text[digits..];
    if expression.is_empty() {
        return Err(TemplateErrorKind::EndsWithNumber);
    }
    let width = match text[..digits].parse::<usize>() {
        Ok(0) => None,
        Ok(width) => Some(width.min(WIDEST)),
        Err(_) if digits > 0 => Some(WIDEST),
        Err(_) => None,
    };
    let (value, length) = longest(expression, compiler)?;
    let format = match (&value.term, value.fields.first()) {
        (Term::Field(_), Some(def)) => def.format,
        _ => Format::Decimal,
    };
    let call = match value.term {
        Term::Field(_) => None,
        _ => parse_operand(&expression[..length])
            .ok()
            .map(|operand| operand.to_string().into()),
    };
    Ok((
        Token {
            value,
            format,
            width,
            call,
        },
        digits + length,
    ))
}

/// The longest beginning that parses and compiles.
fn longest(
    text: &str,
    compiler: &mut TermCompiler<'_>,
) -> Result<(Typed, usize), TemplateErrorKind> {
    let mut reason = None;
    // The whole of it, then without what stands in brackets.
    for length in operand_prefix(text) {
        let Ok(operand) = parse_operand(&text[..length]) else {
            continue;
        };
        match compiler.operand(&operand) {
            Ok(typed) => return Ok((typed, length)),
            Err((kind, _)) => reason = reason.or(Some(Box::new(kind))),
        }
        if let Operand::Field(Field {
            name,
            argument: None,
            ..
        }) = &operand
        {
            // Letters at the end that belong to the text; no name is longer than this.
            for shorter in (1..name.len().min(256)).rev() {
                let Ok(operand) = parse_operand(&text[..shorter]) else {
                    continue;
                };
                if let Ok(typed) = compiler.operand(&operand) {
                    return Ok((typed, shorter));
                }
            }
        }
    }
    let end = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        .count();
    Err(TemplateErrorKind::UnknownToken {
        text: text[..end].to_owned(),
        reason,
    })
}
