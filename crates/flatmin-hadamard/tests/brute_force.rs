//! The flattest solutions without any formula for them: the exact trace of the Hessian is minimised over all
//! factors that fit, by searching the null space of `A` and, at every vector there, all its factorisations.

#![allow(clippy::unwrap_used)]

use flatmin_hadamard::core::descent::Lbfgs;
use flatmin_hadamard::core::linalg;
use flatmin_hadamard::core::loss::{Loss, Traced};
use flatmin_hadamard::core::rng::{Role, Stream};
use flatmin_hadamard::{Error, Hadamard, HadamardLoss, Mat};

/// The trace of the Hessian as a function of the factorisations of `x`: the logarithms of the magnitudes of all
/// factors but the last, which makes the product `x`. It is convex there.
struct Factorisations<'a> {
    loss: &'a HadamardLoss<'a>,
    x: &'a [f64],
}

impl Factorisations<'_> {
    fn factors(&self, t: &[f64]) -> Vec<f64> {
        let mut v: Vec<f64> = t.iter().map(|t| t.exp()).collect();
        for (j, x) in self.x.iter().enumerate() {
            let sum: f64 = t[j..].iter().step_by(self.x.len()).sum();
            // A vanishing coordinate as one that is nearly so.
            v.push((x.abs().max(1e-30).ln() - sum).exp().copysign(*x));
        }
        v
    }
}

impl Loss for Factorisations<'_> {
    fn order(&self) -> usize {
        (self.loss.depth() - 1) * self.x.len()
    }

    fn value(&self, t: &[f64]) -> Result<f64, Error> {
        self.value_and_gradient(t, &mut vec![0.0; t.len()])
    }

    fn value_and_gradient(&self, t: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        let (v, d) = (self.factors(t), self.x.len());
        let mut slopes = vec![0.0; v.len()];
        let trace = self.loss.trace_and_gradient(&v, &mut slopes)?;
        let last = v.len() - d;
        for (at, g) in gradient.iter_mut().enumerate() {
            let pair = last + at % d;
            *g = v[at] * slopes[at] - v[pair] * slopes[pair];
        }
        Ok(trace)
    }
}

/// The least trace over the factorisations of `x`, from a start where they are unequal.
fn flattest(loss: &HadamardLoss<'_>, x: &[f64]) -> f64 {
    let (d, k) = (x.len(), loss.depth());
    let start: Vec<f64> = (0..(k - 1) * d)
        .map(|at| x[at % d].abs().max(1e-30).ln() / k as f64 + 0.3 * (1.7 * at as f64).sin())
        .collect();
    let found = Lbfgs::default().tolerance(1e-7).limit(300);
    found.minimise(&Factorisations { loss, x }, &start).unwrap().value
}

/// Least value of a convex function on a line.
fn least(f: &dyn Fn(f64) -> f64) -> f64 {
    let middle = f(0.0);
    let mut reach = 1.0;
    while f(reach) <= middle || f(-reach) <= middle {
        reach *= 2.0;
        assert!(reach < 1e6, "no minimum");
    }
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (-reach, reach);
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    let mut best = middle.min(fa).min(fb);
    while high - low > 2e-8 {
        if fa < fb {
            (high, b, fb) = (b, a, fa);
            a = high - golden * (high - low);
            fa = f(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + golden * (high - low);
            fb = f(b);
        }
        best = best.min(fa).min(fb);
    }
    best
}

/// The least trace over all vectors that fit.
fn brute_force(problem: &Hadamard, x: &[f64], k: usize) -> f64 {
    let (m, d) = problem.shape();
    let a = problem.matrix();
    let gram = linalg::product(a.transpose(), a);
    // Eigenvectors of the eigenvalue zero.
    let (_, vectors) = linalg::symmetric_eigen(gram.as_ref(), linalg::Par::Seq).unwrap();
    let loss = problem.loss(k).unwrap();
    let at = |s: f64, t: f64| {
        let other = if d - m == 2 { 1 } else { 0 };
        let moved = |j: usize| x[j] + s * vectors[(j, 0)] + t * vectors[(j, other)];
        flattest(&loss, &(0..d).map(moved).collect::<Vec<_>>())
    };
    match d - m {
        1 => least(&|s| at(s, 0.0)),
        _ => least(&|s| least(&|t| at(s, t))),
    }
}

#[test]
fn no_factors_that_fit_are_flatter() {
    for (m, d) in [(1, 2), (2, 3), (3, 4), (1, 3), (2, 4)] {
        for k in 2..=5 {
            for seed in 0..4 {
                let mut s =
                    Stream::new(seed, "brute force", d as u64, m as u64, Role::Measurements);
                let a = s.gaussian_matrix(m, d);
                let x = s.gaussian_vector(d);
                let b = (&a * Mat::from_fn(d, 1, |j, _| x[j])).col_as_slice(0).to_vec();
                let problem = Hadamard::new(a, b).unwrap();
                let flat = problem.flat(k).solve().unwrap();
                assert!(flat.status.is_certified());
                let found = brute_force(&problem, &x, k);
                let off = flat.trace / found - 1.0;
                let case = format!("{m} x {d}, depth {k}, seed {seed}: {} and {found}", flat.trace);
                assert!(off.abs() < 1e-6, "{case}");
                // It is attained at the factors that are given.
                let factors = flat.factors().unwrap();
                let v: Vec<f64> = factors.col_iter().flat_map(|c| c.iter().copied()).collect();
                let loss = problem.loss(k).unwrap();
                let trace = loss.trace_and_gradient(&v, &mut vec![0.0; v.len()]).unwrap();
                assert!((trace / flat.trace - 1.0).abs() < 1e-12, "{case}");
                assert!(loss.value(&v).unwrap() < 1e-28, "{case}");
            }
        }
    }
}
