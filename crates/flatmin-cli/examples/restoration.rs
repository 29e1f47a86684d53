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

mod shared;

use flatmin::core::rng::{Role, Stream};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder, Luma, imageops};
use serde::Deserialize;
use shared::{ROOT, command};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

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

/// Fills the holes so that each is the mean of its neighbours above, below, left and right.
///
/// This discrete Laplace equation is solved by Gauss-Seidel sweeps until no pixel moves by more
/// than a hundredth of a grey level. Nothing but nearness is used.
fn harmonic(truth: &GrayImage, mask: &GrayImage) -> GrayImage {
    let (width, height) = (truth.width() as usize, truth.height() as usize);
    let seen = |k: usize| mask.as_raw()[k] != 0;
    let mut values: Vec<f64> = (truth.iter().enumerate())
        .map(|(k, &v)| if seen(k) { f64::from(v) } else { 127.5 })
        .collect();
    let mut moved = f64::INFINITY;
    while moved > 0.01 {
        moved = 0.0;
        for k in (0..values.len()).filter(|&k| !seen(k)) {
            let (x, y) = (k % width, k / width);
            let near = [
                (x > 0).then(|| k - 1),
                (x + 1 < width).then(|| k + 1),
                (y > 0).then(|| k - width),
                (y + 1 < height).then(|| k + width),
            ];
            let (sum, count) = (near.iter().flatten())
                .fold((0.0, 0.0), |(sum, count), &k| (sum + values[k], count + 1.0));
            moved = moved.max((sum / count - values[k]).abs());
            values[k] = sum / count;
        }
    }
    GrayImage::from_fn(truth.width(), truth.height(), |x, y| {
        Luma([values[y as usize * width + x as usize].round() as u8])
    })
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

/// Side of the part of the picture that is shown, and its left upper corner.
const SHOWN: u32 = 224;
const CORNER: (u32, u32) = (132, 52);
/// Space around pictures, and above them for a line of text.
const GAP: u32 = 12;
const LINE: u32 = 22;

/// The figure: an SVG file that holds its pictures, since links to others would not be followed.
struct Figure {
    body: String,
    top: u32,
}

impl Figure {
    /// Starts with the whole photograph, a frame around the part shown below, and the legend.
    fn new(truth: &GrayImage) -> Result<Figure, Box<dyn Error>> {
        let mut figure = Figure { body: String::new(), top: 2 * GAP + SHOWN };
        let small = imageops::resize(truth, SHOWN, SHOWN, imageops::FilterType::Triangle);
        figure.picture(0, GAP, small.as_raw(), ExtendedColorType::L8)?;
        let scaled = |v: u32| f64::from(v) * f64::from(SHOWN) / f64::from(truth.width());
        let (x, y) = (scaled(CORNER.0), scaled(CORNER.1));
        let side = scaled(SHOWN);
        writeln!(
            figure.body,
            r#"<rect x="{:.1}" y="{:.1}" width="{side:.1}" height="{side:.1}" class="frame"/>"#,
            x + f64::from(GAP),
            y + f64::from(GAP),
        )?;
        figure.text(1, GAP + 34, "title", "A photograph restored from some of its pixels")?;
        for (k, line) in (0..).zip([
            "Left: the pixels seen through four masks; removed ones are orange.",
            "Interpolation: every hole the mean of its four neighbours.",
            "Nuclear norm: the matrix X of least ‖X‖∗ with the seen pixels.",
            "Flat: the one of least ‖D₁XD₂‖∗, with D₁ and D₂ proportional to the square",
            "roots of how many pixels are seen in each row and each column.",
            "The framed part is shown; the PSNR is that of all 512 × 512 pixels.",
        ]) {
            figure.text(1, GAP + 70 + LINE * k, "", line)?;
        }
        Ok(figure)
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
        self.text(0, line, "", &mask.label())?;
        self.picture(0, top, &grey_or_orange, ExtendedColorType::Rgb8)?;
        for (column, of) in (1..).zip(restored) {
            let caption = format!("{}, {:.2} dB", of.method, of.psnr);
            self.text(column, line, "", &caption)?;
            self.picture(column, top, part(&of.picture).as_raw(), ExtendedColorType::L8)?;
        }
        self.top = top + SHOWN + GAP;
        Ok(())
    }

    /// The whole file.
    fn finish(self) -> String {
        let (width, height) = (left(4), self.top);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg"
 width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text{{font:14px sans-serif}} .title{{font-size:20px}}
.frame{{fill:none;stroke:#f5a03c;stroke-width:2}}
</style>
<rect width="100%" height="100%" fill="#fff"/>
{}</svg>
"##,
            self.body
        )
    }

    /// A line of text over a column.
    fn text(&mut self, column: u32, y: u32, class: &str, text: &str) -> std::fmt::Result {
        let x = left(column);
        writeln!(self.body, r#"<text x="{x}" y="{y}" class="{class}">{text}</text>"#)
    }

    /// A square picture of side [`SHOWN`] in a column.
    fn picture(
        &mut self,
        column: u32,
        top: u32,
        pixels: &[u8],
        color: ExtendedColorType,
    ) -> Result<(), Box<dyn Error>> {
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
            .write_image(pixels, SHOWN, SHOWN, color)?;
        let (x, data) = (left(column), base64(&png));
        writeln!(
            self.body,
            r#"<image x="{x}" y="{top}" width="{SHOWN}" height="{SHOWN}" href="data:image/png;base64,{data}"/>"#
        )?;
        Ok(())
    }
}

/// Where a column of the figure begins.
fn left(column: u32) -> u32 {
    GAP + column * (SHOWN + GAP)
}

/// Base64 of RFC 4648: three bytes are four digits of six bits; `=` stands for what is absent.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |k: usize| u32::from(group.get(k).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * k)) as usize & 63];
            text.push(if k > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
