//! The second stage: what only the store knows about a file's leads, asked in batches.
//!
//! [`Check`] does no I/O. Push drafts; when it [is full](Check::is_full), or the file is at its
//! end, ask the store for a [`Verdict`] on each of [`Check::phones`], give them to
//! [`Check::answer`], store what is accepted **and commit it before the next batch**. Then:
//!
//! ```
//! use autocall_core::import::{Check, Importer, Row, Verdict};
//! # fn store_says(_: &autocall_core::Phone) -> Verdict { Verdict::Clear }
//! let mut importer = Importer::new(Default::default());
//! importer.feed(b"phone\n+12025550123\n202-555-0123\n");
//! importer.finish();
//! let mut check = Check::new(1000);
//! let mut rejected = Vec::new();
//! while let Some(row) = importer.next_row().expect("a clean file") {
//!     if let Row::Lead(lead) = row {
//!         rejected.extend(check.push(*lead));
//!     }
//! }
//! let verdicts: Vec<Verdict> = check.phones().iter().map(store_says).collect();
//! let checked = check.answer(&verdicts);
//! assert_eq!((checked.accepted.len(), rejected.len()), (1, 1));
//! ```
//!
//! **Duplicates within the file** are found by an exact set of eight-byte numbers, never by a
//! lossy one. It holds [`SEEN_MAX`] numbers (about 128 MB); numbers beyond it are compared with
//! those of their own batch, and left to the store: since every batch is committed before the
//! next is asked, an earlier line of the file then is a number of the campaign. So every
//! duplicate is found, whatever the length of the file; only the reason that is given differs.

use super::draft::LeadDraft;
use super::reject::{Reason, Rejection, Warning, redact};
use super::seen::{Insert, Seen};
use crate::Phone;

/// Numbers of one file that are kept in memory; beyond them the store finds duplicates.
pub const SEEN_MAX: usize = 10_000_000;

/// What the store knows about a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Clear,
    /// The campaign has a lead with this number.
    InCampaign,
    /// The number is on a do-not-call list of the tenant.
    DoNotCall {
        /// The list's name.
        list: String,
    },
}

/// A batch with its verdicts applied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// To be stored.
    pub accepted: Vec<LeadDraft>,
    /// Not to be stored.
    pub rejected: Vec<Rejection>,
    /// Second and third numbers that were taken off accepted leads.
    pub warnings: Vec<Warning>,
    /// Numbers that rows of the file themselves flag as not to be called, also on rows that were
    /// rejected as duplicates. They belong on the tenant's do-not-call list, in the transaction
    /// that stores the batch: the same number may stand in the file, or in another campaign,
    /// without the flag.
    pub do_not_call: Vec<Phone>,
}

/// Leads of a file on their way to the store.
pub struct Check {
    batch_max: usize,
    seen: Seen,
    /// Leads whose numbers the store is asked about.
    held: Vec<LeadDraft>,
    phones: Vec<Phone>,
    do_not_call: Vec<Phone>,
}

impl Check {
    /// Asks the store about at most `batch_max` leads at a time (at least one).
    pub fn new(batch_max: usize) -> Self {
        Check::with_seen_max(batch_max, SEEN_MAX)
    }

    /// As [`Check::new`], with room for `seen_max` numbers instead of [`SEEN_MAX`].
    pub fn with_seen_max(batch_max: usize, seen_max: usize) -> Self {
        let (batch_max, seen) = (batch_max.max(1), Seen::new(seen_max));
        Check { batch_max, seen, held: Vec::new(), phones: Vec::new(), do_not_call: Vec::new() }
    }

    /// Takes a lead, or gives it back as a duplicate of an earlier line. Must not be called while
    /// [`is_full`](Check::is_full): a full batch grows beyond its size.
    pub fn push(&mut self, lead: LeadDraft) -> Option<Rejection> {
        if lead.do_not_call {
            self.do_not_call.extend(lead.phones.iter().map(|phone| phone.phone));
        }
        let first_line = match self.seen.insert(lead.phone(), lead.line) {
            Insert::New => None,
            Insert::Old { first_line } => Some(first_line),
            // Bounded by the batch.
            Insert::Full => self.held.iter().find(|held| held.phone() == lead.phone()).map(|held| Some(held.line)),
        };
        if let Some(first_line) = first_line {
            return Some(rejection(&lead, Reason::DuplicateInFile { first_line }));
        }
        self.phones.extend(lead.phones.iter().map(|phone| phone.phone));
        self.held.push(lead);
        None
    }

    /// Whether the store is to be asked now.
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.batch_max
    }

    /// Whether nothing waits: neither a lead nor a number for the do-not-call list.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.do_not_call.is_empty()
    }

    /// The numbers to ask about: all numbers of the leads of the batch, in order.
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    /// Applies one verdict for each of [`Check::phones`], in their order, and begins a new batch.
    /// A lead without a verdict on all its numbers is not accepted but stays for the next batch.
    ///
    /// A verdict on the first number decides about the lead; one on another number takes that
    /// number off.
    pub fn answer(&mut self, verdicts: &[Verdict]) -> Checked {
        let mut checked = Checked { do_not_call: std::mem::take(&mut self.do_not_call), ..Checked::default() };
        self.phones.clear();
        let mut verdicts = verdicts.iter();
        for lead in std::mem::take(&mut self.held) {
            match verdicts.as_slice().split_at_checked(lead.phones.len()) {
                Some((own, rest)) => {
                    verdicts = rest.iter();
                    judge(lead, own, &mut checked);
                }
                None => {
                    verdicts = [].iter();
                    self.phones.extend(lead.phones.iter().map(|phone| phone.phone));
                    self.held.push(lead);
                }
            }
        }
        checked
    }
}

fn judge(mut lead: LeadDraft, verdicts: &[Verdict], checked: &mut Checked) {
    if let Some(reason) = verdicts.first().and_then(reason) {
        return checked.rejected.push(rejection(&lead, reason));
    }
    for (nth, verdict) in verdicts.iter().enumerate().skip(1).rev() {
        if let Some(reason) = reason(verdict) {
            let taken = lead.phones.remove(nth);
            let column = format!("phone{}", nth + 1);
            let value = redact(&taken.phone.e164());
            checked.warnings.push(Warning(Rejection { line: lead.line, column, value, reason }));
        }
    }
    checked.accepted.push(lead);
}

fn reason(verdict: &Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Clear => None,
        Verdict::InCampaign => Some(Reason::DuplicateInCampaign),
        Verdict::DoNotCall { list } => Some(Reason::DoNotCall { list: list.clone() }),
    }
}

fn rejection(lead: &LeadDraft, reason: Reason) -> Rejection {
    Rejection { line: lead.line, column: "phone".to_owned(), value: redact(&lead.phone().e164()), reason }
}
