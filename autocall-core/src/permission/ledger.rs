//! What the rules ask of a campaign's pacing: pre-flight, before anybody is called.
//!
//! A campaign may hold itself to a narrower cap than the law's, never to a wider one. The rules
//! asked are those of the campaign's own country; what a single state or another country adds is
//! asked for each lead when it is judged.

use super::compile::{CompiledRules, RuleId};
use super::duties::{AbandonCap, duties};
use super::rule::AbandonWindow;
use super::subject::Subject;
use crate::pacing::{Misjudged, Mode};
use crate::phone::Phone;
use crate::settings::{AmdMode, OnMachine, Problem, Settings, TransferMode};
use crate::zones::{Country, Place};
use crate::{Millis, Timestamp};

/// Everything in the settings that the rules do not allow; empty if nothing is wrong.
pub(crate) fn pacing_problems(settings: &Settings, rules: &CompiledRules, now: Timestamp) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    if matches!(settings.pacing.mode, Mode::Preview | Mode::Agentless { .. }) {
        return found.0;
    }
    let place = Place { countries: Country::from_code(&settings.country).into_iter().collect(), ..Place::default() };
    let phone = settings.caller_ids.first().copied().or(settings.seller.phone);
    let Some(phone) = phone.or_else(|| Phone::from_digits(12_025_550_100)) else { return found.0 };
    let ring = Millis::from_ms(i64::from(settings.caps.ring_ms_max));
    let duties = duties(&Subject::new(phone, &place, settings.purpose, ring), rules, now);
    let on_demand = settings.transfer.mode == TransferMode::OnDemand;
    if on_demand && let Some(cap) = duties.abandon_caps.iter().find(|c| c.late_counts) {
        found.say(
            "transfer.mode",
            "rings agents when a person has answered, and a late connection counts as abandoned here",
            &cap.rule,
            "use standing: agents whose line is open all shift",
        );
    }
    for cap in &duties.abandon_caps {
        found.cap(settings, cap);
    }
    let deadline = Millis::from_ms(i64::from(settings.pacing.ledger.deadline_ms));
    if let (Some(within), Some(cap)) = (duties.connect_within, duties.abandon_caps.first())
        && settings.pacing.dials_ahead()
        && deadline > within
    {
        let wrong = format!("is {deadline}, and people must be connected within {within}");
        found.say("pacing.ledger.deadline_ms", &wrong, &cap.rule, "lower it");
    }
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn say(&mut self, field: &str, wrong: &str, rule: &RuleId, remedy: &str) {
        let problem = Problem { field: field.into(), wrong: format!("{wrong} (rule {rule})"), remedy: remedy.into() };
        // Several rules may ask for the same.
        if !self.0.iter().any(|known| known.field == problem.field) {
            self.0.push(problem);
        }
    }

    /// Holds the campaign's ledger against one cap of the rules.
    fn cap(&mut self, settings: &Settings, cap: &AbandonCap) {
        if !settings.pacing.dials_ahead() {
            return;
        }
        let ledger = &settings.pacing.ledger;
        let (own, field) = match settings.pacing.mode {
            Mode::Predictive { cap, .. } if cap < ledger.cap => (cap, "pacing.mode.cap"),
            _ => (ledger.cap, "pacing.ledger.cap"),
        };
        if f64::from(own) > cap.rate + 1e-7 {
            let wrong = format!("is {:.1} %, and at most {:.1} % may be abandoned", own * 100.0, cap.rate * 100.0);
            self.say(field, &wrong, &cap.rule, "lower it");
        }
        // A day that holds the cap makes every longer window hold it.
        let (counted, field) = match cap.window {
            AbandonWindow::Day => (ledger.per_day, "pacing.ledger.per_day"),
            AbandonWindow::Tumbling30d => (ledger.per_day || ledger.per_period, "pacing.ledger.per_period"),
            AbandonWindow::Month => (ledger.per_day || ledger.per_month, "pacing.ledger.per_month"),
        };
        if !counted {
            self.say(field, "is off, and the cap holds in that window", &cap.rule, "switch it on");
        }
        if cap.late_counts && !ledger.late_counts {
            let wrong = "is off, and a late connection counts as abandoned here";
            self.say("pacing.ledger.late_counts", wrong, &cap.rule, "switch it on");
        }
        let hangs_up = settings.amd.mode != AmdMode::Off && settings.amd.machine != OnMachine::Connect;
        if cap.misjudged_count && hangs_up && ledger.misjudged == Misjudged::Ignored {
            let wrong = "ignores people taken for machines, and hanging up on them abandons them";
            self.say("pacing.ledger.misjudged", wrong, &cap.rule, "use measured, or configured with a share");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::presets;
    use crate::settings::Purpose;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn problems(change: impl Fn(&mut Settings)) -> Vec<String> {
        let mut s = Settings { pacing: crate::pacing::Settings::predictive(0.03), ..Settings::default() };
        s.caller_ids = Phone::from_e164("+14155550101").into_iter().collect();
        s.transfer.mode = TransferMode::Standing;
        change(&mut s);
        let rules = presets::compile("default", Vec::new()).expect("known").expect("compiles");
        pacing_problems(&s, &rules, NOW).into_iter().map(|p| p.field).collect()
    }

    #[test]
    fn on_demand_is_refused_where_late_counts_and_allowed_elsewhere() {
        assert_eq!(problems(|_| {}), Vec::<String>::new());
        let on_demand = |s: &mut Settings| s.transfer.mode = TransferMode::OnDemand;
        assert_eq!(problems(on_demand), ["transfer.mode"]);
        let progressive = |s: &mut Settings| {
            on_demand(s);
            s.pacing.mode = Mode::Progressive;
        };
        assert_eq!(problems(progressive), ["transfer.mode"], "ringing an agent takes seconds in every mode");
        let service = |s: &mut Settings| {
            on_demand(s);
            s.purpose = Purpose::Service;
        };
        assert_eq!(problems(service), Vec::<String>::new(), "no federal rule on service calls");
        let preview = |s: &mut Settings| {
            on_demand(s);
            s.pacing.mode = Mode::Preview;
        };
        assert_eq!(problems(preview), Vec::<String>::new());
    }

    #[test]
    fn a_ledger_wider_than_the_law_is_refused() {
        assert_eq!(problems(|s| s.pacing.ledger.late_counts = false), ["pacing.ledger.late_counts"]);
        assert_eq!(problems(|s| s.pacing.ledger.misjudged = Misjudged::Ignored), ["pacing.ledger.misjudged"]);
        assert_eq!(problems(|s| s.pacing.ledger.deadline_ms = 5000), ["pacing.ledger.deadline_ms"]);
        let wide = |s: &mut Settings| {
            s.pacing = crate::pacing::Settings::predictive(0.05);
        };
        assert_eq!(problems(wide), ["pacing.ledger.cap"]);
        let monthly = |s: &mut Settings| {
            let l = &mut s.pacing.ledger;
            (l.per_day, l.per_period, l.per_month) = (false, false, true);
        };
        assert_eq!(problems(monthly), ["pacing.ledger.per_period"]);
        assert_eq!(problems(|s| s.pacing.ledger.per_period = false), Vec::<String>::new(), "each day holds it");
        let british = |s: &mut Settings| {
            s.country = "GB".into();
            s.pacing.ledger.per_day = false;
        };
        assert_eq!(problems(british), ["pacing.ledger.per_day"]);
        let off = |s: &mut Settings| {
            s.pacing.ledger.misjudged = Misjudged::Ignored;
            s.amd.mode = AmdMode::Off;
        };
        assert_eq!(problems(off), Vec::<String>::new());
    }

    #[test]
    fn the_law_is_kept_by_whatever_counts_at_least_as_strictly() {
        // A cap of the campaign's own that is narrower than its ledger's is the one that counts.
        let narrow = |s: &mut Settings| {
            s.pacing.mode = Mode::Predictive { cap: 0.02, target_wait_s: None };
            s.pacing.ledger.cap = 0.05;
        };
        assert_eq!(problems(narrow), Vec::<String>::new());
        let wide = |s: &mut Settings| {
            s.pacing.mode = Mode::Predictive { cap: 0.04, target_wait_s: None };
            s.pacing.ledger.cap = 0.05;
        };
        assert_eq!(problems(wide), ["pacing.mode.cap"]);
        let power = |s: &mut Settings| {
            s.pacing.mode = Mode::Power { ratio: 2.0 };
            s.pacing.ledger.cap = 0.05;
        };
        assert_eq!(problems(power), ["pacing.ledger.cap"]);
        // One call for each agent abandons nobody, whatever its ledger says.
        let progressive = |s: &mut Settings| {
            s.pacing.mode = Mode::Progressive;
            (s.pacing.ledger.cap, s.pacing.ledger.deadline_ms, s.pacing.ledger.late_counts) = (0.1, 9000, false);
        };
        assert_eq!(problems(progressive), Vec::<String>::new());
        assert_eq!(problems(|s| s.pacing.ledger.deadline_ms = 2000), Vec::<String>::new());
        let period = |s: &mut Settings| s.pacing.ledger.per_day = false;
        assert_eq!(problems(period), Vec::<String>::new(), "the period of 30 days is the law's own");
        let kept = |s: &mut Settings| {
            s.pacing.ledger.misjudged = Misjudged::Ignored;
            s.amd.machine = OnMachine::Connect;
        };
        assert_eq!(problems(kept), Vec::<String>::new(), "machines are not hung up on");
        let several = |s: &mut Settings| {
            s.pacing.ledger.late_counts = false;
            s.pacing.ledger.deadline_ms = 5000;
        };
        assert_eq!(problems(several), ["pacing.ledger.late_counts", "pacing.ledger.deadline_ms"]);
        let anonymous = |s: &mut Settings| {
            s.caller_ids.clear();
            s.seller.phone = None;
            s.pacing.ledger.late_counts = false;
        };
        assert_eq!(problems(anonymous), ["pacing.ledger.late_counts"], "the law asks before there is a number");
    }
}
