//! From definitions to a rule set: everything is compiled anew after each file.

mod report;
mod stateful;
mod warn;

use diag::SourceMap;
use filter::{Ast, Checker, ExprKind, ParseOptions, Schema, SourceId, WarningKind};
use hashbrown::HashMap;

use crate::code;
use crate::codes::CodeSet;
use crate::definition::{Condition, RuleDef};
use crate::events::{self, Alphabet, Unanswerable};
use crate::exception;
use crate::expansion::lists::Lists;
use crate::expansion::macros::Macros;
use crate::expansion::text::{Assembled, Origin};
use crate::finding::{Class, Finding};
use crate::options::Options;
use crate::origin::Kind;
use crate::output::{self, Failure, expression};
use crate::ruleset::{
    Exception, ExtraField, List, Macro, PluginRequirement, PluginVersion, Rule, RuleSet,
};
use crate::state::{Sources, State};
use crate::stateful::{RuleSchema, Stateful};

/// More event codes than this, and a rule is warned about.
const MANY_EVENTS: usize = 100;

/// How deep an expanded condition may nest.
const DEEPEST: usize = 1000;

/// Compiles all definitions. The rule set holds what compiled; it is whole if no finding is an
/// error.
pub(crate) fn compile(
    state: &State,
    sources: &Sources<'_>,
    options: &Options,
    map: &SourceMap,
) -> (RuleSet, Vec<Finding>) {
    let mut compiler = Compiler {
        state,
        sources,
        options,
        map,
        findings: Vec::new(),
        lists: Lists::new(&state.lists),
        macros: Macros::new(Vec::new()),
        texts: Vec::new(),
        checkers: HashMap::new(),
    };
    compiler.macros();
    let rules = state
        .rules
        .iter()
        .filter_map(|rule| compiler.rule(rule))
        .collect();
    if !compiler.findings.iter().any(Finding::is_error) {
        compiler.warn_unused();
    }
    let set = compiler.rule_set(rules);
    (set, compiler.findings)
}

/// Whether a text is a field or transformer expression that compiles.
pub(crate) fn field_exists(text: &str, schema: &dyn Schema) -> bool {
    filter::parse(&format!("{text} exists"))
        .is_ok_and(|ast| ast.checks().len_is_one() && filter::check(&ast, schema).0.is_empty())
}

trait LenIsOne {
    fn len_is_one(self) -> bool;
}

impl<I: Iterator> LenIsOne for I {
    fn len_is_one(mut self) -> bool {
        self.next().is_some() && self.next().is_none()
    }
}

struct Compiler<'c, 's> {
    state: &'c State,
    sources: &'c Sources<'s>,
    options: &'c Options,
    map: &'c SourceMap,
    findings: Vec<Finding>,
    lists: Lists,
    macros: Macros,
    /// The texts of macros as parsed; a macro's number is its source number.
    texts: Vec<Assembled>,
    /// One for the conditions of each source.
    checkers: HashMap<String, Checker>,
}

/// The text of one rule, to point into.
struct Own<'c> {
    definition: &'c RuleDef,
    text: &'c Assembled,
    ast: &'c Ast,
}

impl<'c> Compiler<'c, '_> {
    fn macros(&mut self) {
        let state = self.state;
        let mut parsed = Vec::with_capacity(state.macros.iter().len());
        for (number, definition) in (0..).zip(state.macros.iter()) {
            let mut text = Assembled::new(&definition.condition.parts);
            let ast = self.parse(&mut text, &definition.condition, SourceId(number));
            parsed.push(ast);
            self.texts.push(text);
        }
        self.macros = Macros::new(parsed);
        for (number, definition) in state.macros.iter().enumerate() {
            if let Err(faults) = self.macros.resolve_next(&state.macros) {
                let parts = &definition.condition.parts;
                let text = self.texts[number].clone();
                self.report_faults(faults, &definition.context, parts, &text);
            }
        }
    }

    /// Inserts lists and parses.
    fn parse(
        &mut self,
        text: &mut Assembled,
        condition: &Condition,
        source: SourceId,
    ) -> Option<Ast> {
        if self.lists.expand(text).is_err() {
            self.findings.push(Finding::new(
                &code::TOO_LARGE,
                Class::ErrCompileCondition,
                &condition.context,
                "with its lists inserted the condition becomes too large",
            ));
            return None;
        }
        match filter::parse_with(&text.text, ParseOptions::for_rules(source)) {
            Ok(ast) => Some(ast),
            Err(error) => {
                let written = condition.text();
                let context =
                    expression(&condition.context, self.map, &written, &text.text, error.at);
                let mut finding = Finding::new(
                    &code::CONDITION_SYNTAX,
                    Class::ErrCompileCondition,
                    &context,
                    error.to_string(),
                );
                // Up to the end of the word that the parser stopped at.
                let rest = text.text.get(error.at..).unwrap_or_default();
                let blanks = rest.len() - rest.trim_start().len();
                let word = rest[blanks..]
                    .find(|c: char| c.is_whitespace() || "(),".contains(c))
                    .map_or(rest.len() - blanks, |n| n.max(1));
                let start = error.at + blanks;
                let place = if start < text.text.len() {
                    (start, (start + word).min(text.text.len()))
                } else {
                    (text.text.trim_end().len(), text.text.trim_end().len())
                };
                finding = self.point(finding, text, &condition.parts, place);
                self.findings.push(finding);
                None
            }
        }
    }

    fn rule(&mut self, definition: &'c RuleDef) -> Option<Rule> {
        if definition.unknown_source {
            return None;
        }
        let schema = self
            .sources
            .iter()
            .find(|(name, _)| *name == definition.source)
            .map(|(_, s)| *s)?;
        let (template, extra_fields) =
            output::assemble(definition, self.options, &mut self.findings);
        let stateful = match &definition.stateful {
            Some(asked) => {
                let shown = (template.as_str(), extra_fields.as_slice());
                Some(self.stateful(definition, asked, shown, schema)?)
            }
            None => None,
        };
        let mut text = Assembled::new(&definition.condition.parts);
        self.add_exceptions(definition, &mut text)?;
        // A sequence may leave everything to its steps.
        if text.text.is_empty() && stateful.is_some() {
            return self.stepwise(definition, stateful?, (template, extra_fields), schema);
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let own = self.parse(&mut text, &definition.condition, SourceId(number))?;
        let parts = &definition.condition.parts;
        let ast = match self.macros.insert_all(&own, &self.state.macros) {
            Ok(ast) => ast,
            Err(faults) => {
                self.report_faults(faults, &definition.context, parts, &text);
                return None;
            }
        };
        let own = Own {
            definition,
            text: &text,
            ast: &own,
        };
        self.not_too_deep(&ast, definition)?;
        self.warn_unsafe_na(&ast, &own);
        let mut rule = self.blank(definition, ast, (template, extra_fields));
        rule.stateful = stateful;
        output::warn_old(&rule, definition, &mut self.findings);
        let fields = RuleSchema::new(&rule, schema);
        if let Err(failure) = output::compile(&rule, definition, &fields, self.map) {
            let skip = definition.skip_if_unknown && failure.unknown;
            self.refuse(failure, definition);
            if let Err(more) = self.check_condition(&rule.ast, &own, schema)
                && !skip
            {
                self.findings.extend(more.into_iter().map(|f| *f.finding));
            }
            return None;
        }
        if let Err(failures) = self.check_condition(&rule.ast, &own, schema) {
            if definition.skip_if_unknown && failures.first().is_some_and(|f| f.unknown) {
                let first = failures.into_iter().next()?;
                return self.refuse(first, definition);
            }
            self.findings
                .extend(failures.into_iter().map(|f| *f.finding));
            return None;
        }
        self.warn_old_fields(&rule.ast, &own);
        if let Some(stateful) = &mut rule.stateful {
            stateful.condition = Some(rule.ast.clone());
            rule.ast = stateful::relevant(Some(&rule.ast), stateful)?;
        }
        self.set_codes(&mut rule, definition);
        Some(rule)
    }

    /// A rule whose steps say all.
    fn stepwise(
        &mut self,
        definition: &RuleDef,
        stateful: Stateful,
        shown: (String, Vec<ExtraField>),
        schema: &dyn Schema,
    ) -> Option<Rule> {
        let ast = stateful::relevant(None, &stateful)?;
        let mut rule = self.blank(definition, ast, shown);
        rule.stateful = Some(stateful);
        output::warn_old(&rule, definition, &mut self.findings);
        let fields = RuleSchema::new(&rule, schema);
        if let Err(failure) = output::compile(&rule, definition, &fields, self.map) {
            return self.refuse(failure, definition);
        }
        self.set_codes(&mut rule, definition);
        Some(rule)
    }

    fn blank(
        &self,
        definition: &RuleDef,
        ast: Ast,
        (output_template, extra_fields): (String, Vec<ExtraField>),
    ) -> Rule {
        Rule {
            name: definition.name.clone(),
            description: definition.description.clone(),
            condition: definition.condition.text(),
            ast,
            output: definition.output.clone(),
            output_template,
            extra_fields,
            priority: definition.priority,
            tags: definition.tags.clone(),
            source: definition.source.clone(),
            enabled: definition.enabled,
            capture: definition.capture,
            capture_duration: definition.capture_duration,
            capture_before: definition.capture_before,
            exceptions: exceptions(definition),
            event_codes: CodeSet::EMPTY,
            syscall_codes: CodeSet::EMPTY,
            origins: self.state.origins.of(Kind::Rule, &definition.name),
            stateful: None,
        }
    }

    fn not_too_deep(&mut self, ast: &Ast, definition: &RuleDef) -> Option<()> {
        if depth(ast) <= DEEPEST {
            return Some(());
        }
        self.findings.push(Finding::new(
            &code::TOO_LARGE,
            Class::ErrCompileCondition,
            &definition.condition.context,
            format!("the condition nests more than {DEEPEST} levels deep"),
        ));
        None
    }

    /// Reports a failure, as a warning if the rule asks for it.
    fn refuse(&mut self, failure: Failure, definition: &RuleDef) -> Option<Rule> {
        let skip = definition.skip_if_unknown && failure.unknown;
        self.findings.push(if skip {
            failure.skipped()
        } else {
            *failure.finding
        });
        None
    }

    fn add_exceptions(&mut self, definition: &RuleDef, text: &mut Assembled) -> Option<()> {
        if definition.exceptions.is_empty() {
            return Some(());
        }
        // A sequence without a condition of its own has only its exceptions.
        let bare = definition.condition.parts.is_empty();
        if !bare {
            text.parenthesise();
        }
        for exception in &definition.exceptions {
            match exception::translate(exception) {
                Ok(translated) => {
                    let translated = match translated.trim_start().strip_prefix("and ") {
                        Some(first) if bare && text.text.is_empty() => first.to_owned(),
                        _ => translated,
                    };
                    text.push(&translated, Origin::Made(exception.context.span()));
                }
                Err(finding) => {
                    self.findings.push(*finding);
                    return None;
                }
            }
        }
        Some(())
    }

    /// Type-checks; warnings go to the findings, errors are returned.
    fn check_condition(
        &mut self,
        ast: &Ast,
        own: &Own<'_>,
        schema: &dyn Schema,
    ) -> Result<(), Vec<Failure>> {
        let macros = self.texts.len();
        let checker = self
            .checkers
            .entry_ref(own.definition.source.as_str())
            .or_default();
        let is_macro = |source: SourceId| (source.0 as usize) < macros;
        let (errors, warnings) = checker.check(ast, is_macro, schema);
        let mut failures: Vec<Failure> = errors
            .iter()
            .map(|error| self.condition_error(error, ast, own))
            .collect();
        if let Some((expr, why)) = events::unanswerable(ast) {
            let message = match why {
                Unanswerable::RightSide => "the event type can be compared with constants only",
                Unanswerable::Transformed => "the event type cannot stand inside a transformer",
            };
            let place = (expr.span.start as usize, expr.span.end as usize);
            let finding = self.in_condition(
                (
                    &code::CONDITION_TYPE,
                    Class::ErrCompileCondition,
                    message.to_owned(),
                ),
                expr.source,
                (place.0, place),
                own,
            );
            failures.push(Failure {
                finding: Box::new(finding),
                unknown: false,
            });
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        for warning in &warnings {
            let code = match warning.kind {
                WarningKind::FieldAsText { .. } => &code::FIELD_AS_TEXT,
                WarningKind::TransformerAsText { .. } => &code::TRANSFORMER_AS_TEXT,
                _ => &code::NEEDLESS_REGEX,
            };
            let place = (warning.span.start as usize, warning.span.end as usize);
            let finding = self.in_condition(
                (code, Class::CompileCondition, warning.to_string()),
                warning.source_id,
                (place.0, place),
                own,
            );
            self.findings.push(finding);
        }
        Ok(())
    }

    fn set_codes(&mut self, rule: &mut Rule, definition: &RuleDef) {
        if rule.source != "syscall" {
            rule.event_codes = [event::codes::PLUGINEVENT_E, event::codes::ASYNCEVENT_E]
                .into_iter()
                .collect();
            return;
        }
        // Falco 0.44.1 warns of each condition that names no event types, also of those that can
        // never hold; later versions of none of these. A rule made of constants alone is a
        // placeholder, and not worth a warning to anyone.
        let named = events::codes_of(&rule.ast, &events::Events, false);
        let warns = definition.warn_evttypes && !events::is_constant(&rule.ast);
        if named.len() > MANY_EVENTS && warns {
            self.findings.push(
                Finding::new(
                    &code::TOO_MANY_EVENTS,
                    Class::NoEvtType,
                    &definition.context,
                    format!(
                        "the condition lets through {} of {} event types",
                        named.len(),
                        events::Events.all().len()
                    ),
                )
                .at(definition.condition.context.span(), ""),
            );
        }
        rule.event_codes = events::codes_of(&rule.ast, &events::Events, true);
        rule.event_codes.insert(event::codes::ASYNCEVENT_E);
        rule.syscall_codes = events::codes_of(&rule.ast, &events::Syscalls, true);
    }

    fn rule_set(&mut self, rules: Vec<Rule>) -> RuleSet {
        let mut parsed = std::mem::take(&mut self.macros.parsed);
        let mut resolved = std::mem::take(&mut self.macros.resolved);
        let macros = self
            .state
            .macros
            .iter()
            .enumerate()
            .map(|(n, definition)| Macro {
                name: definition.name.clone(),
                condition: definition.condition.text(),
                parsed: parsed[n].take(),
                ast: resolved.get_mut(n).and_then(Option::take),
                used: self.macros.used[n],
                origins: self.state.origins.of(Kind::Macro, &definition.name),
            });
        let lists = self
            .state
            .lists
            .iter()
            .zip(self.lists.entries())
            .map(|(definition, list)| List {
                name: definition.name.clone(),
                items: definition.items.iter().map(|i| i.value.clone()).collect(),
                expanded: list.items.clone(),
                used: list.used,
                origins: self.state.origins.of(Kind::List, &definition.name),
            });
        RuleSet {
            macros: macros.collect(),
            lists: lists.collect(),
            rules,
            required_engine_version: self.state.engine.map(|v| v.to_string()),
            required_plugin_versions: self.state.plugins.iter().map(requirement).collect(),
        }
    }
}

fn requirement(group: &crate::definition::PluginGroup) -> PluginRequirement {
    let alternatives = group
        .alternatives
        .iter()
        .map(|(name, version)| PluginVersion {
            name: name.clone(),
            version: version.to_string(),
        })
        .collect();
    PluginRequirement { alternatives }
}

fn exceptions(definition: &RuleDef) -> Vec<Exception> {
    use crate::definition::Entry;
    let texts = |entry: &Option<Entry>| match entry {
        Some(Entry::One(text)) => vec![text.value.clone()],
        Some(Entry::Many(all, _)) => all.iter().map(|e| e.text().to_owned()).collect(),
        None => Vec::new(),
    };
    definition
        .exceptions
        .iter()
        .map(|e| Exception {
            name: e.name.clone(),
            fields: texts(&e.fields),
            comparisons: texts(&e.comparisons),
            used: !e.values.is_empty(),
        })
        .collect()
}

/// Levels of nesting, found without recursion: operands come first.
fn depth(ast: &Ast) -> usize {
    let mut depths: Vec<usize> = Vec::with_capacity(ast.exprs().len());
    for (_, expr) in ast.exprs() {
        let inner = expr
            .kind
            .children()
            .iter()
            .map(|id| depths[id.index()])
            .max();
        depths.push(match expr.kind {
            ExprKind::Check(_) | ExprKind::Macro(_) => 1,
            _ => inner.unwrap_or(0) + 1,
        });
    }
    depths.last().copied().unwrap_or(0)
}
