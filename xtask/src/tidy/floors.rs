//! Which crate may stand on which: core, models, facade, and what is built on the facade. Edges go
//! down only, whatever their kind (normal, build or development).

use super::Breach;
use serde_json::Value;

const WHY_DOWN: &str = "edges between the floors go down only (see ARCHITECTURE.md)";

/// Floor of a crate of the workspace; `None` for xtask, which stands beside the building.
fn floor(name: &str) -> Option<u8> {
    match name {
        "xtask" => None,
        "flatmin-core" => Some(0),
        "flatmin" => Some(2),
        "flatmin-lab" | "flatmin-cli" | "flatmin-benches" | "flatmin-py" => Some(3),
        _ => Some(1),
    }
}

/// Breaches in the output of `cargo metadata`.
pub(super) fn check(metadata: &Value) -> Vec<Breach> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let members: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut breaches = Vec::new();
    if packages.is_empty() {
        let why = "the floors cannot be checked";
        breaches.push(Breach::new("cargo metadata", 0, "lists no packages", why));
    }
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = package["manifest_path"].as_str().unwrap_or(name);
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        for dependency in dependencies.iter().filter_map(|d| d["name"].as_str()) {
            if let Some((what, why)) = judge(name, dependency, members.contains(&dependency)) {
                breaches.push(Breach::new(manifest, 0, what, why));
            }
        }
    }
    breaches
}

/// What is wrong with one edge.
fn judge(from: &str, to: &str, member: bool) -> Option<(String, &'static str)> {
    let what = format!("{from} depends on {to}");
    if from == "xtask" {
        let why = "xtask stays tiny: it builds on std and serde_json alone";
        return (to != "serde_json").then_some((what, why));
    }
    if from != "flatmin-core" && (to == "faer" || to.starts_with("faer-") || to == "pulp") {
        return Some((what, "only flatmin-core names the linear algebra beneath"));
    }
    if !member {
        return None;
    }
    match (floor(from), floor(to)) {
        (Some(1), Some(1)) => Some((
            what,
            "models never import one another: what two of them need moves to flatmin-core",
        )),
        (Some(from), Some(to)) if to < from => None,
        _ => Some((what, WHY_DOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn breaches(from: &str, to: &str) -> usize {
        let package = |name: &str, dependencies: &[&str]| {
            let dependencies: Vec<_> =
                dependencies.iter().map(|d| json!({ "name": d, "kind": "dev" })).collect();
            json!({ "name": name, "manifest_path": "Cargo.toml", "dependencies": dependencies })
        };
        let all = ["flatmin-core", "flatmin-sensing", "flatmin-bilinear", "flatmin", "flatmin-lab"];
        let packages: Vec<_> = all
            .iter()
            .chain(&["flatmin-cli", "xtask"])
            .map(|&name| package(name, if name == from { std::slice::from_ref(&to) } else { &[] }))
            .collect();
        check(&json!({ "packages": packages })).len()
    }

    #[test]
    fn edges_go_down_only() {
        for (from, to) in [
            ("flatmin-sensing", "flatmin-core"),
            ("flatmin", "flatmin-sensing"),
            ("flatmin-lab", "flatmin"),
            ("flatmin-lab", "flatmin-core"),
            ("flatmin-core", "faer"),
            ("flatmin-lab", "rayon"),
            ("xtask", "serde_json"),
        ] {
            assert_eq!(breaches(from, to), 0, "{from} -> {to}");
        }
        for (from, to) in [
            ("flatmin-core", "flatmin-sensing"),
            ("flatmin-sensing", "flatmin-bilinear"),
            ("flatmin-sensing", "flatmin"),
            ("flatmin", "flatmin-lab"),
            ("flatmin-lab", "flatmin-cli"),
            ("flatmin-lab", "xtask"),
            ("flatmin-lab", "faer"),
            ("flatmin-sensing", "faer-ext"),
            ("flatmin-cli", "pulp"),
            ("xtask", "flatmin-core"),
            ("xtask", "clap"),
        ] {
            assert_eq!(breaches(from, to), 1, "{from} -> {to}");
        }
        assert_eq!(check(&json!({})).len(), 1);
    }
}
