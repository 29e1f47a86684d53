//! Estimates of traces: the same bytes for any number of workers and after any interruption, of operators
//! that are what they are said to be.

use flatmin::core::flatness::{Method, SymmetricOperator};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{DenseMap, Gram, Mat, MatRef, Rescaling};
use flatmin_lab::Error;
use flatmin_lab::progress::Progress;
use flatmin_lab::spec::Scale;
use flatmin_lab::studies::estimators::operators::{Built, Operator, Population, hessian};
use flatmin_lab::studies::estimators::{BUDGETS, Contender, Estimates, Estimators, Row};
use flatmin_lab::study::{self, Findings, Outcome};
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

fn two_draws(journal: &Path, jobs: usize) -> Result<Outcome<Row>, Error> {
    let estimators = Estimators::only(&[Operator::Geometric, Operator::Interpolating], 2);
    let done = study::run(&estimators, journal, (Scale::Quick, 3, jobs), &Progress::silent())?;
    Ok(Outcome::new("estimators", done))
}

#[test]
fn neither_workers_nor_interruptions_are_seen() -> Outcomes {
    let dir = scratch("estimators")?;
    let journal = dir.join("one.csv");
    let whole = two_draws(&journal, 1)?;
    assert_eq!(whole.rows().len(), 2 * (7 * 7) + 2 * (9 * 5 + 7 * 2 + 1));
    assert!(whole.rows().iter().all(|row| row.failure.is_empty()));
    let expected = whole.records_csv()?;
    assert_eq!(two_draws(&dir.join("two.csv"), 2)?.records_csv()?, expected);
    let bytes = fs::read(&journal)?;
    let cut = 5 * bytes.len() / 8;
    let end = bytes[..cut].iter().rposition(|&b| b == b'\n').map_or(0, |k| k + 1);
    // Inside a line, and where one ends; and then with the draw that was begun again.
    for cut in [cut, end] {
        fs::write(&journal, &bytes[..cut])?;
        assert_eq!(two_draws(&journal, 2)?.records_csv()?, expected, "cut at {cut}");
        let length = fs::metadata(&journal)?.len();
        assert_eq!(two_draws(&journal, 1)?.records_csv()?, expected);
        assert_eq!(fs::metadata(&journal)?.len(), length);
    }
    assert_eq!(whole.claims().len(), 5);
    let figures = whole.figures()?;
    assert!(figures.iter().all(|f| f.svg.contains("<svg") && f.alt.contains("xnystrace")));
    assert_eq!(Outcome::<Row>::new("estimators", Vec::new()).figures()?, []);
    // Decaying eigenvalues, from which a few products tell almost all.
    let rows = Estimates(whole.rows()).at(
        Operator::Geometric,
        Contender::plain(Method::XNysTrace),
        BUDGETS[2],
    );
    assert!(rows.len() == 2 && rows.iter().all(|row| row.error() < 1e-10));
    Ok(())
}

fn image(operator: &dyn SymmetricOperator, v: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(v.nrows(), v.ncols());
    operator.apply(v, out.as_mut());
    out
}

/// The product with the sum of rank-one terms at `(L, R)`, by differences of the gradient of the loss.
fn by_differences(
    map: &[Mat<f64>],
    targets: &[f64],
    (l, r): (&Mat<f64>, &Mat<f64>),
    direction: &Mat<f64>,
) -> Mat<f64> {
    let (d, k) = l.shape();
    let at = |t: f64| {
        let moved = |z: &Mat<f64>, from: usize| {
            Mat::from_fn(d, k, |i, j| z[(i, j)] + t * direction[(from + j * d + i, 0)])
        };
        let (l, r) = (moved(l, 0), moved(r, d * k));
        let x = &l * r.transpose();
        let mut gradient = Mat::<f64>::zeros(2 * d * k, 1);
        for (a, b) in map.iter().zip(targets) {
            let inner: f64 =
                (0..d).map(|j| (0..d).map(|i| a[(i, j)] * x[(i, j)]).sum::<f64>()).sum();
            let weight = 2.0 * (inner - b) / map.len() as f64;
            let (left, right) = (a * &r, a.transpose() * &l);
            for (i, j) in (0..k).flat_map(|j| (0..d).map(move |i| (i, j))) {
                gradient[(j * d + i, 0)] += weight * left[(i, j)];
                gradient[(d * k + j * d + i, 0)] += weight * right[(i, j)];
            }
        }
        gradient
    };
    // The gradient is a cubic of t: central differences with steps 1 and 2 cancel its odd part.
    let (one, two) = (at(1.0) - at(-1.0), at(2.0) - at(-2.0));
    Mat::from_fn(2 * d * k, 1, |i, _| (8.0 * one[(i, 0)] - two[(i, 0)]) / 12.0)
}

#[test]
fn hessians_are_second_derivatives() -> Outcomes {
    let (d, k, m) = (4, 3, 25);
    let stream = |role| Stream::new(5, "hessians", 0, 0, role);
    let mut truth = stream(Role::Truth);
    let mut drawn = || truth.gaussian_matrix(d, k);
    let (l, r, (u, v)) = (drawn(), drawn(), (drawn(), drawn()));
    let target = &u * v.transpose();
    let built =
        hessian((l.clone(), r.clone()), target.as_ref(), (d, m), &mut stream(Role::Measurements));
    let mut measurements = stream(Role::Measurements);
    let map: Vec<Mat<f64>> = (0..m).map(|_| measurements.gaussian_matrix(d, d)).collect();
    let inner = |a: &Mat<f64>| -> f64 {
        (0..d).map(|j| (0..d).map(|i| a[(i, j)] * target[(i, j)]).sum::<f64>()).sum()
    };
    let targets: Vec<f64> = map.iter().map(inner).collect();
    let direction = stream(Role::Probe).gaussian_matrix(2 * d * k, 1);
    let expected = by_differences(&map, &targets, (&l, &r), &direction);
    let found = image(built.operator.as_ref(), direction.as_ref());
    assert!((&found - &expected).norm_l2() < 1e-11 * expected.norm_l2());
    assert_eq!(built.operator.exact_trace(), None);
    let dense = DenseMap::from_matrices(map.iter().map(|a| a.as_ref()))?;
    let (left, right) = Rescaling::new(&dense)?.traces(l.as_ref(), r.as_ref())?;
    assert!((built.trace / (left + right) - 1.0).abs() < 1e-12);
    Ok(())
}

#[test]
fn populations_are_means_over_measurements() -> Outcomes {
    // Measurements of all entries, each sqrt(d^2) times: their mean of squares is that of normal ones.
    let (d, k) = (4, 3);
    let mut stream = Stream::new(6, "population", 0, 0, Role::Truth);
    let (l, r) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let population = Population::new(l.clone(), r.clone());
    let (u, v) = (stream.gaussian_matrix(d, k), stream.gaussian_matrix(d, k));
    let x = &u * r.transpose() + &l * v.transpose();
    let stacked = |a: &Mat<f64>, b: &Mat<f64>| {
        Mat::from_fn(2 * d * k, 1, |i, _| {
            let (z, i) = if i < d * k { (a, i) } else { (b, i - d * k) };
            z[(i % d, i / d)]
        })
    };
    let expected = stacked(&(&x * &r), &(x.transpose() * &l)) * 2.0;
    let found = image(&population, stacked(&u, &v).as_ref());
    assert!((&found - &expected).norm_l2() < 1e-13 * expected.norm_l2());
    let units = Mat::<f64>::identity(2 * d * k, 2 * d * k);
    let trace = Gram::Dense(image(&population, units.as_ref())).trace();
    let exact = population.exact_trace().ok_or("no trace")?;
    assert!((trace / exact - 1.0).abs() < 1e-13);
    Ok(())
}

#[test]
fn bases_are_random_rotations() -> Outcomes {
    let Built { operator, trace, deviation, .. } = Operator::Even.build(Scale::Quick, 4);
    let n = operator.order();
    let units = Mat::<f64>::identity(n, n);
    let h = image(operator.as_ref(), units.as_ref());
    assert!((&h - h.transpose()).norm_l2() < 1e-12 * h.norm_l2());
    let diagonal: Vec<f64> = (0..n).map(|i| h[(i, i)]).collect();
    assert!((diagonal.iter().sum::<f64>() / trace - 1.0).abs() < 1e-12);
    let step = 2.0 / (n - 1) as f64;
    let squares: f64 = (0..n).map(|i| (1.0 + step * i as f64).powi(2)).sum();
    assert!((h.squared_norm_l2() / squares - 1.0).abs() < 1e-12);
    // What a uniformly random basis gives: h_ii of variance 2 (sum l^2 - tr^2 / n) / (n (n + 2)), here
    // known to 2 sqrt(2 / n).
    let spread = squares - trace * trace / n as f64;
    let variance = diagonal.iter().map(|h| (h - trace / n as f64).powi(2)).sum::<f64>() / n as f64;
    let expected = 2.0 * spread / (n as f64 * (n as f64 + 2.0));
    assert!((variance / expected - 1.0).abs() < 0.15, "{}", variance / expected);
    let off: f64 = squares - diagonal.iter().map(|h| h * h).sum::<f64>();
    assert!((deviation / ((2.0 * off).sqrt() / trace) - 1.0).abs() < 1e-9);
    // Eigenvectors of the other two, in whose entries fourth moments are 3 / n^2.
    let fourth = kurtosis(&Operator::InverseSquare.build(Scale::Quick, 4));
    assert!((fourth - 3.0).abs() < 0.6, "{fourth}");
    Ok(())
}

/// `n sum q_i^4` for the leading eigenvector `q`, by powers of the operator.
fn kurtosis(built: &Built) -> f64 {
    let n = built.operator.order();
    let mut q = Mat::from_fn(n, 1, |i, _| ((i * i) as f64).cos());
    for _ in 0..60 {
        q = image(built.operator.as_ref(), q.as_ref());
        let norm = q.norm_l2();
        q.col_mut(0).iter_mut().for_each(|x| *x /= norm);
    }
    n as f64 * q.col(0).iter().map(|x| x.powi(4)).sum::<f64>()
}
