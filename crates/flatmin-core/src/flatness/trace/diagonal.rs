//! The diagonal of a symmetric operator, entry by entry.
//!
//! ```text
//! diag H = E w o (H w)                        (Bekas, Kokiopoulou, Saad 2007), w a vector of random signs
//! diag H = diag H Q Q^T + E w o (H (I - Q Q^T) w)     (Baston, Nakatsukasa 2022), Q = orth(H S)
//! ```
//!
//! C. Bekas, E. Kokiopoulou, Y. Saad, *An estimator for the diagonal of a matrix*, Applied Numerical
//! Mathematics 57, 2007. R. A. Baston, Y. Nakatsukasa, *Stochastic diagonal estimation: probabilistic bounds
//! and an improved algorithm*, arXiv 2201.10684.

use super::error_bar::student;
use super::probes::Probes;
use super::products::Products;
use super::xtrace::Range;
use super::{Estimator, Method};
use crate::flatness::SymmetricOperator;
use crate::linalg::{product, row_products, subtract_product};
use crate::{Error, MatRef};

/// What an estimator found of a diagonal.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalEstimate {
    /// The entries, `n` of them.
    pub values: Vec<f64>,
    /// Their standard errors, as in [`Estimate`](super::Estimate), each for its own entry.
    pub std_err: Vec<f64>,
    /// Products with single vectors that were spent.
    pub matvecs: usize,
    /// The method that gave the values.
    pub method: Method,
}

impl Estimator {
    /// Estimates the diagonal of an operator: by unit vectors where the budget allows or
    /// [`Method::Exact`] asks for it, by probes ([`Method::Hutchinson`]), exactly on a sketch of the range and by
    /// probes beyond it ([`Method::HutchPlusPlus`]), or by the better of the two ([`Method::Auto`]). The
    /// tolerance is not used.
    ///
    /// ```
    /// use flatmin_core::flatness::{Estimator, Method};
    /// use flatmin_core::{Gram, Mat};
    /// let h = Gram::Dense(Mat::from_fn(100, 100, |i, j| ((i + 1) * (j + 1)) as f64)); // of rank one
    /// let diagonal = Estimator::new(Method::Auto).matvecs(12).diagonal(&h)?;
    /// assert!((diagonal.values[9] - 100.0).abs() < 1e-8);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a product is not finite, a setting is outside its domain, the method is another one, or the
    /// operator has order zero.
    pub fn diagonal(&self, operator: &dyn SymmetricOperator) -> Result<DiagonalEstimate, Error> {
        let n = operator.order();
        let budget = Estimator { tolerance: None, ..*self }.check(n)?;
        let mut products = Products::new(operator);
        let (values, std_err, method) = match self.method {
            Method::Exact => unit_vectors(&mut products)?,
            _ if budget >= n => unit_vectors(&mut products)?,
            Method::Hutchinson(probes) => {
                let block = probes.draw(self.seed, n, 0..budget);
                let images = products.times(block.as_ref())?;
                let (values, std_err) = means(&vec![0.0; n], block.as_ref(), images.as_ref());
                (values, std_err, self.method)
            }
            Method::HutchPlusPlus | Method::Auto => self.deflated(&mut products, budget)?,
            other => {
                return Err(Error::Parameter {
                    name: "the estimator of a diagonal",
                    rule: "exact, hutchinson, sphere, hutch++ or auto",
                    got: other.to_string(),
                });
            }
        };
        let unit = products.unit();
        let scaled = |values: Vec<f64>| values.into_iter().map(|v| v * unit).collect();
        let (values, std_err) = (scaled(values), scaled(std_err));
        Ok(DiagonalEstimate { values, std_err, matvecs: products.spent, method })
    }

    fn deflated(
        &self,
        products: &mut Products<'_>,
        budget: usize,
    ) -> Result<(Vec<f64>, Vec<f64>, Method), Error> {
        let (n, sketched) = (products.order(), (budget / 3).max(1));
        let draw = |numbers| Probes::Rademacher.draw(self.seed, n, numbers);
        let sketch = draw(0..sketched);
        let images = products.times(sketch.as_ref())?;
        let range = Range::new(images.as_ref());
        // Variances summed over entries: |H (I - Q Q^T)|_F^2 over a third of the probes, |H|_F^2 over all.
        let worthwhile = 3.0 * range.energy_outside() < images.squared_norm_l2() / sketched as f64;
        if self.method == Method::Auto && !worthwhile {
            let more = draw(sketched..budget);
            let more_images = products.times(more.as_ref())?;
            let block = super::probes::beside(sketch.as_ref(), more.as_ref());
            let images = super::probes::beside(images.as_ref(), more_images.as_ref());
            let (values, std_err) = means(&vec![0.0; n], block.as_ref(), images.as_ref());
            return Ok((values, std_err, Method::Hutchinson(Probes::Rademacher)));
        }
        let q = range.basis();
        let images = products.times(q)?;
        let exact = row_products(q, images.as_ref());
        let probes = draw(sketched..budget - sketched);
        let mut beyond = probes.clone();
        let shadow = product(q.transpose(), probes.as_ref());
        subtract_product(beyond.as_mut(), q, shadow.as_ref());
        let images = products.times(beyond.as_ref())?;
        let (values, std_err) = means(&exact, probes.as_ref(), images.as_ref());
        Ok((values, std_err, Method::HutchPlusPlus))
    }
}

/// What is known plus the means of `w o y` over probes and their images, and the standard errors.
fn means(known: &[f64], probes: MatRef<'_, f64>, images: MatRef<'_, f64>) -> (Vec<f64>, Vec<f64>) {
    let (n, k) = probes.shape();
    let (mut sums, mut squares) = (vec![0.0; n], vec![0.0; n]);
    for (w, y) in probes.col_iter().zip(images.col_iter()) {
        let products = w.iter().zip(y.iter()).map(|(w, y)| w * y);
        for ((sum, square), product) in sums.iter_mut().zip(&mut squares).zip(products) {
            (*sum, *square) = (*sum + product, *square + product * product);
        }
    }
    let count = k as f64;
    let error = |(sum, square): (&f64, &f64)| {
        let spread = (square - sum * sum / count).max(0.0) / (count - 1.0);
        (spread / count).sqrt() * student(k.saturating_sub(1))
    };
    let std_err = sums.iter().zip(&squares).map(error).collect();
    (known.iter().zip(&sums).map(|(known, sum)| known + sum / count).collect(), std_err)
}

fn unit_vectors(products: &mut Products<'_>) -> Result<(Vec<f64>, Vec<f64>, Method), Error> {
    let mut values = Vec::with_capacity(products.order());
    super::unit_vectors(products, |entry| values.push(entry))?;
    let std_err = vec![0.0; values.len()];
    Ok((values, std_err, Method::Exact))
}
