//! The demo's course: service, enrolment, replay, uploads, census.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::DemoError;
use crate::billing::timeline::{Onboarding, PlanKind};
use crate::capture::file;
use crate::census::{Decisions, Inventory, Policy, Survey};
use crate::clock::{Clock as _, SystemClock};
use crate::plan::app::census::report;
use crate::plan::app::inventory::{CountAt, Patience, SharedClassifier};
use crate::plan::app::{self, App, May, Settings};
use crate::plan::command::write_census;
use crate::plan::store::{By, CredentialKind, Location, Store};
use crate::plan::{secret, server};
use crate::sensor::pipeline::collector::Collector;
use crate::sensor::pipeline::table::Table;
use crate::sensor::pipeline::worker::Worker;
use crate::sensor::status::{InterfaceStatus, Status};
use crate::sensor::upload::client;
use crate::sensor::upload::delivery::{Delivery, Pace, Step};
use crate::sensor::upload::route::Route;
use crate::sensor::upload::spool::{SpoolBounds, SpoolReader};
use crate::wire::EnrolmentToken;
use crate::wire::SubscriptionId;

type Failed = Box<dyn Error + Send + Sync>;

const CAPTURE: &[u8] = include_bytes!("../../../assets/demo.pcap.zst");
const PORT: u16 = 8080;
const ZONE: &str = "demo";
const COUPLINGS: usize = 100_000;
const SPOOL_BYTES: u64 = 64 << 20;
/// The replay is cut into this many uploads, a pause after each, so that the console is seen to fill.
const SLICES: u64 = 10;
const PAUSE: Duration = Duration::from_millis(250);
/// Attempts of one upload on loopback before something must be broken.
const ATTEMPTS: u32 = 20;

/// Runs the demo on `listen`, to the census or until Ctrl-C.
pub(super) async fn run(listen: Option<SocketAddr>, once: bool) -> Result<(), DemoError> {
    let listener = bind(listen).await?;
    let address = listener.local_addr().map_err(Failed::from)?;
    let url = format!("http://{address}");
    let dir = tempfile::tempdir().map_err(Failed::from)?;
    let classifier = app::classifier(None).map_err(Failed::from)?;
    let store = Store::open(&Location::File(dir.path().join("plan.sqlite"))).await.map_err(Failed::from)?;
    let settings = Settings {
        public_url: url.clone(),
        count_at: CountAt::NewestFrame,
        patience: Patience::ENDLESS,
        ..Settings::default()
    };
    let service = App::new(store, Arc::new(SystemClock), Arc::clone(&classifier), settings);
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move {
        // A sender that is gone is a stop, too.
        stopped.await.ok();
    };
    let server = tokio::spawn(server::serve(listener, service.clone(), until));

    say(&format!("plan service   {url}   (SQLite in a temporary folder, gone when the demo ends)"))?;
    let sid = set_up(&service).await?;
    let identity = enrol(&service, &sid, &url, dir.path()).await?;
    replay(&service, &sid, &classifier, dir.path(), identity).await?;

    let subscription = service.store.subscription(&sid).await.map_err(Failed::from)?;
    let may = May::operator(subscription, By::operator());
    let census = report(&service, &may, None).await.map_err(Failed::from)?;
    let mut out = io::stdout().lock();
    writeln!(out).and_then(|()| write_census(&mut out, &census)).map_err(Failed::from)?;
    drop(out);
    if once {
        say("")?;
        say("console        run the demo without --once to open it")?;
        stop.send(()).ok();
        server.await.map_err(Failed::from)?.map_err(Failed::from)?;
        return Ok(());
    }
    let now = SystemClock.now();
    let link = service.store.issue(CredentialKind::Login, Some(PERSON), now).await.map_err(Failed::from)?;
    say("")?;
    say(&format!("console        {url}/login/{}   (signs in once, within ten minutes)", link.secret))?;
    say("Ctrl-C ends the demo and removes everything.")?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failed::from)?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Failed::from)?,
    }
    // A server that is gone already has told why.
    stop.send(()).ok();
    server.await.map_err(Failed::from)?.map_err(Failed::from)?;
    Ok(())
}

const PERSON: &str = "demo";

/// The subscription on its trial, and the person who owns it.
async fn set_up(service: &App) -> Result<SubscriptionId, Failed> {
    let now = SystemClock.now();
    service.store.create_person(PERSON, &secret::generate("")?, true, &By::service(), now).await?;
    let subscription = service.store.create_subscription("Demo", Some(PERSON), &By::service(), now).await?;
    let trial = Onboarding { kind: PlanKind::Trial, devices: None, accept_terms: true };
    let plan = service.store.onboard(&subscription.id, &trial, None, &By::operator(), now).await?.plan;
    let ends = plan.to().map_or_else(String::new, |to| format!(", ends {to}"));
    say(&format!("subscription   Demo · trial, any number of devices{ends}"))?;
    Ok(subscription.id)
}

/// Enrols the sensor by HTTP, as an appliance does; returns the file with its identity.
async fn enrol(service: &App, sid: &SubscriptionId, url: &str, dir: &Path) -> Result<PathBuf, Failed> {
    let (secret, _) = service.store.create_enrolment(sid, &By::service(), SystemClock.now()).await?;
    let token = EnrolmentToken { url: url.to_owned(), secret, fingerprint: None };
    let identity = client::enrol(&token, "demo-sensor", None, &Route::default(), SystemClock.now()).await?;
    let path = dir.join("identity.json");
    identity.store(&path)?;
    say(&format!("sensor         demo-sensor enrolled as {}", identity.sensor))?;
    Ok(path)
}

/// Replays the capture into the sensor's table, uploads what changed after every slice, and prints what came first.
async fn replay(
    service: &App,
    sid: &SubscriptionId,
    classifier: &SharedClassifier,
    dir: &Path,
    identity: PathBuf,
) -> Result<(), Failed> {
    let (capture, spool) = (dir.join("demo.pcap.zst"), dir.join("spool"));
    tokio::fs::write(&capture, CAPTURE).await?;
    let (table, status) = (Arc::new(Table::new(COUPLINGS)), Arc::new(Status::default()));
    let mut collector =
        Collector::open(Arc::clone(&table), Arc::clone(&status), &spool, SpoolBounds::of(SPOOL_BYTES), ZONE)?;
    let (first, second) = (Duration::from_millis(50), Duration::from_secs(1));
    let pace = Pace { first, longest: second, timeout: 10 * second, bytes_per_second: None };
    let reader = SpoolReader::new(&spool);
    let mut delivery = Delivery::new(reader, identity, pace, Arc::clone(&status), Arc::new(SystemClock));

    let (slice_done, mut slices) = mpsc::channel::<()>(1);
    let (sensor_table, sensor_status) = (Arc::clone(&table), status);
    let sensor = tokio::task::spawn_blocking(move || -> Result<u64, Failed> {
        let mut total = 0_u64;
        file::read(&capture, &mut |_| total += 1)?;
        let slice = (total / SLICES).max(1);
        let mut worker = Worker::new(&sensor_table);
        let (mut frames, mut failed) = (0_u64, None);
        let mut pass_on = |worker: &mut Worker<'_>| {
            worker.flush();
            let counters = worker.counters().clone();
            sensor_status.publish(ZONE, 0, InterfaceStatus { counters, ..InterfaceStatus::default() });
            let outcome = collector.collect();
            // Nobody listens only when the demo has failed already.
            slice_done.blocking_send(()).ok();
            outcome
        };
        file::read(&capture, &mut |frame| {
            worker.frame(frame);
            frames += 1;
            if frames % slice == 0 && failed.is_none() {
                failed = pass_on(&mut worker).err();
                std::thread::sleep(PAUSE);
            }
        })?;
        let last = pass_on(&mut worker).err();
        failed.or(last).map_or(Ok(frames), |error| Err(error.into()))
    });
    let (mut device_said, mut upload_said) = (false, false);
    while slices.recv().await.is_some() {
        if !device_said && let Some(line) = first_device(&table, &**classifier) {
            say(&line)?;
            device_said = true;
        }
        deliver(&mut delivery).await?;
        if !upload_said {
            let view = service.view(sid, None).await?;
            say(&format!("first upload   acknowledged: {} devices stored", view.len()))?;
            upload_said = true;
        }
    }
    let frames = sensor.await??;
    deliver(&mut delivery).await?;
    say(&format!("replayed       {frames} frames of the demo capture"))?;
    Ok(())
}

/// Sends all that waits.
async fn deliver(delivery: &mut Delivery) -> Result<(), Failed> {
    let mut attempts = 0;
    loop {
        match delivery.step().await {
            Step::Idle => return Ok(()),
            Step::Stored(_) | Step::Replaced(_) => attempts = 0,
            Step::PutAside(sequence) => return Err(format!("upload {sequence} was refused for good").into()),
            Step::Wait(wait) => {
                attempts += 1;
                if attempts > ATTEMPTS {
                    return Err("the service does not take uploads".into());
                }
                tokio::time::sleep(wait.min(PAUSE)).await;
            }
        }
    }
}

/// The first device that the table holds, in one line.
fn first_device(table: &Table, classifier: &dyn crate::census::Classifier) -> Option<String> {
    let (mut inventory, policy) = (Inventory::of(ZONE, table.snapshot()), Policy::default());
    inventory.admit(&policy);
    let as_of = inventory.last_frame()?;
    let survey = Survey::new(&inventory, &policy, &Decisions::default(), classifier, as_of);
    let d = survey.devices.iter().min_by_key(|d| (d.first_seen, d.ip))?;
    Some(format!(
        "first device   {}  {}  {}  → {}",
        d.ip,
        d.mac,
        d.classification().kind.replace('_', " "),
        d.verdict.title()
    ))
}

async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, DemoError> {
    let address = listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
            let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            TcpListener::bind(free).await.map_err(|error| DemoError::Listen { address: free, error })
        }
        Err(error) => Err(DemoError::Listen { address, error }),
    }
}

fn say(line: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
