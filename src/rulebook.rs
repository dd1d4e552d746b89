//! The census rules as users read them: `docs/rules.md`, parsed. The commands `rule` and the console's pages show them
//! from here, and a test holds every rule id that is cited anywhere against them.
//!
//! The file's form: a `## Title` starts a section, whose id is its title; a `### ID Title` starts a rule of that section.
//! The first paragraph below a heading is the summary.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use serde::Serialize;

/// Begins the note in a rule's text that says what the software does not do yet.
const NOT_YET: &str = "> **Not implemented yet:**";
/// How many ids are proposed for an unknown one.
const NEAREST: usize = 3;

/// One rule, or the text that introduces a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Rule {
    /// `I8`, `X-CM`, or the title of a section: `Roles`.
    pub id: &'static str,
    /// A word or two: `Device`.
    pub title: &'static str,
    /// The id of the section that the rule belongs to; a section's own id for a section.
    pub section: &'static str,
    /// Markdown: paragraphs, lists, tables, quotes.
    pub text: &'static str,
}

impl Rule {
    /// The first paragraph.
    pub fn summary(&self) -> &'static str {
        self.text.split("\n\n").next().unwrap_or_default()
    }

    /// Whether the software does not yet do everything that the rule says.
    pub fn is_pending(&self) -> bool {
        self.text.contains(NOT_YET)
    }

    /// Whether this is the text that introduces a section.
    pub fn is_section(&self) -> bool {
        self.id == self.section
    }
}

/// No rule has that id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no rule has the id '{id}'; the nearest are {}", nearest.join(", "))]
pub struct UnknownRule {
    id: String,
    nearest: Vec<&'static str>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| parse(include_str!("../docs/rules.md")));

/// All sections and rules, in the order of the page.
pub fn rules() -> &'static [Rule] {
    &RULES
}

/// The rule with that id, in any case. A clause is left out: `I8c` and `I8 (c)` are `I8`.
///
/// # Errors
/// If there is none; names the nearest ids.
pub fn find(id: &str) -> Result<&'static Rule, UnknownRule> {
    let wanted = id.trim();
    let by_id = |id: &str| RULES.iter().find(|r| r.id.eq_ignore_ascii_case(id));
    by_id(wanted).or_else(|| by_id(without_clause(wanted))).ok_or_else(|| {
        let likeness = |r: &Rule| strsim::jaro_winkler(&r.id.to_lowercase(), &wanted.to_lowercase());
        let mut nearest: Vec<&Rule> = RULES.iter().collect();
        nearest.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
        UnknownRule {
            id: wanted.chars().take(40).collect(),
            nearest: nearest.iter().take(NEAREST).map(|r| r.id).collect(),
        }
    })
}

/// The rule ids that a text cites, each with its place: `I8`, `I8c`, `X-CM`. Sections are not cited so.
pub fn citations(text: &str) -> impl Iterator<Item = (Range<usize>, &'static Rule)> {
    words(text).filter_map(move |place| {
        let word = text.get(place.clone())?;
        let cited = |id: &str| RULES.iter().find(|r| r.id == id && !r.is_section());
        cited(word).or_else(|| cited(without_clause(word))).map(|rule| (place, rule))
    })
}

/// What the commands print: one rule, or the list of all.
///
/// # Errors
/// If no rule has that id.
pub fn printed(id: Option<&str>, json: bool) -> Result<String, UnknownRule> {
    let rule = id.map(find).transpose()?;
    let mut out = String::new();
    match rule {
        Some(rule) if json => out = document("netcensus.census_rule/1", rule),
        None if json => out = document("netcensus.census_rules/1", &List { rules: rules() }),
        Some(rule) => {
            let id = if rule.is_section() { "" } else { rule.id };
            write!(out, "{id} {}\n\n{}\n", rule.title, rule.text).ok();
        }
        None => {
            for rule in rules() {
                let indent = if rule.is_section() { "\n" } else { "  " };
                let title = if rule.is_section() { "" } else { rule.title };
                writeln!(out, "{}", format!("{indent}{:<10}{title}", rule.id).trim_end()).ok();
            }
        }
    }
    Ok(out.trim_start().to_owned())
}

#[derive(Serialize)]
struct List {
    rules: &'static [Rule],
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// One line of JSON. Strings alone are written, which cannot fail.
fn document<T: Serialize>(schema: &'static str, body: &T) -> String {
    serde_json::to_string(&Document { schema, body }).unwrap_or_default() + "\n"
}

fn parse(page: &'static str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut section = "";
    for part in parts(page) {
        let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
        let text = text.trim();
        if let Some(title) = heading.strip_prefix("## ") {
            section = title;
            rules.push(Rule { id: title, title, section, text });
        } else if let Some((id, title)) = heading.strip_prefix("### ").and_then(|h| h.split_once(' ')) {
            rules.push(Rule { id, title, section, text });
        }
    }
    rules
}

/// The page cut before each heading of the second and the third level.
fn parts(page: &'static str) -> impl Iterator<Item = &'static str> {
    let starts = page.match_indices("\n##").map(|(at, _)| at + 1);
    let mut starts: Vec<usize> = starts.collect();
    starts.push(page.len());
    starts.windows(2).filter_map(|w| page.get(*w.first()?..*w.last()?)).collect::<Vec<_>>().into_iter()
}

/// `I8c` and `I8 (c)` without the clause; anything else unchanged.
fn without_clause(id: &str) -> &str {
    let bare =
        id.strip_suffix(')').map_or(id, |i| i.trim_end_matches(|c: char| c.is_ascii_lowercase() || c == '('));
    let bare = bare.trim_end();
    match bare.strip_suffix(|c: char| c.is_ascii_lowercase()) {
        Some(id) if id.starts_with(['I', 'i']) && id.ends_with(|c: char| c.is_ascii_digit()) => id,
        _ => bare,
    }
}

/// The places of all runs of letters, digits and hyphens.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(is_part)?;
        let rest = text.get(start..)?;
        at = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        Some(start..at)
    })
}

/// What tests read from the repository's documents.
#[cfg(test)]
pub(crate) mod documents {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The repository's files below `folder` with one of these endings.
    pub(super) fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.is_dir() && !name.starts_with('.') && name != "target" {
                    folders.push(path);
                } else if endings.iter().any(|e| name.ends_with(e)) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// The command lines of `program` in the documents' console blocks and code spans, split into words.
    pub(crate) fn commands(program: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for path in [files("docs", &[".md"]), files("config", &[".md"])].concat() {
            found.extend(commands_in(&fs::read_to_string(path).unwrap(), program));
        }
        for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            found.extend(commands_in(&fs::read_to_string(path).unwrap(), program));
        }
        found
    }

    fn commands_in(text: &str, program: &str) -> Vec<Vec<String>> {
        let span =
            regex::Regex::new(&format!("(?m)(?:^ *[$#] (?:.*-- )?|`|\\| )({program} [^`\n]*)")).unwrap();
        span.captures_iter(text).map(|c| split(&c[1])).collect()
    }

    /// The words of a command up to a pipe, a redirection, a remark or an ellipsis.
    fn split(line: &str) -> Vec<String> {
        let line = line.replace("\\|", "/");
        let mut words = Vec::new();
        let mut quoted = false;
        for word in line.split(' ').filter(|w| !w.is_empty()) {
            if quoted {
                let last: &mut String = words.last_mut().unwrap();
                last.push(' ');
                last.push_str(word.trim_end_matches('"'));
            } else if matches!(word, "|" | "<" | ">" | "…") || word.starts_with(['#', '(', '[']) {
                break;
            } else {
                words.push(word.trim_matches('"').to_owned());
            }
            quoted ^= word.matches('"').count() == 1;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::documents::files;
    use super::*;
    use crate::census::Verdict;

    #[test]
    fn the_page_has_every_rule_once_each_with_a_summary() {
        let of = |prefix: &str, n: u32| (1..=n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
        let verdicts = Verdict::ALL.iter().map(|v| v.id().to_owned());
        for id in of("I", 16).into_iter().chain(of("P", 10)).chain(verdicts) {
            assert_eq!(rules().iter().filter(|r| r.id == id).count(), 1, "{id}");
        }
        for id in ["Identity", "Verdict", "Ledger", "Plan", "Roles", "Vectors", "Sources"] {
            assert!(find(&id.to_lowercase()).unwrap().is_section(), "{id}");
        }
        for rule in rules() {
            assert!(!rule.title.is_empty() && !rule.summary().is_empty(), "{}", rule.id);
            let starts = rules().iter().find(|r| r.id == rule.section);
            assert!(starts.is_some_and(Rule::is_section), "{}", rule.id);
        }
    }

    #[test]
    fn a_rule_is_found_in_any_case_and_by_a_clause() {
        for id in ["I8", "i8", " I8c ", "I8(c)", "I8 (c)"] {
            assert_eq!(find(id).unwrap().id, "I8", "{id}");
        }
        assert_eq!(find("x-managed").unwrap().title, "Managed elsewhere");
        let unknown = find("X-MANGED").unwrap_err();
        assert!(unknown.to_string().contains("X-MANAGED"), "{unknown}");
        assert!(find("I17").is_err() && find("").is_err());
    }

    #[test]
    fn citations_are_found_with_their_clauses_and_only_whole_words() {
        let text = "tied (I8c, I12), X-CM and P10; not AI8, I80, P10s or Plan";
        let cited: Vec<(&str, &str)> =
            citations(text).map(|(place, rule)| (text.get(place).unwrap(), rule.id)).collect();
        assert_eq!(cited, [("I8c", "I8"), ("I12", "I12"), ("X-CM", "X-CM"), ("P10", "P10")]);
    }

    #[test]
    fn a_rule_prints_as_text_and_as_one_line_of_json() {
        assert!(printed(Some("i1"), false).unwrap().starts_with("I1 Coupling\n\nA **coupling**"));
        let json: serde_json::Value = serde_json::from_str(&printed(Some("I1"), true).unwrap()).unwrap();
        assert_eq!(
            (json["schema"].as_str(), json["id"].as_str()),
            (Some("netcensus.census_rule/1"), Some("I1"))
        );
        assert!(printed(None, false).unwrap().contains("\n  I8        Device\n"));
        let all: serde_json::Value = serde_json::from_str(&printed(None, true).unwrap()).unwrap();
        assert_eq!(all["rules"].as_array().unwrap().len(), rules().len());
    }

    #[test]
    fn every_rule_that_is_cited_exists() {
        let id = r"\b(?:(I\d{1,2})(?: ?\(([a-z])\)|([a-z])\b|\b)|(P\d{1,2}\b|[XC]-[A-Z]{2,}\b))|rules,? §";
        let id = regex::Regex::new(id).unwrap();
        let mut missing = Vec::new();
        let sources =
            [("src", ".rs"), ("tests", ".rs"), ("templates", ".html"), ("config", ".toml"), ("docs", ".md")];
        for path in sources.into_iter().flat_map(|(folder, ending)| files(folder, &[ending])) {
            if path.ends_with(file!()) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Classification rules name products, such as the camera P34.
            let folder = path.parent().unwrap();
            let names_products =
                folder.ends_with("config/rules") || folder.ends_with("config/vulnerabilities");
            for line in text.lines().filter(|l| !names_products || l.starts_with(['#', 'r'])) {
                for found in id.captures_iter(line) {
                    let group = |i| found.get(i).map(|m| m.as_str());
                    let rule =
                        group(1).or_else(|| group(4)).and_then(|id| rules().iter().find(|r| r.id == id));
                    let clause = group(2).or_else(|| group(3)).map(|c| format!("- **({c})"));
                    if !rule.is_some_and(|r| clause.is_none_or(|c| r.text.contains(&c))) {
                        missing.push(format!("{}: {}", path.display(), &found[0]));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_relative_link_of_the_documents_leads_to_a_file() {
        let link = regex::Regex::new(r"\]\(([^)#\s]+)(?:#[^)]*)?\)").unwrap();
        let mut broken = Vec::new();
        for path in files("", &[".md"]) {
            let text = fs::read_to_string(&path).unwrap();
            for found in link.captures_iter(&text) {
                let target = found.get(1).unwrap().as_str();
                if !target.contains("://") && !path.parent().unwrap().join(target).exists() {
                    broken.push(format!("{}: {target}", path.display()));
                }
            }
        }
        assert!(broken.is_empty(), "{broken:#?}");
    }

    #[cfg(feature = "plan")]
    #[test]
    fn the_table_of_roles_is_the_matrix() {
        use crate::plan::permission::{MATRIX, Role};
        let rows: Vec<Vec<bool>> = find("Roles")
            .unwrap()
            .text
            .lines()
            .filter(|line| line.starts_with('|') && (line.contains("| yes") || line.contains("| –")))
            .map(|line| line.split('|').skip(2).take(5).map(|cell| cell.trim() == "yes").collect())
            .collect();
        let matrix: Vec<Vec<bool>> =
            MATRIX.iter().map(|(.., may)| Role::ALL.iter().map(|r| may.contains(r)).collect()).collect();
        assert_eq!(rows, matrix);
    }
}
