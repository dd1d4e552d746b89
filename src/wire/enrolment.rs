//! Enrolment: one token that a person carries from the plan service to an appliance.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;

const PREFIX: &str = "nce2_";
/// Tokens of the first version have no fingerprint.
const FIRST: &str = "nce1_";
const TOKEN_BYTES: usize = 4_096;

/// Where to enrol, the one-time secret that allows it, and by what the service is known. Prints as one word, `nce2_…`;
/// the form of the first version, `nce1_…`, is read too.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentToken {
    /// The plan service's base URL, `https://plan.example`.
    pub url: String,
    /// The one-time secret.
    pub secret: String,
    /// The fingerprint of the service's certificate, where no authority vouches for it.
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

/// A text that is no enrolment token. The text is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this is no enrolment token; make one with 'netcensus-plan sensor token' and pass it whole, it starts with nce2_"
)]
pub struct BadToken;

/// Body of `POST /api/v1/enrol`.
///
/// Every enrolment makes a new sensor with a key pair of its own, and neither ever changes: so it is always plain which
/// key signed what a sensor sent. An appliance that enrols again names the sensor that it was, and signs the request
/// with that one's key ([`super::signature`], purpose `Replace`): the old sensor is revoked in the same moment. Who
/// cannot sign for it, as its state is lost, leaves it to a person to revoke.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The token's secret.
    pub secret: String,
    /// The appliance's name for people, at most 64 bytes.
    pub name: String,
    /// The public half of the key pair that the appliance made: Ed25519, base64url without padding.
    pub public_key: String,
    /// The sensor that the appliance was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

/// A sensor that is given up for a new one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// Its subscription.
    pub subscription: String,
    /// Its id.
    pub sensor: String,
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
        let url = "https://plan.example".to_owned();
        for fingerprint in [None, Some(Fingerprint::of(b"certificate"))] {
            let token = EnrolmentToken { url: url.clone(), secret: "s3cret".into(), fingerprint };
            let text = token.to_string();
            assert!(text.starts_with("nce2_") && !format!("{token:?}").contains("s3cret"));
            assert_eq!(text.parse(), Ok(token));
            let cut = text.get(..text.len() - 1).unwrap();
            assert!(cut.parse::<EnrolmentToken>().is_err(), "a copy that lacks its end");
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
