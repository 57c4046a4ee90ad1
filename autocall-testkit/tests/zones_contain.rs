//! Our zones contain every zone that an independent library gives (Python `phonenumbers`).

use autocall_core::Phone;
use autocall_core::zones::{Clues, Place, area_codes, calling_codes, locate};
use autocall_testkit::need;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn zones(place: &Place) -> Value {
    place.zones.as_slice().iter().map(|z| z.name()).collect()
}

/// What `locate` says for a number of every area code, every calling code, and every country's
/// address with a number that says nothing.
fn ours() -> Value {
    let number = |digits: u64| Clues::number(Phone::from_digits(digits).expect("long enough"));
    let codes: Map<String, Value> = area_codes()
        .map(|code| (code.to_string(), zones(&locate(&number(10_005_550_123 + u64::from(code) * 10_000_000)))))
        .collect();
    let mut calling = Map::new();
    let mut countries = Map::new();
    for code in calling_codes() {
        let place = locate(&number(u64::from(code) * 100_000_000 + 12_345_678));
        calling.insert(code.to_string(), zones(&place));
        for country in place.countries {
            let toll_free = Clues { country: Some(country), ..number(18_005_550_123) };
            countries.insert(country.code().to_owned(), zones(&locate(&toll_free)));
        }
    }
    json!({ "codes": codes, "calling": calling, "countries": countries })
}

fn compare(python: &std::path::Path, ours: &Value) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zones_contain.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python was found a moment ago");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(ours.to_string().as_bytes()).expect("the script reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn our_zones_contain_every_zone_of_an_independent_library() {
    let Some(python) = need::python("zones against an independent library", "phonenumbers") else { return };
    let mut ours = ours();
    let (fine, text) = compare(&python, &ours);
    assert!(fine, "\n{text}");
    assert!(text.contains("area codes"), "the script says what it compared: {text}");

    // The comparison can fail: an overlay that forgets the split of the code it lies over is found.
    ours["codes"]["448"] = json!(["America/New_York"]);
    ours["calling"]["61"] = json!(["Australia/Sydney"]);
    let (fine, text) = compare(&python, &ours);
    assert!(!fine && text.contains("codes 448") && text.contains("calling 61"), "{text}");
}
