//! Values of keys: texts, truth values, numbers.

use diag::Span;

use super::{Reader, Refused, invalid};
use crate::code;
use crate::context::{Context, Item, Written};
use crate::finding::Finding;
use crate::yaml::{Kind, NodeId, ScalarPlace, scalar};

impl<'r> Reader<'r, '_> {
    /// A step of a path to a node.
    pub(super) fn step(&self, parent: &Context, item: Item, name: &str, node: NodeId) -> Context {
        let span = self.span(node);
        parent.step(item, name, span.start, span.end)
    }

    /// The bytes of a node; of a mapping only its first entry, which names it.
    pub(super) fn span(&self, node: NodeId) -> Span {
        let place = self.tree.node(node);
        let mut end = place.end;
        if let Some(&(key, value)) = self.tree.entries(node).first() {
            let (key, value) = (self.tree.node(key), self.tree.node(value));
            let named = matches!(value.kind, Kind::Scalar(_)) && value.start >= key.start;
            end = if named { value.end } else { key.end };
        }
        Span::new(self.source, place.start, end.max(place.start))
    }

    /// The bytes of a key of an item, or of the item's beginning.
    pub(super) fn key_span(&self, item: NodeId, key: &str) -> Span {
        let found = self
            .tree
            .entries(item)
            .iter()
            .find(|(k, _)| self.tree.text(*k) == Some(key));
        self.span(found.map_or(item, |&(k, _)| k))
    }

    pub(super) fn missing(&self, item: NodeId, key: &str, context: &Context) -> Box<Finding> {
        let mut finding = invalid(
            &code::MISSING_KEY,
            context,
            format!("the item lacks the key `{key}`"),
        );
        let near = self.tree.entries(item).iter().find_map(|&(k, _)| {
            let name = self.tree.text(k)?;
            diag::nearest::nearest(name, [key]).map(|_| k)
        });
        if let Some(near) = near {
            let span = self.span(near);
            finding.diagnostic =
                finding
                    .diagnostic
                    .suggest(span, key, "a key of a similar name is there");
        }
        finding
    }

    /// A non-empty text that must be there.
    pub(super) fn scalar(
        &self,
        item: NodeId,
        key: &str,
        context: &Context,
    ) -> Refused<(&'r str, NodeId)> {
        let Some(value) = self.tree.value(item, key) else {
            return Err(self.missing(item, key, context));
        };
        self.nonempty(item, key, value, context)
    }

    fn nonempty(
        &self,
        item: NodeId,
        key: &str,
        value: NodeId,
        context: &Context,
    ) -> Refused<(&'r str, NodeId)> {
        match &self.tree.node(value).kind {
            Kind::Null => {
                let mut finding = invalid(
                    &code::EMPTY_KEY,
                    context,
                    format!("key `{key}` has no value"),
                );
                finding.diagnostic = finding.diagnostic.at(self.key_span(item, key), "");
                Err(finding)
            }
            Kind::Scalar(scalar) if scalar.value.is_empty() => {
                let step = self.step(context, Item::ValueFor, key, value);
                Err(invalid(
                    &code::EMPTY_VALUE,
                    &step,
                    format!("`{key}` must not be empty"),
                ))
            }
            Kind::Scalar(scalar) => Ok((&scalar.value, value)),
            Kind::Sequence(_) | Kind::Mapping(_) => {
                let step = self.step(context, Item::ValueFor, key, value);
                let message = format!("`{key}` takes a single value");
                Err(invalid(&code::NOT_A_SCALAR, &step, message))
            }
        }
    }

    /// A text that must be there, with its place.
    pub(super) fn written(
        &self,
        item: NodeId,
        key: &str,
        context: &Context,
    ) -> Refused<(Written, NodeId)> {
        let (text, node) = self.scalar(item, key, context)?;
        let place = ScalarPlace::of(self.tree, node);
        Ok((
            Written {
                source: self.source,
                place,
                value: text.to_owned(),
            },
            node,
        ))
    }

    /// A text that may be absent.
    pub(super) fn optional(
        &self,
        item: NodeId,
        key: &str,
        context: &Context,
    ) -> Refused<Option<(&'r str, NodeId)>> {
        match self.tree.value(item, key) {
            None => Ok(None),
            Some(value) => self.nonempty(item, key, value, context).map(Some),
        }
    }

    /// A truth value that may be absent.
    pub(super) fn boolean(
        &self,
        item: NodeId,
        key: &str,
        context: &Context,
    ) -> Refused<Option<bool>> {
        let Some((text, node)) = self.optional(item, key, context)? else {
            return Ok(None);
        };
        match scalar::boolean(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let step = self.step(context, Item::ValueFor, key, node);
                let message = format!("`{text}` is neither true nor false");
                Err(invalid(&code::BAD_VALUE, &step, message))
            }
        }
    }

    /// A number that may be absent.
    pub(super) fn number(
        &self,
        item: NodeId,
        key: &str,
        context: &Context,
    ) -> Refused<Option<u32>> {
        let Some((text, node)) = self.optional(item, key, context)? else {
            return Ok(None);
        };
        match scalar::unsigned(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let step = self.step(context, Item::ValueFor, key, node);
                let message = format!("`{text}` is no whole number from 0 to {}", u32::MAX);
                Err(invalid(&code::BAD_VALUE, &step, message))
            }
        }
    }
}
