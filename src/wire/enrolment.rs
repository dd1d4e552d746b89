//! Enrolment: the token that a person copies from the plan service to an appliance, and the request that uses it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;

const PREFIX: &str = "nce2_";
/// The prefix of the first version, which had no fingerprint.
const FIRST: &str = "nce1_";
const TOKEN_BYTES: usize = 4_096;

/// An enrolment token: one word, `nce2_…`. Tokens of the first version, `nce1_…`, can still be read.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentToken {
    /// The base URL of the plan service, such as `https://plan.example`.
    pub url: String,
    /// The one-time secret.
    pub secret: String,
    /// The fingerprint of the service's certificate, if no certificate authority signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// Without the secret.
impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentToken")
            .field("url", &self.url)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for EnrolmentToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).or_else(|| text.strip_prefix(FIRST));
        let body = body.filter(|b| b.len() <= TOKEN_BYTES).ok_or(BadToken)?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| BadToken)?;
        serde_json::from_slice(&json).map_err(|_| BadToken)
    }
}

/// The text is not an enrolment token. The error does not repeat it, because it may be a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this is not an enrolment token; make one with 'netcensus-plan sensor token' and pass all of it; it starts with nce2_"
)]
pub struct BadToken;

/// Body of `POST /api/v1/enrol`.
///
/// Each enrolment makes a new sensor with its own key pair, and the key pair of a sensor never changes. So each signature
/// has exactly one possible key. An appliance that enrols again names its former sensor and signs the request with that
/// sensor's key (`wire::signature`, purpose `Replace`). The service then revokes the former sensor in the same
/// transaction. If the appliance has lost that key, a person must revoke the former sensor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The secret of the token.
    pub secret: String,
    /// The appliance's name for people, at most 64 bytes.
    pub name: String,
    /// The appliance's new public key: Ed25519, base64url without padding.
    pub public_key: String,
    /// The former sensor of the appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

/// A sensor that a new one replaces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    pub subscription: String,
    pub sensor: String,
}

/// The answer to an enrolment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "plan", derive(utoipa::ToSchema))]
pub struct EnrolResponse {
    pub sensor: String,
    pub subscription: String,
    /// The bearer key for uploads. It is not shown again.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_printed_and_junk_is_refused() {
        let url = "https://plan.example".to_owned();
        for fingerprint in [None, Some(Fingerprint::of(b"certificate"))] {
            let token = EnrolmentToken { url: url.clone(), secret: "s3cret".into(), fingerprint };
            let text = token.to_string();
            assert!(text.starts_with("nce2_") && !format!("{token:?}").contains("s3cret"));
            assert_eq!(text.parse(), Ok(token));
            let cut = text.get(..text.len() - 1).unwrap();
            assert!(cut.parse::<EnrolmentToken>().is_err(), "a truncated copy");
        }
        for junk in ["", "nce1_", "nce1_!!!", "nce2_e30", "nce1_e30", "nce3_e30", "nce2_"] {
            assert!(junk.parse::<EnrolmentToken>().is_err(), "{junk}");
        }
    }

    #[test]
    fn a_token_of_the_first_version_is_still_read() {
        let old =
            format!("nce1_{}", URL_SAFE_NO_PAD.encode("{\"url\":\"https://plan.example\",\"secret\":\"s\"}"));
        let token: EnrolmentToken = old.parse().unwrap();
        assert_eq!((token.secret.as_str(), token.fingerprint), ("s", None));
    }
}
