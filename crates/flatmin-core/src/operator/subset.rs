//! Some of the measurements of a map.

use super::{Dims, LinearMap};
use faer::{Mat, MatMut, MatRef};

/// The measurements `kept` of a map, in that order.
pub(crate) struct Subset<'a> {
    pub(crate) map: &'a dyn LinearMap,
    pub(crate) kept: Vec<usize>,
}

impl Subset<'_> {
    /// The vector over all measurements that vanishes off the kept ones.
    pub(crate) fn spread(&self, y: &[f64]) -> Vec<f64> {
        let mut full = vec![0.0; self.map.dims().measurements];
        self.kept.iter().zip(y).for_each(|(&i, y)| full[i] = *y);
        full
    }

    /// The kept entries of a vector over all measurements.
    pub(crate) fn gather(&self, full: &[f64]) -> Vec<f64> {
        self.kept.iter().map(|&i| full[i]).collect()
    }
}

impl LinearMap for Subset<'_> {
    fn dims(&self) -> Dims {
        Dims { measurements: self.kept.len(), ..self.map.dims() }
    }

    fn apply(&self, x: MatRef<'_, f64>, out: &mut [f64]) {
        let mut full = vec![0.0; self.map.dims().measurements];
        self.map.apply(x, &mut full);
        out.copy_from_slice(&self.gather(&full));
    }

    fn adjoint(&self, y: &[f64], out: MatMut<'_, f64>) {
        self.map.adjoint(&self.spread(y), out);
    }

    fn apply_factored(&self, l: MatRef<'_, f64>, r: MatRef<'_, f64>, out: &mut [f64]) {
        let mut full = vec![0.0; self.map.dims().measurements];
        self.map.apply_factored(l, r, &mut full);
        out.copy_from_slice(&self.gather(&full));
    }

    fn schur(
        &self,
        w1: MatRef<'_, f64>,
        w2: MatRef<'_, f64>,
        w12: Option<MatRef<'_, f64>>,
        mut out: MatMut<'_, f64>,
    ) {
        let m = self.map.dims().measurements;
        let mut full = Mat::zeros(m, m);
        self.map.schur(w1, w2, w12, full.as_mut());
        for (j, &q) in self.kept.iter().enumerate() {
            for (i, &p) in self.kept.iter().enumerate().skip(j) {
                out[(i, j)] = full[(p.max(q), p.min(q))];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{DenseMap, check};
    use crate::rng::{Role, Stream};

    #[test]
    fn obeys_the_law_of_linear_maps() {
        let mut stream = Stream::new(1, "subset", 0, 0, Role::Measurements);
        let map = DenseMap::new(3, 4, stream.gaussian_vector(3 * 4 * 6)).unwrap();
        let subset = Subset { map: &map, kept: vec![0, 2, 5] };
        assert!(check::adjoint(&subset, 5) < 1e-12);
    }
}
