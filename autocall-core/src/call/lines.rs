//! What keeps carrier and state together: telling legs what to do until facts show that they did
//! it, and looking up legs that have gone quiet. Both back off and both are bounded.

use super::record::Sentence;
use super::{Call, Effect, Effects, PERMIT_TTL, Stage, Told, script};
use crate::id::AgentId;
use crate::settings::Settings;
use crate::time::{Millis, Timestamp};

/// First look at an unproven leg, counted from its commit. Later than its permit lives, and than
/// a node that stalled in the middle of dialling could still use it.
const FIRST_LOOK: Millis = Millis::from_ms(PERMIT_TTL.ms() + 5_000);

/// Spaces between look-ups of an unproven leg.
const LOOK_SPACE: [Millis; 3] = [Millis::from_secs(20), Millis::from_secs(40), Millis::from_secs(60)];

/// How often a leg is told the same thing before only look-ups remain.
const REPEATS_MAX: u8 = 6;

/// How many look-ups one leg may cause. After that it is taken for over.
pub(super) const LOOKS_MAX: u16 = 400;

impl Told {
    /// Whether this was the same: another agent's room is something else.
    fn is_same(&self, what: Sentence, host: Option<AgentId>) -> bool {
        self.what == what && (self.host.is_none() || self.host == host)
    }
}

impl Call {
    /// Steers legs that are not doing what they should, looks up legs that are quiet.
    pub(super) fn follow_up(&mut self, settings: &Settings, now: Timestamp, effects: &mut Effects) {
        if self.is_settled() {
            return;
        }
        for leg in 0..self.legs.len() {
            let wanted = script::sentence(self, leg as u8, settings);
            if self.steer_at(leg, wanted).is_some_and(|at| now >= at) {
                self.tell(leg, wanted, now);
                effects.push(Effect::Steer { leg: leg as u8 });
            }
            if self.look_at(leg, settings).is_some_and(|at| now >= at) {
                let it = &mut self.legs[leg];
                it.looked_at = Some(now);
                it.looks += 1;
                effects.push(Effect::LookUp { leg: leg as u8 });
            }
        }
    }

    fn tell(&mut self, leg: usize, what: Sentence, now: Timestamp) {
        let host = self.host(what);
        let told = &mut self.legs[leg].told;
        let repeats = match told {
            Some(t) if t.is_same(what, host) => t.repeats.saturating_add(1),
            _ => 0,
        };
        *told = Some(Told { what, host, at: now, asked: false, repeats });
    }

    /// In whose room a leg is that does this: the agent whom the call holds.
    pub(super) fn host(&self, what: Sentence) -> Option<AgentId> {
        self.holds().filter(|_| what == Sentence::JoinAgent)
    }

    /// When the leg should be told (again), if at all.
    fn steer_at(&self, leg: usize, wanted: Sentence) -> Option<Timestamp> {
        let it = &self.legs[leg];
        // Only a leg whose name we know can be steered; others learn when they ask.
        if it.facts.is_over() || it.facts.provider.is_none() {
            return None;
        }
        let hang_up = wanted == Sentence::Hangup;
        if !hang_up && !it.facts.is_answered() {
            return None;
        }
        match it.told {
            // It asks by itself as soon as it is answered; only if that fails do we push.
            None if !hang_up => it.facts.answer_at().map(|at| at + Millis::from_secs(5)),
            None => Some(Timestamp::EPOCH),
            Some(told) if !told.is_same(wanted, self.host(wanted)) => Some(Timestamp::EPOCH),
            Some(told) if told.repeats >= REPEATS_MAX || script::is_confirmed(self, leg as u8, wanted) => None,
            // An answer is taken for heard; but one that ends a leg can be lost on its way, and
            // then nobody else ends it. Ending twice harms nobody.
            Some(told) if told.asked && !hang_up => None,
            Some(told) if wanted.is_join() => self.rejoin_at(leg, told),
            Some(told) => Some(told.at + Millis::from_secs(4) * (1 << told.repeats)),
        }
    }

    /// Joining twice is leaving once, and ends the room for the other side. So it is repeated only
    /// where a look-up since has not found the leg in the room, and never while people talk.
    fn rejoin_at(&self, leg: usize, told: Told) -> Option<Timestamp> {
        let looked_at = self.legs[leg].looked_at.filter(|&at| at > told.at)?;
        // After handing over, both must come from the agent's room to the call's own.
        let handed = !self.givers.is_empty();
        let talking = matches!(self.stage, Stage::Bridged { .. }) && !handed;
        // The look-up's answer comes first.
        let at = (told.at + Millis::from_secs(8) * (1 << told.repeats)).max(looked_at + Millis::from_secs(3));
        (!talking).then_some(at)
    }

    /// When the leg should be looked up next, if at all.
    fn look_at(&self, leg: usize, settings: &Settings) -> Option<Timestamp> {
        let it = &self.legs[leg];
        if it.is_gone() || it.looks >= LOOKS_MAX {
            return None;
        }
        let after = |base: Timestamp, first: Millis, then: Millis| match it.looked_at {
            Some(looked) if looked >= base => looked + then,
            _ => base + first,
        };
        if !it.facts.is_proven() {
            let space = LOOK_SPACE[usize::from(it.negatives).min(LOOK_SPACE.len() - 1)];
            return Some(after(it.dialled_at, FIRST_LOOK, space));
        }
        if let Some(released) = it.released_at {
            return Some(after(released, Millis::from_secs(10), Millis::from_secs(30)));
        }
        if !it.facts.is_answered() {
            let ring_ms = if leg == 0 { self.plan.ring_ms_max } else { settings.transfer.ring_ms_max };
            let rung_out = it.facts.ringing_at.unwrap_or(it.dialled_at) + Millis::from_ms(i64::from(ring_ms));
            return Some(after(rung_out, Millis::from_secs(12), Millis::from_secs(30)));
        }
        if let Some(told) =
            it.told.filter(|t| !t.asked && t.what.is_join() && !script::is_confirmed(self, leg as u8, t.what))
        {
            return Some(after(told.at, Millis::from_secs(4), Millis::from_secs(20)));
        }
        let quiet = match self.stage {
            Stage::Bridged { .. } => Millis::from_secs(120),
            _ => Millis::from_secs(20),
        };
        Some(after(it.facts.answer_at()?, quiet, quiet))
    }

    /// When a customer's leg of which the carrier says nothing, in so many look-ups, is given up:
    /// some time after the last of them. Only then does nothing else end the wait for an answer.
    pub(super) fn silent_at(&self) -> Option<Timestamp> {
        let it = self.customer();
        let last = it.looked_at.filter(|_| it.looks >= LOOKS_MAX)?;
        Some(last + LOOK_SPACE[LOOK_SPACE.len() - 1])
    }

    /// When this leg next needs attention; `NEVER` if it does not.
    pub(super) fn leg_wake_at(&self, leg: usize, settings: &Settings) -> Timestamp {
        let wanted = script::sentence(self, leg as u8, settings);
        let steer = self.steer_at(leg, wanted).unwrap_or(Timestamp::NEVER);
        let look = self.look_at(leg, settings).unwrap_or(Timestamp::NEVER);
        steer.min(look)
    }
}
