//! Predictive pacing: hazard look-ahead under a price set by the abandonment ledger.
//!
//! For a call dialled now, the planner looks at six instants at which its person may answer, and
//! at each asks: with what chance do the answers due by then outrun the agents free by then? The
//! mean of the six is the chance to meet nobody ([`Why::miss`]). Dial while that is at most the
//! price ([`Why::price`]). One call for each free agent is always allowed, so this is never worse
//! than progressive; the ledger's own bound is never passed.

mod bins;
mod model;
mod price;
mod surplus;

use self::bins::{RING_BINS, RING_EDGES, Running, SPAN_BINS, SPAN_EDGES, ring_bin, span_bin};
use self::model::{LOOKS, Learned, Model, RunningNow, secs};
use self::price::Price;
use self::surplus::{Laws, Moments};
use super::simple::{bounded, one_each};
use super::{
    CLASSES_MAX, Cancel, CapMode, LOOK_EVERY, Mode, Observation, Phase, Plan, RING_MIN_S, Reason, Settings, Strategy,
    Transfer, View, Why,
};
use crate::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// How often the look-up tables are remade.
const REMAKE_EVERY: Millis = Millis::from_secs(15);
/// A ringing call is let go when its person would meet nobody with at least this chance.
const CANCEL_ABOVE: f64 = 0.5;
/// The same where the list comes to its end: there a lead let go is a person not reached.
const CANCEL_ABOVE_SCARCE: f64 = 0.8;
/// The least budget of which any may be risked, abandonments. What is risked of it is bounded by
/// the guard besides.
const BUDGET_MIN: f64 = 0.2;
/// People seen before a difference from the tables is called drift.
const DRIFT_AFTER: f64 = 25.0;
/// Standard errors by which rates known from few events are counted the worse.
const DOUBT: f64 = 1.5;
/// People seen for each further trust of one budget's worth of calls beyond free agents.
const TRUST_AFTER: f64 = 5.0;
/// Abandonments lent to the budget when calls beyond free agents are bounded by it.
const TRUST_LENT: f64 = 1.0;
/// A list is short when one call for each free agent gets through it in this part of the time
/// left.
const SHORT_WITHIN: f64 = 0.9;
/// The time left where it is not known when calling closes, seconds.
const OPEN_UNKNOWN_S: f64 = 3600.0;
/// Dials that one plan looks at when nothing else bounds it.
const DIAL_MAX: u32 = 4096;

/// The predictive pacer.
#[derive(Debug, Clone)]
pub struct Predictive {
    settings: Settings,
    learned: Learned,
    /// What was learned since the last [`Strategy::take_delta`].
    fresh: Learned,
    model: Model,
    made_at: Option<Timestamp>,
    price: Price,
    /// Calls in flight beyond free agents that the price alone would have, on average; what a
    /// strict ledger must hold in stock.
    strict_need: f64,
    /// By class; the last is all classes together.
    dials: Vec<Running<RING_BINS>>,
    talks: Running<SPAN_BINS>,
    wraps: Running<SPAN_BINS>,
    laws: Laws<LOOKS>,
    /// People and ends of talks seen when the tables were last made.
    people: f64,
    talks_seen: f64,
}

/// Answers and freed agents at each look.
#[derive(Debug, Clone, Copy, Default)]
struct Outlook {
    answers: [Moments; LOOKS],
    freed: [Moments; LOOKS],
    /// The mean chance of a person of the next dials, within each look.
    next: [f64; LOOKS],
    /// Free agents less waiting people.
    need: i64,
}

/// The outlook's verdict on `more` dials.
#[derive(Debug, Clone, Copy)]
struct Risk {
    /// The chance that one further dial, if answered, meets nobody.
    miss: f64,
    /// People expected to be abandoned among those in flight.
    loss: f64,
}

impl Outlook {
    /// What `more` dials would mean. Stops counting once the chance to miss is above `enough`:
    /// then [`Risk::miss`] is a lower bound, and the loss is not complete.
    fn risk(&self, more: u32, enough: f64, laws: &mut Laws<LOOKS>) -> Risk {
        let (mut sum, mut loss, mut before) = (0.0, 0.0, 0.0);
        for k in 0..LOOKS {
            let mut a = self.answers[k];
            a.add(f64::from(more), self.next[k]);
            let m = laws.miss(k, a, self.freed[k], self.need);
            loss += (a.mean - before).max(0.0) * m;
            before = a.mean;
            sum += m;
            if sum > enough * LOOKS as f64 {
                break;
            }
        }
        Risk { miss: sum / LOOKS as f64, loss }
    }
}

impl Predictive {
    /// A pacer that knows nothing yet.
    pub fn new(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        if let Mode::Predictive { cap, .. } = settings.mode {
            // The campaign may narrow the cap of the rules, never widen it.
            settings.ledger.cap = settings.ledger.cap.min(cap);
        }
        Predictive {
            settings,
            learned: Learned::new(),
            fresh: Learned::new(),
            model: Model::new(),
            made_at: None,
            price: Price::new(),
            strict_need: 0.0,
            dials: vec![Running::new(); CLASSES_MAX + 1],
            people: 0.0,
            talks_seen: 0.0,
            talks: Running::new(),
            wraps: Running::new(),
            laws: Laws::new(),
        }
    }

    /// Sorts what runs by age, and remakes the tables when they are due.
    fn refresh(&mut self, view: &View<'_>, now: Timestamp) {
        self.talks.clear();
        self.wraps.clear();
        for a in view.agents {
            let age = secs(now - a.since);
            let share = f32::from(a.share_pct.min(100)) / 100.0;
            match a.phase {
                Phase::Talking => self.talks.add(&SPAN_EDGES, span_bin(age), age, share),
                Phase::WrapUp => self.wraps.add(&SPAN_EDGES, span_bin(age), age, share),
                Phase::Idle | Phase::Reserved | Phase::Ringing | Phase::Leaving => {}
            }
        }
        if self.made_at.is_some_and(|t| now - t < REMAKE_EVERY && now >= t) {
            return;
        }
        self.dials.iter_mut().for_each(Running::clear);
        for c in view.calls {
            if c.answered_at.is_none() {
                let age = secs(now - c.dialed_at);
                for class in [usize::from(c.class).min(CLASSES_MAX - 1), CLASSES_MAX] {
                    self.dials[class].add(&RING_EDGES, ring_bin(age), age, 1.0);
                }
            }
        }
        self.made_at = Some(now);
        let next = view.next_classes.first().copied().unwrap_or(u16::MAX);
        let hold = self.hold_s(view);
        let running = RunningNow { dials: &self.dials, talks: &self.talks, wraps: &self.wraps };
        self.model.remake(&self.learned, &running, next, hold);
        (self.people, self.talks_seen) = (self.learned.people(), self.learned.talks());
    }

    /// How long a person may be held for an agent, seconds.
    fn hold_s(&self, view: &View<'_>) -> f32 {
        let verdict_ms = (self.learned.verdict_mean_s() * 1000.0).min(1200.0) as i64;
        let ms = i64::from(self.settings.ledger.deadline_ms) - verdict_ms - i64::from(view.limits.event_lag_ms);
        ms.max(0) as f32 / 1000.0
    }

    fn outlook(&self, view: &View<'_>, now: Timestamp) -> Outlook {
        let mut o = Outlook::default();
        let m = &self.model;
        for b in 0..SPAN_BINS {
            for (n, chances) in [(self.talks.count[b], &m.talk_frees[b]), (self.wraps.count[b], &m.wrap_frees[b])] {
                if n > 0.0 {
                    for (freed, chance) in o.freed.iter_mut().zip(chances) {
                        freed.add(f64::from(n), f64::from(*chance));
                    }
                }
            }
        }
        for c in view.calls {
            if c.agent_reserved || c.is_waiting() {
                continue;
            }
            let chances = match c.answered_at {
                Some(t) => &m.verdict[span_bin(secs(now - t))],
                None => &m.curve(c.class).soon[ring_bin(secs(now - c.dialed_at))],
            };
            for (answers, chance) in o.answers.iter_mut().zip(chances) {
                answers.add(1.0, f64::from(*chance));
            }
        }
        let next = &view.next_classes[..view.next_classes.len().min(32)];
        for k in 0..LOOKS {
            o.next[k] = if next.is_empty() {
                f64::from(m.curve(u16::MAX).fresh[k])
            } else {
                next.iter().map(|c| f64::from(m.curve(*c).fresh[k])).sum::<f64>() / next.len() as f64
            };
        }
        // What is known little is counted the worse: more answers and fewer freed agents, by as
        // many standard errors of their rates.
        let more = 1.0 + DOUBT / (self.people + 4.0).sqrt();
        let less = 1.0 - DOUBT / (self.talks_seen + 4.0).sqrt();
        for k in 0..LOOKS {
            o.answers[k] = o.answers[k].times(more);
            o.freed[k] = o.freed[k].times(less);
            o.next[k] = (o.next[k] * more).min(1.0);
        }
        o.need = i64::from(view.idle()) - i64::from(view.waiting());
        o
    }

    /// Whether one call for each free agent would get through the list before calling closes. Then
    /// speed gains no conversation, and each person abandoned is one lost.
    fn is_short(&self, view: &View<'_>) -> bool {
        let Some(left) = view.limits.leads_left else { return false };
        let at_work = view.agents.iter().filter(|a| a.phase != Phase::Leaving);
        let agents: f64 = at_work.map(|a| f64::from(a.share_pct.min(100)) / 100.0).sum();
        let open_s = view.limits.open_for_s.map_or(OPEN_UNKNOWN_S, f64::from);
        f64::from(left) < SHORT_WITHIN * agents * open_s / f64::from(self.model.dial_every_s())
    }

    /// The most calls to let go: long enough rung, and nobody to meet.
    fn let_go(&mut self, view: &View<'_>, now: Timestamp, o: &Outlook, price: f64, plan: &mut Plan) {
        if self.settings.cancel == Cancel::Never {
            return;
        }
        self.laws.clear();
        let scarce = self.is_short(view);
        let above = if scarce { CANCEL_ABOVE_SCARCE } else { CANCEL_ABOVE }.max(4.0 * price);
        let laws = &mut self.laws;
        let mut soon = |more_off: f64| {
            let mut a = o.answers[1];
            a.mean = (a.mean - more_off).max(0.0);
            a.var = (a.var - more_off).max(0.0);
            laws.miss(1, a, o.freed[1], o.need)
        };
        let mut off = 0.0;
        for (i, c) in view.calls.iter().enumerate() {
            // Where the carrier does not say when it rang, allow for a slow set-up.
            let rang_at = c.ringing_at.unwrap_or(c.dialed_at + Millis::from_secs(6));
            let long = secs(now - rang_at) >= RING_MIN_S as f32;
            if !long || c.answered_at.is_some() || c.agent_reserved || plan.cancel.len() == super::CANCEL_MAX {
                continue;
            }
            if soon(off) < above {
                break;
            }
            plan.cancel.push(i as u32);
            off += f64::from(self.model.curve(c.class).soon[ring_bin(secs(now - c.dialed_at))][1]);
        }
    }

    /// Where agents are rung for each person: one agent for each dial, and as many kept besides as
    /// people are likely to be let pass by the first one asked.
    fn reserve(&mut self, view: &View<'_>, now: Timestamp, why: &mut Why) -> u32 {
        self.refresh(view, now);
        let curve = self.model.curve(view.next_classes.first().copied().unwrap_or(u16::MAX));
        let (answer, accept) = (curve.answer() * self.model.drift, self.learned.accept());
        why.reason = Reason::Reserving;
        (why.answer, why.accept) = (answer, accept as f32);
        why.connect_s = Learned::mean_s(&self.learned.connect, 0.0);
        let spare = f64::from(answer) * (1.0 - accept) / accept.max(0.05);
        let most = (f64::from(view.idle()) / (1.0 + spare)) as u32;
        most.max(view.idle().min(1)).saturating_sub(view.open_calls())
    }

    /// The most dials that price and ledger allow; at least `floor`, at most `most`.
    fn wish(&mut self, o: &Outlook, floor: u32, most: u32, price: f64, left: f64) -> (u32, Reason, f64) {
        let z = match self.settings.ledger.mode {
            CapMode::Guarded { z } => f64::from(z),
            CapMode::Strict => 0.0,
        };
        let laws = &mut self.laws;
        let mut miss = 0.0;
        let mut allowed = |m: u32| {
            // Whether the m-th dial may follow m - 1 others.
            let r = o.risk(m - 1, price, laws);
            let loss = r.loss + o.next[LOOKS - 1] * r.miss;
            if r.miss > price {
                miss = r.miss;
                Err(Reason::Price)
            } else if loss + z * loss.sqrt() > left {
                miss = r.miss;
                Err(Reason::Ledger)
            } else {
                Ok(())
            }
        };
        // Risk grows with every dial: double until it is too much, then halve the interval.
        let (mut good, mut step, mut why) = (floor, 1, Reason::Price);
        let mut bad = most.saturating_add(1);
        while good.saturating_add(step) < bad {
            match allowed(good + step) {
                Ok(()) => {
                    good += step;
                    step *= 2;
                }
                Err(reason) => {
                    bad = good + step;
                    why = reason;
                    break;
                }
            }
        }
        while bad - good > 1 {
            let mid = good + (bad - good) / 2;
            match allowed(mid) {
                Ok(()) => good = mid,
                Err(reason) => {
                    bad = mid;
                    why = reason;
                }
            }
        }
        (good, why, miss)
    }

    fn predict(&mut self, view: &View<'_>, now: Timestamp, why: &mut Why) -> (u32, Option<(Outlook, f64)>) {
        let rules = self.settings.ledger.clone();
        let budget = view.ledger.budget(&rules, view.day);
        let answers = self.price.follow(view.ledger, view.day);
        (why.budget, why.window) = (budget.left as f32, budget.window);
        let floor = one_each(view);
        self.refresh(view, now);
        why.answer =
            self.model.curve(view.next_classes.first().copied().unwrap_or(u16::MAX)).answer() * self.model.drift;
        if view.ledger.unavoidable_reaches_cap(&rules, view.day).is_some() {
            why.reason = Reason::Unavoidable;
            return (floor, None);
        }
        let o = self.outlook(view, now);
        let last = LOOKS - 1;
        (why.free_soon, why.answers_soon) = (o.freed[last].mean as f32, o.answers[last].mean as f32);
        let strict = matches!(rules.mode, CapMode::Strict);
        let stock = self.price.stock(view.ledger, &rules, view.day, if strict { self.strict_need } else { 0.0 });
        if let Mode::Predictive { target_wait_s: Some(target), .. } = self.settings.mode {
            self.price.ease(now, view.idle(), answers, f64::from(target));
        }
        let price = self.price.price(budget.left, stock);
        why.price = price as f32;
        if budget.left < BUDGET_MIN {
            self.price.learn(budget.left, stock, answers, false);
            let few = budget.answers * rules.cap_f64() < BUDGET_MIN;
            why.reason = if few { Reason::WarmingUp } else { Reason::BudgetSpent };
            return (floor, Some((o, price)));
        }
        if self.is_short(view) {
            self.price.learn(budget.left, stock, answers, false);
            why.reason = Reason::ShortList;
            return (floor, Some((o, price)));
        }
        self.laws.clear();
        // Before many people have answered, the estimates are not worth much: calls beyond free
        // agents stay in proportion to the budget, and the proportion grows with what was seen.
        let trusted = f64::from(view.idle()) + (budget.left + TRUST_LENT) * (1.0 + self.people / TRUST_AFTER);
        let most = (trusted as u32).saturating_sub(view.open_calls()).min(DIAL_MAX).max(floor);
        let (mut wish, reason, miss) = self.wish(&o, floor, most, price, budget.left);
        why.reason = reason;
        if strict {
            let open = view.open_calls().max(view.ledger.open());
            let room = view.ledger.strict_open_max(&rules, view.day, view.idle()).saturating_sub(open);
            let beyond = f64::from(open) + f64::from(wish) - f64::from(view.idle());
            self.strict_need += (beyond.max(0.0) - self.strict_need) * 0.002;
            if wish > room.max(floor) {
                wish = room.max(floor);
                why.reason = Reason::Ledger;
            }
        }
        self.price.learn(budget.left, stock, answers, why.reason == Reason::Price && !self.price.is_eased());
        if why.reason == Reason::Price && self.price.is_eased() {
            why.reason = Reason::TargetWait;
        }
        why.miss = miss as f32;
        (wish, Some((o, price)))
    }
}

impl Strategy for Predictive {
    fn plan(&mut self, view: &View<'_>, now: Timestamp) -> Plan {
        let mut why = Why::new(Reason::Progressive, view);
        if !view.limits.may_dial {
            return bounded(view, now, 0, why);
        }
        if view.transfer == Transfer::OnDemand {
            let wish = self.reserve(view, now, &mut why);
            return bounded(view, now, wish, why);
        }
        let (wish, outlook) = self.predict(view, now, &mut why);
        let mut plan = bounded(view, now, wish, why);
        if let Some((o, price)) = outlook
            && wish == 0
        {
            self.let_go(view, now, &o, price, &mut plan);
        }
        if plan.dial < wish && view.limits.dials_per_s_milli > 0 {
            let wait = Millis::from_ms(1_000_000 / i64::from(view.limits.dials_per_s_milli).max(1));
            plan.next_look = now + wait.min(LOOK_EVERY).max(Millis::from_ms(10));
        }
        plan
    }

    fn observe(&mut self, seen: Observation, _now: Timestamp) {
        let model = &self.model;
        let known = self.people >= DRIFT_AFTER;
        let expected = |class: usize, age: f32| known.then(|| model.curve(class as u16).expected(age));
        self.learned.observe(&seen, expected);
        self.fresh.observe(&seen, expected);
    }

    fn checkpoint(&self) -> Vec<u8> {
        let saved =
            Saved { learned: &self.learned, ln_level: self.price.ln_level, day_answers: self.price.day_answers };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    fn restore(&mut self, bytes: &[u8]) {
        let Ok(r) = serde_json::from_slice::<Restored>(bytes) else { return };
        if !r.learned.is_sound() || !r.ln_level.is_finite() || !(0.0..1e9).contains(&r.day_answers) {
            return;
        }
        self.learned = r.learned;
        self.fresh = Learned::new();
        self.price.ln_level = r.ln_level.clamp(-8.0, 0.0);
        self.price.day_answers = r.day_answers;
        self.made_at = None;
    }

    fn take_delta(&mut self) -> Vec<u8> {
        let delta = std::mem::replace(&mut self.fresh, Learned::new());
        serde_json::to_vec(&delta).unwrap_or_default()
    }

    fn absorb(&mut self, bytes: &[u8]) {
        if let Ok(delta) = serde_json::from_slice::<Learned>(bytes)
            && delta.is_sound()
        {
            self.learned.absorb(&delta);
            self.made_at = None;
        }
    }
}

#[derive(Serialize)]
struct Saved<'a> {
    learned: &'a Learned,
    ln_level: f64,
    day_answers: f64,
}

#[derive(Deserialize)]
struct Restored {
    learned: Learned,
    ln_level: f64,
    day_answers: f64,
}

#[cfg(test)]
mod tests;
