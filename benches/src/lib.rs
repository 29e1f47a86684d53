//! Problems that the benchmarks share. Run them with `cargo bench -p flatmin-benches`.

use flatmin::core::Error;
use flatmin::core::rng::{Role, Stream};
use flatmin::{bilinear, completion, covariance, hadamard, quadnet, rpca, sensing};

/// Rank of every planted matrix.
pub const RANK: usize = 2;

fn streams(cell: usize) -> (Stream, Stream) {
    let stream = |role| Stream::new(0, "bench", cell as u64, 0, role);
    (stream(Role::Truth), stream(Role::Measurements))
}

/// `m` Gaussian measurements of a `d x d` matrix.
///
/// # Errors
/// When a size is zero.
pub fn sensing(d: usize, m: usize) -> Result<sensing::Planted, Error> {
    let (mut truth, mut measurements) = streams(d);
    sensing::Planted::gaussian(d, d, RANK, m, &mut truth, &mut measurements)
}

/// Entries of a `d x d` matrix, each seen with probability `p`.
///
/// # Errors
/// When `d` is zero, `p` is no probability, or nothing was seen.
pub fn completion(d: usize, p: f64) -> Result<completion::Planted, Error> {
    let (mut truth, mut sampling) = streams(d);
    completion::Planted::bernoulli(d, d, RANK, p, &mut truth, &mut sampling)
}

/// The same with Gaussian noise of this size on every entry.
///
/// # Errors
/// As [`completion()`].
pub fn noisy_completion(d: usize, p: f64, level: f64) -> Result<completion::Completion, Error> {
    let exact = completion(d, p)?.problem;
    let mut noise = Stream::new(0, "bench", d as u64, 0, Role::Noise);
    let targets = exact.targets().iter().map(|b| b + level * noise.gaussian()).collect();
    let (i, j): (Vec<_>, Vec<_>) = exact.map().positions().unzip();
    completion::Completion::new(d, d, &i, &j, targets)
}

/// `m` Gaussian bilinear measurements of a `d x d` matrix.
///
/// # Errors
/// When a size is zero.
pub fn bilinear(d: usize, m: usize) -> Result<bilinear::Planted, Error> {
    let (mut truth, mut vectors) = streams(d);
    bilinear::Planted::gaussian(d, d, RANK, m, &mut truth, &mut vectors)
}

/// `m` Gaussian measurements of a vector of length `d` with `s` nonzeros.
///
/// # Errors
/// When a size is zero, or `s` is zero or above `d`.
pub fn hadamard(d: usize, m: usize, s: usize) -> Result<hadamard::Planted, Error> {
    let (mut truth, mut measurements) = streams(d);
    hadamard::Planted::gaussian(m, d, s, &mut truth, &mut measurements)
}

/// `m` Gaussian quadratic measurements of a positive semidefinite `d x d` matrix.
///
/// # Errors
/// When a size is zero.
pub fn covariance(d: usize, m: usize) -> Result<covariance::Planted, Error> {
    let (mut truth, mut probes) = streams(d);
    covariance::Planted::gaussian(d, RANK, m, &mut truth, &mut probes)
}

/// `m` Gaussian inputs of a network with [`RANK`] positive units and one negative, of width `d`.
///
/// # Errors
/// When a size is zero.
pub fn quadnet(d: usize, m: usize) -> Result<quadnet::Planted, Error> {
    let (mut truth, mut inputs) = streams(d);
    quadnet::Planted::gaussian(d, RANK, 1, m, &mut truth, &mut inputs)
}

/// A `d x d` matrix of the given rank, of whose entries a part `p` is corrupted.
///
/// # Errors
/// When a size is zero, or `p` is no probability.
pub fn rpca(d: usize, rank: usize, p: f64) -> Result<rpca::Planted, Error> {
    let stream = |role| Stream::new(0, "bench", d as u64, 0, role);
    let (mut truth, mut noise) = (stream(Role::Truth), stream(Role::Noise));
    rpca::Planted::bernoulli(d, d, rank, p, 10.0, &mut truth, &mut noise)
}
