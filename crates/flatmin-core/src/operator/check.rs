//! The law that every linear map obeys.

use super::{Dims, LinearMap, stack, unstack};
use crate::linalg::{inner, product, scale_columns};
use crate::rng::{Role, Stream};
use faer::{Mat, MatRef};

/// Largest relative disagreement between the methods of a map, over random arguments drawn from
/// `seed`: the adjoint test `<A(X), y> = <X, A*(y)>`, and every derived method against the same
/// quantity built from `apply` and `adjoint`. A sound map returns about `1e-14`.
///
/// ```
/// use flatmin_core::operator::{check, Entries};
/// let map = Entries::new(3, 2, &[0, 1, 2], &[1, 0, 1])?;
/// assert!(check::adjoint(&map, 7) < 1e-13);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
pub fn adjoint(map: &dyn LinearMap, seed: u64) -> f64 {
    let Dims { rows, cols, measurements: m } = map.dims();
    let mut stream = Stream::new(seed, "check", 0, 0, Role::Probe);
    let k = 2;
    let x = stream.gaussian_matrix(rows, cols);
    let (l, r) = (stream.gaussian_matrix(rows, k), stream.gaussian_matrix(cols, k));
    let (y, b) = (stream.gaussian_vector(m), stream.gaussian_vector(m));

    let apply = |x: MatRef<'_, f64>| {
        let mut out = vec![0.0; m];
        map.apply(x, &mut out);
        out
    };
    let ax = apply(x.as_ref());
    let back = map.adjoint_matrix(&y);
    let mut worst = scalar(dot(&ax, &y), inner(x.as_ref(), back.as_ref()), norm(&ax) * norm(&y));

    // The fused pass.
    let (mut residual, mut fused) = (vec![0.0; m], Mat::zeros(rows, cols));
    map.residual_and_adjoint(x.as_ref(), &b, &mut residual, fused.as_mut());
    let expected: Vec<f64> = ax.iter().zip(&b).map(|(a, b)| a - b).collect();
    worst = worst.max(vectors(&residual, &expected));
    worst = worst.max(matrices(fused.as_ref(), map.adjoint_matrix(&expected).as_ref()));

    // Products with factors.
    let mut factored = vec![0.0; m];
    map.apply_factored(l.as_ref(), r.as_ref(), &mut factored);
    worst = worst.max(vectors(&factored, &apply(product(l.as_ref(), r.transpose()).as_ref())));
    let (mut left, mut right) = (Mat::zeros(rows, k), Mat::zeros(cols, k));
    map.adjoint_times(&y, r.as_ref(), left.as_mut());
    map.adjoint_transpose_times(&y, l.as_ref(), right.as_mut());
    worst = worst.max(matrices(left.as_ref(), product(back.as_ref(), r.as_ref()).as_ref()));
    worst = worst.max(matrices(right.as_ref(), product(back.transpose(), l.as_ref()).as_ref()));

    // Value and gradient at factors.
    let (mut gl, mut gr) = (Mat::zeros(rows, k), Mat::zeros(cols, k));
    let weights = [0.5, -2.0];
    let frames = (l.as_ref(), &weights[..], r.as_ref());
    map.residual_and_gradient(frames, &b, &mut residual, gl.as_mut(), gr.as_mut());
    let x = product(scale_columns(l.as_ref(), &weights).as_ref(), r.transpose());
    let expected: Vec<f64> = apply(x.as_ref()).iter().zip(&b).map(|(a, b)| a - b).collect();
    worst = worst.max(vectors(&residual, &expected));
    let image = map.adjoint_matrix(&expected);
    worst = worst.max(matrices(gl.as_ref(), product(image.as_ref(), r.as_ref()).as_ref()));
    worst = worst.max(matrices(gr.as_ref(), product(image.transpose(), l.as_ref()).as_ref()));

    // The normal matrix of Gauss-Newton: J^T J t = J^T A(L Rt^T + Lt R^T).
    let n = k * (rows + cols);
    let mut normal = Mat::zeros(n, n);
    map.tangent_normal(l.as_ref(), r.as_ref(), normal.as_mut());
    let (lt, rt) = (stream.gaussian_matrix(rows, k), stream.gaussian_matrix(cols, k));
    let mut direction = product(l.as_ref(), rt.transpose());
    direction += product(lt.as_ref(), r.transpose());
    let image = map.adjoint_matrix(&apply(direction.as_ref()));
    let by_adjoint =
        pair(product(image.as_ref(), r.as_ref()), product(image.transpose(), l.as_ref()));
    worst = worst.max(vectors(&symmetric_times(&normal, &pair(lt.clone(), rt)), &by_adjoint));

    // The normal matrix of L -> A(L R^T), its upper left block.
    let mut block = Mat::zeros(k * rows, k * rows);
    map.gradient_normal(r.as_ref(), block.as_mut());
    let image = map.adjoint_matrix(&apply(product(lt.as_ref(), r.transpose()).as_ref()));
    let by_adjoint = columns(product(image.as_ref(), r.as_ref()));
    worst = worst.max(vectors(&symmetric_times(&block, &columns(lt)), &by_adjoint));

    // Products with them, for blocks of every way of cutting them, in either storage order.
    let block = stream.gaussian_matrix(n, 11);
    let (us, vs) = unstack(block.as_ref(), rows, cols);
    let (mut tangent, mut gradient) = (Mat::zeros(n, 11), Mat::zeros(k * rows, 11));
    for c in 0..11 {
        let (u, v) = (us.subcols(c * k, k), vs.subcols(c * k, k));
        let mut x = product(u, r.transpose());
        let image = map.adjoint_matrix(&apply(x.as_ref()));
        let along = product(image.as_ref(), r.as_ref());
        stack(along.as_ref(), Mat::zeros(0, k).as_ref(), gradient.as_mut().subcols_mut(c, 1));
        x += product(l.as_ref(), v.transpose());
        let image = map.adjoint_matrix(&apply(x.as_ref()));
        let (left, right) =
            (product(image.as_ref(), r.as_ref()), product(image.transpose(), l.as_ref()));
        stack(left.as_ref(), right.as_ref(), tangent.as_mut().subcols_mut(c, 1));
    }
    let turned = block.transpose().to_owned();
    for p in [0, 1, 2, 3, 5, 11] {
        for v in [block.as_ref(), turned.transpose()] {
            let v = v.subcols(0, p);
            let mut out = Mat::full(n, p, 1e9);
            map.tangent_times(l.as_ref(), r.as_ref(), v, out.as_mut());
            worst = worst.max(matrices(out.as_ref(), tangent.as_ref().subcols(0, p)));
            let mut out = Mat::full(k * rows, p, 1e9);
            map.gradient_times(r.as_ref(), v.subrows(0, k * rows), out.as_mut());
            worst = worst.max(matrices(out.as_ref(), gradient.as_ref().subcols(0, p)));
        }
    }

    // The measurements one by one.
    let mut sum = Mat::zeros(rows, cols);
    for (i, y) in y.iter().enumerate() {
        sum += map.measurement(i) * faer::Scale(*y);
    }
    worst = worst.max(matrices(sum.as_ref(), back.as_ref()));
    let squares: f64 = map.norms().iter().map(|n| n * n).sum();
    let expected: f64 = (0..m).map(|i| map.measurement(i).squared_norm_l2()).sum();
    worst = worst.max(scalar(squares, expected, expected));

    // Grams, through the diagonal blocks of that matrix: |A(L e_c e_j^T)|^2 summed over c and j.
    let (g1, g2) = map.grams();
    let sum = |range: std::ops::Range<usize>| -> f64 { range.map(|a| normal[(a, a)]).sum() };
    let (by_r, by_l) = (sum(0..k * rows), sum(k * rows..n));
    worst = worst.max(scalar(g2.form(r.as_ref()), by_r, by_r));
    worst = worst.max(scalar(g1.form(l.as_ref()), by_l, by_l));
    let energies = map.energies(l.as_ref(), r.as_ref());
    worst = worst.max(scalar(energies.0, by_r, by_r)).max(scalar(energies.1, by_l, by_l));

    // The energy of a core, for factors of different widths, and half of its gradient.
    let wide = stream.gaussian_matrix(cols, k + 1);
    let (mut by_l, mut by_r) = (Mat::zeros(rows, k), Mat::zeros(cols, k + 1));
    let (mut expected, mut left, mut right) = (0.0, by_l.clone(), by_r.clone());
    for i in 0..m {
        let a = map.measurement(i);
        let core = product(product(l.transpose(), a.as_ref()).as_ref(), wide.as_ref());
        expected += core.squared_norm_l2();
        left += product(product(a.as_ref(), wide.as_ref()).as_ref(), core.transpose());
        right += product(product(a.transpose(), l.as_ref()).as_ref(), core.as_ref());
    }
    let energy = map.core_energy(l.as_ref(), wide.as_ref(), by_l.as_mut(), by_r.as_mut());
    worst = worst.max(scalar(energy, expected, expected));
    worst = worst.max(matrices(by_l.as_ref(), left.as_ref()));
    worst = worst.max(matrices(by_r.as_ref(), right.as_ref()));

    // The Schur complement, on a vector: M y = A(W1 A*(y) W2 + W12 A*(y)^T W12).
    let symmetric = |g: Mat<f64>| product(g.as_ref(), g.transpose());
    let w1 = symmetric(stream.gaussian_matrix(rows, rows));
    let w2 = symmetric(stream.gaussian_matrix(cols, cols));
    let w12 = stream.gaussian_matrix(rows, cols);
    let mut schur = Mat::zeros(m, m);
    map.schur(w1.as_ref(), w2.as_ref(), Some(w12.as_ref()), schur.as_mut());
    let by_schur = symmetric_times(&schur, &y);
    let mut image = product(product(w1.as_ref(), back.as_ref()).as_ref(), w2.as_ref());
    image += product(product(w12.as_ref(), back.transpose()).as_ref(), w12.as_ref());
    worst.max(vectors(&by_schur, &apply(image.as_ref())))
}

/// `vec A`.
fn columns(a: Mat<f64>) -> Vec<f64> {
    a.col_iter().flat_map(|c| c.iter().copied()).collect()
}

/// `(vec L, vec R)`.
fn pair(l: Mat<f64>, r: Mat<f64>) -> Vec<f64> {
    [columns(l), columns(r)].concat()
}

/// Product of the symmetric matrix with this lower triangle and a vector.
fn symmetric_times(lower: &Mat<f64>, x: &[f64]) -> Vec<f64> {
    let entry = |i: usize, j: usize| if i >= j { lower[(i, j)] } else { lower[(j, i)] };
    (0..x.len()).map(|i| (0..x.len()).map(|j| entry(i, j) * x[j]).sum()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn scalar(a: f64, b: f64, scale: f64) -> f64 {
    (a - b).abs() / scale.max(f64::MIN_POSITIVE)
}

fn vectors(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(b).max(f64::MIN_POSITIVE)
}

fn matrices(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
    (a - b).norm_l2() / b.norm_l2().max(f64::MIN_POSITIVE)
}
