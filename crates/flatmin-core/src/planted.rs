//! Planted matrices for experiments and tests.

use crate::linalg::product;
use crate::rng::Stream;
use crate::{Error, LinearMap, Mat};

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
    check_rank(rows, cols, rank)?;
    let (u, v) = (stream.gaussian_matrix(rows, rank), stream.gaussian_matrix(cols, rank));
    let mut m = product(u.as_ref(), v.transpose());
    let norm = m.norm_l2();
    m.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= norm));
    Ok(m)
}

/// A random symmetric `order x order` matrix `U1 U1^T - U2 U2^T` of unit Frobenius norm, with
/// `positive` and `negative` Gaussian columns in `U1` and `U2`.
///
/// ```
/// use flatmin_core::rng::{Role, Stream};
/// let mut stream = Stream::new(0, "docs", 0, 0, Role::Truth);
/// let m = flatmin_core::planted::symmetric(5, 2, 1, &mut stream)?;
/// assert!((m.norm_l2() - 1.0).abs() < 1e-14 && m[(0, 3)] == m[(3, 0)]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the order is zero, or the rank `positive + negative` is zero or above it.
pub fn symmetric(
    order: usize,
    positive: usize,
    negative: usize,
    stream: &mut Stream,
) -> Result<Mat<f64>, Error> {
    let rank = positive.saturating_add(negative);
    check_rank(order, order, rank)?;
    let u = stream.gaussian_matrix(order, rank);
    let signed =
        Mat::from_fn(order, rank, |i, j| if j < positive { u[(i, j)] } else { -u[(i, j)] });
    let product = product(signed.as_ref(), u.transpose());
    let norm = product.norm_l2();
    // The lower triangle, twice.
    let entry = |i: usize, j: usize| product[(i.max(j), i.min(j))] / norm;
    Ok(Mat::from_fn(order, order, entry))
}

/// The targets `A(M)` of a planted matrix.
///
/// ```
/// use flatmin_core::{Entries, Mat, planted};
/// let map = Entries::new(2, 1, &[1], &[0])?;
/// let m = Mat::from_fn(2, 1, |i, _| i as f64 + 1.0);
/// assert_eq!(planted::targets(&m, &map)?, [2.0]);
/// # Ok::<(), flatmin_core::Error>(())
/// ```
///
/// # Errors
/// When the matrix does not fit the map.
pub fn targets(truth: &Mat<f64>, map: &dyn LinearMap) -> Result<Vec<f64>, Error> {
    let dims = map.dims();
    if truth.shape() != (dims.rows, dims.cols) {
        return Err(Error::Shape {
            what: "the planted matrix",
            expected: format!("the measurements' shape {} x {}", dims.rows, dims.cols),
            got: format!("{} x {}", truth.nrows(), truth.ncols()),
        });
    }
    let mut targets = vec![0.0; dims.measurements];
    map.apply(truth.as_ref(), &mut targets);
    Ok(targets)
}

fn check_rank(rows: usize, cols: usize, rank: usize) -> Result<(), Error> {
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
    Ok(())
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
    fn a_symmetric_one_has_the_inertia_it_says() {
        for (order, positive, negative) in [(1, 0, 1), (6, 2, 1), (4, 4, 0)] {
            let mut stream = Stream::new(4, "planted", 0, 0, Role::Truth);
            let m = symmetric(order, positive, negative, &mut stream).unwrap();
            let values = crate::linalg::symmetric_eigenvalues(m.as_ref()).unwrap();
            assert_eq!(values.iter().filter(|&&v| v > 1e-13).count(), positive);
            assert_eq!(values.iter().filter(|&&v| v < -1e-13).count(), negative);
        }
        let mut stream = Stream::new(4, "planted", 0, 0, Role::Truth);
        assert!(symmetric(3, 2, 2, &mut stream).is_err());
        assert!(symmetric(3, 0, 0, &mut stream).is_err());
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
