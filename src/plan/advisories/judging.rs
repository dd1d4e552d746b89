//! Compares devices with the set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use smol_str::SmolStr;

use super::set::CHUNK;
use super::{AdvisoryError, AdvisorySet};
use crate::advisory::{
    Components, CveId, Firmware, Judged, Leaf, Products, ProductsError, Profile, Proof, Readied, Record,
    Verdict, Voice, conclude,
};

/// The tables that name products and components.
#[derive(Debug, Default)]
pub struct Tables {
    pub products: Products,
    pub components: Components,
}

impl Tables {
    /// Those that are compiled in.
    ///
    /// # Errors
    /// If one is broken, which a test rules out.
    pub fn built_in() -> Result<Self, ProductsError> {
        Ok(Self { products: Products::built_in()?, components: Components::built_in()? })
    }
}

/// What a device proves about itself, or a component that its banner names, as far as advisories are concerned. Those that
/// are alike are judged once.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Subject {
    /// The row of the table of components, if it is a component; its version is the firmware then, and all else is empty.
    pub component: Option<SmolStr>,
    /// Empty if unknown.
    pub vendor: String,
    pub model: Option<String>,
    pub os: Option<String>,
    /// Whether the device itself proves vendor and model.
    pub is_proved: bool,
    pub firmware: Firmware,
}

/// Whether the table of products knows a device.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProductMapping)]
pub enum Mapping {
    /// Its names in advisories are known.
    Mapped,
    /// It is known that no advisories are published about it.
    NoSource,
    /// Vendor and model are known, but not their names in advisories.
    NotMapped,
    /// Vendor or model is unknown.
    #[default]
    Unidentified,
}

impl Mapping {
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::NoSource => "no_source",
            Self::NotMapped => "not_mapped",
            Self::Unidentified => "unidentified",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Mapped => "covered",
            Self::NoSource => "no advisories are published",
            Self::NotMapped => "not covered: names in advisories unknown",
            Self::Unidentified => "not covered: product unknown",
        }
    }
}

/// What the set says about a subject.
#[derive(Clone, Debug, Default)]
pub struct SubjectResult {
    pub mapping: Mapping,
    /// Why no advisory is to be expected, if the table says so.
    pub no_source: Option<String>,
    /// What it has, and what it possibly has, by CVE.
    pub found: Vec<Found>,
    /// How many CVEs are undecided, fixed in its firmware, or declared not to affect it.
    pub undecided: u64,
    pub fixed: u64,
    pub not_affected: u64,
}

/// A vulnerability of a subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    pub cve: CveId,
    pub verdict: Verdict,
    /// The record that decided, and its criterion.
    pub record: i64,
    pub leaf: Leaf,
}

impl Subject {
    /// The names of the device, or of the component, in advisories.
    pub fn profile(&self, tables: &Tables) -> Profile {
        let Self { component, vendor, model, os, is_proved, .. } = self;
        if let Some(id) = component {
            return Profile::of_component(tables.components.named(id));
        }
        Profile::new(
            &tables.products,
            Proof { vendor, model: model.as_deref(), os: os.as_deref(), is_proved: *is_proved },
        )
    }

    fn mapping(&self, profile: &Profile) -> Mapping {
        if !profile.named.keys.is_empty() && !profile.named.as_it_says {
            Mapping::Mapped
        } else if profile.named.no_source.is_some() {
            Mapping::NoSource
        } else if self.vendor.is_empty() || self.model.is_none() {
            Mapping::Unidentified
        } else {
            Mapping::NotMapped
        }
    }
}

/// The subjects that differ in their firmware alone.
struct Kin<'s> {
    profile: Profile,
    is_component: bool,
    /// Their places, and their firmware.
    subjects: Vec<(usize, Readied<'s>)>,
}

/// What a subject is, but for its firmware.
type Key<'s> = (Option<&'s str>, &'s str, Option<&'s str>, Option<&'s str>, bool);

/// What the set says about subjects, in their order.
///
/// # Errors
/// If the set cannot be read.
pub async fn judge(
    set: &AdvisorySet,
    tables: &Tables,
    subjects: &[Subject],
) -> Result<Vec<SubjectResult>, AdvisoryError> {
    let mut results = vec![SubjectResult::default(); subjects.len()];
    let mut kins: Vec<Kin<'_>> = Vec::new();
    let mut known: HashMap<Key<'_>, usize> = HashMap::new();
    for (place, subject) in subjects.iter().enumerate() {
        let Subject { component, vendor, model, os, is_proved, .. } = subject;
        let key = (component.as_deref(), vendor.as_str(), model.as_deref(), os.as_deref(), *is_proved);
        let kin = *known.entry(key).or_insert_with(|| {
            let is_component = subject.component.is_some();
            kins.push(Kin { profile: subject.profile(tables), is_component, subjects: Vec::new() });
            kins.len() - 1
        });
        let Some(kin) = kins.get_mut(kin) else { continue };
        if let Some(result) = results.get_mut(place) {
            result.mapping = subject.mapping(&kin.profile);
            result.no_source = kin.profile.named.no_source.as_ref().map(ToString::to_string);
        }
        let ready = kin.profile.ready(&subject.firmware);
        kin.subjects.push((place, ready));
    }
    let rejected = set.rejected().await?;
    let mut candidates = candidates(set, &kins).await?;
    candidates.retain(|c| !rejected.contains(&c.cve));
    let mut rest = candidates.as_slice();
    while !rest.is_empty() {
        let (mut ids, mut end) = (Vec::with_capacity(CHUNK), 0);
        // All records of one CVE are judged together.
        for about in rest.chunk_by(|a, b| a.cve == b.cve) {
            if ids.len() >= CHUNK {
                break;
            }
            ids.extend(about.iter().map(|c| c.record));
            ids.dedup();
            end += about.len();
        }
        let (some, others) = rest.split_at(end);
        rest = others;
        let mut records: BTreeMap<CveId, Vec<(i64, Record)>> = BTreeMap::new();
        for (id, record) in set.records(&ids).await? {
            records.entry(record.cve).or_default().push((id, record));
        }
        for (cve, mut records) in records {
            // The order of the records must not depend on that of the import.
            records.sort_by(|(_, a), (_, b)| (a.source, &a.document).cmp(&(b.source, &b.document)));
            let from = some.partition_point(|c| c.cve < cve.to_number());
            let about = some.iter().skip(from).take_while(|c| c.cve == cve.to_number());
            let about: BTreeSet<usize> = about.map(|c| c.kin).collect();
            for kin in about.into_iter().filter_map(|place| kins.get(place)) {
                of_kin(kin, cve, &records, &mut results);
            }
        }
    }
    Ok(results)
}

/// A record of a CVE, and the place of a kin that it may be about.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Candidate {
    cve: i64,
    record: i64,
    kin: usize,
}

/// Which records may be about which kins, sorted.
async fn candidates(set: &AdvisorySet, kins: &[Kin<'_>]) -> Result<Vec<Candidate>, AdvisoryError> {
    let mut keys: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
    for (place, kin) in kins.iter().enumerate() {
        for name in &kin.profile.named.keys {
            keys.entry((name.key.as_str(), name.is_prefix)).or_default().push(place);
        }
    }
    let (keys, kins): (Vec<(&str, bool)>, Vec<Vec<usize>>) = keys.into_iter().unzip();
    let mut found = Vec::new();
    for (key, cve, record) in set.candidates(&keys).await? {
        found.extend(kins.get(key).into_iter().flatten().map(|kin| Candidate { cve, record, kin: *kin }));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Judges the subjects of one kin by the records of one CVE.
fn of_kin(kin: &Kin<'_>, cve: CveId, records: &[(i64, Record)], results: &mut [SubjectResult]) {
    let prepared: Vec<_> =
        records.iter().filter_map(|(id, r)| Some((*id, r, kin.profile.prepare(r)?))).collect();
    let mut voices: Vec<Voice<'_>> = Vec::with_capacity(prepared.len());
    for (place, firmware) in &kin.subjects {
        voices.clear();
        voices.extend(prepared.iter().map(|(_, record, prepared)| Voice {
            source: record.source,
            modified: record.modified.as_deref(),
            judged: prepared.judge(firmware, kin.profile.is_proved),
        }));
        let (Some(conclusion), Some(result)) = (conclude(&voices), results.get_mut(*place)) else { continue };
        let Judged { leaf, .. } = conclusion.judged;
        let verdict = match conclusion.verdict {
            // A banner says less than a firmware, and without a comparison nothing.
            Verdict::Affected | Verdict::AllVersions if kin.is_component => Verdict::Component,
            Verdict::ModelOnly if kin.is_component => Verdict::NoMatch,
            verdict => verdict,
        };
        match verdict {
            Verdict::Component | Verdict::Affected | Verdict::AllVersions | Verdict::ModelOnly => {
                let record = prepared.get(conclusion.record).map_or(0, |(id, ..)| *id);
                result.found.push(Found { cve, verdict, record, leaf });
            }
            Verdict::Undecided => result.undecided += 1,
            Verdict::Fixed => result.fixed += 1,
            Verdict::NotAffected => result.not_affected += 1,
            Verdict::NoMatch | Verdict::Outside => {}
        }
    }
}
