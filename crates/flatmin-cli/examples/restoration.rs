//! A photograph with half or seven tenths of its pixels removed, restored by the command.
//!
//! ```text
//! cargo run --release -p flatmin-cli --example restoration
//! ```
//!
//! makes every number and picture of `docs/restoration.md`: it draws four masks, builds and runs
//! `flatmin recover completion` on each with both objectives, fills the same holes harmonically for
//! comparison, prints the tables and writes `docs/figures/restoration.svg`. Masks and restored
//! pictures stay, in full size, in `target/restoration/`. With a seed other than 0 after `--`, other
//! masks are drawn, and their figure stays there too.

#[path = "shared/harmonic.rs"]
mod harmonic;
mod shared;
#[path = "shared/svg.rs"]
mod svg;

use flatmin::core::rng::{Role, Stream};
use harmonic::harmonic;
use image::{ExtendedColorType, GrayImage, imageops};
use serde::Deserialize;
use shared::{ROOT, command};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};
use svg::{GAP, LINE, SHOWN, Svg};

/// Relative duality gap asked for. Pixels are rounded to one in 256, so that more would not show.
const TOLERANCE: &str = "1e-4";

/// How pixels are chosen to be seen.
struct Mask {
    name: &'static str,
    removed: f64,
    uneven: bool,
}

const MASKS: [Mask; 4] = [
    Mask { name: "even-50", removed: 0.5, uneven: false },
    Mask { name: "even-70", removed: 0.7, uneven: false },
    Mask { name: "uneven-50", removed: 0.5, uneven: true },
    Mask { name: "uneven-70", removed: 0.7, uneven: true },
];

impl Mask {
    /// Draws which pixels are seen (white) from the stream of this mask.
    ///
    /// Even: each pixel with probability `p`, independently. Uneven: with probability
    /// `min(1, c w_i v_j)`, where the row weights `w` are `1, 1/2, ..., 1/n` in random order, the
    /// column weights `v` likewise, and `c` makes the mean probability `p`.
    fn draw(&self, seed: u64, cell: u64, width: u32, height: u32) -> GrayImage {
        let mut stream = Stream::new(seed, "restoration", cell, 0, Role::Measurements);
        let seen = 1.0 - self.removed;
        let (rows, cols) = if self.uneven {
            (power_law(height as usize, &mut stream), power_law(width as usize, &mut stream))
        } else {
            (vec![1.0; height as usize], vec![1.0; width as usize])
        };
        let mean = |c: f64| {
            let of_row = |w: &f64| cols.iter().map(|v| (c * w * v).min(1.0)).sum::<f64>();
            rows.iter().map(of_row).sum::<f64>() / (rows.len() * cols.len()) as f64
        };
        // The mean grows with c from 0 to 1; bisection on a scale where all probabilities can be 1.
        let (mut low, mut high) = (0.0, (rows.len() * cols.len()) as f64);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if mean(middle) < seen {
                low = middle;
            } else {
                high = middle;
            }
        }
        let mut mask = GrayImage::new(width, height);
        for (x, y, pixel) in mask.enumerate_pixels_mut() {
            let probability = (high * rows[y as usize] * cols[x as usize]).min(1.0);
            pixel.0 = [if stream.uniform() < probability { 255 } else { 0 }];
        }
        mask
    }

    /// "50 % removed, evenly".
    fn label(&self) -> String {
        let how = if self.uneven { "unevenly" } else { "evenly" };
        format!("{:.0} % removed, {how}", 100.0 * self.removed)
    }
}

/// The weights `1, 1/2, ..., 1/n` in random order.
fn power_law(n: usize, stream: &mut Stream) -> Vec<f64> {
    let mut drawn: Vec<(f64, f64)> = (1..=n).map(|k| (stream.uniform(), 1.0 / k as f64)).collect();
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0));
    drawn.into_iter().map(|(_, weight)| weight).collect()
}

/// One restored picture and what is said of it.
struct Restored {
    method: &'static str,
    picture: GrayImage,
    psnr: f64,
    seconds: f64,
    report: Option<Report>,
}

/// What is read of the command's `--json`.
#[derive(Deserialize)]
struct Report {
    status: String,
    relative_gap: f64,
    rank: usize,
    seconds: f64,
}

/// Peak signal-to-noise ratio in decibels, over all pixels of the 8-bit pictures.
fn psnr(truth: &GrayImage, picture: &GrayImage) -> f64 {
    let squares: f64 = (truth.iter().zip(picture.iter()))
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    10.0 * (255.0f64.powi(2) * truth.len() as f64 / squares).log10()
}

/// Runs the command on the photograph and a mask; its answer and its report.
fn recover(
    flatmin: &Path,
    photograph: &Path,
    mask: &Path,
    objective: &str,
) -> Result<(GrayImage, Report), Box<dyn Error>> {
    let answer = mask.with_extension(format!("{objective}.png"));
    let output = Command::new(flatmin)
        .args(["recover", "completion", "--matrix"])
        .arg(photograph)
        .arg("--mask")
        .arg(mask)
        .args(["--objective", objective, "--tol", TOLERANCE, "--json"])
        .arg("--out")
        .arg(&answer)
        .output()?;
    // 3 says that it stopped before the tolerance; the report says how far it came.
    if !matches!(output.status.code(), Some(0 | 3)) {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let report = serde_json::from_slice(&output.stdout)?;
    Ok((image::open(&answer)?.into_luma8(), report))
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed: u64 = match env::args().nth(1) {
        Some(word) => (word.parse()).map_err(|e| format!("seed `{word}`: {e}; give a number"))?,
        None => 0,
    };
    let flatmin = command()?;
    let photograph = Path::new(ROOT).join("docs/data/camera.png");
    let truth = image::open(&photograph)?.into_luma8();
    let work = (flatmin.ancestors().nth(2).ok_or("no target directory")?).join("restoration");
    fs::create_dir_all(&work)?;

    println!("| mask | method | PSNR, dB | status | gap | rank | seconds |");
    println!("|---|---|--:|---|--:|--:|--:|");
    let mut counts = String::new();
    let mut figure = Figure::new(&truth)?;
    for (cell, mask) in (0..).zip(&MASKS) {
        let seen = mask.draw(seed, cell, truth.width(), truth.height());
        let file = work.join(mask.name).with_extension("png");
        seen.save(&file)?;

        let start = Instant::now();
        let picture = harmonic(&truth, &seen);
        let seconds = start.elapsed().as_secs_f64();
        let mut row = vec![Restored {
            method: "interpolation",
            psnr: psnr(&truth, &picture),
            seconds,
            picture,
            report: None,
        }];
        for (method, objective) in [("nuclear norm", "nuclear"), ("flat", "flat")] {
            let (picture, report) = recover(&flatmin, &photograph, &file, objective)?;
            row.push(Restored {
                method,
                psnr: psnr(&truth, &picture),
                seconds: report.seconds,
                picture,
                report: Some(report),
            });
        }
        for restored in &row {
            println!("{}", table_row(mask, restored));
        }
        writeln!(counts, "{}", count_row(mask, &seen))?;
        figure.row(mask, &truth, &seen, &row)?;
    }
    println!("\n| mask | pixels seen | seen in a row | seen in a column |");
    println!("|---|--:|--:|--:|\n{counts}");

    let folder = match seed {
        0 => Path::new(ROOT).join("docs/figures"),
        _ => work,
    };
    fs::write(folder.join("restoration.svg"), figure.finish())?;
    Ok(())
}

/// A line of the table of answers.
fn table_row(mask: &Mask, restored: &Restored) -> String {
    let Restored { method, psnr, seconds, report, .. } = restored;
    let proof = match report {
        Some(r) => format!("{} | {:.1e} | {}", r.status, r.relative_gap, r.rank),
        None => "- | - | -".into(),
    };
    let mask = mask.label();
    format!("| {mask} | {method} | {psnr:.2} | {proof} | {seconds:.1} |")
}

/// A line of the table of masks: pixels seen in all, and in the least and most seen row and column.
fn count_row(mask: &Mask, seen: &GrayImage) -> String {
    let mut rows = vec![0; seen.height() as usize];
    let mut cols = vec![0; seen.width() as usize];
    for (x, y, pixel) in seen.enumerate_pixels() {
        let one = usize::from(pixel.0[0] != 0);
        rows[y as usize] += one;
        cols[x as usize] += one;
    }
    let range = |counts: &[usize]| match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "-".into(),
    };
    let total: usize = rows.iter().sum();
    let (mask, rows, cols) = (mask.label(), range(&rows), range(&cols));
    format!("| {mask} | {total} | {rows} | {cols} |")
}

/// Left upper corner of the part of the picture that is shown.
const CORNER: (u32, u32) = (132, 52);

/// The figure, row by row.
struct Figure {
    svg: Svg,
    top: u32,
}

impl Figure {
    /// Starts with the whole photograph, a frame around the part shown below, and the legend.
    fn new(truth: &GrayImage) -> Result<Figure, Box<dyn Error>> {
        let mut svg = Svg::default();
        let small = imageops::resize(truth, SHOWN, SHOWN, imageops::FilterType::Triangle);
        svg.picture(0, GAP, small.as_raw(), ExtendedColorType::L8)?;
        svg.frame(CORNER, GAP, f64::from(SHOWN) / f64::from(truth.width()))?;
        svg.text(1, GAP + 34, "title", "A photograph restored from some of its pixels")?;
        for (k, line) in (0..).zip([
            "Left: the pixels seen through four masks; removed ones are orange.",
            "Interpolation: every hole the mean of its four neighbours.",
            "Nuclear norm: the matrix X of least ‖X‖∗ with the seen pixels.",
            "Flat: the one of least ‖D₁XD₂‖∗, with D₁ and D₂ proportional to the square",
            "roots of how many pixels are seen in each row and each column.",
            "The framed part is shown; the PSNR is that of all 512 × 512 pixels.",
        ]) {
            svg.text(1, GAP + 70 + LINE * k, "", line)?;
        }
        Ok(Figure { svg, top: 2 * GAP + SHOWN })
    }

    /// Adds what is seen through a mask, and what was made of it.
    fn row(
        &mut self,
        mask: &Mask,
        truth: &GrayImage,
        seen: &GrayImage,
        restored: &[Restored],
    ) -> Result<(), Box<dyn Error>> {
        let (line, top) = (self.top + LINE - 7, self.top + LINE);
        let part = |p| imageops::crop_imm(p, CORNER.0, CORNER.1, SHOWN, SHOWN).to_image();
        let grey_or_orange: Vec<u8> = (part(truth).iter().zip(part(seen).iter()))
            .flat_map(|(&v, &seen)| if seen != 0 { [v; 3] } else { [245, 160, 60] })
            .collect();
        self.svg.text(0, line, "", &mask.label())?;
        self.svg.picture(0, top, &grey_or_orange, ExtendedColorType::Rgb8)?;
        for (column, of) in (1..).zip(restored) {
            let caption = format!("{}, {:.2} dB", of.method, of.psnr);
            self.svg.text(column, line, "", &caption)?;
            self.svg.picture(column, top, part(&of.picture).as_raw(), ExtendedColorType::L8)?;
        }
        self.top = top + SHOWN + GAP;
        Ok(())
    }

    /// The whole file.
    fn finish(self) -> String {
        self.svg.finish(self.top)
    }
}
