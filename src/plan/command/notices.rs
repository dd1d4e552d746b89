//! `notices`: lists them, and sends a test e-mail.

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Common, Target, say};
use super::failure::{Exit, Failure};
use crate::cli::table;
use crate::cli::terminal::print_json;
use crate::clock::{Clock as _, SystemClock};
use crate::plan::app::notices;
use crate::plan::mail;
use crate::plan::notice::Notice;
use crate::plan::permission::View;
use crate::plan::secret;
use crate::plan::store::{By, QueuedMail};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  netcensus-plan notices list
  netcensus-plan notices list --json
  netcensus-plan notices test-mail alice@example.com     sends one e-mail by [mail] of the configuration")]
pub(super) enum NoticesCommand {
    /// List the newest notices of a subscription; people read them in the console
    List(ListArguments),
    /// Send an e-mail to an address now, to check [mail] of the configuration
    TestMail(TestArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(super) struct TestArguments {
    #[command(flatten)]
    common: Common,
    /// To whom
    #[arg(value_name = "ADDRESS", value_parser = mail::address)]
    address: String,
}

/// Lists notices, or sends a test e-mail.
pub(super) async fn run(command: NoticesCommand) -> Result<(), Failure> {
    match command {
        NoticesCommand::List(ListArguments { target }) => {
            let (app, may) = target.may::<View>(By::operator()).await?;
            let list = notices::list(&app, &may).await?;
            if target.common.json {
                return print_json(&list);
            }
            let rows: Vec<Vec<String>> = list.notices.iter().map(row).collect();
            table::print(&mut io::stdout().lock(), &["NUMBER", "SINCE", "STATE", "NOTICE"], &rows)?;
            Ok(())
        }
        NoticesCommand::TestMail(TestArguments { common, address }) => test_mail(&common, address).await,
    }
}

async fn test_mail(common: &Common, address: String) -> Result<(), Failure> {
    let config = common.config()?;
    let mailer =
        config.mail.mailer().map_err(Failure::configuration)?.ok_or_else(|| {
            Failure::configuration("no mail server is configured: set mail.host and mail.from")
        })?;
    let test = QueuedMail {
        id: secret::generate("").map_err(|e| Failure::failed(e.to_string()))?,
        person: String::new(),
        address: address.clone(),
        subject: "netcensus: a test".to_owned(),
        body: "netcensus can send e-mail to this address.\r\n".to_owned(),
        created_at: SystemClock.now(),
        attempts: 0,
    };
    let server = &config.mail.host;
    let failed = |e| Failure::new(Exit::Unavailable, format!("{server} did not take the e-mail: {e}"));
    mailer.send(&test).await.map_err(failed)?;
    say(&format!("{server} took an e-mail to {address}"))
}

fn row(notice: &Notice) -> Vec<String> {
    let state = notice.over_at.map_or_else(|| "goes on".to_owned(), |at| format!("over since {at}"));
    vec![notice.number.to_string(), notice.began_at.to_string(), state, notice.title.clone()]
}
