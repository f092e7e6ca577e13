//! A program that is measured: what it prints, the processor time it takes, and its memory.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gitops_core::Timestamp;
use rustix::param::clock_ticks_per_second;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a process has taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// Processor time, of the user and of the system.
    pub(crate) cpu: Duration,
    /// The most memory it ever had, in bytes.
    pub(crate) peak: u64,
}

pub(crate) struct Process {
    child: Child,
    id: u32,
    input: Option<ChildStdin>,
    /// What it prints is read at once, so that it never waits for us.
    output: UnboundedReceiver<String>,
    pub(crate) started: Timestamp,
}

impl Process {
    /// Starts a program against a cluster, with nothing else of the environment than it needs.
    pub(crate) fn start(program: &Path, args: &[&str], kubeconfig: &Path, home: &Path) -> Result<Self> {
        let started = Timestamp::now();
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let id = child.id().context("the program has ended")?;
        let input = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().context("the program has no output")?).lines();
        let (printed, output) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if printed.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, id, input, output, started })
    }

    /// The next event of a type.
    pub(crate) async fn event(&mut self, kind: &str) -> Result<Value> {
        while let Some(line) = self.output.recv().await {
            let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            match event["type"].as_str() {
                Some(found) if found == kind => return Ok(event),
                Some("sync_failed" | "source_failed" | "blind") => bail!("{line}"),
                _ => {}
            }
        }
        bail!("the program ended before {kind}")
    }

    /// How many events of a type it told since then.
    pub(crate) fn count_since(&mut self, kind: &str, since: Timestamp) -> usize {
        let mut count = 0;
        while let Ok(line) = self.output.try_recv() {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let at = event["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            count += usize::from(event["type"] == kind && at.is_some_and(|at| at >= since));
        }
        count
    }

    /// Sends a line.
    pub(crate) async fn tell(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("the program has no input")?;
        input.write_all(b"\n").await?;
        Ok(input.flush().await?)
    }

    /// What it has taken so far.
    pub(crate) fn taken(&self) -> Result<Taken> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        // A program that has ended has no memory.
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(Taken { cpu: self.cpu()?, peak: peak.unwrap_or_default() * 1024 })
    }

    fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // The name may hold anything; the fields after it are numbers: the state is the third of all.
        let (_, fields) = stat.rsplit_once(')').context("no process")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks: u64 =
            fields.get(11..13).context("no times")?.iter().filter_map(|it| it.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
    }

    /// The processor time of the threads that live, to the nanosecond.
    pub(crate) fn cpu_of_threads(&self) -> Result<Duration> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.id))? {
            // A thread that has just ended has taken what it took.
            let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanos += text.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Waits until it ends by itself. What it took is looked at all the time: of a process that was waited for, nothing
    /// is left to look at.
    pub(crate) async fn end(mut self) -> Result<Taken> {
        let mut taken = Taken::default();
        loop {
            if let Ok(now) = self.taken() {
                taken = Taken { cpu: now.cpu, peak: taken.peak.max(now.peak) };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            while self.output.try_recv().is_ok() {}
            if self.output.is_closed() {
                break;
            }
        }
        // Its output is closed a moment before it ends.
        tokio::time::sleep(Duration::from_millis(20)).await;
        taken.cpu = self.cpu().unwrap_or(taken.cpu);
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the program ended with {status}");
        }
        Ok(taken)
    }

    /// Ends it.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
