//! Relative links of Markdown files lead somewhere.

use super::Breach;

const WHY: &str = "relative links must lead to a file of the project";

/// Broken links of a Markdown file; `exists` is asked with paths from the root of the project.
pub(super) fn check(file: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Breach> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut breaches = Vec::new();
    let mut fenced = false;
    for (k, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("    ") {
            continue;
        }
        for target in targets(&without_code(line)) {
            let path = target.split(['#', '?']).next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !resolve(folder, path).is_some_and(|path| exists(&path)) {
                breaches.push(Breach::new(file, k + 1, format!("no file {target}"), WHY));
            }
        }
    }
    breaches
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What `](...)`, `]: ...`, `src="..."` and `href="..."` of a line point at.
fn targets(line: &str) -> Vec<String> {
    let after = |mark: &str, stop: &[char]| -> Vec<String> {
        let ends = line.split(mark).skip(1);
        ends.filter_map(|rest| rest.split(stop).next()).map(|t| t.trim().to_owned()).collect()
    };
    let mut targets = after("](", &[')', ' ']);
    targets.extend(after("src=\"", &['"']));
    targets.extend(after("href=\"", &['"']));
    if line.starts_with('[') {
        targets.extend(after("]: ", &[' ']));
    }
    targets
}

/// A path from a folder as one from the root; `None` when it leaves the project.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if let Some(rooted) = path.strip_prefix('/') {
        return Some(rooted.to_owned());
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_resolve_from_their_file() {
        let there = |path: &str| ["README.md", "docs/a.md", "docs/fig/b.svg"].contains(&path);
        let broken = |text: &str| {
            check("docs/x.md", text, there).into_iter().map(|b| b.line).collect::<Vec<_>>()
        };
        assert!(broken("[a](a.md) [b](./fig/b.svg#x) [r](../README.md)").is_empty());
        assert!(broken("[w](https://x.org/y.md) [h](#top) [m](mailto:a@b.c)").is_empty());
        assert!(broken("`[code](no.md)`\n```\n[code](no.md)\n```\n    [code](no.md)").is_empty());
        assert_eq!(broken("fine\n![no](fig/c.svg \"title\")"), [2]);
        assert_eq!(broken("<img src=\"fig/c.svg\">"), [1]);
        assert_eq!(broken("[ref]: no.md"), [1]);
        assert_eq!(broken("[out](../../README.md)"), [1]);
    }
}
