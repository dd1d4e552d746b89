//! A compiled rule: its conditions, and what it says of a device.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use smol_str::SmolStr;

use super::fact::{DeviceFacts, Fact};
use super::matcher::{Captures, Matcher};
use super::source::Source;
use super::taxonomy::{NodeId, Taxonomy};
use super::vendors::{Registry, Vendors};
use crate::census::{Family, Field};

/// An attribute of a device that a rule can set.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub(super) enum Attribute {
    Category,
    Type,
    Role,
    Vendor,
    Model,
    Os,
    Firmware,
    Name,
}

impl Attribute {
    /// The name in rules and in reasons.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Type => "type",
            Self::Role => "role",
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::Os => "os",
            Self::Firmware => "firmware",
            Self::Name => "name",
        }
    }
}

/// The source of the knowledge in a rule. It limits the weight, and the better kind wins for vendor, model and other texts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The device says so itself.
    #[default]
    SelfReported,
    /// From its behaviour.
    Observed,
    /// From a registry, such as that of MAC prefixes.
    Registry,
    /// A rule of thumb.
    Heuristic,
}

impl Kind {
    /// The highest weight in percent.
    pub(super) const fn cap(self) -> u8 {
        match self {
            Self::SelfReported => 99,
            Self::Observed => 90,
            Self::Registry => 80,
            Self::Heuristic => 50,
        }
    }
}

/// Whether a rule says what a device is. If specific rules decide, generic ones do not count against them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tier {
    /// What it is.
    #[default]
    Specific,
    /// What it can do, how it behaves, who made its network card.
    Generic,
}

/// Where a rule is defined.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) pack: Arc<str>,
    pub(super) file: Arc<str>,
    /// From 1; 0 for a rule without a line of its own.
    pub(super) line: usize,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: SmolStr,
    pub(super) title: SmolStr,
    pub(super) origin: Origin,
    /// If set: of the rules with this file, only the first that matches a value counts.
    pub(super) first_of: Option<Arc<str>>,
    pub(super) kind: Kind,
    pub(super) tier: Tier,
    /// Overrides the family of the field.
    pub(super) family: Option<Family>,
    pub(super) source: Source,
    pub(super) matcher: Matcher,
    /// Each must match some value of the device.
    pub(super) also: Vec<(Source, Matcher)>,
    /// None may match a value of the device.
    pub(super) unless: Vec<(Source, Matcher)>,
    pub(super) says: Vec<Saying>,
    pub(super) map: Option<Map>,
}

/// Further claims, chosen by a captured text.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) from: String,
    /// By the captured text, in lower case.
    pub(super) table: BTreeMap<String, Vec<Saying>>,
}

/// A claim as the rule states it, before captures are filled in.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    pub(super) attribute: Attribute,
    pub(super) what: What,
    /// In percent, limited by the kind.
    pub(super) weight: u8,
}

impl Saying {
    /// As `attribute=value`, with the placeholders of a template.
    pub(super) fn text(&self, taxonomy: &Taxonomy) -> String {
        match &self.what {
            What::Node(id) => {
                let key = taxonomy.node(*id).map_or("", |n| &n.key);
                format!("{}={key}", self.attribute.key())
            }
            What::Text(template) => format!("{}={template}", self.attribute.key()),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Node(NodeId),
    Text(Template),
}

/// A rule that matched a fact.
#[derive(Debug)]
pub(super) struct Hit<'r, 'f, 'a> {
    pub(super) rule: &'r Rule,
    pub(super) fact: &'f Fact<'a>,
    pub(super) family: Family,
    pub(super) claims: Rc<Claims>,
}

/// What a rule says of all devices that it matches by one value.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Sorted by attribute.
    list: Vec<Claim>,
    /// As [`Hit::says`], once somebody asked.
    says: OnceCell<SmolStr>,
}

impl From<Vec<Claim>> for Claims {
    fn from(list: Vec<Claim>) -> Self {
        Self { list, says: OnceCell::new() }
    }
}

impl std::ops::Deref for Claims {
    type Target = [Claim];

    fn deref(&self) -> &[Claim] {
        &self.list
    }
}

/// What a rule says of the device that it matched.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Claim {
    pub(super) attribute: Attribute,
    pub(super) value: Value,
    pub(super) weight: u8,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Value {
    Node(NodeId),
    Text(String),
}

impl Rule {
    /// Applies the rule to `fact`; `None` if it does not match or has nothing to say.
    pub(super) fn fire<'f, 'a>(
        &self,
        fact: &'f Fact<'a>,
        facts: &DeviceFacts<'_>,
        vendors: &Vendors,
    ) -> Option<Hit<'_, 'f, 'a>> {
        let claims = self.read(fact.field, &fact.value, vendors).filter(|claims| !claims.is_empty())?;
        self.stands(facts).then(|| Hit::new(self, fact, Rc::new(claims)))
    }

    /// Whether `also` and `unless` hold for a device.
    pub(super) fn stands(&self, facts: &DeviceFacts<'_>) -> bool {
        self.also.iter().all(|c| holds(c, facts)) && !self.unless.iter().any(|c| holds(c, facts))
    }

    /// What it says of a device that says that value, without a look at `also` and `unless`; `None` if it does not match.
    pub(super) fn read(&self, field: Field, value: &str, vendors: &Vendors) -> Option<Claims> {
        let value = self.source.read(field, value)?;
        let mut captures = Captures::default();
        if !self.matcher.matches(value, &mut captures) {
            return None;
        }
        captures.set("value", value);
        let mapped = self.map.as_ref().and_then(|m| m.table.get(&captures.get(&m.from)?.to_lowercase()));
        let mut claims: Vec<Claim> = Vec::new();
        for saying in mapped.into_iter().flatten().chain(&self.says) {
            // The table takes precedence over the rule's general claims.
            let said = |a: Attribute| a != Attribute::Role && claims.iter().any(|c| c.attribute == a);
            if said(saying.attribute) {
                continue;
            }
            let value = match &saying.what {
                What::Node(node) => Value::Node(*node),
                What::Text(template) => match template.fill(&captures, vendors) {
                    Some(text) if saying.attribute == Attribute::Vendor => {
                        Value::Text(vendors.short(&text).into_owned())
                    }
                    Some(text) => Value::Text(text),
                    None => continue,
                },
            };
            claims.push(Claim { attribute: saying.attribute, value, weight: saying.weight });
        }
        claims.sort_unstable();
        Some(claims.into())
    }
}

fn holds((source, matcher): &(Source, Matcher), facts: &DeviceFacts<'_>) -> bool {
    source.fields().iter().flat_map(|f| facts.field(*f)).any(|fact| {
        source
            .read(fact.field, &fact.value)
            .is_some_and(|value| matcher.matches(value, &mut Captures::default()))
    })
}

impl<'r, 'f, 'a> Hit<'r, 'f, 'a> {
    pub(super) fn new(rule: &'r Rule, fact: &'f Fact<'a>, claims: Rc<Claims>) -> Self {
        let family = rule.family.unwrap_or_else(|| match rule.source {
            // The names that a host gives itself are one family, over any protocol.
            Source::Name => Family::Hostname,
            _ => fact.field.family(),
        });
        Self { rule, fact, family, claims }
    }

    /// The weight of what it says the device is, in percent; else the highest weight of its claims.
    pub(super) fn weight(&self) -> u8 {
        let node = self.nodes().map(|c| c.weight).max();
        node.or_else(|| self.claims.iter().map(|c| c.weight).max()).unwrap_or(0)
    }

    /// The claims of what the device is: its category and type.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|c| matches!(c.value, Value::Node(_)))
    }

    /// Its claims as `attribute=value` joined by `, `. If they differ in weight, each has its own in parentheses:
    /// `type=router (60 %), role=gateway (90 %)`.
    pub(super) fn says(&self, taxonomy: &Taxonomy) -> SmolStr {
        self.claims.says.get_or_init(|| self.text(taxonomy).into()).clone()
    }

    fn text(&self, taxonomy: &Taxonomy) -> String {
        let weight = self.claims.first().map(|c| c.weight);
        let common = self.claims.iter().all(|c| Some(c.weight) == weight);
        let say = |c: &Claim| {
            let own = if common { String::new() } else { format!(" ({} %)", c.weight) };
            format!("{}={}{own}", c.attribute.key(), c.value.text(taxonomy))
        };
        self.claims.iter().map(say).collect::<Vec<_>>().join(", ")
    }

    /// See [`crate::census::Reason::proves`].
    pub(super) fn proves(&self) -> bool {
        match self.rule.kind {
            Kind::SelfReported => true,
            Kind::Observed => self.weight() >= Kind::Observed.cap(),
            Kind::Registry | Kind::Heuristic => false,
        }
    }

    /// How much of the value its rule looks at, in bytes.
    pub(super) fn reach(&self) -> usize {
        let value = self.rule.source.read(self.fact.field, &self.fact.value).unwrap_or_default();
        self.rule.matcher.reach(value)
    }
}

impl Value {
    /// The text, or the key of the taxonomy.
    pub(super) fn text<'a>(&'a self, taxonomy: &'a Taxonomy) -> &'a str {
        match self {
            Self::Node(id) => taxonomy.node(*id).map_or("", |n| &n.key),
            Self::Text(text) => text,
        }
    }
}

/// A text with placeholders for captured texts, such as `SIP-{model|upper}`.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Capture { name: String, filters: Vec<Filter> },
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Capture { name, filters } => {
                    write!(f, "{{{name}")?;
                    for filter in filters {
                        write!(f, "|{}", filter.key())?;
                    }
                    f.write_str("}")?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Filter {
    Lower,
    Upper,
    /// Replaces underscores by spaces.
    Spaces,
    /// The short name of a maker; fails for makers of parts.
    Maker,
    /// The maker with this number in a registry.
    Number(Registry),
}

impl Template {
    /// Parses a template. The error is for the author of the rule.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, tail) =
                after.split_once('}').ok_or_else(|| format!("'{text}' has no closing brace"))?;
            let mut parts = inside.split('|');
            let name = parts.next().unwrap_or_default().to_owned();
            let filters = parts.map(Filter::parse).collect::<Result<_, _>>()?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Capture { name, filters });
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text, if it has no placeholders.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Fills the placeholders; `None` if a capture is missing or the result is empty.
    fn fill(&self, captures: &Captures, vendors: &Vendors) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Capture { name, filters } => {
                    let mut text = captures.get(name)?.to_owned();
                    for filter in filters {
                        text = filter.apply(text, vendors)?;
                    }
                    out.push_str(&text);
                }
            }
        }
        let out = out.trim();
        (!out.is_empty()).then(|| out.to_owned())
    }
}

impl Filter {
    const fn key(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Spaces => "spaces",
            Self::Maker => "maker",
            Self::Number(Registry::Pen) => "pen",
            Self::Number(Registry::Bacnet) => "bacnet",
            Self::Number(Registry::Cip) => "cip",
        }
    }

    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "lower" => Ok(Self::Lower),
            "upper" => Ok(Self::Upper),
            "spaces" => Ok(Self::Spaces),
            "maker" => Ok(Self::Maker),
            "pen" => Ok(Self::Number(Registry::Pen)),
            "bacnet" => Ok(Self::Number(Registry::Bacnet)),
            "cip" => Ok(Self::Number(Registry::Cip)),
            _ => Err(format!("unknown filter '{name}'; use lower, upper, spaces, maker, pen, bacnet or cip")),
        }
    }

    fn apply(self, text: String, vendors: &Vendors) -> Option<String> {
        Some(match self {
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Spaces => text.replace('_', " "),
            Self::Maker => match vendors.find(&text) {
                Some(v) if v.module => return None,
                Some(v) => v.name.clone(),
                None => text,
            },
            Self::Number(registry) => {
                let vendor = vendors.by_number(registry, text.parse().ok()?)?;
                if vendor.module {
                    return None;
                }
                vendor.name.clone()
            }
        })
    }
}
