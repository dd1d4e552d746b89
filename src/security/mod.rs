//! Alerts and recommendations: what follows from the conduct of stations ([`crate::census::conduct`]).
//!
//! **Pure.** [`derive()`] is the only way to one. An alert rests on a part that never takes back what it said, the deeds, and on
//! a part that may: what the device is, what its addresses answer, which rules are on. The texts, severities and scopes are
//! data (`config/findings/*.toml`), which an operator's folder changes ([`load`], the only function that reads files).

mod advised;
mod alert;
mod asking;
mod attacks;
mod cards;
mod certificate;
mod compiled;
mod control;
mod derive;
mod entry;
mod feed;
mod flood;
mod folder;
#[cfg(test)]
mod hint_tests;
mod indicator;
mod newcomer;
pub mod ocsf;
mod posture;
mod ruleset;
#[cfg(test)]
mod tests;

pub use self::advised::{Advised, Posture, recommend};
pub use self::alert::{
    Alert, AlertId, BadAlertId, Proof, Recommendation, Security, Severity, Standing, Unhealthy,
};
pub use self::compiled::{BadCompiled, COMPILED_BYTES, Compiled, Compiler, Labels, compile};
pub use self::derive::{FeedHolders, derive, indicators_hit};
pub use self::feed::{BadFeed, FEED_BYTES, FeedReport};
pub use self::folder::{RulesetError, load};
#[doc(hidden)]
pub use self::indicator::check_indicator;
pub use self::indicator::{INDICATORS, Indicators, LISTED, covering, label_of};
pub use self::ruleset::{AlertRule, BadRuleset, RecommendationRule, Ruleset, Scope};
