//! Files in, a rule set and findings out.

use diag::{SourceMap, Span};
use filter::Schema;

use crate::context::Context;
use crate::finding::{Class, Finding};
use crate::options::Options;
use crate::reader::Reader;
use crate::ruleset::RuleSet;
use crate::schema::{self, Validity};
use crate::state::State;
use crate::yaml::{self, FaultKind};
use crate::{code, compile, output};

/// After so many errors no more are looked for: the file is something else than a rule file.
const MOST_ERRORS: usize = 100;

/// Most warnings that are kept of one file.
const MOST_WARNINGS: usize = 20_000;

/// Loads rule files, in order, into one set.
pub struct Loader<'s> {
    sources: Vec<(String, &'s dyn Schema)>,
    options: Options,
    map: SourceMap,
    state: State,
    rules: RuleSet,
}

/// What came of one file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file's name.
    pub name: String,
    /// What is to be said, in order. Falco's result ends with the first error; what follows it,
    /// and what has no class of Falco's, is ours alone.
    pub findings: Vec<Finding>,
    /// The outcome of the advisory check against the published schema; `None` if none was made.
    pub schema: Option<Validity>,
}

impl Loaded {
    /// Whether the file was accepted.
    #[must_use]
    pub fn successful(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

impl<'s> Loader<'s> {
    /// A loader for rules of these event sources.
    #[must_use]
    pub fn new(sources: &[(&str, &'s dyn Schema)], options: Options) -> Self {
        let sources = sources
            .iter()
            .map(|&(name, schema)| (name.to_owned(), schema))
            .collect();
        Self {
            sources,
            options,
            map: SourceMap::new(),
            state: State::default(),
            rules: RuleSet::default(),
        }
    }

    /// Loads a file: takes its items in, then compiles everything loaded so far.
    pub fn load(&mut self, name: &str, bytes: &[u8]) -> Loaded {
        let mut loaded = Loaded {
            name: name.to_owned(),
            findings: Vec::new(),
            schema: None,
        };
        if let Err(finding) = self.read(name, bytes, &mut loaded) {
            loaded.findings.push(*finding);
        }
        loaded
    }

    fn read(&mut self, name: &str, bytes: &[u8], loaded: &mut Loaded) -> Result<(), Box<Finding>> {
        let text = self.text(name, bytes)?;
        let id = self.map.add(name, text);
        // The map hands out shared texts: the tree borrows one while findings use the map.
        let map = self.map.clone();
        let source = map.source(id);
        let file = Context::file(id);
        let tree = yaml::parse(&source.text, &self.options.limits).map_err(|fault| {
            let step = file.step(
                crate::context::Item::ValueFor,
                "",
                fault.offset,
                fault.offset,
            );
            let code = match fault.kind {
                FaultKind::Syntax => &code::YAML_SYNTAX,
                FaultKind::Limit => &code::YAML_LIMIT,
                FaultKind::Encoding => &code::NOT_TEXT,
            };
            Box::new(Finding::new(
                code,
                Class::ErrYamlParse,
                &step,
                fault.message,
            ))
        })?;
        loaded.schema = schema::check(&tree);

        // After the first error items only go into a copy, in which further errors are looked for;
        // what later files meet is what stood before the error.
        let mut trial: Option<State> = None;
        let mut errors = 0;
        let mut reader = Reader::new(&tree, id);
        for &document in &tree.documents {
            let items = match reader.items(document, &file) {
                Ok(items) => items,
                Err(finding) => {
                    loaded.findings.append(&mut reader.findings);
                    loaded.findings.push(*finding);
                    trial.get_or_insert_with(|| self.state.clone());
                    continue;
                }
            };
            for &item in items.iter().filter(|&&i| !tree.is_null(i)) {
                if errors >= MOST_ERRORS {
                    return Ok(());
                }
                let decoded = reader.item(item, &file);
                loaded.findings.append(&mut reader.findings);
                let state = trial.as_mut().unwrap_or(&mut self.state);
                let taken =
                    decoded.and_then(|d| state.take(d, &self.sources, &mut loaded.findings));
                if let Err(finding) = taken {
                    errors += 1;
                    loaded.findings.push(*finding);
                    trial.get_or_insert_with(|| self.state.clone());
                }
            }
        }
        // The tree is large; compilation needs it no more.
        drop(tree);
        self.compile(trial.as_ref(), loaded);
        Ok(())
    }

    fn compile(&mut self, trial: Option<&State>, loaded: &mut Loaded) {
        let state = trial.unwrap_or(&self.state);
        let (rules, mut findings) =
            compile::compile(state, &self.sources, &self.options, &self.map);
        if trial.is_some() {
            // An item that was refused is missing now; that others miss it is no news.
            findings.retain(|f| f.is_error() && f.diagnostic.code != &code::UNDEFINED_MACRO);
        }
        loaded.findings.append(&mut findings);
        limit(&mut loaded.findings);
        if loaded.successful() {
            self.rules = rules;
        }
    }

    /// The bytes as text.
    fn text(&mut self, name: &str, bytes: &[u8]) -> Result<String, Box<Finding>> {
        let limit = self.options.limits.bytes;
        let refused = |map: &mut SourceMap, shown: String, offset, code, message: String| {
            let id = map.add(name, shown);
            let context = Context::file(id);
            let mut finding = Finding::new(code, Class::ErrYamlParse, &context, message);
            finding.diagnostic = finding.diagnostic.at(Span::new(id, offset, offset), "");
            Box::new(finding)
        };
        if bytes.len() > limit {
            let message = format!(
                "the file has {} bytes; at most {limit} are read",
                bytes.len()
            );
            return Err(refused(
                &mut self.map,
                String::new(),
                0,
                &code::YAML_LIMIT,
                message,
            ));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| {
                let offset = error.valid_up_to();
                let message = format!(
                    "byte {offset} is not UTF-8; the file is binary or in another encoding"
                );
                // Only the line with the bad byte is kept to be shown.
                let start = bytes[..offset]
                    .iter()
                    .rposition(|&b| b == b'\n')
                    .map_or(0, |n| n + 1);
                let shown = String::from_utf8_lossy(&bytes[start..offset]).into_owned();
                let at = shown.len();
                refused(&mut self.map, shown, at, &code::NOT_TEXT, message)
            })
    }

    /// The rules as of the last file that was accepted.
    #[must_use]
    pub fn rule_set(&self) -> &RuleSet {
        &self.rules
    }

    /// The texts that findings point into.
    #[must_use]
    pub fn sources(&self) -> &SourceMap {
        &self.map
    }

    /// Plugins that the files ask for and that are not there: to be looked at after the last file.
    #[must_use]
    pub fn unmet_plugins(&self) -> Vec<Finding> {
        output::check_plugins(&self.state, &self.options)
    }

    /// The rules.
    #[must_use]
    pub fn finish(self) -> RuleSet {
        self.rules
    }
}

/// Keeps the first findings of each severity where there are more than anyone reads.
fn limit(findings: &mut Vec<Finding>) {
    let (mut errors, mut warnings) = (0, 0);
    findings.retain(|finding| {
        let (count, most) = if finding.is_error() {
            (&mut errors, MOST_ERRORS)
        } else {
            (&mut warnings, MOST_WARNINGS)
        };
        *count += 1;
        *count <= most
    });
}
