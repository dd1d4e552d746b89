//! Rule packs: TOML files of rules, which are compiled and tested when they are read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::error::{Lines, Place, RuleError, syntax};
use super::fact::{DeviceFacts, Fact};
use super::matcher::{Matcher, MatcherSource, OneOrMany};
use super::recog;
use super::rule::{Attribute, Kind, Map, Origin, Rule, Saying, Template, Tier, What};
use super::source::Source;
use super::taxonomy::Taxonomy;
use super::vendors::{Vendor, Vendors};
use crate::census::{Family, Field};

/// How far a pack is checked when it is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// Not again: the pack is compiled in, and this crate's tests check it and run its tests.
    Tested,
    /// The tests of its rules.
    Untested,
    /// The tests of its rules, and the examples in Recog's files.
    Thorough,
}

#[derive(Debug, Default)]
pub(super) struct Pack {
    pub(super) rules: Vec<Rule>,
    /// Ids of rules of earlier packs that this pack disables.
    pub(super) disable: Vec<String>,
    /// The number of tests that ran.
    pub(super) tests: usize,
    /// What was skipped without being an error.
    pub(super) notes: Vec<String>,
}

/// A pack without its tests, as `build.rs` writes it.
#[derive(Deserialize)]
pub(super) struct Compiled {
    file: Arc<str>,
    name: Arc<str>,
    disable: Vec<String>,
    /// Each with its line and the literals of its pattern.
    rules: Vec<(usize, RuleSource, Option<Vec<String>>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackSource {
    schema: u32,
    #[serde(default)]
    disable: Vec<String>,
    pack: Head,
    #[serde(default)]
    rule: Vec<Spanned<RuleSource>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSource {
    id: String,
    title: String,
    evidence: String,
    #[serde(rename = "match")]
    matcher: MatcherSource,
    #[serde(default)]
    also: Vec<MatcherSource>,
    #[serde(default)]
    unless: Vec<MatcherSource>,
    #[serde(default)]
    set: BTreeMap<Attribute, OneOrMany>,
    map: Option<MapSource>,
    weight: u8,
    #[serde(default)]
    weights: BTreeMap<Attribute, u8>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    tier: Tier,
    family: Option<Family>,
    /// A source for the fact.
    #[serde(rename = "ref")]
    #[expect(dead_code, reason = "for readers of the pack")]
    reference: Option<String>,
    tests: Vec<Spanned<TestSource>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapSource {
    from: Option<String>,
    table: BTreeMap<String, BTreeMap<Attribute, OneOrMany>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestSource {
    #[serde(rename = "in")]
    input: String,
    /// Other evidence of the device, by source.
    #[serde(default)]
    with: BTreeMap<String, String>,
    expect: Option<BTreeMap<Attribute, String>>,
    #[serde(default)]
    miss: bool,
}

impl Pack {
    /// A pack that is compiled in.
    ///
    /// # Errors
    /// If a rule is broken, which a test rules out.
    pub(super) fn of(compiled: Compiled, taxonomy: &Taxonomy) -> Result<Self, RuleError> {
        let mut pack = Self { disable: compiled.disable, ..Self::default() };
        for (line, source, literals) in compiled.rules {
            let id = source.id.clone();
            let origin = Origin { pack: Arc::clone(&compiled.name), file: Arc::clone(&compiled.file), line };
            let known = Some(literals.as_deref());
            let (rule, _) = compile(source, origin, Trust::Tested, taxonomy, known).map_err(|reason| {
                let place = Place { file: compiled.file.to_string(), line, column: 1 };
                RuleError::Rule { place, rule: id, reason }
            })?;
            pack.rules.push(rule);
        }
        Ok(pack)
    }

    /// Reads a pack, compiles its rules and runs the tests that `trust` asks for. Fails on the first error.
    pub(super) fn parse(
        file: &str,
        text: &str,
        trust: Trust,
        taxonomy: &Taxonomy,
        vendors: &Vendors,
    ) -> Result<Self, RuleError> {
        let mut errors = Vec::new();
        let pack = Self::read(file, text, trust, taxonomy, vendors, &mut errors);
        errors.into_iter().next().map_or(Ok(pack), Err)
    }

    /// As [`Pack::parse`], but collects all errors. The pack is only sound if there are none.
    pub(super) fn read(
        file: &str,
        text: &str,
        trust: Trust,
        taxonomy: &Taxonomy,
        vendors: &Vendors,
        errors: &mut Vec<RuleError>,
    ) -> Self {
        if file.ends_with(".xml") {
            let recog::Fingerprints { rules, tests, notes } =
                recog::read(file, text, taxonomy, trust == Trust::Thorough, errors);
            return Self { rules, disable: Vec::new(), tests, notes };
        }
        let source: PackSource = match toml::from_str(text) {
            Ok(source) => source,
            Err(e) => {
                errors.push(syntax(file, text, &e));
                return Self::default();
            }
        };
        if source.schema != 1 {
            let reason = format!("schema {} is not supported; write schema = 1", source.schema);
            errors.push(RuleError::Syntax { place: Place::new(file, text, 0), reason });
            return Self::default();
        }
        let mut pack = Self { disable: source.disable, ..Self::default() };
        let (name, short): (Arc<str>, Arc<str>) = (source.pack.name.into(), file.into());
        let mut ids = HashSet::new();
        let mut lines = Lines::new(text);
        for entry in source.rule {
            let start = entry.span().start;
            let source = entry.into_inner();
            let id = source.id.clone();
            let refuse = |reason| {
                let place = Place::new(file, text, start);
                RuleError::Rule { place, rule: id.clone(), reason }
            };
            if !ids.insert(id.clone()) {
                errors.push(refuse("the id occurs twice in this file; give each rule its own".to_owned()));
                continue;
            }
            let origin = Origin { pack: name.clone(), file: short.clone(), line: lines.of(start) };
            let (mut rule, tests) = match compile(source, origin, trust, taxonomy, None) {
                Ok(compiled) => compiled,
                Err(reason) => {
                    errors.push(refuse(reason));
                    continue;
                }
            };
            for (number, spanned) in (1..).zip(&tests) {
                pack.tests += 1;
                let test = spanned.get_ref();
                if let Err(reason) = run(&rule, test, taxonomy, vendors) {
                    let place = Place::new(file, text, spanned.span().start);
                    let (rule, input) = (id.clone(), test.input.clone());
                    errors.push(RuleError::Test { place, rule, number, input, reason });
                }
            }
            rule.free_patterns();
            pack.rules.push(rule);
        }
        pack
    }
}

impl Rule {
    fn free_patterns(&mut self) {
        self.matcher.free_patterns();
        self.also.iter_mut().chain(&mut self.unless).for_each(|(_, m)| m.free_patterns());
    }

    /// The rules of a maker's entry: devices with its MAC prefix or SNMP enterprise number are mostly of one type.
    pub(super) fn of_maker(vendor: &Vendor, taxonomy: &Taxonomy) -> Result<Vec<Self>, String> {
        let Some(makes) = &vendor.makes else { return Ok(Vec::new()) };
        let node = taxonomy.find(makes).ok_or_else(|| unknown_node(makes))?;
        if vendor.weight == 0 {
            return Err("makes needs a weight".to_owned());
        }
        let dash = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let slug: String = vendor.name.chars().map(dash).collect();
        let rule = |what: &str, title: &str, field, matcher| Self {
            id: format!("{what}.maker.{slug}").into(),
            title: format!("{title} {}, which mostly makes: {}", vendor.name, taxonomy.title(makes)).into(),
            origin: Origin { pack: "vendors".into(), file: "vendors.toml".into(), line: 0 },
            first_of: None,
            kind: Kind::Registry,
            tier: Tier::Generic,
            family: None,
            source: Source::Field(field),
            matcher,
            also: Vec::new(),
            unless: Vec::new(),
            says: vec![Saying {
                attribute: if taxonomy.node(node).is_some_and(|n| n.parent.is_none()) {
                    Attribute::Category
                } else {
                    Attribute::Type
                },
                what: What::Node(node),
                weight: vendor.weight.min(Kind::Registry.cap()),
            }],
            map: None,
        };
        let mut rules = vec![rule(
            "mac",
            "Its MAC prefix is registered to",
            Field::MacVendor,
            Matcher::equal(&vendor.name),
        )];
        if !vendor.pen.is_empty() {
            let matcher = Matcher::object_of(&vendor.pen);
            rules.push(rule(
                "snmp",
                "Its SNMP object identifier belongs to",
                Field::SnmpSysObjectId,
                matcher,
            ));
        }
        Ok(rules)
    }
}

fn unknown_node(key: &str) -> String {
    format!("'{key}' is neither a category nor a type; use a key of taxonomy.toml")
}

/// Compiles a rule, of whose pattern the `literals` may be known. The error is for the author of the rule.
fn compile(
    source: RuleSource,
    origin: Origin,
    trust: Trust,
    taxonomy: &Taxonomy,
    literals: Option<Option<&[String]>>,
) -> Result<(Rule, Vec<Spanned<TestSource>>), String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if source.id.is_empty() || !source.id.chars().all(fine) {
        return Err("an id consists of a-z, 0-9, '.', '-' and '_'".to_owned());
    }
    let own: Source = source.evidence.parse().map_err(|e| format!("evidence: {e}"))?;
    let cap = source.kind.cap();
    let weighed = |attribute: Attribute| -> Result<u8, String> {
        match source.weights.get(&attribute).copied().unwrap_or(source.weight) {
            weight @ 1..=99 => Ok(weight.min(cap)),
            other => Err(format!("weight {other} is outside 1 to 99")),
        }
    };
    let says = sayings(source.set, taxonomy, &weighed)?;
    let map = source
        .map
        .map(|m| {
            let table = m
                .table
                .into_iter()
                .map(|(key, set)| Ok((key.to_lowercase(), sayings(set, taxonomy, &weighed)?)))
                .collect::<Result<_, String>>()?;
            Ok::<_, String>(Map { from: m.from.unwrap_or_else(|| "value".to_owned()), table })
        })
        .transpose()?;
    if says.is_empty() && map.is_none() {
        return Err("the rule says nothing; add set or map".to_owned());
    }
    let condition = |mut m: MatcherSource| -> Result<(Source, Matcher), String> {
        let from = match m.evidence.take() {
            Some(text) => text.parse().map_err(|e| format!("evidence: {e}"))?,
            None => own.clone(),
        };
        Ok((from, Matcher::new(m, trust == Trust::Tested)?))
    };
    if source.matcher.evidence.is_some() {
        return Err("match always reads the rule's evidence; use also for another field".to_owned());
    }
    let is_tested = source.tests.iter().any(|t| t.get_ref().expect.is_some())
        && source.tests.iter().any(|t| t.get_ref().miss);
    if trust != Trust::Tested && !is_tested {
        return Err("tests are missing; add at least one with expect and one with miss = true".to_owned());
    }
    let rule = Rule {
        id: source.id.into(),
        title: source.title.into(),
        origin,
        first_of: None,
        kind: source.kind,
        tier: source.tier,
        family: source.family,
        matcher: Matcher::with(source.matcher, trust == Trust::Tested, literals)?,
        also: source.also.into_iter().map(condition).collect::<Result<_, _>>()?,
        unless: source.unless.into_iter().map(condition).collect::<Result<_, _>>()?,
        source: own,
        says,
        map,
    };
    Ok((rule, source.tests))
}

fn sayings(
    set: BTreeMap<Attribute, OneOrMany>,
    taxonomy: &Taxonomy,
    weighed: &dyn Fn(Attribute) -> Result<u8, String>,
) -> Result<Vec<Saying>, String> {
    let mut out = Vec::new();
    for (attribute, texts) in set {
        let weight = weighed(attribute)?;
        let texts = texts.into_vec();
        if texts.len() != 1 && attribute != Attribute::Role {
            return Err(format!("{} takes one value", attribute.key()));
        }
        for text in texts {
            let template = Template::parse(&text)?;
            let what = match attribute {
                Attribute::Category | Attribute::Type => {
                    let key = template.constant().ok_or_else(|| unknown_node(&text))?;
                    let id = taxonomy.find(key).ok_or_else(|| unknown_node(key))?;
                    let is_category = taxonomy.node(id).is_some_and(|n| n.parent.is_none());
                    if is_category != (attribute == Attribute::Category) {
                        return Err(format!(
                            "'{key}' does not fit {}; use category for categories",
                            attribute.key()
                        ));
                    }
                    What::Node(id)
                }
                _ => What::Text(template),
            };
            out.push(Saying { attribute, what, weight });
        }
    }
    Ok(out)
}

/// Runs one test of a rule. The error says what was expected and what happened.
fn run(rule: &Rule, test: &TestSource, taxonomy: &Taxonomy, vendors: &Vendors) -> Result<(), String> {
    let mut facts = Vec::new();
    let main = rule.source.example(&test.input);
    let mut put = |(field, value): (_, String)| facts.push(Fact { field, value: value.into(), heard: None });
    put(main.clone());
    for (path, value) in &test.with {
        let source: Source = path.parse().map_err(|e| format!("with: {e}"))?;
        put(source.example(value));
    }
    let facts = DeviceFacts::new(facts);
    let fact = facts.iter().find(|f| f.field == main.0 && f.value == main.1);
    let hit = fact.and_then(|f| rule.fire(f, &facts, vendors));
    match (hit, &test.expect) {
        (None, None) if test.miss => Ok(()),
        (Some(hit), None) if test.miss => {
            Err(format!("it should not match, but says {}", hit.says(taxonomy)))
        }
        (_, None) => Err("the test has neither expect nor miss = true".to_owned()),
        (_, Some(_)) if test.miss => Err("the test has both expect and miss = true".to_owned()),
        (None, Some(_)) => Err("it does not match".to_owned()),
        (Some(hit), Some(expected)) => {
            for (attribute, value) in expected {
                let mut claims = hit.claims.iter().filter(|c| c.attribute == *attribute);
                if !claims.any(|c| c.value.text(taxonomy) == value) {
                    return Err(format!(
                        "{} should be '{value}', but it says {}",
                        attribute.key(),
                        hit.says(taxonomy)
                    ));
                }
            }
            Ok(())
        }
    }
}
