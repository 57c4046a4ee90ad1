//! Where a campaign's settings put a lead: filter, segments, list order, lane, and the counter that it moves.

use super::*;
use autocall_core::Outcome;
use autocall_core::id::{CallId, ListId};
use autocall_core::lead::{Closed, State};
use autocall_core::planning::counts::{Bucket, CountKey, Counts};
use autocall_core::planning::filing::created_at;
use autocall_core::planning::lane::Lane;
use autocall_core::settings::ListWeight;

fn filing(change: impl Fn(&mut Settings)) -> Filing {
    let mut settings = settings();
    change(&mut settings);
    Filing::of(&settings).unwrap()
}
fn plain() -> Lead {
    lead(CampaignId::small(TENANT, 1), 2, 14_155_550_123)
}
fn list(n: u128) -> ListId {
    ListId::small(TENANT, n)
}
/// A lead of whom everything is known that a filter can ask for.
fn known() -> Lead {
    let mut l = plain();
    let person = Arc::make_mut(&mut l.person);
    person.state = Some("CA".into());
    person.country = Some("US".into());
    person.postal_code = Some("94103".into());
    person.timezone = Some("America/Los_Angeles".into());
    person.kind = Some("consumer".into());
    person.fields.insert("plan".into(), autocall_core::Private::new("gold"));
    l.id = LeadId::v7(TENANT, NOW, 77);
    l.list = Some(list(0xab));
    (l.priority, l.attempts) = (Priority::High, 3);
    (l.last, l.last_at, l.disposition) = (Some(Outcome::NoAnswer), Some(NOW), Some("sold".into()));
    l.callback = None;
    l
}
fn lets_in(filter: &str, lead: &Lead) -> bool {
    let mut lead = lead.clone();
    filing(|s| s.filter = filter.into()).judge(&mut lead);
    !lead.filed.parked
}

#[test]
fn a_filter_can_ask_for_everything_that_is_known_of_a_lead() {
    let lead = known();
    for (field, value, other) in [
        ("state", "'CA'", "'NY'"),
        ("country", "'US'", "'CA'"),
        ("postal_code", "'94103'", "'94104'"),
        ("timezone", "'America/Los_Angeles'", "'America/New_York'"),
        ("list", "'000000000000000000000000000000ab'", "'000000000000000000000000000000ac'"),
        ("type", "'consumer'", "'business'"),
        ("area_code", "415", "416"),
        ("priority", "high", "low"),
        ("attempts", "3", "4"),
        ("last_outcome", "'no_answer'", "'busy'"),
        ("disposition", "'sold'", "'lost'"),
        ("created_at", "'2026-11-18'", "'2026-11-17'"),
        ("last_attempt_at", "'2026-11-18T18:00:00Z'", "'2026-11-18T18:00:01Z'"),
        ("has_callback", "false", "true"),
        ("plan", "'gold'", "'silver'"),
    ] {
        assert!(lets_in(&format!("{field} == {value}"), &lead), "{field}");
        assert!(!lets_in(&format!("{field} == {other}"), &lead), "{field}");
        assert!(lets_in(&format!("{field} is not empty"), &lead), "{field}");
    }
    let mut called_back = lead.clone();
    called_back.callback = Some(Callback { at: NOW, agent: None });
    assert!(lets_in("has_callback", &called_back) && !lets_in("has_callback", &lead));
    let mut bare = plain();
    bare.person = Arc::default();
    bare.numbers.clear();
    for field in ["state", "country", "postal_code", "timezone", "list", "type", "area_code", "last_outcome", "plan"] {
        assert!(lets_in(&format!("{field} is empty"), &bare), "{field}");
    }
}

#[test]
fn a_filter_that_asks_about_calls_is_looked_at_after_each() {
    for field in ["attempts", "last_outcome", "last_attempt_at", "disposition", "has_callback"] {
        assert!(filing(|s| s.filter = format!("{field} is empty").into()).follows_calls(), "{field}");
    }
    assert!(!filing(|s| s.filter = "state == 'CA' and plan is empty".into()).follows_calls());
    assert!(!filing(|_| {}).follows_calls());
    let quota = |segment: &str| Quota { name: "q".into(), segment: segment.into(), counts: Vec::new(), most: 3 };
    assert!(filing(|s| s.quotas = vec![quota("state == 'CA'"), quota("attempts > 1")]).follows_calls());
    let wrong = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        Filing::of(&settings).expect_err("a mistake").0
    };
    assert_eq!(wrong(&|s| s.filter = "state =".into()), "filter");
    assert_eq!(wrong(&|s| s.quotas = vec![quota(""), quota("and")]), "quotas[1].segment");
}

#[test]
fn a_lead_is_filed_with_its_segments_its_place_in_the_order_and_its_group() {
    let quota = |segment: &str| Quota { name: "q".into(), segment: segment.into(), counts: Vec::new(), most: 3 };
    let filing = filing(|s| {
        s.quotas = ["state == 'NY'", "state == 'CA'", "attempts == 0", ""].map(quota).into();
        s.order = Order::Mix;
        s.list_weights = vec![ListWeight { list: list(1), weight: 5 }, ListWeight { list: list(2), weight: 10 }];
    });
    let mut filed = known();
    (filed.filed.place, filed.list) = (3, Some(list(2)));
    assert!(filing.file(&mut filed), "it was filed nowhere before");
    assert_eq!(filed.filed.segments, 0b1010);
    assert_eq!(filed.order, 7 * 500_000 / 10, "the fourth of a list of weight ten");
    assert_eq!(filed.filed.group, 14, "San Francisco");
    assert!(!filing.file(&mut filed), "nothing has changed");
    filed.attempts = 0;
    assert!(filing.file(&mut filed));
    assert_eq!(filed.filed.segments, 0b1110);
    filed.list = None;
    assert!(filing.file(&mut filed));
    assert_eq!(filed.order, 7 * 500_000, "no list, no weight");
    assert_eq!((created_at(&filed), created_at(&plain())), (NOW, Timestamp::EPOCH), "ids of version 7 tell when");
}

#[test]
fn lanes_go_by_appointment_priority_and_attempts() {
    let class = |priority: Priority, attempts: u16| {
        let mut l = plain();
        (l.priority, l.attempts, l.filed.group) = (priority, attempts, 20);
        assert_eq!(Lane::of(&l).group(), 20);
        Lane::of(&l).class()
    };
    let all = [Priority::Urgent, Priority::High, Priority::Normal, Priority::Low];
    assert_eq!(all.map(|p| class(p, 1)), [1, 3, 5, 7]);
    assert_eq!(all.map(|p| class(p, 0)), [2, 4, 6, 8]);
    let mut l = plain();
    l.filed.parked = true;
    assert_eq!(Lane::of(&l), Lane::PARKED);
    l.callback = Some(Callback { at: NOW, agent: None });
    assert_eq!(Lane::of(&l).class(), 0, "an appointment stands, whatever the filter says");
    l.filed.group = 200;
    assert_eq!(Lane::of(&l).group(), 63);
}

#[test]
fn a_lead_counts_where_its_row_says_it_stands() {
    let of = |change: &dyn Fn(&mut Lead)| {
        let mut l = plain();
        change(&mut l);
        (Bucket::of(&l), Counts::of(&l).iter().count())
    };
    let hour = NOW.ms() / 3_600_000;
    let closed = State::Closed { why: Closed::NoNumber };
    assert_eq!(of(&|_| {}), (Bucket::Fresh, 2));
    assert_eq!(of(&|l| l.due_at = Timestamp::from_ms(1)), (Bucket::Waiting { hour: Some(0) }, 2));
    assert_eq!(of(&|l| l.due_at = NOW + Millis::from_mins(59)), (Bucket::Waiting { hour: Some(hour) }, 2));
    assert_eq!(of(&|l| l.due_at = Timestamp::NEVER), (Bucket::Waiting { hour: None }, 2));
    let rule = autocall_core::permission::RuleId::new("r");
    let blocked = |hour| Bucket::Blocked { rule: rule.clone(), hour };
    assert_eq!(of(&|l| (l.blocked_by, l.due_at) = (Some("r".into()), NOW)), (blocked(Some(hour)), 2));
    assert_eq!(of(&|l| (l.blocked_by, l.due_at) = (Some("r".into()), Timestamp::NEVER)), (blocked(None), 2));
    assert_eq!(of(&|l| l.filed.parked = true), (Bucket::Filtered, 2));
    assert_eq!(of(&|l| l.state = closed), (Bucket::Closed { why: Closed::NoNumber }, 1));
    assert_eq!(of(&|l| l.state = State::Calling { call: CallId::small(TENANT, 1) }), (Bucket::Calling, 1));

    let (before, mut after) = (plain(), plain());
    assert!(Counts::step(&before, &after).is_empty(), "nothing moved");
    after.state = closed;
    let step = Counts::step(&before, &after);
    let moved = |key: CountKey| step.iter().find(|(known, _)| *known == key).map(|(_, by)| *by);
    assert!(!step.is_empty());
    assert_eq!(moved(CountKey::Bucket(Bucket::Fresh)), Some(-1));
    assert_eq!(moved(CountKey::Lane(Lane::of(&before))), Some(-1));
    assert_eq!(moved(CountKey::Bucket(Bucket::Closed { why: Closed::NoNumber })), Some(1));
    let funnel = Funnel::recount(&[before, after], NOW);
    assert_eq!((funnel.as_of, funnel.total()), (NOW, 2));
    let twice = Counts::of(&plain());
    let funnel = Funnel::of(twice.iter().map(|(key, by)| (key, 2 * by)), NOW);
    assert_eq!((funnel.as_of, funnel.total(), funnel.report(NOW).now), (NOW, 2, 2));
}
