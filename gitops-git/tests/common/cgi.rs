//! `git http-backend`, the CGI program that comes with Git.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::server::Request;

/// What the program answered.
#[derive(Clone)]
pub struct Answer {
    pub status: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer of a status with a body.
pub fn answer_of(status: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status: status.into(), headers, body: body.into() }
}

/// Has Git answer a request for a repository below `root`.
pub fn answer(root: &Path, request: &Request) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut command = Command::new(super::repo::program());
    command
        .arg("http-backend")
        // The tests give a hostile environment to the client, not to this server.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(version) = request.header("git-protocol") {
        command.env("GIT_PROTOCOL", version);
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may answer without reading; negotiations are smaller than a pipe.
    let _ = stdin.write_all(&request.body);
    drop(stdin);
    parse(&child.wait_with_output().unwrap().stdout)
}

fn parse(output: &[u8]) -> Answer {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("a CGI header");
    let mut answer =
        Answer { status: "200 OK".into(), headers: Vec::new(), body: output[end + 4..].to_vec() };
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            value.clone_into(&mut answer.status);
        } else {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    answer
}
