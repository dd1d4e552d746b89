//! `top`: the census of the running sensor, live in the terminal.
//!
//! [`scene`] is the census at one moment, [`state`] the person's choice of what to see, and [`view`] a pure function that
//! draws both. A separate thread asks the sensor, so that keys respond meanwhile. Text from the network is escaped when
//! it is drawn.

mod scene;
mod state;
mod view;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use self::scene::Scene;
use self::state::TopState;
use super::arguments::ConfigArguments;
use super::failure::Failure;
use super::source;
use crate::classify::{RuleFiles, Rules};
use crate::cli::terminal;
use crate::clock::{Clock as _, SystemClock};
use crate::sensor::config::Config;

/// Longest delay before a key responds.
const TICK: Duration = Duration::from_millis(100);
/// The pause after a request is this many times as long as the request took, so that a large inventory is requested rarely.
const EASE: u32 = 4;
/// Columns and lines of the page that `--once` prints, by default.
const PAGE: (u16, u16) = (80, 24);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  netcensus-sensor top
  netcensus-sensor top --once                     print one page as plain text
  netcensus-sensor top --capture office.pcap

Keys: q quit, s sort, c category, / find, Esc show all, up and down select, p pause. NO_COLOR=1 disables colours.")]
pub(super) struct Arguments {
    /// Show this capture file instead of the running sensor; repeatable
    #[arg(long, value_name = "FILE")]
    capture: Vec<PathBuf>,
    /// Print one page of COLUMNS by LINES as plain text [default: 80 by 24]
    #[arg(long)]
    once: bool,
    /// Seconds between requests to the sensor
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval: u64,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn top(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let mut state = TopState { colour: terminal::may_colour(), ..TopState::default() };
    let mut asker = None;
    if arguments.capture.is_empty() {
        let mut first = Asker::new(config);
        state.show(first.ask()?);
        asker = Some(first);
    } else {
        state.show(replayed(arguments)?);
    }
    if arguments.once {
        return print(&state);
    }
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return Err(Failure::usage("top needs a terminal; 'top --once' prints one page as plain text"));
    }
    let scenes = asker.map(|asker| follow(asker, Duration::from_secs(arguments.interval))).transpose()?;
    let mut terminal = ratatui::try_init()?;
    let ended = run(&mut terminal, &mut state, scenes.as_ref());
    ratatui::try_restore()?;
    ended
}

fn replayed(arguments: &Arguments) -> Result<Scene, Failure> {
    let facts = source::SurveyInput::gather(&source::Arguments {
        capture: arguments.capture.clone(),
        as_of: None,
        zone: None,
        json: false,
        config: arguments.config.clone(),
        indicators: Vec::new(),
        threads: None,
    })?;
    let mut scene = Scene::new(
        &facts.inventory,
        &facts.policy,
        &facts.rules,
        facts.as_of.unwrap_or_default(),
        facts.capture,
        facts.refused,
    );
    scene.source = arguments.capture.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    Ok(scene)
}

/// Prints one page as plain text.
fn print(state: &TopState) -> Result<(), Failure> {
    let number = |name: &str, default: u16| {
        let set = std::env::var(name).ok().and_then(|v| v.parse().ok());
        set.filter(|n| (20..=500).contains(n)).unwrap_or(default)
    };
    let backend = TestBackend::new(number("COLUMNS", PAGE.0), number("LINES", PAGE.1));
    let Ok(mut terminal) = Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| view::view(state, frame));
    let mut out = io::stdout().lock();
    for line in view::lines(terminal.backend().buffer()) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Draws and handles keys until the person quits.
fn run(
    terminal: &mut ratatui::DefaultTerminal,
    state: &mut TopState,
    scenes: Option<&Receiver<Result<Scene, Failure>>>,
) -> Result<(), Failure> {
    let mut changed = true;
    loop {
        if changed {
            terminal.draw(|frame| view::view(state, frame))?;
        }
        changed = false;
        if event::poll(TICK)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if state.key(key) {
                        return Ok(());
                    }
                    changed = true;
                }
                Event::Resize(..) => changed = true,
                _ => {}
            }
        }
        match scenes.map(Receiver::try_recv) {
            Some(Ok(Ok(scene))) => state.show(scene),
            Some(Ok(Err(failure))) => state.problem = Some(failure.to_string()),
            Some(Err(TryRecvError::Disconnected)) => {
                state.problem =
                    Some("the thread that asks the sensor panicked; please report this defect".to_owned());
            }
            Some(Err(TryRecvError::Empty)) | None => continue,
        }
        changed = true;
    }
}

/// Asks the sensor in a separate thread, until the receiver is dropped.
fn follow(mut asker: Asker, interval: Duration) -> io::Result<Receiver<Result<Scene, Failure>>> {
    let (scenes, receiver): (Sender<Result<Scene, Failure>>, _) = mpsc::channel();
    thread::Builder::new().name("asker".to_owned()).spawn(move || {
        let mut pause = interval;
        loop {
            thread::sleep(pause);
            let start = Instant::now();
            if scenes.send(asker.ask()).is_err() {
                return;
            }
            pause = interval.max(start.elapsed() * EASE);
        }
    })?;
    Ok(receiver)
}

/// Asks the running sensor, and keeps its rules compiled for the next request.
struct Asker {
    config: Config,
    rules: Option<(RuleFiles, Rules)>,
    /// The time and the number of frames of the last answer.
    last: Option<(Instant, u64)>,
}

impl Asker {
    fn new(config: Config) -> Self {
        Self { config, rules: None, last: None }
    }

    fn ask(&mut self) -> Result<Scene, Failure> {
        let snapshot = source::ask(&self.config)?;
        let now = Instant::now();
        let rules = match self.rules.take() {
            Some((files, rules)) if files == snapshot.rules => rules,
            _ => Rules::of(&snapshot.rules)?,
        };
        let policy = self.config.policy();
        let frames = snapshot.capture.frames;
        let mut scene = Scene::new(
            &snapshot.inventory,
            &policy,
            &rules,
            SystemClock.now(),
            snapshot.capture,
            snapshot.refused,
        );
        scene.source = "the running sensor".to_owned();
        scene.indicators = (snapshot.indicators.total > 0).then_some(snapshot.indicators);
        scene.problems.extend(snapshot.problems);
        scene.problems.extend(snapshot.rules_problem.map(|p| format!("the sensor refused its rules: {p}")));
        if let Some((then, before)) = self.last {
            let millis = now.duration_since(then).as_millis().max(1);
            let frames = u128::from(frames.saturating_sub(before));
            scene.rate = u64::try_from(frames * 1_000 / millis).ok();
        }
        self.last = Some((now, frames));
        self.rules = Some((snapshot.rules, rules));
        Ok(scene)
    }
}
