//! Exceptions as written.

use super::{Reader, Refused, invalid};
use crate::code;
use crate::context::{Context, Item};
use crate::definition::{Entry, ExceptionDef, Text};
use crate::finding::{Class, Finding};
use crate::yaml::{Kind, NodeId};

/// Lists in lists in lists are more than any exception has.
const DEEPEST: usize = 4;

impl Reader<'_, '_> {
    pub(super) fn exceptions(
        &mut self,
        item: NodeId,
        context: &Context,
        appending: bool,
    ) -> Refused<Option<Vec<ExceptionDef>>> {
        let Some(value) = self.tree.value(item, "exceptions") else {
            return Ok(None);
        };
        let step = self.step(context, Item::Exceptions, "", value);
        let elements = match &self.tree.node(value).kind {
            Kind::Null => return Ok(None),
            Kind::Sequence(elements) => elements,
            _ => {
                return Err(invalid(
                    &code::BAD_EXCEPTION,
                    &step,
                    "`exceptions` takes a list of exceptions",
                ));
            }
        };
        let mut exceptions: Vec<ExceptionDef> = Vec::new();
        for &element in elements {
            let exception = self.exception(element, context, appending)?;
            if let Some(first) = exceptions.iter().find(|e| e.name == exception.name) {
                let there = first.context.span();
                self.findings.push(
                    Finding::new(
                        &code::SAME_EXCEPTION,
                        Class::ExceptionNameNotUnique,
                        &exception.context,
                        format!("the rule has another exception `{}`", exception.name),
                    )
                    .with(|d| d.label(there, "the other one")),
                );
            }
            exceptions.push(exception);
        }
        Ok(Some(exceptions))
    }

    fn exception(
        &mut self,
        element: NodeId,
        rule: &Context,
        appending: bool,
    ) -> Refused<ExceptionDef> {
        let unnamed = self.step(rule, Item::Exception, "", element);
        if !matches!(self.tree.node(element).kind, Kind::Mapping(_)) {
            let message = "an exception is a mapping with `name`, `fields`, `comps`, `values`";
            return Err(invalid(&code::BAD_EXCEPTION, &unnamed, message));
        }
        let (name, _) = self.scalar(element, "name", &unnamed)?;
        let context = self.step(rule, Item::Exception, name, element);
        let name = name.to_owned();
        let fields = self.entry(element, "fields", &context, appending)?;
        let comparisons = self.entry(element, "comps", &context, true)?;
        let mut values = Vec::new();
        match self.tree.value(element, "values") {
            Some(node) => {
                let step = self.step(&context, Item::ExceptionValues, "", node);
                let Kind::Sequence(entries) = &self.tree.node(node).kind else {
                    let message = "`values` takes a list, with one element per exception";
                    return Err(invalid(&code::BAD_EXCEPTION, &step, message));
                };
                for &entry in entries {
                    let step = self.step(&step, Item::ExceptionValue, "", entry);
                    values.push(self.decode(entry, &step, 0)?);
                }
            }
            None if appending => {
                let mut finding = Finding::new(
                    &code::NO_VALUES,
                    Class::AppendNoValues,
                    &context,
                    format!("nothing is appended to the exception `{name}`"),
                );
                let near = self.tree.entries(element).iter().find_map(|&(k, _)| {
                    diag::nearest::nearest(self.tree.text(k)?, ["values"]).map(|_| k)
                });
                if let Some(near) = near {
                    let span = self.span(near);
                    finding = finding
                        .with(|d| d.suggest(span, "values", "a key of a similar name is there"));
                }
                self.findings.push(finding);
            }
            None => {}
        }
        Ok(ExceptionDef {
            name,
            context,
            fields,
            comparisons,
            values,
        })
    }

    fn entry(
        &self,
        element: NodeId,
        key: &str,
        context: &Context,
        optional: bool,
    ) -> Refused<Option<Entry>> {
        let Some(value) = self.tree.value(element, key) else {
            return if optional {
                Ok(None)
            } else {
                Err(self.missing(element, key, context))
            };
        };
        if self.tree.is_null(value) {
            let message = format!("key `{key}` has no value");
            return Err(invalid(&code::EMPTY_KEY, context, message));
        }
        let step = self.step(context, Item::ValueFor, key, value);
        self.decode(value, &step, 0).map(Some)
    }

    fn decode(&self, node: NodeId, context: &Context, depth: usize) -> Refused<Entry> {
        match &self.tree.node(node).kind {
            Kind::Scalar(scalar) => Ok(Entry::One(Text {
                value: scalar.value.to_string(),
                span: self.span(node),
            })),
            Kind::Sequence(elements) if depth < DEEPEST => {
                let entries = elements
                    .iter()
                    .map(|&e| self.decode(e, context, depth + 1))
                    .collect::<Refused<Vec<_>>>()?;
                Ok(Entry::Many(entries, self.span(node)))
            }
            _ => {
                let mut finding = invalid(
                    &code::BAD_EXCEPTION,
                    context,
                    "exceptions consist of texts and lists of texts",
                );
                finding.diagnostic = finding.diagnostic.at(self.span(node), "");
                Err(finding)
            }
        }
    }
}
