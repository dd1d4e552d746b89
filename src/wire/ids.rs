//! The ids of subscriptions and sensors, as types, so that swapped arguments do not compile.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id in bytes. The plan service makes ids of 16 hex digits; older installations may hold others.
const LONGEST: usize = 64;

/// A text that cannot be an id. The text is not repeated: it may come from a stranger.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id has 1 to {LONGEST} letters, digits, '-' or '_'")]
pub struct BadId;

fn checked(text: &str) -> Result<&str, BadId> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    ((1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)).then_some(text).ok_or(BadId)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        // An id from a URL's path that does not parse names nothing: answer "not found", as for an unknown id.
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "plan", derive(utoipa::ToSchema), schema(value_type = String))]
        pub struct $name(String);

        impl $name {
            /// The id of 64 random bits: 16 hex digits.
            pub fn from_bits(bits: [u8; 8]) -> Self {
                Self(hex::encode(bits))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                checked(text).map(|text| Self(text.to_owned()))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadId;

            fn try_from(text: &str) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                checked(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// Maps by id can be asked with a text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

id! {
    /// The id of a subscription: 1 to 64 letters, digits, `-` or `_`.
    SubscriptionId
}

id! {
    /// The id of a sensor: 1 to 64 letters, digits, `-` or `_`.
    SensorId
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn generated_ids_have_16_hex_digits() {
        assert_eq!(SubscriptionId::from_bits([0, 1, 0xab, 0, 0, 0, 0, 0xff]).as_str(), "0001ab00000000ff");
    }

    #[test]
    fn an_id_is_a_bare_string_in_json() {
        let id: SensorId = "s-1_A".parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"s-1_A\"");
        assert_eq!(serde_json::from_str::<SensorId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<SensorId>("\"a b\"").is_err());
    }

    #[test]
    fn what_could_leave_a_path_or_a_query_is_not_an_id() {
        for text in ["", "a/b", "a b", "..", "ä", "a\0", "a\n", &"x".repeat(LONGEST + 1)] {
            assert_eq!(text.parse::<SubscriptionId>(), Err(BadId), "{text:?}");
            assert_eq!(SubscriptionId::try_from(text.to_owned()), Err(BadId), "{text:?}");
        }
        assert!(SubscriptionId::try_from("x".repeat(LONGEST)).is_ok());
    }

    #[test]
    fn a_map_by_id_can_be_asked_with_a_text() {
        let id: SubscriptionId = "main".parse().unwrap();
        assert_eq!((format!("{id:>6}").as_str(), id == "main"), ("  main", true));
        assert_eq!(BTreeMap::from([(id, 1)]).get("main"), Some(&1));
    }

    #[cfg(feature = "plan")]
    #[test]
    fn the_api_description_has_an_id_as_a_string() {
        use utoipa::PartialSchema as _;
        let schema = serde_json::to_value(SubscriptionId::schema()).unwrap();
        assert_eq!(schema["type"], "string");
    }
}
