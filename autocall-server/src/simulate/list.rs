//! The list of leads: imported by the same parser and check stage as everywhere.

use autocall_core::import::{Check, ImportRules, Rejection, Row, Tally, Verdict, Warning, read_all};
use autocall_core::lead::Lead;
use autocall_core::phone::Country;
use autocall_core::settings::Settings;
use autocall_core::{CampaignId, LeadId, Phone, Timestamp};
use autocall_testkit::world::TENANT;
use std::error::Error;
use std::io::Read;

/// A list, read.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Leads, in the list's order; a lead's id is its line.
    pub(super) leads: Vec<Lead>,
    /// Rows that were not accepted, by line.
    pub(super) rejected: Vec<Rejection>,
    /// Parts of accepted rows that were left out.
    pub(super) warnings: Vec<Warning>,
    /// Numbers that the list itself says not to call.
    pub(super) do_not_call: Vec<Phone>,
    /// Lines and rows.
    pub(super) tally: Tally,
}

/// How many leads are checked at once.
const BATCH: usize = 1_000;

/// Reads a list under a campaign's settings.
pub(super) fn read(source: impl Read, settings: &Settings) -> Result<List, String> {
    let country = Country::parse(&settings.country).unwrap_or(Country::US);
    let rules = ImportRules { country, ..ImportRules::default() };
    let mut list = List::default();
    let mut check = Check::new(BATCH);
    let (tally, _) = read_all(source, rules, |row| match row {
        Row::Lead(draft) => {
            list.rejected.extend(check.push(*draft));
            if check.is_full() {
                take(&mut list, &mut check);
            }
        }
        Row::Rejected(rejection) => list.rejected.push(rejection),
        Row::Warned(warning) => list.warnings.push(warning),
    })
    .map_err(|e| e.source().map_or_else(|| e.to_string(), |cause| format!("{e}: {cause}")))?;
    take(&mut list, &mut check);
    list.rejected.sort_by_key(|r| r.line);
    list.tally = tally;
    Ok(list)
}

/// A simulation's campaign is new and its lists are empty: every number is clear.
fn take(list: &mut List, check: &mut Check) {
    let verdicts = vec![Verdict::Clear; check.phones().len()];
    let checked = check.answer(&verdicts);
    for draft in &checked.accepted {
        let id = LeadId::small(TENANT, u128::from(draft.line));
        let order = i64::try_from(draft.line).unwrap_or(i64::MAX);
        list.leads.push(Lead::from_draft(id, CampaignId::small(TENANT, 1), None, draft, order, Timestamp::EPOCH));
    }
    list.rejected.extend(checked.rejected);
    list.warnings.extend(checked.warnings);
    list.do_not_call.extend(checked.do_not_call);
}
