//! Adding up what test runners print.

use std::ops::AddAssign;

/// How many tests passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One check that passed or failed.
    pub(crate) fn one(passed: bool) -> Tally {
        Tally { passed: u64::from(passed), failed: u64::from(!passed), skipped: 0 }
    }

    /// Reads the closing lines of `cargo nextest run` and `cargo test`.
    ///
    /// Nextest counts everything that a filter left out as skipped, so its number of skipped
    /// tests is not used; `cargo test` counts ignored tests apart from filtered ones.
    ///
    /// A failed test under nextest is shown with what its own process printed, which has a closing
    /// line too; so where there is a line of nextest only those count.
    pub(crate) fn read(log: &str) -> Tally {
        let mut sum = Tally::default();
        let nextest = log.lines().any(|line| line.trim().starts_with("Summary ["));
        for line in log.lines() {
            let line = line.trim();
            if line.starts_with("Summary [") {
                let Some((_, counts)) = line.split_once("tests run:").or_else(|| line.split_once("test run:")) else {
                    continue;
                };
                let counts = without_brackets(counts);
                sum.passed += count(&counts, "passed");
                sum.failed +=
                    ["failed", "timed out", "exec failed", "errored"].map(|w| count(&counts, w)).iter().sum::<u64>();
            } else if let Some(rest) = line.strip_prefix("test result:").filter(|_| !nextest) {
                sum.passed += count(rest, "passed");
                sum.failed += count(rest, "failed");
                sum.skipped += count(rest, "ignored");
            }
        }
        sum
    }

    /// How many tests were run.
    pub(crate) fn run(self) -> u64 {
        self.passed + self.failed
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `11 passed (2 slow), 1 failed` without the part in brackets.
fn without_brackets(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// The number before `word` in a list such as `ok. 3 passed; 0 failed` or `3 passed, 1 failed`.
fn count(text: &str, word: &str) -> u64 {
    text.split([',', ';', '.']).filter_map(|item| item.trim().strip_suffix(word)?.trim().parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn nextest_lines_are_read() {
        let read = |line: &str| Tally::read(line);
        assert_eq!(read("     Summary [   0.074s] 11 tests run: 11 passed, 0 skipped"), tally(11, 0, 0));
        assert_eq!(read("     Summary [   1.0s] 1 test run: 1 passed, 40 skipped"), tally(1, 0, 0));
        let mixed = "     Summary [  63.2s] 9/11 tests run: 5 passed (2 slow, 1 leaky), 2 failed, 1 timed out, 1 exec failed, 7 skipped";
        assert_eq!(read(mixed), tally(5, 4, 0));
    }

    #[test]
    fn cargo_test_lines_are_summed() {
        let log = "\
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 10 filtered out; finished in 0.00s
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 3.45s
all doctests ran in 0.39s; merged doctests compilation took 0.26s
";
        assert_eq!(Tally::read(log), tally(5, 1, 1));
    }

    #[test]
    fn a_failure_is_not_counted_again_where_nextest_shows_it() {
        let log = "\
     Summary [   2.259s] 29 tests run: 28 passed, 1 failed, 0 skipped
    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 6 filtered out; finished in 0.48s
";
        assert_eq!(Tally::read(log), tally(28, 1, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Tally::read("3 passed\nSummary: 5 passed\nrunning 4 tests\n"), Tally::default());
    }
}
