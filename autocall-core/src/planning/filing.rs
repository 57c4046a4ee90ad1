//! Giving a lead its place: whether the campaign's filter lets it in, which quotas count it, its
//! key in the list's order, and its group of zones.
//!
//! It happens where the plain values are in hand: when a lead is added or edited, when its call
//! settles, and in a background job when the settings change. What comes out is kept with the
//! lead, so choosing the next lead never evaluates anything.

use super::filter::{Filter, FilterError, Value, Values};
use super::lane;
use super::order;
use crate::lead::{Lead, Person};
use crate::settings::Settings;
use crate::zones::{Clues, Country, Place, locate};
use crate::{Phone, Timestamp};

/// Quotas that one campaign may have.
pub const QUOTAS_MAX: usize = 16;

/// The parts of a campaign's settings that give leads their places, compiled.
#[derive(Clone, Debug)]
pub struct Filing {
    filter: Option<Filter>,
    segments: Vec<Filter>,
    order: order::Order,
    weights: Vec<(crate::id::ListId, u16)>,
}

impl Filing {
    /// Compiles the settings' expressions. The error names the first that is wrong, by its field.
    pub fn of(settings: &Settings) -> Result<Filing, (String, FilterError)> {
        let filter = match settings.filter.trim() {
            "" => None,
            text => Some(Filter::parse(text).map_err(|e| ("filter".to_owned(), e))?),
        };
        let segment = |(i, quota): (usize, &super::quota::Quota)| {
            Filter::parse(&quota.segment).map_err(|e| (format!("quotas[{i}].segment"), e))
        };
        let segments = settings.quotas.iter().take(QUOTAS_MAX).enumerate().map(segment).collect::<Result<_, _>>()?;
        let weights = settings.list_weights.iter().map(|w| (w.list, w.weight)).collect();
        Ok(Filing { filter, segments, order: settings.order, weights })
    }

    /// Whether a lead's place can change by calling: an expression asks about attempts or outcomes.
    pub fn follows_calls(&self) -> bool {
        let asks = |f: &Filter| {
            let by_calls = ["attempts", "last_outcome", "last_attempt_at", "disposition", "has_callback"];
            f.fields().iter().any(|field| by_calls.contains(&field.name.as_str()))
        };
        self.filter.iter().chain(&self.segments).any(asks)
    }

    /// Gives the lead its place. Returns whether it has another one now.
    pub fn file(&self, lead: &mut Lead) -> bool {
        let before = (lead.filed, lead.order);
        self.judge(lead);
        lead.order = self.order.key(&order::Lead {
            id: lead.id,
            created_at: created_at(lead),
            place: lead.filed.place,
            weight: self.weight(lead),
        });
        lead.filed.group = lead.numbers.first().map_or(0, |n| lane::group(&place(&lead.person, n.phone)));
        before != (lead.filed, lead.order)
    }

    /// Evaluates the expressions alone.
    pub fn judge(&self, lead: &mut Lead) {
        let list = lead.list.map(|list| list.key().simple().to_string());
        let values = Plain { lead, list };
        let parked = self.filter.as_ref().is_some_and(|f| !f.matches(&values));
        let in_segment = |(i, f): (usize, &Filter)| u16::from(f.matches(&values)) << i;
        let segments = self.segments.iter().enumerate().map(in_segment).sum();
        lead.filed.parked = parked;
        lead.filed.segments = segments;
    }

    fn weight(&self, lead: &Lead) -> u16 {
        let of = |list| self.weights.iter().find(|(known, _)| *known == list).map(|(_, weight)| *weight);
        lead.list.and_then(of).unwrap_or(1)
    }
}

/// Where the person may be, from a number and what the row says.
pub fn place(person: &Person, phone: Phone) -> Place {
    locate(&Clues {
        phone,
        country: person.country.as_deref().and_then(Country::from_code),
        state: person.state.as_deref(),
        postal: person.postal_code.as_deref(),
        zone: person.timezone.as_deref(),
        trust_zone: person.dossier.trust_zone,
    })
}

/// When a lead came in: its id's time (ids of leads are UUIDs of version 7).
pub fn created_at(lead: &Lead) -> Timestamp {
    let key = lead.id.key();
    if key.get_version_num() == 7 { Timestamp::from_ms((key.as_u128() >> 80) as i64) } else { Timestamp::EPOCH }
}

/// A lead as expressions see it.
struct Plain<'a> {
    lead: &'a Lead,
    list: Option<String>,
}

impl Values for Plain<'_> {
    fn value(&self, field: &str) -> Option<Value<'_>> {
        let (lead, person) = (self.lead, &self.lead.person);
        match field {
            "state" => person.state.as_deref().map(Value::Text),
            "country" => person.country.as_deref().map(Value::Text),
            "postal_code" => person.postal_code.as_deref().map(Value::Text),
            "timezone" => person.timezone.as_deref().map(Value::Text),
            "list" => self.list.as_deref().map(Value::Text),
            "type" => person.kind.as_deref().map(Value::Text),
            "area_code" => lead.numbers.first()?.phone.area_code().map(|code| Value::Number(f64::from(code))),
            "priority" => Some(Value::Priority(lead.priority)),
            "attempts" => Some(Value::Number(f64::from(lead.attempts))),
            "last_outcome" => lead.last.map(|outcome| Value::Text(outcome.name())),
            "disposition" => lead.disposition.as_deref().map(Value::Text),
            "created_at" => Some(Value::Instant(created_at(lead))),
            "last_attempt_at" => lead.last_at.map(Value::Instant),
            "has_callback" => Some(Value::Flag(lead.callback.is_some())),
            _ => person.fields.get(field).map(|value| Value::Text(value.expose())),
        }
    }
}
