//! A language server for rule files: what `peregrine lsp` answers to an editor.
//!
//! Messages of the protocol come in as JSON values and go out as such; the framing and the pipes are the caller's. Texts are
//! taken over whole at each change, and everything is computed from them anew: the largest shipped file takes milliseconds.
//!
//! `documents` holds the texts and counts positions as editors do; `symbols` finds where names are defined and used;
//! `complete` says what may come next; `describe` what something is; `publish` makes diagnostics and quick fixes.

mod complete;
mod describe;
mod documents;
mod publish;
mod symbols;

use std::collections::BTreeMap;

use filter::Schema;
use rules::{Loader, Options};
use serde_json::{Value, json};

use documents::{Document, Documents};

/// What the server knows besides the texts.
pub struct Setting<'a> {
    /// Event sources and their fields.
    pub schemas: Vec<(&'a str, &'a dyn Schema)>,
    /// How rules are loaded.
    pub options: Options,
    /// Rule files that are loaded before any that is edited: URI and text.
    pub base: Vec<(String, String)>,
}

/// See the module.
pub struct Server<'a> {
    setting: Setting<'a>,
    documents: Documents,
    /// A shutdown was asked for.
    stopping: bool,
}

/// What became of a message.
#[derive(Debug, Default)]
pub struct Answer {
    /// Messages to be sent, in order.
    pub messages: Vec<Value>,
    /// The client said good-bye; whether it did so properly.
    pub exit: Option<bool>,
}

/// Codes of the protocol's errors.
const UNKNOWN_METHOD: i64 = -32601;
const REFUSED: i64 = -32803;

impl<'a> Server<'a> {
    /// A server that nobody has greeted yet.
    #[must_use]
    pub fn new(setting: Setting<'a>) -> Self {
        Self {
            setting,
            documents: Documents::default(),
            stopping: false,
        }
    }

    /// Takes a message.
    pub fn handle(&mut self, message: &Value) -> Answer {
        let mut answer = Answer::default();
        let method = message["method"].as_str().unwrap_or_default();
        let params = &message["params"];
        match method {
            "exit" => answer.exit = Some(self.stopping),
            "textDocument/didOpen" => {
                let document = &params["textDocument"];
                self.take(
                    &document["uri"],
                    &document["text"],
                    &document["version"],
                    &mut answer,
                );
            }
            "textDocument/didChange" => {
                let changes = params["contentChanges"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice);
                for change in changes {
                    let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
                    let text = match change.get("range") {
                        None => change["text"].as_str().map(str::to_owned),
                        Some(range) => self.documents.replaced(
                            uri,
                            range,
                            change["text"].as_str().unwrap_or_default(),
                        ),
                    };
                    if let Some(text) = text {
                        self.documents
                            .put(uri, text, &params["textDocument"]["version"]);
                    }
                }
                self.publish(&mut answer);
            }
            "textDocument/didClose" => {
                let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
                self.documents.close(uri);
                answer
                    .messages
                    .push(notification(uri, &json!([]), &Value::Null));
                self.publish(&mut answer);
            }
            _ => {}
        }
        if let Some(id) = message.get("id").filter(|_| !method.is_empty()) {
            answer.messages.push(match self.request(method, params) {
                Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Err((code, message)) => {
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
                }
            });
        }
        answer
    }

    fn take(&mut self, uri: &Value, text: &Value, version: &Value, answer: &mut Answer) {
        if let (Some(uri), Some(text)) = (uri.as_str(), text.as_str()) {
            self.documents.put(uri, text.to_owned(), version);
            self.publish(answer);
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, (i64, String)> {
        match method {
            "initialize" => {
                self.documents.agree(params);
                return Ok(self.capabilities());
            }
            "shutdown" => {
                self.stopping = true;
                return Ok(Value::Null);
            }
            _ => {}
        }
        let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
        let Some(document) = self.documents.find(uri) else {
            let known = method.starts_with("textDocument/");
            return if known {
                Ok(Value::Null)
            } else {
                Err((UNKNOWN_METHOD, format!("there is no method {method}")))
            };
        };
        let at = document.offset(&params["position"]);
        match method {
            "textDocument/completion" => Ok(complete::at(self, document, at)),
            "textDocument/hover" => Ok(describe::hover(self, document, at)),
            "textDocument/definition" => Ok(symbols::definition(self, document, at)),
            "textDocument/references" => Ok(symbols::references(self, document, at)),
            "textDocument/prepareRename" => symbols::renamed(self, document, at)
                .map(|(_, span)| document.range(span.0, span.1))
                .map_err(|text| (REFUSED, text)),
            "textDocument/rename" => {
                let new = params["newName"].as_str().unwrap_or_default();
                symbols::rename(self, document, at, new).map_err(|text| (REFUSED, text))
            }
            "textDocument/formatting" => publish::format(document).map_err(|text| (REFUSED, text)),
            "textDocument/codeAction" => Ok(publish::actions(self, document, &params["range"])),
            "textDocument/documentSymbol" => Ok(symbols::outline(document)),
            _ => Err((UNKNOWN_METHOD, format!("there is no method {method}"))),
        }
    }

    fn capabilities(&self) -> Value {
        json!({
            "serverInfo": {"name": "peregrine", "version": env!("CARGO_PKG_VERSION")},
            "capabilities": {
                "positionEncoding": self.documents.encoding(),
                "textDocumentSync": {"openClose": true, "change": 2},
                "completionProvider": {"triggerCharacters": [".", "%", "("]},
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "renameProvider": {"prepareProvider": true},
                "documentFormattingProvider": true,
                "codeActionProvider": {"codeActionKinds": ["quickfix"]},
                "documentSymbolProvider": true,
            },
        })
    }

    /// Diagnostics of all open documents: a change in one may be felt in another.
    fn publish(&self, answer: &mut Answer) {
        for document in self.documents.open() {
            let found = publish::diagnostics(self, document);
            answer
                .messages
                .push(notification(&document.uri, &found, &document.version));
        }
    }

    /// The texts that count where a document is edited: the base files, edited ones in their place, and the document.
    fn together<'d>(&'d self, document: &'d Document) -> Vec<(&'d str, &'d str)> {
        let mut all: Vec<(&str, &str)> = self
            .setting
            .base
            .iter()
            .map(|(uri, text)| {
                (
                    uri.as_str(),
                    self.documents
                        .find(uri)
                        .map_or(text.as_str(), |open| open.text.as_str()),
                )
            })
            .collect();
        if !all.iter().any(|(uri, _)| *uri == document.uri) {
            all.push((&document.uri, &document.text));
        }
        all
    }

    /// Everything that is known: the base files and all open documents.
    fn everything(&self) -> BTreeMap<&str, &str> {
        let base = self
            .setting
            .base
            .iter()
            .map(|(uri, text)| (uri.as_str(), text.as_str()));
        base.chain(
            self.documents
                .open()
                .map(|open| (open.uri.as_str(), open.text.as_str())),
        )
        .collect()
    }

    /// The rules as a document makes them.
    fn load(&self, document: &Document) -> (Loader<'a>, Vec<rules::Loaded>) {
        let schemas = self.setting.schemas.clone();
        let mut loader = Loader::new(&schemas, self.setting.options.clone());
        let outcomes = self
            .together(document)
            .into_iter()
            .map(|(uri, text)| loader.load(uri, text.as_bytes()))
            .collect();
        (loader, outcomes)
    }
}

fn notification(uri: &str, found: &Value, version: &Value) -> Value {
    let mut params = json!({"uri": uri, "diagnostics": found});
    if !version.is_null() {
        params["version"] = version.clone();
    }
    json!({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params})
}
