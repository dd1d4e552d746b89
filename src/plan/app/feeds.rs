//! Feeds of indicators: importing and deleting them, compiling and signing the set of all, and looking indicators up.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use super::change_jobs::{Stage, note};
use super::feed_spool::FeedSpool;
use super::uploads::Proven;
use super::{App, May, Refusal, aside};
use crate::census::Timestamp;
use crate::census::time::rfc3339;
use crate::plan::entitlement::entitlement;
use crate::plan::feed::{BadUnion, Feed, FeedName, FeedPart, difference, parts, unite};
use crate::plan::permission::{UpdateFindings, View};
use crate::plan::store::{FeedChange, IndicatorSet, Store, StoreError};
use crate::proof::SigningKey;
use crate::security::{BadFeed, FeedHolders, FeedReport, INDICATORS, Indicators, covering, label_of};
use crate::wire::{SET_SCHEMA, SetHead, SubscriptionId};

/// The schemas of [`FeedList`] and [`IndicatorAnswer`].
pub const FEED_LIST: &str = "netcensus.feeds/1";
pub const INDICATOR: &str = "netcensus.indicator/1";
/// How often a change is prepared again because the feeds changed meanwhile.
const TRIES: usize = 4;
/// Labels that are looked up at once.
const AT_ONCE: usize = 4_096;
/// Sensors whose problems a list names.
const PROBLEMS: usize = 20;

/// The feeds of a subscription.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeedList {
    /// `netcensus.feeds/1`.
    pub schema: &'static str,
    /// By name.
    pub feeds: Vec<Feed>,
    /// The set that sensors fetch; null if there never was a feed.
    pub set: Option<SetEntry>,
    pub sensors: SetSpread,
}

/// The set that sensors fetch: the union of all feeds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetEntry {
    /// SHA-256 of the compiled indicators, in hex.
    pub digest: String,
    pub indicators: u64,
    /// The bytes of the compiled indicators.
    pub bytes: u64,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
}

/// How many sensors have the set.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SetSpread {
    /// Sensors that have it in force.
    pub current: u64,
    /// Sensors that have another one, or none.
    pub others: u64,
    /// Why sensors do not have it, by sensor; at most 20.
    pub problems: Vec<SetProblem>,
}

/// Why a sensor does not have the newest set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetProblem {
    /// The sensor's name.
    pub sensor: String,
    pub problem: String,
}

/// What a change of a feed did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeedAnswer {
    /// `true`: nothing was stored.
    pub dry_run: bool,
    /// The feed as it is from now on; null if it was deleted.
    pub feed: Option<Feed>,
    /// Indicators that the feed did not hold before.
    pub added: u64,
    /// Indicators that it holds no longer.
    pub removed: u64,
    /// The set of all feeds from now on.
    pub set: SetEntry,
}

/// What to look up.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct IndicatorQuery {
    /// An address, a network or a name.
    pub value: String,
}

/// Which feeds hold an address, a network or a name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndicatorAnswer {
    /// `netcensus.indicator/1`.
    pub schema: &'static str,
    /// What was asked for, as a label.
    pub value: String,
    /// The indicators that it hits: itself first, then the networks or names that hold it.
    pub hits: Vec<IndicatorHit>,
}

/// An indicator, and the feeds that hold it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndicatorHit {
    /// Such as `net:198.51.100.0/24`.
    pub indicator: String,
    pub feeds: Vec<String>,
}

/// A feed that was read, and is not stored yet.
#[derive(Debug)]
struct ReadFeed {
    report: FeedReport,
    bytes: u64,
    digest: String,
    parts: Vec<FeedPart>,
}

/// The turn to import: a feed takes memory while it is read and compiled, so one is imported at a time.
#[derive(Debug)]
struct ImportTurn {
    _permit: OwnedSemaphorePermit,
}

impl From<&IndicatorSet> for SetEntry {
    fn from(set: &IndicatorSet) -> Self {
        let SetHead { digest, indicators, bytes, .. } = set.head.clone();
        Self { digest, indicators, bytes, made_at: set.made_at }
    }
}

/// Counts and hashes what is read.
struct Measured<R> {
    source: R,
    bytes: u64,
    hash: Sha256,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.bytes = self.bytes.saturating_add(n as u64);
        self.hash.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

impl ReadFeed {
    /// Reads a feed. `now` tells which of its indicators have expired.
    fn read(source: impl Read, now: Timestamp) -> Result<Self, Refusal> {
        let mut source = Measured { source, bytes: 0, hash: Sha256::new() };
        let mut set = Indicators::default();
        let report = set.read_feed(&mut source, now)?;
        if report.full > 0 {
            return Err(too_many());
        }
        if set.is_empty() {
            return Err(BadFeed::Empty.into());
        }
        let labels = set.into_labels();
        let parts = parts(&labels).map_err(|e| Refusal::Defect(format!("compiling a feed failed: {e}")))?;
        Ok(Self { report, bytes: source.bytes, digest: hex::encode(source.hash.finalize()), parts })
    }

    fn feed(&self, name: &FeedName, by: &str, now: Timestamp) -> Feed {
        let report = &self.report;
        let number = |n: usize| n as u64;
        Feed {
            name: name.clone(),
            form: report.form.to_owned(),
            imported_at: now,
            by: by.to_owned(),
            bytes: self.bytes,
            digest: self.digest.clone(),
            indicators: number(report.added),
            overlapping: 0,
            repeated: number(report.known),
            guarded: number(report.guarded),
            guarded_some: report.guarded_some.clone(),
            not_understood: report.unread.iter().map(|(kind, n)| (kind.clone(), number(*n))).collect(),
        }
    }
}

fn too_many() -> Refusal {
    Refusal::TooManyIndicators(format!("the feeds would hold more than {INDICATORS} indicators"))
}

/// The feeds, with how far their set has come.
pub async fn list(app: &App, may: &May<View>) -> Result<FeedList, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    let feeds = app.store.feeds(may.id()).await?;
    let set = app.store.indicator_set(may.id()).await?;
    let mut sensors = SetSpread::default();
    if let Some(set) = &set {
        for sensor in app.store.sensors(may.id()).await?.into_iter().filter(|s| s.revoked_at.is_none()) {
            let has_it = sensor.health.indicators.as_ref() == Some(&set.head.digest);
            sensors.current += u64::from(has_it);
            sensors.others += u64::from(!has_it);
            let problem = sensor.health.indicators_problem;
            if let Some(problem) = problem.filter(|_| sensors.problems.len() < PROBLEMS) {
                sensors.problems.push(SetProblem { sensor: sensor.name, problem });
            }
        }
    }
    Ok(FeedList { schema: FEED_LIST, feeds, set: set.as_ref().map(SetEntry::from), sensors })
}

/// Which feeds hold an address, a network or a name.
pub async fn test(app: &App, may: &May<View>, value: &str) -> Result<IndicatorAnswer, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    let unknown =
        || Refusal::invalid("value: write an address, a network such as 198.51.100.0/24, or a name");
    let value = label_of(value).ok_or_else(unknown)?;
    let labels = covering(&value);
    let mut found = app.store.feeds_with(may.id(), &labels.iter().cloned().collect()).await?;
    let hit = |label: String| {
        let feeds = found.remove(&label)?.into_iter().collect();
        Some(IndicatorHit { indicator: label, feeds })
    };
    let hits = labels.into_iter().filter_map(hit).collect();
    Ok(IndicatorAnswer { schema: INDICATOR, value, hits })
}

/// A place for the file of a feed until it has come as a whole. Refused at once if no plan buys it.
pub async fn spool(app: &App, may: &May<UpdateFindings>) -> Result<FeedSpool, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    app.feed_spools.open(app, may.id())
}

/// Imports a feed: it replaces the one of that name. A dry run tells what that would do. `source` must not keep its reader
/// waiting, because nobody else imports meanwhile.
pub async fn import(
    app: &App,
    may: &May<UpdateFindings>,
    name: FeedName,
    source: impl Read + Send + 'static,
) -> Result<FeedAnswer, Refusal> {
    let turn = turn(app, may).await?;
    let now = app.now();
    let feed = aside(move || ReadFeed::read(source, now)).await??;
    change(app, may, &name, Some(feed), turn).await
}

/// Deletes a feed. Alerts whose indicators no other feed holds are withdrawn.
pub async fn delete(app: &App, may: &May<UpdateFindings>, name: &str) -> Result<FeedAnswer, Refusal> {
    let turn = turn(app, may).await?;
    let missing = || StoreError::NotFound { what: "feed", id: name.chars().take(60).collect() };
    let name: FeedName = name.parse().map_err(|_| missing())?;
    change(app, may, &name, None, turn).await
}

/// Waits for the turn to import a feed. Refused at once if no plan buys it.
async fn turn(app: &App, may: &May<UpdateFindings>) -> Result<ImportTurn, Refusal> {
    entitlement(&app.store.plans(may.id()).await?, app.now())?;
    let stopping = |_| Refusal::Defect("the service is stopping".to_owned());
    Ok(ImportTurn { _permit: Arc::clone(&app.importers).acquire_owned().await.map_err(stopping)? })
}

async fn change(
    app: &App,
    may: &May<UpdateFindings>,
    name: &FeedName,
    feed: Option<ReadFeed>,
    turn: ImportTurn,
) -> Result<FeedAnswer, Refusal> {
    let key = Arc::new(app.store.signing_key(app.now()).await?);
    let feed = feed.map(Arc::new);
    for _ in 0..TRIES {
        note(Stage::Waiting);
        let now = app.now();
        let (after, whole) = app.store.whole_feeds(may.id()).await?;
        if feed.is_none() && !whole.iter().any(|(known, _)| known.name == *name) {
            return Err(StoreError::NotFound { what: "feed", id: name.to_string() }.into());
        }
        let draft = Draft {
            after,
            name: name.clone(),
            feed: feed.clone(),
            by: may.by.actor.to_string(),
            subscription: may.id().clone(),
            key: Arc::clone(&key),
            now,
        };
        let (change, (added, removed)) = aside(move || draft.prepare(whole)).await??;
        let answer = FeedAnswer {
            dry_run: may.by.dry_run,
            feed: change.feed.as_ref().map(|(feed, _)| feed.clone()),
            added,
            removed,
            set: SetEntry::from(&IndicatorSet { revision: after, head: change.head.clone(), made_at: now }),
        };
        note(Stage::Writing);
        if app.store.change_feed(may.id(), change, &may.by, now).await? {
            drop(turn);
            return Ok(answer);
        }
    }
    Err(Refusal::Busy { what: "others are changing the feeds at the same time", seconds: 5 })
}

/// A change of a feed that is being prepared.
struct Draft {
    after: i64,
    name: FeedName,
    feed: Option<Arc<ReadFeed>>,
    by: String,
    subscription: SubscriptionId,
    key: Arc<SigningKey>,
    now: Timestamp,
}

impl Draft {
    /// The change, and how many indicators the feed gains and loses.
    fn prepare(self, mut whole: Vec<(Feed, Vec<Vec<u8>>)>) -> Result<(FeedChange, (u64, u64)), Refusal> {
        let defect = |e: &dyn std::fmt::Display| Refusal::Defect(format!("compiling the feeds failed: {e}"));
        let place = whole.iter().position(|(feed, _)| feed.name == self.name);
        let before = place.map(|place| whole.remove(place).1).unwrap_or_default();
        let mut new = self.feed.as_ref().map(|read| read.feed(&self.name, &self.by, self.now));
        let counts = whole.iter().map(|(feed, _)| feed).chain(&new).map(|feed| feed.indicators);
        if counts.sum::<u64>() > INDICATORS as u64 {
            return Err(too_many());
        }
        let parts: &[FeedPart] = self.feed.as_ref().map_or(&[], |read| &read.parts);
        let own: Vec<&[u8]> = parts.iter().map(|part| part.compiled.bytes.as_slice()).collect();
        let former: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
        let difference = difference(&former, &own).map_err(|e| defect(&e))?;
        let mut sources: Vec<Vec<&[u8]>> =
            whole.iter().map(|(_, parts)| parts.iter().map(Vec::as_slice).collect()).collect();
        sources.push(own);
        let union = unite(&sources).map_err(|e| match e {
            BadUnion::Large => Refusal::TooManyIndicators(e.to_string()),
            BadUnion::Compiled(e) => defect(&e),
        })?;
        let mut others: Vec<Feed> = Vec::new();
        for ((feed, _), overlapping) in whole.iter().zip(&union.overlapping) {
            others.push(Feed { overlapping: *overlapping, ..feed.clone() });
        }
        if let Some(new) = &mut new {
            new.overlapping = union.overlapping.last().copied().unwrap_or_default();
        }
        let head = signed(&self.subscription, &union.compiled.bytes, union.compiled.indicators, &self.key);
        let feed = new.map(|new| (new, parts.to_vec()));
        let compiled = union.compiled.bytes;
        let change = FeedChange { after: self.after, name: self.name, feed, others, head, compiled };
        Ok((change, difference))
    }
}

/// The head of a set, signed.
fn signed(subscription: &SubscriptionId, compiled: &[u8], indicators: u64, key: &SigningKey) -> SetHead {
    let unsigned = SetHead {
        schema: SET_SCHEMA.to_owned(),
        subscription: subscription.to_string(),
        digest: hex::encode(Sha256::digest(compiled)),
        bytes: compiled.len() as u64,
        indicators,
        key: key.public().to_string(),
        signature: String::new(),
    };
    let signature = key.sign(unsigned.message().as_bytes()).to_string();
    SetHead { signature, ..unsigned }
}

/// The set with a digest, for a sensor: its head and the compiled indicators, part after part.
pub async fn set_for(
    app: &App,
    from: &Proven,
    digest: &str,
) -> Result<impl Stream<Item = Result<Vec<u8>, Refusal>> + Send + 'static + use<>, Refusal> {
    let subscription = from.subscription().clone();
    let known = app.store.indicator_set(&subscription).await?.filter(|set| set.head.digest == digest);
    let head = known.ok_or_else(|| Refusal::hidden("set of indicators", digest))?.head;
    let mut line = serde_json::to_vec(&head).map_err(|e| Refusal::Defect(e.to_string()))?;
    line.push(b'\n');
    let store = app.store.clone();
    Ok(async_stream::stream! {
        yield Ok(line);
        let mut left = head.bytes;
        let mut part = 0;
        while left > 0 {
            match store.indicator_set_part(&subscription, &head.digest, part).await {
                Ok(Some(body)) => {
                    left = left.saturating_sub(body.len() as u64);
                    part += 1;
                    yield Ok(body);
                }
                // There is another set by now. The answer breaks off, and the sensor fetches the other one.
                Ok(None) => {
                    yield Err(Refusal::hidden("set of indicators", &head.digest));
                    return;
                }
                Err(error) => {
                    yield Err(error.into());
                    return;
                }
            }
        }
    })
}

/// Which feeds hold which of some labels: the indicator itself, a network that holds it, or a name above it.
pub(super) async fn holders(
    store: &Store,
    subscription: &SubscriptionId,
    labels: &[String],
) -> Result<FeedHolders, StoreError> {
    let mut holders = BTreeMap::new();
    for labels in labels.chunks(AT_ONCE) {
        let wanted: BTreeSet<String> = labels.iter().flat_map(|label| covering(label)).collect();
        let found = store.feeds_with(subscription, &wanted).await?;
        for label in labels {
            let feeds = covering(label).into_iter().filter_map(|label| found.get(&label)).flatten();
            let feeds: BTreeSet<&String> = feeds.collect();
            holders.insert(label.clone(), feeds.into_iter().cloned().collect());
        }
    }
    Ok(holders)
}
