//! Fields and transformers, on either side of an operator and in output templates.

use super::{ParseOptions, Parser};
use crate::ast::{Field, Literal, Operand, Transformer, TransformerArgument};
use crate::error::{ParseError, ParseErrorKind as Kind};
use crate::operator::Function;
use crate::span::{SourceId, Span};

/// Parses a field or transformer expression that fills `text`, as in output templates.
pub(crate) fn parse_operand(text: &str) -> Result<Operand, ParseError> {
    let mut parser = Parser::new(text, ParseOptions::for_rules(SourceId::default()));
    let Some(operand) = parser.operand()? else {
        return Err(parser.lexer.error(Kind::ExpectedCheck));
    };
    if parser.lexer.at_end() {
        return Ok(operand);
    }
    let after = parser.lexer.last_token().to_owned();
    Err(parser.lexer.error(Kind::UnexpectedToken { after }))
}

/// Where an expression at the beginning of `text` may end, longest first: with what stands in
/// brackets behind it, and without.
pub(crate) fn operand_prefix(text: &str) -> Vec<usize> {
    let mut parser = Parser::new(text, ParseOptions::for_rules(SourceId::default()));
    let mut ends = Vec::new();
    let before_brackets = match parser.operand() {
        Ok(None) => return ends,
        Ok(Some(operand)) => {
            ends.push(parser.lexer.at());
            match operand {
                Operand::Field(field) => field.argument.map(|_| field.name.len()),
                Operand::Transformer(call) => call.selector.map(|(_, span)| span.start as usize),
            }
        }
        // A field or a call may stand before brackets that are wrong.
        Err(_) => parser.before_argument,
    };
    ends.extend(before_brackets);
    ends
}

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Result<Option<Operand>, ParseError> {
        if let Some(field) = self.field()? {
            return Ok(Some(Operand::Field(field)));
        }
        Ok(self.transformer()?.map(Operand::Transformer))
    }

    pub(super) fn field(&mut self) -> Result<Option<Field>, ParseError> {
        let Some((name, span)) = self.lexer.field_name() else {
            return Ok(None);
        };
        let argument = self.argument()?;
        let span = argument.as_ref().map_or(span, |(_, inner)| span.to(*inner));
        let argument = argument.map(|(text, _)| text);
        Ok(Some(Field {
            name: name.to_owned(),
            argument,
            span,
        }))
    }

    /// What stands in brackets here, if anything; the span has the brackets.
    pub(super) fn argument(&mut self) -> Result<Option<(String, Span)>, ParseError> {
        let Some(open) = self.lexer.word("[") else {
            return Ok(None);
        };
        if self.depth == 0 {
            self.before_argument = Some(open.start as usize);
        }
        let text = if let Some((bytes, _)) = self.lexer.quoted()? {
            String::from_utf8(bytes).map_err(|_| self.lexer.error(Kind::ArgumentNotText))?
        } else if let Some((text, _)) = self.lexer.bare_argument() {
            text.to_owned()
        } else {
            return Err(self.lexer.error(Kind::ExpectedArgument));
        };
        match self.lexer.word("]") {
            Some(close) => Ok(Some((text, open.to(close)))),
            None => Err(self.lexer.error(Kind::MissingBracket)),
        }
    }

    /// A name directly before a parenthesis, which is taken too.
    pub(super) fn call(&mut self, functions: &[Function]) -> Option<(Function, Span)> {
        let start = self.lexer.at();
        let (name, span) = self.lexer.identifier()?;
        let function = functions
            .iter()
            .copied()
            .find(|function| function.text() == name);
        match function {
            Some(function) if self.lexer.word("(").is_some() => Some((function, span)),
            _ => {
                self.lexer.rewind(start);
                None
            }
        }
    }

    pub(super) fn transformer(&mut self) -> Result<Option<Transformer>, ParseError> {
        let Some((function, name_span)) = self.call(&Function::LEFT) else {
            return Ok(None);
        };
        self.enter()?;
        let mut arguments = Vec::new();
        loop {
            self.lexer.blank();
            arguments.push(self.transformer_argument()?);
            self.lexer.blank();
            if self.lexer.word(",").is_none() {
                break;
            }
        }
        self.leave();
        self.close_transformer(function, name_span, arguments)
            .map(Some)
    }

    pub(super) fn close_transformer(
        &mut self,
        function: Function,
        name_span: Span,
        arguments: Vec<TransformerArgument>,
    ) -> Result<Transformer, ParseError> {
        let Some(close) = self.lexer.word(")") else {
            return Err(self.lexer.error(Kind::UnclosedTransformer));
        };
        let selector = self.argument()?;
        let end = selector.as_ref().map_or(close, |(_, span)| *span);
        let span = name_span.to(end);
        Ok(Transformer {
            function,
            name_span,
            arguments,
            selector,
            span,
        })
    }

    pub(super) fn literal(&mut self) -> Result<Option<Literal>, ParseError> {
        if let Some((text, span)) = self.lexer.number() {
            return Ok(Some(Literal {
                bytes: text.as_bytes().to_vec(),
                span,
            }));
        }
        Ok(self
            .lexer
            .quoted()?
            .map(|(bytes, span)| Literal { bytes, span }))
    }

    pub(super) fn transformer_item(&mut self) -> Result<Option<TransformerArgument>, ParseError> {
        if let Some(literal) = self.literal()? {
            return Ok(Some(TransformerArgument::Literal(literal)));
        }
        Ok(self.operand()?.map(|operand| match operand {
            Operand::Field(field) => TransformerArgument::Field(field),
            Operand::Transformer(inner) => TransformerArgument::Transformer(inner),
        }))
    }

    pub(super) fn transformer_argument(&mut self) -> Result<TransformerArgument, ParseError> {
        if let Some(item) = self.transformer_item()? {
            return Ok(item);
        }
        let Some(open) = self.lexer.word("(") else {
            return Err(self.lexer.error(Kind::ExpectedTransformerArgument));
        };
        let mut items = Vec::new();
        self.lexer.blank();
        if let Some(close) = self.lexer.word(")") {
            return Ok(TransformerArgument::List(items, open.to(close)));
        }
        loop {
            self.lexer.blank();
            match self.transformer_item()? {
                Some(item) => items.push(item),
                None => return Err(self.lexer.error(Kind::ExpectedTransformerItem)),
            }
            self.lexer.blank();
            if self.lexer.word(",").is_none() {
                break;
            }
        }
        match self.lexer.word(")") {
            Some(close) => Ok(TransformerArgument::List(items, open.to(close))),
            None => Err(self.lexer.error(Kind::MissingParenthesis)),
        }
    }

    /// `val(field)` or a transformer, on the right side.
    pub(super) fn right_transformer(&mut self) -> Result<Option<Transformer>, ParseError> {
        if let Some((function, name_span)) = self.call(&[Function::Val]) {
            self.lexer.blank();
            let Some(field) = self.field()? else {
                return Err(self.lexer.error(Kind::ExpectedFieldInVal));
            };
            self.lexer.blank();
            let arguments = vec![TransformerArgument::Field(field)];
            return self
                .close_transformer(function, name_span, arguments)
                .map(Some);
        }
        self.transformer()
    }
}
