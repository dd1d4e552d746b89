//! What changed since a sealed day: devices that are new, gone, turned or merged.
//!
//! The devices of the day are the leaves of its snapshot, which are read once and kept in a compact form. The comparison with
//! a view is kept too, so that pages do not make it again. It is made by a task of its own, which goes on when the reader
//! leaves: a page waits for it shortly, and shows the one before if it has to.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::inventory::{Patience, Revision, View as Inventory};
use super::leaves::{Leaves, corrupt};
use super::{App, May, Refusal, aside, freshness};
use crate::census::{Category, CouplingKey, DeviceId, MacAddr, Timestamp, Verdict};
use crate::plan::permission::View;
use crate::plan::store::{Snapshot, SnapshotError, StoreError};
use crate::proof::{Day, Digest, Leaf};
use crate::wire::{DeviceRow, SubscriptionId};

/// How long the overview waits for a comparison.
const SHORTLY: Duration = Duration::from_millis(40);
/// The most subscriptions of which snapshots and comparisons are kept.
const KEPT: usize = 8;
/// The most of each for one subscription.
const OF_EACH: usize = 3;
/// What nobody read for so long is let go: five minutes, in nanoseconds.
const UNREAD: i64 = 300_000_000_000;

/// How a device differs from what it was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DifferenceKind {
    /// The snapshot does not have it.
    New,
    /// It counted, or was listed, and now is silent, deleted or unknown.
    Gone,
    /// Its category or its verdict is another.
    Turned,
    /// It is now a part of another device.
    Merged,
}

impl DifferenceKind {
    pub const ALL: [Self; 4] = [Self::New, Self::Gone, Self::Turned, Self::Merged];

    /// The word in addresses of pages.
    pub const fn key(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Turned => "turned",
            Self::Merged => "merged",
        }
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Turned => "counted otherwise",
            Self::Merged => "part of another device",
        }
    }

    /// The kind of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// What a device was, or is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    pub category: Category,
    pub verdict: Verdict,
}

/// A device that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// The device's id: today's, or that of the snapshot if it is gone.
    pub id: DeviceId,
    pub zone: Arc<str>,
    pub mac: MacAddr,
    pub ip: IpAddr,
    pub before: Option<Standing>,
    pub after: Option<Standing>,
    /// The device that it is a part of now.
    pub into: Option<DeviceId>,
}

impl Difference {
    /// What it adds to the count.
    pub fn effect(&self) -> i64 {
        let counts = |standing: Option<Standing>| i64::from(standing.is_some_and(|s| s.verdict.is_counted()));
        counts(self.after) - counts(self.before)
    }
}

/// All differences between a sealed day and a view.
#[derive(Clone, Debug)]
pub struct Differences {
    /// The sealed day.
    pub since: Day,
    /// The revision of its snapshot.
    pub revision: u64,
    /// Billable devices then.
    pub before: u64,
    /// Billable devices at the instant of the view.
    pub after: u64,
    /// The instant of the view.
    pub as_of: Timestamp,
    /// Sorted by kind, zone, address and MAC.
    pub all: Vec<Difference>,
}

impl Differences {
    /// Those of a kind.
    pub fn of(&self, kind: DifferenceKind) -> impl Iterator<Item = &Difference> {
        self.all.iter().filter(move |d| d.kind == kind)
    }

    /// How many devices there are of a kind.
    pub fn number(&self, kind: DifferenceKind) -> usize {
        self.of(kind).count()
    }

    /// What those of a kind add to the count.
    pub fn effect(&self, kind: DifferenceKind) -> i64 {
        self.of(kind).map(Difference::effect).sum()
    }
}

/// The devices of a snapshot, in a compact form.
struct Sealed {
    snapshot: Snapshot,
    /// Sorted by id.
    devices: Vec<SealedDevice>,
}

struct SealedDevice {
    id: DeviceId,
    zone: Arc<str>,
    key: CouplingKey,
    standing: Standing,
}

/// A comparison, and what it compares.
struct Compared {
    hash: Digest,
    as_of: Timestamp,
    revision: Revision,
    differences: Arc<Differences>,
}

/// What is kept of a subscription.
struct Entry {
    subscription: SubscriptionId,
    read_at: Timestamp,
    /// What was read or compared last comes last.
    sealed: Vec<Arc<Sealed>>,
    compared: Vec<Compared>,
}

/// The kept snapshots and comparisons of a service.
#[derive(Default)]
pub struct KeptDifferences {
    entries: Mutex<Vec<Entry>>,
    /// Held while a comparison is made.
    turn: tokio::sync::Mutex<()>,
}

impl KeptDifferences {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a subscription, the newest of all. The one that was read longest ago makes room for it.
    fn with<T>(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
        act: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let mut entries = self.entries();
        let entry = match entries.iter().position(|e| e.subscription == *subscription) {
            Some(place) => entries.remove(place),
            None => Entry {
                subscription: subscription.clone(),
                read_at: now,
                sealed: Vec::new(),
                compared: Vec::new(),
            },
        };
        entries.push(Entry { read_at: now, ..entry });
        if entries.len() > KEPT {
            entries.remove(0);
        }
        entries.last_mut().map(act)
    }

    fn sealed(&self, subscription: &SubscriptionId, hash: Digest, now: Timestamp) -> Option<Arc<Sealed>> {
        self.with(subscription, now, |entry| entry.sealed.iter().find(|s| s.snapshot.hash == hash).cloned())
            .flatten()
    }

    /// The newest comparison with this snapshot that serves readers of a view, and whether it is that of the view itself. Of a
    /// past instant, only comparisons of the same instant serve.
    fn compared(
        &self,
        subscription: &SubscriptionId,
        hash: Digest,
        view: &Inventory,
        now: Timestamp,
    ) -> Option<(Arc<Differences>, bool)> {
        let look = |entry: &mut Entry| {
            let serves = |c: &&Compared| c.hash == hash && (view.basis.is_none() || c.as_of == view.as_of);
            let newest = entry.compared.iter().filter(serves).max_by_key(|c| (c.as_of, c.revision.facts))?;
            let same = (newest.as_of, newest.revision) == (view.as_of, view.revision);
            Some((Arc::clone(&newest.differences), same))
        };
        self.with(subscription, now, look).flatten()
    }

    /// Lets go of what nobody read for five minutes.
    pub(super) fn rest(&self, now: Timestamp) {
        self.entries().retain(|entry| now.since(entry.read_at) < UNREAD);
    }
}

/// What changed since the newest sealed day before the instant of a view. `None` if there is none, or if it is not yet
/// compared: then a later answer has it.
pub async fn shortly(
    app: &App,
    may: &May<View>,
    view: &Arc<Inventory>,
) -> Result<Option<Arc<Differences>>, Refusal> {
    let Some(snapshot) = before(app, may, view).await? else { return Ok(None) };
    match app.differences.compared(may.id(), snapshot.hash, view, app.now()) {
        Some((found, true)) => Ok(Some(found)),
        older => made_shortly(app, may.id(), snapshot, view, older.map(|(older, _)| older)).await,
    }
}

/// A new comparison, or else `older` if it takes more than a moment. Then it is made all the same, for a later answer.
async fn made_shortly(
    app: &App,
    subscription: &SubscriptionId,
    snapshot: Snapshot,
    view: &Arc<Inventory>,
    older: Option<Arc<Differences>>,
) -> Result<Option<Arc<Differences>>, Refusal> {
    let wait = app.brevity().filter(|_| older.is_some()).unwrap_or(SHORTLY);
    let (service, subscription, of) = (app.clone(), subscription.clone(), Arc::clone(view));
    let making = tokio::spawn(async move { compare(&service, &subscription, snapshot, of).await });
    let made = match app.settings.patience == Patience::ENDLESS {
        true => Ok(making.await),
        false => timeout(wait, making).await,
    };
    match made {
        Ok(Ok(made)) => made.map(Some),
        Ok(Err(error)) => Err(Refusal::Defect(format!("a comparison failed: {error}"))),
        Err(_) => Ok(older),
    }
}

/// What changed between the end of a sealed day and `as_of`, or the service's default instant. Without a day, since the
/// newest one before. If the newest takes more than a moment, a reader of the present gets the comparison of a moment ago with
/// the same day, which tells its own instant, and a page gets the one of its instant before, marked as an older one.
pub async fn since(
    app: &App,
    may: &May<View>,
    day: Option<Day>,
    as_of: Option<Timestamp>,
) -> Result<(Arc<Differences>, Arc<Inventory>), Refusal> {
    let view = app.view(may.id(), as_of).await?;
    let snapshot = match day {
        Some(day) => app.store.snapshot(may.id(), day, None).await?,
        None => {
            let missing = || StoreError::from(SnapshotError::NoSnapshot("any day before".to_owned()));
            before(app, may, &view).await?.ok_or_else(missing)?
        }
    };
    let older = match app.differences.compared(may.id(), snapshot.hash, &view, app.now()) {
        Some((found, true)) => return Ok((found, view)),
        older => older.map(|(older, _)| older).filter(|_| as_of.is_none() || app.brevity().is_some()),
    };
    let found = match older {
        None => compare(app, may.id(), snapshot, Arc::clone(&view)).await?,
        Some(older) => {
            let made = made_shortly(app, may.id(), snapshot, &view, Some(Arc::clone(&older))).await?;
            let found = made.unwrap_or_else(|| Arc::clone(&older));
            if as_of.is_some() && Arc::ptr_eq(&found, &older) {
                freshness::note_older(view.as_of, view.made_at, app.now());
            }
            found
        }
    };
    Ok((found, view))
}

/// The newest snapshot of a day that ends before the instant of a view.
async fn before(app: &App, may: &May<View>, view: &Inventory) -> Result<Option<Snapshot>, StoreError> {
    app.store.snapshot_before(may.id(), view.as_of.plus(-1)).await
}

async fn compare(
    app: &App,
    subscription: &SubscriptionId,
    snapshot: Snapshot,
    view: Arc<Inventory>,
) -> Result<Arc<Differences>, Refusal> {
    let _turn = app.differences.turn.lock().await;
    // Another reader may have made it meanwhile.
    if let Some((found, true)) = app.differences.compared(subscription, snapshot.hash, &view, app.now()) {
        return Ok(found);
    }
    let hash = snapshot.hash;
    let sealed = match app.differences.sealed(subscription, hash, app.now()) {
        Some(sealed) => sealed,
        None => Arc::new(read(app, snapshot).await?),
    };
    let (was, of) = (Arc::clone(&sealed), Arc::clone(&view));
    let differences = Arc::new(aside(move || difference(&was, &of)).await?);
    let as_of = view.as_of;
    let compared = Compared { hash, as_of, revision: view.revision, differences: Arc::clone(&differences) };
    app.differences.with(subscription, app.now(), |entry| {
        keep(&mut entry.sealed, sealed, |known| known.snapshot.hash == hash);
        keep(&mut entry.compared, compared, |known| (known.hash, known.as_of) == (hash, as_of));
    });
    Ok(differences)
}

/// Keeps a thing instead of the one that it replaces, or else of the oldest if there are too many.
fn keep<T>(kept: &mut Vec<T>, new: T, is_replaced: impl FnMut(&mut T) -> bool) {
    kept.extract_if(.., is_replaced).for_each(drop);
    if kept.len() >= OF_EACH {
        kept.remove(0);
    }
    kept.push(new);
}

/// Reads the leaves of a snapshot.
async fn read(app: &App, snapshot: Snapshot) -> Result<Sealed, Refusal> {
    let mut devices = Vec::new();
    let mut zones: HashSet<Arc<str>> = HashSet::new();
    let mut parts = Leaves::new(&app.store, snapshot.clone());
    while let Some(text) = parts.next().await? {
        let read = move || {
            let device = |line: &str| {
                // Whether the line is the sealed one to the byte is what `verify` checks.
                let leaf: Leaf = serde_json::from_str(line).map_err(|e| corrupt(&e))?;
                let id = leaf.id.parse::<DeviceId>().map_err(|_| corrupt(&"a leaf's id cannot be read"))?;
                Ok::<_, StoreError>((id, leaf))
            };
            text.lines().map(device).collect::<Result<Vec<_>, _>>()
        };
        for (id, leaf) in aside(read).await?? {
            let zone = match zones.get(leaf.zone.as_str()) {
                Some(zone) => Arc::clone(zone),
                None => {
                    let zone: Arc<str> = leaf.zone.as_str().into();
                    zones.insert(Arc::clone(&zone));
                    zone
                }
            };
            let standing = Standing { category: leaf.category, verdict: leaf.verdict };
            devices.push(SealedDevice {
                id,
                zone,
                key: CouplingKey { mac: leaf.mac, ip: leaf.ip },
                standing,
            });
        }
    }
    devices.sort_unstable_by_key(|d| d.id);
    Ok(Sealed { snapshot, devices })
}

/// Compares the devices of a snapshot with those of a view.
fn difference(sealed: &Sealed, view: &Inventory) -> Differences {
    let was = |id: DeviceId| {
        let place = sealed.devices.binary_search_by_key(&id, |d| d.id).ok()?;
        sealed.devices.get(place)
    };
    let mut all = Vec::new();
    // Asking each zone for each device would take longer the more zones there are.
    let known: HashSet<DeviceId> = view.rows().map(|row| row.id).collect();
    // Devices of the snapshot whose id is unknown today, by their coupling, in the zones of today.
    let lost = sealed.devices.iter().filter(|d| !known.contains(&d.id));
    let lost: HashMap<(&str, CouplingKey), &SealedDevice> =
        lost.map(|d| ((view.zone_name(&d.zone), d.key), d)).collect();
    let mut found: HashSet<DeviceId> = HashSet::new();
    for row in view.rows() {
        let parts = || row.couplings.iter().filter_map(|c| lost.get(&(&*row.zone, c.key)));
        let mut parts = parts().copied().filter(|_| !lost.is_empty());
        // An earlier frame that came late gives a device another id.
        let before = was(row.id).or_else(|| parts.next());
        all.extend(before_and_after(before, row));
        found.extend(before.map(|d| d.id));
        for part in parts {
            found.insert(part.id);
            let into = Some(row.id);
            let (before, after) = (Some(part.standing), None);
            all.push(Difference { into, before, after, ..gone(part, DifferenceKind::Merged) });
        }
    }
    let unknown = sealed.devices.iter().filter(|d| !known.contains(&d.id) && !found.contains(&d.id));
    all.extend(unknown.map(|d| gone(d, DifferenceKind::Gone)));
    let place = |kind| DifferenceKind::ALL.iter().position(|k| *k == kind);
    all.sort_by(|a, b| (place(a.kind), &a.zone, a.ip, a.mac).cmp(&(place(b.kind), &b.zone, b.ip, b.mac)));
    let header = &sealed.snapshot.header;
    Differences {
        since: header.day,
        revision: header.revision,
        before: header.census.billable,
        after: view.census.billable,
        as_of: view.as_of,
        all,
    }
}

fn gone(device: &SealedDevice, kind: DifferenceKind) -> Difference {
    Difference {
        kind,
        id: device.id,
        zone: Arc::clone(&device.zone),
        mac: device.key.mac,
        ip: device.key.ip,
        before: Some(device.standing),
        after: None,
        into: None,
    }
}

/// How a device of a view differs from the same device of the snapshot, if it does.
fn before_and_after(before: Option<&SealedDevice>, row: &DeviceRow) -> Option<Difference> {
    let before = before.map(|d| d.standing);
    let after = Standing { category: row.what.category, verdict: row.verdict };
    let left = |s: Standing| matches!(s.verdict, Verdict::Idle | Verdict::Deleted);
    let kind = match before {
        None => DifferenceKind::New,
        Some(before) if before == after => return None,
        Some(before) if left(after) && !left(before) => DifferenceKind::Gone,
        Some(_) => DifferenceKind::Turned,
    };
    Some(Difference {
        kind,
        id: row.id,
        zone: Arc::clone(&row.zone),
        mac: row.mac,
        ip: row.ip,
        before,
        after: Some(after),
        into: None,
    })
}
