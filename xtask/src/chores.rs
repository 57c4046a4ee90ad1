//! The chores that build one of the project's programs and hand the arguments on.

use crate::checks;
use crate::need::Need;
use crate::parts;
use crate::place::Place;
use crate::test;
use clap::Args;
use std::process::Command;

/// Arguments that are handed on as they are.
#[derive(Args)]
pub(crate) struct Rest {
    /// Handed on to the program; `--help` there explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Options of `cargo xtask contract`.
#[derive(Args)]
pub(crate) struct Contract {
    /// Installs what is missing.
    #[arg(long)]
    install: bool,
}

/// Options of `cargo xtask mutants`.
#[derive(Args)]
pub(crate) struct Mutants {
    /// Which modules; without a name they are listed.
    part: Option<String>,
    /// Installs cargo-mutants if it is missing.
    #[arg(long)]
    install: bool,
    /// Handed on to cargo-mutants.
    #[arg(last = true)]
    args: Vec<String>,
}

/// What mutation testing works on.
struct Mutated {
    name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
    /// The test binaries that judge it; all of the package's where none is named. Fewer are built
    /// faster, and there are hundreds of mutants.
    tests: &'static [&'static str],
    /// Tests that say nothing about it, by a part of their names: they take most of the time.
    skip: &'static [&'static str],
}

const MUTATED: &[Mutated] = &[
    Mutated {
        name: "machines",
        package: "autocall-core",
        files: &["src/call/**", "src/lead/**", "src/agent/**", "src/campaign/**", "src/script.rs", "src/outcome.rs"],
        tests: &[
            "agent",
            "call_left_alone",
            "calls",
            "campaign",
            "engine",
            "golden_machines",
            "lead",
            "lib",
            "machine_laws",
            "outcomes",
        ],
        skip: &["pacing::", "zones::", "import::", "permission::", "phone::", "planning::"],
    },
    Mutated {
        name: "pacing",
        package: "autocall-core",
        files: &["src/pacing/**"],
        tests: &["lib", "pacing_in_the_engine"],
        skip: &["zones::", "import::", "permission::", "phone::", "planning::"],
    },
    Mutated {
        name: "permission",
        package: "autocall-core",
        files: &["src/permission/**", "src/zones/**", "src/planning/**"],
        tests: &["engine", "lib", "permission", "planning"],
        skip: &["pacing::", "import::", "phone::"],
    },
    Mutated {
        name: "import",
        package: "autocall-core",
        files: &["src/import/**", "src/phone/**"],
        tests: &[],
        skip: &[],
    },
    Mutated { name: "engine", package: "autocall-core", files: &["src/engine/**"], tests: &[], skip: &[] },
    Mutated { name: "dnc", package: "autocall-dnc", files: &["src/**"], tests: &[], skip: &[] },
    Mutated { name: "twilio", package: "autocall-twilio", files: &["src/**"], tests: &[], skip: &[] },
];

/// `cargo xtask bench`.
pub(crate) fn bench(place: &Place, rest: &Rest) -> Result<bool, String> {
    // These start the server as a process.
    if rest.args.iter().any(|name| matches!(name.as_str(), "server" | "overload" | "all")) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--manifest-path"]).arg(place.root.join("Cargo.toml"));
        if !status(cargo.args(["-p", "autocall-server", "--bin", "autocall"]))? {
            return Ok(false);
        }
    }
    program(place, "autocall-benches", "autocall-bench", &rest.args)
}

/// `cargo xtask soak`. `stores` and `server` kill processes; `law` is the fault simulator with the rule
/// packs on, judged by the independent checker; everything else is the fault simulator's.
pub(crate) fn soak(place: &Place, rest: &Rest) -> Result<bool, String> {
    match rest.args.first().map(String::as_str) {
        Some("stores") => soak_kills(place, "autocall-store-postgres", "nothing_is_lost"),
        Some("server") => soak_kills(place, "autocall-server", "no_attempt_is_dialled_twice"),
        Some("law") => program(place, "autocall-testkit", "autocall-law", &rest.args[1..]),
        _ => program(place, "autocall-testkit", "autocall-soak", &rest.args),
    }
}

/// Nodes and a Postgres that die, 200 times unless `AUTOCALL_KILLS` says otherwise; the test of that
/// name of a package, in its long version.
fn soak_kills(place: &Place, package: &str, name: &str) -> Result<bool, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet", "--manifest-path"]).arg(place.root.join("Cargo.toml"));
    cargo.args(["-p", package, "--test", "kill", "--", "--nocapture", name]);
    if std::env::var_os("AUTOCALL_KILLS").is_none() {
        cargo.env("AUTOCALL_KILLS", "200");
    }
    status(&mut cargo)
}

/// `cargo xtask fuzz`.
pub(crate) fn fuzz(place: &Place, rest: &Rest) -> Result<bool, String> {
    program(place, "autocall-benches", "autocall-fuzz", &rest.args)
}

/// Builds a program with optimization and runs it in the user's folder.
fn program(place: &Place, package: &str, binary: &str, args: &[String]) -> Result<bool, String> {
    let members = checks::members(place)?;
    let mut programs = members.iter().filter(|p| p.name == package).flat_map(|p| &p.targets);
    if !programs.any(|target| target.name == binary && target.is("bin")) {
        return Err(format!("package {package} has no program {binary}"));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--release", "--manifest-path"]).arg(place.root.join("Cargo.toml"));
    cargo.args(["-p", package, "--bin", binary, "--"]).args(args);
    status(&mut cargo)
}

/// `cargo xtask contract`: the test part of that name, with nothing left out and its output shown.
pub(crate) fn contract(place: &Place, options: &Contract) -> Result<bool, String> {
    let only = vec!["contract".to_owned()];
    test::run(place, &test::Options { install: options.install, only, list: false, verbose: true, require_all: true })
}

/// `cargo xtask docs`: golden tests write what they would otherwise compare.
pub(crate) fn docs(place: &Place) -> Result<bool, String> {
    let mut cargo = place.cargo();
    if Need::Nextest.present(place) {
        cargo.args(["nextest", "run", "--workspace", "--features", parts::FEATURES, "-E", "test(golden)"]);
    } else {
        cargo.args(["test", "--workspace", "--features", parts::FEATURES, "--lib", "--bins", "--tests", "golden"]);
    }
    let well = status(cargo.env("AUTOCALL_BLESS", "1"))?;
    // What a person wants to see next is what changed.
    let _ = place.command("git").args(["--no-pager", "diff", "--stat", "--", "docs"]).status();
    Ok(well)
}

/// `cargo xtask mutants`.
pub(crate) fn mutants(place: &Place, options: &Mutants) -> Result<bool, String> {
    let names = || MUTATED.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
    let Some(part) = &options.part else {
        println!("parts: {}", names());
        return Ok(true);
    };
    let Mutated { package, files, tests, skip, .. } = MUTATED
        .iter()
        .find(|known| known.name == part)
        .ok_or_else(|| format!("no part is named {part}; there are {}", names()))?;
    if place.which("cargo-mutants").is_none() {
        if !options.install {
            return Err("cargo-mutants is missing: cargo install --locked cargo-mutants, or add --install".into());
        }
        if !status(place.cargo().args(["install", "--locked", "cargo-mutants"]))? {
            return Err("cargo-mutants cannot be installed".into());
        }
    }
    let out = place.target.join("mutants").join(part);
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let mut cargo = place.cargo();
    cargo.args(["mutants", "--package", package, "--no-shuffle", "--output"]).arg(&out);
    for file in *files {
        cargo.arg("--file").arg(format!("{package}/{file}"));
    }
    for test in *tests {
        // `lib` is the package's own unit tests.
        cargo.arg(if *test == "lib" { "--cargo-arg=--lib".to_owned() } else { format!("--cargo-arg=--test={test}") });
    }
    // Members are built without optimization: a mutant is built once and tested once.
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
    println!("results: {}", out.join("mutants.out").display());
    cargo.args(&options.args);
    if !skip.is_empty() {
        cargo.args(["--", "--"]).args(skip.iter().flat_map(|name| ["--skip", name]));
    }
    status(&mut cargo)
}

fn status(command: &mut Command) -> Result<bool, String> {
    let shown = crate::need::shown(command);
    command.status().map(|status| status.success()).map_err(|problem| format!("{shown}: {problem}"))
}
