//! Outputs: what the configuration appends, what is taken out, and whether they compile.

use filter::{Schema, Template};

use crate::context::Context;
use crate::definition::RuleDef;
use crate::finding::{Class, Finding};
use crate::options::Options;
use crate::ruleset::{ExtraField, Rule};
use crate::{code, state};

/// The placeholder of old outputs.
const CONTAINER_INFO: &str = "%container.info";

/// Fields that are constant now.
pub(crate) const OLD_FIELDS: [&str; 6] = [
    "evt.dir",
    "evt.latency",
    "evt.latency.s",
    "evt.latency.ns",
    "evt.latency.human",
    "evt.wait_latency",
];

/// Puts the template and the extra fields together. Warnings go to `findings`.
pub(crate) fn assemble(
    rule: &RuleDef,
    options: &Options,
    findings: &mut Vec<Finding>,
) -> (String, Vec<ExtraField>) {
    let mut text = rule.output.clone();
    let mut extra: Vec<ExtraField> = Vec::new();
    let entries = &options.append_output;
    for entry in entries
        .iter()
        .filter(|e| e.matches(&rule.name, &rule.source, &rule.tags))
    {
        if !entry.extra_output.is_empty() {
            text.push(' ');
            text.push_str(&entry.extra_output);
        }
        if entry.suggested_output {
            let fields = options
                .suggested
                .iter()
                .filter(|(source, _)| *source == rule.source);
            for field in fields.flat_map(|(_, fields)| fields) {
                text.extend([" ", &field.replace('.', "_"), "=%", field]);
            }
        }
        for field in &entry.extra_fields {
            extra.retain(|f| f.key != field.key);
            extra.push(field.clone());
        }
    }
    if text.contains(CONTAINER_INFO) {
        text = text.replace(CONTAINER_INFO, "");
        findings.push(Finding::new(
            &code::CONTAINER_INFO,
            Class::DeprecatedItem,
            &rule.context,
            "`%container.info` is removed from the output",
        ));
    }
    (text, extra)
}

/// Warnings about old fields in the output.
pub(crate) fn warn_old(rule: &Rule, definition: &RuleDef, findings: &mut Vec<Finding>) {
    for field in OLD_FIELDS {
        if rule.output_template.contains(field) {
            let mut finding = Finding::new(
                &code::OLD_FIELD,
                Class::DeprecatedItem,
                &definition.output_context,
                format!("the output prints `{field}`, which no longer tells anything"),
            );
            finding.deprecated_field = Some(field.to_owned());
            findings.push(finding);
        }
    }
}

/// Compiles the template and the extra fields.
///
/// # Errors
/// The finding; an error even if the rule asks to be skipped over unknown fields.
pub(crate) fn compile(
    rule: &Rule,
    definition: &RuleDef,
    schema: &dyn Schema,
    sources: &diag::SourceMap,
) -> Result<(), Failure> {
    if let Err(error) = Template::parse(&rule.output_template, schema) {
        let unknown = matches!(error.kind, filter::TemplateErrorKind::UnknownToken { .. });
        let finding = Finding::new(
            &code::BAD_OUTPUT,
            Class::ErrCompileOutput,
            &definition.output_context,
            error.to_string(),
        );
        let finding = point(
            finding,
            definition,
            sources,
            &rule.output_template,
            &error.span,
        );
        return Err(Failure {
            finding: Box::new(finding),
            unknown,
        });
    }
    for field in &rule.extra_fields {
        let (text, what) = match &field.format {
            Some(format) => (format.clone(), "the extra field"),
            None => (format!("%{}", field.key), "the raw extra field"),
        };
        if let Err(error) = Template::parse(&text, schema) {
            let finding = Finding::new(
                &code::BAD_EXTRA_FIELD,
                Class::ErrCompileOutput,
                &definition.output_context,
                format!("{what} `{}` of the configuration: {error}", field.key),
            );
            return Err(Failure {
                finding: Box::new(finding),
                unknown: false,
            });
        }
    }
    Ok(())
}

/// Why a rule does not compile.
pub(crate) struct Failure {
    pub(crate) finding: Box<Finding>,
    /// Whether it is for something that is unknown, over which a rule can ask to be skipped.
    pub(crate) unknown: bool,
}

impl Failure {
    /// The warning for a rule that asked for it.
    pub(crate) fn skipped(self) -> Finding {
        let mut finding = *self.finding;
        finding.class = Some(Class::UnknownFilter);
        finding.diagnostic.code = &code::SKIPPED;
        finding.diagnostic.falco_code = Some(Class::UnknownFilter.name());
        finding.diagnostic.severity = diag::Severity::Warning;
        finding.diagnostic = finding
            .diagnostic
            .note("the rule is left out, as `skip-if-unknown-filter` asks for");
        finding
    }
}

/// Points at the token inside the YAML, where it is still part of what the file says.
fn point(
    finding: Finding,
    definition: &RuleDef,
    sources: &diag::SourceMap,
    template: &str,
    span: &filter::Span,
) -> Finding {
    let Some(token) = template.get(span.range()) else {
        return finding;
    };
    let place = definition.output_parts.iter().find_map(|part| {
        let at = part.value.find(token)?;
        Some(part.span(sources, at, at + token.len()))
    });
    match place {
        Some(place) if !token.is_empty() => finding.at(place, ""),
        _ => finding.with(|d| d.note("the configuration appended this to the output")),
    }
}

/// The path to a place in a condition.
pub(crate) fn expression(
    context: &Context,
    sources: &diag::SourceMap,
    written: &str,
    parsed: &str,
    at: usize,
) -> Context {
    let position = filter::Position::of(parsed, at);
    let numbers = (at, position.line as usize, position.column as usize);
    context.expression(sources, written, numbers)
}

/// Whether a plugin group is served.
pub(crate) fn check_plugins(state: &state::State, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in &state.plugins {
        let present = group.alternatives.iter().find_map(|(name, version)| {
            options
                .plugins
                .iter()
                .find(|p| p.name == *name)
                .map(|p| (p, *version))
        });
        let message = match present {
            Some((plugin, required)) => match plugin.version {
                Some(version) if !version.serves(required) => format!(
                    "plugin `{}` has version {version}, which does not serve as {required}",
                    plugin.name
                ),
                _ => continue,
            },
            None => {
                let all: Vec<String> = group
                    .alternatives
                    .iter()
                    .map(|(name, version)| format!("{name} (at least {version})"))
                    .collect();
                format!(
                    "a plugin is missing; one of these is required: {}",
                    all.join(", ")
                )
            }
        };
        findings.push(Finding::new(
            &code::PLUGIN_MISSING,
            Class::ErrValidate,
            &group.context,
            message,
        ));
    }
    findings
}

/// A step of a path for the rule's condition as a whole.
pub(crate) const WHOLE: (usize, usize, usize) = (0, 0, 0);
