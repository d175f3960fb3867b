//! From definitions to a rule set: everything is compiled anew after each file.

use diag::SourceMap;
use filter::{
    Ast, CompileError, CompileErrorKind, ExprKind, Operand, ParseOptions, Schema, SourceId,
    WarningKind,
};

use crate::code;
use crate::codes::CodeSet;
use crate::context::{Context, Written};
use crate::definition::{Condition, RuleDef};
use crate::events::{self, Alphabet, Unanswerable};
use crate::exception;
use crate::expansion::lists::Lists;
use crate::expansion::macros::{Fault, LARGEST, Macros};
use crate::expansion::text::{Assembled, Origin};
use crate::finding::{Class, Finding};
use crate::options::Options;
use crate::output::{self, Failure, WHOLE, expression};
use crate::ruleset::{Exception, List, Macro, PluginRequirement, PluginVersion, Rule, RuleSet};
use crate::state::{Sources, State};

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

    /// Points a finding at bytes of an assembled text.
    fn point(
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

    fn report_faults(
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
                    let message = format!("the condition expands to more than {LARGEST} parts");
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
    fn hint_macro(&self, finding: Finding, name: &str) -> Finding {
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
        let mut text = Assembled::new(&definition.condition.parts);
        self.add_exceptions(definition, &mut text)?;
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
        if depth(&ast) > DEEPEST {
            self.findings.push(Finding::new(
                &code::TOO_LARGE,
                Class::ErrCompileCondition,
                &definition.condition.context,
                format!("the condition nests more than {DEEPEST} levels deep"),
            ));
            return None;
        }
        self.warn_unsafe_na(&ast, &own);
        let mut rule = Rule {
            name: definition.name.clone(),
            description: definition.description.clone(),
            condition: definition.condition.text(),
            ast,
            output: definition.output.clone(),
            output_template: template,
            extra_fields,
            priority: definition.priority,
            tags: definition.tags.clone(),
            source: definition.source.clone(),
            enabled: definition.enabled,
            capture: definition.capture,
            capture_duration: definition.capture_duration,
            exceptions: exceptions(definition),
            event_codes: CodeSet::EMPTY,
            syscall_codes: CodeSet::EMPTY,
        };
        output::warn_old(&rule, definition, &mut self.findings);
        if let Err(failure) = output::compile(&rule, definition, schema, self.map) {
            return self.refuse(failure, definition);
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
        self.set_codes(&mut rule, definition);
        Some(rule)
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
        text.parenthesise();
        for exception in &definition.exceptions {
            match exception::translate(exception) {
                Ok(translated) => {
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
        let (errors, warnings) = filter::check(ast, schema);
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

    fn condition_error(&self, error: &CompileError, ast: &Ast, own: &Own<'_>) -> Failure {
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
    fn in_condition(
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
    fn leads_to(&self, own: &Own<'_>, target: usize) -> Option<filter::Span> {
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
                let inner = self.macros.parsed[at].iter().flat_map(|ast| ast.macros());
                open.extend(inner.filter_map(|(_, name)| self.state.macros.position(name)));
            }
            None
        })
    }

    fn warn_unsafe_na(&mut self, ast: &Ast, own: &Own<'_>) {
        use filter::Operator as Op;
        let unsafe_check = ast.checks().any(|(_, check)| {
            let Operand::Field(field) = &check.left else {
                return false;
            };
            let equality = check.operator.is_equality() || check.operator == Op::NotEqual;
            (field.name.starts_with("ka.") || field.name.starts_with("jevt."))
                && (equality || check.operator.takes_list())
                && check.right.constants().iter().any(|c| c.bytes == b"<NA>")
        });
        if unsafe_check {
            self.findings.push(Finding::new(
                &code::UNSAFE_NA,
                Class::UnsafeNaCheck,
                &own.definition.context,
                "a comparison with `<NA>` is never true",
            ));
        }
    }

    /// One warning for each old field that the condition uses.
    fn warn_old_fields(&mut self, ast: &Ast, own: &Own<'_>) {
        for field in output::OLD_FIELDS {
            let used = ast.checks().find(|(_, check)| match &check.left {
                Operand::Field(f) => f.name == field,
                Operand::Transformer(_) => false,
            });
            let Some((expr, _)) = used else { continue };
            let definition = own.definition;
            let place = (expr.span.start as usize, expr.span.end as usize);
            let message = match field {
                "evt.dir" => "`evt.dir = <` is always true and `evt.dir = >` never, as events are not split any more".to_owned(),
                _ => format!("`{field}` is always 0"),
            };
            let mut finding = self.in_condition(
                (&code::OLD_FIELD, Class::DeprecatedItem, message),
                expr.source,
                (0, place),
                own,
            );
            finding.context = definition.condition.context.expression(
                self.map,
                &definition.condition.text(),
                WHOLE,
            );
            finding.deprecated_field = Some(field.to_owned());
            self.findings.push(finding);
        }
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

    fn warn_unused(&mut self) {
        for (definition, used) in self.state.macros.iter().zip(&self.macros.used) {
            if !used {
                let message = format!("macro `{}` is not used", definition.name);
                self.findings.push(Finding::new(
                    &code::UNUSED_MACRO,
                    Class::UnusedMacro,
                    &definition.context,
                    message,
                ));
            }
        }
        for (definition, list) in self.state.lists.iter().zip(self.lists.entries()) {
            if !list.used {
                let message = format!("list `{}` is not used", definition.name);
                self.findings.push(Finding::new(
                    &code::UNUSED_LIST,
                    Class::UnusedList,
                    &definition.context,
                    message,
                ));
            }
        }
    }

    fn rule_set(&self, rules: Vec<Rule>) -> RuleSet {
        let macros = self
            .state
            .macros
            .iter()
            .enumerate()
            .map(|(n, definition)| Macro {
                name: definition.name.clone(),
                condition: definition.condition.text(),
                parsed: self.macros.parsed[n].clone(),
                ast: self.macros.resolved.get(n).cloned().flatten(),
                used: self.macros.used[n],
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
