//! The view of a zone: what a survey of it says. It is kept until the zone's facts or decisions change, or until its verdicts
//! are due, so a change of one zone costs nothing for the others.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, DefaultHasher, Hash as _, Hasher, RandomState};
use std::ops::RangeInclusive;
use std::sync::Arc;

use smol_str::SmolStr;
use thin_vec::ThinVec;

use super::Facts;
use super::components::{SaidComponent, components_of};
use crate::advisory::Components;
use crate::census::{
    Binding, Census, Classification, Classifier, ClassifierInput, CouplingKey, CouplingState, Decisions,
    DeviceId, Findings, MacAddr, Policy, Prefix, Reason, Routed, Segment, Timestamp, Verdict, Zone,
    ZoneSurvey,
};
use crate::listing::map::PrefixSource;
use crate::listing::{Rows, Tabs};
use crate::proof::Leaf;
use crate::wire::{CouplingRow, DeviceRow, Shown, UnaddressedEntry};

/// What a survey of a zone says.
#[derive(Debug)]
pub(super) struct ZoneView {
    pub(super) name: Arc<str>,
    /// Under which sensors upload to it.
    pub(super) labels: Vec<String>,
    pub(super) rows: Rows,
    pub(super) tabs: Tabs,
    pub(super) census: Census,
    /// Sorted by MAC.
    pub(super) routed: Vec<Routed>,
    /// Sorted by MAC.
    pub(super) unaddressed: Vec<UnaddressedEntry>,
    pub(super) findings: Findings,
    /// The components that devices name; none unless they are asked for.
    pub(super) components: BTreeMap<DeviceId, Vec<SaidComponent>>,
    /// Prefixes that frames told, for the map.
    pub(super) prefixes: Vec<(Prefix, PrefixSource)>,
    /// Couplings that sensors reported.
    pub(super) couplings: u64,
    pub(super) first_frame: Option<Timestamp>,
    pub(super) last_frame: Option<Timestamp>,
    /// The revision at which the zone's facts changed last.
    facts: i64,
    /// The instants at which it says the same.
    holds: RangeInclusive<Timestamp>,
    answers: Answers,
    /// About how much memory it takes.
    pub(super) bytes: usize,
}

/// What zones are surveyed with.
pub(super) struct Surveyor<'s> {
    pub(super) facts: &'s Facts,
    pub(super) policy: &'s Policy,
    pub(super) decisions: &'s Decisions,
    pub(super) classifier: &'s (dyn Classifier + Send + Sync),
    pub(super) questions: &'s Questions,
    pub(super) components: Option<&'s Components>,
    pub(super) as_of: Timestamp,
}

impl ZoneView {
    /// Whether a survey at `as_of` of the same decisions would say the same.
    pub(super) fn serves(&self, facts: i64, as_of: Timestamp) -> bool {
        self.facts == facts && self.holds.contains(&as_of)
    }

    /// Surveys a zone whose facts changed last at the revision `facts`. What `former` says of it is used again for devices of
    /// which the zone knows nothing new.
    pub(super) fn new(
        name: &Arc<str>,
        zone: &Zone,
        facts: i64,
        surveyor: &Surveyor<'_>,
        former: Option<&Self>,
    ) -> Self {
        let Surveyor { policy, decisions, as_of, .. } = *surveyor;
        let zone = zone.admitted(policy);
        let classifier = Remembering {
            classifier: surveyor.classifier,
            questions: surveyor.questions,
            former: former.map(|known| &known.answers),
            answers: RefCell::default(),
        };
        // Every device is shown whole, and stays in the view.
        let survey = ZoneSurvey::keeping(usize::MAX, name, &zone, policy, decisions, &classifier, as_of);
        let rows = Rows::new(survey.devices.iter().map(|device| DeviceRow::new(device, name)).collect());
        let components = surveyor.components.map(|table| components_of(table, &survey.devices));
        let components = components.unwrap_or_default();
        let view = Self {
            name: Arc::clone(name),
            labels: surveyor.facts.labels(name),
            tabs: Tabs::new(&rows),
            rows,
            routed: Routed::all(&survey.lines),
            unaddressed: survey.unaddressed.iter().map(UnaddressedEntry::from).collect(),
            prefixes: prefixes(&zone.segment),
            couplings: zone.couplings.len() as u64,
            first_frame: zone.segment.first_frame,
            last_frame: zone.segment.last_frame,
            facts,
            holds: survey.holds.clone(),
            census: survey.census,
            findings: survey.findings,
            components,
            answers: Answers::default(),
            bytes: 0,
        };
        drop(survey.devices);
        let answers = classifier.answers.take();
        let named = view.components.values().map(|all| (all.len() + 1) * size_of::<SaidComponent>());
        let bytes = view.rows.bytes()
            + named.sum::<usize>()
            + answers.values().map(|answer| bytes_of(answer)).sum::<usize>();
        Self { answers, bytes, ..view }
    }
}

fn prefixes(segment: &Segment) -> Vec<(Prefix, PrefixSource)> {
    let sent = segment.sent.keys().map(|prefix| (*prefix, PrefixSource::Sent));
    let exchanged = segment.exchanged.iter().map(|prefix| (*prefix, PrefixSource::Exchanged));
    sent.chain(exchanged).collect()
}

impl ZoneView {
    /// A zone of which nothing is known but its name.
    pub(super) fn unknown(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            labels: Vec::new(),
            rows: Rows::default(),
            tabs: Tabs::default(),
            census: Census::default(),
            routed: Vec::new(),
            unaddressed: Vec::new(),
            findings: Findings::default(),
            components: BTreeMap::new(),
            prefixes: Vec::new(),
            couplings: 0,
            first_frame: None,
            last_frame: None,
            facts: i64::MIN,
            holds: Timestamp::MIN..=Timestamp::MAX,
            answers: Answers::default(),
            bytes: 0,
        }
    }

    /// Makes the zone show the devices of a snapshot. Returns how many the survey showed otherwise.
    pub(super) fn seal(&mut self, leaves: &HashMap<DeviceId, Leaf>) -> u64 {
        let mut known: HashMap<DeviceId, DeviceRow> =
            std::mem::take(&mut self.rows).into_rows().map(|row| (row.id, row)).collect();
        let mut differing = 0;
        let mut rows = Vec::with_capacity(leaves.len());
        for (id, leaf) in leaves {
            let row = match known.remove(id) {
                Some(row) if shows(&row, leaf) => {
                    DeviceRow { first_seen: leaf.first_seen, last_seen: leaf.last_seen, ..row }
                }
                row => {
                    differing += 1;
                    sealed_row(*id, leaf, row, &self.name)
                }
            };
            rows.push(row);
        }
        differing += known.len() as u64;
        rows.sort_unstable_by_key(|row| (row.ip, row.mac));
        self.rows = Rows::new(rows);
        self.tabs = Tabs::new(&self.rows);
        let lines = |verdict: &Verdict| verdict.is_line();
        let lines: Vec<_> = Verdict::ALL.into_iter().filter(lines).map(Verdict::id).collect();
        let mut census = Census { strict_couplings: self.census.strict_couplings, ..Census::default() };
        census.excluded = std::mem::take(&mut self.census.excluded);
        census.excluded.retain(|id, _| lines.contains(&id.as_str()));
        census.book(self.rows.iter().map(|row| row.verdict));
        self.census = census;
        differing
    }
}

/// Whether a row shows what a leaf says, but for its times.
fn shows(row: &DeviceRow, leaf: &Leaf) -> bool {
    let (what, of_leaf) = (&row.what, (leaf.mac, leaf.ip, leaf.verdict, leaf.couplings));
    (row.mac, row.ip, row.verdict, row.couplings.len() as u64) == of_leaf
        && (what.category, &*what.kind) == (leaf.category, &*leaf.kind)
}

/// The row of a leaf which the survey shows otherwise, or not at all.
fn sealed_row(id: DeviceId, leaf: &Leaf, row: Option<DeviceRow>, zone: &Arc<str>) -> DeviceRow {
    let known = row.as_ref().map(|row| Arc::clone(&row.what));
    let is_known = |what: &Classification| (what.category, &*what.kind) == (leaf.category, &*leaf.kind);
    let what = match known {
        Some(what) if is_known(&what) => what,
        // Why it was sorted so is not sealed.
        known => Arc::new(Classification {
            category: leaf.category,
            kind: leaf.kind.as_str().into(),
            confidence: 0,
            reasons: Vec::new(),
            held: Vec::new(),
            ..known.map(|what| (*what).clone()).unwrap_or_default()
        }),
    };
    let listed = || CouplingRow {
        key: CouplingKey { mac: leaf.mac, ip: leaf.ip },
        // The weakest that a device can have.
        binding: Binding::Inferred,
        state: CouplingState::Active,
        first_seen: leaf.first_seen,
        last_seen: leaf.last_seen,
        shown: Shown::default(),
        vlans: ThinVec::new(),
    };
    let (couplings, joins, forwards, decided) = match row {
        Some(row) => (row.couplings, row.joins, row.forwards, row.decided),
        None => (std::iter::once(listed()).collect(), ThinVec::new(), None, None),
    };
    DeviceRow {
        id,
        zone: Arc::clone(zone),
        ip: leaf.ip,
        mac: leaf.mac,
        couplings,
        joins,
        forwards,
        what,
        first_seen: leaf.first_seen,
        last_seen: leaf.last_seen,
        verdict: leaf.verdict,
        decided,
    }
}

/// A zone of a view: kept, or to be surveyed.
enum Part<'z> {
    Kept(&'z Arc<ZoneView>),
    Changed { name: Arc<str>, zone: &'z Zone, facts: i64, former: Option<&'z ZoneView> },
}

impl Part<'_> {
    fn survey(&self, surveyor: &Surveyor<'_>) -> Arc<ZoneView> {
        match self {
            Self::Kept(known) => Arc::clone(known),
            Self::Changed { name, zone, facts, former } => {
                Arc::new(ZoneView::new(name, zone, *facts, surveyor, *former))
            }
        }
    }
}

/// The zones of the facts, each surveyed anew unless one of `former` serves.
pub(super) fn zones(
    surveyor: &Surveyor<'_>,
    former: &[(&[Arc<ZoneView>], &Decisions)],
) -> Vec<Arc<ZoneView>> {
    let facts = surveyor.facts;
    let all = facts.inventory.zones.iter();
    let parts: Vec<Part<'_>> =
        all.map(|(name, zone)| part(name, zone, facts.changed_at(name), surveyor, former)).collect();
    let survey = |parts: &[Part<'_>]| parts.iter().map(|part| part.survey(surveyor)).collect::<Vec<_>>();
    if !former.is_empty() {
        return survey(&parts);
    }
    // Nobody can be served before the first count, so it takes a second core.
    let (first, second) = parts.split_at(parts.len() / 2);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| survey(second));
        let mut views = survey(first);
        match beside.join() {
            Ok(others) => views.extend(others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        views
    })
}

fn part<'z>(
    name: &str,
    zone: &'z Zone,
    facts: i64,
    surveyor: &Surveyor<'_>,
    former: &[(&'z [Arc<ZoneView>], &Decisions)],
) -> Part<'z> {
    let mut newest: Option<&'z Arc<ZoneView>> = None;
    for (zones, decisions) in former {
        let place = zones.binary_search_by(|known| (*known.name).cmp(name));
        let Some(known) = place.ok().and_then(|place| zones.get(place)) else { continue };
        if known.serves(facts, surveyor.as_of) && decisions.shares_zone(surveyor.decisions, name) {
            return Part::Kept(known);
        }
        newest = newest.filter(|other| other.facts >= known.facts).or(Some(known));
    }
    let name = newest.map_or_else(|| Arc::from(name), |known| Arc::clone(&known.name));
    Part::Changed { name, zone, facts, former: newest.map(|known| &**known) }
}

/// About how much memory a kept answer takes.
fn bytes_of(answer: &Classification) -> usize {
    // An entry of the map, with room that is free.
    let place = 2 * size_of::<(u128, Arc<Classification>)>();
    let reasons = answer.reasons.len() + answer.held.len();
    let long = |text: &SmolStr| if text.is_heap_allocated() { text.len() } else { 0 };
    let values = answer.reasons.iter().chain(&answer.held).map(|r| long(&r.value) + long(&r.says));
    place + size_of::<Classification>() + reasons * size_of::<Reason>() + values.sum::<usize>()
}

/// The answers of a classifier by the digests of the questions.
type Answers = HashMap<u128, Arc<Classification>>;

/// How questions to a classifier are told apart: by 128 bits under keys that nobody else knows, so nobody can make two
/// devices look alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions([RandomState; 2]);

impl Questions {
    fn digest(&self, question: &ClassifierInput<'_>) -> u128 {
        let [a, b] = &self.0;
        let mut both = Both(a.build_hasher(), b.build_hasher());
        question.hash(&mut both);
        u128::from(both.0.finish()) << 64 | u128::from(both.1.finish())
    }
}

/// Feeds two hashers.
struct Both(DefaultHasher, DefaultHasher);

impl Hasher for Both {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// A classifier that answers a question as it did in the survey before.
struct Remembering<'c> {
    classifier: &'c dyn Classifier,
    questions: &'c Questions,
    former: Option<&'c Answers>,
    answers: RefCell<Answers>,
}

impl Classifier for Remembering<'_> {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        (*self.conclude(subject)).clone()
    }

    fn conclude(&self, subject: &ClassifierInput<'_>) -> Arc<Classification> {
        let digest = self.questions.digest(subject);
        let mut answers = self.answers.borrow_mut();
        let known = answers.get(&digest).or_else(|| self.former?.get(&digest)).cloned();
        let answer = known.unwrap_or_else(|| self.classifier.conclude(subject));
        answers.insert(digest, Arc::clone(&answer));
        answer
    }

    fn silent(&self, card: MacAddr) -> Option<String> {
        self.classifier.silent(card)
    }

    fn maker(&self, card: MacAddr) -> Option<String> {
        self.classifier.maker(card)
    }
}
