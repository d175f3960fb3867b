//! From text to [`Ast`], by recursive descent.
//!
//! Recursion is bounded by the depth setting: each parenthesis costs five, as in the original,
//! where each of five functions counts itself. At the highest setting (1,000) that is 200 levels.
//! Errors point at the byte at which the original stops too, which is why blanks are taken where
//! they are and not in one place.

use crate::ast::{
    Ast, Builder, Check, ExprId, ExprKind, Field, Literal, Operand, Right, Transformer,
    TransformerArgument,
};
use crate::error::{ParseError, ParseErrorKind as Kind};
use crate::lexer::Lexer;
use crate::operator::{Function, Modifier, Operator};
use crate::span::{SourceId, Span};

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

/// Parses a field or transformer expression that fills `text`, as in output templates.
pub(crate) fn parse_operand(text: &str) -> Result<Operand, ParseError> {
    let mut parser = Parser::new(text, ParseOptions::for_rules(SourceId::default()));
    let operand = match parser.operand()? {
        Some(operand) => operand,
        None => return Err(parser.lexer.error(Kind::ExpectedCheck)),
    };
    if parser.lexer.at_end() {
        return Ok(operand);
    }
    let after = parser.lexer.last_token().to_owned();
    Err(parser.lexer.error(Kind::UnexpectedToken { after }))
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    tree: Builder,
    depth: u32,
    options: ParseOptions,
}

const LEVEL: u32 = 5;

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

impl<'t> Parser<'t> {
    fn new(text: &'t str, options: ParseOptions) -> Self {
        Self {
            lexer: Lexer::new(text),
            tree: Builder::new(),
            depth: 0,
            options,
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

    fn operand(&mut self) -> Result<Option<Operand>, ParseError> {
        if let Some(field) = self.field()? {
            return Ok(Some(Operand::Field(field)));
        }
        Ok(self.transformer()?.map(Operand::Transformer))
    }

    fn field(&mut self) -> Result<Option<Field>, ParseError> {
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
    fn argument(&mut self) -> Result<Option<(String, Span)>, ParseError> {
        let Some(open) = self.lexer.word("[") else {
            return Ok(None);
        };
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
    fn call(&mut self, functions: &[Function]) -> Option<(Function, Span)> {
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

    fn transformer(&mut self) -> Result<Option<Transformer>, ParseError> {
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

    fn close_transformer(
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

    fn literal(&mut self) -> Result<Option<Literal>, ParseError> {
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

    fn transformer_item(&mut self) -> Result<Option<TransformerArgument>, ParseError> {
        if let Some(literal) = self.literal()? {
            return Ok(Some(TransformerArgument::Literal(literal)));
        }
        Ok(self.operand()?.map(|operand| match operand {
            Operand::Field(field) => TransformerArgument::Field(field),
            Operand::Transformer(inner) => TransformerArgument::Transformer(inner),
        }))
    }

    fn transformer_argument(&mut self) -> Result<TransformerArgument, ParseError> {
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
    fn right_transformer(&mut self) -> Result<Option<Transformer>, ParseError> {
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

    fn condition(&mut self, left: Operand) -> Result<Check, ParseError> {
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
    fn operator(&mut self) -> Result<(Operator, Span, bool), ParseError> {
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

    fn number_side(&mut self) -> Result<Right, ParseError> {
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

    fn list_side(&mut self) -> Result<Right, ParseError> {
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
    fn modified_side(
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

    fn value_side(&mut self) -> Result<Right, ParseError> {
        if let Some(transformer) = self.right_transformer()? {
            return Ok(Right::Transformer(transformer));
        }
        match self.value()? {
            Some(value) => Ok(Right::Value(value)),
            None => Err(self.lexer.error(Kind::ExpectedValue)),
        }
    }

    fn value(&mut self) -> Result<Option<Literal>, ParseError> {
        if let Some((bytes, span)) = self.lexer.quoted()? {
            return Ok(Some(Literal { bytes, span }));
        }
        let bare = self.lexer.bare();
        Ok(bare.map(|(text, span)| Literal {
            bytes: text.as_bytes().to_vec(),
            span,
        }))
    }

    fn list(&mut self) -> Result<Option<Right>, ParseError> {
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
