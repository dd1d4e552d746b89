//! E-mail: `[mail]` of the configuration, and the one place that speaks SMTP.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::address::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;

use crate::plan::store::QueuedMail;

/// How long the mail server may take for each step, and for an e-mail.
const PATIENCE: Duration = Duration::from_secs(20);
const IN_ALL: Duration = Duration::from_secs(60);
/// Answers that are about this e-mail or its recipient, and final (RFC 5321 4.2.3). Other answers that begin with 5 are about
/// this service, such as 535 of a wrong password: a person mends the configuration, and the e-mail goes out then.
const FINAL: [&str; 7] = ["501", "550", "551", "552", "553", "555", "556"];
/// The longest address in bytes (RFC 5321 4.5.3.1.3, without its brackets).
const ADDRESS: usize = 254;

/// `[mail]`: the server that takes the service's e-mail. Without a host there is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MailSettings {
    /// The server's name or address; empty for none.
    pub host: String,
    /// Its port; 0 for that of the encryption: 465 or 587, or 25 without.
    pub port: u16,
    pub encryption: Encryption,
    /// The sender: `netcensus <netcensus@example.com>`.
    pub from: String,
    /// The name to sign in with; empty if the server wants none.
    pub user: String,
    /// The file with the password.
    pub password_file: PathBuf,
    /// A file with further authorities in PEM form, for a server with a certificate of one's own; empty for none.
    pub authorities: PathBuf,
    /// The hour in UTC from which the e-mail of a day is sent.
    pub hour: u8,
}

/// How the connection to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// By the command STARTTLS. A server that does not offer it gets no e-mail.
    #[default]
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not at all: only for a server on this machine.
    None,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            encryption: Encryption::default(),
            from: String::new(),
            user: String::new(),
            password_file: PathBuf::new(),
            authorities: PathBuf::new(),
            hour: 6,
        }
    }
}

impl MailSettings {
    /// Whether a server is named.
    pub fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    /// The first key with an invalid value, and what to write instead.
    pub fn complaint(&self) -> Option<(&'static str, &'static str)> {
        if !self.is_on() {
            return None;
        }
        let is_here = self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if self.encryption == Encryption::None && !is_here {
            return Some((
                "encryption",
                "\"none\" is for a server on this machine; write \"starttls\" or \"tls\"",
            ));
        }
        if self.from.parse::<Mailbox>().is_err() {
            return Some(("from", "write the sender as \"netcensus <netcensus@example.com>\""));
        }
        if self.user.is_empty() != self.password_file.as_os_str().is_empty() {
            return Some(("user", "write both mail.user and mail.password_file, or neither"));
        }
        (self.hour > 23).then_some(("hour", "write an hour from 0 to 23"))
    }

    /// What sends e-mail; `None` if no server is named. Reads the files that the settings name.
    ///
    /// # Errors
    /// Why it cannot be made, and the next step.
    pub fn mailer(&self) -> Result<Option<Mailer>, String> {
        if !self.is_on() {
            return Ok(None);
        }
        if let Some((key, advice)) = self.complaint() {
            return Err(format!("mail.{key}: {advice}"));
        }
        let from = self.from.parse::<Mailbox>().map_err(|e| format!("mail.from: {e}"))?;
        let (tls, usual) = match self.encryption {
            Encryption::Starttls => (Tls::Required(self.parameters()?), 587),
            Encryption::Tls => (Tls::Wrapper(self.parameters()?), 465),
            Encryption::None => (Tls::None, 25),
        };
        let port = if self.port == 0 { usual } else { self.port };
        // The host of the sender's address tells no more about this machine than the e-mail does.
        let hello = ClientId::Domain(from.email.domain().to_owned());
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(port)
            .tls(tls)
            .hello_name(hello)
            .timeout(Some(PATIENCE));
        if !self.user.is_empty() {
            let file = self.password_file.display();
            let password = std::fs::read_to_string(&self.password_file)
                .map_err(|e| format!("cannot read {file}, which mail.password_file names: {e}"))?;
            transport =
                transport.credentials(Credentials::new(self.user.clone(), password.trim().to_owned()));
        }
        Ok(Some(Mailer { from, hour: self.hour, transport: transport.build() }))
    }

    fn parameters(&self) -> Result<TlsParameters, String> {
        // Installs the one cryptography of the program.
        crate::tls::provider();
        let mut parameters = TlsParameters::builder(self.host.clone());
        if !self.authorities.as_os_str().is_empty() {
            let file = self.authorities.display();
            let pem = std::fs::read(&self.authorities)
                .map_err(|e| format!("cannot read {file}, which mail.authorities names: {e}"))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|e| format!("{file}, which mail.authorities names, has no certificates: {e}"))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters.build().map_err(|e| format!("TLS to the mail server cannot be set up: {e}"))
    }
}

/// Why an e-mail was not sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MailError {
    /// The server will never take it.
    #[error("{0}")]
    Refused(String),
    /// The server does not take this e-mail now.
    #[error("{0}")]
    NotNow(String),
    /// The server is not reached. Further e-mails would not reach it either.
    #[error("{0}")]
    Away(String),
}

/// What sends e-mail.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    /// The hour in UTC from which the e-mail of a day is sent.
    pub hour: u8,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer {
    /// Sends an e-mail. The text goes as plain text in UTF-8.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, mail: &QueuedMail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        let sent = tokio::time::timeout(IN_ALL, self.transport.send(message)).await;
        let late = |_| MailError::Away(format!("the server took longer than {} s", IN_ALL.as_secs()));
        sent.map_err(late)?.map(drop).map_err(|error| {
            let text = told(&error);
            match error.status().map(|code| code.to_string()) {
                Some(code) if FINAL.contains(&code.as_str()) => MailError::Refused(text),
                // 554 refuses a text, or all clients.
                Some(code) if code.starts_with('4') || code == "554" => MailError::NotNow(text),
                _ => MailError::Away(text),
            }
        })
    }

    /// The e-mail as it goes out. Its headers come from this service, from the configuration and from [`header`].
    fn message(&self, mail: &QueuedMail) -> Result<Message, MailError> {
        let refused = |what: &str, e: &dyn std::fmt::Display| MailError::Refused(format!("{what}: {e}"));
        let to: Address = mail.address.parse().map_err(|e| refused("the address cannot be used", &e))?;
        let nanoseconds = u64::try_from(mail.created_at.0).unwrap_or_default();
        let date = std::time::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(header(&mail.subject))
            .date(date)
            .message_id(Some(format!("<{}@{}>", header(&mail.id), self.from.email.domain())))
            // Programs that answer while people are away do not answer this (RFC 3834 5).
            .raw_header(auto_submitted())
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|e| refused("the e-mail cannot be written", &e))
    }
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    use lettre::message::header::{HeaderName, HeaderValue};
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}

/// A text as a header may hold it: one line without control characters.
pub fn header(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// An address as a person wrote it, if e-mail can go there.
///
/// # Errors
/// What is wrong with it.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let wrong = || "write an e-mail address, such as alice@example.com".to_owned();
    if text.len() > ADDRESS || text.chars().any(char::is_control) || !text.is_ascii() {
        return Err(wrong());
    }
    let address: Address = text.parse().map_err(|_| wrong())?;
    Ok(address.to_string())
}

/// An error with its causes, in one line of at most 300 characters: it may quote the server.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Timestamp;

    fn settings() -> MailSettings {
        MailSettings {
            host: "127.0.0.1".to_owned(),
            encryption: Encryption::None,
            from: "netcensus <netcensus@example.com>".to_owned(),
            ..MailSettings::default()
        }
    }

    #[test]
    fn what_cannot_work_is_told_with_its_key() {
        assert_eq!(MailSettings::default().complaint(), None);
        assert_eq!(settings().complaint(), None);
        let key = |settings: MailSettings| settings.complaint().map(|(key, _)| key);
        assert_eq!(key(MailSettings { host: "mx.example.com".to_owned(), ..settings() }), Some("encryption"));
        assert_eq!(key(MailSettings { from: "netcensus".to_owned(), ..settings() }), Some("from"));
        assert_eq!(key(MailSettings { user: "a".to_owned(), ..settings() }), Some("user"));
        assert_eq!(key(MailSettings { hour: 24, ..settings() }), Some("hour"));
    }

    #[test]
    fn addresses_that_could_add_a_header_or_a_command_are_refused() {
        assert_eq!(address(" alice@example.com "), Ok("alice@example.com".to_owned()));
        for bad in [
            "",
            "alice",
            "alice@example.com\r\nBcc: eve@example.com",
            "alice@example.com>\r\nDATA",
            "alice@example.com, eve@example.com",
            "a b@example.com",
            "<alice@example.com>",
            &format!("{}@example.com", "a".repeat(300)),
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn texts_from_the_network_break_no_header() {
        let mailer = settings().mailer().unwrap().unwrap();
        let mail = QueuedMail {
            id: "x\r\nX-A: 1".to_owned(),
            person: "alice".to_owned(),
            address: "alice@example.com".to_owned(),
            subject: "a\r\nBcc: eve@example.com\r\n\r\nbody \u{202e}Müller".to_owned(),
            body: "one\r\n.\r\nQUIT\r\n".to_owned(),
            created_at: Timestamp(0),
            attempts: 0,
        };
        let text = String::from_utf8(mailer.message(&mail).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':').map(|(name, _)| name))
            .collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let expected = [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Subject",
            "To",
        ];
        let expected: Vec<&str> = expected.into_iter().filter(|name| sorted.contains(name)).collect();
        assert_eq!(sorted.len(), expected.len(), "{head}");
        assert!(names.contains(&"Subject") && names.contains(&"To"), "{head}");
    }
}
