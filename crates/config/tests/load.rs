//! Loading from files: layers, strategies, environment, fatal checks.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::fs;
use std::path::Path;

use config::settings::{
    DeliveryTarget, EngineKind, ExtraField, RuleMatching, Sasl, Select, Selection,
};
use config::{Loaded, Override, Rejected, Request, SchemaStatus, load};

fn from(base: &str, options: &[&str]) -> Result<Loaded, Box<Rejected>> {
    let overrides: Vec<Override> = options
        .iter()
        .map(|option| Override::parse(option).unwrap())
        .collect();
    load(&Request {
        base: Some(base),
        overrides: &overrides,
        ..Request::default()
    })
}

fn file(path: &Path) -> Result<Loaded, Box<Rejected>> {
    load(&Request {
        path: Some(path),
        ..Request::default()
    })
}

#[test]
fn defaults_without_any_file() {
    let settings = load(&Request::default()).unwrap().settings;
    assert_eq!(settings.engine.kind, EngineKind::Kmod);
    assert_eq!(settings.rule_matching, RuleMatching::First);
    assert!(!settings.outputs.any() && settings.rules_files.is_none());
    assert_eq!(settings.libs.thread_table_size, 262_144);
}

#[test]
fn fatal_values() {
    for (yaml, word) in [
        ("engine: {kind: ebpf}", "ebpf"),
        ("engine: {kind: replay}", "capture file"),
        (
            "engine: {kind: kmod, kmod: {buf_size_preset: 11}}",
            "preset",
        ),
        ("priority: loud", "loud"),
        ("log_level: loud", "loud"),
        ("libs_logger: {severity: loud}", "loud"),
        ("rule_matching: some", "some"),
        ("capture: {mode: some}", "some"),
        ("file_output: {enabled: true}", "file_output.filename"),
        ("program_output: {enabled: true}", "program_output.program"),
        ("http_output: {enabled: true}", "http_output.url"),
        ("webserver: {listen_address: localhost}", "localhost"),
        (
            "syscall_event_drops: {actions: [ignore, log]}",
            "\"ignore\"",
        ),
        ("syscall_event_drops: {actions: [shout]}", "shout"),
        ("syscall_event_drops: {threshold: 1.5}", "range"),
        ("syscall_event_drops: {threshold: -1}", "range"),
        (
            "metrics: {enabled: true, interval: 5000, output_rule: true}",
            "5000",
        ),
        (
            "metrics: {enabled: true, interval: 99ms, output_rule: true}",
            "99ms",
        ),
        ("metrics: {enabled: true}", "no output"),
        ("load_plugins: [x]", "'x'"),
        ("plugins: [{name: x}]", "library_path"),
        ("plugins: {}", "sequence"),
        ("append_output: [x]", "map"),
        ("rules: [x]", "bad conversion"),
        ("rules_file: a\nrules_files: [b]", "rules_file"),
        ("- a", "map"),
        ("a: [", "YAML"),
    ] {
        let Err(rejected) = from(yaml, &[]) else {
            panic!("{yaml} loads")
        };
        assert!(rejected.to_string().contains(word), "{yaml}: {rejected}");
    }
}

#[test]
fn every_fatal_finding_is_reported_at_once() {
    let rejected = from(
        "priority: loud\nrule_matching: some\ncapture: {mode: x}\n",
        &[],
    );
    assert_eq!(
        rejected.err().unwrap().findings.len(),
        4,
        "three errors and a schema warning"
    );
}

#[test]
fn lenient_values() {
    let loaded = from(
        "json_output: maybe\noutput_timeout: soon\nfile_output: {enabled: yes, filename: f, keep_alive: yes}\n",
        &[],
    );
    let outputs = loaded.unwrap().settings.outputs;
    assert!(!outputs.json_output && outputs.timeout == 2000);
    let DeliveryTarget::File(file) = &outputs.deliveries[0].target else {
        panic!("{:?}", outputs.deliveries)
    };
    assert!(!file.keep_alive, "keep_alive is compared as text");
}

#[test]
fn options_win() {
    let loaded = from(
        "engine: {kind: kmod}\njson_output: false\n",
        &[
            "engine.kind=replay",
            "engine.replay.capture_file=x.scap",
            "json_output=TRUE",
            "rules[].disable.rule=*",
            "rules[].enable.tag=net",
            r#"append_output[]={"match": {"source": "syscall"}, "extra_fields": ["a.b", {"k": "%x"}]}"#,
        ],
    )
    .unwrap()
    .settings;
    assert_eq!(loaded.engine.capture_file, "x.scap");
    assert!(loaded.outputs.json_output);
    let expected = [
        Selection {
            enable: false,
            select: Select::Rule("*".into()),
        },
        Selection {
            enable: true,
            select: Select::Tag("net".into()),
        },
    ];
    assert_eq!(loaded.rules, expected);
    let extra = &loaded.append_output[0].extra_fields;
    assert_eq!(extra[0], ExtraField::Raw("a.b".into()));
    assert!(loaded.append_output[0].applies("syscall", "r", &[]));
    assert!(!loaded.append_output[0].applies("k8s_audit", "r", &[]));
}

#[test]
fn included_files_join_by_strategy() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("d")).unwrap();
    let main = format!(
        "config_files: [{0}/d, {{path: {0}/o.yaml, strategy: override}}, {{path: {0}/a.yaml, strategy: add-only}}, {0}/none]\n\
         rules_files: [one]\nengine: {{kind: replay, replay: {{capture_file: m}}}}\npriority: error\n",
        dir.path().display()
    );
    fs::write(path("main.yaml"), main).unwrap();
    fs::write(
        path("d/1.conf"),
        "rules_files: [two]\nengine: {kind: nodriver}\n",
    )
    .unwrap();
    fs::write(path("d/2.conf"), "rules_files: [three]\n").unwrap();
    fs::write(path("o.yaml"), "load_plugins: []\npriority: alert\n").unwrap();
    fs::write(path("a.yaml"), "priority: debug\njson_output: true\n").unwrap();
    let loaded = file(&path("main.yaml")).unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.rules_files.unwrap(), ["one", "two", "three"]);
    assert_eq!(settings.engine.kind, EngineKind::Nodriver);
    assert_eq!(
        settings.engine.capture_file, "",
        "maps are replaced as a whole"
    );
    assert_eq!(settings.priority.name(), "Alert");
    assert!(settings.outputs.json_output);
    assert_eq!(loaded.files.len(), 5);
    assert!(
        loaded
            .files
            .iter()
            .all(|(_, status)| *status == SchemaStatus::Ok)
    );
}

#[test]
fn nested_and_circular_includes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("main.yaml");
    let other = dir.path().join("other.yaml");
    fs::write(&main, format!("config_files: [{}]\n", main.display())).unwrap();
    assert!(file(&main).err().unwrap().to_string().contains("itself"));
    fs::write(&main, format!("config_files: [{}]\n", other.display())).unwrap();
    fs::write(&other, "config_files: []\n").unwrap();
    assert!(
        file(&main)
            .err()
            .unwrap()
            .to_string()
            .contains("config_files")
    );
}

#[test]
fn unreadable_files() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.yaml");
    fs::write(&bad, [0xff, 0xfe, 0]).unwrap();
    for path in [dir.path(), &dir.path().join("none.yaml"), &bad] {
        let rejected = file(path).err().unwrap();
        assert!(
            rejected.to_string().contains(&path.display().to_string()),
            "{rejected}"
        );
        assert!(rejected.findings[0].notes[0].contains("-c"));
    }
}

#[test]
fn environment_in_values() {
    let variable = |name: &str| (name == "LEVEL").then(|| "warning".to_owned());
    let request = Request {
        base: Some("priority: ${LEVEL}\nrules_files: [\"a$${LEVEL}\"]\n"),
        variable: Some(&variable),
        ..Request::default()
    };
    let settings = load(&request).unwrap().settings;
    assert_eq!(settings.priority.name(), "Warning");
    assert_eq!(settings.rules_files.unwrap(), ["a${LEVEL}"]);
}

#[test]
fn unknown_keys_warn_with_the_nearest_name() {
    let loaded = from("json_outptu: true\n", &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].suggestions[0].replacement, "json_output");
}

#[test]
fn outputs_for_many_nodes() {
    let yaml = "extra_outputs:\n  - {type: kafka, brokers: ['a:9092', 'b:9092'], user: u, password: p, sasl: scram-sha-512, \
        compression: gzip, tls: true, ca_cert: /x}\n  - {type: nats, address: 'x:4222', jetstream: true}\n  - {type: http, \
        url: 'http://x/', format: otlp}\n  - {type: syslog, address: 'relps://x:2514'}\n";
    let loaded = from(yaml, &[]).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let deliveries = loaded.settings.outputs.deliveries;
    let targets: Vec<&DeliveryTarget> = deliveries.iter().map(|one| &one.target).collect();
    let [
        DeliveryTarget::Kafka(kafka),
        DeliveryTarget::Nats(nats),
        DeliveryTarget::Http(http),
        DeliveryTarget::Syslog(syslog),
    ] = targets.as_slice()
    else {
        panic!("{targets:?}")
    };
    assert_eq!(kafka.brokers, ["a:9092", "b:9092"]);
    assert_eq!(kafka.topic, "falco.alerts");
    assert_eq!(kafka.sasl, Sasl::ScramSha512);
    assert!(kafka.gzip && kafka.login.is_some());
    assert_eq!(kafka.tls.as_ref().unwrap().ca_cert, "/x");
    assert!(nats.jetstream && http.otlp);
    assert_eq!(syslog.address, "relps://x:2514");
}

#[test]
fn outputs_beyond_the_five_and_what_they_take() {
    let yaml = "stdout_output: {enabled: true}\nextra_outputs:\n  - type: http\n    url: http://x/\n    \
        filter: {priority: error, tags: [network]}\n    retry: {longest: 30s, give_up: 1500}\n    \
        spool: {path: /tmp/s, max_size_mb: 8, when_full: drop_oldest}\n  - type: nats\n    name: bus\n    \
        address: tls://x:4222\n    token: t\n";
    let deliveries = from(yaml, &[]).unwrap().settings.outputs.deliveries;
    let names: Vec<&str> = deliveries
        .iter()
        .map(|delivery| delivery.name.as_str())
        .collect();
    assert_eq!(names, ["stdout", "http-1", "bus"]);
    let http = &deliveries[1];
    assert_eq!((http.priority.name(), http.tags.len()), ("Error", 1));
    assert_eq!(
        (http.retry_longest, http.retry_give_up),
        (30_000, Some(1500))
    );
    assert!(http.spool.as_ref().is_some_and(|spool| spool.drop_oldest));
    let DeliveryTarget::Nats(nats) = &deliveries[2].target else {
        panic!()
    };
    assert!(nats.address == "x:4222" && nats.tls.is_some() && nats.login.is_some());
    for (yaml, word) in [
        ("extra_outputs: [{type: fax}]", "fax"),
        ("extra_outputs: [{type: kafka}]", "names no broker"),
        (
            "extra_outputs: [{type: kafka, brokers: ['x:1'], sasl: kerberos}]",
            "kerberos",
        ),
        (
            "extra_outputs: [{type: http, url: 'http://x/', format: xml}]",
            "xml",
        ),
        ("extra_outputs: [{type: http}]", "extra_outputs[0].url"),
        (
            "extra_outputs: [{type: stdout, name: a}, {type: stdout, name: a}]",
            "'a'",
        ),
        (
            "extra_outputs: [{type: syslog, address: somewhere}]",
            "somewhere",
        ),
        ("stdout_output: {enabled: true, timeout: soon}", "soon"),
        (
            "stdout_output: {enabled: true, filter: {priority: loud}}",
            "loud",
        ),
        ("stdout_output: {enabled: true, spool: {sync: now}}", "now"),
    ] {
        let rejected = from(yaml, &[]).err().expect(yaml);
        assert!(rejected.to_string().contains(word), "{yaml}: {rejected}");
    }
}

#[test]
fn keys_of_the_past_are_read_or_told() {
    let yaml = "syscall_buf_size_preset: 6\nmodern_bpf: {cpus_for_each_syscall_buffer: 3}\n\
        engine: {kind: modern_ebpf}\ngrpc: {enabled: true}\noutputs: {rate: 5, max_burst: 9}\n\
        metadata_download: {max_mb: 1}\nunknown_key: 1\n";
    let loaded = from(yaml, &[]).unwrap();
    assert_eq!(loaded.settings.engine.buf_size_preset, 6);
    assert_eq!(loaded.settings.engine.cpus_for_each_buffer, 3);
    assert_eq!(loaded.settings.outputs.throttle, Some((5.0, 9.0)));
    let mut told: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|found| found.message.as_str())
        .collect();
    told.sort_unstable();
    let begins: Vec<&str> = told
        .iter()
        .map(|text| text.split('\'').nth(1).unwrap_or(text))
        .collect();
    let expected = [
        "grpc",
        "metadata_download",
        "modern_bpf.cpus_for_each_syscall_buffer",
        "outputs.max_burst",
        "outputs.rate",
        "syscall_buf_size_preset",
        "unknown_key",
    ];
    assert_eq!(begins, expected, "{told:?}");
}

#[test]
fn every_value_tells_where_it_comes_from() {
    use config::effective::{Origin, effective};
    let yaml = "json_output: yes\nrules_files: [a, b]\nlog_stderr: maybe\nnonsense: 1\n";
    let loaded = from(yaml, &["priority=error"]).unwrap();
    let all = effective(&loaded.tree, &loaded.sources);
    let of = |key: &str| {
        let one = all.iter().find(|one| one.key == key).expect(key);
        (one.value.as_str(), one.origin.clone())
    };
    let line = |n| Origin::File("(built in)".to_owned(), n);
    assert_eq!(of("json_output"), ("true", line(1)));
    assert_eq!(of("rules_files[1]"), ("b", line(2)));
    assert_eq!(
        of("log_stderr"),
        ("false", Origin::Unusable("(built in)".to_owned(), 3))
    );
    assert_eq!(of("priority"), ("error", Origin::Option));
    assert_eq!(of("output_timeout"), ("2000", Origin::Default));
    assert!(
        !all.iter()
            .any(|one| one.key == "nonsense" || one.key == "rules_files")
    );
}

/// The table of defaults says what the settings do.
#[test]
fn defaults_are_known_to_the_schema_and_true() {
    use config::effective::table::DEFAULTS;
    for (key, _, _) in DEFAULTS {
        let yaml = format!(
            "{{{}: ~{}",
            key.replace('.', ": {"),
            "}".repeat(1 + key.matches('.').count())
        );
        let loaded = from(&yaml, &[]).unwrap_or_else(|rejected| panic!("{yaml}: {rejected}"));
        // A key alone may want its neighbours; that it is known is the question.
        let unknown = loaded
            .warnings
            .iter()
            .find(|warning| !warning.message.contains("is missing"));
        assert!(unknown.is_none(), "{key}: {unknown:?}");
    }
    let explicit: Vec<String> = DEFAULTS
        .iter()
        .filter(|(_, _, value)| !value.is_empty() && !value.starts_with(['[', '{', '(']))
        .map(|(key, _, value)| format!("{key}={value}"))
        .collect();
    let explicit: Vec<&str> = explicit.iter().map(String::as_str).collect();
    let plain = load(&Request::default()).unwrap().settings;
    assert_eq!(from("a: ~", &explicit).unwrap().settings, plain);
}
