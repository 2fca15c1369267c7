//! The picture, of what is known alone: nothing is asked here.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, List, Paragraph, Row, Table, TableState, Wrap};

use super::model::{Dashboard, Facts, Node, Process, Service};
use crate::output::{counted, printable, size};

/// The smallest terminal that there is room on.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;

/// How many nodes are seen at once; more are scrolled to.
const NODES: usize = 6;

const KEYS: &str = " q quit   up/down another node";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, dashboard: &Dashboard, now: Timestamp) {
    let area = frame.area();
    if area.width < WIDTH || area.height < HEIGHT {
        let text = format!(
            "this terminal has {} columns and {} lines; the dashboard needs {WIDTH} and {HEIGHT} (q quits)",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let nodes = dashboard.nodes.len().clamp(1, NODES);
    let [head, table, detail, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(nodes).unwrap_or(1) + 1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(title(dashboard, now, area.width), head);
    draw_nodes(frame, dashboard, table);
    match dashboard.node() {
        Some(node) => draw_node(frame, node, detail),
        None => frame.render_widget(Paragraph::new("no nodes"), detail),
    }
    let style = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Paragraph::new(KEYS).style(style), foot);
}

fn title(dashboard: &Dashboard, now: Timestamp, width: u16) -> Paragraph<'static> {
    let mut left = format!(" Garboard   {}", counted(dashboard.nodes.len(), "node"));
    if dashboard.silent() > 0 {
        left.push_str(&format!(", {} silent", dashboard.silent()));
    }
    let right = now.strftime("%Y-%m-%d %H:%M:%S UTC ").to_string();
    let room = usize::from(width).saturating_sub(right.chars().count());
    let text = format!("{left:<room$}{right}");
    Paragraph::new(text).style(Style::new().add_modifier(Modifier::REVERSED))
}

fn draw_nodes(frame: &mut Frame<'_>, dashboard: &Dashboard, area: Rect) {
    let widths = [
        Constraint::Fill(3),
        Constraint::Length(13),
        Constraint::Length(9),
        Constraint::Length(20),
        Constraint::Length(6),
        Constraint::Length(10),
    ];
    let headings = ["NODE", "STAGE", "VERSION", "MEMORY", "CPU", "SERVICES"];
    let table = Table::new(dashboard.nodes.iter().map(row), widths)
        .header(Row::new(headings).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .highlight_symbol("> ")
        .column_spacing(1);
    let mut state = TableState::new().with_selected(Some(dashboard.chosen));
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(node: &Node) -> Row<'static> {
    let name = Cell::new(printable(&node.name));
    let Some((facts, _)) = &node.facts else {
        let (word, style) = match node.error {
            Some(_) => ("silent", bad()),
            None => ("asking", Style::new()),
        };
        return Row::new([name, Cell::new(word).style(style)]);
    };
    let stage = match node.error {
        Some(_) => Cell::new("silent").style(bad()),
        None => Cell::new(printable(&facts.stage)).style(of_stage(&facts.stage)),
    };
    let used = facts.memory_bytes.saturating_sub(facts.available_bytes);
    let busy = node.busy.map(|cores| format!("{:.0}%", cores * 100.0));
    let well = facts.services.iter().filter(|it| it.well).count();
    let of = facts.services.len();
    let services = Cell::new(format!("{well} of {of}"));
    Row::new([
        name,
        stage,
        Cell::new(printable(&facts.version)),
        Cell::new(format!("{} of {}", size(used), size(facts.memory_bytes))),
        Cell::new(busy.unwrap_or_default()),
        if well < of {
            services.style(bad())
        } else {
            services
        },
    ])
}

fn of_stage(stage: &str) -> Style {
    match stage {
        "running" => Style::new().fg(Color::Green),
        _ => Style::new().fg(Color::Yellow),
    }
}

fn bad() -> Style {
    Style::new().fg(Color::Red)
}

fn block(title: &str) -> Block<'static> {
    let title = Span::styled(
        format!("{title} "),
        Style::new().add_modifier(Modifier::BOLD),
    );
    Block::new().borders(Borders::TOP).title(title)
}

fn draw_node(frame: &mut Frame<'_>, node: &Node, area: Rect) {
    let [about, middle, events] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(6),
        Constraint::Min(3),
    ])
    .areas(area);
    frame.render_widget(about_node(node), about);
    let Some((facts, _)) = &node.facts else {
        return;
    };
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)])
        .spacing(1)
        .areas(middle);
    frame.render_widget(services(&facts.services), left);
    frame.render_widget(processes(&facts.processes), right);
    let room = usize::from(events.height).saturating_sub(1);
    let newest = facts.events.len().saturating_sub(room);
    let lines = facts.events.iter().skip(newest).map(String::as_str);
    frame.render_widget(
        List::new(lines.map(printable)).block(block("EVENTS")),
        events,
    );
}

/// Two lines: why it is silent, else what it waits for; and who it is.
fn about_node(node: &Node) -> Paragraph<'static> {
    let mut lines = Vec::new();
    if let Some((facts, _)) = &node.facts {
        lines.push(Line::raw(identity(facts)));
    }
    if let Some(error) = &node.error {
        lines.insert(0, Line::styled(printable(error), bad()));
    } else if let Some((facts, _)) = &node.facts {
        lines.push(match facts.waits_for.as_slice() {
            [] => Line::raw("waits for nothing"),
            all => Line::styled(
                format!("waits for {}", printable(&all.join(", "))),
                Style::new().fg(Color::Yellow),
            ),
        });
    }
    Paragraph::new(lines).block(block(&printable(&node.name)))
}

fn identity(facts: &Facts) -> String {
    let addresses = match facts.addresses.as_slice() {
        [] => "no address".to_owned(),
        all => all.join(", "),
    };
    let (hostname, kernel) = (&facts.hostname, &facts.kernel);
    printable(&format!("{hostname}   {addresses}   Linux {kernel}"))
}

fn services(services: &[Service]) -> Table<'static> {
    let row = |service: &Service| {
        let state = Cell::new(printable(service.condition()));
        Row::new([
            Cell::new(printable(&service.id)),
            if service.well {
                state
            } else {
                state.style(bad())
            },
            Cell::new(counted(
                usize::try_from(service.restarts).unwrap_or(usize::MAX),
                "restart",
            )),
        ])
    };
    let widths = [
        Constraint::Length(14),
        Constraint::Fill(1),
        Constraint::Length(12),
    ];
    // Those in trouble first: there may be more than there is room for.
    let (well, ill): (Vec<_>, Vec<_>) = services.iter().partition(|service| service.well);
    let rows = ill.into_iter().chain(well).map(row);
    Table::new(rows, widths).block(block("SERVICES"))
}

fn processes(processes: &[Process]) -> Table<'static> {
    let row = |process: &Process| {
        Row::new([
            process.pid.to_string(),
            printable(&process.command),
            size(process.resident_bytes),
            format!("{:.1} s", process.cpu.as_secs_f64()),
        ])
    };
    let widths = [
        Constraint::Length(7),
        Constraint::Fill(1),
        Constraint::Length(10),
        Constraint::Length(10),
    ];
    Table::new(processes.iter().map(row), widths).block(block("LARGEST PROCESSES"))
}

#[cfg(test)]
mod tests;
