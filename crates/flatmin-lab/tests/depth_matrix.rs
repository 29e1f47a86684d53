//! Depth: the same bytes for any number of workers, and rows that agree with what is known without a search.

use flatmin_lab::claims::Verdict;
use flatmin_lab::progress::Progress;
use flatmin_lab::spec::Scale;
use flatmin_lab::studies::depth_matrix::summary::{Found, Method};
use flatmin_lab::studies::depth_matrix::{DEPTHS, DepthMatrix, EXACT, Row};
use flatmin_lab::study::{self, Findings, Outcome, Study};
use std::fs;
use std::path::{Path, PathBuf};

type Outcomes = Result<(), Box<dyn std::error::Error>>;

/// A path of this test with nothing there.
fn scratch(name: &str) -> Result<PathBuf, std::io::Error> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    Ok(dir)
}

#[test]
fn rows_are_what_they_are_said_to_be() -> Outcomes {
    let dir = scratch("depth-matrix")?;
    // Order 5 and rank one: half of the draws recover from 14.3 measurements.
    let few = DepthMatrix::only(5, 1, &[12, 22], 2);
    let run = |name: &str, jobs| {
        study::run(&few, &dir.join(name), (Scale::Quick, 1, jobs), &Progress::silent())
    };
    let whole = Outcome::new(DepthMatrix::ABOUT.id, run("one.csv", 1)?);
    let again = Outcome::new(DepthMatrix::ABOUT.id, run("two.csv", 2)?);
    assert_eq!(whole.records_csv()?, again.records_csv()?);
    assert_eq!(whole.rows().len(), 2 * 2 * DEPTHS.len() * 2);

    for row in whole.rows() {
        // No interpolating matrix is below the certified least norm, and factors of rank one are there to be found.
        assert!(row.gap < 1e-8 && row.ratio() > 1.0 - 1e-7, "{row:?}");
        assert!(row.fits() && row.certified.is_some() == (row.depth == 2), "{row:?}");
    }
    let found = Found::all(whole.rows());
    assert_eq!(found.len(), 2 * 2 * DEPTHS.len());
    for f in &found {
        let limit = f.best.rank_one.ok_or("of rank one")? * (1.0 + EXACT);
        assert!(f.best.trace <= limit, "{:?}", f.best);
        if let Some(certified) = f.best.certified {
            assert!((f.best.trace / certified - 1.0).abs() < EXACT, "{:?}", f.best);
        }
    }
    // Well above the transition every depth recovers.
    for method in Method::ALL {
        let well = method.of(&found, 1, 22);
        assert!(well.len() == 2 && well.iter().all(|f| method.error(f) < EXACT), "{method:?}");
    }

    let claims = whole.claims();
    assert_eq!(claims.len(), 5);
    assert!(claims.iter().all(|c| c.verdict != Verdict::DidNotHold), "{claims:?}");
    let figures = whole.figures()?;
    assert!(figures.len() == 1 && figures[0].svg.contains("4 layers"));
    let mut page = String::new();
    whole.write(&mut page);
    assert!(page.contains("Matrices of rank 1") && !page.contains("NaN"));

    let nothing = Outcome::<Row>::new(DepthMatrix::ABOUT.id, Vec::new());
    assert_eq!(nothing.figures()?, []);
    assert!(nothing.claims().iter().all(|c| c.verdict == Verdict::NotDecided));
    Ok(())
}
