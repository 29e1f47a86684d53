//! The house rules as code: crate floors from `cargo metadata`, the rest over the project's files.

mod floors;
mod links;
mod rules;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    file: String,
    /// From 1; 0 when it is about the whole file.
    line: usize,
    what: String,
    why: &'static str,
}

impl Breach {
    fn new(file: &str, line: usize, what: impl Into<String>, why: &'static str) -> Breach {
        Breach { file: file.to_owned(), line, what: what.into(), why }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { file, line, what, why } = self;
        match line {
            0 => write!(f, "{file}: {what}: {why}"),
            _ => write!(f, "{file}:{line}: {what}: {why}"),
        }
    }
}

/// Checks the project; whether it is tidy.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let metadata = output(root, "cargo", &["metadata", "--format-version=1", "--no-deps"])?;
    let metadata =
        serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata is not JSON: {e}"))?;
    let mut breaches = floors::check(&metadata);
    let listed = output(root, "git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    // A file that was deleted but is still in the index is no file.
    let files: Vec<&str> = listed.lines().filter(|f| root.join(f).exists()).collect();
    for file in &files {
        breaches.extend(rules::name(file));
        let bytes = fs::read(root.join(file)).map_err(|e| format!("cannot read {file}: {e}"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        breaches.extend(rules::text(file, &text));
        if file.ends_with(".rs") {
            breaches.extend(rules::rust(file, &text));
        }
        if file.ends_with("Cargo.toml") {
            breaches.extend(rules::manifest(file, &text));
        }
        if file.ends_with(".md") {
            breaches.extend(links::check(file, &text, |path| root.join(path).exists()));
        }
    }
    breaches.sort();
    breaches.iter().for_each(|breach| eprintln!("{breach}"));
    match breaches.len() {
        0 => eprintln!("tidy: {} files, no breach of the house rules", files.len()),
        n => eprintln!("tidy: {n} breach(es) of the house rules"),
    }
    Ok(breaches.is_empty())
}

fn output(root: &Path, program: &str, words: &[&str]) -> Result<String, String> {
    let run = Command::new(program).args(words).current_dir(root).output();
    let done = run.map_err(|e| format!("cannot run {program}: {e}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{program} {} failed: {}", words.join(" "), said.trim()));
    }
    String::from_utf8(done.stdout).map_err(|e| format!("{program} printed no UTF-8: {e}"))
}
