//! The six operators: three spectra in a random basis, and the Hessian of the sensing loss at three points.
//!
//! A basis `Q = K1 S1 K2 S2 K3` of Kronecker products `K = Q1 x Q2` of random orthogonal matrices, with diagonals
//! `S` of random signs between them, costs `6 n (q1 + q2)` operations a vector, where a uniformly random one
//! costs `2 n^2`. Its entries are sums of `n` terms of random sign: nearly normal, of variance `1 / n`, as
//! those of the other are. (Their fourth moment is 8.4, 3.7 and 3.1 times `1 / n^2` after one, two and three
//! products, for n = 800; 3 is normal.) Eigenvalues come in random order, so that they do not follow the
//! products. A few reflections would not do: their product is near the identity, and a diagonal that stands
//! out favours probes of random signs.
//!
//! The Hessian at `(L, R)` is kept as a matrix: each of its trials then costs a product. With measurements
//! `A_i`, residuals `r_i = <A_i, L R^T - M>` and variables `(U, V)`, column by column,
//!
//! ```text
//! H = (2/m) sum_i g_i g_i^T + (2/m) [0, I x B; I x B^T, 0],   g_i = (A_i R, A_i^T L),   B = sum_i r_i A_i.
//! ```

use crate::spec::Scale;
use flatmin::core::flatness::{FromFn, SymmetricOperator};
use flatmin::core::linalg::{
    inner, multiply, product, sum_of_squares, symmetrise_from_lower, thin_qr,
};
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Mat, MatMut, MatRef};
use serde::{Deserialize, Serialize};

/// Rank of the planted matrix of the Hessians, and columns of the factors.
const RANK: usize = 8;
const COLUMNS: usize = 10;

/// Columns of a block of unit vectors.
const BLOCK: usize = 250;

/// An operator whose trace is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Eigenvalues `0.7^i`, in a random basis.
    Geometric,
    /// Eigenvalues `1 / i^2`, in a random basis.
    InverseSquare,
    /// Eigenvalues evenly spaced in `[1, 3]`, in a random basis.
    Even,
    /// The Hessian of the sensing loss where it is zero: factors of a planted matrix.
    Interpolating,
    /// The same at random factors, which leave residuals: indefinite.
    Residual,
    /// The same as the first, of larger order.
    Larger,
}

impl Operator {
    /// All of them.
    pub const ALL: [Operator; 6] = [
        Operator::Geometric,
        Operator::InverseSquare,
        Operator::Even,
        Operator::Interpolating,
        Operator::Residual,
        Operator::Larger,
    ];

    /// For the reader.
    pub fn name(self) -> &'static str {
        match self {
            Operator::Geometric => "eigenvalues 0.7\u{2071}",
            Operator::InverseSquare => "eigenvalues 1/i\u{b2}",
            Operator::Even => "even eigenvalues in [1, 3]",
            Operator::Interpolating => "Hessian, interpolating",
            Operator::Residual => "Hessian, with residuals",
            Operator::Larger => "larger Hessian, interpolating",
        }
    }

    /// Whether it is a Hessian of the sensing loss.
    pub fn is_hessian(self) -> bool {
        matches!(self, Operator::Interpolating | Operator::Residual | Operator::Larger)
    }

    /// Orders of the two factors of the basis, or order `d` of the matrices and number of measurements.
    pub fn size(self, scale: Scale) -> (usize, usize) {
        match (self, scale) {
            (Operator::Interpolating | Operator::Residual, _) => (40, 2000),
            (Operator::Larger, Scale::Quick) => (50, 2500),
            (Operator::Larger, Scale::Paper) => (100, 5000),
            (_, Scale::Quick) => (20, 40),
            (_, Scale::Paper) => (40, 50),
        }
    }

    /// Order.
    pub fn order(self, scale: Scale) -> usize {
        let (first, second) = self.size(scale);
        if self.is_hessian() { 2 * first * COLUMNS } else { first * second }
    }

    /// Rank of the operator of order `n`: a planted matrix of order `d` has `r (2 d - r)` degrees of freedom.
    pub fn rank(self, n: usize) -> usize {
        let d = n / (2 * COLUMNS);
        match self {
            // 0.7^100 is 3e-16.
            Operator::Geometric => 100.min(n),
            Operator::Interpolating | Operator::Larger => RANK * (2 * d).saturating_sub(RANK),
            _ => n,
        }
    }

    /// The operator with what is known of it.
    pub fn build(self, scale: Scale, seed: u64) -> Built {
        let stream = |role| Stream::new(seed, "estimators", self as u64, 0, role);
        let (first, second) = self.size(scale);
        let n = self.order(scale);
        if self.is_hessian() {
            let (l, r, truth) =
                factors(first, self != Operator::Residual, &mut stream(Role::Truth));
            let measurements = &mut stream(Role::Measurements);
            return hessian((l, r), truth.as_ref(), (first, second), measurements);
        }
        let value = |i: usize| match self {
            Operator::Geometric => 0.7f64.powi(i as i32),
            Operator::InverseSquare => 1.0 / ((i + 1) as f64).powi(2),
            _ => 1.0 + 2.0 * i as f64 / (n - 1) as f64,
        };
        let trace = (0..n).rev().map(value).sum();
        let squares: f64 = (0..n).rev().map(|i| value(i).powi(2)).sum();
        let truth = &mut stream(Role::Truth);
        let basis = Basis::new(first, second, truth);
        let mut shuffled: Vec<(f64, f64)> = (0..n).map(|i| (truth.gaussian(), value(i))).collect();
        shuffled.sort_by(|a, b| a.0.total_cmp(&b.0));
        let values: Vec<f64> = shuffled.into_iter().map(|(_, value)| value).collect();
        let times = move |v: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
            let mut inner = basis.transpose_times(v.to_owned());
            for column in inner.col_iter_mut() {
                column.iter_mut().zip(&values).for_each(|(x, value)| *x *= value);
            }
            out.copy_from(&basis.times(inner));
        };
        let operator = FromFn::new(n, times);
        let diagonal = diagonal(&operator);
        Built::new(Box::new(operator), trace, squares, &diagonal, None)
    }
}

/// An operator without a closed form, its exact trace, and what theory says of it.
pub struct Built {
    /// The operator, as estimators see it.
    pub operator: Box<dyn SymmetricOperator>,
    /// Its mean over the measurements, for a Hessian.
    pub control: Option<Population>,
    /// Its trace.
    pub trace: f64,
    /// Relative standard deviation of one probe of random signs, `sqrt(2 (|H|_F^2 - sum h_ii^2)) / tr H`.
    pub deviation: f64,
}

impl Built {
    fn new(
        operator: Box<dyn SymmetricOperator>,
        trace: f64,
        squares: f64,
        diagonal: &[f64],
        control: Option<Population>,
    ) -> Built {
        let off: f64 = squares - diagonal.iter().map(|h| h * h).sum::<f64>();
        Built { operator, control, trace, deviation: (2.0 * off.max(0.0)).sqrt() / trace.abs() }
    }
}

/// The entries `h_ii`, by products with unit vectors.
fn diagonal(operator: &dyn SymmetricOperator) -> Vec<f64> {
    let n = operator.order();
    let mut diagonal = Vec::with_capacity(n);
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let units = Mat::from_fn(n, width, |i, j| if i == start + j { 1.0 } else { 0.0 });
        let mut images = Mat::zeros(n, width);
        operator.apply(units.as_ref(), images.as_mut());
        diagonal.extend((0..width).map(|j| images[(start + j, j)]));
    }
    diagonal
}

/// The orthogonal matrix `K1 S1 K2 S2 K3`.
struct Basis {
    factors: [[Mat<f64>; 2]; 3],
    signs: [Vec<f64>; 2],
}

impl Basis {
    fn new(q1: usize, q2: usize, stream: &mut Stream) -> Basis {
        let mut rotation = |q: usize| thin_qr(stream.gaussian_matrix(q, q).as_ref()).0;
        let factors = [(); 3].map(|()| [rotation(q1), rotation(q2)]);
        Basis { factors, signs: [(); 2].map(|()| stream.signs(q1 * q2)) }
    }

    fn times(&self, v: Mat<f64>) -> Mat<f64> {
        let [k1, k2, k3] = self.factors.each_ref().map(|k| k.each_ref().map(|q| q.as_ref()));
        let [s1, s2] = &self.signs;
        kronecker(k1, flipped(s1, kronecker(k2, flipped(s2, kronecker(k3, v)))))
    }

    fn transpose_times(&self, v: Mat<f64>) -> Mat<f64> {
        let [k1, k2, k3] = self.factors.each_ref().map(|k| k.each_ref().map(|q| q.transpose()));
        let [s1, s2] = &self.signs;
        kronecker(k3, flipped(s2, kronecker(k2, flipped(s1, kronecker(k1, v)))))
    }
}

/// `S V` for a diagonal `S` of signs.
fn flipped(signs: &[f64], mut v: Mat<f64>) -> Mat<f64> {
    for column in v.col_iter_mut() {
        column.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign);
    }
    v
}

/// `(Q1 x Q2) V`: with each column of `V` read as a matrix `X`, column by column, `Q2 X Q1^T`.
fn kronecker([q1, q2]: [MatRef<'_, f64>; 2], mut v: Mat<f64>) -> Mat<f64> {
    let (rows, cols) = (q2.nrows(), q1.nrows());
    let mut half = Mat::zeros(rows, cols);
    for j in 0..v.ncols() {
        let column = v.col_as_slice_mut(j);
        multiply(half.as_mut(), q2, MatRef::from_column_major_slice(column, rows, cols));
        let whole = MatMut::from_column_major_slice_mut(column, rows, cols);
        multiply(whole, half.as_ref(), q1.transpose());
    }
    v
}

/// Normal factors and the matrix that was measured: their product, two columns being zero, or another one
/// of rank [`RANK`].
fn factors(d: usize, planted: bool, stream: &mut Stream) -> (Mat<f64>, Mat<f64>, Mat<f64>) {
    let mut low = || {
        let drawn = stream.gaussian_matrix(d, RANK);
        Mat::from_fn(d, COLUMNS, |i, j| if j < RANK { drawn[(i, j)] } else { 0.0 })
    };
    let (l, r) = (low(), low());
    let truth = product(l.as_ref(), r.transpose());
    if planted {
        return (l, r, truth);
    }
    let mut full = || stream.gaussian_matrix(d, COLUMNS);
    (full(), full(), truth)
}

/// The Hessian of `(1/m) sum (<A_i, L R^T - M>)^2` at `(L, R)` for `m` normal `A_i`.
pub fn hessian(
    (l, r): (Mat<f64>, Mat<f64>),
    truth: MatRef<'_, f64>,
    (d, m): (usize, usize),
    measurements: &mut Stream,
) -> Built {
    let k = l.ncols();
    let half = d * k;
    let error = product(l.as_ref(), r.transpose()) - truth;
    let mut coupling = Mat::<f64>::zeros(d, d);
    let mut h = Mat::zeros(2 * half, 2 * half);
    sum_of_squares(h.as_mut(), m, |_, g| {
        let a = measurements.gaussian_matrix(d, d);
        let residual = inner(a.as_ref(), error.as_ref());
        for (sum, a) in coupling.col_iter_mut().zip(a.col_iter()) {
            sum.iter_mut().zip(a.iter()).for_each(|(sum, a)| *sum += residual * a);
        }
        let (upper, lower) = g.split_at_mut(half);
        multiply(MatMut::from_column_major_slice_mut(upper, d, k), a.as_ref(), r.as_ref());
        multiply(MatMut::from_column_major_slice_mut(lower, d, k), a.transpose(), l.as_ref());
    });
    for c in 0..k {
        // The block of V_c and U_c, below the diagonal.
        for (i, j) in (0..d).flat_map(|j| (0..d).map(move |i| (i, j))) {
            h[(half + c * d + i, c * d + j)] += coupling[(j, i)];
        }
    }
    symmetrise_from_lower(h.as_mut());
    let weight = 2.0 / m as f64;
    h.col_iter_mut().for_each(|column| column.iter_mut().for_each(|x| *x *= weight));
    let diagonal: Vec<f64> = (0..2 * half).map(|i| h[(i, i)]).collect();
    let (trace, squares) = (diagonal.iter().sum(), h.squared_norm_l2());
    let times = move |v: MatRef<'_, f64>, out: MatMut<'_, f64>| multiply(out, h.as_ref(), v);
    let operator = Box::new(FromFn::new(2 * half, times));
    Built::new(operator, trace, squares, &diagonal, Some(Population::new(l, r)))
}

/// The mean of the Hessian over normal measurements, of an exact fit:
/// `(U, V) -> 2 (X R, X^T L)` with `X = U R^T + L V^T`.
pub struct Population {
    l: Mat<f64>,
    r: Mat<f64>,
}

impl Population {
    /// At factors `L`, `R`, both `d x k`.
    pub fn new(l: Mat<f64>, r: Mat<f64>) -> Population {
        Population { l, r }
    }
}

impl SymmetricOperator for Population {
    fn order(&self) -> usize {
        2 * self.l.nrows() * self.l.ncols()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let (d, k) = self.l.shape();
        let (l, r) = (self.l.as_ref(), self.r.as_ref());
        let fold = |column: MatRef<'_, f64>, from: usize| {
            Mat::from_fn(d, k, |i, j| 2.0 * column[(from + j * d + i, 0)])
        };
        for c in 0..v.ncols() {
            let (u, w) = (fold(v.subcols(c, 1), 0), fold(v.subcols(c, 1), d * k));
            // X R = U (R^T R) + L (V^T R) and X^T L = V (L^T L) + R (U^T L).
            let left = product(u.as_ref(), product(r.transpose(), r).as_ref())
                + product(l, product(w.transpose(), r).as_ref());
            let right = product(w.as_ref(), product(l.transpose(), l).as_ref())
                + product(r, product(u.transpose(), l).as_ref());
            let image = left.col_iter().chain(right.col_iter());
            let values = image.flat_map(|column| column.iter().copied().collect::<Vec<_>>());
            out.as_mut().col_mut(c).iter_mut().zip(values).for_each(|(o, x)| *o = x);
        }
    }

    /// `2 d (|L|_F^2 + |R|_F^2)`.
    fn exact_trace(&self) -> Option<f64> {
        let norms = self.l.squared_norm_l2() + self.r.squared_norm_l2();
        Some(2.0 * self.l.nrows() as f64 * norms)
    }
}
