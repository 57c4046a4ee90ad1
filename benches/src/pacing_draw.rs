//! The pacing figures as SVG, drawn by hand so that they need nothing to be drawn with.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// One number of agents in the exponential world at an answer share of a quarter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Agents.
    pub(crate) agents: u32,
    /// The exact optimum.
    pub(crate) optimum: f64,
    /// Ours.
    pub(crate) ours: f64,
    /// One call for each free agent.
    pub(crate) progressive: f64,
}

/// Names and colours of the lines and bars, readable on light and dark ground.
const OURS: &str = "#2b7de9";
const OTHERS: [(&str, &str); 4] =
    [("autocall", OURS), ("best constant", "#8a8f98"), ("best VICIdial", "#d9822b"), ("progressive", "#b8bec7")];

/// Writes `pacing-optimum.svg` and `pacing-peers.svg`, each if there is something to draw.
///
/// # Errors
/// What the file system says.
pub(crate) fn draw(dir: &str, curve: &[Point], bars: &[(String, [f64; 4])]) -> io::Result<()> {
    let dir = Path::new(dir);
    if curve.len() > 1 {
        std::fs::write(dir.join("pacing-optimum.svg"), optimum(curve))?;
    }
    if !bars.is_empty() {
        std::fs::write(dir.join("pacing-peers.svg"), peers(bars))?;
    }
    Ok(())
}

fn head(w: u32, h: u32, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"#6b7280\" role=\"img\"><title>{title}</title>\n<text x=\"16\" y=\"22\" font-size=\"14\">{title}</text>\n"
    )
}

fn optimum(curve: &[Point]) -> String {
    let (w, h, left, right, top, bottom) = (720.0, 400.0, 56.0, 120.0, 44.0, 44.0);
    let most = f64::from(curve.iter().map(|p| p.agents).max().unwrap_or(1)).max(2.0).ln();
    let x = |n: u32| left + f64::from(n).ln() / most * (w - left - right);
    let y = |u: f64| top + (1.0 - u) / 0.35 * (h - top - bottom);
    let mut s = head(720, 400, "Share of agents' time with people, 3 % cap, a quarter of dials answered");
    for u in [0.7, 0.8, 0.9, 1.0] {
        let (right, y, label) = (w - right, y(u), u * 100.0);
        let _ = writeln!(
            s,
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d1d5db\"/>\
             <text x=\"16\" y=\"{y:.1}\" dy=\"4\">{label:.0} %</text>"
        );
    }
    for p in curve {
        let _ =
            writeln!(s, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x(p.agents), h - 22.0, p.agents);
    }
    let _ = writeln!(s, "<text x=\"{}\" y=\"{}\">agents</text>", w - right + 16.0, h - 22.0);
    type Line = (&'static str, &'static str, fn(&Point) -> f64, &'static str);
    let lines: [Line; 3] = [
        ("exact optimum", "#111827", |p| p.optimum, "6 4"),
        ("autocall", OURS, |p| p.ours, ""),
        ("progressive", "#9ca3af", |p| p.progressive, ""),
    ];
    for (i, (name, color, value, dash)) in lines.iter().enumerate() {
        let path: Vec<String> = curve.iter().map(|p| format!("{:.1},{:.1}", x(p.agents), y(value(p)))).collect();
        let _ = writeln!(
            s,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
            path.join(" ")
        );
        let at = h / 2.0 + 20.0 * i as f64;
        let _ = writeln!(s, "<text x=\"{}\" y=\"{at}\" fill=\"{color}\">{name}</text>", w - right + 8.0);
    }
    s + "</svg>\n"
}

fn peers(bars: &[(String, [f64; 4])]) -> String {
    let (row, left) = (40, 190.0);
    let h = 70 + row * bars.len() as u32;
    let mut s = head(760, h, "Talk minutes in an agent's hour, at the same 3 % cap");
    for (i, (name, color)) in OTHERS.iter().enumerate() {
        let _ = writeln!(s, "<text x=\"{}\" y=\"44\" fill=\"{color}\">■ {name}</text>", left + 130.0 * i as f64);
    }
    for (r, (name, values)) in bars.iter().enumerate() {
        let y = 58 + row * r as u32;
        let _ = writeln!(s, "<text x=\"16\" y=\"{}\">{name}</text>", y + 22);
        for (i, v) in values.iter().enumerate().filter(|v| *v.1 > 0.0) {
            let _ = writeln!(
                s,
                "<rect x=\"{left}\" y=\"{}\" width=\"{:.1}\" height=\"7\" fill=\"{}\"><title>{:.1}</title></rect>",
                y + 8 * i as u32,
                v / 60.0 * 540.0,
                OTHERS[i].1,
                v
            );
        }
    }
    s + "</svg>\n"
}
