//! The verified claims of a provider about a person.

use serde_json::{Map, Value};

use super::groups::Groups;
use super::settings::OidcSettings;

/// The longest text of a claim in bytes.
const TEXT: usize = 255;

/// A person as the provider vouches for them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The provider's issuer URL.
    pub issuer: String,
    /// Their subject at the provider.
    pub subject: String,
    /// The name of the account that the first sign-in creates.
    pub name: String,
    /// Their e-mail, if the provider sends it.
    pub email: Option<String>,
    /// Their groups, if the provider tells them.
    pub groups: Groups,
}

/// Why claims are not sufficient for an identity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadClaims {
    /// A claim that is needed is missing.
    #[error(
        "the claim '{0}' is missing or longer than {TEXT} bytes; add a scope or name another claim in [oidc]"
    )]
    Missing(String),
    /// The e-mail is one that the provider has not verified.
    #[error("the provider has not verified the person's e-mail, so it cannot name them")]
    Unverified,
}

impl Identity {
    /// The identity in verified claims. If the name is the e-mail, the provider must not say that it is unverified.
    ///
    /// # Errors
    /// `BadClaims`.
    pub fn new(
        issuer: &str,
        subject: &str,
        claims: &Map<String, Value>,
        settings: &OidcSettings,
    ) -> Result<Self, BadClaims> {
        let text = |name: &str| {
            let text = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.filter(|text| text.len() <= TEXT).map(str::to_owned)
        };
        let name = &settings.name_claim;
        let missing = |name: &str| BadClaims::Missing(name.to_owned());
        if subject.is_empty() || subject.len() > TEXT {
            return Err(missing("sub"));
        }
        // Some providers write the truth value as text.
        let unverified = matches!(claims.get("email_verified"), Some(Value::Bool(false)))
            || claims.get("email_verified").and_then(Value::as_str) == Some("false");
        if name == "email" && unverified {
            return Err(BadClaims::Unverified);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: text(name).ok_or_else(|| missing(name))?,
            email: text("email"),
            groups: Groups::of(claims, settings),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: Value) -> Result<Identity, BadClaims> {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Identity::new("https://id.example", "s1", &claims, &OidcSettings::default())
    }

    #[test]
    fn the_claims_of_a_person_make_an_identity() {
        let identity = of(json!({"email": "a@b.example", "groups": ["x", "y"]})).unwrap();
        let groups = Groups::Told(vec!["x".to_owned(), "y".to_owned()]);
        assert_eq!((identity.name.as_str(), identity.groups), ("a@b.example", groups));
    }

    #[test]
    fn what_is_missing_unverified_or_too_long_makes_none() {
        assert_eq!(of(json!({})), Err(BadClaims::Missing("email".to_owned())));
        assert!(of(json!({"email": "x".repeat(256)})).is_err());
        for unverified in [json!(false), json!("false")] {
            assert_eq!(of(json!({"email": "a@b", "email_verified": unverified})), Err(BadClaims::Unverified));
        }
        assert!(of(json!({"email": "a@b", "email_verified": true})).is_ok());
        let claims = Map::from_iter([("email".to_owned(), json!("a@b"))]);
        assert!(Identity::new("i", "", &claims, &OidcSettings::default()).is_err());
    }
}
