//! Words of the machines in words of permission.

use super::calendar::day_number;
use super::history::Happened;
use super::hours::{DaySpans, Hours, Span, normalise};
use super::subject::LineType;
use crate::Outcome;
use crate::outcome::Abandonment;
use crate::settings::Schedule;

impl From<Outcome> for Happened {
    /// What an outcome is to caps and cool-downs. What nobody can say counts as an attempt.
    fn from(outcome: Outcome) -> Happened {
        match outcome {
            Outcome::Connected | Outcome::MessagePlayed => Happened::Conversation,
            Outcome::Abandoned(
                Abandonment::NobodyFree
                | Abandonment::HungUpWaiting
                | Abandonment::HungUpDuringOffer
                | Abandonment::Stopped,
            )
            | Outcome::AgentUnavailable => Happened::Abandoned,
            Outcome::VoicemailLeft => Happened::MessageLeft,
            Outcome::Machine => Happened::Machine,
            Outcome::Fax => Happened::Fax,
            Outcome::Busy => Happened::Busy,
            // A call that we took back may have rung for a while: the strict reading.
            Outcome::NoAnswer | Outcome::Canceled => Happened::NoAnswer,
            Outcome::InvalidNumber | Outcome::Unreachable | Outcome::RefusedByCarrier | Outcome::Blocked => {
                Happened::NotConnected
            }
            // Treated as placed, and as whatever is strictest.
            Outcome::Lost => Happened::Pending,
        }
    }
}

impl From<crate::phone::LineType> for LineType {
    fn from(line: crate::phone::LineType) -> LineType {
        match line {
            crate::phone::LineType::Fixed => LineType::Landline,
            crate::phone::LineType::Mobile => LineType::Mobile,
            crate::phone::LineType::Voip => LineType::Voip,
            _ => LineType::Unknown,
        }
    }
}

impl From<&Schedule> for Hours {
    /// A campaign's weekly windows and closed dates on the called person's clock. No windows at all
    /// means whenever the law allows; windows that are not possible are left out. The schedule's
    /// first and last instant are the campaign machine's to judge.
    fn from(schedule: &Schedule) -> Hours {
        let mut hours = if schedule.windows.is_empty() { Hours::always() } else { Hours::default() };
        if !schedule.windows.is_empty() {
            hours.week = std::array::from_fn(|day| {
                let windows = schedule.windows.iter().filter(|w| usize::from(w.weekday) == day + 1);
                normalise(
                    windows
                        .map(|w| Span { from_ms: u32::from(w.from_min) * 60_000, to_ms: u32::from(w.to_min) * 60_000 }),
                )
            });
        }
        for date in &schedule.closed_dates {
            if let Some(day) = day_number(i32::from(date.year()), date.month(), date.day()) {
                hours.dates.insert(day, DaySpans::new());
            }
        }
        hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DayWindow;

    #[test]
    fn a_schedule_becomes_hours() {
        let schedule = Schedule {
            windows: vec![
                DayWindow { weekday: 1, from_min: 9 * 60, to_min: 12 * 60 },
                DayWindow { weekday: 1, from_min: 13 * 60, to_min: 17 * 60 },
                DayWindow { weekday: 7, from_min: 10 * 60, to_min: 1440 },
            ],
            closed_dates: vec![jiff::civil::date(2026, 11, 23)],
            ..Schedule::default()
        };
        let hours = Hours::from(&schedule);
        assert_eq!(hours.week[0].len(), 2);
        assert_eq!(hours.week[6][0].to_ms, 86_400_000);
        assert!(hours.week[2].is_empty());
        let monday = day_number(2026, 11, 23).expect("a date");
        assert!(hours.on(monday).is_empty() && !hours.on(monday + 7).is_empty());
        assert!(Hours::from(&Schedule::default()).on(monday).len() == 1);
    }

    #[test]
    fn lost_calls_count_as_the_strictest_and_calls_that_never_left_do_not() {
        assert_eq!(Happened::from(Outcome::Lost), Happened::Pending);
        assert_eq!(Happened::from(Outcome::AgentUnavailable), Happened::Abandoned);
        for outcome in Outcome::ALL {
            let never_rang = matches!(
                outcome,
                Outcome::InvalidNumber | Outcome::Unreachable | Outcome::RefusedByCarrier | Outcome::Blocked
            );
            assert_eq!(Happened::from(outcome) == Happened::NotConnected, never_rang, "{outcome:?}");
        }
    }

    #[test]
    fn each_ending_and_kind_of_line_has_its_word_in_the_rules() {
        use crate::phone::LineType as Known;
        for (outcome, happened) in [
            (Outcome::Connected, Happened::Conversation),
            (Outcome::MessagePlayed, Happened::Conversation),
            (Outcome::Abandoned(Abandonment::NobodyFree), Happened::Abandoned),
            (Outcome::VoicemailLeft, Happened::MessageLeft),
            (Outcome::Machine, Happened::Machine),
            (Outcome::Fax, Happened::Fax),
            (Outcome::Busy, Happened::Busy),
            (Outcome::NoAnswer, Happened::NoAnswer),
            (Outcome::Canceled, Happened::NoAnswer),
        ] {
            assert_eq!(Happened::from(outcome), happened, "{outcome:?}");
        }
        let lines = [Known::Fixed, Known::Mobile, Known::Voip].map(LineType::from);
        assert_eq!(lines, [LineType::Landline, LineType::Mobile, LineType::Voip]);
        assert_eq!(LineType::from(Known::FixedOrMobile), LineType::Unknown, "which of both nobody knows");
    }
}
