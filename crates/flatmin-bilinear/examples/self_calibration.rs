//! Sensors with unknown gains observe unknown signals: both are recovered from the same data.
//!
//! ```text
//! cargo run --release -p flatmin-bilinear --example self_calibration
//! ```
//!
//! Sensor `l` has gain `g_l = b_l^T h`: gains drift smoothly over the array, so `g = B h` with a
//! few cosines in the columns of `B`. At snapshot `t` it reads the signal `C x_t` through its gain,
//!
//! ```text
//! y_{l,t} = (b_l^T h)(c_l^T x_t) = b_l^T (h x_t^T) c_l = b_l^T M (e_t (x) c_l),
//! ```
//!
//! a bilinear measurement of the one matrix `M = h (x_1; ...; x_T)^T` of rank one that all
//! snapshots share. A scale moved from the gains to the signals changes no reading, so both are
//! known up to one number; here the mean gain is one. Source of the problem: S. Ling, T. Strohmer,
//! *Self-calibration and biconvex compressive sensing*, Inverse Problems 31(11), 2015.

use flatmin_bilinear::{Bilinear, Error, Mat};
use flatmin_core::linalg::norm;
use flatmin_core::rng::{Role, Stream};

const SENSORS: usize = 32;
const SNAPSHOTS: usize = 5;
/// Dimensions of the subspaces of the gains and of the signals.
const GAINS: usize = 6;
const SIGNALS: usize = 8;

/// Row `l` of `B`: cosines of growing frequency, the first constant.
fn drift(l: usize) -> impl Iterator<Item = f64> {
    let place = std::f64::consts::PI * (l as f64 + 0.5) / SENSORS as f64;
    (0..GAINS).map(move |k| (place * k as f64).cos())
}

/// `|x - truth| / |truth|`.
fn error(x: &[f64], truth: &[f64]) -> f64 {
    let off: Vec<f64> = x.iter().zip(truth).map(|(x, t)| x - t).collect();
    norm(&off) / norm(truth)
}

fn main() -> Result<(), Error> {
    let stream = |role| Stream::new(0, "self-calibration", 0, 0, role);
    let mut draws = stream(Role::Truth);
    // Gains of mean one that drift by tens of percent, and signals without any structure but their
    // subspace.
    let h: Vec<f64> =
        (0..GAINS).map(|k| if k == 0 { 1.0 } else { 0.2 * draws.gaussian() }).collect();
    let x = draws.gaussian_vector(SNAPSHOTS * SIGNALS);
    let c: Mat<f64> = stream(Role::Measurements).gaussian_matrix(SENSORS, SIGNALS);

    let (mut left, mut right, mut readings) = (Vec::new(), Vec::new(), Vec::new());
    for t in 0..SNAPSHOTS {
        for l in 0..SENSORS {
            let mut probe = vec![0.0; SNAPSHOTS * SIGNALS];
            (0..SIGNALS).for_each(|j| probe[t * SIGNALS + j] = c[(l, j)]);
            let gain: f64 = drift(l).zip(&h).map(|(b, h)| b * h).sum();
            let signal: f64 = probe.iter().zip(&x).map(|(c, x)| c * x).sum();
            left.extend(drift(l));
            right.extend(probe);
            readings.push(gain * signal);
        }
    }
    println!(
        "{} readings of a {GAINS} x {} matrix of rank one, {} degrees of freedom",
        readings.len(),
        SNAPSHOTS * SIGNALS,
        flatmin_bilinear::theory::degrees_of_freedom(GAINS, SNAPSHOTS * SIGNALS, 1)
    );

    let problem = Bilinear::from_arrays(GAINS, SNAPSHOTS * SIGNALS, left, right, readings)?;

    let flat = problem.flat().solve()?;
    println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
    println!("rank {}, the only solution: {}", flat.rank, flat.unique);
    // One column each; the scale between them is fixed by the mean gain, h_1 = 1, as the other
    // cosines have mean zero over the array.
    let (gains, signals) = flat.factors();
    let scale = gains[(0, 0)];
    let gains: Vec<f64> = (0..GAINS).map(|k| gains[(k, 0)] / scale).collect();
    let signals: Vec<f64> = (0..x.len()).map(|j| signals[(j, 0)] * scale).collect();
    let over_the_array = |h: &[f64]| -> Vec<f64> {
        (0..SENSORS).map(|l| drift(l).zip(h).map(|(b, h)| b * h).sum()).collect()
    };
    let (found, true_gains) = (over_the_array(&gains), over_the_array(&h));
    println!("error of the gains:   {:.1e}", error(&found, &true_gains));
    println!("error of the signals: {:.1e}", error(&signals, &x));
    println!("error of the gains if all were one: {:.2}", error(&[1.0; SENSORS], &true_gains));
    Ok(())
}
