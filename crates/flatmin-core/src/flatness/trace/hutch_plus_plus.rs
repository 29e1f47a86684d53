//! Hutch++ (R. A. Meyer, C. Musco, C. Musco, D. P. Woodruff, *Hutch++: optimal stochastic trace
//! estimation*, SOSA 2021): exact on a sketch of the range, Hutchinson's mean on what is left.
//!
//! ```text
//! tr H = tr Q^T H Q + tr (I - Q Q^T) H (I - Q Q^T),       Q = orth(H S)
//! ```
//!
//! A third of the products each for the sketch, the exact part and the mean, whose probes are
//! independent of `Q`: its standard error is that of the whole.

use super::error_bar::Mean;
use super::hutchinson::forms;
use super::probes::Probes;
use super::products::Products;
use crate::Error;
use crate::linalg::{product, subtract_product, thin_qr};

pub(super) fn estimate(
    products: &mut Products<'_>,
    seed: u64,
    matvecs: usize,
) -> Result<Mean, Error> {
    let (n, sketched) = (products.order(), matvecs / 3);
    let sketch = Probes::Rademacher.draw(seed, n, 0..sketched);
    let q = thin_qr(products.times(sketch.as_ref())?.as_ref()).0;
    let images = products.times(q.as_ref())?;
    let forms_of_range = forms(q.as_ref(), images.as_ref());
    let exact: f64 = forms_of_range.iter().sum();
    // The rounding of Y tilts its range.
    let rounding = f64::EPSILON * crate::linalg::norm(&forms_of_range) * n as f64;

    let mut probes = Probes::Rademacher.draw(seed, n, sketched..matvecs - sketched);
    let shadow = product(q.transpose(), probes.as_ref());
    subtract_product(probes.as_mut(), q.as_ref(), shadow.as_ref());
    let images = products.times(probes.as_ref())?;
    let mean = Mean::of(&forms(probes.as_ref(), images.as_ref()));
    Ok(Mean { value: exact + mean.value, std_err: mean.std_err.max(rounding) })
}
