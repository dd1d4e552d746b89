//! Signing in by an identity provider: OpenID Connect, authorization code with PKCE, state and nonce.
//!
//! ```text
//! /login/oidc ─► state, nonce, verifier kept ─► provider's page ─► /login/oidc/callback ─► code → identity token
//!                                                                     │ signature, issuer, audience, time, nonce
//!                                                                     └─► (issuer, subject) is who it is; groups → roles
//! ```
//!
//! The identity is the pair of issuer and subject. A name or an e-mail alone gets nobody in. Groups that the provider does not
//! tell are not "no groups": the person keeps their roles, see [`Groups`].

mod claims;
mod groups;
mod provider;
mod settings;
mod times;

pub use claims::Identity;
pub use groups::{Groups, Untold};
pub use provider::{Begun, Provider, ProviderError};
pub use settings::{GroupSetting, MissingGroups, OidcSettings};
pub use times::BadTime;
