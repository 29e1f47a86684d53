//! How much a function rises within a radius: the gap that sharpness-aware minimisation penalises.
//!
//! ```text
//! first-order gap    f(x + rho g / |g|) - f(x),     g = grad f(x)
//! ascent gap         max { f(x + e) - f(x) : |e| <= rho },  from below
//! ```
//!
//! The maximum is sought by `e <- rho grad f(x + e) / |grad f(x + e)|`, the generalised power method, which
//! never descends when `f` is convex; where it would descend it becomes projected gradient ascent,
//! `e <- P(e + t grad f(x + e))` with a shorter and shorter `t`, of which it is the limit of long steps. On
//! a sphere the finite steps are the shifted power method. The value found is attained, so it is a
//! *lower bound* of the maximum, and no more: a function that is not convex may rise higher elsewhere.
//! At a minimum with Hessian `H` the gap is `rho^2 lambda_max(H) / 2` to leading order in `rho`.
//!
//! References: P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, *Sharpness-aware minimization for
//! efficiently improving generalization*, ICLR 2021; M. Journee, Y. Nesterov, P. Richtarik, R. Sepulchre,
//! *Generalized power method for sparse principal component analysis*, JMLR 11, 2010, Theorem 4.

use super::SymmetricOperator;
use super::spectrum::Lanczos;
use crate::Error;
use crate::error::finite;
use crate::linalg::norm;
use crate::loss::Loss;
use crate::rng::{Role, Stream};

/// A function on flat vectors: returns its value and writes its gradient, both of the first argument.
pub type ValueAndGradient<'a> = dyn Fn(&[f64], &mut [f64]) -> f64 + 'a;

/// Settings of the ascent.
///
/// ```
/// use flatmin_core::flatness::ascent::Ascent;
/// use flatmin_core::Gram;
/// // x1^2 + 2 x2^2 at its minimum: H = diag(2, 4), a gap of rho^2 * 4 / 2.
/// let f = |x: &[f64], g: &mut [f64]| {
///     g.copy_from_slice(&[2.0 * x[0], 4.0 * x[1]]);
///     x[0] * x[0] + 2.0 * x[1] * x[1]
/// };
/// let hessian = Gram::Diagonal(vec![2.0, 4.0]);
/// let gap = Ascent::new(0.1).gap(&[0.0, 0.0], &f, Some(&hessian))?;
/// assert!((gap.best - 0.02).abs() < 1e-9 && gap.first_order == 0.0);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ascent {
    /// Radius `rho` of the ball, in the units of `x`.
    pub radius: f64,
    /// An ascent ends when a step raises the gap by less than this share of it, or moves by less than this
    /// share of the radius: `1e-10`.
    pub tolerance: f64,
    /// Gradients of one ascent at most: 200.
    pub limit: usize,
    /// Seed of the random directions: 0.
    pub seed: u64,
}

/// What was found within the radius.
#[derive(Debug, Clone, PartialEq)]
pub struct AscentGap {
    /// `f(x)`.
    pub value: f64,
    /// `|grad f(x)|`.
    pub gradient: f64,
    /// `f(x + rho g / |g|) - f(x)`; 0 where the gradient vanishes.
    pub first_order: f64,
    /// The largest `f(x + e) - f(x)` found with `|e| <= rho`: at least 0, by `e = 0`, and at most the true one.
    pub best: f64,
    /// The `e` that attains it.
    pub perturbation: Vec<f64>,
    /// Gradients of `f`, that at `x` included.
    pub gradients: usize,
    /// Products with the Hessian, for its leading eigenvector.
    pub products: usize,
    /// Whether the ascent that won ended by itself.
    pub converged: bool,
}

impl Ascent {
    /// The settings for a radius.
    pub fn new(radius: f64) -> Ascent {
        Ascent { radius, tolerance: 1e-10, limit: 200, seed: 0 }
    }

    /// The tolerance at which an ascent ends.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Ascent {
        self.tolerance = tolerance;
        self
    }

    /// The most gradients of one ascent.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Ascent {
        self.limit = limit;
        self
    }

    /// The seed of the random directions.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Ascent {
        self.seed = seed;
        self
    }

    /// The gap of a loss at `x`, with its Hessian there to lead the way.
    ///
    /// ```
    /// use flatmin_core::flatness::ascent::Ascent;
    /// use flatmin_core::{DenseMap, FactoredLoss};
    /// // (l r - 1)^2 at l = r = 1, where it vanishes: H has the eigenvalues 4 and 0.
    /// let map = DenseMap::new(1, 1, vec![1.0])?;
    /// let loss = FactoredLoss::new(&map, &[1.0])?.of_width(1)?;
    /// let gap = Ascent::new(1e-3).gap_of(&loss, &[1.0, 1.0])?;
    /// assert!((gap.best - 2e-6).abs() < 1e-8);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ascent::gap`], and when the loss refuses the point.
    pub fn gap_of(&self, loss: &dyn Loss, x: &[f64]) -> Result<AscentGap, Error> {
        let hessian = loss.hessian(x)?;
        let function = |x: &[f64], gradient: &mut [f64]| {
            loss.value_and_gradient(x, gradient).unwrap_or(f64::NAN)
        };
        self.gap(x, &function, Some(hessian.as_ref()))
    }

    /// The gap at `x`. It ascends from the gradient, and from both signs of the leading eigenvector of the
    /// Hessian at `x` where one is given, which is where to go from a point whose gradient vanishes;
    /// where it vanishes exactly and there is no Hessian, from both signs of a random direction.
    ///
    /// # Errors
    /// When `x` is empty or not finite, the radius is not a positive number, the tolerance is negative, the
    /// Hessian does not have the order of `x`, or the function or its gradient is not finite within the
    /// radius.
    pub fn gap(
        &self,
        x: &[f64],
        function: &ValueAndGradient<'_>,
        hessian: Option<&dyn SymmetricOperator>,
    ) -> Result<AscentGap, Error> {
        self.check(x, hessian)?;
        let mut search = Search { x, function, gradients: 0 };
        let at_x = search.at(&vec![0.0; x.len()])?;
        let size = norm(&at_x.gradient);
        let mut found = AscentGap {
            value: at_x.value,
            gradient: size,
            first_order: 0.0,
            best: 0.0,
            perturbation: at_x.e,
            gradients: 1,
            products: 0,
            converged: true,
        };
        let mut starts = Vec::new();
        if size > 0.0 {
            starts.push(at_x.gradient);
        }
        if let Some(hessian) = hessian {
            // The ascent refines the direction.
            let leading = Lanczos::default().tolerance(1e-3).seed(self.seed).largest(hessian)?;
            found.products = leading.products;
            starts.push(leading.vector.iter().map(|v| -v).collect());
            starts.push(leading.vector);
        }
        if starts.is_empty() {
            let random = Stream::new(self.seed, "ascent", x.len() as u64, 0, Role::Start)
                .gaussian_vector(x.len());
            starts.push(random.iter().map(|v| -v).collect());
            starts.push(random);
        }
        for (i, start) in starts.iter().enumerate() {
            let first = search.at(&scaled(start, self.radius))?;
            if i == 0 && size > 0.0 {
                found.first_order = first.value - found.value;
            }
            let (end, converged) = self.ascend(&mut search, first, found.value)?;
            if end.value - found.value > found.best {
                found.best = end.value - found.value;
                found.perturbation = end.e;
                found.converged = converged;
            }
        }
        found.gradients = search.gradients;
        Ok(found)
    }

    fn check(&self, x: &[f64], hessian: Option<&dyn SymmetricOperator>) -> Result<(), Error> {
        if x.is_empty() {
            return Err(Error::Empty { what: "the point" });
        }
        finite("the point", x)?;
        if !(self.radius > 0.0 && self.radius.is_finite()) {
            return Err(Error::Parameter {
                name: "radius",
                rule: "positive",
                got: self.radius.to_string(),
            });
        }
        super::spectrum::check_tolerance(self.tolerance)?;
        match hessian {
            Some(hessian) if hessian.order() != x.len() => Err(Error::Shape {
                what: "the Hessian",
                expected: format!("order {}", x.len()),
                got: format!("order {}", hessian.order()),
            }),
            _ => Ok(()),
        }
    }

    /// Ascends from a point of the sphere; never below it.
    fn ascend(
        &self,
        search: &mut Search<'_>,
        mut now: Point,
        base: f64,
    ) -> Result<(Point, bool), Error> {
        // The step `t`, relative to `rho / |g|`.
        let mut step = f64::INFINITY;
        for _ in 1..self.limit {
            let size = norm(&now.gradient);
            if size == 0.0 {
                return Ok((now, true));
            }
            let e = self.step(&now, size, step);
            let moved: Vec<f64> = e.iter().zip(&now.e).map(|(a, b)| a - b).collect();
            if norm(&moved) <= self.tolerance * self.radius {
                return Ok((now, true));
            }
            let next = search.at(&e)?;
            let gain = next.value - now.value;
            let rounding = 4.0 * f64::EPSILON * now.value.abs().max(base.abs());
            if gain >= 0.0 {
                now = next;
                if gain <= (self.tolerance * (now.value - base).abs()).max(rounding) {
                    return Ok((now, true));
                }
            } else if -gain <= rounding {
                return Ok((now, true));
            } else {
                step = if step.is_finite() { 0.25 * step } else { 1.0 };
            }
        }
        Ok((now, false))
    }

    /// `P(e + t g)`; `rho g / |g|` for a step without end.
    fn step(&self, now: &Point, size: f64, step: f64) -> Vec<f64> {
        if step.is_infinite() {
            return scaled(&now.gradient, self.radius);
        }
        let t = step * self.radius;
        let e: Vec<f64> =
            now.e.iter().zip(&now.gradient).map(|(e, g)| e + t * (g / size)).collect();
        if norm(&e) > self.radius { scaled(&e, self.radius) } else { e }
    }
}

/// `v` at a length.
fn scaled(v: &[f64], length: f64) -> Vec<f64> {
    let size = norm(v);
    v.iter().map(|v| length * (v / size)).collect()
}

/// The function about `x`.
struct Search<'a> {
    x: &'a [f64],
    function: &'a ValueAndGradient<'a>,
    gradients: usize,
}

/// A perturbation, with the function and its gradient there.
struct Point {
    e: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Search<'_> {
    fn at(&mut self, e: &[f64]) -> Result<Point, Error> {
        let point: Vec<f64> = self.x.iter().zip(e).map(|(x, e)| x + e).collect();
        let mut gradient = vec![0.0; e.len()];
        let value = (self.function)(&point, &mut gradient);
        self.gradients += 1;
        finite("the value of the function", &[value])?;
        finite("the gradient of the function", &gradient)?;
        Ok(Point { e: e.to_vec(), value, gradient })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{Par, inner, product, symmetric_eigen};
    use crate::loss::FactoredLoss;
    use crate::{DenseMap, Gram, Mat, MatRef};

    fn column(v: &[f64]) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(v, v.len(), 1)
    }

    /// `<g, y - x> + <y - x, A (y - x)> / 2`.
    fn quadratic<'a>(
        a: &'a Mat<f64>,
        g: &'a [f64],
        x: &'a [f64],
    ) -> impl Fn(&[f64], &mut [f64]) -> f64 + 'a {
        move |y, out| {
            let e: Vec<f64> = y.iter().zip(x).map(|(y, x)| y - x).collect();
            let image = product(a.as_ref(), column(&e));
            (0..e.len()).for_each(|i| out[i] = g[i] + image[(i, 0)]);
            inner(column(g), column(&e)) + 0.5 * inner(column(&e), image.as_ref())
        }
    }

    /// `max { <g, e> + <e, A e> / 2 : |e| <= rho }` for a generic `g`: `e = (mu I - A)^{-1} g`, with `mu` above
    /// all eigenvalues and 0 such that `|e| = rho`, or `mu = 0` when that is inside.
    fn trust_region(a: &Mat<f64>, g: &[f64], rho: f64) -> f64 {
        let (values, q) = symmetric_eigen(a.as_ref(), Par::Seq).unwrap();
        let c = product(q.transpose(), column(g));
        let n = values.len();
        let e = |mu: f64| (0..n).map(|i| c[(i, 0)] / (mu - values[i])).collect::<Vec<f64>>();
        let floor = values[n - 1].max(0.0);
        let (mut low, mut high) = (floor, floor + norm(g) / rho);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if norm(&e(middle)) > rho { low = middle } else { high = middle }
        }
        let e = e(high);
        (0..n).map(|i| c[(i, 0)] * e[i] + 0.5 * values[i] * e[i] * e[i]).sum()
    }

    fn symmetric(n: usize, seed: u64, shift: f64) -> Mat<f64> {
        let b = Stream::new(seed, "ascent test", 0, 0, Role::Truth).gaussian_matrix(n, n);
        Mat::from_fn(n, n, |i, j| b[(i, j)] + b[(j, i)] + if i == j { shift } else { 0.0 })
    }

    /// Never above the exact maximum, and it where the function is convex; where it is not, nearly always.
    #[test]
    fn the_gap_is_that_of_the_trust_region_problem() {
        let n = 8;
        for (shift, reached) in [(20.0, 100), (0.0, 98), (-20.0, 100)] {
            let mut exact = 0;
            for seed in 0..50 {
                let a = symmetric(n, seed, shift);
                let mut stream = Stream::new(seed, "ascent test", 0, 0, Role::Start);
                let (g, x) = (stream.gaussian_vector(n), stream.gaussian_vector(n));
                for rho in [0.05, 1.0] {
                    let f = quadratic(&a, &g, &x);
                    let h = Gram::Dense(a.clone());
                    let settings = Ascent::new(rho).limit(2000).tolerance(1e-13);
                    let found = settings.gap(&x, &f, Some(&h)).unwrap();
                    let truth = trust_region(&a, &g, rho);
                    assert!(found.best <= truth + 1e-12, "{} above {truth}", found.best);
                    assert!(
                        found.best >= found.first_order
                            && norm(&found.perturbation) <= rho * (1.0 + 1e-14)
                    );
                    let y: Vec<f64> =
                        x.iter().zip(&found.perturbation).map(|(x, e)| x + e).collect();
                    assert!((f(&y, &mut vec![0.0; n]) - found.value - found.best).abs() < 1e-12);
                    let first = scaled(&g, rho);
                    let form = inner(column(&first), product(a.as_ref(), column(&first)).as_ref());
                    assert!((found.first_order - rho * norm(&g) - 0.5 * form).abs() < 1e-11);
                    exact += usize::from(found.best >= truth * (1.0 - 1e-6));
                }
            }
            assert!(exact >= reached, "shift {shift}: {exact} of 100");
        }
    }

    #[test]
    fn at_a_critical_point_it_is_half_the_largest_eigenvalue() {
        for seed in 0..20 {
            for shift in [20.0, 0.0, -30.0] {
                let a = symmetric(6, seed, shift);
                let largest = symmetric_eigen(a.as_ref(), Par::Seq).unwrap().0[5];
                let (g, x) = (vec![0.0; 6], vec![1.0; 6]);
                let f = quadratic(&a, &g, &x);
                let h = Gram::Dense(a.clone());
                for hessian in [Some(&h as &dyn SymmetricOperator), None] {
                    let found = Ascent::new(0.3).limit(2000).gap(&x, &f, hessian).unwrap();
                    // A maximum at x: nothing is gained.
                    let truth = 0.5 * 0.09 * largest.max(0.0);
                    assert!(
                        (found.best - truth).abs() < 1e-6 * (1.0 + truth),
                        "{} for {truth}",
                        found.best
                    );
                    assert_eq!((found.gradient, found.first_order), (0.0, 0.0));
                }
            }
        }
    }

    /// At an interpolating point of a factored loss, `rho^2 lambda_max / 2` to leading order.
    #[test]
    fn at_an_interpolating_point_the_hessian_rules() {
        let (d, k, m) = (4, 2, 30);
        let mut stream = Stream::new(3, "ascent test", 0, 0, Role::Measurements);
        let map = DenseMap::new(d, d, stream.gaussian_vector(m * d * d)).unwrap();
        let x = stream.gaussian_vector(2 * d * k);
        let split = |x: &[f64]| {
            let part =
                |at: usize| MatRef::from_column_major_slice(&x[at..at + d * k], d, k).to_owned();
            (part(0), part(d * k))
        };
        let (l, r) = split(&x);
        let mut targets = vec![0.0; m];
        crate::LinearMap::apply_factored(&map, l.as_ref(), r.as_ref(), &mut targets);
        let loss = FactoredLoss::new(&map, &targets).unwrap();
        let f = |x: &[f64], g: &mut [f64]| {
            let (l, r) = split(x);
            let (value, gl, gr) = loss.value_and_gradient(l.as_ref(), r.as_ref()).unwrap();
            let columns = gl.col_iter().chain(gr.col_iter()).flat_map(|c| c.iter());
            g.iter_mut().zip(columns).for_each(|(g, v)| *g = *v);
            value
        };
        let n = 2 * d * k;
        let form = |v: &[f64]| {
            let (u, v) = split(v);
            loss.hessian_form(l.as_ref(), r.as_ref(), u.as_ref(), v.as_ref()).unwrap()
        };
        let unit = |i: usize, j: usize| {
            (0..n).map(|p| f64::from(u8::from(p == i) + u8::from(p == j))).collect::<Vec<_>>()
        };
        let entry =
            |i, j| 0.5 * (form(&unit(i, j)) - 0.25 * (form(&unit(i, i)) + form(&unit(j, j))));
        let a =
            Mat::from_fn(n, n, |i, j| if i == j { 0.25 * form(&unit(i, i)) } else { entry(i, j) });
        let largest = symmetric_eigen(a.as_ref(), Par::Seq).unwrap().0[n - 1];
        let h = Gram::Dense(a);
        for rho in [1e-1, 1e-2, 1e-3] {
            let found = Ascent::new(rho).gap(&x, &f, Some(&h)).unwrap();
            let ratio = found.best / (0.5 * rho * rho * largest);
            // Cubic terms raise one of the two signs.
            assert!(
                found.converged && (ratio - 1.0).abs() < 3.0 * rho && ratio > 1.0 - 1e-6,
                "{rho}: {ratio}"
            );
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let f = |x: &[f64], g: &mut [f64]| {
            g.fill(1.0);
            x.iter().sum()
        };
        let bad = |x: &[f64], g: &mut [f64]| {
            g.fill(1.0);
            if x[0] > 1.0 { f64::INFINITY } else { x[0] }
        };
        for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Ascent::new(radius).gap(&[1.0], &f, None).is_err());
        }
        assert!(Ascent::new(1.0).gap(&[], &f, None).is_err());
        assert!(Ascent::new(1.0).gap(&[f64::NAN], &f, None).is_err());
        assert!(Ascent::new(1.0).tolerance(f64::NAN).gap(&[1.0], &f, None).is_err());
        assert!(Ascent::new(1.0).gap(&[1.0], &f, Some(&Gram::Diagonal(vec![1.0; 2]))).is_err());
        assert!(Ascent::new(1.0).gap(&[0.5], &bad, None).is_err());
        // Linear: the first step is the answer.
        let found = Ascent::new(2.0).gap(&[1.0; 4], &f, None).unwrap();
        assert!(
            (found.best - 4.0).abs() < 1e-14
                && found.best == found.first_order
                && found.gradients == 2
        );
    }

    #[test]
    fn extreme_scales_do_no_harm() {
        let a = symmetric(5, 1, 20.0);
        for scale in [1e-150, 1e-12, 1e12, 1e150] {
            let scaled = Mat::from_fn(5, 5, |i, j| scale * a[(i, j)]);
            let (g, x) = (vec![0.0; 5], vec![0.0; 5]);
            let largest = symmetric_eigen(a.as_ref(), Par::Seq).unwrap().0[4];
            let f = quadratic(&scaled, &g, &x);
            let found = Ascent::new(1e-3).gap(&x, &f, Some(&Gram::Dense(scaled.clone()))).unwrap();
            let truth = 5e-7 * largest;
            assert!((found.best / scale - truth).abs() < 1e-6 * truth, "{scale:e}");
            assert!(found.best.is_finite() && found.perturbation.iter().all(|e| e.is_finite()));
        }
    }
}
