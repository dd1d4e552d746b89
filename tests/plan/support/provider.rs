//! The identity provider of the tests, see `provider.py`, and a browser that goes back and forth between it and the
//! service.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reqwest::{Client, Response, StatusCode, Url, header};

use super::Plan;
use super::browser::FORM;

/// The provider's process.
pub(crate) struct ProviderProcess {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl ProviderProcess {
    pub(crate) fn start(redirect: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut child = Command::new(target.join("oidc-python/bin/python3"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/provider.py"))
            .arg(redirect)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the provider's Python packages are missing: '.ci/need unit' installs them");
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let url = line(&mut answers).strip_prefix("ready ").expect("the provider starts").to_owned();
        Self { child, commands, answers, url }
    }

    /// Sends a command, see `provider.py`, and waits until it is done.
    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        assert_eq!(line(&mut self.answers), "done");
    }
}

impl Drop for ProviderProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn line(from: &mut impl std::io::BufRead) -> String {
    let mut text = String::new();
    from.read_line(&mut text).unwrap();
    text.trim_end().to_owned()
}

/// A browser that keeps cookies. It follows a redirection when the test says so.
pub(crate) struct CookieBrowser {
    client: Client,
    cookies: Vec<(u16, String, String)>,
}

impl CookieBrowser {
    pub(crate) fn new() -> Self {
        let client =
            netcensus::tls::client().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, cookies: Vec::new() }
    }

    pub(crate) async fn get(&mut self, url: &Url) -> Response {
        let request = self.client.get(url.clone());
        self.send(url, request).await
    }

    async fn send(&mut self, url: &Url, request: reqwest::RequestBuilder) -> Response {
        let port = url.port_or_known_default().unwrap();
        let sent: Vec<String> =
            self.cookies.iter().filter(|c| c.0 == port).map(|c| format!("{}={}", c.1, c.2)).collect();
        let answer = request.header(header::COOKIE, sent.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|c| (c.0, c.1.as_str()) != (port, name));
            if !value.is_empty() {
                self.cookies.push((port, name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Begins to sign in; gives the URL at the provider to which the service redirects.
    pub(crate) async fn begin(&mut self, plan: &Plan) -> Url {
        let url = format!("{}/login/oidc", plan.url).parse().unwrap();
        let answer = self.get(&url).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        target(&url, &answer)
    }

    /// Fills in the provider's forms as `name`; gives the URL at the service to which the provider redirects.
    pub(crate) async fn consent(&mut self, mut url: Url, name: &str, plan: &Plan) -> Url {
        let mut steps = 0;
        while !url.as_str().starts_with(&plan.url) {
            steps += 1;
            assert!(steps < 10, "the provider leads back");
            let mut answer = self.get(&url).await;
            if answer.status() == StatusCode::OK {
                let page = answer.text().await.unwrap();
                let token = page.split("name=\"csrf_token\"").nth(1).unwrap();
                let token = token.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
                let field = if page.contains("name=\"password\"") {
                    ("password", "correct horse battery")
                } else {
                    ("login", name)
                };
                let form = form_of(&[("csrf_token", token), field]);
                let request = self.client.post(url.clone()).body(form);
                let request = request.header(header::CONTENT_TYPE, FORM);
                answer = self.send(&url, request).await;
            }
            assert!(answer.status().is_redirection(), "{url}: {}", answer.status());
            url = target(&url, &answer);
        }
        url
    }

    /// Signs in; gives the service's last answer.
    pub(crate) async fn sign_in(&mut self, plan: &Plan, name: &str) -> Response {
        let there = self.begin(plan).await;
        let back = self.consent(there, name, plan).await;
        self.get(&back).await
    }

    pub(crate) fn session(&self) -> Option<String> {
        self.cookies.iter().find(|c| c.1 == "netcensus").map(|c| format!("netcensus={}", c.2))
    }
}

fn form_of(pairs: &[(&str, &str)]) -> String {
    let mut url: Url = "http://x".parse().unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

/// The URL to which an answer redirects.
pub(crate) fn target(from: &Url, answer: &Response) -> Url {
    from.join(answer.headers()[header::LOCATION].to_str().unwrap()).unwrap()
}

/// The URL with another value of a parameter of its query.
pub(crate) fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(n, v)| (n.to_string(), if n == name { value.to_owned() } else { v.to_string() }))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}
