//! The number of factors, and the exponents that go with it.

use flatmin_core::Error;
use std::fmt;

/// Number `k` of factors of `x = v_1 o ... o v_k`.
///
/// ```
/// use flatmin_hadamard::Depth;
/// assert_eq!(Depth::from(3), Depth::Finite(3));
/// assert_eq!((Depth::Finite(2).exponent()?, Depth::Infinite.exponent()?), (1.0, 2.0));
/// assert!(Depth::Finite(1).exponent().is_err());
/// # Ok::<(), flatmin_hadamard::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// `k` factors, at least two.
    Finite(usize),
    /// The limit of many factors.
    Infinite,
}

impl From<usize> for Depth {
    fn from(k: usize) -> Depth {
        Depth::Finite(k)
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Depth::Finite(k) => k.fmt(f),
            Depth::Infinite => f.write_str("inf"),
        }
    }
}

/// Numbers in factors at most.
const MOST: usize = 1 << 31;

impl Depth {
    /// Whether all factors of vectors of length `d` can be held: they are at most `2^31` numbers.
    ///
    /// ```
    /// use flatmin_hadamard::Depth;
    /// assert!(Depth::Finite(3).factors_fit(1000) && !Depth::Finite(1 << 30).factors_fit(5));
    /// assert!(!Depth::Infinite.factors_fit(1));
    /// ```
    pub fn factors_fit(self, d: usize) -> bool {
        match self {
            Depth::Finite(k) => k.checked_mul(d).is_some_and(|numbers| numbers <= MOST),
            Depth::Infinite => false,
        }
    }

    /// The exponent `p = 2 - 2/k` of the norm that flat minima minimise, in `[1, 2]`.
    ///
    /// # Errors
    /// When `k` is below 2. With one factor `p = 0`: the trace, `(2/m) sum_j |a_j|^2`, is the same at
    /// every solution, so that all are equally flat.
    pub fn exponent(self) -> Result<f64, Error> {
        match self {
            Depth::Finite(k @ (0 | 1)) => Err(Error::Parameter {
                name: "the depth",
                rule: "at least 2 (with one factor the trace of the Hessian is the same at every \
                       solution, so that all are equally flat)",
                got: k.to_string(),
            }),
            // 1 + (k - 2) / k keeps the digits of p - 1.
            Depth::Finite(k) => Ok(1.0 + (k - 2) as f64 / k as f64),
            Depth::Infinite => Ok(2.0),
        }
    }

    /// The exponent `q = 2 (k - 1) / (k - 2)` of the dual norm, `1/p + 1/q = 1`: infinite for two
    /// factors, then falling from 4 to 2.
    ///
    /// ```
    /// use flatmin_hadamard::Depth;
    /// assert_eq!(Depth::Finite(3).dual_exponent()?, 4.0);
    /// assert_eq!(Depth::Finite(2).dual_exponent()?, f64::INFINITY);
    /// # Ok::<(), flatmin_hadamard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Depth::exponent`].
    pub fn dual_exponent(self) -> Result<f64, Error> {
        self.exponent()?;
        Ok(match self {
            Depth::Finite(k) => 2.0 * (k as f64 - 1.0) / (k as f64 - 2.0),
            Depth::Infinite => 2.0,
        })
    }
}
