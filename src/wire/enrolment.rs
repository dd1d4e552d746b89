//! Enrolment: one token that a person carries from the plan service to an appliance.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

const PREFIX: &str = "nce1_";
const TOKEN_BYTES: usize = 4_096;

/// Where to enrol, and the one-time secret that allows it. Prints as one word, `nce1_…`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnrolmentToken {
    /// The plan service's base URL, `https://plan.example`.
    pub url: String,
    /// The one-time secret.
    pub secret: String,
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
        let body = text.trim().strip_prefix(PREFIX).filter(|b| b.len() <= TOKEN_BYTES).ok_or(BadToken)?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| BadToken)?;
        serde_json::from_slice(&json).map_err(|_| BadToken)
    }
}

/// A text that is no enrolment token. The text is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this is no enrolment token; make one with 'netcensus-plan sensor token' and pass it whole, it starts with nce1_"
)]
pub struct BadToken;

/// Body of `POST /api/v1/enrol`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The token's secret.
    pub secret: String,
    /// The appliance's name for people, at most 64 bytes.
    pub name: String,
}

/// Answer to [`EnrolRequest`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnrolResponse {
    /// The sensor's id.
    pub sensor: String,
    /// The subscription that it belongs to.
    pub subscription: String,
    /// The bearer key with which it uploads: shown once.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_print_and_read_and_junk_does_not() {
        let token = EnrolmentToken { url: "https://plan.example".into(), secret: "s3cret".into() };
        assert_eq!(token.to_string().parse(), Ok(token));
        for junk in ["", "nce1_", "nce1_!!!", "nce2_e30", "nce1_e30"] {
            assert!(junk.parse::<EnrolmentToken>().is_err(), "{junk}");
        }
    }
}
