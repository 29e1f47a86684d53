//! What a run left in its directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// An empty directory of this test.
pub(crate) fn scratch(name: &str) -> Result<PathBuf, std::io::Error> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// All files that must not depend on how the run went.
pub(crate) fn results(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, std::io::Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(dir).unwrap_or(&path).to_owned();
            let changing = ["journal", "timings.csv", "report/timings.js"];
            if changing.iter().any(|c| name == Path::new(c)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(name, fs::read(path)?);
            }
        }
    }
    Ok(files)
}
