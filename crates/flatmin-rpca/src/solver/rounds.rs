//! Rounds of the alternating direction method of multipliers, one array of state.
//!
//! With the multiplier `Q` and the penalty `mu`, a round is
//!
//! ```text
//! X <- svt(Y - S + Q / mu, 1 / mu),   S <- soft(Y - X + Q / mu, lambda / mu),   Q <- Q + mu (Y - X - S)
//! ```
//!
//! where `svt` and `soft` shrink singular values and entries. `B = S + Q / mu` holds both: `Q / mu` is
//! `B` clipped to `±lambda / mu`, zero where nothing is seen, and `S` the rest. A round is then a
//! nonexpansive map `B -> Y - X + clip(B)`, `X = svt(Y - B + 2 clip(B))`. In the constrained form the
//! level of the clip is the one that leaves `sum |S| = tau`, and `lambda` is what it implies.
//!
//! References: Lin, Chen, Ma, *The augmented Lagrange multiplier method for exact recovery of
//! corrupted low-rank matrices*, arXiv 1009.5055; Eckstein, Bertsekas, *On the Douglas-Rachford
//! splitting method*, Math. Prog. 55, 1992.

use super::posed::Posed;
use super::spectrum::{Spectrum, count};
use crate::program::Form;
use crate::projection::l1_threshold;
use flatmin_core::linalg::{self, Svd};
use flatmin_core::{Error, MatMut};

pub(super) struct Rounds {
    pub(super) form: Form,
    /// `B`, by columns.
    pub(super) b: Vec<f64>,
    pub(super) mu: f64,
    /// Where `B` is clipped.
    pub(super) level: f64,
    /// The matrix to be shrunk, then `X`.
    pub(super) x: Vec<f64>,
}

/// What a round did.
pub(super) struct Round {
    /// `X = U diag(s) V^T`, in thin factors.
    pub(super) x: Svd,
    /// `|X|_*`, and `sum |Y - X|`.
    pub(super) nuclear: f64,
    pub(super) deviation: f64,
    /// `|Y - X - S|_F` for the new `S`, and `mu` times the change of `S`.
    pub(super) primal: f64,
    pub(super) dual: f64,
    /// Singular value number `rank + 1` before shrinking, times `mu`: below one; zero when unknown.
    pub(super) next: f64,
}

/// `b` clipped to `±level`; zero where nothing is seen.
#[inline(always)]
pub(super) fn clip(b: f64, level: f64, seen: bool) -> f64 {
    if seen { b.clamp(-level, level) } else { 0.0 }
}

impl Rounds {
    /// A start with `S = 0` and the multiplier `Q`, which `q` scales `Y` to.
    pub(super) fn new(posed: &Posed<'_>, form: Form, mu: f64, q: f64) -> Rounds {
        let b = posed.y.iter().map(|y| y * q / mu).collect();
        let mut rounds = Rounds { form, b, mu, level: 0.0, x: vec![0.0; posed.y.len()] };
        rounds.settle(posed);
        rounds
    }

    /// Sets the level of the clip to what the form asks for.
    pub(super) fn settle(&mut self, posed: &Posed<'_>) {
        self.level = match self.form {
            Form::Penalised { lambda } => lambda / self.mu,
            Form::Constrained { tau } => match posed.seen {
                None => l1_threshold(&self.b, tau),
                Some(seen) => {
                    let known = self.b.iter().zip(seen).filter(|(_, seen)| **seen);
                    l1_threshold(&known.map(|(b, _)| *b).collect::<Vec<f64>>(), tau)
                }
            },
        };
    }

    /// Keeps `S` and `Q`, and changes the penalty.
    pub(super) fn rescale(&mut self, posed: &Posed<'_>, mu: f64) {
        let (level, change) = (self.level, self.mu / mu);
        posed.sweep(&mut self.b, |_, _, seen, b| {
            each(b, seen, |b, seen| {
                let c = clip(*b, level, seen);
                *b += (change - 1.0) * c;
            });
        });
        self.mu = mu;
        self.level *= change;
    }

    /// Takes up another form, and keeps `S` and `Q` as far as it allows.
    pub(super) fn adopt(&mut self, posed: &Posed<'_>, form: Form) {
        self.form = form;
        self.settle(posed);
    }

    /// The dual matrix `Q = mu clip(B)`.
    pub(super) fn multiplier(&self, posed: &Posed<'_>, out: &mut [f64]) {
        let (level, mu) = (self.level, self.mu);
        posed.sweep(out, |start, _, seen, out| {
            for (k, o) in out.iter_mut().enumerate() {
                *o = mu * clip(self.b[start + k], level, seen.is_none_or(|seen| seen[k]));
            }
        });
    }

    /// The point that the next round starts from, `Y - B + 2 clip(B)`, written to `x`.
    fn target(&mut self, posed: &Posed<'_>) {
        let (level, all_b) = (self.level, &self.b);
        posed.sweep(&mut self.x, |start, y, seen, out| {
            let b = &all_b[start..start + y.len()];
            match seen {
                None => {
                    for ((o, y), b) in out.iter_mut().zip(y).zip(b) {
                        *o = y - b + 2.0 * b.clamp(-level, level);
                    }
                }
                Some(seen) => {
                    for (((o, y), b), seen) in out.iter_mut().zip(y).zip(b).zip(seen) {
                        *o = y - b + 2.0 * clip(*b, level, *seen);
                    }
                }
            }
        });
    }

    /// One round; `B` moves to its image.
    pub(super) fn advance(
        &mut self,
        posed: &Posed<'_>,
        spectrum: &mut Spectrum,
    ) -> Result<Round, Error> {
        self.target(posed);
        let threshold = 1.0 / self.mu;
        let found = spectrum.above(posed.view(&self.x), |_| threshold)?;
        let rank = count(&found, threshold);
        let next = found.s.get(rank).map_or(0.0, |s| s * self.mu);
        let x = shrunk(&found, rank, threshold);
        compose(posed, &x, &mut self.x);

        // At an unchanged level, Y - X - S is the change of the clipped part.
        let (level, all_x) = (self.level, &self.x);
        let parts = posed.sweep(&mut self.b, |start, y, seen, b| {
            let x = &all_x[start..start + y.len()];
            let (mut deviation, mut primal, mut dual) = (0.0, 0.0, 0.0);
            for (k, ((b, y), x)) in b.iter_mut().zip(y).zip(x).enumerate() {
                let seen = seen.is_none_or(|seen| seen[k]);
                let (apart, before) = (y - x, clip(*b, level, seen));
                let image = apart + before;
                let after = clip(image, level, seen);
                let sparse = (image - after) - (*b - before);
                deviation += if seen { apart.abs() } else { 0.0 };
                primal += (after - before) * (after - before);
                dual += sparse * sparse;
                *b = image;
            }
            (deviation, primal, dual)
        });
        self.settle(posed);
        let (mut deviation, mut primal, mut dual) = (0.0, 0.0, 0.0);
        for part in parts {
            deviation += part.0;
            primal += part.1;
            dual += part.2;
        }
        let (primal, dual) = (primal.sqrt(), self.mu * dual.sqrt());
        let nuclear = x.s.iter().sum();
        Ok(Round { x, nuclear, deviation, primal, dual, next })
    }
}

/// Runs `f(entry, seen)` over a piece.
#[inline(always)]
fn each(b: &mut [f64], seen: Option<&[bool]>, mut f: impl FnMut(&mut f64, bool)) {
    match seen {
        None => b.iter_mut().for_each(|b| f(b, true)),
        Some(seen) => b.iter_mut().zip(seen).for_each(|(b, seen)| f(b, *seen)),
    }
}

/// The leading `rank` triplets, with the threshold taken off the singular values.
pub(super) fn shrunk(svd: &Svd, rank: usize, threshold: f64) -> Svd {
    Svd {
        u: svd.u.as_ref().subcols(0, rank).to_owned(),
        s: svd.s[..rank].iter().map(|s| s - threshold).collect(),
        v: svd.v.as_ref().subcols(0, rank).to_owned(),
    }
}

/// Writes `U diag(s) V^T` to a field.
pub(super) fn compose(posed: &Posed<'_>, x: &Svd, out: &mut [f64]) {
    if x.s.is_empty() {
        return out.fill(0.0);
    }
    let left = linalg::scale_columns(x.u.as_ref(), &x.s);
    let out = MatMut::from_column_major_slice_mut(out, posed.rows, posed.cols);
    linalg::multiply_par(out, left.as_ref(), x.v.transpose(), posed.par);
}
