//! The set of advisories in use, and what it says about the devices of each subscription.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use thin_vec::ThinVec;
use tokio::time::timeout;

use super::inventory::{Revision, SaidComponent, View};
use super::vulnerability_advice::{self, Advice, advice};
use super::vulnerability_tally::Tally;
use super::{App, Refusal, aside, freshness};
use crate::advisory::{CveId, Firmware, Products};
use crate::census::{Category, DeviceId, Reason, Timestamp, Verdict as Counted};
use crate::plan::advisories::{
    AdvisoryError, AdvisorySet, CveFacts, Found, Subject, SubjectResult, Tables, judge,
};
use crate::security::{Recommendation, Ruleset};
use crate::wire::{DeviceRow, SubscriptionId};

/// Subscriptions whose results are kept. The others are judged again when somebody asks.
const KEPT: usize = 64;

/// What is kept of advisories.
#[derive(Debug, Default)]
pub(super) struct Advisories {
    tables: OnceLock<Arc<Tables>>,
    set: Mutex<Option<(Mark, Arc<AdvisorySet>)>>,
    judged: Mutex<HashMap<SubscriptionId, Arc<Judged>>>,
    /// Held while devices are judged.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// By what a file is told from the one that took its place.
type Mark = (u64, u64, i64, i64);

fn mark(path: &Path) -> Option<Mark> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

/// What the set says about the devices of a view.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) as_of: Timestamp,
    revision: Revision,
    pub(super) set: Arc<AdvisorySet>,
    /// Sorted by id.
    pub(super) devices: BTreeMap<DeviceId, Judgement>,
    /// What is known of the CVEs of these devices.
    pub(super) facts: BTreeMap<CveId, CveFacts>,
    /// How many devices have each.
    pub(super) tally: Tally,
    /// What it recommends for them.
    pub(super) recommendations: Vec<Arc<Recommendation>>,
    rules: Arc<Ruleset>,
    known: HashMap<Subject, Arc<SubjectResult>>,
}

/// What the set says about a device.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) subject: Arc<Subject>,
    pub(super) result: Arc<SubjectResult>,
    /// When the device first said its firmware, or else its model.
    pub(super) proved_at: Option<Timestamp>,
    /// The rules that prove what it is.
    pub(super) rules: Vec<String>,
    /// What is recommended for it.
    pub(super) advice: Arc<Advice>,
    /// What is said of the components that its banners name.
    pub(super) components: ThinVec<JudgedComponent>,
}

impl Judgement {
    /// What the device has and possibly has of itself, and then by its components: each CVE once.
    pub(super) fn claimed(&self) -> impl Iterator<Item = Claimed<'_>> {
        let own = self.result.found.iter().map(|found| Claimed { found: *found, component: None });
        let others = self.components.iter().flat_map(|component| {
            component
                .result
                .found
                .iter()
                .map(move |found| Claimed { found: *found, component: Some(component) })
        });
        let mut known = BTreeSet::new();
        let is_own = |cve| self.result.found.iter().any(|found| found.cve == cve);
        own.chain(others.filter(move |c| !is_own(c.found.cve) && known.insert(c.found.cve)))
    }
}

/// A vulnerability of a device itself, or of a component that it names.
#[derive(Clone, Copy)]
pub(super) struct Claimed<'j> {
    pub(super) found: Found,
    pub(super) component: Option<&'j JudgedComponent>,
}

/// What the set says about a component of a device.
#[derive(Clone, Debug)]
pub(super) struct JudgedComponent {
    pub(super) subject: Arc<Subject>,
    pub(super) result: Arc<SubjectResult>,
    /// The word that names it, such as `http.server: nginx/1.18.0`.
    pub(super) said: String,
    pub(super) at: Timestamp,
}

impl From<AdvisoryError> for Refusal {
    fn from(error: AdvisoryError) -> Self {
        Self::Defect(error.to_string())
    }
}

impl App {
    /// The tables of products and components.
    pub(super) fn tables(&self) -> Result<Arc<Tables>, Refusal> {
        if let Some(tables) = self.advisories.tables.get() {
            return Ok(Arc::clone(tables));
        }
        let tables = Arc::new(Tables::built_in().map_err(AdvisoryError::from)?);
        Ok(Arc::clone(self.advisories.tables.get_or_init(|| tables)))
    }

    /// The set in use; `None` if nothing was imported yet.
    pub(super) async fn advisory_set(&self) -> Result<Option<Arc<AdvisorySet>>, Refusal> {
        let Some(path) = &self.settings.advisories else { return Ok(None) };
        let Some(found) = mark(path) else { return Ok(None) };
        let known = self.advisories.set.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((mark, set)) = known
            && mark == found
        {
            return Ok(Some(set));
        }
        let Some(set) = AdvisorySet::open(path).await?.map(Arc::new) else { return Ok(None) };
        *self.advisories.set.lock().unwrap_or_else(PoisonError::into_inner) = Some((found, Arc::clone(&set)));
        Ok(Some(set))
    }

    /// What the set says about the devices of a subscription at present; `None` if nothing was imported yet.
    pub(super) async fn judged(&self, subscription: &SubscriptionId) -> Result<Option<Arc<Judged>>, Refusal> {
        let Some(set) = self.advisory_set().await? else { return Ok(None) };
        let view = self.view(subscription, None).await?;
        self.judged_of(subscription, set, view).await.map(Some)
    }

    /// What the set says about the devices of a view.
    pub(super) async fn judged_of(
        &self,
        subscription: &SubscriptionId,
        set: Arc<AdvisorySet>,
        view: Arc<View>,
    ) -> Result<Arc<Judged>, Refusal> {
        let rules = self.alert_rules()?;
        let known = self.known_judged(subscription, &set);
        if let Some(known) = known.as_ref().filter(|known| known.is_of(&view, &rules)) {
            return Ok(Arc::clone(known));
        }
        let turn = Arc::clone(&self.advisories.turn);
        let now = self.now();
        let lately = known.filter(|known| now.since(known.as_of) < freshness::STALE);
        let Some((known, wait)) = lately.zip(self.brevity()) else {
            let _turn = turn.lock_owned().await;
            return self.judge_now(subscription, set, rules, view).await;
        };
        let older = || {
            freshness::note_older(known.as_of, known.as_of, now);
            Ok(Arc::clone(&known))
        };
        let Ok(turn) = turn.try_lock_owned() else { return older() };
        let (app, subscription) = (self.clone(), subscription.clone());
        let judging = tokio::spawn(async move {
            let judged = app.judge_now(&subscription, set, rules, view).await;
            drop(turn);
            judged
        });
        match timeout(wait, judging).await {
            Ok(Ok(judged)) => judged,
            Ok(Err(error)) => Err(Refusal::Defect(format!("devices were not judged: {error}"))),
            // It goes on, for a later reader.
            Err(_) => older(),
        }
    }

    /// What was judged last by this set.
    fn known_judged(&self, subscription: &SubscriptionId, set: &Arc<AdvisorySet>) -> Option<Arc<Judged>> {
        let kept = self.advisories.judged.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(subscription).cloned().filter(|known| Arc::ptr_eq(&known.set, set))
    }

    /// Judges the devices of a view, unless somebody did meanwhile. Whoever calls it has the turn.
    async fn judge_now(
        &self,
        subscription: &SubscriptionId,
        set: Arc<AdvisorySet>,
        rules: Arc<Ruleset>,
        view: Arc<View>,
    ) -> Result<Arc<Judged>, Refusal> {
        let known = self.known_judged(subscription, &set);
        if let Some(known) = known.as_ref().filter(|known| known.is_of(&view, &rules)) {
            return Ok(Arc::clone(known));
        }
        let (tables, runtime) = (self.tables()?, tokio::runtime::Handle::current());
        let judged =
            aside(move || runtime.block_on(Judged::new(set, rules, &tables, &view, known.as_deref())))
                .await??;
        let judged = Arc::new(judged);
        let mut kept = self.advisories.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(subscription.clone(), Arc::clone(&judged));
        Ok(judged)
    }

    /// Where the set is.
    ///
    /// # Errors
    /// If the configuration names no place, and the database is not a file beside which it could be.
    pub fn advisories_path(&self) -> Result<PathBuf, AdvisoryError> {
        self.settings.advisories.clone().ok_or(AdvisoryError::NoPlace)
    }
}

impl Judged {
    fn is_of(&self, view: &View, rules: &Arc<Ruleset>) -> bool {
        (self.as_of, self.revision) == (view.as_of, view.revision) && Arc::ptr_eq(&self.rules, rules)
    }

    /// Judges the devices of a view. What `former` says about subjects is taken over.
    async fn new(
        set: Arc<AdvisorySet>,
        rules: Arc<Ruleset>,
        tables: &Tables,
        view: &View,
        former: Option<&Self>,
    ) -> Result<Self, Refusal> {
        let mut reader = SubjectReader { products: &tables.products, from: HashMap::new() };
        let mut devices: Vec<(DeviceId, Claims)> = Vec::new();
        let mut subjects: HashMap<Subject, usize> = HashMap::new();
        for row in view.rows().filter(|row| is_covered(row)) {
            let claims = Claims { components: named(view.components(row.id)), ..reader.claims(row) };
            let next = subjects.len();
            subjects.entry(claims.subject.clone()).or_insert(next);
            for named in &claims.components {
                let next = subjects.len();
                subjects.entry(named.subject.clone()).or_insert(next);
            }
            devices.push((row.id, claims));
        }
        let known = |subject: &Subject| former.and_then(|former| former.known.get(subject)).cloned();
        let mut results: HashMap<Subject, Arc<SubjectResult>> = HashMap::with_capacity(subjects.len());
        let mut unknown = Vec::new();
        for subject in subjects.into_keys() {
            match known(&subject) {
                Some(result) => {
                    results.insert(subject, result);
                }
                None => unknown.push(subject),
            }
        }
        let found = judge(&set, tables, &unknown).await?;
        results.extend(unknown.into_iter().zip(found.into_iter().map(Arc::new)));
        let mut cves: Vec<CveId> =
            results.values().flat_map(|r| r.found.iter().map(|found| found.cve)).collect();
        cves.sort_unstable();
        cves.dedup();
        let facts = match former {
            // The set does not change, and reading it takes longer than all else.
            Some(former) => {
                let (known, new): (Vec<CveId>, Vec<CveId>) =
                    cves.into_iter().partition(|cve| former.facts.contains_key(cve));
                let mut facts = set.facts(&new).await?;
                facts.extend(known.iter().filter_map(|cve| Some((*cve, former.facts.get(cve)?.clone()))));
                facts
            }
            None => set.facts(&cves).await?,
        };
        let mut shared: HashMap<Subject, (Arc<Subject>, Arc<Advice>)> = HashMap::new();
        let mut of_components: HashMap<Subject, Arc<Subject>> = HashMap::new();
        let mut component = |NamedComponent { subject, said, at }: NamedComponent| {
            let result = results.get(&subject).cloned().unwrap_or_default();
            let shared = || Arc::new(subject.clone());
            let subject = Arc::clone(of_components.entry(subject.clone()).or_insert_with(shared));
            JudgedComponent { subject, result, said, at }
        };
        let judgement = |(id, Claims { subject, proved_at, rules, components }): (DeviceId, Claims)| {
            let components = components.into_iter().map(&mut component).collect();
            let result = results.get(&subject).cloned().unwrap_or_default();
            let of_subject = || {
                let advice = advice(&subject, &result, &facts);
                (Arc::new(subject.clone()), Arc::new(advice))
            };
            let (subject, advice) = shared.entry(subject.clone()).or_insert_with(of_subject).clone();
            (id, Judgement { subject, result, proved_at, rules, advice, components })
        };
        let devices: BTreeMap<DeviceId, Judgement> = devices.into_iter().map(judgement).collect();
        let mut tally = Tally::new(devices.values().map(|judgement| &judgement.result), &facts);
        tally.add_components(devices.values().filter(|judgement| !judgement.components.is_empty()));
        let recommendations = vulnerability_advice::recommendations(&rules, view, &devices);
        let (as_of, revision) = (view.as_of, view.revision);
        Ok(Self { as_of, revision, set, devices, facts, tally, recommendations, rules, known: results })
    }
}

/// A plan covers network and IoT devices. A deleted device, and one that may be made up, is not listed.
fn is_covered(row: &DeviceRow) -> bool {
    matches!(row.what.category, Category::Network | Category::Iot)
        && !matches!(row.verdict, Counted::Deleted | Counted::Tentative)
}

/// What a device claims about itself, with the rules that prove it.
struct Claims {
    subject: Subject,
    proved_at: Option<Timestamp>,
    rules: Vec<String>,
    components: Vec<NamedComponent>,
}

/// A component that a device names.
struct NamedComponent {
    subject: Subject,
    said: String,
    at: Timestamp,
}

fn named(components: &[SaidComponent]) -> Vec<NamedComponent> {
    let one = |SaidComponent { component, field, said, at }: &SaidComponent| NamedComponent {
        subject: Subject {
            component: Some(component.id.clone()),
            firmware: Firmware::Said(component.version.to_string()),
            ..Subject::default()
        },
        said: format!("{field}: {said}"),
        at: *at,
    };
    components.iter().map(one).collect()
}

/// Reads subjects from devices.
struct SubjectReader<'p> {
    products: &'p Products,
    /// The rules whose firmware counts, by vendor, model and system.
    from: HashMap<(String, Option<String>, Option<String>), Vec<String>>,
}

impl SubjectReader<'_> {
    fn claims(&mut self, row: &DeviceRow) -> Claims {
        let what = &*row.what;
        let text = |text: &Option<smol_str::SmolStr>| text.as_ref().map(ToString::to_string);
        let (vendor, model, os) = (text(&what.vendor), text(&what.model), text(&what.os));
        let proving = |attribute: &'static str, value: Option<&str>| {
            let says = move |reason: &&Reason| reason.proves && said(&reason.says, attribute) == value;
            value.and_then(|_| what.reasons.iter().find(says))
        };
        let by_vendor = proving("vendor", vendor.as_deref());
        let by_model = proving("model", model.as_deref());
        let by_os = proving("os", os.as_deref());
        let by_product = by_model.or_else(|| by_os.filter(|_| model.is_none()));
        let from = self.from.entry((vendor.clone().unwrap_or_default(), model.clone(), os.clone()));
        let from = from.or_insert_with_key(|(vendor, model, os)| {
            let named = self.products.named(vendor, model.as_deref(), os.as_deref());
            named.from.iter().map(ToString::to_string).collect()
        });
        let (firmware, by_firmware) = firmware(&what.reasons, from);
        let proved_at = by_firmware.or(by_product).and_then(|reason| reason.at);
        let mut rules: Vec<String> =
            [by_vendor, by_product, by_firmware].into_iter().flatten().map(|r| r.rule.to_string()).collect();
        rules.dedup();
        let is_proved = by_vendor.is_some() && by_product.is_some();
        let vendor = vendor.unwrap_or_default();
        let subject = Subject { component: None, vendor, model, os, is_proved, firmware };
        Claims { subject, proved_at, rules, components: Vec::new() }
    }
}

/// The firmware that a device says it has, with what proves it. Of what one rule reads, the text that came last counts: a
/// device that was updated has said both. Rules that contradict each other decide nothing.
fn firmware<'r>(reasons: &'r [Reason], from: &[String]) -> (Firmware, Option<&'r Reason>) {
    let counts = |rule: &str| {
        let is = |pattern: &String| match pattern.strip_suffix('*') {
            Some(begin) => rule.starts_with(begin),
            None => rule == pattern,
        };
        from.is_empty() || from.iter().any(is)
    };
    let mut newest: BTreeMap<&str, (&Reason, &str)> = BTreeMap::new();
    for reason in reasons.iter().filter(|reason| reason.proves && counts(&reason.rule)) {
        let Some(text) = said(&reason.says, "firmware") else { continue };
        let known = newest.entry(reason.rule.as_str()).or_insert((reason, text));
        if known.0.at < reason.at {
            *known = (reason, text);
        }
    }
    let mut texts = newest.into_values();
    let Some((reason, text)) = texts.next() else { return (Firmware::Unknown, None) };
    if texts.any(|(_, other)| other != text) {
        return (Firmware::Contradictory, Some(reason));
    }
    (Firmware::Said(text.to_owned()), Some(reason))
}

/// The attributes that a conclusion can name after another one.
const ATTRIBUTES: [&str; 8] = ["category", "type", "role", "vendor", "model", "os", "firmware", "name"];

/// What a reason says of an attribute: the text behind `attribute=`.
fn said<'s>(says: &'s str, attribute: &str) -> Option<&'s str> {
    let is_begin = |at: &usize| *at == 0 || says.get(..*at).is_some_and(|before| before.ends_with(", "));
    let at = says.match_indices(attribute).map(|(at, _)| at).filter(is_begin);
    let rest = at.filter_map(|at| says.get(at + attribute.len()..)?.strip_prefix('=')).next()?;
    let ends = rest.match_indices(", ").map(|(at, _)| at);
    let is_end = |at: &usize| {
        let after = rest.get(at + 2..).unwrap_or_default();
        ATTRIBUTES.iter().any(|known| after.strip_prefix(known).is_some_and(|rest| rest.starts_with('=')))
    };
    let text = ends.into_iter().find(is_end).map_or(rest, |end| rest.get(..end).unwrap_or(rest));
    Some(match text.strip_suffix(" %)").and_then(|text| text.rsplit_once(" (")) {
        Some((text, percent)) if percent.bytes().all(|b| b.is_ascii_digit()) => text,
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Field;

    fn reason(rule: &str, says: &str, at: i64, proves: bool) -> Reason {
        Reason {
            field: Field::DhcpHostname,
            value: "x".into(),
            rule: rule.into(),
            title: "".into(),
            says: says.into(),
            weight: 90,
            proves,
            at: Some(Timestamp(at)),
        }
    }

    #[test]
    fn what_a_reason_says_is_read_attribute_by_attribute() {
        let says = "type=router (60 %), vendor=A, B & Co (90 %), model=X (2), firmware=1.2";
        assert_eq!(said(says, "vendor"), Some("A, B & Co"));
        assert_eq!(said(says, "model"), Some("X (2)"));
        assert_eq!(said(says, "firmware"), Some("1.2"));
        assert_eq!(said(says, "os"), None);
        assert_eq!(said("model=firmware=7", "firmware"), None);
    }

    #[test]
    fn the_newest_firmware_of_a_rule_counts_and_rules_that_differ_decide_nothing() {
        let old = reason("a", "firmware=1.0", 1, true);
        let new = reason("a", "vendor=X, firmware=2.0", 2, true);
        let guess = reason("b", "firmware=9.9", 3, false);
        let other = reason("c.x", "firmware=2.1", 1, true);
        let said = |text: &str| Firmware::Said(text.to_owned());
        assert_eq!(firmware(&[old.clone(), new.clone(), guess.clone()], &[]).0, said("2.0"));
        assert_eq!(firmware(&[old, new, guess.clone(), other.clone()], &[]).0, Firmware::Contradictory);
        assert_eq!(firmware(&[guess, other.clone()], &["c.*".to_owned()]).0, said("2.1"));
        assert_eq!(firmware(&[other], &["a".to_owned()]).0, Firmware::Unknown);
    }
}
