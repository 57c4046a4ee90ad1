//! Judging one call by the compiled rules.

use super::compile::{Check, Compiled, CompiledRules, Local, RuleId};
use super::history::{Attempts, History};
use super::hours::{Clock, Hours};
use super::rule::{ConsentNeeded, Event, HoursOf, Key, RevocationReading};
use super::subject::{Consent, Purpose, Reassigned, Revocation, RevokedFor, Subject, Voice};
use super::{Denied, Evidence, Verdict};
use crate::zones::Country;
use crate::{Millis, Timestamp};
use smallvec::SmallVec;
use std::sync::Arc;

/// Openings of several rules that are tried before a person is called uncallable for good.
const ROUNDS_MAX: usize = 64;

/// One rule's opinion, for [`explain`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// The law or reason behind it.
    pub citation: Arc<str>,
    /// `None`: it does not deny. Otherwise the first instant at which it no longer does.
    pub denied_until: Option<Timestamp>,
}

/// Whether this person may be called now. Pure, total, fails closed; about half a microsecond.
pub fn may_call<'a>(
    subject: &'a Subject<'a>,
    rules: &'a CompiledRules,
    history: History<'a>,
    now: Timestamp,
) -> Verdict<'a> {
    decide(subject, rules, history, subject.voice, now)
}

/// Whether a recording may be played in a call that is up: a message on voicemail, or the message
/// to somebody who was abandoned. Denied means: hang up without a message.
pub fn may_play<'a>(
    subject: &'a Subject<'a>,
    rules: &'a CompiledRules,
    history: History<'a>,
    voice: Voice,
    now: Timestamp,
) -> Verdict<'a> {
    decide(subject, rules, history, voice, now)
}

/// What every rule that applies says, those that deny longest first.
pub fn explain(subject: &Subject<'_>, rules: &CompiledRules, history: History<'_>, now: Timestamp) -> Vec<Finding> {
    let judge = Judge::at(subject, rules, history, subject.voice, now);
    let mut all = Vec::new();
    judge.each(|rule, denial| {
        let (id, until) = match denial {
            Some((until, id)) => (id, Some(until)),
            None => (&rule.id, None),
        };
        all.push(Finding { rule: id.clone(), citation: rule.citation.clone(), denied_until: until });
        true
    });
    all.sort_by_key(|finding| std::cmp::Reverse(finding.denied_until));
    all
}

fn decide<'a>(
    subject: &'a Subject<'a>,
    rules: &'a CompiledRules,
    history: History<'a>,
    voice: Voice,
    now: Timestamp,
) -> Verdict<'a> {
    let first = Judge::at(subject, rules, history, voice, now).longest();
    let Some((until, id, rule)) = first else {
        return Verdict::Allowed(Evidence::new(subject, rules, history, voice, now));
    };
    let mut callable_at = until;
    for _ in 0..ROUNDS_MAX {
        if callable_at == Timestamp::NEVER {
            break;
        }
        match Judge::at(subject, rules, history, voice, callable_at).longest() {
            Some((later, _, _)) => callable_at = later,
            None => return denied(rule, id, until, callable_at),
        }
    }
    denied(rule, id, until, callable_at)
}

fn denied<'a>(rule: &Compiled, id: &RuleId, until: Timestamp, callable_at: Timestamp) -> Verdict<'a> {
    Verdict::Denied(Denied { rule: id.clone(), citation: rule.citation.clone(), until, callable_at })
}

/// One look at one instant: the clocks of every plausible zone are read once.
struct Judge<'j, 'a> {
    subject: &'j Subject<'a>,
    rules: &'j CompiledRules,
    history: History<'j>,
    voice: Voice,
    now: Timestamp,
    clocks: SmallVec<[Clock; 4]>,
}

impl<'j, 'a> Judge<'j, 'a> {
    fn at(
        subject: &'j Subject<'a>,
        rules: &'j CompiledRules,
        history: History<'j>,
        voice: Voice,
        now: Timestamp,
    ) -> Judge<'j, 'a> {
        let (begin, end) = (now - error(subject), now + ring(subject) + error(subject));
        let clocks = subject.place.zones.as_slice().iter().map(|z| Clock::read(*z, begin, end)).collect();
        Judge { subject, rules, history, voice, now, clocks }
    }

    /// The denial that lasts longest; of equals the first in the order of the packs.
    fn longest(&self) -> Option<(Timestamp, &'j RuleId, &'j Compiled)> {
        let mut worst: Option<(Timestamp, &'j RuleId, &'j Compiled)> = None;
        self.each(|rule, denial| {
            if let Some((until, id)) = denial
                && worst.is_none_or(|(known, _, _)| until > known)
            {
                worst = Some((until, id, rule));
            }
            worst.is_none_or(|(until, _, _)| until != Timestamp::NEVER)
        });
        worst
    }

    /// Shows `visit` every rule that concerns this call, until it says stop.
    fn each(&self, mut visit: impl FnMut(&'j Compiled, Option<(Timestamp, &'j RuleId)>) -> bool) {
        let place = self.subject.place;
        let rules = self.rules;
        if self.show(&rules.everywhere, &mut visit).is_none() {
            return;
        }
        let mut state_hours = false;
        for state in place.states.iter() {
            match self.show(&rules.states[state.index()], &mut visit) {
                Some(seen) => state_hours |= seen,
                None => return,
            }
        }
        let mut silent = false;
        for country in &place.countries {
            let local = rules.countries.get(country).unwrap_or(&rules.otherwise);
            let Some(mut hours) = self.show(local, &mut visit) else { return };
            if *country == Country::US {
                hours |= state_hours;
            }
            silent |= !hours;
        }
        if place.countries.is_empty() {
            self.show(&rules.otherwise, &mut visit);
        } else if silent && matches!(self.voice, Voice::Agent | Voice::Agentless) {
            // A country whose pack says nothing on the hours of such a call gets the conservative ones.
            let hours = rules.otherwise.decide.iter().map(|i| &rules.rules[usize::from(*i)]);
            for rule in hours.filter(|rule| matches!(rule.check, Check::Hours(_))) {
                if rule.concerns(self.subject, self.voice) && !visit(rule, self.denial(rule)) {
                    return;
                }
            }
        }
    }

    /// Shows the rules of one place: `None` if `visit` said stop, else whether hours were among them.
    fn show(
        &self,
        local: &'j Local,
        visit: &mut impl FnMut(&'j Compiled, Option<(Timestamp, &'j RuleId)>) -> bool,
    ) -> Option<bool> {
        let mut hours = false;
        for index in &local.decide {
            let rule = &self.rules.rules[usize::from(*index)];
            if rule.concerns(self.subject, self.voice) {
                hours |= matches!(rule.check, Check::Hours(_)) && self.in_force(rule);
                if !visit(rule, self.denial(rule)) {
                    return None;
                }
            }
        }
        Some(hours)
    }

    fn in_force(&self, rule: &Compiled) -> bool {
        rule.from <= self.now && self.now < rule.to
    }

    /// Until when this rule denies, and under which name; `None` if it does not.
    fn denial(&self, rule: &'j Compiled) -> Option<(Timestamp, &'j RuleId)> {
        if !self.in_force(rule) {
            return None;
        }
        let (until, id) = self.check(rule)?;
        let lifted = self.lifted_from(rule);
        let until = until.min(rule.to).min(lifted);
        (until > self.now).then_some((until, id))
    }

    /// What the check alone says; the answer is later than now, or `None`.
    fn check(&self, rule: &'j Compiled) -> Option<(Timestamp, &'j RuleId)> {
        let until = match &rule.check {
            Check::Hours(hours) => self.closed_until(hours),
            Check::HoursOf(HoursOf::Campaign) => self.subject.campaign_hours.and_then(|h| self.closed_until(h)),
            Check::HoursOf(HoursOf::Person) => self.subject.person_hours.and_then(|h| self.closed_until(h)),
            Check::Cap { most, per, key, counts } => self.attempts(*key).capped_until(*most, *counts, *per, self.now),
            Check::Cooldown { event, rest, key } => self.cooling_until(*event, *rest, *key),
            Check::Registry { name, age_max, copy } => return self.registry(rule, name, *age_max, copy),
            Check::Tenant => self.future(self.subject.lists.tenant.max(self.history.number.listed)),
            Check::Campaign => self.future(self.subject.lists.campaign.max(self.history.person.listed)),
            Check::Revoked(read) => self.revoked_until(*read),
            Check::Reassigned { age_max } => self.reassigned_until(*age_max),
            Check::Resting => self.future(self.history.number.rest_until.max(self.history.person.rest_until)),
            Check::UnknownPlace => self.clocks.is_empty().then_some(Timestamp::NEVER),
            Check::Consent(needed) => self.unconsented_until(*needed),
            Check::Duty => None,
        };
        until.map(|until| (until, &rule.id))
    }

    fn future(&self, until: Option<Timestamp>) -> Option<Timestamp> {
        until.filter(|until| *until > self.now)
    }

    fn attempts(&self, key: Key) -> &'j Attempts {
        match key {
            Key::Number => &self.history.number.attempts,
            Key::Person => &self.history.person.attempts,
        }
    }

    fn closed_until(&self, hours: &Hours) -> Option<Timestamp> {
        if !self.clocks.is_empty() && self.clocks.iter().all(|clock| hours.allows(clock)) {
            return None;
        }
        let zones = self.subject.place.zones.as_slice();
        let error = error(self.subject);
        let length = ring(self.subject) + error + error;
        Some(hours.next_open_everywhere(zones, self.now - error, length) + error)
    }

    fn cooling_until(&self, event: Event, rest: Millis, key: Key) -> Option<Timestamp> {
        let latest = self.attempts(key).latest();
        let start = match event {
            Event::Conversation => latest.conversation,
            Event::Abandoned => latest.abandoned,
            Event::Machine => latest.machine,
            Event::Refused => latest.refused,
            Event::Attempt => latest.attempt,
        };
        self.future(start.map(|at| at + rest))
    }

    fn registry(
        &self,
        rule: &'j Compiled,
        name: &str,
        age_max: Millis,
        copy: &'j RuleId,
    ) -> Option<(Timestamp, &'j RuleId)> {
        match self.subject.lists.registries.iter().find(|r| r.name == name) {
            // A copy of tomorrow is a mistake, not a young one; a day is left for clocks and dates.
            Some(verdict)
                if self.now.since(verdict.as_of) <= age_max && verdict.as_of <= self.now + Millis::from_days(1) =>
            {
                verdict.listed.then_some((Timestamp::NEVER, &rule.id))
            }
            _ => Some((Timestamp::NEVER, copy)),
        }
    }

    /// A consent given after a revocation, for this purpose, ends it.
    fn revoked_until(&self, read: RevocationReading) -> Option<Timestamp> {
        let subject = self.subject;
        let last = subject
            .revocations
            .iter()
            .filter(|r| r.at <= self.now && (read == RevocationReading::Everything || self.names(r)))
            .map(|r| r.at)
            .max()?;
        let again = subject.consents.iter().filter(|c| covers(c, subject.purpose) && c.given_at > last);
        let again = again.map(|c| c.given_at).min();
        match again {
            Some(given) if given <= self.now => None,
            Some(given) => Some(given),
            None => Some(Timestamp::NEVER),
        }
    }

    fn names(&self, revocation: &Revocation) -> bool {
        match revocation.what {
            RevokedFor::Everything => true,
            RevokedFor::Purposes(purposes) => purposes.contains(self.subject.purpose),
            RevokedFor::RecordedVoice => self.voice.is_recorded(),
        }
    }

    fn reassigned_until(&self, age_max: Option<Millis>) -> Option<Timestamp> {
        match (self.subject.reassigned, age_max) {
            (Some(check), _) if check.answer == Reassigned::Yes => Some(Timestamp::NEVER),
            (Some(check), Some(age_max)) if self.now.since(check.at) > age_max => Some(Timestamp::NEVER),
            (None, Some(_)) => Some(Timestamp::NEVER),
            _ => None,
        }
    }

    fn unconsented_until(&self, needed: ConsentNeeded) -> Option<Timestamp> {
        let fits = |c: &&Consent| {
            c.class >= needed.class
                && (!needed.recorded_voice || c.recorded_voice)
                && (!needed.automated || c.automated)
        };
        self.consent_from(fits).filter(|from| *from > self.now)
    }

    /// When the first fitting consent is in force: now or earlier means that one is;
    /// [`Timestamp::NEVER`] if there is none.
    fn consent_from(&self, fits: impl Fn(&&Consent) -> bool) -> Option<Timestamp> {
        let usable = self.subject.consents.iter().filter(|c| covers(c, self.subject.purpose) && self.stands(c));
        Some(usable.filter(fits).map(|c| c.given_at).min().unwrap_or(Timestamp::NEVER))
    }

    /// Neither expired nor revoked since it was given.
    fn stands(&self, consent: &Consent) -> bool {
        consent.expires_at.is_none_or(|end| self.now < end && consent.given_at < end)
            && !self.subject.revocations.iter().any(|r| r.at >= consent.given_at && r.at <= self.now && self.names(r))
    }

    /// The first instant at which an exemption lifts the rule: not later than now if one does.
    fn lifted_from(&self, rule: &Compiled) -> Timestamp {
        let unless = rule.unless();
        let mut from = Timestamp::NEVER;
        if unless.agent_guaranteed && self.subject.agent_guaranteed {
            return self.now;
        }
        if let Some(class) = unless.consent {
            from = from.min(self.consent_from(|c| c.class >= class).unwrap_or(from));
        }
        if unless.any_hour {
            from = from.min(self.consent_from(|c| c.any_hour).unwrap_or(from));
        }
        let dealings = [
            (unless.purchase_within, self.subject.relationship.purchase_at),
            (unless.inquiry_within, self.subject.relationship.inquiry_at),
        ];
        for (within, at) in dealings {
            if let (Some(within), Some(at)) = (within, at)
                && self.now < at + within.0
            {
                from = from.min(at);
            }
        }
        from
    }
}

fn covers(consent: &Consent, purpose: Purpose) -> bool {
    consent.purposes.contains(purpose)
}

/// How wrong the clock may be. A negative error is a mistake and counts as none.
fn error(subject: &Subject<'_>) -> Millis {
    subject.clock_error.max(Millis::ZERO)
}

/// The span that a call must be allowed for. A negative one is a mistake and counts as none.
fn ring(subject: &Subject<'_>) -> Millis {
    subject.ring_max.max(Millis::ZERO)
}
