//! CSAF 2.0 documents: one maker's or authority's words about several vulnerabilities.

use std::collections::HashMap;

use serde::Deserialize;

use super::cpe::Cpe;
use super::id::CveId;
use super::limits::{FEW, LINE, MATCHES, NAME, TEXT, cut, day};
use super::names;
use super::range::of_range;
use super::record::{Constraint, Criterion, Group, Node, Record, Source, Status};
use super::score::Score;

#[derive(Deserialize)]
struct Document {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Head {
    csaf_version: String,
    #[serde(default)]
    title: String,
    publisher: Publisher,
    tracking: Tracking,
    #[serde(default)]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct Publisher {
    category: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    #[serde(default)]
    status: String,
    initial_release_date: Option<String>,
    current_release_date: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    category: String,
    url: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tree {
    branches: Vec<Branch>,
    full_product_names: Vec<Product>,
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    category: String,
    name: String,
    #[serde(default)]
    branches: Vec<Self>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    product_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    product_identification_helper: Helper,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Helper {
    cpe: Option<String>,
    model_numbers: Vec<String>,
    skus: Vec<String>,
}

#[derive(Deserialize)]
struct Relationship {
    category: String,
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: Product,
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    notes: Vec<Note>,
    #[serde(default)]
    scores: Vec<Scores>,
    #[serde(default)]
    product_status: Statuses,
    #[serde(default)]
    remediations: Vec<Remediation>,
    #[serde(default)]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct Note {
    category: String,
    text: String,
}

#[derive(Deserialize)]
struct Scores {
    cvss_v3: Option<Cvss>,
    cvss_v2: Option<Cvss>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    version: String,
    base_score: f64,
    #[serde(default)]
    vector_string: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statuses {
    known_affected: Vec<String>,
    first_affected: Vec<String>,
    last_affected: Vec<String>,
    fixed: Vec<String>,
    first_fixed: Vec<String>,
    known_not_affected: Vec<String>,
}

#[derive(Deserialize)]
struct Remediation {
    category: String,
    details: String,
}

/// A product of the tree.
#[derive(Clone, Default)]
struct Known {
    /// The names under which records are found, the best first.
    keys: Vec<String>,
    versions: Vec<Constraint>,
    /// What the product runs on.
    below: Option<Vec<String>>,
}

/// Where a branch is.
#[derive(Clone, Default)]
struct Path<'b> {
    vendor: &'b str,
    family: &'b str,
    product: &'b str,
    versions: Option<Vec<Constraint>>,
}

/// Reads a document: a record for each vulnerability, or why one cannot be read.
pub(super) fn document(bytes: &[u8]) -> Result<Vec<Result<Record, String>>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if document.document.csaf_version != "2.0" {
        return Err(format!("CSAF {} is not supported; 2.0 is", cut(&document.document.csaf_version, 8)));
    }
    if document.document.tracking.status == "draft" {
        return Err("is a draft".to_owned());
    }
    let products = products(&document.product_tree);
    Ok(document.vulnerabilities.iter().map(|found| record(&document.document, found, &products)).collect())
}

fn products(tree: &Tree) -> HashMap<&str, Known> {
    let mut products = HashMap::new();
    for branch in &tree.branches {
        descend(branch, &Path::default(), &mut products);
    }
    for product in &tree.full_product_names {
        let known = known(product, &Path { product: &product.name, ..Path::default() });
        products.entry(product.product_id.as_str()).or_insert(known);
    }
    for relation in &tree.relationships {
        let (Some(reference), Some(base)) = (
            products.get(relation.product_reference.as_str()),
            products.get(relation.relates_to_product_reference.as_str()),
        ) else {
            continue;
        };
        let mut both = Known { below: Some(base.keys.clone()), ..reference.clone() };
        // The firmware of a device is known by the device's name too.
        let is_firmware =
            reference.keys.iter().any(|key| key.ends_with("firmware") || key.ends_with("firmware "));
        if is_firmware && relation.category == "installed_on" {
            both.keys.extend(base.keys.iter().cloned());
        }
        both.keys.extend(known(&relation.full_product_name, &Path::default()).keys);
        products.insert(&relation.full_product_name.product_id, both);
    }
    products
}

fn descend<'b>(branch: &'b Branch, above: &Path<'b>, products: &mut HashMap<&'b str, Known>) {
    let mut path = above.clone();
    match branch.category.as_str() {
        "vendor" => path.vendor = &branch.name,
        "product_family" => path.family = &branch.name,
        "product_name" => path.product = &branch.name,
        "product_version" => path.versions = Some(vec![exactly(&branch.name)]),
        "product_version_range" => path.versions = Some(of_range(&branch.name)),
        // A patch, an architecture, a language: a part of the product that no version says.
        _ => path.versions = Some(vec![Constraint::Words(cut(&branch.name, NAME))]),
    }
    if let Some(product) = &branch.product {
        products.insert(&product.product_id, known(product, &path));
    }
    for below in &branch.branches {
        descend(below, &path, products);
    }
}

/// A single version, unless it is written as a range.
fn exactly(text: &str) -> Constraint {
    match of_range(text).as_slice() {
        [Constraint::All] => Constraint::All,
        [range @ Constraint::Range { .. }] => range.clone(),
        _ => Constraint::Is(cut(text, NAME)),
    }
}

fn known(product: &Product, path: &Path<'_>) -> Known {
    let name = [path.product, path.family].into_iter().find(|name| !name.is_empty());
    let helper = &product.product_identification_helper;
    let mut keys = Vec::new();
    if let Some(name) = name {
        keys.extend(names::name_keys(path.vendor, name));
        // Makers write order numbers into names: "CPU 1511-1 PN (6ES7511-1AK02-0AB0)".
        if let Some((short, rest)) = name.split_once('(') {
            keys.push(names::name_key(path.vendor, short));
            let number = rest.split(')').next().unwrap_or_default();
            if is_order_number(number) {
                keys.extend(names::order_key(path.vendor, number));
            }
        }
    }
    let numbers = helper.model_numbers.iter().chain(&helper.skus);
    keys.extend(numbers.filter(|n| is_order_number(n)).filter_map(|n| names::order_key(path.vendor, n)));
    let cpe = helper.cpe.as_deref().and_then(|cpe| cpe.parse::<Cpe>().ok());
    keys.extend(cpe.as_ref().and_then(names::of_cpe));
    keys.iter_mut().for_each(|key| *key = cut(key, NAME));
    keys.sort();
    keys.dedup();
    Known {
        keys,
        versions: path.versions.clone().unwrap_or_else(|| vec![Constraint::Unspecified]),
        below: None,
    }
}

/// Letters, digits and dashes, with a digit and no wildcard.
fn is_order_number(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ' ' | '.' | '/' | '_');
    text.len() <= 60 && text.chars().all(fits) && text.chars().any(|c| c.is_ascii_digit())
}

fn record(head: &Head, found: &Vulnerability, products: &HashMap<&str, Known>) -> Result<Record, String> {
    let cve = found.cve.as_deref().ok_or("a vulnerability without a CVE id")?;
    let cve: CveId = cve.trim().parse().map_err(|e| format!("{}: {e}", cut(cve, 40)))?;
    let status = &found.product_status;
    let mut groups = Vec::new();
    for (ids, status) in [
        (&status.known_affected, Status::Affected),
        (&status.first_affected, Status::Affected),
        (&status.last_affected, Status::Affected),
        (&status.fixed, Status::Fixed),
        (&status.first_fixed, Status::Fixed),
        (&status.known_not_affected, Status::NotAffected),
    ] {
        for known in ids.iter().filter_map(|id| products.get(id.as_str())) {
            groups.push(group(known, status));
            if groups.len() > MATCHES {
                return Err(format!("names more than {MATCHES} products"));
            }
        }
    }
    let fixes = found
        .remediations
        .iter()
        .filter(|r| matches!(r.category.as_str(), "vendor_fix" | "mitigation" | "workaround"));
    let mut remedies: Vec<_> = fixes.collect();
    remedies.sort_by_key(|r| r.category != "vendor_fix");
    let mut remedies: Vec<String> = remedies.into_iter().map(|r| cut(&r.details, LINE)).collect();
    remedies.dedup();
    remedies.truncate(FEW);
    let links = head.references.iter().filter(|l| l.category == "self").chain(&found.references);
    let tracking = &head.tracking;
    let summary = found.notes.iter().find(|n| matches!(n.category.as_str(), "summary" | "description"));
    let own = [found.title.as_str(), head.title.as_str()];
    let title = own.into_iter().find(|t| !t.is_empty() && !t.starts_with("CVE-")).unwrap_or_default();
    Ok(Record {
        cve,
        source: if head.publisher.category == "vendor" { Source::Maker } else { Source::Coordinator },
        document: format!("{} {}", cut(&head.publisher.name, NAME), cut(&tracking.id, NAME)),
        rejected: false,
        title: cut(title, LINE),
        summary: summary.map(|n| cut(&n.text, TEXT)).unwrap_or_default(),
        published: tracking.initial_release_date.as_deref().and_then(day),
        modified: tracking.current_release_date.as_deref().and_then(day),
        score: found.scores.iter().find_map(|s| score(s, &head.publisher.name)),
        exploit: Vec::new(),
        references: links.take(FEW).map(|l| cut(&l.url, LINE)).collect(),
        remedies,
        groups,
    })
}

fn score(scores: &Scores, publisher: &str) -> Option<Score> {
    let cvss = scores.cvss_v3.as_ref().or(scores.cvss_v2.as_ref())?;
    Score::new(&cvss.version, cvss.base_score, &cvss.vector_string, publisher)
}

fn group(known: &Known, status: Status) -> Group {
    let criterion = |versions: &Constraint| Criterion {
        running_on: false,
        keys: known.keys.clone(),
        versions: versions.clone(),
    };
    let mut nodes =
        vec![Node { criteria: known.versions.iter().map(criterion).collect(), ..Node::default() }];
    if let Some(keys) = &known.below {
        let base = Criterion { running_on: true, keys: keys.clone(), versions: Constraint::Unspecified };
        nodes.push(Node { criteria: vec![base], ..Node::default() });
    }
    Group { status, all: known.below.is_some(), negate: false, nodes }
}
