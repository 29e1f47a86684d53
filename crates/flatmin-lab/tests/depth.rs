//! Depth: the same bytes for any number of workers and after any interruption; what theory knows of the limit.

#![allow(clippy::unwrap_used)]

use flatmin_lab::Error;
use flatmin_lab::progress::Progress;
use flatmin_lab::spec::Scale;
use flatmin_lab::studies::depth::summary::Table;
use flatmin_lab::studies::depth::{Cell, Depths, Norm, Row};
use flatmin_lab::study::{self, Findings, Outcome, Study};
use std::fs;
use std::path::{Path, PathBuf};

fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

fn few(journal: &Path, jobs: usize) -> Result<Outcome<Row>, Error> {
    let cell = |m, deep| Cell { d: 20, m, s: 2, trials: 3, deep };
    let depths = Depths { only: Some(vec![cell(14, true), cell(4, false), cell(20, false)]) };
    let done = study::run(&depths, journal, (Scale::Quick, 3, jobs), &Progress::silent())?;
    Ok(Outcome::new("depth", done))
}

#[test]
fn neither_workers_nor_interruptions_are_seen() {
    let dir = scratch("depth");
    let journal = dir.join("one.csv");
    let whole = few(&journal, 1).unwrap();
    assert_eq!(whole.rows().len(), 3 * (9 + 6 + 6));
    assert!(whole.rows().iter().all(|row| row.certified));
    let expected = whole.records_csv().unwrap();
    assert_eq!(few(&dir.join("two.csv"), 2).unwrap().records_csv().unwrap(), expected);
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(few(&journal, 2).unwrap().records_csv().unwrap(), expected);
    let figures = whole.figures().unwrap();
    assert!(figures.len() == 2 && figures.iter().all(|f| f.svg.contains("<svg")));
    assert_eq!(whole.claims().len(), 5);
    assert_eq!(Outcome::<Row>::new("depth", Vec::new()).figures().unwrap(), []);
}

#[test]
fn square_measurements_determine_the_vector_and_few_do_not() {
    let whole = few(&scratch("depth-square").join("one.csv"), 1).unwrap();
    let table = Table::new(whole.rows());
    for norm in Norm::MAPPED {
        assert!(table.all_recovered((2, 20), norm), "{norm}");
        assert!(!table.all_recovered((2, 4), norm), "{norm}");
    }
    assert!(table.all_recovered((2, 14), Norm::flat(2)));
    assert_eq!(table.point((2, 14), Norm::flat(3)).successes, 0);
}

/// The least norm with even weights projects onto a random space: mean squared error `1 - m/d`, and
/// weights that are nearly even change little.
#[test]
fn the_limit_is_nearly_the_projection() {
    let (d, m, trials) = (40, 20, 200);
    let depths = Depths { only: Some(vec![Cell { d, m, s: 3, trials, deep: false }]) };
    let journal = scratch("depth-limit").join("one.csv");
    let done = study::run(&depths, &journal, (Scale::Quick, 1, 1), &Progress::silent()).unwrap();
    let rows = done.iter().flat_map(|done| &done.rows).filter(|row| row.norm == "inf");
    let squares: Vec<f64> = rows.map(|row| row.error.powi(2)).collect();
    assert_eq!(squares.len(), trials as usize);
    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
    assert!((mean / 0.5 - 1.0).abs() < 0.1, "{mean}");
}

#[test]
fn every_scale_has_cells_that_are_solved_at_all_depths() {
    for (scale, d) in [(Scale::Quick, 40), (Scale::Paper, 100)] {
        let cells = Depths::default().tasks(scale);
        assert_eq!(cells.iter().filter(|cell| cell.deep).count(), 3, "{scale}");
        assert!(cells.iter().all(|c| c.d == d && c.m <= d && c.s <= d / 2 && c.trials >= 10));
        assert!(cells.iter().any(|cell| cell.m == d) && cells.iter().any(|cell| cell.s == d / 2));
    }
}
