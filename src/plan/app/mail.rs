//! The e-mail of a day, and the job that sends what is queued.

use std::collections::BTreeSet;

use super::notices::is_withheld;
use super::{App, Refusal};
use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR, MINUTE};
use crate::plan::mail::{MailError, Mailer, header};
use crate::plan::notice::{Channel, NoticeKind};
use crate::plan::secret;
use crate::plan::store::{Attempted, Digest, DigestPart, QueuedMail};
use crate::wire::SubscriptionId;

/// E-mails that one run sends; the next run, a minute later, sends the rest.
const AT_ONCE: i64 = 20;
/// The longest pause between two attempts.
const PAUSE: i64 = 6 * HOUR;
/// After so long an e-mail is given up.
const GIVEN_UP: i64 = 3 * DAY;
/// Notices of a subscription that an e-mail lists.
const LISTED: usize = 50;
/// Subscriptions that an e-mail lists.
const PARTS: usize = 50;
/// The name of the job, whose turn one service has at a time.
pub(super) const JOB: &str = "send_mail";

/// Queues the e-mails of the day, and sends what is due.
///
/// # Errors
/// The store's. If the mail server is away, the account of each person says so.
pub async fn run(app: App) -> Result<(), Refusal> {
    let Some(mailer) = app.settings.mailer.clone() else { return Ok(()) };
    let now = app.now();
    let day = now.0.div_euclid(DAY);
    if now.0.rem_euclid(DAY) >= i64::from(mailer.hour) * HOUR {
        let mut withheld = BTreeSet::new();
        for subscription in app.store.subscriptions().await? {
            if is_withheld(&app, &subscription.id).await? {
                withheld.insert(subscription.id);
            }
        }
        let compose = |digest: &Digest| composed(&app, digest, &withheld, now);
        let queued = app.store.queue_digests(day, now, compose).await?;
        if queued > 0 {
            tracing::info!(queued, "queued e-mails with notices");
        }
    }
    deliver(&app, &mailer).await
}

/// Sends what is due now, unless a job is at it.
pub(super) async fn send_due(app: App) {
    let Some(mailer) = app.settings.mailer.clone() else { return };
    let sent = async {
        match app.store.turn(JOB).await? {
            Some(_turn) => deliver(&app, &mailer).await,
            None => Ok(()),
        }
    };
    if let Err(error) = sent.await {
        tracing::error!(%error, "e-mails could not be sent; the job tries again within a minute");
    }
}

async fn deliver(app: &App, mailer: &Mailer) -> Result<(), Refusal> {
    for mail in app.store.due_mail(AT_ONCE, app.now()).await? {
        let sent = mailer.send(&mail).await;
        let now = app.now();
        let outcome = match &sent {
            Ok(()) => Attempted::Sent,
            Err(MailError::Refused(why)) => Attempted::GivenUp(why.clone()),
            Err(MailError::NotNow(why) | MailError::Away(why)) => later(&mail, why, now),
        };
        app.store.attempted_mail(&mail.id, &outcome, now).await?;
        if let Err(error) = &sent {
            tracing::warn!(%error, person = %mail.person, "an e-mail was not sent");
        }
        if matches!(sent, Err(MailError::Away(_))) {
            break;
        }
    }
    Ok(())
}

/// Pauses double from a minute to six hours.
fn later(mail: &QueuedMail, why: &str, now: Timestamp) -> Attempted {
    if now.since(mail.created_at) >= GIVEN_UP {
        return Attempted::GivenUp(why.to_owned());
    }
    let pause = MINUTE.saturating_mul(1 << mail.attempts.min(20)).min(PAUSE);
    Attempted::Later(now.plus(pause), why.to_owned())
}

/// The e-mail with the code for an address.
pub(super) fn confirmation(
    app: &App,
    id: String,
    person: &str,
    address: &str,
    code: &str,
    now: Timestamp,
) -> QueuedMail {
    let url = &app.settings.public_url;
    let body = format!(
        "{person} asked netcensus to send notices to this address. To confirm it, sign in at\r\n\r\n  {url}/account/notices\r\n\r\nand enter this code within 24 hours:\r\n\r\n  {code}\r\n\r\nIf you did not ask for this, do nothing: no further e-mail comes.\r\n",
        person = header(person)
    );
    QueuedMail {
        id,
        person: person.to_owned(),
        address: address.to_owned(),
        subject: "netcensus: confirm this address".to_owned(),
        body,
        created_at: now,
        attempts: 0,
    }
}

/// The e-mail of a day; `None` if the person wants no e-mail about any of it.
/// Alerts of the subscriptions in `withheld` are left out.
fn composed(
    app: &App,
    digest: &Digest,
    withheld: &BTreeSet<SubscriptionId>,
    now: Timestamp,
) -> Option<QueuedMail> {
    let wanted = |part: &DigestPart| {
        let mut part = part.clone();
        let no_alerts = withheld.contains(&part.subscription);
        part.notices.retain(|notice| {
            digest.choices.of(notice.kind) == Channel::Mail
                && !(no_alerts && notice.kind == NoticeKind::AlertOpen)
        });
        (!part.notices.is_empty()).then_some(part)
    };
    let parts: Vec<DigestPart> = digest.parts.iter().filter_map(wanted).collect();
    let number: usize = parts.iter().map(|part| part.notices.len()).sum();
    let newest = parts.iter().flat_map(|part| &part.notices).max_by_key(|notice| notice.began_at)?;
    let subject = match number {
        1 => format!("netcensus: {}", newest.title),
        number => format!("netcensus: {number} notices, the newest: {}", newest.title),
    };
    let body = body(&app.settings.public_url, &parts);
    Some(QueuedMail {
        id: secret::generate("").ok()?,
        person: digest.person.clone(),
        address: digest.address.clone(),
        subject: header(&subject),
        body,
        created_at: now,
        attempts: 0,
    })
}

fn body(url: &str, parts: &[DigestPart]) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        text.push_str(words);
        text.push_str("\r\n");
    };
    for part in parts.iter().take(PARTS) {
        let name = header(&part.name);
        line(&name);
        line(&"=".repeat(name.chars().count()));
        line("");
        for notice in part.notices.iter().rev().take(LISTED) {
            line(&format!("* {}", notice.title));
            let at: String = notice.began_at.to_string().chars().take(16).collect();
            let over = notice.over_at.map(|at| at.to_string().chars().take(16).collect::<String>());
            let over = over.map_or_else(String::new, |at| format!(", over since {}", at.replace('T', " ")));
            line(&format!("  since {} UTC{over}", at.replace('T', " ")));
            line(&format!("  {}", notice.detail));
            line(&format!("  {url}/subscriptions/{}{}", part.subscription, notice.path));
            line("");
        }
        let more = part.notices.len().saturating_sub(LISTED);
        if more > 0 {
            line(&format!("and {more} more: {url}/subscriptions/{}/notices", part.subscription));
            line("");
        }
    }
    let more = parts.len().saturating_sub(PARTS);
    if more > 0 {
        line(&format!("and {more} more subscriptions: {url}/subscriptions"));
        line("");
    }
    line("--");
    line(&format!("You choose of what you hear: {url}/account/notices"));
    text
}
