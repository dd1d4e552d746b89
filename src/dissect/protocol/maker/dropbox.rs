//! Dropbox's LAN sync discovery on UDP 17500: a computer that runs the client.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{identity, json};
use crate::dissect::{Malformed, Words};

#[derive(Deserialize)]
struct Announcement {
    #[serde(rename = "host_int")]
    _host: IgnoredAny,
    #[serde(rename = "namespaces")]
    _namespaces: Vec<IgnoredAny>,
    port: u16,
}

pub(super) fn dissect(payload: &[u8], words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.starts_with(b"{") && json::<Announcement>(payload).is_some_and(|a| a.port == 17500) {
        identity("dropbox", Some(b"lan"), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{heard, survives};

    #[test]
    fn a_client_announces_itself() {
        let message =
            br#"{"host_int": 1, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [7]}"#;
        assert_eq!(heard(message, 17500, 17500), ["discovery.identity=dropbox:lan"]);
        assert!(heard(br#"{"host_int": 1, "port": 17500}"#, 17500, 17500).is_empty());
        survives(message, 17500, 17500);
    }
}
