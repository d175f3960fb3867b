//! What `list fields` and `list events` print: structure and order as the original's, so that tools which
//! read its listings read ours; the descriptions are our own.

mod events;
mod fields;

/// Form of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    #[default]
    Text,
    /// For a document.
    Markdown,
    /// For a program.
    Json,
}

/// Version of the event schema that the listing names: that of the release which is reproduced. The
/// table holds it whole; what newer schemas added is in it too.
pub const SCHEMA_VERSION: &str = "4.3.0";

/// All fields of system call events, `source` being the name that the listing gives to their source.
///
/// Deprecated, hidden and removed ones are left out.
#[must_use]
pub fn fields(catalogue: &crate::Catalogue, form: Form) -> String {
    match form {
        Form::Text => fields::text(catalogue),
        Form::Markdown => fields::markdown(catalogue),
        Form::Json => fields::json(catalogue),
    }
}

/// Names of the listed fields only: one a line, or a JSON object.
#[must_use]
pub fn field_names(catalogue: &crate::Catalogue, form: Form) -> String {
    fields::names(catalogue, form)
}

/// All event types that reach rules.
#[must_use]
pub fn events(form: Form) -> String {
    match form {
        Form::Text => events::text(),
        Form::Markdown => events::markdown(),
        Form::Json => events::json(),
    }
}

/// A JSON document, indented by two, with a newline at its end.
fn pretty(value: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a value without maps of odd keys");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
