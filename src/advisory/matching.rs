//! Compares a record with a device.

use std::sync::Arc;

use super::products::{Name, Named, Products};
use super::record::{Bound, Constraint, Criterion, Group, Node, Record, Source, Status};
use super::scheme::{Place, Scheme, Version};
use super::verdict::Verdict;

/// What a device is, as far as advisories are concerned: its vendor, model and system, and the names of these in records.
/// Devices that are alike share one.
#[derive(Clone, Debug)]
pub struct Profile {
    pub named: Named,
    /// Whether vendor and model are proved well enough to say that the device *has* a vulnerability (and not only
    /// *possibly*).
    pub is_proved: bool,
    /// The schemes of the names, each once.
    schemes: Vec<Arc<Scheme>>,
}

/// What a device proves about itself.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'p> {
    pub vendor: &'p str,
    pub model: Option<&'p str>,
    pub os: Option<&'p str>,
    pub is_proved: bool,
}

/// A device's firmware.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Firmware {
    /// It does not say.
    #[default]
    Unknown,
    /// It says several things that contradict each other.
    Contradictory,
    Said(String),
}

/// A device's firmware, with its version by each scheme of a profile.
#[derive(Clone, Debug)]
pub struct Readied<'f> {
    firmware: &'f Firmware,
    versions: Vec<Option<Version>>,
}

/// A record's criteria that are about a profile.
#[derive(Debug)]
pub struct Prepared<'r> {
    groups: Vec<ReadyGroup<'r>>,
}

#[derive(Debug)]
struct ReadyGroup<'r> {
    status: Status,
    /// Whether everything that it must run on is proved, and nothing is negated.
    is_certain: bool,
    /// All must hold if `all`, else one.
    nodes: Vec<ReadyNode<'r>>,
    all: bool,
}

#[derive(Debug)]
struct ReadyNode<'r> {
    all: bool,
    leaves: Vec<ReadyLeaf<'r>>,
}

#[derive(Debug)]
struct ReadyLeaf<'r> {
    criterion: &'r Criterion,
    place: Leaf,
    /// The place of the scheme in the profile.
    slot: usize,
    scheme: Arc<Scheme>,
    versions: [Option<Version>; 2],
    name: Name,
    /// Whether a list of single versions is complete: those of the NVD are.
    is_closed: bool,
}

/// The place of a criterion in its record, counted through all groups.
pub type Leaf = u32;

/// What a record says about a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Judged {
    pub verdict: Verdict,
    /// The criterion that decided.
    pub leaf: Leaf,
}

/// Why a record says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Why {
    /// The criterion, such as `axis/p3245-lv < 10.12.91`.
    pub criterion: String,
    /// The comparison, such as `10.12.65 is within (dotted numbers)`.
    pub compared: String,
    /// The row of the table of products that names the device so.
    pub row: String,
    /// The version from which on the device is no longer affected, if the criterion names one.
    pub fixed_in: Option<String>,
}

impl Profile {
    pub fn new(products: &Products, proof: Proof<'_>) -> Self {
        Self::of(products.named(proof.vendor, proof.model, proof.os), proof.is_proved)
    }

    /// That of a component, of which the table of components has these names. A banner with a version proves it.
    pub fn of_component(named: Named) -> Self {
        Self::of(named, true)
    }

    fn of(named: Named, is_proved: bool) -> Self {
        let mut schemes: Vec<Arc<Scheme>> = Vec::new();
        for name in &named.keys {
            if !schemes.iter().any(|known| known.id == name.scheme.id) {
                schemes.push(Arc::clone(&name.scheme));
            }
        }
        Self { named, is_proved, schemes }
    }

    /// Reads a device's firmware by the schemes of this profile.
    pub fn ready<'f>(&self, firmware: &'f Firmware) -> Readied<'f> {
        let version = |scheme: &Arc<Scheme>| match firmware {
            Firmware::Said(text) => scheme.version(text),
            Firmware::Unknown | Firmware::Contradictory => None,
        };
        Readied { firmware, versions: self.schemes.iter().map(version).collect() }
    }

    /// The criteria of a record that are about this profile; `None` if none is.
    pub fn prepare<'r>(&self, record: &'r Record) -> Option<Prepared<'r>> {
        let mut place = 0;
        let mut groups = Vec::new();
        for group in &record.groups {
            groups.extend(self.group(group, record.source == Source::Nvd, &mut place));
        }
        (!groups.is_empty()).then_some(Prepared { groups })
    }

    fn group<'r>(&self, group: &'r Group, is_closed: bool, place: &mut Leaf) -> Option<ReadyGroup<'r>> {
        let mut is_certain = !group.negate;
        let (mut nodes, mut is_possible) = (Vec::new(), true);
        for node in &group.nodes {
            is_certain &= !node.negate;
            let bases: Vec<&Criterion> = node.criteria.iter().filter(|c| c.running_on).collect();
            let proved = |base: &&Criterion| {
                let says_no_version =
                    matches!(base.versions, Constraint::NotSaid | Constraint::Unspecified | Constraint::All);
                says_no_version && self.name(base).is_some()
            };
            let only_bases = bases.len() == node.criteria.len();
            let holds = if node.all { bases.iter().all(proved) } else { bases.iter().any(proved) };
            if !bases.is_empty() && (node.all || only_bases) && (group.all || node.all) {
                is_certain &= holds;
            }
            if let Some(ready) = self.node(node, is_closed, place) {
                nodes.push(ready);
            } else if !only_bases && group.all {
                // A second product must be there that this device is not.
                is_possible = false;
            }
        }
        (is_possible && !nodes.is_empty()).then_some(ReadyGroup {
            status: group.status,
            is_certain,
            nodes,
            all: group.all,
        })
    }

    fn node<'r>(&self, node: &'r Node, is_closed: bool, place: &mut Leaf) -> Option<ReadyNode<'r>> {
        let mut leaves = Vec::new();
        let mut missing = false;
        for criterion in &node.criteria {
            let here = *place;
            *place += 1;
            if criterion.running_on {
                continue;
            }
            let Some(name) = self.name(criterion) else {
                missing = true;
                continue;
            };
            let slot = self.schemes.iter().position(|s| s.id == name.scheme.id).unwrap_or_default();
            leaves.push(ReadyLeaf {
                criterion,
                place: here,
                slot,
                versions: name.scheme.versions(&criterion.versions),
                scheme: Arc::clone(&name.scheme),
                name: name.clone(),
                is_closed,
            });
        }
        if leaves.is_empty() || (node.all && missing) {
            None
        } else {
            Some(ReadyNode { all: node.all, leaves })
        }
    }

    /// The name of this profile that a criterion is about.
    fn name(&self, criterion: &Criterion) -> Option<&Name> {
        self.named.keys.iter().find(|name| criterion.keys.iter().any(|key| name.is(key)))
    }
}

impl Prepared<'_> {
    /// What the record says about a device of the profile with this firmware. `is_proved` as in [`Profile`].
    pub fn judge(&self, firmware: &Readied<'_>, is_proved: bool) -> Judged {
        let nothing = Judged { verdict: Verdict::NoMatch, leaf: 0 };
        let best = |status: Status| {
            let groups = self.groups.iter().filter(|group| group.status == status);
            groups.map(|group| group.judge(firmware)).max().unwrap_or(nothing)
        };
        let affected = best(Status::Affected);
        let (fixed, not) = (best(Status::Fixed), best(Status::NotAffected));
        let says_affected = matches!(affected.verdict, Verdict::Affected | Verdict::AllVersions);
        let judged = if not.verdict == Verdict::NotAffected {
            // A document that says both contradicts itself.
            Judged { verdict: if says_affected { Verdict::Undecided } else { Verdict::NotAffected }, ..not }
        } else if fixed.verdict == Verdict::Fixed {
            let verdict =
                if affected.verdict == Verdict::Affected { Verdict::Undecided } else { Verdict::Fixed };
            Judged { verdict, ..fixed }
        } else {
            affected
        };
        if !is_proved && matches!(judged.verdict, Verdict::Affected | Verdict::AllVersions) {
            return Judged { verdict: Verdict::ModelOnly, ..judged };
        }
        judged
    }

    /// Why it says so.
    pub fn why(&self, judged: Judged, firmware: &Readied<'_>) -> Option<Why> {
        let mut leaves = self.groups.iter().flat_map(|g| &g.nodes).flat_map(|n| &n.leaves);
        let leaf = leaves.find(|leaf| leaf.place == judged.leaf)?;
        let scheme = &leaf.scheme.title;
        let compared = match (firmware.firmware, &leaf.criterion.versions) {
            (_, Constraint::All) => "the advisory says that all versions are affected".to_owned(),
            (_, Constraint::NotSaid | Constraint::Unspecified) => "the record names no version".to_owned(),
            (Firmware::Unknown, _) => "the device's firmware is unknown".to_owned(),
            (Firmware::Contradictory, _) => "the device names several firmwares".to_owned(),
            (Firmware::Said(text), versions) => {
                let said = match leaf.judge(Status::Affected, firmware) {
                    Verdict::Affected => "fits",
                    Verdict::Undecided => "cannot be compared with",
                    _ => "does not fit",
                };
                format!("{text} {said} {versions} ({scheme})")
            }
        };
        let fixed_in = match &leaf.criterion.versions {
            Constraint::Range { to: Some(Bound { text, inclusive: false }), .. } => Some(text.clone()),
            _ => self.fixed(),
        };
        Some(Why {
            criterion: leaf.criterion.to_string(),
            compared,
            row: leaf.name.row.to_string(),
            fixed_in,
        })
    }

    /// The first version that a list of fixed ones names.
    fn fixed(&self) -> Option<String> {
        let groups = self.groups.iter().filter(|group| group.status == Status::Fixed);
        groups.flat_map(|g| &g.nodes).flat_map(|n| &n.leaves).find_map(|leaf| {
            match &leaf.criterion.versions {
                Constraint::Is(text) => Some(text.clone()),
                Constraint::Range { from: Some(from), .. } if from.inclusive => Some(from.text.clone()),
                _ => None,
            }
        })
    }
}

impl ReadyGroup<'_> {
    fn judge(&self, firmware: &Readied<'_>) -> Judged {
        let nodes = self.nodes.iter().map(|node| {
            let leaves = node.leaves.iter();
            let judged =
                leaves.map(|leaf| Judged { verdict: leaf.judge(self.status, firmware), leaf: leaf.place });
            if node.all { judged.min() } else { judged.max() }
        });
        let judged = if self.all { nodes.flatten().min() } else { nodes.flatten().max() };
        let Some(judged) = judged else { return Judged { verdict: Verdict::NoMatch, leaf: 0 } };
        let is_fixed = self.status == Status::Affected && judged.verdict == Verdict::Fixed;
        let claims_nothing = is_fixed || matches!(judged.verdict, Verdict::NoMatch | Verdict::Outside);
        if !claims_nothing && !self.is_certain {
            Judged { verdict: Verdict::Undecided, ..judged }
        } else {
            judged
        }
    }
}

impl ReadyLeaf<'_> {
    /// What the criterion says about a device, if its group says `status` about what fits.
    fn judge(&self, status: Status, firmware: &Readied<'_>) -> Verdict {
        let names_no_version = match &self.criterion.versions {
            Constraint::All => Some(Verdict::AllVersions),
            Constraint::NotSaid | Constraint::Unspecified => Some(Verdict::ModelOnly),
            Constraint::Words(_) => Some(Verdict::Undecided),
            Constraint::Is(_) | Constraint::Range { .. } => None,
        };
        match (status, names_no_version) {
            (Status::Affected, Some(verdict)) => return verdict,
            (Status::NotAffected, Some(Verdict::AllVersions | Verdict::ModelOnly)) => {
                return Verdict::NotAffected;
            }
            // That a product is fixed in some version does not say in which.
            (_, Some(_)) => return Verdict::NoMatch,
            (_, None) => {}
        }
        let is_other = self.scheme.others && firmware.versions.get(self.slot).is_some_and(Option::is_none);
        let place = match firmware.firmware {
            Firmware::Said(_) if is_other => return Verdict::NoMatch,
            Firmware::Unknown if status == Status::Affected => return Verdict::ModelOnly,
            Firmware::Unknown => return Verdict::NoMatch,
            Firmware::Contradictory => None,
            Firmware::Said(text) => {
                let version = firmware.versions.get(self.slot).and_then(Option::as_ref);
                let place = version.map(|v| self.place(v)).filter(|place| *place != Place::Unknown);
                place.or_else(|| self.same_text(text))
            }
        };
        match (status, place.unwrap_or(Place::Unknown)) {
            (Status::Affected, Place::Within) => Verdict::Affected,
            (Status::Affected, Place::After) => Verdict::Fixed,
            (Status::Affected, Place::Before) => Verdict::Outside,
            (Status::Affected, Place::Other) if self.is_closed => Verdict::Outside,
            (Status::Affected, Place::Unknown) => Verdict::Undecided,
            (Status::Fixed, Place::Within) => Verdict::Fixed,
            (Status::NotAffected, Place::Within) => Verdict::NotAffected,
            _ => Verdict::NoMatch,
        }
    }

    /// Where a version is to a range that names it letter by letter, whatever its scheme: that is not an order.
    fn same_text(&self, device: &str) -> Option<Place> {
        let device = spelled(device);
        match &self.criterion.versions {
            Constraint::Is(text) => (spelled(text) == device).then_some(Place::Within),
            Constraint::Range { to: Some(to), .. } if spelled(&to.text) == device => {
                Some(if to.inclusive { Place::Within } else { Place::After })
            }
            _ => None,
        }
    }

    fn place(&self, device: &Version) -> Place {
        let [first, second] = &self.versions;
        match &self.criterion.versions {
            Constraint::Is(_) => match first.as_ref().and_then(|version| self.scheme.is(device, version)) {
                Some(true) => Place::Within,
                Some(false) => Place::Other,
                None => Place::Unknown,
            },
            Constraint::Range { from, to } => {
                let from = from.as_ref().map(|bound| (bound, first.as_ref()));
                let to = to.as_ref().map(|bound| (bound, second.as_ref()));
                self.scheme.place(device, from, to)
            }
            _ => Place::Unknown,
        }
    }
}

/// A version as texts of devices and records are compared: small letters, without the `v` before its first digit.
fn spelled(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let bare = text.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    bare.unwrap_or(&text).to_owned()
}
