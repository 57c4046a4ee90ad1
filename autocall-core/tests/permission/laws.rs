//! Laws over random people, places, histories and instants.

use autocall_core::permission::history::{Happened, NumberHistory, PersonHistory};
use autocall_core::permission::hours::Hours;
use autocall_core::permission::schedule::parse_week;
use autocall_core::permission::{
    CompiledRules, Consent, ConsentClass, ConsentSource, Finding, History, Lists, Party, Purpose, Purposes,
    RegistryVerdict, Revocation, RevokedFor, Subject, explain, may_call, presets,
};
use autocall_core::zones::{Clues, Place, area_codes, locate};
use autocall_core::{Millis, Phone, Timestamp};
use proptest::prelude::*;
use std::sync::LazyLock;

static RULES: LazyLock<Vec<(&str, CompiledRules)>> = LazyLock::new(|| {
    let compile = |name| presets::compile(name, Vec::new()).expect("known").expect("compiles");
    presets::names().map(|name| (name, compile(name))).collect()
});

/// A random call with everything that it borrows.
#[derive(Clone, Debug)]
struct Call {
    preset: usize,
    place: Place,
    phone: Phone,
    purpose: Purpose,
    party: Party,
    ring: Millis,
    /// How wrong the clock may be.
    error: Millis,
    now: Timestamp,
    number: NumberHistory,
    person: PersonHistory,
    consents: Vec<Consent>,
    revocations: Vec<Revocation>,
    tenant_listed: Option<Timestamp>,
    registry_listed: bool,
    campaign_hours: Option<Hours>,
}

impl Call {
    fn with<T>(&self, judge: impl FnOnce(&Subject<'_>, &CompiledRules, History<'_>) -> T) -> T {
        let registry = |name| RegistryVerdict {
            name,
            version: "7",
            as_of: self.now - Millis::from_days(3),
            listed: self.registry_listed,
        };
        let registries = ["us-national", "gb-tps", "gb-ctps", "ca-national", "au-national", "in-dnd"].map(registry);
        let subject = Subject {
            party: self.party,
            consents: &self.consents,
            revocations: &self.revocations,
            lists: Lists { tenant: self.tenant_listed, campaign: None, registries: &registries },
            campaign_hours: self.campaign_hours.as_ref(),
            clock_error: self.error,
            ..Subject::new(self.phone, &self.place, self.purpose, self.ring)
        };
        judge(&subject, &RULES[self.preset].1, History { number: &self.number, person: &self.person })
    }
    fn allowed_at(&self, at: Timestamp) -> bool {
        self.with(|subject, rules, history| may_call(subject, rules, history, at).is_allowed())
    }
    fn finding(&self, rule: &str, at: Timestamp) -> Option<Finding> {
        self.with(|subject, rules, history| {
            explain(subject, rules, history, at).into_iter().find(|f| f.rule.as_str() == rule)
        })
    }
}

/// Instants from 2024 to 2031, many of them close to a change of the clocks or of the day.
fn instants() -> impl Strategy<Value = Timestamp> {
    let anywhere = 1_704_067_200_000i64..1_924_991_999_000;
    // The second Sunday of March and the first of November 2026 in the US, the last of March in Europe.
    let edges =
        prop::sample::select(vec![1_772_956_800_000i64, 1_793_516_400_000, 1_774_746_000_000, 1_798_761_600_000]);
    prop_oneof![
        3 => anywhere.clone().prop_map(Timestamp::from_ms),
        1 => (edges, -200_000_000i64..200_000_000).prop_map(|(edge, off)| Timestamp::from_ms(edge + off)),
        1 => anywhere.prop_map(|ms| Timestamp::from_ms(ms / 3_600_000 * 3_600_000)),
    ]
}

fn numbers() -> impl Strategy<Value = Phone> {
    let nanp: Vec<u16> = area_codes().collect();
    let us = prop::sample::select(nanp).prop_map(|code| 10_005_550_123 + u64::from(code) * 10_000_000);
    let split = prop::sample::select(vec![850u64, 448, 605, 701, 208, 928, 907, 867, 270, 541])
        .prop_map(|code| 10_005_550_123 + code * 10_000_000);
    let abroad = prop::sample::select(vec![
        442071234567u64,
        33123456789,
        4930123456,
        61212345678,
        81312345678,
        5511987654321,
        79161234567,
        919876543210,
    ]);
    prop_oneof![4 => us, 2 => split, 2 => abroad].prop_map(|digits| Phone::from_digits(digits).expect("a number"))
}

fn attempts(now: Timestamp) -> impl Strategy<Value = Vec<(Timestamp, Happened)>> {
    let one = (0i64..40 * 24 * 60, prop::sample::select(Happened::ALL.to_vec()));
    prop::collection::vec(one, 0..12).prop_map(move |all| {
        all.into_iter().map(|(min, h)| (now - Millis::from_mins(min) - Millis::from_ms(min % 977), h)).collect()
    })
}

fn histories(now: Timestamp) -> impl Strategy<Value = (NumberHistory, PersonHistory)> {
    (attempts(now), attempts(now)).prop_map(|(own, others)| {
        let (mut number, mut person) = (NumberHistory::default(), PersonHistory::default());
        let mut all: Vec<_> = own.iter().map(|a| (*a, true)).chain(others.iter().map(|a| (*a, false))).collect();
        all.sort_by_key(|((at, _), _)| *at);
        for ((at, happened), own) in all {
            person.attempted(at);
            person.settled(happened, at, at + Millis::from_secs(30));
            if own {
                number.attempted(at);
                number.settled(happened, at, at + Millis::from_secs(30));
            }
        }
        (number, person)
    })
}

fn consent(now: Timestamp) -> impl Strategy<Value = Vec<Consent>> {
    let one = (any::<bool>(), any::<bool>(), any::<bool>(), -2_000i64..100, prop::option::of(-100i64..2_000));
    let one = one.prop_map(move |(written, automated, any_hour, hours, expires)| Consent {
        class: if written { ConsentClass::Written } else { ConsentClass::Express },
        purposes: Purposes::ALL,
        recorded_voice: false,
        automated,
        any_hour,
        given_at: now + Millis::from_hours(hours),
        expires_at: expires.map(|h| now + Millis::from_hours(h)),
        source: ConsentSource::WebForm,
        proof: None,
    });
    prop::collection::vec(one, 0..3)
}

fn calls() -> impl Strategy<Value = Call> {
    let purposes = vec![Purpose::Sales, Purpose::Sales, Purpose::Service, Purpose::DebtCollection, Purpose::Survey];
    let parties = vec![Party::Unknown, Party::Consumer, Party::Business, Party::Business];
    let hours = prop::sample::select(vec![
        None,
        Some("mon-fri 09:00-17:00"),
        Some("daily 00:00-24:00"),
        Some("sun 01:00-03:30"),
    ]);
    let state = prop::sample::select(vec![None, None, Some("FL"), Some("TX"), Some("AL"), Some("HI")]);
    (instants(), numbers()).prop_flat_map(move |(now, phone)| {
        (
            (
                0..RULES.len(),
                state.clone(),
                prop::sample::select(purposes.clone()),
                prop::sample::select(parties.clone()),
            ),
            (0i64..90_000, histories(now), consent(now), prop::option::weighted(0.1, -1_000i64..1_000)),
            (
                prop::option::weighted(0.1, -500i64..500),
                prop::bool::weighted(0.15),
                hours.clone(),
                prop::sample::select(vec![0i64, 0, 1_000, 90_000]),
            ),
        )
            .prop_map(
                move |(
                    (preset, state, purpose, party),
                    (ring, (number, person), consents, revoked),
                    (listed, registry_listed, hours, error),
                )| {
                    Call {
                        preset,
                        place: locate(&Clues { state, ..Clues::number(phone) }),
                        phone,
                        purpose,
                        party,
                        ring: Millis::from_ms(ring),
                        error: Millis::from_ms(error),
                        now,
                        number,
                        person,
                        consents,
                        revocations: revoked
                            .map(|h| Revocation {
                                at: now + Millis::from_hours(h),
                                what: RevokedFor::Everything,
                                channel: String::new(),
                            })
                            .into_iter()
                            .collect(),
                        tenant_listed: listed.map(|h| now + Millis::from_hours(h)),
                        registry_listed,
                        campaign_hours: hours
                            .map(|text| Hours { week: parse_week(text).expect("a week"), ..Hours::default() }),
                    }
                },
            )
    })
}

/// Local hour and weekday (Monday is 0), by the library, not by our arithmetic.
fn local(zone: &str, at: Timestamp) -> (i8, i8, i8) {
    let zoned = at.to_jiff().in_tz(zone).expect("a zone of the library");
    (zoned.weekday().to_monday_zero_offset(), zoned.hour(), zoned.minute())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn never_outside_the_window_of_any_plausible_zone(call in calls()) {
        if !call.allowed_at(call.now) {
            return Ok(());
        }
        prop_assert!(!call.place.zones.is_unknown());
        let any_hour = call.consents.iter().any(|c| c.any_hour);
        for zone in call.place.zones.as_slice() {
            // Whatever the time really is, and however long it rings.
            for at in [call.now - call.error, call.now, call.now + call.ring / 2, call.now + call.ring + call.error] {
                let (weekday, hour, _) = local(zone.name(), at);
                // No preset has wider hours anywhere than 8 to 21:30 unless somebody agreed to any hour.
                prop_assert!(any_hour || (8..=21).contains(&hour), "{zone} {hour}h");
                if call.place.countries.iter().any(|c| c.code() == "US") && call.purpose == Purpose::Sales && call.preset != 3 {
                    prop_assert!((8..21).contains(&hour), "{zone} {hour}h");
                }
                if let Some(hours) = &call.campaign_hours {
                    let open = hours.week[weekday as usize].iter().any(|span| {
                        (span.from_ms..span.to_ms).contains(&(u32::from(hour as u8) * 3_600_000))
                            || (u32::from(hour as u8) * 3_600_000..(u32::from(hour as u8) + 1) * 3_600_000).contains(&span.from_ms)
                    });
                    prop_assert!(open, "outside the campaign's hours");
                }
            }
        }
    }

    #[test]
    fn never_listed_never_revoked_never_over_a_cap(call in calls()) {
        if !call.allowed_at(call.now) {
            return Ok(());
        }
        prop_assert!(call.tenant_listed.is_none_or(|until| until <= call.now));
        let revoked = call.revocations.iter().filter(|r| r.at <= call.now).map(|r| r.at).max();
        if let Some(at) = revoked {
            prop_assert!(call.consents.iter().any(|c| c.given_at > at && c.given_at <= call.now));
        }
        let national = |code: &str| call.place.countries.iter().any(|c| c.code() == code);
        let attempts = |hours: i64, skip: &[Happened], number: bool| {
            let list = if number { call.number.attempts.list() } else { call.person.attempts.list() };
            list.iter().filter(|a| call.now - a.at < Millis::from_hours(hours) && !skip.contains(&a.happened)).count()
        };
        if national("US") && call.preset != 3 {
            prop_assert!(attempts(1, &[Happened::Busy], true) < 2);
            if call.purpose == Purpose::Sales {
                let capped = ["FL", "OK", "MD"].iter().any(|s| call.place.states.iter().any(|own| own.code() == *s));
                prop_assert!(!capped || attempts(24, &[], false) < 3);
            }
            if call.purpose == Purpose::DebtCollection && call.preset != 1 {
                prop_assert!(attempts(7 * 24, &[Happened::NotConnected], false) < 7);
                let talked = call.person.attempts.latest().conversation;
                prop_assert!(talked.is_none_or(|at| call.now - at >= Millis::from_days(7)));
            }
        }
        // A registry's no is lifted only by consent (there are no other dealings here) or a business line.
        if call.registry_listed && call.purpose == Purpose::Sales && call.party != Party::Business && national("US") && call.preset != 3 {
            prop_assert!(call.consents.iter().any(|c| c.class == ConsentClass::Written && c.given_at <= call.now));
        }
    }

    #[test]
    fn the_end_of_a_denial_is_exact(call in calls()) {
        let Some(denied) = call.with(|s, r, h| may_call(s, r, h, call.now).denied().cloned()) else { return Ok(()) };
        prop_assert!(denied.until > call.now && denied.callable_at >= denied.until);
        let rule = denied.rule.as_str();
        if denied.until < Timestamp::NEVER {
            let before = call.finding(rule, denied.until - Millis::from_ms(1)).expect("still concerned");
            prop_assert_eq!(before.denied_until, Some(denied.until), "one millisecond earlier {} denies", rule);
            prop_assert_eq!(call.finding(rule, denied.until).and_then(|f| f.denied_until), None, "at its end {} allows", rule);
        }
        if denied.callable_at < Timestamp::NEVER {
            // Rules that open by turns for a month are looked at again then.
            let far = denied.callable_at - call.now > Millis::from_days(30);
            prop_assert!(far || call.allowed_at(denied.callable_at), "all rules agree then");
            prop_assert!(!call.allowed_at(denied.callable_at - Millis::from_ms(1)));
        }
        // Nothing opens in between.
        let last = denied.callable_at.min(call.now + Millis::from_days(40));
        let span = last - call.now;
        for part in 1..40 {
            let at = call.now + Millis::from_ms(span.ms() / 40 * part);
            prop_assert!(at >= denied.callable_at || !call.allowed_at(at), "open at {at} already");
        }
    }
}
