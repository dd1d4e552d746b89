//! Records of the CVE list in the form CVE JSON 5.

use serde::Deserialize;

use super::cpe::Cpe;
use super::id::CveId;
use super::limits::{FEW, LINE, MATCHES, NAME, TEXT, cut, day};
use super::names;
use super::record::{Bound, Constraint, Criterion, Group, Node, Record, Source, Status};
use super::score::Score;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    cve_metadata: Metadata,
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: CveId,
    #[serde(default)]
    state: String,
    date_published: Option<String>,
    date_updated: Option<String>,
}

#[derive(Deserialize)]
struct Containers {
    cna: Container,
    #[serde(default)]
    adp: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    title: String,
    affected: Vec<Affected>,
    descriptions: Vec<Text>,
    metrics: Vec<Metric>,
    references: Vec<Link>,
    solutions: Vec<Text>,
    provider_metadata: Provider,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Provider {
    short_name: String,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    lang: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Link {
    url: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(rename = "cvssV4_0")]
    v40: Option<Cvss>,
    #[serde(rename = "cvssV3_1")]
    v31: Option<Cvss>,
    #[serde(rename = "cvssV3_0")]
    v30: Option<Cvss>,
    #[serde(rename = "cvssV2_0")]
    v2: Option<Cvss>,
    other: Option<Other>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    version: String,
    base_score: f64,
    #[serde(default)]
    vector_string: String,
}

#[derive(Deserialize)]
struct Other {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    content: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Affected {
    #[serde(default)]
    vendor: String,
    #[serde(default)]
    product: String,
    #[serde(default)]
    default_status: String,
    #[serde(default)]
    versions: Vec<Versions>,
    #[serde(default)]
    cpes: Vec<String>,
    #[serde(default)]
    platforms: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    modules: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    version: String,
    status: String,
    less_than: Option<String>,
    less_than_or_equal: Option<String>,
    #[serde(default)]
    changes: Vec<serde::de::IgnoredAny>,
}

/// Reads a record.
pub(super) fn record(bytes: &[u8]) -> Result<Record, String> {
    let Entry { cve_metadata, containers } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let Containers { cna, adp } = containers;
    let all = || std::iter::once(&cna).chain(&adp);
    let criteria: usize = all().flat_map(|c| &c.affected).map(|a| a.versions.len().max(1)).sum();
    if criteria > MATCHES {
        return Err(format!("has {criteria} versions, more than {MATCHES}"));
    }
    let english = cna.descriptions.iter().find(|text| text.lang.starts_with("en"));
    let mut exploit = Vec::new();
    if all().flat_map(|c| &c.metrics).any(is_exploited) {
        exploit.push("ssvc".to_owned());
    }
    if all().flat_map(|c| &c.references).any(|link| link.tags.iter().any(|tag| tag == "exploit")) {
        exploit.push("reference".to_owned());
    }
    // The maker's own list; lists of others only if it has none.
    let affected = if cna.affected.is_empty() {
        adp.iter().flat_map(|c| &c.affected).collect()
    } else {
        cna.affected.iter().collect::<Vec<_>>()
    };
    Ok(Record {
        cve: cve_metadata.cve_id,
        source: Source::Cve5,
        document: String::new(),
        rejected: cve_metadata.state == "REJECTED",
        title: cut(&cna.title, LINE),
        summary: english.map(|text| cut(&text.value, TEXT)).unwrap_or_default(),
        published: cve_metadata.date_published.as_deref().and_then(day),
        modified: cve_metadata.date_updated.as_deref().and_then(day),
        score: best_score(&cna, &adp),
        exploit,
        references: cna.references.iter().take(FEW).map(|link| cut(&link.url, LINE)).collect(),
        remedies: cna.solutions.iter().take(FEW).map(|text| cut(&text.value, LINE)).collect(),
        groups: affected.into_iter().flat_map(groups).collect(),
    })
}

fn is_exploited(metric: &Metric) -> bool {
    let Some(other) = metric.other.as_ref().filter(|other| other.kind == "ssvc") else { return false };
    let options = other.content.get("options").and_then(|o| o.as_array());
    options.is_some_and(|o| o.iter().any(|option| option.get("Exploitation").is_some_and(|e| e == "active")))
}

fn best_score(cna: &Container, adp: &[Container]) -> Option<Score> {
    let of = |container: &Container| {
        let scores = container.metrics.iter().filter_map(|m| {
            let cvss = m.v40.as_ref().or(m.v31.as_ref()).or(m.v30.as_ref()).or(m.v2.as_ref())?;
            Score::new(
                &cvss.version,
                cvss.base_score,
                &cvss.vector_string,
                &container.provider_metadata.short_name,
            )
        });
        scores.min_by_key(Score::rank)
    };
    of(cna).or_else(|| adp.iter().find_map(of))
}

fn groups(affected: &Affected) -> Vec<Group> {
    let mut keys: Vec<String> = Vec::new();
    if !is_nothing(&affected.vendor) && !is_nothing(&affected.product) {
        let named = names::name_keys(&affected.vendor, &affected.product);
        keys.extend(named.iter().map(|key| cut(key, NAME)));
    }
    keys.extend(affected.cpes.iter().filter_map(|cpe| names::of_cpe(&cpe.parse::<Cpe>().ok()?)));
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Vec::new();
    }
    let group = |status, versions| {
        let criterion = Criterion { running_on: false, keys: keys.clone(), versions };
        Group {
            status,
            nodes: vec![Node { criteria: vec![criterion], ..Node::default() }],
            ..Group::default()
        }
    };
    // Platforms and modules are further conditions, in words.
    let has_conditions = !affected.platforms.is_empty() || !affected.modules.is_empty();
    let mut out: Vec<Group> = Vec::new();
    for found in &affected.versions {
        let status = match found.status.as_str() {
            "affected" => Status::Affected,
            "unaffected" => Status::NotAffected,
            _ => continue,
        };
        let versions =
            if has_conditions { Constraint::Words(cut(&found.version, NAME)) } else { versions(found) };
        // That some other version is unaffected, in words, says nothing.
        if status == Status::NotAffected && matches!(versions, Constraint::Words(_) | Constraint::Unspecified)
        {
            continue;
        }
        out.push(group(status, versions));
    }
    if affected.default_status == "affected" {
        let versions =
            if has_conditions { Constraint::Words("platforms".to_owned()) } else { Constraint::Unspecified };
        out.push(group(Status::Affected, versions));
    }
    out
}

fn is_nothing(text: &str) -> bool {
    matches!(text.trim().to_lowercase().as_str(), "" | "n/a" | "na" | "unspecified" | "unknown" | "-")
}

fn versions(found: &Versions) -> Constraint {
    if !found.changes.is_empty() {
        return Constraint::Words(cut(&found.version, NAME));
    }
    let begin = found.version.trim();
    let from = match begin {
        "" | "0" | "*" | "unspecified" | "n/a" | "-" => None,
        text => Some(Bound { text: cut(text, NAME), inclusive: true }),
    };
    let to = match (&found.less_than, &found.less_than_or_equal) {
        (Some(to), _) => Some((to.trim(), false)),
        (None, Some(to)) => Some((to.trim(), true)),
        (None, None) => None,
    };
    match to {
        Some(("*" | "unspecified", _)) if from.is_none() => Constraint::Unspecified,
        Some(("*", _)) => Constraint::Range { from, to: None },
        Some((to, _)) if to.is_empty() || to == "unspecified" || to.contains('*') => {
            Constraint::Words(cut(to, NAME))
        }
        Some((to, inclusive)) => {
            Constraint::Range { from, to: Some(Bound { text: cut(to, NAME), inclusive }) }
        }
        None if from.is_none() => Constraint::Unspecified,
        None if begin.contains('*') || begin.contains(char::is_whitespace) && begin.len() > 40 => {
            Constraint::Words(cut(begin, NAME))
        }
        // Some write a range into the text of a version.
        None if begin.starts_with(['<', '>', '≤', '≥']) => match super::range::of_range(begin).as_slice()
        {
            [one] => one.clone(),
            _ => Constraint::Words(cut(begin, NAME)),
        },
        None => Constraint::Is(cut(begin, NAME)),
    }
}
