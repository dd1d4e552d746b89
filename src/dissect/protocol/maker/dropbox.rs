//! Dropbox's LAN sync discovery on UDP 17500: a computer that runs the client.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Words};

#[derive(Deserialize)]
struct Announcement {
    #[serde(rename = "host_int")]
    _host: IgnoredAny,
    #[serde(rename = "namespaces")]
    _namespaces: Vec<IgnoredAny>,
    port: u16,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(b"{") && json::<Announcement>(payload.bytes).is_some_and(|a| a.port == 17500)
    {
        identity("dropbox", Some(b"lan"), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_client_announces_itself() {
        let message =
            br#"{"host_int": 1, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [7]}"#;
        assert_eq!(heard(message, 17500, 17500), ["discovery.identity=dropbox:lan"]);
        assert!(heard(br#"{"host_int": 1, "port": 17500}"#, 17500, 17500).is_empty());
        survives_datagram(message, 17500, 17500);
    }
}
