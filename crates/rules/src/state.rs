//! What the files have defined so far: definitions, redefinitions, appends and replacements.

use filter::Schema;
use hashbrown::HashMap;

use crate::code;
use crate::context::Context;
use crate::definition::{
    ExceptionDef, ListDef, MacroDef, Order, PluginGroup, RuleDef, RuleUpdate, Version,
};
use crate::exception;
use crate::finding::{Class, Finding};
use crate::origin::{self, Origins};
use crate::reader::{Decoded, Refused};

/// The engine version whose behaviour is provided.
pub const ENGINE_VERSION: Version = Version::new(0, 62, 0);

/// Event sources by name.
pub(crate) type Sources<'s> = [(String, &'s dyn Schema)];

/// Named things in order of their first definition.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    all: Vec<T>,
    by_name: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<T> Named<T> {
    pub(crate) fn find(&self, name: &str) -> Option<&T> {
        self.by_name.get(name).map(|&at| &self.all[at])
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut T> {
        self.by_name.get(name).map(|&at| &mut self.all[at])
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.all.iter()
    }

    pub(crate) fn push(&mut self, name: &str, value: T) {
        self.by_name.insert(name.to_owned(), self.all.len());
        self.all.push(value);
    }
}

/// All definitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) lists: Named<ListDef>,
    pub(crate) macros: Named<MacroDef>,
    pub(crate) rules: Named<RuleDef>,
    pub(crate) engine: Option<Version>,
    pub(crate) plugins: Vec<PluginGroup>,
    pub(crate) origins: Origins,
    counter: u32,
}

fn refuse<T>(
    code: &'static diag::Code,
    context: &Context,
    message: impl Into<String>,
) -> Refused<T> {
    Err(Box::new(Finding::new(
        code,
        Class::ErrValidate,
        context,
        message,
    )))
}

/// Adds to the message which similar name exists.
fn missing_target<'n>(
    kind: &str,
    name: &str,
    context: &Context,
    known: impl Iterator<Item = &'n str>,
) -> Box<Finding> {
    let message = format!("there is no {kind} `{name}` to append to or replace");
    let mut finding = Finding::new(&code::NO_TARGET, Class::ErrValidate, context, message);
    if let Some(near) = diag::nearest::nearest(name, known) {
        finding = finding.with(|d| d.note(format!("there is a {kind} `{near}`")));
    }
    Box::new(finding)
}

impl State {
    fn next(&mut self) -> u32 {
        self.counter += 1;
        self.counter
    }

    /// Takes an item in.
    pub(crate) fn take(
        &mut self,
        item: Decoded,
        sources: &Sources<'_>,
        findings: &mut Vec<Finding>,
    ) -> Refused<()> {
        let steps = origin::steps(&item);
        self.change(item, sources, findings)?;
        self.origins.add(steps);
        Ok(())
    }

    fn change(
        &mut self,
        item: Decoded,
        sources: &Sources<'_>,
        findings: &mut Vec<Finding>,
    ) -> Refused<()> {
        match item {
            Decoded::Engine(version, context) => self.engine(version, &context),
            Decoded::Plugins(groups) => {
                self.plugins.extend(groups);
                Ok(())
            }
            Decoded::List { list, append } => self.list(list, append),
            Decoded::Macro { definition, append } => self.macro_(definition, append),
            Decoded::Rule(rule) => self.rule(*rule, sources, findings),
            Decoded::Updates { append, replace } => {
                if let Some(update) = append {
                    self.append(*update, sources)?;
                }
                match replace {
                    Some(update) => self.replace(*update),
                    None => Ok(()),
                }
            }
            Decoded::Enable {
                name,
                enabled,
                context,
            } => {
                let number = self.next();
                match self.rules.find_mut(&name) {
                    Some(rule) => {
                        rule.enabled = enabled;
                        rule.order.visibility = number;
                        Ok(())
                    }
                    None => {
                        let message = format!("there is no rule `{name}` to switch");
                        let mut finding = Finding::new(
                            &code::ENABLE_UNKNOWN,
                            Class::ErrValidate,
                            &context,
                            message,
                        );
                        let known = self.rules.iter().map(|r| r.name.as_str());
                        if let Some(near) = diag::nearest::nearest(&name, known) {
                            finding = finding.with(|d| d.note(format!("there is a rule `{near}`")));
                        }
                        Err(Box::new(finding))
                    }
                }
            }
            Decoded::Nothing => Ok(()),
        }
    }

    fn engine(&mut self, version: Version, context: &Context) -> Refused<()> {
        if !ENGINE_VERSION.serves(version) {
            let message =
                format!("the rules need engine version {version}, this is {ENGINE_VERSION}");
            return refuse(&code::ENGINE_TOO_OLD, context, message);
        }
        self.engine = self.engine.max(Some(version));
        Ok(())
    }

    fn list(&mut self, mut list: ListDef, append: bool) -> Refused<()> {
        let number = self.next();
        match self.lists.find_mut(&list.name) {
            Some(old) if append => {
                old.items.append(&mut list.items);
                old.order.visibility = number;
            }
            Some(old) => {
                list.order = Order {
                    index: old.order.index,
                    visibility: number,
                };
                *old = list;
            }
            None if append => {
                let known = self.lists.iter().map(|l| l.name.as_str());
                return Err(missing_target("list", &list.name, &list.context, known));
            }
            None => {
                list.order = Order {
                    index: number,
                    visibility: number,
                };
                let name = list.name.clone();
                self.lists.push(&name, list);
            }
        }
        Ok(())
    }

    fn macro_(&mut self, mut new: MacroDef, append: bool) -> Refused<()> {
        let number = self.next();
        match self.macros.find_mut(&new.name) {
            Some(old) if append => {
                old.condition.parts.append(&mut new.condition.parts);
                old.order.visibility = number;
            }
            Some(old) => {
                new.order = Order {
                    index: old.order.index,
                    visibility: number,
                };
                *old = new;
            }
            None if append => {
                let known = self.macros.iter().map(|m| m.name.as_str());
                return Err(missing_target("macro", &new.name, &new.context, known));
            }
            None => {
                new.order = Order {
                    index: number,
                    visibility: number,
                };
                let name = new.name.clone();
                self.macros.push(&name, new);
            }
        }
        Ok(())
    }

    fn rule(
        &mut self,
        mut rule: RuleDef,
        sources: &Sources<'_>,
        findings: &mut Vec<Finding>,
    ) -> Refused<()> {
        self.same_source(&rule.name, Some(&rule.source), &rule.context)?;
        let schema = sources
            .iter()
            .find(|(name, _)| *name == rule.source)
            .map(|(_, s)| *s);
        if schema.is_none() {
            rule.unknown_source = true;
            let names: Vec<&str> = sources.iter().map(|(n, _)| n.as_str()).collect();
            let message = format!(
                "there is no event source `{}`; the rule is left out",
                rule.source
            );
            findings.push(
                Finding::new(
                    &code::UNKNOWN_SOURCE,
                    Class::UnknownSource,
                    &rule.context,
                    message,
                )
                .with(|d| d.note(format!("event sources are: {}", names.join(", ")))),
            );
        }
        for exception in &mut rule.exceptions {
            exception::check(exception, schema)?;
        }
        let number = self.next();
        match self.rules.find_mut(&rule.name) {
            Some(old) => {
                rule.order = Order {
                    index: old.order.index,
                    visibility: number,
                };
                *old = rule;
            }
            None => {
                rule.order = Order {
                    index: number,
                    visibility: number,
                };
                let name = rule.name.clone();
                self.rules.push(&name, rule);
            }
        }
        Ok(())
    }

    /// A rule keeps the source of its first definition.
    fn same_source(&self, name: &str, source: Option<&String>, context: &Context) -> Refused<()> {
        let (Some(old), Some(source)) = (self.rules.find(name), source) else {
            return Ok(());
        };
        if old.source == *source {
            return Ok(());
        }
        let message = format!(
            "rule `{name}` has the source `{}` and cannot get `{source}`",
            old.source
        );
        let there = old.context.span();
        Err(Box::new(
            Finding::new(&code::SOURCE_CHANGED, Class::ErrValidate, context, message)
                .with(|d| d.label(there, "defined here")),
        ))
    }

    fn target(&mut self, update: &RuleUpdate) -> Refused<&mut RuleDef> {
        if self.rules.find(&update.name).is_none() {
            let known = self.rules.iter().map(|r| r.name.as_str());
            return Err(missing_target("rule", &update.name, &update.context, known));
        }
        if update.is_empty() {
            return refuse(
                &code::NOTHING_APPENDED,
                &update.context,
                "the item has neither `condition` nor `exceptions` to append",
            );
        }
        self.same_source(&update.name, update.source.as_ref(), &update.context)?;
        Ok(self.rules.find_mut(&update.name).expect("looked up above"))
    }

    fn append(&mut self, update: RuleUpdate, sources: &Sources<'_>) -> Refused<()> {
        let number = self.next();
        let rule = self.target(&update)?;
        let schema = sources
            .iter()
            .find(|(name, _)| *name == rule.source)
            .map(|(_, s)| *s);
        if let Some(mut condition) = update.condition {
            rule.condition.parts.append(&mut condition.parts);
        }
        if let Some((written, _)) = update.output {
            rule.output.push(' ');
            rule.output.push_str(&written.value);
            rule.output_parts.push(written);
        }
        if let Some(description) = update.description {
            rule.description.push(' ');
            rule.description.push_str(&description);
        }
        if let Some(tags) = update.tags {
            rule.tags.extend(tags);
            rule.tags.sort_unstable();
            rule.tags.dedup();
        }
        for exception in update.exceptions.into_iter().flatten() {
            append_exception(rule, exception, schema)?;
        }
        rule.order.visibility = number;
        Ok(())
    }

    fn replace(&mut self, update: RuleUpdate) -> Refused<()> {
        let number = self.next();
        let rule = self.target(&update)?;
        if let Some(condition) = update.condition {
            rule.condition = condition;
        }
        if let Some((written, context)) = update.output {
            rule.output.clone_from(&written.value);
            rule.output_parts = vec![written];
            rule.output_context = context;
        }
        if let Some(description) = update.description {
            rule.description = description;
        }
        if let Some(priority) = update.priority {
            rule.priority = priority;
        }
        if let Some(tags) = update.tags {
            rule.tags = tags;
        }
        if let Some(exceptions) = update.exceptions {
            rule.exceptions = exceptions;
        }
        rule.stateful = update.stateful.or(rule.stateful.take());
        rule.enabled = update.enabled.unwrap_or(rule.enabled);
        rule.warn_evttypes = update.warn_evttypes.unwrap_or(rule.warn_evttypes);
        rule.skip_if_unknown = update.skip_if_unknown.unwrap_or(rule.skip_if_unknown);
        rule.capture = update.capture.unwrap_or(rule.capture);
        rule.capture_duration = update.capture_duration.unwrap_or(rule.capture_duration);
        rule.capture_before = update.capture_before.unwrap_or(rule.capture_before);
        rule.order.visibility = number;
        Ok(())
    }
}

fn append_exception(
    rule: &mut RuleDef,
    mut new: ExceptionDef,
    schema: Option<&dyn Schema>,
) -> Refused<()> {
    let Some(old) = rule.exceptions.iter_mut().find(|e| e.name == new.name) else {
        exception::check(&mut new, schema)?;
        if new.values.is_empty() {
            let message = format!("the new exception `{}` has no `values`", new.name);
            return refuse(&code::BAD_EXCEPTION, &new.context, message);
        }
        rule.exceptions.push(new);
        return Ok(());
    };
    if let Some(entry) = new.fields.as_ref().or(new.comparisons.as_ref()) {
        let there = old.context.span();
        let message = format!(
            "the exception `{}` exists; only `values` can be appended to it",
            new.name
        );
        return Err(Box::new(
            Finding::new(
                &code::EXCEPTION_FIXED,
                Class::ErrValidate,
                &new.context,
                message,
            )
            .at(entry.span(), "")
            .with(|d| d.label(there, "defined here")),
        ));
    }
    old.values.append(&mut new.values);
    Ok(())
}
