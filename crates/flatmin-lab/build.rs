//! Names the solvers that records come from: a hash of their sources and of the locked versions,
//! so that records of two builds are never mixed in one directory.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a record's numbers depend on, relative to this crate.
const SOURCES: [&str; 16] = [
    "../flatmin-core/src",
    "../flatmin-sensing/src",
    "../flatmin-bilinear/src",
    "../flatmin-completion/src",
    "../flatmin-covariance/src",
    "../flatmin-quadnet/src",
    "../flatmin-rpca/src",
    "../flatmin-hadamard/src",
    "src/noisy.rs",
    "src/regularity.rs",
    "src/robust.rs",
    "src/scattered.rs",
    "src/trial.rs",
    "src/spec.rs",
    "src/studies",
    "../../Cargo.lock",
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        for byte in fs::read(file)? {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("cargo::rustc-env=FLATMIN_SOLVERS={hash:016x}");
    Ok(())
}

/// What a study says of its rows, which do not depend on it.
const SAID: [&str; 3] = ["claims.rs", "figure.rs", "report.rs"];

/// All files under a path on which records depend.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.is_file() && !SAID.iter().any(|name| path.ends_with(name)) {
        files.push(path.to_owned());
    }
    Ok(())
}
