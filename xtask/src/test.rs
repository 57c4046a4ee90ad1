//! `cargo xtask test`: runs the parts, keeps their logs, adds up.

use crate::checks;
use crate::need::{Installer, Need, shown};
use crate::parts::{APART, FEATURES, PARTS, Part, Step, Tests, find};
use crate::place::{Place, require_all};
use crate::tally::Tally;
use clap::Args;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How many lines of a failed step's log are shown.
const TAIL_LINES: usize = 150;

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Installs what is missing: Debian, Python, npm and cargo packages.
    #[arg(long)]
    pub(crate) install: bool,
    /// Runs only this part; may be repeated.
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<String>,
    /// Lists the parts and what they need, and runs nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Shows everything that the steps print, as they print it.
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// A part or test that is left out is a failure; the same as CI=true.
    #[arg(long)]
    pub(crate) require_all: bool,
}

/// What became of a part.
struct Report {
    part: &'static Part,
    tally: Tally,
    /// Why the part as a whole is not right, beyond tests that failed.
    problems: Vec<String>,
    missing: Vec<Need>,
    /// What a reader should know though nothing is wrong.
    note: Option<String>,
    seconds: f64,
}

impl Report {
    fn new(part: &'static Part) -> Report {
        let (problems, missing) = (Vec::new(), Vec::new());
        Report { part, tally: Tally::default(), problems, missing, note: None, seconds: 0.0 }
    }
}

/// Runs the parts; `Ok(true)` if everything passed that had to.
pub(crate) fn run(place: &Place, options: &Options) -> Result<bool, String> {
    let chosen = choose(&options.only)?;
    if options.list {
        list(place, &chosen);
        return Ok(true);
    }
    fs::create_dir_all(place.logs()).map_err(|e| format!("{}: {e}", place.logs().display()))?;
    let _ = fs::remove_file(place.skips());

    let runner = Runner {
        place,
        whole: options.only.is_empty(),
        verbose: options.verbose,
        require_all: options.require_all || require_all(),
    };
    let installer = options.install.then(|| Installer::new(place));
    let start = Instant::now();
    let mut reports = Vec::new();
    for part in chosen {
        let report = runner.part(part, installer.as_ref())?;
        println!("{}", line(&report));
        reports.push(report);
    }
    Ok(close(place, &reports, start.elapsed().as_secs_f64()))
}

fn choose(only: &[String]) -> Result<Vec<&'static Part>, String> {
    if only.is_empty() {
        return Ok(PARTS.iter().collect());
    }
    let names = || PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
    only.iter()
        .map(|name| find(name).ok_or_else(|| format!("no part is named {name}; there are {}", names())))
        .collect()
}

fn list(place: &Place, parts: &[&Part]) {
    for part in parts {
        println!("{:<9} {}", part.name, part.about);
        for need in part.needs {
            let state = if need.present(place) { "here" } else { "MISSING" };
            println!("{:<9}   needs {} ({state})", "", need.name());
        }
        if let Some(reason) = part.empty {
            println!("{:<9}   may run no test: {reason}", "");
        }
    }
}

/// One line on a part that has ended.
fn line(report: &Report) -> String {
    let Tally { passed, failed, skipped } = report.tally;
    let verdict = match report {
        _ if failed > 0 || !report.problems.is_empty() => "FAILED",
        _ if !report.missing.is_empty() => "missing",
        Report { note: Some(_), .. } => "empty",
        _ => "ok",
    };
    let mut text = format!("{:<9} {verdict:<8} {passed:>5} passed", report.part.name);
    if failed > 0 {
        let _ = write!(text, ", {failed} failed");
    }
    if skipped > 0 {
        let _ = write!(text, ", {skipped} skipped");
    }
    let _ = write!(text, "  {:.1} s", report.seconds);
    for remark in report.problems.iter().chain(&report.note) {
        let _ = write!(text, "\n{:<9}   {remark}", "");
    }
    text
}

/// Prints what was missing and the closing line; whether all is well.
fn close(place: &Place, reports: &[Report], seconds: f64) -> bool {
    let mut sum = Tally::default();
    let mut well = true;
    for report in reports {
        sum += report.tally;
        if !report.problems.is_empty() {
            // A part that is not right as a whole is one more failure, so that the sum shows it.
            sum += Tally::one(false);
            well = false;
        }
    }
    let missing: Vec<&Report> = reports.iter().filter(|report| !report.missing.is_empty()).collect();
    for report in &missing {
        let names: Vec<String> = report.missing.iter().map(|need| need.name()).collect();
        println!("missing for {}: {}", report.part.name, names.join(", "));
    }
    if !missing.is_empty() {
        println!("install them, or run: cargo xtask test --install");
    }
    for left_out in fs::read_to_string(place.skips()).unwrap_or_default().lines() {
        println!("left out: {left_out}");
    }
    println!("{} parts in {:.0} min {:.0} s", reports.len(), (seconds / 60.0).floor(), seconds % 60.0);
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    well && sum.failed == 0
}

struct Runner<'a> {
    place: &'a Place,
    /// Whether all parts run. Then packages are built together and tests chosen by filter, so
    /// that dependencies are built with one set of features; otherwise only what is asked for
    /// is built.
    whole: bool,
    verbose: bool,
    /// Whether what is left out is a failure.
    require_all: bool,
}

impl Runner<'_> {
    fn part(&self, part: &'static Part, installer: Option<&Installer<'_>>) -> Result<Report, String> {
        let start = Instant::now();
        let mut report = Report::new(part);
        if let Some(reason) = part.empty
            && self.nothing_yet(part)?
        {
            report.note = Some(format!("nothing to run yet: {reason}"));
            return Ok(report);
        }
        for need in part.needs.iter().copied().filter(|need| !need.present(self.place)) {
            if let Some(Err(problem)) = installer.map(|installer| installer.install(need)) {
                println!("cannot install {}: {problem}", need.name());
            }
            if !need.optional() && !need.present(self.place) {
                report.missing.push(need);
            }
        }
        let path = self.place.logs().join(format!("{}.log", part.name));
        let mut log = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let skips_before = self.skips();
        for step in part.steps {
            let tally = self.step(step, &mut log)?;
            if matches!(step, Step::Tests(_)) && tally.run() == 0 && part.empty.is_none() {
                report.problems.push("no test was run".into());
            }
            report.tally += tally;
        }
        report.tally.skipped += self.skips() - skips_before;
        if self.require_all {
            for need in &report.missing {
                report.problems.push(format!("{} is missing, and nothing may be left out here", need.name()));
            }
            if self.skips() > skips_before {
                report.problems.push("tests were left out, and nothing may be left out here".into());
            }
        }
        report.seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Whether the part has test binaries of its own and none of them is written yet.
    fn nothing_yet(&self, part: &Part) -> Result<bool, String> {
        let members = checks::members(self.place)?;
        Ok(part.steps.iter().all(|step| match step {
            Step::Tests(tests @ Tests::Named(..)) => filter(*tests, &members).is_none(),
            _ => false,
        }))
    }

    /// How many tests have noted so far that they left something out.
    fn skips(&self) -> u64 {
        fs::read_to_string(self.place.skips()).unwrap_or_default().lines().count() as u64
    }

    fn step(&self, step: &Step, log: &mut File) -> Result<Tally, String> {
        match step {
            Step::Cargo(args) => Ok(Tally::one(self.stream(self.place.cargo().args(*args), log)?.ok)),
            Step::CargoWith(variable, value, args) => {
                Ok(Tally::one(self.stream(self.place.cargo().env(variable, value).args(*args), log)?.ok))
            }
            Step::DocTests => {
                let mut cargo = self.place.cargo();
                cargo.args(["test", "--doc", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
                self.tests_of(&mut cargo, log)
            }
            Step::Tests(tests) => self.tests(*tests, log),
            Step::Own(check) => {
                let (passed, text) = match check(self.place) {
                    Ok(text) => (true, text),
                    Err(text) => (false, text),
                };
                let _ = writeln!(log, "{text}");
                if !passed || self.verbose {
                    println!("{text}");
                }
                Ok(Tally::one(passed))
            }
        }
    }

    fn tests(&self, tests: Tests, log: &mut File) -> Result<Tally, String> {
        if !Need::Nextest.present(self.place) {
            return self.plain_tests(tests, log);
        }
        let members = checks::members(self.place)?;
        let Some(filter) = filter(tests, &members) else { return Ok(Tally::default()) };
        let scope = self.scope(tests, &members);
        let mut cargo = self.place.cargo();
        cargo.args(["nextest", "run", "--no-tests=pass", "--no-fail-fast", "--show-progress=none"]);
        cargo.args(["--status-level=slow", "--final-status-level=fail", "--failure-output=final"]);
        cargo.args(&scope).args(["-E", &filter]);
        let mut tally = self.tests_of(&mut cargo, log)?;
        tally.skipped += self.ignored(&scope, &filter);
        Ok(tally)
    }

    /// Which packages are built, with which features.
    fn scope(&self, tests: Tests, members: &[checks::Package]) -> Vec<&'static str> {
        let packages: Vec<&'static str> = match tests {
            _ if self.whole => Vec::new(),
            Tests::Of(packages) => packages.to_vec(),
            Tests::Named(prefix, packages) => {
                let has = |name: &str| !binaries(members, Some(&[name]), &[prefix]).is_empty();
                packages.iter().copied().filter(|name| has(name)).collect()
            }
            Tests::Golden => Vec::new(),
        };
        if packages.is_empty() {
            return vec!["--workspace", "--features", FEATURES];
        }
        let mut scope: Vec<&str> = packages.iter().flat_map(|package| ["-p", package]).collect();
        if packages.iter().any(|package| FEATURES.starts_with(package)) {
            scope.extend(["--features", FEATURES]);
        }
        scope
    }

    /// How many of the chosen tests are marked as ignored. Nextest's own number of skipped tests
    /// counts all that a filter leaves out.
    fn ignored(&self, scope: &[&str], filter: &str) -> u64 {
        let mut cargo = self.place.cargo();
        cargo.args(["nextest", "list", "--message-format=json", "--run-ignored=only"]);
        cargo.args(scope).args(["-E", filter]);
        let Ok(out) = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output() else { return 0 };
        let Ok(list) = serde_json::from_slice::<serde_json::Value>(&out.stdout) else { return 0 };
        let suites = list["rust-suites"].as_object().into_iter().flat_map(|suites| suites.values());
        let cases = suites.filter_map(|suite| suite["testcases"].as_object()).flat_map(|cases| cases.values());
        cases.filter(|case| case["ignored"] == true && case["filter-match"]["status"] == "matches").count() as u64
    }

    /// The same tests by `cargo test`, which has no filter by package or binary.
    fn plain_tests(&self, tests: Tests, log: &mut File) -> Result<Tally, String> {
        let mut sum = Tally::default();
        for package in checks::members(self.place)? {
            let Some(targets) = plain_targets(tests, &package) else { continue };
            let mut cargo = self.place.cargo();
            cargo.args(["test", "--no-fail-fast", "-p", &package.name]).args(targets);
            if FEATURES.starts_with(&package.name) {
                cargo.args(["--features", FEATURES]);
            }
            match tests {
                Tests::Golden => cargo.arg("golden"),
                _ => cargo.args(["--", "--skip", "golden"]),
            };
            sum += self.tests_of(&mut cargo, log)?;
        }
        Ok(sum)
    }

    /// Runs a test command. One that fails without a failed test (it did not build, it crashed)
    /// is a failure of its own.
    fn tests_of(&self, command: &mut Command, log: &mut File) -> Result<Tally, String> {
        let streamed = self.stream(command, log)?;
        let mut tally = Tally::read(&streamed.text);
        if !streamed.ok && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok(tally)
    }

    /// Runs a command, with its output in the log; shows the end of it if the command fails.
    fn stream(&self, command: &mut Command, log: &mut File) -> Result<Streamed, String> {
        let shown = shown(command);
        let _ = writeln!(log, "$ {shown}");
        if self.verbose {
            println!("$ {shown}");
        }
        if self.require_all {
            command.env("AUTOCALL_REQUIRE_ALL", "1");
            // The same cases on every run: what fails is the change, not the day. Fuzzing and soaks roll new dice.
            if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
                command.env("PROPTEST_RNG_SEED", "1");
            }
        }
        let io = |problem: std::io::Error| format!("{shown}: {problem}");
        let (read, write) = std::io::pipe().map_err(io)?;
        command.stdin(Stdio::null()).stdout(write.try_clone().map_err(io)?).stderr(write);
        let mut child = command.spawn().map_err(io)?;
        // The command keeps our ends of the pipe open until it gets others.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut text = String::new();
        let mut reader = BufReader::new(read);
        let mut raw = Vec::new();
        while reader.read_until(b'\n', &mut raw).map_err(io)? > 0 {
            let line = String::from_utf8_lossy(&raw);
            let _ = log.write_all(line.as_bytes());
            if self.verbose {
                print!("{line}");
            }
            text.push_str(&line);
            raw.clear();
        }
        let ok = child.wait().map_err(io)?.success();
        if !ok && !self.verbose {
            println!("$ {shown}");
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            if from > 0 {
                println!("[{from} lines before these are in {}]", self.place.logs().display());
            }
            println!("{}", lines[from..].join("\n"));
        }
        Ok(Streamed { ok, text })
    }
}

struct Streamed {
    ok: bool,
    text: String,
}

/// The choice as nextest's filter expression; `None` if no test binary is meant. Nextest refuses
/// an expression that names a binary that does not exist, so only those that do are named.
fn filter(tests: Tests, members: &[checks::Package]) -> Option<String> {
    let any = |function: &str, names: &[&str]| {
        let terms: Vec<String> = names.iter().map(|name| format!("{function}(={name})")).collect();
        format!("({})", terms.join(" + "))
    };
    let but = |apart: &[&str]| if apart.is_empty() { String::new() } else { format!(" - {}", any("binary", apart)) };
    match tests {
        Tests::Of(names) => {
            Some(format!("{} - test(golden){}", any("package", names), but(&binaries(members, Some(names), APART))))
        }
        Tests::Named(prefix, names) => match &binaries(members, Some(names), &[prefix])[..] {
            [] => None,
            named => Some(format!("{} & {}", any("package", names), any("binary", named))),
        },
        Tests::Golden => Some(format!("test(golden){}", but(&binaries(members, None, APART)))),
    }
}

/// The test binaries of these packages (or of all) whose name begins with one of the prefixes.
fn binaries<'a>(members: &'a [checks::Package], packages: Option<&[&str]>, prefixes: &[&str]) -> Vec<&'a str> {
    let of = members.iter().filter(|member| packages.is_none_or(|names| names.contains(&member.name.as_str())));
    let names = of.flat_map(|member| &member.targets).filter(|target| target.is("test")).map(|t| t.name.as_str());
    names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
}

/// The choice as target options of `cargo test`; `None` if the package has nothing to run.
fn plain_targets(tests: Tests, package: &checks::Package) -> Option<Vec<String>> {
    let apart = |name: &str| APART.iter().any(|prefix| name.starts_with(prefix));
    let wanted = match tests {
        Tests::Of(names) | Tests::Named(_, names) => names.contains(&package.name.as_str()),
        Tests::Golden => true,
    };
    if !wanted {
        return None;
    }
    let mut options = Vec::new();
    for target in &package.targets {
        let named = matches!(tests, Tests::Named(prefix, _) if target.name.starts_with(prefix));
        match tests {
            Tests::Named(..) if target.is("test") && named => {
                options.extend(["--test".to_owned(), target.name.clone()])
            }
            Tests::Named(..) => {}
            _ if target.is("test") && !apart(&target.name) => {
                options.extend(["--test".to_owned(), target.name.clone()])
            }
            _ if target.is("lib") => options.push("--lib".to_owned()),
            _ if target.is("bin") => options.extend(["--bin".to_owned(), target.name.clone()]),
            _ => {}
        }
    }
    (!options.is_empty()).then_some(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Package, Target};

    fn package() -> Package {
        let target = |name: &str, kind: &str| Target { name: name.into(), kind: vec![kind.into()] };
        let targets = vec![
            target("autocall", "bin"),
            target("routes", "test"),
            target("browser_console", "test"),
            target("build-script-build", "custom-build"),
        ];
        Package { name: "autocall-server".into(), targets, ..Package::default() }
    }

    #[test]
    fn filters_keep_documents_and_apart_tests_out_of_the_ordinary_ones() {
        let filter = |tests| filter(tests, &[package()]);
        let of = filter(Tests::Of(&["autocall-server", "b"]));
        let expected = "(package(=autocall-server) + package(=b)) - test(golden) - (binary(=browser_console))";
        assert_eq!(of.as_deref(), Some(expected));
        assert_eq!(filter(Tests::Of(&["b"])).as_deref(), Some("(package(=b)) - test(golden)"), "b has no such binary");
        let named = filter(Tests::Named("browser", &["autocall-server"]));
        assert_eq!(named.as_deref(), Some("(package(=autocall-server)) & (binary(=browser_console))"));
        assert_eq!(filter(Tests::Named("contract", &["autocall-server"])), None);
        assert_eq!(filter(Tests::Golden).as_deref(), Some("test(golden) - (binary(=browser_console))"));
    }

    #[test]
    fn without_nextest_the_same_targets_are_named() {
        let options = |tests| plain_targets(tests, &package()).map(|o| o.join(" "));
        assert_eq!(options(Tests::Of(&["autocall-server"])).as_deref(), Some("--bin autocall --test routes"));
        assert_eq!(options(Tests::Named("browser", &["autocall-server"])).as_deref(), Some("--test browser_console"));
        assert_eq!(options(Tests::Named("contract", &["autocall-server"])), None);
        assert_eq!(options(Tests::Of(&["autocall-core"])), None);
        assert_eq!(options(Tests::Golden).as_deref(), Some("--bin autocall --test routes"));
    }

    #[test]
    fn an_unknown_part_is_named_with_the_known_ones() {
        let problem = choose(&["cor".into()]).map(|_| ()).expect_err("unknown");
        assert!(problem.contains("cor;") && problem.contains("core"), "{problem}");
    }

    #[test]
    fn a_part_that_is_not_right_as_a_whole_says_so_in_its_line() {
        let mut report = Report::new(find("core").expect("listed"));
        report.tally = Tally { passed: 3, failed: 0, skipped: 1 };
        report.seconds = 1.25;
        assert_eq!(line(&report), "core      ok           3 passed, 1 skipped  1.2 s");
        report.missing.push(Need::Postgres);
        assert_eq!(line(&report), "core      missing      3 passed, 1 skipped  1.2 s");
        report.problems.push("no test was run".into());
        assert_eq!(line(&report), "core      FAILED       3 passed, 1 skipped  1.2 s\n            no test was run");
    }
}
