//! The canonical text of a condition.
//!
//! It is what listings show and what the original's listings are compared with, so its habits are
//! kept even where the text then doesn't parse back: an empty value prints as nothing; parentheses
//! and commas in a value stand without quotes; literals inside transformers lose their quotes.
//! Bytes that are not UTF-8 print as `\xHH`.

use std::fmt::{self, Write};

use crate::ast::{
    Ast, Check, ExprId, ExprKind, Field, Literal, Operand, Right, Transformer, TransformerArgument,
};

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(self.root(), f)
    }
}

enum Step<'a> {
    Expr(ExprId),
    Text(&'a str),
}

impl Ast {
    /// The canonical text of one expression.
    #[must_use]
    pub fn text_of(&self, id: ExprId) -> String {
        let mut out = String::new();
        self.print(id, &mut out)
            .expect("writing to a string does not fail");
        out
    }

    fn print(&self, id: ExprId, out: &mut impl Write) -> fmt::Result {
        let mut steps = vec![Step::Expr(id)];
        while let Some(step) = steps.pop() {
            let id = match step {
                Step::Text(text) => {
                    out.write_str(text)?;
                    continue;
                }
                Step::Expr(id) => id,
            };
            let (children, word) = match &self.expr(id).kind {
                ExprKind::And(children) => (children, " and "),
                ExprKind::Or(children) => (children, " or "),
                ExprKind::Not(inner) => {
                    out.write_str("not ")?;
                    steps.push(Step::Expr(*inner));
                    continue;
                }
                ExprKind::Macro(name) => {
                    out.write_str(name)?;
                    continue;
                }
                ExprKind::Check(check) => {
                    write!(out, "{check}")?;
                    continue;
                }
            };
            out.write_char('(')?;
            steps.push(Step::Text(")"));
            for (index, &child) in children.iter().enumerate().rev() {
                steps.push(Step::Expr(child));
                if index > 0 {
                    steps.push(Step::Text(word));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.operator)?;
        if let Some((modifier, _)) = self.modifier {
            write!(f, " {modifier}")?;
        }
        match &self.right {
            Right::Nothing => Ok(()),
            Right::Value(one) | Right::Name(one) => write!(f, " {one}"),
            Right::List(all, _) => {
                f.write_str(" (")?;
                separated(all, ", ", f)?;
                f.write_str(")")
            }
            Right::Transformer(transformer) => write!(f, " {transformer}"),
        }
    }
}

fn separated<T: fmt::Display>(
    all: &[T],
    separator: &str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (index, one) in all.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        one.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Transformer(transformer) => transformer.fmt(f),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.argument
            .as_ref()
            .map_or(Ok(()), |argument| bracketed(argument, f))
    }
}

fn bracketed(argument: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('[')?;
    if argument.is_empty() {
        f.write_str("\"\"")?;
    } else {
        value(argument.as_bytes(), f)?;
    }
    f.write_char(']')
}

impl fmt::Display for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function)?;
        separated(&self.arguments, ",", f)?;
        f.write_char(')')?;
        self.selector
            .as_ref()
            .map_or(Ok(()), |(selector, _)| bracketed(selector, f))
    }
}

impl fmt::Display for TransformerArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Transformer(transformer) => transformer.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
            Self::List(items, _) => {
                f.write_char('(')?;
                separated(items, ",", f)?;
                f.write_char(')')
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        value(&self.bytes, f)
    }
}

/// A value, in quotes if it has to be.
fn value(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let special = |byte: &u8| {
        matches!(
            byte,
            0 | 0x08 | 0x0c | b'\n' | b'\r' | b'\t' | b' ' | b'=' | b'\\' | b'"' | b'\''
        )
    };
    let text = std::str::from_utf8(bytes);
    if let (Ok(text), false) = (text, bytes.iter().any(special)) {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\0' => f.write_str("\\x00")?,
                '\x08' => f.write_str("\\b")?,
                '\x0c' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                _ => f.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    f.write_char('"')
}
