//! Estimates of the trace of a symmetric operator from few products, with error bars that hold.

mod auto;
mod diagonal;
mod error_bar;
mod hutch_plus_plus;
mod hutchinson;
mod nystrom;
mod probes;
mod products;
#[cfg(test)]
mod tests;
mod xtrace;

pub use diagonal::DiagonalEstimate;
pub use probes::Probes;

use super::SymmetricOperator;
use crate::{Error, Mat, MatMut, MatRef};
use error_bar::Mean;
use probes::Subspace;
use products::Products;
use std::fmt;
use std::str::FromStr;

/// Products of the first round of a run to a tolerance; each further round doubles them.
const FIRST_ROUND: usize = 32;

/// Standard errors that must lie within the tolerance. More than the two of the error bar, since a run that
/// looks several times stops when its bar happens to be short.
const CAUTION: f64 = 2.5;

/// How to estimate a trace. With nothing known, take [`Method::Auto`].
///
/// | method | products | best for |
/// |---|---|---|
/// | [`Exact`](Method::Exact) | none with a closed form, else `n` | every loss of this project |
/// | [`Hutchinson`](Method::Hutchinson) | 2 and more | memory: it keeps no array; nearly diagonal operators (signs) |
/// | [`Orthogonal`](Method::Orthogonal) | 2 and more | flat and indefinite spectra |
/// | [`HutchPlusPlus`](Method::HutchPlusPlus) | 6 and more | decaying spectra, error bars from fresh probes |
/// | [`XTrace`](Method::XTrace) | 6 and more | decaying spectra, indefinite ones too |
/// | [`XNysTrace`](Method::XNysTrace) | 3 and more | semidefinite operators; hardly ever worse than `Orthogonal` |
/// | [`Auto`](Method::Auto) | 4 and more | when nothing is known |
///
/// From `n` products on all but [`Hutchinson`](Method::Hutchinson) take unit vectors and are exact. `Auto` and the
/// subspaces of `Orthogonal` and `XNysTrace` keep two arrays of `n` numbers a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The closed form, or the products with all unit vectors.
    Exact,
    /// The mean of `<w, H w>` over independent probes.
    Hutchinson(Probes),
    /// The mean over orthonormal probes, which are drawn without replacement.
    Orthogonal,
    /// Hutch++ of Meyer, Musco, Musco and Woodruff (2021).
    HutchPlusPlus,
    /// XTrace of Epperly, Tropp and Webber (2024).
    XTrace,
    /// XNysTrace of the same, averaged over bases and regularised.
    XNysTrace,
    /// The closed form where there is one; all unit vectors where the budget allows; otherwise decided from
    /// the first products.
    Auto,
}

impl Method {
    /// Every method, `Auto` last.
    pub const ALL: [Method; 8] = [
        Method::Exact,
        Method::Hutchinson(Probes::Rademacher),
        Method::Hutchinson(Probes::Sphere),
        Method::Orthogonal,
        Method::HutchPlusPlus,
        Method::XTrace,
        Method::XNysTrace,
        Method::Auto,
    ];

    /// The name by which [`Method::from_str`] knows it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Exact => "exact",
            Method::Hutchinson(Probes::Rademacher) => "hutchinson",
            Method::Hutchinson(Probes::Sphere) => "sphere",
            Method::Orthogonal => "orthogonal",
            Method::HutchPlusPlus => "hutch++",
            Method::XTrace => "xtrace",
            Method::XNysTrace => "xnystrace",
            Method::Auto => "auto",
        }
    }

    /// Whether a larger round of a run to a tolerance has no use for the products of the ones before.
    fn starts_anew(self) -> bool {
        matches!(self, Method::HutchPlusPlus | Method::XTrace)
    }

    /// The fewest products that give an error bar.
    fn least(self) -> usize {
        match self {
            Method::Exact => 0,
            Method::Hutchinson(_) | Method::Orthogonal => 2,
            Method::XNysTrace => 3,
            Method::Auto => 4,
            Method::HutchPlusPlus | Method::XTrace => 6,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = Error;

    /// ```
    /// use flatmin_core::flatness::Method;
    /// assert_eq!("xtrace".parse(), Ok(Method::XTrace));
    /// assert!("x-trace".parse::<Method>().is_err());
    /// ```
    fn from_str(name: &str) -> Result<Method, Error> {
        Method::ALL.into_iter().find(|method| method.name() == name).ok_or(Error::Parameter {
            name: "the estimator",
            rule: "exact, hutchinson, sphere, orthogonal, hutch++, xtrace, xnystrace or auto",
            got: name.to_string(),
        })
    }
}

/// An estimator of traces is its settings.
///
/// ```
/// use flatmin_core::flatness::{Estimator, Method};
/// use flatmin_core::{Gram, Mat};
/// let n = 200;
/// // Entries 1 / (i + j + 1): numerically of low rank.
/// let h = Gram::Dense(Mat::from_fn(n, n, |i, j| 1.0 / (1.0 + (i + j) as f64)));
/// let trace: f64 = (0..n).map(|i| 1.0 / (1.0 + 2.0 * i as f64)).sum();
/// let estimate = Estimator::new(Method::XNysTrace).matvecs(40).seed(1).trace(&h)?;
/// assert!((estimate.value - trace).abs() < 1e-10 && estimate.matvecs == 40);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimator {
    /// The method.
    pub method: Method,
    /// Products with single vectors that may be spent: 96 unless told otherwise. With a tolerance a limit,
    /// `n` unless told otherwise.
    pub matvecs: Option<usize>,
    /// Seed of the probes.
    pub seed: u64,
    /// Relative error at which to stop.
    pub tolerance: Option<f64>,
}

/// What an estimator found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The trace.
    pub value: f64,
    /// Its standard error: the truth lies within twice of it in at least 95 cases of 100, for which it allows
    /// for small numbers of probes; in some five fewer where a few probes meet one eigenvalue that outweighs
    /// all others, as no mean of few can tell what it has not seen. That of XTrace and XNysTrace errs
    /// upwards, by up to two and a half times where the budget comes near `n`: compare estimators by their
    /// errors, not by their bars. Zero when the value is exact.
    pub std_err: f64,
    /// Products with single vectors that were spent.
    pub matvecs: usize,
    /// The method that gave the value: what `Auto` decided for, or `Exact` where the budget reached `n`.
    pub method: Method,
    /// Whether the tolerance was reached; true when none was asked for.
    pub converged: bool,
}

impl Estimator {
    /// An estimator with seed 0, the default budget and no tolerance.
    pub fn new(method: Method) -> Estimator {
        Estimator { method, matvecs: None, seed: 0, tolerance: None }
    }

    /// Sets the number of products that may be spent.
    #[must_use]
    pub fn matvecs(mut self, matvecs: usize) -> Estimator {
        self.matvecs = Some(matvecs);
        self
    }

    /// Sets the seed of the probes.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Estimator {
        self.seed = seed;
        self
    }

    /// Sets the relative error at which to stop: rounds of 32, 64, 128, ... products, until two and a half
    /// standard errors lie within it. Each round keeps what the ones before have found, but those of
    /// Hutch++ and XTrace, which begin anew and may come to the limit first.
    ///
    /// ```
    /// use flatmin_core::flatness::{Estimator, FromFn, Method};
    /// use flatmin_core::{MatMut, MatRef};
    /// let n = 1000;
    /// let h = FromFn::new(n, |v: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
    ///     for j in 0..v.ncols() {
    ///         let mean = v.col(j).iter().sum::<f64>() / v.nrows() as f64;
    ///         out.as_mut().col_mut(j).iter_mut().zip(v.col(j).iter()).for_each(|(o, v)| *o = v - mean);
    ///     }
    /// });
    /// let estimate = Estimator::new(Method::Auto).tolerance(1e-3).trace(&h)?;
    /// assert!(estimate.converged && (estimate.value / 999.0 - 1.0).abs() < 1e-3);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Estimator {
        self.tolerance = Some(tolerance);
        self
    }

    /// Estimates the trace of an operator.
    ///
    /// # Errors
    /// When a product is not finite, a setting is outside its domain, or the operator has order zero.
    pub fn trace(&self, operator: &dyn SymmetricOperator) -> Result<Estimate, Error> {
        self.beyond(operator, 0.0)
    }

    /// The trace of an operator plus what is known, to which the tolerance speaks.
    fn beyond(&self, operator: &dyn SymmetricOperator, known: f64) -> Result<Estimate, Error> {
        let limit = self.check(operator.order())?;
        if matches!(self.method, Method::Exact | Method::Auto)
            && let Some(value) = operator.exact_trace()
        {
            let exact = Mean { value, std_err: 0.0 };
            return self.conclude(exact, Method::Exact, &Products::new(operator), known);
        }
        let mut products = Products::new(operator);
        if self.tolerance.is_none() {
            let (mean, method) = self.once(&mut products, limit)?;
            return self.conclude(mean, method, &products, known);
        };
        let mut state = State::default();
        let mut round = FIRST_ROUND.min(limit);
        loop {
            let (mean, method) = state.round(self, &mut products, round)?;
            let reached = self.conclude(mean, method, &products, known)?.converged;
            let left = if self.method.starts_anew() {
                limit.saturating_sub(products.spent)
            } else {
                limit
            };
            let next = (2 * round).min(left);
            if reached || next <= round {
                return self.conclude(mean, method, &products, known);
            }
            round = next;
        }
    }

    /// Estimates the trace of `H` by way of that of `H - C`, for a control variate `C` of known trace that is
    /// close to `H`: the error is that of an estimate for the difference. The products with `C` are not
    /// counted.
    ///
    /// ```
    /// use flatmin_core::flatness::{Estimator, Method};
    /// use flatmin_core::{Gram, Mat};
    /// let near = |e: f64| Mat::from_fn(50, 50, move |i, j| if i == j { 1.0 } else { e * ((i * j) as f64).cos() });
    /// let (h, c) = (Gram::Dense(near(1.01)), Gram::Dense(near(1.0)));
    /// let estimator = Estimator::new(Method::Orthogonal).matvecs(10);
    /// let (plain, better) = (estimator.trace(&h)?, estimator.trace_with_control(&h, &c)?);
    /// assert!(better.std_err < 0.1 * plain.std_err);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Estimator::trace`], and when the orders differ or the trace of `C` is not known.
    pub fn trace_with_control(
        &self,
        operator: &dyn SymmetricOperator,
        control: &dyn SymmetricOperator,
    ) -> Result<Estimate, Error> {
        let (n, other) = (operator.order(), control.order());
        if n != other {
            let (expected, got) = (format!("order {n}, as the operator"), other.to_string());
            return Err(Error::Shape { what: "the control variate", expected, got });
        }
        let Some(known) = control.exact_trace() else {
            return Err(Error::Parameter {
                name: "the trace of the control variate",
                rule: "known in closed form",
                got: "nothing".into(),
            });
        };
        let difference = Difference { operator, control };
        self.beyond(&difference, known)
    }

    /// The products that may be spent, once the settings have been checked.
    fn check(&self, n: usize) -> Result<usize, Error> {
        if n == 0 {
            return Err(Error::Empty { what: "the operator (its order is zero)" });
        }
        if let Some(tolerance) = self.tolerance
            && !(tolerance > 0.0 && tolerance.is_finite())
        {
            let (rule, got) = ("positive and finite", tolerance.to_string());
            return Err(Error::Parameter { name: "the tolerance", rule, got });
        }
        let limit =
            self.matvecs.unwrap_or(if self.tolerance.is_some() { n.max(FIRST_ROUND) } else { 96 });
        // All unit vectors are as good, but to a mean over independent probes.
        let independent = matches!(self.method, Method::Hutchinson(_));
        if limit < self.method.least() && (limit < n || independent) {
            return Err(Error::Parameter {
                name: "the number of products",
                rule: "at least 2, for xnystrace 3, for auto 4, for hutch++ and xtrace 6",
                got: format!("{limit} for {}", self.method),
            });
        }
        Ok(limit)
    }

    /// An estimate from so many products.
    fn once(&self, products: &mut Products<'_>, matvecs: usize) -> Result<(Mean, Method), Error> {
        State::default().round(self, products, matvecs)
    }

    fn conclude(
        &self,
        mean: Mean,
        method: Method,
        products: &Products<'_>,
        known: f64,
    ) -> Result<Estimate, Error> {
        let unit = products.unit();
        let (value, std_err) = (mean.value * unit + known, mean.std_err * unit);
        if !(value.is_finite() && std_err.is_finite()) {
            return Err(Error::Scale {
                what: "the trace, or its standard error,".into(),
                magnitude: value.abs().max(std_err),
                sane: (0.0, f64::MAX),
            });
        }
        let converged = self.tolerance.is_none_or(|t| CAUTION * std_err <= t * value.abs());
        Ok(Estimate { value, std_err, matvecs: products.spent, method, converged })
    }
}

/// What rounds of one run hand on to the next.
#[derive(Default)]
struct State {
    samples: Vec<f64>,
    subspace: Option<Subspace>,
}

impl State {
    /// The estimate from `matvecs` products, those of former rounds included where they are of use.
    fn round(
        &mut self,
        estimator: &Estimator,
        products: &mut Products<'_>,
        matvecs: usize,
    ) -> Result<(Mean, Method), Error> {
        let (n, seed) = (products.order(), estimator.seed);
        let method = estimator.method;
        if let Method::Hutchinson(probes) = method {
            hutchinson::extend(&mut self.samples, products, probes, seed, matvecs)?;
            return Ok((hutchinson::mean(&self.samples, probes, n), method));
        }
        // What has no use for a whole basis of its own completes the one that it has.
        let complete = matvecs >= n || method == Method::Exact;
        if complete && self.subspace.is_none() {
            let mut value = 0.0;
            unit_vectors(products, |entry| value += entry)?;
            return Ok((Mean { value, std_err: 0.0 }, Method::Exact));
        }
        match method {
            Method::HutchPlusPlus => {
                Ok((hutch_plus_plus::estimate(products, seed, matvecs)?, method))
            }
            Method::XTrace => {
                let probes = probes::gaussian(seed, n, 0..matvecs / 2);
                let images = products.times(probes.as_ref())?;
                let range = xtrace::Range::new(images.as_ref());
                Ok((xtrace::estimate(products, probes.as_ref(), &range)?, method))
            }
            Method::Auto if estimator.tolerance.is_none() => {
                auto::estimate(products, seed, matvecs)
            }
            _ => self.grow(method, products, seed, matvecs),
        }
    }

    /// Estimates from a subspace that grows from round to round.
    fn grow(
        &mut self,
        method: Method,
        products: &mut Products<'_>,
        seed: u64,
        matvecs: usize,
    ) -> Result<(Mean, Method), Error> {
        let n = products.order();
        let subspace = self.subspace.take().unwrap_or_else(|| Subspace::empty(n));
        let subspace = auto::extended(subspace, products, seed, matvecs.min(n))?;
        let mean = match method {
            Method::Orthogonal => hutchinson::without_replacement(&subspace),
            _ => nystrom::estimate(&subspace)?,
        };
        let whole = subspace.dimension() == n;
        self.subspace = Some(subspace);
        let made = match method {
            _ if whole => Method::Exact,
            Method::Auto => Method::XNysTrace,
            _ => method,
        };
        Ok((mean, made))
    }
}

/// Hands over `<e_i, H e_i>` for one `i` after the other, by products with blocks of unit vectors.
fn unit_vectors(products: &mut Products<'_>, mut take: impl FnMut(f64)) -> Result<(), Error> {
    const BLOCK: usize = 256;
    let n = products.order();
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let units = Mat::from_fn(n, width, |i, j| if i == start + j { 1.0 } else { 0.0 });
        let images = products.times(units.as_ref())?;
        (0..width).for_each(|j| take(images[(start + j, j)]));
    }
    Ok(())
}

/// `H - C`.
struct Difference<'a> {
    operator: &'a dyn SymmetricOperator,
    control: &'a dyn SymmetricOperator,
}

impl SymmetricOperator for Difference<'_> {
    fn order(&self) -> usize {
        self.operator.order()
    }

    fn apply(&self, v: MatRef<'_, f64>, mut out: MatMut<'_, f64>) {
        let mut control = Mat::zeros(v.nrows(), v.ncols());
        self.control.apply(v, control.as_mut());
        self.operator.apply(v, out.as_mut());
        out -= control;
    }

    fn exact_trace(&self) -> Option<f64> {
        Some(self.operator.exact_trace()? - self.control.exact_trace()?)
    }
}
