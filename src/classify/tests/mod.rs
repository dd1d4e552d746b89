//! Tests of classification as a whole.

mod conclusions;
mod devices;
mod packs;

use std::sync::LazyLock;

use super::error::RuleError;
use super::files::RuleFiles;
use super::rules::Rules;
use crate::census::{
    Classification, Classifier, ClassifierInput, Evidence, Forwards, MacAddr, Said, Timestamp,
};

/// A card with an unregistered prefix that is not randomised.
const NOBODY: &str = "fc:11:0c:00:00:01";

fn classify_in(
    rules: &Rules,
    mac: &str,
    forwards: Option<Forwards>,
    said: &[(&str, &str)],
) -> Classification {
    let mut evidence: Vec<Evidence> = said
        .iter()
        .map(|(field, value)| Evidence::new(field.parse().unwrap(), *value, Timestamp(1)))
        .collect();
    evidence.sort_by(|a, b| (a.field, &a.value).cmp(&(b.field, &b.value)));
    let macs: Vec<MacAddr> = vec![mac.parse().unwrap()];
    rules.classify(&ClassifierInput {
        macs,
        evidence: evidence.iter().map(confirmed).collect(),
        forwards,
        ..ClassifierInput::default()
    })
}

/// As the census gives words that it trusts.
fn confirmed(e: &Evidence) -> Said<'_> {
    let said = Said::from(e);
    Said { windows: said.windows.confirmed(), ..said }
}

fn builtin() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::builtin().unwrap());
    &RULES
}

fn classify(mac: &str, said: &[(&str, &str)]) -> Classification {
    classify_in(builtin(), mac, None, said)
}

fn operator(text: &str) -> Result<Rules, RuleError> {
    Rules::of(&RuleFiles::from_iter([("local.toml".to_owned(), text.to_owned())]))
}

fn rule(id: &str, rest: &str) -> String {
    format!(
        "[[rule]]\nid = '{id}'\ntitle = 'T'\nevidence = 'http.realm'\nmatch = {{ eq = 'x' }}\n{rest}\ntests = [{{ in = 'x', expect = {{}} }}, {{ in = 'y', miss = true }}]\n"
    )
}

fn pack(rules: &str) -> String {
    format!("schema = 1\n[pack]\nname = 'p'\nversion = '1'\n\n{rules}")
}
