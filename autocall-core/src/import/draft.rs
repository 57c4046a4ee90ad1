//! A lead as the file describes it, before anything is stored.

use crate::phone::{Country, LineType};
use crate::{Phone, Priority, Private};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::sync::Arc;

/// One of a lead's numbers, in the order in which they are to be dialled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DraftPhone {
    /// The number.
    pub phone: Phone,
    /// The country whose numbering plan has it; `None` for international services.
    pub country: Option<Country>,
    /// What kind of line it is.
    pub line: LineType,
    /// Digits to send after the answer, if the cell had any.
    pub extension: Option<Box<str>>,
}

/// One accepted row of a list.
///
/// Names, notes and free fields are [`Private`]; `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeadDraft {
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The numbers, best first; never empty, no number twice.
    pub phones: SmallVec<[DraftPhone; 1]>,
    /// The given name, or empty.
    pub first_name: Private,
    /// The family name, or empty.
    pub last_name: Private,
    /// The country that the row names; `None` if it names none.
    pub country: Option<Country>,
    /// The lead's type (`broker`, `carrier`, …) as written, or empty.
    pub kind: String,
    /// How urgent the lead is.
    pub priority: Priority,
    /// The row itself says that this person must not be called. Such a lead is stored, so that
    /// the list and the campaign agree, and never dialled.
    pub do_not_call: bool,
    /// Notes for the agent, or empty.
    pub notes: Private,
    /// The lead's time zone as an IANA name (`America/New_York`), if the row gives one.
    pub timezone: Option<String>,
    /// The postal code, if the row gives one.
    pub postal_code: Option<Private>,
    /// The state or province as written, if the row gives one.
    pub state: Option<String>,
    /// The id of the person in the customer's own system, if the row gives one. Leads that share
    /// one are one person.
    pub external_id: Option<Private>,
    /// Columns that we do not know, with their names as written, in the file's order; empty cells
    /// are left out.
    pub extra: Vec<(Arc<str>, Private)>,
}

impl LeadDraft {
    /// The number that is dialled first.
    pub fn phone(&self) -> Phone {
        self.phones[0].phone
    }
}
