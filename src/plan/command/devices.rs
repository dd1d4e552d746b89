//! `devices`: list, show, explain, change and export the devices.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::changes::print_change;
use super::failure::Failure;
use super::{Target, print_json, service, table};
use crate::census::{CouplingKey, DeviceId, Property, Timestamp};
use crate::change::{ChangeRequest, Patch};
use crate::listing::{BadList, CHUNK, Csv, Filter, Ndjson, columns, places};
use crate::plan::app::App;
use crate::plan::app::inventory::View;
use crate::plan::http::problem::Problem;
use crate::plan::store::{By, Subscription};
use crate::wire::{DeviceEntry, Subject};

/// `devices` and what can be done with them; alone it lists them.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  netcensus-plan devices --category iot --sort -last_seen
  netcensus-plan devices why 10.2.0.41
  netcensus-plan devices edit 10.2.0.41 --type camera --name Lobby --dry-run
  netcensus-plan devices merge 10.2.0.41 10.2.0.42 --reason 'one camera, two cards'
  netcensus-plan devices export --format csv --output devices.csv"
)]
pub(super) struct DevicesCommand {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    list: ListArguments,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List the devices
    List(ListArguments),
    /// Show one device
    Show(OneArguments),
    /// Tell why an address, a MAC or a device counts, or does not
    Why(OneArguments),
    /// Set properties of devices, or take them back
    Edit(EditArguments),
    /// Delete devices: each returns with new traffic
    Delete(SomeArguments),
    /// Make devices of one zone one device
    Merge(SomeArguments),
    /// Take couplings out of a device
    Split(SplitArguments),
    /// Write the devices to a file: all of them, however many
    Export(ExportArguments),
}

/// Which devices, in what order.
#[derive(Clone, Debug, Args)]
struct Selection {
    /// network, iot, computer_mobile or unclassified
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// A verdict's id, such as C-IOT
    #[arg(long, value_name = "ID")]
    verdict: Option<String>,
    /// A zone's name
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// A type, such as camera
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// A maker
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// A tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// low, normal or high
    #[arg(long, value_name = "HOW MUCH")]
    importance: Option<String>,
    /// Whether the managed list names it: true or false
    #[arg(long, value_name = "BOOL")]
    managed: Option<String>,
    /// Words, each a part of an address, MAC, name, vendor, model, type, tag or location
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// A column to sort by, such as last_seen; from its end with '-' before it
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// The instant of the verdicts, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
}

impl Selection {
    fn filter(self) -> (Filter, Option<Timestamp>) {
        let Self { category, verdict, zone, kind, vendor, tag, importance, managed, search, sort, as_of } =
            self;
        let filter = Filter {
            category,
            verdict,
            zone,
            kind,
            vendor,
            tag,
            importance,
            managed,
            q: search,
            sort,
            ..Filter::default()
        };
        (filter, as_of)
    }
}

#[derive(Clone, Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Clone, Debug, Args)]
struct OneArguments {
    #[command(flatten)]
    target: Target,
    /// A device's id, or an address or MAC
    #[arg(value_name = "DEVICE")]
    device: String,
    /// The instant of the verdicts, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
}

/// How a change is made.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Making {
    /// Check everything and tell what would change, but store nothing
    #[arg(long)]
    dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Making {
    /// Who makes it.
    pub(super) fn by(&self) -> Result<By, Failure> {
        let most = crate::plan::store::audit::REASON;
        if self.reason.as_ref().is_some_and(|r| r.chars().count() > most) {
            return Err(Failure::usage(format!("a reason has at most {most} characters; shorten --reason")));
        }
        Ok(By { reason: self.reason.clone(), dry_run: self.dry_run, ..By::operator() })
    }
}

#[derive(Clone, Debug, Args)]
struct SomeArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    making: Making,
    /// Devices by id, address or MAC
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
}

#[derive(Clone, Debug, Args)]
struct EditArguments {
    #[command(flatten)]
    some: SomeArguments,
    /// What they are called
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A type of the taxonomy, which brings its category
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// network, iot, computer_mobile or unclassified
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// Where they stand
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// A tag; may be given several times, and replaces all that there are
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// low, normal or high
    #[arg(long, value_name = "HOW MUCH")]
    importance: Option<String>,
    /// A property to take back: name, type, category, location, tags or importance; may be given several times
    #[arg(long, value_name = "PROPERTY")]
    clear: Vec<String>,
}

#[derive(Clone, Debug, Args)]
struct SplitArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    making: Making,
    /// The device's id
    #[arg(value_name = "DEVICE")]
    device: String,
    /// A coupling to take out, as 'MAC IP'; may be given several times
    #[arg(long = "coupling", value_name = "MAC IP", required = true)]
    couplings: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table for spreadsheets (RFC 4180)
    Csv,
    /// A JSON object a line
    Ndjson,
}

#[derive(Clone, Debug, Args)]
struct ExportArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    selection: Selection,
    /// The form of the file
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Columns by their keys, separated by commas [default: all]
    #[arg(long, value_name = "KEYS")]
    columns: Option<String>,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does what is asked with the devices.
pub(super) async fn devices(command: DevicesCommand) -> Result<(), Failure> {
    match command.command {
        None => list(command.list).await,
        Some(Subcommands::List(arguments)) => list(arguments).await,
        Some(Subcommands::Show(arguments)) => show(arguments).await,
        Some(Subcommands::Why(arguments)) => why(arguments).await,
        Some(Subcommands::Edit(arguments)) => edit(arguments).await,
        Some(Subcommands::Delete(SomeArguments { target, making, devices })) => {
            change_some(&target, &making, &devices, |ids| ChangeRequest::Delete { ids }).await
        }
        Some(Subcommands::Merge(SomeArguments { target, making, devices })) => {
            change_some(&target, &making, &devices, |ids| ChangeRequest::Merge { ids }).await
        }
        Some(Subcommands::Split(arguments)) => split(arguments).await,
        Some(Subcommands::Export(arguments)) => export(arguments).await,
    }
}

async fn list(arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { target, selection } = arguments;
    let (config, store, subscription) = target.open().await?;
    let service = service(&config, store)?;
    let (filter, as_of) = selection.filter();
    let view = service.view(&subscription.id, as_of).await?;
    let places = places(&view.document.devices, &filter).map_err(Problem::from)?;
    let devices: Vec<&DeviceEntry> = places.iter().filter_map(|p| view.document.devices.get(*p)).collect();
    if target.common.json {
        return print_json(&json!({"as_of": view.as_of.to_string(), "devices": devices}));
    }
    let rows: Vec<Vec<String>> = devices.into_iter().map(row).collect();
    Ok(table::print(&mut io::stdout().lock(), &HEADER, &rows)?)
}

/// The columns of the table.
pub(super) const HEADER: [&str; 8] = ["IP", "MAC", "CATEGORY", "TYPE", "VENDOR", "NAME", "VERDICT", "ID"];

/// A device as a row of the table.
pub(super) fn row(d: &DeviceEntry) -> Vec<String> {
    let text = |o: &Option<String>| o.clone().unwrap_or_default();
    vec![
        d.ip.to_string(),
        d.mac.to_string(),
        d.category.key().to_owned(),
        d.kind.clone(),
        text(&d.vendor),
        text(&d.name),
        d.verdict.id().to_owned(),
        d.id.clone(),
    ]
}

async fn show(arguments: OneArguments) -> Result<(), Failure> {
    let OneArguments { target, device, as_of } = arguments;
    let (config, store, subscription) = target.open().await?;
    let service = service(&config, store)?;
    let view = service.view(&subscription.id, as_of).await?;
    let id = identify(&view, &device)?;
    let why = view.why(&id).ok_or_else(|| Failure::failed(format!("there is no device {id}")))?;
    if target.common.json {
        return print_json(&why.device);
    }
    let d = &why.device;
    let mut rows = vec![
        ("id", d.id.clone()),
        ("zone", d.zone.clone()),
        ("listed under", format!("{} {}", d.ip, d.mac)),
        ("verdict", format!("{} {}", d.verdict.id(), why.verdict)),
        ("category", d.category.key().to_owned()),
        ("type", d.kind.clone()),
    ];
    let known = [
        ("name", &d.name),
        ("vendor", &d.vendor),
        ("model", &d.model),
        ("system", &d.os),
        ("firmware", &d.firmware),
        ("location", &d.location),
    ];
    rows.extend(known.into_iter().filter_map(|(what, text)| Some((what, text.clone()?))));
    if !d.tags.is_empty() {
        rows.push(("tags", d.tags.join(", ")));
    }
    if let Some(importance) = d.importance {
        rows.push(("importance", importance.key().to_owned()));
    }
    rows.push(("first seen", d.first_seen.to_string()));
    rows.push(("last seen", d.last_seen.to_string()));
    rows.extend(d.couplings.iter().map(|c| ("coupling", format!("{} {}", c.mac, c.ip))));
    rows.extend(why.decisions.iter().map(|text| ("decided", text.clone())));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(what, text)| vec![what.to_owned(), text]).collect();
    Ok(table::print(&mut io::stdout().lock(), &["WHAT", ""], &rows)?)
}

async fn why(arguments: OneArguments) -> Result<(), Failure> {
    let OneArguments { target, device, as_of } = arguments;
    let (config, store, subscription) = target.open().await?;
    let service = service(&config, store)?;
    let answers = match device.parse::<Subject>() {
        // What is no device's is told too.
        Ok(subject) if device.parse::<DeviceId>().is_err() => {
            let explanation = service.explain(&subscription.id, subject, as_of).await?;
            if explanation.is_empty() {
                return Err(Failure::failed(subject.unknown()));
            }
            if target.common.json {
                return print_json(&explanation);
            }
            let mut out = io::stdout().lock();
            for line in &explanation.lines {
                writeln!(
                    out,
                    "{} {}: {} {}",
                    line.coupling.ip,
                    line.coupling.mac,
                    line.rule.id(),
                    line.verdict
                )?;
                tell(&mut out, "it would change when", &line.changes)?;
            }
            for other in &explanation.unaddressed {
                writeln!(out, "{}: {} without an address", other.mac, other.kind)?;
                tell(&mut out, "it would change when", &other.changes)?;
            }
            explanation.devices
        }
        _ => {
            let view = service.view(&subscription.id, as_of).await?;
            let id = identify(&view, &device)?;
            let why = view.why(&id).ok_or_else(|| Failure::failed(format!("there is no device {id}")))?;
            if target.common.json {
                return print_json(&why);
            }
            vec![why]
        }
    };
    let mut out = io::stdout().lock();
    for why in answers {
        let d = &why.device;
        writeln!(out, "{} {} ({}): {} {}", d.ip, d.mac, d.kind, d.verdict.id(), why.verdict)?;
        tell(&mut out, "decided by people", &why.decisions)?;
        let evidence = |r: &crate::wire::ReasonAnswer| {
            format!(
                "{} '{}': {} ({}, {} %)",
                r.evidence.field, r.evidence.value, r.evidence.says, r.title, r.evidence.weight
            )
        };
        tell(&mut out, "evidence", &why.reasons.iter().map(evidence).collect::<Vec<_>>())?;
        let join = |j: &crate::wire::JoinAnswer| match &j.decided {
            Some(mark) => format!("{} lies with {}: merged {mark}", j.coupling, j.with),
            None => format!("{} lies with {}: {}", j.coupling, j.with, j.title),
        };
        tell(&mut out, "one device because", &why.joins.iter().map(join).collect::<Vec<_>>())?;
        tell(&mut out, "it would change when", &why.changes)?;
    }
    Ok(())
}

fn tell(out: &mut dyn Write, title: &str, lines: &[String]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = lines.iter().map(|line| vec![format!("  {line}")]).collect();
    table::print(out, &[&format!(" {title}")], &rows)
}

async fn edit(arguments: EditArguments) -> Result<(), Failure> {
    let EditArguments { some, name, kind, category, location, tags, importance, clear } = arguments;
    let set = [
        (Property::Name, name),
        (Property::Type, kind),
        (Property::Category, category),
        (Property::Location, location),
        (Property::Importance, importance),
    ];
    let mut patch: Map<String, Value> =
        set.into_iter().filter_map(|(p, text)| Some((p.key().to_owned(), text?.into()))).collect();
    if !tags.is_empty() {
        patch.insert(Property::Tags.key().to_owned(), tags.into());
    }
    for property in clear {
        let known = Property::from_key(&property).ok_or_else(|| {
            let all: Vec<&str> = Property::ALL.into_iter().map(Property::key).collect();
            Failure::usage(format!("'{property}' cannot be cleared; it is one of {}", all.join(", ")))
        })?;
        if patch.insert(known.key().to_owned(), Value::Null).is_some() {
            return Err(Failure::usage(format!("{property} is both set and cleared; give one of them")));
        }
    }
    if patch.is_empty() {
        return Err(Failure::usage(
            "nothing is to be set; give --name, --type, --category, --location, --tag, --importance or --clear",
        ));
    }
    let patch: Patch = serde_json::from_value(patch.into()).map_err(|e| Failure::usage(e.to_string()))?;
    let SomeArguments { target, making, devices } = some;
    change_some(&target, &making, &devices, |ids| ChangeRequest::Edit { ids, patch }).await
}

async fn split(arguments: SplitArguments) -> Result<(), Failure> {
    let SplitArguments { target, making, device, couplings } = arguments;
    let pair = |text: &String| {
        let (mac, ip) = text.trim().split_once([' ', ','])?;
        Some(CouplingKey { mac: mac.parse().ok()?, ip: ip.trim().parse().ok()? })
    };
    let bad = |text: &String| {
        Failure::usage(format!("'{text}' is no coupling; write it as 'aa:bb:cc:dd:ee:ff 10.2.0.41'"))
    };
    let couplings: Vec<CouplingKey> =
        couplings.iter().map(|text| pair(text).ok_or_else(|| bad(text))).collect::<Result<_, _>>()?;
    change_some(&target, &making, &[device], |ids| ChangeRequest::Split {
        id: ids.into_iter().next().unwrap_or_default(),
        couplings,
    })
    .await
}

async fn change_some(
    target: &Target,
    making: &Making,
    devices: &[String],
    ask: impl FnOnce(Vec<String>) -> ChangeRequest,
) -> Result<(), Failure> {
    let by = making.by()?;
    let (config, store, subscription) = target.open().await?;
    let service = service(&config, store)?;
    let view = service.view(&subscription.id, None).await?;
    let ids = devices.iter().map(|d| identify(&view, d)).collect::<Result<Vec<_>, _>>()?;
    drop(view);
    make(&service, &subscription, ask(ids), &by, target.common.json).await
}

/// Makes a change and prints what it did.
pub(super) async fn make(
    service: &App,
    subscription: &Subscription,
    ask: ChangeRequest,
    by: &By,
    json: bool,
) -> Result<(), Failure> {
    let changed = service.change(&subscription.id, ask, by, None).await?;
    print_change(changed, by, json)
}

/// The id of the one device that is meant: by its id, an address or a MAC.
fn identify(view: &View, device: &str) -> Result<String, Failure> {
    if device.parse::<DeviceId>().is_ok() {
        return Ok(device.to_owned());
    }
    let subject: Subject = device.parse().map_err(|_| {
        Failure::usage(format!("'{device}' names no device; give its id, an address or a MAC"))
    })?;
    let devices = view.document.devices.iter();
    let found: Vec<&DeviceEntry> =
        devices.filter(|d| d.couplings.iter().any(|c| subject.is(c.mac, c.ip))).collect();
    match found.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => Err(Failure::failed(format!(
            "no device has {device}; 'netcensus-plan devices why {device}' may tell why"
        ))),
        several => {
            let ids: Vec<String> = several.iter().map(|d| format!("{} ({})", d.id, d.zone)).collect();
            Err(Failure::usage(format!("{device} is of several devices; name one of {}", ids.join(", "))))
        }
    }
}

async fn export(arguments: ExportArguments) -> Result<(), Failure> {
    let ExportArguments { target, selection, format, columns: asked, output } = arguments;
    let (config, store, subscription) = target.open().await?;
    let service = service(&config, store)?;
    let (filter, as_of) = selection.filter();
    let asked = columns(asked.as_deref()).map_err(|e| Problem::from(BadList::from(e)))?;
    let view = service.view(&subscription.id, as_of).await?;
    let places = places(&view.document.devices, &filter).map_err(Problem::from)?;
    let mut out: Box<dyn Write> = match &output {
        Some(path) => {
            let file = std::fs::File::create(path).map_err(|e| {
                Failure::failed(format!("cannot write {}: {e}; choose another --output", path.display()))
            })?;
            Box::new(io::BufWriter::new(file))
        }
        None => Box::new(io::stdout().lock()),
    };
    let (csv, ndjson) = (
        Csv::new(asked.clone(), view.as_of, &view.policy.name),
        Ndjson::new(asked, view.as_of, &view.policy.name),
    );
    if matches!(format, Format::Csv) {
        out.write_all(&csv.header())?;
    }
    for places in places.chunks(CHUNK) {
        let devices = places.iter().filter_map(|place| view.document.devices.get(*place));
        out.write_all(&match format {
            Format::Csv => csv.rows(devices),
            Format::Ndjson => ndjson.lines(devices),
        })?;
    }
    Ok(out.flush()?)
}
