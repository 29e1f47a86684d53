//! The amplitudes of given terms: for pairs of unit vectors `(u_c, v_c)` in whitened variables
//!
//! ```text
//! min  sum_c s_c + |sum_c s_c B(u_c v_c^T) - b|^2 / (2 rho)    over s >= 0,
//! ```
//!
//! a small quadratic program, by descent in the coordinates. It gives new columns a size to begin with,
//! and takes out those that are not wanted any more: both take alternating least squares long.

use super::Posed;
use crate::linalg::kernel::axpy;
use crate::linalg::thin::Thin;
use crate::linalg::{max_abs, multiply_lower, symmetrise_from_lower};
use crate::{Mat, MatRef};

/// Entries whose terms are multiplied together.
const CHUNK: usize = 512;

/// Sweeps over the amplitudes, and the relative change that ends them.
const SWEEPS: usize = 200;
const STILL: f64 = 1e-6;

/// The amplitudes, from a guess; frames have rows for every row and column.
pub(super) fn amplitudes(
    posed: &Posed<'_>,
    rho: f64,
    (u, v): (&Thin, &Thin),
    mut s: Vec<f64>,
) -> Vec<f64> {
    let k = s.len();
    let (mut u, mut v) = (u.clone(), v.clone());
    u.scale_rows(&posed.p1);
    v.scale_rows(&posed.p2);
    let lists = posed.pattern.by_row();
    let (mut gram, mut part) = (Mat::<f64>::zeros(k, k), Mat::zeros(k, k));
    let mut along = vec![0.0; k];
    let mut chunk: Vec<f64> = Vec::new();
    for i in 0..lists.rows() {
        for (t, &j) in lists.places(i).zip(lists.indices_of(i)) {
            let start = chunk.len();
            chunk.extend(u.row(i).iter().zip(v.row(j as usize)).map(|(u, v)| u * v).take(k));
            axpy(posed.by_row[t], &chunk[start..], &mut along);
        }
        if chunk.len() > CHUNK * k || i + 1 == lists.rows() {
            let terms = MatRef::from_column_major_slice(&chunk, k, chunk.len() / k.max(1));
            multiply_lower(part.as_mut(), terms, terms.transpose());
            gram += &part;
            chunk.clear();
        }
    }
    symmetrise_from_lower(gram.as_mut());
    for _ in 0..SWEEPS {
        let mut moved: f64 = 0.0;
        for c in 0..k {
            let pull: f64 = gram.col(c).iter().zip(&s).map(|(g, s)| g * s).sum();
            let size = gram[(c, c)].max(f64::MIN_POSITIVE);
            let next = (s[c] + (along[c] - rho - pull) / size).max(0.0);
            moved = moved.max((next - s[c]).abs());
            s[c] = next;
        }
        if moved <= STILL * max_abs(&s) {
            break;
        }
    }
    s
}
