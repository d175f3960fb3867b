//! A condition as a tree of lines, macros and exceptions named.

use diag::{SourceMap, Span};
use filter::{Ast, Check, ExprId, ExprKind, Right};
use rules::{Rule, RuleSet};

/// Constants of a list that are shown.
const SHOWN: usize = 6;

/// Deepest indentation; what nests deeper stands below each other.
const DEEPEST: usize = 20;

/// One expression as it is shown.
pub(in crate::commands) struct Line {
    /// The expression, whose result is shown.
    pub(in crate::commands) id: ExprId,
    /// The comparison whose value is shown.
    pub(in crate::commands) check: Option<ExprId>,
    /// Indentation.
    pub(in crate::commands) depth: usize,
    /// The expression in words.
    pub(in crate::commands) text: String,
    /// Which macro or exception it comes from, and where that stands.
    pub(in crate::commands) origin: Option<String>,
}

/// A rule and the texts it comes from.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Subject<'a> {
    pub(in crate::commands) rule: &'a Rule,
    pub(in crate::commands) set: &'a RuleSet,
    pub(in crate::commands) sources: &'a SourceMap,
}

impl<'a> Subject<'a> {
    /// File and line of a span.
    pub(in crate::commands) fn place(&self, span: Span) -> String {
        let source = self.sources.source(span.source);
        format!("{}:{}", source.name, source.place(span.start).line)
    }

    /// The macro that an expression was written in.
    pub(in crate::commands) fn macro_of(&self, id: ExprId) -> Option<&'a rules::Macro> {
        let number = self.rule.ast.expr(id).source.0;
        self.set.macros.get(usize::try_from(number).ok()?)
    }

    /// The exception that an expression at the top of the condition stands for. Exceptions follow
    /// the rule's own condition, one operand of the outermost `and` for each.
    pub(in crate::commands) fn exception_of(&self, id: ExprId) -> Option<&'a str> {
        let used: Vec<&str> = self
            .rule
            .exceptions
            .iter()
            .filter(|exception| exception.used)
            .map(|exception| exception.name.as_str())
            .collect();
        let ExprKind::And(all) = &self.rule.ast.expr(self.rule.ast.root()).kind else {
            return None;
        };
        let at = all.iter().position(|&one| one == id)?;
        let first = all.len().checked_sub(used.len())?;
        used.get(at.checked_sub(first)?).copied()
    }

    /// Where an expression comes from, in words; nothing for the rule's own.
    pub(in crate::commands) fn origin(&self, id: ExprId) -> Option<String> {
        if let Some(name) = self.exception_of(id) {
            return Some(format!("exception {name}"));
        }
        let found = self.macro_of(id)?;
        let place = found.origins.iter().rev().find_map(|origin| {
            matches!(origin.change, rules::Change::Defined).then(|| self.place(origin.span))
        });
        let place = place.map(|place| format!(", {place}")).unwrap_or_default();
        Some(format!("macro {}{place}", found.name))
    }

    /// The condition as lines.
    pub(in crate::commands) fn lines(&self) -> Vec<Line> {
        let ast = &self.rule.ast;
        let mut lines = Vec::new();
        // The source of the expression above tells where a macro begins.
        let own = ast.expr(ast.root()).source;
        let own = if self.macro_of(ast.root()).is_some() {
            filter::SourceId(u32::MAX)
        } else {
            own
        };
        let mut open = vec![(ast.root(), 0, own)];
        while let Some((id, depth, above)) = open.pop() {
            let expr = ast.expr(id);
            let enters = expr.source != above || self.exception_of(id).is_some();
            let origin = enters.then(|| self.origin(id)).flatten();
            let negated = match &expr.kind {
                ExprKind::Not(inner) => match &ast.expr(*inner).kind {
                    ExprKind::Check(check) if ast.expr(*inner).source == expr.source => {
                        Some((*inner, check))
                    }
                    _ => None,
                },
                _ => None,
            };
            let (text, check) = match (&expr.kind, negated) {
                (_, Some((inner, check))) => (format!("not {}", short(check)), Some(inner)),
                (ExprKind::Check(check), None) => (short(check), Some(id)),
                (ExprKind::And(_), None) => ("all of".to_owned(), None),
                (ExprKind::Or(_), None) => ("one of".to_owned(), None),
                (ExprKind::Not(_), None) => ("not".to_owned(), None),
                (ExprKind::Macro(name), None) => (name.clone(), None),
            };
            lines.push(Line {
                id,
                check,
                depth: depth.min(DEEPEST),
                text,
                origin,
            });
            if negated.is_none() {
                let children = expr.kind.children().iter().rev();
                open.extend(children.map(|&child| (child, depth + 1, expr.source)));
            }
        }
        lines
    }
}

/// A comparison; of a long list, the beginning.
pub(in crate::commands) fn short(check: &Check) -> String {
    match &check.right {
        Right::List(all, span) if all.len() > SHOWN + 2 => {
            let mut cut = check.clone();
            cut.right = Right::List(all[..SHOWN].to_vec(), *span);
            let text = cut.to_string();
            let text = text.strip_suffix(')').unwrap_or(&text);
            format!("{text}, ... {} in all)", all.len())
        }
        _ => check.to_string(),
    }
}

/// An expression in one line.
pub(in crate::commands) fn phrase(ast: &Ast, id: ExprId) -> String {
    /// More comparisons than this are told by their number.
    const MOST: usize = 3;
    let join = |all: &[ExprId], word: &str| {
        if all.len() > MOST {
            let first = phrase(ast, all[0]);
            return format!("({first} {word} ... {} in all)", all.len());
        }
        let parts: Vec<String> = all.iter().map(|&one| phrase(ast, one)).collect();
        format!("({})", parts.join(&format!(" {word} ")))
    };
    match &ast.expr(id).kind {
        ExprKind::Check(check) => short(check),
        ExprKind::Not(inner) => format!("not {}", phrase(ast, *inner)),
        ExprKind::And(all) => join(all, "and"),
        ExprKind::Or(all) => join(all, "or"),
        ExprKind::Macro(name) => name.clone(),
    }
}
