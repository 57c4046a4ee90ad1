//! The report as text.

use super::report::Report;
use std::fmt::{self, Display, Formatter};

/// Rejected rows that are printed; `--rejected` writes them all.
const SHOWN_MAX: usize = 12;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.list_text(f)?;
        self.call_text(f)?;
        self.agent_text(f)?;
        self.cost_text(f)
    }
}

fn line(f: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {name:<34}{value:>14}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn seconds(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

fn hours(ms: i64) -> String {
    format!("{:.1} h", ms as f64 / 3_600_000.0)
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

impl Report {
    fn list_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "The list")?;
        line(f, "lines", self.list.lines)?;
        line(f, "leads", self.list.accepted)?;
        line(f, "rejected rows", self.list.rejected)?;
        for (reason, n) in &self.list.rejected_by {
            line(f, &format!("  {}", reason.replace('_', " ")), n)?;
        }
        for rejection in self.rejections.iter().take(SHOWN_MAX) {
            writeln!(f, "    {rejection}")?;
        }
        if self.rejections.len() > SHOWN_MAX {
            writeln!(f, "    … and {} more (--rejected OUT.csv)", self.rejections.len() - SHOWN_MAX)?;
        }
        writeln!(f)
    }

    fn call_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "The calls, {} to {}", self.starts_at, self.ends_at)?;
        line(f, "attempts", self.calls.attempts)?;
        for (outcome, n) in &self.calls.outcomes {
            line(f, &format!("  {outcome}"), n)?;
        }
        line(f, "leads called", self.leads.dialled)?;
        line(f, "leads reached", self.leads.reached)?;
        line(f, "contact rate", percent(self.leads.contact_rate))?;
        line(f, "conversations per attempt", percent(self.calls.connect_rate))?;
        line(f, "people who answered", self.calls.live_answers)?;
        line(f, "abandoned", format!("{} ({})", self.calls.abandoned, percent(self.calls.abandonment_rate)))?;
        line(f, "wait for an agent, mean", seconds(self.waits.mean_ms))?;
        line(f, "wait for an agent, 95 % within", seconds(self.waits.p95_ms))?;
        line(f, "wait for an agent, longest", seconds(self.waits.max_ms))?;
        writeln!(f, "\nThe leads at the end")?;
        for (why, n) in &self.leads.closed {
            line(f, &format!("closed: {why}"), n)?;
        }
        line(f, "open", self.leads.open)?;
        writeln!(f)
    }

    fn agent_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "The agents")?;
        line(f, "agents", self.agents)?;
        line(f, "time at work", hours(self.time.at_work_ms()))?;
        line(f, "  talking", hours(self.time.talking_ms))?;
        line(f, "  ringing", hours(self.time.ringing_ms))?;
        line(f, "  writing up", hours(self.time.wrap_up_ms))?;
        line(f, "  waiting", hours(self.time.idle_ms))?;
        line(f, "occupancy", percent(self.occupancy))?;
        line(f, "wait between conversations, mean", seconds(self.agent_wait_ms_mean))?;
        line(f, "conversation, mean", seconds(self.calls.talk_ms_mean))?;
        for (label, n) in &self.said {
            line(f, &format!("  said: {label}"), n)?;
        }
        writeln!(f)
    }

    fn cost_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "The expected cost")?;
        line(f, "legs to customers", dollars(self.cost.customers))?;
        line(f, "legs to agents", dollars(self.cost.agents))?;
        line(f, "rooms", dollars(self.cost.rooms))?;
        line(f, "detection", dollars(self.cost.detection))?;
        if self.cost.wages > 0.0 {
            line(f, "wages", dollars(self.cost.wages))?;
        }
        line(f, "total", dollars(self.cost.total))?;
        line(f, "per conversation", dollars(self.cost_per_conversation))
    }
}
