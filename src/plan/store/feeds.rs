//! Feeds of indicators, their parts, and the set that sensors fetch.
//!
//! A set is compiled outside of a transaction, because that takes seconds. `revision` counts the changes of a subscription's
//! feeds: a change that was prepared on an older revision is not written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::alerts::{from_json, json_of};
use super::audit::Entry;
use super::engine::{Row, sql};
use super::{By, Scope, Store, StoreError, Work};
use crate::census::Timestamp;
use crate::plan::feed::{FEEDS, Feed, FeedName, FeedPart, held};
use crate::wire::{SetHead, SubscriptionId};

/// Bytes of a part of the set.
const PART: usize = 1 << 20;

/// The set that sensors fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndicatorSet {
    /// Counts the changes of feeds.
    pub revision: i64,
    pub head: SetHead,
    pub made_at: Timestamp,
}

/// A change of one feed, with what follows from it.
#[derive(Clone, Debug)]
pub struct FeedChange {
    /// The revision on which it was prepared; 0 if there was no feed yet.
    pub after: i64,
    pub name: FeedName,
    /// The feed as it is from now on, with its parts; `None` if it is deleted.
    pub feed: Option<(Feed, Vec<FeedPart>)>,
    /// All other feeds, as they are from now on.
    pub others: Vec<Feed>,
    pub head: SetHead,
    pub compiled: Vec<u8>,
}

impl Store {
    /// The feeds of a subscription, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn feeds(&self, subscription: &SubscriptionId) -> Result<Vec<Feed>, StoreError> {
        self.read().await?.feeds(subscription).await
    }

    /// The feeds of a subscription, each with the bodies of its parts in order, and the revision of both.
    ///
    /// # Errors
    /// The database's.
    pub async fn whole_feeds(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<(i64, Vec<(Feed, Vec<Vec<u8>>)>), StoreError> {
        let mut work = self.read().await?;
        let revision = work.indicator_set(subscription).await?.map_or(0, |set| set.revision);
        let mut whole = Vec::new();
        for feed in work.feeds(subscription).await? {
            let query = "SELECT body FROM feed_part WHERE subscription = $1 AND name = $2 ORDER BY part";
            let rows = work.rows(sql(query).bind(subscription).bind(feed.name.as_str())).await?;
            let bodies: Result<Vec<Vec<u8>>, StoreError> = rows.iter().map(|row| row.blob("body")).collect();
            whole.push((feed, bodies?));
        }
        Ok((revision, whole))
    }

    /// The set that sensors fetch; `None` if the subscription never had a feed.
    ///
    /// # Errors
    /// The database's.
    pub async fn indicator_set(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Option<IndicatorSet>, StoreError> {
        let query = "SELECT revision, head, made_at FROM indicator_set WHERE subscription = $1";
        self.row(sql(query).bind(subscription)).await?.map(|row| read_set(&row)).transpose()
    }

    /// The digest of that set.
    ///
    /// # Errors
    /// The database's.
    pub async fn indicator_digest(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Option<String>, StoreError> {
        let query = "SELECT digest FROM indicator_set WHERE subscription = $1";
        let row = self.row(sql(query).bind(subscription)).await?;
        row.map(|row| Ok(row.str("digest")?.to_owned())).transpose()
    }

    /// A part of the set with a digest; `None` behind its end, and if there is another set by now.
    ///
    /// # Errors
    /// The database's.
    pub async fn indicator_set_part(
        &self,
        subscription: &SubscriptionId,
        digest: &str,
        part: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let query =
            "SELECT body FROM indicator_set_part WHERE subscription = $1 AND digest = $2 AND part = $3";
        let row = self.row(sql(query).bind(subscription).bind(digest).bind(part)).await?;
        row.map(|row| row.blob("body")).transpose()
    }

    /// Which feeds hold which of some labels. Reads the parts that may hold one of them, and no others.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn feeds_with(
        &self,
        subscription: &SubscriptionId,
        labels: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        if labels.is_empty() {
            return Ok(found);
        }
        let mut work = self.read().await?;
        let index = "SELECT name, part, first_label, last_label FROM feed_part WHERE subscription = $1";
        for row in work.rows(sql(index).bind(subscription)).await? {
            let (first, last) = (row.str("first_label")?.to_owned(), row.str("last_label")?.to_owned());
            if first > last || labels.range(first..=last).next().is_none() {
                continue;
            }
            let name = row.str("name")?.to_owned();
            let query = "SELECT body FROM feed_part WHERE subscription = $1 AND name = $2 AND part = $3";
            let query = sql(query).bind(subscription).bind(&name).bind(row.int("part")?);
            let Some(part) = work.row(query).await? else { continue };
            let body = part.blob("body")?;
            let corrupt = |e| StoreError::Corrupt { table: "feed_part", why: format!("{e}") };
            for label in held(&body, labels).map_err(corrupt)? {
                found.entry(label.clone()).or_default().insert(name.clone());
            }
        }
        Ok(found)
    }

    /// Writes a change of a feed. Returns whether it was made: not if the feeds changed since it was prepared.
    ///
    /// # Errors
    /// [`StoreError::TooManyFeeds`], [`StoreError::NotFound`] or the database's.
    pub async fn change_feed(
        &self,
        subscription: &SubscriptionId,
        change: FeedChange,
        by: &By,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let revision = work.indicator_set(subscription).await?.map_or(0, |set| set.revision);
        if revision != change.after {
            return Ok(false);
        }
        let FeedChange { name, feed, others, head, compiled, .. } = change;
        let known = work.feeds(subscription).await?;
        let before = known.iter().find(|known| known.name == name);
        if feed.is_none() && before.is_none() {
            return Err(StoreError::NotFound { what: "feed", id: name.to_string() });
        }
        if feed.is_some() && before.is_none() && known.len() >= FEEDS {
            return Err(StoreError::TooManyFeeds);
        }
        work.put_feed(subscription, &name, feed.as_ref()).await?;
        for other in others.iter().filter(|other| !known.contains(other)) {
            let set = "UPDATE feed SET feed = $3 WHERE subscription = $1 AND name = $2";
            let query = sql(set).bind(subscription).bind(other.name.as_str()).bind(json_of(other));
            work.execute(query).await?;
        }
        work.put_set(subscription, revision.saturating_add(1), &head, &compiled, now).await?;
        let after = feed.as_ref().map(|(feed, _)| feed);
        work.audit(Some(subscription), by, entry(&name, before, after, &head), now).await?;
        work.finish(by).await?;
        Ok(true)
    }
}

impl Work {
    async fn feeds(&mut self, subscription: &SubscriptionId) -> Result<Vec<Feed>, StoreError> {
        let query = "SELECT feed FROM feed WHERE subscription = $1";
        let rows = self.rows(sql(query).bind(subscription)).await?;
        let read = |row: &Row| from_json("feed", row.str("feed")?);
        let mut feeds: Vec<Feed> = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        // Databases sort texts differently.
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(feeds)
    }

    async fn indicator_set(
        &mut self,
        subscription: &SubscriptionId,
    ) -> Result<Option<IndicatorSet>, StoreError> {
        let query = "SELECT revision, head, made_at FROM indicator_set WHERE subscription = $1";
        self.row(sql(query).bind(subscription)).await?.map(|row| read_set(&row)).transpose()
    }

    /// Replaces a feed and its parts, or removes them.
    async fn put_feed(
        &mut self,
        subscription: &SubscriptionId,
        name: &FeedName,
        feed: Option<&(Feed, Vec<FeedPart>)>,
    ) -> Result<(), StoreError> {
        let gone = "DELETE FROM feed_part WHERE subscription = $1 AND name = $2";
        self.execute(sql(gone).bind(subscription).bind(name.as_str())).await?;
        let Some((feed, parts)) = feed else {
            let gone = "DELETE FROM feed WHERE subscription = $1 AND name = $2";
            return self.execute(sql(gone).bind(subscription).bind(name.as_str())).await.map(drop);
        };
        let put = "INSERT INTO feed (subscription, name, feed) VALUES ($1, $2, $3)
                   ON CONFLICT (subscription, name) DO UPDATE SET feed = excluded.feed";
        self.execute(sql(put).bind(subscription).bind(name.as_str()).bind(json_of(feed))).await?;
        for (place, part) in (0_i64..).zip(parts) {
            let put = "INSERT INTO feed_part (subscription, name, part, first_label, last_label, body)
                       VALUES ($1, $2, $3, $4, $5, $6)";
            let query = sql(put).bind(subscription).bind(name.as_str()).bind(place);
            let query = query.bind(&part.first).bind(&part.last).bind(part.compiled.bytes.as_slice());
            self.execute(query).await?;
        }
        Ok(())
    }

    async fn put_set(
        &mut self,
        subscription: &SubscriptionId,
        revision: i64,
        head: &SetHead,
        compiled: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let put = "INSERT INTO indicator_set (subscription, revision, digest, head, made_at)
                   VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (subscription) DO UPDATE SET revision = excluded.revision,
                   digest = excluded.digest, head = excluded.head, made_at = excluded.made_at";
        let query = sql(put).bind(subscription).bind(revision).bind(&head.digest).bind(json_of(head));
        self.execute(query.bind(now.0)).await?;
        let gone = "DELETE FROM indicator_set_part WHERE subscription = $1";
        self.execute(sql(gone).bind(subscription)).await?;
        for (place, part) in (0_i64..).zip(compiled.chunks(PART)) {
            let put =
                "INSERT INTO indicator_set_part (subscription, digest, part, body) VALUES ($1, $2, $3, $4)";
            let query = sql(put).bind(subscription).bind(&head.digest).bind(place).bind(part);
            self.execute(query).await?;
        }
        Ok(())
    }
}

fn read_set(row: &Row) -> Result<IndicatorSet, StoreError> {
    let head = from_json("indicator_set", row.str("head")?)?;
    Ok(IndicatorSet { revision: row.int("revision")?, head, made_at: Timestamp(row.int("made_at")?) })
}

fn entry(name: &FeedName, before: Option<&Feed>, after: Option<&Feed>, head: &SetHead) -> Entry {
    let trace = |feed: &Feed| {
        let Feed { form, bytes, digest, indicators, .. } = feed;
        json!({"form": form, "bytes": bytes, "digest": digest, "indicators": indicators})
    };
    let action = if after.is_some() { "feed.import" } else { "feed.delete" };
    let set = json!({"digest": head.digest, "indicators": head.indicators});
    let after = match after.map(trace) {
        Some(Value::Object(mut feed)) => {
            feed.insert("set".to_owned(), set);
            Value::Object(feed)
        }
        _ => json!({"set": set}),
    };
    let object = format!("feed/{name}");
    Entry { action, object, before: before.map(trace), after: Some(after), count_delta: None }
}
