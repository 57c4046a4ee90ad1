//! The test parts, in the order in which they run. Add a line for yours.

use crate::checks;
use crate::need::Need;
use crate::place::Place;

/// One part of `cargo xtask test`.
pub(crate) struct Part {
    /// Its name, for `--only`.
    pub(crate) name: &'static str,
    /// What it shows, in a line.
    pub(crate) about: &'static str,
    /// What it needs beyond the Rust toolchain.
    pub(crate) needs: &'static [Need],
    /// What it runs, in order; a later step runs though an earlier one failed.
    pub(crate) steps: &'static [Step],
    /// `Some(reason)` while the part may find no test to run. A part that runs nothing without
    /// saying why here is a failure.
    pub(crate) empty: Option<&'static str>,
}

/// One step of a part.
pub(crate) enum Step {
    /// Cargo with these arguments. Counts as one check.
    Cargo(&'static [&'static str]),
    /// Cargo with these arguments and this variable. Counts as one check.
    CargoWith(&'static str, &'static str, &'static [&'static str]),
    /// Tests, chosen by [`Tests`].
    Tests(Tests),
    /// Every documentation test.
    DocTests,
    /// A check in this crate. Counts as one check; the text goes to the log.
    Own(fn(&Place) -> Result<String, String>),
}

/// Which tests.
///
/// Tests whose name contains `golden` hold generated documentation against the code and are a
/// part of their own; so are test binaries whose name begins with one of [`APART`].
#[derive(Clone, Copy)]
pub(crate) enum Tests {
    /// The ordinary tests of these packages.
    Of(&'static [&'static str]),
    /// The test binaries of these packages whose name begins so.
    Named(&'static str, &'static [&'static str]),
    /// The golden tests of every package.
    Golden,
}

/// Test binaries (`tests/browser_console.rs`) with a part of their own, for their needs or cost.
pub(crate) const APART: &[&str] = &["browser", "contract"];

/// The features that tests and lints are built with besides the default ones.
pub(crate) const FEATURES: &str = "autocall-core/mocks,autocall-core/phonenumber-engine";

/// Google's phone number data in Python: the independent judge of zones and numbers.
const PHONENUMBERS: Need = Need::Python { import: "phonenumbers", install: "phonenumbers==9.0.43" };
/// Zone data of its own for Python: a machine's may be years old.
const TZDATA: Need = Need::Python { import: "tzdata", install: "tzdata==2026.6" };
/// The carrier's own client library, for signatures and markup.
const TWILIO_PY: Need = Need::Python { import: "twilio", install: "twilio==9.13.0" };
/// Property tests over an OpenAPI description.
const SCHEMATHESIS: Need = Need::Python { import: "schemathesis", install: "schemathesis==4.32.5" };

/// A proxy that holds requests and answers against an OpenAPI description.
const PRISM: Need = Need::Npm { name: "@stoplight/prism-cli", install: "@stoplight/prism-cli@5.16.0" };

/// Every part.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "fmt",
        about: "every file is formatted",
        needs: &[],
        steps: &[Step::Cargo(&["fmt", "--all", "--check"])],
        empty: None,
    },
    Part {
        name: "rules",
        about: "licenses and bans of deny.toml, README, tracked files",
        needs: &[],
        steps: &[Step::Own(checks::dependencies), Step::Tests(Tests::Of(&["xtask"]))],
        empty: None,
    },
    Part {
        name: "clippy",
        about: "no warning anywhere; the core also bare",
        needs: &[],
        steps: &[
            Step::Cargo(&[
                "clippy",
                "--workspace",
                "--keep-going",
                "--all-targets",
                "--features",
                FEATURES,
                "--",
                "-D",
                "warnings",
            ]),
            Step::Cargo(&["clippy", "-p", "autocall-core", "--no-default-features", "--", "-D", "warnings"]),
        ],
        empty: None,
    },
    Part {
        name: "build",
        about: "every test builds",
        needs: &[],
        steps: &[Step::Cargo(&["test", "--no-run", "--workspace", "--features", FEATURES])],
        empty: None,
    },
    Part {
        name: "core",
        about: "the machines, pacing, permission, import, engine; do-not-call files",
        needs: &[Need::Nextest, PHONENUMBERS],
        steps: &[Step::Tests(Tests::Of(&["autocall-core", "autocall-dnc"]))],
        empty: None,
    },
    Part {
        name: "testkit",
        about: "fake and simulated carriers, the fault simulator and its sabotage suite",
        needs: &[Need::Nextest, PHONENUMBERS, TZDATA],
        steps: &[Step::Tests(Tests::Of(&["autocall-testkit"]))],
        empty: None,
    },
    Part {
        name: "stores",
        about: "Postgres and SQLite against the conformance suite",
        needs: &[Need::Nextest, Need::Postgres],
        steps: &[Step::Tests(Tests::Of(&["autocall-sql", "autocall-store-postgres", "autocall-store-sqlite"]))],
        empty: None,
    },
    Part {
        name: "twilio",
        about: "the Twilio adapter and its fake",
        needs: &[Need::Nextest],
        steps: &[Step::Tests(Tests::Of(&["autocall-twilio"]))],
        empty: None,
    },
    Part {
        name: "server",
        about: "the reference server, its routes, the trial mode; benches and examples",
        needs: &[Need::Nextest, Need::Postgres, Need::Nats],
        steps: &[Step::Tests(Tests::Of(&["autocall-server", "autocall-benches", "autocall-examples"]))],
        empty: None,
    },
    Part {
        name: "browser",
        about: "journeys through the console in a real browser",
        needs: &[Need::Nextest, Need::Chromium],
        steps: &[Step::Tests(Tests::Named("browser", &["autocall-server"]))],
        empty: Some("the console comes with a later issue"),
    },
    Part {
        name: "contract",
        about: "the carrier's published contract and client libraries; our OpenAPI under fire",
        needs: &[Need::Nextest, Need::Node, PRISM, TWILIO_PY, SCHEMATHESIS],
        steps: &[Step::Tests(Tests::Named("contract", &["autocall-twilio", "autocall-server"]))],
        empty: None,
    },
    Part {
        name: "docs",
        about: "golden documents, documentation tests, links in the documentation",
        needs: &[Need::Nextest],
        steps: &[
            Step::Tests(Tests::Golden),
            Step::DocTests,
            Step::CargoWith(
                "RUSTDOCFLAGS",
                "-D warnings",
                &["doc", "--workspace", "--no-deps", "--features", FEATURES],
            ),
        ],
        empty: None,
    },
    Part {
        name: "readme",
        about: "the README's main command: the server starts, somebody signs in, it ends",
        needs: &[],
        steps: &[Step::Own(checks::readme_main)],
        empty: None,
    },
];

/// Finds a part by name.
pub(crate) fn find(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_package_is_tested_by_exactly_one_part() {
        let place = Place::find().expect("a workspace");
        let mut claimed: Vec<&str> = Vec::new();
        for part in PARTS {
            for step in part.steps {
                if let Step::Tests(Tests::Of(packages)) = step {
                    claimed.extend(*packages);
                }
            }
        }
        let unique: BTreeSet<&str> = claimed.iter().copied().collect();
        assert_eq!(claimed.len(), unique.len(), "a package is tested twice: {claimed:?}");
        let packages = checks::members(&place).expect("cargo metadata works");
        let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(unique, members, "the parts and the workspace's members differ");
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = PARTS.iter().map(|part| part.name).collect();
        assert_eq!(names.len(), PARTS.len());
        assert!(names.iter().all(|name| find(name).is_some()));
    }
}
