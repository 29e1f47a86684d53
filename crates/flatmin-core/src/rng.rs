//! Reproducible randomness: ChaCha streams keyed by what they are for.
//!
//! A stream is a function of (root seed, experiment, cell, trial, role) alone, so a draw does not
//! depend on which worker makes it, or in what order.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::StandardNormal;

/// What a stream of random numbers is for; each role has a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The planted matrix.
    Truth,
    /// The measurements, or the sampled positions.
    Measurements,
    /// Measurement noise.
    Noise,
    /// Starting points.
    Start,
    /// Probe vectors of checks and estimators.
    Probe,
}

/// A keyed stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha12Rng);

impl Stream {
    /// The stream of `(seed, experiment, cell, trial, role)`.
    ///
    /// ```
    /// use flatmin_core::rng::{Role, Stream};
    /// let draw = |trial| Stream::new(1, "fig3", 0, trial, Role::Truth).gaussian_vector(3);
    /// assert_eq!(draw(0), draw(0));
    /// assert_ne!(draw(0), draw(1));
    /// ```
    pub fn new(seed: u64, experiment: &str, cell: u64, trial: u64, role: Role) -> Stream {
        let mut key = [0u8; 32];
        let words = [seed, fnv1a(experiment), cell, trial];
        for (chunk, word) in key.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let mut generator = ChaCha12Rng::from_seed(key);
        generator.set_stream(role as u64);
        Stream(generator)
    }

    /// One standard normal number.
    pub fn gaussian(&mut self) -> f64 {
        self.0.sample(StandardNormal)
    }

    /// One number uniform on `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// `n` independent signs `±1`.
    pub fn signs(&mut self, n: usize) -> Vec<f64> {
        let mut signs = Vec::with_capacity(n);
        while signs.len() < n {
            let word: u64 = self.0.random();
            let count = (n - signs.len()).min(64);
            signs.extend((0..count).map(|bit| if word >> bit & 1 == 1 { 1.0 } else { -1.0 }));
        }
        signs
    }

    /// `n` independent standard normal numbers.
    pub fn gaussian_vector(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.gaussian()).collect()
    }

    /// A matrix of independent standard normal entries, drawn row by row.
    pub fn gaussian_matrix(&mut self, rows: usize, cols: usize) -> Mat<f64> {
        let draws = self.gaussian_vector(rows * cols);
        Mat::from_fn(rows, cols, |i, j| draws[i * cols + j])
    }
}

/// FNV-1a, 64 bits: a fixed map from an experiment's name to a word of the key.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
