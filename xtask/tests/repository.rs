//! Rules for the files of the repository: sizes, words that must not be there, links, the README.

mod common;

use common::{code_only, files, files_ending, packages, read, root};

/// A file longer than this has more than one idea in it.
const LINES_MAX: usize = 700;
/// Tables of data: long, and still one idea.
const TABLES: &[&str] = &[];

#[test]
fn source_files_are_short() {
    let long: Vec<String> = files_ending(".rs")
        .into_iter()
        .filter(|file| !TABLES.contains(&file.as_str()))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, file)| format!("{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:#?}");
}

#[test]
fn no_file_names_a_package_host_or_a_path_of_one_machine() {
    // Put together here so that this file does not hold them either.
    let hosts =
        ["crates.io", "static.crates", "pypi.org", "pythonhosted", "registry.npmjs", "deb.debian", "security.debian"];
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/tm", "p/wt"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!(".lib", "rary/"),
        concat!("fa", "rm-"),
    ];
    let this = "xtask/tests/repository.rs";
    let mut problems = Vec::new();
    for file in files() {
        if file == "Cargo.lock" || file == this {
            continue;
        }
        let Ok(bytes) = std::fs::read(root().join(&file)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = hosts.iter().chain(&paths).find(|word| names(line, word));
            if let Some(word) = found {
                problems.push(format!("{file} line {}: {word}", number + 1));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Whether the line has the word where a longer one does not begin: `/network/` does not name a folder `work`.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-')
    })
}

#[test]
fn an_ignored_test_names_the_command_that_runs_it() {
    // In two pieces, so that this file does not name what it looks for.
    let attribute = ["#[", "ignore"].concat();
    let mut problems = Vec::new();
    for file in files_ending(".rs") {
        let text = read(&file);
        let code = code_only(&text);
        for ((number, line), code) in text.lines().enumerate().zip(code.lines()) {
            if code.contains(&attribute) && !line.contains("cargo xtask ") {
                problems.push(format!("{file} line {}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(problems.is_empty(), "give the attribute a reason, \"run by cargo xtask …\": {problems:#?}");
}

#[test]
fn every_package_keeps_the_workspace_rules() {
    let mut problems = Vec::new();
    for package in packages() {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("readable");
        let value: toml::Table = text.parse().expect("TOML");
        let name = package["name"].as_str().expect("a name");
        let inherits = value.get("lints").and_then(|lints| lints.get("workspace")) == Some(&toml::Value::Boolean(true));
        // One crate may map files into memory, and says so in its own lints.
        if !inherits && name != "autocall-dnc" {
            problems.push(format!("{name}: [lints] workspace = true is missing"));
        }
        if package["license"] != "MIT" || package["edition"] != "2024" {
            problems.push(format!("{name}: license or edition is not the workspace's"));
        }
        if package["description"].as_str().is_none_or(str::is_empty) {
            problems.push(format!("{name}: no description"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_readme_has_two_set_up_commands() {
    let readme = read("README.md");
    let section =
        readme.split("\n## Set up\n").nth(1).expect("a section named Set up").split("\n## ").next().expect("text");
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let commands: Vec<&str> = blocks.iter().flat_map(|block| block.lines()).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands[0].starts_with("cargo run --release"), "{commands:?}");
    assert_eq!(commands[1], "cargo xtask test --install");
    assert_eq!(section.matches("```").count(), 4, "the section has two code blocks and no other");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut problems = Vec::new();
    for file in files_ending(".md") {
        let folder = root().join(&file).parent().expect("a folder").to_path_buf();
        for target in links(&read(&file)) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:") || path.is_empty();
            if !outside && !folder.join(path).exists() {
                problems.push(format!("{file}: {target}"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_index_names_every_page() {
    let index = links(&read("docs/README.md"));
    let pages = files().into_iter().filter_map(|file| file.strip_prefix("docs/").map(str::to_owned));
    let missing: Vec<String> =
        pages.filter(|page| page.ends_with(".md") && page != "README.md" && !index.contains(page)).collect();
    assert!(missing.is_empty(), "docs/README.md does not name {missing:?}");
}

/// The targets of the links of a document, outside its code blocks.
fn links(text: &str) -> Vec<String> {
    let mut block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        }
        if block {
            continue;
        }
        for rest in line.split("](").skip(1) {
            found.extend(rest.split(')').next().map(|target| target.trim().to_owned()));
        }
    }
    found
}

#[test]
fn rust_in_documents_is_compiled() {
    let library = read("examples/src/lib.rs");
    let programs: Vec<String> =
        files_ending(".rs").iter().filter(|file| file.starts_with("examples/")).map(read).collect();
    let mut problems = Vec::new();
    for file in files_ending(".md") {
        let included = library.contains(&format!("include_str!(\"../../{file}\")"));
        for block in rust_blocks(&read(&file)) {
            if !included && !programs.contains(&block) {
                problems.push(format!("{file}: {}", block.lines().next().unwrap_or("(empty)")));
            }
        }
    }
    let how = "make it a file of examples/, or include the document in examples/src/lib.rs as documentation";
    assert!(problems.is_empty(), "{how}: {problems:#?}");
}

/// The blocks of Rust of a document.
fn rust_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(fence)) => block = Some(format!("{fence}\n")),
            (Some(done), Some(_)) => {
                let (fence, code) = done.split_once('\n').unwrap_or_default();
                if fence.split(',').next() == Some("rust") {
                    blocks.push(code.to_owned());
                }
                block = None;
            }
            (Some(code), None) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_map_names_what_exists() {
    let map = read("ARCHITECTURE.md");
    let all = files();
    let mut named = 0;
    let mut problems = Vec::new();
    for quoted in map.split('`').skip(1).step_by(2) {
        let tops = ["autocall-", "xtask/", "benches/", "examples/", "docs/"];
        if quoted.contains(' ') || !tops.iter().any(|top| quoted.starts_with(top)) {
            continue;
        }
        named += 1;
        let here = root().join(quoted);
        if !here.exists() || !all.iter().any(|file| file.starts_with(quoted.trim_end_matches('/'))) {
            problems.push(quoted.to_owned());
        }
    }
    assert!(named >= 10, "the map names places: {named}");
    assert!(problems.is_empty(), "ARCHITECTURE.md names what is not there: {problems:#?}");
    assert!(map.matches("Invariant:").count() >= 10, "the map states its invariants");
}

#[test]
fn the_rules_above_would_notice() {
    assert!(names("see /x/wo", "/x/") && names("(/x/y)", "/x/") && !names("a/x/y", "/x/"));
    assert_eq!(rust_blocks("```sh\nls\n```\n```rust,ignore\nlet a = 1;\n```\n"), ["let a = 1;\n"]);
    assert_eq!(links("[a](b.md) and [c](d#e)\n```\n[no](x)\n```\n[f](https://g)"), ["b.md", "d#e", "https://g"]);
}
