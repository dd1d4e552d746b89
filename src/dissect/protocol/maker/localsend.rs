//! LocalSend on UDP 53317: computers and telephones announce what they are (LocalSend protocol version 2, section 3.1).

use serde::Deserialize;

use super::{identity, json};
use crate::dissect::{Malformed, Words};

#[derive(Deserialize)]
struct Announcement {
    #[serde(rename = "fingerprint")]
    _fingerprint: String,
    #[serde(rename = "alias")]
    _alias: String,
    #[serde(rename = "deviceType")]
    kind: String,
}

pub(super) fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.starts_with(b"{")
        && let Some(a) = json::<Announcement>(payload)
        && matches!(&*a.kind, "mobile" | "desktop" | "web" | "headless" | "server")
    {
        identity("localsend", Some(a.kind.as_bytes()), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{heard, survives};

    #[test]
    fn a_telephone_announces_its_type() {
        let message =
            br#"{"alias":"Nice Orange","version":"2.0","deviceModel":"Samsung","deviceType":"mobile",
            "fingerprint":"f","port":53317,"protocol":"https","announce":true}"#;
        assert_eq!(heard(message, 53317, 53317), ["discovery.identity=localsend:mobile"]);
        survives(message, 53317, 53317);
    }
}
