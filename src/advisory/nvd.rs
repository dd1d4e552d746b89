//! Records of the NVD in the form of its API 2.0 and its feeds.

use serde::Deserialize;

use super::cpe::{Attribute, Cpe, Part};
use super::id::CveId;
use super::limits::{FEW, LINE, MATCHES, NAME, TEXT, cut, day};
use super::names;
use super::record::{Bound, Constraint, Criterion, Group, Node, Record, Source, Status};
use super::score::Score;

/// A record alone, or wrapped as in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Wrapped { cve: Cve },
    Bare(Cve),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve {
    id: CveId,
    published: Option<String>,
    last_modified: Option<String>,
    #[serde(default)]
    vuln_status: String,
    #[serde(default)]
    descriptions: Vec<Text>,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    configurations: Vec<Configuration>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Text {
    lang: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    #[serde(rename = "cvssMetricV40")]
    v40: Vec<Metric>,
    #[serde(rename = "cvssMetricV31")]
    v31: Vec<Metric>,
    #[serde(rename = "cvssMetricV30")]
    v30: Vec<Metric>,
    #[serde(rename = "cvssMetricV2")]
    v2: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default)]
    source: String,
    #[serde(default, rename = "type")]
    kind: String,
    cvss_data: Cvss,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    version: String,
    #[serde(default)]
    vector_string: String,
    base_score: f64,
}

#[derive(Deserialize)]
struct Configuration {
    operator: Option<Operator>,
    #[serde(default)]
    negate: bool,
    #[serde(default)]
    nodes: Vec<RawNode>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
enum Operator {
    #[serde(alias = "and", rename = "AND")]
    All,
    #[serde(alias = "or", rename = "OR")]
    Any,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNode {
    operator: Option<Operator>,
    #[serde(default)]
    negate: bool,
    #[serde(default)]
    cpe_match: Vec<Match>,
    /// Nodes within nodes, which the form allows and no record has: nothing is concluded from them.
    #[serde(default)]
    nodes: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerable: bool,
    criteria: String,
    version_start_including: Option<String>,
    version_start_excluding: Option<String>,
    version_end_including: Option<String>,
    version_end_excluding: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
    #[serde(default)]
    tags: Vec<String>,
}

/// Reads a record.
pub(super) fn record(bytes: &[u8]) -> Result<Record, String> {
    // Not by the untagged type alone: its errors say nothing.
    let Ok(Entry::Wrapped { cve } | Entry::Bare(cve)) = serde_json::from_slice::<Entry>(bytes) else {
        return Err(why(bytes));
    };
    let criteria: usize = cve.configurations.iter().flat_map(|c| &c.nodes).map(|n| n.cpe_match.len()).sum();
    if criteria > MATCHES {
        return Err(format!("has {criteria} criteria, more than {MATCHES}"));
    }
    let english = cve.descriptions.iter().find(|text| text.lang.starts_with("en"));
    let tagged = |r: &Reference| r.tags.iter().any(|tag| tag == "Exploit");
    Ok(Record {
        cve: cve.id,
        source: Source::Nvd,
        document: String::new(),
        rejected: cve.vuln_status.eq_ignore_ascii_case("rejected"),
        title: String::new(),
        summary: english.map(|text| cut(&text.value, TEXT)).unwrap_or_default(),
        published: cve.published.as_deref().and_then(day),
        modified: cve.last_modified.as_deref().and_then(day),
        score: cve.metrics.best(),
        exploit: cve
            .references
            .iter()
            .find(|r| tagged(r))
            .map(|_| "reference".to_owned())
            .into_iter()
            .collect(),
        references: cve.references.iter().take(FEW).map(|r| cut(&r.url, LINE)).collect(),
        remedies: Vec::new(),
        groups: cve.configurations.into_iter().map(group).collect(),
    })
}

fn why(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Wrapped {
        #[expect(dead_code, reason = "only read to learn why it cannot be")]
        cve: Cve,
    }
    let bare = serde_json::from_slice::<Cve>(bytes).err();
    let wrapped = serde_json::from_slice::<Wrapped>(bytes).err();
    wrapped
        .filter(|e| !e.to_string().starts_with("missing field `cve`"))
        .or(bare)
        .map_or_else(String::new, |e| e.to_string())
}

impl Metrics {
    /// The score of the newest version of CVSS, the primary one before others.
    fn best(&self) -> Option<Score> {
        let all = [&self.v40, &self.v31, &self.v30, &self.v2];
        all.into_iter().find_map(|metrics| {
            let primary =
                metrics.iter().find(|metric| metric.kind == "Primary").or_else(|| metrics.first())?;
            let Cvss { version, vector_string, base_score } = &primary.cvss_data;
            Score::new(version, *base_score, vector_string, &primary.source)
        })
    }
}

fn group(configuration: Configuration) -> Group {
    let nodes = configuration.nodes.into_iter().map(|node| Node {
        all: node.operator == Some(Operator::All),
        negate: node.negate || !node.nodes.is_empty(),
        criteria: node.cpe_match.into_iter().map(criterion).collect(),
    });
    Group {
        status: Status::Affected,
        all: configuration.operator == Some(Operator::All),
        negate: configuration.negate,
        nodes: nodes.collect(),
    }
}

fn criterion(found: Match) -> Criterion {
    let running_on = !found.vulnerable;
    let Ok(cpe) = found.criteria.parse::<Cpe>() else {
        return Criterion {
            running_on,
            keys: Vec::new(),
            versions: Constraint::Words(cut(&found.criteria, NAME)),
        };
    };
    let keys = names::of_cpe(&cpe).into_iter().collect();
    Criterion { running_on, keys, versions: versions(&cpe, &found) }
}

fn versions(cpe: &Cpe, found: &Match) -> Constraint {
    let words = || Constraint::Words(cut(&found.criteria, NAME));
    if cpe.others.iter().any(|other| matches!(other, Attribute::Text(_) | Attribute::Pattern(_))) {
        return words();
    }
    let bound =
        |text: &Option<String>, inclusive| text.as_ref().map(|t| Bound { text: cut(t, NAME), inclusive });
    let from =
        bound(&found.version_start_including, true).or_else(|| bound(&found.version_start_excluding, false));
    let to = bound(&found.version_end_including, true).or_else(|| bound(&found.version_end_excluding, false));
    let constraint = match (&cpe.version, &cpe.update) {
        (Attribute::Any | Attribute::NotSaid, Attribute::Any | Attribute::NotSaid)
            if from.is_some() || to.is_some() =>
        {
            Constraint::Range { from, to }
        }
        _ if from.is_some() || to.is_some() => return words(),
        (Attribute::NotSaid, _) => Constraint::NotSaid,
        (Attribute::Any, Attribute::Any | Attribute::NotSaid) => Constraint::Unspecified,
        (Attribute::Text(version), Attribute::Any | Attribute::NotSaid) => Constraint::Is(cut(version, NAME)),
        (Attribute::Text(version), Attribute::Text(update)) => {
            Constraint::Is(cut(&format!("{version} {update}"), NAME))
        }
        _ => return words(),
    };
    // A version of the hardware says nothing about the firmware.
    if cpe.part == Part::Hardware && matches!(constraint, Constraint::Is(_) | Constraint::Range { .. }) {
        return words();
    }
    constraint
}
