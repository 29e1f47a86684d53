//! Products with an operator, counted, checked and brought to a sane scale.

use crate::flatness::SymmetricOperator;
use crate::flatness::operator::image;
use crate::{Error, Mat, MatRef};

/// An operator as estimators see it: `H / unit`, with `unit` the power of two that brings the first
/// image that is not zero to entries of order one. So no square over- or underflows, and a scaled
/// operator gives the scaled answer.
pub(super) struct Products<'a> {
    operator: &'a dyn SymmetricOperator,
    unit: Option<f64>,
    /// Products with single vectors so far.
    pub(super) spent: usize,
}

impl<'a> Products<'a> {
    pub(super) fn new(operator: &'a dyn SymmetricOperator) -> Products<'a> {
        Products { operator, unit: None, spent: 0 }
    }

    /// Order `n`.
    pub(super) fn order(&self) -> usize {
        self.operator.order()
    }

    /// `H V / unit`.
    ///
    /// # Errors
    /// When a product is not finite.
    pub(super) fn times(&mut self, v: MatRef<'_, f64>) -> Result<Mat<f64>, Error> {
        let mut images = image(self.operator, v)?;
        self.spent += v.ncols();
        if self.unit.is_none() {
            let size = images.norm_max();
            // Within the range in which the reciprocal is finite, too.
            self.unit = (size > 0.0).then(|| size.log2().floor().clamp(-1000.0, 1000.0).exp2());
        }
        if let Some(unit) = self.unit.filter(|unit| *unit != 1.0) {
            let factor = 1.0 / unit;
            images.col_iter_mut().for_each(|c| c.iter_mut().for_each(|x| *x *= factor));
        }
        Ok(images)
    }

    /// `unit`.
    pub(super) fn unit(&self) -> f64 {
        self.unit.unwrap_or(1.0)
    }
}
