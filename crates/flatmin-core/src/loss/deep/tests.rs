//! Laws of the derivatives over all maps and shapes, and what the loss is for one layer and for two.

use super::*;
use crate::flatness::{PairOperator, image};
use crate::linalg::product;
use crate::loss::check;
use crate::loss::tests::{assert_blocks, assert_curvature, assert_squares, maps, targets};
use crate::operator::{DenseMap, Entries};
use crate::rng::{Role, Stream};

fn stream(role: Role) -> Stream {
    Stream::new(5, "deep", 0, 0, role)
}

/// Layers of entries about 8, where fourth-order differences with a step of `1e-3` of what is here of degree
/// `2 L`, instead of 4, still err by less than `1e-9`.
fn point(loss: &DeepLoss<'_>) -> Vec<f64> {
    stream(Role::Start).gaussian_vector(loss.order()).into_iter().map(|x| 8.0 * x).collect()
}

#[test]
fn derivatives_traces_and_blocks() {
    // None, narrow ones, wider than the matrix, and the narrowest in every place.
    let inner: [&[usize]; 8] =
        [&[], &[1], &[3], &[2, 3], &[4, 2], &[7, 20], &[2, 5, 2], &[20, 19, 21]];
    for (number, map) in maps().iter().enumerate() {
        let dims = map.dims();
        for inner in inner {
            let zeros = vec![0.0; dims.measurements];
            let blank = DeepLoss::new(map.as_ref(), &zeros, inner).unwrap();
            let x = point(&blank);
            let fit = blank.product(&x).unwrap();
            for b in targets(map.as_ref(), fit.as_ref()) {
                let case = format!("map {number}, inner widths {inner:?}");
                let loss = DeepLoss::new(map.as_ref(), &b, inner).unwrap();
                assert_eq!(loss.order(), x.len());
                if x.len() <= 400 {
                    assert_curvature(&loss, &x, &case);
                    assert_squares(&loss, &x, &case);
                }
                let hessian = DeepHessian::new(&loss, &x).unwrap();
                assert_blocks(&hessian, &case);
                let value = loss.value(&x).unwrap();
                assert!((hessian.value() - value).abs() <= 1e-12 * (1.0 + value), "{case}");
            }
        }
    }
}

/// The residual couples different layers only: no diagonal block of the Hessian changes with the targets, and
/// the trace of each is the part of its layer.
#[test]
fn the_residual_has_no_diagonal() {
    for map in maps().iter().take(16) {
        let m = map.dims().measurements;
        let zeros = vec![0.0; m];
        let other = DeepLoss::new(map.as_ref(), &zeros, &[3, 2]).unwrap();
        let x = point(&other);
        // Residuals of opposite signs.
        let mut b = vec![0.0; m];
        other.residual(&x, &mut b).unwrap();
        b.iter_mut().for_each(|b| *b *= 3.0);
        let loss = DeepLoss::new(map.as_ref(), &b, &[3, 2]).unwrap();
        let n = x.len();
        let identity = Mat::<f64>::identity(n, n);
        let columns = |loss: &DeepLoss<'_>| {
            image(loss.hessian(&x).unwrap().as_ref(), identity.as_ref()).unwrap()
        };
        let (of_loss, of_other) = (columns(&loss), columns(&other));
        let size = of_loss.norm_max().max(of_other.norm_max());
        let parts = loss.layer_traces(&x).unwrap();
        let mut first = 0;
        for (w, part) in loss.widths().windows(2).zip(parts) {
            let range = first..first + w[0] * w[1];
            first = range.end;
            let mut sum = 0.0;
            for i in range.clone() {
                sum += of_loss[(i, i)];
                for j in range.clone() {
                    assert!((of_loss[(i, j)] - of_other[(i, j)]).abs() < 1e-13 * size);
                }
            }
            approx::assert_relative_eq!(sum, part, max_relative = 1e-12);
        }
        // The blocks off the diagonal do change.
        assert!((&of_loss - &of_other).norm_max() > 1e-2 * size);
    }
}

/// Two layers are a pair of factors with `R = W_2^T`.
#[test]
fn two_layers_are_the_factored_loss() {
    for map in maps() {
        let dims = map.dims();
        let b = stream(Role::Noise).gaussian_vector(dims.measurements);
        for k in [1, 3, 20] {
            let loss = DeepLoss::new(map.as_ref(), &b, &[k]).unwrap();
            let x = point(&loss);
            let layers = loss.layers(&x).unwrap();
            let (l, r) = (layers[0], layers[1].transpose());
            let factored = FactoredLoss::new(map.as_ref(), &b).unwrap();
            let (value, gl, gr) = factored.value_and_gradient(l, r).unwrap();
            let mut gradient = vec![0.0; x.len()];
            let found = loss.value_and_gradient(&x, &mut gradient).unwrap();
            approx::assert_relative_eq!(found, value, max_relative = 1e-12);
            let (on_l, on_r) = gradient.split_at(l.nrows() * k);
            let on_l = MatRef::from_column_major_slice(on_l, dims.rows, k);
            let on_r = MatRef::from_column_major_slice(on_r, k, dims.cols);
            assert!((on_l - &gl).norm_max() < 1e-12 * gl.norm_max());
            assert!((on_r.transpose() - &gr).norm_max() < 1e-12 * gr.norm_max());
            let (left, right) = factored.hessian(l, r).unwrap().traces();
            let parts = loss.layer_traces(&x).unwrap();
            approx::assert_relative_eq!(parts[0], left, max_relative = 1e-12);
            approx::assert_relative_eq!(parts[1], right, max_relative = 1e-12);
            let fit = product(l, layers[1]);
            assert!((&fit - loss.product(&x).unwrap()).norm_max() < 1e-13 * fit.norm_max());
        }
    }
}

/// One layer is the linear problem of least squares: a constant Hessian `(2/m) A* A`, of trace
/// `(2/m) sum_i |A_i|_F^2`.
#[test]
fn one_layer_is_least_squares() {
    for map in maps() {
        let dims = map.dims();
        let m = dims.measurements as f64;
        let b = stream(Role::Noise).gaussian_vector(dims.measurements);
        let loss = DeepLoss::new(map.as_ref(), &b, &[]).unwrap();
        let x = point(&loss);
        let squares: f64 = map.norms().iter().map(|n| n * n).sum();
        let mut gradient = vec![1.0; x.len()];
        let trace = loss.trace_and_gradient(&x, &mut gradient).unwrap();
        approx::assert_relative_eq!(trace, 2.0 * squares / m, max_relative = 1e-12);
        assert!(gradient.iter().all(|g| *g == 0.0));
        let v = stream(Role::Probe).gaussian_matrix(x.len(), 1);
        let v_matrix = MatRef::from_column_major_slice(v.col_as_slice(0), dims.rows, dims.cols);
        let mut along = vec![0.0; dims.measurements];
        map.apply(v_matrix, &mut along);
        let expected = map.adjoint_matrix(&along) * faer::Scale(2.0 / m);
        let found = image(loss.hessian(&x).unwrap().as_ref(), v.as_ref()).unwrap();
        let found = MatRef::from_column_major_slice(found.col_as_slice(0), dims.rows, dims.cols);
        assert!((found - &expected).norm_max() < 1e-12 * (1.0 + expected.norm_max()));
    }
}

/// Nothing of the size of the matrix is formed for sampled entries.
#[test]
fn sampled_entries_of_a_large_matrix() {
    let (d, m, inner) = (30_000, 400, [3, 2]);
    let index = |shift: usize| (0..m).map(|t| (t * 71 + shift * t * t) % d).collect::<Vec<_>>();
    let map = Entries::new(d, d, &index(1), &index(2)).unwrap();
    let b = stream(Role::Noise).gaussian_vector(m);
    let loss = DeepLoss::new(&map, &b, &inner).unwrap();
    let x = point(&loss);
    let found = check::least_squares(&loss, &x, 3).unwrap();
    assert!(found.value < 1e-13 && found.gradient < 1e-12, "{found:?}");
    assert!(found.adjoint < 1e-13 && found.differences < 1e-9, "{found:?}");
    let trace: f64 = loss.layer_traces(&x).unwrap().iter().sum();
    assert_eq!(loss.hessian(&x).unwrap().exact_trace(), Some(trace));
    let v = stream(Role::Probe).gaussian_matrix(x.len(), 2);
    assert!(image(loss.hessian(&x).unwrap().as_ref(), v.as_ref()).is_ok());
}

/// A matrix of more entries than the moment is kept for.
#[test]
fn dense_measurements_of_a_larger_matrix() {
    let (d1, d2, m) = (16, 20, 25);
    let mut s = stream(Role::Measurements);
    let map = DenseMap::new(d1, d2, s.gaussian_vector(d1 * d2 * m)).unwrap();
    let b = s.gaussian_vector(m);
    for inner in [&[2, 1][..], &[1, 3, 2], &[2, 3]] {
        let loss = DeepLoss::new(&map, &b, inner).unwrap();
        let x = point(&loss);
        assert_curvature(&loss, &x, &format!("{inner:?}"));
        assert_squares(&loss, &x, &format!("{inner:?}"));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let map = DenseMap::new(2, 3, vec![1.0; 12]).unwrap();
    let b = [1.0, 2.0];
    assert!(matches!(DeepLoss::new(&map, &b[..1], &[]).err(), Some(Error::Shape { .. })));
    for inner in [&[0][..], &[2, 0], &[usize::MAX, 1], &[usize::MAX / 2, 1]] {
        let error = DeepLoss::new(&map, &b, inner).err();
        assert!(matches!(error, Some(Error::Parameter { .. })), "{inner:?}: {error:?}");
    }
    let loss = DeepLoss::new(&map, &b, &[2]).unwrap();
    let n = loss.order();
    let (x, mut out) = (vec![0.5; n + 1], vec![0.0; n + 1]);
    for length in [0, n - 1, n + 1] {
        let (x, whole) = (&x[..length], &mut out[..n]);
        assert!(loss.value(x).is_err() && loss.hessian(x).is_err() && loss.layers(x).is_err());
        assert!(loss.product(x).is_err() && loss.layer_traces(x).is_err());
        assert!(loss.value_and_gradient(x, whole).is_err());
        assert!(loss.trace_and_gradient(x, whole).is_err());
        assert!(loss.residual(x, &mut [0.0; 2]).is_err());
        assert!(loss.pull_back(x, &b, whole).is_err());
        assert!(loss.push_forward(x, whole, &mut [0.0; 2]).is_err());
    }
    for length in [0, n - 1, n + 1] {
        let (x, short) = (&x[..n], &mut out[..length]);
        assert!(loss.value_and_gradient(x, short).is_err());
        assert!(
            loss.trace_and_gradient(x, short).is_err() && loss.pull_back(x, &b, short).is_err()
        );
    }
    let mut bad = x[..n].to_vec();
    bad[3] = f64::NAN;
    let error = loss.hessian(&bad).err();
    assert!(matches!(error, Some(Error::NotFinite { what: "the point", index: 3, .. })));
}
