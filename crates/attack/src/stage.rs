//! Stages: built and served by the actor, asked to perform from here.
//!
//! Needs root: a mount, process and network namespace of its own, and for a container's a control group.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::script::{IDLE, Scripts};

const ACTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/actor"));

/// Inside of a stage; `actor.h` has the same.
const HOME: &str = "usr/lib/peregrine-attack";

/// A stage that is open. Everything done on it is gone when it is dropped.
pub struct Stage {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    made: Vec<PathBuf>,
    _house: tempfile::TempDir,
}

/// How a case went on the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed {
    /// The token of the request.
    pub token: String,
    /// True if every operation could be done.
    pub complete: bool,
}

impl Stage {
    /// Opens a stage on which all of these can be performed; with a container's id, one that lies in its control group;
    /// `others` are containers whose control groups a script may enter by itself.
    ///
    /// # Errors
    /// Without root, or where the kernel refuses a namespace, an overlay, a control group.
    pub fn open(all: &[Scripts], container: Option<&str>, others: &[String]) -> Result<Self> {
        let house = tempfile::Builder::new()
            .prefix("peregrine-attack-")
            .tempdir()
            .context("no place for the stage")?;
        let layer = house.path().join("layer");
        fs::create_dir(house.path().join("room"))?;
        let home = layer.join(HOME);
        let scripts = home.join("scripts");
        fs::create_dir_all(&scripts)?;
        let actor = home.join("actor");
        fs::write(&actor, ACTOR)?;
        fs::set_permissions(&actor, fs::Permissions::from_mode(0o755))?;
        fs::write(scripts.join(IDLE), "")?;
        for scripts_of_case in all {
            for (name, text) in &scripts_of_case.texts {
                fs::write(scripts.join(name), text)?;
            }
            for path in &scripts_of_case.installed {
                install(&layer, &actor, Path::new(path))
                    .with_context(|| format!("cannot install {path}"))?;
            }
        }
        for folder in [house.path(), layer.as_path()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let mut made = Vec::new();
        let groups = match container {
            Some(id) => control_groups(id, &mut made)?,
            None => root_groups(),
        };
        let mut command = Command::new(&actor);
        command.arg("--stage").arg(house.path()).args(&groups);
        for id in others {
            command.arg("@").args(control_groups(id, &mut made)?);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the actor")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no answers")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
            made,
            _house: house,
        })
    }

    /// Asks for a script under a token, in that one of the other containers; [`Stage::answer`] tells when it is done.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn ask(
        &mut self,
        token: &str,
        script: &str,
        name: &str,
        other: Option<usize>,
    ) -> Result<()> {
        let input = self.input.as_mut().context("the stage is closed")?;
        let other = other.map_or_else(String::new, |number| format!("\t{number}"));
        writeln!(input, "{token}\t{script}\t{name}{other}").context("the stage is gone")?;
        input.flush().context("the stage is gone")
    }

    /// The next script that is done, in whichever order they end.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn answer(&mut self) -> Result<Performed> {
        let mut line = String::new();
        if self
            .output
            .read_line(&mut line)
            .context("the stage is gone")?
            == 0
        {
            bail!("the stage could not be built, or ended; it needs root");
        }
        let (token, status) = line.trim_end().split_once('\t').unwrap_or((&line, ""));
        Ok(Performed {
            token: token.to_owned(),
            complete: status == "0",
        })
    }

    /// One script, from its beginning to its end.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn perform(&mut self, token: &str, script: &str, name: &str) -> Result<Performed> {
        self.ask(token, script, name, None)?;
        self.answer()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
        // To the end of the pipe: the last process of the stage holds its other end.
        let mut rest = String::new();
        while self.output.read_line(&mut rest).is_ok_and(|read| read > 0) {
            rest.clear();
        }
        for group in &self.made {
            for _ in 0..50 {
                if fs::remove_dir(group).is_ok() || !group.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

/// Puts a copy where the machine's own root would have it: a link among the folders above stays a link.
fn install(layer: &Path, actor: &Path, path: &Path) -> Result<()> {
    let folder = path.parent().context("a path has a folder")?;
    let name = path.file_name().context("a path has a name")?;
    let mut known = folder;
    while !known.exists() {
        known = known.parent().unwrap_or(Path::new("/"));
    }
    let real = known.canonicalize()?;
    let rest = folder.strip_prefix(known).unwrap_or(Path::new(""));
    let inside = real.join(rest);
    let target = layer.join(inside.strip_prefix("/").unwrap_or(&inside));
    fs::create_dir_all(&target)?;
    // What is above in an overlay decides over a folder's mode.
    let mut made = layer.to_owned();
    let mut outside = PathBuf::from("/");
    for part in inside.strip_prefix("/").unwrap_or(&inside) {
        made.push(part);
        outside.push(part);
        if let Ok(about) = fs::metadata(&outside) {
            fs::set_permissions(&made, about.permissions())?;
        }
    }
    let target = target.join(name);
    if !target.exists() {
        fs::hard_link(actor, &target)?;
    }
    Ok(())
}

/// The roots of the hierarchies: where a process of the machine itself may be, whatever the suite was started in.
fn root_groups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|folder| !folder.is_symlink() && folder.join("release_agent").exists())
        .collect();
    if root.join("cgroup.controllers").exists() {
        found.push(root.to_owned());
    }
    found
}

/// Control groups that carry a container's name, in the hierarchies that the monitor reads: those to enter. What is made is
/// noted, inner ones first, to be removed.
fn control_groups(id: &str, made: &mut Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let root = Path::new("/sys/fs/cgroup");
    let name = format!("docker-{id}.scope");
    if root.join("cgroup.controllers").exists() {
        // Version 2: a group shows in a process's list where a controller is on for it.
        let parent = root.join(format!("peregrine-attack-{}", &id[..12]));
        fs::create_dir_all(&parent).context("no control group")?;
        for folder in [root, parent.as_path()] {
            for controller in ["+cpu", "+memory", "+cpuset", "+io"] {
                let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
            }
        }
        let group = parent.join(name);
        fs::create_dir_all(&group).context("no control group")?;
        made.push(group.clone());
        made.push(parent);
        return Ok(vec![group]);
    }
    let mut entered = Vec::new();
    for hierarchy in ["cpu", "cpuacct", "memory"] {
        let folder = root.join(hierarchy);
        if folder.join("cgroup.procs").exists() {
            let group = folder.join(&name);
            fs::create_dir_all(&group).context("no control group")?;
            entered.push(group);
        }
    }
    if entered.is_empty() {
        bail!(
            "no hierarchy of control groups is mounted below {}",
            root.display()
        );
    }
    made.extend(entered.iter().cloned());
    Ok(entered)
}
