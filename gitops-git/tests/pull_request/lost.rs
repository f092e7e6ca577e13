//! Answers that are lost after a request was carried out, and whatever else goes wrong, in any order: there is never a second
//! pull request.

use std::time::Duration;

use gitops_core::{Class, Cx};
use gitops_git::Token;
use gitops_git::pull_request::{Outcome, PullRequest};

use super::common::cgi::answer_of;
use super::common::dice::{Dice, seeds};
use super::common::forge::{Kind, State, TOKEN, Trouble, says};
use super::common::server::Reply;
use super::common::{cx, fault};
use super::{KINDS, Stage, wanted};

/// Each way to lose an answer whose request was carried out.
const LOSSES: [(&str, Trouble); 5] = [
    ("no answer", Trouble::After(|_| Reply::Nothing)),
    ("half of an answer", Trouble::After(|answer| Reply::Cut(answer.clone(), answer.body.len() / 2))),
    ("silence", Trouble::After(|_| Reply::Silence)),
    (
        "nonsense",
        Trouble::After(|answer| {
            Reply::Whole(answer_of(&answer.status, &[], &answer.body[..answer.body.len() / 2]))
        }),
    ),
    ("a page", Trouble::After(|_| Reply::Whole(answer_of("200 OK", &[], "<html>")))),
];
/// The only one that looks as if somebody else had answered.
const A_PAGE: usize = 4;

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome_and_the_next_call_finds_it() {
    for kind in KINDS {
        for (what, loss) in LOSSES {
            let stage = Stage::new(kind);
            let host = stage.host_with(Token::new(TOKEN), Duration::from_millis(300));
            stage.forge.once("POST", "/pulls", loss.clone());
            let lost = fault(host.open_or_update(&cx(), &wanted()).await);
            assert_eq!(lost.class, Class::OutcomeUnknown, "{kind:?}, {what}: {lost}");
            let found = stage.open(&wanted()).await.unwrap();
            assert_eq!(found.outcome, Outcome::Updated, "{what}: its labels were missing");
            assert_eq!(stage.forge.open("update-shop", "main").len(), 1);

            let mut next = wanted();
            next.title = "next".into();
            stage.forge.once("PATCH", "/pulls/", loss.clone());
            let lost = fault(host.open_or_update(&cx(), &next).await);
            assert_eq!(lost.class, Class::OutcomeUnknown, "{kind:?}, {what}: {lost}");
            assert_eq!(stage.open(&next).await.unwrap().outcome, Outcome::Unchanged);

            stage.forge.once("POST", "/labels", loss.clone());
            let more = next.with_label("bug").with_label("more");
            let lost = fault(host.open_or_update(&cx(), &more).await);
            assert_eq!(lost.class, Class::OutcomeUnknown, "{kind:?}, {what}: {lost}");
            stage.open(&more).await.unwrap();
            let [there] = &*stage.forge.open("update-shop", "main") else { panic!("{kind:?}, {what}") };
            assert_eq!((&*there.title, there.labels.len()), ("next", 3));
            let made = stage.forge.with(|state| state.labels.iter().filter(|name| *name == "more").count());
            assert_eq!(made, 1, "{kind:?}, {what}");
        }
    }
}

/// What is only asked for changes nothing, so that nothing is unknown.
#[tokio::test]
async fn a_lost_list_is_only_lost() {
    for kind in KINDS {
        for (what, loss) in &LOSSES[..A_PAGE] {
            let stage = Stage::new(kind);
            let host = stage.host_with(Token::new(TOKEN), Duration::from_millis(300));
            stage.forge.once("GET", "/pulls", loss.clone());
            let lost = fault(host.open_or_update(&cx(), &wanted()).await);
            assert_eq!(lost.class, Class::RETRY, "{kind:?}, {what}: {lost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_time_in_the_middle_of_a_change_is_an_unknown_outcome() {
    for kind in KINDS {
        // While it is opened; and after that, before it has its labels.
        for (cancelled, part) in [(false, "/pulls"), (true, "/pulls"), (false, "/labels"), (true, "/labels")]
        {
            let stage = Stage::new(kind);
            let method = if kind == Kind::Gitea && part == "/labels" { "GET" } else { "POST" };
            stage.forge.once(method, part, Trouble::After(|_| Reply::Silence));
            let host = stage.host();
            let context = Cx::with_timeout(Duration::from_millis(if cancelled { 60_000 } else { 700 }));
            let opening = tokio::spawn({
                let context = context.clone();
                async move { host.open_or_update(&context, &wanted()).await }
            });
            tokio::task::block_in_place(|| stage.server.wait_until_hanging());
            if cancelled {
                context.cancel.cancel();
            }
            let unknown = fault(opening.await.unwrap());
            assert_eq!(unknown.class, Class::OutcomeUnknown, "{kind:?} {cancelled} {part}: {unknown}");
            stage.open(&wanted()).await.unwrap();
            assert_eq!(stage.forge.open("update-shop", "main").len(), 1);
        }
    }
}

/// A future that is dropped leaves nothing behind that goes on.
#[tokio::test]
async fn a_dropped_call_sends_nothing_more() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        stage.forge.once("GET", "/pulls", Trouble::After(|_| Reply::Silence));
        let host = stage.host();
        let context = cx();
        let wanted = wanted();
        let mut opening = host.open_or_update(&context, &wanted);
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut opening).await.is_err());
        drop(opening);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(stage.requests().len(), 1, "{kind:?}");
    }
}

/// What may happen to a request.
fn trouble(dice: &mut Dice) -> Option<Trouble> {
    const STATUSES: [&str; 6] =
        ["401 No", "403 No", "429 Slow down", "500 Oops", "502 Bad gateway", "503 Later"];
    match dice.below(16) {
        0..=2 => Some(LOSSES[dice.below(A_PAGE)].1.clone()),
        3 => Some(Trouble::Instead(Reply::Nothing)),
        4 => Some(Trouble::Instead(Reply::Silence)),
        5 | 6 => Some(Trouble::Instead(Reply::Whole(says(STATUSES[dice.below(STATUSES.len())], "trouble")))),
        // People, between any two requests.
        7 => Some(Trouble::Then(|state| state.pulls.iter_mut().for_each(|pull| pull.open = false))),
        8 => Some(Trouble::Then(edit)),
        // Somebody else opens it.
        9 => Some(Trouble::Then(|state| {
            if !state.pulls.iter().any(|pull| pull.open)
                && let Some(mut pull) = state.pulls.last().cloned()
            {
                pull.number += 1;
                pull.open = true;
                state.pulls.push(pull);
            }
        })),
        _ => None,
    }
}

fn edit(state: &mut State) {
    for pull in &mut state.pulls {
        pull.title = "by hand".into();
        pull.body = Some("by hand".into());
        pull.labels = vec!["approved".into()];
    }
}

/// Any number of calls with any failures in between. `GITOPS_PULL_SEEDS` says how many histories, and `GITOPS_PULL_SEED` runs
/// one again.
#[tokio::test]
async fn however_often_it_is_called_there_is_one() {
    let mut failed = 0;
    for seed in seeds("GITOPS_PULL", 25) {
        for kind in KINDS {
            let stage = Stage::new(kind);
            let host = stage.host_with(Token::new(TOKEN), Duration::from_millis(150));
            let mut dice = Dice::new(seed);
            let calls = 1 + dice.below(6);
            let mut chance = Dice::new(seed + 1000);
            stage.forge.plan(move |_| trouble(&mut chance));
            for call in 0..calls {
                let title = format!("version {}", dice.below(3));
                let wanted = PullRequest::new(title, "update-shop", "main").with_labels(["bug", "new"]);
                let done = host.open_or_update(&cx(), &wanted).await;
                let open = stage.forge.open("update-shop", "main");
                assert!(open.len() <= 1, "seed {seed}, {kind:?}, call {call}: {open:#?}");
                if let Err(fault) = done {
                    failed += 1;
                    let is_known = fault.is_transient() || fault.class == Class::Denied;
                    assert!(is_known, "seed {seed}, {kind:?}: {fault}");
                }
            }
            stage.forge.be_well();
            let last =
                PullRequest::new("last", "update-shop", "main").with_body("b").with_labels(["bug", "new"]);
            let opened = stage.open(&last).await.unwrap();
            let [there] = &*stage.forge.open("update-shop", "main") else { panic!("seed {seed}, {kind:?}") };
            assert_eq!(there.number, opened.number, "seed {seed}, {kind:?}");
            assert_eq!((&*there.title, there.body.as_deref()), ("last", Some("b")), "seed {seed}");
            for label in ["bug", "new"] {
                assert!(there.labels.iter().any(|has| has == label), "seed {seed}: {there:?}");
            }
            assert_eq!(stage.open(&last).await.unwrap().outcome, Outcome::Unchanged, "seed {seed}");
        }
    }
    assert!(failed > 0 || std::env::var_os("GITOPS_PULL_SEED").is_some(), "something went wrong");
}
