//! The exact optimum of the exponential world: the most that any pacer can reach.
//!
//! Agents `n`, ring times (all outcomes) exponential with mean `ring_s`, a share `p` of rings ends
//! in a person, handling exponential with mean `handle_s`; whoever meets no free agent is
//! abandoned at once. The state is two numbers, busy agents and calls in flight; the decision is
//! to raise the calls in flight. To maximise busy agents with abandonments at most `cap` of
//! answers is a constrained Markov decision process. Its value is the least, over prices
//! `lambda`, of the unconstrained gain with reward `busy - lambda * (abandoned - cap * answered)`
//! (strong duality; Altman, Constrained Markov Decision Processes, 1999), and each gain comes from
//! relative value iteration on the uniformised chain.

/// The exponential world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct World {
    /// Agents.
    pub n: usize,
    /// Share of dials that end in a person.
    pub p: f64,
    /// Mean ring time of all outcomes, seconds.
    pub ring_s: f64,
    /// Mean handling time (talk and wrap-up), seconds.
    pub handle_s: f64,
}

/// The best that can be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// The largest share of agents' time spent with people (0 to 1).
    pub utilisation: f64,
    /// The price of one abandonment in busy seconds of an agent.
    pub price_s: f64,
    /// Calls in flight to top up to, by idle agents 0, 1, 2, ...; of the policy at that price.
    pub base_stock: Vec<u32>,
}

/// What a fixed base-stock policy does in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Share of agents' time spent with people.
    pub utilisation: f64,
    /// Abandoned share of answers.
    pub abandoned: f64,
    /// Answers per second.
    pub answers_per_s: f64,
}

/// Dimensions of the truncated state space, and the values over it.
struct Grid {
    w: World,
    /// Idle agents run from 0 to here; deeper idleness has no weight worth counting.
    idle_max: usize,
    /// Calls in flight run from 0 to here.
    flight_max: usize,
}

impl Grid {
    fn new(w: World) -> Self {
        let n = w.n as f64;
        let idle_max = w.n.min((15.0 + 5.0 * n.sqrt()) as usize);
        let steady = n * w.ring_s / w.handle_s / w.p;
        let deep = (n.min(6.0 + n.sqrt())) * 1.3 / w.p;
        Grid { w, idle_max, flight_max: (1.15 * steady + deep + 8.0).ceil() as usize }
    }
    fn width(&self) -> usize {
        self.flight_max + 1
    }
    fn states(&self) -> usize {
        (self.idle_max + 1) * self.width()
    }
    fn at(&self, idle: usize, flight: usize) -> usize {
        idle * self.width() + flight
    }
    /// The uniform rate, events per second; every state's own rate is at most this.
    fn rate(&self) -> f64 {
        self.w.n as f64 / self.w.handle_s + self.flight_max as f64 / self.w.ring_s
    }

    /// One sweep of value iteration: `after` from `top` (values with the right to dial). Returns
    /// the least and the largest growth, between which the gain per step lies.
    fn sweep(&self, top: &[f64], after: &mut [f64], lambda: f64, cap: f64) -> (f64, f64) {
        let (w, rate) = (self.w, self.rate());
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for idle in 0..=self.idle_max {
            let busy = (w.n - idle) as f64;
            let freed = if idle < self.idle_max { busy / w.handle_s / rate } else { 0.0 };
            let (row, up) = (self.at(idle, 0), self.at((idle + 1).min(self.idle_max), 0));
            let taken = if idle > 0 { self.at(idle - 1, 0) } else { row };
            let miss = if idle == 0 { lambda } else { 0.0 };
            for k in 0..=self.flight_max {
                let ended = k as f64 / w.ring_s / rate;
                let here = top[row + k];
                let mut v = busy / rate + freed * (top[up + k] - here) + here;
                if k > 0 {
                    let person = top[taken + k - 1] - miss + lambda * cap;
                    v += ended * (w.p * person + (1.0 - w.p) * top[row + k - 1] - here);
                }
                let grown = v - after[row + k];
                lo = lo.min(grown);
                hi = hi.max(grown);
                after[row + k] = v;
            }
        }
        (lo, hi)
    }

    /// The largest gain per second at this price; `after` holds the values and is improved.
    fn gain(&self, after: &mut [f64], top: &mut [f64], lambda: f64, cap: f64, tolerance: f64) -> f64 {
        let rate = self.rate();
        let mut gain = 0.0;
        for _ in 0..400_000 {
            // Dialling is instant: a state is worth the best of all states with more in flight.
            for idle in 0..=self.idle_max {
                let row = self.at(idle, 0);
                let mut best = f64::NEG_INFINITY;
                for k in (0..=self.flight_max).rev() {
                    best = best.max(after[row + k]);
                    top[row + k] = best;
                }
            }
            let (lo, hi) = self.sweep(top, after, lambda, cap);
            gain = (lo + hi) / 2.0 * rate;
            if (hi - lo) * rate < tolerance {
                break;
            }
            let base = after[0];
            after.iter_mut().for_each(|v| *v -= base);
        }
        gain
    }
}

/// The optimum at this cap on abandoned answers.
///
/// The dual function of the price is convex; a golden-section search finds its least value.
pub fn solve(w: World, cap: f64) -> Optimum {
    let grid = Grid::new(w);
    let mut after = vec![0.0; grid.states()];
    let mut top = vec![0.0; grid.states()];
    let n = w.n as f64;
    let tolerance = 2e-5 * n;
    let mut gain = |lambda: f64, tol: f64| grid.gain(&mut after, &mut top, lambda, cap, tol);
    // Prices between none and ten handlings; searched on a log scale.
    let (mut a, mut b) = ((w.handle_s * 0.02).ln(), (w.handle_s * 12.0).ln());
    let g = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut c, mut d) = (b - g * (b - a), a + g * (b - a));
    let (mut fc, mut fd) = (gain(c.exp(), tolerance), gain(d.exp(), tolerance));
    while b - a > 0.06 {
        if fc < fd {
            (b, d, fd) = (d, c, fc);
            c = b - g * (b - a);
            fc = gain(c.exp(), tolerance);
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + g * (b - a);
            fd = gain(d.exp(), tolerance);
        }
    }
    let price_s = ((a + b) / 2.0).exp();
    let best = gain(price_s, tolerance / 4.0).min(fc).min(fd);
    let base_stock = (0..=grid.idle_max)
        .map(|idle| {
            let row = &after[grid.at(idle, 0)..=grid.at(idle, grid.flight_max)];
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter().position(|v| *v == top).unwrap_or(0) as u32
        })
        .collect();
    Optimum { utilisation: best / n, price_s, base_stock }
}

/// The long-run figures of topping up to `base_stock[idle]` calls in flight.
pub fn evaluate(w: World, base_stock: &dyn Fn(usize) -> usize) -> Outcome {
    let grid = Grid::new(w);
    let rate = grid.rate();
    let target: Vec<usize> = (0..=grid.idle_max).map(|i| base_stock(i).min(grid.flight_max)).collect();
    let mut mass = vec![0.0; grid.states()];
    mass[grid.at(0, target[0])] = 1.0;
    let mut next = vec![0.0; grid.states()];
    let mut last = 0.0;
    for step in 0..400_000 {
        next.fill(0.0);
        for idle in 0..=grid.idle_max {
            let freed = if idle < grid.idle_max { (w.n - idle) as f64 / w.handle_s / rate } else { 0.0 };
            for k in 0..=grid.flight_max {
                let m = mass[grid.at(idle, k)];
                if m < 1e-18 {
                    continue;
                }
                let ended = k as f64 / w.ring_s / rate;
                next[grid.at(idle, k)] += m * (1.0 - freed - ended);
                if freed > 0.0 {
                    next[grid.at(idle + 1, k.max(target[idle + 1]))] += m * freed;
                }
                if k > 0 {
                    next[grid.at(idle, (k - 1).max(target[idle]))] += m * ended * (1.0 - w.p);
                    let to = idle.saturating_sub(1);
                    next[grid.at(to, (k - 1).max(target[to]))] += m * ended * w.p;
                }
            }
        }
        std::mem::swap(&mut mass, &mut next);
        if step % 200 == 199 {
            let u = read(&grid, &mass).utilisation;
            if (u - last).abs() < 1e-7 {
                break;
            }
            last = u;
        }
    }
    read(&grid, &mass)
}

fn read(grid: &Grid, mass: &[f64]) -> Outcome {
    let w = grid.w;
    let (mut busy, mut answers, mut missed) = (0.0, 0.0, 0.0);
    for idle in 0..=grid.idle_max {
        for k in 0..=grid.flight_max {
            let m = mass[grid.at(idle, k)];
            let answered = m * k as f64 / w.ring_s * w.p;
            busy += m * (w.n - idle) as f64;
            answers += answered;
            if idle == 0 {
                missed += answered;
            }
        }
    }
    Outcome { utilisation: busy / w.n as f64, abandoned: missed / answers, answers_per_s: answers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(n: usize, p: f64) -> World {
        World { n, p, ring_s: 12.0, handle_s: 150.0 }
    }

    #[test]
    fn one_call_per_free_agent_has_its_closed_form() {
        for (n, p) in [(1, 0.1), (3, 0.25), (8, 0.5)] {
            let o = evaluate(world(n, p), &|idle| idle);
            let closed = 150.0 / (150.0 + 12.0 / p);
            assert!((o.utilisation - closed).abs() < 1e-3, "{n} {p}: {} {closed}", o.utilisation);
            assert_eq!(o.abandoned, 0.0);
        }
    }

    #[test]
    fn little_s_law_and_the_cap_hold_at_the_optimum() {
        let w = world(5, 0.25);
        let best = solve(w, 0.03);
        assert!((best.utilisation - 0.821).abs() < 0.002, "{}", best.utilisation);
        let o = evaluate(w, &|i| best.base_stock[i.min(best.base_stock.len() - 1)] as usize);
        let served = o.answers_per_s * (1.0 - o.abandoned);
        assert!((served * w.handle_s / 5.0 - o.utilisation).abs() < 1e-3);
        // The two policies between which the optimum mixes straddle the cap closely.
        assert!((o.abandoned - 0.03).abs() < 0.02, "{}", o.abandoned);
        assert!(solve(w, 0.01).utilisation < best.utilisation);
    }
}
