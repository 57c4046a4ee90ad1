//! What the rules oblige a campaign to, besides not calling: rings, deadlines, messages, shares of
//! abandoned calls, recordings, retention. Several rules combine to the strictest.

use super::compile::{CompiledRules, RuleId};
use super::rule::{AbandonWindow, Kind, RecordingMode};
use super::subject::Subject;
use crate::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A limit on abandoned calls.
#[derive(Clone, PartialEq, Debug)]
pub struct AbandonCap {
    /// The rule.
    pub rule: RuleId,
    /// The window in which it is counted.
    pub window: AbandonWindow,
    /// Abandoned calls over calls that a person answered, at most.
    pub rate: f64,
    /// Whether people misjudged as machines count as abandoned.
    pub misjudged_count: bool,
    /// Whether a connection after the deadline counts as abandoned.
    pub late_counts: bool,
}

/// What must be said, and by when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saying {
    /// How soon.
    pub within: Millis,
    /// What: `seller`, `number`, `purpose`, `opt-out`, `name`, `company`.
    pub must_say: BTreeSet<String>,
    /// The opt-out must work at once, by key or voice.
    pub interactive_opt_out: bool,
    /// How soon to hang up when asked.
    pub end_within: Option<Millis>,
}

/// Everything that the rules oblige one call to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Duties {
    /// An unanswered call rings at least this long, from the carrier's ringing event.
    pub ring_min: Millis,
    /// An agent must be connected this soon after the completed greeting.
    pub connect_within: Option<Millis>,
    /// Limits on abandoned calls; every one holds.
    pub abandon_caps: Vec<AbandonCap>,
    /// The message to somebody who was abandoned.
    pub abandon_message: Option<Saying>,
    /// What an agent must say at the start.
    pub disclosure: Option<Saying>,
    /// What a recording needs.
    pub recording: RecordingMode,
    /// How long records are kept, by kind.
    pub retention: BTreeMap<String, Millis>,
    /// Every rule that contributed, with its citation.
    pub rules: Vec<(RuleId, Arc<str>)>,
}

/// The duties of a call: the strictest of every rule that concerns it at `now`.
pub fn duties(subject: &Subject<'_>, rules: &CompiledRules, now: Timestamp) -> Duties {
    let mut out = Duties::default();
    for local in rules.locals(subject.place) {
        for index in &local.duties {
            let rule = &rules.rules[usize::from(*index)];
            if rule.concerns(subject, subject.voice) && rule.from <= now && now < rule.to {
                out.rules.push((rule.id.clone(), rule.citation.clone()));
                out.add(&rule.id, &rule.source.is);
            }
        }
    }
    out
}

impl Duties {
    fn add(&mut self, id: &RuleId, kind: &Kind) {
        match kind {
            Kind::MinRing { ring } => self.ring_min = self.ring_min.max(ring.0),
            Kind::ConnectDeadline { within } => {
                self.connect_within = Some(self.connect_within.map_or(within.0, |known| known.min(within.0)));
            }
            Kind::AbandonCap { rate, window, misjudged_count, late_counts } => self.abandon_caps.push(AbandonCap {
                rule: id.clone(),
                window: *window,
                rate: *rate,
                misjudged_count: *misjudged_count,
                late_counts: *late_counts,
            }),
            Kind::AbandonMessage { within, must_say, interactive_opt_out } => {
                let saying =
                    self.abandon_message.get_or_insert_with(|| Saying { within: within.0, ..Saying::default() });
                saying.within = saying.within.min(within.0);
                saying.must_say.extend(must_say.iter().cloned());
                saying.interactive_opt_out |= interactive_opt_out;
            }
            Kind::DisclosureTimer { within, must_say, end_within } => {
                let saying = self.disclosure.get_or_insert_with(|| Saying { within: within.0, ..Saying::default() });
                saying.within = saying.within.min(within.0);
                saying.must_say.extend(must_say.iter().cloned());
                let end = end_within.map(|span| span.0);
                saying.end_within = [saying.end_within, end].into_iter().flatten().min();
            }
            Kind::RecordingMode { mode } => self.recording = self.recording.max(*mode),
            Kind::Retention { record, keep } => {
                let kept = self.retention.entry(record.clone()).or_default();
                *kept = (*kept).max(keep.0);
            }
            _ => {}
        }
    }

    /// Whether any limit counts a late connection as an abandonment: then an agent must be on the
    /// line before the person answers, and agents who are rung on demand come too late.
    pub fn late_counts(&self) -> bool {
        self.abandon_caps.iter().any(|cap| cap.late_counts)
    }

    /// The lowest share allowed in a window; `None` if nothing limits it.
    pub fn abandon_rate(&self, window: AbandonWindow) -> Option<f64> {
        let rates = self.abandon_caps.iter().filter(|cap| cap.window == window).map(|cap| cap.rate);
        rates.min_by(f64::total_cmp)
    }
}

/// What a campaign intends, as far as duties are concerned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Intent {
    /// A person may answer and meet no agent: every mode but preview and guaranteed agents.
    pub could_abandon: bool,
    /// What the message to them says; `None` if there is no message.
    pub message_says: Option<BTreeSet<String>>,
    /// Its opt-out works at once.
    pub message_opt_out_works: bool,
    /// The longest ring.
    pub ring_max: Millis,
    /// Agents are rung when a person has answered.
    pub agents_on_demand: bool,
    /// What is done about recording; `None` if calls are not recorded.
    pub recording: Option<RecordingMode>,
}

/// Why a campaign must not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obstacle {
    /// What is missing, for people, with what to do.
    pub message: String,
    /// The rules that ask for it.
    pub rules: Vec<RuleId>,
}

impl Duties {
    /// Everything that keeps such a campaign from starting; empty if nothing does.
    pub fn obstacles(&self, intent: &Intent, rules: &CompiledRules) -> Vec<Obstacle> {
        let mut out = Vec::new();
        let mut say = |kind: &str, message: String| {
            let asks = |id: &&RuleId| rules.rule(id).is_some_and(|rule| rule.is.name() == kind);
            let rules = self.rules.iter().map(|(id, _)| id).filter(asks).cloned().collect();
            out.push(Obstacle { message, rules });
        };
        if let (true, Some(wanted)) = (intent.could_abandon, &self.abandon_message) {
            match &intent.message_says {
                None => say(
                    "abandon-message",
                    format!(
                        "somebody could be abandoned and there is no message for them; record one that says {}",
                        list(&wanted.must_say)
                    ),
                ),
                Some(says) => {
                    let missing: BTreeSet<String> = wanted.must_say.difference(says).cloned().collect();
                    if !missing.is_empty() {
                        say("abandon-message", format!("the abandonment message does not say {}", list(&missing)));
                    }
                    if wanted.interactive_opt_out && !intent.message_opt_out_works {
                        say(
                            "abandon-message",
                            "the abandonment message needs an opt-out key that works at once".into(),
                        );
                    }
                }
            }
        }
        if intent.ring_max < self.ring_min {
            say("min-ring", format!("unanswered calls must ring at least {}; raise ring_ms_max", self.ring_min));
        }
        if intent.could_abandon && intent.agents_on_demand && self.late_counts() {
            say(
                "abandon-cap",
                "a late connection counts as an abandonment here, and agents who are rung on demand \
                 come too late; use standing agents"
                    .into(),
            );
        }
        if intent.recording.is_some_and(|mode| mode < self.recording) {
            let word = if self.recording == RecordingMode::Consent { "an explicit yes" } else { "an announcement" };
            say("recording-mode", format!("recording needs {word}"));
        }
        out
    }
}

fn list(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::{Purpose, presets};
    use super::*;
    use crate::Phone;
    use crate::zones::{Clues, Place, locate};

    fn place(number: &str) -> Place {
        locate(&Clues::number(Phone::from_e164(number).expect("a number")))
    }
    fn of(number: &str, purpose: Purpose, preset: &str) -> (Duties, CompiledRules) {
        let rules = presets::compile(preset, Vec::new()).expect("known").expect("compiles");
        let place = place(number);
        let phone = Phone::from_e164(number).expect("a number");
        let subject = Subject::new(phone, &place, purpose, Millis::from_secs(25));
        (duties(&subject, &rules, Timestamp::from_secs(1_795_000_000)), rules)
    }

    #[test]
    fn the_strictest_of_all_rules_holds() {
        let (texas, _) = of("+12145550123", Purpose::Sales, "us-sales");
        assert_eq!(texas.ring_min, Millis::from_secs(15));
        assert_eq!(texas.connect_within, Some(Millis::from_secs(2)));
        assert_eq!(texas.recording, RecordingMode::OneParty);
        assert_eq!(texas.abandon_rate(AbandonWindow::Tumbling30d), Some(0.03));
        assert!(texas.late_counts());
        assert!(texas.retention["call"] >= Millis::from_days(5 * 365));

        let (washington, _) = of("+12065550123", Purpose::Sales, "us-sales");
        assert_eq!(washington.recording, RecordingMode::Announce);
        assert_eq!(washington.disclosure.expect("RCW 80.36.390").end_within, Some(Millis::from_secs(10)));
        assert_eq!(of("+14155550123", Purpose::Sales, "us-sales").0.recording, RecordingMode::Consent);

        let (london, _) = of("+442071234567", Purpose::Sales, "uk");
        assert_eq!(london.abandon_rate(AbandonWindow::Day), Some(0.03));
        let (elsewhere, _) = of("+81312345678", Purpose::Sales, "uk");
        assert_eq!(elsewhere.recording, RecordingMode::Announce, "the conservative default");
    }

    #[test]
    fn a_campaign_that_could_abandon_does_not_start_without_its_message() {
        let (duties, rules) = of("+12145550123", Purpose::Sales, "us-sales");
        let bare = Intent { could_abandon: true, ring_max: Millis::from_secs(25), ..Intent::default() };
        let obstacles = duties.obstacles(&bare, &rules);
        assert_eq!(obstacles.len(), 1);
        assert!(obstacles[0].message.contains("number, opt-out, purpose, seller"), "{obstacles:?}");
        assert!(obstacles[0].rules.iter().any(|id| id.as_str() == "us.tsr.abandon-message"));

        let says = ["seller", "number", "purpose", "opt-out"].map(str::to_owned).into();
        let whole = Intent { message_says: Some(says), message_opt_out_works: true, ..bare.clone() };
        assert_eq!(duties.obstacles(&whole, &rules), []);
        let dead_key = Intent { message_opt_out_works: false, ..whole.clone() };
        assert_eq!(duties.obstacles(&dead_key, &rules).len(), 1);
        let short = Intent { ring_max: Millis::from_ms(14_999), ..whole.clone() };
        assert!(duties.obstacles(&short, &rules)[0].message.contains("ring_ms_max"));
        let on_demand = Intent { agents_on_demand: true, ..whole.clone() };
        assert!(duties.obstacles(&on_demand, &rules)[0].message.contains("standing"));
        let safe =
            Intent { could_abandon: false, agents_on_demand: true, ring_max: bare.ring_max, ..Intent::default() };
        assert_eq!(duties.obstacles(&safe, &rules), []);
        let (california, rules) = of("+14155550123", Purpose::Sales, "us-sales");
        let recorded = Intent { recording: Some(RecordingMode::Announce), ..whole };
        assert!(california.obstacles(&recorded, &rules)[0].message.contains("explicit yes"));
    }

    #[test]
    fn what_is_enough_is_no_obstacle() {
        let rules = presets::compile("us-sales", Vec::new()).expect("known").expect("compiles");
        let message = |interactive_opt_out| {
            let says = ["seller", "number"].map(str::to_owned).into();
            Some(Saying { must_say: says, interactive_opt_out, ..Saying::default() })
        };
        let asked = Duties {
            ring_min: Millis::from_secs(15),
            abandon_message: message(false),
            recording: RecordingMode::Announce,
            ..Duties::default()
        };
        let intent = Intent {
            could_abandon: true,
            message_says: Some(["seller", "number", "music"].map(str::to_owned).into()),
            ring_max: Millis::from_secs(15),
            agents_on_demand: true,
            recording: Some(RecordingMode::Announce),
            ..Intent::default()
        };
        assert_eq!(asked.obstacles(&intent, &rules), [], "no opt-out was asked for, and late does not count");
        let stricter = Duties { abandon_message: message(true), ..asked.clone() };
        assert_eq!(stricter.obstacles(&intent, &rules).len(), 1);
        assert_eq!(stricter.obstacles(&Intent { message_opt_out_works: true, ..intent.clone() }, &rules), []);
        let silent = Intent { message_says: Some(["seller".to_owned()].into()), ..intent.clone() };
        let found = asked.obstacles(&silent, &rules);
        assert_eq!((found.len(), found[0].message.ends_with("does not say number")), (1, true), "{found:?}");
        assert!(found[0].rules.is_empty(), "none of these duties came from a rule");
        assert_eq!(asked.obstacles(&Intent { could_abandon: false, ..silent }, &rules), []);
        for (mode, is_enough) in
            [(RecordingMode::OneParty, false), (RecordingMode::Announce, true), (RecordingMode::Consent, true)]
        {
            let found = asked.obstacles(&Intent { recording: Some(mode), ..intent.clone() }, &rules);
            assert_eq!(found.is_empty(), is_enough, "{mode:?}");
            assert!(found.iter().all(|o| o.message == "recording needs an announcement"));
        }
        assert_eq!(asked.obstacles(&Intent { recording: None, ..intent }, &rules), []);
    }

    #[test]
    fn several_rules_of_one_kind_combine_to_the_strictest() {
        let head = "title = \"t\"\njurisdiction = \"US\"\ncitation = \"c\"\nstatus = \"confirmed\"\nverified_on = \"2026-11-22\"";
        let rules: String = [
            "min-ring = { ring = \"15s\" }",
            "min-ring = { ring = \"20s\" }",
            "connect-deadline = { within = \"3s\" }",
            "connect-deadline = { within = \"2s\" }",
            "abandon-cap = { rate = 0.05, window = \"day\" }",
            "abandon-cap = { rate = 0.04, window = \"day\" }",
            "abandon-cap = { rate = 0.03, window = \"month\" }",
            "abandon-message = { within = \"5s\", must_say = [\"seller\"], interactive_opt_out = true }",
            "abandon-message = { within = \"2s\", must_say = [\"number\"] }",
            "disclosure-timer = { within = \"60s\", must_say = [\"name\"], end_within = \"30s\" }",
            "disclosure-timer = { within = \"30s\", must_say = [\"company\"], end_within = \"10s\" }",
            "disclosure-timer = { within = \"40s\", must_say = [\"name\"] }",
            "retention = { record = \"call\", keep = \"5y\" }",
            "retention = { record = \"call\", keep = \"2y\" }",
        ]
        .iter()
        .enumerate()
        .map(|(i, is)| format!("[[rule]]\nid = \"r{i}\"\n{head}\nis = {{ {is} }}\n"))
        .collect();
        let text = format!("id = \"mine\"\nversion = \"1\"\ntitle = \"t\"\n{rules}");
        let pack = crate::permission::rule::Pack::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        let rules = CompiledRules::compile(&[pack]).expect("fine");
        let dallas = place("+12145550123");
        let phone = Phone::from_e164("+12145550123").expect("a number");
        let d = duties(&Subject::new(phone, &dallas, Purpose::Sales, Millis::ZERO), &rules, Timestamp::EPOCH);
        assert_eq!((d.ring_min, d.connect_within), (Millis::from_secs(20), Some(Millis::from_secs(2))));
        assert_eq!(d.abandon_rate(AbandonWindow::Day), Some(0.04));
        assert_eq!(d.abandon_rate(AbandonWindow::Month), Some(0.03));
        assert_eq!((d.abandon_rate(AbandonWindow::Tumbling30d), d.late_counts()), (None, false));
        let message = d.abandon_message.expect("two rules");
        assert_eq!((message.within, message.interactive_opt_out), (Millis::from_secs(2), true));
        assert_eq!(list(&message.must_say), "number, seller");
        let said = d.disclosure.expect("three rules");
        assert_eq!((said.within, said.end_within), (Millis::from_secs(30), Some(Millis::from_secs(10))));
        assert_eq!(list(&said.must_say), "company, name");
        assert_eq!(d.retention["call"], Millis::from_days(5 * 366));
        assert_eq!(d.rules.len(), 14);
    }
}
