//! Where the matrix is sought, and what that changes.
//!
//! | domain | minimised | dual feasible `W = B*(y)` | tangent space at `Z = U diag(s) V^T` |
//! |---|---|---|---|
//! | general | `\|Z\|_*` | `\|W\|_op <= 1` | `U R^T + L V^T` |
//! | symmetric | `\|Z\|_*` | `-I <= W <= I` | `U R^T + R U^T`, where `V = U diag(±1)` |
//! | semidefinite | `tr Z` | `W <= I` | `U R^T + R U^T`, where `V = U` |
//!
//! A symmetric domain is not a restriction of the *value* of FLAT or NUC, as the symmetric part of
//! a solution is a solution; but over all matrices that solution need not be unique, since a skew
//! part may cost nothing. A semidefinite domain is a restriction.

use super::point::Point;
use crate::linalg::{self, Cholesky, Par};
use crate::{Error, Mat, MatRef};
use std::fmt;

/// The matrices among which a program looks for its solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Domain {
    /// All matrices of the map's shape.
    #[default]
    General,
    /// Symmetric matrices; the measurements must be symmetric.
    Symmetric,
    /// Symmetric positive semidefinite matrices; the measurements must be symmetric.
    Semidefinite,
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Domain::General => "general",
            Domain::Symmetric => "symmetric",
            Domain::Semidefinite => "positive semidefinite",
        })
    }
}

impl Domain {
    pub(super) fn is_symmetric(self) -> bool {
        self != Domain::General
    }

    /// `Z = U diag(s) V^T`, `s` nonincreasing; for a semidefinite domain the positive part.
    pub(super) fn decompose(self, z: MatRef<'_, f64>, par: Par) -> Result<Point, Error> {
        if self == Domain::General {
            return Ok(linalg::svd(z, par)?.into());
        }
        let (values, vectors) = linalg::symmetric_eigen(z, par)?;
        let point = self.signed(&values, vectors.as_ref(), values.len());
        let rank = point.s.iter().take_while(|&&s| s > 0.0).count();
        Ok(if self == Domain::Semidefinite { point.leading(rank) } else { point })
    }

    /// The `rank` leading eigenpairs as a point, by magnitude, or from above where only positive
    /// values count; what is not positive counts as zero there.
    pub(super) fn signed(self, values: &[f64], vectors: MatRef<'_, f64>, rank: usize) -> Point {
        let mut order: Vec<usize> = (0..values.len()).collect();
        let key = |i: usize| if self == Domain::Semidefinite { values[i] } else { values[i].abs() };
        order.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
        order.truncate(rank);
        let u = Mat::from_fn(vectors.nrows(), order.len(), |i, j| vectors[(i, order[j])]);
        let sign = |j: usize| if key(order[j]) == values[order[j]] { 1.0 } else { -1.0 };
        let v = Mat::from_fn(u.nrows(), u.ncols(), |i, j| sign(j) * u[(i, j)]);
        let s = order.iter().map(|&i| key(i).max(0.0)).collect();
        Point { u, s, v }
    }

    /// The smallest `t >= 0` with `W / t` dual feasible.
    pub(super) fn dual_norm(self, w: MatRef<'_, f64>, par: Par) -> Result<f64, Error> {
        Ok(self.dual_values(w, par)?.first().copied().unwrap_or(0.0).max(0.0))
    }

    /// The values of `W` that dual feasibility bounds by one, nonincreasing: singular values, or
    /// eigenvalues where only these count from above.
    pub(super) fn dual_values(self, w: MatRef<'_, f64>, par: Par) -> Result<Vec<f64>, Error> {
        match self {
            Domain::General => linalg::singular_values(w, par),
            Domain::Symmetric | Domain::Semidefinite => {
                let mut values = linalg::symmetric_eigenvalues(w)?;
                if self == Domain::Symmetric {
                    values.iter_mut().for_each(|v| *v = v.abs());
                }
                values.sort_by(|a, b| b.total_cmp(a));
                Ok(values)
            }
        }
    }

    /// Whether the dual norm of `W` is below a bound, by one Cholesky factor.
    pub(super) fn dual_norm_below(self, w: MatRef<'_, f64>, bound: f64) -> bool {
        match self {
            Domain::General | Domain::Symmetric => linalg::norm_below(w, bound),
            Domain::Semidefinite => {
                let gap = Mat::from_fn(w.nrows(), w.ncols(), |i, j| {
                    if i == j { bound - w[(i, j)] } else { -w[(i, j)] }
                });
                Cholesky::new(gap, Par::Seq).is_some()
            }
        }
    }

    /// Leading terms of `B*(b)`, from which a rank and its frames are read. Over symmetric matrices
    /// a multiple of the identity, which measurements like `x x^T` add, is taken off: the median
    /// eigenvalue.
    pub(super) fn leading(
        self,
        back: MatRef<'_, f64>,
        width: usize,
        par: Par,
    ) -> Result<Point, Error> {
        if self == Domain::General {
            return Ok(linalg::leading_svd(back, width, par)?.into());
        }
        let (mut values, vectors) = linalg::symmetric_eigen(back, par)?;
        let median = values[values.len() / 2];
        values.iter_mut().for_each(|v| *v -= median);
        let point = self.signed(&values, vectors.as_ref(), width);
        Ok(point)
    }

    /// The point `L R^T`, which lies in the domain.
    pub(super) fn point_of(self, l: MatRef<'_, f64>, r: MatRef<'_, f64>) -> Result<Point, Error> {
        if self == Domain::General {
            return Point::from_factors(l, r);
        }
        // The columns of a symmetric L R^T lie in the range of L.
        let (q, _) = linalg::thin_qr(l);
        let left = linalg::product(q.transpose(), l);
        let right = linalg::product(q.transpose(), r);
        let mut core = linalg::product(left.as_ref(), right.transpose());
        symmetrise(&mut core);
        self.lifted(q.as_ref(), core.as_ref(), core.nrows())
    }

    /// The `rank` leading terms of `Q C Q^T` for orthonormal `Q` and symmetric `C`.
    pub(super) fn lifted(
        self,
        q: MatRef<'_, f64>,
        core: MatRef<'_, f64>,
        rank: usize,
    ) -> Result<Point, Error> {
        let (values, vectors) = linalg::symmetric_eigen(core, Par::Seq)?;
        let Point { u, s, v } = self.signed(&values, vectors.as_ref(), rank);
        Ok(Point { u: linalg::product(q, u.as_ref()), s, v: linalg::product(q, v.as_ref()) })
    }
}

/// Replaces a matrix by its symmetric part.
pub(super) fn symmetrise(a: &mut Mat<f64>) {
    for j in 0..a.ncols() {
        for i in 0..j {
            let mean = 0.5 * (a[(i, j)] + a[(j, i)]);
            (a[(i, j)], a[(j, i)]) = (mean, mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::product;
    use crate::rng::{Role, Stream};

    #[test]
    fn decompositions_put_the_matrix_together_again() {
        let mut stream = Stream::new(1, "domain", 0, 0, Role::Probe);
        let mut z = stream.gaussian_matrix(6, 6);
        symmetrise(&mut z);
        for domain in [Domain::General, Domain::Symmetric] {
            let point = domain.decompose(z.as_ref(), Par::Seq).unwrap();
            assert!((point.matrix() - &z).norm_max() < 1e-13, "{domain}");
            assert!(point.s.windows(2).all(|p| p[0] >= p[1]));
        }
        let square = product(z.as_ref(), z.transpose());
        let point = Domain::Semidefinite.decompose(square.as_ref(), Par::Seq).unwrap();
        assert!((point.matrix() - &square).norm_max() < 1e-12);
        assert_eq!((point.u.clone() - &point.v).norm_max(), 0.0);
        let part = Domain::Semidefinite.decompose(z.as_ref(), Par::Seq).unwrap();
        assert!(part.rank() < 6 && part.s.iter().all(|&s| s > 0.0));
    }

    #[test]
    fn dual_norms_are_those_of_the_table() {
        let w = Mat::from_fn(2, 2, |i, j| if i == j { [0.5, -2.0][i] } else { 0.0 });
        for (domain, norm) in
            [(Domain::General, 2.0), (Domain::Symmetric, 2.0), (Domain::Semidefinite, 0.5)]
        {
            assert!((domain.dual_norm(w.as_ref(), Par::Seq).unwrap() - norm).abs() < 1e-15);
            assert!(domain.dual_norm_below(w.as_ref(), norm + 1e-9));
            assert!(!domain.dual_norm_below(w.as_ref(), norm - 1e-9));
        }
        let negative = Mat::from_fn(1, 1, |_, _| -1.0);
        assert_eq!(Domain::Semidefinite.dual_norm(negative.as_ref(), Par::Seq).unwrap(), 0.0);
    }

    #[test]
    fn factors_and_frames_stay_in_the_domain() {
        let mut stream = Stream::new(2, "domain", 0, 0, Role::Probe);
        let l = stream.gaussian_matrix(5, 3);
        let r = Mat::from_fn(5, 3, |i, j| if j == 1 { -l[(i, j)] } else { l[(i, j)] });
        let point = Domain::Symmetric.point_of(l.as_ref(), r.as_ref()).unwrap();
        let x = product(l.as_ref(), r.transpose());
        assert!((point.matrix() - &x).norm_max() < 1e-13);
        for j in 0..3 {
            let same = (0..5).all(|i| point.u[(i, j)] == point.v[(i, j)]);
            let opposite = (0..5).all(|i| point.u[(i, j)] == -point.v[(i, j)]);
            assert!(same || opposite);
        }
    }
}
