//! The second moment `sum_i A_i (x) A_i` of the measurements of a small matrix, by which energies cost nothing
//! in the number of measurements.
//!
//! ```text
//! T[(p, q), (r, s)] = sum_i A_i[p, r] A_i[q, s],     sum_i |L^T A_i R|_F^2 = <vec L L^T, T vec R R^T>
//! ```

use crate::linalg::{inner, multiply, product};
use crate::operator::{Dims, LinearMap};
use crate::{Mat, MatMut, MatRef};

/// Most entries of a matrix whose moment is kept: half a megabyte.
const SMALL: usize = 256;

#[derive(Clone)]
pub(super) struct Moment {
    /// `T`, of shape `d1^2 x d2^2`.
    t: Mat<f64>,
}

impl Moment {
    /// `None` where measurement by measurement is cheaper, or the moment is large: for energies of factors of
    /// `q` columns it saves where `m q > d1 d2`.
    pub(super) fn new(map: &dyn LinearMap) -> Option<Moment> {
        let Dims { rows, cols, measurements } = map.dims();
        let small = rows * cols <= SMALL && rows.max(cols) <= measurements;
        if !small || map.pattern().is_some() {
            return None;
        }
        let mut vectors = Mat::zeros(rows * cols, measurements);
        for i in 0..measurements {
            let a = map.measurement(i);
            let column = vectors.col_as_slice_mut(i).chunks_exact_mut(rows);
            column.zip(a.col_iter()).for_each(|(to, of)| {
                to.iter_mut().zip(of.iter()).for_each(|(to, of)| *to = *of);
            });
        }
        let normal = product(vectors.as_ref(), vectors.transpose());
        let entry = |at: usize, on: usize| {
            let ((p, q), (r, s)) = ((at % rows, at / rows), (on % cols, on / cols));
            normal[(p + r * rows, q + s * rows)]
        };
        Some(Moment { t: Mat::from_fn(rows * rows, cols * cols, entry) })
    }

    /// As [`LinearMap::core_energy`].
    pub(super) fn core_energy(
        &self,
        l: MatRef<'_, f64>,
        r: MatRef<'_, f64>,
        left: MatMut<'_, f64>,
        right: MatMut<'_, f64>,
    ) -> f64 {
        let image = |t: MatRef<'_, f64>, factor: MatRef<'_, f64>| {
            let vector: Vec<f64> = columns(product(factor, factor.transpose()).as_ref());
            let vector = MatRef::from_column_major_slice(&vector, vector.len(), 1);
            product(t, vector)
        };
        let (on_left, on_right) = (image(self.t.as_ref(), r), image(self.t.transpose(), l));
        let square = |image: &Mat<f64>, d: usize| {
            MatRef::from_column_major_slice(image.col_as_slice(0), d, d).to_owned()
        };
        let mut out = left;
        multiply(out.as_mut(), square(&on_left, l.nrows()).as_ref(), l);
        multiply(right, square(&on_right, r.nrows()).as_ref(), r);
        inner(out.as_ref(), l)
    }
}

/// `vec A`, column-major.
fn columns(a: MatRef<'_, f64>) -> Vec<f64> {
    a.col_iter().flat_map(|c| c.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{DenseMap, RankOne};
    use crate::rng::{Role, Stream};

    /// Energies and gradients are those of the map.
    #[test]
    fn agrees_with_the_measurements() {
        let mut s = Stream::new(2, "moment", 0, 0, Role::Measurements);
        for (d1, d2, m) in [(1, 1, 1), (1, 3, 4), (5, 2, 9), (7, 8, 30)] {
            let dense = DenseMap::new(d1, d2, s.gaussian_vector(d1 * d2 * m)).unwrap();
            let (a, b) = (s.gaussian_vector(d1 * m), s.gaussian_vector(d2 * m));
            let thin = RankOne::new(d1, d2, a, b).unwrap();
            let maps: [&dyn LinearMap; 2] = [&dense, &thin];
            for map in maps {
                let moment = Moment::new(map).unwrap();
                for (p, q) in [(1, 1), (2, 5), (4, 3)] {
                    let (l, r) = (s.gaussian_matrix(d1, p), s.gaussian_matrix(d2, q));
                    let blank = || (Mat::zeros(d1, p), Mat::zeros(d2, q));
                    let ((mut left, mut right), (mut on_left, mut on_right)) = (blank(), blank());
                    let (l, r) = (l.as_ref(), r.as_ref());
                    let energy = map.core_energy(l, r, left.as_mut(), right.as_mut());
                    let found = moment.core_energy(l, r, on_left.as_mut(), on_right.as_mut());
                    approx::assert_relative_eq!(found, energy, max_relative = 1e-12);
                    assert!((&on_left - &left).norm_max() < 1e-12 * left.norm_max());
                    assert!((&on_right - &right).norm_max() < 1e-12 * right.norm_max());
                }
            }
        }
    }

    #[test]
    fn is_kept_for_small_matrices_only() {
        let few = DenseMap::new(3, 3, vec![1.0; 9 * 2]).unwrap();
        let large = DenseMap::new(17, 16, vec![1.0; 17 * 16 * 20]).unwrap();
        assert!(Moment::new(&few).is_none() && Moment::new(&large).is_none());
    }
}
