//! Rules in words, as the console and `docs/compliance.md` show them.

use crate::lint::{overlay, rule};
use autocall_core::permission::rule::Rule;
use autocall_core::permission::{compliance, describe};

fn parsed(rest: &str) -> Rule {
    overlay(&rule("x", rest)).rules.remove(0)
}

#[test]
fn each_kind_of_rule_is_one_line_that_people_understand() {
    for (is, words) in [
        ("hours = { of = \"campaign\" }", "the campaign's own hours"),
        ("hours = { of = \"person\" }", "the hours that the person asked for"),
        (
            "hours = { week = \"mon-fri 09:00-17:00; sat 10:00-12:00, 13:00-14:30\" }",
            "Mon-Fri 09:00-17:00; Sat 10:00-12:00, 13:00-14:30; Sun closed",
        ),
        ("hours = { week = \"daily 08:00-21:00\" }", "Mon-Sun 08:00-21:00"),
        (
            "hours = { week = \"mon,wed 08:00-09:00\", holidays = \"us\", zone = \"America/Chicago\" }",
            "Mon 08:00-09:00; Tue closed; Wed 08:00-09:00; Thu-Sun closed; holidays (us) closed; on the clock of \
             America/Chicago",
        ),
        (
            "hours = { week = \"daily 08:00-21:00\", holidays = \"us\", holiday_hours = \"10:00-12:00\" }",
            "Mon-Sun 08:00-21:00; holidays (us) 10:00-12:00",
        ),
        (
            "attempt-cap = { most = 3, per = \"24h\", key = \"person\", not_counted = [\"no_answer\", \"busy\"] }",
            "at most 3 attempts per person and subject in any 24 hours, not counting no answer, busy",
        ),
        ("attempt-cap = { most = 7, per = \"7d\", key = \"number\" }", "at most 7 attempts per number in any 7 days"),
        (
            "cooldown-after = { event = \"conversation\", rest = \"7d\", key = \"person\" }",
            "7 days of rest for the person and subject after a conversation",
        ),
        (
            "cooldown-after = { event = \"abandoned\", rest = \"72h\", key = \"number\" }",
            "3 days of rest for the number after an abandoned call",
        ),
        (
            "cooldown-after = { event = \"machine\", rest = \"90m\", key = \"number\" }",
            "90 minutes of rest for the number after a call that a machine answered",
        ),
        (
            "cooldown-after = { event = \"refused\", rest = \"2y\", key = \"number\" }",
            "2 years of rest for the number after a refusal",
        ),
        (
            "cooldown-after = { event = \"attempt\", rest = \"90s\", key = \"number\" }",
            "90 seconds of rest for the number after an attempt",
        ),
        (
            "suppression = { registry = { name = \"us-national\", age_max = \"31d\" } }",
            "not if listed in us-national; not at all without a copy of it at most 31 days old",
        ),
        ("suppression = { tenant = {} }", "not if on the tenant's own list"),
        ("suppression = { campaign = {} }", "not if on the campaign's own list"),
        ("suppression = { revoked = {} }", "not after any revocation or objection"),
        ("suppression = { revoked = { read = \"what-it-names\" } }", "not after a revocation that names such calls"),
        ("suppression = { reassigned = {} }", "not if a reassigned-number check said yes"),
        (
            "suppression = { reassigned = { age_max = \"1d\" } }",
            "not without a reassigned-number check of the last 24 hours that did not say yes",
        ),
        ("suppression = { resting = {} }", "not while the number or person rests"),
        ("suppression = { unknown-place = {} }", "not if the time zone is not known"),
        ("consent-required = { class = \"express\" }", "no call without express consent"),
        (
            "consent-required = { class = \"written\", recorded_voice = true, automated = true }",
            "no call without written consent to recorded voice to automated calls",
        ),
        (
            "abandon-cap = { rate = 0.03, window = \"day\", misjudged_count = true, late_counts = true }",
            "at most 3 % of answered calls, per day; late connections count; people misjudged as machines count",
        ),
        ("abandon-cap = { rate = 0.0275, window = \"month\" }", "at most 2.75 % of answered calls, per calendar month"),
        ("abandon-cap = { rate = 0.05, window = \"tumbling-30d\" }", "at most 5 % of answered calls, per 30 days"),
        ("min-ring = { ring = \"15s\" }", "at least 15 seconds"),
        ("connect-deadline = { within = \"2s\" }", "an agent within 2 seconds"),
        (
            "abandon-message = { within = \"2s\", must_say = [\"seller\", \"number\"], interactive_opt_out = true }",
            "a message within 2 seconds that says seller, number; the opt-out works at once",
        ),
        (
            "abandon-message = { within = \"2s\", must_say = [\"seller\"] }",
            "a message within 2 seconds that says seller",
        ),
        (
            "disclosure-timer = { within = \"30s\", must_say = [\"name\", \"company\"], end_within = \"10s\" }",
            "name, company within 30 seconds; hang up within 10 seconds when asked",
        ),
        ("disclosure-timer = { within = \"1m\", must_say = [\"name\"] }", "name within 1 minutes"),
        ("recording-mode = { mode = \"one-party\" }", "one party suffices"),
        ("recording-mode = { mode = \"announce\" }", "an announcement"),
        ("recording-mode = { mode = \"consent\" }", "an explicit yes"),
        ("retention = { record = \"call\", keep = \"5y\" }", "call records for 5 years"),
    ] {
        assert_eq!(describe::kind(&parsed(&format!("is = {{ {is} }}")).is), words, "{is}");
    }
}

#[test]
fn a_span_is_a_number_and_a_unit() {
    let read = |text: &str| {
        let rule = rule("x", &format!("is = {{ min-ring = {{ ring = \"{text}\" }} }}"));
        let head = "id = \"mine\"\nversion = \"1\"\ntitle = \"Mine\"\n";
        autocall_core::permission::rule::Pack::parse(&format!("{head}{rule}")).is_ok()
    };
    for good in ["0s", "15s", "60m", "24h", "7d", "5y", "1000000s"] {
        assert!(read(good), "{good}");
    }
    for bad in ["", "5", "s", "5w", "-1s", "1000001s", "1.5h", "5 s"] {
        assert!(!read(bad), "{bad:?}");
    }
}

#[test]
fn to_which_calls_a_rule_applies_and_what_lifts_it_is_one_line() {
    for (rest, words) in [
        ("", ""),
        ("when = { purpose = [\"sales\", \"debt_collection\"] }", "sales, debt collection"),
        ("when = { party = [\"consumer\"] }", "to consumer"),
        ("when = { line = [\"mobile\", \"voip\"] }", "on mobile, voip lines"),
        (
            "when = { voice = [\"agent\", \"agentless\", \"voicemail\", \"abandonment\"] }",
            "live agent, message campaign, voicemail message, abandonment message",
        ),
        ("when = { dialing = [\"manual\"] }", "manual"),
        (
            "when = { purpose = [\"sales\"], dialing = [\"automated\"] }\nunless = { consent = \"written\" }",
            "sales; automated; unless written consent",
        ),
        ("unless = { any_hour = true }", "unless consent to calls at any hour"),
        (
            "unless = { purchase_within = \"540d\", inquiry_within = \"90d\" }",
            "unless a purchase within 540 days or an inquiry within 90 days",
        ),
        ("unless = { agent_guaranteed = true }", "unless an agent who is guaranteed"),
    ] {
        let rule = parsed(&format!("{rest}\nis = {{ min-ring = {{ ring = \"15s\" }} }}"));
        assert_eq!(describe::scope(&rule), words, "{rest}");
    }
}

#[test]
fn the_compliance_document_shows_every_pack_and_every_rule_once() {
    let text = compliance::markdown();
    for pack in autocall_core::permission::presets::shipped() {
        let head = text.lines().find(|l| l.starts_with(&format!("Pack `{}`, version {}", pack.id, pack.version)));
        let head = head.unwrap_or_else(|| panic!("no section of {}", pack.id));
        assert_eq!(head.contains(", covers "), !pack.covers.is_empty(), "{head}");
        for rule in &pack.rules {
            let rows: Vec<&str> = text.lines().filter(|l| l.starts_with(&format!("| `{}`<br>", rule.id))).collect();
            assert_eq!(rows.len(), 1, "{}", rule.id);
            assert!(rows[0].contains(&describe::kind(&rule.is)), "{}", rows[0]);
        }
    }
}
