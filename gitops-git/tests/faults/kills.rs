//! A process that is killed at any instant, and what the next one finds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gitops_core::{Revision, Source};
use gitops_git::GitSource;

use crate::common::dice::Dice;
use crate::common::{Repo, Server, blob, cx, dirs, git, http, local, sync, text};
use crate::mirror;
use crate::seeds;

/// Where the process that is killed reads from, and to where.
const FROM: &str = "GITOPS_FAULT_CHILD_FROM";
const TO: &str = "GITOPS_FAULT_CHILD_TO";

/// Few packs, so that they are made one all the time.
fn source(from: &str, mirrors: &Path) -> GitSource {
    let builder = if from.starts_with('/') { local(Path::new(from), mirrors) } else { http(from, mirrors) };
    builder.with_branch("main").with_max_packs(2).build().unwrap()
}

/// Polls and fetches until it is killed, begins anew now and then, and says what it has.
async fn work(from: &str, mirrors: &Path) -> ! {
    loop {
        let source = source(from, mirrors);
        for _ in 0..4 {
            // The repository is being rewritten, and its server may not find what it said.
            if let Ok(snapshot) = sync(&source).await {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", snapshot.revision().id).and_then(|()| out.flush()).unwrap();
            }
        }
    }
}

fn start(from: &str, mirrors: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "kills::nobody_is_hindered_by_who_was_killed"])
        .env(FROM, from)
        .env(TO, mirrors)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills it; returns the last commit that it had.
fn kill(mut child: Child) -> Option<String> {
    child.kill().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let last = said.filter(|line| line.len() == 40 && line.bytes().all(|c| c.is_ascii_hexdigit())).last();
    child.wait().unwrap();
    last
}

/// What others do to the repository meanwhile.
fn change(repo: &Repo, dice: &mut Dice, seed: u64) {
    match dice.below(8) {
        0 => drop(git(&repo.bare(), &["gc", "--quiet", "--prune=now"])),
        1 => drop(git(&repo.bare(), &["repack", "-q", "-d"])),
        2 | 3 => {
            repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
            repo.commit(
                "forced",
                &[("v", &format!("{seed} forced")), ("big", &blob(u32::try_from(seed).unwrap()))],
            );
        }
        _ => drop(repo.commit(
            "next",
            &[("v", &seed.to_string()), ("more", &blob(u32::try_from(dice.below(1000)).unwrap()))],
        )),
    }
}

#[tokio::test]
async fn nobody_is_hindered_by_who_was_killed() {
    if let (Ok(from), Some(to)) = (std::env::var(FROM), std::env::var_os(TO).map(PathBuf::from)) {
        work(&from, &to).await;
    }
    let repo = Repo::with(&[("v", "0"), ("big", &blob(0))]);
    repo.commit("second", &[("v", "1")]);
    let server = Server::start(repo.root());
    let (mut last, mut had): ([Option<String>; 2], usize) = Default::default();
    let seeds = seeds(5);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let case = format!("GITOPS_FAULT_SEED={seed} of its run");
        let way = usize::from(dice.chance(3));
        let (from, mirrors) = match way {
            0 => (server.url(), repo.root().join("over-http")),
            _ => (repo.bare().to_str().unwrap().to_owned(), repo.root().join("local")),
        };
        let until = Instant::now() + Duration::from_millis(dice.below(300) as u64);
        let child = start(&from, &mirrors);
        for _ in 0..=dice.below(2) {
            change(&repo, &mut dice, seed);
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        if let Some(id) = kill(child) {
            last[way] = Some(id);
            had += 1;
        }

        // The server is gone: what there was is there, at once.
        let away = repo.root().join("away.git");
        std::fs::rename(repo.bare(), &away).unwrap();
        let source = source(&from, &mirrors);
        if let Some(id) = &last[way] {
            let started = Instant::now();
            let found = source.fetch(&cx(), &Revision::new(&**id)).await;
            let found = found.unwrap_or_else(|fault| panic!("{case}: {fault}; {:?}", dirs(&mirrors)));
            assert_eq!(text(&*found, "v"), repo.git(&["show", &format!("{id}:v")]), "{case}");
            assert!(started.elapsed() < Duration::from_secs(5), "{case}: {:?}", started.elapsed());
        }
        std::fs::rename(&away, repo.bare()).unwrap();
        let synced = sync(&source).await.unwrap_or_else(|fault| panic!("{case}: {fault}"));
        assert_eq!(synced.revision().id, repo.head(), "{case}");
        assert_eq!(text(&*synced, "v"), repo.git(&["show", "HEAD:v"]), "{case}");
        last[way] = Some(repo.head());
        mirror::assert_sound(&mirrors);
        mirror::assert_clean(&mirrors, &case);
        // A pack and its index for each that may be there, one that came since, and one that was made of all.
        let packs = mirror::files(&mirror::repository(&mirrors).join("objects/pack"));
        assert!(packs.len() <= 8, "{case}: {packs:?}");
    }
    println!("{count} processes were killed, {had} of which had fetched something");
    assert!(
        count < 3 || had * 4 >= usize::try_from(count).unwrap(),
        "{had} of {count}: too early to say anything"
    );
}
