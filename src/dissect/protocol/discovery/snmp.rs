//! SNMP: what an agent answers about itself (RFC 3416, RFC 3418 section 2, RFC 3411 section 5).
//!
//! Only what an agent sends counts: answers and reports from port 161, traps and informs to port 162. Of the third
//! version the engine that vouches for a message is the agent's in all of these but informs (RFC 3414 section 1.5.1).

use std::borrow::Cow;

use snmp_parser::asn1_rs::FromBer as _;
use snmp_parser::{
    NetworkAddress, ObjectSyntax, Oid, PduType, ScopedPduData, SecurityParameters, SnmpGenericMessage,
    SnmpPdu, SnmpVariable, VarBindValue,
};

use crate::census::{Field, MacAddr};
use crate::dissect::protocol::form::ber;
use crate::dissect::{Malformed, Payload, Reader, Side, Words};

/// The longest object identifier in bytes; RFC 2578 section 3.5 allows 128 numbers.
const OID_BYTES: usize = 128;
/// Items of a budget that a variable costs; answers about the system have some ten.
const SEQUENCE: u32 = 18;
/// 1.3.6.1.2.1.1, the system group; its objects are one number and `.0` further.
const SYSTEM: &[u8] = &[0x2b, 6, 1, 2, 1, 1];
/// 1.3.6.1.4.1, where every sysObjectID of a product lies.
const ENTERPRISES: &[u8] = &[0x2b, 6, 1, 4, 1];

/// 1.3.6.1.6.3.1.1.4.1.0, snmpTrapOID: which trap it is (RFC 3418 section 2).
const TRAP: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// 1.3.6.1.6.3.1.1.4.3.0, snmpTrapEnterprise: what the first version names the enterprise.
const TRAP_ENTERPRISE: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 3, 0];
/// 1.3.6.1.6.3.18.1.3.0, snmpTrapAddress: who sent the trap that a proxy passes on (RFC 3584 section 3.1).
const TRAP_ADDRESS: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 3, 0];
/// 1.3.6.1.6.3.1.1.5, the generic traps.
const GENERIC_TRAPS: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 5];

/// Dissects a message of UDP 161 or 162, sent from `source_port`.
///
/// # Errors
/// If the message is not whole and sound; the sound variables count.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let from_agent = payload.side == Side::Server;
    // The parser takes a message whole or not at all, and a sequence is what makes it work.
    let sequences = payload.bytes.iter().filter(|b| **b == 0x30).count();
    if !words.budget().items(u32::try_from(sequences).unwrap_or(u32::MAX).saturating_mul(SEQUENCE)) {
        say_remains(payload.bytes, from_agent, words);
        return Ok(());
    }
    let Ok((_, message)) = SnmpGenericMessage::from_ber(payload.bytes) else {
        say_remains(payload.bytes, from_agent, words);
        return Err(Malformed::new("snmp", "broken message"));
    };
    match message {
        SnmpGenericMessage::V1(m) | SnmpGenericMessage::V2(m) => say(&m.pdu, from_agent, words),
        SnmpGenericMessage::V3(m) => {
            // RFC 3412 section 6.4: a trap wants no report, everything else that goes to a manager does.
            if !from_agent && m.header_data.is_reportable() {
                return Ok(());
            }
            if let SecurityParameters::USM(usm) = &m.security_params
                && is_own_engine(usm.msg_authoritative_engine_id)
            {
                words.hex(Field::SnmpEngineId, usm.msg_authoritative_engine_id);
            }
            if let ScopedPduData::Plaintext(scoped) = &m.data {
                say(&scoped.data, from_agent, words);
            }
        }
    }
    Ok(())
}

/// A variable: its name and, of a value that is used, the value.
struct Variable<'a> {
    name: &'a [u8],
    value: Value<'a>,
}

enum Value<'a> {
    Text(&'a [u8]),
    Object(&'a [u8]),
    Other,
}

impl<'a> Variable<'a> {
    fn of(variable: &'a SnmpVariable<'_>) -> Self {
        let value = match &variable.val {
            VarBindValue::Value(ObjectSyntax::String(text)) => Value::Text(text),
            VarBindValue::Value(ObjectSyntax::Object(oid)) => Value::Object(oid.as_bytes()),
            _ => Value::Other,
        };
        Self { name: variable.oid.as_bytes(), value }
    }

    fn read(bind: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(bind);
        let name = ber::tagged(&mut r, 6)?;
        let value = match ber::whole(&mut r)? {
            (4, text) => Value::Text(text),
            (6, oid) => Value::Object(oid),
            _ => Value::Other,
        };
        Some(Self { name, value })
    }
}

/// Says what is sound in a message that the parser refuses as a whole: it is cut, or one of its variables is broken.
fn say_remains(bytes: &[u8], from_agent: bool, words: &mut Words<'_>) -> Option<()> {
    let message = ber::element(&mut Reader::new(bytes)).filter(|e| e.tag == 0x30)?;
    let mut r = Reader::new(message.body);
    let version = ber::number(ber::tagged(&mut r, 2)?)?;
    let pdu = match version {
        0 | 1 => {
            ber::tagged(&mut r, 4)?;
            ber::element(&mut r)?
        }
        3 => {
            ber::tagged(&mut r, 0x30)?;
            ber::tagged(&mut r, 4)?;
            let mut scoped = Reader::new(ber::element(&mut r).filter(|e| e.tag == 0x30)?.body);
            ber::tagged(&mut scoped, 4)?;
            ber::tagged(&mut scoped, 4)?;
            ber::element(&mut scoped)?
        }
        _ => return None,
    };
    let mut r = Reader::new(pdu.body);
    for _ in 0..3 {
        ber::tagged(&mut r, 2)?;
    }
    let list = ber::element(&mut r).filter(|e| e.tag == 0x30)?;
    let binds = ber::elements(list.body).filter(|e| e.tag == 0x30 && e.whole);
    let variables: Vec<_> = binds.filter_map(|e| Variable::read(e.body)).collect();
    match pdu.tag {
        0xa2 if from_agent => say_system(&variables, words),
        0xa6 | 0xa7 => say_trap(&variables, words),
        _ => {}
    }
    Some(())
}

fn say(pdu: &SnmpPdu<'_>, from_agent: bool, words: &mut Words<'_>) {
    match pdu {
        SnmpPdu::Generic(answer) if from_agent && answer.pdu_type == PduType::Response => {
            say_system(&answer.var.iter().map(Variable::of).collect::<Vec<_>>(), words);
        }
        SnmpPdu::Generic(trap) if matches!(trap.pdu_type, PduType::TrapV2 | PduType::InformRequest) => {
            say_trap(&trap.var.iter().map(Variable::of).collect::<Vec<_>>(), words);
        }
        // RFC 1157 section 4.1.6: in a generic trap (0 to 5) the enterprise is the sender's sysObjectID; in one of its
        // own (6) it is up to the vendor.
        SnmpPdu::TrapV1(trap) if trap.generic_trap.0 <= 5 => {
            // Who passes a trap on keeps the agent's address (I2).
            let NetworkAddress::IPv4(agent) = trap.agent_addr;
            say_product(trap.enterprise.as_bytes(), &mut words.about(&[agent.into()]));
        }
        _ => {}
    }
}

/// What of the system group is among the variables.
fn say_system(variables: &[Variable<'_>], words: &mut Words<'_>) {
    for variable in variables {
        if words.budget().is_silent() {
            break;
        }
        let Some([object, 0]) = variable.name.strip_prefix(SYSTEM) else { continue };
        match (object, &variable.value) {
            (1, Value::Text(text)) => words.say(Field::SnmpSysDescr, text),
            (2, Value::Object(oid)) => say_product(oid, words),
            (5, Value::Text(text)) => words.say(Field::SnmpSysName, text),
            _ => {}
        }
    }
}

/// A notification of the second version: many add their system's name, and a generic trap its enterprise. One that a
/// proxy passes on speaks of somebody else.
fn say_trap(variables: &[Variable<'_>], words: &mut Words<'_>) {
    let value = |name: &[u8]| variables.iter().find(|v| v.name == name).map(|v| &v.value);
    let Some(Value::Object(trap)) = value(TRAP) else { return };
    if value(TRAP_ADDRESS).is_some() {
        return;
    }
    say_system(variables, words);
    if trap.starts_with(GENERIC_TRAPS)
        && let Some(Value::Object(enterprise)) = value(TRAP_ENTERPRISE)
    {
        say_product(enterprise, words);
    }
}

/// Says an object identifier below enterprises, dotted.
fn say_product(bytes: &[u8], words: &mut Words<'_>) {
    let oid = Oid::new(Cow::Borrowed(bytes));
    // A last byte with its top bit set is a number that was cut.
    let whole = bytes.len() <= OID_BYTES && bytes.last().is_some_and(|b| b & 0x80 == 0);
    if whole && bytes.len() > ENTERPRISES.len() && bytes.starts_with(ENTERPRISES) && oid.iter().is_some() {
        words.say(Field::SnmpSysObjectId, oid.to_id_string().as_bytes());
    }
}

/// RFC 3411 section 5, SnmpEngineID: 5 to 32 bytes. Ids that devices share for want of an address of their own (nothing
/// but zeros or ones, loopback, null MAC) would tie strangers.
fn is_own_engine(id: &[u8]) -> bool {
    let body = id.get(5..).unwrap_or_default();
    let shared = match id.get(4) {
        Some(1) => matches!(body, [0 | 127, ..]),
        Some(3) => MacAddr::from_slice(body).is_some_and(|mac| !mac.is_station()),
        _ => false,
    };
    (5..=32).contains(&id.len())
        && !shared
        && !id.iter().all(|b| *b == 0xff)
        && id.iter().skip(4).any(|b| *b != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    fn ber(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let data = parts.concat();
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, &data].concat()
    }

    const PRODUCT: &[u8] = &[0x2b, 6, 1, 4, 1, 9, 1, 0x84, 0x26];

    fn binds() -> Vec<u8> {
        let system = |object: u8, value: Vec<u8>| ber(0x30, &[&ber(6, &[SYSTEM, &[object, 0]]), &value]);
        ber(
            0x30,
            &[
                &system(1, ber(4, &[b"Switch OS\r\n1.2"])),
                &system(2, ber(6, &[PRODUCT])),
                &system(3, ber(0x43, &[&[5]])),
                &system(5, ber(4, &[b"sw-1"])),
                &ber(0x30, &[&ber(6, &[SYSTEM, &[1, 1]]), &ber(4, &[b"not sysDescr.0"])]),
            ],
        )
    }

    fn pdu(tag: u8) -> Vec<u8> {
        ber(tag, &[&[2, 1, 7], &[2, 1, 0], &[2, 1, 0], &binds()])
    }

    fn v2(pdu: &[u8]) -> Vec<u8> {
        ber(0x30, &[&[2, 1, 1], &ber(4, &[b"public"]), pdu])
    }

    fn trap(generic: u8, enterprise: &[u8]) -> Vec<u8> {
        let pdu = ber(
            0xa4,
            &[
                &ber(6, &[enterprise]),
                &ber(0x40, &[&[192, 0, 2, 1]]),
                &[2, 1, generic],
                &[2, 1, 0],
                &[0x43, 1, 5],
                &ber(0x30, &[]),
            ],
        );
        ber(0x30, &[&[2, 1, 0], &ber(4, &[b"public"]), &pdu])
    }

    fn v3(engine: &[u8], flags: u8) -> Vec<u8> {
        let head = ber(0x30, &[&[2, 1, 9], &[2, 2, 5, 220], &[4, 1, flags], &[2, 1, 3]]);
        let usm = ber(0x30, &[&ber(4, &[engine]), &[2, 1, 5], &[2, 1, 9], &[4, 0], &[4, 0], &[4, 0]]);
        let scoped = ber(0x30, &[&ber(4, &[engine]), &[4, 0], &pdu(0xa8)]);
        ber(0x30, &[&[2, 1, 3], &head, &ber(4, &[&usm]), &scoped])
    }

    const ENGINE: &[u8] = &[0x80, 0, 0, 9, 3, 0, 0x1b, 0x54, 1, 2, 3];

    #[test]
    fn an_agent_answers_for_its_system_group() {
        let (out, result) = said(|w| dissect(&Payload::new(&v2(&pdu(0xa2))).on(Side::Server), w));
        let expected =
            ["snmp.sys_descr=Switch OS 1.2", "snmp.sys_object_id=1.3.6.1.4.1.9.1.550", "snmp.sys_name=sw-1"];
        assert_eq!((out, result), (expected.map(str::to_owned).to_vec(), Ok(())));
        survives(&v2(&pdu(0xa2)), |p, w| dissect(&p.on(Side::Server), w));
    }

    #[test]
    fn a_broken_variable_costs_itself_and_a_message_that_is_cut_gives_what_it_holds() {
        let of = |bytes: &[u8]| said(|w| dissect(&Payload::new(bytes).on(Side::Server), w));
        let name = |text: &[u8]| ber(0x30, &[&ber(6, &[SYSTEM, &[5, 0]]), &ber(4, &[text])]);
        let descr = ber(0x30, &[&ber(6, &[SYSTEM, &[1, 0]]), &ber(4, &[b"Switch"])]);
        // A value that lies about its length, and an object without a value.
        let lie = ber(0x30, &[&ber(6, &[SYSTEM, &[2, 0]]), &[6, 0x20, 0x2b]]);
        let bare = ber(0x30, &[&ber(6, &[SYSTEM, &[3, 0]])]);
        let message =
            |binds: &[&[u8]]| v2(&ber(0xa2, &[&[2, 1, 7], &[2, 1, 0], &[2, 1, 0], &ber(0x30, binds)]));
        let broken = message(&[&descr, &lie, &bare, &name(b"sw-1")]);
        let (out, result) = of(&broken);
        assert_eq!(out, ["snmp.sys_descr=Switch", "snmp.sys_name=sw-1"]);
        assert!(result.is_err());
        let whole = message(&[&descr, &name(b"sw-1")]);
        let (out, result) = of(&whole[..whole.len() - 2]);
        assert_eq!((out, result.is_err()), (vec!["snmp.sys_descr=Switch".to_owned()], true));
    }

    #[test]
    fn managers_and_requests_say_nothing() {
        assert_eq!(said(|w| dissect(&Payload::new(&v2(&pdu(0xa2))).on(Side::Client), w)), (vec![], Ok(())));
        assert_eq!(said(|w| dissect(&Payload::new(&v2(&pdu(0xa3))).on(Side::Server), w)), (vec![], Ok(())));
        assert_eq!(said(|w| dissect(&Payload::new(&v3(ENGINE, 4)).on(Side::Client), w)), (vec![], Ok(())));
    }

    #[test]
    fn an_agent_names_its_engine_in_version_3() {
        let (out, result) = said(|w| dissect(&Payload::new(&v3(ENGINE, 0)).on(Side::Server), w));
        assert_eq!((out, result), (vec!["snmp.engine_id=8000000903001b54010203".to_owned()], Ok(())));
        survives(&v3(ENGINE, 0), |p, w| dissect(&p.on(Side::Server), w));
        let (out, _) = said(|w| dissect(&Payload::new(&v3(ENGINE, 0)).on(Side::Client), w));
        assert_eq!(out, ["snmp.engine_id=8000000903001b54010203"], "a trap");
        for shared in [
            &[][..],
            &[1, 2, 3, 4],
            &[0; 12],
            &[0xff; 12],
            &[0x80, 0, 0, 9, 3, 0, 0, 0, 0, 0, 0],
            &[0x80, 0, 0, 9, 1, 127, 0, 0, 1],
            &[7; 33],
        ] {
            assert!(
                said(|w| dissect(&Payload::new(&v3(shared, 0)).on(Side::Server), w)).0.is_empty(),
                "{shared:?}"
            );
        }
    }

    #[test]
    fn a_generic_trap_of_the_second_version_names_the_product_unless_a_proxy_sent_it() {
        let bind = |name: &[u8], value: &[u8]| ber(0x30, &[&ber(6, &[name]), value]);
        let trap = |kind: &[u8], more: &[u8]| {
            let enterprise = bind(TRAP_ENTERPRISE, &ber(6, &[PRODUCT]));
            let binds = ber(0x30, &[&bind(TRAP, &ber(6, &[kind])), &enterprise, more]);
            v2(&ber(0xa7, &[&[2, 1, 7], &[2, 1, 0], &[2, 1, 0], &binds]))
        };
        let cold_start = [GENERIC_TRAPS, &[1]].concat();
        let of = |message: &[u8]| said(|w| dissect(&Payload::new(message).on(Side::Client), w)).0;
        assert_eq!(of(&trap(&cold_start, b"")), ["snmp.sys_object_id=1.3.6.1.4.1.9.1.550"]);
        assert!(of(&trap(PRODUCT, b"")).is_empty());
        let passed_on = bind(TRAP_ADDRESS, &ber(0x40, &[&[192, 0, 2, 1]]));
        assert!(of(&trap(&cold_start, &passed_on)).is_empty());
        let name = bind(&[SYSTEM, &[5, 0]].concat(), &ber(4, &[b"sw-1"]));
        assert_eq!(of(&trap(PRODUCT, &name)), ["snmp.sys_name=sw-1"]);
        assert!(of(&trap(PRODUCT, &[name, passed_on].concat())).is_empty());
    }

    #[test]
    fn a_generic_trap_names_the_product_and_one_of_the_vendor_does_not() {
        let of = |generic, enterprise: &[u8]| {
            said(|w| dissect(&Payload::new(&trap(generic, enterprise)).on(Side::Client), w)).0
        };
        assert_eq!(of(3, PRODUCT), ["snmp.sys_object_id=1.3.6.1.4.1.9.1.550"]);
        let from = |source| {
            let bytes = trap(3, PRODUCT);
            described(MacAddr::default(), source, |w| dissect(&Payload::new(&bytes).on(Side::Client), w)).0
        };
        assert_eq!(from("192.0.2.1"), ["snmp.sys_object_id=1.3.6.1.4.1.9.1.550"]);
        assert_eq!(from("192.0.2.9"), ["192.0.2.1 snmp.sys_object_id=1.3.6.1.4.1.9.1.550"], "passed on");
        for odd in [&[0x2b, 6, 1, 6, 3, 1, 1, 5][..], ENTERPRISES, &[0x2b, 6, 1, 4, 1, 9, 0x84]] {
            assert!(of(3, odd).is_empty(), "{odd:?}");
        }
        assert!(of(6, PRODUCT).is_empty());
        survives(&trap(3, PRODUCT), |p, w| dissect(&p.on(Side::Client), w));
    }
}
