//! The exact end of a solve at two factors, from a guess of the support.
//!
//! With `S` the support of the solution and `sigma` its signs, `z` solves `B_S z_S = c` and `u` the
//! equations `B_S^T u = sigma`; when then `|B^T u| <= 1` elsewhere, `<c, u> = sum |z_j|` and both are optimal.
//! Each is the nearest to what is at hand that obeys its equations, by one pivoted QR decomposition of
//! `B_S`, so that solutions and certificates that are not unique do no harm. Where rounding could carry a
//! slope beyond one, the equations ask for a little less.

use super::incumbent::Incumbent;
use super::posed::Posed;
use flatmin_core::linalg::{self, max_abs, norm};
use flatmin_core::{Mat, MatMut, MatRef};

/// Pivots below this part of the largest count as zero.
const ZERO: f64 = 1e-11;

/// Pivots of columns of unit length above this count as a proof of independence without pivoting.
const CLEAR: f64 = 1e-6;

/// Entries below this part of the largest count as zero in an exact end.
const NOTHING: f64 = 1e-11;

/// How far slopes off the support must stay from one for the solution to be the only one.
const STRICT: f64 = 1e-7;

/// Refinements against rounding.
const REFINEMENTS: usize = 3;

/// Gap from which on every guess is tried.
const CLOSE: f64 = 1e-6;

/// The support that `z` and the slopes `s = B^T u` point at.
pub(super) fn guess(rank: usize, z: &[f64], s: &[f64]) -> Vec<usize> {
    let total: f64 = z.iter().map(|z| z.abs()).sum();
    let scale = total / rank as f64;
    let likely = |j: &usize| z[*j].abs() > 0.1 * scale * (1.0 - s[*j].abs()).max(0.0);
    (0..z.len()).filter(likely).collect()
}

/// Whether a guess is worth its cost: it is small, or it stands since the last iterate, or the end is near.
pub(super) fn worthwhile(posed: &Posed, set: &[usize], last: &[usize], gap: f64) -> bool {
    2 * set.len() <= posed.rank() || set == last || gap <= CLOSE
}

/// Tries a support, with the signs of `z`, from `z` and `u`.
pub(super) fn finish(
    posed: &Posed,
    mut set: Vec<usize>,
    z: &[f64],
    u: &[f64],
    incumbent: &mut Incumbent,
) {
    for pass in 0..3 {
        if set.is_empty() || set.len() > 4 * posed.rank() {
            return;
        }
        let Some(found) = exactly(posed, &set, z, u) else { return };
        if pass == 0 {
            incumbent.offer(posed, &found.z);
            incumbent.offer_dual(posed, &found.u);
        } else {
            // Without what was but rounding.
            incumbent.settle(posed, &found.z, &found.u);
        }
        let largest = max_abs(&found.z);
        let kept: Vec<usize> =
            set.iter().copied().filter(|&j| found.z[j].abs() > NOTHING * largest).collect();
        let kept: Vec<usize> = kept.into_iter().filter(|&j| found.z[j] * z[j] > 0.0).collect();
        if kept.len() == set.len() {
            let mut off = vec![true; z.len()];
            set.iter().for_each(|&j| off[j] = false);
            let slopes = found.s.iter().zip(off).filter(|(_, off)| *off);
            let most = slopes.fold(0.0, |m: f64, (s, _)| m.max(s.abs()));
            if found.independent && most < 1.0 - STRICT && incumbent.gap() <= STRICT {
                incumbent.unique = true;
            }
            return;
        }
        set = kept;
    }
}

struct Found {
    z: Vec<f64>,
    u: Vec<f64>,
    s: Vec<f64>,
    /// Whether the columns of the support are independent.
    independent: bool,
}

/// The nearest solutions of both systems of equations.
fn exactly(posed: &Posed, set: &[usize], z: &[f64], u: &[f64]) -> Option<Found> {
    let (r, n) = (posed.rank(), set.len());
    let columns = |sizes: &[f64]| Mat::from_fn(r, n, |i, k| posed.b.rows[(i, set[k])] * sizes[k]);
    let mut sizes: Vec<f64> = set.iter().map(|&j| 1.0 / norm(posed.b.column(j))).collect();
    let (basis, upper, order, rank) = match independent(columns(&sizes)) {
        Some((basis, upper)) => (basis, upper, (0..n).collect(), n),
        None => {
            // The change that is least relative to what is there keeps the signs.
            sizes = set.iter().map(|&j| z[j].abs()).collect();
            let (basis, upper, order) = linalg::pivoted_qr(columns(&sizes).as_ref());
            let most = upper[(0, 0)].abs();
            let rank = (0..r.min(n)).take_while(|&i| upper[(i, i)].abs() > ZERO * most).count();
            (basis, upper, order, rank)
        }
    };
    if rank == 0 {
        return None;
    }
    let basis = basis.as_ref().subcols(0, rank);
    let wide = upper.as_ref().subrows(0, rank);
    let square = wide.subcols(0, rank);
    let mut exact = vec![0.0; z.len()];
    set.iter().for_each(|&j| exact[j] = z[j]);
    if n < r && rank == n {
        overdetermined(posed, set, &mut exact);
    } else {
        let solutions = LeastNorm::new(wide);
        for _ in 0..REFINEMENTS {
            let residual = posed.residual(&exact);
            let residual = MatRef::from_column_major_slice(&residual, r, 1);
            let solved = solutions.of(linalg::product(basis.transpose(), residual));
            for (k, &at) in order.iter().enumerate() {
                exact[set[at]] += sizes[at] * solved[(k, 0)];
            }
        }
    }

    let mut dual = u.to_vec();
    let mut s = posed.adjoint(&dual);
    for _ in 0..REFINEMENTS {
        let y = posed.multipliers(&dual);
        let errors = posed.slope_errors(&y);
        let mut along = vec![0.0; rank];
        for (k, along) in along.iter_mut().enumerate() {
            let j = set[order[k]];
            let wanted = z[j].signum() * (1.0 - 2.0 * errors[j]).max(0.0);
            *along = sizes[order[k]] * (wanted - s[j]);
        }
        let mut column = MatMut::from_column_major_slice_mut(&mut along, rank, 1);
        linalg::solve_upper_transpose(square, column.as_mut());
        let step = linalg::product(basis, column.as_ref());
        dual.iter_mut().enumerate().for_each(|(i, u)| *u += step[(i, 0)]);
        s = posed.slopes(&posed.multipliers(&dual));
    }
    let finite = exact.iter().chain(&dual).all(|v| v.is_finite());
    finite.then_some(Found { z: exact, u: dual, s, independent: rank == n })
}

/// The QR decomposition of columns of unit length, where they are clearly independent.
fn independent(columns: Mat<f64>) -> Option<(Mat<f64>, Mat<f64>)> {
    let (r, n) = columns.shape();
    if n > r {
        return None;
    }
    let (basis, upper) = linalg::thin_qr(columns.as_ref());
    let clear = (0..n).all(|i| upper[(i, i)].abs() > CLEAR);
    clear.then_some((basis, upper))
}

/// Least-norm solutions of `R v = g` for an upper trapezoidal `R = [R11 R12]` with independent rows: with
/// `R^T = Z T` they are `Z T^{-T} g`.
pub(super) struct LeastNorm<'a> {
    /// `R11`, which is all of `R` where its columns are independent.
    square: MatRef<'a, f64>,
    /// `Z` and `T` where they are not.
    dependent: Option<(Mat<f64>, Mat<f64>)>,
}

impl<'a> LeastNorm<'a> {
    pub(super) fn new(wide: MatRef<'a, f64>) -> LeastNorm<'a> {
        let (rank, n) = wide.shape();
        let dependent = (rank < n).then(|| linalg::thin_qr(wide.transpose()));
        LeastNorm { square: wide.subcols(0, rank), dependent }
    }

    /// The solution of a column `g`.
    pub(super) fn of(&self, mut g: Mat<f64>) -> Mat<f64> {
        match &self.dependent {
            None => {
                linalg::solve_upper(self.square, g.as_mut());
                g
            }
            Some((frame, triangle)) => {
                linalg::solve_upper_transpose(triangle.as_ref(), g.as_mut());
                linalg::product(frame.as_ref(), g.as_ref())
            }
        }
    }
}

/// Least squares on a support of fewer coordinates than measurements, where each of these counts by its own
/// size and not by what the others leave of it.
fn overdetermined(posed: &Posed, set: &[usize], z: &mut [f64]) {
    let weights: Vec<f64> =
        posed.rows.iter().map(|size| if *size > 0.0 { 1.0 / size } else { 0.0 }).collect();
    let (m, n) = (weights.len(), set.len());
    let sizes: Vec<f64> = set.iter().map(|&j| 1.0 / posed.columns[j]).collect();
    let columns = Mat::from_fn(m, n, |i, k| weights[i] * posed.a[(i, set[k])] * sizes[k]);
    let (frame, triangle) = linalg::thin_qr(columns.as_ref());
    for _ in 0..REFINEMENTS {
        let misfits = posed.misfits(z);
        let weighed = Mat::from_fn(m, 1, |i, _| weights[i] * misfits[i]);
        let mut along = linalg::product(frame.transpose(), weighed.as_ref());
        linalg::solve_upper(triangle.as_ref(), along.as_mut());
        for (k, &j) in set.iter().enumerate() {
            z[j] += sizes[k] * along[(k, 0)] / posed.spread[j];
        }
    }
}
