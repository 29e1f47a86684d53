//! Some of the measurements of a map, each multiplied by a weight.

use super::{Dims, LinearMap};
use faer::{Mat, MatMut, MatRef};

/// `B_t = weights_t A_{kept_t}`: a choice of the measurements of a map, equilibrated.
pub(crate) struct Selection<'a> {
    pub(crate) map: &'a dyn LinearMap,
    pub(crate) kept: Vec<usize>,
    pub(crate) weights: Vec<f64>,
}

impl<'a> Selection<'a> {
    /// All measurements, weighted.
    pub(crate) fn weighted(map: &'a dyn LinearMap, weights: Vec<f64>) -> Selection<'a> {
        Selection { map, kept: (0..weights.len()).collect(), weights }
    }

    /// Some measurements, as they are.
    pub(crate) fn of(map: &'a dyn LinearMap, kept: Vec<usize>) -> Selection<'a> {
        let weights = vec![1.0; kept.len()];
        Selection { map, kept, weights }
    }

    /// `y` over all measurements with `A*(y)` the adjoint's image of a vector over the chosen ones.
    pub(crate) fn spread(&self, y: &[f64]) -> Vec<f64> {
        let mut full = vec![0.0; self.map.dims().measurements];
        let chosen = self.kept.iter().zip(&self.weights);
        chosen.zip(y).for_each(|((&i, w), y)| full[i] = w * y);
        full
    }

    /// The chosen, weighted entries of a vector over all measurements.
    pub(crate) fn gather(&self, full: &[f64]) -> Vec<f64> {
        self.kept.iter().zip(&self.weights).map(|(&i, w)| w * full[i]).collect()
    }
}

impl LinearMap for Selection<'_> {
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

    fn measurement(&self, i: usize) -> Mat<f64> {
        self.map.measurement(self.kept[i]) * faer::Scale(self.weights[i])
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
                out[(i, j)] = self.weights[i] * self.weights[j] * full[(p.max(q), p.min(q))];
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
        let mut stream = Stream::new(1, "selection", 0, 0, Role::Measurements);
        let map = DenseMap::new(3, 4, stream.gaussian_vector(3 * 4 * 6)).unwrap();
        assert!(check::adjoint(&Selection::of(&map, vec![0, 2, 5]), 5) < 1e-12);
        let weights = vec![1.0, 1e-3, 1e3, 2.0, -1.0, 0.5];
        assert!(check::adjoint(&Selection::weighted(&map, weights), 5) < 1e-12);
    }
}
