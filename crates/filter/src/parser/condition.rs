//! Operators and right sides.

use super::Parser;
use crate::ast::{Check, Literal, Operand, Right};
use crate::error::{ParseError, ParseErrorKind as Kind};
use crate::operator::{Modifier, Operator};
use crate::span::Span;

/// The operators that need a blank behind them.
const WORD_OPERATORS: [Operator; 9] = [
    Operator::Glob,
    Operator::IGlob,
    Operator::Contains,
    Operator::IContains,
    Operator::BContains,
    Operator::StartsWith,
    Operator::BStartsWith,
    Operator::EndsWith,
    Operator::Regex,
];

impl Parser<'_> {
    pub(super) fn condition(&mut self, left: Operand) -> Result<Check, ParseError> {
        self.lexer.blank();
        let (operator, operator_span, blank) = self.operator()?;
        let mut modifier = None;
        let right = match operator {
            Operator::Exists => Right::Nothing,
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                self.number_side()?
            }
            Operator::In | Operator::Intersects | Operator::PMatch => self.list_side()?,
            _ => match self.modified_side(blank)? {
                Some((word, span, right)) => {
                    modifier = Some((word, span));
                    right
                }
                None => self.value_side()?,
            },
        };
        Ok(Check {
            left,
            operator,
            operator_span,
            modifier,
            right,
        })
    }

    /// The operator here, and whether blanks follow, which are taken.
    pub(super) fn operator(&mut self) -> Result<(Operator, Span, bool), ParseError> {
        use Operator::{
            DoubleEqual, Equal, Exists, Greater, GreaterEqual, In, Intersects, Less, LessEqual,
            NotEqual, PMatch,
        };
        if let Some(span) = self.lexer.word(Exists.text()) {
            return Ok((Exists, span, false));
        }
        for operator in [
            LessEqual,
            Less,
            GreaterEqual,
            Greater,
            DoubleEqual,
            Equal,
            NotEqual,
        ] {
            if let Some(span) = self.lexer.word(operator.text()) {
                return Ok((operator, span, self.lexer.blank()));
            }
        }
        for operator in WORD_OPERATORS {
            if let Some(span) = self.lexer.word_and_blank(operator.text()) {
                return Ok((operator, span, self.lexer.blank()));
            }
        }
        for operator in [Intersects, In, PMatch] {
            if let Some(span) = self.lexer.word(operator.text()) {
                return Ok((operator, span, self.lexer.blank()));
            }
        }
        Err(self.lexer.error(Kind::ExpectedOperator))
    }

    pub(super) fn number_side(&mut self) -> Result<Right, ParseError> {
        if let Some(transformer) = self.right_transformer()? {
            return Ok(Right::Transformer(transformer));
        }
        match self.lexer.number() {
            Some((text, span)) => Ok(Right::Value(Literal {
                bytes: text.as_bytes().to_vec(),
                span,
            })),
            None => Err(self.lexer.error(Kind::ExpectedNumber)),
        }
    }

    pub(super) fn list_side(&mut self) -> Result<Right, ParseError> {
        if let Some(list) = self.list()? {
            return Ok(list);
        }
        if let Some(transformer) = self.right_transformer()? {
            return Ok(Right::Transformer(transformer));
        }
        match self.lexer.identifier() {
            Some((name, span)) => Ok(Right::Name(Literal {
                bytes: name.as_bytes().to_vec(),
                span,
            })),
            None => Err(self.lexer.error(Kind::ExpectedList)),
        }
    }

    /// A modifier and its list. Without blanks around it, or without a list behind it, the word
    /// is an ordinary value.
    pub(super) fn modified_side(
        &mut self,
        blank: bool,
    ) -> Result<Option<(Modifier, Span, Right)>, ParseError> {
        if !blank {
            return Ok(None);
        }
        let start = self.lexer.at();
        for modifier in Modifier::ALL {
            let Some(span) = self.lexer.word_and_blank(modifier.text()) else {
                continue;
            };
            self.lexer.blank();
            if let Some(list) = self.list()? {
                return Ok(Some((modifier, span, list)));
            }
            match self.lexer.identifier() {
                Some((name, at)) if !matches!(name, "and" | "or" | "not") => {
                    let name = Literal {
                        bytes: name.as_bytes().to_vec(),
                        span: at,
                    };
                    return Ok(Some((modifier, span, Right::Name(name))));
                }
                _ => {}
            }
            self.lexer.rewind(start);
        }
        Ok(None)
    }

    pub(super) fn value_side(&mut self) -> Result<Right, ParseError> {
        if let Some(transformer) = self.right_transformer()? {
            return Ok(Right::Transformer(transformer));
        }
        match self.value()? {
            Some(value) => Ok(Right::Value(value)),
            None => Err(self.lexer.error(Kind::ExpectedValue)),
        }
    }

    pub(super) fn value(&mut self) -> Result<Option<Literal>, ParseError> {
        if let Some((bytes, span)) = self.lexer.quoted()? {
            return Ok(Some(Literal { bytes, span }));
        }
        let bare = self.lexer.bare();
        Ok(bare.map(|(text, span)| Literal {
            bytes: text.as_bytes().to_vec(),
            span,
        }))
    }

    pub(super) fn list(&mut self) -> Result<Option<Right>, ParseError> {
        let Some(open) = self.lexer.word("(") else {
            return Ok(None);
        };
        let mut items = Vec::new();
        self.lexer.blank();
        if let Some(first) = self.value()? {
            items.push(first);
            self.lexer.blank();
            while self.lexer.word(",").is_some() {
                self.lexer.blank();
                match self.value()? {
                    Some(item) => items.push(item),
                    None => return Err(self.lexer.error(Kind::ExpectedListItem)),
                }
                self.lexer.blank();
            }
        }
        match self.lexer.word(")") {
            Some(close) => Ok(Some(Right::List(items, open.to(close)))),
            None => Err(self.lexer.error(Kind::MissingParenthesis)),
        }
    }
}
