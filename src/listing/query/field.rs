//! The fields that a query can ask for, and how they are compared.

/// A field of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Name,
    Vendor,
    Model,
    Os,
    Firmware,
    Location,
    Zone,
    Tag,
    Type,
    Role,
    Category,
    Verdict,
    Importance,
    Counts,
    Random,
    Managed,
    Ip,
    Mac,
    Vlan,
    Couplings,
    Seen,
    First,
}

impl Field {
    /// All fields, in the order of the documentation.
    pub(crate) const ALL: [Self; 22] = [
        Self::Name,
        Self::Vendor,
        Self::Model,
        Self::Os,
        Self::Firmware,
        Self::Location,
        Self::Zone,
        Self::Tag,
        Self::Type,
        Self::Role,
        Self::Category,
        Self::Verdict,
        Self::Importance,
        Self::Counts,
        Self::Random,
        Self::Managed,
        Self::Ip,
        Self::Mac,
        Self::Vlan,
        Self::Couplings,
        Self::Seen,
        Self::First,
    ];

    /// The word before the operator.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::Os => "os",
            Self::Firmware => "firmware",
            Self::Location => "location",
            Self::Zone => "zone",
            Self::Tag => "tag",
            Self::Type => "type",
            Self::Role => "role",
            Self::Category => "category",
            Self::Verdict => "verdict",
            Self::Importance => "importance",
            Self::Counts => "counts",
            Self::Random => "random",
            Self::Managed => "managed",
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Vlan => "vlan",
            Self::Couplings => "couplings",
            Self::Seen => "seen",
            Self::First => "first",
        }
    }

    /// The word for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Verdict => "Verdict",
            Self::Vendor => "Vendor",
            Self::Type => "Type",
            Self::Zone => "Zone",
            other => other.key(),
        }
    }

    /// By its word in any case, or by the name of its column in files.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let key = match name.as_str() {
            "last_seen" => "seen",
            "first_seen" => "first",
            "random_mac" => "random",
            "counted" => "counts",
            "tags" => "tag",
            "roles" => "role",
            "address" => "ip",
            "system" => "os",
            other => other,
        };
        Self::ALL.into_iter().find(|field| field.key() == key)
    }

    /// Whether it is a number or an instant, so that `<` and `>` compare it.
    pub(super) const fn has_order(self) -> bool {
        matches!(self, Self::Couplings | Self::Seen | Self::First)
    }

    /// Whether `:` asks for a part of the text. Of other texts it asks for the whole.
    pub(super) const fn is_prose(self) -> bool {
        matches!(self, Self::Name | Self::Vendor | Self::Model | Self::Os | Self::Firmware | Self::Location)
    }

    /// Whether its values are keys of the taxonomy: words joined by `_`.
    pub(super) const fn is_key(self) -> bool {
        matches!(self, Self::Type | Self::Role)
    }
}

/// What stands between a field and its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operator {
    /// `:`
    Has,
    /// `=`
    Is,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Operator {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Has => ":",
            Self::Is => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether it asks for equality.
    pub(super) const fn is_equal(self) -> bool {
        matches!(self, Self::Has | Self::Is)
    }

    pub(super) fn holds<T: Ord>(self, a: T, b: T) -> bool {
        match self {
            Self::Has | Self::Is => a == b,
            Self::Less => a < b,
            Self::AtMost => a <= b,
            Self::More => a > b,
            Self::AtLeast => a >= b,
        }
    }
}
