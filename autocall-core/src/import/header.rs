//! What the columns of a list mean, by the names that people give them.

use super::file::{FileError, Limits};
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Field {
    FirstName,
    LastName,
    /// First and last name in one cell.
    FullName,
    Country,
    Kind,
    Priority,
    DoNotCall,
    Notes,
    Timezone,
    PostalCode,
    State,
    ExternalId,
    /// Kept under this name.
    Extra(Arc<str>),
}

impl Field {
    /// Whether no list has line breaks in such cells.
    pub(super) fn is_one_line(&self) -> bool {
        !matches!(self, Field::Notes | Field::Extra(_))
    }
}

/// A name that a header may use, folded by [`fold`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// A phone column. Of several, the lowest rank is dialled first.
    Phone(u8),
    Other(u8),
}

/// The columns of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Phone columns in dialling order, at most [`PHONES_MAX`].
    pub(super) phones: Vec<usize>,
    /// The other columns with their meaning.
    pub(super) fields: Vec<(usize, Field)>,
    /// How many columns there are.
    pub(super) columns: usize,
}

/// Numbers that one lead may have.
pub(super) const PHONES_MAX: usize = 3;
/// Longest name of a free field, in characters.
const NAME_CHARS_MAX: usize = 64;

const OTHER: [Field; 12] = [
    Field::FirstName,
    Field::LastName,
    Field::FullName,
    Field::Country,
    Field::Kind,
    Field::Priority,
    Field::DoNotCall,
    Field::Notes,
    Field::Timezone,
    Field::PostalCode,
    Field::State,
    Field::ExternalId,
];

/// Folded names, sorted: our own, those of common CRMs and dialers, and some other languages'.
#[rustfmt::skip]
const NAMES: &[(&str, Known)] = &[
    ("apellido", Known::Other(1)), ("apellidos", Known::Other(1)), ("callerid", Known::Phone(4)),
    ("category", Known::Other(4)), ("cell", Known::Phone(3)), ("cellnumber", Known::Phone(3)),
    ("cellphone", Known::Phone(3)), ("celular", Known::Phone(3)), ("comment", Known::Other(7)),
    ("comments", Known::Other(7)), ("contact", Known::Other(2)), ("contactid", Known::Other(11)),
    ("contactname", Known::Other(2)), ("contactnumber", Known::Phone(2)), ("contactphone", Known::Phone(2)),
    ("country", Known::Other(3)), ("countrycode", Known::Other(3)), ("countryiso", Known::Other(3)),
    ("crmid", Known::Other(11)), ("customerid", Known::Other(11)), ("customername", Known::Other(2)),
    ("customerphone", Known::Phone(2)), ("daytimephone", Known::Phone(4)), ("dnc", Known::Other(6)),
    ("dncflag", Known::Other(6)), ("donotcall", Known::Other(6)), ("donotcontact", Known::Other(6)),
    ("dontcall", Known::Other(6)), ("externalid", Known::Other(11)), ("familyname", Known::Other(1)),
    ("firstname", Known::Other(0)), ("forename", Known::Other(0)), ("fullname", Known::Other(2)),
    ("givenname", Known::Other(0)), ("handphone", Known::Phone(3)), ("handy", Known::Phone(3)),
    ("homenumber", Known::Phone(4)), ("homephone", Known::Phone(4)), ("land", Known::Other(3)),
    ("lastname", Known::Other(1)), ("leadid", Known::Other(11)), ("leadname", Known::Other(2)),
    ("leadtype", Known::Other(4)), ("mainphone", Known::Phone(2)), ("memo", Known::Other(7)),
    ("mobile", Known::Phone(3)), ("mobilenumber", Known::Phone(3)), ("mobilephone", Known::Phone(3)),
    ("mobiletelephone", Known::Phone(3)), ("msisdn", Known::Phone(2)), ("nachname", Known::Other(1)),
    ("name", Known::Other(2)), ("nom", Known::Other(1)), ("nombre", Known::Other(0)), ("note", Known::Other(7)),
    ("notes", Known::Other(7)), ("notiz", Known::Other(7)), ("notizen", Known::Other(7)),
    ("number", Known::Phone(5)), ("officephone", Known::Phone(4)), ("optout", Known::Other(6)),
    ("optedout", Known::Other(6)), ("pais", Known::Other(3)), ("pays", Known::Other(3)),
    ("phone", Known::Phone(0)), ("phone1", Known::Phone(1)), ("phone2", Known::Phone(10)),
    ("phone3", Known::Phone(11)), ("phonehome", Known::Phone(4)), ("phonemobile", Known::Phone(3)),
    ("phoneno", Known::Phone(1)), ("phonenr", Known::Phone(1)), ("phonenum", Known::Phone(1)),
    ("phonenumber", Known::Phone(1)), ("phonenumber1", Known::Phone(1)), ("phonenumber2", Known::Phone(10)),
    ("phonenumber3", Known::Phone(11)), ("phonework", Known::Phone(4)), ("plz", Known::Other(9)),
    ("postalcode", Known::Other(9)), ("postcode", Known::Other(9)), ("prenom", Known::Other(0)),
    ("primaryphone", Known::Phone(1)), ("priority", Known::Other(5)), ("province", Known::Other(10)),
    ("region", Known::Other(10)), ("rufnummer", Known::Phone(1)), ("secondaryphone", Known::Phone(10)),
    ("state", Known::Other(10)), ("stateprovince", Known::Other(10)), ("surname", Known::Other(1)),
    ("tel", Known::Phone(2)), ("telefon", Known::Phone(1)), ("telefone", Known::Phone(1)),
    ("telefonnummer", Known::Phone(1)), ("telefono", Known::Phone(1)), ("telefoon", Known::Phone(1)),
    ("telephone", Known::Phone(1)), ("telephone1", Known::Phone(1)), ("telephone2", Known::Phone(10)),
    ("telephone3", Known::Phone(11)), ("telephonenumber", Known::Phone(1)), ("telno", Known::Phone(1)),
    ("telnumber", Known::Phone(1)), ("timezone", Known::Other(8)), ("tz", Known::Other(8)),
    ("vorname", Known::Other(0)), ("workphone", Known::Phone(4)), ("zeitzone", Known::Other(8)),
    ("zip", Known::Other(9)), ("zipcode", Known::Other(9)),
    ("type", Known::Other(4)),
];

/// Letters and digits only, lower case, without accents: `First Name` and `first_name` are one.
fn fold(name: &str) -> String {
    let lower = name.chars().flat_map(char::to_lowercase);
    lower
        .map(|c| match c {
            'é' | 'è' | 'ê' => 'e',
            'á' | 'à' | 'â' => 'a',
            'í' | 'î' => 'i',
            'ó' | 'ô' => 'o',
            c => c,
        })
        .filter(|c| c.is_alphanumeric())
        .collect()
}

fn known(name: &str) -> Option<Known> {
    let folded = fold(name);
    NAMES.iter().find(|(known, _)| *known == folded).map(|(_, known)| *known)
}

/// How much a record looks like a header: the number of names that we know, 0 without a phone column.
pub(super) fn likeness<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    let known: Vec<Known> = cells.filter_map(known).collect();
    if known.iter().any(|known| matches!(known, Known::Phone(_))) { known.len() } else { 0 }
}

impl Header {
    /// From the cells of a header record.
    pub(super) fn from_names<'a>(
        names: impl ExactSizeIterator<Item = &'a str>,
        limits: &Limits,
    ) -> Result<Header, FileError> {
        let columns = names.len();
        if columns > limits.columns_max {
            let (columns, columns_max) = (columns as u64, limits.columns_max as u64);
            return Err(FileError::TooManyColumns { columns, columns_max });
        }
        let (mut phones, mut fields, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for (column, name) in names.enumerate() {
            let name = name.trim();
            match known(name) {
                Some(Known::Phone(rank)) => phones.push((rank, column, name.to_owned())),
                Some(Known::Other(field)) if !taken.contains(&field) => {
                    taken.push(field);
                    fields.push((column, OTHER[usize::from(field)].clone()));
                }
                _ => fields.push((column, extra(name, column, &fields))),
            }
        }
        phones.sort_by_key(|(rank, column, _)| (*rank, *column));
        for (_, column, name) in phones.drain(phones.len().min(PHONES_MAX)..) {
            let field = extra(&name, column, &fields);
            fields.push((column, field));
        }
        Ok(Header { phones: phones.into_iter().map(|(_, column, _)| column).collect(), fields, columns })
    }

    /// For a file without a header: numbers in `phone`, all else free fields.
    pub(super) fn without_names(columns: usize, phone: usize) -> Header {
        let others = (0..columns).filter(|column| *column != phone);
        let fields = others.map(|column| (column, extra("", column, &[]))).collect();
        Header { phones: vec![phone], fields, columns }
    }
}

/// A free field's name: as written, numbered where it is empty or taken.
fn extra(name: &str, column: usize, fields: &[(usize, Field)]) -> Field {
    let mut name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let taken = |name: &str| fields.iter().any(|(_, field)| matches!(field, Field::Extra(other) if **other == *name));
    if name.is_empty() {
        name = format!("column_{}", column + 1);
    } else if taken(&name) || known(&name).is_some() {
        name = format!("{name}_{}", column + 1);
    }
    Field::Extra(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Header {
        Header::from_names(names.iter().copied(), &Limits::default()).expect("few columns")
    }

    #[test]
    fn names_are_folded_and_name_a_field_once() {
        for (i, (name, known_as)) in NAMES.iter().enumerate() {
            assert_eq!(fold(name), *name);
            assert!(NAMES[i + 1..].iter().all(|(other, _)| other != name), "{name} twice");
            if let Known::Other(field) = known_as {
                assert!(usize::from(*field) < OTHER.len());
            }
        }
    }

    #[test]
    fn our_own_columns_in_any_order_and_case() {
        let found =
            header(&[" NOTES", "Do Not Call", "Phone", "first-name", "LAST_NAME", "Type", "priority", "Country"]);
        assert_eq!(found.phones, [2]);
        let fields: Vec<_> = found.fields.into_iter().map(|(_, field)| field).collect();
        let wanted = [
            Field::Notes,
            Field::DoNotCall,
            Field::FirstName,
            Field::LastName,
            Field::Kind,
            Field::Priority,
            Field::Country,
        ];
        assert_eq!(fields, wanted);
    }

    #[test]
    fn phones_are_dialled_in_the_order_of_their_names() {
        assert_eq!(header(&["phone3", "Mobile", "phone2", "phone"]).phones, [3, 1, 2]);
        assert_eq!(header(&["Home Phone", "Mobile"]).phones, [1, 0]);
        let four = header(&["phone", "mobile", "work phone", "home phone"]);
        assert_eq!(four.phones, [0, 1, 2]);
        assert_eq!(four.fields, [(3, Field::Extra("home phone_4".into()))]);
    }

    #[test]
    fn free_fields_keep_their_names_and_never_collide() {
        let found = header(&["phone", "Company", "company", "Company", "", "notes", "Notes"]);
        let names: Vec<_> = found
            .fields
            .iter()
            .filter_map(|(_, field)| if let Field::Extra(name) = field { Some(&**name) } else { None })
            .collect();
        assert_eq!(names, ["Company", "company", "Company_4", "column_5", "Notes_7"]);
    }

    #[test]
    fn too_many_columns_are_refused() {
        let names = vec!["x"; 10_000];
        let refused = Header::from_names(names.into_iter(), &Limits::default());
        assert_eq!(refused, Err(FileError::TooManyColumns { columns: 10_000, columns_max: 512 }));
    }

    #[test]
    fn a_header_needs_a_phone_column() {
        assert_eq!(likeness(["first_name", "last_name"].into_iter()), 0);
        assert_eq!(likeness(["Name", "Telefon", "shoe size"].into_iter()), 2);
    }
}
