//! What Gitea does.

use serde_json::{Value, json};

use super::super::cgi::Answer;
use super::{Asked, FIRST_OF_ORGANIZATION, NAME, OWNER, Pull, State, gives, says};

impl State {
    pub(super) fn gitea(&mut self, asked: &Asked<'_>) -> Answer {
        let path: Vec<_> = asked.path.iter().map(String::as_str).collect();
        let body: Value = serde_json::from_slice(&asked.request.body).unwrap_or_default();
        match (&*asked.request.method, &*path) {
            ("GET", ["repos", OWNER, NAME, "pulls"]) => {
                let is_wanted = |pull: &&Pull| {
                    (asked.query("state") == Some("all") || pull.open)
                        && asked.query("base_branch").is_none_or(|base| pull.base == base)
                };
                let mut all: Vec<_> =
                    self.pulls.iter().filter(is_wanted).map(|pull| self.shown(pull)).collect();
                if asked.query("sort") != Some("oldest") {
                    all.reverse();
                }
                self.listed(asked, "limit", all)
            }
            ("POST", ["repos", OWNER, NAME, "pulls"]) => self.gitea_create(&body),
            ("PATCH", ["repos", OWNER, NAME, "pulls", number]) => {
                let Some(pull) = self.pull(number) else { return says("404 Not Found", "not found") };
                if let Some(title) = body["title"].as_str().filter(|title| !title.is_empty()) {
                    title.clone_into(&mut pull.title);
                    pull.draft = is_draft(&pull.title);
                }
                if let Some(text) = body["body"].as_str() {
                    pull.body = Some(text.to_owned());
                }
                let pull = pull.clone();
                gives("201 Created", &self.shown(&pull))
            }
            ("GET", ["repos", OWNER, NAME, "labels"]) => {
                let all = with_ids(&self.labels, 1);
                self.listed(asked, "limit", all)
            }
            ("GET", ["orgs", OWNER, "labels"]) => match &self.organization {
                None => says("404 Not Found", "user redirect does not exist"),
                Some(labels) => self.listed(asked, "limit", with_ids(labels, FIRST_OF_ORGANIZATION)),
            },
            ("POST", ["repos", OWNER, NAME, "labels"]) => {
                let colour = body["color"].as_str().unwrap_or_default();
                let Some(name) =
                    body["name"].as_str().filter(|_| colour.len() == 7 && colour.starts_with('#'))
                else {
                    return says("422 Unprocessable Entity", "bad color code");
                };
                self.labels.push(name.to_owned());
                gives("201 Created", &json!({"id": self.labels.len(), "name": name, "color": "ededed"}))
            }
            ("POST", ["repos", OWNER, NAME, "issues", number, "labels"]) => self.gitea_labels(number, &body),
            _ => says("404 Not Found", "not found"),
        }
    }

    fn gitea_create(&mut self, body: &Value) -> Answer {
        let (Some(head), Some(base), Some(title)) =
            (body["head"].as_str(), body["base"].as_str(), body["title"].as_str())
        else {
            return says("422 Unprocessable Entity", "[Title]: Required");
        };
        let (owner, branch) = head.split_once(':').unwrap_or((OWNER, head));
        if branch == "nothing" {
            return says("404 Not Found", "the target couldn't be found");
        }
        let from = format!("{owner}/{NAME}");
        if let Some(there) = self.find_open(&from, branch, base) {
            let message = format!(
                "pull request already exists for these targets [id: {0}, issue_id: {0}, head_branch: {branch}]",
                there.number
            );
            return says("409 Conflict", &message);
        }
        let draft = is_draft(title);
        let number = self.add(body, &from, branch, draft);
        let pull = self.pull(&number.to_string()).unwrap().clone();
        gives("201 Created", &self.shown(&pull))
    }

    /// Labels are added by their ids; what is no id of the repository or its organization is left out.
    fn gitea_labels(&mut self, number: &str, body: &Value) -> Answer {
        let ids: Vec<u64> = match serde_json::from_value(body["labels"].clone()) {
            Ok(ids) => ids,
            Err(_) => return says("422 Unprocessable Entity", "labels are ids"),
        };
        let known = self.all_labels();
        let names = known.iter().filter(|(id, _)| ids.contains(id)).map(|(_, name)| name);
        let Some(pull) = self.pull(number) else { return says("404 Not Found", "not found") };
        for name in names {
            if !pull.labels.contains(name) {
                pull.labels.push(name.clone());
            }
        }
        let pull = pull.clone();
        gives("200 OK", &self.shown(&pull)["labels"])
    }
}

fn is_draft(title: &str) -> bool {
    let title = title.to_lowercase();
    title.starts_with("wip:") || title.starts_with("[wip]")
}

fn with_ids(labels: &[String], first: u64) -> Vec<Value> {
    labels.iter().zip(first..).map(|(name, id)| json!({"id": id, "name": name, "color": "ededed"})).collect()
}
