//! House rules over single files: names, texts, manifests and Rust sources.

use super::Breach;
use super::source::{code, test_lines};

const LINE_WIDTH: usize = 120;
const LIBRARY_LINES: usize = 600;
/// What a comment says before code that looks as if it could panic.
const EXCUSE: &str = "// cannot fail:";

/// The name of a file or of one of its folders.
pub(super) fn name(file: &str) -> Vec<Breach> {
    let vague = ["utils", "util", "misc", "helpers", "common"];
    let stem = |part: &str| part.split('.').next().unwrap_or_default().to_lowercase();
    let found = file.split('/').find(|part| vague.contains(&stem(part).as_str()));
    let why = "a name says what is inside";
    found.map(|part| Breach::new(file, 0, format!("is called {part}"), why)).into_iter().collect()
}

/// Any text file.
pub(super) fn text(file: &str, text: &str) -> Vec<Breach> {
    let written = [".rs", ".toml", ".md", ".yml", ".yaml", ".css", ".js", ".sh", ".py", ".html"];
    if !written.iter().any(|end| file.ends_with(end)) && file != ".ci/run" {
        return Vec::new();
    }
    let mut breaches = Vec::new();
    for (k, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            let why = "it shows up in every diff";
            breaches.push(Breach::new(file, k + 1, "trailing white space", why));
        }
        let width = line.chars().count();
        if file.ends_with(".rs") && width > LINE_WIDTH {
            let what = format!("{width} characters");
            breaches.push(Breach::new(file, k + 1, what, "lines have at most 120"));
        }
    }
    breaches
}

/// A crate's manifest.
pub(super) fn manifest(file: &str, text: &str) -> Vec<Breach> {
    if !text.lines().any(|line| line.trim() == "[package]") {
        return Vec::new();
    }
    let mut section = "";
    let inherits = text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        section == "[lints]" && line.replace(' ', "") == "workspace=true"
    });
    let why = "every crate inherits the lints: add [lints] workspace = true";
    if inherits {
        Vec::new()
    } else {
        vec![Breach::new(file, 0, "does not inherit the workspace's lints", why)]
    }
}

/// What a Rust file is, from its path.
struct Place {
    /// Sources of a crate under `crates/`, where nothing may panic.
    shipped: bool,
    /// Core, models or facade: no output, files, clock or threads.
    library: bool,
}

impl Place {
    fn of(file: &str) -> Place {
        let parts: Vec<&str> = file.split('/').collect();
        let (shipped, name) = match parts[..] {
            ["crates", name, "src", ..] => (true, name),
            _ => (false, ""),
        };
        let test_file = parts.contains(&"tests") || parts.last() == Some(&"tests.rs");
        let shipped = shipped && !test_file;
        let on_top = ["flatmin-lab", "flatmin-cli", "flatmin-py"].contains(&name);
        Place { shipped, library: shipped && !on_top }
    }
}

/// A pattern of code, and why it is not wanted.
type Rule = (&'static str, &'static str);

const ANYWHERE: [Rule; 4] = [
    ("unsafe", "unsafe code is forbidden"),
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or leave it out"),
    ("dbg!", "it is for the moment of debugging"),
];

const MAY_PANIC: [Rule; 3] = [
    (".unwrap()", "return an error, or say above why it `// cannot fail:`"),
    (".expect(", "return an error, or say above why it `// cannot fail:`"),
    ("panic!", "return an error, or say above why it `// cannot fail:`"),
];

const NOT_IN_LIBRARIES: [Rule; 9] = [
    ("println!", "libraries never print"),
    ("print!", "libraries never print"),
    ("eprintln!", "libraries never print"),
    ("eprint!", "libraries never print"),
    ("std::fs", "only lab, cli and xtask touch files"),
    ("std::time", "only lab, cli and xtask look at the clock"),
    ("std::thread", "only lab, cli and xtask start threads"),
    ("io::stdout", "only lab, cli and xtask use the terminal"),
    ("io::stderr", "only lab, cli and xtask use the terminal"),
];

/// A Rust source.
pub(super) fn rust(file: &str, text: &str) -> Vec<Breach> {
    let place = Place::of(file);
    let code = code(text);
    let tests = test_lines(&code);
    let lines: Vec<&str> = text.lines().collect();
    let mut breaches = Vec::new();
    if place.library && lines.len() > LIBRARY_LINES {
        let what = format!("{} lines", lines.len());
        let why = "library files have at most 600: split it";
        breaches.push(Breach::new(file, 0, what, why));
    }
    let excused = |k: usize| {
        let says = |line: &&str| line.contains(EXCUSE);
        lines.get(k).is_some_and(says)
            || k.checked_sub(1).and_then(|k| lines.get(k)).is_some_and(says)
    };
    for (k, line) in code.lines().enumerate() {
        let mut report = |rules: &[Rule]| {
            for (pattern, why) in rules.iter().filter(|(pattern, _)| holds(line, pattern)) {
                breaches.push(Breach::new(file, k + 1, *pattern, why));
            }
        };
        report(&ANYWHERE);
        if tests.get(k) == Some(&true) {
            continue;
        }
        if place.shipped && !excused(k) {
            report(&MAY_PANIC);
        }
        if place.library {
            report(&NOT_IN_LIBRARIES);
        }
    }
    if place.library {
        breaches.extend(grouped_imports(file, &code, &tests));
    }
    breaches
}

/// Whether a line of code holds a pattern that is not part of a longer name.
fn holds(line: &str, pattern: &str) -> bool {
    let named = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + pattern.len()..].chars().next();
        let open = !pattern.starts_with(named) || !before.is_some_and(named);
        let closed = !pattern.ends_with(named) || !after.is_some_and(named);
        open && closed
    })
}

/// `use std::{fs, ...}`, which names a forbidden module without writing its path.
fn grouped_imports(file: &str, code: &str, tests: &[bool]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (at, mark) in code.match_indices("use std::{") {
        let line = code[..at].matches('\n').count();
        let group = code[at + mark.len()..].split(';').next().unwrap_or_default();
        for module in ["fs", "time", "thread"] {
            if holds(group, module) && tests.get(line) != Some(&true) {
                let why = "only lab, cli and xtask touch files, the clock or threads";
                breaches.push(Breach::new(file, line + 1, format!("std::{module}"), why));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "crates/flatmin-core/src/a.rs";
    const COMMAND: &str = "crates/flatmin-cli/src/main.rs";

    fn found(file: &str, source: &str) -> Vec<(usize, String)> {
        rust(file, source).into_iter().map(|b| (b.line, b.what)).collect()
    }

    #[test]
    fn unfinished_and_unsafe_code_is_found_everywhere_but_in_words() {
        for file in [LIBRARY, COMMAND, "xtask/src/main.rs", "crates/flatmin/tests/a.rs"] {
            assert_eq!(found(file, "fn a() {\n    todo!()\n}"), [(2, "todo!".to_owned())]);
            assert_eq!(found(file, "unsafe fn a() {}"), [(1, "unsafe".to_owned())]);
            assert!(found(file, "// unsafe, dbg!\nlet unsafely = \"todo!()\";").is_empty());
        }
    }

    #[test]
    fn panics_need_an_excuse_in_shipped_code() {
        assert_eq!(found(COMMAND, "a.unwrap();"), [(1, ".unwrap()".to_owned())]);
        assert_eq!(found(LIBRARY, "a\n    .expect(\"b\");"), [(2, ".expect(".to_owned())]);
        assert!(found(LIBRARY, "// cannot fail: n > 0\na.unwrap();").is_empty());
        assert!(found(LIBRARY, "a.unwrap(); // cannot fail: n > 0").is_empty());
        assert!(found(LIBRARY, "a.unwrap_or(0);\n/// a.unwrap()\nfn f() {}").is_empty());
        assert!(found(LIBRARY, "#[cfg(test)]\nmod tests { fn f() { panic!() } }").is_empty());
        assert!(found("crates/flatmin/examples/a.rs", "a.unwrap();").is_empty());
        assert!(found("crates/flatmin/src/tests.rs", "a.unwrap();").is_empty());
    }

    #[test]
    fn libraries_have_no_effects() {
        for source in [
            "println!()",
            "use std::fs;",
            "std::time::Instant::now()",
            "use std::{fmt, thread};",
            "io::stdout()",
        ] {
            assert_eq!(found(LIBRARY, source).len(), 1, "{source}");
            assert!(found(COMMAND, source).is_empty(), "{source}");
        }
        assert!(found(LIBRARY, "use std::{fmt, iter};\nmy_println!();").is_empty());
        assert!(found(LIBRARY, &"\n".repeat(600)).is_empty());
        assert_eq!(found(LIBRARY, &"\n".repeat(601)).len(), 1);
    }

    #[test]
    fn names_texts_and_manifests() {
        assert_eq!(name("crates/a/src/common/mod.rs").len(), 1);
        assert_eq!(name("crates/a/src/Utils.rs").len(), 1);
        assert!(name("crates/a/src/commonplace.rs").is_empty());
        assert_eq!(text("a.md", "a \nb\n").len(), 1);
        assert_eq!(text("a.rs", &"x".repeat(121)).len(), 1);
        assert!(text("a.rs", &"é".repeat(120)).is_empty());
        assert!(text("a.csv", "a \n").is_empty());
        assert!(manifest("Cargo.toml", "[package]\n[lints]\nworkspace = true\n").is_empty());
        assert!(manifest("Cargo.toml", "[workspace]\n").is_empty());
        assert_eq!(manifest("Cargo.toml", "[package]\nlicense.workspace = true\n").len(), 1);
        assert_eq!(manifest("Cargo.toml", "[package]\n[lints]\n[a]\nworkspace = true").len(), 1);
    }
}
