//! The table of components: software inside devices, as their banners name it, and its names in advisories.
//!
//! A banner proves less than a firmware. Whoever builds a device, or a distribution, mends an old version without a new
//! number. Therefore what follows from a component has a confidence of its own, which is off by default, in no total and in
//! no notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use smol_str::SmolStr;

use super::names;
use super::products::{Name, Named, ProductsError};
use super::scheme::{Scheme, SchemeSource};
use crate::census::Field;

/// The table that is compiled in.
const BUILT_IN: &str = include_str!("../../config/vulnerabilities/components.toml");
/// Memory of one compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// The table.
#[derive(Debug, Default)]
pub struct Components(Vec<Row>);

/// A component that a banner names.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Component {
    /// The row of the table.
    pub id: SmolStr,
    pub version: SmolStr,
}

#[derive(Debug)]
struct Row {
    id: SmolStr,
    fields: Vec<Field>,
    form: Regex,
    scheme: Arc<Scheme>,
    cpe: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSource {
    schema: u32,
    scheme: Vec<SchemeSource>,
    component: Vec<RowSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowSource {
    id: String,
    #[expect(dead_code, reason = "for people who read the table")]
    title: String,
    fields: Vec<Field>,
    form: String,
    cpe: Vec<String>,
    scheme: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests run them"))]
    tests: Vec<RowTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "tests run them"))]
struct RowTest {
    said: String,
    /// None if the row must find nothing.
    version: Option<String>,
}

fn bad(id: &str, why: impl ToString) -> ProductsError {
    ProductsError::Row { id: id.to_owned(), why: why.to_string() }
}

impl Components {
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
        if source.schema != 1 {
            return Err(bad("schema", format!("{} is not supported; write schema = 1", source.schema)));
        }
        let mut schemes = BTreeMap::new();
        for entry in &source.scheme {
            let scheme = Scheme::compile(entry).map_err(|why| bad(&entry.id, why))?;
            schemes.insert(entry.id.as_str(), Arc::new(scheme));
        }
        let mut rows: Vec<Row> = Vec::with_capacity(source.component.len());
        for entry in &source.component {
            let row = Row::compile(entry, &schemes).map_err(|why| bad(&entry.id, why))?;
            if rows.iter().any(|known| known.id == row.id) {
                return Err(bad(&entry.id, "is written twice"));
            }
            rows.push(row);
        }
        Ok(Self(rows))
    }

    /// What a word of a device names.
    pub fn read(&self, field: Field, said: &str) -> impl Iterator<Item = Component> {
        self.0.iter().filter(move |row| row.fields.contains(&field)).filter_map(move |row| row.read(said))
    }

    /// Under which names advisories know a component.
    pub fn named(&self, id: &str) -> Named {
        let row = self.0.iter().find(|row| row.id == id);
        Named { keys: row.map(Row::names).unwrap_or_default(), ..Named::default() }
    }

    /// The schemes by which versions of components compare.
    pub(super) fn schemes(&self) -> Vec<Arc<Scheme>> {
        self.0.iter().map(|row| Arc::clone(&row.scheme)).collect()
    }
}

impl Row {
    fn compile(source: &RowSource, schemes: &BTreeMap<&str, Arc<Scheme>>) -> Result<Self, String> {
        let form = RegexBuilder::new(&source.form).case_insensitive(true).size_limit(PATTERN_BYTES).build();
        let form = form.map_err(|e| e.to_string())?;
        if !form.capture_names().flatten().any(|name| name == "v") {
            return Err("the form has no group v".to_owned());
        }
        let names = |name: &String| {
            let (vendor, product) = name.split_once('/')?;
            Some((vendor.to_owned(), product.to_owned()))
        };
        let cpe: Option<Vec<_>> = source.cpe.iter().map(names).collect();
        let cpe = cpe.filter(|cpe| !cpe.is_empty()).ok_or("needs names, written vendor/product")?;
        if source.fields.is_empty() {
            return Err("needs fields".to_owned());
        }
        let scheme = schemes.get(source.scheme.as_str()).cloned();
        Ok(Self {
            id: SmolStr::new(&source.id),
            fields: source.fields.clone(),
            form,
            scheme: scheme.ok_or_else(|| format!("no scheme {}", source.scheme))?,
            cpe,
        })
    }

    fn read(&self, said: &str) -> Option<Component> {
        let version = self.form.captures(said)?.name("v")?.as_str();
        // A text that is not a version of its scheme compares with nothing.
        self.scheme.version(version)?;
        Some(Component { id: self.id.clone(), version: SmolStr::new(version) })
    }

    fn names(&self) -> Vec<Name> {
        let name = |(vendor, product): &(String, String)| Name {
            key: names::cpe_key(true, vendor, product),
            is_prefix: false,
            scheme: Arc::clone(&self.scheme),
            row: self.id.clone(),
        };
        self.cpe.iter().map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisory::{CveId, Firmware, Item, Prepared, Profile, Record, Verdict, read};

    fn source() -> TableSource {
        toml::from_str(BUILT_IN).unwrap()
    }

    #[test]
    fn the_table_of_components_holds_its_own_tests() {
        let (source, table) = (source(), Components::built_in().unwrap());
        for scheme in &source.scheme {
            Scheme::compile(scheme)
                .unwrap()
                .check(&scheme.tests)
                .unwrap_or_else(|e| panic!("{}: {e}", scheme.id));
        }
        for entry in &source.component {
            for test in &entry.tests {
                let mut found = entry.fields.iter().map(|field| {
                    let mut all = table.read(*field, &test.said);
                    all.find(|c| c.id == entry.id.as_str()).map(|c| c.version.to_string())
                });
                assert!(found.all(|found| found == test.version), "{}: {}", entry.id, test.said);
            }
            let finds = |wanted: bool| entry.tests.iter().any(|test| test.version.is_some() == wanted);
            assert!(finds(true) && finds(false), "{} needs a text that fits and one that does not", entry.id);
        }
    }

    #[test]
    fn one_banner_names_several_components_and_other_fields_name_none() {
        let table = Components::built_in().unwrap();
        let said = "Apache/2.4.29 (Ubuntu) OpenSSL/1.1.0g";
        let found: Vec<String> =
            table.read(Field::HttpServer, said).map(|c| format!("{} {}", c.id, c.version)).collect();
        assert_eq!(found, ["apache 2.4.29", "openssl 1.1.0g"]);
        assert_eq!(table.read(Field::HttpTitle, said).count(), 0);
        assert_eq!(table.read(Field::SshBanner, "nginx/1.18.0").count(), 0);
    }

    fn record(criteria: &str) -> Record {
        let text = format!(
            r#"{{"vulnerabilities":[{{"cve":{{"id":"CVE-1999-9001","published":"2020-01-01T00:00:00.000",
            "lastModified":"2021-01-01T00:00:00.000","vulnStatus":"Analyzed","descriptions":[],
            "configurations":[{{"nodes":[{{"operator":"OR","negate":false,"cpeMatch":[{criteria}]}}]}}]}}}}]}}"#
        );
        let mut found = None;
        let take = &mut |item| {
            if let Item::Record(record) = item {
                found = Some(*record);
            }
            Ok(())
        };
        read(text.as_bytes(), take).unwrap();
        found.unwrap()
    }

    #[test]
    fn a_banner_is_compared_with_the_applications_of_advisories() {
        let table = Components::built_in().unwrap();
        let judged = |criteria: &str, said: &str, field| {
            let record = record(criteria);
            assert_eq!(record.cve, "CVE-1999-9001".parse::<CveId>().unwrap());
            let component = table.read(field, said).next()?;
            let profile = Profile::of_component(table.named(&component.id));
            let firmware = Firmware::Said(component.version.to_string());
            let ready = profile.ready(&firmware);
            profile.prepare(&record).map(|prepared: Prepared<'_>| prepared.judge(&ready, true).verdict)
        };
        let range = r#"{"vulnerable":true,"criteria":"cpe:2.3:a:f5:nginx:*:*:*:*:*:*:*:*","versionStartIncluding":"0.6.18","versionEndExcluding":"1.20.1"}"#;
        let nginx = |said| judged(range, said, Field::HttpServer);
        assert_eq!(nginx("nginx/1.18.0"), Some(Verdict::Affected));
        assert_eq!(nginx("nginx/1.20.1"), Some(Verdict::Fixed));
        assert_eq!(nginx("nginx"), None);
        // The system of that name is another product.
        let system = range.replace("cpe:2.3:a:", "cpe:2.3:o:");
        assert_eq!(judged(&system, "nginx/1.18.0", Field::HttpServer), None);
        let one = r#"{"vulnerable":true,"criteria":"cpe:2.3:a:openbsd:openssh:7.4:p1:*:*:*:*:*:*"}"#;
        let ssh = |said| judged(one, said, Field::SshBanner);
        assert_eq!(ssh("SSH-2.0-OpenSSH_7.4p1 Debian-10+deb9u7"), Some(Verdict::Affected));
        assert_eq!(ssh("SSH-2.0-OpenSSH_7.5p1"), Some(Verdict::Outside));
        assert_eq!(ssh("SSH-2.0-OpenSSH_7.4"), Some(Verdict::Undecided), "whether it is p1 is open");
    }

    #[test]
    fn a_table_with_a_fault_is_refused() {
        let whole = |component: &str| format!("schema = 1\nscheme = []\n[[component]]\n{component}");
        let row = "id = 'x'\ntitle = 'x'\nfields = ['http.server']\nform = 'x/(?P<v>1)'\ncpe = ['x/x']\nscheme = 'dotted'\ntests = []";
        let why = |text: &str| Components::parse(&whole(text)).unwrap_err().to_string();
        assert!(why(row).contains("no scheme dotted"));
        assert!(why(&row.replace("(?P<v>1)", "1")).contains("no group v"));
        assert!(why(&row.replace("'x/x'", "'x'")).contains("vendor/product"));
        assert!(why(&row.replace("['http.server']", "[]")).contains("needs fields"));
        assert!(why(&row.replace("http.server", "http.word")).contains("unknown evidence field"));
    }
}
