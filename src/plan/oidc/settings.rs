//! `[oidc]` of the configuration.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::plan::permission::Role;

/// `[oidc]`: the identity provider. Without an issuer there is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OidcSettings {
    /// The provider's issuer URL, exactly as it names itself; empty for none.
    pub issuer: String,
    /// The id under which the provider knows this service.
    pub client_id: String,
    /// The file with the client's secret; empty for a public client.
    pub client_secret_file: PathBuf,
    /// The text of the button.
    pub title: String,
    /// Scopes to request in addition to `openid`.
    pub scopes: Vec<String>,
    /// The claim with the name of the account that the first sign-in creates.
    pub name_claim: String,
    /// The claim with the groups of a person.
    pub groups_claim: String,
    /// What it means if the provider does not send that claim.
    pub missing_groups: MissingGroups,
    /// Whether passwords are accepted too.
    pub local_passwords: bool,
    /// Which group gives which role.
    pub roles: Vec<GroupSetting>,
}

/// What a missing claim of groups means.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum MissingGroups {
    /// The groups are unknown, and roles stay: a scope may be missing, or the provider's configuration may have changed.
    Unknown,
    /// The person is in no group: most providers leave the claim out then, and who left the last group must lose the role.
    #[default]
    None,
}

/// A group that gives a role.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct GroupSetting {
    /// The group, as the claim has it.
    pub group: String,
    /// The role: R, SA, C, O on the subscription, or G on the installation.
    pub role: Role,
    /// The subscription's id or name; not for G.
    #[serde(default)]
    pub subscription: Option<String>,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            title: "single sign-on".to_owned(),
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            missing_groups: MissingGroups::default(),
            local_passwords: true,
            roles: Vec::new(),
        }
    }
}

impl OidcSettings {
    /// Whether a provider is named.
    pub fn is_on(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// The first key with an invalid value, and what to write instead.
    pub fn complaint(&self) -> Option<(&'static str, &'static str)> {
        if !self.is_on() {
            let off = !self.local_passwords;
            return off.then_some((
                "local_passwords",
                "nobody could sign in: set 'issuer', or set local_passwords = true",
            ));
        }
        if !is_https_or_loopback(&self.issuer) {
            return Some(("issuer", "write it as https://…; plain http is accepted only for this machine"));
        }
        if self.client_id.is_empty() {
            return Some((
                "client_id",
                "is missing; write the id that the provider gave when this service was registered there",
            ));
        }
        let amiss = |role: &GroupSetting| (role.role == Role::GlobalAdmin) != role.subscription.is_none();
        self.roles
            .iter()
            .any(amiss)
            .then_some(("roles", "name a subscription for each role except G, and none for G"))
    }
}

fn is_https_or_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_with_its_key() {
        let of = |issuer: &str| OidcSettings {
            issuer: issuer.to_owned(),
            client_id: "netcensus".to_owned(),
            ..OidcSettings::default()
        };
        assert_eq!(OidcSettings::default().complaint(), None);
        for good in ["https://id.example", "http://127.0.0.1:9000/x", "http://[::1]:9000", "http://localhost"]
        {
            assert_eq!(of(good).complaint(), None, "{good}");
        }
        for bad in
            ["http://id.example", "http://127.0.0.1.id.example", "id.example", "http://127.0.0.1@id.example"]
        {
            assert_eq!(of(bad).complaint().unwrap().0, "issuer", "{bad}");
        }
        assert_eq!(
            OidcSettings { client_id: String::new(), ..of("https://x") }.complaint().unwrap().0,
            "client_id"
        );
        let off = OidcSettings { local_passwords: false, ..OidcSettings::default() };
        assert_eq!(off.complaint().unwrap().0, "local_passwords");
        let role = |role, subscription: Option<&str>| {
            let subscription = subscription.map(str::to_owned);
            let roles = vec![GroupSetting { group: "g".to_owned(), role, subscription }];
            OidcSettings { roles, ..of("https://x") }.complaint()
        };
        assert!(role(Role::GlobalAdmin, None).is_none() && role(Role::Owner, Some("a")).is_none());
        assert!(role(Role::GlobalAdmin, Some("a")).is_some() && role(Role::Owner, None).is_some());
    }
}
