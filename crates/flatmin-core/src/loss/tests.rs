//! Laws of the derivatives, over all maps and shapes.

use super::{FactoredLoss, LeastSquares, Loss, SymmetricLoss, Traced, check};
use crate::flatness::{PairOperator, SymmetricOperator, image};
use crate::linalg::{inner, product, scale_columns};
use crate::operator::{DenseMap, Entries, LinearMap, RankOne, unstack};
use crate::rng::{Role, Stream};
use crate::{Dims, Error, Mat, MatMut, MatRef, Rescaling};

/// A map with the three methods that one must have.
struct Bare(DenseMap);

impl LinearMap for Bare {
    fn dims(&self) -> Dims {
        self.0.dims()
    }
    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        self.0.apply(x, out);
    }
    fn adjoint(&self, y: &[f64], out: MatMut<'_, f64>) {
        self.0.adjoint(y, out);
    }
}

fn stream(role: Role) -> Stream {
    Stream::new(11, "Hessian laws", 0, 0, role)
}

fn maps() -> Vec<Box<dyn LinearMap>> {
    let mut s = stream(Role::Measurements);
    let mut maps: Vec<Box<dyn LinearMap>> = vec![];
    for (d1, d2, m) in [(1, 1, 1), (1, 4, 3), (5, 1, 2), (4, 6, 30), (17, 9, 50)] {
        let data = s.gaussian_vector(d1 * d2 * m);
        maps.push(Box::new(Bare(DenseMap::new(d1, d2, data.clone()).unwrap())));
        maps.push(Box::new(DenseMap::new(d1, d2, data).unwrap()));
        let (a, b) = (s.gaussian_vector(d1 * m), s.gaussian_vector(d2 * m));
        maps.push(Box::new(RankOne::new(d1, d2, a, b).unwrap()));
        let seen: Vec<usize> = (0..d1 * d2).filter(|t| t % 3 != 1).rev().collect();
        let (i, j): (Vec<usize>, Vec<usize>) = seen.iter().map(|t| (t / d2, t % d2)).unzip();
        maps.push(Box::new(Entries::new(d1, d2, &i, &j).unwrap()));
    }
    maps
}

fn symmetric_maps() -> Vec<Box<dyn LinearMap>> {
    let mut s = stream(Role::Measurements);
    let mut maps: Vec<Box<dyn LinearMap>> = vec![];
    for (d, m) in [(1, 2), (4, 7), (9, 40)] {
        maps.push(Box::new(RankOne::symmetric(d, s.gaussian_vector(d * m)).unwrap()));
        let matrices: Vec<Mat<f64>> = (0..m)
            .map(|_| {
                let a = s.gaussian_matrix(d, d);
                a.as_ref() + a.transpose()
            })
            .collect();
        let map = DenseMap::from_matrices(matrices.iter().map(|a| a.as_ref())).unwrap();
        maps.push(Box::new(Bare(map.clone())));
        maps.push(Box::new(map));
    }
    maps
}

/// Targets with residual, and without any at `X`.
fn targets(map: &dyn LinearMap, x: MatRef<'_, f64>) -> [Vec<f64>; 2] {
    let m = map.dims().measurements;
    let mut exact = vec![0.0; m];
    map.apply(x, &mut exact);
    [stream(Role::Noise).gaussian_vector(m), exact]
}

fn assert_curvature(loss: &dyn Loss, x: &[f64], case: &str) {
    let found = check::curvature(loss, x, 3).unwrap();
    assert!(found.gradient < 1e-9 && found.product < 1e-9, "{case}: {found:?}");
    assert!(found.asymmetry < 1e-13 && found.trace < 1e-13, "{case}: {found:?}");
}

/// The same with the laws of a mean of squares, and of a trace with its gradient.
fn assert_squares<L: LeastSquares + Traced>(loss: &L, x: &[f64], case: &str) {
    let found = check::least_squares(loss, x, 5).unwrap();
    // Where the residual is rounding, so is its square.
    let vanishes = loss.value(x).unwrap() < 1e-24;
    assert!(vanishes || (found.value < 1e-13 && found.gradient < 1e-12), "{case}: {found:?}");
    assert!(found.adjoint < 1e-13 && found.differences < 1e-9, "{case}: {found:?}");
    let [trace, gradient] = check::traced(loss, x, 5).unwrap();
    assert!(trace < 1e-12 && gradient < 1e-9, "{case}: trace {trace:e}, gradient {gradient:e}");
    let short = &mut vec![0.0; loss.measurements() + 1][..];
    assert!(loss.residual(x, short).is_err() && loss.pull_back(x, short, &mut []).is_err());
    assert!(loss.push_forward(x, x, short).is_err());
    assert!(loss.trace_and_gradient(&[], &mut []).is_err());
}

/// Blocks of every width against one column at a time, in either storage order.
fn assert_blocks(hessian: &dyn SymmetricOperator, case: &str) {
    let n = hessian.order();
    let v = stream(Role::Probe).gaussian_matrix(n, 19);
    let mut alone = Mat::zeros(n, 19);
    for j in 0..19 {
        let one = image(hessian, v.as_ref().subcols(j, 1)).unwrap();
        alone.as_mut().subcols_mut(j, 1).copy_from(one);
    }
    let turned = v.transpose().to_owned();
    for p in 0..=19 {
        for v in [v.as_ref(), turned.transpose()] {
            let block = image(hessian, v.subcols(0, p)).unwrap();
            let error = (block - alone.as_ref().subcols(0, p)).norm_max();
            assert!(error <= 1e-13 * (1.0 + alone.norm_max()), "{case}, {p} columns: {error:e}");
        }
    }
}

#[test]
fn derivatives_agree_with_finite_differences() {
    for map in maps() {
        let b = Stream::new(4, "loss", 0, 0, Role::Noise).gaussian_vector(map.dims().measurements);
        let loss = FactoredLoss::new(map.as_ref(), &b).unwrap();
        let (gradient, hessian) = check::derivatives(&loss, 3, 8);
        assert!(gradient < 1e-8, "gradient off by {gradient:e}");
        assert!(hessian < 1e-6, "Hessian off by {hessian:e}");
    }
}

/// The exact traces, at a point with residual, against the sum over basis vectors.
#[test]
fn exact_traces_equal_basis_vector_traces() {
    for map in maps() {
        let dims = map.dims();
        let mut stream = Stream::new(9, "loss", 0, 0, Role::Start);
        let b = stream.gaussian_vector(dims.measurements);
        let loss = FactoredLoss::new(map.as_ref(), &b).unwrap();
        let k = 3;
        let (l, r) = (stream.gaussian_matrix(dims.rows, k), stream.gaussian_matrix(dims.cols, k));
        let block = |rows: usize, left: bool| -> f64 {
            let mut sum = 0.0;
            for i in 0..rows {
                for j in 0..k {
                    let mut u = Mat::zeros(dims.rows, k);
                    let mut v = Mat::zeros(dims.cols, k);
                    if left {
                        u[(i, j)] = 1.0
                    } else {
                        v[(i, j)] = 1.0
                    }
                    sum +=
                        loss.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref()).unwrap();
                }
            }
            sum
        };
        let (by_l, by_r) = (block(dims.rows, true), block(dims.cols, false));
        let rescaling = Rescaling::new(map.as_ref()).unwrap();
        let (left, right) = rescaling.traces(l.as_ref(), r.as_ref()).unwrap();
        let scaled = rescaling.scaled_trace(l.as_ref(), r.as_ref()).unwrap();
        approx::assert_relative_eq!(left, by_l, max_relative = 1e-12);
        approx::assert_relative_eq!(right, by_r, max_relative = 1e-12);
        let expected = by_l / dims.rows as f64 + by_r / dims.cols as f64;
        approx::assert_relative_eq!(scaled, expected, max_relative = 1e-12);
    }
}

#[test]
fn factored_hessians() {
    for (number, map) in maps().iter().enumerate() {
        let dims = map.dims();
        for k in [1, 2, 5] {
            let mut s = stream(Role::Start);
            let (l, r) = (s.gaussian_matrix(dims.rows, k), s.gaussian_matrix(dims.cols, k));
            let (l, r) = (l.as_ref(), r.as_ref());
            for b in targets(map.as_ref(), product(l, r.transpose()).as_ref()) {
                let case = format!("map {number}, k = {k}");
                let loss = FactoredLoss::new(map.as_ref(), &b).unwrap();
                let flat = loss.of_width(k).unwrap();
                let x: Vec<f64> =
                    l.col_iter().chain(r.col_iter()).flat_map(|c| c.iter().copied()).collect();
                assert_curvature(&flat, &x, &case);
                assert_squares(&flat, &x, &case);
                let hessian = loss.hessian(l, r).unwrap();
                assert_blocks(&hessian, &case);
                assert_blocks(&hessian.scaled(), &case);

                // Value, gradient and quadratic form are those of the loss.
                let (value, gl, gr) = loss.value_and_gradient(l, r).unwrap();
                let scale = 1.0 + gl.norm_max() + gr.norm_max();
                assert!((value - hessian.value()).abs() <= 1e-13 * (1.0 + value), "{case}");
                let (hl, hr) = hessian.gradient();
                let error = (&gl - hl).norm_max().max((&gr - hr).norm_max());
                assert!(error <= 1e-13 * scale, "{case}: {error:e}");
                let v = s.gaussian_matrix(hessian.order(), 1);
                let image = image(&hessian, v.as_ref()).unwrap();
                let (dl, dr) = unstack(v.as_ref(), dims.rows, dims.cols);
                let form = loss.hessian_form(l, r, dl.as_ref(), dr.as_ref()).unwrap();
                let size = image.norm_l2() * v.norm_l2();
                assert!((inner(v.as_ref(), image.as_ref()) - form).abs() < 1e-12 * size, "{case}");

                // Traces of the blocks, from the columns of the Hessian and from the Grams.
                let n = hessian.order();
                let identity = Mat::<f64>::identity(n, n);
                let columns = crate::flatness::image(&hessian, identity.as_ref()).unwrap();
                let part =
                    |range: std::ops::Range<usize>| -> f64 { range.map(|i| columns[(i, i)]).sum() };
                let (by_l, by_r) = (part(0..k * dims.rows), part(k * dims.rows..n));
                let (left, right) = hessian.traces();
                approx::assert_relative_eq!(left, by_l, max_relative = 1e-12);
                approx::assert_relative_eq!(right, by_r, max_relative = 1e-12);
                let scaled = crate::flatness::image(&hessian.scaled(), identity.as_ref()).unwrap();
                let by_basis: f64 = (0..n).map(|i| scaled[(i, i)]).sum();
                let exact = hessian.scaled().exact_trace().unwrap();
                approx::assert_relative_eq!(exact, by_basis, max_relative = 1e-12);
                let by_grams = Rescaling::new(map.as_ref()).unwrap().scaled_trace(l, r).unwrap();
                approx::assert_relative_eq!(exact, by_grams, max_relative = 1e-12);
            }
        }
    }
}

#[test]
fn symmetric_hessians() {
    for (number, map) in symmetric_maps().iter().enumerate() {
        let d = map.dims().rows;
        for (positive, negative) in [(1, 0), (0, 1), (2, 1), (1, 4)] {
            let k = positive + negative;
            let signs = [vec![1.0; positive], vec![-1.0; negative]].concat();
            let u = stream(Role::Start).gaussian_matrix(d, k);
            let truth = product(scale_columns(u.as_ref(), &signs).as_ref(), u.transpose());
            for b in targets(map.as_ref(), truth.as_ref()) {
                let case = format!("map {number}, {positive} + {negative}");
                let loss = SymmetricLoss::new(map.as_ref(), &b, positive, negative).unwrap();
                let x: Vec<f64> = u.col_iter().flat_map(|c| c.iter().copied()).collect();
                assert_curvature(&loss, &x, &case);
                assert_squares(&loss, &x, &case);
                let hessian = loss.hessian(u.as_ref()).unwrap();
                assert_blocks(&hessian, &case);
                let (value, gradient) = loss.value_and_gradient(u.as_ref()).unwrap();
                assert!((value - hessian.value()).abs() <= 1e-13 * (1.0 + value), "{case}");
                let v = stream(Role::Probe).gaussian_matrix(d, k);
                let flat: Vec<f64> = v.col_iter().flat_map(|c| c.iter().copied()).collect();
                let column = MatRef::from_column_major_slice(&flat, d * k, 1);
                let image = image(&hessian, column).unwrap();
                // Where targets are met the gradient is what cancellation leaves of |H| |U|.
                let error = (&gradient - hessian.gradient()).norm_max();
                let scale = 1.0 + gradient.norm_max() + image.norm_max();
                assert!(error <= 1e-13 * scale, "{case}: {error:e}");
                let form = loss.hessian_form(u.as_ref(), v.as_ref()).unwrap();
                let size = image.norm_l2() * v.norm_l2();
                assert!((inner(column, image.as_ref()) - form).abs() < 1e-12 * size, "{case}");

                let n = d * k;
                let identity = Mat::<f64>::identity(n, n);
                let columns = crate::flatness::image(&hessian, identity.as_ref()).unwrap();
                let part = |range: std::ops::Range<usize>| {
                    let diagonal = range.map(|i| columns[(i, i)]);
                    diagonal.fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()))
                };
                let (plus, minus) = (part(0..d * positive), part(d * positive..n));
                for (of_plus, of_minus) in [loss.traces(u.as_ref()).unwrap(), hessian.traces()] {
                    assert!((of_plus - plus.0).abs() <= 1e-12 * plus.1, "{case}");
                    assert!((of_minus - minus.0).abs() <= 1e-12 * minus.1, "{case}");
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let map = DenseMap::new(2, 3, vec![1.0; 6]).unwrap();
    let loss = FactoredLoss::new(&map, &[1.0]).unwrap();
    let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
    for (l, r) in
        [(zeros(3, 1), zeros(3, 1)), (zeros(2, 1), zeros(2, 1)), (zeros(2, 1), zeros(3, 2))]
    {
        let error = loss.hessian(l.as_ref(), r.as_ref()).err();
        assert!(matches!(error, Some(Error::Shape { what: "the factors", .. })));
    }
    let none = loss.hessian(zeros(2, 0).as_ref(), zeros(3, 0).as_ref()).err();
    assert!(matches!(none, Some(Error::Empty { .. })));
    let mut bad = zeros(3, 1);
    bad[(1, 0)] = f64::NAN;
    let error = loss.hessian(zeros(2, 1).as_ref(), bad.as_ref()).err();
    assert!(matches!(error, Some(Error::NotFinite { what: "the right factor", index: 1, .. })));
    assert!(matches!(loss.of_width(0).err(), Some(Error::Parameter { .. })));
    let flat = loss.of_width(2).unwrap();
    assert!(matches!(flat.hessian(&[0.0; 9]).err(), Some(Error::Shape { .. })));

    let map = RankOne::symmetric(2, vec![1.0, 2.0]).unwrap();
    let loss = SymmetricLoss::new(&map, &[1.0], 1, 1).unwrap();
    assert!(matches!(loss.hessian(zeros(2, 1).as_ref()).err(), Some(Error::Shape { .. })));
    assert!(matches!(Loss::hessian(&loss, &[0.0; 5]).err(), Some(Error::Shape { .. })));
    let loss = SymmetricLoss::new(&map, &[1.0], 0, 0).unwrap();
    assert!(matches!(loss.hessian(zeros(2, 0).as_ref()).err(), Some(Error::Empty { .. })));
    assert_eq!(loss.traces(zeros(2, 0).as_ref()), Ok((0.0, 0.0)));
}

/// Factors, directions and points of other shapes are refused, by every method.
#[test]
fn nothing_of_another_shape_is_taken() {
    let map = DenseMap::new(2, 3, vec![1.0; 12]).unwrap();
    let loss = FactoredLoss::new(&map, &[1.0, 2.0]).unwrap();
    let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
    let (l, r) = (zeros(2, 2), zeros(3, 2));
    for (a, b) in
        [(zeros(3, 2), zeros(3, 2)), (zeros(2, 1), zeros(3, 2)), (zeros(2, 2), zeros(2, 2))]
    {
        let (a, b) = (a.as_ref(), b.as_ref());
        assert!(matches!(loss.value(a, b), Err(Error::Shape { .. })));
        assert!(loss.value_and_gradient(a, b).is_err() && loss.hessian(a, b).is_err());
        assert!(loss.hessian_form(a, b, l.as_ref(), r.as_ref()).is_err());
        assert!(loss.hessian_form(l.as_ref(), r.as_ref(), a, b).is_err());
    }
    let narrow = (zeros(2, 1), zeros(3, 1));
    let form = loss.hessian_form(l.as_ref(), r.as_ref(), narrow.0.as_ref(), narrow.1.as_ref());
    assert!(matches!(form, Err(Error::Shape { what: "the direction", .. })));

    let square = RankOne::symmetric(2, vec![1.0; 4]).unwrap();
    let symmetric = SymmetricLoss::new(&square, &[1.0, 2.0], 1, 1).unwrap();
    for u in [zeros(2, 1), zeros(3, 2), zeros(2, 3)] {
        let u = u.as_ref();
        assert!(symmetric.value(u).is_err() && symmetric.value_and_gradient(u).is_err());
        assert!(symmetric.traces(u).is_err() && symmetric.trace(u).is_err());
        assert!(symmetric.hessian(u).is_err() && symmetric.hessian_form(u, u).is_err());
    }
    let factored = loss.of_width(2).unwrap();
    let losses: [&dyn Loss; 2] = [&factored, &symmetric];
    for loss in losses {
        let n = loss.order();
        let (x, mut gradient) = (vec![0.5; n + 1], vec![0.0; n + 1]);
        for length in [0, n - 1, n + 1] {
            assert!(loss.value(&x[..length]).is_err() && loss.hessian(&x[..length]).is_err());
            assert!(loss.value_and_gradient(&x[..length], &mut gradient[..n]).is_err());
            assert!(loss.value_and_gradient(&x[..n], &mut gradient[..length]).is_err());
        }
        assert!(loss.value_and_gradient(&x[..n], &mut gradient[..n]).is_ok());
    }
}
