//! The processes of one control plane, which end together.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::{fs, io};

use super::ControlPlaneError;

/// Leads the process group. Its standard input is a pipe that only we hold: it ends with us, however we end. It first
/// asks the others to end (Go programs do so at once on SIGQUIT), since it cannot clean up after it has killed itself.
const WATCHDOG: &str = r#"
trap '' HUP INT QUIT TERM
while read -r line; do :; done
kill -QUIT 0
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
kill -KILL 0
"#;

/// The size of the part of a log that an error shows, in bytes.
const LOG_TAIL: usize = 3000;

/// A process group, its directory, and its watchdog.
#[derive(Debug)]
pub(super) struct Group {
    directory: PathBuf,
    watchdog: Child,
    /// Taken, and so closed, when the group ends.
    pipe: Option<ChildStdin>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    program: &'static str,
    child: Child,
}

impl Group {
    /// A group without members. Its end removes the directory.
    pub(super) fn start(directory: &Path) -> Result<Self, ControlPlaneError> {
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(directory)
            .stdin(Stdio::piped())
            // A test runner waits until nobody holds its output any more.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| ControlPlaneError::Spawn { program: "sh", source })?;
        let pipe = watchdog.stdin.take();
        Ok(Self { directory: directory.to_owned(), watchdog, pipe, members: Vec::new() })
    }

    /// Starts a process of the group, whose output goes to a log in the directory.
    pub(super) fn spawn(
        &mut self,
        program: &'static str,
        path: &Path,
        arguments: &[String],
    ) -> Result<(), ControlPlaneError> {
        let log = self.log_path(program);
        let open =
            || File::options().create(true).append(true).open(&log).map_err(ControlPlaneError::io(&log));
        let leader = i32::try_from(self.watchdog.id()).map_err(|_| ControlPlaneError::Spawn {
            program,
            source: io::Error::other("the watchdog's process id is out of range"),
        })?;
        let child = Command::new(path)
            .args(arguments)
            // Nothing of the machine's or the user's configuration, proxies above all, reaches the control plane.
            .env_clear()
            .env("HOME", &self.directory)
            .env("TMPDIR", &self.directory)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .process_group(leader)
            .spawn()
            .map_err(|source| ControlPlaneError::Spawn { program, source })?;
        self.members.push(Member { program, child });
        Ok(())
    }

    pub(super) fn runs(&self, program: &str) -> bool {
        self.members.iter().any(|member| member.program == program)
    }

    /// Kills one process and waits for its end. Nothing happens if it does not run.
    pub(super) fn kill(&mut self, program: &str) {
        self.members.retain_mut(|member| {
            if member.program == program {
                end(&mut member.child);
            }
            member.program != program
        });
    }

    /// The first process that ended by itself.
    pub(super) fn ended(&mut self) -> Option<(&'static str, ExitStatus)> {
        self.members.iter_mut().find_map(|member| Some((member.program, member.child.try_wait().ok()??)))
    }

    /// The process ids of all that runs, the watchdog's first.
    pub(super) fn ids(&self) -> Vec<u32> {
        std::iter::once(self.watchdog.id())
            .chain(self.members.iter().map(|member| member.child.id()))
            .collect()
    }

    pub(super) fn log_path(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}.log"))
    }

    /// The end of a process' log.
    pub(super) fn log_tail(&self, program: &str) -> String {
        let log = fs::read(self.log_path(program)).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for member in &mut self.members {
            end(&mut member.child);
        }
        // Now it removes the directory and ends.
        drop(self.pipe.take());
        let _ = self.watchdog.wait();
    }
}

/// What is thrown away needs no orderly end. A process that is gone already cannot be killed, which is fine.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(group: &mut Group) {
        group
            .spawn("sleep", Path::new("/bin/sh"), &["-c".to_owned(), "echo up; exec sleep 600".to_owned()])
            .unwrap();
    }

    fn is_alive(id: u32) -> bool {
        Command::new("sh")
            .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &id.to_string()])
            .status()
            .unwrap()
            .success()
    }

    #[test]
    fn the_end_of_the_group_is_the_end_of_its_processes_and_files() {
        let directory = tempfile::tempdir().unwrap().keep();
        let mut group = Group::start(&directory).unwrap();
        sleeper(&mut group);
        let ids = group.ids();
        assert_eq!(ids.len(), 2);
        assert!(ids.iter().all(|id| is_alive(*id)));
        drop(group);
        assert!(!ids.iter().any(|id| is_alive(*id)));
        assert!(!directory.exists());
    }

    #[test]
    fn one_process_can_be_stopped_and_one_that_ends_is_seen() {
        let directory = tempfile::tempdir().unwrap().keep();
        let mut group = Group::start(&directory).unwrap();
        sleeper(&mut group);
        assert!(group.runs("sleep") && group.ended().is_none());
        group.kill("sleep");
        assert!(!group.runs("sleep"));
        group
            .spawn("false", Path::new("/bin/sh"), &["-c".to_owned(), "echo why >&2; exit 3".to_owned()])
            .unwrap();
        let (program, status) = loop {
            if let Some(ended) = group.ended() {
                break ended;
            }
        };
        assert_eq!((program, status.code()), ("false", Some(3)));
        assert_eq!(group.log_tail("false"), "why\n");
    }

    #[test]
    fn without_its_owner_the_watchdog_kills_the_group() {
        let directory = tempfile::tempdir().unwrap().keep();
        let mut group = Group::start(&directory).unwrap();
        sleeper(&mut group);
        // As if the process were gone: the pipe closes and nobody kills.
        drop(group.pipe.take());
        let _ = group.watchdog.wait().unwrap();
        assert!(!directory.exists());
        assert!(group.members[0].child.wait().unwrap().code().is_none(), "killed by a signal");
    }
}
