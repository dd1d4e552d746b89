//! Notices: what begins and ends, who has read it, and the e-mail of a day.

use netcensus::plan::permission::Role;
use netcensus::plan::secret;
use netcensus::plan::store::{By, ChangedChoices, NoticeChoices, StoreError};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::answers::each;
use crate::support::browser::{Browser, Page};
use crate::support::databases::on_each_database;
use crate::support::smtp::{MailServer, Mood};
use crate::support::{Plan, Seen, at};

on_each_database! {
    a_silent_sensor_is_told_of_once_until_it_was_back_for_a_day,
    what_a_person_has_read_is_new_for_another,
    a_person_gets_one_email_a_day_and_none_twice,
    an_email_that_the_server_does_not_take_is_sent_later_or_given_up,
}

/// Lets an address of a person wait for this code.
pub(crate) async fn pending_address(plan: &Plan, person: &str, code: &str) {
    let change = |before: NoticeChoices| -> Result<ChangedChoices, StoreError> {
        let pending = Some(format!("{person}@example.com"));
        let choices = NoticeChoices { pending, code_at: Some(plan.now()), ..before };
        Ok(ChangedChoices { choices, code: Some(secret::hash(code)), mail: None })
    };
    plan.store.set_notice_choices(person, &By::operator(), plan.now(), change).await.unwrap();
}

async fn confirmed_address(plan: &Plan, person: &str) {
    pending_address(plan, person, "a code").await;
    plan.store.confirm_address(person, "a code", &By::operator(), plan.now()).await.unwrap();
}

/// A sensor that uploads at the present.
async fn uploads(plan: &Plan, sensor: &crate::support::TestSensor, sequence: u64) {
    Seen::default().arp("00:40:8c:00:00:0a", "10.0.0.1", "iot-a").send(plan, sensor, sequence, "hq").await;
}

async fn titles(plan: &Plan) -> Vec<String> {
    each(&plan.get("/notices").await["notices"], "title")
}

async fn a_silent_sensor_is_told_of_once_until_it_was_back_for_a_day(plan: Plan) {
    let sensor = plan.ready().await;
    uploads(&plan, &sensor, 1).await;
    plan.run_jobs().await;
    assert_eq!(titles(&plan).await, [""; 0]);
    plan.set_time("2026-11-22T10:00:01Z");
    plan.run_jobs().await;
    plan.run_jobs().await;
    let told = plan.get("/notices").await;
    assert_eq!(each(&told["notices"], "title"), ["the sensor edge-1 is silent since 2026-11-22 09:00 UTC"]);
    assert_eq!((&told["notices"][0]["over_at"], &told["unread"]), (&Value::Null, &json!(1)));
    uploads(&plan, &sensor, 2).await;
    plan.run_jobs().await;
    assert_eq!(plan.get("/notices").await["notices"][0]["over_at"], "2026-11-22T10:00:01Z");
    // It is silent again on the same day, and that is the same notice.
    plan.set_time("2026-11-22T12:00:00Z");
    plan.run_jobs().await;
    let told = plan.get("/notices").await;
    assert_eq!((&told["notices"][0]["number"], &told["notices"][0]["over_at"]), (&json!(1), &Value::Null));
    uploads(&plan, &sensor, 3).await;
    plan.run_jobs().await;
    plan.set_time("2026-11-24T12:00:00Z");
    plan.run_jobs().await;
    let told = plan.get("/notices").await;
    assert_eq!((&told["notices"][0]["number"], &told["notices"][1]), (&json!(2), &Value::Null));
}

async fn what_a_person_has_read_is_new_for_another(plan: Plan) {
    plan.onboard_trial().await;
    plan.set_time("2026-12-16T09:00:00Z");
    plan.run_jobs().await;
    let alice = plan.person("alice", Role::Reader).await;
    let unread = async |token: &str| {
        let answer = plan.client.get(plan.of("/notices")).bearer_auth(token).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["unread"].clone()
    };
    // The trial ends in a week, and the statement of November was closed.
    assert_eq!((unread(&plan.token).await, unread(&alice).await), (json!(2), json!(2)));
    plan.post_as(&alice, "/notices/read", json!({"up_to": 99})).await.succeeds(204);
    assert_eq!((unread(&plan.token).await, unread(&alice).await), (json!(2), json!(0)));
    // The notice of the third day before the end is another one.
    plan.set_time("2026-12-20T09:00:00Z");
    plan.run_jobs().await;
    assert_eq!(unread(&alice).await, json!(1));
    let off = json!({"choices": {"trial_ends": "off"}});
    plan.api(&alice, Method::PATCH, "/account/notices", off).await.succeeds(200);
    assert_eq!((unread(&plan.token).await, unread(&alice).await), (json!(3), json!(0)));
}

async fn a_person_gets_one_email_a_day_and_none_twice(mut plan: Plan) {
    let server = MailServer::start().await;
    plan.mailer = Some(server.mailer());
    plan.onboard_trial().await;
    plan.person("alice", Role::Reader).await;
    plan.create_person("outsider", false).await;
    for person in ["owner", "alice", "outsider"] {
        confirmed_address(&plan, person).await;
    }
    let off = json!({"choices": {"trial_ends": "console", "statement_closed": "off"}});
    let token = plan.issue_token("alice").await;
    plan.api(&token, Method::PATCH, "/account/notices", off).await.succeeds(200);
    let sensor = plan.enrol().await;
    uploads(&plan, &sensor, 1).await;
    let taken = async |time: &str| {
        plan.set_time(time);
        plan.run_jobs().await;
        plan.run_jobs().await;
        server.taken().len()
    };
    assert_eq!(taken("2026-11-22T09:30:00Z").await, 0, "there is no news");
    // The sensor is silent: both hear of it on the same day, because they had no e-mail on that day.
    assert_eq!(taken("2026-11-22T11:00:00Z").await, 2);
    assert_eq!(taken("2026-11-23T05:59:00Z").await, 2);
    assert_eq!(taken("2026-11-23T06:00:00Z").await, 2, "nothing is told twice");
    // Of the trial only the owner wants to hear by e-mail.
    assert_eq!(taken("2026-12-15T09:00:00Z").await, 3);
    let mails = server.taken();
    let first = mails.iter().find(|mail| mail.contains("RCPT TO:<alice@example.com>")).unwrap();
    assert!(
        first.contains("Subject: netcensus: the sensor edge-1 is silent since 2026-11-22 09:00 UTC"),
        "{first}"
    );
    assert!(first.contains("Auto-Submitted: auto-generated"), "{first}");
    let last = mails.last().unwrap();
    assert!(
        last.contains("RCPT TO:<owner@example.com>") && last.contains("the trial ends on 2026-12-22"),
        "{last}"
    );
    assert!(!mails.iter().any(|mail| mail.contains("outsider")));
    let settings = plan.api(&token, Method::GET, "/account/notices", Value::Null).await.succeeds(200);
    assert_eq!(settings["sent"].as_array().unwrap().len(), 1);
    assert_eq!(settings["sent"][0]["error"], Value::Null);
}

async fn an_email_that_the_server_does_not_take_is_sent_later_or_given_up(mut plan: Plan) {
    let server = MailServer::start().await;
    plan.mailer = Some(server.mailer());
    plan.onboard_trial().await;
    confirmed_address(&plan, "owner").await;
    let sent = async |time: &str, mood| {
        server.is(mood);
        plan.set_time(time);
        plan.run_jobs().await;
        let settings =
            plan.api(&plan.token, Method::GET, "/account/notices", Value::Null).await.succeeds(200);
        let newest = settings["sent"][0].clone();
        (server.taken().len(), newest["error"].clone(), newest["ended_at"].is_null())
    };
    let (taken, why, waits) = sent("2026-12-15T09:00:00Z", Mood::NotNow).await;
    assert!(taken == 0 && waits && why.as_str().unwrap().contains("come again"), "{why}");
    let (taken, _, waits) = sent("2026-12-15T09:00:59Z", Mood::Takes).await;
    assert!(taken == 0 && waits, "the pause is a minute");
    let (taken, why, waits) = sent("2026-12-15T09:01:00Z", Mood::WrongPassword).await;
    assert!(taken == 0 && waits && why.as_str().unwrap().contains("wrong password"), "{why}");
    let (taken, why, waits) = sent("2026-12-15T09:03:00Z", Mood::Takes).await;
    assert!(taken == 1 && why.is_null() && !waits);
    let (taken, why, waits) = sent("2026-12-19T09:00:00Z", Mood::Never).await;
    assert!(taken == 1 && !waits && why.as_str().unwrap().contains("no such user"), "{why}");
    let (taken, ..) = sent("2026-12-19T21:00:00Z", Mood::Takes).await;
    assert_eq!(taken, 1, "it was given up");
}

#[tokio::test]
async fn an_address_is_used_once_its_code_was_entered() {
    let server = MailServer::start().await;
    let mut plan = Plan::start().await;
    plan.mailer = Some(server.mailer());
    plan.restart().await;
    let browser = Browser::sign_in(&plan).await;
    let url = format!("{}/account/notices", plan.url);
    let form = async |path: &str, body: &str| {
        let request = plan.client.post(format!("{url}{path}")).header(header::COOKIE, &browser.cookie);
        let request = request
            .header(header::ORIGIN, &plan.url)
            .header(header::CONTENT_TYPE, crate::support::browser::FORM);
        Page::read(request.body(body.to_owned())).await
    };
    browser.get(&url).await.assert(200, "You get no e-mail until you confirm an address");
    let refused = form("", "address=owner%40example.com%0D%0ABcc%3A+eve%40example.com").await;
    refused.assert(400, "write an e-mail address");
    form("", "address=owner%40example.com&clock_off=off").await.assert(200, "A code was sent to");
    let again = form("", "address=eve%40example.com").await;
    again.assert(429, "eve@example.com");
    form("/confirm", "code=guess").await.assert(404, "A code was sent to");
    // The service sends the code without waiting for the job; the job may have to.
    plan.run_jobs().await;
    let mail = loop {
        if let Some(mail) = server.taken().first() {
            break mail.clone();
        }
        tokio::task::yield_now().await;
    };
    let code = mail.lines().skip_while(|line| !line.contains("enter this code")).nth(2).unwrap().trim();
    form("/confirm", &format!("code={code}")).await.assert(200, "E-mails go to <strong>owner@example.com");
    form("/confirm", &format!("code={code}")).await.assert(404, "E-mails go to <strong>owner@example.com");
    form("", "address=").await.assert(200, "You get no e-mail");
}

#[tokio::test]
async fn the_bell_has_the_number_of_notices_that_are_new_and_reading_them_takes_it_away() {
    let plan = Plan::start().await;
    plan.onboard_trial().await;
    let browser = Browser::sign_in(&plan).await;
    assert!(!browser.show("").await.html.contains("class=\"count\">2"));
    plan.set_time("2026-12-15T09:00:00Z");
    plan.run_jobs().await;
    let browser = Browser::sign_in(&plan).await;
    browser.show("").await.assert(200, "class=\"count\">2<span class=\"sr\"> new");
    browser.show("/notices").await.assert(200, "the trial ends on 2026-12-22, within 7 days");
    assert_eq!(browser.post("/notices/read", "up_to=2").await.status, 303);
    let page = browser.show("/notices").await;
    page.assert(200, "You have read everything");
    assert!(!page.html.contains("class=\"count\">2"));
}

#[tokio::test]
async fn without_a_mail_server_no_address_is_taken() {
    let plan = Plan::start().await;
    let asked = json!({"address": "owner@example.com"});
    let refused = plan.api(&plan.token, Method::PATCH, "/account/notices", asked).await;
    let problem = refused.fails(400, "invalid-request");
    assert!(problem["detail"].as_str().unwrap().contains("[mail]"), "{problem}");
    assert_eq!(plan.now(), at(crate::support::START));
}
