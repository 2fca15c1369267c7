//! `osctl dashboard`: the nodes at a glance, drawn anew while one looks.
//!
//! Every node is asked on its own, so one that is dead or slow keeps nothing else from being seen; what it said last
//! stays, with the reason why there is nothing newer.

mod ask;
mod draw;
mod model;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use ask::{Told, ask_forever};
use model::{Dashboard, Step};

use crate::connect;
use crate::exit::usage;
use crate::fleet::Session;

/// How often the picture is drawn at least, for its clock.
const DRAW: Duration = Duration::from_secs(1);

/// What people do that has not been looked at yet.
const KEYS: usize = 64;

/// Shows the nodes until somebody has seen enough.
pub(crate) async fn run(session: &Session) -> Result<()> {
    let targets = connect::targets(&session.context, &session.asked)?;
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(usage(
            "the dashboard needs a terminal; `osctl get`, `osctl services` and `osctl processes` write for programs",
        ));
    }
    let mut dashboard = Dashboard::new(targets.iter().map(|target| target.name.clone()));
    // Room for one: a node that is asked has nothing to do until it is heard.
    let (heard, told) = mpsc::channel(1);
    let mut asking = JoinSet::new();
    for (index, target) in targets.into_iter().enumerate() {
        let (session, heard) = (session.clone(), heard.clone());
        asking.spawn(async move { ask_forever(&session, &target, index, &heard).await });
    }
    let mut terminal = ratatui::try_init().context("preparing the terminal")?;
    let shown = show(&mut terminal, &mut dashboard, told, keys()).await;
    ratatui::restore();
    shown
}

async fn show(
    terminal: &mut DefaultTerminal,
    dashboard: &mut Dashboard,
    mut told: mpsc::Receiver<Told>,
    mut keys: mpsc::Receiver<Event>,
) -> Result<()> {
    let mut clock = tokio::time::interval(DRAW);
    loop {
        let now = Timestamp::now();
        terminal
            .draw(|frame| draw::draw(frame, dashboard, now))
            .context("drawing")?;
        tokio::select! {
            Some(told) = told.recv() => dashboard.hear(told.node, told.said, Instant::now()),
            pressed = keys.recv() => match pressed {
                Some(Event::Key(key)) if is_end(key) => return Ok(()),
                Some(Event::Key(key)) => step(dashboard, key),
                // Another size, or a mouse: draw again.
                Some(_) => {}
                // The terminal is gone.
                None => return Ok(()),
            },
            _ = clock.tick() => {}
        }
    }
}

/// What people do, from a thread that waits for it.
fn keys() -> mpsc::Receiver<Event> {
    let (pressed, keys) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if pressed.blocking_send(event).is_err() {
                return;
            }
        }
    });
    keys
}

/// In raw mode the terminal makes no signal of ctrl-C.
fn is_end(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => control,
        _ => false,
    }
}

fn step(dashboard: &mut Dashboard, key: KeyEvent) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    match key.code {
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => dashboard.step(Step::Next),
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => dashboard.step(Step::Previous),
        _ => {}
    }
}
