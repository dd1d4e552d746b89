//! Tests of packs: reading, refusing, overriding.

use std::fs;

use super::{NOBODY, builtin, classify_in, operator, pack, rule};
use crate::census::{Category, Forwards};
use crate::classify::builtin as compiled;
use crate::classify::files::RuleFiles;
use crate::classify::pack::{Pack, Trust};
use crate::classify::rules::Rules;
use crate::classify::vendors::Vendors;

#[test]
fn every_builtin_rule_passes_its_tests() {
    let (taxonomy, vendors) = compiled::tables().unwrap();
    for (name, text) in compiled::PACKS {
        if let Err(e) = Pack::parse(name, text, Trust::Untested, &taxonomy, &vendors) {
            panic!("{e}");
        }
    }
    assert!(!builtin().is_empty());
}

#[test]
fn the_rules_that_programs_read_are_those_of_the_packs() {
    let (rules, taxonomy, vendors) = compiled::compiled().unwrap();
    let read = rules.packs.into_iter().map(|pack| Pack::of(pack, &taxonomy).unwrap());
    let written = compiled::PACKS
        .iter()
        .map(|(name, text)| Pack::parse(name, text, Trust::Untested, &taxonomy, &vendors).unwrap());
    let literals = |pack: &Pack| pack.rules.iter().map(|rule| rule.matcher.literals()).collect::<Vec<_>>();
    let shown = |pack: Pack| (format!("{:#?}", pack.rules), literals(&pack), pack.disable);
    assert_eq!(compiled::PACKS.len(), 21);
    let differ = read.map(shown).zip(written.map(shown)).filter(|(read, written)| read != written).count();
    assert_eq!(differ, 0);
    let (_, makers) = compiled::tables().unwrap();
    assert!(makers.iter().map(|v| format!("{v:?}")).eq(vendors.iter().map(|v| format!("{v:?}"))));
}

#[test]
fn a_rule_replaces_the_builtin_one_with_the_same_id() {
    let text = pack(
        "[[rule]]\nid = 'behaviour.gateway'\ntitle = 'T'\nevidence = 'behaviour'\nmatch = { eq = 'gateway' }\nset = { role = 'relay' }\nweight = 90\ntests = [{ in = 'gateway', expect = { role = 'relay' } }, { in = 'x', miss = true }]\n",
    );
    let rules = operator(&text).unwrap();
    assert_eq!(rules.len(), Rules::builtin().unwrap().len());
    let what = classify_in(&rules, NOBODY, Some(Forwards::Protocol), &[]);
    assert_eq!(what.roles, ["relay"]);
}

#[test]
fn a_disabled_rule_says_nothing() {
    let text = "schema = 1\ndisable = ['behaviour.gateway']\n[pack]\nname = 'p'\nversion = '1'\n";
    let rules = operator(text).unwrap();
    assert_eq!(rules.len(), Rules::builtin().unwrap().len() - 1);
}

#[test]
fn a_broken_file_is_refused_with_file_line_and_reason() {
    let cases = [
        ("schema = 1\n[pack]\nname = 'p'\nversion = 1\n".to_owned(), "local.toml:4:11: "),
        (
            pack(&rule("a", "set = { type = 'camara' }\nweight = 90")),
            "local.toml:6:1: rule 'a': 'camara' is neither a category nor a type",
        ),
        (pack(&rule("a", "set = { type = 'iot' }\nweight = 90")), "'iot' does not fit type"),
        (pack(&rule("a", "set = { colour = 'red' }\nweight = 90")), "unknown variant `colour`"),
        (pack(&rule("a", "set = { type = 'camera' }\nweight = 100")), "weight 100"),
        (pack(&rule("a", "set = { vendor = '{value|loud}' }\nweight = 9")), "unknown filter 'loud'"),
        (pack(&rule("A b", "set = { type = 'camera' }\nweight = 90")), "an id consists of"),
        (pack(&rule("a", "weight = 90")), "says nothing"),
        (pack(&rule("a", "set = { type = 'camera' }\nweight = 90\nwait = 1")), "unknown field `wait`"),
        (
            pack(&format!("{0}\n{0}", rule("a", "set = { type = 'camera' }\nweight = 90"))),
            "local.toml:15:1: rule 'a': the id occurs twice",
        ),
        (
            pack(
                "[[rule]]\nid = 'a'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = { eq = 'x' }\nset = { type = 'camera' }\nweight = 9\ntests = [{ in = 'z', expect = {} }, { in = 'y', miss = true }]\n",
            ),
            "local.toml:13:10: rule 'a' fails its test 1, 'z': it does not match",
        ),
    ];
    let (taxonomy, _) = compiled::tables().unwrap();
    for (text, expected) in cases {
        let parsed = Pack::parse("local.toml", &text, Trust::Untested, &taxonomy, &Vendors::default());
        let error = parsed.unwrap_err().to_string();
        assert!(error.contains(expected), "'{error}' lacks '{expected}'");
    }
}

#[test]
fn a_folder_is_read_by_name_and_a_missing_one_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let builtin = Rules::builtin().unwrap().len();
    assert_eq!(Rules::load(&dir.path().join("none")).unwrap().len(), builtin);
    let text = |role: &str| pack(&rule("local.a", &format!("set = {{ role = '{role}' }}\nweight = 90")));
    fs::write(dir.path().join("20.toml"), text("late")).unwrap();
    fs::write(dir.path().join("10.toml"), text("early")).unwrap();
    fs::write(dir.path().join("notes.txt"), "no rules").unwrap();
    let rules = Rules::load(dir.path()).unwrap();
    assert_eq!(rules.len(), builtin + 1);
    assert_eq!(classify_in(&rules, NOBODY, None, &[("http.realm", "x")]).roles, ["late"]);
    fs::write(dir.path().join("30.toml"), "schema = ").unwrap();
    let error = Rules::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("30.toml:1:"), "{error}");
}

/// Fingerprints in Recog's form, written for this test.
const FINGERPRINTS: &str = r#"<?xml version="1.0"?>
<fingerprints matches="ssh.banner" protocol="ssh">
  <fingerprint pattern="^Gatekeeper_quiet"><description>Says nothing</description></fingerprint>
  <fingerprint pattern="^Gatekeeper_(\S+)(?: rel (\d+))?$" flags="REG_ICASE">
    <description>Acme door controller</description>
    <example hw.model="G7">gatekeeper_G7 rel 4</example>
    <param pos="0" name="hw.device" value="Access Control"/>
    <param pos="0" name="hw.vendor" value="Acme"/>
    <param pos="1" name="hw.model"/>
    <param pos="0" name="hw.product" value="Gatekeeper {hw.model}"/>
    <param pos="0" name="os.product" value="GateOS"/>
    <param pos="2" name="os.version"/>
  </fingerprint>
  <fingerprint pattern="^Gatekeeper"><param pos="0" name="hw.device" value="Router"/></fingerprint>
</fingerprints>"#;

#[test]
fn of_an_operators_fingerprints_only_the_first_match_counts() {
    let files = RuleFiles::from_iter([("ssh_banners.xml".to_owned(), FINGERPRINTS.to_owned())]);
    let rules = Rules::of(&files).unwrap();
    assert!(rules.notes().is_empty(), "{:?}", rules.notes());
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-gatekeeper_G7 rel 4")]);
    assert_eq!((what.category, what.kind.as_str()), (Category::Iot, "access_control"));
    assert_eq!((what.vendor.as_deref(), what.model.as_deref()), (Some("Acme"), Some("Gatekeeper G7")));
    assert_eq!(what.os.as_deref(), Some("GateOS 4"));
    assert!(
        what.reasons.iter().all(|r| r.weight <= 80 && r.rule == "recog.ssh_banners.4"),
        "{:?}",
        what.reasons
    );
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-Gatekeeper_G8")]);
    assert_eq!(what.os.as_deref(), Some("GateOS"));
    let what = classify_in(&rules, NOBODY, None, &[("ssh.banner", "SSH-2.0-Gatekeeper_quiet")]);
    assert_eq!(what.category, Category::Unclassified);
    let checked = Rules::check(files.iter()).unwrap();
    assert_eq!((checked[0].rules, checked[0].tests, checked[0].notes.len()), (3, 1, 0));
}
