//! The report of `flatmin sharpness`.

use super::digits;
use flatmin::core::flatness::spectrum::Extreme;
use flatmin::core::flatness::{Estimate, Method};
use serde::Serialize;
use std::fmt;

/// Error relative to the eigenvalue up to which it counts as found.
const FOUND: f64 = 1e-6;

/// The answer of `flatmin sharpness`.
#[derive(Debug, Clone, Serialize)]
pub struct Sharpness {
    /// Name of the model.
    pub model: &'static str,
    /// `(1/m) |A(L R^T) - b|^2`.
    pub loss: f64,
    /// Trace of the Hessian.
    pub trace: f64,
    /// Scaled trace of the Hessian: `trace_left / d1 + trace_right / d2`.
    pub scaled_trace: f64,
    /// Trace of its block of `L`; of symmetric factors, of the columns where `R = L`.
    pub trace_left: f64,
    /// Trace of its block of `R`; of symmetric factors, of the columns where `R = -L`.
    pub trace_right: f64,
    /// What the two blocks are.
    #[serde(skip)]
    pub blocks: [&'static str; 2],
    /// The largest eigenvalue of the Hessian.
    #[serde(flatten)]
    pub largest: Largest,
    /// What an estimator finds, where one is asked for.
    #[serde(flatten)]
    pub estimate: Option<Estimated>,
}

/// The largest eigenvalue of a Hessian.
#[derive(Debug, Clone, Serialize)]
pub struct Largest {
    /// Its value, if it was found.
    #[serde(rename = "largest_eigenvalue")]
    value: Option<f64>,
    /// How sure that is, or why there is none.
    #[serde(skip)]
    note: String,
}

impl Largest {
    /// What Lanczos found, or why it could not.
    pub fn new(found: Result<Extreme, flatmin::core::Error>) -> Largest {
        let found = match found {
            Ok(found) => found,
            Err(reason) => return Largest { value: None, note: format!("not found: {reason}") },
        };
        let Extreme { value, residual, products, .. } = found;
        let note = format!("an eigenvalue lies within {residual:.1e}; {products} products");
        if found.met || residual <= FOUND * value.abs() {
            Largest { value: Some(value), note: format!("{} ({note})", digits(value)) }
        } else {
            Largest { value: None, note: format!("not found: at least {} ({note})", digits(value)) }
        }
    }
}

/// An estimate of the trace, from products with the Hessian.
#[derive(Debug, Clone, Serialize)]
pub struct Estimated {
    /// Name of the estimator that was asked for.
    pub estimator: &'static str,
    /// The trace.
    pub estimate: f64,
    /// Its standard error.
    pub std_err: f64,
    /// Products with single vectors.
    pub matvecs: usize,
    /// What was made of them.
    #[serde(skip)]
    method: Method,
    /// The tolerance that was missed.
    #[serde(skip)]
    missed: Option<f64>,
}

impl Estimated {
    /// What the estimator `asked` found, with the tolerance that it was given.
    pub fn new(asked: Method, tolerance: Option<f64>, found: &Estimate) -> Estimated {
        Estimated {
            estimator: asked.name(),
            estimate: found.value,
            std_err: found.std_err,
            matvecs: found.matvecs,
            method: found.method,
            missed: tolerance.filter(|_| !found.converged),
        }
    }

    /// Whether the tolerance was missed.
    pub fn stopped(&self) -> bool {
        self.missed.is_some()
    }

    /// How the estimate came about.
    fn origin(&self) -> String {
        let (asked, method, n) = (self.estimator, self.method.name(), self.matvecs);
        match self.method {
            Method::Exact if n == 0 => format!("{method}, in closed form"),
            Method::Exact if asked == method => format!("{method}, {n} products"),
            Method::Exact => format!("{asked}: {n} products leave nothing to chance"),
            _ if asked == method => format!("{method}, {n} products"),
            _ => format!("{method}, which {asked} chose, {n} products"),
        }
    }
}

impl fmt::Display for Sharpness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: curvature of the loss at the given factors", self.model)?;
        writeln!(f, "  loss                {}", digits(self.loss))?;
        writeln!(f, "  scaled trace        {}", digits(self.scaled_trace))?;
        write!(f, "  trace               {}", digits(self.trace))?;
        let (left, right) = (digits(self.trace_left), digits(self.trace_right));
        writeln!(f, "  ({left} {}, {right} {})", self.blocks[0], self.blocks[1])?;
        write!(f, "  largest eigenvalue  {}", self.largest.note)?;
        let Some(estimated) = &self.estimate else { return Ok(()) };
        let (estimate, std_err) = (estimated.estimate, estimated.std_err);
        let bar = super::significant(2.0 * std_err, 3);
        write!(f, "\n  estimated trace     {} +- {bar}", digits(estimate))?;
        write!(f, " (two standard errors; {})", estimated.origin())?;
        let error = estimate - self.trace;
        match self.trace {
            0.0 => write!(f, "\n  its error           {error:.1e}")?,
            t => write!(f, "\n  its error           {:.1e} of the exact trace", error / t)?,
        }
        if std_err > 0.0 {
            write!(f, ", {:.2} standard errors", error / std_err)?;
        }
        if let Some(tolerance) = estimated.missed {
            let reached = 2.5 * std_err / estimate.abs();
            let n = estimated.matvecs;
            write!(f, "\n  stopped after {n} products, before the tolerance {tolerance:e}: ")?;
            write!(f, "two and a half standard errors are {reached:.1e} of the estimate")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sharpness() -> Sharpness {
        Sharpness {
            model: "sensing",
            loss: 0.1 + 0.2,
            trace: f64::NAN,
            scaled_trace: f64::INFINITY,
            trace_left: 5e-324,
            trace_right: f64::MAX,
            blocks: ["in L", "in R"],
            largest: Largest::new(Err(flatmin::core::Error::Empty { what: "all of it" })),
            estimate: None,
        }
    }

    #[test]
    fn json_takes_what_is_not_finite_and_keeps_every_bit() {
        let json = serde_json::to_string(&sharpness()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(value["trace"].is_null() && value["scaled_trace"].is_null());
        assert_eq!(value["loss"].as_f64().unwrap(), 0.1 + 0.2);
        assert_eq!(value["trace_left"].as_f64().unwrap(), 5e-324);
        assert_eq!(value["trace_right"].as_f64().unwrap(), f64::MAX);
        let fields = value.as_object().unwrap();
        assert!(fields.len() == 7 && fields["largest_eigenvalue"].is_null());
        assert!(sharpness().to_string().contains("eigenvalue  not found: all of it is empty"));
    }

    #[test]
    fn the_method_behind_an_estimate_is_named() {
        let found = |method, matvecs, converged| Estimate {
            value: 10.0,
            std_err: 0.5,
            matvecs,
            method,
            converged,
        };
        for (asked, made, matvecs, words) in [
            (Method::Auto, Method::XTrace, 32, "xtrace, which auto chose, 32 products"),
            (Method::XTrace, Method::XTrace, 32, "10.000000000 +- 1.00 (two standard errors; xtr"),
            (Method::XTrace, Method::Exact, 8, "xtrace: 8 products leave nothing to chance"),
            (Method::Exact, Method::Exact, 0, "exact, in closed form"),
        ] {
            let estimate = Estimated::new(asked, None, &found(made, matvecs, true));
            let text =
                Sharpness { trace: 9.0, estimate: Some(estimate), ..sharpness() }.to_string();
            assert!(text.contains(words), "{text}");
            assert!(text.contains("1.1e-1 of the exact trace, 2.00 standard errors"), "{text}");
        }
        let missed = Estimated::new(Method::Auto, Some(0.1), &found(Method::XTrace, 32, false));
        assert!(missed.stopped());
        let text = Sharpness { estimate: Some(missed), ..sharpness() }.to_string();
        assert!(text.contains("stopped after 32 products, before the tolerance 1e-1"), "{text}");
    }
}
