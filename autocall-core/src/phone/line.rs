//! What kind of line a number belongs to.

use serde::{Deserialize, Serialize};

/// The kind of line, as far as the digits of a number tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineType {
    /// A landline.
    Fixed,
    /// A mobile phone.
    Mobile,
    /// One of the two: the plan does not tell (the United States, Canada).
    FixedOrMobile,
    /// Free for the caller.
    TollFree,
    /// The caller pays the called party. Never dialled.
    PremiumRate,
    /// Caller and called party share the cost.
    SharedCost,
    /// A number of an internet provider.
    Voip,
    /// A number that follows a person.
    Personal,
    /// A pager. Never dialled.
    Pager,
    /// One number for all offices of a company.
    Company,
    /// A voicemail access number. Never dialled.
    Voicemail,
    /// Not told by the digits.
    Unknown,
}
