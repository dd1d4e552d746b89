//! TP-Link's Kasa and Tapo devices: what they answer on port 9999, in JSON whose bytes are chained by XOR, and on
//! UDP 20002 in plain JSON after a head.

use serde::Deserialize;

use super::synology;
use crate::census::Field;
use crate::dissect::protocol::form::identity::json;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// The byte with which the chain begins.
const KEY: u8 = 171;
/// The longest answer in bytes that is read; a strip of six sockets sends two thousand.
const ANSWER: usize = 4096;
/// Bytes of the head on UDP 20002.
const HEAD: usize = 16;

#[derive(Deserialize)]
struct Answer {
    system: System,
}

#[derive(Deserialize)]
struct System {
    get_sysinfo: Info,
}

#[derive(Deserialize)]
struct Info {
    model: String,
    /// Sockets have the one, lamps the other.
    #[serde(rename = "type")]
    kind: Option<String>,
    mic_type: Option<String>,
}

#[derive(Deserialize)]
struct Second {
    result: Found,
}

#[derive(Deserialize)]
struct Found {
    device_type: String,
    device_model: String,
}

/// Whether a datagram from UDP 9999 is not the finder of Synology's, which sends from the same port.
pub(crate) fn is_own(payload: &[u8]) -> bool {
    !synology::is_magic(payload)
}

/// Dissects a datagram from UDP 9999.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if payload.bytes.len() > ANSWER || payload.bytes.first().is_none_or(|first| first ^ KEY != b'{') {
        return Ok(());
    }
    let mut key = KEY;
    let plain: Vec<u8> = payload.bytes.iter().map(|b| b ^ std::mem::replace(&mut key, *b)).collect();
    if let Some(Answer { system: System { get_sysinfo: info } }) = json::<Answer>(&plain) {
        words.say(Field::KasaModel, info.model.as_bytes());
        if let Some(kind) = info.kind.or(info.mic_type) {
            words.say(Field::KasaType, kind.as_bytes());
        }
    }
    Ok(())
}

/// Dissects the beginning of a segment from TCP 9999: the length goes before the same bytes. One that goes on in the
/// next segment says nothing.
pub(crate) fn dissect_segment(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    match r.u32().and_then(|n| usize::try_from(n).ok()) {
        Some(length) if length == r.rest().len() => dissect(&payload.inner(r.rest()), words),
        _ => Ok(()),
    }
}

/// Dissects a datagram from UDP 20002.
pub(crate) fn dissect_second(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some([2, ..]) = payload.bytes.get(..HEAD)
        && let Some(Second { result }) = payload.bytes.get(HEAD..).and_then(json::<Second>)
    {
        words.say(Field::KasaModel, result.device_model.as_bytes());
        words.say(Field::KasaType, result.device_type.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};
    use crate::dissect::testing::said;
    use crate::dissect::{Payload, stream};

    fn chained(plain: &str) -> Vec<u8> {
        let mut key = super::KEY;
        plain
            .bytes()
            .map(|b| {
                key ^= b;
                key
            })
            .collect()
    }

    #[test]
    fn a_socket_answers_with_model_and_type() {
        let plain = r#"{"system":{"get_sysinfo":{"err_code":0,"sw_ver":"1.0","type":"IOT.SMARTPLUGSWITCH",
            "model":"HS110(EU)","alias":"Lamp"}},"emeter":{"get_realtime":{"err_code":0}}}"#;
        let expected = ["kasa.model=HS110(EU)", "kasa.type=IOT.SMARTPLUGSWITCH"];
        assert_eq!(heard(&chained(plain), 9999, 50_000), expected);
        survives_datagram(&chained(plain), 9999, 50_000);
        let length = u32::try_from(plain.len()).unwrap().to_be_bytes();
        let segment = [&length[..], &chained(plain)].concat();
        assert_eq!(said(|w| stream(Payload::new(&segment).between(9999, 50_000), w)).0, expected);
        assert!(heard(&chained(r#"{"system":{"get_sysinfo":{}}}"#), 50_000, 9999).is_empty());
    }

    #[test]
    fn a_newer_device_answers_in_plain_text() {
        let json = r#"{"result":{"device_id":"x","device_type":"SMART.TAPOPLUG","device_model":"P100(EU)"},
            "error_code":0}"#;
        let mut answer = vec![2, 0, 0, 1];
        answer.resize(16, 7);
        answer.extend(json.as_bytes());
        let expected = ["kasa.model=P100(EU)", "kasa.type=SMART.TAPOPLUG"];
        assert_eq!(heard(&answer, 20002, 50_000), expected);
        survives_datagram(&answer, 20002, 50_000);
    }
}
