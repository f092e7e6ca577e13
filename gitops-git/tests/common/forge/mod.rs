//! A server that plays a host of pull requests, by the documents of GitHub's and Gitea's APIs. It keeps what it is told, checks
//! who asks, gives out lists in pages, and can be told to fail before or after it has carried out a request.

mod gitea;
mod github;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::cgi::{Answer, answer_of};
use super::server::{Reply, Request, Server};

pub const OWNER: &str = "platform";
pub const NAME: &str = "config";
pub const TOKEN: &str = "f0rge-t0ken";
const FIRST_OF_ORGANIZATION: u64 = 1001;

/// Whose API it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    GitHub,
    Gitea,
}

/// A pull request, as the server keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub open: bool,
    pub labels: Vec<String>,
    /// Where it comes from; None if the fork was deleted.
    pub from: Option<String>,
    pub head: String,
    pub base: String,
    pub draft: bool,
}

/// What goes wrong with a request.
#[derive(Clone)]
pub enum Trouble {
    /// It is not carried out, and this is answered.
    Instead(Reply),
    /// It is carried out, and then the answer is lost like this.
    After(fn(Answer) -> Reply),
    /// It is carried out, and before the answer arrives, people do this.
    Then(fn(&mut State)),
    /// It is carried out; then the answer waits until others have come as far.
    Together(Arc<std::sync::Barrier>),
}

type Plan = dyn FnMut(&Request) -> Option<Trouble> + Send;

pub struct State {
    pub kind: Kind,
    pub token: String,
    pub pulls: Vec<Pull>,
    /// By their ids, which begin at 1.
    pub labels: Vec<String>,
    /// Those of the organization (Gitea); None if the owner is a person.
    pub organization: Option<Vec<String>>,
    pub page: usize,
    /// What links to other pages begin with.
    pub links: Option<String>,
    /// What a client did that the documents do not allow.
    pub complaints: Vec<String>,
    plan: Option<Box<Plan>>,
}

/// The server's memory.
#[derive(Clone)]
pub struct Forge(Arc<Mutex<State>>);

impl Forge {
    /// Teaches a server to be a host with one repository.
    pub fn teach(server: &Server, kind: Kind) -> Self {
        let forge = Self(Arc::new(Mutex::new(State {
            kind,
            token: TOKEN.into(),
            pulls: Vec::new(),
            labels: vec!["bug".into()],
            organization: Some(Vec::new()),
            page: 50,
            links: None,
            complaints: Vec::new(),
            plan: None,
        })));
        let answering = forge.clone();
        server.behave(|b| b.answers = Some(Arc::new(move |request| Some(answering.reply(request)))));
        forge
    }

    /// Looks at its memory, and changes it as people do.
    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// Says what goes wrong with each request from now on.
    pub fn plan(&self, plan: impl FnMut(&Request) -> Option<Trouble> + Send + 'static) {
        self.with(|state| state.plan = Some(Box::new(plan)));
    }

    /// Answers this instead, once, to a request of a method for something.
    pub fn once(&self, method: &'static str, part: &'static str, trouble: Trouble) {
        let mut trouble = Some(trouble);
        self.plan(move |request| {
            let is_meant = request.method == method && request.target.contains(part);
            if is_meant { trouble.take() } else { None }
        });
    }

    pub fn be_well(&self) {
        self.with(|state| state.plan = None);
    }

    /// Those that are open from a branch of the repository to another.
    pub fn open(&self, head: &str, base: &str) -> Vec<Pull> {
        let from = format!("{OWNER}/{NAME}");
        self.with(|state| {
            let is_it = |pull: &&Pull| {
                pull.open && pull.head == head && pull.base == base && pull.from.as_ref() == Some(&from)
            };
            state.pulls.iter().filter(is_it).cloned().collect()
        })
    }

    fn reply(&self, request: &Request) -> Reply {
        let mut state = self.0.lock().unwrap();
        let trouble = state.plan.as_mut().and_then(|plan| plan(request));
        if let Some(Trouble::Instead(reply)) = trouble {
            return reply;
        }
        let answer = state.answer(request);
        if let Some(Trouble::Then(act)) = trouble {
            act(&mut state);
        }
        drop(state);
        match trouble {
            None | Some(Trouble::Instead(_) | Trouble::Then(_)) => Reply::Whole(answer),
            Some(Trouble::After(lose)) => lose(answer),
            Some(Trouble::Together(barrier)) => {
                barrier.wait();
                Reply::Whole(answer)
            }
        }
    }
}

/// An answer with a message.
pub fn says(status: &str, message: &str) -> Answer {
    answer_of(status, &[("Content-Type", "application/json")], json!({ "message": message }).to_string())
}

fn gives(status: &str, value: &Value) -> Answer {
    answer_of(status, &[("Content-Type", "application/json")], value.to_string())
}

/// What is asked for: the parts of the path behind the API's own, and the query.
struct Asked<'a> {
    path: Vec<String>,
    query: Vec<(String, String)>,
    request: &'a Request,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.query(name).and_then(|text| text.parse().ok())
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let (prefix, schemes) = match self.kind {
            Kind::GitHub => ("/api/v3/", &["Bearer", "token"][..]),
            Kind::Gitea => ("/api/v1/", &["token"][..]),
        };
        // The host does not matter.
        let url = reqwest::Url::parse(&format!("http://localhost{}", request.target)).unwrap();
        let Some(rest) = url.path().strip_prefix(prefix) else { return says("404 Not Found", "Not Found") };
        let asked = Asked {
            path: rest.split('/').map(str::to_owned).collect(),
            query: url.query_pairs().into_owned().collect(),
            request,
        };
        let given = request.header("authorization").unwrap_or_default();
        if !schemes.iter().any(|scheme| given == format!("{scheme} {}", self.token)) {
            return says("401 Unauthorized", "Bad credentials");
        }
        if request.method != "GET" && request.header("content-type") != Some("application/json") {
            return says("415 Unsupported Media Type", "it is no JSON");
        }
        match self.kind {
            Kind::GitHub => self.github(&asked),
            Kind::Gitea => self.gitea(&asked),
        }
    }

    /// One page of a list.
    fn listed(&self, asked: &Asked<'_>, size: &str, all: Vec<Value>) -> Answer {
        let size = asked.number(size).unwrap_or(30).clamp(1, self.page);
        let page = asked.number("page").unwrap_or(1).max(1);
        let total = all.len();
        let last = total.div_ceil(size).max(1);
        let part: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
        let mut answer = gives("200 OK", &part.into());
        if self.kind == Kind::Gitea {
            answer.headers.push(("X-Total-Count".into(), total.to_string()));
        }
        // Gitea has no links for labels.
        let has_links = self.kind != Kind::Gitea || asked.path.last().is_none_or(|list| list != "labels");
        if page < last && has_links {
            let path = asked.request.target.split('?').next().unwrap();
            let base = self.links.clone().unwrap_or_else(|| format!("http://localhost{path}"));
            let link = |page: usize| {
                let mut url = reqwest::Url::parse(&base).unwrap();
                let others = asked.query.iter().filter(|(name, _)| name != "page");
                url.query_pairs_mut().extend_pairs(others).append_pair("page", &page.to_string());
                url
            };
            let both = format!("<{}>; rel=\"next\", <{}>; rel=\"last\"", link(page + 1), link(last));
            answer.headers.push(("Link".into(), both));
        }
        answer
    }

    /// The labels of the repository and of its organization with their ids.
    fn all_labels(&self) -> Vec<(u64, String)> {
        let own = (1..).zip(self.labels.iter().cloned());
        own.chain((FIRST_OF_ORGANIZATION..).zip(self.organization.iter().flatten().cloned())).collect()
    }

    fn find_open(&self, from: &str, head: &str, base: &str) -> Option<&Pull> {
        self.pulls.iter().find(|pull| {
            pull.open && pull.from.as_deref() == Some(from) && pull.head == head && pull.base == base
        })
    }

    /// Makes a pull request of a JSON object, whose head was read.
    fn add(&mut self, body: &Value, from: &str, head: &str, draft: bool) -> u64 {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let number = self.pulls.len() as u64 + 7;
        self.pulls.push(Pull {
            number,
            title: text("title").unwrap(),
            body: text("body"),
            open: true,
            labels: Vec::new(),
            from: Some(from.into()),
            head: head.into(),
            base: text("base").unwrap(),
            draft,
        });
        number
    }

    fn pull(&mut self, number: &str) -> Option<&mut Pull> {
        let number: u64 = number.parse().ok()?;
        self.pulls.iter_mut().find(|pull| pull.number == number)
    }

    fn shown(&self, pull: &Pull) -> Value {
        let id = |name: &str| {
            let all = self.all_labels().into_iter();
            all.filter(|(_, label)| label == name).map(|(id, _)| id).next()
        };
        let labels: Vec<_> = pull.labels.iter().map(|name| json!({"id": id(name), "name": name})).collect();
        let part = |of: &str| match self.kind {
            Kind::GitHub => format!("https://github.example/{of}/pull/{}", pull.number),
            Kind::Gitea => format!("https://gitea.example/{of}/pulls/{}", pull.number),
        };
        json!({
            "id": pull.number + 1_000_000_000,
            "number": pull.number,
            "html_url": part(&format!("{OWNER}/{NAME}")),
            "state": if pull.open { "open" } else { "closed" },
            "title": pull.title,
            "body": pull.body,
            "draft": pull.draft,
            "labels": labels,
            "head": {
                "label": pull.head,
                "ref": pull.head,
                "repo": pull.from.as_ref().map(|name| json!({"full_name": name})),
            },
            "base": {"ref": pull.base, "repo": {"full_name": format!("{OWNER}/{NAME}")}},
        })
    }
}
