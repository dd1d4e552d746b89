//! Signing in by a real identity provider, which runs beside the tests; see `provider.py`.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use netcensus::clock::{Clock as _, SystemClock};
use netcensus::plan::app::AccessSettings;
use netcensus::plan::app::inventory::CountAt;
use netcensus::plan::oidc::{GroupSetting, OidcSettings, Provider};
use netcensus::plan::permission::Role;
use netcensus::plan::store::{AccessRefusal, By, ExternalPerson, GroupRole, PendingSignIn, StoreError};
use reqwest::{Client, Response, StatusCode, Url, header};

use crate::database::{Backend, on_both_stores};
use crate::harness::{Plan, stranger};

const HOUR: i64 = 3_600_000_000_000;

/// The provider's process.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    url: String,
}

impl Process {
    fn start(redirect: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut child = Command::new(target.join("oidc-python/bin/python3"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan/provider.py"))
            .arg(redirect)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the provider's Python packages are missing; '.ci/need unit' installs them");
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let url = line(&mut answers).strip_prefix("ready ").expect("the provider starts").to_owned();
        Self { child, commands, answers, url }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        assert_eq!(line(&mut self.answers), "done");
    }
}

impl Drop for Process {
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

/// A browser: it keeps cookies, and follows where the test says.
struct Browser {
    client: Client,
    cookies: Vec<(u16, String, String)>,
}

impl Browser {
    fn new() -> Self {
        let client =
            netcensus::tls::client().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, cookies: Vec::new() }
    }

    async fn get(&mut self, url: &Url) -> Response {
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

    /// Begins at the service; gives the provider's address to which it sends.
    async fn begin(&mut self, plan: &Plan) -> Url {
        let url = format!("{}/login/oidc", plan.url).parse().unwrap();
        let answer = self.get(&url).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        target(&url, &answer)
    }

    /// Fills the provider's forms in as `name`; gives the address to which it sends the browser back.
    async fn consent(&mut self, mut url: Url, name: &str, plan: &Plan) -> Url {
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
                let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                answer = self.send(&url, request).await;
            }
            assert!(answer.status().is_redirection(), "{url}: {}", answer.status());
            url = target(&url, &answer);
        }
        url
    }

    /// The whole way; gives the service's answer at its end.
    async fn sign_in(&mut self, plan: &Plan, name: &str) -> Response {
        let there = self.begin(plan).await;
        let back = self.consent(there, name, plan).await;
        self.get(&back).await
    }

    fn session(&self) -> Option<String> {
        self.cookies.iter().find(|c| c.1 == "netcensus").map(|c| format!("netcensus={}", c.2))
    }
}

fn form_of(pairs: &[(&str, &str)]) -> String {
    let mut url: Url = "http://x".parse().unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

fn target(from: &Url, answer: &Response) -> Url {
    from.join(answer.headers()[header::LOCATION].to_str().unwrap()).unwrap()
}

fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(n, v)| (n.to_string(), if n == name { value.to_owned() } else { v.to_string() }))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

async fn refused(answer: Response, why: &str) {
    let url = answer.url().clone();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status == StatusCode::FORBIDDEN && text.contains(why), "{why}: {url} {status} {text}");
}

/// One test, as the provider takes seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_by_a_real_provider_and_what_is_wrong_repeated_or_forged_is_refused() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "secret-of-the-client\n").unwrap();
    let mut process = None;
    let access = |url: &str| {
        let started = Process::start(&format!("{url}/login/oidc/callback"));
        let group = |group: &str, role, subscription: Option<&str>| GroupSetting {
            group: group.to_owned(),
            role,
            subscription: subscription.map(str::to_owned),
        };
        let settings = OidcSettings {
            issuer: started.url.clone(),
            client_id: "netcensus".to_owned(),
            client_secret_file: secret.path().to_owned(),
            scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
            roles: vec![
                group("netcensus-readers", Role::Reader, Some("Contoso")),
                group("netcensus-owners", Role::Owner, Some("Contoso")),
                group("netcensus-admins", Role::GlobalAdmin, None),
            ],
            ..OidcSettings::default()
        };
        process = Some(started);
        let provider = Some(Arc::new(Provider::new(settings, url).unwrap()));
        AccessSettings { provider, local_passwords: false, ..AccessSettings::default() }
    };
    let plan = Plan::start_with(Backend::Sqlite, CountAt::Now, access).await;
    let mut provider = process.unwrap();
    // The provider's clock is the machine's.
    plan.move_to(SystemClock.now());
    let token = plan.admin().await;

    // The whole flow: alice gets in, with the role that her group gives.
    let mut alice = Browser::new();
    let page = format!("{}/login", plan.url).parse().unwrap();
    let login = alice.get(&page).await.text().await.unwrap();
    assert!(login.contains("Sign in by single sign-on") && !login.contains("type=\"password\""), "{login}");
    let answer = alice.sign_in(&plan, "alice").await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status == StatusCode::OK && text.contains("http-equiv=\"refresh\""), "{status} {text}");
    let home = format!("{}/", plan.url).parse().unwrap();
    assert_eq!(target(&home, &alice.get(&home).await).path(), format!("/subscriptions/{}", plan.sid));
    let roles = plan.store.role_bindings(&plan.sid).await.unwrap();
    let of = |name: &str| roles.iter().find(|b| b.person == name).map(|b| b.role);
    assert_eq!(of("alice@contoso.example"), Some(Role::Owner));

    // Bob has no group: he gets in and sees nothing.
    let mut bob = Browser::new();
    assert_eq!(bob.sign_in(&plan, "bob").await.status(), StatusCode::OK);
    assert_eq!(target(&home, &bob.get(&home).await).path(), "/subscriptions");

    // Groups are looked at anew at every sign-in.
    provider.tell("group netcensus-readers");
    assert_eq!(alice.sign_in(&plan, "alice").await.status(), StatusCode::OK);
    let role = plan.store.role_binding(&plan.sid, "alice@contoso.example").await.unwrap().role;
    assert_eq!(role, Role::Reader);
    provider.tell("group netcensus-admins");
    assert_eq!(alice.sign_in(&plan, "alice").await.status(), StatusCode::OK);
    assert!(plan.store.person("alice@contoso.example").await.unwrap().global_admin);
    assert!(plan.store.role_binding(&plan.sid, "alice@contoso.example").await.is_err());

    // Passwords are off, and where they are, nothing is told of names.
    let form = plan.client.post(format!("{}/login", plan.url)).header("sec-fetch-site", "same-origin");
    let form = form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = form.body("name=owner&password=a+long+enough+password").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);

    // A wrong state; another browser's sign-in; a code that was used; a sign-in that was used.
    let mut browser = Browser::new();
    let there = browser.begin(&plan).await;
    let back = browser.consent(there, "bob", &plan).await;
    refused(browser.get(&with(&back, "state", &stranger())).await, "another browser").await;
    refused(Browser::new().get(&back).await, "another browser").await;
    assert_eq!(browser.get(&back).await.status(), StatusCode::OK);
    refused(browser.get(&back).await, "another browser").await;
    let code = back.query_pairs().find(|(n, _)| n == "code").unwrap().1.to_string();
    let there = browser.begin(&plan).await;
    let next = browser.consent(there, "bob", &plan).await;
    refused(browser.get(&with(&next, "code", &code)).await, "does not accept the code").await;
    refused(browser.get(&next).await, "unknown, used or too old").await;

    // The provider signs for another sign-in's nonce; without PKCE's verifier a code is worth nothing.
    let there = browser.begin(&plan).await;
    let back = browser.consent(with(&there, "nonce", "another"), "bob", &plan).await;
    refused(browser.get(&back).await, "belongs to another sign-in").await;
    let there = browser.begin(&plan).await;
    let other = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let back = browser.consent(with(&there, "code_challenge", other), "bob", &plan).await;
    refused(browser.get(&back).await, "does not accept the code").await;

    // A person who says no; a sign-in that took too long; an identity token that has expired.
    let there = browser.begin(&plan).await;
    let state = there.query_pairs().find(|(n, _)| n == "state").unwrap().1.to_string();
    let no = format!("{}/login/oidc/callback?error=access_denied&state={state}", plan.url).parse().unwrap();
    refused(browser.get(&no).await, "signed nobody in").await;
    let there = browser.begin(&plan).await;
    let back = browser.consent(there, "bob", &plan).await;
    plan.move_to(SystemClock.now().plus(HOUR));
    refused(browser.get(&back).await, "unknown, used or too old").await;
    plan.move_to(SystemClock.now().plus(2 * HOUR));
    refused(browser.sign_in(&plan, "bob").await, "has expired").await;
    plan.move_to(SystemClock.now());

    // A token for another service.
    provider.tell("audience another");
    refused(browser.sign_in(&plan, "bob").await, "for another service").await;
    provider.tell("audience netcensus");

    // A new key is fetched when it is met; a key that the provider does not list is not accepted.
    assert_eq!(browser.sign_in(&plan, "bob").await.status(), StatusCode::OK);
    provider.tell("rotate");
    plan.move_to(SystemClock.now().plus(60_000_000_000));
    assert_eq!(browser.sign_in(&plan, "bob").await.status(), StatusCode::OK);
    provider.tell("forge");
    plan.move_to(SystemClock.now().plus(120_000_000_000));
    refused(browser.sign_in(&plan, "bob").await, "no key of that name").await;
    provider.tell("rotate");

    // Whoever is disabled here stays out, and their session has ended.
    plan.move_to(SystemClock.now().plus(180_000_000_000));
    assert_eq!(browser.sign_in(&plan, "bob").await.status(), StatusCode::OK);
    let session = browser.session().unwrap();
    let url = format!("{}/api/v1/people/bob@contoso.example/disable", plan.url);
    assert_eq!(plan.client.post(url).bearer_auth(&token).send().await.unwrap().status(), StatusCode::OK);
    let own = plan.client.get(format!("{}/api/v1/account", plan.url)).header(header::COOKIE, session);
    assert_eq!(own.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    refused(browser.sign_in(&plan, "bob").await, "is disabled here").await;

    // Without the provider nobody gets in, and nothing is told of why.
    drop(provider);
    plan.move_to(SystemClock.now().plus(3 * HOUR));
    let answer = browser.get(&format!("{}/login/oidc", plan.url).parse().unwrap()).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
}

on_both_stores! {
    async fn an_external_person_is_who_their_issuer_and_subject_say_and_nobody_by_name(plan: Plan) {
        let now = plan.clock_now();
        let external = |issuer: &str, subject: &str, name: &str| ExternalPerson {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: name.to_owned(),
            email: None,
        };
        let roles = |role| [GroupRole { subscription: Some(plan.sid.clone()), role }];
        let by = By::service();
        let alice = external("https://id.example", "1", "alice");
        let admitted = plan.store.admit(&alice, &roles(Some(Role::Contributor)), &by, now).await.unwrap();
        assert_eq!((admitted.name.as_str(), admitted.global_admin), ("alice", false));
        // Renamed at the provider, the person is the same; the name of somebody here opens nothing.
        let renamed = external("https://id.example", "1", "owner");
        assert_eq!(plan.store.admit(&renamed, &[], &by, now).await.unwrap().name, "alice");
        for thief in [external("https://id.example", "2", "owner"), external("https://other.example", "1", "alice")] {
            let outcome = plan.store.admit(&thief, &[], &by, now).await;
            assert!(matches!(outcome, Err(StoreError::Access(AccessRefusal::NameOfAnother(_)))), "{outcome:?}");
        }
        // The only owner stays, whatever their groups say; with another one they go.
        plan.store.admit(&alice, &roles(Some(Role::Owner)), &by, now).await.unwrap();
        let unbound = |person: &'static str| plan.store.role_binding(&plan.sid, person);
        plan.store.admit(&alice, &roles(None), &by, now).await.unwrap();
        assert!(unbound("alice").await.is_err(), "there is another owner");
        plan.store.admit(&alice, &roles(Some(Role::Owner)), &by, now).await.unwrap();
        plan.unbind("owner").await;
        plan.store.admit(&alice, &roles(None), &by, now).await.unwrap();
        assert_eq!(unbound("alice").await.unwrap().role, Role::Owner);
    }

    async fn a_sign_in_under_way_is_taken_once_and_in_time(plan: Plan) {
        let now = plan.clock_now();
        let pending = PendingSignIn { nonce: "n".into(), verifier: "v".into() };
        plan.store.keep_sign_in("s1", &pending, now).await.unwrap();
        plan.store.keep_sign_in("s2", &pending, now).await.unwrap();
        assert_eq!(plan.store.take_sign_in("s1", now).await.unwrap(), Some(pending));
        assert_eq!(plan.store.take_sign_in("s1", now).await.unwrap(), None);
        assert_eq!(plan.store.take_sign_in("s2", now.plus(600_000_000_000)).await.unwrap(), None);
    }
}
