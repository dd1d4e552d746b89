//! The client of the plan service: enrolment, and one upload at a time.
//!
//! [`delivery`](super::delivery) decides about retries. The client speaks HTTPS, or plain HTTP to a loopback address; it
//! follows no redirects, uses the configured proxy, and limits the size of every answer. It signs every upload
//! ([`crate::wire::signature`]) and checks the service's certificate (`trust`).

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::identity::Identity;
use super::route::{BadProxy, Route};
use super::signing::{SignatureHeaders, SigningKey};
use super::trust;
use crate::census::Timestamp;
use crate::wire::signature::Purpose;
use crate::wire::{EnrolRequest, EnrolResponse, EnrolmentToken, Fingerprint, Replaced, UploadReceipt};

/// The media type of an upload's body.
pub const MEDIA_TYPE: &str = "application/vnd.netcensus.upload+json";
const ENROL: &str = "/api/v1/enrol";
const ANSWER_BYTES: usize = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);
/// A slow link needs more time: an upload gets one more second for each so many bytes.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// Why an upload or an enrolment failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UploadError {
    /// The service's URL cannot be used.
    #[error(
        "'{url}' is not a plan service's URL; it must begin with https://, or with http:// and a loopback address"
    )]
    Address {
        /// The URL.
        url: String,
    },
    /// The proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// The service did not answer.
    #[error("cannot reach the plan service {url}: {reason}; check the network and whether the service runs")]
    Unreachable {
        /// The base URL.
        url: String,
        /// What failed.
        reason: String,
    },
    /// The server's certificate is not the service's.
    #[error("{url} is not the plan service that this sensor trusts: {reason}; nothing was sent")]
    Certificate {
        /// The base URL.
        url: String,
        /// What is wrong with its certificate, and the next step.
        reason: String,
    },
    /// The service cannot accept it now.
    #[error("the plan service answered {status}: {detail}; the sensor will retry")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// What the service says.
        detail: String,
        /// When to retry, if the service says so.
        retry_after: Option<Duration>,
    },
    /// The service does not know this sensor, or has revoked it.
    #[error(
        "the plan service answered {status}: {detail}; enrol this sensor again with 'netcensus-sensor enrol TOKEN'"
    )]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// What the service says.
        detail: String,
    },
    /// The enrolment token is unknown, used or expired.
    #[error("the plan service refused the token: {detail}")]
    Token {
        /// What the service says.
        detail: String,
    },
    /// No plan is in effect.
    #[error("{detail}; the sensor keeps its uploads until a plan is in effect")]
    NoPlan {
        /// What the service says.
        detail: String,
    },
    /// The service has an upload with this epoch and sequence number but other content.
    #[error(
        "the plan service has another upload under this name: {detail}; the sensor sends it under a new name"
    )]
    Conflict {
        /// What the service says.
        detail: String,
    },
    /// The service will never accept this.
    #[error("the plan service refused it with {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the service says.
        detail: String,
    },
}

/// The used members of an RFC 9457 problem.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
}

/// Exchanges an enrolment token for an identity with a new key pair. `name` is the name that the console shows. If the
/// same service issued `previous`, it revokes that identity in the same transaction.
///
/// # Errors
/// [`UploadError::Token`] if the token is used, unknown or expired; otherwise as for an upload.
pub async fn enrol(
    token: &EnrolmentToken,
    name: &str,
    previous: Option<&Identity>,
    route: &Route,
    now: Timestamp,
) -> Result<Identity, UploadError> {
    let base = base(&token.url)?;
    let client = client(&base, TIMEOUT, route, token.fingerprint)?;
    let unready = |e: std::io::Error| unreachable_because(&base, e.to_string());
    let signing_key = SigningKey::generate().map_err(unready)?;
    let previous = previous.filter(|p| p.url == base);
    let request = EnrolRequest {
        secret: token.secret.clone(),
        name: name.to_owned(),
        public_key: signing_key.public().to_string(),
        replaces: previous
            .map(|p| Replaced { subscription: p.subscription.clone(), sensor: p.sensor.clone() }),
    };
    let body = serde_json::to_vec(&request).map_err(|e| unready(e.into()))?;
    let mut post = client.post(format!("{base}{ENROL}")).header(CONTENT_TYPE, "application/json");
    if let Some(previous) = previous {
        let headers = previous.signing_key.sign(ENROL, &body, Purpose::Replace, now).map_err(unready)?;
        post = signed(post, headers);
    }
    let answer = read::<EnrolResponse>(&base, post.body(body).send().await).await;
    let answer = answer.result.map_err(|e| match e {
        UploadError::Unauthorized { detail, .. } => UploadError::Token { detail },
        other => other,
    })?;
    Ok(Identity {
        url: base,
        sensor: answer.sensor,
        subscription: answer.subscription,
        key: answer.key,
        signing_key,
        fingerprint: token.fingerprint,
    })
}

/// Sends uploads under one identity.
#[derive(Clone, Debug)]
pub struct Uploader {
    client: Client,
    base: String,
    target: Url,
    /// Where the sensor's own things are, such as its subscription's set of indicators.
    own: Url,
    /// Length of the target path's prefix that a reverse proxy removes: the signature covers the path that the service sees.
    prefix: usize,
    subscription: String,
    key: String,
    signing_key: SigningKey,
    timeout: Duration,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub result: Result<T, UploadError>,
    /// The service's time when it answered, in whole seconds.
    pub date: Option<Timestamp>,
}

impl Uploader {
    /// A client for `identity`. One upload may take `timeout` and one second more for each KiB.
    ///
    /// # Errors
    /// [`UploadError::Address`] if the identity's URL cannot be used; [`UploadError::Proxy`].
    pub fn new(identity: &Identity, timeout: Duration, route: &Route) -> Result<Self, UploadError> {
        let base = base(&identity.url)?;
        let bad = || UploadError::Address { url: identity.url.clone() };
        let mut target = Url::parse(&base).map_err(|_| bad())?;
        let prefix = target.path().trim_end_matches('/').len();
        target.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend([
            "api",
            "v1",
            "subscriptions",
            &identity.subscription,
            "sensors",
            &identity.sensor,
        ]);
        let own = target.clone();
        target.path_segments_mut().map_err(|()| bad())?.push("uploads");
        let client = client(&base, timeout, route, identity.fingerprint)?;
        let (key, signing_key) = (identity.key.clone(), identity.signing_key.clone());
        let subscription = identity.subscription.clone();
        Ok(Self { client, base, target, own, subscription, prefix, key, signing_key, timeout })
    }

    /// Sends one body from `Upload::encode`, signed at `now`. A receipt means that the service has stored it durably.
    pub async fn send(&self, body: Vec<u8>, now: Timestamp) -> Answer<UploadReceipt> {
        let path = self.target.path().get(self.prefix..).unwrap_or_default();
        let headers = match self.signing_key.sign(path, &body, Purpose::Upload, now) {
            Ok(headers) => headers,
            Err(e) => {
                return Answer { result: Err(unreachable_because(&self.base, e.to_string())), date: None };
            }
        };
        let slow = Duration::from_secs(body.len() as u64 / BYTES_PER_SECOND);
        let request = self.client.post(self.target.clone()).timeout(self.timeout + slow);
        let request = signed(request, headers).bearer_auth(&self.key);
        let answer = request.header(CONTENT_TYPE, MEDIA_TYPE).body(body).send().await;
        read(&self.base, answer).await
    }
}

impl Uploader {
    /// Asks for the set of indicators with a digest, signed at `now`. The answer's body is not read yet; all of it may take
    /// `longest`.
    ///
    /// # Errors
    /// As for an upload.
    pub(super) async fn indicators(
        &self,
        digest: &str,
        now: Timestamp,
        longest: Duration,
    ) -> Result<Response, UploadError> {
        let mut url = self.own.clone();
        let bad = |()| UploadError::Address { url: self.base.clone() };
        url.path_segments_mut().map_err(bad)?.extend(["indicators", digest]);
        let path = url.path().get(self.prefix..).unwrap_or_default();
        let headers = self.signing_key.sign(path, &[], Purpose::Fetch, now);
        let headers = headers.map_err(|e| unreachable_because(&self.base, e.to_string()))?;
        let request = signed(self.client.get(url).timeout(longest), headers).bearer_auth(&self.key);
        let answer = request.send().await.map_err(|e| unreachable(&self.base, e))?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let date = date(answer.headers(), &DATE);
        match read_body::<serde::de::IgnoredAny>(&self.base, answer, date).await {
            // There is another set by now; the next receipt names it.
            Err(UploadError::Unauthorized { status: 404, detail }) => {
                Err(UploadError::Busy { status: 404, detail, retry_after: None })
            }
            Err(error) => Err(error),
            Ok(_) => {
                Err(unreachable_because(&self.base, "it answered without a set of indicators".to_owned()))
            }
        }
    }

    /// Asks whether the service is alive, which needs no key. Returns the date of its answer.
    ///
    /// # Errors
    /// [`UploadError::Unreachable`] if no plan service answers.
    pub(crate) async fn greet(&self) -> Result<Option<Timestamp>, UploadError> {
        let answer = self.client.get(format!("{}/healthz", self.base)).send().await;
        let answer = answer.map_err(|e| unreachable(&self.base, e))?;
        if !answer.status().is_success() {
            let reason = format!("/healthz answered {}", answer.status());
            return Err(UploadError::Unreachable { url: self.base.clone(), reason });
        }
        Ok(date(answer.headers(), &DATE))
    }

    /// Asks whether the service accepts this sensor's key, by an upload without a body, which changes nothing.
    ///
    /// # Errors
    /// [`UploadError::Unauthorized`] if it does not; another error if the answer remains unknown.
    pub(crate) async fn knock(&self, now: Timestamp) -> Result<(), UploadError> {
        match self.send(Vec::new(), now).await.result {
            // The service checks the sender before the body.
            Ok(_) | Err(UploadError::Refused { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The subscription of the sensor.
    pub(super) fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The service's host and port.
    pub(crate) fn destination(&self) -> (String, u16) {
        let host = self.target.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        (host, self.target.port_or_known_default().unwrap_or(443))
    }
}

/// The base URL without a trailing slash, if it may be used.
fn base(url: &str) -> Result<String, UploadError> {
    let bad = || UploadError::Address { url: url.chars().take(200).collect() };
    let parsed = Url::parse(url).map_err(|_| bad())?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match parsed.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(bad()),
    }
    if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
        return Err(bad());
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

fn client(
    url: &str,
    timeout: Duration,
    route: &Route,
    pin: Option<Fingerprint>,
) -> Result<Client, UploadError> {
    let builder = match pin {
        Some(fingerprint) => {
            let tls = trust::pinned(fingerprint);
            crate::tls::client()
                .tls_backend_preconfigured(tls.map_err(|e| unreachable_because(url, e.to_string()))?)
        }
        None => crate::tls::client(),
    };
    let builder = builder
        .user_agent(concat!("netcensus-sensor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout);
    // Plain HTTP stays on this machine.
    let proxy = if url.starts_with("https:") { route.proxy()? } else { None };
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    };
    builder.build().map_err(|e| unreachable(url, e))
}

fn signed(request: RequestBuilder, headers: SignatureHeaders) -> RequestBuilder {
    headers.into_iter().fold(request, |request, (name, value)| request.header(name, value))
}

async fn read<T: DeserializeOwned>(url: &str, answer: Result<Response, reqwest::Error>) -> Answer<T> {
    match answer {
        Ok(answer) => {
            let date = date(answer.headers(), &DATE);
            Answer { result: read_body(url, answer, date).await, date }
        }
        Err(e) => Answer { result: Err(unreachable(url, e)), date: None },
    }
}

async fn read_body<T: DeserializeOwned>(
    url: &str,
    mut answer: Response,
    date: Option<Timestamp>,
) -> Result<T, UploadError> {
    let status = answer.status();
    let retry_after = retry_after(answer.headers(), date);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(url, e))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| UploadError::Busy {
            status: status.as_u16(),
            detail: "the body is not a receipt; check that the URL is a plan service's".to_owned(),
            retry_after,
        });
    }
    Err(judge(status, &serde_json::from_slice(&body).unwrap_or_default(), retry_after))
}

fn judge(status: StatusCode, problem: &Problem, retry_after: Option<Duration>) -> UploadError {
    let words = [&problem.detail, &problem.title].into_iter().find(|w| !w.is_empty());
    let detail = words.map_or_else(
        || status.canonical_reason().unwrap_or("no reason given").to_owned(),
        |w| w.chars().filter(|c| !c.is_control()).take(300).collect(),
    );
    let number = status.as_u16();
    if problem.kind.ends_with("/problems/plan-not-in-effect") {
        return UploadError::NoPlan { detail };
    }
    if problem.kind.ends_with("/problems/upload-conflict") {
        return UploadError::Conflict { detail };
    }
    match number {
        401 | 403 | 404 | 410 => UploadError::Unauthorized { status: number, detail },
        400 | 413 | 415 | 422 => UploadError::Refused { status: number, detail },
        _ => UploadError::Busy { status: number, detail, retry_after },
    }
}

/// `Retry-After`: seconds, or an instant by the service's clock, which is `now`.
fn retry_after(headers: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let nanoseconds = date(headers, &RETRY_AFTER)?.since(now?);
            Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// An HTTP date (RFC 9110, section 5.6.7) in a header.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

fn unreachable_because(url: &str, reason: String) -> UploadError {
    UploadError::Unreachable { url: url.to_owned(), reason }
}

fn unreachable(url: &str, error: reqwest::Error) -> UploadError {
    if let Some(reason) = trust::refusal(&error) {
        return UploadError::Certificate { url: url.to_owned(), reason };
    }
    let reason = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        // The outer errors only say that a request failed; the innermost one says why.
        let mut inner: &dyn std::error::Error = &error;
        while let Some(source) = inner.source() {
            inner = source;
        }
        match inner.to_string() {
            // What the other protocol looks like from here.
            text if text.contains("invalid HTTP version") && url.starts_with("http://") => {
                "it speaks HTTPS at this address, and the sensor speaks HTTP; enrol again with a token for https://".to_owned()
            }
            text if text.contains("InvalidContentType") => {
                "it speaks plain HTTP at this address, and the sensor speaks HTTPS; enrol again with a token for the right address".to_owned()
            }
            text => text,
        }
    };
    unreachable_because(url, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_http_are_used() {
        for good in
            ["https://plan.example", "https://plan.example/base/", "http://127.0.0.1:8080", "http://[::1]:1"]
        {
            assert_eq!(base(good).unwrap(), good.trim_end_matches('/'));
        }
        assert!(base("http://localhost:8080").is_ok());
        for bad in
            ["http://plan.example", "ftp://127.0.0.1", "plan.example", "", "https://u:p@x", "https://x/?a"]
        {
            assert!(matches!(base(bad), Err(UploadError::Address { .. })), "{bad}");
        }
    }

    #[test]
    fn every_answer_has_its_consequence() {
        let plain = Problem::default();
        let of = |n: u16, p: &Problem| judge(StatusCode::from_u16(n).unwrap(), p, None);
        for n in [401, 403, 404] {
            assert!(matches!(of(n, &plain), UploadError::Unauthorized { .. }), "{n}");
        }
        for n in [400, 413, 422] {
            assert!(matches!(of(n, &plain), UploadError::Refused { .. }), "{n}");
        }
        for n in [302, 408, 409, 429, 500, 503] {
            assert!(matches!(of(n, &plain), UploadError::Busy { .. }), "{n}");
        }
        let none = Problem { kind: "/problems/plan-not-in-effect".into(), ..Problem::default() };
        assert!(matches!(of(409, &none), UploadError::NoPlan { .. }));
        assert!(matches!(of(403, &none), UploadError::NoPlan { .. }));
        let conflict = Problem { kind: "/problems/upload-conflict".into(), ..Problem::default() };
        assert!(matches!(of(409, &conflict), UploadError::Conflict { .. }));
    }

    #[test]
    fn what_the_service_says_cannot_break_the_log() {
        let problem = Problem { detail: "a\nb\u{1b}[31m".into(), ..Problem::default() };
        assert_eq!(
            judge(StatusCode::CONFLICT, &problem, None),
            UploadError::Busy { status: 409, detail: "ab[31m".into(), retry_after: None }
        );
    }

    #[test]
    fn a_wait_may_be_told_in_seconds_or_as_an_instant_by_the_services_clock() {
        let wait = |retry: &str, now: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            headers.insert(DATE, now.parse().unwrap());
            retry_after(&headers, date(&headers, &DATE)).map(|d| d.as_secs())
        };
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait("17", now), Some(17));
        assert_eq!(wait("9999999", now), Some(3_600));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(0));
        assert_eq!((wait("soon", now), wait("Sun, 06 Nov 1994 08:50:07 GMT", "?")), (None, None));
    }
}
