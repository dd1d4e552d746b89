//! The values of fields, as people write them.

use std::net::{IpAddr, Ipv6Addr};

use super::error::{Fault, nearest};
use super::field::{Field, Operator};
use super::term::{MacStart, Pattern, Term, UNITS, When, bits};
use crate::census::time::SECOND;
use crate::census::{Category, Importance, MacAddr, Prefix, Timestamp, Verdict, spelling};
use crate::wire::Subject;

/// What was written behind an operator: its pieces between the signs `*`.
pub(super) struct Value {
    pub(super) pieces: Vec<String>,
}

/// The term of a field.
pub(super) fn term(field: Field, operator: Operator, value: &Value) -> Result<Term, Fault> {
    let text = value.pieces.join("*");
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::NoValue { key: field.key(), sign: operator.sign(), example: example(field) });
    }
    if !field.has_order() && !operator.is_equal() {
        return Err(operator_fault(field, operator));
    }
    match field {
        Field::Category => one_of(field, text, Category::ALL.iter(), |c| c.key()).map(Term::Category),
        Field::Verdict => {
            let devices = Verdict::ALL.iter().filter(|verdict| !verdict.is_line());
            one_of(field, text, devices, |v| v.id()).map(Term::Verdict)
        }
        Field::Importance => one_of(field, text, Importance::ALL.iter(), |i| i.key()).map(Term::Importance),
        Field::Counts | Field::Random | Field::Managed => flag(field, text),
        Field::Ip => prefix(text).map(Term::Ip).ok_or_else(|| {
            fault(field, text, "write an address, a network such as 10.20.0.0/24, or 10.20.0.*")
        }),
        Field::Mac => mac(text).map(Term::Mac).ok_or_else(|| {
            fault(field, text, "write six bytes in any spelling, or the first of them and a '*'")
        }),
        Field::Vlan if text.eq_ignore_ascii_case("none") => Ok(Term::Vlan(None)),
        Field::Vlan => match text.parse::<u16>() {
            Ok(id @ 1..4_096) => Ok(Term::Vlan(Some(id))),
            _ => Err(fault(field, text, "write a VLAN id from 1 to 4095, or none")),
        },
        Field::Couplings => match text.parse() {
            Ok(number) => Ok(Term::Couplings(normal(operator), number)),
            Err(_) => Err(fault(field, text, "write a number, as in couplings>1")),
        },
        Field::Seen | Field::First => time(field, operator, text),
        _ => Ok(Term::Text(field, pattern(field, operator, value))),
    }
}

/// A bare word that is more than a part of a text: an address or a MAC in another spelling, a network, or the first bytes
/// of a MAC. `word` is in lower case.
pub(super) fn special(word: &str) -> Option<Term> {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '/' | '%' | '[' | ']');
    if let Some(start) = word.strip_suffix('*') {
        let is_start = start.len() >= 6 || start.contains([':', '-', '.']);
        return mac(word).filter(|_| is_start).map(Term::Mac);
    }
    if !word.chars().all(usual) {
        return None;
    }
    if let Some(mac) = spelling::mac(word) {
        let is_usual = mac.to_string() == word;
        return (!is_usual).then(|| Term::Spelled(word.to_owned(), Subject::Mac(mac)));
    }
    if word.contains('/')
        && let Some(prefix) = prefix(word)
    {
        return Some(Term::Ip(prefix));
    }
    let ip = spelling::ip(word).ok()?;
    (ip.to_string() != word).then(|| Term::Spelled(word.to_owned(), Subject::Ip(ip)))
}

/// An address as a prefix of one, a network, or the first bytes of an address and `*`.
fn prefix(text: &str) -> Option<Prefix> {
    if let Some(start) = text.strip_suffix('*') {
        return starts(start);
    }
    if let Some((address, length)) = text.split_once('/')
        && let Ok(length) = length.parse::<u8>()
    {
        return Prefix::of(address_of(address)?, length);
    }
    let ip = address_of(text)?;
    Prefix::of(ip, bits(ip))
}

fn address_of(text: &str) -> Option<IpAddr> {
    spelling::ip(text).ok()
}

/// The prefix of addresses that begin so: whole parts, each with its sign.
fn starts(start: &str) -> Option<Prefix> {
    if let Some(parts) = start.strip_suffix('.') {
        let number = parts.split('.').count();
        let rest = ".0".repeat(4_usize.checked_sub(number)?);
        let ip = spelling::v4(&format!("{parts}{rest}"))?;
        return Prefix::of(ip.into(), u8::try_from(8 * number).ok()?).filter(|_| number < 4);
    }
    let parts = start.strip_suffix(':')?;
    let number = parts.split(':').count();
    let ip: Ipv6Addr = format!("{parts}::").parse().ok().filter(|_| !parts.contains("::"))?;
    Prefix::of(ip.into(), u8::try_from(16 * number).ok()?)
}

/// A MAC in any spelling, or its first digits and `*`.
fn mac(text: &str) -> Option<MacStart> {
    let Some(start) = text.strip_suffix('*') else {
        return spelling::mac(text).map(MacStart::whole);
    };
    let start = start.strip_prefix("0x").or_else(|| start.strip_prefix("0X")).unwrap_or(start);
    let parts: Vec<&str> = start.split([':', '-', '.']).collect();
    let (last, whole) = parts.split_last()?;
    // Of bytes one by one, a leading zero may be missing, but not in the last one: it may not be whole.
    let by_byte = !start.contains('.') && parts.iter().all(|part| part.len() <= 2);
    let byte = |part: &&str| if by_byte { format!("{part:0>2}") } else { (*part).to_owned() };
    if whole.iter().any(|part| part.is_empty()) {
        return None;
    }
    let digits = whole.iter().map(byte).collect::<String>() + last;
    if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = u8::try_from(digits.len()).ok()?;
    let mac: MacAddr = format!("{digits:0<12}").parse().ok()?;
    Some(MacStart { mac, digits: number })
}

fn pattern(field: Field, operator: Operator, value: &Value) -> Pattern {
    let lower = |text: &String| {
        let text = text.to_lowercase();
        if field.is_key() { text.replace([' ', '-'], "_") } else { text }
    };
    let [only] = value.pieces.as_slice() else {
        let last = value.pieces.len().saturating_sub(1);
        let kept = value.pieces.iter().enumerate();
        // `**` is `*`.
        let kept = kept.filter(|(i, piece)| *i == 0 || *i == last || !piece.is_empty());
        return Pattern::Pieces(kept.map(|(_, piece)| lower(piece)).collect());
    };
    if operator == Operator::Has && field.is_prose() {
        Pattern::Part(lower(only))
    } else {
        Pattern::Whole(lower(only))
    }
}

fn flag(field: Field, text: &str) -> Result<Term, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Term::Flag(field, true)),
        "no" | "false" => Ok(Term::Flag(field, false)),
        _ => Err(fault(field, text, "write yes or no")),
    }
}

fn time(field: Field, operator: Operator, text: &str) -> Result<Term, Fault> {
    const EXPECTED: &str =
        "write a span such as 7d or 12h, a day such as 2026-11-22, or an instant (RFC 3339)";
    let when = span(text).map(When::Ago).or_else(|| {
        let day = format!("{text}T00:00:00Z").parse().ok().filter(|_| text.len() == 10).map(When::Day);
        day.or_else(|| text.to_ascii_uppercase().parse::<Timestamp>().ok().map(When::At))
    });
    let when = when.ok_or_else(|| fault(field, text, EXPECTED))?;
    if operator.is_equal() && !matches!(when, When::Day(_)) {
        return Err(operator_fault(field, operator));
    }
    Ok(Term::Time(field, normal(operator), when))
}

/// A span in seconds: a number and a unit.
fn span(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "s" | "second" | "seconds" => "s",
        "m" | "min" | "minute" | "minutes" => "m",
        "h" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        _ => return None,
    };
    let (length, _) = UNITS.into_iter().find(|(_, name)| *name == unit)?;
    let seconds = number.parse::<i64>().ok()?.checked_mul(length)?;
    seconds.checked_mul(SECOND).map(|_| seconds)
}

/// Of numbers and instants, `=` is `:`.
fn normal(operator: Operator) -> Operator {
    if operator.is_equal() { Operator::Has } else { operator }
}

fn one_of<T: Copy + 'static>(
    field: Field,
    text: &str,
    all: impl Iterator<Item = &'static T> + Clone,
    key: impl Fn(T) -> &'static str + Copy,
) -> Result<T, Fault> {
    let keys = || all.clone().map(|value| key(*value));
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    let found = all.clone().find(|value| plain(key(**value)) == plain(text));
    found.copied().ok_or_else(|| Fault::Value {
        key: field.key(),
        value: short(text),
        nearest: nearest(text, keys()),
        expected: format!("write one of {}", keys().collect::<Vec<_>>().join(", ")),
    })
}

fn fault(field: Field, text: &str, expected: &str) -> Fault {
    Fault::Value { key: field.key(), value: short(text), nearest: None, expected: expected.to_owned() }
}

fn operator_fault(field: Field, operator: Operator) -> Fault {
    Fault::Operator { key: field.key(), sign: operator.sign(), example: example(field) }
}

/// A text for a message.
pub(super) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A term of the field.
pub(super) const fn example(field: Field) -> &'static str {
    match field {
        Field::Name => "name:core*",
        Field::Vendor => "vendor:axis",
        Field::Model => "model:m30*",
        Field::Os => "os:linux",
        Field::Firmware => "firmware:9.80*",
        Field::Location => "location:\"hall 2\"",
        Field::Zone => "zone:lab",
        Field::Tag => "tag:lab",
        Field::Type => "type:camera",
        Field::Role => "role:gateway",
        Field::Category => "category:iot",
        Field::Verdict => "verdict:X-IDLE",
        Field::Importance => "importance:high",
        Field::Counts => "counts:yes",
        Field::Random => "random:yes",
        Field::Managed => "managed:yes",
        Field::Ip => "ip:10.20.0.0/24",
        Field::Mac => "mac:58-ac-78-*",
        Field::Vlan => "vlan:10",
        Field::Couplings => "couplings>1",
        Field::Seen => "seen<7d or seen:2026-11-22",
        Field::First => "first<2026-11-01",
    }
}
