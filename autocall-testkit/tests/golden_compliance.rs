//! `docs/compliance.md` is what the rule data says.

use autocall_core::permission::{compliance, presets};
use autocall_testkit::golden;

#[test]
fn golden_compliance_page() {
    golden::check("docs/compliance.md", &compliance::markdown());
}

#[test]
fn every_shipped_rule_is_on_the_page_with_its_citation() {
    let page = compliance::markdown();
    let mut seen = 0;
    for rule in presets::shipped().into_iter().flat_map(|pack| pack.rules) {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{}`", rule.id)));
        let line = line.unwrap_or_else(|| panic!("{} is missing", rule.id));
        assert!(line.contains(&rule.citation) && line.contains(&rule.verified_on.to_string()), "{line}");
        seen += 1;
    }
    assert!(seen > 150, "{seen}");
}
