//! From facts to alerts and recommendations.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::alert::{Alert, AlertId, Proof, Recommendation, Security, Severity, Standing};
use super::indicator::LISTED;
use super::ruleset::Ruleset;
use super::{attacks, cards, control, flood, newcomer, posture};
use crate::census::conduct::{Conduct, Deed, DeedKey, DeedKind, Reached, Thing};
use crate::census::{
    Category, Coupling, CouplingKey, Device, Field, Inventory, Survey, Timestamp, Zone, ZoneNames,
};

/// The most alerts of one rule and zone; the first by their doers stay.
const ALERTS: usize = 1_000;
/// Of so many other labels of its zone, an alert has the ids that it had there.
const LABELS: usize = 16;
/// The rules whose object is an indicator.
const INDICATED: [&str; 2] = ["A-IP", "A-DOM"];

/// The feeds of the plan service that hold an indicator now, by the indicator's label. A label that is missing, or has no feed,
/// is held by none.
pub type FeedHolders = BTreeMap<String, Vec<String>>;

/// The labels of all indicators that stations of an inventory hit, without [`LISTED`].
pub fn indicators_hit(inventory: &Inventory) -> BTreeSet<String> {
    let kinds = [DeedKind::Contacts, DeedKind::Asks];
    let deeds = inventory.zones.values().flat_map(|zone| kinds.map(|kind| zone.conduct.of(kind)));
    deeds.flatten().map(|(key, _)| key.label.strip_prefix(LISTED).unwrap_or(&key.label).to_owned()).collect()
}

/// What was found of one device, before it is put into words that all alerts share.
pub(super) struct Found {
    pub(super) rule: &'static str,
    /// The place of the device.
    pub(super) device: usize,
    /// The coupling that bears it.
    pub(super) doer: CouplingKey,
    pub(super) object: String,
    pub(super) sentence: String,
    pub(super) proof: Proof,
    /// Another severity than the rule's.
    pub(super) severity: Option<Severity>,
}

/// A zone as the rules look at it.
pub(super) struct View<'v, 'a> {
    name: &'v str,
    names: &'v ZoneNames,
    pub(super) zone: &'v Zone,
    pub(super) conduct: &'v Conduct,
    pub(super) devices: &'v [Device<'a>],
    /// The place of the device with a coupling.
    by_coupling: HashMap<CouplingKey, usize>,
    /// The places of the devices with an address.
    by_ip: HashMap<IpAddr, usize>,
    /// For how long everything in a zone is new, in nanoseconds.
    pub(super) baseline: i64,
    rules: &'v Ruleset,
}

impl<'a> View<'_, 'a> {
    /// The id of an alert.
    fn alert(&self, rule: &str, doer: CouplingKey, object: &str) -> AlertId {
        AlertId::of(self.names.label(self.name, self.zone, doer), rule, doer, object)
    }

    /// The ids that an alert has, or would have under the other labels of its zone.
    fn ids(&self, rule: &str, doer: CouplingKey, object: &str) -> Vec<AlertId> {
        let own = self.names.label(self.name, self.zone, doer);
        let others = self.names.labels(self.name).filter(|label| *label != own).take(LABELS);
        let labels = std::iter::once(own).chain(others.filter(|_| !self.names.is_empty()));
        labels.map(|label| AlertId::of(label, rule, doer, object)).collect()
    }

    /// The labels of the zone, that of the doer first; none if people did not name it.
    fn labels(&self, doer: CouplingKey) -> Vec<String> {
        let own = self.names.label(self.name, self.zone, doer);
        let others = self.names.labels(self.name).filter(|label| *label != own);
        let labels: Vec<String> = std::iter::once(own).chain(others).map(str::to_owned).collect();
        if labels == [self.name] { Vec::new() } else { labels }
    }

    /// The device that did it, if a device did.
    pub(super) fn doer(&self, key: &DeedKey) -> Option<usize> {
        self.by_coupling.get(&key.doer).copied()
    }

    pub(super) fn device(&self, place: usize) -> Option<&Device<'a>> {
        self.devices.get(place)
    }

    /// The device with an address.
    pub(super) fn at(&self, ip: IpAddr) -> Option<usize> {
        self.by_ip.get(&ip).copied()
    }

    /// Deeds of a kind whose crowd reached what the kind asks for.
    pub(super) fn reached(&self, kind: DeedKind) -> impl Iterator<Item = (&DeedKey, &Deed, Reached)> {
        self.conduct.of(kind).filter_map(|(key, deed)| Some((key, deed, deed.crowd()?.reached()?)))
    }

    /// Whether the zone was known for its baseline before an instant.
    pub(super) fn is_settled(&self, at: Timestamp) -> bool {
        self.zone.segment.first_frame.is_some_and(|first| at.since(first) >= self.baseline)
    }

    /// A number of a rule.
    pub(super) fn number(&self, rule: &str, name: &str) -> i64 {
        self.rules.number(rule, name)
    }

    /// The couplings of addresses.
    pub(super) fn couplings(&self, ips: &BTreeSet<IpAddr>) -> HashMap<IpAddr, Vec<&Coupling>> {
        let mut found: HashMap<IpAddr, Vec<&Coupling>> = HashMap::new();
        if !ips.is_empty() {
            for (key, facts) in self.zone.couplings.iter().filter(|(key, _)| ips.contains(&key.ip)) {
                if !facts.signs.is_only_by_others() {
                    found.entry(key.ip).or_default().push(facts);
                }
            }
        }
        found
    }
}

/// Whether a host accepts connections on a port.
pub(super) fn listens(couplings: &[&Coupling], port: u16) -> bool {
    let port = port.to_string();
    couplings.iter().any(|c| c.evidence.values(Field::TcpListens).any(|listens| listens == port))
}

/// Some things of a crowd, as texts.
pub(super) fn sample(deed: &Deed) -> Vec<String> {
    deed.crowd().map(|crowd| crowd.sample().map(ToString::to_string).collect()).unwrap_or_default()
}

/// Some addresses of a crowd.
pub(super) fn addresses(deed: &Deed) -> Vec<IpAddr> {
    let ip = |thing: &Thing| match thing {
        Thing::Ip(ip) => Some(*ip),
        _ => None,
    };
    deed.crowd().map(|crowd| crowd.sample().filter_map(ip).collect()).unwrap_or_default()
}

/// The proof of a crowd that reached what its kind asks for. Within its windows, the deed's own times are closer.
pub(super) fn proof_of(deed: &Deed, reached: Reached, sentence: String) -> Proof {
    Proof {
        sentence,
        first: reached.first().max(deed.first),
        last: reached.last().min(deed.last),
        sample: sample(deed),
    }
}

/// Derives alerts and recommendations. A pure function of its arguments: `inventory` is the one of the survey, `baseline` for
/// how many nanoseconds after its first frame everything in a zone is new, `all` whether to tell what is off, too, and `feeds`
/// which feeds hold the indicators that were hit. `names` are those under which the inventory's zones have their names.
pub fn derive(
    survey: &Survey<'_>,
    inventory: &Inventory,
    names: &ZoneNames,
    rules: &Ruleset,
    baseline: i64,
    all: bool,
    feeds: &FeedHolders,
) -> Security {
    let mut out = Security::default();
    let mut recommendations = Vec::new();
    let mut standings = Standings::default();
    for (name, zone) in &inventory.zones {
        let from = survey.devices.partition_point(|d| d.zone < name.as_str());
        let until = survey.devices.partition_point(|d| d.zone <= name.as_str());
        let Some(devices) = survey.devices.get(from..until) else { continue };
        let mut view = View {
            name,
            names,
            zone,
            conduct: &zone.conduct,
            devices,
            by_coupling: HashMap::new(),
            by_ip: HashMap::new(),
            baseline,
            rules,
        };
        for (place, device) in devices.iter().enumerate() {
            for member in &device.couplings {
                view.by_coupling.insert(member.key, place);
                view.by_ip.entry(member.key.ip).or_insert(place);
            }
        }
        let mut found = Vec::new();
        attacks::find(&view, &mut found);
        cards::find(&view, &mut found);
        flood::find(&view, &mut found);
        newcomer::find(&view, &mut found);
        control::find(&view, &mut found);
        let found = found.into_iter().filter_map(|one| still_held(one, &view, feeds, &mut out.delisted));
        let found = found.collect();
        let known = out.alerts.len();
        tell(&view, found, rules, all, &mut standings, &mut out.alerts);
        for alert in out.alerts.iter_mut().skip(known).filter(|a| INDICATED.contains(&&*a.rule)) {
            alert.feeds = feeds.get(&alert.object).cloned().unwrap_or_default();
        }
        posture::assess(&view, rules, (survey.as_of, all), &mut standings, &mut recommendations);
    }
    Recommendation::sort(&mut recommendations);
    out.recommendations = recommendations.into_iter().map(Arc::new).collect();
    Alert::sort(&mut out.alerts);
    out
}

/// What was found, unless it hit an indicator that only the plan service named and that no feed holds any more.
fn still_held(
    mut one: Found,
    view: &View<'_, '_>,
    feeds: &FeedHolders,
    delisted: &mut BTreeSet<AlertId>,
) -> Option<Found> {
    if INDICATED.contains(&one.rule)
        && let Some(indicator) = one.object.strip_prefix(LISTED)
    {
        one.object = indicator.to_owned();
        if feeds.get(&one.object).is_none_or(Vec::is_empty) {
            delisted.insert(view.alert(one.rule, one.doer, &one.object));
            return None;
        }
    }
    Some(one)
}

/// Joins what is one alert, and puts it into words.
fn tell(
    view: &View<'_, '_>,
    mut found: Vec<Found>,
    rules: &Ruleset,
    all: bool,
    standings: &mut Standings,
    out: &mut Vec<Alert>,
) {
    found.sort_by(|a, b| {
        let rank = |f: &Found| (f.rule, f.device, f.proof.first, f.doer);
        rank(a).cmp(&rank(b)).then_with(|| a.object.cmp(&b.object))
    });
    let mut groups: BTreeMap<(&str, usize, &str), Vec<&Found>> = BTreeMap::new();
    for one in &found {
        groups.entry((one.rule, one.device, &one.object)).or_default().push(one);
    }
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for ((id, place, object), of_one) in groups {
        let (Some(rule), Some(device), Some(first)) =
            (rules.alerts.get(id), view.device(place), of_one.first())
        else {
            continue;
        };
        if !(rule.on || all) || !rule.scope.has(device) {
            continue;
        }
        let n = told.entry(id).or_default();
        *n += 1;
        if *n > ALERTS {
            continue;
        }
        let mut proofs: Vec<Proof> = of_one.iter().map(|f| f.proof.clone()).collect();
        proofs.sort();
        proofs.dedup();
        let mut doers: Vec<CouplingKey> = of_one.iter().map(|f| f.doer).collect();
        let earliest = first.doer;
        doers.sort_unstable();
        doers.dedup();
        let own = view.alert(id, earliest, object);
        let mut aliases: Vec<AlertId> = doers.iter().flat_map(|doer| view.ids(id, *doer, object)).collect();
        aliases.retain(|alias| *alias != own);
        out.push(Alert {
            id: own,
            aliases,
            labels: view.labels(earliest),
            rule: id.to_owned(),
            title: rule.title.clone(),
            severity: of_one.iter().filter_map(|f| f.severity).max().unwrap_or(rule.severity),
            device: standings.of(device),
            object: object.to_owned(),
            first: proofs.iter().map(|p| p.first).min().unwrap_or_default(),
            last: proofs.iter().map(|p| p.last).max().unwrap_or_default(),
            sentence: first.sentence.clone(),
            proofs,
            advice: rule.advice.clone(),
            techniques: rule.techniques.clone(),
            feeds: Vec::new(),
        });
    }
}

/// The devices as alerts show them, each made once.
#[derive(Default)]
pub(super) struct Standings(HashMap<String, Standing>);

impl Standings {
    pub(super) fn of(&mut self, device: &Device<'_>) -> Standing {
        let id = device.id.to_string();
        if let Some(known) = self.0.get(&id) {
            return known.clone();
        }
        let (place, what) = ((device.ip, device.mac), device.classification());
        let standing = Standing::new(id.clone(), device.zone, place, device.category, &what);
        self.0.insert(id, standing.clone());
        standing
    }
}

/// Whether rules are about a device only if its category is that.
pub(super) const fn is_computer(device: &Device<'_>) -> bool {
    matches!(device.category, Category::ComputerMobile)
}
