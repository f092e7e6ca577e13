//! What a process takes of the machine, and its mirror of the disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is measured at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Vitals {
    /// Since the start.
    pub(crate) at: Duration,
    /// Memory that is in use, in KiB.
    pub(crate) resident: f64,
    /// Of that, what is not read from files.
    pub(crate) anonymous: f64,
    pub(crate) threads: f64,
    pub(crate) open_files: f64,
    pub(crate) mirror: Disk,
}

/// What is below a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Disk {
    pub(crate) bytes: f64,
    pub(crate) files: f64,
    pub(crate) packs: f64,
}

/// Where to look.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    pub(crate) process: u32,
    pub(crate) mirror: PathBuf,
}

impl Patient {
    /// Measures now. Panics if the process is gone.
    pub(crate) fn measure(&self, at: Duration) -> Vitals {
        let process = PathBuf::from(format!("/proc/{}", self.process));
        let status = std::fs::read_to_string(process.join("status")).expect("it runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of Linux");
            line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        Vitals {
            at,
            resident: field("VmRSS"),
            anonymous: field("RssAnon"),
            threads: field("Threads"),
            open_files: std::fs::read_dir(process.join("fd")).expect("it runs").map(|_| 1.0).sum(),
            mirror: Disk::below(&self.mirror),
        }
    }
}

impl Disk {
    /// Measures a directory that others change meanwhile: what is gone when it is looked at does not count.
    pub(crate) fn below(directory: &Path) -> Self {
        let mut disk = Self::default();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    directories.push(entry.path());
                    continue;
                }
                disk.bytes += f64::from(u32::try_from(metadata.len()).expect("a small repository"));
                disk.files += 1.0;
                if entry.path().extension().is_some_and(|extension| extension == "pack") {
                    disk.packs += 1.0;
                }
            }
        }
        disk
    }
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disk { bytes, files, packs } = self.mirror;
        write!(
            f,
            "{:>4} s: {:.1} MiB resident, {:.1} anonymous, {} threads, {} open files; mirror {:.0} KiB in {files} files, {packs} packs",
            self.at.as_secs(),
            self.resident / 1024.0,
            self.anonymous / 1024.0,
            self.threads,
            self.open_files,
            bytes / 1024.0,
        )
    }
}

#[test]
fn a_process_measures_itself() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("objects/pack")).unwrap();
    std::fs::write(directory.path().join("objects/pack/pack-1.pack"), [0; 100]).unwrap();
    std::fs::write(directory.path().join("HEAD"), [0; 10]).unwrap();
    let this = Patient { process: std::process::id(), mirror: directory.path().to_owned() };
    let vitals = this.measure(Duration::from_secs(3));
    assert_eq!(vitals.mirror, Disk { bytes: 110.0, files: 2.0, packs: 1.0 });
    assert!(vitals.resident >= vitals.anonymous && vitals.anonymous > 100.0, "{vitals:?}");
    assert!(vitals.threads >= 2.0 && vitals.open_files >= 3.0, "{vitals:?}");
}
