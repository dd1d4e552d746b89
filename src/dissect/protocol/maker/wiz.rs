//! WiZ lamps on UDP 38899, and what they push to port 38900: the module that tells the model.

use serde::Deserialize;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Words};

#[derive(Deserialize)]
struct Message {
    method: String,
    result: Option<Body>,
    params: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    mac: Option<String>,
    #[serde(rename = "moduleName")]
    module: Option<String>,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !payload.bytes.starts_with(b"{\"method\"") {
        return Ok(());
    }
    let Some(message) = json::<Message>(payload.bytes) else { return Ok(()) };
    // A lamp answers with a result, or pushes its state; an app that registers gives parameters too, by another method.
    let body = match &*message.method {
        "syncPilot" | "firstBeat" => message.params,
        _ => message.result,
    };
    if let Some(body) = body
        && body
            .mac
            .as_deref()
            .is_some_and(|mac| mac.len() == 12 && mac.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        identity("wiz", body.module.as_deref().map(str::as_bytes), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_lamp_answers_with_its_module() {
        let answer = br#"{"method":"getSystemConfig","env":"pro","result":{"mac":"a8bb50000102","homeId":1,
            "moduleName":"ESP01_SHRGB1C_31","fwVersion":"1.21.0"}}"#;
        assert_eq!(heard(answer, 38899, 50_000), ["discovery.identity=wiz:ESP01_SHRGB1C_31"]);
        let push = br#"{"method":"syncPilot","env":"pro","params":{"mac":"a8bb50000102","rssi":-60}}"#;
        assert_eq!(heard(push, 50_000, 38900), ["discovery.identity=wiz"]);
        let register = br#"{"method":"registration","params":{"phoneMac":"AAAAAAAAAAAA","register":false}}"#;
        assert!(heard(register, 38900, 38899).is_empty());
        survives_datagram(answer, 38899, 50_000);
    }
}
