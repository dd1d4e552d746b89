//! The assist thread of Hi-Flying's Wi-Fi modules on UDP 48899, which many lamps, sockets and inverters have: the
//! answer `address,MAC,module`.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut parts = payload.bytes.split(|b| *b == b',');
    let (Some(address), Some(mac), Some(module), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(());
    };
    let module = module.trim_ascii();
    let sound = address.contains(&b'.')
        && address.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && mac.len() == 12
        && mac.iter().all(u8::is_ascii_hexdigit)
        && module.iter().all(u8::is_ascii_graphic);
    if sound {
        identity("hiflying", Some(module), words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_module_answers_with_its_name() {
        let answer = b"192.0.2.9,ACCF23000102,HF-LPB100";
        assert_eq!(heard(answer, 48899, 50_000), ["discovery.identity=hiflying:HF-LPB100"]);
        assert!(heard(b"HF-A11ASSISTHREAD", 50_000, 48899).is_empty());
        assert!(heard(b"a,b,c", 48899, 50_000).is_empty());
        survives_datagram(answer, 48899, 50_000);
    }
}
