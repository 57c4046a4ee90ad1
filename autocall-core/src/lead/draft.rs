//! From a row of a list to a lead.

use super::{Closed, Filed, Lead, Number, Person, State};
use crate::id::{CampaignId, LeadId, ListId, TenantId};
use crate::import::LeadDraft;
use crate::phone::Phone;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::sync::Arc;

impl Lead {
    /// The lead that a row of a list describes, due at once: [`Timestamp::EPOCH`] as `due_at` is "as
    /// soon as its turn comes".
    ///
    /// `order` is its place in the list; leads that are due together are called in that order until
    /// the campaign files them otherwise ([`crate::planning::filing`]). A row that says "do not
    /// call" becomes a lead that is closed from the start: it shows in the list and is never
    /// dialled.
    pub fn from_draft(
        id: LeadId,
        campaign: CampaignId,
        list: Option<ListId>,
        draft: &LeadDraft,
        order: i64,
        due_at: Timestamp,
    ) -> Lead {
        let closed = State::Closed { why: Closed::DoNotCall };
        Lead {
            id,
            campaign,
            list,
            person_key: person_key(id.tenant(), draft.external_id.as_ref().map(|p| p.expose()), draft.phone()),
            person: Arc::new(person(draft)),
            numbers: draft.phones.iter().map(|p| Number::new(p.phone)).collect(),
            priority: draft.priority,
            order,
            filed: Filed { place: u32::try_from(order).unwrap_or(u32::MAX), ..Filed::default() },
            class: 0,
            state: if draft.do_not_call { closed } else { State::Open },
            due_at: if draft.do_not_call { Timestamp::NEVER } else { due_at },
            blocked_by: None,
            attempts: 0,
            tally: SmallVec::new(),
            next_number: 0,
            last: None,
            last_at: None,
            callback: None,
            disposition: None,
        }
    }
}

fn person(draft: &LeadDraft) -> Person {
    let text = |t: &Option<String>| t.as_deref().map(Arc::from);
    Person {
        first_name: draft.first_name.clone(),
        last_name: draft.last_name.clone(),
        external_id: draft.external_id.clone(),
        country: draft.country.map(|c| Arc::from(c.code())),
        state: text(&draft.state),
        postal_code: draft.postal_code.as_ref().map(|p| Arc::from(p.expose())),
        timezone: text(&draft.timezone),
        kind: (!draft.kind.is_empty()).then(|| Arc::from(draft.kind.as_str())),
        notes: draft.notes.clone(),
        dossier: Default::default(),
        fields: draft.extra.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
    }
}

/// A stable number for a person of a tenant: from the user's own key, else from the number.
///
/// 64 bits of FNV-1a (Fowler, Noll, Vo). Two people who collide share their caps, which errs on
/// the side of fewer calls.
pub fn person_key(tenant: TenantId, external_id: Option<&str>, phone: Phone) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    feed(&tenant.0.to_le_bytes());
    match external_id.map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => {
            feed(b"id");
            feed(id.as_bytes());
        }
        None => {
            feed(b"tel");
            feed(&phone.digits().to_le_bytes());
        }
    }
    hash
}
