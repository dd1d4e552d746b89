//! Govee's local control: lamps answer a search on UDP 4002.

use std::net::IpAddr;

use serde::Deserialize;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Words};

#[derive(Deserialize)]
struct Message {
    msg: Body,
}

#[derive(Deserialize)]
struct Body {
    cmd: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    device: String,
    sku: String,
    ip: Option<IpAddr>,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(b"{")
        && let Some(Message { msg }) = json::<Message>(payload.bytes)
        && msg.cmd == "scan"
        && !msg.data.device.is_empty()
    {
        let address: Vec<_> = msg.data.ip.into_iter().collect();
        identity("govee", Some(msg.data.sku.as_bytes()), &mut words.about(&address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_lamp_answers_with_its_model() {
        let answer = br#"{"msg":{"cmd":"scan","data":{"ip":"192.0.2.9","device":"1F:80:C5:32:32:36:72:4E",
            "sku":"H6072","wifiVersionSoft":"1.02.03"}}}"#;
        assert_eq!(heard(answer, 4003, 4002), ["discovery.identity=govee:H6072"]);
        let search = br#"{"msg":{"cmd":"scan","data":{"account_topic":"reserve"}}}"#;
        assert!(heard(search, 4002, 4001).is_empty());
        survives_datagram(answer, 4003, 4002);
    }
}
