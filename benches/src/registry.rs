//! Every bench by name.

use crate::{Measurement, Opts};

/// One bench.
pub struct Bench {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it measures, in a line.
    pub about: &'static str,
    /// The `--set` keys that it understands, each with what it means.
    pub keys: &'static [(&'static str, &'static str)],
    /// Runs it. Panics when the timed work was not done.
    pub run: fn(&Opts) -> Vec<Measurement>,
}

/// The benches, in the order in which `all` runs them. Add a line for yours.
pub static BENCHES: &[Bench] = &[
    Bench {
        name: "phone",
        about: "telephone numbers: reading, redacted printing",
        keys: &[("numbers", "how many different numbers per repeat")],
        run: crate::phone::run,
    },
    Bench {
        name: "engine",
        about: "complete call lives on one core, bytes per live call, instructions per decision",
        keys: &[("leads", "leads per repeat"), ("probe", "run only one decision, NAME:ROUNDS; for callgrind")],
        run: crate::engine::run,
    },
    Bench {
        name: "import",
        about: "CSV import on one core against the bare csv reader",
        keys: &[("rows", "rows of each list")],
        run: crate::import::run,
    },
    Bench {
        name: "permission",
        about: "one verdict with all US rules on, inputs in memory",
        keys: &[("people", "how many different people")],
        run: crate::permission::run,
    },
    Bench {
        name: "planning",
        about: "the next 100 leads of lists of any size; verdicts per dial over a day",
        keys: &[("leads", "leads of the long list")],
        run: crate::planning::run,
    },
    Bench {
        name: "dnc",
        about: "a do-not-call registry of 250 million numbers",
        keys: &[("numbers", "how many numbers on the list")],
        run: crate::dnc::run,
    },
    Bench {
        name: "twilio",
        about: "from the detector's verdict to the last request to the carrier, standing agents, over HTTP",
        keys: &[("rate", "verdicts per second"), ("seconds", "for how long")],
        run: crate::twilio::run,
    },
    Bench {
        name: "pacing",
        about: "the pacer beside the exact optimum and other dialers; cost of a decision",
        keys: &[
            ("cells", "only cells whose names contain one of these, separated by commas"),
            ("days", "days in each cell, instead of the scale's own"),
            ("share", "days in each cell, as a part of the published run's: 0.05"),
            ("part", "1/2: the first of two halves of the cells, for two processes with a file each"),
            ("resume", "a file of results: what stands there is not run again"),
            ("draw", "a folder to draw the figures into"),
        ],
        run: crate::pacing::run,
    },
    Bench {
        name: "store",
        about: "the Postgres store beside pgbench, COPY and the usual dispatcher, in one run",
        keys: &[
            ("only", "cases, separated by commas: dispatch, commits, claim, due, fleet, import, big"),
            ("peers", "the folder of the baseline stack to compare with"),
            ("rows", "rows of the imported list"),
            ("big", "leads of the big list"),
        ],
        run: crate::store::run,
    },
    Bench {
        name: "server",
        about: "the server on Postgres: signed webhooks, uploads, consoles; beside pgbench and the baseline stack",
        keys: &[
            ("case", "only these, separated by commas: webhooks, uploads, consoles"),
            ("baseline", "the folder of the baseline stack, its npm packages installed"),
            ("rows", "leads of the upload"),
            ("consoles", "how many consoles"),
        ],
        run: crate::server::run,
    },
    Bench {
        name: "overload",
        about: "three times the server's capacity: nothing lost, whoever listens is answered",
        keys: &[],
        run: crate::server::run_overload,
    },
];

/// Finds a bench by name.
pub fn find(name: &str) -> Option<&'static Bench> {
    BENCHES.iter().find(|bench| bench.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;

    #[test]
    fn names_are_unique_and_findable() {
        for bench in BENCHES {
            assert!(std::ptr::eq(find(bench.name).expect("listed"), bench), "{} is listed twice", bench.name);
        }
        assert!(find("no such bench").is_none());
    }

    #[test]
    fn the_cheap_bench_reports_under_its_own_name() {
        let opts = Opts { scale: Scale::Short, repeats: 1, ..Opts::default() };
        let rows = crate::phone::run(&opts);
        assert!(!rows.is_empty());
        assert!(rows.iter().all(|row| row.bench == "phone" && row.value.is_finite() && row.value > 0.0));
    }
}
