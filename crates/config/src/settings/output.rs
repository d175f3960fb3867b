//! Settings of the form of alerts and of their channels.

use crate::read::Reader;
use crate::tree::{Node, Value};

/// How many rules may fire on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleMatching {
    /// The first in order of definition.
    First,
    /// Every one.
    All,
}

impl RuleMatching {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        match reader.text(tree, "rule_matching", "first").as_str() {
            "first" => Self::First,
            "all" => Self::All,
            other => {
                let message = format!("rule matching '{other}' does not exist");
                reader.fatal(tree, "rule_matching", message, "it is either first or all");
                Self::First
            }
        }
    }
}

/// Form and channels of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// `time_format_iso_8601`
    pub time_format_iso_8601: bool,
    /// `json_output`
    pub json_output: bool,
    /// `json_include_output_property`
    pub json_include_output: bool,
    /// `json_include_message_property`
    pub json_include_message: bool,
    /// `json_include_output_fields_property`
    pub json_include_output_fields: bool,
    /// `json_include_tags_property`
    pub json_include_tags: bool,
    /// Lines need not be flushed one by one.
    pub buffered: bool,
    /// Messages that may wait; zero: no limit.
    pub queue_capacity: usize,
    /// Milliseconds until a slow channel is complained about.
    pub timeout: u64,
    /// `stdout_output.enabled`
    pub stdout: bool,
    /// `syslog_output.enabled`
    pub syslog: bool,
    /// `file_output`, when enabled; the target is a file's name.
    pub file: Option<Pipe>,
    /// `program_output`, when enabled; the target is a shell command.
    pub program: Option<Pipe>,
    /// `http_output`, when enabled.
    pub http: Option<HttpOutput>,
}

/// A channel that opens its target for each message, unless it is kept open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// File name or command.
    pub target: String,
    /// Opened once.
    pub keep_alive: bool,
}

/// Key `http_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct HttpOutput {
    pub url: String,
    pub user_agent: String,
    pub insecure: bool,
    pub ca_cert: String,
    pub ca_bundle: String,
    pub ca_path: String,
    pub mtls: bool,
    pub client_cert: String,
    pub client_key: String,
    pub echo: bool,
    pub compress_uploads: bool,
    pub keep_alive: bool,
    pub max_consecutive_timeouts: u8,
}

impl Outputs {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let pipe = |reader: &mut Reader, section: &str, key: &str| {
            let target = reader.text(tree, &format!("{section}.{key}"), "");
            if !reader.truth(tree, &format!("{section}.enabled"), false) {
                return None;
            }
            if target.is_empty() {
                let message = format!("{section} is enabled but {section}.{key} is empty");
                let help = format!("set {section}.{key} or disable the output");
                reader.fatal(tree, section, message, &help);
            }
            // Compared as text: `yes` does not keep anything alive.
            let keep_alive = reader.text(tree, &format!("{section}.keep_alive"), "") == "true";
            Some(Pipe { target, keep_alive })
        };
        let file = pipe(reader, "file_output", "filename");
        let program = pipe(reader, "program_output", "program");
        Self {
            time_format_iso_8601: reader.truth(tree, "time_format_iso_8601", false),
            json_output: reader.truth(tree, "json_output", false),
            json_include_output: reader.truth(tree, "json_include_output_property", true),
            json_include_message: reader.truth(tree, "json_include_message_property", false),
            json_include_output_fields: reader.truth(
                tree,
                "json_include_output_fields_property",
                true,
            ),
            json_include_tags: reader.truth(tree, "json_include_tags_property", true),
            buffered: reader.truth(tree, "buffered_outputs", false),
            queue_capacity: reader.number(tree, "outputs_queue.capacity", 0),
            timeout: reader.number(tree, "output_timeout", 2000),
            stdout: reader.truth(tree, "stdout_output.enabled", false),
            syslog: reader.truth(tree, "syslog_output.enabled", false),
            file,
            program,
            http: HttpOutput::read(tree, reader),
        }
    }

    /// Whether alerts go anywhere.
    #[must_use]
    pub fn any(&self) -> bool {
        self.stdout
            || self.syslog
            || self.file.is_some()
            || self.program.is_some()
            || self.http.is_some()
    }
}

impl HttpOutput {
    fn read(tree: &Node, reader: &mut Reader) -> Option<Self> {
        if !reader.truth(tree, "http_output.enabled", false) {
            return None;
        }
        let url = reader.text(tree, "http_output.url", "");
        let url = url.trim_matches(|c| c == '"' || c == '\'').to_owned();
        if url.is_empty() {
            let message = "http_output is enabled but http_output.url is empty".to_owned();
            reader.fatal(tree, "http_output", message, "set http_output.url");
        }
        let mut text =
            |key: &str, default: &str| reader.text(tree, &format!("http_output.{key}"), default);
        let user_agent = text("user_agent", "falcosecurity/falco");
        let ca_cert = text("ca_cert", "");
        let ca_bundle = text("ca_bundle", "");
        let ca_path = text("ca_path", "/etc/ssl/certs");
        let client_cert = text("client_cert", "/etc/ssl/certs/client.crt");
        let client_key = text("client_key", "/etc/ssl/certs/client.key");
        let mut truth = |key: &str| reader.truth(tree, &format!("http_output.{key}"), false);
        Some(Self {
            url,
            user_agent,
            ca_cert,
            ca_bundle,
            ca_path,
            client_cert,
            client_key,
            insecure: truth("insecure"),
            mtls: truth("mtls"),
            echo: truth("echo"),
            compress_uploads: truth("compress_uploads"),
            keep_alive: truth("keep_alive"),
            max_consecutive_timeouts: reader.number(
                tree,
                "http_output.max_consecutive_timeouts",
                5,
            ),
        })
    }
}

/// A field that is added to the JSON form of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraField {
    /// The field's own value under its own name.
    Raw(String),
    /// A text made by a format.
    Formatted {
        /// The key.
        key: String,
        /// The format.
        format: String,
    },
}

/// One entry of `append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only the rule of this name.
    pub rule: Option<String>,
    /// Only rules with all of these tags.
    pub tags: Vec<String>,
    /// Text for the end of the output.
    pub extra_output: String,
    /// Fields for the JSON form.
    pub extra_fields: Vec<ExtraField>,
    /// Appends every field that suggests itself.
    pub suggested_output: bool,
}

impl AppendOutput {
    /// Whether the entry applies to a rule.
    #[must_use]
    pub fn applies(&self, source: &str, rule: &str, tags: &[String]) -> bool {
        self.source.as_ref().is_none_or(|wanted| wanted == source)
            && self.rule.as_ref().is_none_or(|wanted| wanted == rule)
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

pub(super) fn append_outputs(tree: &Node, reader: &mut Reader) -> Vec<AppendOutput> {
    let mut entries = Vec::new();
    for item in reader.sequence(tree, "append_output") {
        if item.entries().is_none() {
            let message = format!(
                "an entry of append_output must be a map, not {}",
                item.shape()
            );
            reader.fatal_at(item.at, "append_output", message, "");
            continue;
        }
        let named = |path: &str| {
            item.path(path)
                .and_then(Node::text)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let entry = AppendOutput {
            source: named("match.source"),
            rule: named("match.rule"),
            tags: reader.texts(item.path("match.tags")),
            extra_output: named("extra_output").unwrap_or_default(),
            extra_fields: extra_fields(&item, reader),
            suggested_output: reader.truth(&item, "suggested_output", false),
        };
        if entry.rule.is_some() && !entry.tags.is_empty() {
            let message = "an entry of append_output matches by rule name and by tags at once";
            reader.warning_at(item.at, message.to_owned());
        }
        entries.push(entry);
    }
    entries
}

fn extra_fields(item: &Node, reader: &mut Reader) -> Vec<ExtraField> {
    let mut fields = Vec::new();
    for field in reader.sequence(item, "extra_fields") {
        match &field.value {
            Value::Scalar(name) => fields.push(ExtraField::Raw(name.clone())),
            Value::Map(entries) => {
                for entry in entries {
                    let format = entry.value.text().unwrap_or_default().to_owned();
                    fields.push(ExtraField::Formatted {
                        key: entry.key.clone(),
                        format,
                    });
                }
            }
            Value::Null | Value::Sequence(_) => {
                let message = "an extra field is a name or a map of key and format".to_owned();
                reader.fatal_at(field.at, "append_output", message, "");
            }
        }
    }
    fields
}
