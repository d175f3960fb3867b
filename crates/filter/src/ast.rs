//! The syntax tree of a condition.
//!
//! Expressions live in one arena, children before their parents, and name each other by number.
//! So dropping, cloning and walking a tree of any depth needs no stack, and what macro expansion
//! nests ten thousand levels deep is no danger. Boxes were rejected for that reason.
//! Transformers are boxed: the parser bounds their depth.

use crate::operator::{Function, Modifier, Operator};
use crate::span::{SourceId, Span};

/// Number of an expression in its [`Ast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(u32);

impl ExprId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A condition. Never empty; the root is the last expression.
#[derive(Clone, Debug)]
pub struct Ast {
    exprs: Vec<Expr>,
}

/// One expression and where it was written.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Its bytes.
    pub span: Span,
    /// The text that the span counts in.
    pub source: SourceId,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Two or more operands that all hold.
    And(Vec<ExprId>),
    /// Two or more operands of which one holds.
    Or(Vec<ExprId>),
    /// The operand does not hold.
    Not(ExprId),
    /// Name of a macro that is not replaced yet.
    Macro(String),
    /// A comparison.
    Check(Box<Check>),
}

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Left side.
    pub left: Operand,
    /// What is done.
    pub operator: Operator,
    /// Where the operator stands.
    pub operator_span: Span,
    /// `oneof`, `anyof`, `allof` and where it stands.
    pub modifier: Option<(Modifier, Span)>,
    /// Right side; nothing after `exists`.
    pub right: Right,
}

/// A field or a transformer.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// `proc.name`
    Field(Field),
    /// `tolower(proc.name)`
    Transformer(Transformer),
}

/// A field as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name with the dots.
    pub name: String,
    /// What stands between the brackets, quotes and escapes removed.
    pub argument: Option<String>,
    /// Name and argument.
    pub span: Span,
}

impl Field {
    /// The form that a schema resolves and that outputs use as key: `proc.env[A B]`.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.argument {
            None => self.name.clone(),
            Some(argument) => format!("{}[{argument}]", self.name),
        }
    }
}

/// A call of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    /// Which.
    pub function: Function,
    /// Where its name stands.
    pub name_span: Span,
    /// Its arguments, at least one.
    pub arguments: Vec<TransformerArgument>,
    /// What stands in brackets behind it, and where.
    pub selector: Option<(String, Span)>,
    /// The whole.
    pub span: Span,
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub enum TransformerArgument {
    /// A field.
    Field(Field),
    /// Another transformer.
    Transformer(Transformer),
    /// A quoted text or a number.
    Literal(Literal),
    /// A literal list of the above.
    List(Vec<TransformerArgument>, Span),
}

/// A constant as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// Its bytes, quotes and escapes removed.
    pub bytes: Vec<u8>,
    /// With the quotes.
    pub span: Span,
}

/// Right side of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Right {
    /// `exists` has none.
    Nothing,
    /// One constant.
    Value(Literal),
    /// Constants in parentheses.
    List(Vec<Literal>, Span),
    /// A bare word where a list was expected; stands for itself.
    Name(Literal),
    /// `val(...)` or another transformer.
    Transformer(Transformer),
}

impl Right {
    /// All constants.
    #[must_use]
    pub fn constants(&self) -> &[Literal] {
        match self {
            Self::Value(one) | Self::Name(one) => std::slice::from_ref(one),
            Self::List(all, _) => all,
            Self::Nothing | Self::Transformer(_) => &[],
        }
    }
}

impl Check {
    /// All plain fields on both sides, also those inside transformers, in the order of the text.
    #[must_use]
    pub fn fields(&self) -> Vec<&Field> {
        fn arguments<'c>(all: &'c [TransformerArgument], found: &mut Vec<&'c Field>) {
            for argument in all {
                match argument {
                    TransformerArgument::Field(field) => found.push(field),
                    TransformerArgument::Transformer(call) => arguments(&call.arguments, found),
                    TransformerArgument::List(all, _) => arguments(all, found),
                    TransformerArgument::Literal(_) => {}
                }
            }
        }
        let mut found = Vec::new();
        match &self.left {
            Operand::Field(field) => found.push(field),
            Operand::Transformer(call) => arguments(&call.arguments, &mut found),
        }
        if let Right::Transformer(call) = &self.right {
            arguments(&call.arguments, &mut found);
        }
        found
    }
}

impl ExprKind {
    /// The operands.
    #[must_use]
    pub fn children(&self) -> &[ExprId] {
        match self {
            Self::And(all) | Self::Or(all) => all,
            Self::Not(one) => std::slice::from_ref(one),
            Self::Macro(_) | Self::Check(_) => &[],
        }
    }
}

/// Puts an [`Ast`] together, children first.
#[derive(Debug, Default)]
pub struct Builder {
    exprs: Vec<Expr>,
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an expression whose children were added before.
    ///
    /// # Panics
    /// If a child is not one of this builder's, or there are more than 2^32 expressions.
    pub fn push(&mut self, kind: ExprKind, span: Span, source: SourceId) -> ExprId {
        let id =
            ExprId(u32::try_from(self.exprs.len()).expect("a tree of 2^32 nodes needs 300 GB"));
        assert!(
            kind.children().iter().all(|&child| child < id),
            "children come first"
        );
        self.exprs.push(Expr { span, source, kind });
        id
    }

    /// An expression that was added.
    #[must_use]
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// The tree with this root; what was added later or isn't reached is dropped.
    #[must_use]
    pub fn finish(self, root: ExprId) -> Ast {
        Ast { exprs: self.exprs }.with_root(root)
    }
}

/// Macro expansion went past its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("macro expansion gives more than {limit} expressions")]
pub struct TooLarge {
    /// The limit.
    pub limit: usize,
}

impl Ast {
    /// The whole condition.
    #[must_use]
    pub fn root(&self) -> ExprId {
        ExprId(u32::try_from(self.exprs.len() - 1).expect("checked when it was built"))
    }

    /// An expression.
    #[must_use]
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// All expressions, operands before what uses them. The last is the root.
    pub fn exprs(&self) -> impl DoubleEndedIterator<Item = (ExprId, &Expr)> + ExactSizeIterator {
        self.exprs
            .iter()
            .enumerate()
            .map(|(index, expr)| (ExprId(index as u32), expr))
    }

    /// All comparisons, in the order of the text.
    pub fn checks(&self) -> impl Iterator<Item = (&Expr, &Check)> {
        self.exprs.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Check(check) => Some((expr, &**check)),
            _ => None,
        })
    }

    /// All names of macros that are not replaced, in the order of the text.
    pub fn macros(&self) -> impl Iterator<Item = (&Expr, &str)> {
        self.exprs.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Macro(name) => Some((expr, name.as_str())),
            _ => None,
        })
    }

    /// Replaces the macros that `find` knows by their trees; others stay. Spans and sources of
    /// the replacement are kept, so a diagnostic can point into the macro's own text.
    ///
    /// # Errors
    /// [`TooLarge`] when the result would have more than `limit` expressions: macros that use
    /// each other twice grow exponentially.
    pub fn replace_macros<'a>(
        &self,
        limit: usize,
        mut find: impl FnMut(&str, &Expr) -> Option<&'a Self>,
    ) -> Result<Self, TooLarge> {
        let mut out: Vec<Expr> = Vec::with_capacity(self.exprs.len());
        let mut moved: Vec<ExprId> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            let found = match &expr.kind {
                ExprKind::Macro(name) => find(name, expr),
                _ => None,
            };
            match found {
                Some(body) => {
                    let base = out.len();
                    if base + body.exprs.len() > limit {
                        return Err(TooLarge { limit });
                    }
                    out.extend(
                        body.exprs
                            .iter()
                            .map(|inner| inner.renumbered(|id| ExprId(id.0 + base as u32))),
                    );
                }
                None => {
                    if out.len() + 1 > limit {
                        return Err(TooLarge { limit });
                    }
                    out.push(expr.renumbered(|id| moved[id.index()]));
                }
            }
            moved.push(ExprId(out.len() as u32 - 1));
        }
        Ok(Self { exprs: out })
    }

    /// Conditions that all hold, or of which one holds, as one. `None` where there is none.
    #[must_use]
    pub fn joined(all: &[&Self], and: bool) -> Option<Self> {
        let (first, rest) = all.split_first()?;
        if rest.is_empty() {
            return Some((*first).clone());
        }
        let mut exprs = Vec::new();
        let mut roots = Vec::with_capacity(all.len());
        for one in all {
            let base = exprs.len() as u32;
            let moved = one.exprs.iter();
            exprs.extend(moved.map(|expr| expr.renumbered(|id| ExprId(id.0 + base))));
            roots.push(ExprId(exprs.len() as u32 - 1));
        }
        let Expr { span, source, .. } = *first.expr(first.root());
        let kind = if and {
            ExprKind::And(roots)
        } else {
            ExprKind::Or(roots)
        };
        exprs.push(Expr { span, source, kind });
        Some(Self { exprs })
    }

    /// What must hold for the condition to hold: the operands of the `and`s at its top.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<ExprId> {
        let (mut found, mut open) = (Vec::new(), vec![self.root()]);
        while let Some(id) = open.pop() {
            match &self.expr(id).kind {
                ExprKind::And(all) => open.extend(all.iter().rev()),
                _ => found.push(id),
            }
        }
        found
    }

    /// The part of the tree below `root`.
    #[must_use]
    pub fn with_root(mut self, root: ExprId) -> Self {
        self.exprs.truncate(root.index() + 1);
        let mut reached = vec![false; self.exprs.len()];
        if let Some(last) = reached.last_mut() {
            *last = true;
        }
        for index in (0..self.exprs.len()).rev() {
            if reached[index] {
                for child in self.exprs[index].kind.children() {
                    reached[child.index()] = true;
                }
            }
        }
        if reached.iter().all(|&yes| yes) {
            return self;
        }
        let mut moved = vec![ExprId(0); self.exprs.len()];
        let mut out: Vec<Expr> = Vec::with_capacity(self.exprs.len());
        for (index, expr) in self.exprs.iter().enumerate() {
            if reached[index] {
                moved[index] = ExprId(out.len() as u32);
                out.push(expr.renumbered(|id| moved[id.index()]));
            }
        }
        Self { exprs: out }
    }
}

impl Expr {
    fn renumbered(&self, new: impl Fn(ExprId) -> ExprId) -> Self {
        let kind = match &self.kind {
            ExprKind::And(all) => ExprKind::And(all.iter().map(|&id| new(id)).collect()),
            ExprKind::Or(all) => ExprKind::Or(all.iter().map(|&id| new(id)).collect()),
            ExprKind::Not(one) => ExprKind::Not(new(*one)),
            other => other.clone(),
        };
        Self {
            span: self.span,
            source: self.source,
            kind,
        }
    }
}
