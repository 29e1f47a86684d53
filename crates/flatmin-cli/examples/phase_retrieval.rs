//! A row of a photograph from magnitudes alone: phase retrieval, which is covariance estimation of
//! rank one.
//!
//! ```text
//! cargo run --release -p flatmin-cli --example phase_retrieval
//! ```
//!
//! makes every number and the figure of `docs/phase_retrieval.md`. Of `d` pixels `s` only
//! `y_i = (x_i^T s)^2` is seen, with Gaussian probes `x_i`: signs are lost, and `s` is known up to
//! one. It draws probes for several `m`, runs `flatmin recover covariance` on them, takes the leading
//! eigenvector of its answer for the row, prints the table and writes
//! `docs/figures/phase_retrieval.svg`. The arrays stay in `target/phase_retrieval/`.

mod shared;

use flatmin::core::linalg::{Par, symmetric_eigen};
use flatmin::core::rng::{Role, Stream};
use flatmin_cli::{read, write};
use serde::Deserialize;
use shared::{ROOT, command};
use std::error::Error;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Pixels, and where in the photograph they begin: row and column.
const PIXELS: u32 = 32;
const START: (u32, u32) = (180, 216);

/// Measurements a pixel, in the order of the table.
const RATIOS: [f64; 7] = [1.0, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0];
/// Those that the figure shows.
const SHOWN: [f64; 2] = [2.0, 3.0];

/// Relative error below which a row counts as recovered.
const RECOVERED: f64 = 1e-6;

/// What is read of the command's `--json`.
#[derive(Deserialize)]
struct Report {
    status: String,
    relative_gap: f64,
    rank: usize,
    unique: bool,
    seconds: f64,
}

/// A recovered row, and how far it is from the true one.
struct Recovered {
    row: Vec<f64>,
    error: f64,
    report: Report,
}

/// Writes probes and magnitudes, runs the command on them and reads its answer.
fn recover(
    flatmin: &Path,
    work: &Path,
    truth: &[f64],
    m: usize,
) -> Result<Recovered, Box<dyn Error>> {
    let d = truth.len();
    let mut stream = Stream::new(0, "phase retrieval", m as u64, 0, Role::Measurements);
    let probes = stream.gaussian_vector(m * d);
    let magnitude = |x: &[f64]| x.iter().zip(truth).map(|(x, s)| x * s).sum::<f64>().powi(2);
    let targets: Vec<f64> = probes.chunks(d).map(magnitude).collect();
    let [x, y, answer] =
        ["probes", "targets", "answer"].map(|name| work.join(format!("{name}-{m}.npy")));
    write::npy(&mut File::create(&x)?, &[m, d], probes)?;
    write::npy(&mut File::create(&y)?, &[m], targets)?;

    let mut run = Command::new(flatmin);
    run.args(["recover", "covariance", "--json", "--probes"]).arg(&x).arg("--targets").arg(&y);
    let output = run.arg("--out").arg(&answer).output()?;
    if !matches!(output.status.code(), Some(0 | 3)) {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let report = serde_json::from_slice(&output.stdout)?;

    let matrix = read::array(&answer)?.into_matrix("the answer")?;
    let (values, vectors) = symmetric_eigen(matrix.as_ref(), Par::Seq)?;
    let by_value = |&j: &usize, &k: &usize| values[j].total_cmp(&values[k]);
    let largest = (0..d).max_by(by_value).ok_or("the answer is empty")?;
    let mut row: Vec<f64> =
        (0..d).map(|i| values[largest].max(0.0).sqrt() * vectors[(i, largest)]).collect();
    // The sign that nothing measures.
    if row.iter().zip(truth).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
        row.iter_mut().for_each(|v| *v = -*v);
    }
    let squares = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>();
    let difference = squares(&mut row.iter().zip(truth).map(|(a, b)| a - b));
    let error = (difference / squares(&mut truth.iter().copied())).sqrt();
    Ok(Recovered { row, error, report })
}

fn main() -> Result<(), Box<dyn Error>> {
    let flatmin = command()?;
    let photograph = image::open(Path::new(ROOT).join("docs/data/camera.png"))?.into_luma8();
    let (y, x) = START;
    let truth: Vec<f64> =
        (0..PIXELS).map(|k| f64::from(photograph.get_pixel(x + k, y).0[0])).collect();
    let work = flatmin.ancestors().nth(2).ok_or("no target directory")?.join("phase_retrieval");
    fs::create_dir_all(&work)?;

    println!("| m / d | m | recovered | relative error | rank | status | gap | unique | seconds |");
    println!("|--:|--:|---|--:|--:|---|--:|---|--:|");
    let mut figure = Figure { body: String::new(), top: 92.0 };
    for ratio in RATIOS {
        let m = (ratio * f64::from(PIXELS)).round() as usize;
        let found = recover(&flatmin, &work, &truth, m)?;
        let Report { status, relative_gap, rank, unique, seconds } = &found.report;
        let recovered = if found.error < RECOVERED { "yes" } else { "no" };
        let unique = if *unique { "proved" } else { "not proved" };
        println!(
            "| {ratio} | {m} | {recovered} | {:.1e} | {rank} | {status} | {relative_gap:.1e} | \
             {unique} | {seconds:.3} |",
            found.error
        );
        if SHOWN.contains(&ratio) {
            let error = match found.error {
                // What rounding leaves differs between machines.
                e if e < 1e-12 => "below 1e-12".into(),
                e => format!("{e:.2}"),
            };
            let title = format!("m = {m}, {ratio} a pixel: relative error {error}");
            figure.panel(&title, &truth, &found.row)?;
        }
    }
    fs::write(Path::new(ROOT).join("docs/figures/phase_retrieval.svg"), figure.finish())?;
    Ok(())
}

/// Where a panel's plot begins, how wide a pixel and how high the plot is, and how high a strip.
const LEFT: f64 = 64.0;
const STEP: f64 = 18.0;
const HEIGHT: f64 = 150.0;
const STRIP: f64 = 16.0;
/// Grey levels that a plot spans.
const LEVELS: (f64, f64) = (-50.0, 260.0);

/// The figure: one panel below the other.
struct Figure {
    body: String,
    top: f64,
}

impl Figure {
    /// Grey levels of the true row as steps and of the recovered one as dots, and both as pixels.
    fn panel(&mut self, title: &str, truth: &[f64], row: &[f64]) -> std::fmt::Result {
        let (top, right) = (self.top, LEFT + STEP * truth.len() as f64);
        let clamped = |v: f64| v.clamp(LEVELS.0, LEVELS.1);
        let y = |v: f64| top + HEIGHT * (LEVELS.1 - clamped(v)) / (LEVELS.1 - LEVELS.0);
        writeln!(self.body, r#"<text x="{LEFT}" y="{:.1}">{title}</text>"#, top - 8.0)?;
        for level in [0.0, 100.0, 200.0] {
            let y = y(level);
            writeln!(self.body, r#"<path d="M{LEFT} {y:.1}H{right}" class="grid"/>"#)?;
            self.tick(y + 4.0, &level.to_string())?;
        }
        let mut steps = String::new();
        for (k, &v) in truth.iter().enumerate() {
            let (from, to) = (LEFT + STEP * k as f64, LEFT + STEP * (k + 1) as f64);
            let command = if k == 0 { format!("M{from} {:.1}", y(v)) } else { String::new() };
            write!(steps, "{command}V{:.1}H{to}", y(v))?;
        }
        writeln!(self.body, r#"<path d="{steps}" class="true"/>"#)?;
        for (k, &v) in row.iter().enumerate() {
            let x = LEFT + STEP * (k as f64 + 0.5);
            writeln!(self.body, r#"<circle cx="{x}" cy="{:.1}" r="3.5"/>"#, y(v))?;
        }
        for (line, (name, pixels)) in [("true", truth), ("found", row)].into_iter().enumerate() {
            let y = top + HEIGHT + 12.0 + (STRIP + 4.0) * line as f64;
            self.tick(y + 12.0, name)?;
            for (k, v) in pixels.iter().enumerate() {
                let (x, level) = (LEFT + STEP * k as f64, v.clamp(0.0, 255.0).round() as u8);
                write!(self.body, r#"<rect x="{x}" y="{y}" width="{STEP}" height="{STRIP}""#)?;
                writeln!(self.body, r##" fill="#{level:02x}{level:02x}{level:02x}"/>"##)?;
            }
        }
        self.top += HEIGHT + 2.0 * STRIP + 68.0;
        Ok(())
    }

    /// A word left of the plot.
    fn tick(&mut self, y: f64, text: &str) -> std::fmt::Result {
        let x = LEFT - 8.0;
        writeln!(self.body, r#"<text x="{x}" y="{y:.1}" class="tick">{text}</text>"#)
    }

    /// The whole file.
    fn finish(self) -> String {
        let (width, height) = (LEFT + STEP * f64::from(PIXELS) + 24.0, self.top - 28.0);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg"
 width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text{{font:14px sans-serif;fill:#222}} .title{{font-size:18px}}
.tick{{font-size:12px;text-anchor:end}}
.grid{{stroke:#ddd;fill:none}}
.true{{stroke:#222;stroke-width:1.5;fill:none}} circle{{fill:#d55e00}}
rect{{shape-rendering:crispEdges}}
</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="28" class="title">{PIXELS} pixels of a photograph from m squared magnitudes</text>
<path d="M{LEFT} 48h24" class="true"/><text x="{x1}" y="52">true grey levels</text>
<circle cx="{x2}" cy="48" r="3.5"/><text x="{x3}" y="52">recovered, the sign chosen</text>
{body}</svg>
"##,
            x1 = LEFT + 32.0,
            x2 = LEFT + 172.0,
            x3 = LEFT + 184.0,
            body = self.body
        )
    }
}
