//! From the cells of a record to a lead, or the reason why not.

use super::draft::{DraftPhone, LeadDraft};
use super::header::{Field, Header};
use super::records::Records;
use super::reject::{Reason, Rejection, Warning, redact};
use super::values;
use super::write::plain;
use crate::Private;
#[cfg(feature = "phonenumber-engine")]
use crate::phone::normalise_by;
use crate::phone::{Country, Engine, PhoneError, normalise};
use smallvec::SmallVec;

/// Reads rows; remembers the last country and time zone, which mostly repeat.
pub(super) struct ReadRow {
    country: Country,
    engine: Engine,
    last_country: (String, Option<Country>),
    last_timezone: (String, Option<String>),
}

impl ReadRow {
    /// `country` is that of numbers whose row names none.
    pub(super) fn new(country: Country, engine: Engine) -> Self {
        ReadRow { country, engine, last_country: Default::default(), last_timezone: Default::default() }
    }

    /// The lead of the record, with what was left out of it in `warnings`.
    pub(super) fn read(
        &mut self,
        records: &Records,
        header: &Header,
        warnings: &mut Vec<Warning>,
    ) -> Result<LeadDraft, Rejection> {
        let line = records.begin_line();
        check_width(records, header)?;
        let mut draft = LeadDraft {
            line,
            phones: SmallVec::new(),
            first_name: Private::default(),
            last_name: Private::default(),
            country: None,
            kind: String::new(),
            priority: Default::default(),
            do_not_call: false,
            notes: Private::default(),
            timezone: None,
            postal_code: None,
            state: None,
            external_id: None,
            extra: Vec::new(),
        };
        for (column, field) in &header.fields {
            let cell = plain(records.cell(*column));
            if !cell.is_empty() {
                self.fill(&mut draft, field, cell)?;
            }
        }
        self.phones(&mut draft, records, header, warnings)?;
        Ok(draft)
    }

    /// Puts one cell where it belongs.
    fn fill(&mut self, draft: &mut LeadDraft, field: &Field, cell: &str) -> Result<(), Rejection> {
        let unknown = |column: &str| Rejection {
            line: draft.line,
            column: column.to_owned(),
            value: redact(cell),
            reason: Reason::UnknownValue,
        };
        match field {
            Field::FirstName => draft.first_name = cell.into(),
            Field::LastName => draft.last_name = cell.into(),
            Field::FullName => {
                let (first, last) = values::split_name(cell);
                if draft.first_name.is_empty() && draft.last_name.is_empty() {
                    (draft.first_name, draft.last_name) = (first.into(), last.into());
                }
            }
            Field::Country => draft.country = Some(self.country_of(cell).ok_or_else(|| unknown("country"))?),
            Field::Kind => draft.kind = cell.to_owned(),
            Field::Priority => {
                draft.priority = crate::Priority::parse(cell).ok_or_else(|| unknown("priority"))?;
            }
            Field::DoNotCall => draft.do_not_call = values::flag(cell).ok_or_else(|| unknown("do_not_call"))?,
            Field::Notes => draft.notes = cell.into(),
            Field::Timezone => draft.timezone = Some(self.timezone_of(cell).ok_or_else(|| unknown("timezone"))?),
            Field::PostalCode => draft.postal_code = Some(cell.into()),
            Field::State => draft.state = Some(cell.to_owned()),
            Field::ExternalId => draft.external_id = Some(cell.into()),
            Field::Extra(name) => draft.extra.push((name.clone(), cell.into())),
        }
        Ok(())
    }

    fn country_of(&mut self, cell: &str) -> Option<Country> {
        if self.last_country.0 != cell {
            self.last_country = (cell.to_owned(), values::country(cell));
        }
        self.last_country.1
    }

    fn timezone_of(&mut self, cell: &str) -> Option<String> {
        if self.last_timezone.0 != cell {
            self.last_timezone = (cell.to_owned(), values::timezone(cell));
        }
        self.last_timezone.1.clone()
    }

    /// The numbers of the row. A row with one good number is a lead; its bad ones are warnings.
    fn phones(
        &self,
        draft: &mut LeadDraft,
        records: &Records,
        header: &Header,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Rejection> {
        let country = draft.country.unwrap_or(self.country);
        let mut refused: SmallVec<[Rejection; 3]> = SmallVec::new();
        for (nth, column) in header.phones.iter().enumerate() {
            let cell = plain(records.cell(*column));
            let normal = match self.engine {
                Engine::Rlibphonenumber => normalise(cell, country),
                #[cfg(feature = "phonenumber-engine")]
                engine => normalise_by(engine, cell, country),
            };
            let error = match normal {
                Ok(normal) => {
                    if draft.phones.iter().all(|other| other.phone != normal.phone) {
                        draft.phones.push(DraftPhone {
                            phone: normal.phone,
                            country: normal.country,
                            line: normal.line,
                            extension: normal.extension,
                        });
                    }
                    continue;
                }
                Err(error) => error,
            };
            if nth == 0 || error != PhoneError::Missing {
                let column = ["phone", "phone2", "phone3"][nth.min(2)].to_owned();
                let (line, value) = (draft.line, redact(cell));
                refused.push(Rejection { line, column, value, reason: Reason::Phone(error) });
            }
        }
        if draft.phones.is_empty() {
            // Say what is wrong with the first number that is there, rather than that one is missing.
            let at = refused.iter().position(|r| r.reason != Reason::Phone(PhoneError::Missing)).unwrap_or(0);
            return Err(refused.swap_remove(at));
        }
        refused.retain(|rejection| rejection.reason != Reason::Phone(PhoneError::Missing));
        warnings.extend(refused.into_iter().map(Warning));
        Ok(())
    }
}

/// A row with text beyond the header's columns has its cells shifted; one that ends before its
/// phone column has lost them.
fn check_width(records: &Records, header: &Header) -> Result<(), Rejection> {
    let row = |reason| Rejection { line: records.begin_line(), column: String::new(), value: String::new(), reason };
    let (cells, columns) = (records.len(), header.columns);
    let counts = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    if cells > columns && (columns..cells).any(|i| !records.cell(i).trim().is_empty()) {
        return Err(row(Reason::TooManyCells { cells: counts(cells), columns: counts(columns) }));
    }
    if header.phones.iter().all(|column| *column >= cells) {
        return Err(row(Reason::TooFewCells { cells: counts(cells), columns: counts(columns) }));
    }
    Ok(())
}
