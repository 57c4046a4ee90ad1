//! The seam to permission: may this lead be called now, at which number, showing which?

use super::lawful::CLOCKS_APART;
use crate::call::PERMIT_TTL;
use crate::campaign::Campaign;
use crate::permission::history::HappenedSet;
use crate::phone::Phone;
use crate::ports::{Candidate, Guard, GuardKey, GuardValue, NumberGuard, PersonGuard};
use crate::script::RecordingMode;
use crate::time::{Millis, Timestamp};
use std::sync::Arc;

/// Yes, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// Which of the lead's numbers.
    pub number_index: u8,
    /// That number.
    pub to: Phone,
    /// Whether a recorded message may be left on a machine.
    pub voicemail: bool,
    /// Whether a recorded message may be played to a person who is given up.
    pub abandonment: bool,
    /// What the person's law asks of a recording at least.
    pub recording: RecordingMode,
    /// What to store with the attempt (JSON).
    pub evidence: Option<Arc<str>>,
}

/// No, by which rule, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Denied {
    /// A stable name of the rule.
    pub rule: Arc<str>,
    /// The first instant worth asking again; [`Timestamp::NEVER`] where only a change can help.
    pub until: Timestamp,
}

/// What one rule says about one of a lead's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// Which of the lead's numbers.
    pub number_index: u8,
    /// The rule.
    pub rule: Arc<str>,
    /// The law or reason behind it; empty for the house's own.
    pub citation: Arc<str>,
    /// `None`: it does not deny. Otherwise the first instant at which it no longer does.
    pub denied_until: Option<Timestamp>,
}

/// Decides whether a lead may be called. Pure: same inputs, same answer.
pub trait Permission: Send + Sync {
    /// May this lead be called now?
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied>;

    /// What every rule says that concerns this lead, for people to read. Of the house's own rules
    /// only one that denies is named.
    fn explain(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Vec<Opinion> {
        let of = |denied: Denied| Opinion {
            number_index: candidate.lead.row.next_number,
            rule: denied.rule,
            citation: "".into(),
            denied_until: Some(denied.until),
        };
        self.judge(candidate, campaign, now).err().map(of).into_iter().collect()
    }

    /// What in the settings keeps the campaign from starting, whoever would be called. Nothing
    /// where no law is asked.
    fn obstacles(&self, settings: &crate::settings::Settings, now: Timestamp) -> Vec<crate::settings::Problem> {
        let _ = (settings, now);
        Vec::new()
    }
}

/// Lists, rests, live calls, caps and the campaign's own windows. No law: for tests, simulations,
/// and as the part that every other permission asks first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard;

impl Permission for Standard {
    fn judge(&self, candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<Allowed, Denied> {
        first_number(candidate, |index| {
            house(candidate, campaign, index, now)?;
            windows(candidate, campaign, now)?;
            let to = candidate.lead.row.numbers[index].phone;
            Ok(Allowed {
                number_index: index as u8,
                to,
                voicemail: true,
                abandonment: true,
                recording: RecordingMode::Off,
                evidence: None,
            })
        })
    }
}

/// The first of the lead's numbers that may be called, beginning with the one whose turn it is;
/// otherwise the denial that ends first.
pub(super) fn first_number(
    candidate: &Candidate,
    judge: impl Fn(usize) -> Result<Allowed, Denied>,
) -> Result<Allowed, Denied> {
    let lead = &candidate.lead.row;
    let n = lead.numbers.len();
    let mut best: Option<Denied> = None;
    for index in (0..n).map(|step| (usize::from(lead.next_number) + step) % n) {
        if lead.numbers[index].dropped {
            continue;
        }
        match judge(index) {
            Ok(allowed) => return Ok(allowed),
            Err(denied) => {
                if best.as_ref().is_none_or(|b| denied.until < b.until) {
                    best = Some(denied);
                }
            }
        }
    }
    Err(best.unwrap_or_else(|| deny("no_number", Timestamp::NEVER)))
}

pub(super) fn deny(rule: &str, until: Timestamp) -> Denied {
    Denied { rule: rule.into(), until }
}

/// What holds whatever the law says: own lists, live calls, rests, caps.
pub(super) fn house(candidate: &Candidate, campaign: &Campaign, index: usize, now: Timestamp) -> Result<(), Denied> {
    // An appointment, or a lead that was opened again, does not lift the campaign's limit.
    if candidate.lead.row.attempts >= campaign.settings.caps.attempts_max {
        return Err(deny("attempts_max", Timestamp::NEVER));
    }
    let lists = candidate.lists.get(index).copied().unwrap_or_default();
    if let Some(until) = lists.tenant.filter(|until| *until > now) {
        return Err(deny("do_not_call_tenant", until));
    }
    if let Some(until) = lists.campaign.filter(|until| *until > now) {
        return Err(deny("do_not_call_campaign", until));
    }
    let (number, person) = guards(candidate, candidate.lead.row.numbers[index].phone, now)?;
    if number.live.is_some() || person.live.is_some() {
        return Err(deny("in_a_call", now + Millis::from_mins(1)));
    }
    rests(number, now)?;
    capped(number, campaign, now)
}

/// The guards of a number and its person. Fails closed: a guard that was not read proves nothing.
pub(super) fn guards(
    candidate: &Candidate,
    phone: Phone,
    now: Timestamp,
) -> Result<(&NumberGuard, &PersonGuard), Denied> {
    let number = candidate.guards.iter().find_map(|g| match (&g.key, &g.value) {
        (GuardKey::Number(p), GuardValue::Number(value)) if *p == phone => Some(value),
        _ => None,
    });
    let person = candidate.guards.iter().find_map(|g| match &g.value {
        GuardValue::Person(value) => Some(value),
        _ => None,
    });
    number.zip(person).ok_or_else(|| deny("guard_missing", now + Millis::from_mins(1)))
}

fn rests(number: &NumberGuard, now: Timestamp) -> Result<(), Denied> {
    match number.history.rest_until {
        Some(until) if now < until => Err(deny("number_rests", until)),
        _ => match number.history.listed {
            Some(until) if now < until => Err(deny("do_not_call_tenant", until)),
            _ => Ok(()),
        },
    }
}

fn capped(number: &NumberGuard, campaign: &Campaign, now: Timestamp) -> Result<(), Denied> {
    let cap = usize::from(campaign.settings.caps.attempts_per_number_per_day_max);
    let day = Millis::from_hours(24);
    match number.history.attempts.capped_until(cap, HappenedSet::ALL, day, now) {
        Some(until) => Err(deny("attempts_per_number_per_day", until)),
        None => Ok(()),
    }
}

/// The campaign's own weekly windows and closed days, in the lead's zone where it names one, else
/// in the campaign's.
fn windows(candidate: &Candidate, campaign: &Campaign, now: Timestamp) -> Result<(), Denied> {
    let schedule = &campaign.settings.schedule;
    if schedule.windows.is_empty() && schedule.closed_dates.is_empty() {
        return Ok(());
    }
    let named = candidate.lead.row.person.timezone.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok());
    let zone = named.unwrap_or_else(|| campaign.settings.zone());
    // The clock may be a little fast, or slow.
    let local = (now - CLOCKS_APART).to_jiff().to_zoned(zone);
    // The request may leave as late as its permit lives, and rings after that.
    let ring = PERMIT_TTL + Millis::from_ms(i64::from(campaign.settings.caps.ring_ms_max)) + CLOCKS_APART;
    if is_open(schedule, &local) && is_open(schedule, &(now + ring).to_jiff().to_zoned(local.time_zone().clone())) {
        return Ok(());
    }
    Err(deny("campaign_hours", next_open(schedule, &local).unwrap_or(Timestamp::NEVER) + CLOCKS_APART))
}

fn is_open(schedule: &crate::settings::Schedule, local: &jiff::Zoned) -> bool {
    if schedule.closed_dates.contains(&local.date()) {
        return false;
    }
    if schedule.windows.is_empty() {
        return true;
    }
    let weekday = local.weekday().to_monday_one_offset() as u8;
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    schedule.windows.iter().any(|w| w.weekday == weekday && (w.from_min..w.to_min).contains(&minute))
}

/// The next opening within sixty days: the start of a window, or of a day.
fn next_open(schedule: &crate::settings::Schedule, local: &jiff::Zoned) -> Option<Timestamp> {
    for ahead in 0..60 {
        let day = local.date().checked_add(jiff::Span::new().days(ahead)).ok()?;
        let weekday = day.weekday().to_monday_one_offset() as u8;
        let mut starts: Vec<u16> =
            schedule.windows.iter().filter(|w| w.weekday == weekday).map(|w| w.from_min).collect();
        if schedule.windows.is_empty() {
            starts.push(0);
        }
        starts.sort_unstable();
        for start in starts {
            let time = jiff::civil::time((start / 60) as i8, (start % 60) as i8, 0, 0);
            let Ok(at) = day.to_datetime(time).to_zoned(local.time_zone().clone()) else { continue };
            if at > *local && is_open(schedule, &at) {
                return Some(Timestamp::from_jiff(at.timestamp()));
            }
        }
    }
    None
}

/// The guards that a dial to this number depends on and advances.
pub(super) fn advanced(candidate: &Candidate, to: Phone) -> impl Iterator<Item = &Guard> {
    candidate.guards.iter().filter(move |g| match g.key {
        GuardKey::Number(phone) => phone == to,
        GuardKey::Person { .. } => true,
        _ => false,
    })
}
