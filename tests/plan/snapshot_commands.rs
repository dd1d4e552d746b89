//! Snapshots on the command line: sealing, showing, exporting, proving and verifying.

use std::path::{Path, PathBuf};

use netcensus::census::{Decisions, Policy, Survey};
use serde_json::Value;

use crate::support::START;
use crate::support::databases::Backend::Sqlite;
use crate::support::program::program_at;
use crate::support::service::ByName;
use crate::support::store::Stored;

/// A folder, and a store in it with a day that is due; the command line seals, shows, exports and verifies.
struct CommandLine {
    dir: tempfile::TempDir,
    stored: Stored,
    day: String,
}

/// The exit code, the output and the message of a command.
struct Ran {
    code: i32,
    output: String,
    message: String,
}

impl Ran {
    #[track_caller]
    fn prints(&self, part: &str) {
        let good = self.code == 0 && self.output.contains(part);
        assert!(good, "{part}: exit code {}: {}{}", self.code, self.output, self.message);
    }

    #[track_caller]
    fn fails(&self, part: &str) {
        let good = self.code == 1 && self.message.contains(part);
        assert!(good, "{part}: exit code {}: {}{}", self.code, self.output, self.message);
    }
}

impl CommandLine {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (stored, day) = Stored::with_a_day_due(Sqlite, dir.path()).await;
        Self { dir, stored, day: day.to_string() }
    }

    fn month(&self) -> &str {
        self.day.rsplit_once('-').unwrap().0
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = program_at(&self.stored.database, START, arguments);
        if arguments.first() == Some(&"verify") {
            // It needs no database.
            command.env("NETCENSUS_PLAN_DATABASE", Path::new("/nowhere"));
        }
        let out = command.current_dir(self.dir.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: out.status.code().unwrap(), output: text(out.stdout), message: text(out.stderr) }
    }

    /// Seals the day, and exports its month to `bundle.ndjson`.
    fn export(&self) {
        self.run(&["snapshot", "seal", &self.day]).prints("");
        self.run(&["snapshot", "export", self.month(), "--output", "bundle.ndjson"]).prints("");
    }

    fn fingerprint(&self) -> String {
        self.run(&["snapshot", "key"]).output.lines().nth(1).unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_command_line_seals_a_day_once_and_shows_why() {
    let cli = CommandLine::start().await;
    cli.run(&["snapshot", "seal", &cli.day, "--dry-run"]).prints("would be sealed");
    cli.run(&["snapshot", "show", &cli.day]).fails("there is no snapshot");
    let sealed = cli.run(&["snapshot", "seal", &cli.day, "--reason", "month end"]);
    sealed.prints("0 network + 0 IoT = 0 billable, rounded up to 0; 1 devices in all");
    cli.run(&["snapshot", "seal", &cli.day]).prints("nothing was sealed");
    cli.run(&["snapshot", "show", &cli.day]).prints("because: month end");
}

#[tokio::test]
async fn the_command_line_lists_snapshots_and_shows_the_key_that_signs_them() {
    let cli = CommandLine::start().await;
    cli.run(&["snapshot", "seal", &cli.day]).prints("");
    let list: Value = serde_json::from_str(&cli.run(&["snapshot", "list", "--json"]).output).unwrap();
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 1);
    let table = cli.run(&["snapshot", "list"]);
    table.prints(&cli.day);
    assert!(table.output.starts_with("DAY"), "{}", table.output);
    let key = cli.run(&["snapshot", "key"]).output;
    assert_eq!(key.lines().next().unwrap(), list["snapshots"][0]["key"]);
}

#[tokio::test]
async fn the_command_line_exports_a_bundle_and_verifies_it_without_a_database() {
    let cli = CommandLine::start().await;
    cli.export();
    // An export overwrites no file.
    let again = cli.run(&["snapshot", "export", cli.month(), "--output", "bundle.ndjson"]);
    again.fails("cannot create bundle.ndjson");
    let fingerprint = cli.fingerprint();
    let report = cli.run(&["verify", "bundle.ndjson"]);
    report.prints("1 days of subscription");
    report.prints(&fingerprint);
    cli.run(&["verify", "bundle.ndjson", "--key", &fingerprint, "--json"]).prints("");
    let other = cli.run(&["verify", "bundle.ndjson", "--key", "SHA256:other"]);
    other.fails("bundle.ndjson: line 1: signed by the key SHA256:");
}

#[tokio::test]
async fn the_command_line_names_the_line_of_a_bundle_that_was_changed() {
    let cli = CommandLine::start().await;
    cli.export();
    let path = cli.path("bundle.ndjson");
    let changed = std::fs::read_to_string(&path).unwrap().replace("\"X-UNCL\",\"first", "\"C-NET\",\"first");
    std::fs::write(&path, changed).unwrap();
    let refused = cli.run(&["verify", "bundle.ndjson"]);
    refused.fails("bundle.ndjson: line 3: the verdict C-NET on the device");
}

#[tokio::test]
async fn the_command_line_proves_a_device_and_verifies_the_proof() {
    let cli = CommandLine::start().await;
    cli.run(&["snapshot", "seal", &cli.day]).prints("");
    let (store, sid) = (&cli.stored.store, &cli.stored.sid);
    let inventory = store.inventory(sid).await.unwrap();
    let as_of = store.snapshots(sid, None, 1).await.unwrap()[0].header.as_of;
    let (policy, decisions) = (Policy::default(), Decisions::default());
    let survey = Survey::new(&inventory, &policy, &decisions, &ByName, as_of);
    let proof = cli.run(&["snapshot", "proof", &cli.day, &survey.devices[0].id.to_string()]);
    assert_eq!(proof.code, 0, "{}", proof.message);
    std::fs::write(cli.path("proof.json"), proof.output).unwrap();
    cli.run(&["verify", "proof.json"]).prints("is in the snapshot of");
}
