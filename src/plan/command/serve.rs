//! `serve`: runs the service until a signal stops it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::Common;
use super::failure::{Exit, Failure};
use crate::cli::log;
use crate::clock::{Clock as _, SystemClock};
use crate::notify;
use crate::plan::app::{self, App, Settings};
use crate::plan::app::{jobs, news};
use crate::plan::connections::open_files;
use crate::plan::running::{Running, RunningMark};
use crate::plan::server;
use crate::plan::store::{CredentialKind, Location, Store};
use crate::plan::tls::{Tls, TlsListener};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  netcensus-plan serve
  netcensus-plan serve --listen 127.0.0.1:9000 --database /var/lib/netcensus/plan.sqlite
  netcensus-plan serve --listen 0.0.0.0:8443     HTTPS, with a self-signed certificate
  netcensus-plan serve --config /etc/netcensus/netcensus-plan.toml

On other than loopback addresses, the service speaks HTTPS: see [tls] in the configuration. SIGHUP reloads the certificate and the rules of alerts.")]
pub(super) struct Arguments {
    /// The configuration file [default: /etc/netcensus/netcensus-plan.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "NETCENSUS_PLAN_CONFIG")]
    config: Option<PathBuf>,
    /// The address to listen on; port 0 chooses a free port [default: as configured]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The database: a file (created if it is missing) or a URL postgresql://… [default: as configured]
    #[arg(long, value_name = "FILE|URL", env = "NETCENSUS_PLAN_DATABASE")]
    database: Option<Location>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config, listen, database } = arguments;
    let mut config = Common { config, database, json: false }.config()?;
    config.listen = listen.unwrap_or(config.listen);
    drop(log::start(config.log.format, &config.log.level));
    let classifier = app::classifier(config.rules())?;
    let mut mark = RunningMark::take(&config.database).map_err(|e| match e.io() {
        Some(io) => Failure::system(io, e.to_string()),
        None => Failure::new(Exit::Unavailable, e.to_string()),
    })?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| {
        let address = config.listen;
        let next =
            "another program may listen there; choose another address with --listen, or end that program";
        Failure::listen(&e, format!("cannot listen on {address}: {e}; {next}"))
    })?;
    let address = listener.local_addr().map_err(refused)?;
    let store = Store::open(&config.database).await?.with_room(config.room());
    let public_url = config.url(address);
    let tls = config.tls(address, SystemClock.now())?.map(Tls::new).transpose()?;
    if let Some(tls) = &tls {
        let mut out = io::stdout().lock();
        writeln!(out, "The certificate's SHA-256 is {}", tls.fingerprint())?;
        out.flush()?;
    }
    if store.is_unclaimed().await? {
        let link = store.issue(CredentialKind::Setup, None, SystemClock.now()).await?;
        let mut out = io::stdout().lock();
        writeln!(out, "First start: choose the first administrator's password at")?;
        writeln!(out, "  {public_url}/setup/{}", link.secret)?;
        writeln!(out, "The link works once, until {}.", link.expires_at)?;
        out.flush()?;
    }
    let running = Running {
        url: public_url.clone(),
        listen: address,
        tls: tls.is_some(),
        fingerprint: tls.as_ref().and_then(Tls::pin),
    };
    mark.tell(&running);
    let mut settings = Settings { tls: tls.clone(), ..config.settings(public_url.clone())? };
    if let Some(files) = open_files() {
        settings.connections = settings.connections.within(files);
        if settings.connections != config.connections {
            let most = settings.connections.most;
            tracing::warn!(
                "this process may open {files} files, so it takes {most} connections; raise LimitNOFILE"
            );
        }
    }
    settings.terms = config.terms.read().map_err(Failure::configuration)?.map(Arc::new);
    settings.mailer = config.mail.mailer().map_err(Failure::configuration)?.map(Arc::new);
    settings.access.metrics_token = config.metrics.token().map_err(Failure::configuration)?;
    let service = App::new(store, Arc::new(SystemClock), classifier, settings);
    service.load_alert_rules().map_err(|e| Failure::configuration(e.to_string()))?;
    let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    // Before anybody is told that the service runs: a signal that nobody handles would end it.
    let hangup = on(SignalKind::hangup())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        notify::stopping();
    };
    tracing::info!("listening on {public_url} with the database {}", config.database);
    notify::ready();
    tokio::spawn(notify::keep_alive());
    tokio::spawn(jobs::run(service.clone()));
    tokio::spawn(news::follow(service.clone()));
    let reloading = tokio::spawn(reload_on_hangup(hangup, service.clone(), tls.clone(), mark, running));
    match tls {
        Some(tls) => server::serve(TlsListener::new(listener, tls), service, stop).await,
        None => server::serve(listener, service, stop).await,
    }
    .map_err(refused)?;
    reloading.abort();
    Ok(())
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(refused)
}

fn refused(e: io::Error) -> Failure {
    Failure::system(
        &e,
        format!("the system refused a socket or a signal handler: {e}; check the limits of the process"),
    )
}

/// Reloads the certificate and the rules of alerts at each SIGHUP. Holds the mark of the running service.
async fn reload_on_hangup(
    mut hangup: Signal,
    service: App,
    tls: Option<Tls>,
    mut mark: RunningMark,
    running: Running,
) {
    while hangup.recv().await.is_some() {
        match service.load_alert_rules() {
            Ok(rules) => tracing::info!("{} rules of alerts are in use", rules.alerts.len()),
            Err(error) => tracing::error!("{error}; keeping the old rules of alerts"),
        }
        match tls.as_ref().map(Tls::reload) {
            Some(Ok(fingerprint)) => {
                tracing::info!("the certificate's SHA-256 is {fingerprint}");
                mark.tell(&Running { fingerprint: tls.as_ref().and_then(Tls::pin), ..running.clone() });
            }
            Some(Err(error)) => tracing::error!("{error}; keeping the old certificate"),
            None => tracing::info!("no certificate to reload"),
        }
    }
}
