//! Of what each person wants to hear, and the address to which e-mails go.

use serde_json::json;

use super::audit::Entry;
use super::engine::{Row, sql};
use super::mail::QueuedMail;
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::census::time::HOUR;
use crate::plan::notice::Choices;
use crate::plan::secret;

/// For how long the code of an address works.
const CODE_LIFE: i64 = 24 * HOUR;

/// What a person chose.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NoticeChoices {
    pub choices: Choices,
    /// The confirmed address.
    pub address: Option<String>,
    /// The address that waits for its code.
    pub pending: Option<String>,
    /// When the newest code was sent.
    pub code_at: Option<Timestamp>,
}

impl Store {
    /// What a person chose; the default if they chose nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn notice_choices(&self, person: &str) -> Result<NoticeChoices, StoreError> {
        self.read().await?.notice_choices(person).await
    }

    /// Changes what a person chose. `change` gets what they chose before, and may add an e-mail with a code.
    ///
    /// # Errors
    /// Those of `change`, or the database's.
    pub async fn set_notice_choices<E: From<StoreError>>(
        &self,
        person: &str,
        by: &By,
        now: Timestamp,
        change: impl FnOnce(NoticeChoices) -> Result<ChangedChoices, E>,
    ) -> Result<NoticeChoices, E> {
        let mut work = self.write(Scope::Installation).await?;
        let before = work.notice_choices(person).await?;
        let after = change(before.clone())?;
        work.put_notice_choices(person, &before, &after, by, now).await?;
        work.finish(by).await?;
        Ok(after.choices)
    }

    /// Confirms the address that waits for this code.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the code is wrong or older than a day, or the database's.
    pub async fn confirm_address(
        &self,
        person: &str,
        code: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<NoticeChoices, StoreError> {
        let mut work = self.write(Scope::Installation).await?;
        let good = "SELECT 1 AS one FROM notice_choice
                    WHERE person = $1 AND code_hash = $2 AND code_at > $3 AND pending IS NOT NULL";
        let good = sql(good).bind(person).bind(secret::hash(code)).bind(now.plus(-CODE_LIFE).0);
        if work.row(good).await?.is_none() {
            return Err(StoreError::NotFound { what: "code", id: "…".into() });
        }
        let before = work.notice_choices(person).await?;
        let choices = NoticeChoices { address: before.pending.clone(), pending: None, ..before.clone() };
        let after = ChangedChoices { choices, code: None, mail: None };
        work.put_notice_choices(person, &before, &after, by, now).await?;
        work.finish(by).await?;
        Ok(after.choices)
    }
}

/// What a person chooses now.
#[derive(Clone, Debug)]
pub struct ChangedChoices {
    pub choices: NoticeChoices,
    /// The hash of the code for a new address.
    pub code: Option<secret::Hash>,
    /// The e-mail with the code.
    pub mail: Option<QueuedMail>,
}

impl Work {
    async fn notice_choices(&mut self, person: &str) -> Result<NoticeChoices, StoreError> {
        let query = "SELECT choices, address, pending, code_at FROM notice_choice WHERE person = $1";
        let Some(row) = self.row(sql(query).bind(person)).await? else { return Ok(NoticeChoices::default()) };
        Ok(NoticeChoices {
            choices: choices(&row)?,
            address: row.opt_text("address")?,
            pending: row.opt_text("pending")?,
            code_at: row.opt_int("code_at")?.map(Timestamp),
        })
    }

    async fn put_notice_choices(
        &mut self,
        person: &str,
        before: &NoticeChoices,
        after: &ChangedChoices,
        by: &By,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ChangedChoices { choices, code, mail } = after;
        let text = serde_json::to_string(&choices.choices);
        let text = text.map_err(|e| StoreError::Corrupt { table: "notice_choice", why: e.to_string() })?;
        // A code stays until another one is sent, or its address is confirmed.
        let put = "INSERT INTO notice_choice (person, choices, address, pending, code_hash, code_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person) DO UPDATE SET choices = excluded.choices,
             address = excluded.address, pending = excluded.pending,
             code_hash = CASE WHEN excluded.pending IS NULL THEN NULL
                         ELSE COALESCE(excluded.code_hash, notice_choice.code_hash) END,
             code_at = excluded.code_at";
        let put =
            sql(put).bind(person).bind(text).bind(choices.address.clone()).bind(choices.pending.clone());
        self.execute(put.bind(code.map(|hash| hash.to_vec())).bind(choices.code_at.map(|at| at.0))).await?;
        if let Some(mail) = mail {
            self.queue_mail(mail, now).await?;
        }
        let entry = Entry {
            action: "notices.choose",
            object: format!("person/{person}"),
            before: Some(traced(before)),
            after: Some(traced(choices)),
            count_delta: None,
        };
        self.audit(None, by, entry, now).await
    }

    /// Records that a person got their e-mail of a day.
    pub(super) async fn had_digest(&mut self, person: &str, day: i64) -> Result<(), StoreError> {
        let set = "UPDATE notice_choice SET digest_day = $2 WHERE person = $1";
        self.execute(sql(set).bind(person).bind(day)).await.map(drop)
    }
}

/// What the audit trail keeps of choices.
fn traced(choices: &NoticeChoices) -> serde_json::Value {
    json!({"choices": choices.choices, "address": choices.address, "pending": choices.pending})
}

/// Choices of kinds that this version does not know are left out.
pub(super) fn choices(row: &Row) -> Result<Choices, StoreError> {
    let corrupt = |e: serde_json::Error| StoreError::Corrupt { table: "notice_choice", why: e.to_string() };
    let all: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_str(row.str("choices")?).map_err(corrupt)?;
    let known = |(kind, channel): (String, serde_json::Value)| {
        Some((crate::plan::notice::NoticeKind::from_key(&kind)?, serde_json::from_value(channel).ok()?))
    };
    Ok(all.into_iter().filter_map(known).collect())
}
