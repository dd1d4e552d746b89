//! Decisions, and the change sets that made them.
//!
//! An object has five text columns (kind, zone, MAC, address and a detail), a decision has one column with JSON.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::json;

use super::audit::{By, Entry};
use super::engine::{Query, Row, sql};
use super::{Scope, Store, StoreError, Work};
use crate::census::{CouplingKey, Decision, Decisions, ManagedKey, Mark, Object, Property, Timestamp};
use crate::change::{Alteration, ChangeKind, ChangeSet, CountDelta, Draft};
use crate::wire::SubscriptionId;

/// Rows of one statement: SQLite accepts 32,766 values in a statement.
const ROWS: usize = 1_000;

/// The most couplings of a device whose changes are looked for.
const COUPLINGS: usize = 32;

/// A change to record.
#[derive(Debug)]
pub struct Recording<'a> {
    pub draft: &'a Draft,
    /// Its maker, as decisions name people; the instant; and the number under which it was drafted.
    pub mark: &'a Mark,
    pub count: CountDelta,
    /// The revision of the decisions from which it was drafted.
    pub revision: i64,
}

impl Store {
    /// The decisions of a subscription with their revision, unless `known` is the revision.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::NotFound`] or the database's.
    pub async fn decisions(
        &self,
        subscription: &SubscriptionId,
        known: Option<i64>,
    ) -> Result<Option<(i64, Decisions)>, StoreError> {
        let mut work = self.read().await?;
        let revision = revision(&mut work, subscription).await?;
        if known == Some(revision) {
            return Ok(None);
        }
        Ok(Some((revision, standing(&mut work, subscription).await?)))
    }

    /// The decisions of a subscription just before `at`: reverts what later changes altered.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or the database's.
    pub async fn decisions_before(
        &self,
        subscription: &SubscriptionId,
        at: Timestamp,
    ) -> Result<Decisions, StoreError> {
        let mut work = self.read().await?;
        let mut decisions = standing(&mut work, subscription).await?;
        let query = sql("SELECT a.kind, a.zone, a.mac, a.ip, a.detail, a.before FROM alteration a
             JOIN change_set c ON c.subscription = a.subscription AND c.number = a.change
             WHERE a.subscription = $1 AND c.made_at >= $2 ORDER BY a.change DESC, a.place DESC");
        work.each(query.bind(subscription).bind(at.0), &mut |row| {
            let before = row.opt_text("before")?.map(|json| decision(&json)).transpose()?;
            decisions.set(&object(row)?, before);
            Ok(())
        })
        .await?;
        Ok(decisions)
    }

    /// The number that the next change gets.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_change(&self, subscription: &SubscriptionId) -> Result<u64, StoreError> {
        let row = self.row(newest(subscription)).await?;
        Ok(row.map(|row| number(&row, "number")).transpose()?.unwrap_or(0) + 1)
    }

    /// Records a change with its audit row. Returns `None` if somebody decided something after it was drafted. If the
    /// change alters nothing, adds only the audit row.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_change(
        &self,
        subscription: &SubscriptionId,
        by: &By,
        recording: &Recording<'_>,
    ) -> Result<Option<ChangeSet>, StoreError> {
        let Recording { draft, mark, count, .. } = recording;
        let mut work = self.write(Scope::Subscription(subscription)).await?;
        let newest = work.row(newest(subscription)).await?;
        let last = newest.map(|row| number(&row, "number")).transpose()?.unwrap_or(0);
        if revision(&mut work, subscription).await? != recording.revision || last + 1 != mark.change {
            return Ok(None);
        }
        let set = ChangeSet {
            number: mark.change,
            action: draft.action,
            summary: draft.summary.clone(),
            by: mark.by.clone(),
            at: mark.at,
            reason: by.reason.clone(),
            undoes: draft.undoes,
            undone_by: None,
            objects: draft.alterations.len() as u64,
            count: *count,
        };
        let changes = !draft.alterations.is_empty();
        if changes {
            insert_set(&mut work, subscription, &set).await?;
            insert_alterations(&mut work, subscription, &set, &draft.alterations).await?;
            stand(&mut work, subscription, &draft.alterations).await?;
            work.bump_decisions(subscription).await?;
        }
        let entry = Entry {
            action: audit_action(draft.action),
            object: if changes { format!("change/{}", set.number) } else { "change/none".to_owned() },
            before: None,
            after: Some(json!({"summary": set.summary, "objects": set.objects})),
            count_delta: Some(count.delta),
        };
        work.audit(Some(subscription), by, entry, mark.at).await?;
        work.finish(by).await?;
        Ok(Some(set))
    }

    /// Change sets, the newest first: at most `limit`, of those numbered below `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn changes(
        &self,
        subscription: &SubscriptionId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ChangeSet>, StoreError> {
        let query =
            sql("SELECT c.number, c.action, c.summary, c.made_by, c.made_at, c.reason, c.undoes, c.objects,
                    c.count_before, c.count_after, u.number AS undone_by
             FROM change_set c
             LEFT JOIN change_set u ON u.subscription = c.subscription AND u.undoes = c.number
             WHERE c.subscription = $1 AND c.number < $2 ORDER BY c.number DESC LIMIT $3");
        let query = query.bind(subscription).bind(before.map_or(i64::MAX, as_int)).bind(as_int(limit as u64));
        self.rows(query).await?.iter().map(read_set).collect()
    }

    /// The newest change sets that altered one of these couplings of a zone's labels, or an entry of the managed list with
    /// one of their MACs: at most `limit`, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn changes_of(
        &self,
        subscription: &SubscriptionId,
        labels: &[&str],
        couplings: &[CouplingKey],
        limit: usize,
    ) -> Result<Vec<ChangeSet>, StoreError> {
        let own = "SELECT DISTINCT change FROM alteration WHERE subscription = $1
             AND kind IN ('property', 'deletion', 'merge', 'split') AND zone = $2 AND mac = $3 AND ip = $4
             ORDER BY change DESC LIMIT $5";
        let merged =
            "SELECT DISTINCT change FROM alteration WHERE subscription = $1 AND kind = 'merge' AND zone = $2
             AND detail = $3 ORDER BY change DESC LIMIT $4";
        let managed = "SELECT DISTINCT change FROM alteration WHERE subscription = $1 AND kind = 'managed' AND zone = ''
             AND mac = $2 ORDER BY change DESC LIMIT $3";
        let most = as_int(limit as u64);
        let mut numbers = BTreeSet::new();
        let mut work = self.read().await?;
        for key in couplings.iter().take(COUPLINGS) {
            let (mac, ip) = (key.mac.to_string(), key.ip.to_string());
            let pair = format!("{mac} {ip}");
            let of_label = |text, label: &&str| sql(text).bind(subscription).bind(*label);
            let own = labels.iter().map(|label| of_label(own, label).bind(&mac).bind(&ip).bind(most));
            let merged = labels.iter().map(|label| of_label(merged, label).bind(&pair).bind(most));
            let managed = sql(managed).bind(subscription).bind(&mac).bind(most);
            for query in own.chain(merged).chain([managed]) {
                for row in work.rows(query).await? {
                    numbers.insert(number(&row, "change")?);
                }
            }
        }
        let mut sets = Vec::new();
        for number in numbers.into_iter().rev().take(limit) {
            sets.push(self.change_set(subscription, number).await?);
        }
        Ok(sets)
    }

    /// One change set.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the database's.
    pub async fn change_set(
        &self,
        subscription: &SubscriptionId,
        change: u64,
    ) -> Result<ChangeSet, StoreError> {
        let found = self.changes(subscription, change.checked_add(1), 1).await?.into_iter().next();
        let missing = || StoreError::NotFound { what: "change", id: change.to_string() };
        found.filter(|set| set.number == change).ok_or_else(missing)
    }

    /// The alterations of a change, in their order: at most `limit`, after the first `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn alterations(
        &self,
        subscription: &SubscriptionId,
        change: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Alteration>, StoreError> {
        let query = sql("SELECT kind, zone, mac, ip, detail, before, after FROM alteration
             WHERE subscription = $1 AND change = $2 AND place > $3 ORDER BY place LIMIT $4");
        let query =
            query.bind(subscription).bind(as_int(change)).bind(as_int(after)).bind(as_int(limit as u64));
        let rows = self.rows(query).await?;
        let optional = |row: &Row, column| row.opt_text(column)?.map(|json| decision(&json)).transpose();
        rows.iter()
            .map(|row| {
                let (before, after) = (optional(row, "before")?, optional(row, "after")?);
                Ok(Alteration { object: object(row)?, before, after })
            })
            .collect()
    }

    /// The changes after `change` that altered one of its objects, in order, each with the change that it undid.
    ///
    /// # Errors
    /// The database's.
    pub async fn later_changes(
        &self,
        subscription: &SubscriptionId,
        change: u64,
    ) -> Result<Vec<(u64, Option<u64>)>, StoreError> {
        let query = sql(
            "SELECT DISTINCT c.number, c.undoes FROM alteration a
             JOIN alteration b ON b.subscription = a.subscription AND b.kind = a.kind AND b.zone = a.zone
                              AND b.mac = a.mac AND b.ip = a.ip AND b.detail = a.detail AND b.change > a.change
             JOIN change_set c ON c.subscription = b.subscription AND c.number = b.change
             WHERE a.subscription = $1 AND a.change = $2 ORDER BY c.number",
        );
        let rows = self.rows(query.bind(subscription).bind(as_int(change))).await?;
        rows.iter().map(|row| Ok((number(row, "number")?, undoes(row)?))).collect()
    }
}

/// The decisions in force.
async fn standing(work: &mut Work, subscription: &SubscriptionId) -> Result<Decisions, StoreError> {
    let mut decisions = Decisions::default();
    // One mark for all decisions of a change, however many there are.
    let mut marks: HashMap<u64, Arc<Mark>> = HashMap::new();
    let query = sql("SELECT kind, zone, mac, ip, detail, decision FROM decision WHERE subscription = $1");
    work.each(query.bind(subscription), &mut |row| {
        let object = object(row)?;
        let mut decision = decision(row.str("decision")?)?;
        let mark = marks.entry(decision.mark.change).or_insert_with(|| Arc::clone(&decision.mark));
        if **mark == *decision.mark {
            decision.mark = Arc::clone(mark);
        }
        if !object.admits(&decision.ruling) {
            return Err(corrupt("decision", &format!("{object:?} has another's ruling")));
        }
        decisions.set(&object, Some(decision));
        Ok(())
    })
    .await?;
    Ok(decisions)
}

async fn revision(work: &mut Work, subscription: &SubscriptionId) -> Result<i64, StoreError> {
    let query = sql("SELECT decisions_revision FROM subscription WHERE id = $1").bind(subscription);
    match work.row(query).await? {
        Some(row) => row.int("decisions_revision"),
        None => Err(StoreError::NotFound { what: "subscription", id: subscription.to_string() }),
    }
}

fn newest(subscription: &SubscriptionId) -> Query {
    sql("SELECT number FROM change_set WHERE subscription = $1 ORDER BY number DESC LIMIT 1")
        .bind(subscription)
}

async fn insert_set(
    work: &mut Work,
    subscription: &SubscriptionId,
    set: &ChangeSet,
) -> Result<(), StoreError> {
    let query = sql(
        "INSERT INTO change_set (subscription, number, action, summary, made_by, made_at, reason, undoes, objects,
                                 count_before, count_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    );
    let query = query
        .bind(subscription)
        .bind(as_int(set.number))
        .bind(set.action.key())
        .bind(&set.summary)
        .bind(&set.by)
        .bind(set.at.0)
        .bind(set.reason.clone())
        .bind(set.undoes.map(as_int))
        .bind(as_int(set.objects))
        .bind(as_int(set.count.before))
        .bind(as_int(set.count.after));
    work.execute(query).await.map(drop)
}

async fn insert_alterations(
    work: &mut Work,
    subscription: &SubscriptionId,
    set: &ChangeSet,
    alterations: &[Alteration],
) -> Result<(), StoreError> {
    let mut place = 0_i64;
    for chunk in alterations.chunks(ROWS) {
        let head = "INSERT INTO alteration
                    (subscription, change, place, kind, zone, mac, ip, detail, before, after) VALUES ";
        let mut query = Query::assembled(format!("{head}{}", tuples(2, 8, chunk.len())));
        query = query.bind(subscription).bind(as_int(set.number));
        for a in chunk {
            place += 1;
            query = query.bind(place);
            for column in columns(&a.object) {
                query = query.bind(column);
            }
            let json = |d: &Option<Decision>| d.as_ref().map(written).transpose();
            query = query.bind(json(&a.before)?).bind(json(&a.after)?);
        }
        work.execute(query).await?;
    }
    Ok(())
}

/// Stores the decisions as a change left them.
async fn stand(
    work: &mut Work,
    subscription: &SubscriptionId,
    alterations: &[Alteration],
) -> Result<(), StoreError> {
    let set: Vec<(&Object, &Decision)> =
        alterations.iter().filter_map(|a| Some((&a.object, a.after.as_ref()?))).collect();
    for chunk in set.chunks(ROWS) {
        let head = "INSERT INTO decision (subscription, kind, zone, mac, ip, detail, decision) VALUES ";
        let tail = " ON CONFLICT (subscription, kind, zone, mac, ip, detail) DO UPDATE SET decision = excluded.decision";
        let mut query = Query::assembled(format!("{head}{}{tail}", tuples(1, 6, chunk.len())));
        query = query.bind(subscription);
        for (object, decision) in chunk {
            for column in columns(object) {
                query = query.bind(column);
            }
            query = query.bind(written(decision)?);
        }
        work.execute(query).await?;
    }
    let taken_back: Vec<&Object> =
        alterations.iter().filter(|a| a.after.is_none()).map(|a| &a.object).collect();
    for chunk in taken_back.chunks(ROWS) {
        // Each row is found by its key. Without the name `gone`, SQLite would read all decisions.
        let key = "subscription, kind, zone, mac, ip, detail";
        let gone = tuples(1, 5, chunk.len());
        let mut query = Query::assembled(format!(
            "WITH gone ({key}) AS (VALUES {gone}) DELETE FROM decision WHERE ({key}) IN (SELECT {key} FROM gone)"
        ));
        query = query.bind(subscription);
        for column in chunk.iter().flat_map(|object| columns(object)) {
            query = query.bind(column);
        }
        work.execute(query).await?;
    }
    Ok(())
}

/// `rows` tuples of placeholders. Each tuple has the same `fixed` placeholders first, then `own` ones.
fn tuples(fixed: usize, own: usize, rows: usize) -> String {
    let prefix: String = (1..=fixed).map(|i| format!("${i}, ")).collect();
    let tuple = |row: usize| {
        let first = fixed + row * own + 1;
        let places: Vec<String> = (first..first + own).map(|i| format!("${i}")).collect();
        format!("({prefix}{})", places.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

fn audit_action(action: ChangeKind) -> &'static str {
    match action {
        ChangeKind::Edit => "devices.edit",
        ChangeKind::Delete => "devices.delete",
        ChangeKind::Merge => "devices.merge",
        ChangeKind::Split => "devices.split",
        ChangeKind::Import => "managed.import",
        ChangeKind::Forget => "managed.forget",
        ChangeKind::Undo => "changes.undo",
        ChangeKind::Zone => "zones.name",
    }
}

/// An object as its five columns.
fn columns(object: &Object) -> [String; 5] {
    let of = |kind: &str, zone: &str, key: &CouplingKey, detail: String| {
        [kind.to_owned(), zone.to_owned(), key.mac.to_string(), key.ip.to_string(), detail]
    };
    match object {
        Object::Property(zone, key, property) => of("property", zone, key, property.key().to_owned()),
        Object::Deletion(zone, key) => of("deletion", zone, key, String::new()),
        Object::Merge(zone, a, b) => of("merge", zone, a, format!("{} {}", b.mac, b.ip)),
        Object::Split(zone, key) => of("split", zone, key, String::new()),
        Object::Managed(key) => {
            let mac = key.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let ip = key.ip.map(|ip| ip.to_string()).unwrap_or_default();
            let detail = json!([key.source, key.external_id, key.zone]).to_string();
            ["managed".to_owned(), String::new(), mac, ip, detail]
        }
        Object::Zone(label) => {
            ["zone".to_owned(), label.clone(), String::new(), String::new(), String::new()]
        }
    }
}

/// The object in a row's five columns.
fn object(row: &Row) -> Result<Object, StoreError> {
    let (kind, detail) = (row.str("kind")?, row.str("detail")?);
    let (mac, ip, zone) = (row.str("mac")?, row.str("ip")?, row.text("zone")?);
    let bad = || corrupt("decision", &format!("object {kind} {zone} {mac} {ip} {detail}"));
    let key = |mac: &str, ip: &str| -> Option<CouplingKey> {
        Some(CouplingKey { mac: mac.parse().ok()?, ip: ip.parse().ok()? })
    };
    let own = || key(mac, ip).ok_or_else(bad);
    Ok(match kind {
        "property" => Object::Property(zone.clone(), own()?, Property::from_key(detail).ok_or_else(bad)?),
        "deletion" => Object::Deletion(zone.clone(), own()?),
        "split" => Object::Split(zone.clone(), own()?),
        "merge" => {
            let other = detail.split_once(' ').and_then(|(mac, ip)| key(mac, ip)).ok_or_else(bad)?;
            Object::merge(&zone, own()?, other)
        }
        "managed" => {
            let (source, external_id, zone) = serde_json::from_str(detail).map_err(|_| bad())?;
            let mac = Some(mac).filter(|m| !m.is_empty()).map(str::parse).transpose().map_err(|_| bad())?;
            let ip = Some(ip).filter(|i| !i.is_empty()).map(str::parse).transpose().map_err(|_| bad())?;
            Object::Managed(ManagedKey { source, external_id, zone, mac, ip })
        }
        "zone" => Object::Zone(zone),
        _ => return Err(bad()),
    })
}

fn decision(json: &str) -> Result<Decision, StoreError> {
    serde_json::from_str(json).map_err(|e| corrupt("decision", &e))
}

fn written(decision: &Decision) -> Result<String, StoreError> {
    serde_json::to_string(decision).map_err(|e| corrupt("decision", &e))
}

fn read_set(row: &Row) -> Result<ChangeSet, StoreError> {
    let action = row.str("action")?;
    Ok(ChangeSet {
        number: number(row, "number")?,
        action: ChangeKind::from_key(action)
            .ok_or_else(|| corrupt("change_set", &format!("action {action}")))?,
        summary: row.text("summary")?,
        by: row.text("made_by")?,
        at: Timestamp(row.int("made_at")?),
        reason: row.opt_text("reason")?,
        undoes: undoes(row)?,
        undone_by: row.opt_int("undone_by")?.map(as_number).transpose()?,
        objects: number(row, "objects")?,
        count: CountDelta::new(number(row, "count_before")?, number(row, "count_after")?),
    })
}

fn undoes(row: &Row) -> Result<Option<u64>, StoreError> {
    row.opt_int("undoes")?.map(as_number).transpose()
}

fn number(row: &Row, column: &str) -> Result<u64, StoreError> {
    as_number(row.int(column)?)
}

fn as_number(n: i64) -> Result<u64, StoreError> {
    u64::try_from(n).map_err(|e| corrupt("change_set", &e))
}

/// A number beyond `i64::MAX` becomes `i64::MAX`, which no row has.
fn as_int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn corrupt(table: &'static str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { table, why: why.to_string() }
}
