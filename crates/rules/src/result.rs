//! The outcome of a load in the form of Falco's results.
//!
//! A file's object has what Falco's has: `name`, `successful`, `schema_valid`, `schema_warnings`,
//! `errors`, `warnings`. Falco stops at the first error; so do these lists. What was found beyond
//! that, and what Falco does not look for, is in `diagnostics`: all findings in our own form, with
//! spans, labels and suggestions.

use diag::SourceMap;
use serde_json::{Value, json};

use crate::finding::Finding;
use crate::loader::Loaded;

impl Loaded {
    /// The findings that Falco has: up to the first error.
    pub fn falco(&self) -> impl Iterator<Item = &Finding> {
        let first = self.findings.iter().position(Finding::is_error);
        let end = first.map_or(self.findings.len(), |n| n + 1);
        self.findings[..end].iter().filter(|f| f.class.is_some())
    }

    /// The file's object.
    #[must_use]
    pub fn json(&self, sources: &SourceMap) -> Value {
        let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) =
            self.falco().partition(|f| f.is_error());
        let entries = |list: &[&Finding]| list.iter().map(|f| f.json(sources)).collect::<Vec<_>>();
        let mut value = json!({
            "name": self.name,
            "successful": self.successful(),
            "errors": entries(&errors),
            "warnings": entries(&warnings),
            "diagnostics": self
                .findings
                .iter()
                .map(|f| diag::json::render(sources, &f.diagnostic))
                .collect::<Vec<_>>(),
        });
        if let Some(schema) = &self.schema {
            value["schema_valid"] = json!(schema.valid);
            value["schema_warnings"] = json!(schema.messages);
        }
        value
    }

    /// All findings as text, errors last so that they stand where the eye is.
    #[must_use]
    pub fn text(&self, sources: &SourceMap, colour: bool) -> String {
        let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|f| f.is_error());
        let texts: Vec<String> = warnings
            .into_iter()
            .chain(errors)
            .map(|f| f.text(sources, colour))
            .collect();
        texts.join("\n\n")
    }
}

impl Finding {
    /// Its entry in `errors` or `warnings`; an empty object if Falco has no class for it.
    #[must_use]
    pub fn json(&self, sources: &SourceMap) -> Value {
        let Some(class) = self.class else {
            return json!({});
        };
        let mut value = json!({
            "code": class.name(),
            "codedesc": class.long(),
            "message": self.diagnostic.message,
            "context": {
                "locations": self.context.locations(sources),
                "snippet": self.context.snippet(sources),
            },
        });
        if let Some(field) = &self.deprecated_field {
            value["deprecated_field"] = json!(field);
        }
        value
    }
}

/// The whole result of `--validate`.
#[must_use]
pub fn results(files: &[Loaded], sources: &SourceMap) -> Value {
    json!({ "falco_load_results": files.iter().map(|f| f.json(sources)).collect::<Vec<_>>() })
}
