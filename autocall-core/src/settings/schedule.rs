//! When a campaign may dial, besides what the law says.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A stretch of a day of the week, in the lead's own zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayWindow {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    /// Minutes after midnight at which it opens.
    pub from_min: u16,
    /// Minutes after midnight at which it closes; not included.
    pub to_min: u16,
}

/// When a campaign may dial. Empty windows mean "whenever the law allows".
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Not before.
    pub starts_at: Option<Timestamp>,
    /// Not from then on: the campaign finishes.
    pub ends_at: Option<Timestamp>,
    /// Weekly windows in the lead's zone.
    pub windows: Vec<DayWindow>,
    /// Days without calls, as `YYYY-MM-DD` in the lead's zone.
    pub closed_dates: Vec<jiff::civil::Date>,
}

impl Schedule {
    /// Nine to eight on weekdays, in the lead's zone.
    pub fn office_hours() -> Vec<DayWindow> {
        (1..=5).map(|weekday| DayWindow { weekday, from_min: 9 * 60, to_min: 20 * 60 }).collect()
    }
}
