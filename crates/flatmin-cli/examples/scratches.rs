//! A photograph with scratches and speckles, mended by the command, which is not told where they are.
//!
//! ```text
//! cargo run --release -p flatmin-cli --example scratches
//! ```
//!
//! makes every number and picture of the first part of `docs/robust_pca.md`: it draws thin and thick scratches
//! over `docs/data/brick.png`, builds and runs `flatmin recover rpca` on each, runs median filters
//! for comparison, then the same with the scratches told, prints the tables and writes
//! `docs/figures/scratches.svg`. The pictures stay, in full size, in `target/scratches/`. With a seed
//! other than 0 after `--`, other scratches are drawn, and their figure stays there too.

#[path = "shared/harmonic.rs"]
mod harmonic;
mod shared;
#[path = "shared/svg.rs"]
mod svg;

use flatmin::core::rng::{Role, Stream};
use harmonic::harmonic;
use image::{ExtendedColorType, GrayImage, Luma, imageops};
use serde::Deserialize;
use shared::{ROOT, command};
use std::error::Error;
use std::f64::consts::PI;
use std::path::Path;
use std::process::Command;
use std::{env, fs};
use svg::{GAP, LINE, SHOWN, Svg};

/// Relative duality gap asked for. Pixels are rounded to one in 256, so that more would not show.
const TOLERANCE: &str = "1e-4";

/// Grey levels by which a pixel must differ from what is put in its place, when only some are.
const CLEARLY: i16 = 30;

/// Part of the pixels that are speckles, half of them black and half white.
const SPECKLES: f64 = 0.01;

/// Straight scratches, each black or white.
struct Scratches {
    name: &'static str,
    title: &'static str,
    lines: usize,
    /// In pixels.
    width: f64,
}

const SCRATCHES: [Scratches; 2] = [
    Scratches { name: "thin", title: "Thin scratches", lines: 60, width: 1.5 },
    Scratches { name: "thick", title: "Thick scratches", lines: 25, width: 4.0 },
];

impl Scratches {
    /// The photograph with scratches, and a mask that is white where there is none.
    ///
    /// A scratch has a uniform centre and angle and a length between 60 and 300 pixels; it covers
    /// the pixels whose centres lie in it.
    fn draw(&self, seed: u64, cell: u64, photograph: &GrayImage) -> (GrayImage, GrayImage) {
        let mut stream = Stream::new(seed, "scratches", cell, 0, Role::Noise);
        let (width, height) = photograph.dimensions();
        let mut picture = photograph.clone();
        let mut mask = GrayImage::from_pixel(width, height, Luma([255]));
        let mut spoil = |x, y, white: bool| {
            picture.put_pixel(x, y, Luma([if white { 255 } else { 0 }]));
            mask.put_pixel(x, y, Luma([0]));
        };
        for _ in 0..self.lines {
            let centre =
                (stream.uniform() * f64::from(width), stream.uniform() * f64::from(height));
            let (sin, cos) = (PI * stream.uniform()).sin_cos();
            let length = 60.0 + 240.0 * stream.uniform();
            let white = stream.uniform() < 0.5;
            for y in 0..height {
                for x in 0..width {
                    let (dx, dy) = (f64::from(x) - centre.0, f64::from(y) - centre.1);
                    let (along, across) = (cos * dx + sin * dy, cos * dy - sin * dx);
                    if 2.0 * along.abs() < length && 2.0 * across.abs() < self.width {
                        spoil(x, y, white);
                    }
                }
            }
        }
        for y in 0..height {
            for x in 0..width {
                if stream.uniform() < SPECKLES {
                    spoil(x, y, stream.uniform() < 0.5);
                }
            }
        }
        (picture, mask)
    }
}

/// The median of a square around every pixel, as far as it lies in the picture.
fn median(picture: &GrayImage, side: u32) -> GrayImage {
    let (width, height) = picture.dimensions();
    let reach = side / 2;
    GrayImage::from_fn(width, height, |x, y| {
        let (xs, ys) = (x.saturating_sub(reach)..width, y.saturating_sub(reach)..height);
        let near = |from: std::ops::Range<u32>, at: u32| from.take_while(move |&v| v <= at + reach);
        let mut levels: Vec<u8> = near(ys, y)
            .flat_map(|v| near(xs.clone(), x).map(move |u| (u, v)))
            .map(|(u, v)| picture.get_pixel(u, v).0[0])
            .collect();
        let middle = levels.len() / 2;
        Luma([*levels.select_nth_unstable(middle).1])
    })
}

/// The picture with another one's pixels wherever the two clearly differ.
fn mended(picture: &GrayImage, by: &GrayImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (old, new) = (picture.get_pixel(x, y).0[0], by.get_pixel(x, y).0[0]);
        Luma([if (i16::from(old) - i16::from(new)).abs() > CLEARLY { new } else { old }])
    })
}

/// Squared errors of a picture, of the pixels of one kind.
struct Errors<'a> {
    truth: &'a GrayImage,
    mask: &'a GrayImage,
}

impl Errors<'_> {
    /// Mean over all pixels, over the spoilt ones, and over the others.
    fn mean(&self, picture: &GrayImage) -> [f64; 3] {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for ((&t, &p), &m) in self.truth.iter().zip(picture.iter()).zip(self.mask.iter()) {
            sums[usize::from(m != 0)] += (f64::from(t) - f64::from(p)).powi(2);
            counts[usize::from(m != 0)] += 1.0;
        }
        [(sums[0] + sums[1]) / (counts[0] + counts[1]), sums[0] / counts[0], sums[1] / counts[1]]
    }

    /// `|picture - truth|_F / |truth|_F`.
    fn relative(&self, picture: &GrayImage) -> f64 {
        let squares: f64 = self.truth.iter().map(|&t| f64::from(t).powi(2)).sum();
        (self.mean(picture)[0] * self.truth.len() as f64 / squares).sqrt()
    }

    /// Peak signal-to-noise ratios in decibels, as [`Errors::mean`].
    fn psnr(&self, picture: &GrayImage) -> [f64; 3] {
        self.mean(picture).map(|mean| 10.0 * (255f64.powi(2) / mean).log10())
    }

    /// A line of a table.
    fn row(&self, method: &str, picture: &GrayImage, mended: &GrayImage) -> String {
        let [all, spoilt, others] = self.psnr(picture).map(|v| match v.is_finite() {
            true => format!("{v:.2}"),
            false => "exact".into(),
        });
        let relative = self.relative(picture);
        let mended = self.psnr(mended)[0];
        format!("| {method} | {all} | {spoilt} | {others} | {relative:.3} | {mended:.2} |")
    }
}

/// What is read of the command's `--json`.
#[derive(Deserialize)]
struct Report {
    status: String,
    relative_gap: f64,
    rank: usize,
    sparse_entries: usize,
    seconds: f64,
}

/// Runs the command on a picture and perhaps a mask; its low-rank part and its report.
fn split(
    flatmin: &Path,
    picture: &Path,
    mask: Option<&Path>,
) -> Result<(GrayImage, Report), Box<dyn Error>> {
    let answer = picture.with_extension(if mask.is_some() { "told.png" } else { "low_rank.png" });
    let mut command = Command::new(flatmin);
    command.args(["recover", "rpca", "--tol", TOLERANCE, "--json", "--matrix"]).arg(picture);
    if let Some(mask) = mask {
        command.arg("--mask").arg(mask);
    }
    let output = command.arg("--out").arg(&answer).output()?;
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
    let truth = image::open(Path::new(ROOT).join("docs/data/brick.png"))?.into_luma8();
    let work = (flatmin.ancestors().nth(2).ok_or("no target directory")?).join("scratches");
    fs::create_dir_all(&work)?;

    let mut reports = String::new();
    let mut figure = Figure::new(&truth)?;
    for (cell, scratches) in (0..).zip(&SCRATCHES) {
        let (picture, mask) = scratches.draw(seed, cell, &truth);
        let file = work.join(scratches.name).with_extension("png");
        let mask_file = work.join(scratches.name).with_extension("mask.png");
        picture.save(&file)?;
        mask.save(&mask_file)?;
        let errors = Errors { truth: &truth, mask: &mask };
        let spoilt = mask.iter().filter(|&&m| m == 0).count() as f64 / mask.len() as f64;
        let (name, width) = (scratches.name, scratches.width);
        println!("{name} scratches, {width} pixels: {:.1} % of the pixels\n", 100.0 * spoilt);
        println!("| method | PSNR, dB | spoilt pixels | the others | relative error | mended |");
        println!("|---|--:|--:|--:|--:|--:|");
        println!("{}", errors.row("nothing", &picture, &picture));
        let mut medians = Vec::new();
        for side in [3, 5, 7, 9] {
            let answer = median(&picture, side);
            let method = format!("median {side} x {side}");
            println!("{}", errors.row(&method, &answer, &mended(&picture, &answer)));
            medians.push(answer);
        }
        let (low_rank, report) = split(&flatmin, &file, None)?;
        let by_split = mended(&picture, &low_rank);
        println!("{}", errors.row("robust PCA", &low_rank, &by_split));
        reports += &line(&format!("{name}, not told"), &report);

        // Where the scratches are told, only they are filled.
        let fill = |by: &GrayImage| {
            GrayImage::from_fn(by.width(), by.height(), |x, y| {
                let told = mask.get_pixel(x, y).0[0] == 0;
                *if told { by } else { &picture }.get_pixel(x, y)
            })
        };
        let (told, report) = split(&flatmin, &file, Some(&mask_file))?;
        println!("{}", errors.row("robust PCA, told where", &told, &fill(&told)));
        reports += &line(&format!("{name}, told"), &report);
        let near = harmonic(&picture, &mask);
        println!("{}\n", errors.row("interpolation, told where", &near, &near));

        figure.rows(
            [&picture, &low_rank, &difference(&picture, &low_rank), &by_split],
            [&medians[1], &medians[2], &medians[3], &fill(&told)],
            scratches,
            &errors,
        )?;
    }
    println!("| scratches | status | gap | rank | sparse entries | seconds |");
    println!("|---|---|--:|--:|--:|--:|\n{reports}");

    let folder = match seed {
        0 => Path::new(ROOT).join("docs/figures"),
        _ => work,
    };
    fs::write(folder.join("scratches.svg"), figure.svg.finish(figure.top))?;
    Ok(())
}

/// A line of the table of solves.
fn line(name: &str, report: &Report) -> String {
    let Report { status, relative_gap, rank, sparse_entries, seconds } = report;
    format!(
        "| {name} | {status} | {relative_gap:.1e} | {rank} | {sparse_entries} | {seconds:.1} |\n"
    )
}

/// `|picture - part|`, pixel by pixel.
fn difference(picture: &GrayImage, part: &GrayImage) -> GrayImage {
    let mut difference = picture.clone();
    difference.iter_mut().zip(part.iter()).for_each(|(p, &q)| *p = p.abs_diff(q));
    difference
}

/// Left upper corner of the part of the picture that is shown.
const CORNER: (u32, u32) = (144, 200);

/// The figure, two rows of pictures for each kind of scratches.
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
        svg.text(1, GAP + 34, "title", "A scratched photograph, split by robust PCA")?;
        for (k, line) in (0..).zip([
            "X, S: the parts of Y = X + S of least ‖X‖∗ + λ Σ|S|, λ = 1/√512; nothing is told.",
            "Mended: the scratched picture, with X put where the two differ by more than 30.",
            "Median: of a square around every pixel.",
            "Told where: the scratches count as missing, and X is put there alone.",
            "The framed part is shown; the PSNR is that of all 512 × 512 pixels.",
        ]) {
            svg.text(1, GAP + 70 + LINE * k, "", line)?;
        }
        Ok(Figure { svg, top: 2 * GAP + SHOWN })
    }

    /// Adds what became of a scratched picture: its split, and what it is compared with.
    fn rows(
        &mut self,
        split: [&GrayImage; 4],
        others: [&GrayImage; 4],
        scratches: &Scratches,
        errors: &Errors<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let psnr = |p: &GrayImage| errors.psnr(p)[0];
        let scored = |name: &str, p| format!("{name}, {:.2} dB", psnr(p));
        let captions = [
            [
                scored(scratches.title, split[0]),
                scored("X", split[1]),
                "|S|".into(),
                scored("Mended", split[3]),
            ],
            [
                scored("Median 5 × 5", others[0]),
                scored("Median 7 × 7", others[1]),
                scored("Median 9 × 9", others[2]),
                scored("Told where", others[3]),
            ],
        ];
        for (pictures, captions) in [split, others].iter().zip(&captions) {
            let (line, top) = (self.top + LINE - 7, self.top + LINE);
            for ((column, picture), caption) in (0..).zip(pictures).zip(captions) {
                let part = imageops::crop_imm(*picture, CORNER.0, CORNER.1, SHOWN, SHOWN);
                self.svg.text(column, line, "", caption)?;
                let pixels = part.to_image();
                self.svg.picture(column, top, pixels.as_raw(), ExtendedColorType::L8)?;
            }
            self.top = top + SHOWN + GAP;
        }
        Ok(())
    }
}
