//! The penalised form at one `lambda` after the other, each from the answer before.

use super::domain::Domain;
use super::program::{Form, Program, check};
use super::recovery::{Recovery, Status};
use super::sampled::{Posed, penalised::largest};
use super::variables::Variables;
use crate::Error;
use crate::linalg::{Par, max_abs};

impl<'a> Program<'a> {
    /// The least `lambda` of the penalised form at which the answer is zero,
    /// `|D1^{-1} A*(b) D2^{-1}|_op` (flat) or `|A*(b)|_op` (nuclear); over a semidefinite domain the
    /// largest eigenvalue of that matrix, or 0. A path starts here.
    ///
    /// ```
    /// use flatmin_core::{DenseMap, Objective, Program};
    /// // min (2 x - 3)^2 / 2 + lambda |x| is zero at x = 0 from lambda = 6 on.
    /// let map = DenseMap::new(1, 1, vec![2.0])?;
    /// let program = Program::new(&map, &[3.0], Objective::Nuclear);
    /// assert!((program.largest_penalty()? - 6.0).abs() < 1e-12);
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Program::solve`].
    pub fn largest_penalty(&self) -> Result<f64, Error> {
        check(self)?;
        let scale = max_abs(self.targets);
        if scale == 0.0 {
            return Ok(0.0);
        }
        let unit: Vec<f64> = self.targets.iter().map(|b| b / scale).collect();
        let variables = Variables::of(self)?;
        let many = self.map.pattern().filter(|_| self.domain == Domain::General);
        if let Some(pattern) = many
            && let Some(posed) =
                Posed::new(&pattern, (&unit, 1.0), &variables, self.tolerance, Par::Seq)
        {
            return Ok(scale * largest(&posed)?);
        }
        let Variables { left, right, .. } = variables;
        let half = left.transpose_times(self.map.adjoint_matrix(&unit).as_ref());
        let back = right.transpose_times(half.transpose()).transpose().to_owned();
        Ok(scale * self.domain.dual_norm(back.as_ref(), Par::Seq)?)
    }

    /// The penalised form at each `lambda` in turn, best from [`Program::largest_penalty`] downwards:
    /// each solve starts at the answer before, by Newton's method in its factors, and takes the
    /// interior point only where that does not end in a certificate. Each answer is certified as
    /// [`Program::solve`] would; the iteration limit holds for each.
    ///
    /// ```
    /// use flatmin_core::{Entries, Objective, Program};
    /// let map = Entries::new(2, 2, &[0, 0, 1], &[0, 1, 0])?;
    /// let b = [1.0, 1.1, 0.9];
    /// let program = || Program::new(&map, &b, Objective::Flat);
    /// let largest = program().largest_penalty()?;
    /// let lambdas = (1..6).map(|k| largest * 0.5f64.powi(k));
    /// for answer in program().path(lambdas) {
    ///     assert!(answer?.status.is_certified());
    /// }
    /// # Ok::<(), flatmin_core::Error>(())
    /// ```
    pub fn path(self, lambdas: impl IntoIterator<Item = f64>) -> Path<'a> {
        Path { program: self, lambdas: lambdas.into_iter().collect::<Vec<_>>().into_iter() }
    }
}

/// Answers along a path of penalties; see [`Program::path`]. It ends after an error, which would come
/// again, and where the observer has stopped a solve.
pub struct Path<'a> {
    program: Program<'a>,
    lambdas: std::vec::IntoIter<f64>,
}

impl Iterator for Path<'_> {
    type Item = Result<Recovery, Error>;

    fn next(&mut self) -> Option<Result<Recovery, Error>> {
        self.program.form = Form::Penalised(self.lambdas.next()?);
        let answer = super::solve(&mut self.program);
        match &answer {
            Ok(answer) if answer.status != Status::Interrupted => {
                let (l, r) = answer.factors();
                self.program.warm_start = Some((l.to_owned(), r.to_owned()));
            }
            _ => self.lambdas = vec![].into_iter(),
        }
        Some(answer)
    }
}
