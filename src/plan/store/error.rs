//! What the store refuses, and how it fails.

use sqlx::migrate::MigrateError;

use crate::billing::statement::StatementRefusal;
use crate::billing::timeline::PlanRefusal;
use crate::census::VALUE_BYTES;
use crate::change::ChangeRefusal;
use crate::estimate::COLUMNS;
use crate::plan::secret::{BadPassword, NoRandomness};
use crate::proof::bundle::HEADERS;
use crate::proof::{Day, Span};

/// The most tables whose columns a subscription remembers.
pub const MAPPINGS: usize = 256;

/// What the store refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A backup's path cannot be given to the database.
    #[error("the path is no UTF-8, which the database needs; choose another")]
    BadPath,
    /// The server is too old.
    #[error("the database server is PostgreSQL {0}; 15 or newer is needed")]
    OldServer(i32),
    /// A tool of the database failed.
    #[error("{name} failed: {why}; it comes with the Debian package postgresql-client")]
    Tool {
        /// Which tool.
        name: &'static str,
        /// What it said.
        why: String,
    },
    /// A restore would overwrite something.
    #[error("{0} holds something already; restore into an empty place, then point the configuration at it")]
    NotEmpty(String),
    /// The schema could not be brought up to date.
    #[error("the database's schema cannot be brought up to date: {0}; was it written by a newer version?")]
    Migration(#[from] MigrateError),
    /// A row holds what this version cannot read.
    #[error("the table {table} holds a row that this version cannot read: {why}; restore a backup or update")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No such thing.
    #[error("there is no {what} '{id}'")]
    NotFound {
        /// Its kind.
        what: &'static str,
        /// Its id, as asked.
        id: String,
    },
    /// The name is taken.
    #[error("the {what} '{name}' exists already; choose another name")]
    Taken {
        /// Its kind.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The name is not usable.
    #[error("a name has 1 to {0} characters, none of them a control character")]
    BadName(usize),
    /// The timeline refuses.
    #[error(transparent)]
    Refused(#[from] PlanRefusal),
    /// A change of the inventory is refused.
    #[error(transparent)]
    Change(#[from] ChangeRefusal),
    /// Statements, prices and corrections refuse.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// The enrolment secret is not good.
    #[error(
        "the enrolment token is unknown, used or expired; make a new one with 'netcensus-plan sensor token'"
    )]
    BadEnrolment,
    /// No plan is in effect (P7).
    #[error(
        "no plan is in effect for this subscription, so uploads are refused; onboard a plan and send again"
    )]
    NoPlan,
    /// The upload's name was used for other content.
    #[error(
        "upload {epoch}/{sequence} was stored with other content; a sensor must start a new epoch to resend"
    )]
    UploadConflict {
        /// Its epoch.
        epoch: String,
        /// Its sequence number.
        sequence: u64,
    },
    /// The subscription holds as many couplings and stations as it may.
    #[error(
        "the subscription holds {0} couplings and stations, which is all it may; split the site into subscriptions, or find out who floods its sensors"
    )]
    Full(usize),
    /// The upload's sequence number is out of range.
    #[error("the sequence number {0} is out of range; it counts from 1")]
    BadSequence(u64),
    /// What concerns people, roles, tokens and sign-ins.
    #[error(transparent)]
    Access(#[from] AccessRefusal),
    /// No snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The columns of a list cannot be remembered.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The change does not say what it is based on.
    #[error("get it first, then send its ETag as If-Match, so that nobody's change is overwritten")]
    Unconditional,
    /// Somebody changed it since the caller saw it.
    #[error("it was changed since you got it; get it again and look whether your change still fits")]
    Stale {
        /// Its entity tag now.
        current: String,
    },
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The password is not accepted.
    #[error(transparent)]
    BadPassword(#[from] BadPassword),
}

/// What is refused about people, roles, tokens and sign-ins.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessRefusal {
    /// Nobody would own the subscription.
    #[error("{0} is the subscription's only owner; bind the role O for another person first")]
    LastOwner(String),
    /// Nobody would administer the tenant.
    #[error("{0} is the only global admin who can sign in; create another first")]
    LastAdmin(String),
    /// The role is not one of a subscription.
    #[error("global admin is a role of the tenant, not of a subscription; bind R, SA, C or O")]
    TenantRole,
    /// A bound is reached.
    #[error(
        "there are {most} {what} already, which is all there may be; end or revoke some that nobody uses"
    )]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: i64,
    },
    /// A token would live too long or not at all.
    #[error("a token lives 1 to {0} days; choose a number between")]
    TokenLife(i64),
    /// A token would do more than the one that makes it.
    #[error(
        "the token with which you ask is kept to less than the new one; name a narrower role, subscription or life"
    )]
    WiderToken,
    /// The present password is another.
    #[error("the present password is another; type it again, or ask a global admin for a new one")]
    WrongPassword,
    /// The identity provider's person has the name of somebody else here.
    #[error(
        "the name '{0}' belongs to another person here; have the identity provider give another, or rename that person's account there"
    )]
    NameOfAnother(String),
    /// The identity provider's person is disabled here.
    #[error("{0} is disabled here; ask a global admin")]
    Disabled(String),
}

/// Why a snapshot is not sealed or not found.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// The day is not over.
    #[error("{day} is not over; you can seal it from {} on", .day.end())]
    DayNotOver { day: Day },
    /// The subscription did not exist on that day.
    #[error("the subscription did not exist on {0}; ask for a later day")]
    BeforeSubscription(Day),
    /// There is no such snapshot.
    #[error(
        "there is no snapshot of {0}; a day with a plan in effect is sealed ten minutes after its end, other days only on request"
    )]
    NoSnapshot(String),
    /// The chain between the days is too long.
    #[error("the chain from {} to {} has {headers} headers, but a bundle has at most {HEADERS}; export fewer days", .days.from, .days.to)]
    TooManyHeaders { days: Span, headers: i64 },
}

/// Why columns cannot be remembered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MappingError {
    #[error("a signature has 64 hex digits; an estimate of the table contains it")]
    BadSignature,
    #[error("a mapping names 1 to {COLUMNS} headers of 1 to {VALUE_BYTES} bytes each")]
    BadColumns,
    #[error(
        "the columns of {MAPPINGS} tables are remembered, which is the limit; delete one that is no longer used"
    )]
    TooMany,
}
