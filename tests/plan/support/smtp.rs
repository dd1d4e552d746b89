//! A mail server that takes e-mail on loopback and keeps it.

use std::sync::{Arc, Mutex};

use netcensus::plan::mail::{Encryption, MailSettings, Mailer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it answers to the name of a recipient.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    Takes,
    NotNow,
    /// It does not know this service.
    WrongPassword,
    Never,
}

/// A mail server.
#[derive(Clone)]
pub(crate) struct MailServer {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, mood: Arc::new(Mutex::new(Mood::Takes)), taken: Arc::default() };
        let served = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().talk(stream));
            }
        });
        server
    }

    /// What sends e-mail to it.
    pub(crate) fn mailer(&self) -> Arc<Mailer> {
        let settings = MailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            encryption: Encryption::None,
            from: "netcensus <netcensus@example.com>".to_owned(),
            ..MailSettings::default()
        };
        Arc::new(settings.mailer().unwrap().unwrap())
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The e-mails that it took, each with the lines of the envelope before it.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    async fn talk(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut mail = String::new();
        stream.write_all(b"220 mx ESMTP\r\n").await.unwrap();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let mood = *self.mood.lock().unwrap();
            let answer = match line.get(..4).unwrap_or_default() {
                "EHLO" => "250-mx\r\n250 8BITMIME\r\n",
                "RCPT" if mood == Mood::NotNow => "451 come again\r\n",
                "RCPT" if mood == Mood::WrongPassword => "535 wrong password\r\n",
                "RCPT" if mood == Mood::Never => "550 no such user\r\n",
                "MAIL" | "RCPT" => {
                    mail.push_str(&line);
                    "250 ok\r\n"
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.unwrap();
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.unwrap();
                        if line == ".\r\n" {
                            break;
                        }
                        mail.push_str(&line);
                    }
                    self.taken.lock().unwrap().push(std::mem::take(&mut mail));
                    "250 taken\r\n"
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await.ok();
                    return;
                }
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}
