//! Errors as `application/problem+json` (RFC 9457). Types are stable: a program may switch on them.

use axum::extract::multipart::MultipartError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::classify::RuleError;
use crate::estimate::FileError;
use crate::listing::{BadCursor, BadList};
use crate::plan::app::Refusal as AppRefusal;
use crate::plan::oidc::ProviderError;
use crate::plan::store::{AccessRefusal, MappingError, SnapshotError, StoreError};
use crate::security::BadFeed;
use crate::wire::BadUpload;

macro_rules! problems {
    ($($variant:ident = $slug:literal, $status:literal, $title:literal, $help:literal;)*) => {
        /// The types of problem.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ProblemType { $(#[doc = $title] $variant,)* }

        impl ProblemType {
            /// All types.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The last part of the type's URI `/problems/<slug>`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            /// The status of the answer.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// A summary in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The next step.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

problems! {
    InvalidRequest = "invalid-request", 400, "The request cannot be read",
        "Compare the request with /openapi.json; the detail names the place.";
    Unauthenticated = "unauthenticated", 401, "Nobody is signed in",
        "Sign in, or send a token that 'netcensus-plan token create' made as 'Authorization: Bearer nct_…'.";
    BadSensorKey = "bad-sensor-key", 401, "The sensor's key is not valid",
        "The key is unknown or revoked. Make a new enrolment token and run 'netcensus-sensor enrol TOKEN'.";
    BadSignature = "bad-signature", 401, "The request is not signed by the sensor",
        "Every upload is signed by the key pair that the sensor made when it enrolled. Update the sensor, or enrol it again.";
    NotPermitted = "not-permitted", 403, "Your role does not permit this",
        "The answer names the roles that may do this. Ask an owner of the subscription for one of them.";
    CrossSite = "cross-site", 403, "The request came from another site",
        "A signed-in browser may change things only from this service's own pages. Programs use a token.";
    NotFound = "not-found", 404, "Not found",
        "Check the id. The answer is the same if it exists but you may not see it.";
    MethodNotAllowed = "method-not-allowed", 405, "This address does not support the method",
        "See /openapi.json for the methods of each address.";
    Taken = "name-taken", 409, "The name is taken", "Choose another name.";
    TooLarge = "too-large", 413, "The body is too large",
        "An upload has at most 4 MiB compressed and 64 MiB in all, other bodies 64 KiB. Send it in parts.";
    Timeout = "timeout", 503, "The request took too long",
        "Wait for the number of seconds in the header Retry-After, then send it again. What was acknowledged is safe.";
    InvalidName = "invalid-name", 422, "The name cannot be used", "The detail says what a valid name is.";
    TermsNotAccepted = "terms-not-accepted", 422, "The terms are not accepted",
        "A plan is onboarded only when the terms are accepted (P1).";
    NumberForTrial = "number-for-trial", 422, "A trial has no number of devices",
        "A trial covers any number of devices (P1). Leave the number out.";
    NumberMissing = "number-missing", 422, "The number of devices is missing",
        "Monthly and annual plans need a number to commit to (P1). The census proposes one.";
    NumberNotMultiple = "number-not-multiple", 422, "The number is not a positive multiple of 100",
        "Round it up (P2): the answer's member 'next' has the next multiple.";
    NumberTooLarge = "number-too-large", 422, "The number of devices is too large",
        "Commit at most 1000000000 devices.";
    PlanActive = "plan-active", 409, "A plan is already in effect",
        "A subscription has one plan (P1). Cancel it; it ends an hour later, and then a new one can start.";
    NoPlan = "no-plan", 409, "No plan is in effect", "Onboard a plan first.";
    PlanCancelled = "plan-cancelled", 409, "The plan is already cancelled",
        "It ends one hour after it was cancelled (P5). Until then the cancellation can be withdrawn.";
    PlanNotCancelled = "plan-not-cancelled", 409, "The plan is not cancelled", "There is nothing to withdraw.";
    PlanBooked = "plan-booked", 409, "A successor is already booked",
        "Only one plan can be booked to follow the plan in effect. Withdraw it, then replace the plan again.";
    FindingsWithheld = "findings-withheld", 403, "Alerts, recommendations and vulnerabilities are withheld",
        "They are part of a plan (P7). Onboard one, and they are derived of everything that was collected. The inventory and the count stay as they are.";
    PlanHistoryFull = "plan-history-full", 409, "The subscription has too many plans",
        "A subscription has at most 10000 plans, including those that ended. Create another subscription.";
    StatementNotClosed = "statement-not-closed", 409, "The statement is not closed",
        "Only closed statements take corrections. A statement closes 72 hours after the end of its month (P9).";
    StatementLineUnknown = "statement-line-unknown", 422, "The statement has no such line",
        "Read the statement: each line has its number.";
    CorrectionOfCorrection = "correction-of-correction", 422, "The line is itself a correction",
        "Correct the original line again. Earlier corrections are taken into account.";
    CorrectionOfTrial = "correction-of-trial", 422, "The line belongs to a trial", "A trial is never charged (P1).";
    CorrectionChangesNothing = "correction-changes-nothing", 422, "The correction changes nothing",
        "Send a value that differs from the one that was charged: committed, seconds or price.";
    CorrectionSeconds = "correction-seconds", 422, "The number of seconds is out of range",
        "Send at least 0 and at most the seconds of the line's service period.";
    CorrectionCurrency = "correction-currency", 422, "The correction is in another currency",
        "A line is corrected in the currency in which it was charged.";
    CorrectionReason = "correction-reason", 422, "The correction has no valid reason",
        "Give a reason of 1 to 200 characters.";
    CorrectionsFull = "corrections-full", 409, "The statement has too many corrections",
        "A statement has at most 1000 corrections. Make the others next month.";
    PriceTooHigh = "price-too-high", 422, "The price is out of range",
        "A device-month costs at most 1000000 units of the currency, which is 1000000000000 millionths.";
    PriceInClosed = "price-in-closed-statement", 409, "The price would change a closed statement",
        "A closed statement never changes (P9). Set the price from the answer's member 'from' or later, and correct the statement.";
    PricesFull = "prices-full", 409, "The subscription has too many prices",
        "A subscription has at most 1000 prices, including former prices.";
    PlanNotInEffect = "plan-not-in-effect", 403, "Uploads are refused: no plan is in effect",
        "Onboard a plan. The sensor keeps its spool and sends it again. Earlier data stays readable (P7).";
    BadEnrolment = "bad-enrolment", 403, "The enrolment token is not valid",
        "A token works once and for an hour. Make a new one with 'netcensus-plan sensor token'.";
    BadUploadBody = "bad-upload", 400, "The upload cannot be read",
        "An upload is zstd-compressed JSON of the schema netcensus.upload/1.";
    UploadSchema = "upload-schema", 400, "The upload has another schema",
        "The versions of sensor and service are too far apart. Update the older one.";
    UploadConflict = "upload-conflict", 409, "The upload's name was used for other content",
        "A name (sensor, epoch, sequence) belongs to one content. A sensor with a new spool must start a new epoch.";
    InventoryFull = "inventory-full", 507, "The subscription's inventory is full",
        "No part of the upload was stored, and the sensor keeps it. The usual cause is a flood of made-up devices.";
    ZonesFull = "zones-full", 507, "The subscription has too many zones",
        "A subscription has at most 256 zones. No part of the upload was stored, and the sensor keeps it.";
    SensorZonesFull = "sensor-zones-full", 507, "The sensor uploaded to too many zones",
        "A sensor uploads to at most 8 zones. No part of the upload was stored, and the sensor keeps it. Enrol an appliance that was moved again.";
    ZoneNameTaken = "zone-name-taken", 409, "The name belongs to another zone",
        "Two zones of one name would be one. To make them one zone, merge them; else choose another name.";
    InvalidPassword = "invalid-password", 422, "The password cannot be used",
        "A password has at least 12 characters and at most 256 bytes.";
    HttpsOnly = "https-only", 426, "The service speaks HTTPS at this address",
        "Write https:// instead of http:// in the address.";
    PreconditionRequired = "precondition-required", 428, "The request lacks the header If-Match",
        "Get the resource first, then send its ETag as If-Match.";
    PreconditionFailed = "precondition-failed", 412, "The resource was changed meanwhile",
        "Get the resource again and check it, then send your change with its new ETag: the answer's member 'etag'.";
    IdempotencyRunning = "idempotency-running", 409, "The request with this key is still running",
        "Send it again in a moment. Then the service returns the answer to the first request.";
    IdempotencyConflict = "idempotency-conflict", 422, "The Idempotency-Key was used for another request",
        "A key belongs to one request for 7 days. Choose a new key.";
    DayNotOver = "day-not-over", 409, "The day is not over",
        "A day is counted at its end, 24:00 UTC. Ask again then; for the present count, read the census.";
    InstantTooEarly = "instant-too-early", 422, "The subscription did not exist at that instant",
        "Ask for an instant at which the subscription existed: the answer's member 'from' has the first.";
    DayTooEarly = "day-too-early", 422, "The subscription did not exist on that day",
        "Ask for the day on which the subscription was created, or for a later day.";
    NoSnapshot = "no-snapshot", 404, "There is no such snapshot",
        "A day with a plan in effect is sealed ten minutes after its end. Other days are sealed on request: POST /snapshots/{day}.";
    BundleTooLarge = "bundle-too-large", 422, "The bundle would contain too many snapshots",
        "A bundle contains at most 4096 headers, because its chain has no gaps. Export the months one by one.";
    TooManyRequests = "too-many-requests", 429, "Too many requests",
        "Wait for the number of seconds in the header Retry-After.";
    Busy = "busy", 503, "The service has too much to do",
        "Wait for the number of seconds in the header Retry-After. What was acknowledged is safe.";
    MetricsElsewhere = "metrics-elsewhere", 403, "Metrics are shown on the service's machine only",
        "Read them there by http://127.0.0.1, or set 'token_file' in [metrics] of the service's configuration.";
    DatabaseAway = "database-unavailable", 503, "The database is unavailable",
        "Wait for the number of seconds in the header Retry-After. What was acknowledged is safe. The service's log has the cause.";
    LastOwner = "last-owner", 409, "The subscription would have no owner",
        "First bind the role O for another person.";
    OwnersOnly = "owners-only", 403, "Another owner must confirm this",
        "An owner who neither gave nor got one of the roles confirms that they have seen them.";
    LastAdmin = "last-admin", 409, "The installation would have no global admin",
        "Create another global admin first, or enable one.";
    TenantRole = "tenant-role", 422, "The role is for the whole installation",
        "On a subscription, bind R, SA, C or O. A person is made a global admin when they are created.";
    AccessFull = "access-full", 409, "The limit is reached",
        "An installation has at most 10000 people and 10000 sign-ins in progress, a person 100 tokens and 100 sessions. Remove those that nobody uses.";
    TokenLife = "token-life", 422, "The token's life is out of range", "A token lives 1 to 365 days.";
    WiderToken = "wider-token", 403, "The new token would permit more than yours",
        "Limit the new token's role, subscription or life, or sign in with a password.";
    WrongPassword = "wrong-password", 403, "The current password is incorrect",
        "Type the current password again, or ask a global admin for a new one.";
    SignInRefused = "sign-in-refused", 403, "The identity provider's answer is not accepted",
        "Start again at /login. The detail says what was wrong; the service's log says more.";
    ProviderUnavailable = "provider-unavailable", 502, "The identity provider is unavailable",
        "Try again in a minute. The service's log says what failed.";
    NoPasswords = "no-passwords", 403, "Passwords are not accepted here",
        "Sign in with the identity provider: 'local_passwords' is off in the service's configuration.";
    CursorMismatch = "cursor-mismatch", 400, "The cursor belongs to another list",
        "Send 'after' with the same filter, order and instant as the page that it came from, or start again without it.";
    UnknownDevice = "unknown-device", 422, "The request names a device that does not exist",
        "A device's id changes if its earliest coupling moves to another device. List the devices again.";
    TooFewDevices = "too-few-devices", 422, "The request names too few devices",
        "A merge needs at least two devices, other changes at least one.";
    TooManyDevices = "too-many-devices", 422, "The request names too many devices",
        "One change names at most 1000 devices and alters at most 20000 decisions. Send it in parts.";
    UnknownType = "unknown-type", 422, "The type is not in the taxonomy",
        "The detail names the type. Use a type of the list of devices, such as camera or switch.";
    InvalidProperty = "invalid-property", 422, "A property has an invalid value",
        "The detail says which values are valid. Null clears the property.";
    MergeCrossZone = "merge-cross-zone", 422, "Devices of different zones cannot be merged",
        "The same address in two zones belongs to two devices (I9). Merge within one zone.";
    DeviceDeleted = "device-deleted", 409, "The device is deleted",
        "First undo its deletion, or wait until it sends again.";
    InvalidSplit = "invalid-split", 422, "The couplings cannot be split off",
        "Name some of the device's own couplings, but not all of them.";
    SplitRefused = "split-refused", 409, "The addresses of one card cannot be split",
        "Couplings of the same card stay together (I8a, I8b, I8d). Name both couplings or neither.";
    InvalidEntry = "invalid-entry", 422, "An entry of the managed list cannot be used",
        "The detail says which entry, and what is wrong with it. Nothing was imported.";
    DoubtfulList = "doubtful-list", 409, "The managed list looks incomplete",
        "Nothing was replaced. The answer says what is wrong and what the list would do to entries and count. If it is right, send it again with 'force'.";
    UnreadableList = "unreadable-list", 422, "The list cannot be read",
        "Send the file unchanged: CSV with a header, or the JSON of the system's API. The detail says what is missing.";
    ManagedListTooLong = "managed-list-too-long", 422, "The managed list is too long",
        "A source has at most 200000 entries.";
    DecisionsFull = "decisions-full", 507, "The subscription has too many decisions",
        "Forget a managed list, or undo changes.";
    ChangeTouched = "change-touched", 409, "A later change altered the same objects",
        "The answer's member 'later' has the number of the later change. Undo that change first.";
    ChangeUndone = "change-undone", 409, "The change was already undone",
        "The answer's member 'by' has the number of the change that undid it, or that restored it. Undo that change.";
    ChangeBusy = "change-busy", 409, "Others are changing the inventory at the same time",
        "Send the request again.";
    ListUnreadable = "list-unreadable", 422, "A list of devices cannot be read",
        "The detail names the file and the next step. A file with a few bad rows is accepted: the report lists them.";
    ListTooLarge = "list-too-large", 413, "The lists of devices are too large",
        "An estimate takes at most 16 files with 16 MiB and 200,000 rows together, and 512 columns a table. Split the lists by site.";
    InvalidMapping = "invalid-mapping", 422, "The columns cannot be remembered",
        "Name at most 512 headers of at most 256 bytes each, spelled as in the table.";
    TooManyViews = "too-many-views", 409, "There are too many saved views",
        "A person has at most 50 views of a subscription, and a subscription has at most 50 shared ones. Delete one.";
    TooManyMutes = "too-many-mutes", 409, "There are too many mute rules",
        "A subscription has at most 1000 mute rules in force. End one that is no longer needed.";
    TooManyFeeds = "too-many-feeds", 409, "There are too many feeds of indicators",
        "A subscription has at most 64 feeds. Delete one that is no longer needed.";
    TooManyIndicators = "too-many-indicators", 409, "The feeds hold too many indicators",
        "The feeds of a subscription hold at most 2000000 indicators together, and their set at most 128 MiB. Nothing was changed. Delete a feed first.";
    UnreadableFeed = "unreadable-feed", 422, "The feed cannot be read",
        "The detail says what is wrong. Nothing was changed: the feed that was imported before stays.";
    AlertChangeStands = "alert-change-stands", 409, "The change of alerts cannot be undone",
        "It was undone already, or somebody decided about one of its alerts since. Decide about these alerts again instead.";
    TooManyMappings = "too-many-mappings", 409, "The columns of too many tables are remembered",
        "A subscription remembers the columns of 256 tables. Delete one that is no longer used.";
    Internal = "internal", 500, "The service failed",
        "The service's log has the cause. Acknowledged data is safe.";
}

/// A problem that happened.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its type.
    pub kind: ProblemType,
    /// What happened, and the next step.
    pub detail: String,
    extra: Map<String, Value>,
    /// Seconds after which the caller may try again: the header `Retry-After`.
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of that type.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), extra: Map::new(), retry_after: None }
    }

    /// That of a form that cannot be read: `too_large` if it is longer than it may be.
    #[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
    pub fn of_form(error: MultipartError, too_large: Self) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return too_large;
        }
        let text: String = error.body_text().chars().filter(|c| !c.is_control()).take(300).collect();
        Self::new(ProblemType::InvalidRequest, text)
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(member.to_owned(), value.into());
        self
    }

    /// Tells the caller to try again after some seconds.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Seconds after which the caller may try again.
    pub const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("/problems/{}", self.kind.slug()).into());
        body.insert("title".to_owned(), self.kind.title().into());
        body.insert("status".to_owned(), self.kind.status().into());
        body.insert("detail".to_owned(), self.detail.into());
        body.extend(self.extra);
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response =
            (status, [(header::CONTENT_TYPE, kind)], Value::Object(body).to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<AppRefusal> for Problem {
    fn from(refusal: AppRefusal) -> Self {
        use AppRefusal as Refusal;
        let detail = refusal.to_string();
        match refusal {
            Refusal::Store(error) => error.into(),
            Refusal::List(error) => error.into(),
            Refusal::File(error) => error.into(),
            Refusal::Upload(error) => error.into(),
            Refusal::Unauthenticated => Self::new(ProblemType::Unauthenticated, detail),
            Refusal::CrossSite => Self::new(ProblemType::CrossSite, detail),
            Refusal::NotPermitted { by_token: true, .. } => Self::new(ProblemType::NotPermitted, detail),
            Refusal::NotPermitted { action, .. } => {
                let roles: Vec<&str> = action.roles().iter().map(|r| r.key()).collect();
                Self::new(ProblemType::NotPermitted, detail).with("roles", roles)
            }
            Refusal::LimitedToken => Self::new(ProblemType::NotPermitted, detail),
            Refusal::OwnersOnly => Self::new(ProblemType::OwnersOnly, detail),
            Refusal::Hidden { .. } | Refusal::Unknown(_) => Self::new(ProblemType::NotFound, detail),
            Refusal::DoubtfulList(list) => {
                let doubts: Vec<String> = list.doubts.iter().map(ToString::to_string).collect();
                let problem = Self::new(ProblemType::DoubtfulList, detail).with("doubts", doubts);
                problem.with("entries", json!(list.entries)).with("count", json!(list.count))
            }
            Refusal::Feed(BadFeed::Large) => Self::new(ProblemType::TooLarge, detail),
            Refusal::Feed(_) => Self::new(ProblemType::UnreadableFeed, detail),
            Refusal::TooManyIndicators(_) => Self::new(ProblemType::TooManyIndicators, detail),
            Refusal::ManagedFile(_) => Self::new(ProblemType::UnreadableList, detail),
            Refusal::Invalid(_) => Self::new(ProblemType::InvalidRequest, detail),
            Refusal::Withheld(withheld) => {
                let problem = Self::new(ProblemType::FindingsWithheld, detail);
                match withheld.since {
                    Some(at) => problem.with("since", at.to_string()),
                    None => problem,
                }
            }
            Refusal::TooEarly { began, .. } => {
                Self::new(ProblemType::InstantTooEarly, detail).with("from", began.to_string())
            }
            Refusal::TooMany(seconds) => Self::new(ProblemType::TooManyRequests, detail).after(seconds),
            Refusal::Streams(_) => Self::new(ProblemType::TooManyRequests, detail).after(AWAY),
            Refusal::NotReady => Self::new(ProblemType::DatabaseAway, detail).after(AWAY),
            Refusal::Busy { seconds, .. } => Self::new(ProblemType::Busy, detail).after(seconds),
            Refusal::Provider(error) => error.into(),
            Refusal::SignIn(_) => Self::new(ProblemType::SignInRefused, detail),
            Refusal::BadLink | Refusal::BadSignInLink | Refusal::BadInvitation | Refusal::NoProvider => {
                Self::new(ProblemType::NotFound, detail)
            }
            Refusal::UnknownSensor => Self::new(ProblemType::BadSensorKey, detail),
            Refusal::Unsigned(_) => Self::new(ProblemType::BadSignature, detail),
            Refusal::NoPasswords => Self::new(ProblemType::NoPasswords, detail),
            Refusal::Rules(_) | Refusal::Defect(_) => {
                tracing::error!(error = %detail, "internal error");
                Self::new(ProblemType::Internal, INTERNAL)
            }
        }
    }
}

/// Seconds after which a request may be sent again that found no database or no room.
const AWAY: u64 = 5;

/// Only the log has the cause: it may name what the caller must not see.
const INTERNAL: &str = "internal error; the service's log has the cause";

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        AppRefusal::from(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = match &error {
            StoreError::NotFound { what: "person", .. } => {
                format!("{error}; check the name, or let a global admin create or invite them")
            }
            _ => error.to_string(),
        };
        let kind = match &error {
            StoreError::Refused(refusal) => return Self::from(refusal),
            StoreError::Statement(refusal) => return Self::from(refusal),
            StoreError::NotFound { .. } => ProblemType::NotFound,
            StoreError::Taken { .. } => ProblemType::Taken,
            StoreError::BadName(_) => ProblemType::InvalidName,
            StoreError::TooManyViews => ProblemType::TooManyViews,
            StoreError::TooManyMutes => ProblemType::TooManyMutes,
            StoreError::TooManyFeeds => ProblemType::TooManyFeeds,
            StoreError::AlertUndo { .. } => ProblemType::AlertChangeStands,
            StoreError::BadEnrolment => ProblemType::BadEnrolment,
            StoreError::NoPlan => ProblemType::PlanNotInEffect,
            StoreError::UploadConflict { .. } => ProblemType::UploadConflict,
            StoreError::BadSequence(_) => ProblemType::BadUploadBody,
            StoreError::Full(_) | StoreError::Heavy(_) => ProblemType::InventoryFull,
            StoreError::ZonesFull => ProblemType::ZonesFull,
            StoreError::SensorZonesFull => ProblemType::SensorZonesFull,
            StoreError::BadPassword(_) => ProblemType::InvalidPassword,
            StoreError::Access(refusal) => access_kind(refusal),
            StoreError::Snapshot(error) => match error {
                SnapshotError::DayNotOver { .. } => ProblemType::DayNotOver,
                SnapshotError::BeforeSubscription(_) => ProblemType::DayTooEarly,
                SnapshotError::NoSnapshot(_) => ProblemType::NoSnapshot,
                SnapshotError::TooManyHeaders { .. } => ProblemType::BundleTooLarge,
            },
            StoreError::Change(refusal) => return refusal.into(),
            StoreError::Unconditional => ProblemType::PreconditionRequired,
            StoreError::Stale { current } => {
                return Self::new(ProblemType::PreconditionFailed, detail).with("etag", current.as_str());
            }
            StoreError::Mapping(MappingError::TooMany) => ProblemType::TooManyMappings,
            StoreError::Mapping(_) => ProblemType::InvalidMapping,
            error if error.is_away() => {
                tracing::error!(%error, "the database is unavailable");
                let detail = "the database is unavailable; try again in a moment";
                return Self::new(ProblemType::DatabaseAway, detail).after(AWAY);
            }
            StoreError::Database(_)
            | StoreError::Away { .. }
            | StoreError::Unusable { .. }
            | StoreError::Missing(_)
            | StoreError::BadBackup { .. }
            | StoreError::Migration(_)
            | StoreError::BadPath
            | StoreError::OldServer(_)
            | StoreError::Tool { .. }
            | StoreError::NotEmpty(_)
            | StoreError::Corrupt { .. }
            | StoreError::NoRandomness(_) => {
                // Only the log has the cause: it may name what the caller must not see.
                tracing::error!(%error, "the store failed");
                return Self::new(ProblemType::Internal, "the service failed; its log tells why");
            }
        };
        Self::new(kind, detail)
    }
}

fn access_kind(refusal: &AccessRefusal) -> ProblemType {
    match refusal {
        AccessRefusal::LastOwner(_) => ProblemType::LastOwner,
        AccessRefusal::LastAdmin(_) => ProblemType::LastAdmin,
        AccessRefusal::TenantRole => ProblemType::TenantRole,
        AccessRefusal::OwnGrant => ProblemType::OwnersOnly,
        AccessRefusal::Full { .. } => ProblemType::AccessFull,
        AccessRefusal::TokenLife(_) => ProblemType::TokenLife,
        AccessRefusal::WiderToken => ProblemType::WiderToken,
        AccessRefusal::WrongPassword => ProblemType::WrongPassword,
        AccessRefusal::NameOfAnother { .. } | AccessRefusal::Disabled(_) => ProblemType::SignInRefused,
        AccessRefusal::SubjectOfAnother(_) => ProblemType::Taken,
        AccessRefusal::BadSubject | AccessRefusal::NoIssuer => ProblemType::InvalidName,
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        tracing::warn!(%error, cause = ?error, "a sign-in by the identity provider failed");
        let kind = match &error {
            ProviderError::Unavailable { .. } | ProviderError::Settings(_) => {
                ProblemType::ProviderUnavailable
            }
            ProviderError::Code(_)
            | ProviderError::Token(_)
            | ProviderError::Time(_)
            | ProviderError::Claims(_) => ProblemType::SignInRefused,
        };
        // The cause may name internal hosts, so only the log has it.
        let detail = match kind {
            ProblemType::ProviderUnavailable => {
                "the identity provider is unavailable; try again in a minute".to_owned()
            }
            _ => error.to_string(),
        };
        Self::new(kind, detail)
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        let kind = match error {
            FileError::TooLarge { .. }
            | FileError::TooManyRows { .. }
            | FileError::TooManyColumns { .. }
            | FileError::TooManyFiles => ProblemType::ListTooLarge,
            FileError::BadMapping(_) => ProblemType::InvalidMapping,
            _ => ProblemType::ListUnreadable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<BadList> for Problem {
    fn from(error: BadList) -> Self {
        let kind = match error {
            BadList::Cursor(BadCursor::OtherList) => ProblemType::CursorMismatch,
            _ => ProblemType::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<BadUpload> for Problem {
    fn from(error: BadUpload) -> Self {
        let kind = match error {
            BadUpload::Compression(_) | BadUpload::Format(_) => ProblemType::BadUploadBody,
            BadUpload::Schema(_) => ProblemType::UploadSchema,
            BadUpload::TooLarge => ProblemType::TooLarge,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_slug_and_an_error_status() {
        for (i, kind) in ProblemType::ALL.iter().enumerate() {
            assert!((400..600).contains(&kind.status()), "{}", kind.slug());
            assert!(ProblemType::ALL.iter().skip(i + 1).all(|o| o.slug() != kind.slug()));
        }
    }
}
