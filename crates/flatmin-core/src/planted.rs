//! Planted matrices for experiments and tests.

use crate::linalg::product;
use crate::rng::Stream;
use crate::{Error, Mat};

/// A random `rows x cols` matrix of the given rank with unit Frobenius norm: the product of two
/// Gaussian factors, normalised, as in the paper's experiments.
///
/// ```
/// use flatmin_core::rng::{Role, Stream};
/// let mut stream = Stream::new(0, "docs", 0, 0, Role::Truth);
/// let m = flatmin_core::planted::low_rank(5, 4, 2, &mut stream)?;
/// assert!((m.norm_l2() - 1.0).abs() < 1e-14);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When a size is zero, or the rank is zero or above `min(rows, cols)`.
pub fn low_rank(
    rows: usize,
    cols: usize,
    rank: usize,
    stream: &mut Stream,
) -> Result<Mat<f64>, Error> {
    let largest = rows.min(cols);
    if largest == 0 {
        return Err(Error::Shape {
            what: "the planted matrix",
            expected: "at least one row and one column".into(),
            got: format!("{rows} x {cols}"),
        });
    }
    if rank == 0 || rank > largest {
        return Err(Error::Parameter {
            name: "the rank of the planted matrix",
            rule: "at least 1 and at most min(rows, cols)",
            got: format!("{rank} for a {rows} x {cols} matrix"),
        });
    }
    let (u, v) = (stream.gaussian_matrix(rows, rank), stream.gaussian_matrix(cols, rank));
    let mut m = product(u.as_ref(), v.transpose());
    let norm = m.norm_l2();
    m.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= norm));
    Ok(m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{Par, singular_values};
    use crate::rng::Role;

    #[test]
    fn has_the_rank_and_the_norm_it_says() {
        for (rows, cols, rank) in [(1, 1, 1), (7, 3, 2), (3, 7, 3)] {
            let mut stream = Stream::new(4, "planted", 0, 0, Role::Truth);
            let m = low_rank(rows, cols, rank, &mut stream).unwrap();
            let s = singular_values(m.as_ref(), Par::Seq).unwrap();
            assert_eq!(s.iter().filter(|&&s| s > 1e-13).count(), rank);
            approx::assert_relative_eq!(m.norm_l2(), 1.0, max_relative = 1e-14);
        }
    }

    #[test]
    fn refuses_impossible_ranks_and_sizes() {
        let mut stream = Stream::new(4, "planted", 0, 0, Role::Truth);
        for rank in [0, 3] {
            let error = low_rank(2, 5, rank, &mut stream).unwrap_err();
            assert!(matches!(error, Error::Parameter { .. }), "{error}");
        }
        let error = low_rank(0, 5, 1, &mut stream).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
}
