//! Every statement names its tenant. On a Postgres that is sharded by tenant a statement without
//! one goes to every shard, and with row-level security it sees nothing.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The string literals of a source that are whole statements.
fn statements(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find('"') {
        let body = &rest[start + 1..];
        let mut end = 0;
        let bytes = body.as_bytes();
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(body.len());
        let text = body[..end].split_whitespace().filter(|w| *w != "\\").collect::<Vec<_>>().join(" ");
        let verbs = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "];
        if verbs.iter().any(|v| text.starts_with(v)) {
            found.push(text);
        }
        rest = body.get(end + 1..).unwrap_or_default();
    }
    found
}

#[test]
fn every_statement_names_its_tenant() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut read = 0;
    for file in files {
        for sql in statements(&fs::read_to_string(&file).expect("readable")) {
            read += 1;
            // The directory belongs to no tenant. A piece that selects from other pieces (lanes,
            // conditions made elsewhere) is whole only together: its `{}` brings the tenant.
            // The turnstile's number is made of tenant and campaign.
            let directory = sql.contains("directory_") || sql.contains("pg_advisory_xact_lock");
            let piece = sql.contains("FROM ({})")
                || sql.contains("WHERE {}")
                || sql.contains("WHERE {condition}")
                || sql.ends_with("{from} GROUP BY 1, 2 LIMIT {}");
            assert!(directory || piece || sql.contains("tenant"), "{}: {sql}", file.display());
            // An insert carries the tenant, everything else compares it, joins included.
            if !directory && !sql.starts_with("INSERT") && sql.contains(" JOIN ") && !sql.contains("{LEAD_JOIN}") {
                let joins = sql.matches(" JOIN ").count();
                assert!(sql.matches(".tenant = ").count() >= joins, "{}: {sql}", file.display());
            }
        }
    }
    assert!(read > 80, "the reader of statements has gone blind: it found {read}");
}

#[test]
fn the_reader_sees_what_it_should() {
    let found =
        statements("let a = \"SELECT 1 FROM leads \\\n   WHERE id = $1\"; let b = \"no\"; f(\"DELETE FROM x\")");
    assert_eq!(found, ["SELECT 1 FROM leads WHERE id = $1", "DELETE FROM x"]);
}
