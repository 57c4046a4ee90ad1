//! The rules of direction between packages and between the core's modules, held against what
//! cargo and the source files say. ARCHITECTURE.md states them in words.

mod common;

use common::{code_only, files, output, packages, read, root};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which of our packages each of our packages may use: in the program, and besides in its tests.
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("autocall-core", &[], &["autocall-testkit"]),
    ("autocall-dnc", &["autocall-core"], &["autocall-testkit"]),
    ("autocall-testkit", &["autocall-core"], &[]),
    ("autocall-twilio", &["autocall-core"], &["autocall-testkit"]),
    ("autocall-sql", &["autocall-core"], &[]),
    ("autocall-store-postgres", &["autocall-core", "autocall-sql"], &["autocall-testkit"]),
    ("autocall-store-sqlite", &["autocall-core", "autocall-sql"], &["autocall-testkit"]),
    ("autocall-server", &[ANY], &[ANY]),
    ("autocall-examples", &[ANY], &[ANY]),
    ("autocall-benches", &[ANY], &[ANY]),
    ("xtask", &[], &[]),
];
/// These compose the others.
const ANY: &str = "any";
/// Nobody builds upon these.
const TOPS: &[&str] = &["autocall-server", "autocall-examples", "autocall-benches", "xtask"];

#[test]
fn packages_depend_in_one_direction() {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let ruled: BTreeSet<&str> = MAY_USE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ruled, "every package has its rule in MAY_USE");
    let mut problems = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let (_, always, in_tests) = MAY_USE.iter().find(|(n, ..)| *n == name).expect("ruled");
        for dependency in package["dependencies"].as_array().expect("a list") {
            let on = dependency["name"].as_str().expect("a name");
            if !names.contains(on) {
                continue;
            }
            let test_only = dependency["kind"] == "dev";
            let listed = |list: &[&str]| list.contains(&on) || (list.contains(&ANY) && !TOPS.contains(&on));
            if !(listed(always) || (test_only && listed(in_tests))) {
                problems.push(format!("{name} must not use {on}"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_bare_core_has_no_runtime_no_network_and_no_database() {
    const FOREIGN: &[&str] = &[
        "tokio",
        "async-std",
        "smol",
        "mio",
        "polling",
        "socket2",
        "hyper",
        "reqwest",
        "axum",
        "tower",
        "http",
        "sqlx",
        "sqlx-core",
        "rusqlite",
        "tokio-postgres",
        "rustls",
        "openssl",
        "native-tls",
        "rand",
        "chrono",
    ];
    let bare = libraries(&["--no-default-features"]);
    assert!(bare.contains("autocall-core") && bare.contains("serde"), "cargo lists the tree: {bare:?}");
    assert!(libraries(&[]).contains("tokio"), "the default features have a runtime: the list above would show it");
    let found: Vec<&&str> = FOREIGN.iter().filter(|name| bare.contains(**name)).collect();
    assert!(found.is_empty(), "the core without features uses {found:?}");
}

/// The libraries that the core is built upon, with these options.
fn libraries(options: &[&str]) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--edges=normal", "--package=autocall-core", "--prefix=none", "--format={lib}"]).args(options);
    output(&mut tree).lines().map(|line| line.trim().replace('_', "-")).collect()
}

/// What a top-level module of the core is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layer {
    /// Pure: words and machines.
    Machine,
    /// The traits that an embedder implements.
    Port,
    /// An implementation of a port in memory.
    Memory,
    /// Drives machines through ports.
    Engine,
}

const LAYERS: &[(Layer, &[&str])] = &[
    (
        Layer::Machine,
        &[
            "agent",
            "call",
            "campaign",
            "cost",
            "id",
            "import",
            "lead",
            "outcome",
            "pacing",
            "permission",
            "phone",
            "planning",
            "priority",
            "private",
            "script",
            "settings",
            "time",
            "zones",
        ],
    ),
    (Layer::Port, &["ports"]),
    (Layer::Memory, &["memory"]),
    (Layer::Engine, &["engine"]),
];

impl Layer {
    fn of(module: &str) -> Option<Layer> {
        LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
    }

    fn may_use(self, other: Layer) -> bool {
        match self {
            Layer::Machine => other == Layer::Machine,
            Layer::Port => matches!(other, Layer::Machine | Layer::Port),
            Layer::Memory => other != Layer::Engine,
            Layer::Engine => true,
        }
    }
}

/// The core's source files with their top-level module: path, module, code without comments.
fn core_sources() -> Vec<(String, String, String)> {
    let prefix = "autocall-core/src/";
    let sources = files().into_iter().filter(|file| file.starts_with(prefix) && file.ends_with(".rs"));
    sources
        .filter(|file| !file.ends_with("/lib.rs"))
        .map(|file| {
            let module = file[prefix.len()..].split(['/', '.']).next().expect("a name").to_owned();
            let code = code_only(&read(&file));
            (file, module, code)
        })
        .collect()
}

#[test]
fn every_module_of_the_core_has_a_layer() {
    let modules: BTreeSet<String> = core_sources().into_iter().map(|(_, module, _)| module).collect();
    let unknown: Vec<&String> = modules.iter().filter(|module| Layer::of(module).is_none()).collect();
    assert!(unknown.is_empty(), "name the layer of {unknown:?} in LAYERS");
}

#[test]
fn modules_of_the_core_look_in_one_direction() {
    let exports = root_exports(&code_only(&read("autocall-core/src/lib.rs")));
    let mut problems = Vec::new();
    for (file, module, code) in core_sources() {
        let Some(layer) = Layer::of(&module) else { continue };
        for used in modules_used(&code, &file, &exports) {
            if Layer::of(&used).is_some_and(|other| !layer.may_use(other)) {
                problems.push(format!("{file} ({layer:?}) must not use {used}"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn machines_and_ports_have_no_runtime_and_machines_do_not_wait() {
    let mut problems = Vec::new();
    for (file, module, code) in core_sources() {
        let words: BTreeSet<&str> = words(&code).collect();
        let machine = Layer::of(&module) == Some(Layer::Machine);
        if machine {
            for word in ["async", "await", "Future", "async_trait"] {
                if words.contains(word) {
                    problems.push(format!("{file}: a machine does not wait, and has no `{word}`"));
                }
            }
        }
        if words.contains("tokio") && file != "autocall-core/src/engine/run.rs" {
            problems.push(format!("{file}: only engine/run.rs touches the runtime"));
        }
        for word in ["SystemTime", "TcpStream", "UdpSocket"] {
            let clock = word == "SystemTime" && file == "autocall-core/src/ports/clock.rs";
            if words.contains(word) && !clock && file != "autocall-core/src/engine/run.rs" {
                problems.push(format!("{file}: {word} is the business of the embedder"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Names that the crate's root re-exports, with the module that they come from.
fn root_exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for item in lib.split(';') {
        let Some((_, path)) = item.split_once("pub use ") else { continue };
        let Some((module, rest)) = path.trim().split_once("::") else { continue };
        for name in words(rest) {
            exports.insert(name.to_owned(), module.to_owned());
        }
    }
    exports
}

/// The top-level modules that a file of the core names by way of `crate::` or `super::`.
fn modules_used(code: &str, file: &str, exports: &BTreeMap<String, String>) -> BTreeSet<String> {
    // A file `src/a/b.rs` or `src/a/b/mod.rs` is the module a::b: two levels below the root.
    let path = file.trim_start_matches("autocall-core/src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = path.split('/').count();
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        used.extend(first_segments(&code[at + "crate::".len()..]));
    }
    let climb = "super::".repeat(depth);
    for (at, _) in code.match_indices(&climb) {
        used.extend(first_segments(&code[at + climb.len()..]));
    }
    used.into_iter().map(|name| exports.get(&name).cloned().unwrap_or(name)).collect()
}

/// The first names of a path or of a group of paths: `a` of `a::b`, `a` and `c` of `{a::b, c}`.
fn first_segments(text: &str) -> Vec<String> {
    let Some(group) = text.strip_prefix('{') else {
        return words(text).next().map(str::to_owned).filter(|w| text.starts_with(w.as_str())).into_iter().collect();
    };
    let (mut depth, mut items) = (1, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => items.push(String::new()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if let Some(item) = items.last_mut()
            && c != ','
        {
            item.push(c);
        }
    }
    items.iter().filter_map(|item| words(item).next().map(str::to_owned)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn paths_are_read_as_the_compiler_would() {
    let exports = root_exports("pub use ports::{Store, telephony::Dial};\npub use id::Id;");
    let used = |code: &str, file: &str| modules_used(code, file, &exports).into_iter().collect::<Vec<_>>().join(" ");
    let file = "autocall-core/src/call/handle.rs";
    assert_eq!(used("use crate::{time::{Millis, Timestamp}, Store};", file), "ports time");
    assert_eq!(used("fn f() -> crate::Dial { crate::engine::go() }", file), "engine ports");
    assert_eq!(used("use super::super::ports::X;", file), "ports");
    assert_eq!(used("use super::facts::X;", file), "", "a neighbour is not a top-level module");
    assert_eq!(used("use super::ports::X;", "autocall-core/src/outcome.rs"), "ports");
    assert_eq!(used("use super::ports::X;", "autocall-core/src/call/mod.rs"), "ports");
    let code =
        code_only("let a = 'x'; // use crate::engine\nlet b = \"crate::ports\"; /* crate::memory */ r#\"crate::x\"#");
    assert!(!code.contains("crate::"), "{code}");
}

#[test]
fn clippy_reads_the_rules_of_the_core() {
    // A package of its own with the same clippy.toml and a planted clock: if clippy did not read
    // the file, or the file named nothing, this would pass there too.
    let dir = root().join("target/xtask/planted");
    std::fs::create_dir_all(dir.join("src")).expect("creatable");
    let manifest = "[package]\nname = \"planted\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(dir.join("Cargo.toml"), manifest).expect("writable");
    std::fs::copy(root().join("autocall-core/clippy.toml"), dir.join("clippy.toml")).expect("the rules are there");
    let planted = "//! x\npub fn a() -> std::time::SystemTime { std::time::SystemTime::now() }\n\
                   pub fn b() -> std::collections::HashMap<u8, u8> { Default::default() }\n";
    std::fs::write(dir.join("src/lib.rs"), planted).expect("writable");
    let mut clippy = Command::new(env!("CARGO"));
    clippy.current_dir(&dir).args(["clippy", "--quiet", "--offline"]).env("CARGO_TARGET_DIR", dir.join("target"));
    let out = clippy.env_remove("CLIPPY_CONF_DIR").output().expect("runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("disallowed method `std::time::SystemTime::now`"), "{said}");
    assert!(said.contains("disallowed type `std::collections::HashMap`"), "{said}");
    // And nothing else keeps clippy from reading the file in its place.
    assert!(std::env::var_os("CLIPPY_CONF_DIR").is_none(), "CLIPPY_CONF_DIR would hide autocall-core/clippy.toml");
}
