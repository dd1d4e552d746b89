//! One condition of a query, and how it is written.

use std::fmt;
use std::net::IpAddr;

use super::field::{Field, Operator};
use super::value;
use crate::census::{Category, Importance, MacAddr, Prefix, Timestamp, Verdict};
use crate::wire::Subject;

/// One condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Term {
    /// Something that a device is found by has this part, in lower case.
    Word(String),
    /// The same, or a coupling has the address or the MAC that the word spells in another way.
    Spelled(String, Subject),
    /// A text of the device matches.
    Text(Field, Pattern),
    Category(Category),
    Verdict(Verdict),
    Importance(Importance),
    /// [`Field::Counts`], [`Field::Random`] or [`Field::Managed`].
    Flag(Field, bool),
    /// A coupling's address is in the prefix.
    Ip(Prefix),
    /// A coupling's MAC begins so.
    Mac(MacStart),
    /// A frame of a coupling had this VLAN id; `None`: no frame had any.
    Vlan(Option<u16>),
    /// The number of couplings.
    Couplings(Operator, u32),
    /// [`Field::Seen`] or [`Field::First`].
    Time(Field, Operator, When),
}

/// What a text is compared with; in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Pattern {
    /// The text contains it.
    Part(String),
    /// The text is this.
    Whole(String),
    /// The text has these pieces in order, with anything between two; it begins with the first and ends with the last. At
    /// least two; only the first and the last may be empty.
    Pieces(Vec<String>),
}

/// How a MAC begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MacStart {
    /// The other digits are 0.
    pub(super) mac: MacAddr,
    /// Hexadecimal digits, 1 to 12.
    pub(super) digits: u8,
}

/// An instant of a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    /// So many seconds before the instant of the list.
    Ago(i64),
    /// The UTC day that begins then.
    Day(Timestamp),
    At(Timestamp),
}

/// The words between terms.
pub(super) const KEYWORDS: [&str; 3] = ["not", "and", "or"];

/// Units of spans in seconds, longest first.
pub(super) const UNITS: [(i64, &str); 5] = [(604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) if is_plain(word) && !is_reserved(word) => f.write_str(word),
            Self::Word(word) => write!(f, "\"{}\"", escaped(word, false)),
            Self::Spelled(word, _) => f.write_str(word),
            Self::Text(field, Pattern::Whole(text)) if !field.is_prose() => {
                write!(f, "{}:{}", field.key(), quoted(text))
            }
            Self::Text(field, pattern) => write!(f, "{}{pattern}", field.key()),
            Self::Category(category) => write!(f, "category:{}", category.key()),
            Self::Verdict(verdict) => write!(f, "verdict:{}", verdict.id()),
            Self::Importance(importance) => write!(f, "importance:{}", importance.key()),
            Self::Flag(field, is) => write!(f, "{}:{}", field.key(), if *is { "yes" } else { "no" }),
            Self::Ip(prefix) if prefix.length() == bits(prefix.address()) => {
                write!(f, "ip:{}", prefix.address())
            }
            Self::Ip(prefix) => write!(f, "ip:{prefix}"),
            Self::Mac(start) => write!(f, "mac:{start}"),
            Self::Vlan(Some(id)) => write!(f, "vlan:{id}"),
            Self::Vlan(None) => f.write_str("vlan:none"),
            Self::Couplings(operator, number) => write!(f, "couplings{}{number}", operator.sign()),
            Self::Time(field, operator, when) => write!(f, "{}{}{when}", field.key(), operator.sign()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(text) => write!(f, ":{}", quoted(text)),
            Self::Whole(text) => write!(f, "={}", quoted(text)),
            Self::Pieces(pieces) if pieces.iter().all(|piece| piece.is_empty() || is_plain(piece)) => {
                write!(f, ":{}", pieces.join("*"))
            }
            Self::Pieces(pieces) => {
                let pieces: Vec<String> = pieces.iter().map(|piece| escaped(piece, true)).collect();
                write!(f, ":\"{}\"", pieces.join("*"))
            }
        }
    }
}

impl fmt::Display for MacStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.mac.to_string();
        let digits = usize::from(self.digits);
        let end = digits + digits.saturating_sub(1) / 2;
        write!(f, "{}{}", text.get(..end).unwrap_or(&text), if digits < 12 { "*" } else { "" })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(seconds) => {
                let fits = |(length, _): &&(i64, &str)| seconds % length == 0;
                let (length, unit) = UNITS.iter().find(fits).copied().unwrap_or((1, "s"));
                write!(f, "{}{unit}", seconds / length)
            }
            Self::Day(start) => {
                let text = start.to_string();
                f.write_str(text.split('T').next().unwrap_or(&text))
            }
            Self::At(at) => at.fmt(f),
        }
    }
}

impl Term {
    /// That a text of the device is `value`, in any case.
    pub(crate) fn exactly(field: Field, value: &str) -> Self {
        Self::Text(field, Pattern::Whole(value.to_lowercase()))
    }
}

impl Pattern {
    /// Whether a text matches; both in lower case.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Part(part) => text.contains(part.as_str()),
            Self::Whole(whole) => text == whole,
            Self::Pieces(pieces) => {
                let [first, between @ .., last] = pieces.as_slice() else { return false };
                let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
                for piece in between {
                    let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
                    rest = after;
                }
                rest.ends_with(last.as_str())
            }
        }
    }
}

impl MacStart {
    /// The whole MAC.
    pub(super) const fn whole(mac: MacAddr) -> Self {
        Self { mac, digits: 12 }
    }

    pub(super) fn begins(self, mac: MacAddr) -> bool {
        let bits = |MacAddr([a, b, c, d, e, f]): MacAddr| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let behind = 4 * (12 - u32::from(self.digits.min(12)));
        bits(mac) >> behind == bits(self.mac) >> behind
    }
}

/// The bits of an address.
pub(super) const fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Whether a text can be written without quotation marks.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '+' | '#' | '&');
    !text.is_empty() && text.chars().all(plain)
}

/// Whether a plain word would be read as something else.
fn is_reserved(word: &str) -> bool {
    KEYWORDS.contains(&word) || value::special(word).is_some()
}

/// A text as a value: in quotation marks if it has to be.
pub(super) fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("\"{}\"", escaped(text, true)) }
}

/// A text within quotation marks; `*` is a sign like others unless it is escaped in a value.
fn escaped(text: &str, is_value: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\') || is_value && c == '*' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
