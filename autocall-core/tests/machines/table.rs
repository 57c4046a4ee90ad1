//! A table of transitions, as Markdown and as a diagram.

use std::collections::BTreeSet;
use std::fmt::Write;

/// One transition.
pub(crate) struct Row {
    pub(crate) from: String,
    pub(crate) event: String,
    pub(crate) to: String,
    pub(crate) effects: String,
}

/// Rows as a Markdown table. Rows in which nothing happens are gathered in one line per state.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from("| from | event | to | what follows |\n| --- | --- | --- | --- |\n");
    let mut i = 0;
    while i < rows.len() {
        let from = &rows[i].from;
        let of_state: Vec<&Row> = rows[i..].iter().take_while(|r| r.from == *from).collect();
        i += of_state.len();
        let (idle, busy): (Vec<&Row>, Vec<&Row>) =
            of_state.iter().partition(|r| r.to == r.from && r.effects.is_empty());
        for row in busy {
            let effects = if row.effects.is_empty() { "—" } else { &row.effects };
            let _ = writeln!(out, "| {} | {} | {} | {effects} |", row.from, row.event, row.to);
        }
        if !idle.is_empty() {
            let names: Vec<&str> = idle.iter().map(|r| r.event.as_str()).collect();
            let _ = writeln!(out, "| {from} | *{}* | (stays) | — |", names.join("; "));
        }
    }
    out
}

/// The transitions between states, drawn.
pub(crate) fn diagram(rows: &[Row]) -> String {
    let word = |s: &str| s.split([',', ' ', '(', ':']).next().unwrap_or_default().to_owned();
    let edges: BTreeSet<(String, String)> =
        rows.iter().map(|r| (word(&r.from), word(&r.to))).filter(|(a, b)| a != b).collect();
    let mut out = String::from("```mermaid\nstateDiagram-v2\n");
    for (from, to) in edges {
        let _ = writeln!(out, "    {from} --> {to}");
    }
    out.push_str("```\n");
    out
}

/// A page: title, words, diagram, table.
pub(crate) fn page(title: &str, words: &str, rows: &[Row]) -> String {
    format!(
        "# {title}\n\n*Generated from the machine by `cargo xtask docs`; a test fails when they differ.*\n\n{words}\n\n{}\n{}",
        diagram(rows),
        table(rows)
    )
}
