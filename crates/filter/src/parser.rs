//! From text to [`Ast`], by recursive descent.
//!
//! Recursion is bounded by the depth setting: each parenthesis costs five, as in the original,
//! where each of five functions counts itself. At the highest setting (1,000) that is 200 levels.
//! Errors point at the byte at which the original stops too, which is why blanks are taken where
//! they are and not in one place.

mod condition;
mod operand;

use crate::ast::{Ast, Builder, ExprId, ExprKind};
use crate::error::{ParseError, ParseErrorKind as Kind};
use crate::lexer::Lexer;
use crate::span::{SourceId, Span};

pub(crate) use operand::{operand_prefix, parse_operand};

/// How to parse.
#[derive(Clone, Copy, Debug)]
pub struct ParseOptions {
    /// Depth limit; a parenthesis costs five. More than [`ParseOptions::DEEPEST`] is cut to it.
    pub max_depth: u32,
    /// Number that expressions carry as their text.
    pub source: SourceId,
}

impl ParseOptions {
    /// The highest depth that is honoured, so that the stack suffices on any thread.
    pub const DEEPEST: u32 = 1000;

    /// For conditions of rules and macros.
    #[must_use]
    pub fn for_rules(source: SourceId) -> Self {
        Self {
            max_depth: Self::DEEPEST,
            source,
        }
    }
}

impl Default for ParseOptions {
    /// For filters on the command line.
    fn default() -> Self {
        Self {
            max_depth: 100,
            source: SourceId::default(),
        }
    }
}

/// Parses a filter with the default options.
///
/// # Errors
/// The first syntax error.
pub fn parse(text: &str) -> Result<Ast, ParseError> {
    parse_with(text, ParseOptions::default())
}

/// Parses a condition.
///
/// # Errors
/// The first syntax error: after it, what follows cannot be trusted.
pub fn parse_with(text: &str, options: ParseOptions) -> Result<Ast, ParseError> {
    let mut parser = Parser::new(text, options);
    if text.is_empty() {
        return Err(parser.lexer.error(Kind::Empty));
    }
    let root = parser.or()?;
    if !parser.lexer.at_end() {
        let after = parser.lexer.last_token().to_owned();
        return Err(parser.lexer.error(Kind::UnexpectedToken { after }));
    }
    Ok(parser.tree.finish(root))
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    tree: Builder,
    depth: u32,
    options: ParseOptions,
    /// Where the last brackets outside of any transformer began.
    before_argument: Option<usize>,
}

const LEVEL: u32 = 5;

impl<'t> Parser<'t> {
    fn new(text: &'t str, options: ParseOptions) -> Self {
        Self {
            lexer: Lexer::new(text),
            tree: Builder::new(),
            depth: 0,
            options,
            before_argument: None,
        }
    }

    fn enter(&mut self) -> Result<(), ParseError> {
        let limit = self.options.max_depth.min(ParseOptions::DEEPEST);
        self.depth += LEVEL;
        if self.depth > limit {
            return Err(self.lexer.error(Kind::TooDeep { limit }));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= LEVEL;
    }

    fn or(&mut self) -> Result<ExprId, ParseError> {
        self.enter()?;
        self.lexer.blank();
        let first = self.and()?;
        let all = self.chain("or", first, Self::and)?;
        self.leave();
        Ok(self.join(all, ExprKind::Or))
    }

    fn and(&mut self) -> Result<ExprId, ParseError> {
        let first = self.not()?;
        let all = self.chain("and", first, Self::not)?;
        Ok(self.join(all, ExprKind::And))
    }

    /// What follows the first operand of `and` or `or`.
    fn chain(
        &mut self,
        word: &'static str,
        first: ExprId,
        operand: fn(&mut Self) -> Result<ExprId, ParseError>,
    ) -> Result<Vec<ExprId>, ParseError> {
        let mut all = vec![first];
        self.lexer.blank();
        while self.lexer.word(word).is_some() {
            if self.lexer.blank() {
                all.push(operand(self)?);
            } else if self.lexer.word("(").is_some() {
                all.push(self.group()?);
            } else {
                return Err(self.lexer.error(Kind::JoinedWord { word }));
            }
            self.lexer.blank();
        }
        Ok(all)
    }

    fn join(&mut self, all: Vec<ExprId>, kind: fn(Vec<ExprId>) -> ExprKind) -> ExprId {
        let (first, last) = (all[0], all[all.len() - 1]);
        if all.len() == 1 {
            return first;
        }
        let span = self.tree.expr(first).span.to(self.tree.expr(last).span);
        self.push(kind(all), span)
    }

    fn push(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.tree.push(kind, span, self.options.source)
    }

    /// The rest of a group whose `(` was taken.
    fn group(&mut self) -> Result<ExprId, ParseError> {
        let inner = self.or()?;
        match self.lexer.word(")") {
            Some(_) => Ok(inner),
            None => Err(self.lexer.error(Kind::MissingParenthesis)),
        }
    }

    fn not(&mut self) -> Result<ExprId, ParseError> {
        let start = self.lexer.at();
        let mut negated = false;
        let inner = loop {
            if self.lexer.word_and_blank("not").is_some() {
                negated = !negated;
                self.lexer.blank();
            } else if self.lexer.word("not(").is_some() {
                negated = !negated;
                break self.group()?;
            } else {
                break self.check()?;
            }
        };
        if !negated {
            return Ok(inner);
        }
        let span = Span::new(start, self.lexer.at());
        Ok(self.push(ExprKind::Not(inner), span))
    }

    fn check(&mut self) -> Result<ExprId, ParseError> {
        if self.lexer.word("(").is_some() {
            return self.group();
        }
        let start = self.lexer.at();
        if let Some(left) = self.operand()? {
            let check = self.condition(left)?;
            let span = Span::new(start, self.lexer.at());
            return Ok(self.push(ExprKind::Check(Box::new(check)), span));
        }
        match self.lexer.identifier() {
            Some((name, span)) => Ok(self.push(ExprKind::Macro(name.to_owned()), span)),
            None => Err(self.lexer.error(Kind::ExpectedCheck)),
        }
    }
}
