//! The groups of a person in the provider's claims, or why the provider does not tell them.

use serde_json::{Map, Value};

use super::settings::{MissingGroups, OidcSettings};

/// The claim that names claims which are kept elsewhere (OpenID Connect Core, 5.6.2).
const ELSEWHERE: &str = "_claim_names";
/// The claim by which Entra ID says that there are groups, too many to list them.
const MANY: &str = "hasgroups";
/// The claim of groups that [`MANY`] is about.
const GROUPS: &str = "groups";

/// The groups of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Groups {
    /// All of them.
    Told(Vec<String>),
    /// The provider does not tell all of them. Nobody may conclude that the person is in none.
    Untold(Untold),
}

/// Why the groups are unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untold {
    /// The person is in more groups than the provider puts into a token.
    TooMany,
    /// The claim is not there.
    Missing,
    /// The claim is neither a text nor a list of texts.
    Unreadable,
}

impl Untold {
    /// Why, as a half sentence for people.
    pub const fn why(self) -> &'static str {
        match self {
            Self::TooMany => "the identity provider left out the groups, because there are too many",
            Self::Missing => "the identity provider sent no groups",
            Self::Unreadable => "the identity provider sent groups in a form that cannot be read",
        }
    }

    /// What an administrator can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::TooMany => {
                "let the provider send only the groups that are assigned to this service, or app roles with groups_claim = \"roles\" in [oidc]"
            }
            Self::Missing => {
                "check 'scopes' and 'groups_claim' in [oidc]; if the provider leaves the claim out for people without a group, leave missing_groups at \"none\""
            }
            Self::Unreadable => {
                "let the provider send the claim as a list of names, or name another claim with 'groups_claim' in [oidc]"
            }
        }
    }
}

impl Groups {
    /// The groups in verified claims.
    ///
    /// A claim that is kept elsewhere is untold even if a part of it is here: a part would take roles away.
    pub(super) fn of(claims: &Map<String, Value>, settings: &OidcSettings) -> Self {
        let name = settings.groups_claim.as_str();
        let sources = format!("{name}:src");
        let is_elsewhere = claims.get(ELSEWHERE).is_some_and(|names| names.get(name).is_some())
            || claims.keys().any(|key| key.starts_with(&sources));
        if is_elsewhere {
            return Self::Untold(Untold::TooMany);
        }
        match claims.get(name) {
            None | Some(Value::Null) if name == GROUPS && is_true(claims.get(MANY)) => {
                Self::Untold(Untold::TooMany)
            }
            None | Some(Value::Null) => match settings.missing_groups {
                MissingGroups::Unknown => Self::Untold(Untold::Missing),
                MissingGroups::None => Self::Told(Vec::new()),
            },
            Some(Value::Array(groups)) => {
                let groups: Option<Vec<String>> = groups.iter().map(text).collect();
                groups.map_or(Self::Untold(Untold::Unreadable), Self::Told)
            }
            Some(group) => {
                text(group).map_or(Self::Untold(Untold::Unreadable), |group| Self::Told(vec![group]))
            }
        }
    }
}

/// A group: its name, or its number.
fn text(group: &Value) -> Option<String> {
    match group {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Some providers write the truth value as text.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.and_then(Value::as_str) == Some("true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: Value, missing_groups: MissingGroups) -> Groups {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Groups::of(&claims, &OidcSettings { missing_groups, ..OidcSettings::default() })
    }

    #[test]
    fn one_group_as_text_is_a_list_of_one_and_an_empty_list_is_no_group() {
        let told = |groups: &[&str]| Groups::Told(groups.iter().map(|g| (*g).to_owned()).collect());
        for (claims, groups) in [
            (json!({"groups": "x"}), told(&["x"])),
            (json!({"groups": ["x", 7, "y"]}), told(&["x", "7", "y"])),
            (json!({"groups": []}), told(&[])),
            (json!({"groups": ["x"], "hasgroups": true}), told(&["x"])),
        ] {
            assert_eq!(of(claims.clone(), MissingGroups::Unknown), groups, "{claims}");
        }
        let many: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
        assert_eq!(
            of(json!({"groups": many}), MissingGroups::Unknown),
            Groups::Told(many),
            "none is left out"
        );
    }

    #[test]
    fn groups_that_the_provider_keeps_elsewhere_are_not_no_groups() {
        let sources = json!({"src1": {"endpoint": "https://graph.example/users/1/getMemberObjects"}});
        for claims in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}),
            json!({"_claim_names": {"groups": "src1"}, "groups": []}),
            json!({"_claim_names": {"groups": "src1"}, "groups": ["x"]}),
            json!({"groups:src1": "https://graph.example/users/1/getMemberObjects"}),
            json!({"hasgroups": true}),
            json!({"hasgroups": "true"}),
        ] {
            for missing in [MissingGroups::Unknown, MissingGroups::None] {
                assert_eq!(of(claims.clone(), missing), Groups::Untold(Untold::TooMany), "{claims}");
            }
        }
        let other = json!({"_claim_names": {"address": "src1"}, "groups": ["x"]});
        assert_eq!(of(other, MissingGroups::Unknown), Groups::Told(vec!["x".to_owned()]));
    }

    #[test]
    fn a_missing_claim_is_no_group_only_if_the_configuration_says_so() {
        for claims in [json!({}), json!({"groups": null}), json!({"hasgroups": false})] {
            assert_eq!(
                of(claims.clone(), MissingGroups::Unknown),
                Groups::Untold(Untold::Missing),
                "{claims}"
            );
            assert_eq!(of(claims, MissingGroups::None), Groups::Told(Vec::new()));
        }
        for claims in
            [json!({"groups": [{"name": "x"}]}), json!({"groups": {"x": 1}}), json!({"groups": true})]
        {
            assert_eq!(
                of(claims.clone(), MissingGroups::None),
                Groups::Untold(Untold::Unreadable),
                "{claims}"
            );
        }
    }
}
