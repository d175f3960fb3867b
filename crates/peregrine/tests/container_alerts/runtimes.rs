//! Container runtimes that a test starts for itself: their data, sockets and images are in a folder
//! of the test's, and end with it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest time for a runtime to start.
const START: Duration = Duration::from_secs(120);

/// A folder with a root file system of busybox, and everything that runtimes keep.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
}

/// A runtime of the test's own.
#[derive(Debug)]
pub(crate) struct Runtime {
    daemon: Option<Child>,
    /// Program and arguments of its command line.
    client: Vec<String>,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    /// What `run` and its like need here besides.
    run: Vec<String>,
}

fn required() -> bool {
    std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_some_and(|value| value == "1")
}

/// Says what is left out; fails where nothing may be.
pub(crate) fn left_out(what: &str) {
    assert!(!required(), "{what}");
    eprintln!("left out: {what}");
}

/// Installs Debian's packages of programs that are missing, where nothing may be left out.
pub(crate) fn have(programs: &[(&str, &str)]) -> bool {
    let missing = || {
        let lacks = |program: &str| {
            let places = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"];
            !places
                .iter()
                .any(|place| Path::new(place).join(program).exists())
        };
        programs
            .iter()
            .filter(|(program, _)| lacks(program))
            .collect::<Vec<_>>()
    };
    let packages: Vec<&str> = missing().iter().map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return true;
    }
    if required() {
        let _ = Command::new("apt-get").args(["update", "-qq"]).status();
        let _ = Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&packages)
            .stdout(Stdio::null())
            .status();
    }
    if missing().is_empty() {
        return true;
    }
    left_out(&format!("{} cannot be installed", packages.join(", ")));
    false
}

/// Whether pods can have networks of their own; their plugins come with Podman.
fn have_networks() -> bool {
    let there = || Path::new("/usr/lib/cni/bridge").exists();
    if !there() && required() {
        let install = ["install", "-y", "-qq", "containernetworking-plugins"];
        let _ = Command::new("apt-get")
            .args(install)
            .stdout(Stdio::null())
            .status();
    }
    if !there() {
        left_out("containernetworking-plugins cannot be installed");
    }
    there() && have(&[("ip", "iproute2")])
}

fn busybox() -> Option<PathBuf> {
    let places = ["/bin/busybox", "/usr/bin/busybox"];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self {
            dir: tempfile::Builder::new().prefix("pg").tempdir().unwrap(),
        };
        let root = bench.path("rootfs");
        for dir in ["bin", "etc", "tmp", "proc", "var/www"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::fs::copy(
            busybox().expect("busybox-static is installed"),
            root.join("bin/busybox"),
        )
        .unwrap();
        for applet in [
            "sh", "ls", "cat", "sleep", "touch", "echo", "true", "id", "vi", "mkdir",
        ] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let users = "root:x:0:0:root:/root:/bin/sh\nwebmaster:x:1000:1000::/srv:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), users).unwrap();
        std::fs::write(root.join("etc/group"), "root:x:0:\nwebteam:x:1000:\n").unwrap();
        bench
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Name of the bridge of its pods.
    pub(crate) fn bridge(&self) -> String {
        format!("pg{}", std::process::id())
    }

    fn text(&self, below: &str) -> String {
        self.path(below).display().to_string()
    }

    /// The root file system as a tar archive.
    fn tar(&self) -> PathBuf {
        let tar = self.path("rootfs.tar");
        if !tar.exists() {
            let done = Command::new("tar")
                .args([
                    "-C",
                    &self.text("rootfs"),
                    "-cf",
                    &self.text("rootfs.tar"),
                    ".",
                ])
                .status();
            assert!(done.unwrap().success());
        }
        tar
    }

    /// A log of a daemon's.
    fn log(&self, name: &str) -> std::fs::File {
        std::fs::File::create(self.path(name)).unwrap()
    }

    /// Processes whose arguments or environment name this folder.
    fn named_by(&self) -> Vec<String> {
        let name = self.dir.path().as_os_str().as_encoded_bytes();
        let names_it = |file: PathBuf| {
            let text = std::fs::read(file).unwrap_or_default();
            text.windows(name.len()).any(|part| part == name)
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter(|entry| {
            ["cmdline", "environ"]
                .iter()
                .any(|file| names_it(entry.path().join(file)))
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
    }

    fn wait_for(&self, runtime: Runtime, probe: &[&str], log: &str) -> Option<Runtime> {
        let begin = Instant::now();
        loop {
            if runtime.socket.exists() && runtime.try_do(probe).status.success() {
                return Some(runtime);
            }
            if begin.elapsed() > START {
                let text = std::fs::read_to_string(self.path(log)).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(5).collect();
                left_out(&format!("{} does not start: {tail:?}", runtime.client[0]));
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Docker, without network.
    pub(crate) fn docker(&self) -> Option<Runtime> {
        if !have(&[
            ("dockerd", "docker.io"),
            ("docker", "docker.io"),
            ("busybox", "busybox-static"),
        ]) {
            return None;
        }
        let socket = self.path("docker.sock");
        let daemon = Command::new("dockerd")
            .args(["-H", &format!("unix://{}", socket.display())])
            .args([
                "--data-root",
                &self.text("docker/data"),
                "--exec-root",
                &self.text("docker/run"),
            ])
            .args([
                "--pidfile",
                &self.text("docker.pid"),
                "--storage-driver=vfs",
            ])
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .stdout(Stdio::null())
            .stderr(self.log("docker.log"))
            .process_group(0)
            .spawn()
            .ok()?;
        let runtime = Runtime {
            daemon: Some(daemon),
            client: vec![
                "docker".into(),
                "-H".into(),
                format!("unix://{}", socket.display()),
            ],
            socket,
            run: vec!["--network=none".into()],
        };
        let runtime = self.wait_for(runtime, &["version"], "docker.log")?;
        // The command is for pods, whose first container only waits. Kubernetes' runtimes have no
        // PATH of their own.
        let command = r#"CMD ["/bin/sleep", "3600"]"#;
        let tar = self.tar().display().to_string();
        let changes = ["--change", "ENV PATH=/bin", "--change", command];
        let import = [
            "import", changes[0], changes[1], changes[2], changes[3], &tar, "bb:test",
        ];
        runtime.done(&import);
        Some(runtime)
    }

    /// containerd with its side for Kubernetes and a network for its pods.
    pub(crate) fn containerd(&self) -> Option<Runtime> {
        if !have(&[
            ("containerd", "containerd"),
            ("ctr", "containerd"),
            ("runc", "runc"),
        ]) || !have_networks()
        {
            return None;
        }
        let socket = self.path("containerd.sock");
        let config = format!(
            "version = 2\nroot = \"{0}/ctr/root\"\nstate = \"{0}/ctr/state\"\n\
             [grpc]\naddress = \"{1}\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\n\
             sandbox_image = \"docker.io/library/bb:test\"\nrestrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"/usr/lib/cni\"\n\
             conf_dir = \"{0}/cni\"\n",
            self.dir.path().display(),
            socket.display()
        );
        let network = serde_json::json!({"cniVersion": "0.4.0", "name": "pg", "plugins": [
            {"type": "bridge", "bridge": self.bridge(), "isGateway": true, "ipam": {
                "type": "host-local", "dataDir": self.path("ipam"),
                "ranges": [[{"subnet": "10.213.7.0/24"}]]}}]});
        std::fs::create_dir_all(self.path("cni")).unwrap();
        std::fs::write(self.path("cni/10-pg.conflist"), network.to_string()).unwrap();
        std::fs::write(self.path("containerd.toml"), config).unwrap();
        let daemon = Command::new("containerd")
            .args(["-c", &self.text("containerd.toml")])
            .stdout(Stdio::null())
            .stderr(self.log("containerd.log"))
            .process_group(0)
            .spawn()
            .ok()?;
        let runtime = Runtime {
            daemon: Some(daemon),
            client: vec!["ctr".into(), "-a".into(), socket.display().to_string()],
            socket,
            run: vec!["--snapshotter=native".into()],
        };
        self.wait_for(runtime, &["version"], "containerd.log")
    }

    /// Podman with its service, as root.
    pub(crate) fn podman(&self) -> Option<Runtime> {
        if !have(&[("podman", "podman"), ("conmon", "conmon"), ("runc", "runc")]) {
            return None;
        }
        let limits = [
            "--network=none",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1000:1000",
        ];
        let limits = limits.map(str::to_owned).to_vec();
        self.podman_at(&self.path("podman"), Vec::new(), limits)
    }

    /// Podman that keeps all in a folder, and is started by the words of `before`.
    fn podman_at(&self, folder: &Path, before: Vec<String>, run: Vec<String>) -> Option<Runtime> {
        let socket = folder.join("podman.sock");
        let mut client = before;
        client.push("podman".into());
        for (flag, place) in [
            ("--root", "data"),
            ("--runroot", "runroot"),
            ("--tmpdir", "tmp"),
        ] {
            client.extend([flag.to_owned(), folder.join(place).display().to_string()]);
        }
        let fixed = [
            "--storage-driver=vfs",
            "--cgroup-manager=cgroupfs",
            "--events-backend=file",
            "--runtime=runc",
        ];
        client.extend(fixed.map(str::to_owned));
        std::fs::create_dir_all(folder).unwrap();
        let service = format!("unix://{}", socket.display());
        let daemon = Command::new(&client[0])
            .args(&client[1..])
            .args(["system", "service", "--time=0", &service])
            .stdout(Stdio::null())
            .stderr(self.log("podman.log"))
            .process_group(0)
            .spawn()
            .ok()?;
        let runtime = Runtime {
            daemon: Some(daemon),
            client,
            socket,
            run,
        };
        let runtime = self.wait_for(runtime, &["version"], "podman.log")?;
        runtime.done(&["import", &self.tar().display().to_string(), "bb:test"]);
        Some(runtime)
    }

    /// Podman with its service, as a user without any rights.
    pub(crate) fn rootless_podman(&self) -> Option<Runtime> {
        if !have(&[
            ("podman", "podman"),
            ("conmon", "conmon"),
            ("runc", "runc"),
            ("setpriv", "util-linux"),
        ]) {
            return None;
        }
        let home = self.path("home");
        std::fs::create_dir_all(home.join("run")).unwrap();
        let public = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.dir.path(), public).unwrap();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let own = Command::new("chown")
            .args(["-R", "65534:65534", &home.display().to_string()])
            .status();
        assert!(own.unwrap().success());
        let shown = home.display();
        let mut before: Vec<String> = vec!["setpriv".into()];
        before.extend(user.map(str::to_owned));
        before.extend([
            "env".to_owned(),
            format!("HOME={shown}"),
            format!("XDG_RUNTIME_DIR={shown}/run"),
        ]);
        let limits = vec!["--network=none".into(), "--ulimit=host".into()];
        self.podman_at(&home, before, limits)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Pods' networks leave their bridge behind.
        let bridge = Path::new("/sys/class/net").join(self.bridge());
        if bridge.exists() {
            let delete = ["link", "delete", &self.bridge()];
            let _ = Command::new("ip").args(delete).status();
        }
        // And Podman without rights a process that keeps its user namespace, or two; a test that failed whatever
        // ran by then. Nobody else's arguments or environment name this folder.
        for pid in self.named_by() {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    }
}

impl Runtime {
    pub(crate) fn try_do(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.client[0]);
        command.args(&self.client[1..]);
        // What this machine needs belongs right behind the verb.
        let (verb, rest) = args.split_first().expect("a verb");
        command.arg(verb);
        if matches!(*verb, "run" | "create") {
            let networked = rest.iter().any(|arg| arg.starts_with("--network"));
            let here = self.run.iter();
            command.args(here.filter(|arg| !(networked && arg.starts_with("--network"))));
        }
        command.args(rest).stdin(Stdio::null()).output().unwrap()
    }

    /// Does something that must succeed; what it printed.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.try_do(args);
        assert!(
            output.status.success(),
            "{} {args:?}: {}",
            self.client[0],
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Does something that can be done once what went before has come to its end.
    pub(crate) fn done_in_the_end(&self, args: &[&str]) {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if self.try_do(args).status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.done(args);
    }

    /// Full id of a container.
    pub(crate) fn id(&self, name: &str) -> String {
        self.done(&["inspect", "--format", "{{.Id}}", name])
    }

    /// Ends the daemon, and what it started and left behind: Podman without rights is two processes, of which
    /// one may outlive the other.
    pub(crate) fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let begin = Instant::now();
            while begin.elapsed() < START && !matches!(daemon.try_wait(), Ok(Some(_))) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = daemon.kill();
            let _ = daemon.wait();
            let group = format!("-{}", daemon.id());
            let _ = Command::new("kill")
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status();
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop();
    }
}
