//! The packs that ship, and named choices of them.

use super::compile::CompiledRules;
use super::lint::Problem;
use super::rule::Pack;

/// The text of every shipped pack, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("house", include_str!("../../rules/house.toml")),
    ("world", include_str!("../../rules/world.toml")),
    ("us-federal", include_str!("../../rules/us-federal.toml")),
    ("us-states", include_str!("../../rules/us-states.toml")),
    ("us-collections", include_str!("../../rules/us-collections.toml")),
    ("uk", include_str!("../../rules/uk.toml")),
    ("elsewhere", include_str!("../../rules/elsewhere.toml")),
    ("safe-national", include_str!("../../rules/safe-national.toml")),
];

/// Names of presets and the packs that each is made of. Every one begins with `house` and `world`.
const PRESETS: &[(&str, &[&str])] = &[
    ("default", &["house", "world", "us-federal", "us-states", "us-collections", "uk", "elsewhere"]),
    ("us-sales", &["house", "world", "us-federal", "us-states"]),
    ("us-collections", &["house", "world", "us-federal", "us-states", "us-collections"]),
    ("uk", &["house", "world", "uk"]),
    (
        "safe-national",
        &["house", "world", "us-federal", "us-states", "us-collections", "uk", "elsewhere", "safe-national"],
    ),
];

/// Names of the presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// Every shipped pack.
pub fn shipped() -> Vec<Pack> {
    SHIPPED.iter().filter_map(|(name, _)| pack(name)).collect()
}

/// A shipped pack by name.
pub fn pack(name: &str) -> Option<Pack> {
    let (_, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    Pack::parse(text).ok()
}

/// The packs of a preset; `None` if there is none of that name.
pub fn packs(preset: &str) -> Option<Vec<Pack>> {
    let (_, names) = PRESETS.iter().find(|(known, _)| *known == preset)?;
    names.iter().map(|name| pack(name)).collect()
}

/// A preset with a user's own packs over it. `None` if there is no such preset.
pub fn compile(preset: &str, overlays: Vec<Pack>) -> Option<Result<CompiledRules, Vec<Problem>>> {
    let mut all = packs(preset)?;
    all.extend(overlays);
    Some(CompiledRules::compile(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_reads_and_is_named_as_it_says() {
        for (name, text) in SHIPPED {
            match Pack::parse(text) {
                Ok(pack) => assert_eq!(pack.id, *name),
                Err(wrong) => panic!("{name}: {wrong}"),
            }
        }
    }

    #[test]
    fn every_preset_compiles_without_a_warning() {
        for name in names() {
            let rules = compile(name, Vec::new()).expect("known").expect("compiles");
            let loud: Vec<_> = rules.warnings().iter().map(ToString::to_string).collect();
            assert!(loud.is_empty(), "{name}: {loud:#?}");
        }
    }
}
