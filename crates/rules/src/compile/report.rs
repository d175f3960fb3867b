//! Errors in conditions: which bytes of which file they are about, and what could be meant.

use filter::{Ast, CompileError, CompileErrorKind, SourceId};

use super::{Compiler, Own};
use crate::code;
use crate::context::{Context, Written};
use crate::expansion::macros::Fault;
use crate::expansion::text::Assembled;
use crate::finding::{Class, Finding};
use crate::output::{Failure, expression};

impl Compiler<'_, '_> {
    /// Points a finding at bytes of an assembled text.
    pub(super) fn point(
        &self,
        finding: Finding,
        text: &Assembled,
        parts: &[Written],
        (start, end): (usize, usize),
    ) -> Finding {
        let Some(found) = text.find(parts, self.map, start, end) else {
            return finding;
        };
        let finding = finding.at(found.span, "");
        let list = found.list.and_then(|n| self.state.lists.iter().nth(n));
        match list {
            Some(list) => {
                let there = list.context.span();
                let shown = text.text.get(start..end).unwrap_or_default().to_owned();
                finding.with(|mut d| {
                    if let Some(primary) = &mut d.primary {
                        primary.text = format!("`{shown}` comes from the list `{}`", list.name);
                    }
                    d.label(there, "the list")
                })
            }
            None => finding,
        }
    }

    pub(super) fn report_faults(
        &mut self,
        faults: Vec<Fault>,
        context: &Context,
        parts: &[Written],
        text: &Assembled,
    ) {
        let written: Vec<&str> = parts.iter().map(|p| p.value.as_str()).collect();
        let written = written.join(" ");
        for fault in faults {
            let (code, message, place, name) = match fault {
                Fault::Undefined { name, start, end } => {
                    let message = format!("macro `{name}` is not defined");
                    (&code::UNDEFINED_MACRO, message, Some((start, end)), name)
                }
                Fault::Loop { name, start, end } => {
                    let message = format!("macro `{name}` leads back to itself");
                    (
                        &code::MACRO_LOOP,
                        message,
                        Some((start, end)),
                        String::new(),
                    )
                }
                Fault::TooLarge => {
                    let message =
                        "the condition grows too large with its macros inserted".to_owned();
                    (&code::TOO_LARGE, message, None, String::new())
                }
                Fault::Refused => continue,
            };
            let at = place.map_or(0, |(start, _)| start);
            let step = expression(context, self.map, &written, &text.text, at);
            let mut finding = Finding::new(code, Class::ErrValidate, &step, message);
            if let Some(place) = place {
                finding = self.point(finding, text, parts, place);
            }
            if !name.is_empty() {
                finding = self.hint_macro(finding, &name);
            }
            self.findings.push(finding);
        }
    }

    /// Says what an undefined macro could have been.
    pub(super) fn hint_macro(&self, finding: Finding, name: &str) -> Finding {
        if let Some(later) = self.state.macros.find(name) {
            let there = later.context.span();
            return finding.with(|d| {
                d.label(there, "defined here, after the macro that uses it")
                    .note("a macro can use only macros that are defined before it")
            });
        }
        let known = self.state.macros.iter().map(|m| m.name.as_str());
        if let Some(near) = diag::nearest::nearest(name, known) {
            let near = near.to_owned();
            return finding.with(|d| match &d.primary {
                Some(primary) => {
                    let span = primary.span;
                    d.suggest(span, &near, format!("there is a macro `{near}`"))
                }
                None => d,
            });
        }
        if self.state.lists.find(name).is_some() {
            return finding.with(|d| d.note(format!("`{name}` is a list; write `in ({name})`")));
        }
        finding
    }

    pub(super) fn condition_error(
        &self,
        error: &CompileError,
        ast: &Ast,
        own: &Own<'_>,
    ) -> Failure {
        let place = (error.span.start as usize, error.span.end as usize);
        // Results tell where the comparison begins that the error is in.
        let begin = ast
            .checks()
            .map(|(expr, _)| expr)
            .find(|e| {
                e.source == error.source_id
                    && e.span.start <= error.span.start
                    && e.span.end >= error.span.end
            })
            .map_or(place.0, |e| e.span.start as usize);
        let unknown = matches!(
            error.kind,
            CompileErrorKind::UnknownField { .. }
                | CompileErrorKind::FieldArgument { .. }
                | CompileErrorKind::Refused { .. }
        );
        let code = if unknown {
            &code::UNKNOWN_FIELD
        } else {
            &code::CONDITION_TYPE
        };
        let mut finding = self.in_condition(
            (code, Class::ErrCompileCondition, error.to_string()),
            error.source_id,
            (begin, place),
            own,
        );
        if let CompileErrorKind::UnknownField {
            suggestion: Some(near),
            ..
        } = &error.kind
        {
            finding = finding.with(|d| match &d.primary {
                Some(primary) => {
                    let span = primary.span;
                    d.suggest(span, near, format!("there is a field `{near}`"))
                }
                None => d,
            });
        }
        Failure {
            finding: Box::new(finding),
            unknown,
        }
    }

    /// A finding in an expanded condition: in the rule's own text, or in that of a macro.
    pub(super) fn in_condition(
        &self,
        (code, class, message): (&'static diag::Code, Class, String),
        source: SourceId,
        (begin, place): (usize, (usize, usize)),
        own: &Own<'_>,
    ) -> Finding {
        let number = source.0 as usize;
        let definition = own.definition;
        let through = self.state.macros.iter().nth(number);
        let text = if through.is_some() {
            &self.texts[number]
        } else {
            own.text
        };
        let parts = through.map_or(&definition.condition.parts, |m| &m.condition.parts);
        let written = definition.condition.text();
        let context = expression(
            &definition.condition.context,
            self.map,
            &written,
            &text.text,
            begin,
        );
        let finding = Finding::new(code, class, &context, message);
        let finding = self.point(finding, text, parts, place);
        let Some(through) = through else {
            return finding;
        };
        let finding = finding.with(|d| d.note(format!("in macro `{}`", through.name)));
        match self.leads_to(own, number) {
            Some(mention) => {
                let (start, end) = (mention.start as usize, mention.end as usize);
                match own
                    .text
                    .find(&definition.condition.parts, self.map, start, end)
                {
                    Some(found) => finding.with(|d| {
                        d.label(
                            found.span,
                            format!("used by rule `{}` here", definition.name),
                        )
                    }),
                    None => finding,
                }
            }
            None => finding,
        }
    }

    /// The place in a rule's own condition through which it comes to use a macro.
    pub(super) fn leads_to(&self, own: &Own<'_>, target: usize) -> Option<filter::Span> {
        own.ast.macros().find_map(|(expr, name)| {
            let mut seen = vec![false; self.macros.parsed.len()];
            let mut open = vec![self.state.macros.position(name)?];
            while let Some(at) = open.pop() {
                if at == target {
                    return Some(expr.span);
                }
                if std::mem::replace(&mut seen[at], true) {
                    continue;
                }
                let inner = self.macros.parsed[at].iter().flat_map(filter::Ast::macros);
                open.extend(inner.filter_map(|(_, name)| self.state.macros.position(name)));
            }
            None
        })
    }
}
