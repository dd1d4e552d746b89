//! KDE Connect on UDP 1716: computers and telephones announce what they are.

use serde::Deserialize;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Words};

#[derive(Deserialize)]
struct Packet {
    #[serde(rename = "type")]
    kind: String,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "deviceId")]
    id: String,
    #[serde(rename = "deviceType")]
    kind: String,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.starts_with(b"{")
        && let Some(Packet { kind, body }) = json::<Packet>(payload.bytes)
        && kind == "kdeconnect.identity"
        && !body.id.is_empty()
        && matches!(&*body.kind, "desktop" | "laptop" | "phone" | "smartphone" | "tablet" | "tv")
    {
        identity("kdeconnect", Some(body.kind.as_bytes()), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_telephone_announces_its_type() {
        let of = |kind: &str| {
            format!(
                r#"{{"id":1,"type":"kdeconnect.identity","body":{{"deviceId":"a","deviceName":"x",
                "deviceType":"{kind}","protocolVersion":7}}}}"#
            )
        };
        assert_eq!(heard(of("phone").as_bytes(), 40_000, 1716), ["discovery.identity=kdeconnect:phone"]);
        assert!(heard(of("toaster").as_bytes(), 40_000, 1716).is_empty());
        survives_datagram(of("phone").as_bytes(), 40_000, 1716);
    }
}
