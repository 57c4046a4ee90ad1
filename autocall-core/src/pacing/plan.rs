//! What a pacer answers: how many to dial, when to look again, and why.

use super::Window;
use crate::Timestamp;
use smallvec::SmallVec;
use std::fmt;

/// The most ringing calls that one plan lets go.
pub const CANCEL_MAX: usize = 16;

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How many calls to dial now.
    pub dial: u32,
    /// When to ask again if nothing happens before.
    pub next_look: Timestamp,
    /// The numbers behind the decision.
    pub why: Why,
    /// Which ringing calls to let go: indices into [`super::View::calls`], ascending.
    pub cancel: SmallVec<[u32; CANCEL_MAX]>,
}

/// The numbers behind a plan; [`fmt::Display`] makes a sentence of them.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Why {
    /// What decided.
    pub reason: Reason,
    /// What bounded the wish, if anything did.
    pub bound: Option<Bound>,
    /// How many calls the strategy wished to dial before bounds.
    pub wish: u32,
    /// Free agents counted on.
    pub idle: u32,
    /// Calls in flight that nobody is reserved for.
    pub in_flight: u32,
    /// People answered and waiting.
    pub waiting: u32,
    /// Agents expected to become free while a call dialled now rings.
    pub free_soon: f32,
    /// People expected to answer in the same time, before this plan.
    pub answers_soon: f32,
    /// The chance that the next dial, if answered, meets no free agent (0 to 1).
    pub miss: f32,
    /// The highest such chance accepted now: the price set by the ledger (0 to 1).
    pub price: f32,
    /// Abandonments that the ledger can still bear, in the tightest window.
    pub budget: f32,
    /// That window.
    pub window: Option<Window>,
    /// Answer probability of the next lead's class, as learned.
    pub answer: f32,
    /// The share of agents who say yes when they are rung, as learned; 0 where nobody is rung.
    pub accept: f32,
    /// Mean seconds from an agent's ring to yes.
    pub connect_s: f32,
}

/// What decided a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No permission to dial now.
    Closed,
    /// Agents decide for themselves.
    Preview,
    /// One call for each free agent.
    Progressive,
    /// A fixed number of lines for each free agent.
    Power,
    /// Lines and rate only.
    Agentless,
    /// The next dial's chance of meeting no agent reached the price.
    Price,
    /// More calls at risk than the ledger could bear.
    Ledger,
    /// Predictive, held at one call per agent: too few answers counted yet.
    WarmingUp,
    /// Predictive, held at one call per agent: the budget is spent.
    BudgetSpent,
    /// Predictive, held at one call per agent: abandonments that pacing cannot avoid (misjudged
    /// as machines, agents lost, late bridges) reach the cap by themselves.
    Unavoidable,
    /// Predictive, held at one call per agent: an agent is rung for each call.
    Reserving,
    /// The average wait between calls already meets the target.
    TargetWait,
    /// Predictive, held at one call per agent: that gets through the list before calling closes,
    /// so whoever were abandoned would be lost for nothing.
    ShortList,
}

/// What kept a plan below its wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No free line.
    Lines,
    /// The carrier's calls-per-second lease.
    Rate,
    /// The list is at its end.
    List,
}

impl Why {
    /// An explanation with the counts filled in and everything else at zero.
    pub fn new(reason: Reason, view: &super::View<'_>) -> Self {
        Why {
            reason,
            bound: None,
            wish: 0,
            idle: view.idle(),
            in_flight: view.in_flight(),
            waiting: view.waiting(),
            free_soon: 0.0,
            answers_soon: 0.0,
            miss: 0.0,
            price: 0.0,
            budget: 0.0,
            window: None,
            answer: 0.0,
            accept: 0.0,
            connect_s: 0.0,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Why { idle, in_flight, waiting, .. } = *self;
        match self.reason {
            Reason::Closed => return f.write_str("no permission to dial now"),
            Reason::Preview => write!(f, "agents choose: {idle} free")?,
            Reason::Progressive => write!(f, "one call for each free agent: {idle} free, {in_flight} in flight")?,
            Reason::Power => write!(f, "fixed ratio: {idle} free, {in_flight} in flight")?,
            Reason::Agentless => write!(f, "message campaign: {in_flight} in flight")?,
            Reason::WarmingUp => write!(f, "one call per agent until enough people have answered")?,
            Reason::BudgetSpent => write!(f, "one call per agent: the abandonment budget is spent")?,
            Reason::Unavoidable => {
                write!(f, "one call per agent: abandonments that pacing cannot avoid already reach the cap")?
            }
            Reason::Reserving if self.accept > 0.0 => write!(
                f,
                "one call per agent: agents are rung on demand, {:.0} % say yes after {:.1} s; {idle} free",
                self.accept * 100.0,
                self.connect_s
            )?,
            Reason::Reserving => write!(f, "one call per agent: each agent is rung on demand")?,
            Reason::ShortList => write!(f, "one call per agent: the list will be done before calling closes")?,
            Reason::TargetWait => write!(f, "agents already wait no longer than the target: {idle} free")?,
            Reason::Price => write!(
                f,
                "the next person would meet no agent with chance {:.1} %, accepted up to {:.1} %: {idle} free, {:.1} \
                 freed soon, {:.1} answers due from {in_flight} in flight",
                self.miss * 100.0,
                self.price * 100.0,
                self.free_soon,
                self.answers_soon
            )?,
            Reason::Ledger => write!(
                f,
                "{in_flight} in flight with {idle} free is as much as a budget of {:.1} abandonments bears",
                self.budget
            )?,
        }
        if waiting > 0 {
            write!(f, "; {waiting} waiting")?;
        }
        if let Some(w) = self.window
            && self.reason != Reason::Ledger
        {
            write!(f, "; {:.1} abandonments left {w}", self.budget)?;
        }
        match self.bound {
            Some(Bound::Lines) => write!(f, "; {} wished, no free line", self.wish),
            Some(Bound::Rate) => write!(f, "; {} wished, the carrier's rate is used up", self.wish),
            Some(Bound::List) => write!(f, "; {} wished, the list is at its end", self.wish),
            None => Ok(()),
        }
    }
}
