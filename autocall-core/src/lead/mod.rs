//! The Lead machine: somebody to be called, over several numbers and attempts.

mod draft;

pub use draft::person_key;

use crate::id::{AgentId, CallId, CampaignId, LeadId, ListId};
use crate::outcome::Outcome;
use crate::phone::Phone;
use crate::priority::Priority;
use crate::private::Private;
use crate::settings::{NextNumber, Settings, Then};
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of the person; changes only by editing, never by calling.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// First name.
    pub first_name: Private,
    /// Last name.
    pub last_name: Private,
    /// The user's own key. Leads that share one are one person; without one, the first number is
    /// the person.
    pub external_id: Option<Private>,
    /// Country of the row, ISO 3166-1 alpha-2.
    pub country: Option<Arc<str>>,
    /// State or province, as a code.
    pub state: Option<Arc<str>>,
    /// Postal code.
    pub postal_code: Option<Arc<str>>,
    /// IANA time zone, where the row names one.
    pub timezone: Option<Arc<str>>,
    /// What kind of lead; the user's own word.
    pub kind: Option<Arc<str>>,
    /// Notes.
    pub notes: Private,
    /// Columns that autocall does not know.
    pub fields: BTreeMap<String, Private>,
    /// Consents, revocations and whatever else law asks for.
    pub dossier: crate::permission::Dossier,
}

impl Person {
    /// First and last name, for people to read.
    pub fn name(&self) -> Private {
        Private::new(format!("{} {}", self.first_name.expose(), self.last_name.expose()).trim())
    }
}

/// One of a lead's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// The number.
    pub phone: Phone,
    /// Not called any more for this lead.
    #[serde(default)]
    pub dropped: bool,
    /// Attempts at it for this lead.
    #[serde(default)]
    pub attempts: u16,
    /// Of them answered by a person.
    #[serde(default)]
    pub answers: u16,
}

impl Number {
    /// A number that was never called.
    pub fn new(phone: Phone) -> Number {
        Number { phone, dropped: false, attempts: 0, answers: 0 }
    }
}

/// An appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// When.
    pub at: Timestamp,
    /// With whom; anybody where absent.
    pub agent: Option<AgentId>,
}

/// Why a lead is not called any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Closed {
    /// It was reached and is done.
    Done,
    /// Every attempt is used up.
    AttemptsUsed,
    /// No number is left that may be called.
    NoNumber,
    /// On a do-not-call list.
    DoNotCall,
    /// Closed by hand.
    ByHand,
}

/// Where a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// To be called at `due_at`.
    Open,
    /// In a call now.
    Calling {
        /// Which.
        call: CallId,
    },
    /// Not to be called any more.
    Closed {
        /// Why.
        why: Closed,
    },
}

/// Where a campaign's settings put a lead: kept, so that choosing the next one evaluates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filed {
    /// Its place in the list that it came with, from 0.
    pub place: u32,
    /// The group of zones whose day ends together ([`crate::planning::lane::group`]).
    pub group: u8,
    /// The campaign's filter leaves it out.
    pub parked: bool,
    /// The campaign's quotas that count it, a bit for each.
    pub segments: u16,
    /// A fingerprint of the number that it was shown last; 0 for none.
    pub shown: u16,
}

/// Somebody to be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Who.
    pub id: LeadId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// From which list.
    pub list: Option<ListId>,
    /// What is known of the person.
    pub person: Arc<Person>,
    /// A stable number for the person within the tenant: caps per person count by it.
    pub person_key: u64,
    /// Their numbers, the preferred one first.
    pub numbers: SmallVec<[Number; 2]>,
    /// How urgent.
    pub priority: Priority,
    /// Its key in the campaign's order ([`crate::planning::order`]): of leads that are due together
    /// the smaller goes first.
    pub order: i64,
    /// What the campaign's settings made of it.
    #[serde(default)]
    pub filed: Filed,
    /// Class for pacing statistics.
    pub class: u16,
    /// Where it stands.
    pub state: State,
    /// Not to be called before. While a call runs: when an agent has already said that it opens
    /// again, and [`Timestamp::NEVER`] where nobody said so and the call's outcome decides.
    pub due_at: Timestamp,
    /// Which rule keeps it waiting, when one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<Arc<str>>,
    /// Attempts so far.
    pub attempts: u16,
    /// Attempts by outcome.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub tally: SmallVec<[(Outcome, u16); 2]>,
    /// Which number is next.
    pub next_number: u8,
    /// The last outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Outcome>,
    /// The last attempt's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// An appointment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// What an agent said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Arc<str>>,
}

/// What happens to a lead.
#[derive(Clone, Debug, PartialEq)]
pub enum LeadEvent {
    /// A call to it was committed.
    Dialled {
        /// Which.
        call: CallId,
    },
    /// Its call settled.
    Settled {
        /// Which call.
        call: CallId,
        /// How.
        outcome: Outcome,
        /// Which number was called.
        number_index: u8,
        /// Until when that number rests whatever the policy says: the carrier may still hold a
        /// call that we lost sight of.
        rest_until: Timestamp,
    },
    /// A rule denies calling it now.
    Denied {
        /// Which rule.
        rule: Arc<str>,
        /// Until when; `NEVER` closes the number.
        until: Timestamp,
    },
    /// An agent said how it went.
    Disposed {
        /// The disposition's code.
        code: Arc<str>,
        /// What follows.
        then: Then,
        /// Which number was called.
        number_index: u8,
        /// The appointment, for a callback.
        callback: Option<Callback>,
    },
    /// Its number was put on a do-not-call list.
    Listed {
        /// Which number.
        phone: Phone,
    },
    /// Closed by hand.
    Close,
    /// Opened again by hand.
    Reopen,
    /// An appointment was made or moved.
    Appoint(Callback),
}

impl Lead {
    /// Takes an event in. Returns whether anything changed.
    pub fn handle(&mut self, event: &LeadEvent, settings: &Settings, now: Timestamp) -> bool {
        let before = self.clone();
        match event {
            LeadEvent::Dialled { call } => self.dialled(*call),
            LeadEvent::Settled { call, outcome, number_index, rest_until } => {
                self.settled(*call, *outcome, *number_index, *rest_until, settings, now);
            }
            LeadEvent::Denied { rule, until } => self.denied(rule.clone(), *until),
            LeadEvent::Disposed { code, then, number_index, callback } => {
                self.disposition = Some(code.clone());
                self.disposed(*then, *number_index, *callback, now);
            }
            LeadEvent::Listed { phone } => self.listed(*phone),
            LeadEvent::Close => self.close(Closed::ByHand),
            LeadEvent::Reopen => self.reopen(now),
            LeadEvent::Appoint(callback) => self.appoint(*callback),
        }
        *self != before
    }

    fn dialled(&mut self, call: CallId) {
        if self.state == State::Open {
            self.state = State::Calling { call };
            self.attempts = self.attempts.saturating_add(1);
            self.blocked_by = None;
            self.callback = None;
            self.due_at = Timestamp::NEVER;
        }
    }

    fn settled(
        &mut self,
        call: CallId,
        outcome: Outcome,
        number: u8,
        rest_until: Timestamp,
        settings: &Settings,
        now: Timestamp,
    ) {
        self.last = Some(outcome);
        self.last_at = Some(now);
        let nth = self.count(outcome);
        self.count_number(number, outcome, settings.caps.attempts_per_number_max);
        // Closed or re-dated by hand or by a list while the call ran: that stands.
        if self.state != (State::Calling { call }) {
            return;
        }
        self.state = State::Open;
        // What an agent said while the call ran stands over the outcome's rule.
        let said = Some(self.due_at).filter(|&at| at != Timestamp::NEVER);
        // A call that never left us is not an attempt at the person.
        if outcome == Outcome::Canceled {
            self.attempts = self.attempts.saturating_sub(1);
        }
        let rule = settings.retry.rule(outcome.name());
        if rule.drop_number {
            self.drop_number(number);
        }
        match rule.next_number {
            NextNumber::Next => self.advance(number),
            NextNumber::First => self.next_number = 0,
            NextNumber::Best => self.next_number = self.best_number(),
            NextNumber::Same => {}
        }
        if self.numbers.get(usize::from(self.next_number)).is_some_and(|n| n.dropped) {
            self.advance(self.next_number);
        }
        match said.or(rule.delay_after(nth).map(|delay| now + delay)) {
            None if matches!(outcome, Outcome::Connected | Outcome::MessagePlayed) => self.close(Closed::Done),
            None => self.close(Closed::AttemptsUsed),
            Some(_) if self.attempts >= settings.caps.attempts_max => self.close(Closed::AttemptsUsed),
            Some(at) => self.due_at = at.max(rest_until),
        }
        if self.state == State::Open && self.numbers.iter().all(|n| n.dropped) {
            self.close(Closed::NoNumber);
        }
    }

    /// Counts the outcome, reasons aside, and returns how many there are now.
    fn count(&mut self, outcome: Outcome) -> u16 {
        if let Some(entry) = self.tally.iter_mut().find(|(o, _)| o.name() == outcome.name()) {
            entry.1 = entry.1.saturating_add(1);
            return entry.1;
        }
        self.tally.push((outcome, 1));
        1
    }

    /// Remembers an attempt at one number; one that has had its share is not called again.
    fn count_number(&mut self, index: u8, outcome: Outcome, most: u16) {
        let Some(number) = self.numbers.get_mut(usize::from(index)) else { return };
        if outcome != Outcome::Canceled {
            number.attempts = number.attempts.saturating_add(1);
            number.answers = number.answers.saturating_add(u16::from(outcome.is_live_answer()));
            number.dropped |= most > 0 && number.attempts >= most;
        }
    }

    /// The number that people have answered most often; of equals the one called least.
    fn best_number(&self) -> u8 {
        let usable = self.numbers.iter().enumerate().filter(|(_, n)| !n.dropped);
        usable.min_by_key(|(i, n)| (std::cmp::Reverse(n.answers), n.attempts, *i)).map_or(0, |(i, _)| i as u8)
    }

    fn denied(&mut self, rule: Arc<str>, until: Timestamp) {
        if self.state != State::Open {
            return;
        }
        if until == Timestamp::NEVER && rule.starts_with("do_not_call") {
            self.close(Closed::DoNotCall);
        } else if until == Timestamp::NEVER && &*rule == "no_number" {
            self.close(Closed::NoNumber);
        } else if until == Timestamp::NEVER && &*rule == "attempts_max" {
            self.close(Closed::AttemptsUsed);
        }
        self.blocked_by = Some(rule);
        if self.state == State::Open {
            self.due_at = until;
        }
    }

    fn disposed(&mut self, then: Then, number: u8, callback: Option<Callback>, now: Timestamp) {
        // Nothing that an agent says about one call opens a lead that must not be called.
        let shut = self.is_barred() || self.state == (State::Closed { why: Closed::ByHand });
        if shut && then != Then::DoNotCall {
            return;
        }
        match then {
            Then::Keep => {}
            Then::Close => self.close(Closed::Done),
            Then::DoNotCall => self.close(Closed::DoNotCall),
            Then::RetryAfterMin(min) => self.open(now + Millis::from_mins(i64::from(min))),
            Then::Callback => match callback {
                Some(callback) => self.appoint(callback),
                // Said without a time: as soon as the usual day is over.
                None => self.open(now + Millis::from_days(1)),
            },
            Then::WrongNumber => {
                self.drop_number(number);
                self.advance(number);
                if self.numbers.iter().all(|n| n.dropped) {
                    self.close(Closed::NoNumber);
                } else {
                    self.open(now + Millis::from_hours(1));
                }
            }
        }
    }

    /// Opens the lead for a time, unless a call is still running: its end comes first.
    fn open(&mut self, at: Timestamp) {
        if !matches!(self.state, State::Calling { .. }) {
            self.state = State::Open;
            self.blocked_by = None;
        }
        self.due_at = at;
    }

    fn appoint(&mut self, callback: Callback) {
        if self.is_barred() {
            return;
        }
        self.callback = Some(callback);
        self.open(callback.at);
    }

    /// Whether it may never be opened again but by taking its number off the list.
    fn is_barred(&self) -> bool {
        matches!(self.state, State::Closed { why: Closed::DoNotCall | Closed::NoNumber })
    }

    fn listed(&mut self, phone: Phone) {
        for number in &mut self.numbers {
            number.dropped |= number.phone == phone;
        }
        if self.numbers.iter().all(|n| n.dropped) {
            self.close(Closed::DoNotCall);
        } else if self.numbers[usize::from(self.next_number)].dropped {
            self.advance(self.next_number);
        }
    }

    fn reopen(&mut self, now: Timestamp) {
        if matches!(self.state, State::Closed { .. }) && self.numbers.iter().any(|n| !n.dropped) {
            self.open(now);
            if self.numbers[usize::from(self.next_number)].dropped {
                self.advance(self.next_number);
            }
        }
    }

    fn close(&mut self, why: Closed) {
        self.state = State::Closed { why };
        self.due_at = Timestamp::NEVER;
        self.callback = None;
    }

    fn drop_number(&mut self, index: u8) {
        if let Some(number) = self.numbers.get_mut(usize::from(index)) {
            number.dropped = true;
        }
    }

    /// The next number after `index` that may be called.
    fn advance(&mut self, index: u8) {
        let n = self.numbers.len();
        let next = (1..=n).map(|step| (usize::from(index) + step) % n.max(1)).find(|&i| !self.numbers[i].dropped);
        self.next_number = next.unwrap_or(0) as u8;
    }

    /// The number to call next; `None` where none is left.
    pub fn number(&self) -> Option<(u8, Phone)> {
        let at = |i: u8| self.numbers.get(usize::from(i)).filter(|n| !n.dropped).map(|n| (i, n.phone));
        at(self.next_number).or_else(|| (0..self.numbers.len() as u8).find_map(at))
    }
    /// Whether the campaign's filter leaves it out. Appointments stand.
    pub fn is_parked(&self) -> bool {
        self.filed.parked && self.callback.is_none()
    }
    /// Whether it waits to be called.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }
}
