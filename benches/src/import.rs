//! CSV import: rows per second on one core, against the bare `csv` reader on the same bytes.
//!
//! The bare reader only finds the cells. The import also decodes, names the columns, reads the
//! numbers, and makes a lead of each row; with the check stage it finds duplicates too.

use crate::lists::{Mix, long};
use crate::probe::{repeat, rss_bytes};
use crate::{Measurement, Opts};
use autocall_core::import::{Check, ImportRules, Row, Verdict, read_all};
use autocall_core::phone::{Country, normalise};

/// The project's goal for the import's rate over the bare reader's.
const RATIO_GOAL: f64 = 0.25;

/// Runs the bench.
///
/// # Panics
/// If a row was not read.
pub fn run(opts: &Opts) -> Vec<Measurement> {
    let rows: usize = opts.get("rows", opts.pick(5_000, 100_000, 1_000_000)).unwrap_or_else(|e| panic!("{e}"));
    let mut found = Vec::new();
    let mixes = [(Mix::Nanp, "us e164"), (Mix::NanpWritten, "us written"), (Mix::Countries, "five countries")];
    for (mix, case) in mixes {
        let list = long(opts.seed, rows, mix);
        let bare = repeat(opts.repeats, || (), |()| bare_cells(&list), |cells| assert_eq!(cells, (rows + 1) * 8));
        let parsed = repeat(opts.repeats, || (), |()| parse(&list), |leads| assert_eq!(leads, rows));
        let checked = repeat(opts.repeats, || (), |()| parse_and_check(&list), |all| assert_eq!(all, rows));
        let rate = |seconds: f64| rows as f64 / seconds;
        let (bare, parsed, checked) = (rate(bare.median()), rate(parsed.median()), rate(checked.median()));
        found.push(Measurement::higher("import", case, "bare_csv_rows_per_s", bare, "rows/s"));
        found.push(Measurement::higher("import", case, "parsed_rows_per_s", parsed, "rows/s"));
        found.push(Measurement::higher("import", case, "checked_rows_per_s", checked, "rows/s"));
        let ratio = Measurement::higher("import", case, "parsed_over_bare", parsed / bare, "");
        // Numbers of other countries need the library's regular expressions: no goal there.
        found.push(if mix == Mix::Countries { ratio } else { ratio.goal(RATIO_GOAL) });
    }
    found.extend(memory(opts));
    found
}

fn bare_cells(list: &[u8]) -> usize {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(list);
    let (mut record, mut cells) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).expect("a clean list") {
        cells += record.len();
    }
    cells
}

fn parse(list: &[u8]) -> usize {
    let mut leads = 0;
    let (tally, _) = read_all(list, ImportRules::default(), |row| leads += usize::from(matches!(row, Row::Lead(_))))
        .expect("a clean list");
    assert_eq!(tally.leads as usize, leads);
    leads
}

/// Rows accepted and rejected as duplicates, with a store that knows nothing.
fn parse_and_check(list: &[u8]) -> usize {
    let (mut check, mut rows) = (Check::new(1_000), 0);
    let verdicts = vec![Verdict::Clear; 3_000];
    let ask = |check: &mut Check| check.answer(&verdicts[..check.phones().len()]).accepted.len();
    read_all(list, ImportRules::default(), |row| {
        let Row::Lead(lead) = row else { return };
        rows += usize::from(check.push(*lead).is_some());
        if check.is_full() {
            rows += ask(&mut check);
        }
    })
    .expect("a clean list");
    rows + ask(&mut check)
}

/// What the library of numbers holds after numbers of many countries, on one thread and on two
/// at once. Run this bench alone: an earlier one may have filled the caches already.
fn memory(opts: &Opts) -> Vec<Measurement> {
    let numbers = opts.pick(2_000, 50_000, 200_000);
    let texts: Vec<(String, Country)> = Country::all()
        .flat_map(|country| {
            (0..numbers / 250).map(move |n| (format!("0{}", 2_000_000_000u64 + n * 7_919_777), country))
        })
        .collect();
    let read = || texts.iter().filter(|(text, country)| normalise(text, *country).is_ok()).count();
    let Some(before) = rss_bytes() else { return Vec::new() };
    let valid = read();
    assert!(valid > 0, "no number was valid: nothing was measured");
    let one = rss_bytes().unwrap_or(before);
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(read)).collect();
        for thread in both {
            assert_eq!(thread.join().expect("no panic"), valid);
        }
    });
    let three = rss_bytes().unwrap_or(one);
    let mib = |from: u64, to: u64| to.saturating_sub(from) as f64 / f64::from(1 << 20);
    vec![
        Measurement::lower("import", "all countries", "first_thread_mib", mib(before, one), "MiB"),
        Measurement::lower("import", "all countries", "two_more_threads_mib", mib(one, three), "MiB"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;

    #[test]
    fn every_case_reports() {
        let opts = Opts { scale: Scale::Short, repeats: 1, ..Opts::default() };
        let rows = run(&opts);
        assert_eq!(rows.iter().filter(|row| row.metric == "parsed_over_bare").count(), 3);
        assert!(rows.iter().all(|row| row.value.is_finite()));
    }
}
