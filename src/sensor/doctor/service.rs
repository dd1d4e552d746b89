//! The connection to the plan service: proxy, name, network, certificate, clock, key.

use std::time::Duration;

use super::{CheckOutcome, Finding};
use crate::census::Timestamp;
use crate::clock::Clock;
use crate::sensor::upload::client::{UploadError, Uploader};
use crate::sensor::upload::identity::Identity;
use crate::sensor::upload::route::Route;

const TIMEOUT: Duration = Duration::from_secs(10);
const SECOND: i64 = 1_000_000_000;

/// Takes the steps of an upload until one fails.
pub(crate) async fn examine(identity: &Identity, route: &Route, clock: &dyn Clock) -> Vec<Finding> {
    let proxied = match route.proxy() {
        Ok(proxy) => proxy.is_some(),
        Err(e) => {
            let remedy = "correct upload.proxy and upload.proxy_credential, or HTTPS_PROXY";
            return vec![Finding::other(CheckOutcome::Problem, "proxy", "", e.to_string(), remedy)];
        }
    };
    let uploader = match Uploader::new(identity, TIMEOUT, route) {
        Ok(uploader) => uploader,
        Err(e) => return vec![reached(&identity.url, Some(&e))],
    };
    let (host, port) = uploader.destination();
    let mut findings = vec![if proxied {
        // The proxy resolves the name.
        Finding::good("proxy", host, "the plan service is reached through a proxy")
    } else {
        name(&host, port).await
    }];
    let answer = uploader.greet().await;
    let now = clock.now();
    findings.push(reached(&identity.url, answer.as_ref().err()));
    if let Ok(theirs) = answer {
        findings.push(skew(theirs, now));
        findings.push(key(uploader.knock(now).await.err().as_ref()));
    }
    findings
}

async fn name(host: &str, port: u16) -> Finding {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Finding::good("dns", host, "the plan service's URL has an address, not a name");
    }
    match tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<String> = addresses.map(|a| a.ip().to_string()).take(4).collect();
            Finding::good("dns", host, addresses.join(", "))
        }
        Ok(Err(e)) => {
            let remedy = "check /etc/resolv.conf, the name server, and the URL in the enrolment token";
            Finding::other(
                CheckOutcome::Problem,
                "dns",
                host,
                format!("cannot resolve the name: {e}"),
                remedy,
            )
        }
        Err(_) => {
            let remedy = "check that this host can reach its name server (/etc/resolv.conf)";
            Finding::other(CheckOutcome::Problem, "dns", host, "the name server does not answer", remedy)
        }
    }
}

fn reached(url: &str, error: Option<&UploadError>) -> Finding {
    let Some(error) = error else { return Finding::good("service", url, "the service answers") };
    let text = error.to_string();
    let lower = text.to_lowercase();
    let remedy = if lower.contains("certificate") || lower.contains("handshake") || lower.contains("tls") {
        "check the clock (below), the service's certificate and the name in it; install a private authority in /usr/local/share/ca-certificates"
    } else if matches!(error, UploadError::Address { .. }) {
        "enrol again with a token whose URL begins with https://"
    } else {
        "check that the service runs and that no firewall blocks this host"
    };
    Finding::other(CheckOutcome::Problem, "service", url, text, remedy)
}

/// Compares the clocks. `theirs` has whole seconds.
fn skew(theirs: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(theirs) = theirs else {
        let remedy = "check this host's clock by hand: timedatectl";
        return Finding::other(
            CheckOutcome::Unchecked,
            "clock",
            "",
            "the service's answer has no date",
            remedy,
        );
    };
    let seconds = now.since(theirs) / SECOND;
    let finding = format!(
        "{} s {} the service's clock",
        seconds.abs(),
        if seconds < 0 { "behind" } else { "ahead of" }
    );
    let remedy = "synchronise this host's clock: timedatectl set-ntp true";
    match seconds.abs() {
        0..=5 => Finding::good("clock", "", finding),
        6..=300 => Finding::other(CheckOutcome::Notice, "clock", "", finding, remedy),
        _ => Finding::other(CheckOutcome::Problem, "clock", "", finding, remedy),
    }
}

fn key(error: Option<&UploadError>) -> Finding {
    match error {
        None => Finding::good("key", "", "the service accepts this sensor's key"),
        Some(e @ UploadError::Unauthorized { .. }) => {
            let remedy =
                "create a token with 'netcensus-plan sensor token', then run 'netcensus-sensor enrol TOKEN'";
            Finding::other(CheckOutcome::Problem, "key", "", e.to_string(), remedy)
        }
        Some(e @ UploadError::NoPlan { .. }) => {
            let remedy =
                "onboard a plan for this subscription, in the console or with 'netcensus-plan plan onboard'";
            Finding::other(CheckOutcome::Problem, "plan", "", e.to_string(), remedy)
        }
        Some(e) => Finding::other(CheckOutcome::Unchecked, "key", "", e.to_string(), "run doctor again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_judged_by_how_far_it_is_off() {
        let at = Timestamp::from_secs;
        let outcome = |now| skew(Some(at(10_000)), at(now)).outcome;
        assert_eq!([outcome(10_005), outcome(9_995)], [CheckOutcome::Good; 2]);
        assert_eq!([outcome(10_006), outcome(9_700)], [CheckOutcome::Notice; 2]);
        assert_eq!(outcome(9_699), CheckOutcome::Problem);
        assert!(skew(Some(at(10_000)), at(9_000)).finding.starts_with("1000 s behind"));
        assert_eq!(skew(None, at(1)).outcome, CheckOutcome::Unchecked);
    }

    #[test]
    fn each_refusal_names_what_to_do() {
        let unreachable =
            |reason: &str| UploadError::Unreachable { url: "https://x".into(), reason: reason.into() };
        let remedy = |e: &UploadError| reached("https://x", Some(e)).remedy.unwrap();
        assert!(remedy(&unreachable("invalid peer certificate: Expired")).contains("certificate"));
        assert!(remedy(&unreachable("connection refused")).contains("firewall"));
        let unauthorized = UploadError::Unauthorized { status: 401, detail: "revoked".into() };
        assert!(key(Some(&unauthorized)).remedy.unwrap().contains("enrol"));
        let no_plan = UploadError::NoPlan { detail: "no plan".into() };
        assert_eq!(key(Some(&no_plan)).check, "plan");
    }
}
