//! No file takes more memory, or more time, than a file may.

use std::process::Command;
use std::time::{Duration, Instant};

use gitops_core::RepoPath;
use gitops_core::decode::{DecodeLimits, decode};

use crate::hostile::{Memory, inputs};

/// The most memory that reading a file may take, beside the file itself.
const PEAK_KILOBYTES: u64 = 64 << 10;

/// What [`no_file_takes_more_memory_than_64_mib`] runs for each file, in a process of its own; on its own, all of them.
#[test]
fn each_file_is_read_or_refused_soon() {
    let only = std::env::var("GITOPS_TEST_INPUT").ok();
    for (name, text) in inputs() {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let text = text();
        assert!(text.len() <= 4 << 20, "{name}");
        let file = RepoPath::new(if name.ends_with("json") { "a.json" } else { "a.yaml" }).unwrap();
        let start = Instant::now();
        let before = Memory::begin();
        let read = decode(&file, text.as_bytes(), &DecodeLimits::default());
        let what = match &read {
            Ok(manifests) => format!("{} manifests", manifests.len()),
            Err(errors) => format!("{} errors, {}", errors.errors().len(), errors.errors()[0]),
        };
        assert!(only.is_some() || what.len() < 2000, "{name}: an error of {} bytes", what.len());
        if only.is_some() {
            println!("took {} kB: {what}", before.took());
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{name}: {:?}", start.elapsed());
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc, to see how much memory a process takes")]
fn no_file_takes_more_memory_than_64_mib() {
    let mut too_much = Vec::new();
    for (name, _) in inputs() {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "line_11_yaml::each_file_is_read_or_refused_soon", "--nocapture"])
            .env("GITOPS_TEST_INPUT", name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&done.stderr));
        let took = said
            .lines()
            .find_map(|line| line.split_once("took "))
            .unwrap_or_else(|| panic!("{name}: {said}"))
            .1;
        let (kilobytes, what) = took.split_once(" kB: ").unwrap();
        let kilobytes: u64 = kilobytes.parse().unwrap();
        if kilobytes > PEAK_KILOBYTES {
            too_much.push(format!("{name}: {kilobytes} kB for {what:.300}"));
        } else if what.len() > 2000 {
            too_much.push(format!("{name}: an error of {} bytes: {what:.300}", what.len()));
        }
    }
    assert!(too_much.is_empty(), "{}", too_much.join("\n"));
}
