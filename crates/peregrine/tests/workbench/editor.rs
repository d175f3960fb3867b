//! A client of the language server: it opens a file, changes it, and asks.

#![allow(
    clippy::needless_pass_by_value,
    reason = "what is sent is made where it is sent"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// An editor.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
    /// The latest diagnostics of each file.
    diagnostics: std::collections::BTreeMap<String, Value>,
}

impl Client {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .arg("lsp")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self {
            child,
            input,
            output,
            next: 0,
            diagnostics: Default::default(),
        };
        let answer = client.ask(
            "initialize",
            json!({"processId": null, "rootUri": null, "capabilities": {}}),
        );
        assert_eq!(answer["capabilities"]["hoverProvider"], true);
        client.tell("initialized", json!({}));
        client
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The next message of the server; diagnostics are kept.
    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the server hung up"
            );
            match line.trim().split_once(": ") {
                Some((_, number)) => length = number.parse().unwrap(),
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            self.diagnostics.insert(
                params["uri"].as_str().unwrap().to_owned(),
                params["diagnostics"].clone(),
            );
        }
        message
    }

    fn answer(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    fn open(&mut self, uri: &str, text: &str) -> Vec<String> {
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}),
        );
        self.codes(uri)
    }

    fn change(&mut self, uri: &str, changes: Value) -> Vec<String> {
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes}),
        );
        self.codes(uri)
    }

    /// Codes of the diagnostics that come next for a file.
    fn codes(&mut self, uri: &str) -> Vec<String> {
        self.diagnostics.remove(uri);
        while !self.diagnostics.contains_key(uri) {
            self.receive();
        }
        let all = self.diagnostics[uri].as_array().unwrap();
        all.iter()
            .map(|one| one["code"].as_str().unwrap().to_owned())
            .collect()
    }

    fn at(uri: &str, line: u64, character: u64) -> Value {
        json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}})
    }

    fn completions(&mut self, uri: &str, line: u64, character: u64) -> Vec<String> {
        let answer = self.ask("textDocument/completion", Self::at(uri, line, character));
        answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["label"].as_str().unwrap().to_owned())
            .collect()
    }

    fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

const URI: &str = "file:///rules/mine.yaml";

const TEXT: &str = "\
- list: shells
  items: [bash, sh]

- macro: spawned
  condition: evt.type = execve

- rule: Shell
  desc: d
  condition: spawned and proc.name in (shells) and proc.exepath startswith /usr/
  output: a shell %proc.name
  priority: NOTICE
";

#[test]
fn a_file_is_opened_changed_and_asked_about() {
    let mut client = Client::start(&[]);
    assert_eq!(client.open(URI, TEXT), Vec::<String>::new());

    // A slip in the condition: `spawned` becomes `spawnd`.
    let range = json!({"start": {"line": 8, "character": 18}, "end": {"line": 8, "character": 20}});
    let codes = client.change(URI, json!([{"range": range, "text": "d"}]));
    assert_eq!(codes, ["P0140"]);
    let found = &client.diagnostics[URI][0];
    assert_eq!(found["severity"], 1);
    assert_eq!(found["range"]["start"], json!({"line": 8, "character": 13}));
    assert_eq!(
        client.change(URI, json!([{"text": TEXT}])),
        Vec::<String>::new()
    );

    // What may come next: fields and macros, operators, lists, fields of an output, keys.
    let typing = TEXT.replace(
        "spawned and proc.name in (shells) and proc.exepath startswith /usr/",
        "spawned and pr",
    );
    client.change(URI, json!([{"text": typing}]));
    let all = client.completions(URI, 8, 27);
    assert!(
        all.contains(&"proc.name".to_owned()) && all.contains(&"spawned".to_owned()),
        "{all:?}"
    );
    let typing = TEXT.replace("in (shells) and", "in (");
    client.change(URI, json!([{"text": typing}]));
    let all = client.completions(URI, 8, 40);
    assert!(
        all.contains(&"shells".to_owned()) && !all.contains(&"spawned".to_owned()),
        "{all:?}"
    );
    let all = client.completions(URI, 8, 36);
    assert!(all.contains(&"startswith".to_owned()), "{all:?}");
    let all = client.completions(URI, 9, 27);
    assert!(all.contains(&"proc.cmdline".to_owned()), "{all:?}");
    client.change(URI, json!([{"text": format!("{TEXT}  ")}]));
    let all = client.completions(URI, 11, 2);
    assert!(all.contains(&"tags".to_owned()), "{all:?}");
    client.change(URI, json!([{"text": TEXT}]));

    // What stands there.
    let hover = client.ask("textDocument/hover", Client::at(URI, 8, 28));
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("proc.name"),
        "{hover}"
    );
    let hover = client.ask("textDocument/hover", Client::at(URI, 8, 40));
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("bash, sh"),
        "{hover}"
    );
    let hover = client.ask("textDocument/hover", Client::at(URI, 9, 22));
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("proc.name"),
        "{hover}"
    );

    // Where it is defined, and under another name everywhere.
    let place = client.ask("textDocument/definition", Client::at(URI, 8, 15));
    assert_eq!(
        place[0]["range"]["start"],
        json!({"line": 3, "character": 9})
    );
    let edits = client.ask("textDocument/rename", {
        let mut params = Client::at(URI, 8, 41);
        params["newName"] = json!("login_shells");
        params
    });
    let edits = edits["changes"][URI].as_array().unwrap();
    assert_eq!(edits.len(), 2, "{edits:?}");
    assert!(edits.iter().all(|edit| edit["newText"] == "login_shells"));
    let refused = client.answer("textDocument/rename", {
        let mut params = Client::at(URI, 8, 41);
        params["newName"] = json!("no name");
        params
    });
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no name"),
        "{refused}"
    );

    // Layout and quick fixes.
    client.change(URI, json!([{"text": TEXT.replace("  output:   a", "  output: a").replace("- macro", "\n\n- macro")}]));
    let edits = client.ask(
        "textDocument/formatting",
        json!({"textDocument": {"uri": URI}, "options": {"tabSize": 2, "insertSpaces": true}}),
    );
    assert_eq!(edits[0]["newText"], TEXT);
    client.change(
        URI,
        json!([{"text": TEXT.replace("spawned and", "spawned and spawned and")}]),
    );
    let range = json!({"start": {"line": 8, "character": 0}, "end": {"line": 8, "character": 90}});
    let actions = client.ask(
        "textDocument/codeAction",
        json!({"textDocument": {"uri": URI}, "range": range, "context": {"diagnostics": []}}),
    );
    let edit = &actions[0]["edit"]["changes"][URI][0];
    assert_eq!(edit["newText"], "", "{actions}");
    let outline = client.ask(
        "textDocument/documentSymbol",
        json!({"textDocument": {"uri": URI}}),
    );
    assert_eq!(outline.as_array().unwrap().len(), 3);
    client.end();
}

#[test]
fn other_files_count_and_nonsense_is_survived() {
    let place = crate::support::Place::new();
    place.write("base.yaml", TEXT.as_bytes());
    let mut client = Client::start(&["-r", place.path("base.yaml").to_str().unwrap()]);
    let mine = "- rule: Mine\n  desc: d\n  condition: spawned and proc.exepath = /x\n  output: o\n  priority: INFO\n";
    assert_eq!(client.open(URI, mine), Vec::<String>::new());
    let place = client.ask("textDocument/definition", Client::at(URI, 2, 15));
    assert!(
        place[0]["uri"].as_str().unwrap().ends_with("base.yaml"),
        "{place}"
    );
    for text in [
        "",
        "[",
        "- rule: [\n",
        "\u{0}",
        "- rule: x\n  condition: ((((((",
        "é: \t- ☃",
    ] {
        client.change(URI, json!([{"text": text}]));
        for method in [
            "completion",
            "hover",
            "definition",
            "references",
            "documentSymbol",
            "formatting",
            "codeAction",
        ] {
            let mut params = Client::at(URI, 0, 9);
            params["range"] =
                json!({"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 9}});
            client.answer(&format!("textDocument/{method}"), params);
        }
    }
    assert!(
        client
            .answer("nothing/like/it", json!({}))
            .get("error")
            .is_some()
    );
    client.end();
}
