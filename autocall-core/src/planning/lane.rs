//! Lanes: the queues of one campaign that an index keeps apart, and how they share the next dials.
//!
//! A lane is a class and a group. Classes follow each other strictly: appointments, then for each
//! priority from urgent to low those who are tried again and those who were never tried. Groups
//! are leads whose day ends together; the groups of one class share by [`super::fairness`]. Within
//! a lane leads come by due time, then by the list's order, then by id.

use super::fairness;
use crate::lead::Lead;
use crate::settings::Settings;
use crate::zones::{DAY_MS, Place};
use crate::{Millis, Timestamp};

/// Where an open lead queues.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lane(u16);

const GROUPS: u16 = 64;
/// Appointments, and two classes for each of four priorities.
const CLASSES: u16 = 9;

impl Lane {
    /// Leads that the campaign's filter leaves out: nobody looks here for somebody to call.
    pub const PARKED: Lane = Lane(1_023);

    /// The lane of an open lead.
    pub fn of(lead: &Lead) -> Lane {
        let below = 2 * (3 - lead.priority as u16);
        let class = match lead {
            _ if lead.is_parked() => return Lane::PARKED,
            _ if lead.callback.is_some() => 0,
            _ if lead.attempts > 0 => 1 + below,
            _ => 2 + below,
        };
        Lane(class * GROUPS + u16::from(lead.filed.group).min(GROUPS - 1))
    }
    /// As stored: from 0 to 1,023.
    pub fn number(self) -> u16 {
        self.0
    }
    /// Back from [`Lane::number`].
    pub fn from_number(number: u16) -> Option<Lane> {
        (number < CLASSES * GROUPS || number == Lane::PARKED.0).then_some(Lane(number))
    }
    /// The class: lower ones first.
    pub fn class(self) -> u16 {
        self.0 / GROUPS
    }
    /// The group: [`group`].
    pub fn group(self) -> u8 {
        (self.0 % GROUPS) as u8
    }
}

const HALF_HOUR_MS: i64 = 30 * 60_000;

/// The group of people whose day ends together: the easternmost plausible zone's offset on a fixed
/// day, in half hours. 0: the place is not known. It decides who goes first and nothing else.
pub fn group(place: &Place) -> u8 {
    /// A day without daylight saving in the north, where most lists live.
    const FIXED: Timestamp = Timestamp::from_secs(1_768_478_400);
    let east = place.zones.as_slice().iter().map(|zone| zone.offset_ms(FIXED)).max();
    east.map_or(0, |offset| (offset.div_euclid(HALF_HOUR_MS) + 30).clamp(1, i64::from(GROUPS) - 1) as u8)
}

/// The minute of the local day at which a campaign's day ends at the latest: its own windows', or
/// 21:00, the latest that most laws allow.
fn closing_min(settings: &Settings) -> i64 {
    let own = settings.schedule.windows.iter().map(|w| i64::from(w.to_min)).max();
    own.unwrap_or(21 * 60).min(21 * 60)
}

/// When the day of a group ends next.
fn closes_at(group: u8, closing_min: i64, now: Timestamp) -> Timestamp {
    let offset = (i64::from(group.max(1)) - 30) * HALF_HOUR_MS;
    let local = now.ms().saturating_add(offset);
    let left = (closing_min * 60_000 - local.rem_euclid(DAY_MS)).rem_euclid(DAY_MS);
    now + Millis::from_ms(if left == 0 { DAY_MS } else { left })
}

/// What an index found in one lane: leads that are due, in the lane's order.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The lane.
    pub lane: Lane,
    /// How many open leads it holds, due or not.
    pub open: i64,
    /// The first of those that are due.
    pub due: Vec<T>,
}

/// The next leads of all lanes, at most `limit`: class after class; within a class groups share by
/// how soon their day ends, and their leads alternate.
pub fn choose<T>(mut lanes: Vec<Found<T>>, settings: &Settings, now: Timestamp, limit: usize) -> Vec<T> {
    lanes.retain(|lane| !lane.due.is_empty() && lane.lane != Lane::PARKED);
    lanes.sort_by_key(|lane| lane.lane);
    let closing = closing_min(settings);
    let mut out = Vec::new();
    while !lanes.is_empty() && out.len() < limit {
        let class = lanes[0].lane.class();
        let rest = lanes.iter().position(|l| l.lane.class() != class).unwrap_or(lanes.len());
        let same: Vec<Found<T>> = lanes.drain(..rest).collect();
        out.extend(class_next(same, closing, now, limit - out.len()));
    }
    out
}

fn class_next<T>(lanes: Vec<Found<T>>, closing_min: i64, now: Timestamp, slots: usize) -> Vec<T> {
    let wanted = |lane: &Found<T>| fairness::Lane {
        // A lane whose search ended early is known whole; of others the counter knows more.
        waiting: (lane.due.len() as u64).max(if lane.due.len() < slots { 0 } else { lane.open.max(0) as u64 }),
        closes_at: closes_at(lane.lane.group(), closing_min, now),
    };
    let needs: Vec<fairness::Lane> = lanes.iter().map(wanted).collect();
    let shares = fairness::share(&needs, now, slots.min(u32::MAX as usize) as u32);
    let mut turns: Vec<(f64, usize, T)> = Vec::new();
    for (at, (lane, share)) in lanes.into_iter().zip(shares).enumerate() {
        let due = lane.due.into_iter().take(share as usize).enumerate();
        turns.extend(due.map(|(n, lead)| ((n as f64 + 0.5) / f64::from(share), at, lead)));
    }
    turns.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    turns.into_iter().map(|(_, _, lead)| lead).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phone;
    use crate::zones::{Clues, locate};

    fn group_of(number: &str) -> u8 {
        group(&locate(&Clues::number(Phone::from_e164(number).expect("a number"))))
    }
    fn found(class: u16, group: u8, open: i64, due: &[u32]) -> Found<u32> {
        Found { lane: Lane(class * GROUPS + u16::from(group)), open, due: due.to_vec() }
    }

    #[test]
    fn groups_go_by_the_zone_that_closes_first() {
        let (new_york, chicago, los_angeles) =
            (group_of("+12125550123"), group_of("+13125550123"), group_of("+13105550123"));
        assert_eq!((new_york, chicago, los_angeles), (20, 18, 14));
        assert_eq!(group_of("+18505550123"), new_york, "Florida's west may be in either: the earlier end counts");
        assert_eq!(group_of("+442071234567"), 30);
        assert!(group_of("+911123456789") > group_of("+442071234567"));
        assert_eq!(group(&Place::default()), 0);
    }

    #[test]
    fn a_groups_day_ends_at_nine_or_when_the_campaigns_does() {
        // 2026-11-25 20:00 in New York.
        let now = Timestamp::from_secs(1_795_654_800);
        assert_eq!(closes_at(20, 21 * 60, now), now + Millis::from_hours(1));
        assert_eq!(closes_at(14, 21 * 60, now), now + Millis::from_hours(4));
        assert_eq!(closes_at(20, 20 * 60, now), now + Millis::from_hours(24));
        let mut settings = Settings::default();
        assert_eq!(closing_min(&settings), 21 * 60);
        settings.schedule.windows = crate::settings::Schedule::office_hours();
        assert_eq!(closing_min(&settings), 20 * 60);
    }

    #[test]
    fn classes_follow_each_other_and_groups_alternate_by_need() {
        let now = Timestamp::from_secs(1_795_654_800);
        let east: Vec<u32> = (100..140).collect();
        let west: Vec<u32> = (200..240).collect();
        let lanes = vec![
            found(4, 14, 40, &west),
            found(4, 20, 40, &east),
            found(1, 20, 1, &[7]),
            found(0, 14, 1, &[3]),
            Found { lane: Lane::PARKED, open: 5, due: vec![999] },
        ];
        let next = choose(lanes, &Settings::default(), now, 22);
        assert_eq!(next[..2], [3, 7]);
        let of = |range: std::ops::Range<u32>| next[2..].iter().filter(|n| range.contains(n)).count();
        assert_eq!(of(100..200) + of(200..300), 20);
        assert!(of(100..200) >= 3 * of(200..300) && of(200..300) >= 3, "{next:?}");
        assert!(next[2..8].contains(&200), "the west does not wait for the east's end: {next:?}");
        let order: Vec<u32> = next.iter().copied().filter(|n| (100..200).contains(n)).collect();
        assert!(order.is_sorted());
    }

    #[test]
    fn a_lane_that_is_short_leaves_its_places_to_others() {
        let now = Timestamp::from_secs(1_795_654_800);
        let west: Vec<u32> = (200..230).collect();
        let next =
            choose(vec![found(4, 20, 5_000_000, &[1, 2]), found(4, 14, 30, &west)], &Settings::default(), now, 20);
        assert_eq!(next.len(), 20);
    }

    #[test]
    fn a_lanes_number_reads_back() {
        for number in [0, 63, 64, 575, 1_023] {
            assert_eq!(Lane::from_number(number).map(Lane::number), Some(number));
        }
        assert_eq!(Lane::from_number(576), None);
        assert_eq!((Lane(3 * 64 + 20).class(), Lane(3 * 64 + 20).group()), (3, 20));
    }

    #[test]
    fn the_end_of_a_groups_day_is_never_now() {
        let now = Timestamp::from_secs(1_795_654_800);
        // Nine in the evening of New York is the end of that day: the next one counts.
        let nine = now + Millis::from_hours(1);
        assert_eq!(closes_at(20, 21 * 60, nine), nine + Millis::from_hours(24));
        assert_eq!(closes_at(20, 21 * 60, nine - Millis::from_ms(1)), nine);
        assert_eq!(closes_at(0, 21 * 60, now), closes_at(1, 21 * 60, now), "an unknown place is the westernmost");
        assert_eq!(closes_at(21, 21 * 60, now), now + Millis::from_mins(30));
        let mut settings = Settings::default();
        settings.schedule.windows = vec![
            crate::settings::DayWindow { weekday: 1, from_min: 540, to_min: 720 },
            crate::settings::DayWindow { weekday: 2, from_min: 540, to_min: 1_380 },
        ];
        assert_eq!(closing_min(&settings), 21 * 60, "nobody is called later than nine");
        settings.schedule.windows.truncate(1);
        assert_eq!(closing_min(&settings), 12 * 60);
    }

    #[test]
    fn lanes_of_a_class_take_turns_from_the_middle_of_their_shares() {
        let now = Timestamp::from_secs(1_795_654_800);
        let next = |lanes: Vec<Found<u32>>, limit| choose(lanes, &Settings::default(), now, limit);
        let same = || vec![found(4, 20, 3, &[1, 2, 3]), found(4, 20, 3, &[11, 12, 13])];
        assert_eq!(next(same(), 6), [1, 11, 2, 12, 3, 13]);
        assert_eq!(next(same(), 4), [1, 11, 2, 12]);
        assert_eq!(next(same(), 0), Vec::<u32>::new());
        assert_eq!(next(vec![found(4, 20, 9, &[]), found(6, 20, 1, &[5])], 3), [5], "an empty lane is no lane");
        // Of a lane with more than were looked for the counter tells how many wait: nine in ten are there.
        let crowd: Vec<u32> = (100..110).collect();
        let few: Vec<u32> = (200..210).collect();
        let got = next(vec![found(4, 20, 90, &crowd), found(4, 20, 10, &few)], 10);
        assert_eq!(got.iter().filter(|n| **n >= 200).count(), 1, "{got:?}");
        // One whose search ended early is known whole, whatever the counter says.
        let got = next(vec![found(4, 20, 90, &crowd), found(4, 20, 1_000, &few[..5])], 10);
        assert_eq!(got.len(), 10);
        assert!(got.iter().filter(|n| **n >= 200).count() < 3, "{got:?}");
    }
}
