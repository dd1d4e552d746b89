//! RTSP: the software of a camera or a media server (RFC 2326 section 12.36).

use crate::census::Field;
use crate::dissect::protocol::form::head::Head;
use crate::dissect::{Malformed, Payload, Words};

/// Dissects the beginning of a segment that starts an RTSP answer; anything else says nothing.
///
/// # Errors
/// If a line is not a header; the headers before it still count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    Head::read(payload.bytes).filter(|h| h.version.starts_with(b"RTSP/")).map_or(Ok(()), |h| say(&h, words))
}

pub(crate) fn say(head: &Head<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if head.method.is_none() && head.value("Via").is_none() {
        if let Some(server) = head.value("Server") {
            words.say(Field::RtspServer, server);
        }
        if let Some(realm) = head.realm() {
            words.say(Field::RtspServer, &[b"realm=", &realm[..]].concat());
        }
    }
    if head.broken { Err(Malformed::new("rtsp", "broken header")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    #[test]
    fn an_answer_names_the_server_and_a_request_nobody() {
        let answer = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nServer: Hipcam RealServer/V1.0\r\n\
            WWW-Authenticate: Digest realm=\"IP Camera(C1)\", nonce=\"1\"\r\n\r\n";
        let expected = ["rtsp.server=Hipcam RealServer/V1.0", "rtsp.server=realm=IP Camera(C1)"];
        assert_eq!(
            said(|w| dissect(&Payload::new(answer), w)),
            (expected.map(str::to_owned).to_vec(), Ok(()))
        );
        let request = b"OPTIONS rtsp://192.0.2.1/ RTSP/1.0\r\nCSeq: 1\r\nServer: x\r\nUser-Agent: x\r\n\r\n";
        assert_eq!(said(|w| dissect(&Payload::new(request), w)), (vec![], Ok(())));
        survives(answer, dissect);
    }
}
