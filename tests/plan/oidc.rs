//! Signing in by a real identity provider, which runs beside the tests; see `provider.py`.

use std::path::Path;
use std::sync::Arc;

use netcensus::clock::{Clock as _, SystemClock};
use netcensus::plan::app::AccessSettings;
use netcensus::plan::app::inventory::CountAt;
use netcensus::plan::oidc::{GroupSetting, OidcSettings, Provider};
use netcensus::plan::permission::Role;
use netcensus::plan::store::audit::AuditEntry;
use netcensus::plan::store::{
    AccessRefusal, Admitted, By, ExternalPerson, GroupRole, Kept, PendingSignIn, StoreError,
};
use reqwest::{Method, Response, StatusCode, Url, header};
use serde_json::json;

use crate::support::browser::FORM;
use crate::support::databases::Backend::Sqlite;
use crate::support::databases::on_each_database;
use crate::support::provider::{CookieBrowser, ProviderProcess, target, with};
use crate::support::{HOUR, Plan, SECOND, send, stranger};

on_each_database! {
    an_external_person_is_known_by_issuer_and_subject_and_not_by_name,
    groups_take_the_role_of_an_owner_away_unless_there_is_no_other,
    a_sign_in_in_progress_is_taken_once_and_within_ten_minutes,
    groups_never_take_the_only_global_admin_away,
    a_person_is_linked_to_another_subject_by_a_global_admin,
}

const ALICE: &str = "alice@contoso.example";

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
    provider: ProviderProcess,
    _secret: tempfile::NamedTempFile,
}

impl World {
    async fn start() -> Self {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "secret-of-the-client\n").unwrap();
        let mut process = None;
        let access = |url: &str| {
            let started = ProviderProcess::start(&format!("{url}/login/oidc/callback"));
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
    async fn home(&self, browser: &mut CookieBrowser) -> String {
        let home = format!("{}/", self.plan.url).parse().unwrap();
        target(&home, &browser.get(&home).await).path().to_owned()
    }

    /// Signs in, and expects to get in.
    async fn admit(&self, browser: &mut CookieBrowser, name: &str) {
        assert_eq!(browser.sign_in(&self.plan, name).await.status(), StatusCode::OK);
    }

    /// The URL at the service to which the provider redirects bob's browser.
    async fn callback(&self, browser: &mut CookieBrowser) -> Url {
        let there = browser.begin(&self.plan).await;
        browser.consent(there, "bob", &self.plan).await
    }

    /// The same, after a parameter of the request to the provider was replaced.
    async fn forged_callback(&self, browser: &mut CookieBrowser, name: &str, value: &str) -> Url {
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
    let mut alice = CookieBrowser::new();
    let answer = alice.sign_in(&world.plan, "alice").await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status == StatusCode::OK && text.contains("http-equiv=\"refresh\""), "{status} {text}");
    let (plan, sid) = (&world.plan, &world.plan.sid);
    assert_eq!(world.home(&mut alice).await, format!("/subscriptions/{sid}"));
    assert_eq!(plan.store.role_binding(sid, ALICE).await.unwrap().role, Role::Owner);
    // Bob is in no group: he gets in and sees nothing.
    let mut bob = CookieBrowser::new();
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

/// The newest row of the installation's trail with this action.
async fn newest_row(plan: &Plan, action: &str) -> Option<AuditEntry> {
    plan.installation_trail_of(action).await.into_iter().next()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_the_provider_leaves_out_change_no_role_and_the_sign_in_says_so() {
    let mut world = World::start().await;
    let issuer = world.provider.url.clone();
    let mut alice = CookieBrowser::new();
    world.admit(&mut alice, "alice").await;
    let overage = r#"{"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}"#;
    for (claims, why) in [
        (overage, "there are too many"),
        (r#"{"hasgroups": true}"#, "there are too many"),
        (r#"{"groups:src1": "https://graph.example"}"#, "there are too many"),
        (r#"{"groups": [{"name": "x"}]}"#, "cannot be read"),
    ] {
        world.provider.tell(&format!("claims {claims}"));
        let page = alice.sign_in(&world.plan, "alice").await.text().await.unwrap();
        assert!(page.contains("Your roles stay as they were") && page.contains(why), "{claims}: {page}");
        assert!(!page.contains("http-equiv"), "the page waits until it is read");
        let (plan, sid) = (&world.plan, &world.plan.sid);
        assert_eq!(plan.store.role_binding(sid, ALICE).await.unwrap().role, Role::Owner, "{claims}");
        let row = newest_row(plan, "role.kept").await.unwrap();
        assert_eq!(row.actor, format!("provider:{issuer}"));
        assert!(row.reason.unwrap().contains(why), "{claims}");
    }
    // Bob has no role that he could keep, and reads nothing about it.
    world.provider.tell("claims {}");
    let page = CookieBrowser::new().sign_in(&world.plan, "bob").await.text().await.unwrap();
    assert!(page.contains("http-equiv") && !page.contains("Your roles"), "{page}");
    // An empty list says that there is none. The only owner stays, and reads why.
    world.provider.tell(r#"claims {"groups": []}"#);
    world.plan.unbind("owner").await;
    let page = alice.sign_in(&world.plan, "alice").await.text().await.unwrap();
    assert!(page.contains("You stay an owner of the subscription"), "{page}");
    assert_eq!(world.plan.store.role_binding(&world.plan.sid, ALICE).await.unwrap().role, Role::Owner);
    world.plan.bind("owner", Role::Owner).await;
    // A claim that nothing excuses says so too: who left the last group must lose the role.
    world.provider.tell("claims {}");
    world.admit(&mut alice, "alice").await;
    assert!(world.plan.store.role_binding(&world.plan.sid, ALICE).await.is_err());
    let row = world.plan.trail_of("role.unbind").await.into_iter().next().unwrap();
    assert_eq!(row.actor, format!("provider:{issuer}"), "not the person herself");
    assert_eq!(row.reason.as_deref(), Some("at sign-in, none of the person's groups gives a role"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_by_a_minute_sign_in_and_others_are_told() {
    let world = World::start().await;
    let mut browser = CookieBrowser::new();
    world.wait(-50 * SECOND);
    world.admit(&mut browser, "bob").await;
    world.wait(-HOUR);
    let early = browser.sign_in(&world.plan, "bob").await;
    assert_refused(early, "s ahead of this service").await;
    world.wait(24 * HOUR);
    let late = browser.sign_in(&world.plan, "bob").await;
    assert_refused(late, "s behind this service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_can_be_switched_off_and_then_open_nothing() {
    let world = World::start().await;
    let page = format!("{}/login", world.plan.url);
    let login = CookieBrowser::new().get(&page.parse().unwrap()).await.text().await.unwrap();
    assert!(login.contains("Sign in with single sign-on") && !login.contains("type=\"password\""), "{login}");
    let form = world.plan.client.post(page).header("sec-fetch-site", "same-origin");
    let form = form.header(header::CONTENT_TYPE, FORM).body("name=owner&password=a+long+enough+password");
    assert_eq!(form.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_and_forged_sign_ins_are_refused() {
    let world = World::start().await;
    let mut browser = CookieBrowser::new();
    // A wrong state, another browser, and a sign-in that was used.
    let back = world.callback(&mut browser).await;
    assert_refused(browser.get(&with(&back, "state", &stranger())).await, "another browser").await;
    assert_refused(CookieBrowser::new().get(&back).await, "another browser").await;
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
    let mut browser = CookieBrowser::new();
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
    let mut browser = CookieBrowser::new();
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
    let mut browser = CookieBrowser::new();
    world.admit(&mut browser, "bob").await;
    let session = browser.session().unwrap();
    let disable = plan.api_as(&admin, Method::POST, "/people/bob@contoso.example/disable");
    send(disable).await.succeeds(200);
    let account = plan.client.get(format!("{}/api/v1/account", plan.url)).header(header::COOKIE, session);
    assert_eq!(send(account).await.status, 401);
    assert_refused(browser.sign_in(plan, "bob").await, "is disabled; ask a global admin").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_does_not_answer_nobody_gets_in() {
    let World { plan, provider, _secret } = World::start().await;
    drop(provider);
    plan.move_to(SystemClock.now().plus(3 * HOUR));
    let url = format!("{}/login/oidc", plan.url).parse().unwrap();
    assert_eq!(CookieBrowser::new().get(&url).await.status(), StatusCode::BAD_GATEWAY);
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
    let admitted = plan.store.admit(person, &roles, &By::service(), plan.now()).await?;
    Ok(admitted.person.name)
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
        assert!(
            matches!(outcome, Err(StoreError::Access(AccessRefusal::NameOfAnother { .. }))),
            "{outcome:?}"
        );
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

/// Admits a person whose groups give or take the administration of the installation.
async fn sync_admin(plan: &Plan, person: &ExternalPerson, role: Option<Role>) -> Admitted {
    let roles = [GroupRole { subscription: None, role }];
    plan.store.admit(person, &roles, &By::service(), plan.now()).await.unwrap()
}

async fn groups_never_take_the_only_global_admin_away(plan: Plan) {
    let first = sync_admin(&plan, &alice(), Some(Role::GlobalAdmin)).await;
    assert!(first.person.global_admin && first.kept.is_empty());
    let row = newest_row(&plan, "person.global-admin").await.unwrap();
    assert_eq!(row.actor, "provider:https://id.example", "not the person herself");
    assert_eq!(row.reason.as_deref(), Some("at sign-in, the person's groups give G"));

    let kept = sync_admin(&plan, &alice(), None).await;
    assert!(kept.person.global_admin && kept.kept == [Kept::LastAdmin], "{kept:?}");
    assert!(plan.store.person("alice").await.unwrap().global_admin);
    let row = newest_row(&plan, "role.kept").await.unwrap();
    assert_eq!((row.object.as_str(), row.actor.as_str()), ("person/alice", "provider:https://id.example"));

    // A disabled admin signs nobody in.
    plan.create_person("other", true).await;
    plan.store.set_disabled("other", true, &By::operator(), plan.now()).await.unwrap();
    assert_eq!(sync_admin(&plan, &alice(), None).await.kept, [Kept::LastAdmin]);
    // Neither does one who was invited and has not chosen a password.
    plan.store.create_person_without_password("invited", true, &By::operator(), plan.now()).await.unwrap();
    assert_eq!(sync_admin(&plan, &alice(), None).await.kept, [Kept::LastAdmin]);
    plan.store.set_disabled("other", false, &By::operator(), plan.now()).await.unwrap();
    assert!(!sync_admin(&plan, &alice(), None).await.person.global_admin);
    let last = plan.store.set_disabled("other", true, &By::operator(), plan.now()).await;
    assert!(matches!(last, Err(StoreError::Access(AccessRefusal::LastAdmin(_)))), "{last:?}");
}

async fn a_person_is_linked_to_another_subject_by_a_global_admin(plan: Plan) {
    let admin = plan.admin().await;
    admit(&plan, &alice(), Some(Role::Contributor)).await.unwrap();
    let anew = external("https://id.example", "2", "alice");
    let refused = admit(&plan, &anew, None).await.unwrap_err().to_string();
    assert!(refused.contains("your subject '2'"), "{refused}");
    let relink = |person: &str, body: serde_json::Value| {
        send(plan.api_as(&admin, Method::POST, &format!("/people/{person}/relink")).json(&body))
    };
    let to = |subject: &str| json!({"issuer": "https://id.example", "subject": subject});
    assert_eq!(
        relink("alice", json!({"subject": "2"})).await.problem(),
        (422, "invalid-name"),
        "no provider"
    );
    assert_eq!(relink("nobody", to("2")).await.status, 404);
    let entry = relink("alice", to("2")).await.succeeds(200);
    assert_eq!(entry["identities"], json!([{"issuer": "https://id.example", "subject": "2", "email": null}]));
    assert_eq!(admit(&plan, &anew, Some(Role::Contributor)).await.unwrap(), "alice");
    assert_eq!(relink("owner", to("2")).await.problem(), (409, "name-taken"));
    // Whoever has the former subject is somebody else now.
    let former = admit(&plan, &alice(), None).await;
    assert!(matches!(former, Err(StoreError::Access(AccessRefusal::NameOfAnother { .. }))), "{former:?}");
    let row = newest_row(&plan, "person.relink").await.unwrap();
    assert_eq!(
        (row.actor.as_str(), row.before),
        ("person:admin", Some(json!({"issuer": "https://id.example", "subjects": ["1"]})))
    );
}
