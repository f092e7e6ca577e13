//! What is opened, and what is left as it is.

use std::sync::{Arc, Barrier};

use gitops_core::Class;
use gitops_git::pull_request::{Outcome, PullRequest};

use super::common::forge::{Kind, NAME, OWNER, Pull, Trouble, says};
use super::common::server::Reply;
use super::common::{cx, fault};
use super::{KINDS, Stage, wanted};

fn people(number: u64, head: &str, base: &str) -> Pull {
    Pull {
        number,
        title: "by hand".into(),
        body: None,
        open: true,
        labels: Vec::new(),
        from: Some(format!("{OWNER}/{NAME}")),
        head: head.into(),
        base: base.into(),
        draft: false,
    }
}

#[tokio::test]
async fn it_is_opened_once_and_then_updated() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let opened = stage.open(&wanted()).await.unwrap();
        assert_eq!(opened.outcome, Outcome::Created);
        assert!(opened.url.ends_with(&format!("/{}", opened.number)), "{opened:?}");
        let [there] = &*stage.forge.open("update-shop", "main") else { panic!() };
        assert_eq!((there.number, &*there.title), (opened.number, "shop: web 1.8.2"));
        assert_eq!(there.body.as_deref(), Some("Built from 4f2c1ab.\n\nBy CI."));
        assert_eq!(sorted(&there.labels), ["bug", "image-update"], "{kind:?}");
        assert!(!there.draft);

        stage.requests();
        let again = stage.open(&wanted()).await.unwrap();
        assert_eq!((again.number, again.outcome), (opened.number, Outcome::Unchanged));
        assert_eq!(again.url, opened.url);
        assert_eq!(stage.requests().len(), 1, "one look is enough");

        let mut next = wanted().with_body("Built from 9d8e7f6.");
        next.title = "shop: web 1.8.3".into();
        let updated = stage.open(&next).await.unwrap();
        assert_eq!((updated.number, updated.outcome), (opened.number, Outcome::Updated));
        assert_eq!(stage.requests().len(), 2);
        let [there] = &*stage.forge.open("update-shop", "main") else { panic!() };
        assert_eq!((&*there.title, there.body.as_deref()), ("shop: web 1.8.3", Some("Built from 9d8e7f6.")));
        stage.forge.with(|state| assert_eq!(state.complaints, [""; 0]));
    }
}

fn sorted(labels: &[String]) -> Vec<&str> {
    let mut labels: Vec<_> = labels.iter().map(String::as_str).collect();
    labels.sort_unstable();
    labels
}

#[tokio::test]
async fn what_people_changed_is_left_but_for_title_and_body() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let number = stage.open(&wanted()).await.unwrap().number;
        stage.forge.with(|state| {
            let pull = &mut state.pulls[0];
            pull.title = "  shop: web 1.8.2 ".into();
            pull.body = Some("Built from 4f2c1ab.\r\n\r\nBy CI.\r\n".into());
            pull.labels = vec!["BUG".into(), "approved".into(), "image-update".into()];
            pull.draft = true;
        });
        let before = stage.forge.with(|state| state.pulls.clone());
        assert_eq!(stage.open(&wanted()).await.unwrap().outcome, Outcome::Unchanged, "{kind:?}");
        assert_eq!(stage.forge.with(|state| state.pulls.clone()), before);

        stage.forge.with(|state| {
            state.pulls[0].title = "mine".into();
            state.pulls[0].labels = vec!["approved".into()];
        });
        let opened = stage.open(&wanted()).await.unwrap();
        assert_eq!((opened.number, opened.outcome), (number, Outcome::Updated));
        let pull = stage.forge.with(|state| state.pulls[0].clone());
        assert_eq!(pull.title, "shop: web 1.8.2");
        assert_eq!(sorted(&pull.labels), ["approved", "bug", "image-update"]);

        // A label alone.
        stage.forge.with(|state| state.pulls[0].labels.retain(|label| label != "bug"));
        stage.requests();
        assert_eq!(stage.open(&wanted()).await.unwrap().outcome, Outcome::Updated);
        assert!(stage.requests().iter().all(|request| !request.starts_with("PATCH")));
        let pull = stage.forge.with(|state| state.pulls[0].clone());
        assert_eq!(sorted(&pull.labels), ["approved", "bug", "image-update"]);
    }
}

#[tokio::test]
async fn only_the_open_one_from_the_same_head_to_the_same_base_is_meant() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let others = stage.forge.with(|state| {
            state.pulls = vec![
                Pull { open: false, ..people(1, "update-shop", "main") },
                people(2, "update-shop", "next"),
                people(3, "update-shop-2", "main"),
                Pull { from: Some(format!("ada/{NAME}")), ..people(4, "update-shop", "main") },
                Pull { from: None, ..people(5, "update-shop", "main") },
            ];
            state.pulls.clone()
        });
        let opened = stage.open(&wanted()).await.unwrap();
        assert_eq!(opened.outcome, Outcome::Created);
        stage.forge.with(|state| assert_eq!(state.pulls[..5], others[..], "{kind:?}"));

        // The fork's.
        let forked = PullRequest::new("from a fork", "ada:update-shop", "main");
        let opened = stage.open(&forked).await.unwrap();
        assert_eq!((opened.number, opened.outcome), (4, Outcome::Updated));
        let new = PullRequest::new("from a fork", "ben:update-shop", "main");
        let opened = stage.open(&new).await.unwrap();
        assert_eq!(opened.outcome, Outcome::Created);
        let from = stage.forge.with(|state| state.pulls.last().unwrap().from.clone());
        assert_eq!(from.unwrap(), format!("ben/{NAME}"));
        // Our own with its owner, in another case.
        let own =
            PullRequest::new("shop: web 1.8.2", "Platform:update-shop", "main").with_body(wanted().body);
        assert_eq!(stage.open(&own).await.unwrap().outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn lists_have_pages_and_links_lead_nowhere_else() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let elsewhere = Stage::new(kind);
        stage.forge.with(|state| {
            state.page = 3;
            state.links = Some(format!("http://127.0.0.1:{}/elsewhere", elsewhere.server.port()));
            state.labels =
                (0..20).map(|n| format!("l{n}")).chain(["bug".into(), "image-update".into()]).collect();
            // Each of them fits GitHub's filters, but not our head: another fork of the same name.
            state.pulls = (1..=10)
                .map(|n| Pull {
                    from: Some(format!("{OWNER}/{NAME}-{n}")),
                    ..people(n, "update-shop", "main")
                })
                .chain([people(11, "update-shop", "main")])
                .collect();
        });
        let opened = stage.open(&wanted()).await.unwrap();
        assert_eq!((opened.number, opened.outcome), (11, Outcome::Updated), "{kind:?}");
        let requests = stage.requests();
        let looks = requests.iter().filter(|request| request.ends_with("/pulls")).count();
        assert_eq!(looks, 4, "{requests:?}");
        assert_eq!(stage.forge.with(|state| state.labels.len()), 22, "no label was made a second time");
        assert_eq!(elsewhere.requests().len(), 0, "nobody else was asked");
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_left() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        stage.forge.plan(|_| {
            let link = [("Link", "<?page=2>; rel=next")];
            Some(Trouble::Instead(Reply::Whole(super::common::cgi::answer_of("200 OK", &link, "[]"))))
        });
        let fault = fault(stage.open(&wanted()).await);
        assert_eq!(fault.class, Class::Invalid, "{fault}");
        assert!(fault.to_string().contains("200 pages"), "{fault}");
    }
}

/// Both see that there is none, and then both try to open one.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_open_it_at_once_one_updates() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let both = Arc::new(Barrier::new(2));
        let mut looks = 0;
        stage.forge.plan(move |request| {
            let is_look = request.method == "GET" && request.target.contains("/pulls");
            looks += u32::from(is_look);
            (is_look && looks <= 2).then(|| Trouble::Together(both.clone()))
        });
        let (one, other) = (stage.host(), stage.host());
        let mut second = wanted();
        second.title = "shop: web 1.8.3".into();
        let (mine, context) = (wanted(), cx());
        let (a, b) =
            tokio::join!(one.open_or_update(&context, &mine), other.open_or_update(&context, &second));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(a.number, b.number, "{kind:?}");
        let created = [a.outcome, b.outcome].iter().filter(|outcome| **outcome == Outcome::Created).count();
        assert_eq!(created, 1, "{a:?} {b:?}");
        assert_eq!(stage.forge.open("update-shop", "main").len(), 1);
        let opens =
            stage.requests().iter().filter(|r| r.starts_with("POST") && r.ends_with("/pulls")).count();
        assert_eq!(opens, 2, "both have tried");
    }
}

/// A host that says that there is one, and never lists it.
#[tokio::test]
async fn one_that_is_never_listed_may_be_listed_later() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let there = match kind {
            Kind::GitHub => {
                says("422 Unprocessable Entity", "A pull request already exists for platform:update-shop.")
            }
            Kind::Gitea => says("409 Conflict", "pull request already exists for these targets"),
        };
        stage.forge.plan(move |request| {
            (request.method == "POST").then(|| Trouble::Instead(Reply::Whole(there.clone())))
        });
        let fault = fault(stage.open(&wanted()).await);
        assert_eq!(fault.class, Class::RETRY, "{fault}");
        assert!(fault.to_string().contains("already exists"), "{fault}");
        assert_eq!(stage.requests().len(), 8, "four looks, and as many tries");
    }
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_has_a_successor() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let first = stage.open(&wanted()).await.unwrap();
        stage.forge.with(|state| state.pulls[0].title = "old".into());
        // Between the look and the change.
        stage.forge.once("GET", "/pulls", Trouble::Then(|state| state.pulls[0].open = false));
        let opened = stage.open(&wanted()).await.unwrap();
        assert_ne!(opened.number, first.number);
        assert_eq!(stage.forge.open("update-shop", "main").len(), 1);
    }
}

#[tokio::test]
async fn drafts_are_opened_as_such_and_left_to_people() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let wanted = wanted().as_draft();
        stage.open(&wanted).await.unwrap();
        let pull = stage.forge.with(|state| state.pulls[0].clone());
        assert!(pull.draft, "{kind:?}");
        assert_eq!(pull.title == "WIP: shop: web 1.8.2", kind == Kind::Gitea);
        assert_eq!(stage.open(&wanted).await.unwrap().outcome, Outcome::Unchanged);
        stage.forge.with(|state| {
            state.pulls[0].draft = false;
            state.pulls[0].title = "shop: web 1.8.2".into();
        });
        assert_eq!(stage.open(&wanted).await.unwrap().outcome, Outcome::Unchanged);
        assert!(stage.forge.with(|state| !state.pulls[0].draft));
    }
}

#[tokio::test]
async fn labels_are_made_where_there_are_none() {
    let stage = Stage::new(Kind::Gitea);
    stage.forge.with(|state| {
        state.labels = vec!["Bug".into(), "bug".into()];
        state.organization = Some(vec!["image-update".into()]);
    });
    stage.open(&wanted().with_label("new")).await.unwrap();
    let (labels, pull) = stage.forge.with(|state| (state.labels.clone(), state.pulls[0].clone()));
    assert_eq!(labels, ["Bug", "bug", "new"], "the organization's is used");
    assert_eq!(sorted(&pull.labels), ["bug", "image-update", "new"]);

    // A person has no organization.
    let stage = Stage::new(Kind::Gitea);
    stage.forge.with(|state| state.organization = None);
    stage.open(&wanted()).await.unwrap();
    assert_eq!(stage.forge.with(|state| state.labels.clone()), ["bug", "image-update"]);

    let stage = Stage::new(Kind::GitHub);
    stage.open(&wanted()).await.unwrap();
    assert_eq!(stage.forge.with(|state| state.labels.clone()), ["bug", "image-update"]);
}
