//! Flags that Falco had once, from 0.15 on.
//!
//! Falco 0.44 refuses them. Here those that say something that can still be done do it, with a
//! warning that names today's way; those whose subject has gone (statistics files) warn and do nothing; those that would need what does not exist are refused.

use config::Override;
use rules::select::OldSwitches;

use super::flags::{FlagError, Takes, number};

/// What older flags asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// `-e FILE`
    pub(crate) capture: Option<String>,
    /// `-w FILE`
    pub(crate) record: Option<String>,
    /// `-D TEXT`
    pub(crate) disabled_rules: Vec<String>,
    /// `-T TAG`
    pub(crate) disabled_tags: Vec<String>,
    /// `-t TAG`
    pub(crate) tags: Vec<String>,
    /// `-A`
    pub(crate) all_events: bool,
    /// `-b`
    pub(crate) base64: bool,
    /// `-S N`
    pub(crate) snaplen: Option<u64>,
    /// `--modern-bpf`, `--nodriver`
    pub(crate) engine: Option<&'static str>,
    /// `--cri PATH`
    pub(crate) cri: Vec<String>,
    /// `--disable-cri-async`
    pub(crate) cri_at_any_price: bool,
    /// `-k URL`
    pub(crate) kubernetes: Option<String>,
    /// `-K FILES`
    pub(crate) kubernetes_files: Option<String>,
    /// `--k8s-node NAME`
    pub(crate) node: Option<String>,
    /// `-m URL[,URL]`
    pub(crate) mesos: Option<String>,
    /// Flags that do nothing any more, as written.
    pub(crate) without_effect: Vec<String>,
}

pub(super) fn takes(name: &str) -> Option<Takes> {
    Some(match name {
        "A" | "b" | "d" | "daemon" | "print-base64" | "F" | "modern-bpf" | "nodriver"
        | "disable-cri-async" => Takes::Nothing,
        "e" | "D" | "T" | "t" | "S" | "snaplen" | "s" | "stats-interval" | "stats_interval"
        | "k" | "k8s-api" | "K" | "k8s-api-cert" | "k8s-node" | "m" | "mesos-api" | "cri" | "w" => {
            Takes::Value
        }
        _ => return None,
    })
}

/// Why a flag of the past is refused.
pub(super) fn refused(name: &str) -> Option<&'static str> {
    Some(match name {
        "u" | "userspace" => "the user space engine (pdig) has gone",
        "g" | "gvisor-config" | "gvisor-generate-config" | "gvisor-root" => {
            "gVisor's engine has gone"
        }
        _ => return None,
    })
}

impl Past {
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), FlagError> {
        match name {
            "e" => self.capture = Some(value),
            "w" => self.record = Some(value),
            "D" => self.disabled_rules.push(value),
            "T" => self.disabled_tags.push(value),
            "t" => self.tags.push(value),
            "A" => self.all_events = true,
            "b" | "print-base64" => self.base64 = true,
            "S" | "snaplen" => self.snaplen = Some(number("S", &value)?),
            "modern-bpf" => self.engine = Some("modern_ebpf"),
            "cri" => self.cri.push(value),
            "disable-cri-async" => self.cri_at_any_price = true,
            "k" | "k8s-api" => self.kubernetes = Some(value),
            "K" | "k8s-api-cert" => self.kubernetes_files = Some(value),
            "k8s-node" => self.node = Some(value),
            "m" | "mesos-api" => self.mesos = Some(value),
            "nodriver" => self.engine = Some("nodriver"),
            _ => {
                let dashes = if name.len() == 1 { "-" } else { "--" };
                self.without_effect.push(format!("{dashes}{name}"));
            }
        }
        Ok(())
    }

    /// The settings that the flags stand for.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let mut overrides = Vec::new();
        if let Some(engine) = self.engine {
            overrides.push(Override::set("engine.kind", engine));
        }
        if let Some(capture) = &self.capture {
            overrides.push(Override::set("engine.kind", "replay"));
            overrides.push(Override::set("engine.replay.capture_file", capture));
        }
        for socket in &self.cri {
            overrides.push(Override::set("container_engines.cri.sockets[]", socket));
        }
        if self.cri_at_any_price {
            overrides.push(Override::set("container_engines.cri.disable_async", "true"));
        }
        self.orchestrators(&mut overrides);
        if self.all_events {
            overrides.push(Override::set("base_syscalls.all", "true"));
        }
        if self.base64 {
            overrides.push(Override::set("buffer_format_base64", "true"));
        }
        if let Some(snaplen) = self.snaplen {
            overrides.push(Override::set("falco_libs.snaplen", &snaplen.to_string()));
        }
        overrides
    }

    /// Who is asked around the containers; the environment counts where no flag does.
    fn orchestrators(&self, overrides: &mut Vec<Override>) {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut set = |key: &str, value: &str| {
            overrides.push(Override::set(&format!("container_metadata.{key}"), value));
        };
        if let Some(url) = self
            .kubernetes
            .clone()
            .or_else(|| variable("FALCO_K8S_API"))
        {
            set("kubernetes.url", &url);
        }
        let files = self.kubernetes_files.clone();
        if let Some(files) = files.or_else(|| variable("FALCO_K8S_API_CERT")) {
            let mut parts = files.split(':');
            match (parts.next(), parts.next(), parts.next()) {
                (Some(certificate), Some(key), ca) => {
                    set("kubernetes.client_certificate", certificate);
                    set(
                        "kubernetes.client_key",
                        key.split('#').next().unwrap_or(key),
                    );
                    if let Some(ca) = ca {
                        set("kubernetes.ca_file", ca);
                    }
                }
                (Some(token), None, _) => set("kubernetes.token_file", token),
                _ => {}
            }
        }
        if let Some(node) = &self.node {
            set("kubernetes.node", node);
        }
        if let Some(urls) = self.mesos.clone().or_else(|| variable("FALCO_MESOS_API")) {
            let (master, marathon) = urls.split_once(',').unwrap_or((&urls, ""));
            set("mesos.master", master);
            if !marathon.is_empty() {
                set("mesos.marathon", marathon);
            }
        }
    }

    /// The rule selection that `-D`, `-T` and `-t` stand for.
    pub(crate) fn switches(&self) -> OldSwitches {
        OldSwitches {
            disabled: self.disabled_rules.clone(),
            disabled_tags: self.disabled_tags.clone(),
            tags: self.tags.clone(),
        }
    }

    /// A sentence for each flag that was used.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut old = |used: bool, flag: &str, today: &str| {
            if used {
                warnings.push(format!("option {flag} is of the past; write {today}"));
            }
        };
        let engine = self.engine.unwrap_or_default();
        old(
            self.engine.is_some(),
            "--modern-bpf or --nodriver",
            &format!("-o engine.kind={engine}"),
        );
        old(
            self.capture.is_some(),
            "-e",
            "-o engine.kind=replay -o engine.replay.capture_file=FILE, or `peregrine replay FILE`",
        );
        old(
            !self.disabled_rules.is_empty(),
            "-D",
            "-o 'rules[].disable.rule=*TEXT*'",
        );
        old(
            !self.disabled_tags.is_empty(),
            "-T",
            "-o 'rules[].disable.tag=TAG'",
        );
        let only = "-o 'rules[].disable.rule=*' -o 'rules[].enable.tag=TAG'";
        old(!self.tags.is_empty(), "-t", only);
        old(self.all_events, "-A", "-o base_syscalls.all=true");
        old(self.base64, "-b", "-o buffer_format_base64=true");
        old(self.snaplen.is_some(), "-S", "-o falco_libs.snaplen=N");
        old(
            !self.cri.is_empty(),
            "--cri",
            "container_engines.cri.sockets",
        );
        let wait = "-o container_metadata.wait_ms=10000";
        old(self.cri_at_any_price, "--disable-cri-async", wait);
        let kubernetes = self.kubernetes.is_some() || self.kubernetes_files.is_some();
        old(
            kubernetes || self.node.is_some(),
            "-k, -K or --k8s-node",
            "container_metadata.kubernetes",
        );
        old(self.mesos.is_some(), "-m", "container_metadata.mesos");
        for flag in &self.without_effect {
            warnings.push(format!("option {flag} is of the past and does nothing"));
        }
        warnings
    }
}
