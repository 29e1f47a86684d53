//! Flat minima of deep matrix factorisations, in the population: how flat `X = W_1 ... W_L` can be.
//!
//! With independent standard normal entries of the measurements, or products of standard normal vectors, the
//! trace of the Hessian of [`DeepLoss`](crate::DeepLoss) averages to
//!
//! ```text
//! E tr D2f = 2 sum_l |P_{l-1}|_F^2 |Q_l|_F^2,     P_l = W_1 ... W_l,   Q_l = W_{l+1} ... W_L,
//! ```
//!
//! where `P_0` and `Q_L` are identities, of squared norms `d1` and `d2`. Over the factorisations of one `X`
//! its least value is
//!
//! ```text
//! 2 L (d1 d2)^{1/L} |X|_*^{2 - 2/L}.
//! ```
//!
//! Proof: the mean of the `L` terms is at least their geometric mean, in which every `P_l` meets its `Q_l`:
//! `(d1 d2 prod_{l<L} |P_l|_F^2 |Q_l|_F^2)^{1/L}`, and `|P_l|_F |Q_l|_F >= |P_l Q_l|_* = |X|_*`. With
//! `X = U S V^T` both are equalities if and only if, for matrices `O_l` of orthonormal columns,
//!
//! ```text
//! P_l = s_l U S^{1/2} O_l^T,     Q_l = s_l^{-1} O_l S^{1/2} V^T,
//! ```
//!
//! with `s_l` for which all terms are equal: the outer layers are `s_1 U S^{1/2} O_1^T` and
//! `s_{L-1}^{-1} O_{L-1} S^{1/2} V^T`, and every other one acts between them as the multiple
//! `(s_l / s_{l-1}) O_{l-1} O_l^T` of a partial isometry (what else it does, no product sees). It takes inner
//! widths of at least the rank of `X`.
//!
//! The value grows with `|X|_*` for every `L >= 2`: depth changes nothing about which `X` is flattest. (For
//! vectors `x = v_1 o ... o v_L` it does.) With the isometry that holds for rank-one matrices,
//! `(1 - delta) |u|^2 |v|^2 <= (1/m) sum_i (u^T A_i v)^2 <= (1 + delta) |u|^2 |v|^2`, the trace of one map is
//! within the factors `1 ± delta` of that of the population, so that flat solutions have
//! `|X|_* <= ((1 + delta) / (1 - delta))^{L / (2 L - 2)}` times the least that fits. The like, with the
//! restricted isometry of matrices: K. Gatmiry, Z. Li, C.-Y. Chuang, S. Reddi, T. Ma, S. Jegelka, *What is the
//! inductive bias of flatness regularization? A study of deep matrix factorization models*, NeurIPS 2023
//! (arXiv 2306.13239).

use crate::linalg::{Par, max_abs, product, svd};
use crate::{Error, Mat, MatRef};

/// `2 sum_l |W_1 ... W_{l-1}|_F^2 |W_{l+1} ... W_L|_F^2` of layers `W_l` (`n_{l-1} x n_l`).
///
/// ```
/// use flatmin_core::{Mat, flatness::deep};
/// // 2 ((v w)^2 + (u w)^2 + (u v)^2) at (1, 2, 3).
/// let layers = [1.0, 2.0, 3.0].map(|w| Mat::full(1, 1, w));
/// assert_eq!(deep::trace(&layers.each_ref().map(|w| w.as_ref()))?, 98.0);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When there is no layer, or one does not fit the next.
pub fn trace(layers: &[MatRef<'_, f64>]) -> Result<f64, Error> {
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
        return Err(Error::Empty { what: "the list of layers" });
    };
    if let Some(pair) = layers.windows(2).find(|pair| pair[0].ncols() != pair[1].nrows()) {
        return Err(Error::Shape {
            what: "a layer",
            expected: format!("{} rows, as the one before has columns", pair[0].ncols()),
            got: pair[1].nrows().to_string(),
        });
    }
    // |P_{l-1}|_F^2 for every l.
    let mut before = vec![first.nrows() as f64];
    let mut leading = first.to_owned();
    for layer in &layers[1..] {
        before.push(leading.squared_norm_l2());
        leading = product(leading.as_ref(), *layer);
    }
    // From the last layer on, of which nothing follows.
    let mut trace = 2.0 * before[layers.len() - 1] * last.ncols() as f64;
    let mut trailing = last.to_owned();
    for l in (0..layers.len() - 1).rev() {
        trace += 2.0 * before[l] * trailing.squared_norm_l2();
        trailing = product(layers[l], trailing.as_ref());
    }
    Ok(trace)
}

/// `2 L (d1 d2)^{1/L} |X|_*^{2 - 2/L}`, the least trace over the factorisations of a `d1 x d2` matrix of this
/// nuclear norm into `L` layers; constant for `L = 1`, and 0 without any layer.
///
/// ```
/// use flatmin_core::flatness::deep;
/// // 4 (d1 d2)^{1/2} |X|_* for two layers.
/// assert_eq!(deep::least_trace(4, 9, 2, 5.0), 120.0);
/// ```
pub fn least_trace(rows: usize, cols: usize, depth: usize, nuclear_norm: f64) -> f64 {
    let (l, size) = (depth as f64, rows as f64 * cols as f64);
    if depth == 0 {
        return 0.0;
    }
    2.0 * l * size.powf(1.0 / l) * nuclear_norm.powf(2.0 - 2.0 / l)
}

/// Layers of the inner widths `n_1, ..., n_{L-1}` with the product `X` and the least trace in the population:
/// multiples of `U S^{1/2}`, of identities, and of `S^{1/2} V^T`, padded with zeros.
///
/// ```
/// use flatmin_core::{Mat, flatness::deep};
/// let x = Mat::from_fn(2, 3, |i, j| (1 + i + j) as f64);
/// let layers = deep::flat_layers(x.as_ref(), &[2, 4])?;
/// let product = &layers[0] * &layers[1] * &layers[2];
/// assert!((product - &x).norm_max() < 1e-14);
/// let nuclear: f64 = flatmin_core::linalg::singular_values(x.as_ref(), flatmin_core::linalg::Par::Seq)?.iter().sum();
/// let trace = deep::trace(&layers.iter().map(|w| w.as_ref()).collect::<Vec<_>>())?;
/// assert!((trace - deep::least_trace(2, 3, 3, nuclear)).abs() < 1e-12 * trace);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When `X` has no entries or one that is not finite, or a width is less than its rank.
pub fn flat_layers(x: MatRef<'_, f64>, inner: &[usize]) -> Result<Vec<Mat<f64>>, Error> {
    let (rows, cols) = x.shape();
    crate::operator::check_dims(crate::Dims { rows, cols, measurements: 1 })?;
    crate::error::finite("the matrix", &crate::linalg::row_major(x))?;
    let Some(&narrowest) = inner.iter().min() else {
        return Ok(vec![x.to_owned()]);
    };
    // Of X = c Y, |Y|_* = 1, each layer takes c^{1/L}, so that no power leaves the range.
    let largest = x.norm_max();
    let unit = if largest > 0.0 { largest } else { 1.0 };
    let parts = svd(Mat::from_fn(rows, cols, |i, j| x[(i, j)] / unit).as_ref(), Par::Seq)?;
    // Singular values of the size of rounding are none.
    let least = rows.max(cols) as f64 * f64::EPSILON * max_abs(&parts.s);
    let rank = parts.s.iter().filter(|s| **s > least).count();
    if narrowest < rank {
        return Err(Error::Parameter {
            name: "an inner width",
            rule: "at least the rank of the matrix",
            got: format!("{narrowest}, for the rank {rank}"),
        });
    }
    let depth = inner.len() + 1;
    let size: f64 = parts.s[..rank].iter().sum();
    let nuclear = if rank > 0 { 1.0 } else { 0.0 };
    let share = unit.powf(1.0 / depth as f64) * size.powf(1.0 / depth as f64);
    // All terms are t = (d1 d2 |Y|_*^{2L-2})^{1/L}: s_1^2 = d1 |Y|_* / t, then by |Y|_*^2 / t from layer to layer.
    let term = least_trace(rows, cols, depth, nuclear) / (2.0 * depth as f64);
    let (mut first, mut step) = (0.0, 0.0);
    if nuclear > 0.0 {
        first = (rows as f64 * nuclear / term).sqrt();
        step = nuclear / term.sqrt();
    }
    let last = if nuclear > 0.0 { 1.0 / (first * step.powi(depth as i32 - 2)) } else { 0.0 };
    let root = |t: usize| (parts.s[t] / size).sqrt();
    let mut layers = Vec::with_capacity(depth);
    layers.push(padded(rows, inner[0], (rows, rank), |i, t| {
        share * first * parts.u[(i, t)] * root(t)
    }));
    for widths in inner.windows(2) {
        let isometry = |t: usize, s: usize| if t == s { share * step } else { 0.0 };
        layers.push(padded(widths[0], widths[1], (rank, rank), isometry));
    }
    let last_layer = |t: usize, j: usize| share * last * root(t) * parts.v[(j, t)];
    layers.push(padded(inner[depth - 2], cols, (rank, cols), last_layer));
    Ok(layers)
}

/// A `rows x cols` matrix with these entries in its upper left block, and zeros.
fn padded(
    rows: usize,
    cols: usize,
    block: (usize, usize),
    entry: impl Fn(usize, usize) -> f64,
) -> Mat<f64> {
    Mat::from_fn(rows, cols, |i, j| if i < block.0 && j < block.1 { entry(i, j) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatness::check::deviations;
    use crate::flatness::{PairOperator, PopulationHessian};
    use crate::linalg::{singular_values, thin_qr};
    use crate::loss::Loss;
    use crate::rng::{Role, Stream};
    use crate::{DeepLoss, DenseMap, LinearMap, RankOne};

    fn stream(trial: u64, role: Role) -> Stream {
        Stream::new(3, "deep population", 0, trial, role)
    }

    fn views(layers: &[Mat<f64>]) -> Vec<MatRef<'_, f64>> {
        layers.iter().map(|w| w.as_ref()).collect()
    }

    fn whole(layers: &[Mat<f64>]) -> Mat<f64> {
        let mut out = layers[0].clone();
        layers[1..].iter().for_each(|w| out = product(out.as_ref(), w.as_ref()));
        out
    }

    fn nuclear(x: &Mat<f64>) -> f64 {
        singular_values(x.as_ref(), Par::Seq).unwrap().iter().sum()
    }

    fn drawn(widths: &[usize], s: &mut Stream) -> Vec<Mat<f64>> {
        widths.windows(2).map(|w| s.gaussian_matrix(w[0], w[1])).collect()
    }

    fn vector(layers: &[Mat<f64>]) -> Vec<f64> {
        layers.iter().flat_map(|w| w.col_iter()).flat_map(|c| c.iter().copied()).collect()
    }

    const WIDTHS: [&[usize]; 6] =
        [&[3, 4], &[3, 2, 4], &[5, 7, 2], &[4, 4, 4, 4], &[2, 3, 1, 6], &[6, 2, 3, 4, 5]];

    /// The trace is that of the map which reads every entry, times their number, and for two layers that of
    /// the Hessian of the population.
    #[test]
    fn the_trace_is_that_of_the_identity_map() {
        let mut s = stream(0, Role::Probe);
        for widths in WIDTHS {
            let layers = drawn(widths, &mut s);
            let (d1, d2) = (widths[0], widths[widths.len() - 1]);
            let size = d1 * d2;
            let unit = (0..size * size).map(|t| f64::from(t % (size + 1) == 0)).collect();
            let map = DenseMap::new(d1, d2, unit).unwrap();
            let b = vec![0.0; size];
            let loss = DeepLoss::new(&map, &b, &widths[1..widths.len() - 1]).unwrap();
            let x = vector(&layers);
            let exact = loss.hessian(&x).unwrap().exact_trace().unwrap() * size as f64;
            let found = trace(&views(&layers)).unwrap();
            approx::assert_relative_eq!(found, exact, max_relative = 1e-13);
            if let [l, w] = &layers[..] {
                let pair = PopulationHessian::new(l.as_ref(), w.transpose(), None).unwrap();
                let (left, right) = pair.traces();
                approx::assert_relative_eq!(found, left + right, max_relative = 1e-13);
            }
        }
    }

    /// Traces over draws of measurements average to it.
    #[test]
    fn the_trace_is_the_mean_over_gaussian_measurements() {
        let m = 5;
        for widths in WIDTHS {
            let layers = drawn(widths, &mut stream(0, Role::Probe));
            let (d1, d2) = (widths[0], widths[widths.len() - 1]);
            let (x, b) = (vector(&layers), vec![0.0; m]);
            let expected = trace(&views(&layers)).unwrap();
            for dense in [true, false] {
                let of_draw = |trial: u64| {
                    let mut s = stream(trial, Role::Measurements);
                    let map: Box<dyn LinearMap> = if dense {
                        Box::new(DenseMap::new(d1, d2, s.gaussian_vector(d1 * d2 * m)).unwrap())
                    } else {
                        let (a, b) = (s.gaussian_vector(d1 * m), s.gaussian_vector(d2 * m));
                        Box::new(RankOne::new(d1, d2, a, b).unwrap())
                    };
                    let inner = &widths[1..widths.len() - 1];
                    let loss = DeepLoss::new(map.as_ref(), &b, inner).unwrap();
                    loss.layer_traces(&x).unwrap().iter().sum::<f64>()
                };
                let off = deviations(expected, of_draw);
                assert!(off.abs() < 4.0, "{widths:?}, dense {dense}: {off} standard errors");
            }
        }
    }

    /// No factorisation is below the least trace of its product, and the flat one attains it with equal terms,
    /// also when it is turned and does other things where no product sees it.
    #[test]
    fn flat_layers_attain_the_least_trace() {
        let mut s = stream(0, Role::Start);
        for widths in WIDTHS {
            let (d1, d2, depth) = (widths[0], widths[widths.len() - 1], widths.len() - 1);
            let inner = &widths[1..depth];
            for _ in 0..50 {
                let layers = drawn(widths, &mut s);
                let least = least_trace(d1, d2, depth, nuclear(&whole(&layers)));
                assert!(trace(&views(&layers)).unwrap() >= least * (1.0 - 1e-12), "{widths:?}");
            }
            let x = whole(&drawn(widths, &mut s));
            let least = least_trace(d1, d2, depth, nuclear(&x));
            let flat = flat_layers(x.as_ref(), inner).unwrap();
            assert!((whole(&flat) - &x).norm_max() < 1e-13 * x.norm_max(), "{widths:?}");
            approx::assert_relative_eq!(trace(&views(&flat)).unwrap(), least, max_relative = 1e-12);

            // W_l -> R_{l-1}^T W_l R_l with orthogonal R_l.
            let mut turned = flat.clone();
            for (l, &n) in inner.iter().enumerate() {
                let (q, _) = thin_qr(s.gaussian_matrix(n, n).as_ref());
                turned[l] = product(turned[l].as_ref(), q.as_ref());
                turned[l + 1] = product(q.transpose(), turned[l + 1].as_ref());
            }
            assert!((whole(&turned) - &x).norm_max() < 1e-12 * x.norm_max());
            approx::assert_relative_eq!(
                trace(&views(&turned)).unwrap(),
                least,
                max_relative = 1e-12
            );

            // Not so when one layer grows at the cost of the next.
            if depth > 1 {
                let mut uneven = flat.clone();
                uneven[0] *= faer::Scale(1.1);
                uneven[1] *= faer::Scale(1.0 / 1.1);
                assert!(trace(&views(&uneven)).unwrap() > 1.001 * least, "{widths:?}");
            }
        }
    }

    #[test]
    fn flat_layers_keep_the_scale_of_the_matrix() {
        let x = stream(2, Role::Start).gaussian_matrix(3, 4);
        for exponent in [-1000.0, -700.0, 700.0, 1000.0] {
            let far = &x * faer::Scale(f64::exp2(exponent));
            for inner in [vec![3], vec![3, 5], vec![3; 9]] {
                let product = whole(&flat_layers(far.as_ref(), &inner).unwrap());
                let error = (product - &far).norm_max() / far.norm_max();
                assert!(error < 1e-12, "2^{exponent}, {} layers: {error:e}", inner.len() + 1);
            }
        }
    }

    #[test]
    fn wide_middle_layers_are_free_where_no_product_sees_them() {
        let mut s = stream(1, Role::Start);
        let x = product(s.gaussian_matrix(4, 1).as_ref(), s.gaussian_matrix(1, 5).as_ref());
        let mut flat = flat_layers(x.as_ref(), &[3, 2]).unwrap();
        let least = least_trace(4, 5, 3, nuclear(&x));
        // Rank one: rows and columns from the second on are not in use.
        flat[1][(1, 1)] = 7.0;
        flat[1][(2, 1)] = -3.0;
        assert!((whole(&flat) - &x).norm_max() < 1e-13 * x.norm_max());
        approx::assert_relative_eq!(trace(&views(&flat)).unwrap(), least, max_relative = 1e-12);
    }

    #[test]
    fn edges_and_what_does_not_fit() {
        let zero = Mat::<f64>::zeros(2, 3);
        let layers = flat_layers(zero.as_ref(), &[1, 2]).unwrap();
        assert!(layers.iter().all(|w| w.norm_max() == 0.0));
        assert_eq!(trace(&views(&layers)), Ok(0.0));
        let x = Mat::from_fn(2, 3, |i, j| (i * j) as f64 + f64::from(i == j));
        assert_eq!(flat_layers(x.as_ref(), &[]).unwrap(), std::slice::from_ref(&x));
        assert_eq!(trace(&[x.as_ref()]), Ok(2.0 * 6.0));
        approx::assert_relative_eq!(least_trace(2, 3, 1, 4.0), 12.0);
        assert!(matches!(flat_layers(x.as_ref(), &[2, 1]), Err(Error::Parameter { .. })));
        assert!(matches!(flat_layers(Mat::zeros(0, 3).as_ref(), &[2]), Err(Error::Shape { .. })));
        let bad = Mat::full(2, 2, f64::INFINITY);
        assert!(matches!(flat_layers(bad.as_ref(), &[2]), Err(Error::NotFinite { .. })));
        assert!(matches!(trace(&[]), Err(Error::Empty { .. })));
        assert!(matches!(trace(&[x.as_ref(), x.as_ref()]), Err(Error::Shape { .. })));
    }
}
