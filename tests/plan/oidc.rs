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
use reqwest::{Client, Method, Response, StatusCode, Url, header};

use crate::support::browser::FORM;
use crate::support::databases::Backend::Sqlite;
use crate::support::databases::on_each_database;
use crate::support::{HOUR, Plan, SECOND, send, stranger};

on_each_database! {
    an_external_person_is_known_by_issuer_and_subject_and_not_by_name,
    groups_take_the_role_of_an_owner_away_unless_there_is_no_other,
    a_sign_in_in_progress_is_taken_once_and_within_ten_minutes,
}

const ALICE: &str = "alice@contoso.example";

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
            .expect("the provider's Python packages are missing: '.ci/need unit' installs them");
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let url = line(&mut answers).strip_prefix("ready ").expect("the provider starts").to_owned();
        Self { child, commands, answers, url }
    }

    /// Sends a command, see `provider.py`, and waits until it is done.
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

/// A browser that keeps cookies. It follows a redirection when the test says so.
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

    /// Begins to sign in; gives the URL at the provider to which the service redirects.
    async fn begin(&mut self, plan: &Plan) -> Url {
        let url = format!("{}/login/oidc", plan.url).parse().unwrap();
        let answer = self.get(&url).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        target(&url, &answer)
    }

    /// Fills in the provider's forms as `name`; gives the URL at the service to which the provider redirects.
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
                let request = request.header(header::CONTENT_TYPE, FORM);
                answer = self.send(&url, request).await;
            }
            assert!(answer.status().is_redirection(), "{url}: {}", answer.status());
            url = target(&url, &answer);
        }
        url
    }

    /// Signs in; gives the service's last answer.
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

/// The URL to which an answer redirects.
fn target(from: &Url, answer: &Response) -> Url {
    from.join(answer.headers()[header::LOCATION].to_str().unwrap()).unwrap()
}

/// The URL with another value of a parameter of its query.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(n, v)| (n.to_string(), if n == name { value.to_owned() } else { v.to_string() }))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}

/// Asserts that a sign-in was refused for this reason.
async fn assert_refused(answer: Response, why: &str) {
    let url = answer.url().clone();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status == StatusCode::FORBIDDEN && text.contains(why), "{why}: {url} {status} {text}");
}

/// A service that knows the provider and takes no passwords.
struct World {
    plan: Plan,
    provider: Process,
    _secret: tempfile::NamedTempFile,
}

impl World {
    async fn start() -> Self {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "secret-of-the-client\n").unwrap();
        let mut process = None;
        let access = |url: &str| {
            let started = Process::start(&format!("{url}/login/oidc/callback"));
            let settings = settings(&started.url, secret.path());
            process = Some(started);
            let provider = Some(Arc::new(Provider::new(settings, url).unwrap()));
            AccessSettings { provider, local_passwords: false, ..AccessSettings::default() }
        };
        let plan = Plan::start_with(Sqlite, CountAt::Now, access).await;
        let world = Self { plan, provider: process.unwrap(), _secret: secret };
        world.wait(0);
        world
    }

    /// Sets the service's clock to some time after the provider's clock, which is the machine's.
    fn wait(&self, nanos: i64) {
        self.plan.move_to(SystemClock.now().plus(nanos));
    }

    /// The path to which the service redirects a browser that asks for its first page.
    async fn home(&self, browser: &mut Browser) -> String {
        let home = format!("{}/", self.plan.url).parse().unwrap();
        target(&home, &browser.get(&home).await).path().to_owned()
    }

    /// Signs in, and expects to get in.
    async fn admit(&self, browser: &mut Browser, name: &str) {
        assert_eq!(browser.sign_in(&self.plan, name).await.status(), StatusCode::OK);
    }

    /// The URL at the service to which the provider redirects bob's browser.
    async fn callback(&self, browser: &mut Browser) -> Url {
        let there = browser.begin(&self.plan).await;
        browser.consent(there, "bob", &self.plan).await
    }

    /// The same, after a parameter of the request to the provider was replaced.
    async fn forged_callback(&self, browser: &mut Browser, name: &str, value: &str) -> Url {
        let there = browser.begin(&self.plan).await;
        browser.consent(with(&there, name, value), "bob", &self.plan).await
    }
}

fn settings(issuer: &str, secret: &Path) -> OidcSettings {
    let group = |group: &str, role, subscription: Option<&str>| GroupSetting {
        group: group.to_owned(),
        role,
        subscription: subscription.map(str::to_owned),
    };
    OidcSettings {
        issuer: issuer.to_owned(),
        client_id: "netcensus".to_owned(),
        client_secret_file: secret.to_owned(),
        scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
        roles: vec![
            group("netcensus-readers", Role::Reader, Some("Contoso")),
            group("netcensus-owners", Role::Owner, Some("Contoso")),
            group("netcensus-admins", Role::GlobalAdmin, None),
        ],
        ..OidcSettings::default()
    }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(n, _)| n == name).unwrap().1.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_the_provider_with_the_role_of_their_group_at_each_sign_in() {
    let mut world = World::start().await;
    let mut alice = Browser::new();
    let answer = alice.sign_in(&world.plan, "alice").await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status == StatusCode::OK && text.contains("http-equiv=\"refresh\""), "{status} {text}");
    let (plan, sid) = (&world.plan, &world.plan.sid);
    assert_eq!(world.home(&mut alice).await, format!("/subscriptions/{sid}"));
    assert_eq!(plan.store.role_binding(sid, ALICE).await.unwrap().role, Role::Owner);
    // Bob is in no group: he gets in and sees nothing.
    let mut bob = Browser::new();
    world.admit(&mut bob, "bob").await;
    assert_eq!(world.home(&mut bob).await, "/subscriptions");

    world.provider.tell("group netcensus-readers");
    world.admit(&mut alice, "alice").await;
    let (plan, sid) = (&world.plan, &world.plan.sid);
    assert_eq!(plan.store.role_binding(sid, ALICE).await.unwrap().role, Role::Reader);
    world.provider.tell("group netcensus-admins");
    world.admit(&mut alice, "alice").await;
    let (plan, sid) = (&world.plan, &world.plan.sid);
    assert!(plan.store.person(ALICE).await.unwrap().global_admin);
    assert!(plan.store.role_binding(sid, ALICE).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_can_be_switched_off_and_then_open_nothing() {
    let world = World::start().await;
    let page = format!("{}/login", world.plan.url);
    let login = Browser::new().get(&page.parse().unwrap()).await.text().await.unwrap();
    assert!(login.contains("Sign in with single sign-on") && !login.contains("type=\"password\""), "{login}");
    let form = world.plan.client.post(page).header("sec-fetch-site", "same-origin");
    let form = form.header(header::CONTENT_TYPE, FORM).body("name=owner&password=a+long+enough+password");
    assert_eq!(form.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_and_forged_sign_ins_are_refused() {
    let world = World::start().await;
    let mut browser = Browser::new();
    // A wrong state, another browser, and a sign-in that was used.
    let back = world.callback(&mut browser).await;
    assert_refused(browser.get(&with(&back, "state", &stranger())).await, "another browser").await;
    assert_refused(Browser::new().get(&back).await, "another browser").await;
    assert_eq!(browser.get(&back).await.status(), StatusCode::OK);
    assert_refused(browser.get(&back).await, "another browser").await;
    // A code that was used.
    let next = world.callback(&mut browser).await;
    let used = with(&next, "code", &parameter(&back, "code"));
    assert_refused(browser.get(&used).await, "does not accept the code").await;
    assert_refused(browser.get(&next).await, "unknown, used or too old").await;
    // The nonce of another sign-in; a code without the verifier of PKCE.
    let back = world.forged_callback(&mut browser, "nonce", "another").await;
    assert_refused(browser.get(&back).await, "belongs to another sign-in").await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let back = world.forged_callback(&mut browser, "code_challenge", challenge).await;
    assert_refused(browser.get(&back).await, "does not accept the code").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_are_cancelled_too_old_or_for_another_service_are_refused() {
    let mut world = World::start().await;
    let mut browser = Browser::new();
    let state = parameter(&browser.begin(&world.plan).await, "state");
    let no = format!("{}/login/oidc/callback?error=access_denied&state={state}", world.plan.url);
    assert_refused(browser.get(&no.parse().unwrap()).await, "signed nobody in").await;
    let back = world.callback(&mut browser).await;
    world.wait(HOUR);
    assert_refused(browser.get(&back).await, "unknown, used or too old").await;
    // The identity token has expired.
    world.wait(2 * HOUR);
    assert_refused(browser.sign_in(&world.plan, "bob").await, "has expired").await;
    world.wait(0);
    world.provider.tell("audience another");
    assert_refused(browser.sign_in(&world.plan, "bob").await, "for another service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_provider_is_fetched_and_a_key_that_it_does_not_list_is_refused() {
    let mut world = World::start().await;
    let mut browser = Browser::new();
    world.admit(&mut browser, "bob").await;
    world.provider.tell("rotate");
    world.wait(60 * SECOND);
    world.admit(&mut browser, "bob").await;
    world.provider.tell("forge");
    world.wait(120 * SECOND);
    assert_refused(browser.sign_in(&world.plan, "bob").await, "no key of that name").await;
    world.provider.tell("rotate");
    world.wait(180 * SECOND);
    world.admit(&mut browser, "bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_disabled_here_stays_out_though_the_provider_knows_them() {
    let world = World::start().await;
    let plan = &world.plan;
    let admin = plan.admin().await;
    let mut browser = Browser::new();
    world.admit(&mut browser, "bob").await;
    let session = browser.session().unwrap();
    let disable = plan.api_as(&admin, Method::POST, "/people/bob@contoso.example/disable");
    send(disable).await.succeeds(200);
    let account = plan.client.get(format!("{}/api/v1/account", plan.url)).header(header::COOKIE, session);
    assert_eq!(send(account).await.status, 401);
    assert_refused(browser.sign_in(plan, "bob").await, "is disabled here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_does_not_answer_nobody_gets_in() {
    let World { plan, provider, _secret } = World::start().await;
    drop(provider);
    plan.move_to(SystemClock.now().plus(3 * HOUR));
    let url = format!("{}/login/oidc", plan.url).parse().unwrap();
    assert_eq!(Browser::new().get(&url).await.status(), StatusCode::BAD_GATEWAY);
}

fn external(issuer: &str, subject: &str, name: &str) -> ExternalPerson {
    ExternalPerson {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        name: name.to_owned(),
        email: None,
    }
}

fn alice() -> ExternalPerson {
    external("https://id.example", "1", "alice")
}

/// The name under which the store admits a person with this role on the subscription.
async fn admit(plan: &Plan, person: &ExternalPerson, role: Option<Role>) -> Result<String, StoreError> {
    let roles = [GroupRole { subscription: Some(plan.sid.clone()), role }];
    plan.store.admit(person, &roles, &By::service(), plan.now()).await.map(|admitted| admitted.name)
}

async fn an_external_person_is_known_by_issuer_and_subject_and_not_by_name(plan: Plan) {
    assert_eq!(admit(&plan, &alice(), Some(Role::Contributor)).await.unwrap(), "alice");
    assert!(!plan.store.person("alice").await.unwrap().global_admin);
    // Renamed at the provider, the person stays the same, though somebody here has the new name.
    let renamed = external("https://id.example", "1", "owner");
    assert_eq!(admit(&plan, &renamed, Some(Role::Contributor)).await.unwrap(), "alice");
    for thief in
        [external("https://id.example", "2", "owner"), external("https://other.example", "1", "alice")]
    {
        let outcome = admit(&plan, &thief, None).await;
        assert!(matches!(outcome, Err(StoreError::Access(AccessRefusal::NameOfAnother(_)))), "{outcome:?}");
    }
}

async fn groups_take_the_role_of_an_owner_away_unless_there_is_no_other(plan: Plan) {
    admit(&plan, &alice(), Some(Role::Owner)).await.unwrap();
    admit(&plan, &alice(), None).await.unwrap();
    assert!(plan.store.role_binding(&plan.sid, "alice").await.is_err(), "there is another owner");
    admit(&plan, &alice(), Some(Role::Owner)).await.unwrap();
    plan.unbind("owner").await;
    admit(&plan, &alice(), None).await.unwrap();
    assert_eq!(plan.store.role_binding(&plan.sid, "alice").await.unwrap().role, Role::Owner);
}

async fn a_sign_in_in_progress_is_taken_once_and_within_ten_minutes(plan: Plan) {
    let now = plan.now();
    let pending = PendingSignIn { nonce: "n".into(), verifier: "v".into() };
    plan.store.keep_sign_in("s1", &pending, now).await.unwrap();
    plan.store.keep_sign_in("s2", &pending, now).await.unwrap();
    assert_eq!(plan.store.take_sign_in("s1", now).await.unwrap(), Some(pending));
    assert_eq!(plan.store.take_sign_in("s1", now).await.unwrap(), None);
    assert_eq!(plan.store.take_sign_in("s2", now.plus(600 * SECOND)).await.unwrap(), None);
}
