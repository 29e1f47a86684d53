//! Students and teachers: `y^(x) = |U1^T x|^2 - |U2^T x|^2`.

use crate::QuadNet;
use flatmin_core::error::finite;
use flatmin_core::linalg::{product, row_major};
use flatmin_core::{Domain, Error, Mat, MatRef, Recovery};
use std::cmp::Ordering;

/// A network with one hidden layer, quadratic activations and output weights `±1`.
///
/// ```
/// use flatmin_quadnet::{Mat, Network};
/// // y = (x1 + x2)^2 - 4 x2^2.
/// let u1 = Mat::from_fn(2, 1, |_, _| 1.0);
/// let u2 = Mat::from_fn(2, 1, |i, _| 2.0 * i as f64);
/// let network = Network::new(u1, u2)?;
/// let inputs = Mat::from_fn(2, 2, |i, j| (i + j) as f64);
/// assert_eq!(network.predict(inputs.as_ref())?, [1.0 - 4.0, 9.0 - 16.0]);
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    u1: Mat<f64>,
    u2: Mat<f64>,
}

impl Network {
    /// The hidden weights `U1` (`d x k1`) of the positive units and `U2` (`d x k2`) of the negative
    /// ones; either may have no column.
    ///
    /// # Errors
    /// When the numbers of rows differ or are zero, or a weight is not finite.
    pub fn new(u1: Mat<f64>, u2: Mat<f64>) -> Result<Network, Error> {
        if u1.nrows() != u2.nrows() || u1.nrows() == 0 {
            return Err(Error::Shape {
                what: "the hidden weights U1 and U2",
                expected: "the same number of rows, at least one".into(),
                got: format!("{} and {} rows", u1.nrows(), u2.nrows()),
            });
        }
        for (what, u) in [("the hidden weights U1", &u1), ("the hidden weights U2", &u2)] {
            for column in u.col_iter() {
                finite(what, &column.iter().copied().collect::<Vec<_>>())?;
            }
        }
        Ok(Network { u1, u2 })
    }

    /// The flat (or balanced) weights of a solve: `U1 U1^T - U2 U2^T` is [`Recovery::matrix`].
    ///
    /// # Errors
    /// When the answer was sought among all matrices, and need not be symmetric.
    pub fn from_recovery(answer: &Recovery) -> Result<Network, Error> {
        if answer.domain == Domain::General {
            return Err(Error::Parameter {
                name: "the domain of an answer that a network is read from",
                rule: "symmetric or positive semidefinite",
                got: answer.domain.to_string(),
            });
        }
        // R = L diag(±1): the sign of <l_j, r_j> is that of unit j.
        let (l, r) = answer.factors();
        let sign = |j: usize| -> f64 {
            let agree = |(l, r): (&f64, &f64)| match (l * r).partial_cmp(&0.0) {
                Some(Ordering::Less) => -1.0,
                Some(Ordering::Greater) => 1.0,
                _ => 0.0,
            };
            l.col(j).iter().zip(r.col(j).iter()).map(agree).sum::<f64>().clamp(-1.0, 1.0)
        };
        Network::from_weights(l, &(0..l.ncols()).map(sign).collect::<Vec<_>>())
    }

    /// A network with any output weights: `y = sum_j u_j (U_j^T x)^2`, from the hidden weights `U`
    /// (`d x k`) and the output weights `u` (length `k`). Unit `j` becomes `sqrt(|u_j|) U_j` with
    /// the sign of `u_j`, which computes the same; units with `u_j = 0` are dropped.
    ///
    /// ```
    /// use flatmin_quadnet::{Mat, Network};
    /// let hidden = Mat::from_fn(1, 3, |_, j| 1.0 + j as f64);
    /// // 4 x^2 - 9 (2x)^2 + 0 (3x)^2
    /// let network = Network::from_weights(hidden.as_ref(), &[4.0, -9.0, 0.0])?;
    /// assert_eq!(network.widths(), (1, 1));
    /// assert_eq!(network.matrix()[(0, 0)], 4.0 - 36.0);
    /// # Ok::<(), flatmin_quadnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is not one output weight a unit, there is no row, or a weight is not finite.
    pub fn from_weights(hidden: MatRef<'_, f64>, output: &[f64]) -> Result<Network, Error> {
        if hidden.ncols() != output.len() {
            return Err(Error::Shape {
                what: "the output weights",
                expected: format!("length {}, one a hidden unit", hidden.ncols()),
                got: format!("length {}", output.len()),
            });
        }
        finite("the output weights", output)?;
        let units = |sign: f64| -> Mat<f64> {
            let chosen: Vec<usize> =
                (0..output.len()).filter(|&j| sign * output[j] > 0.0).collect();
            Mat::from_fn(hidden.nrows(), chosen.len(), |i, j| {
                output[chosen[j]].abs().sqrt() * hidden[(i, chosen[j])]
            })
        };
        Network::new(units(1.0), units(-1.0))
    }

    /// Hidden weights of the positive units (`d x k1`).
    pub fn u1(&self) -> MatRef<'_, f64> {
        self.u1.as_ref()
    }

    /// Hidden weights of the negative units (`d x k2`).
    pub fn u2(&self) -> MatRef<'_, f64> {
        self.u2.as_ref()
    }

    /// Numbers of positive and of negative units, `(k1, k2)`.
    pub fn widths(&self) -> (usize, usize) {
        (self.u1.ncols(), self.u2.ncols())
    }

    /// Length `d` of the inputs.
    pub fn order(&self) -> usize {
        self.u1.nrows()
    }

    /// `U = [U1, U2]` (`d x (k1 + k2)`), the argument of [`QuadNet::network_loss`].
    pub fn weights(&self) -> Mat<f64> {
        let (k1, k2) = self.widths();
        let entry = |i, j| if j < k1 { self.u1[(i, j)] } else { self.u2[(i, j - k1)] };
        Mat::from_fn(self.order(), k1 + k2, entry)
    }

    /// `U1 U1^T - U2 U2^T` (`d x d`), which is all that the outputs depend on.
    pub fn matrix(&self) -> Mat<f64> {
        let positive = product(self.u1(), self.u1.transpose());
        let x = positive - product(self.u2(), self.u2.transpose());
        // The lower triangle, twice.
        Mat::from_fn(self.order(), self.order(), |i, j| x[(i.max(j), i.min(j))])
    }

    /// The outputs at `n` inputs (`n x d`), one a row.
    ///
    /// # Errors
    /// When the inputs have another length.
    pub fn predict(&self, inputs: MatRef<'_, f64>) -> Result<Vec<f64>, Error> {
        if inputs.ncols() != self.order() {
            return Err(Error::Shape {
                what: "the inputs",
                expected: format!("{} columns, as the network has input units", self.order()),
                got: format!("{} columns", inputs.ncols()),
            });
        }
        let mut outputs = vec![0.0; inputs.nrows()];
        for (units, sign) in [(self.u1(), 1.0), (self.u2(), -1.0)] {
            for hidden in product(inputs, units).col_iter() {
                outputs.iter_mut().zip(hidden.iter()).for_each(|(y, h)| *y += sign * h * h);
            }
        }
        Ok(outputs)
    }

    /// The same network with units of weight zero appended, up to `k1` positive and `k2` negative
    /// ones. A flat student of least width stays flat at any other: the trace of the Hessian adds
    /// up over units, and no width lowers its minimum.
    ///
    /// # Errors
    /// When the network has more units already: below the rank no student computes the same.
    pub fn padded(&self, k1: usize, k2: usize) -> Result<Network, Error> {
        let have = self.widths();
        if k1 < have.0 || k2 < have.1 {
            return Err(Error::Parameter {
                name: "the width of a network",
                rule: "at least its numbers of positive and negative units",
                got: format!("({k1}, {k2}) for ({}, {})", have.0, have.1),
            });
        }
        let pad = |u: &Mat<f64>, k: usize| {
            Mat::from_fn(u.nrows(), k, |i, j| if j < u.ncols() { u[(i, j)] } else { 0.0 })
        };
        Ok(Network { u1: pad(&self.u1, k1), u2: pad(&self.u2, k2) })
    }
}

/// The inputs (`n x d`) with a constant 1 appended to each (`n x (d+1)`): a network on these has
/// linear terms and an intercept, `(x, 1)^T X (x, 1) = x^T X11 x + 2 X12^T x + X22`.
///
/// ```
/// use flatmin_quadnet::{Mat, fit, with_constant};
/// // y = (x - 3)^2 at three inputs.
/// let inputs = Mat::from_fn(3, 1, |i, _| i as f64);
/// let (network, _) = fit(with_constant(inputs.as_ref()).as_ref(), &[9.0, 4.0, 1.0])?;
/// let fresh = Mat::from_fn(1, 1, |_, _| 5.0);
/// let output = network.predict(with_constant(fresh.as_ref()).as_ref())?;
/// assert!((output[0] - 4.0).abs() < 1e-6);
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
pub fn with_constant(inputs: MatRef<'_, f64>) -> Mat<f64> {
    let d = inputs.ncols();
    Mat::from_fn(inputs.nrows(), d + 1, |i, j| if j < d { inputs[(i, j)] } else { 1.0 })
}

/// The flat network of inputs (`m x d`) and targets (length `m`), with the answer that proves it.
///
/// ```
/// use flatmin_quadnet::{Mat, fit};
/// let inputs = Mat::from_fn(3, 2, |i, j| if i == 2 || i == j { 1.0 } else { 0.0 });
/// let (network, answer) = fit(inputs.as_ref(), &[1.0, -4.0, -3.0])?;
/// assert!(answer.status.is_certified() && network.widths() == (1, 1));
/// # Ok::<(), flatmin_quadnet::Error>(())
/// ```
///
/// # Errors
/// As [`QuadNet::from_arrays`].
pub fn fit(inputs: MatRef<'_, f64>, targets: &[f64]) -> Result<(Network, Recovery), Error> {
    let problem = QuadNet::from_arrays(inputs.ncols(), row_major(inputs), targets.to_vec())?;
    let answer = problem.flat().solve()?;
    Ok((Network::from_recovery(&answer)?, answer))
}
