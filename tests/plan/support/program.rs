//! The program `netcensus-plan` as an operator runs it: its output, its exit codes, and the service in a process of its
//! own.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::Receiver;

use netcensus::plan::store::{Location, Store};
use serde_json::Value;

use super::{START, databases};

/// The program with these arguments, in `directory`, at [`START`]. Its database is `plan.sqlite` there.
pub(crate) fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = program_at(&Location::File(directory.join("plan.sqlite")), START, arguments);
    command.current_dir(directory).env("XDG_CONFIG_HOME", directory);
    command
}

/// Makes the database of [`program`], as `serve` does at its first start.
pub(crate) fn make_database(directory: &Path) {
    let location = Location::File(directory.join("plan.sqlite"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Store::open(&location).await.unwrap().close().await });
}

/// The program with these arguments, on a database, at a time.
pub(crate) fn program_at(database: &Location, now: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netcensus-plan"));
    command.args(arguments).stdin(Stdio::null());
    command.env("NETCENSUS_PLAN_DATABASE", databases::place(database)).env("NETCENSUS_NOW", now);
    command
        .env("RUNTIME_DIRECTORY", env!("CARGO_TARGET_TMPDIR"))
        .env_remove("NETCENSUS_PLAN_CONFIG")
        .env_remove("NETCENSUS_PLAN_SUBSCRIPTION")
        .env("NO_COLOR", "1");
    command
}

/// Runs the program with these arguments, see [`program`].
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Output {
    program(directory, arguments).output().unwrap()
}

/// Runs the program, which must succeed; gives what it printed.
pub(crate) fn printed(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program, which must succeed; gives the JSON document that it printed.
pub(crate) fn document(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(directory, arguments)).unwrap()
}

/// Runs the program, which must fail without printing a result; gives its exit code and its message.
pub(crate) fn failure(directory: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(directory, arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Asserts that the program fails with this exit code and a message that has `part` in it.
#[track_caller]
pub(crate) fn assert_failure(directory: &Path, arguments: &[&str], code: i32, part: &str) {
    let (found, message) = failure(directory, arguments);
    assert!(found == code && message.contains(part), "{arguments:?}: exit code {found}: {message}");
}

/// `netcensus-plan serve` in a process of its own.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    output: Lines<BufReader<ChildStdout>>,
    log: Receiver<String>,
}

impl Process {
    /// Starts the service, and waits until it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = log.find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        let url = url.expect("the service logs where it listens");
        let (lines, later) = std::sync::mpsc::channel();
        // Reads on though nobody listens: a full pipe would stop the service.
        std::thread::spawn(move || log.for_each(|line| drop(lines.send(line))));
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, url, output, log: later }
    }

    /// The next line of its output that has `part` in it.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        self.output.by_ref().map_while(Result::ok).find(|line| line.contains(part)).unwrap()
    }

    /// The next line of its log that has `part` in it.
    pub(crate) fn log_with(&self, part: &str) -> String {
        self.log.iter().find(|line| line.contains(part)).unwrap()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `-TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills it, as a failure of the machine would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Writes `plan.conf` into a folder, with rules by which the command line sorts devices into categories as the service of
/// these tests does: by the beginning of their names.
pub(crate) fn configure_by_name(folder: &Path) {
    let mut rules = "schema = 1\n[pack]\nname = \"agreement\"\nversion = \"1\"\n".to_owned();
    // If a device has several names, the alphabetically first decides, as in these tests' service.
    let no = |name: &str| format!("{{ evidence = \"mdns.hostname\", prefix = '{name}-' }}");
    for (category, unless) in [
        ("computer_mobile", String::new()),
        ("iot", no("computer_mobile")),
        ("network", format!("{}, {}", no("computer_mobile"), no("iot"))),
    ] {
        rules.push_str(&format!(
            "[[rule]]\nid = \"agreement.{category}\"\ntitle = \"A name of the test\"\nevidence = \"mdns.hostname\"\nmatch = {{ prefix = '{category}-' }}\nunless = [ {unless} ]\nset = {{ category = '{category}' }}\nweight = 99\nkind = \"self_reported\"\ntier = \"specific\"\nref = \"test\"\ntests = [ {{ in = \"{category}-7\", expect = {{ category = '{category}' }} }}, {{ in = \"other\", miss = true }} ]\n"
        ));
    }
    std::fs::write(folder.join("agreement.toml"), rules).unwrap();
    let config = format!("[census]\nrules = {:?}\n", folder.to_str().unwrap());
    std::fs::write(folder.join("plan.conf"), config).unwrap();
}
