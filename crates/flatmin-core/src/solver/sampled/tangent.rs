//! The normal equations of the tangent space, with one side eliminated.
//!
//! At `X = L V^T` the Jacobian `J` takes `(Lt, Rt)` to the entries of `L Rt^T + Lt V^T`, so that
//!
//! ```text
//! J^T J = [ A  C ]     A_i = sum_j v_j v_j^T,  B_j = sum_i l_i l_i^T,     (C x)_i = sum_j v_j (x_j^T l_i).
//!         [ C^T B ]
//! ```
//!
//! `A` and `B` are diagonal in blocks of order `r`. Conjugate gradients on `B - C^T A^{-1} C`, with `B`
//! as preconditioner, cost two passes over the entries a step; with entries sampled at random the
//! coupling is weak, and each step gains about a digit. The coordinates have a gauge, `(L K, -V K^T)`,
//! on which the system is zero, as is its right-hand side.

use super::blocks::Blocks;
use super::gradients::{Until, conjugate_gradients};
use crate::linalg::Par;
use crate::linalg::thin::Thin;
use crate::operator::Pattern;

/// The system at a point.
pub(super) struct Tangent<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) par: Par,
    pub(super) l: Thin,
    pub(super) v: Thin,
    pub(super) left: Blocks,
    pub(super) right: Blocks,
}

impl Tangent<'_> {
    /// `A^{-1} C x`.
    fn eliminated(&self, x: &Thin) -> Thin {
        let mut z = self.pattern.by_row().couple(self.par, &self.l, x, &self.v);
        self.left.solve(self.par, &mut z);
        z
    }

    /// `C^T z`.
    fn back(&self, z: &Thin) -> Thin {
        self.pattern.by_col().couple(self.par, &self.v, z, &self.l)
    }

    /// `(B - C^T A^{-1} C) x`.
    fn schur(&self, x: &Thin) -> Thin {
        let mut out = x.clone();
        self.right.times(self.par, &mut out);
        out.combine(1.0, -1.0, &self.back(&self.eliminated(x)));
        out
    }

    /// `Rt` with `(B - C^T A^{-1} C) Rt = g`, to a relative residual in the norm of `B^{-1}`, in at
    /// most `limit` steps. The first iterate moves along `B^{-1} g`.
    pub(super) fn reduced(&self, g: Thin, tolerance: f64, limit: usize) -> Thin {
        let precondition = |z: &mut Thin| self.right.solve(self.par, z);
        let until = Until { tolerance, radius: f64::INFINITY, steps: limit };
        conjugate_gradients(g, &until, precondition, |p| self.schur(p)).end.x
    }

    /// `(Lt, Rt)` with `J^T J (Lt, Rt) = (gl, gr)`, to a relative residual.
    pub(super) fn solve(&self, gl: Thin, mut gr: Thin, tolerance: f64, limit: usize) -> [Thin; 2] {
        let mut lt = gl;
        self.left.solve(self.par, &mut lt);
        gr.combine(1.0, -1.0, &self.back(&lt));
        let rt = self.reduced(gr, tolerance, limit);
        lt.combine(1.0, -1.0, &self.eliminated(&rt));
        [lt, rt]
    }

    /// Entries of `L Rt^T + Lt V^T`, in row order.
    pub(super) fn image(&self, lt: &Thin, rt: &Thin) -> Vec<f64> {
        self.pattern.by_row().values(self.par, &self.l.beside(lt), &rt.beside(&self.v))
    }
}
