//! What the store refuses, and how it fails.

use super::views::VIEWS;
use sqlx::migrate::MigrateError;

use super::availability::is_away;
use super::zones::{ZONES, ZONES_OF_SENSOR};
use crate::billing::statement::StatementRefusal;
use crate::billing::timeline::PlanRefusal;
use crate::census::VALUE_BYTES;
use crate::change::ChangeRefusal;
use crate::estimate::COLUMNS;
use crate::plan::feed::FEEDS;
use crate::plan::mute::MUTES;
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
    /// The database does not answer at present.
    #[error("the database {place} is unavailable: {why}")]
    Away {
        /// Which, without a password.
        place: String,
        /// Why, and the next step.
        why: String,
    },
    /// The database cannot be opened until a person changes something.
    #[error("cannot open the database {place}: {why}")]
    Unusable {
        /// Which, without a password.
        place: String,
        /// Why, and the next step.
        why: String,
        /// Whether this user may not.
        denied: bool,
    },
    /// There is no database.
    #[error(
        "there is no database at {0}; name the service's with --database or NETCENSUS_PLAN_DATABASE, or make a new one: 'netcensus-plan serve' does at its first start, and 'netcensus-plan restore' from a backup"
    )]
    Missing(String),
    /// A file is not a backup.
    #[error("{file} is not a backup that can be restored: {why}; nothing was restored")]
    BadBackup {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// The path of a backup is not UTF-8.
    #[error("the backup's path must be UTF-8; choose another path")]
    BadPath,
    /// The server is too old.
    #[error("the database server is PostgreSQL {0}; install PostgreSQL 15 or newer")]
    OldServer(i32),
    /// A tool of the database failed.
    #[error("{name} failed: {why}; pg_dump and pg_restore are in the Debian package postgresql-client")]
    Tool {
        /// Which tool.
        name: &'static str,
        /// What it said.
        why: String,
    },
    /// A backup or a restore would overwrite a file or a database.
    #[error("{0} already exists or is not empty; name a new file or an empty database")]
    NotEmpty(String),
    /// The schema could not be brought up to date.
    #[error(
        "cannot bring the database's schema up to date: {0}; if a newer version wrote the database, run that version"
    )]
    Migration(#[from] MigrateError),
    /// This version cannot read a row.
    #[error("cannot read a row of the table {table}: {why}; update netcensus-plan, or restore a backup")]
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
    #[error("the {what} '{name}' already exists; choose another name")]
    Taken {
        /// Its kind.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The name is not usable.
    #[error("a name has 1 to {0} characters, none of them a control character")]
    BadName(usize),
    /// A person, or everybody, has too many saved views.
    #[error("there may be {VIEWS} saved views of one's own and {VIEWS} shared ones; delete one first")]
    TooManyViews,
    /// There are too many mute rules.
    #[error("there may be {MUTES} mute rules in force; end one first")]
    TooManyMutes,
    /// There are too many feeds.
    #[error("there may be {FEEDS} feeds of indicators; delete one first")]
    TooManyFeeds,
    /// A change of alerts cannot be undone.
    #[error("change {number} of alerts cannot be undone: {why}")]
    AlertUndo {
        /// Its number.
        number: u64,
        /// Why.
        why: String,
    },
    /// The timeline refuses.
    #[error(transparent)]
    Refused(#[from] PlanRefusal),
    /// A change of the inventory is refused.
    #[error(transparent)]
    Change(#[from] ChangeRefusal),
    /// Statements, prices and corrections refuse.
    #[error(transparent)]
    Statement(#[from] StatementRefusal),
    /// The enrolment secret is not valid.
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
    /// The subscription's inventory has reached its limit.
    #[error(
        "the subscription has {0} couplings and stations, which is the limit; find out who floods its sensors, or split the site into several subscriptions"
    )]
    Full(usize),
    /// The facts of the subscription take as much memory as they may.
    #[error(
        "what the subscription's devices said takes {} MiB, which is the limit (limits.subscription); find out who floods its sensors, or raise the limit",
        .0 >> 20
    )]
    Heavy(usize),
    /// The subscription has as many zones as it may.
    #[error(
        "the subscription has {ZONES} zones, which is the limit; name one of them as 'zone' in the sensor's configuration, or split the site into several subscriptions"
    )]
    ZonesFull,
    /// The sensor uploaded to as many zones as it may.
    #[error(
        "this sensor uploaded to {ZONES_OF_SENSOR} zones, which is the limit; if the appliance was moved, enrol it again"
    )]
    SensorZonesFull,
    /// The upload's sequence number is out of range.
    #[error("the sequence number {0} is out of range: sequence numbers start at 1")]
    BadSequence(u64),
    /// A change of people, roles, tokens or sign-ins is refused.
    #[error(transparent)]
    Access(#[from] AccessRefusal),
    /// No snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The columns of a list cannot be remembered.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The caller must say which state of the resource they have seen, and did not.
    #[error(
        "the header If-Match is missing; get the resource and send its ETag, so that you do not overwrite another person's change"
    )]
    Unconditional,
    /// Somebody changed it since the caller saw it.
    #[error(
        "the resource was changed after you got it; get it again and check whether your change is still right"
    )]
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

impl StoreError {
    /// Whether the database is away, rather than that a statement is wrong.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Database(error) => is_away(error),
            Self::Migration(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                is_away(error)
            }
            _ => false,
        }
    }
}

/// Why a change of people, roles, tokens or sign-ins is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessRefusal {
    /// Nobody would own the subscription.
    #[error("{0} is the subscription's only owner; bind the role O for another person first")]
    LastOwner(String),
    /// A person who is named in them has seen the roles that global admins gave.
    #[error(
        "you gave or got one of these roles yourself; another owner must confirm that they have seen them"
    )]
    OwnGrant,
    /// The installation would have no global admin.
    #[error("{0} is the only global admin who can sign in; create another first")]
    LastAdmin(String),
    /// The role is not one of a subscription.
    #[error("global admin is a role on the whole installation, not on a subscription; bind R, SA, C or O")]
    TenantRole,
    /// A bound is reached.
    #[error("there are already {most} {what}, which is the limit; remove some that nobody uses")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: i64,
    },
    /// A token would live too long or not at all.
    #[error("a token's life must be 1 to {0} days")]
    TokenLife(i64),
    /// The new token would permit more than the token that makes it.
    #[error(
        "the new token would permit more than the token that you use; limit its role, subscription or life"
    )]
    WiderToken,
    /// The current password is incorrect.
    #[error("the current password is incorrect; type it again, or ask a global admin for a new one")]
    WrongPassword,
    /// The identity provider's person has the name of somebody else here.
    #[error(
        "the name '{name}' belongs to another account of this service. If it is yours, ask a global admin to link it to your subject '{subject}' at the identity provider ('netcensus-plan user relink'); otherwise change the name there"
    )]
    NameOfAnother {
        /// The name.
        name: String,
        /// The person's subject at the provider.
        subject: String,
    },
    /// The subject belongs to another account.
    #[error(
        "this subject of the identity provider belongs to the account '{0}'; relink that one first, or check the subject"
    )]
    SubjectOfAnother(String),
    /// The subject or the issuer is not usable.
    #[error("an issuer and a subject have 1 to 255 bytes, none of them a control character")]
    BadSubject,
    /// The configuration names no provider, and the request does not either.
    #[error("no identity provider is configured; name its issuer URL")]
    NoIssuer,
    /// The identity provider's person is disabled here.
    #[error("the account {0} is disabled; ask a global admin to enable it")]
    Disabled(String),
}

/// Why a snapshot is not sealed or not found.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// The day is not over.
    #[error("{day} is not over; seal it at {} or later", .day.end())]
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
