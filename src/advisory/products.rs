//! The table of products: under which names advisories know a device, and by which scheme its versions compare.
//!
//! Names of makers and products differ between sources in most cases, and similar names belong to different products.
//! Therefore the names are a table with tests, and nothing is matched by similarity.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};
use serde::Deserialize;
use smol_str::SmolStr;

use super::limits::NAME;
use super::names;
use super::scheme::{Scheme, SchemeSource};

/// The table that is compiled in.
const BUILT_IN: &str = include_str!("../../config/vulnerabilities/products.toml");
/// The vendor of rows that are about all of whom no other row says anything.
const ANY: &str = "*";
/// Memory of one compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// Why the table is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProductsError {
    #[error("the table of products: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("the table of products: {id}: {why}")]
    Row { id: String, why: String },
}

/// The table.
#[derive(Debug, Default)]
pub struct Products {
    rows: Vec<Row>,
    /// Rows by vendor, in lower case; those of [`ANY`] are for vendors of whom no other row says anything.
    of_vendor: HashMap<String, Vec<usize>>,
    /// What advisories call vendors, by vendor in lower case.
    known_as: HashMap<String, Vec<String>>,
    schemes: usize,
    tests: usize,
}

/// What the table says about a device.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The keys of records about it.
    pub keys: Vec<Name>,
    /// The rules whose firmware is the one that advisories mean; all if empty. `*` at the end stands for any rest.
    pub from: Vec<SmolStr>,
    /// Why no advisory is to be expected, if the table says so.
    pub no_source: Option<SmolStr>,
    /// Whether no row is about the vendor's product, so that it is looked for as the vendor and the device call it.
    pub as_it_says: bool,
}

/// One name of a product in advisories.
#[derive(Clone, Debug)]
pub struct Name {
    pub key: String,
    /// Whether `key` is only the beginning of the names.
    pub is_prefix: bool,
    pub scheme: Arc<Scheme>,
    /// The row of the table.
    pub row: SmolStr,
}

#[derive(Debug)]
struct Row {
    id: SmolStr,
    model: Option<Regex>,
    os: Option<Regex>,
    scheme: Option<Arc<Scheme>>,
    cpe: Vec<String>,
    names: Vec<String>,
    orders: Vec<String>,
    from: Vec<SmolStr>,
    no_source: Option<SmolStr>,
    /// Whether products are looked for in every spelling.
    spells: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSource {
    schema: u32,
    scheme: Vec<SchemeSource>,
    #[serde(default)]
    maker: Vec<MakerSource>,
    product: Vec<RowSource>,
}

/// What advisories call a vendor, for `{vendor}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakerSource {
    vendor: Vec<String>,
    known_as: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowSource {
    id: String,
    vendor: Vec<String>,
    model: Option<String>,
    os: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    cpe: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    orders: Vec<String>,
    #[serde(default)]
    from: Vec<String>,
    no_source: Option<String>,
    tests: Vec<RowTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowTest {
    /// The first of the row if left out.
    vendor: Option<String>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    miss: bool,
}

impl Products {
    /// The table that is compiled in.
    ///
    /// # Errors
    /// If it is broken, which a test rules out.
    pub fn built_in() -> Result<Self, ProductsError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// If it is not TOML in this form, or if a pattern, a scheme or a name in it is wrong.
    pub fn parse(text: &str) -> Result<Self, ProductsError> {
        let source: TableSource = toml::from_str(text)?;
        let bad = |id: &str, why: String| ProductsError::Row { id: id.to_owned(), why };
        if source.schema != 1 {
            return Err(bad("schema", format!("{} is not supported; write schema = 1", source.schema)));
        }
        let mut schemes = BTreeMap::new();
        let mut tests = 0;
        for entry in &source.scheme {
            let scheme = Scheme::compile(entry).map_err(|why| bad(&entry.id, why))?;
            tests += entry.tests.len();
            schemes.insert(entry.id.clone(), Arc::new(scheme));
        }
        let mut table = Self { schemes: schemes.len(), tests, ..Self::default() };
        for maker in &source.maker {
            for vendor in &maker.vendor {
                table
                    .known_as
                    .entry(vendor.to_lowercase())
                    .or_default()
                    .extend(maker.known_as.iter().cloned());
            }
        }
        for entry in &source.product {
            let row = Row::compile(entry, &schemes).map_err(|why| bad(&entry.id, why))?;
            if table.rows.iter().any(|known| known.id == row.id) {
                return Err(bad(&entry.id, "is written twice".to_owned()));
            }
            for vendor in &entry.vendor {
                table.of_vendor.entry(vendor.to_lowercase()).or_default().push(table.rows.len());
            }
            table.tests += entry.tests.len();
            table.rows.push(row);
        }
        Ok(table)
    }

    /// Runs the tests of the built-in table; answers how many there are.
    ///
    /// # Errors
    /// The first test that fails.
    pub fn check(text: &str) -> Result<usize, ProductsError> {
        let table = Self::parse(text)?;
        let source: TableSource = toml::from_str(text)?;
        let bad = |id: &str, why: String| ProductsError::Row { id: id.to_owned(), why };
        for entry in &source.scheme {
            let scheme = Scheme::compile(entry).map_err(|why| bad(&entry.id, why))?;
            scheme.check(&entry.tests).map_err(|why| bad(&entry.id, why))?;
        }
        for entry in &source.product {
            for test in &entry.tests {
                table.test(entry, test).map_err(|why| bad(&entry.id, why))?;
            }
        }
        Ok(table.tests)
    }

    fn test(&self, entry: &RowSource, test: &RowTest) -> Result<(), String> {
        let vendor = test.vendor.as_ref().or_else(|| entry.vendor.first()).ok_or("has no vendor")?;
        let named = self.named(vendor, Some(&test.model), Some(&test.os));
        let own = named.keys.iter().filter(|name| name.row == entry.id.as_str());
        let mut found: Vec<String> = own.map(Name::shown).collect();
        found.sort();
        let mut expected = test.keys.clone();
        expected.sort();
        let misses = found.is_empty()
            && (named.no_source.is_none() || named.no_source.as_deref() != entry.no_source.as_deref());
        if test.miss != misses || found != expected {
            return Err(format!("{vendor} {}: expected {expected:?}, found {found:?}", test.model));
        }
        Ok(())
    }

    /// How many schemes and rows it has.
    pub fn len(&self) -> (usize, usize) {
        (self.schemes, self.rows.len())
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The schemes by which versions of its products compare.
    pub(super) fn schemes(&self) -> Vec<Arc<Scheme>> {
        let all: BTreeMap<&str, &Arc<Scheme>> =
            self.rows.iter().filter_map(|row| row.scheme.as_ref()).map(|s| (s.id.as_str(), s)).collect();
        all.into_values().cloned().collect()
    }

    /// What the table says about a device of a vendor.
    pub fn named(&self, vendor: &str, model: Option<&str>, os: Option<&str>) -> Named {
        let mut named = Named::default();
        let spellings = self.spellings(vendor);
        let (model, os) = (model.unwrap_or_default(), os.unwrap_or_default());
        let rows = |vendor: &str| {
            let places = self.of_vendor.get(vendor).map(Vec::as_slice).unwrap_or_default();
            places.iter().filter_map(|place| self.rows.get(*place))
        };
        for row in rows(&vendor.to_lowercase()) {
            row.add(&spellings, model, os, &mut named);
        }
        if named.keys.is_empty() && named.no_source.is_none() && !vendor.is_empty() {
            for row in rows(ANY) {
                row.add(&spellings, without_maker(model, vendor), os, &mut named);
                named.as_it_says = true;
            }
        }
        named
    }
}

impl Products {
    /// How advisories may write a vendor: as people do, without what stands between the words, with lines there, and as the
    /// table says.
    fn spellings(&self, vendor: &str) -> Vec<String> {
        let lower = latin(&vendor.to_lowercase());
        let joined: String = lower.chars().filter(|c| !c.is_whitespace()).collect();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let own = [joined, words.join("-"), lower.clone()];
        let mut all: Vec<String> = Vec::with_capacity(own.len());
        let known_as = self.known_as.get(&vendor.to_lowercase()).into_iter().flatten().cloned();
        for spelling in own.into_iter().chain(known_as) {
            if !all.contains(&spelling) {
                all.push(spelling);
            }
        }
        all
    }
}

/// The text without umlauts, which the names of advisories do not have.
fn latin(text: &str) -> String {
    text.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss")
}

/// A model without the maker's name before it.
fn without_maker<'m>(model: &'m str, vendor: &str) -> &'m str {
    let first = vendor.split_whitespace().next().unwrap_or(vendor);
    let begins = |maker: &str| {
        let (head, rest) = model.split_at_checked(maker.len())?;
        head.eq_ignore_ascii_case(maker).then_some(rest.strip_prefix(' ')?.trim_start())
    };
    begins(vendor).or_else(|| begins(first)).filter(|rest| !rest.is_empty()).unwrap_or(model)
}

impl Name {
    /// The key as tests write it.
    fn shown(&self) -> String {
        format!("{}{}", self.key, if self.is_prefix { "*" } else { "" })
    }

    /// Whether a record's key is this name.
    pub fn is(&self, key: &str) -> bool {
        if self.is_prefix { key.starts_with(&self.key) } else { key == self.key }
    }
}

impl Row {
    fn compile(source: &RowSource, schemes: &BTreeMap<String, Arc<Scheme>>) -> Result<Self, String> {
        let whole = |pattern: &String| {
            RegexBuilder::new(&format!("^(?:{pattern})$"))
                .case_insensitive(true)
                .size_limit(PATTERN_BYTES)
                .build()
                .map_err(|e| e.to_string())
        };
        let scheme = source
            .scheme
            .as_ref()
            .map(|id| schemes.get(id).cloned().ok_or_else(|| format!("no scheme {id}")));
        let row = Self {
            id: SmolStr::new(&source.id),
            model: source.model.as_ref().map(whole).transpose()?,
            os: source.os.as_ref().map(whole).transpose()?,
            scheme: scheme.transpose()?,
            cpe: source.cpe.clone(),
            names: source.names.clone(),
            orders: source.orders.clone(),
            from: source.from.iter().map(SmolStr::new).collect(),
            no_source: source.no_source.as_ref().map(SmolStr::new),
            spells: source.vendor.iter().any(|vendor| vendor == ANY),
        };
        let has_names = !(row.cpe.is_empty() && row.names.is_empty() && row.orders.is_empty());
        if row.model.is_none() && row.os.is_none() {
            return Err("needs a model or an os".to_owned());
        }
        if has_names != row.scheme.is_some() || has_names == row.no_source.is_some() {
            return Err("needs names and a scheme, or the reason why there is no source".to_owned());
        }
        let all = row.cpe.iter().chain(&row.names).chain(&row.orders);
        if let Some(name) = all.clone().find(|name| !name.contains('/')) {
            return Err(format!("'{name}' is not written vendor/product"));
        }
        Ok(row)
    }

    /// Adds what the row says about a device, if it is about it.
    fn add(&self, vendors: &[String], model: &str, os: &str, named: &mut Named) {
        let fits = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        if !fits(&self.model, model) || !fits(&self.os, os) {
            return;
        }
        let captures = self.model.as_ref().and_then(|pattern| pattern.captures(model));
        named.from.extend(self.from.iter().cloned());
        named.no_source = named.no_source.take().or_else(|| self.no_source.clone());
        let Some(scheme) = &self.scheme else { return };
        let filled = |text: &String| -> Vec<String> {
            let with = |vendor: &String| fill(&text.replace("{vendor}", vendor), captures.as_ref());
            let needed =
                if text.contains("{vendor}") { vendors } else { vendors.get(..1).unwrap_or_default() };
            needed.iter().filter_map(with).collect()
        };
        let cpe = self.cpe.iter().flat_map(filled).flat_map(|name| {
            let key = |app: bool, name: &str| {
                let (vendor, product) = name.split_once('/')?;
                let of = |product: String| names::cpe_key(app, vendor, &product);
                Some(if self.spells {
                    spelled(product).map(of).collect()
                } else {
                    vec![of(cpe_text(product))]
                })
            };
            match name.strip_prefix("a/") {
                Some(rest) => key(true, rest),
                None => key(false, &name),
            }
            .unwrap_or_default()
        });
        let cpe = cpe.map(Some);
        let words = self.names.iter().flat_map(filled).map(|name| {
            let (vendor, product) = name.split_once('/')?;
            let star = match product {
                _ if product.ends_with(" *") => " *",
                _ if product.ends_with('*') => "*",
                _ => "",
            };
            Some(names::name_key(vendor, product) + star)
        });
        let orders = self.orders.iter().flat_map(filled).map(|name| {
            let (vendor, number) = name.split_once('/')?;
            names::order_key(vendor, number)
        });
        for key in cpe.chain(words).chain(orders).flatten().filter(|key| key.len() <= NAME) {
            let (key, is_prefix) = match key.strip_suffix('*') {
                Some(begin) => (begin.to_owned(), true),
                None => (key, false),
            };
            if !named.keys.iter().any(|known| known.key == key && known.is_prefix == is_prefix) {
                let (scheme, row) = (Arc::clone(scheme), self.id.clone());
                named.keys.push(Name { key, is_prefix, scheme, row });
            }
        }
    }
}

/// The product part of a CPE name: lower case, and lines for spaces.
fn cpe_text(text: &str) -> String {
    text.trim().to_lowercase().replace(' ', "_")
}

/// The ways in which advisories write the name of a model: with lines for spaces and slashes, or without either.
fn spelled(product: &str) -> impl Iterator<Item = String> {
    let text = cpe_text(&latin(&product.to_lowercase()));
    let lines = text.replace('/', "_");
    let dashes = lines.replace('_', "-");
    let joined = text.replace(['_', '/'], "");
    [text, lines, dashes, joined].into_iter()
}

/// The text with what the groups of the model's pattern captured; `None` if a group captured nothing.
fn fill(text: &str, captures: Option<&Captures<'_>>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        out.push_str(before);
        let captured = captures?.name(name)?.as_str();
        if captured.is_empty() {
            return None;
        }
        // What a device says never is a wildcard.
        out.push_str(&captured.replace('*', ""));
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_its_own_tests() {
        let tests = Products::check(BUILT_IN).unwrap_or_else(|e| panic!("{e}"));
        let (schemes, rows) = Products::built_in().unwrap().len();
        assert!(schemes >= 12 && rows >= 60 && tests >= 150, "{schemes} schemes, {rows} rows, {tests} tests");
    }

    #[test]
    fn every_row_and_every_scheme_has_a_test() {
        let source: TableSource = toml::from_str(BUILT_IN).unwrap();
        for row in &source.product {
            assert!(!row.tests.is_empty(), "{}", row.id);
        }
        for scheme in &source.scheme {
            let not = scheme.tests.iter().any(|t| matches!(t, super::super::scheme::SchemeTest::Not(_)));
            assert!(not && scheme.tests.len() >= 2, "{}", scheme.id);
        }
    }

    #[test]
    fn a_star_in_a_models_name_is_not_a_wildcard() {
        let text = r#"
            schema = 1
            scheme = []
            [[scheme]]
            id = "dotted"
            title = "x"
            form = '(?P<n>\d+)'
            order = [{ by = "numbers", of = "n" }]
            tests = []
            [[product]]
            id = "x"
            vendor = ["Example"]
            model = '(?P<m>.+)'
            scheme = "dotted"
            names = ["example/{m}"]
            tests = []
        "#;
        let text = text.replace("            scheme = []\n", "");
        let named = Products::parse(&text).unwrap().named("example", Some("cam*"), None);
        assert_eq!(named.keys.iter().map(Name::shown).collect::<Vec<_>>(), ["name/example/cam"]);
    }
}
