//! What GitHub does.

use serde_json::{Value, json};

use super::super::cgi::Answer;
use super::{Asked, NAME, OWNER, Pull, State, gives, says};

impl State {
    pub(super) fn github(&mut self, asked: &Asked<'_>) -> Answer {
        let request = asked.request;
        if request.header("user-agent").is_none()
            || request.header("accept") != Some("application/vnd.github+json")
            || request.header("x-github-api-version") != Some("2022-11-28")
        {
            self.complaints.push(format!("headers: {:?}", request.headers));
        }
        let path: Vec<_> = asked.path.iter().map(String::as_str).collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (&*request.method, &*path) {
            ("GET", ["repos", OWNER, NAME, "pulls"]) => self.github_list(asked),
            ("POST", ["repos", OWNER, NAME, "pulls"]) => self.github_create(&body),
            ("PATCH", ["repos", OWNER, NAME, "pulls", number]) => {
                let Some(pull) = self.pull(number) else { return says("404 Not Found", "Not Found") };
                if let Some(title) = body["title"].as_str() {
                    title.clone_into(&mut pull.title);
                }
                if let Some(text) = body["body"].as_str() {
                    pull.body = Some(text.to_owned());
                }
                let pull = pull.clone();
                gives("200 OK", &self.shown(&pull))
            }
            ("POST", ["repos", OWNER, NAME, "issues", number, "labels"]) => self.github_labels(number, &body),
            _ => says("404 Not Found", "Not Found"),
        }
    }

    fn github_list(&self, asked: &Asked<'_>) -> Answer {
        let owner =
            |pull: &Pull| pull.from.as_ref().and_then(|from| from.split('/').next().map(str::to_owned));
        let is_wanted = |pull: &&Pull| {
            let state = match asked.query("state").unwrap_or("open") {
                "open" => pull.open,
                "closed" => !pull.open,
                _ => true,
            };
            // A head without its owner is left out of account.
            let head = asked.query("head").and_then(|head| head.split_once(':'));
            state
                && head
                    .is_none_or(|(from, branch)| owner(pull).as_deref() == Some(from) && pull.head == branch)
                && asked.query("base").is_none_or(|base| pull.base == base)
        };
        let mut all: Vec<_> = self.pulls.iter().filter(is_wanted).map(|pull| self.shown(pull)).collect();
        if asked.query("direction") != Some("asc") {
            all.reverse();
        }
        self.listed(asked, "per_page", all)
    }

    fn github_create(&mut self, body: &Value) -> Answer {
        let failed = |message: &str| {
            let wrong = json!({"resource": "PullRequest", "code": "custom", "message": message});
            gives("422 Unprocessable Entity", &json!({"message": "Validation Failed", "errors": [wrong]}))
        };
        let (Some(head), Some(base), Some(_)) =
            (body["head"].as_str(), body["base"].as_str(), body["title"].as_str())
        else {
            return failed("a field is missing");
        };
        let (owner, branch) = head.split_once(':').unwrap_or((OWNER, head));
        if branch == "nothing" {
            return failed(&format!("No commits between {base} and {branch}"));
        }
        let from = format!("{owner}/{NAME}");
        if self.find_open(&from, branch, base).is_some() {
            return failed(&format!("A pull request already exists for {owner}:{branch}."));
        }
        let draft = body["draft"].as_bool().unwrap_or(false);
        let number = self.add(body, &from, branch, draft);
        let pull = self.pull(&number.to_string()).unwrap().clone();
        gives("201 Created", &self.shown(&pull))
    }

    /// Labels are added by name; those that do not exist are made.
    fn github_labels(&mut self, number: &str, body: &Value) -> Answer {
        let names: Vec<String> = match serde_json::from_value(body["labels"].clone()) {
            Ok(names) => names,
            Err(_) => return says("422 Unprocessable Entity", "Invalid request."),
        };
        for name in &names {
            if !self.labels.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.labels.push(name.clone());
            }
        }
        let Some(pull) = self.pull(number) else { return says("404 Not Found", "Not Found") };
        for name in names {
            if !pull.labels.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                pull.labels.push(name);
            }
        }
        let pull = pull.clone();
        gives("200 OK", &self.shown(&pull)["labels"])
    }
}
