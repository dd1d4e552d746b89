//! LocalSend on UDP 53317: computers and telephones announce what they are (LocalSend protocol version 2, section 3.1).

use serde::Deserialize;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Words};

#[derive(Deserialize)]
struct Announcement {
    #[serde(rename = "fingerprint")]
    _fingerprint: String,
    #[serde(rename = "alias")]
    _alias: String,
    #[serde(rename = "deviceType")]
    kind: String,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(b"{")
        && let Some(a) = json::<Announcement>(payload.bytes)
        && matches!(&*a.kind, "mobile" | "desktop" | "web" | "headless" | "server")
    {
        identity("localsend", Some(a.kind.as_bytes()), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_telephone_announces_its_type() {
        let message =
            br#"{"alias":"Nice Orange","version":"2.0","deviceModel":"Samsung","deviceType":"mobile",
            "fingerprint":"f","port":53317,"protocol":"https","announce":true}"#;
        assert_eq!(heard(message, 53317, 53317), ["discovery.identity=localsend:mobile"]);
        survives_datagram(message, 53317, 53317);
    }
}
