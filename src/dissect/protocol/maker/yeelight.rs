//! Yeelight lamps on UDP 1982: answers and announcements in the form of SSDP (Yeelight WiFi Light Inter-Operation
//! Specification, section 3).

use crate::dissect::protocol::form::head::Head;
use crate::dissect::protocol::form::identity::identity;
use crate::dissect::protocol::form::url;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let Some(head) = Head::read(payload.bytes) else { return Ok(()) };
    let speaks = matches!((head.method, head.target), (Some(b"NOTIFY"), _) | (None, b"200"));
    if speaks && let Some(place) = head.value("Location").filter(|l| l.starts_with(b"yeelight://")) {
        let address: Vec<_> = url::address(place).into_iter().collect();
        identity("yeelight", head.value("model"), &mut words.about(&address));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_lamp_answers_with_its_model() {
        let answer =
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nLocation: yeelight://192.0.2.9:55443\r\n\
            Server: POSIX UPnP/1.0 YGLC/1\r\nid: 0x1\r\nmodel: color\r\nfw_ver: 18\r\n\r\n";
        assert_eq!(heard(answer, 1982, 50_000), ["discovery.identity=yeelight:color"]);
        let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1982\r\nST: wifi_bulb\r\n\r\n";
        assert!(heard(search, 1982, 1982).is_empty());
        survives_datagram(answer, 1982, 50_000);
    }
}
