//! `devices`: list, show, explain, change and export the devices.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::arguments::{Attempt, Target};
use super::changes::print_change;
use super::device_table::{HEADER, row};
use super::failure::Failure;
use super::selection::Selection;
use crate::census::{CouplingKey, DeviceId, Property, Timestamp};
use crate::change::Patch;
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::plan::app::devices::{self, Edits};
use crate::plan::app::{App, May, exports};
use crate::plan::permission::{self, EditDevices, View};
use crate::plan::store::{By, Expected};
use crate::wire::{DeviceEntry, Subject};

/// Without a subcommand, lists the devices.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  netcensus-plan devices --category iot --sort -last_seen
  netcensus-plan devices --query 'vendor:axis ip:10.2.0.0/16 counts:no'
  netcensus-plan devices --view 'silent cameras'
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
    /// Explain why an address, a MAC or a device counts or does not
    Why(OneArguments),
    /// Set or clear properties of devices
    Edit(EditArguments),
    /// Delete devices; a deleted device returns when it sends again
    Delete(SomeArguments),
    /// Take the deletion of devices back
    Restore(SomeArguments),
    /// Put devices on the managed list of a source, so that they are not counted
    Manage(ManageArguments),
    /// Merge devices of one zone into one
    Merge(SomeArguments),
    /// Split couplings off a device
    Split(SplitArguments),
    /// Write all devices to a file
    Export(ExportArguments),
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
    /// The device's id, address or MAC
    #[arg(value_name = "DEVICE")]
    device: String,
    /// The instant at which to count, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
}

#[derive(Clone, Debug, Args)]
struct SomeArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The devices, by id, address or MAC
    #[arg(value_name = "DEVICE", required = true)]
    devices: Vec<String>,
}

#[derive(Clone, Debug, Args)]
struct EditArguments {
    #[command(flatten)]
    some: SomeArguments,
    /// The new name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// The new type, such as camera; it sets the category too
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The new category: network, iot, computer_mobile or unclassified
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// The new location
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// A new tag; may be repeated. The new tags replace all earlier tags
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A tag to add to those of each device; may be repeated
    #[arg(long = "add-tag", value_name = "TAG")]
    add_tags: Vec<String>,
    /// A tag to take from each device; may be repeated
    #[arg(long = "remove-tag", value_name = "TAG")]
    remove_tags: Vec<String>,
    /// The new importance: low, normal or high
    #[arg(long, value_name = "LEVEL")]
    importance: Option<String>,
    /// A property to clear: name, type, category, location, tags or importance; may be repeated
    #[arg(long, value_name = "PROPERTY")]
    clear: Vec<String>,
}

#[derive(Clone, Debug, Args)]
struct ManageArguments {
    #[command(flatten)]
    some: SomeArguments,
    /// The system that manages the devices
    #[arg(long, value_name = "NAME", default_value = "by hand")]
    source: String,
}

#[derive(Clone, Debug, Args)]
struct SplitArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    attempt: Attempt,
    /// The device's id
    #[arg(value_name = "DEVICE")]
    device: String,
    /// A coupling to split off, as 'MAC IP'; may be repeated
    #[arg(long = "coupling", value_name = "MAC IP", required = true)]
    couplings: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table for spreadsheets (RFC 4180)
    Csv,
    /// One JSON object a line
    Ndjson,
}

#[derive(Clone, Debug, Args)]
struct ExportArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    selection: Selection,
    /// The format of the file
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The keys of the columns, separated by commas [default: all]
    #[arg(long, value_name = "KEYS")]
    columns: Option<String>,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn devices(command: DevicesCommand) -> Result<(), Failure> {
    match command.command {
        None => list(command.list).await,
        Some(Subcommands::List(arguments)) => list(arguments).await,
        Some(Subcommands::Show(arguments)) => show(arguments).await,
        Some(Subcommands::Why(arguments)) => why(arguments).await,
        Some(Subcommands::Edit(arguments)) => edit(arguments).await,
        Some(Subcommands::Delete(SomeArguments { target, attempt, devices })) => {
            let (app, may, ids) = open(&target, &attempt, &devices).await?;
            let edits = Edits { ids, delete: true, ..Edits::default() };
            print_change(devices::edit_many(&app, &may, edits).await?, target.common.json)
        }
        Some(Subcommands::Restore(SomeArguments { target, attempt, devices })) => {
            let (app, may, ids) = open(&target, &attempt, &devices).await?;
            let edits = Edits { ids, restore: true, ..Edits::default() };
            print_change(devices::edit_many(&app, &may, edits).await?, target.common.json)
        }
        Some(Subcommands::Manage(ManageArguments { some, source })) => {
            let SomeArguments { target, attempt, devices } = some;
            let (app, may, ids) = open(&target, &attempt, &devices).await?;
            let edits = Edits { ids, managed_by: Some(source), ..Edits::default() };
            print_change(devices::edit_many(&app, &may, edits).await?, target.common.json)
        }
        Some(Subcommands::Merge(SomeArguments { target, attempt, devices })) => {
            let (app, may, ids) = open(&target, &attempt, &devices).await?;
            print_change(devices::merge(&app, &may, ids).await?, target.common.json)
        }
        Some(Subcommands::Split(arguments)) => split(arguments).await,
        Some(Subcommands::Export(arguments)) => export(arguments).await,
    }
}

async fn list(arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { target, selection } = arguments;
    let (app, may) = target.may::<View>(By::operator()).await?;
    let filter = selection.filter(&app, &may).await?;
    let found = devices::matching(&app, &may, &filter).await?;
    let devices: Vec<DeviceEntry> = found.iter().collect();
    if target.common.json {
        return print_json(&json!({"as_of": found.as_of().to_string(), "devices": devices}));
    }
    let rows: Vec<Vec<String>> = devices.iter().map(row).collect();
    Ok(table::print(&mut io::stdout().lock(), &HEADER, &rows)?)
}

async fn show(arguments: OneArguments) -> Result<(), Failure> {
    let OneArguments { target, device, as_of } = arguments;
    let (app, may) = target.may::<View>(By::operator()).await?;
    let id = identify(&app, &may, &device, as_of).await?;
    let why = devices::why(&app, &may, &id, as_of).await?;
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
    let (app, may) = target.may::<View>(By::operator()).await?;
    let answers = match device.parse::<Subject>() {
        // Couplings that do not belong to a device have reasons, too.
        Ok(subject) if device.parse::<DeviceId>().is_err() => {
            let explanation = devices::explain(&app, &may, subject, as_of).await?;
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
            let id = identify(&app, &may, &device, as_of).await?;
            let why = devices::why(&app, &may, &id, as_of).await?;
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
            format!("{} '{}': {} ({})", r.evidence.field, r.evidence.value, r.evidence.conclusions(), r.title)
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
    let EditArguments {
        some,
        name,
        kind,
        category,
        location,
        tags,
        add_tags,
        remove_tags,
        importance,
        clear,
    } = arguments;
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
    for (key, tags) in [("add_tags", add_tags), ("remove_tags", remove_tags)] {
        if !tags.is_empty() {
            patch.insert(key.to_owned(), tags.into());
        }
    }
    for property in clear {
        let known = Property::from_key(&property).ok_or_else(|| {
            let all: Vec<&str> = Property::ALL.into_iter().map(Property::key).collect();
            Failure::usage(format!("unknown property '{property}': clear one of {}", all.join(", ")))
        })?;
        if patch.insert(known.key().to_owned(), Value::Null).is_some() {
            return Err(Failure::usage(format!(
                "{property} is both set and cleared: leave out one of the two"
            )));
        }
    }
    if patch.is_empty() {
        return Err(Failure::usage(
            "nothing to set; give --name, --type, --category, --location, --tag, --add-tag, --remove-tag, --importance or --clear",
        ));
    }
    let patch: Patch = serde_json::from_value(patch.into()).map_err(|e| Failure::usage(e.to_string()))?;
    let SomeArguments { target, attempt, devices } = some;
    let (app, may, ids) = open(&target, &attempt, &devices).await?;
    let edits = Edits { ids, set: patch, ..Edits::default() };
    print_change(devices::edit_many(&app, &may, edits).await?, target.common.json)
}

async fn split(arguments: SplitArguments) -> Result<(), Failure> {
    let SplitArguments { target, attempt, device, couplings } = arguments;
    let pair = |text: &String| {
        let (mac, ip) = text.trim().split_once([' ', ','])?;
        Some(CouplingKey { mac: mac.parse().ok()?, ip: ip.trim().parse().ok()? })
    };
    let bad = |text: &String| {
        Failure::usage(format!("'{text}' is not a coupling; write it as 'aa:bb:cc:dd:ee:ff 10.2.0.41'"))
    };
    let couplings: Vec<CouplingKey> =
        couplings.iter().map(|text| pair(text).ok_or_else(|| bad(text))).collect::<Result<_, _>>()?;
    let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
    let id = identify(&app, &may.view(), &device, None).await?;
    let changed = devices::split(&app, &may, id, couplings, Expected::Any).await?;
    print_change(changed, target.common.json)
}

/// Opens the application and finds the devices that are to be changed.
async fn open(
    target: &Target,
    attempt: &Attempt,
    devices: &[String],
) -> Result<(App, May<EditDevices>, Vec<String>), Failure> {
    let (app, may) = target.may::<EditDevices>(attempt.by()?).await?;
    let mut ids = Vec::with_capacity(devices.len());
    for device in devices {
        ids.push(identify(&app, &may.view(), device, None).await?);
    }
    Ok((app, may, ids))
}

/// The id of the one device that a person names by its id, an address or a MAC.
async fn identify(
    app: &App,
    may: &May<View>,
    device: &str,
    as_of: Option<Timestamp>,
) -> Result<String, Failure> {
    if device.parse::<DeviceId>().is_ok() {
        return Ok(device.to_owned());
    }
    let subject: Subject = device.parse().map_err(|_| {
        Failure::usage(format!("'{device}' is not a device's id, an address or a MAC address"))
    })?;
    let found = devices::find(app, may, subject, as_of).await?;
    match found.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => {
            Err(Failure::failed(format!("no device has {device}; see 'netcensus-plan devices why {device}'")))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|d| format!("{} ({})", d.id, d.zone)).collect();
            Err(Failure::usage(format!(
                "several devices have {device}; choose one by its id: {}",
                ids.join(", ")
            )))
        }
    }
}

async fn export(arguments: ExportArguments) -> Result<(), Failure> {
    let ExportArguments { target, selection, format, columns, output } = arguments;
    let (app, may) = target.may::<permission::Export>(By::operator()).await?;
    let format = match format {
        Format::Csv => exports::Format::Csv,
        Format::Ndjson => exports::Format::Ndjson,
    };
    let filter = selection.filter(&app, &may.view()).await?;
    let file = exports::file(&app, &may, &filter, columns.as_deref(), format).await?;
    let mut out: Box<dyn Write> = match &output {
        Some(path) => {
            let file = std::fs::File::create(path).map_err(|e| {
                Failure::failed(format!("cannot write {}: {e}; choose another --output", path.display()))
            })?;
            Box::new(io::BufWriter::new(file))
        }
        None => Box::new(io::stdout().lock()),
    };
    for chunk in file {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}
