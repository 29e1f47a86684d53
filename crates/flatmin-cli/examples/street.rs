//! Footage of a fixed camera, split by the command into what stays still and what moves.
//!
//! ```text
//! cargo run --release -p flatmin-cli --example street -- frames.npy panels.png
//! ```
//!
//! reads a stack of grey frames `(n, h, w)`, a `.npy` file or an `.npz` that holds one, builds and
//! runs `flatmin recover rpca` on it, prints what the command reports, and writes a picture: three
//! of the frames, one a row, each beside its background and its foreground. All backgrounds and
//! foregrounds stay in `target/street/`. `docs/robust_pca.md` tells more.

mod shared;

use flatmin_cli::read::{self, Array, npz::Archive};
use image::{GrayImage, ImageFormat, Luma, imageops};
use shared::command;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Relative duality gap asked for. Pixels are rounded to one in 256, so that more would not show.
const TOLERANCE: &str = "1e-3";

/// Pixels between the pictures.
const GAP: u32 = 4;

/// The stack of a file.
fn frames(path: &Path) -> Result<Array, Box<dyn Error>> {
    if path.extension().is_none_or(|e| e != "npz") {
        return Ok(read::array(path)?);
    }
    let mut archive = Archive::open(path)?;
    let field = archive.field_or_only("matrix", &[2, 3], &["mask"])?;
    Ok(archive.read(&field)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [data, panels] = &arguments[..] else {
        return Err("give a file of frames (n, h, w), .npy or .npz, and a .png to write".into());
    };
    let (data, panels) = (Path::new(data), Path::new(panels));
    let stack = frames(data)?;
    let [n, height, width] = stack.shape[..] else {
        return Err(format!("{}: no stack of frames (n, h, w)", data.display()).into());
    };

    let flatmin = command()?;
    let work = (flatmin.ancestors().nth(2).ok_or("no target directory")?).join("street");
    let status = Command::new(&flatmin)
        .args(["recover", "rpca", "--tol", TOLERANCE, "--threads", "2", "--matrix"])
        .arg(data)
        .arg("--frames-out")
        .arg(&work)
        .status()?;
    // 3 says that it stopped before the tolerance; what it found is written all the same.
    if !matches!(status.code(), Some(0 | 3)) {
        return Err("the command refused".into());
    }

    let (rows, cols) = (u32::try_from(height)?, u32::try_from(width)?);
    let chosen = [n / 6, n / 2, n - 1 - n / 6];
    let mut picture = GrayImage::from_pixel(3 * cols + 2 * GAP, 3 * rows + 2 * GAP, Luma([255]));
    for (row, frame) in (0..).zip(chosen) {
        let first = frame * height * width;
        let pixel = |x: u32, y: u32| {
            // The conversion saturates, and takes NaN, a hole, to 0.
            Luma([stack.values[first + y as usize * width + x as usize].round() as u8])
        };
        let part = |name: &str| image::open(work.join(format!("{name}_{frame:04}.png")));
        let pictures = [
            GrayImage::from_fn(cols, rows, pixel),
            part("background")?.into_luma8(),
            part("foreground")?.into_luma8(),
        ];
        for (col, of) in (0..).zip(&pictures) {
            let (x, y) = (col * (cols + GAP), row * (rows + GAP));
            imageops::replace(&mut picture, of, i64::from(x), i64::from(y));
        }
    }
    if let Some(folder) = panels.parent() {
        fs::create_dir_all(folder)?;
    }
    picture.save_with_format(panels, ImageFormat::Png)?;
    println!("frames {}, {} and {}: {}", chosen[0], chosen[1], chosen[2], panels.display());
    Ok(())
}
