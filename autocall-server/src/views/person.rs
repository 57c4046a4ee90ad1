//! A lead in the API.

use crate::http::problem::{FieldProblem, Problem};
use crate::http::values::{Key, When};
use autocall_core::import::{DraftPhone, LeadDraft};
use autocall_core::lead::{Lead, State};
use autocall_core::phone::{Country, normalise};
use autocall_core::ports::Versioned;
use autocall_core::{Phone, Priority, Private};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One of a lead's numbers.
#[derive(Serialize, ToSchema)]
pub struct NumberView {
    /// E.164.
    pub phone: String,
    /// Not called any more for this lead.
    pub dropped: bool,
}

/// An appointment.
#[derive(Serialize, ToSchema)]
pub struct CallbackView {
    /// When.
    pub at: When,
    /// With whom; anybody where absent.
    pub agent: Option<Key>,
}

/// Somebody to be called.
#[derive(Serialize, ToSchema)]
pub struct LeadView {
    /// Which.
    pub id: Key,
    /// Of which campaign.
    pub campaign: Key,
    /// From which list.
    pub list: Option<Key>,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Their numbers, the preferred one first.
    pub phones: Vec<NumberView>,
    /// Country of the row.
    pub country: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// IANA time zone, where the row named one.
    pub timezone: Option<String>,
    /// The user's own word for what kind of lead it is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// low, normal, high or urgent.
    #[schema(value_type = String)]
    pub priority: Priority,
    /// Notes.
    pub notes: String,
    /// The user's own key.
    pub external_id: Option<String>,
    /// Columns that autocall does not know.
    pub fields: BTreeMap<String, String>,
    /// open, calling or closed.
    pub status: &'static str,
    /// Why it is closed.
    pub closed: Option<String>,
    /// The call that runs.
    pub call: Option<Key>,
    /// Not to be called before; absent where only its place in the list decides, and where it is not
    /// called any more.
    pub due_at: Option<When>,
    /// The rule that keeps it waiting.
    pub blocked_by: Option<String>,
    /// Attempts so far.
    pub attempts: u16,
    /// The last outcome.
    pub last_outcome: Option<&'static str>,
    /// The last attempt's end.
    pub last_at: Option<When>,
    /// An appointment.
    pub callback: Option<CallbackView>,
    /// What an agent said last.
    pub disposition: Option<String>,
    /// Its version; the ETag.
    pub version: u64,
}

impl LeadView {
    /// Of a lead.
    pub fn of(found: Versioned<Lead>) -> LeadView {
        let lead = found.row;
        let person = &lead.person;
        let text = |t: &Option<std::sync::Arc<str>>| t.as_ref().map(|t| t.to_string());
        let (status, call, closed) = match &lead.state {
            State::Open => ("open", None, None),
            State::Calling { call } => ("calling", Some(Key::from(*call)), None),
            State::Closed { why } => {
                let why = serde_json::to_value(why).ok().and_then(|v| v.as_str().map(str::to_owned));
                ("closed", None, why)
            }
        };
        LeadView {
            id: lead.id.into(),
            campaign: lead.campaign.into(),
            list: lead.list.map(Key::from),
            first_name: person.first_name.expose().to_owned(),
            last_name: person.last_name.expose().to_owned(),
            phones: lead.numbers.iter().map(|n| NumberView { phone: n.phone.e164(), dropped: n.dropped }).collect(),
            country: text(&person.country),
            state: text(&person.state),
            postal_code: text(&person.postal_code),
            timezone: text(&person.timezone),
            kind: text(&person.kind),
            priority: lead.priority,
            notes: person.notes.expose().to_owned(),
            external_id: person.external_id.as_ref().map(|e| e.expose().to_owned()),
            fields: person.fields.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect(),
            status,
            closed,
            call,
            due_at: When::or_never(lead.due_at).filter(|_| lead.due_at > autocall_core::Timestamp::EPOCH),
            blocked_by: text(&lead.blocked_by),
            attempts: lead.attempts,
            last_outcome: lead.last.map(|o| o.name()),
            last_at: lead.last_at.map(When),
            callback: lead.callback.map(|c| CallbackView { at: When(c.at), agent: c.agent.map(Key::from) }),
            disposition: text(&lead.disposition),
            version: found.version,
        }
    }
}

/// What is known of a person; what is absent stays as it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
pub struct PersonInput {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Numbers, the preferred one first, at most eight.
    pub phones: Option<Vec<String>>,
    /// Country for numbers without one, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// IANA time zone.
    pub timezone: Option<String>,
    /// The user's own word for what kind of lead it is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// low, normal, high or urgent.
    #[schema(value_type = Option<String>)]
    pub priority: Option<Priority>,
    /// Notes.
    pub notes: Option<String>,
    /// The user's own key: leads that share one are one person.
    pub external_id: Option<String>,
    /// Free fields.
    pub fields: Option<BTreeMap<String, String>>,
}

/// The longest text of a person's field, bytes.
const TEXT_BYTES_MAX: usize = 10_000;

impl PersonInput {
    /// Everything that is wrong with it.
    pub fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let mut find = |wrong_if: bool, field: &str, wrong: &str, remedy: &str| {
            if wrong_if {
                errors.push(FieldProblem { field: field.into(), wrong: wrong.into(), remedy: remedy.into() });
            }
        };
        let texts = [
            ("first_name", &self.first_name, 200),
            ("last_name", &self.last_name, 200),
            ("state", &self.state, 100),
            ("postal_code", &self.postal_code, 40),
            ("type", &self.kind, 100),
            ("notes", &self.notes, TEXT_BYTES_MAX),
            ("external_id", &self.external_id, 200),
        ];
        for (field, text, most) in texts {
            find(text.as_ref().is_some_and(|t| t.len() > most), field, "is too long", "shorten it");
        }
        let zone = self.timezone.as_deref().filter(|z| !z.is_empty());
        find(
            zone.is_some_and(|z| jiff::tz::TimeZone::get(z).is_err()),
            "timezone",
            "is not a time zone",
            "use a name such as America/New_York",
        );
        let country = self.country.as_deref().filter(|c| !c.is_empty());
        find(
            country.is_some_and(|c| Country::parse(c).is_none()),
            "country",
            "is not a country",
            "use a two-letter code such as US",
        );
        find(self.phones.as_ref().is_some_and(|p| p.len() > 8), "phones", "has more than eight", "keep the best ones");
        let fields = self.fields.iter().flatten();
        find(
            self.fields.as_ref().is_some_and(|f| f.len() > 100)
                || fields.clone().any(|(k, v)| k.len() > 100 || v.len() > TEXT_BYTES_MAX),
            "fields",
            "holds too much",
            "keep at most 100 fields of 10,000 bytes",
        );
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
    }

    /// The numbers, normalised with the country; `None` if none are given.
    pub fn numbers(&self, default: Country) -> Result<Option<Vec<DraftPhone>>, Problem> {
        let Some(texts) = &self.phones else { return Ok(None) };
        let country = self.country.as_deref().and_then(Country::parse).unwrap_or(default);
        let mut numbers: Vec<DraftPhone> = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let normal = normalise(text, country)
                .map_err(|error| Problem::field(&format!("phones[{i}]"), error.to_string(), error.remedy()))?;
            if numbers.iter().all(|n| n.phone != normal.phone) {
                numbers.push(DraftPhone {
                    phone: normal.phone,
                    country: normal.country,
                    line: normal.line,
                    extension: normal.extension,
                });
            }
        }
        if numbers.is_empty() {
            return Err(Problem::field("phones", "is empty", "give at least one number"));
        }
        Ok(Some(numbers))
    }

    /// As a row of a list, for a new lead.
    pub fn draft(&self, default: Country) -> Result<LeadDraft, Problem> {
        self.check()?;
        let phones = self.numbers(default)?;
        let phones = phones.ok_or_else(|| Problem::field("phones", "is missing", "give at least one number"))?;
        let private = |t: &Option<String>| Private::new(t.clone().unwrap_or_default());
        let given = |t: &Option<String>| t.clone().filter(|t| !t.trim().is_empty());
        Ok(LeadDraft {
            line: 0,
            phones: phones.into(),
            first_name: private(&self.first_name),
            last_name: private(&self.last_name),
            country: self.country.as_deref().and_then(Country::parse),
            kind: self.kind.clone().unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            do_not_call: false,
            notes: private(&self.notes),
            timezone: given(&self.timezone),
            postal_code: given(&self.postal_code).map(Private::new),
            state: given(&self.state),
            external_id: given(&self.external_id).map(Private::new),
            extra: self.fields.iter().flatten().map(|(k, v)| (k.as_str().into(), Private::new(v.clone()))).collect(),
        })
    }

    /// Writes what is given into a lead.
    pub fn edit(&self, lead: &mut Lead, default: Country) -> Result<(), Problem> {
        self.check()?;
        let mut person = (*lead.person).clone();
        let private = |into: &mut Private, t: &Option<String>| {
            if let Some(t) = t {
                *into = Private::new(t.clone());
            }
        };
        private(&mut person.first_name, &self.first_name);
        private(&mut person.last_name, &self.last_name);
        private(&mut person.notes, &self.notes);
        let plain = |into: &mut Option<std::sync::Arc<str>>, t: &Option<String>| {
            if let Some(t) = t {
                *into = (!t.trim().is_empty()).then(|| t.trim().into());
            }
        };
        plain(&mut person.state, &self.state);
        plain(&mut person.postal_code, &self.postal_code);
        plain(&mut person.timezone, &self.timezone);
        plain(&mut person.kind, &self.kind);
        if let Some(country) = &self.country {
            person.country = Country::parse(country).map(|c| c.code().into());
        }
        if let Some(id) = &self.external_id {
            person.external_id = (!id.trim().is_empty()).then(|| Private::new(id.trim()));
        }
        if let Some(fields) = &self.fields {
            person.fields = fields.iter().map(|(k, v)| (k.clone(), Private::new(v.clone()))).collect();
        }
        if let Some(numbers) = self.numbers(default)? {
            let was: Vec<autocall_core::lead::Number> = lead.numbers.to_vec();
            // A number that was dropped stays so: only taking it off its list brings it back.
            let dropped = |phone: Phone| was.iter().any(|n| n.phone == phone && n.dropped);
            lead.numbers = numbers
                .iter()
                .map(|n| autocall_core::lead::Number {
                    dropped: dropped(n.phone),
                    ..autocall_core::lead::Number::new(n.phone)
                })
                .collect();
            lead.next_number = 0;
        }
        lead.priority = self.priority.unwrap_or(lead.priority);
        let external = person.external_id.as_ref().map(|p| p.expose().to_owned());
        lead.person_key = autocall_core::lead::person_key(lead.id.tenant(), external.as_deref(), lead.numbers[0].phone);
        lead.person = std::sync::Arc::new(person);
        Ok(())
    }
}
