//! Tuya's local protocol: broadcasts of a device on UDP 6666 in plain JSON, on 6667 and 7000 enciphered, and a device's
//! side of TCP 6668.

use serde::Deserialize;

use crate::census::Field;
use crate::dissect::protocol::form::identity::json;
use crate::dissect::{Malformed, Payload, Reader, Words};

const PREFIX: u32 = 0x0000_55aa;
const SUFFIX: &[u8] = &[0x00, 0x00, 0xaa, 0x55];
/// Prefix and suffix of the version that has authenticated ciphers.
const PREFIX_35: u32 = 0x0000_6699;
const SUFFIX_35: &[u8] = &[0x00, 0x00, 0x99, 0x66];
/// By which an app on a telephone asks the devices.
const REQUEST_DEVICES: u32 = 0x25;

#[derive(Deserialize)]
struct Announcement {
    #[serde(rename = "productKey")]
    product: Option<String>,
    version: Option<String>,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some((command, body)) = frame(payload.bytes) else { return Ok(()) };
    if command == REQUEST_DEVICES {
        return Ok(());
    }
    // A return code of four zeros goes before the JSON.
    let plain = body.strip_prefix(&[0; 4]).and_then(json::<Announcement>);
    match plain {
        Some(a) => {
            for text in [a.product, a.version].into_iter().flatten() {
                words.say(Field::TuyaProduct, text.as_bytes());
            }
        }
        None => words.say(Field::TuyaProduct, b"broadcast"),
    }
    Ok(())
}

/// Dissects the beginning of a segment from TCP 6668.
pub(crate) fn dissect_segment(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if frame(payload.bytes).is_some() {
        words.say(Field::TuyaProduct, b"device");
    }
    Ok(())
}

/// The command of a frame that fills the payload, and its body with the check sum cut off.
fn frame(payload: &[u8]) -> Option<(u32, &[u8])> {
    let mut r = Reader::new(payload);
    match r.u32()? {
        PREFIX => {
            let (_sequence, command, length) = (r.u32()?, r.u32()?, r.u32()?);
            let body = r.rest().strip_suffix(SUFFIX)?;
            let sound = usize::try_from(length).ok()? == r.rest().len();
            sound.then(|| (command, body.get(..body.len().saturating_sub(4)).unwrap_or_default()))
        }
        PREFIX_35 => {
            let (_reserved, _sequence, command, length) = (r.u16()?, r.u32()?, r.u32()?, r.u32()?);
            let body = r.rest().strip_suffix(SUFFIX_35)?;
            (usize::try_from(length).ok()? == body.len()).then_some((command, body))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::{heard, survives_datagram};
    use crate::dissect::testing::said;

    fn message(command: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len() + 8).unwrap();
        let head = [0, 0, 0x55, 0xaa, 0, 0, 0, 0, 0, 0, 0, command, 0, 0, 0, length];
        [&head[..], body, &[1, 2, 3, 4], SUFFIX].concat()
    }

    #[test]
    fn a_plain_broadcast_names_product_and_version() {
        let body = b"\0\0\0\0{\"ip\":\"192.0.2.9\",\"gwId\":\"x\",\"productKey\":\"keytg5kq8gvkv9dh\",\"version\":\"3.1\"}";
        let plain = message(0, body);
        let expected = ["tuya.product=keytg5kq8gvkv9dh", "tuya.product=3.1"];
        assert_eq!(heard(&plain, 49154, 6666), expected);
        survives_datagram(&plain, 49154, 6666);
    }

    #[test]
    fn an_enciphered_one_is_a_device_all_the_same() {
        let secret = message(0x13, &[0xa5; 180]);
        assert_eq!(heard(&secret, 49154, 6667), ["tuya.product=broadcast"]);
        assert_eq!(said(|w| dissect_segment(&Payload::new(&secret), w)).0, ["tuya.product=device"]);
        let mut newer = vec![0, 0, 0x66, 0x99, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x13, 0, 0, 0, 40];
        newer.extend([0xa5; 40]);
        newer.extend(SUFFIX_35);
        assert_eq!(heard(&newer, 49154, 7000), ["tuya.product=broadcast"]);
        newer[13] = 0x25;
        assert!(heard(&newer, 49154, 7000).is_empty());
        let mut cut = secret;
        cut.pop();
        assert!(heard(&cut, 49154, 6667).is_empty());
    }
}
