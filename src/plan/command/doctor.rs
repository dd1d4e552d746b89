//! `doctor`: finds problems of the service, and how to solve them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::arguments::{Common, service};
use super::failure::Failure;
use crate::census::Timestamp;
use crate::clock::{Clock as _, SystemClock};
use crate::doctor::{CheckOutcome, Finding, Report};
use crate::plan::app::findings::FindingFilter;
use crate::plan::app::{self, May};
use crate::plan::config::Config;
use crate::plan::doctor;
use crate::plan::permission::View;
use crate::plan::running::Running;
use crate::plan::store::engine::sql;
use crate::plan::store::{By, Location, Store, Subscription};
use crate::plan::tls::Source;
use crate::wire::SubscriptionId;

const TIMEOUT: Duration = Duration::from_secs(10);
/// The most subscriptions to examine.
const SUBSCRIPTIONS: usize = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sudo netcensus-plan doctor
  netcensus-plan doctor --json | jq '.findings[] | select(.outcome != \"good\")'

It changes nothing; the service may run meanwhile. Exit status: 0 without problems, 1 with problems.")]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The address that the service listens on [default: that of the running service, else as configured]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(super) async fn doctor(arguments: Arguments) -> Result<(), Failure> {
    let mut config = arguments.common.config()?;
    let running = Running::find(&config.database).map(|running| running.listen);
    config.listen = arguments.listen.or(running).unwrap_or(config.listen);
    let report = Report::from(examine(&config, SystemClock.now()).await);
    report.write(arguments.common.json, &mut io::stdout().lock())?;
    if report.healthy {
        return Ok(());
    }
    Err(Failure::failed(format!("{} of {} findings are problems", report.problems(), report.findings.len())))
}

async fn examine(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![rules(config)];
    findings.extend(certificate(config, now));
    findings.push(answers(config).await);
    findings.push(hardening());
    findings.extend(provider(config, now).await);
    match store(config).await {
        Ok((store, found)) => {
            findings.extend(found);
            findings.extend(stored(config, &store, now).await.unwrap_or_else(|e| {
                vec![Finding::other(
                    CheckOutcome::Problem,
                    "database",
                    "",
                    e.to_string(),
                    "if the database is damaged, restore a backup",
                )]
            }));
            store.close().await;
        }
        Err(finding) => findings.push(finding),
    }
    findings
}

fn rules(config: &Config) -> Finding {
    let classifier = app::classifier(config.rules()).map_err(|e| e.to_string());
    let alerts = || crate::security::load(&config.alerts.rules).map_err(|e| e.to_string());
    match classifier.and_then(|_| alerts()) {
        Ok(_) => Finding::good("rules", "", "the rules are valid"),
        Err(e) => Finding::other(
            CheckOutcome::Problem,
            "rules",
            "",
            e,
            "correct the file, then restart the service",
        ),
    }
}

/// The database, opened only if that does not change it.
async fn store(config: &Config) -> Result<(Store, Vec<Finding>), Finding> {
    let place = &config.database;
    let wrong = |finding: String, remedy: &str| {
        Err(Finding::other(CheckOutcome::Problem, "database", place.to_string(), finding, remedy))
    };
    match Store::exists(place).await {
        Ok(true) => {}
        Ok(false) => {
            return wrong(
                "it does not exist".into(),
                "start the service, which creates it, or name another with --database",
            );
        }
        Err(e) => return wrong(e.to_string(), "then run doctor again"),
    }
    let pending = match Store::pending(place).await {
        Ok(pending) => pending.len(),
        Err(e) => {
            return wrong(
                e.to_string(),
                "check that the database runs, that this user may open it, and that it is not damaged",
            );
        }
    };
    let finding = doctor::database(place, pending);
    if finding.outcome != CheckOutcome::Good {
        return Err(finding);
    }
    let store = match Store::open(place).await {
        Ok(store) => store,
        Err(e) => return wrong(e.to_string(), "check that this user may write to it"),
    };
    let mut findings = vec![finding];
    if let Location::File(path) = place {
        let mode = fs::metadata(path).map_or(0, |m| m.permissions().mode());
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let free = rustix::fs::statvfs(folder).ok().map(|s| s.f_bavail.saturating_mul(s.f_frsize));
        findings.extend(doctor::file(place, mode, free));
        findings.push(match store.row(sql("PRAGMA quick_check(1)")).await {
            Ok(Some(row)) if row.text("quick_check").is_ok_and(|said| said == "ok") => {
                Finding::good("integrity", place.to_string(), "SQLite finds no damage")
            }
            Ok(row) => {
                let said = row.and_then(|r| r.text("quick_check").ok()).unwrap_or_default();
                let remedy = "stop the service and restore a backup: 'netcensus-plan restore'";
                Finding::other(CheckOutcome::Problem, "integrity", place.to_string(), said, remedy)
            }
            Err(e) => Finding::other(
                CheckOutcome::Unchecked,
                "integrity",
                place.to_string(),
                e.to_string(),
                "run doctor again",
            ),
        });
    }
    Ok((store, findings))
}

/// Findings from the database: clock, people, plans, sensors, snapshots and audit trails.
async fn stored(config: &Config, store: &Store, now: Timestamp) -> Result<Vec<Finding>, app::Refusal> {
    let newest = store.row(sql("SELECT MAX(at) AS at FROM audit")).await?;
    let newest = newest.map(|row| row.opt_int("at")).transpose()?.flatten().map(Timestamp);
    let mut findings = vec![doctor::clock(newest, now)];
    if store.is_unclaimed().await? {
        let remedy = "open the link that the service prints when it starts, and choose a password";
        findings.push(Finding::other(
            CheckOutcome::Notice,
            "people",
            "",
            "nobody has an account yet",
            remedy,
        ));
    }
    let subscriptions = store.subscriptions().await?;
    if subscriptions.is_empty() {
        let remedy = "create one: 'netcensus-plan subscription create NAME'";
        findings.push(Finding::other(
            CheckOutcome::Notice,
            "subscription",
            "",
            "there is no subscription",
            remedy,
        ));
    }
    findings.push(trail(store, None, "the installation's").await?);
    let Ok(service) = service(config, store.clone()) else { return Ok(findings) };
    for subscription in subscriptions.into_iter().take(SUBSCRIPTIONS) {
        let Subscription { id, name, created_at } = subscription.clone();
        let view = service.view(&id, None).await?;
        let billable = view.census.billable;
        findings.push(doctor::plan(&name, &store.plans(&id).await?, billable, now));
        let sensors = store.sensors(&id).await?;
        let may = May::<View>::operator(subscription, By::operator());
        let list = app::findings::list(&service, &may, &FindingFilter::default(), None).await?;
        findings.extend(Finding::of_census(&name, list.findings(), list.total()));
        findings.extend(doctor::sensors(&name, &sensors, now));
        let sealed = store.snapshots(&id, None, 1).await?.first().map(|s| s.header.day);
        findings.push(doctor::snapshots(&name, sealed, created_at, now));
        findings.push(trail(store, Some(&id), &name).await?);
    }
    Ok(findings)
}

async fn trail(
    store: &Store,
    subscription: Option<&SubscriptionId>,
    subject: &str,
) -> Result<Finding, crate::plan::store::StoreError> {
    Ok(match store.verify_trail(subscription, None).await? {
        Ok(good) => Finding::good("trail", subject, format!("the chain of {} rows holds", good.rows)),
        Err(broken) => {
            let remedy = "somebody changed rows in the database: compare it with a backup";
            Finding::other(CheckOutcome::Problem, "trail", subject, broken.to_string(), remedy)
        }
    })
}

fn certificate(config: &Config, now: Timestamp) -> Option<Finding> {
    let (path, remedy) = match config.tls(config.listen, now) {
        Ok(None) => return None,
        Ok(Some(Source::Own(own))) => (own.file, "start the service, which creates it"),
        Ok(Some(Source::Given(given))) => (given.certificate, "correct tls.certificate"),
        Err(e) => {
            let remedy = "correct [tls] and public_url in the configuration";
            return Some(Finding::other(CheckOutcome::Problem, "certificate", "", e.to_string(), remedy));
        }
    };
    let subject = path.display().to_string();
    Some(match validity(&path) {
        Ok((from, to)) => doctor::certificate(&subject, from, to, now),
        Err(why) => Finding::other(CheckOutcome::Problem, "certificate", subject, why, remedy),
    })
}

/// The validity of the first certificate in a file.
fn validity(path: &Path) -> Result<(Timestamp, Timestamp), String> {
    let text = fs::read(path).map_err(|e| e.to_string())?;
    let first = x509_parser::pem::Pem::iter_from_buffer(&text)
        .filter_map(Result::ok)
        .find(|pem| pem.label == "CERTIFICATE")
        .ok_or("the file does not contain a certificate in PEM form")?;
    let certificate = first.parse_x509().map_err(|e| e.to_string())?;
    let validity = certificate.validity();
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_secs(time.timestamp());
    Ok((at(validity.not_before), at(validity.not_after)))
}

/// Whether the service answers at its address.
async fn answers(config: &Config) -> Finding {
    let loopback = |ip: std::net::IpAddr| match ip {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let address = SocketAddr::new(loopback(config.listen.ip()), config.listen.port());
    let scheme = match config.tls(config.listen, SystemClock.now()) {
        Ok(None) => "http",
        _ => "https",
    };
    let url = format!("{scheme}://{address}/readyz");
    // Not verified: the certificate is for the service's name, not this address, and the request has no secret.
    let client =
        crate::tls::client().no_proxy().timeout(TIMEOUT).tls_danger_accept_invalid_certs(true).build();
    let answer = match client {
        Ok(client) => client.get(&url).send().await,
        Err(e) => Err(e),
    };
    let remedy = "start it: systemctl start netcensus-plan; its log: journalctl -u netcensus-plan";
    match answer {
        Ok(answer) if answer.status().is_success() => Finding::good("service", url, "the service is ready"),
        Ok(answer) => {
            let finding = format!("the service answers {}", answer.status());
            Finding::other(
                CheckOutcome::Problem,
                "service",
                url,
                finding,
                "see the finding about the database, and the service's log",
            )
        }
        Err(e) => {
            let finding =
                if e.is_connect() { "the service does not answer".to_owned() } else { e.to_string() };
            Finding::other(CheckOutcome::Problem, "service", url, finding, remedy)
        }
    }
}

/// Whether the service can reach the identity provider, if one is configured.
async fn provider(config: &Config, now: Timestamp) -> Option<Finding> {
    let provider = match config.settings(config.url(config.listen)) {
        Ok(settings) => settings.access.provider?,
        Err(e) => {
            let remedy = "correct [oidc] in the configuration";
            return Some(Finding::other(CheckOutcome::Problem, "provider", "", e.to_string(), remedy));
        }
    };
    let issuer = provider.settings().issuer.clone();
    Some(match provider.begin(now).await {
        Ok(_) => Finding::good("provider", issuer, "the identity provider answers"),
        Err(e) => {
            let remedy = "check oidc.issuer, and that this host can reach it; people with a password can still sign in";
            Finding::other(CheckOutcome::Problem, "provider", issuer, e.to_string(), remedy)
        }
    })
}

/// The restrictions that the kernel enforces on the running service.
fn hardening() -> Finding {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let serving = processes.filter(|p| p.file_name().to_string_lossy() != own).find_map(|process| {
        let arguments = fs::read(process.path().join("cmdline")).ok()?;
        let mut arguments = arguments.split(|b| *b == 0);
        let program = arguments.next()?.rsplit(|b| *b == b'/').next()?;
        (program == b"netcensus-plan" && arguments.any(|a| a == b"serve")).then_some(process.path())
    });
    let Some(process) = serving else {
        let remedy = "start it: systemctl start netcensus-plan";
        return Finding::other(
            CheckOutcome::Unchecked,
            "hardening",
            "",
            "the service does not run on this host",
            remedy,
        );
    };
    let subject = process.display().to_string();
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let has = |line: &str| status.lines().any(|l| l.split_whitespace().eq(line.split_whitespace()));
    let root = fs::metadata(&process).is_ok_and(|m| m.uid() == 0);
    let lacks: Vec<&str> = [
        (has("NoNewPrivs: 1"), "it can gain privileges"),
        (has("Seccomp: 2"), "it can make all system calls"),
        (!root, "it runs as root"),
    ]
    .into_iter()
    .filter_map(|(held, lack)| (!held).then_some(lack))
    .collect();
    if lacks.is_empty() {
        return Finding::good(
            "hardening",
            subject,
            "it does not run as root, cannot gain privileges, and its system calls are restricted",
        );
    }
    let remedy = "run it with the unit of the package: systemctl start netcensus-plan";
    Finding::other(CheckOutcome::Notice, "hardening", subject, lacks.join(", "), remedy)
}
