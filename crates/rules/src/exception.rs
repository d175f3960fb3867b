//! Exceptions: their checks, and their translation into the condition.
//!
//! The translation is text, made before lists are inserted, so that a value may be a list's name.

use filter::{Modifier, Operator, Schema};

use crate::code;
use crate::definition::{Entry, ExceptionDef, Text};
use crate::finding::{Class, Finding};
use crate::reader::Refused;

fn refuse<T>(
    code: &'static diag::Code,
    exception: &ExceptionDef,
    at: diag::Span,
    message: impl Into<String>,
) -> Refused<T> {
    let finding = Finding::new(code, Class::ErrValidate, &exception.context, message).at(at, "");
    Err(Box::new(finding))
}

/// `startswith anyof`: an operator and a modifier with one blank between them.
fn has_modifier(operator: &str) -> bool {
    operator
        .split_once(' ')
        .is_some_and(|(operator, modifier)| {
            Operator::named(operator).is_some_and(Operator::takes_modifier)
                && Modifier::named(modifier).is_some()
        })
}

fn takes_list(operator: &str) -> bool {
    Operator::named(operator).is_some_and(Operator::takes_list) || has_modifier(operator)
}

fn is_operator(operator: &str) -> bool {
    Operator::named(operator).is_some() || has_modifier(operator)
}

/// Checks fields and operators, and fills in the default operators.
pub(crate) fn check(exception: &mut ExceptionDef, schema: Option<&dyn Schema>) -> Refused<()> {
    let Some(fields) = exception.fields.clone() else {
        let message = format!("the new exception `{}` has no `fields`", exception.name);
        let at = exception.context.span();
        return refuse(&code::EXCEPTION_FIXED, exception, at, message);
    };
    let span = fields.span();
    match &fields {
        Entry::Many(names, _) => {
            let comparisons = exception.comparisons.get_or_insert_with(|| {
                let equal = || {
                    Entry::One(Text {
                        value: "=".to_owned(),
                        span,
                    })
                };
                Entry::Many(names.iter().map(|_| equal()).collect(), span)
            });
            trim(comparisons);
            let comparisons = comparisons.clone();
            if comparisons.elements().len() != names.len() {
                let message = format!(
                    "{} fields but {} comparisons",
                    names.len(),
                    comparisons.elements().len()
                );
                return refuse(
                    &code::EXCEPTION_LENGTHS,
                    exception,
                    comparisons.span(),
                    message,
                );
            }
            for comparison in comparisons.elements() {
                if !is_operator(comparison.text()) {
                    let message = format!("`{}` is no operator", comparison.text());
                    let at = comparison.span();
                    return refuse(&code::EXCEPTION_OPERATOR, exception, at, message);
                }
            }
            for name in names {
                check_field(name, exception, schema)?;
            }
        }
        Entry::One(_) => {
            let comparison = exception.comparisons.get_or_insert_with(|| {
                Entry::One(Text {
                    value: "in".to_owned(),
                    span,
                })
            });
            trim(comparison);
            let comparison = comparison.clone();
            if let Entry::Many(_, at) = comparison {
                let message = "`fields` is a single field, so `comps` is a single operator";
                return refuse(&code::BAD_EXCEPTION, exception, at, message);
            }
            if !takes_list(comparison.text()) {
                let message = format!(
                    "`{}` takes no list; with a single field only `in`, `pmatch`, `intersects` and operators with a modifier such as `startswith anyof` are possible",
                    comparison.text()
                );
                let at = comparison.span();
                return refuse(&code::EXCEPTION_OPERATOR, exception, at, message);
            }
            check_field(&fields, exception, schema)?;
        }
    }
    Ok(())
}

fn trim(entry: &mut Entry) {
    match entry {
        Entry::One(text) => {
            let trimmed = text.value.trim_matches([' ', '\t', '\n', '\r']);
            if trimmed.len() < text.value.len() {
                text.value = trimmed.to_owned();
            }
        }
        Entry::Many(all, _) => all.iter_mut().for_each(trim),
    }
}

fn check_field(
    field: &Entry,
    exception: &ExceptionDef,
    schema: Option<&dyn Schema>,
) -> Refused<()> {
    let Some(schema) = schema else { return Ok(()) };
    if crate::compile::field_exists(field.text(), schema) {
        return Ok(());
    }
    let message = format!("`{}` is no field of the rule's event source", field.text());
    let mut finding = Finding::new(
        &code::EXCEPTION_FIELD,
        Class::ErrValidate,
        &exception.context,
        message,
    )
    .at(field.span(), "");
    if let Some(near) = diag::nearest::nearest(field.text(), schema.names()) {
        let span = field.span();
        finding = finding.with(|d| d.suggest(span, near, format!("there is a field `{near}`")));
    }
    Err(Box::new(finding))
}

/// What an exception adds to a condition: text, and the place of the exception it stands for.
pub(crate) fn translate(exception: &ExceptionDef) -> Refused<String> {
    let (Some(fields), Some(comparisons)) = (&exception.fields, &exception.comparisons) else {
        return Ok(String::new());
    };
    if exception.values.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::from(" and not (");
    match fields {
        Entry::One(field) => {
            text.extend([field.value.as_str(), " ", comparisons.text(), " ("]);
            for (n, value) in exception.values.iter().enumerate() {
                let Entry::One(value) = value else {
                    let message =
                        "`fields` is a single field, so each element of `values` is a single text";
                    return refuse(&code::BAD_EXCEPTION, exception, value.span(), message);
                };
                text.push_str(if n > 0 { ", " } else { "" });
                text.push_str(&quoted(&value.value));
            }
            text.push_str("))");
        }
        Entry::Many(names, _) => {
            for (n, values) in exception.values.iter().enumerate() {
                if values.elements().len() != names.len() {
                    let message = format!(
                        "{} fields but {} values",
                        names.len(),
                        values.elements().len()
                    );
                    let at = values.span();
                    return Err(Box::new(
                        Finding::new(
                            &code::EXCEPTION_LENGTHS,
                            Class::ErrValidate,
                            &exception.context,
                            message,
                        )
                        .at(at, "")
                        .with(|d| d.label(fields.span(), "the fields")),
                    ));
                }
                text.push_str(if n > 0 { " or (" } else { "(" });
                let parts = names
                    .iter()
                    .zip(comparisons.elements())
                    .zip(values.elements());
                for (k, ((field, comparison), value)) in parts.enumerate() {
                    text.push_str(if k > 0 { " and " } else { "" });
                    let operand = operand(comparison.text(), value);
                    text.extend([" ", field.text(), " ", comparison.text(), " ", &operand]);
                }
                text.push(')');
            }
            text.push(')');
        }
    }
    Ok(text)
}

fn operand(comparison: &str, value: &Entry) -> String {
    match value {
        Entry::Many(elements, _) => {
            let elements: Vec<String> = elements.iter().map(|e| quoted(e.text())).collect();
            format!("({})", elements.join(", "))
        }
        Entry::One(text) if takes_list(comparison) => {
            if text.value.starts_with('(') {
                text.value.clone()
            } else {
                format!("({})", text.value)
            }
        }
        Entry::One(text) => quoted(&text.value),
    }
}

/// A text with blanks gets quotes unless it has some. Quotes inside are left as they are.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains(' ') && !text.starts_with(['"', '\'']) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}
