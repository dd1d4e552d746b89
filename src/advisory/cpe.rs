//! Names of products in the form of CPE 2.3: `cpe:2.3:o:vendor:product:version:update:…`, thirteen parts, in which a
//! backslash takes the meaning from the next character.

use std::fmt;
use std::str::FromStr;

/// What a name is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    Application,
    OperatingSystem,
    Hardware,
}

/// One attribute of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Attribute {
    /// `*`: any value.
    Any,
    /// `-`: has none, or none is said.
    NotSaid,
    /// The text without its escapes, in lower case.
    Text(String),
    /// A text with a wildcard in it, which stands for several, as it is written.
    Pattern(String),
}

/// A name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cpe {
    pub part: Part,
    pub vendor: Attribute,
    pub product: Attribute,
    pub version: Attribute,
    pub update: Attribute,
    /// Edition, language, software edition, target software, target hardware, other.
    pub others: [Attribute; 6],
}

/// Not a name in this form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadCpe {
    #[error("a name does not begin with cpe:2.3:")]
    Prefix,
    #[error("a name does not have 13 parts")]
    Parts,
    #[error("the part of a name is not a, o or h")]
    Part,
    #[error("a name holds an empty or a control character")]
    Text,
}

impl FromStr for Cpe {
    type Err = BadCpe;

    fn from_str(text: &str) -> Result<Self, BadCpe> {
        let rest = text.strip_prefix("cpe:2.3:").ok_or(BadCpe::Prefix)?;
        let mut parts = Parts(Some(rest));
        let part = match parts.next() {
            Some("a") => Part::Application,
            Some("o") => Part::OperatingSystem,
            Some("h") => Part::Hardware,
            Some(_) => return Err(BadCpe::Part),
            None => return Err(BadCpe::Parts),
        };
        let mut next = || attribute(parts.next().ok_or(BadCpe::Parts)?);
        let cpe = Self {
            part,
            vendor: next()?,
            product: next()?,
            version: next()?,
            update: next()?,
            others: [next()?, next()?, next()?, next()?, next()?, next()?],
        };
        if parts.next().is_some() { Err(BadCpe::Parts) } else { Ok(cpe) }
    }
}

/// The parts between colons that no backslash stands before.
struct Parts<'t>(Option<&'t str>);

impl<'t> Iterator for Parts<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let text = self.0.take()?;
        let mut escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            if byte == b':' && !escaped {
                let (part, rest) = text.split_at_checked(at)?;
                self.0 = rest.get(1..);
                return Some(part);
            }
            escaped = byte == b'\\' && !escaped;
        }
        Some(text)
    }
}

fn attribute(text: &str) -> Result<Attribute, BadCpe> {
    match text {
        "*" => return Ok(Attribute::Any),
        "-" => return Ok(Attribute::NotSaid),
        "" => return Err(BadCpe::Text),
        _ => {}
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut wild = false;
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => chars.next().ok_or(BadCpe::Text)?,
            c => {
                wild |= matches!(c, '*' | '?');
                c
            }
        };
        if c.is_control() {
            return Err(BadCpe::Text);
        }
        out.extend(c.to_lowercase());
    }
    Ok(if wild { Attribute::Pattern(text.to_owned()) } else { Attribute::Text(out) })
}

impl Attribute {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Any | Self::NotSaid | Self::Pattern(_) => None,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::NotSaid => f.write_str("-"),
            Self::Pattern(text) => f.write_str(text),
            Self::Text(text) => {
                for c in text.chars() {
                    if !(c.is_alphanumeric() || c == '_' || text.len() > 1 && matches!(c, '.' | '-')) {
                        f.write_str("\\")?;
                    }
                    fmt::Write::write_char(f, c)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Cpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Application => 'a',
            Part::OperatingSystem => 'o',
            Part::Hardware => 'h',
        };
        write!(f, "cpe:2.3:{part}")?;
        let first = [&self.vendor, &self.product, &self.version, &self.update];
        first.into_iter().chain(&self.others).try_for_each(|attribute| write!(f, ":{attribute}"))
    }
}
