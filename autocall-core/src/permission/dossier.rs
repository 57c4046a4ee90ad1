//! What is known of a person besides the name and the numbers, as far as law asks for it.

use super::subject::{Consent, LineType, Party, ReassignedCheck, Relationship, Revocation};
use serde::{Deserialize, Serialize};

/// A person's file. Empty is the strictest reading of everything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dossier {
    /// Consumer or business; unknown where absent.
    pub party: Option<Party>,
    /// What kind of line the numbers are, where somebody looked it up.
    pub line: Option<LineType>,
    /// Consents given.
    pub consents: Vec<Consent>,
    /// Consents taken back, and objections.
    pub revocations: Vec<Revocation>,
    /// Dealings with the seller.
    pub relationship: Relationship,
    /// The last look into the register of reassigned numbers.
    pub reassigned: Option<ReassignedCheck>,
    /// The weekly hours that the person asked for, as in `mon-fri 09:00-18:00`.
    pub hours: Option<String>,
    /// The zone that the row names is first-hand and recent: it replaces every other clue.
    pub trust_zone: bool,
}
