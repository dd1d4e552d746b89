//! Dahua's DHIP discovery on UDP 37810: what a camera, recorder or intercom is. Other brands build the same devices.

use serde::Deserialize;

use crate::dissect::protocol::form::identity::{identity, json};
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Bytes of the head: its own length and `DHIP`, a session, then twice the length of the JSON, with a gap each.
const HEAD: usize = 32;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    method: &'a str,
    #[serde(default)]
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "deviceInfo")]
    device: Option<Device>,
}

#[derive(Deserialize)]
struct Device {
    #[serde(rename = "DeviceType")]
    kind: Option<String>,
    #[serde(rename = "DeviceClass")]
    class: Option<String>,
}

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    if r.take(8) != Some(b"\x20\0\0\0DHIP") {
        return Ok(());
    }
    let body = r.take(HEAD - 8).map(|_| r.rest()).ok_or(Malformed::new("dahua", "truncated head"))?;
    let body = body.trim_ascii().strip_suffix(b"\0").unwrap_or(body);
    let Some(message) = json::<Message<'_>>(body) else { return Err(Malformed::new("dahua", "broken JSON")) };
    // A search has another method.
    if message.method == "client.notifyDevInfo"
        && let Some(device) = message.params.and_then(|p| p.device)
    {
        identity("dahua", device.kind.or(device.class).as_deref().map(str::as_bytes), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    fn message(json: &str) -> Vec<u8> {
        let length = u32::try_from(json.len()).unwrap().to_le_bytes();
        [b"\x20\0\0\0DHIP\0\0\0\0\0\0\0\0".as_slice(), &length, &[0; 4], &length, &[0; 4], json.as_bytes()]
            .concat()
    }

    #[test]
    fn a_camera_notifies_what_it_is() {
        let answer = message(
            r#"{"mac":"00:00:5e:00:53:01","method":"client.notifyDevInfo","params":{"deviceInfo":
            {"DeviceClass":"IPC","DeviceType":"IPC-HDW2431T","HttpPort":80}}}"#,
        );
        assert_eq!(heard(&answer, 37810, 37810), ["discovery.identity=dahua:IPC-HDW2431T"]);
        survives_datagram(&answer, 37810, 50_000);
        let search = message(r#"{"method":"DHDiscover.search","params":{"mac":"","uni":1}}"#);
        assert!(heard(&search, 50_000, 37810).is_empty());
    }
}
