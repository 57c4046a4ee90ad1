//! The published list of cells, and the policies that are run in them.

use super::baselines::{Adapt, Issabel, OmniDialer, Threshold, Vicidial, Wombat};
use super::law::Law;
use super::scenario::{Amd, Drift, Scenario, Shift, ledger};
use super::{Lab, Stats};
use autocall_core::pacing::{Cancel, CapMode, LedgerRules, Misjudged, Mode, Settings, Strategy, Transfer, strategy};

/// The most cells that the list may hold.
pub const CELLS_MAX: usize = 60;

/// Which exact goal a cell serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Held against the exact optimum.
    Exponential,
    /// Held against the other dialers.
    Realistic,
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its kind.
    pub kind: Kind,
    /// Its world.
    pub world: Scenario,
}

impl Cell {
    /// Days that the published figures take: enough answers for the interval that is claimed.
    pub fn days(&self) -> u32 {
        match self.world.agents {
            0..=20 => 1000,
            21..=100 => 200,
            101..=300 => 20,
            _ => 3,
        }
    }
}

/// All cells, in the order of publication.
pub fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for n in [1, 2, 3, 5, 10, 20, 50, 100, 300] {
        for p in [0.1, 0.25, 0.5] {
            all.push(Cell { kind: Kind::Exponential, world: Scenario::exponential(n, p) });
        }
    }
    all.push(Cell { kind: Kind::Exponential, world: Scenario::exponential(1000, 0.25) });
    all.extend(realistic().into_iter().map(|world| Cell { kind: Kind::Realistic, world }));
    all
}

/// The realistic cells. S2 to S16 go round four places (20 agents and a quarter answered, 10 and a
/// quarter, 50 and a quarter, 20 and a tenth), so that no one size decides a median.
fn realistic() -> Vec<Scenario> {
    let at = |name: &str, n: u32, p: f64| Scenario::realistic(name, n, p);
    let twenty = |name: &str| at(name, 20, 0.25);
    let ten = |name: &str| at(&format!("{name}, n=10"), 10, 0.25);
    let fifty = |name: &str| at(&format!("{name}, n=50"), 50, 0.25);
    let tenth = |name: &str| at(&format!("{name}, p=.10"), 20, 0.10);
    let amd = |person: f64, missed: f64| {
        Some(Amd {
            person: Law::LogNormal { mean: person, cv: 0.2 },
            machine: Law::LogNormal { mean: person + 0.5, cv: 0.2 },
            person_missed: missed,
            machine_missed: 0.03,
        })
    };
    // People missed among verdicts "machine": voicemail is 48 % of the other 75 %.
    let missed_share = |missed: f64| (0.25 * missed / (0.25 * missed + 0.36)) as f32;
    let counting = |missed: f64| LedgerRules {
        misjudged: Misjudged::Configured { share: missed_share(missed) },
        ..LedgerRules::default()
    };
    vec![
        at("S1 n=5", 5, 0.25),
        at("S1 n=10", 10, 0.25),
        at("S1 n=10 p=.10", 10, 0.10),
        at("S1 n=10 p=.50", 10, 0.50),
        at("S1 n=20", 20, 0.25),
        at("S1 n=50", 50, 0.25),
        at("S1 n=100", 100, 0.25),
        Scenario { drift: Drift::Diurnal(0.5), ..twenty("S2 diurnal ±50 %") },
        Scenario { drift: Drift::Step(0.3), ..ten("S3 step ×0.3") },
        Scenario { drift: Drift::Step(3.0), ..tenth("S3 step ×3") },
        Scenario { drift: Drift::Bursts(2.5), ..fifty("S4 bursts ×2.5") },
        Scenario { drift: Drift::Clumps { run: 150, low: 0.4, high: 1.6 }, ..tenth("S5 sorted list") },
        Scenario { drift: Drift::Classes(0.05, 0.6), ..twenty("S6 mixed lists") },
        Scenario { shift: Shift::Staggered, ..ten("S7 staggered log-in") },
        Scenario { shift: Shift::Lunch, ..fifty("S7 lunch") },
        Scenario { shift: Shift::Drain, ..tenth("S7 drain") },
        Scenario { shift: Shift::DropOuts, ..twenty("S7 drop-outs") },
        Scenario { cold: true, ..ten("S8 cold each day") },
        Scenario { restart: true, ..fifty("S8 restart at noon") },
        Scenario { amd: amd(2.0, 0.0), ..tenth("S9 AMD 2 s") },
        Scenario { amd: amd(4.5, 0.01), rules: counting(0.01), ..twenty("S9 AMD 4.5 s, 1 % missed") },
        Scenario { amd: amd(2.0, 0.08), rules: counting(0.08), ..ten("S9 AMD 8 % missed") },
        Scenario { trouble: true, ..fifty("S10 carrier trouble") },
        Scenario { cps: Some(1.0), ..ten("S11 1 call/s") },
        Scenario { lines: Some(30), ..twenty("S11 30 lines") },
        Scenario { leads: Some(8000), ..twenty("S12 list runs dry") },
        Scenario { leads: Some(700), ..at("S13 tiny, n=5", 5, 0.25) },
        Scenario { rules: LedgerRules { per_day: false, ..ledger() }, ..ten("S14 30-day ledger alone") },
        Scenario { inbound: 4.0, ..fifty("S15 blended inbound") },
        Scenario { transfer: (Transfer::Standing, Law::Uniform(0.2, 0.6)), ..tenth("S16 agents parked") },
        Scenario {
            transfer: (Transfer::OnDemand, Law::Uniform(2.0, 6.0)),
            rules: LedgerRules { late_counts: false, ..ledger() },
            ..twenty("S16 agents on demand")
        },
    ]
}

/// A way of pacing in the laboratory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Policy {
    /// Ours, with the guarded cap.
    Ours,
    /// Ours, with the strict cap.
    OursStrict,
    /// One call for each free agent.
    Progressive,
    /// A fixed ratio.
    Constant(f32),
    /// VICIdial: mode, available-only tally, highest level.
    Vicidial(Adapt, bool, f64),
    /// OMniDialer, with its default call rate or none.
    Omni(Option<f64>),
    /// Issabel with overcommit.
    Issabel,
    /// WombatDialer at this boost.
    Wombat(f64),
    /// The threshold policy: least free agents, lines for each.
    Threshold(u32, f64),
}

impl Policy {
    /// Its published name.
    pub fn name(&self) -> String {
        match *self {
            Policy::Ours => "autocall".into(),
            Policy::OursStrict => "autocall strict".into(),
            Policy::Progressive => "progressive".into(),
            Policy::Constant(r) => format!("constant {r}"),
            Policy::Vicidial(a, only, max) => {
                format!("vicidial {} {} {max}", format!("{a:?}").to_lowercase(), if only { "Y" } else { "N" })
            }
            Policy::Omni(None) => "omnidialer".into(),
            Policy::Omni(Some(c)) => format!("omnidialer {c}/s"),
            Policy::Issabel => "issabel".into(),
            Policy::Wombat(b) => format!("wombat {b}"),
            Policy::Threshold(s, k) => format!("threshold {s} {k}"),
        }
    }

    /// A strategy that knows nothing yet.
    pub fn strategy(&self, world: &Scenario) -> Box<dyn Strategy> {
        match *self {
            Policy::Ours | Policy::OursStrict => strategy(&settings(world, *self == Policy::OursStrict)),
            Policy::Progressive => strategy(&Settings { mode: Mode::Progressive, ..Settings::default() }),
            Policy::Constant(ratio) => Box::new(Threshold { free_min: 0, kappa: f64::from(ratio), extra: 0.0 }),
            Policy::Vicidial(adapt, only, max) => Box::new(Vicidial::new(adapt, only, max)),
            Policy::Omni(cps) => Box::new(OmniDialer::new(cps)),
            Policy::Issabel => Box::new(Issabel::default()),
            Policy::Wombat(boost) => Box::new(Wombat { boost }),
            Policy::Threshold(free_min, kappa) => Box::new(Threshold { free_min, kappa, extra: 0.0 }),
        }
    }

    /// The constants among which the best is chosen in hindsight.
    pub fn constants() -> Vec<Policy> {
        [1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0].into_iter().map(Policy::Constant).collect()
    }

    /// VICIdial's modes: hard and average, both tallies, the shipped highest level and ten.
    pub fn vicidial() -> Vec<Policy> {
        let mut all = Vec::new();
        for adapt in [Adapt::Hard, Adapt::Average] {
            for only in [false, true] {
                for max in [3.0, 10.0] {
                    all.push(Policy::Vicidial(adapt, only, max));
                }
            }
        }
        all
    }

    /// Shown beside, not compared.
    pub fn others() -> Vec<Policy> {
        vec![
            Policy::Vicidial(Adapt::Tapered, false, 3.0),
            Policy::Omni(None),
            Policy::Omni(Some(1.0)),
            Policy::Issabel,
            Policy::Wombat(2.0),
            Policy::Threshold(2, 2.0),
        ]
    }
}

/// Our settings in a world.
pub fn settings(world: &Scenario, strict: bool) -> Settings {
    let mut s = Settings::predictive(world.rules.cap);
    s.ledger = world.rules.clone();
    if strict {
        s.ledger.mode = CapMode::Strict;
    }
    if !world.cancel {
        s.cancel = Cancel::Never;
    }
    s
}

/// Runs a policy in a world for so many days.
pub fn run(world: &Scenario, policy: Policy, seed: u64, days: u32) -> Stats {
    let fresh = || policy.strategy(world);
    let mut lab = Lab::new(world, seed);
    let mut strategy = fresh();
    lab.run(days, &mut strategy, &fresh);
    lab.stats
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_short_and_every_name_is_its_own() {
        let all = cells();
        assert!(all.len() <= CELLS_MAX, "{}", all.len());
        let names: BTreeSet<_> = all.iter().map(|c| c.world.name.clone()).collect();
        assert_eq!(names.len(), all.len());
        for s in 1..=16 {
            assert!(names.iter().any(|n| n.starts_with(&format!("S{s} "))), "S{s} is missing");
        }
        for c in &all {
            assert!(settings(&c.world, false).check().is_empty(), "{}", c.world.name);
            let shares: f64 = c.world.others.iter().map(|o| o.0).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{}", c.world.name);
        }
    }
}
