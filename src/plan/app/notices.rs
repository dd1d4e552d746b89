//! Notices: what a person has not read yet, of what they want to hear, and the job that finds what goes on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::causes::Circumstances;
use super::{App, May, Own, Refusal, mail};
use crate::billing::forecast::{Forecast, Sample};
use crate::billing::timeline::in_effect;
use crate::census::Timestamp;
use crate::census::time::{HOUR, MINUTE};
use crate::plan::alert_ledger::LedgerEntry;
use crate::plan::entitlement::entitlement;
use crate::plan::finding_ledger::FindingRecord;
use crate::plan::mail::address;
use crate::plan::notice::{Channel, Choices, Notice, NoticeKind};
use crate::plan::permission::View;
use crate::plan::secret;
use crate::plan::store::{By, ChangedChoices, MailEntry, NoticeChoices};
use crate::wire::SubscriptionId;

/// The schema of [`NoticeList`].
pub const SCHEMA: &str = "netcensus.notices/1";
/// The most notices of a list.
pub const LISTED: usize = 200;
/// How often a subscription that nobody looks at is counted for its notices.
const COUNTED: i64 = HOUR;
/// How long a person waits for another code.
const CODES: i64 = 10 * MINUTE;
/// E-mails that the account shows.
const MAILS: i64 = 5;

/// The notices of a subscription for one person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeList {
    /// `netcensus.notices/1`.
    pub schema: &'static str,
    /// How many the person has not read yet.
    pub unread: u64,
    /// Up to which number the person has read them.
    pub read_to: i64,
    /// The newest first; at most 200. Kinds of which the person does not want to hear are left out.
    pub notices: Vec<Notice>,
}

/// Up to which number notices are read.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadUpTo {
    /// The number of the newest notice that was read.
    pub up_to: i64,
}

/// Of what a person hears, and how.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeSettings {
    /// Each kind with its channel: `off`, `console` or `mail`.
    #[schema(value_type = std::collections::BTreeMap<String, Channel>)]
    pub choices: Choices,
    /// The confirmed address to which e-mails go; null if there is none.
    pub address: Option<String>,
    /// The address to which a code was sent that was not entered yet.
    pub pending: Option<String>,
    /// Whether this service sends e-mail.
    pub mail: bool,
    /// The hour in UTC from which the e-mail of a day is sent; null if the service sends none.
    pub hour: Option<u8>,
    /// The newest e-mails to the person, and what became of them.
    pub sent: Vec<MailEntry>,
}

/// A change of what a person hears. What is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeChange {
    /// Kinds, each with its channel.
    #[schema(value_type = std::collections::BTreeMap<String, Channel>)]
    pub choices: Choices,
    /// The address for e-mails. A code is sent there, and the address is used once the code was entered. Empty: no e-mail.
    pub address: Option<String>,
}

/// The code that was sent to an address.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressCode {
    /// As the e-mail has it.
    pub code: String,
}

/// The notices for the caller. Who is not a person, such as the operator, gets all.
pub async fn list(app: &App, may: &May<View>) -> Result<NoticeList, Refusal> {
    let person = may.by.person_name();
    let off = app.store.notice_choices(person).await?.choices.off();
    let off = if person.is_empty() { Vec::new() } else { off };
    let read_to = app.store.notices_read(may.id(), person).await?;
    let withheld = is_withheld(app, may.id()).await?;
    let mut notices = app.store.notices(may.id(), LISTED).await?;
    notices.retain(|n| !(off.contains(&n.kind) || withheld && n.kind == NoticeKind::AlertOpen));
    let unread = unread(app, may.id(), person).await?;
    Ok(NoticeList { schema: SCHEMA, unread, read_to, notices })
}

/// How many notices of a subscription a person has not read yet.
pub async fn unread(app: &App, subscription: &SubscriptionId, person: &str) -> Result<u64, Refusal> {
    let by_kind = app.store.unread_notices(subscription, person).await?;
    if by_kind.is_empty() {
        return Ok(0);
    }
    let mut by_kind = by_kind;
    if by_kind.contains_key(&NoticeKind::AlertOpen) && is_withheld(app, subscription).await? {
        by_kind.remove(&NoticeKind::AlertOpen);
    }
    let choices = app.store.notice_choices(person).await?.choices;
    Ok(by_kind.iter().filter(|(kind, _)| choices.of(**kind) != Channel::Off).map(|(_, n)| n).sum())
}

/// Whether notices of alerts are withheld, because no plan is in effect (P7).
pub(super) async fn is_withheld(app: &App, subscription: &SubscriptionId) -> Result<bool, Refusal> {
    Ok(entitlement(&app.store.plans(subscription).await?, app.now()).is_err())
}

/// Records that the caller has read the notices up to a number.
pub async fn read(app: &App, may: &May<View>, up_to: ReadUpTo) -> Result<(), Refusal> {
    let person = may.by.person_name();
    if person.is_empty() {
        return Err(Refusal::invalid("only a person reads notices"));
    }
    Ok(app.store.read_notices(may.id(), person, up_to.up_to, &may.by).await?)
}

/// Of what the caller hears.
pub async fn settings(app: &App, caller: &Own) -> Result<NoticeSettings, Refusal> {
    let person = &caller.person.name;
    let chosen = app.store.notice_choices(person).await?;
    shown(app, person, chosen).await
}

/// Changes of what the caller hears.
///
/// # Errors
/// An address that cannot be used, [`Refusal::TooMany`] if a code was sent a short time ago, or the store's.
pub async fn choose(app: &App, caller: &Own, change: NoticeChange) -> Result<NoticeSettings, Refusal> {
    let (person, now) = (&caller.person.name, app.now());
    let chosen = change_of(app, person, change, &caller.by, now).await?;
    if chosen.pending.is_some() && !caller.by.dry_run {
        // The job would send the code within a minute.
        tokio::spawn(mail::send_due(app.clone()));
    }
    shown(app, person, chosen).await
}

async fn change_of(
    app: &App,
    person: &str,
    change: NoticeChange,
    by: &By,
    now: Timestamp,
) -> Result<NoticeChoices, Refusal> {
    let asked = change.address.as_deref().map(str::trim);
    let wanted = match asked {
        None | Some("") => None,
        Some(text) => Some(address(text).map_err(Refusal::invalid)?),
    };
    if wanted.is_some() && app.settings.mailer.is_none() {
        return Err(Refusal::invalid("this service sends no e-mail: the operator has not configured [mail]"));
    }
    let code = secret::generate("").map_err(|e| Refusal::Defect(e.to_string()))?;
    let id = secret::generate("").map_err(|e| Refusal::Defect(e.to_string()))?;
    let change = |before: NoticeChoices| -> Result<ChangedChoices, Refusal> {
        let choices = NoticeChoices { choices: change.choices.over(&before.choices), ..before.clone() };
        let same = |choices| Ok(ChangedChoices { choices, code: None, mail: None });
        match (asked, wanted) {
            (None, _) => same(choices),
            (Some(_), None) => same(NoticeChoices { address: None, pending: None, ..choices }),
            (Some(_), Some(new)) if before.address.as_ref() == Some(&new) => {
                same(NoticeChoices { pending: None, ..choices })
            }
            (Some(_), Some(new)) => {
                let waited = before.code_at.map_or(CODES, |at| now.since(at).max(0));
                if waited < CODES {
                    let left = (CODES - waited).div_euclid(1_000_000_000) + 1;
                    return Err(Refusal::TooMany(u64::try_from(left).unwrap_or(1)));
                }
                let mail = mail::confirmation(app, id, person, &new, &code, now);
                let choices = NoticeChoices { pending: Some(new), code_at: Some(now), ..choices };
                Ok(ChangedChoices { choices, code: Some(secret::hash(&code)), mail: Some(mail) })
            }
        }
    };
    app.store.set_notice_choices(person, by, now, change).await
}

/// Confirms an address by the code that was sent there.
pub async fn confirm(app: &App, caller: &Own, code: &AddressCode) -> Result<NoticeSettings, Refusal> {
    let person = &caller.person.name;
    let chosen = app.store.confirm_address(person, code.code.trim(), &caller.by, app.now()).await?;
    shown(app, person, chosen).await
}

async fn shown(app: &App, person: &str, chosen: NoticeChoices) -> Result<NoticeSettings, Refusal> {
    let mailer = app.settings.mailer.as_deref();
    Ok(NoticeSettings {
        choices: chosen.choices.whole(),
        address: chosen.address,
        pending: chosen.pending,
        mail: mailer.is_some(),
        hour: mailer.map(|mailer| mailer.hour),
        sent: app.store.mail_of(person, MAILS).await?,
    })
}

/// The counts by which notices are judged, so that a subscription which nobody looks at is not counted every minute.
#[derive(Debug, Default)]
pub struct KnownCounts(Mutex<HashMap<SubscriptionId, (Timestamp, Vec<Sample>)>>);

impl KnownCounts {
    fn fresh(&self, subscription: &SubscriptionId, now: Timestamp) -> Option<Vec<Sample>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, samples) = known.get(subscription)?;
        (0..COUNTED).contains(&now.since(*at)).then(|| samples.clone())
    }

    fn keep(&self, subscription: &SubscriptionId, now: Timestamp, samples: Vec<Sample>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(subscription.clone(), (now, samples));
    }
}

/// Finds what goes on in all subscriptions. If one subscription fails, the others are still looked at.
///
/// # Errors
/// The last of the store's errors.
pub async fn record_due(app: App) -> Result<(), Refusal> {
    let mut outcome = Ok(());
    for subscription in app.store.subscriptions().await? {
        match record(&app, &subscription.id).await {
            Ok(0) => {}
            Ok(begun) => tracing::info!(begun, subscription = %subscription.id, "new notices"),
            Err(error) => {
                tracing::error!(%error, subscription = %subscription.id, "notices could not be recorded");
                outcome = Err(error);
            }
        }
    }
    outcome
}

async fn record(app: &App, subscription: &SubscriptionId) -> Result<usize, Refusal> {
    let now = app.now();
    let plans = app.store.plans(subscription).await?;
    let sensors = app.store.sensors(subscription).await?;
    let closed = app.store.closed_months(subscription).await?;
    let ledger = app.store.finding_ledger(subscription).await?;
    let findings = ledger.into_list(FindingRecord::is_open);
    let committed = in_effect(&plans, now).and_then(|plan| plan.committed);
    let forecast = match committed {
        // Without a committed number there is nothing to pass.
        None => Some(Forecast::new(&[], None, now)),
        Some(_) => samples(app, subscription, now).await?.map(|all| Forecast::new(&all, committed, now)),
    };
    let alerts = match entitlement(&plans, now) {
        Ok(()) => {
            let entries = app.store.alert_ledger(subscription).await?.entries;
            Some(entries.into_values().filter(LedgerEntry::is_news).collect::<Vec<_>>())
        }
        Err(_) => None,
    };
    let circumstances = Circumstances {
        plans: &plans,
        sensors: &sensors,
        forecast: forecast.as_ref(),
        closed: &closed,
        findings: &findings,
        alerts: alerts.as_deref(),
    };
    let (causes, judged) = (circumstances.causes(now), circumstances.judged());
    Ok(app.store.record_causes(subscription, &causes, &judged, now).await?)
}

/// The counts of the last days; `None` if the service is too busy to count now.
async fn samples(
    app: &App,
    subscription: &SubscriptionId,
    now: Timestamp,
) -> Result<Option<Vec<Sample>>, Refusal> {
    if let Some(known) = app.known_counts.fresh(subscription, now) {
        return Ok(Some(known));
    }
    match app.samples(subscription).await {
        Ok(samples) => {
            app.known_counts.keep(subscription, now, samples.clone());
            Ok(Some(samples))
        }
        Err(Refusal::Busy { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
