//! What a solve returns: the vector, the bound that proves it, and what could not be known.

use crate::depth::Depth;
use flatmin_core::{Mat, Objective, Status};
use std::fmt;

/// Something a careful reader of the answer should know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Coordinates that no measurement depends on; they are zero in the answer.
    Unidentified(usize),
    /// All targets are zero, so the answer is zero.
    ZeroTargets,
    /// Measurements that are combinations of the others.
    RedundantMeasurements(usize),
    /// What rounding alone may add to an entry of `A^T y`, relative to what it may be, when that is more than the
    /// tolerance and the gap could not be closed.
    IllConditioned(f64),
    /// How far what rounding leaves of the misfit may move the objective, relative to it, when that is
    /// more than the tolerance: measurements that nearly repeat one another have large multipliers.
    Sensitive(f64),
    /// The worst backward error of a measurement, `|A x - b|_i / (|A_i| |x| + |b_i|)`, when one of a small
    /// unit is missed although the whole is fitted.
    Uneven(f64),
    /// The least-squares residual of inconsistent measurements, relative to the targets.
    Residual(f64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unidentified(n) => {
                write!(f, "{n} coordinate(s) are seen by no measurement and are set to zero")
            }
            Warning::ZeroTargets => f.write_str("all targets are zero, so the answer is zero"),
            Warning::RedundantMeasurements(n) => {
                write!(f, "{n} measurement(s) are combinations of the others")
            }
            Warning::IllConditioned(error) => write!(
                f,
                "the columns differ so much in size, or the measurements so nearly depend on one another, \
                 that double precision gives entries of A^T y to {error:.0e} only"
            ),
            Warning::Sensitive(slip) => write!(
                f,
                "the measurements nearly depend on one another: the rounding error of the fit may move \
                 the objective by {slip:.0e} of itself"
            ),
            Warning::Uneven(error) => write!(
                f,
                "the units of the measurements differ so much that one is missed by {error:.0e} of its \
                 size: bring them to one scale"
            ),
            Warning::Residual(r) => write!(
                f,
                "no vector fits the measurements: the least-squares residual is {r:.2e} of the targets' \
                 norm; the data are inconsistent, or noisy and want a penalty or a larger noise bound"
            ),
        }
    }
}

/// The recovered vector, with its proof.
///
/// The proof takes a few lines to check. With `w_j = |a_j|^2 / m` (flat) or 1 (nuclear), `p = 2 - 2/k`,
/// `1/p + 1/q = 1` and `s = A^T y`, Hölder's inequality gives for every `x` with `A x = b`
///
/// ```text
/// <b, y> = <x, s> <= (sum_j w_j |x_j|^p)^(1/p) (sum_j w_j^(-q/p) |s_j|^q)^(1/q),
/// ```
///
/// the last factor being `max_j |s_j| / w_j` at `k = 2`; it is at most 1 for [`Sparse::dual`]. Sums run over
/// the coordinates that some measurement depends on. Without `A x = b` the difference `<b - A x, y>` remains, at
/// most `delta |y|` within a noise bound, and at most `|A x - b|^2 / (2 lambda) + lambda |y|^2 / 2` beside a
/// penalty, which are the bounds of [`Sparse::lower_bound`].
///
/// ```
/// use flatmin_hadamard::Hadamard;
/// let a = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]];
/// let problem = Hadamard::from_arrays(2, 3, a.concat(), vec![2.0, 2.5])?;
/// let flat = problem.flat(3).solve()?;
/// let (w, y) = (problem.weights(), &flat.dual);
/// let s = |j: usize| a[0][j] * y[0] + a[1][j] * y[1]; // p = 4/3, q = 4
/// let norm: f64 = (0..3).map(|j| w[j].powi(-3) * s(j).powi(4)).sum::<f64>().powf(0.25);
/// let bound = 2.0 * y[0] + 2.5 * y[1];
/// assert!(norm <= 1.0 && flat.objective - bound <= 1e-8 * flat.objective);
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sparse {
    /// Number of factors.
    pub depth: Depth,
    /// [`Objective::Flat`] with the weights `|a_j|^2 / m`, [`Objective::Nuclear`] without.
    pub objective_kind: Objective,
    /// `delta` of the form with a noise bound, `|A x - b|_2 <= delta`; `None` in the others.
    pub noise: Option<f64>,
    /// `lambda` of the penalised form; with a noise bound the one that it implies, `delta / |y|_2`, at which the
    /// penalised form has the same solution (`None` for a zero answer). `None` for `A x = b`.
    pub penalty: Option<f64>,
    /// How the solve ended.
    pub status: Status,
    /// The vector, of length `d`.
    pub x: Vec<f64>,
    /// `(sum_j w_j |x_j|^p)^(1/p)`; in the penalised form `1/2 |A x - b|^2 + lambda` times that.
    pub objective: f64,
    /// `<b, y>` for the vector [`Sparse::dual`], `lambda <b, y> - lambda^2 |y|^2 / 2` in the penalised form,
    /// `<b, y> - delta |y|` with a noise bound: no `x` that fits has a smaller objective.
    pub lower_bound: f64,
    /// `(objective - lower_bound) / objective`, in absolute value; 1 for an answer that does not fit the
    /// measurements, about which a bound says nothing.
    pub relative_gap: f64,
    /// `|A x - b|_2 / |b|_2`; with a noise bound the excess, `max(|A x - b|_2 - delta, 0) / |b|_2`.
    pub feasibility: f64,
    /// Number of coordinates with `w_j^(1/p) |x_j|` above `1e-7` of the largest.
    pub rank: usize,
    /// Whether the answer is proved to be the only solution (to the precision of the certificate): at two
    /// factors by strict complementarity, at more because the norm is strictly convex. `false` says only
    /// that this was not proved.
    pub unique: bool,
    /// Trace of the Hessian of the loss at [`Sparse::factors`], `(2k/m) sum_j |a_j|^2 |x_j|^p`; infinite
    /// in the limit of many factors, unless `x = 0`.
    pub trace: f64,
    /// Iterations.
    pub iterations: usize,
    /// Coordinates that no measurement depends on.
    pub unidentified: Vec<usize>,
    /// What else the reader should know.
    pub warnings: Vec<Warning>,
    /// The certificate `y`, of length `m`.
    pub dual: Vec<f64>,
}

impl Sparse {
    /// The flat factors `v_1, ..., v_k` with `x = v_1 o ... o v_k`, as the columns of a `d x k` matrix: all
    /// of magnitude `|x_j|^(1/k)`, and the first with the signs of `x`. `None` in the limit of many, and where
    /// they would be more than `2^31` numbers.
    ///
    /// ```
    /// use flatmin_hadamard::Hadamard;
    /// let problem = Hadamard::from_arrays(1, 1, vec![2.0], vec![-16.0])?;
    /// let factors = problem.flat(3).solve()?.factors();
    /// let factors = factors.ok_or("infinitely many")?;
    /// assert!((factors[(0, 0)] + 2.0).abs() < 1e-12 && (factors[(0, 2)] - 2.0).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn factors(&self) -> Option<Mat<f64>> {
        let Depth::Finite(k) = self.depth else { return None };
        if !self.depth.factors_fit(self.x.len()) {
            return None;
        }
        let root = |j: usize| match k {
            2 => self.x[j].abs().sqrt(),
            3 => self.x[j].abs().cbrt(),
            _ => self.x[j].abs().powf(1.0 / k as f64),
        };
        let roots: Vec<f64> = (0..self.x.len()).map(root).collect();
        let entry =
            |j: usize, i: usize| if i == 0 { roots[j].copysign(self.x[j]) } else { roots[j] };
        Some(Mat::from_fn(self.x.len(), k, entry))
    }

    /// The coordinates where `x` is not zero.
    pub fn support(&self) -> Vec<usize> {
        (0..self.x.len()).filter(|&j| self.x[j] != 0.0).collect()
    }
}
