//! Linting the settings as a whole. Every problem is found, each with its field and a remedy.

use super::{AmdMode, Connect, OnMachine, Settings, TransferMode};
use crate::script::{Accept, Audio};
use serde::Serialize;
use std::fmt;

/// Something that keeps a campaign from starting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field, as a path: `transfer.pools`.
    pub field: String,
    /// What is wrong.
    pub wrong: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.wrong, self.remedy)
    }
}

impl Settings {
    /// Everything that is wrong with the settings; empty if they can start a campaign.
    pub fn check(&self) -> Vec<Problem> {
        let mut lint = Lint(Vec::new());
        lint.seller(self);
        lint.caps(self);
        lint.transfer(self);
        lint.messages(self);
        lint.schedule(self);
        lint.recording(self);
        lint.cost(self);
        lint.retry(self);
        lint.planning(self);
        lint.dispositions(self);
        for wrong in self.pacing.check() {
            lint.find(true, "pacing", wrong.to_string(), "see docs/pacing.md for what each setting does");
        }
        lint.0
    }
    /// Whether calls go to no agents.
    pub fn is_agentless(&self) -> bool {
        matches!(self.pacing.mode, crate::pacing::Mode::Agentless { .. })
    }
}

fn named_twice<T: Ord>(all: &[T]) -> bool {
    all.iter().collect::<std::collections::BTreeSet<_>>().len() < all.len()
}

struct Lint(Vec<Problem>);

impl Lint {
    fn find(&mut self, wrong_if: bool, field: &str, wrong: impl Into<String>, remedy: &str) {
        if wrong_if {
            self.0.push(Problem { field: field.into(), wrong: wrong.into(), remedy: remedy.into() });
        }
    }

    fn seller(&mut self, s: &Settings) {
        self.find(s.seller.name.trim().is_empty(), "seller.name", "is empty", "say on whose behalf you call");
        self.find(s.seller.phone.is_none(), "seller.phone", "is missing", "give a number that people can call back");
        self.find(s.caller_ids.is_empty(), "caller_ids", "is empty", "give at least one number to show");
        self.find(named_twice(&s.caller_ids), "caller_ids", "names a number twice", "name each number once");
        let country = s.country.len() == 2 && s.country.bytes().all(|b| b.is_ascii_uppercase());
        self.find(
            !country,
            "country",
            format!("{:?} is not a country code", s.country),
            "use two capital letters, such as US",
        );
        self.find(s.rules.trim().is_empty(), "rules", "is empty", "name a set of rules, such as default");
        self.find(s.subject.trim().is_empty(), "subject", "is empty", "name what the calls are about");
    }

    fn caps(&mut self, s: &Settings) {
        let caps = &s.caps;
        self.find(caps.lines_max == 0, "caps.lines_max", "is 0", "allow at least one line");
        let cps = caps.calls_per_second_max;
        let rate_ok = cps.is_finite() && cps > 0.0 && cps <= 1_000.0;
        self.find(!rate_ok, "caps.calls_per_second_max", format!("is {cps}"), "use a number above 0, at most 1000");
        self.find(caps.attempts_max == 0, "caps.attempts_max", "is 0", "allow at least one attempt");
        self.find(
            caps.attempts_per_number_per_day_max == 0,
            "caps.attempts_per_number_per_day_max",
            "is 0",
            "allow at least one attempt a day",
        );
        let ring = caps.ring_ms_max;
        self.find(
            !(15_000..=120_000).contains(&ring),
            "caps.ring_ms_max",
            format!("is {ring}"),
            "use 15000 to 120000: a phone must ring for at least 15 seconds",
        );
        let call = caps.call_ms_max;
        self.find(
            !(60_000..=14_400_000).contains(&call),
            "caps.call_ms_max",
            format!("is {call}"),
            "use 60000 to 14400000 (four hours, what carriers allow)",
        );
    }

    fn transfer(&mut self, s: &Settings) {
        let t = &s.transfer;
        if !s.is_agentless() {
            self.find(t.pools.is_empty(), "transfer.pools", "is empty", "name a pool of agents, or make it agentless");
            self.find(named_twice(&t.pools), "transfer.pools", "names a pool twice", "name each pool once");
            self.find(t.pools.len() > 8, "transfer.pools", "has more than 8", "join pools");
            self.find(t.agents_max == 0, "transfer.agents_max", "is 0", "let at least one agent be tried");
        }
        self.find(
            !(5_000..=60_000).contains(&t.ring_ms_max),
            "transfer.ring_ms_max",
            format!("is {}", t.ring_ms_max),
            "use 5000 to 60000",
        );
        self.find(
            !(3_000..=60_000).contains(&t.accept_ms_max),
            "transfer.accept_ms_max",
            format!("is {}", t.accept_ms_max),
            "use 3000 to 60000",
        );
        self.find(t.wait_ms_max > 120_000, "transfer.wait_ms_max", "is over two minutes", "give people up earlier");
        self.find(t.wrap_up_ms > 3_600_000, "transfer.wrap_up_ms", "is over an hour", "use an away status instead");
        if let Accept::Key(key) = t.accept {
            let is_key = key.is_ascii_digit() || key == '*' || key == '#';
            self.find(!is_key, "transfer.accept", format!("{key:?} is not a telephone key"), "use 0 to 9, * or #");
        }
        let standing = t.mode == TransferMode::Standing;
        self.find(
            standing && matches!(t.accept, Accept::Key(_)),
            "transfer.accept",
            "a standing agent is joined at once and presses no key",
            "use any_key, or on-demand transfer",
        );
    }

    fn messages(&mut self, s: &Settings) {
        let leaves = s.amd.machine == OnMachine::LeaveMessage;
        self.find(leaves && s.voicemail.is_none(), "voicemail", "is missing", "record one, or hang up on machines");
        self.find(
            leaves && s.amd.mode == AmdMode::Off,
            "amd.mode",
            "is off, so no machine is ever found to leave a message on",
            "switch detection on",
        );
        if s.is_agentless() {
            self.find(s.message.is_none(), "message", "is missing", "an agentless campaign is its message");
        } else {
            self.find(
                s.abandonment.is_none(),
                "abandonment",
                "is missing",
                "record a message with seller, number and opt-out for people whom nobody can attend to",
            );
        }
        if let (false, Some(Audio::Say { text, .. })) = (s.is_agentless(), &s.abandonment) {
            let missing = unsaid(text, s);
            self.find(
                !missing.is_empty(),
                "abandonment",
                format!("does not say {}", missing.join(", ")),
                "a person whom nobody attends to must hear who called, a number to call back, and the key to opt out \
                 (16 CFR 310.4(b)(4)(iii))",
            );
        }
        let verdict = s.amd.verdict_ms_max;
        self.find(
            !(1_000..=60_000).contains(&verdict),
            "amd.verdict_ms_max",
            format!("is {verdict}"),
            "use 1000 to 60000",
        );
        let key = s.opt_out_key.is_ascii_digit() || s.opt_out_key == '*' || s.opt_out_key == '#';
        self.find(!key, "opt_out_key", format!("{:?} is not a telephone key", s.opt_out_key), "use 0 to 9, * or #");
        let audios = [
            ("hold", Some(&s.hold)),
            ("voicemail", s.voicemail.as_ref()),
            ("abandonment", s.abandonment.as_ref()),
            ("message", s.message.as_ref()),
        ];
        for (field, audio) in audios {
            if let Some(Audio::Say { text, .. }) = audio {
                self.find(text.trim().is_empty(), field, "says nothing", "give words or a file");
                self.find(text.len() > 3_000, field, "is over 3000 bytes", "shorten it or upload audio");
            }
        }
    }

    fn cost(&mut self, s: &Settings) {
        let cost = &s.cost;
        let reserve = !(1..=240).contains(&cost.reserve_min);
        self.find(reserve, "cost.reserve_min", format!("is {}", cost.reserve_min), "use 1 to 240 minutes");
        let currency = cost.prices.currency.len() == 3 && cost.prices.currency.bytes().all(|b| b.is_ascii_uppercase());
        self.find(
            !currency,
            "cost.prices.currency",
            "is not a currency code",
            "use three capital letters, such as USD",
        );
        let p = &cost.prices;
        let dear = [p.customer_min_micros, p.agent_min_micros, p.room_min_micros, p.recording_min_micros]
            .into_iter()
            .any(|price| price > 100_000_000);
        self.find(dear, "cost.prices", "has a minute that costs over 100", "prices are in millionths of the currency");
        let too_small = cost.budget_micros.is_some_and(|b| b < cost.reserve_micros(s));
        self.find(
            too_small,
            "cost.budget_micros",
            "is less than one call may cost",
            "give a larger budget, in millionths, or set fewer minutes aside (cost.reserve_min)",
        );
        self.find(
            s.amd.connect == Connect::AtAnswer && s.is_agentless(),
            "amd.connect",
            "is at_answer without agents",
            "use at_verdict: a message must know whether a person or a machine hears it",
        );
    }

    fn recording(&mut self, s: &Settings) {
        for (i, code) in s.agents_at.iter().enumerate() {
            let unknown = !crate::zones::Place::default().add_region(code);
            let wrong = format!("{code:?} is no country and no state that we know");
            self.find(unknown, &format!("agents_at[{i}]"), wrong, "use codes in capitals, such as US-TX or FR");
        }
    }

    fn schedule(&mut self, s: &Settings) {
        let schedule = &s.schedule;
        let known = jiff::tz::TimeZone::get(&s.timezone).is_ok();
        self.find(
            !known,
            "timezone",
            format!("{:?} is not a time zone", s.timezone),
            "use a name such as America/New_York",
        );
        if let (Some(start), Some(end)) = (schedule.starts_at, schedule.ends_at) {
            self.find(end <= start, "schedule.ends_at", "is not after the start", "end it later");
        }
        for (i, w) in schedule.windows.iter().enumerate() {
            let field = format!("schedule.windows[{i}]");
            self.find(
                !(1..=7).contains(&w.weekday),
                &field,
                format!("weekday {} does not exist", w.weekday),
                "1 is Monday, 7 is Sunday",
            );
            self.find(
                w.from_min >= w.to_min || w.to_min > 24 * 60,
                &field,
                format!("from minute {} to {}", w.from_min, w.to_min),
                "open before it closes, within 0 to 1440; split windows that cross midnight",
            );
        }
    }

    fn retry(&mut self, s: &Settings) {
        let known: Vec<&str> = crate::Outcome::ALL.iter().map(|o| o.name()).collect();
        for (name, rule) in &s.retry.0 {
            let field = format!("retry.{name}");
            self.find(!known.contains(&name.as_str()), &field, "is not an outcome", "use the names of the outcomes");
            self.find(
                rule.retries_max > 0 && rule.delay_min.is_empty(),
                &field,
                "retries without a delay",
                "give delay_min, in minutes",
            );
            let year = 366 * 24 * 60;
            self.find(rule.delay_min.iter().any(|&d| d > year), &field, "waits over a year", "shorten delay_min");
        }
    }

    fn planning(&mut self, s: &Settings) {
        use crate::planning::filing::{Filing, QUOTAS_MAX};
        if let Err((field, wrong)) = Filing::of(s) {
            self.find(true, &field, wrong.to_string(), "see docs/planning.md for the language of expressions");
        }
        self.find(s.quotas.len() > QUOTAS_MAX, "quotas", "are more than 16", "join or drop some");
        let outcomes: Vec<&str> = crate::Outcome::ALL.iter().map(|o| o.name()).collect();
        let mut names = std::collections::BTreeSet::new();
        for (i, quota) in s.quotas.iter().enumerate() {
            let field = format!("quotas[{i}]");
            let named = !quota.name.trim().is_empty() && quota.name.len() <= 100;
            self.find(!named, &field, "has no name, or a long one", "give it a name of at most 100 bytes");
            self.find(!names.insert(&quota.name), &field, "has a name that is there twice", "use each name once");
            let known = |c: &String| outcomes.contains(&c.as_str()) || s.dispositions.iter().any(|d| *d.code == **c);
            for unknown in quota.counts.iter().filter(|c| !known(c)) {
                let wrong = format!("counts {unknown:?}, which is neither an outcome nor a disposition");
                self.find(true, &field, wrong, "use the names of outcomes or codes of dispositions");
            }
        }
        for (i, w) in s.list_weights.iter().enumerate() {
            let field = format!("list_weights[{i}]");
            self.find(!(1..=1_000).contains(&w.weight), &field, format!("weighs {}", w.weight), "use 1 to 1000");
        }
        for (i, limit) in s.showing.limits.iter().enumerate() {
            let field = format!("showing.limits[{i}]");
            let known = s.caller_ids.contains(&limit.phone);
            self.find(!known, &field, "names a number that is not shown", "add it to caller_ids, or drop the limit");
            self.find(limit.weight > 1_000, &field, format!("weighs {}", limit.weight), "use 0 to 1000");
        }
        let some = s.caller_ids.iter().any(|p| s.showing.limits.iter().all(|l| l.phone != *p || l.weight > 0));
        self.find(!s.caller_ids.is_empty() && !some, "showing.limits", "leave no number to show", "give one a weight");
        self.find(
            s.callbacks.missed_after <= crate::Millis::ZERO,
            "callbacks.missed_after",
            "is not positive",
            "give appointments some time",
        );
    }

    fn dispositions(&mut self, s: &Settings) {
        let mut seen = std::collections::BTreeSet::new();
        for (i, d) in s.dispositions.iter().enumerate() {
            let field = format!("dispositions[{i}]");
            self.find(d.code.trim().is_empty(), &field, "has no code", "give a short code");
            self.find(
                !seen.insert(d.code.clone()),
                &field,
                format!("the code {:?} is there twice", d.code),
                "use each code once",
            );
        }
    }
}

/// What a person who is given up must hear and this text does not say. Of a recorded file its owner
/// answers for that.
fn unsaid(text: &str, s: &Settings) -> Vec<&'static str> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = s.seller.phone.map(|p| p.digits().to_string()).unwrap_or_default();
    // However the number is spelled: its last seven digits, in order.
    let tail = &number[number.len().saturating_sub(7)..];
    let checks = [
        ("the seller's name", text.to_lowercase().contains(&s.seller.name.trim().to_lowercase())),
        ("the seller's number", digits.contains(tail)),
        ("the key to opt out", text.contains(s.opt_out_key)),
    ];
    checks.into_iter().filter(|(_, said)| !said).map(|(what, _)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phone;

    #[test]
    fn the_abandonment_message_says_who_called_how_to_call_back_and_how_to_opt_out() {
        let mut s = Settings::default();
        s.seller.name = "Acme".into();
        s.seller.phone = Phone::from_e164("+14155550100");
        let missing = |text: &str| unsaid(text, &s).len();
        assert_eq!(missing("ACME called. Call 415 555-0100, or press 9 not to be called again."), 0);
        assert_eq!(missing("Acme called. Press 9."), 1);
        assert_eq!(missing("We called from (415) 555 0100. Press 9."), 1);
        assert_eq!(missing("Acme called from 415.555.0100."), 1);
        assert_eq!(missing("sorry"), 3);
        s.abandonment = Some(Audio::say("sorry"));
        let found = s.check();
        assert!(found.iter().any(|p| p.field == "abandonment" && p.wrong.contains("number")), "{found:?}");
    }
}
