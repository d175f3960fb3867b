//! The files with which clusters send their audit events: what is written for an address is whole, and says that address.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::corpus::workspace_root;

const URL: &str = "https://10.1.2.3:9443/k8s-audit";

fn yaml(text: &str) -> Value {
    config::Node::parse(text, None)
        .unwrap_or_else(|e| panic!("{e:?} in\n{text}"))
        .to_json()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn prepare(args: &[&str]) -> std::process::Output {
    let script = workspace_root().join("examples/kubernetes-audit/prepare");
    Command::new(script).args(args).output().unwrap()
}

#[test]
fn files_are_ready_for_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("audit");
    let done = prepare(&[URL, &folder.display().to_string()]);
    assert!(done.status.success(), "{done:?}");
    let webhook = yaml(&read(&folder, "webhook.yaml"));
    let policy = yaml(&read(&folder, "policy.yaml"));
    let to = |webhook: &Value| webhook["clusters"][0]["cluster"]["server"].clone();
    assert_eq!(to(&webhook), URL);
    assert_eq!(webhook["current-context"], webhook["contexts"][0]["name"]);
    assert_eq!(
        webhook["contexts"][0]["context"]["cluster"],
        webhook["clusters"][0]["name"]
    );
    assert_eq!(policy["kind"], "Policy");
    // Sessions are told at this stage.
    assert!(!policy["omitStages"].to_string().contains("ResponseStarted"));

    let kops = yaml(&read(&folder, "kops.yaml"));
    let assets = kops["spec"]["fileAssets"].as_array().unwrap();
    assert_eq!(yaml(assets[0]["content"].as_str().unwrap()), policy);
    assert_eq!(yaml(assets[1]["content"].as_str().unwrap()), webhook);
    let server = &kops["spec"]["kubeAPIServer"];
    assert_eq!(server["auditPolicyFile"], assets[0]["path"]);
    assert_eq!(server["auditWebhookConfigFile"], assets[1]["path"]);

    let kubeadm = yaml(&read(&folder, "kubeadm.yaml"));
    let volume = &kubeadm["apiServer"]["extraVolumes"][0];
    let arguments = kubeadm["apiServer"]["extraArgs"].as_array().unwrap();
    for (name, file) in [
        ("audit-policy-file", "policy.yaml"),
        ("audit-webhook-config-file", "webhook.yaml"),
    ] {
        let argument = arguments.iter().find(|a| a["name"] == name).unwrap();
        let place = format!("{}/{file}", volume["mountPath"].as_str().unwrap());
        assert_eq!(argument["value"], place);
    }
    for script in ["k3s.sh", "minikube.sh"] {
        let checked = Command::new("sh")
            .arg("-n")
            .arg(folder.join(script))
            .status();
        assert!(checked.unwrap().success(), "{script}");
    }
    assert!(read(&folder, "minikube.sh").contains(r#"cp "$here/webhook.yaml""#));
    let refused = prepare(&["10.1.2.3", &folder.display().to_string()]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

/// The example's own configuration loads, and takes events where the webhook file sends them.
#[test]
fn both_ends_of_the_example_agree() {
    let folder = workspace_root().join("examples/kubernetes-audit");
    let config = yaml(&read(&folder, "peregrine.yaml"));
    let webhook = yaml(&read(&folder, "webhook.yaml"));
    let server = webhook["clusters"][0]["cluster"]["server"]
        .as_str()
        .unwrap();
    let web = &config["webserver"];
    let wanted = format!(
        ":{}{}",
        web["listen_port"],
        web["k8s_audit_endpoint"].as_str().unwrap()
    );
    assert!(server.ends_with(&wanted), "{server} {wanted}");
}
