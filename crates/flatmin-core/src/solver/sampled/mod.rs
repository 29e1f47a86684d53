//! The roads for many sampled entries: nothing of the size of the matrix is formed.
//!
//! Exact entries: as [`gauss_newton`](super::gauss_newton), it fits a matrix of one rank and certifies it afterwards,
//! but by products of the sparse matrix with thin ones: a spectral start by subspace iteration
//! ([`scaled`]), Gauss-Newton with conjugate gradients on the tangent space ([`fit`], [`tangent`]), and
//! a certificate whose norm is bounded by a randomised Chebyshev iteration ([`certificate`],
//! [`bound`]). The fit does not depend on the objective: it enters through the whitening of the
//! certificate alone. That no other matrix is as good is not looked into here.
//!
//! Entries with noise: [`penalised`], and [`bounded`] by way of it.

mod amplitudes;
mod blocks;
mod bound;
pub(super) mod bounded;
mod certificate;
mod dual;
mod fit;
mod gradients;
pub(super) mod penalised;
mod ridge;
mod scaled;
mod tangent;

use super::equality::{Bound, Incumbent};
use super::gauss_newton::spectral_rank;
use super::monitor::Monitor;
use super::point::Point;
use super::variables::Variables;
use crate::linalg::kernel::dot;
use crate::linalg::thin::{LANES, Thin};
use crate::linalg::{Par, norm};
use crate::operator::{Dims, Pattern, Whitening};
use crate::theory::degrees_of_freedom;
use crate::{Error, Mat, MatRef};
use fit::{Fitted, fit};
use scaled::Scaled;

/// Matrices of at least this many entries take this road before the ones that form them.
pub(super) const LARGE: usize = 200 * 200;

/// Blocks of singular vectors that a start looks at, one power of two after the other.
const START_BLOCKS: usize = 16;

/// Rounds of subspace iteration for a start.
const START_ROUNDS: usize = 3;

/// Ranks tried.
const RANKS_TRIED: usize = 8;

/// Singular values below this part of the largest are not used by a fit.
const UNUSED: f64 = 1e-7;

/// Sampled entries with their normalised values, and the variables in which the norm is taken.
pub(super) struct Posed<'a> {
    pattern: &'a Pattern,
    par: Par,
    left: &'a Whitening,
    right: &'a Whitening,
    /// Diagonals of `P1` and `P2`, zero where nothing is seen.
    p1: Vec<f64>,
    p2: Vec<f64>,
    /// Values in row order and in column order.
    by_row: Vec<f64>,
    by_col: Vec<f64>,
    norm_b: f64,
    tolerance: f64,
}

impl<'a> Posed<'a> {
    /// From values in the caller's order and their unit; `None` when the whitening is not diagonal.
    pub(super) fn new(
        pattern: &'a Pattern,
        (values, unit): (&[f64], f64),
        variables: &'a Variables,
        tolerance: f64,
        par: Par,
    ) -> Option<Posed<'a>> {
        let mut by_row = pattern.in_row_order(values);
        by_row.iter_mut().for_each(|b| *b *= unit);
        let by_col = pattern.in_col_order(&by_row);
        let Variables { left, right, .. } = variables;
        let (p1, p2) = (left.full_diagonal()?, right.full_diagonal()?);
        let norm_b = norm(&by_row);
        Some(Posed { pattern, par, left, right, p1, p2, by_row, by_col, norm_b, tolerance })
    }

    /// `P1 A*(w) P2`.
    fn matrix<'b>(&'b self, by_row: &'b [f64], by_col: &'b [f64]) -> Scaled<'b> {
        let Posed { pattern, par, p1, p2, .. } = self;
        Scaled { pattern, par: *par, p1, p2, by_row, by_col }
    }

    /// Sizes in whitened variables.
    fn dims(&self) -> Dims {
        let measurements = self.by_row.len();
        Dims { rows: self.left.rank(), cols: self.right.rank(), measurements }
    }

    /// `rho D_i^2`; any positive number where nothing is seen.
    fn weights(&self, p: &[f64], rho: f64) -> Vec<f64> {
        p.iter().map(|p| if *p > 0.0 { rho / (p * p) } else { 1.0 }).collect()
    }

    /// `A(L R^T) - b`, in row order.
    fn residual(&self, l: &Thin, r: &Thin) -> Vec<f64> {
        let mut e = self.pattern.by_row().values(self.par, l, r);
        e.iter_mut().zip(&self.by_row).for_each(|(e, b)| *e -= b);
        e
    }

    /// `A(X) - b` at a matrix in whitened variables, in row order.
    fn misfit(&self, point: &Point) -> Vec<f64> {
        let (l, r) = point.balanced();
        let left = Thin::from_mat(self.left.times(l.as_ref()).as_ref());
        self.residual(&left, &self.columns(r.as_ref()))
    }

    /// Rows of the seen ones, put where they belong.
    fn spread(&self, side: &Whitening, a: MatRef<'_, f64>) -> Thin {
        let mut out = Thin::zeros(side.order(), a.ncols());
        let kept = side.diagonal().map_or(&[][..], |(kept, _)| kept);
        for (place, &i) in kept.iter().enumerate() {
            let row = out.row_mut(i);
            (0..a.ncols()).for_each(|j| row[j] = a[(place, j)]);
        }
        out
    }

    /// `P2 V` for whitened right vectors of the seen columns.
    fn columns(&self, v: MatRef<'_, f64>) -> Thin {
        Thin::from_mat(self.right.times(v).as_ref())
    }

    /// `L R^T` in whitened variables.
    fn point(&self, l: &Thin, r: &Thin) -> Result<Point, Error> {
        let l = self.left.inverse_times(l.to_mat().as_ref());
        let r = self.right.inverse_times(r.to_mat().as_ref());
        Point::from_factors(l.as_ref(), r.as_ref())
    }

    /// Leading right vectors, in whitened variables with rows for every column, of some values.
    fn leading(&self, w: &[f64], blocks: usize) -> Result<(Vec<f64>, Mat<f64>), Error> {
        self.matrix(w, &self.pattern.in_col_order(w)).leading(blocks, START_ROUNDS)
    }

    /// Columns to start from: as many as the spectrum of the values shows, or as asked for.
    fn start(
        &self,
        rank: Option<usize>,
        identifiable: impl Fn(usize) -> bool,
    ) -> Result<Thin, Error> {
        let short = self.left.rank().min(self.right.rank());
        let mut blocks = rank.map_or(2, |rank| (rank + 4).div_ceil(LANES));
        loop {
            let (s, v) = self.matrix(&self.by_row, &self.by_col).leading(blocks, START_ROUNDS)?;
            let clear = spectral_rank(&s, &identifiable);
            let wide = blocks >= START_BLOCKS || s.len() >= short;
            let guess = match (rank, clear) {
                (Some(rank), _) => rank,
                (None, (guess, found)) if found || wide => guess,
                _ => {
                    blocks *= 2;
                    continue;
                }
            };
            let guess = guess.clamp(1, s.len());
            let mut v = Thin::from_mat(v.as_ref().subcols(0, guess));
            v.scale_rows(&self.p2);
            return Ok(v);
        }
    }
}

/// `P^{-1} X`, zero where nothing is seen.
fn whitened(p: &[f64], x: &Thin) -> Thin {
    let mut x = x.clone();
    x.scale_rows(&inverse(p));
    x
}

/// `1 / p_i`, zero where nothing is seen.
fn inverse(p: &[f64]) -> Vec<f64> {
    p.iter().map(|&p| if p > 0.0 { 1.0 / p } else { 0.0 }).collect()
}

/// Tries ranks in turn; whatever it finds is offered to the incumbent.
pub(super) fn search(
    posed: &Posed<'_>,
    start: Option<Point>,
    rank: Option<usize>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let (rows, cols) = (posed.left.rank(), posed.right.rank());
    let identifiable =
        |r: usize| r <= rows.min(cols) && degrees_of_freedom(rows, cols, r) <= posed.by_row.len();
    let mut v = match start {
        Some(point) => posed.columns(point.v.as_ref()),
        None => posed.start(rank, identifiable)?,
    };
    for _ in 0..RANKS_TRIED {
        if !identifiable(v.width()) {
            break;
        }
        let fitted = fit(posed, v, monitor);
        if fitted.fits() {
            return settle(posed, fitted, incumbent, monitor);
        }
        let point = posed.point(&fitted.tangent.l, &fitted.tangent.v)?;
        incumbent.offer_point(point, fitted.infeasibility);
        if monitor.stop.is_some() {
            break;
        }
        // One rank more, along the steepest direction of the residual.
        let (_, steepest) = posed.leading(&fitted.residual, 1)?;
        let mut more = Thin::from_mat(steepest.as_ref().subcols(0, 1));
        more.scale_rows(&posed.p2);
        v = fitted.tangent.v.beside(&more);
    }
    Ok(())
}

/// Certifies a matrix that fits, after dropping the rank that it does not use.
fn settle<'a>(
    posed: &Posed<'a>,
    mut fitted: Fitted<'a>,
    incumbent: &mut Incumbent,
    monitor: &mut Monitor<'_>,
) -> Result<(), Error> {
    let mut point = posed.point(&fitted.tangent.l, &fitted.tangent.v)?;
    let used = point.clone().trimmed(UNUSED);
    if used.rank() < point.rank() && used.rank() > 0 {
        let again = fit(posed, posed.columns(used.v.as_ref()), monitor);
        if again.fits() {
            point = posed.point(&again.tangent.l, &again.tangent.v)?;
            fitted = again;
        }
    }
    let proof = certificate::prove(posed, &fitted.tangent, &point);
    incumbent.offer_point(point, fitted.infeasibility);
    let lower = dot(&proof.y, &posed.by_row);
    // Scaled by a bound on its norm, with a margin for the rounding of whoever checks it.
    let scale = 1.0 / (proof.norm * (1.0 + 1e-14));
    if (lower * scale).is_finite() {
        let mut y = posed.pattern.in_given_order(proof.y);
        y.iter_mut().for_each(|y| *y *= scale);
        incumbent.offer_bound(Bound { y, lower: lower * scale });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
