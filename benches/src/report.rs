//! What a bench found: one [`Measurement`] per figure, as a table for people and as JSON for
//! programs.

use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better: a rate, a share of the optimum.
    Higher,
    /// Less is better: a time, a size, a failure count.
    Lower,
}

/// One figure of one case of one bench.
///
/// In JSON every field is present; `goal` and `met` are `null` where no goal is set, and a value
/// that is not a finite number is `null` and never meets a goal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// The bench, as named on the command line.
    pub bench: String,
    /// The case within the bench: a size, a scenario, a variant.
    pub case: String,
    /// What was measured, units last: `calls_per_s`, `wait_ms_p95`.
    pub metric: String,
    /// The figure.
    pub value: f64,
    /// Its unit, for people: `calls/s`, `ms`, `B`, `%`.
    pub unit: String,
    /// The figure that the project set itself, if any.
    pub goal: Option<f64>,
    /// Which direction is better.
    pub better: Better,
    /// Whether the goal was reached; `None` without a goal.
    pub met: Option<bool>,
}

impl Measurement {
    /// A figure without a goal, of which more is better.
    pub fn higher(bench: &str, case: impl Into<String>, metric: &str, value: f64, unit: &str) -> Measurement {
        Measurement::new(bench, case.into(), metric, value, unit, Better::Higher)
    }

    /// A figure without a goal, of which less is better.
    pub fn lower(bench: &str, case: impl Into<String>, metric: &str, value: f64, unit: &str) -> Measurement {
        Measurement::new(bench, case.into(), metric, value, unit, Better::Lower)
    }

    fn new(bench: &str, case: String, metric: &str, value: f64, unit: &str, better: Better) -> Measurement {
        let (bench, metric, unit) = (bench.to_owned(), metric.to_owned(), unit.to_owned());
        Measurement { bench, case, metric, value, unit, goal: None, better, met: None }
    }

    /// The same figure held against a goal. Reaching it exactly counts.
    #[must_use]
    pub fn goal(mut self, goal: f64) -> Measurement {
        self.met = Some(match self.better {
            Better::Higher => self.value >= goal,
            Better::Lower => self.value <= goal,
        });
        self.goal = Some(goal);
        self
    }
}

/// The figures as an aligned table, one line each, with a closing line that counts the goals.
pub fn table(rows: &[Measurement]) -> String {
    let mut cells: Vec<[String; 5]> = vec![["case", "metric", "value", "goal", ""].map(str::to_owned)];
    for row in rows {
        let goal = row.goal.map_or(String::new(), |goal| {
            let sign = if row.better == Better::Higher { "≥" } else { "≤" };
            format!("{sign} {}", figure(goal))
        });
        let verdict = match row.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let value = format!("{} {}", figure(row.value), row.unit);
        cells.push([row.case.clone(), row.metric.clone(), value, goal, verdict.to_owned()]);
    }
    let width = |column: usize| cells.iter().map(|c| c[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &cells {
        let [case, metric, value, goal, verdict] = line;
        let text = format!(
            "{case:<a$}  {metric:<b$}  {value:>c$}  {goal:>d$}  {verdict}",
            a = widths[0],
            b = widths[1],
            c = widths[2],
            d = widths[3]
        );
        out.push_str(text.trim_end());
        out.push('\n');
    }
    let met = rows.iter().filter(|r| r.met == Some(true)).count();
    let goals = rows.iter().filter(|r| r.met.is_some()).count();
    let _ = writeln!(out, "{} figures, {met} of {goals} goals met", rows.len());
    out
}

/// A figure with the digits that a reader needs: thousands grouped, four significant digits
/// below that.
fn figure(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size >= 1000.0 {
        return grouped(value.round());
    }
    let digits = match size {
        s if s >= 100.0 => 1,
        s if s >= 10.0 => 2,
        s if s >= 1.0 || s == 0.0 => 3,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn grouped(value: f64) -> String {
    let plain = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

/// Writes the figures as one JSON array, by way of a file beside it, so that a reader never sees
/// half of one.
///
/// # Errors
/// What the file system says.
pub fn write_json(path: &Path, rows: &[Measurement]) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(rows).map_err(io::Error::other)?;
    text.push('\n');
    let beside = path.with_extension("json.part");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_in_the_better_direction() {
        let up = |v| Measurement::higher("b", "c", "m", v, "u").goal(10.0).met;
        let down = |v| Measurement::lower("b", "c", "m", v, "u").goal(10.0).met;
        assert_eq!([up(9.9), up(10.0), up(11.0)], [Some(false), Some(true), Some(true)]);
        assert_eq!([down(9.9), down(10.0), down(11.0)], [Some(true), Some(true), Some(false)]);
        assert_eq!([up(f64::NAN), down(f64::NAN)], [Some(false), Some(false)], "not a number meets nothing");
        assert_eq!(Measurement::higher("b", "c", "m", 1.0, "u").met, None);
    }

    #[test]
    fn json_has_the_published_fields_and_nulls() {
        let rows = [
            Measurement::higher("engine", "memory", "calls_per_s", 21_000.0, "calls/s").goal(20_000.0),
            Measurement::lower("engine", "memory", "bytes_per_call", 900.0, "B"),
        ];
        let json = serde_json::to_value(&rows[..]).expect("serializable");
        let expected = serde_json::json!([
            {"bench": "engine", "case": "memory", "metric": "calls_per_s", "value": 21_000.0, "unit": "calls/s",
             "goal": 20_000.0, "better": "higher", "met": true},
            {"bench": "engine", "case": "memory", "metric": "bytes_per_call", "value": 900.0, "unit": "B",
             "goal": null, "better": "lower", "met": null},
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn the_table_is_aligned_and_counts_goals() {
        let rows = [
            Measurement::higher("engine", "memory", "calls_per_s", 1_234_567.2, "calls/s").goal(20_000.0),
            Measurement::lower("engine", "m", "wait_ms_p95", 0.25, "ms").goal(0.1),
            Measurement::lower("engine", "m", "rss_mb", 12.5, "MB"),
        ];
        let expected = "\
case    metric                   value      goal
memory  calls_per_s  1,234,567 calls/s  ≥ 20,000  met
m       wait_ms_p95            0.25 ms     ≤ 0.1  MISSED
m       rss_mb                 12.5 MB
3 figures, 1 of 2 goals met
";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn figures_keep_the_digits_that_matter() {
        let shown = [0.0, 0.00123, 1.5, 99.94, 512.06, 1000.0, -1234.0].map(figure);
        assert_eq!(shown, ["0", "0.00123", "1.5", "99.94", "512.1", "1,000", "-1,234"]);
    }
}
