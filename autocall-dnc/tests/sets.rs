//! The file against a plain set, whatever is put in, and against damage of every kind.

use autocall_core::engine::Registry as _;
use autocall_core::{Phone, Timestamp};
use autocall_dnc::{About, Builder, Column, Delta, ImportError, Layout, OpenError, Served, Set, import, read_delta};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn about(version: &str, day: i64) -> About {
    About { name: "us-national".into(), version: version.into(), as_of: Timestamp::from_secs(day * 86_400) }
}
fn phone(digits: u64) -> Phone {
    Phone::from_digits(digits).expect("in range")
}
fn write(path: &Path, numbers: impl IntoIterator<Item = u64>, about: About) -> Set {
    let mut builder = Builder::new();
    numbers.into_iter().for_each(|n| builder.insert(phone(n)));
    builder.write(path, about).expect("written");
    Set::open(path).expect("whole")
}
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("us-national.dnc");
    (dir, path)
}

/// Numbers that meet in the same pages and containers, with the edges of every range.
fn numbers() -> impl Strategy<Value = u64> {
    let edges = vec![
        10_000u64,
        9_999_999_999,
        10_000_000_000,
        12_000_000_000,
        12_019_999_999,
        12_020_000_000,
        19_999_999_999,
        20_000_000_000,
        442_071_234_567,
        999_999_999_999_999,
    ];
    prop_oneof![
        2 => (0u64..3, 0u64..10_000).prop_map(|(exchange, line)| 14_155_550_000 + exchange * 10_000 + line),
        2 => (0u64..2, 0u64..70_000).prop_map(|(block, low)| 442_070_000_000 + block * 65_536 * 3 + low),
        1 => prop::sample::select(edges),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_file_answers_like_a_plain_set_also_after_a_delta(
        first in prop::collection::vec(numbers(), 0..400),
        changes in prop::collection::vec((numbers(), any::<bool>()), 0..200),
        asked in prop::collection::vec(numbers(), 1..200),
    ) {
        let (_dir, path) = place();
        let set = write(&path, first.iter().copied(), about("1", 1));
        let mut model: BTreeSet<u64> = first.into_iter().collect();
        prop_assert_eq!(set.len(), model.len() as u64);
        for n in model.iter().chain(&asked) {
            prop_assert_eq!(set.contains(phone(*n)), model.contains(n));
        }
        let mut delta = Delta::default();
        for (n, listed) in changes {
            if listed { model.insert(n); delta.add(phone(n)) } else { model.remove(&n); delta.remove(phone(n)) }
        }
        delta.apply(&set, &path, about("2", 2)).expect("written");
        let new = Set::open(&path).expect("whole");
        prop_assert_eq!(new.len(), model.len() as u64);
        let all: Vec<Phone> = model.iter().chain(&asked).map(|n| phone(*n)).collect();
        let mut each = vec![false; all.len()];
        new.contains_each(&all, &mut each);
        for (p, found) in all.iter().zip(each) {
            prop_assert_eq!(new.contains(*p), model.contains(&p.digits()));
            prop_assert_eq!(found, model.contains(&p.digits()));
        }
        prop_assert_eq!(&new.about().version, "2");
    }
}

#[test]
fn a_full_exchange_and_a_dense_container_are_exact() {
    let (_dir, path) = place();
    let dense = (0..10_000u64).map(|line| 12_125_550_000 + line).chain((0..9_000).map(|n| 498_000_000_000 + n * 2));
    let set = write(&path, dense, about("1", 1));
    assert_eq!(set.len(), 19_000);
    assert!(set.contains(phone(12_125_559_999)) && !set.contains(phone(12_125_560_000)));
    assert!(set.contains(phone(498_000_017_998)) && !set.contains(phone(498_000_017_999)));
}

#[test]
fn every_kind_of_damage_is_refused_and_the_old_set_stays_in_force() {
    let (dir, path) = place();
    write(&path, (0..5_000).map(|n| 12_125_550_000 + n * 3), about("1", 1));
    let (served, opened) = Served::open("us-national", &path);
    opened.expect("whole");
    let whole = {
        let other = dir.path().join("new.dnc");
        write(&other, (0..600_000).map(|n| 12_125_550_000 + n * 7), about("2", 2));
        std::fs::read(other).expect("readable")
    };
    let listed = phone(12_125_550_003);
    let refused = |bytes: &[u8], what: &str| {
        // As a careless copy would do it: the file is swapped by rename, but what is in it is broken.
        let part = dir.path().join("broken");
        std::fs::write(&part, bytes).expect("writable");
        std::fs::rename(&part, &path).expect("same folder");
        assert!(served.reload().is_err(), "{what} was accepted");
        let now = served.now().expect("the old set");
        assert!(now.about().version == "1" && now.contains(listed), "{what} ended the old set");
    };
    for end in [0, 1, 8, 4095, 4096, whole.len() / 2, whole.len() - 4, whole.len() - 1] {
        refused(&whole[..end], &format!("a file cut after {end} bytes"));
    }
    refused(&[&whole[..], b"x"].concat(), "a byte too much");
    let mut unfinished = whole.clone();
    unfinished[..4096].fill(0);
    refused(&unfinished, "a file without its header");
    for at in (0..whole.len()).step_by(whole.len() / 301).chain([whole.len() - 1, 4095, 12, 60]) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        refused(&flipped, &format!("a bit flipped at {at}"));
    }
    std::fs::write(&path, &whole).expect("writable");
    served.reload().expect("a whole file is accepted");
    assert_eq!(&*served.version().0, "2");
    write(&path, [12_125_550_003], about("0", 0));
    assert!(matches!(served.reload(), Err(OpenError::NotNewer)), "an older copy is refused");
    write(&path, [12_125_550_003], About { name: "gb-tps".into(), ..about("3", 3) });
    assert!(matches!(served.reload(), Err(OpenError::NotNewer)), "another registry's file is refused");
}

#[test]
fn nothing_is_served_before_there_was_a_whole_file_and_a_dropped_build_leaves_nothing() {
    let (dir, path) = place();
    let (served, opened) = Served::open("us-national", &path);
    assert!(matches!(opened, Err(OpenError::Io(_))) && served.now().is_none());
    assert!(served.contains(phone(12_125_550_123)), "nobody is cleared by a list that is not there");
    assert_eq!(served.version().1, Timestamp::EPOCH, "and its copy is older than any law allows");
    std::fs::write(&path, b"12125550123\n").expect("writable");
    assert!(matches!(served.reload(), Err(OpenError::NotAList)));
    let nowhere = dir.path().join("missing").join("x.dnc");
    assert!(Builder::new().write(&nowhere, about("1", 1)).is_err());
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["us-national.dnc"]);
}

fn imported(text: &str, layout: &Layout, code: u16) -> Result<(u64, u64, Set), ImportError> {
    let (_dir, path) = place();
    let mut builder = Builder::new();
    let sum = import(text.as_bytes(), layout, code, &mut builder, |_| {})?;
    builder.write(&path, about("1", 1))?;
    Ok((sum.accepted, sum.rejected, Set::open(&path).expect("whole")))
}

#[test]
fn text_and_csv_in_the_shapes_that_registries_use() {
    let text =
        "2125550123\r\n+1 (212) 555-0124\n\n1.212.555.0125\nnot a number\n12125550126x\n0125550123\n+442071234567";
    let (accepted, rejected, set) = imported(text, &Layout::Text, 1).expect("mostly numbers");
    assert_eq!((accepted, rejected), (4, 3));
    for n in [12_125_550_123, 12_125_550_124, 12_125_550_125, 442_071_234_567] {
        assert!(set.contains(phone(n)));
    }
    assert!(!set.contains(phone(12_125_550_126)));

    let apart = Layout::Csv(vec![Column::At(0), Column::At(1)]);
    let (accepted, _, set) = imported("212,5550123\n415,5550199\n", &apart, 1).expect("numbers");
    assert!(accepted == 2 && set.contains(phone(14_155_550_199)));

    let named = Layout::Csv(vec![Column::Named("phone".into())]);
    let (accepted, _, set) = imported("date,Phone\n2026-01-01,\"020 7123 4567\"\n", &named, 44).expect("numbers");
    assert!(accepted == 1 && set.contains(phone(442_071_234_567)));
    assert!(matches!(imported("a,b\n1,2\n", &named, 44), Err(ImportError::NoColumn(name)) if name == "phone"));
}

#[test]
fn a_file_that_is_no_list_of_numbers_is_refused() {
    let html = "<html>\n<body>log in</body>\n2125550123\n</html>\n";
    assert!(matches!(imported(html, &Layout::Text, 1), Err(ImportError::NotNumbers { rejected: 3, accepted: 1 })));
    let empty = imported("", &Layout::Text, 1);
    assert!(matches!(empty, Err(ImportError::NotNumbers { rejected: 0, accepted: 0 })));
    let mut some = String::new();
    for at in 0..300 {
        some.push_str(&format!("2125550{at:03}\n"));
    }
    some.push_str(&"?\n".repeat(5));
    let many = imported(&some, &Layout::Text, 1);
    assert!(matches!(many, Err(ImportError::NotNumbers { rejected: 5, accepted: 300 })));
    let quoted = "\"2125550123\n2125550124\n2125550125\n";
    let (accepted, rejected, _) = imported(quoted, &Layout::Csv(vec![Column::At(0)]), 1).expect("a stray quote");
    assert_eq!((accepted, rejected), (3, 0));
    let long = format!("{}\n2125550123\n", "1".repeat(1_000_000));
    let (accepted, rejected, set) = imported(&long, &Layout::Text, 1).expect("one of each");
    assert_eq!((accepted, rejected, set.len()), (1, 1, 1));
}

#[test]
fn a_delta_file_in_order() {
    let (delta, sum) =
        read_delta("A,2125550123\nD,2125550124\nadd,+442071234567\nX,1\nD,2125550123\n".as_bytes(), 1).expect("CSV");
    assert_eq!((delta.len(), sum.accepted, sum.rejected, sum.examples[0].line), (4, 4, 1, 4));
    let (_dir, path) = place();
    let old = write(&path, [12_125_550_124, 12_125_550_125], about("1", 1));
    delta.apply(&old, &path, about("2", 2)).expect("written");
    let new = Set::open(&path).expect("whole");
    assert!(!new.contains(phone(12_125_550_123)), "added and then removed");
    assert!(!new.contains(phone(12_125_550_124)) && new.contains(phone(12_125_550_125)));
    assert!(new.contains(phone(442_071_234_567)));
    assert!(old.contains(phone(12_125_550_124)), "the old mapping stays whole");
}
