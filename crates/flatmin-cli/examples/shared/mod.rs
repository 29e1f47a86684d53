//! What the examples share: the command, built as they are.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// Root of the workspace: this package is in `crates/flatmin-cli`.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Builds the command with the profile of this example, and says where it is.
///
/// `cargo run --example` builds the example alone, and an old binary must not be measured.
pub(crate) fn command() -> Result<PathBuf, Box<dyn Error>> {
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "-p", "flatmin-cli", "--bin", "flatmin"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if !build.current_dir(ROOT).status()?.success() {
        return Err("the command did not build".into());
    }
    // This example is in examples/, beside the command.
    let example = env::current_exe()?;
    let profile = example.ancestors().nth(2).ok_or("no target directory")?;
    Ok(profile.join(format!("flatmin{}", env::consts::EXE_SUFFIX)))
}
