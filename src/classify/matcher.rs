//! Matchers: the conditions of a rule on a value. Each runs in time linear in the value.

use std::fmt;
use std::sync::OnceLock;

use regex_automata::PatternID;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use serde::Deserialize;

use super::literal::{self, LITERAL_BYTES, LITERALS, shortest};

/// The most bytes of memory of a compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;
/// The most characters of a captured text.
const CAPTURE_CHARS: usize = 64;

/// A matcher as written in a pack. All given keys must hold. Text comparison ignores ASCII case unless `case = true`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatcherSource {
    /// Only in `also` and `unless`: the evidence to read. Default: that of the rule.
    pub(super) evidence: Option<String>,
    #[serde(default)]
    case: bool,
    exists: Option<bool>,
    eq: Option<String>,
    #[serde(rename = "in")]
    one_of: Option<Vec<String>>,
    prefix: Option<OneOrMany>,
    suffix: Option<OneOrMany>,
    contains: Option<OneOrMany>,
    regex: Option<String>,
    list: Option<Vec<u32>>,
    list_head: Option<Vec<u32>>,
    list_set: Option<Vec<u32>>,
    list_has: Option<Vec<u32>>,
    list_lacks: Option<Vec<u32>>,
    bits_all: Option<u64>,
    bits_any: Option<u64>,
    bits_none: Option<u64>,
    num: Option<String>,
    oid: Option<OneOrMany>,
}

/// One string or several; any of them may match.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(s) => vec![s],
            Self::Many(v) => v,
        }
    }
}

/// A compiled matcher.
#[derive(Debug)]
pub(super) struct Matcher {
    tests: Vec<Test>,
    case: bool,
}

#[derive(Debug)]
enum Test {
    Exists,
    OneOf(Vec<String>),
    Prefix(Vec<String>),
    Suffix(Vec<String>),
    Contains(Vec<String>),
    Regex(Pattern),
    List(Vec<u32>),
    ListHead(Vec<u32>),
    /// Sorted.
    ListSet(Vec<u32>),
    ListHas(Vec<u32>),
    ListLacks(Vec<u32>),
    BitsAll(u64),
    BitsAny(u64),
    BitsNone(u64),
    Num(u64, u64),
    /// Any of them.
    Oid(Vec<Vec<u32>>),
}

/// A pattern that is compiled when a value first needs it.
#[derive(Debug)]
struct Pattern {
    text: String,
    case: bool,
    /// Whether groups are captured by number too.
    numbered: bool,
    /// Its literals, of a pattern that is compiled in: `build.rs` found them.
    literals: Literals,
    compiled: OnceLock<Option<Regex>>,
}

/// The literals of a pattern, or `None` if it has none; `None` also of all that if they were not looked for.
#[derive(Clone, Default)]
struct Literals(Option<Option<Vec<String>>>);

/// Where they come from makes no difference.
impl fmt::Debug for Literals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("literals")
    }
}

/// The texts that groups captured, by name, and the value itself as `value`. Bounded, without unusual characters.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures(Vec<(String, String)>);

impl Captures {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        let kept: String = value
            .chars()
            .filter(|c| c.is_alphanumeric() || " ._:/+()-,'&;#".contains(*c))
            .take(CAPTURE_CHARS)
            .collect();
        self.0.push((name.to_owned(), kept.trim().to_owned()));
    }
}

impl Matcher {
    /// Compiles a matcher. The error is for the author of the rule. A `trusted` pattern is compiled when a value first
    /// needs it.
    pub(super) fn new(source: MatcherSource, trusted: bool) -> Result<Self, String> {
        Self::with(source, trusted, None)
    }

    /// As [`Self::new`], with what is known of its pattern's literals.
    pub(super) fn with(
        source: MatcherSource,
        trusted: bool,
        literals: Option<Option<&[String]>>,
    ) -> Result<Self, String> {
        let case = source.case;
        let fold = |v: Vec<String>| -> Vec<String> {
            if case { v } else { v.into_iter().map(|s| s.to_ascii_lowercase()).collect() }
        };
        let mut tests = Vec::new();
        match source.exists {
            Some(true) => tests.push(Test::Exists),
            Some(false) => return Err("exists = false never matches; use unless".to_owned()),
            None => {}
        }
        tests.extend(source.eq.map(|s| Test::OneOf(fold(vec![s]))));
        tests.extend(source.one_of.map(|v| Test::OneOf(fold(v))));
        tests.extend(source.prefix.map(|v| Test::Prefix(fold(v.into_vec()))));
        tests.extend(source.suffix.map(|v| Test::Suffix(fold(v.into_vec()))));
        tests.extend(source.contains.map(|v| Test::Contains(fold(v.into_vec()))));
        tests.extend(source.list.map(Test::List));
        tests.extend(source.list_head.map(Test::ListHead));
        tests.extend(source.list_set.map(|mut v| {
            v.sort_unstable();
            Test::ListSet(v)
        }));
        tests.extend(source.list_has.map(Test::ListHas));
        tests.extend(source.list_lacks.map(Test::ListLacks));
        tests.extend(source.bits_all.map(Test::BitsAll));
        tests.extend(source.bits_any.map(Test::BitsAny));
        tests.extend(source.bits_none.map(Test::BitsNone));
        if let Some(range) = source.num {
            let (low, high) = range.split_once("..").unwrap_or((&range, &range));
            match (number(low), number(high)) {
                (Some(low), Some(high)) => tests.push(Test::Num(low, high)),
                _ => return Err(format!("num = '{range}' is neither a number nor a range a..b")),
            }
        }
        if let Some(oid) = source.oid {
            let arcs = |o: &String| arcs(o).ok_or_else(|| format!("oid = '{o}' is not a dotted number"));
            tests.push(Test::Oid(oid.into_vec().iter().map(arcs).collect::<Result<_, _>>()?));
        }
        if let Some(text) = source.regex {
            let literals = Literals(literals.map(|known| known.map(<[_]>::to_vec)));
            let mut pattern = Pattern { text, case, numbered: false, literals, compiled: OnceLock::new() };
            if !trusted {
                literal::parse(&pattern.text)?;
                pattern.compiled = Some(pattern.compile()?).into();
            }
            tests.push(Test::Regex(pattern));
        }
        if tests.is_empty() {
            return Err("the matcher has no key; add eq, prefix, regex …".to_owned());
        }
        Ok(Self { tests, case })
    }

    /// Matches a pattern, and captures groups by number. The pattern is parsed now and compiled when a value first needs
    /// it. A pattern that is too large to compile never matches.
    pub(super) fn numbered(text: String, case: bool) -> Result<Self, String> {
        literal::parse(&text)?;
        let compiled = OnceLock::new();
        let pattern = Pattern { text, case, numbered: true, literals: Literals::default(), compiled };
        Ok(Self { tests: vec![Test::Regex(pattern)], case })
    }

    /// Whether the value matches. Fails if a pattern does not compile.
    pub(super) fn try_match(&self, value: &str) -> Result<bool, String> {
        for test in &self.tests {
            if let Test::Regex(pattern) = test
                && pattern.compiled.get_or_init(|| pattern.compile().ok()).is_none()
            {
                return Err("the pattern is invalid or takes too much memory".to_owned());
            }
        }
        Ok(self.matches(value, &mut Captures::default()))
    }

    /// Matches one text, ignoring case.
    pub(super) fn equal(text: &str) -> Self {
        Self { tests: vec![Test::OneOf(vec![text.to_ascii_lowercase()])], case: false }
    }

    /// Matches object identifiers below the given SNMP enterprise numbers.
    pub(super) fn object_of(pens: &[u32]) -> Self {
        let oids = pens.iter().map(|pen| vec![1, 3, 6, 1, 4, 1, *pen]).collect();
        Self { tests: vec![Test::Oid(oids)], case: false }
    }

    /// Whether the value matches. Adds the captured texts to `captures`.
    pub(super) fn matches(&self, value: &str, captures: &mut Captures) -> bool {
        self.tests.iter().all(|t| t.matches(value, self.case, captures))
    }

    /// How much of a value that matches it looks at, in bytes: the most specific of several matchers looks at most.
    pub(super) fn reach(&self, value: &str) -> usize {
        self.tests.iter().map(|t| t.reach(value)).max().unwrap_or(0)
    }

    /// Its conditions, as `prefix a, b`.
    pub(super) fn texts(&self) -> Vec<String> {
        self.tests.iter().map(Test::text).collect()
    }

    /// Frees the memory of compiled patterns. They are compiled again when needed.
    pub(super) fn free_patterns(&mut self) {
        for test in &mut self.tests {
            if let Test::Regex(pattern) = test {
                pattern.compiled.take();
            }
        }
    }

    /// The values in lower case, if the whole value must be one of them.
    pub(super) fn exact(&self) -> Option<Vec<String>> {
        self.tests.iter().find_map(|t| match t {
            Test::OneOf(v) => Some(v.iter().map(|s| s.to_ascii_lowercase()).collect()),
            _ => None,
        })
    }

    /// Texts in lower case; each value that matches contains at least one. `None` if unknown.
    pub(super) fn literals(&self) -> Option<Vec<String>> {
        self.tests.iter().filter_map(Test::literals).max_by_key(|v| shortest(v))
    }
}

impl Test {
    fn text(&self) -> String {
        let list = |v: &[u32]| v.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Exists => "exists".to_owned(),
            Self::OneOf(v) => format!("eq {}", v.join(", ")),
            Self::Prefix(v) => format!("prefix {}", v.join(", ")),
            Self::Suffix(v) => format!("suffix {}", v.join(", ")),
            Self::Contains(v) => format!("contains {}", v.join(", ")),
            Self::Regex(pattern) => format!("regex {}", pattern.text),
            Self::List(v) => format!("list {}", list(v)),
            Self::ListHead(v) => format!("list_head {}", list(v)),
            Self::ListSet(v) => format!("list_set {}", list(v)),
            Self::ListHas(v) => format!("list_has {}", list(v)),
            Self::ListLacks(v) => format!("list_lacks {}", list(v)),
            Self::BitsAll(bits) => format!("bits_all {bits:#x}"),
            Self::BitsAny(bits) => format!("bits_any {bits:#x}"),
            Self::BitsNone(bits) => format!("bits_none {bits:#x}"),
            Self::Num(low, high) => format!("num {low}..{high}"),
            Self::Oid(oids) => {
                let dotted = |o: &Vec<u32>| list(o).replace(',', ".");
                format!("oid {}", oids.iter().map(dotted).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn literals(&self) -> Option<Vec<String>> {
        let found = match self {
            Self::OneOf(v) | Self::Prefix(v) | Self::Suffix(v) | Self::Contains(v) => v.clone(),
            Self::Regex(pattern) => match &pattern.literals.0 {
                Some(known) => known.clone()?,
                None => literal::of_pattern(&pattern.text)?,
            },
            // Object identifiers are written without leading zeros.
            Self::Oid(oids) => {
                oids.iter().map(|oid| oid.iter().map(u32::to_string).collect::<Vec<_>>().join(".")).collect()
            }
            _ => return None,
        };
        (shortest(&found) >= LITERAL_BYTES && found.len() <= LITERALS)
            .then(|| found.iter().map(|s| s.to_ascii_lowercase()).collect())
    }

    fn reach(&self, value: &str) -> usize {
        let longest = |texts: &[String], holds: fn(&str, &str) -> bool| {
            let lower = value.to_ascii_lowercase();
            let found = texts.iter().filter(|t| holds(&lower, &t.to_ascii_lowercase()));
            found.map(String::len).max().unwrap_or(0)
        };
        match self {
            Self::Exists | Self::ListLacks(_) | Self::BitsAny(_) | Self::BitsNone(_) => 0,
            Self::Prefix(v) => longest(v, |value, text| value.starts_with(text)),
            Self::Suffix(v) => longest(v, |value, text| value.ends_with(text)),
            Self::Contains(v) => longest(v, |value, text| value.contains(text)),
            Self::Regex(pattern) => pattern.reach(value.as_bytes()),
            // Each number of a list is written with its comma.
            Self::ListHead(v) | Self::ListHas(v) => v.len() * 2,
            Self::Num(low, high) => usize::from(low == high) * value.len(),
            Self::BitsAll(bits) => usize::try_from(bits.count_ones()).unwrap_or(0),
            Self::Oid(oids) => {
                let matching = arcs(value)
                    .map(|n| oids.iter().filter(move |oid| n.starts_with(oid)).map(Vec::len).max());
                matching.flatten().unwrap_or(0) * 2
            }
            Self::OneOf(_) | Self::List(_) | Self::ListSet(_) => value.len(),
        }
    }

    fn matches(&self, value: &str, case: bool, captures: &mut Captures) -> bool {
        let b = value.as_bytes();
        let same =
            |a: &[u8], s: &str| if case { a == s.as_bytes() } else { a.eq_ignore_ascii_case(s.as_bytes()) };
        match self {
            Self::Exists => true,
            Self::OneOf(v) => v.iter().any(|s| same(b, s)),
            Self::Prefix(v) => v.iter().any(|s| b.get(..s.len()).is_some_and(|head| same(head, s))),
            Self::Suffix(v) => v.iter().any(|s| {
                b.len().checked_sub(s.len()).and_then(|at| b.get(at..)).is_some_and(|tail| same(tail, s))
            }),
            Self::Contains(v) => v.iter().any(|s| s.is_empty() || b.windows(s.len()).any(|w| same(w, s))),
            Self::Regex(pattern) => pattern.matches(b, captures),
            Self::List(v) => numbers(value).is_some_and(|n| n == *v),
            Self::ListHead(v) => numbers(value).is_some_and(|n| n.starts_with(v)),
            Self::ListSet(v) => numbers(value).is_some_and(|mut n| {
                n.sort_unstable();
                n == *v
            }),
            Self::ListHas(v) => numbers(value).is_some_and(|n| v.iter().all(|x| n.contains(x))),
            Self::ListLacks(v) => numbers(value).is_some_and(|n| !v.iter().any(|x| n.contains(x))),
            Self::BitsAll(bits) => number(value).is_some_and(|n| n & bits == *bits),
            Self::BitsAny(bits) => number(value).is_some_and(|n| n & bits != 0),
            Self::BitsNone(bits) => number(value).is_some_and(|n| n & bits == 0),
            Self::Num(low, high) => number(value).is_some_and(|n| (*low..=*high).contains(&n)),
            Self::Oid(oids) => arcs(value).is_some_and(|n| oids.iter().any(|oid| n.starts_with(oid))),
        }
    }
}

impl Pattern {
    /// Compiles the pattern. Values are short, and the index has already found a literal in them: to prepare a faster search
    /// costs more than the search. The error is for the author of the rule.
    fn compile(&self) -> Result<Regex, String> {
        let config = Config::new()
            .utf8_empty(false)
            .auto_prefilter(false)
            .onepass(false)
            .dfa(false)
            .nfa_size_limit(Some(PATTERN_BYTES))
            .hybrid_cache_capacity(PATTERN_BYTES);
        let syntax = syntax::Config::new().unicode(false).utf8(false).case_insensitive(!self.case);
        Regex::builder().configure(config).syntax(syntax).build(&self.text).map_err(|e| {
            match e.size_limit() {
                Some(limit) => format!("regex: it takes more than {limit} bytes"),
                None => format!("regex: {e}"),
            }
        })
    }

    fn reach(&self, value: &[u8]) -> usize {
        let regex = self.compiled.get_or_init(|| self.compile().ok()).as_ref();
        regex.and_then(|r| r.find(value)).map_or(0, |found| found.len())
    }

    fn matches(&self, value: &[u8], captures: &mut Captures) -> bool {
        let Some(regex) = self.compiled.get_or_init(|| self.compile().ok()) else { return false };
        if regex.captures_len() == 1 {
            return regex.is_match(value);
        }
        let mut found = regex.create_captures();
        regex.captures(value, &mut found);
        if !found.is_match() {
            return false;
        }
        let text = |number: usize| {
            let group = found.get_group(number).and_then(|group| value.get(group.range()));
            group.map(String::from_utf8_lossy)
        };
        for (number, name) in found.group_info().pattern_names(PatternID::ZERO).enumerate() {
            if let (Some(name), Some(text)) = (name, text(number)) {
                captures.set(name, &text);
            }
        }
        if self.numbered {
            for number in 1..found.group_len() {
                if let Some(text) = text(number) {
                    captures.set(&number.to_string(), &text);
                }
            }
        }
        true
    }
}

/// A number, decimal or `0x` hexadecimal.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    text.split(',').map(|n| n.trim().parse().ok()).collect()
}

fn arcs(text: &str) -> Option<Vec<u32>> {
    text.trim_start_matches('.').split('.').map(|n| n.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(toml: &str) -> Result<Matcher, String> {
        Matcher::new(toml::from_str(toml).unwrap(), false)
    }

    fn hits(toml: &str, value: &str) -> bool {
        matcher(toml).unwrap().matches(value, &mut Captures::default())
    }

    #[test]
    fn text_compares_without_case_unless_told() {
        assert!(hits("prefix = 'msft'", "MSFT 5.0"));
        assert!(!hits("prefix = 'msft'\ncase = true", "MSFT 5.0"));
        assert!(hits("suffix = ['.local', '.lan']", "a.LAN"));
        assert!(!hits("suffix = '.local'", "al"));
        assert!(hits("contains = 'jet'", "HP JetDirect"));
        assert!(hits("regex = '^hp (?:laser|office)jet'", "HP OfficeJet 8"));
    }

    #[test]
    fn all_keys_must_hold() {
        assert!(hits("list_has = [1, 3]\nlist_lacks = [44]", "1,3,6"));
        assert!(!hits("list_has = [1, 3]\nlist_lacks = [6]", "1,3,6"));
        assert!(hits("bits_all = 0x24\nbits_none = 0x10", "0x0024"));
        assert!(!hits("bits_all = 0x24\nbits_none = 0x10", "52"));
    }

    #[test]
    fn lists_match_in_order_by_head_or_as_a_set() {
        assert!(hits("list = [1, 3]", "1,3") && !hits("list = [1, 3]", "3,1"));
        assert!(hits("list_head = [1, 3]", "1,3,6") && !hits("list_head = [1, 3]", "1"));
        assert!(hits("list_set = [3, 1]", "1,3") && !hits("list_set = [3, 1]", "1,3,6"));
        assert!(!hits("list_lacks = [1]", "no list"));
    }

    #[test]
    fn numbers_and_object_identifiers_compare_by_value() {
        assert!(hits("num = '5..7'", "6") && !hits("num = '5..7'", "8"));
        assert!(
            hits("oid = '1.3.6.1.4.1.9'", "1.3.6.1.4.1.9.1.1")
                && !hits("oid = '1.3.6.1.4.1.9'", "1.3.6.1.4.1.99")
        );
    }

    #[test]
    fn literals_are_what_every_match_holds() {
        let literals = |toml: &str| matcher(toml).unwrap().literals();
        assert_eq!(literals("regex = '^(?:Yealink|snom)\\d+'"), Some(vec!["yealink".into(), "snom".into()]));
        assert_eq!(literals("regex = 'a?(?P<x>Cisco)+ IOS.*Version'"), Some(vec!["version".into()]));
        assert_eq!(literals("regex = '^[0-9]+$'"), None);
        assert_eq!(literals("regex = 'x|yz'"), None);
        let written_out = ["qnd", "qnv", "xnd", "xnv"].map(String::from).to_vec();
        assert_eq!(literals("regex = '[xq]n[vd].*'"), Some(written_out));
        assert_eq!(literals("prefix = ['MSFT', 'PXE']"), Some(vec!["msft".into(), "pxe".into()]));
        assert_eq!(literals("list_has = [1]"), None);
    }

    #[test]
    fn captures_are_bounded_and_lose_odd_characters() {
        let mut captures = Captures::default();
        let long = format!("m=<b>{}", "x".repeat(200));
        assert!(matcher("regex = 'm=(?P<model>.*)'").unwrap().matches(&long, &mut captures));
        let model = captures.get("model").unwrap();
        assert_eq!(model.len(), CAPTURE_CHARS);
        assert!(model.starts_with("bxx"));
    }

    #[test]
    fn a_matcher_that_cannot_match_is_refused() {
        assert!(matcher("").unwrap_err().contains("has no key"));
        assert!(matcher("regex = '('").unwrap_err().contains("regex"));
        assert!(matcher("regex = '(?:a{1000}){1000}'").is_err());
        assert!(matcher("num = 'x'").is_err());
        assert!(matcher("oid = '1.x'").is_err());
    }
}
