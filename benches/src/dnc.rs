//! A do-not-call registry of 250 million North American numbers: size, speed, delta, opening.

use crate::probe::time;
use crate::{Measurement, Opts};
use autocall_core::zones::area_codes;
use autocall_core::{Phone, Timestamp};
use autocall_dnc::{About, Builder, Delta, Set};
use std::path::{Path, PathBuf};

/// Where numbers are: three in five exchanges are in use, a third of the thousand-blocks in them,
/// and in those a share of the numbers is listed.
struct Plan {
    seed: u64,
    codes: Vec<u64>,
    /// Of 65,536 numbers of an active block.
    density: u64,
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl Plan {
    fn new(seed: u64, wanted: u64) -> Plan {
        let codes: Vec<u64> = area_codes().map(u64::from).collect();
        let places = codes.len() as f64 * 800.0 * 0.62 * 10_000.0 * 0.35;
        Plan { seed, codes, density: (wanted as f64 / places * 65_536.0).min(65_536.0) as u64 }
    }
    fn dice(&self, what: u64, number: u64) -> u64 {
        mix(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ mix(self.seed ^ what))
    }
    fn exchange(&self, exchange: u64) -> bool {
        self.dice(1, exchange) % 100 < 62
    }
    /// Exactly the numbers that are on the list.
    fn listed(&self, number: u64) -> bool {
        self.exchange(number / 10_000)
            && self.dice(2, number / 1_000) % 100 < 35
            && self.dice(3, number) % 65_536 < self.density
    }
    fn exchanges(&self) -> impl Iterator<Item = u64> + '_ {
        let of = |code: &u64| (1_000_000 + code * 1_000 + 200)..(1_000_000 + code * 1_000 + 1_000);
        self.codes.iter().flat_map(of).filter(|exchange| self.exchange(*exchange))
    }
}

fn about(version: &str) -> About {
    About { name: "bench".into(), version: version.into(), as_of: Timestamp::from_secs(1_795_000_000) }
}

fn open(path: &Path) -> Set {
    Set::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Bytes of this process in memory that belong to files and to the heap.
fn resident() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
    };
    (of("RssFile:"), of("RssAnon:"))
}

/// Runs the bench.
///
/// # Panics
/// If an answer is wrong.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let wanted: u64 =
        opts.get("numbers", opts.pick(2_000_000, 250_000_000, 250_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let lookups: usize = opts.pick(500_000, 5_000_000, 20_000_000);
    let full = wanted >= 250_000_000;
    let case = format!("{} million", wanted / 1_000_000);
    let row = |metric: &str, value: f64, unit: &str| Measurement::lower("dnc", case.clone(), metric, value, unit);
    let dir = std::env::temp_dir().join(format!("autocall-bench-dnc-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for the file");
    let path: PathBuf = dir.join("list.dnc");
    let plan = Plan::new(opts.seed, wanted);
    let mut rows = Vec::new();

    let (built, listed) = time(|| build(&plan, &path));
    let bytes = std::fs::metadata(&path).expect("written").len() as f64;
    rows.push(Measurement::higher("dnc", case.clone(), "numbers", listed as f64, "numbers"));
    rows.push(row("build_s", built.wall.as_secs_f64(), "s"));
    rows.push(row("file_bytes", bytes, "B"));

    let before = resident();
    let (opened, set) = time(|| open(&path));
    assert_eq!(set.len(), listed, "every number is in the file");
    rows.push(row("open_s", opened.wall.as_secs_f64(), "s").goal(1.0));

    rows.extend(look_up(&plan, &set, lookups, &case, opts, full));
    let after = resident();
    let grown = (after.0 - before.0).max(0.0) + (after.1 - before.1).max(0.0);
    // The lists of numbers that were asked for are the bench's own.
    let own = lookups as f64 * 2.0 * (8.0 + 1.0);
    let resident = row("resident_bytes", (grown - own).max(bytes), "B");
    rows.push(if full { resident.goal(300e6) } else { resident });

    rows.extend(delta(&plan, &set, &path, &case, opts));
    drop(set);
    std::fs::remove_dir_all(&dir).expect("our own folder");
    rows
}

fn build(plan: &Plan, path: &Path) -> u64 {
    let mut builder = Builder::new();
    let mut listed = 0;
    for exchange in plan.exchanges() {
        for number in exchange * 10_000..(exchange + 1) * 10_000 {
            if plan.listed(number) {
                builder.insert(Phone::from_digits(number).expect("eleven digits"));
                listed += 1;
            }
        }
    }
    builder.write(path, about("1")).expect("written");
    listed
}

fn look_up(plan: &Plan, set: &Set, lookups: usize, case: &str, opts: &Opts, full: bool) -> Vec<Measurement> {
    let exchanges: Vec<u64> = plan.exchanges().collect();
    let random: Vec<Phone> = (0..lookups as u64)
        .map(|i| {
            let exchange = exchanges[(plan.dice(4, i) % exchanges.len() as u64) as usize];
            Phone::from_digits(exchange * 10_000 + plan.dice(5, i) % 10_000).expect("eleven digits")
        })
        .collect();
    let hits = random.iter().filter(|p| plan.listed(p.digits())).count();
    let mut sorted = random.clone();
    sorted.sort_unstable();
    let mut rows = Vec::new();
    let mut out = vec![false; lookups];
    for (order, phones) in [("random", &random), ("sorted", &sorted)] {
        let one = crate::probe::repeat(
            opts.repeats,
            || (),
            |()| phones.iter().filter(|p| set.contains(**p)).count(),
            |found| assert_eq!(found, hits, "every answer is right"),
        );
        let each = crate::probe::repeat(
            opts.repeats,
            || (),
            |()| {
                set.contains_each(phones, &mut out);
                out.iter().filter(|found| **found).count()
            },
            |found| assert_eq!(found, hits, "every answer is right"),
        );
        for (way, samples) in [("one by one", one), ("in batches", each)] {
            let rate = lookups as f64 / samples.median();
            let row =
                Measurement::higher("dnc", format!("{case}, {order}, {way}"), "lookups_per_s", rate, "look-ups/s");
            rows.push(if full { row.goal(30e6) } else { row });
        }
    }
    rows
}

fn delta(plan: &Plan, set: &Set, path: &Path, case: &str, opts: &Opts) -> Vec<Measurement> {
    let changes: u64 = opts.pick(100_000, 1_000_000, 1_000_000);
    let exchanges: Vec<u64> = plan.exchanges().collect();
    let mut delta = Delta::default();
    let mut last = std::collections::HashMap::new();
    for i in 0..changes {
        let exchange = exchanges[(plan.dice(6, i) % exchanges.len() as u64) as usize];
        let phone = Phone::from_digits(exchange * 10_000 + plan.dice(7, i) % 10_000).expect("eleven digits");
        let add = i % 2 == 0;
        if add {
            delta.add(phone)
        } else {
            delta.remove(phone)
        }
        last.insert(phone, add);
    }
    let (applied, ()) = time(|| delta.apply(set, path, about("2")).expect("written"));
    let new = open(path);
    assert!(last.iter().all(|(phone, add)| new.contains(*phone) == *add), "every change is in the new file");
    let row = Measurement::lower("dnc", case.to_owned(), "delta_of_1_million_s", applied.wall.as_secs_f64(), "s");
    vec![if changes == 1_000_000 { row.goal(10.0) } else { Measurement { metric: "delta_s".into(), ..row } }]
}
