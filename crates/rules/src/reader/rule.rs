//! Rules: definitions, updates, and the old form that only switches them.

use super::{Decoded, Overrides, Reader, Refused, invalid, keys};
use crate::code;
use crate::context::{Context, Item, Written};
use crate::definition::{Condition, Order, RuleDef, RuleUpdate};
use crate::finding::{Class, Finding};
use crate::priority::Priority;
use crate::stateful::definition::KindDef;
use crate::yaml::NodeId;

impl Reader<'_, '_> {
    pub(super) fn rule(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        let unnamed = self.step(file, Item::Rule, "", item);
        let (name, _) = self.scalar(item, "rule", &unnamed)?;
        let context = self.step(file, Item::Rule, name, item);
        let name = name.to_owned();
        let append = self.append_flag(item, &context)?;
        let overrides = self.overrides(item, keys::RULE_APPENDS, keys::RULE_REPLACES, &context)?;
        self.not_both(append, &overrides, &context)?;
        let has = |key| self.tree.value(item, key).is_some();
        let decoded = if !overrides.is_empty() {
            self.updates(item, &name, &overrides, &context)?
        } else if append {
            self.old_append(item, &name, &context)?
        } else if has("condition") || has("output") || has("desc") || has("priority") {
            Decoded::Rule(Box::new(self.definition(item, name, &context)?))
        } else {
            self.switch(item, name, &context)?
        };
        self.warn_unknown(item, keys::RULE, &context);
        Ok(decoded)
    }

    fn definition(&mut self, item: NodeId, name: String, context: &Context) -> Refused<RuleDef> {
        let stateful = self.stateful(item, context)?;
        let whole = matches!(&stateful, Some(def) if matches!(def.kind, KindDef::Sequence { .. }));
        let condition = if whole && self.tree.value(item, "condition").is_none() {
            // The steps say it all.
            Condition {
                parts: Vec::new(),
                context: context.clone(),
            }
        } else {
            self.condition(item, Item::RuleCondition, context)?
        };
        let (output, output_context) = self.output(item, context)?;
        let description = self.scalar(item, "desc", context)?.0.to_owned();
        let priority = self.priority(item, context)?;
        let source = self
            .optional(item, "source", context)?
            .map_or("syscall", |(s, _)| s);
        Ok(RuleDef {
            name,
            context: context.clone(),
            order: Order::default(),
            condition,
            output: trimmed(&output.value).to_owned(),
            output_context,
            output_parts: vec![output],
            description,
            priority,
            source: source.to_owned(),
            unknown_source: false,
            enabled: self.boolean(item, "enabled", context)?.unwrap_or(true),
            warn_evttypes: self
                .boolean(item, "warn_evttypes", context)?
                .unwrap_or(true),
            skip_if_unknown: self
                .boolean(item, "skip-if-unknown-filter", context)?
                .unwrap_or(false),
            capture: self.boolean(item, "capture", context)?.unwrap_or(false),
            capture_duration: self.number(item, "capture_duration", context)?.unwrap_or(0),
            capture_before: self.number(item, "capture_before", context)?.unwrap_or(0),
            tags: self.tags(item, context)?.unwrap_or_default(),
            exceptions: self.exceptions(item, context, false)?.unwrap_or_default(),
            stateful,
        })
    }

    /// `append: true`: the condition and the exceptions.
    fn old_append(&mut self, item: NodeId, name: &str, context: &Context) -> Refused<Decoded> {
        let mut update = RuleUpdate::new(name, context);
        update.source = self.update_source(item, context)?;
        if self.tree.value(item, "condition").is_some() {
            update.condition = Some(self.condition(item, Item::RuleCondition, context)?);
        }
        update.exceptions = self.exceptions(item, context, true)?;
        Ok(Decoded::Updates {
            append: Some(Box::new(update)),
            replace: None,
        })
    }

    fn updates(
        &mut self,
        item: NodeId,
        name: &str,
        overrides: &Overrides,
        context: &Context,
    ) -> Refused<Decoded> {
        for (keys, way) in [
            (&overrides.append, "append"),
            (&overrides.replace, "replace"),
        ] {
            if let Some(key) = keys.iter().find(|k| self.tree.value(item, k).is_none()) {
                let message = format!("`{key}` has the override `{way}` but is not in the item");
                return Err(invalid(&code::OVERRIDE_WITHOUT_KEY, context, message));
            }
        }
        for key in keys::RULE_REPLACES {
            if self.tree.value(item, key).is_some() && !overrides.has(key) {
                let mut finding = invalid(
                    &code::KEY_WITHOUT_OVERRIDE,
                    context,
                    format!("`override` does not say what to do with `{key}`"),
                );
                finding.diagnostic = finding.diagnostic.at(self.key_span(item, key), "");
                return Err(finding);
            }
        }
        let source = self.update_source(item, context)?;
        let mut updates = [None, None];
        for (slot, keys) in updates
            .iter_mut()
            .zip([&overrides.append, &overrides.replace])
        {
            if !keys.is_empty() {
                let appending = std::ptr::eq(keys, &overrides.append);
                let mut update = self.update(item, name, keys, appending, context)?;
                update.source.clone_from(&source);
                *slot = Some(Box::new(update));
            }
        }
        let [append, replace] = updates;
        Ok(Decoded::Updates { append, replace })
    }

    fn update(
        &mut self,
        item: NodeId,
        name: &str,
        keys: &[String],
        appending: bool,
        context: &Context,
    ) -> Refused<RuleUpdate> {
        let mut update = RuleUpdate::new(name, context);
        for key in keys {
            match key.as_str() {
                "condition" => {
                    update.condition = Some(self.condition(item, Item::RuleCondition, context)?);
                }
                "output" => update.output = Some(self.output(item, context)?),
                "desc" => {
                    update.description = Some(self.scalar(item, key, context)?.0.to_owned());
                }
                "priority" => update.priority = Some(self.priority(item, context)?),
                "tags" => update.tags = self.tags(item, context)?,
                "exceptions" => update.exceptions = self.exceptions(item, context, appending)?,
                "enabled" => update.enabled = self.boolean(item, key, context)?,
                "warn_evttypes" => update.warn_evttypes = self.boolean(item, key, context)?,
                "skip-if-unknown-filter" => {
                    update.skip_if_unknown = self.boolean(item, key, context)?;
                }
                "sequence" | "threshold" | "first_seen" => {
                    update.stateful = self.stateful(item, context)?;
                }
                "capture" => update.capture = self.boolean(item, key, context)?,
                "capture_duration" => {
                    update.capture_duration = self.number(item, key, context)?;
                }
                "capture_before" => update.capture_before = self.number(item, key, context)?,
                _ => {}
            }
        }
        Ok(update)
    }

    /// An update may name the source, but `source:` with nothing behind it says nothing.
    fn update_source(&self, item: NodeId, context: &Context) -> Refused<Option<String>> {
        match self.tree.value(item, "source") {
            Some(value) if !self.tree.is_null(value) => {
                Ok(Some(self.scalar(item, "source", context)?.0.to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// The old form of an item that only switches a rule.
    fn switch(&mut self, item: NodeId, name: String, context: &Context) -> Refused<Decoded> {
        let Some(enabled) = self.boolean(item, "enabled", context)? else {
            return Err(self.missing(item, "enabled", context).with_note(
                "a rule needs `condition`, `output`, `desc` and `priority`; without any of them the item can only switch an existing rule by `enabled`",
            ));
        };
        self.findings.push(
            Finding::new(
                &code::OLD_ENABLED,
                Class::DeprecatedItem,
                context,
                "switching a rule by `enabled` alone is deprecated",
            )
            .at(self.key_span(item, "enabled"), "")
            .with(|d| d.note("add `override: {enabled: replace}`")),
        );
        Ok(Decoded::Enable {
            name,
            enabled,
            context: context.clone(),
        })
    }

    fn output(&self, item: NodeId, context: &Context) -> Refused<(Written, Context)> {
        let (written, node) = self.written(item, "output", context)?;
        Ok((written, self.step(context, Item::RuleOutput, "", node)))
    }

    fn priority(&mut self, item: NodeId, context: &Context) -> Refused<Priority> {
        let (text, node) = self.scalar(item, "priority", context)?;
        if let Some(priority) = Priority::parse(text) {
            return Ok(priority);
        }
        let step = self.step(context, Item::RulePriority, "", node);
        let span = self.span(node);
        if let Some(priority) = Priority::parse_prefix(text) {
            let finding = Finding::own(
                &code::PRIORITY_PREFIX,
                &step,
                format!(
                    "`{text}` is an abbreviation, taken as `{}`",
                    priority.name()
                ),
            )
            .with(|d| d.suggest(span, priority.name().to_uppercase(), "write it out"));
            self.findings.push(finding);
            return Ok(priority);
        }
        let names = Priority::ALL.map(Priority::name);
        let mut finding = invalid(
            &code::BAD_PRIORITY,
            &step,
            format!("`{text}` is no priority"),
        );
        finding.diagnostic = match diag::nearest::nearest(text, names) {
            Some(near) => finding.diagnostic.suggest(
                span,
                near.to_uppercase(),
                format!("there is a priority `{}`", near.to_uppercase()),
            ),
            None => finding
                .diagnostic
                .note(format!("priorities are {}", names.join(", "))),
        };
        Err(finding)
    }

    /// Sorted, each once.
    fn tags(&self, item: NodeId, context: &Context) -> Refused<Option<Vec<String>>> {
        let Some(texts) = self.sequence(item, "tags", context)? else {
            return Ok(None);
        };
        let mut tags: Vec<String> = texts.into_iter().map(|t| t.value).collect();
        tags.sort_unstable();
        tags.dedup();
        Ok(Some(tags))
    }
}

/// Outputs lose the blanks around them.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}'])
}

trait WithNote {
    fn with_note(self, note: &str) -> Self;
}

impl WithNote for Box<Finding> {
    fn with_note(mut self, note: &str) -> Self {
        self.diagnostic = self.diagnostic.note(note);
        self
    }
}
