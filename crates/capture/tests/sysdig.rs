//! Copies that the writer makes, as Debian's sysdig reads them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use capture::{Compression, Reader, Writer};

/// What is asked of sysdig: everything that state and parameters show.
const FORMAT: &str = "*%evt.num %evt.rawtime %evt.cpu %evt.dir %evt.type %evt.info | %proc.name \
    %proc.pid %thread.tid %proc.ppid %proc.exe %proc.args %proc.cwd %proc.pname %proc.vpid \
    %proc.sid %proc.loginshellid %fd.num %fd.type %fd.name %user.name %user.homedir %user.shell \
    %group.name %thread.vmsize %proc.vmrss %thread.pfmajor %proc.env %thread.cgroups %proc.tty \
    %fd.lip %fd.rip %container.id";

fn sysdig(file: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new("sysdig");
    command
        .args(["-p", FORMAT])
        .arg("-r")
        .arg(file)
        .env("TZ", "UTC");
    let output = command.output().ok()?;
    Some(output.stdout)
}

fn copy(from: &Path, to: &Path, compression: Compression) {
    let mut reader = Reader::raw(File::open(from).expect("a file")).expect("a capture");
    let file = BufWriter::new(File::create(to).expect("a new file"));
    let mut writer = Writer::new(file, compression).expect("a writable file");
    while let Some(item) = reader.next().expect("a whole capture") {
        writer.item(&item).expect("a writable file");
    }
    writer
        .finish()
        .and_then(|mut f| f.flush())
        .expect("a writable file");
}

#[test]
fn sysdig_reads_copies_like_originals() {
    let Some(corpus) = testkit::corpus::find("copies of captures read by sysdig") else {
        return;
    };
    if Command::new("sysdig").arg("--version").output().is_err() {
        println!("left out for want of sysdig: copies of captures");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut compared = 0;
    for file in corpus.captures() {
        let Some(original) = sysdig(&file.path) else {
            continue;
        };
        if original.is_empty() {
            println!("{}: sysdig cannot read the original", file.name);
            continue;
        }
        for (compression, ending) in [(Compression::None, "plain"), (Compression::Gzip, "gz")] {
            let target = folder.path().join(format!("{}.{ending}.scap", file.name));
            copy(&file.path, &target, compression);
            let copied = sysdig(&target).expect("sysdig runs");
            let lines = original
                .split(|&b| b == b'\n')
                .zip(copied.split(|&b| b == b'\n'));
            for (wanted, found) in lines {
                assert_eq!(
                    String::from_utf8_lossy(found),
                    String::from_utf8_lossy(wanted),
                    "{} {ending}",
                    file.name
                );
            }
            assert_eq!(copied.len(), original.len(), "{} {ending}", file.name);
            compared += 1;
            std::fs::remove_file(&target).expect("a file");
        }
    }
    println!("{compared} copies compared");
    assert!(compared > 0);
}
