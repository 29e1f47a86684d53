//! The descent methods that are compared, and their starts.

use flatmin::core::Error;
use flatmin::core::descent::{
    Descended, Descent, Direction, Gradient, LabelNoise, MiniBatch, OnTrace, Sam, ScaledGradient,
    Smoothed, Step, WeightDecay,
};
use flatmin::core::loss::{Factorised, LeastSquares, Traced};
use serde::{Deserialize, Serialize};

/// Measurements of a batch.
pub const BATCH: usize = 8;

/// A random start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// What it predicts is a millionth of the targets.
    Small,
    /// What it predicts is as large as the targets.
    Large,
}

impl Start {
    /// Both.
    pub const ALL: [Start; 2] = [Start::Small, Start::Large];

    /// What it predicts, over the targets.
    pub fn size(self) -> f64 {
        match self {
            Start::Small => 1e-6,
            Start::Large => 1.0,
        }
    }
}

/// A method with its start.
pub type Run = (Method, Start);

/// A descent method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Gradient descent with a fixed step.
    Gradient,
    /// Gradient descent with a line search.
    LineSearch,
    /// Scaled gradient descent with damping.
    Scaled,
    /// Stochastic gradient descent.
    MiniBatch,
    /// Descent under label noise.
    LabelNoise,
    /// Noise-injected descent.
    NoiseInjection,
    /// Sharpness-aware minimisation with all measurements.
    Sam,
    /// The same with one at a time.
    SamSingle,
    /// Weight decay.
    WeightDecay,
    /// Descent on loss and trace.
    OnTrace,
}

impl Method {
    /// What is compared, in the order of tables and figures.
    pub const ALL: &'static [Run] = &[
        (Method::Gradient, Start::Small),
        (Method::Scaled, Start::Small),
        (Method::Gradient, Start::Large),
        (Method::LineSearch, Start::Large),
        (Method::Scaled, Start::Large),
        (Method::MiniBatch, Start::Large),
        (Method::WeightDecay, Start::Large),
        (Method::Sam, Start::Large),
        (Method::SamSingle, Start::Large),
        (Method::NoiseInjection, Start::Large),
        (Method::LabelNoise, Start::Large),
        (Method::OnTrace, Start::Large),
    ];

    /// For the reader.
    pub fn name(self, start: Start) -> &'static str {
        match (self, start) {
            (Method::Gradient, Start::Small) => "gradient, small start",
            (Method::Gradient, Start::Large) => "gradient",
            (Method::LineSearch, _) => "gradient, line search",
            (Method::Scaled, Start::Small) => "scaled, small start",
            (Method::Scaled, Start::Large) => "scaled",
            (Method::MiniBatch, _) => "mini-batches",
            (Method::LabelNoise, _) => "label noise",
            (Method::NoiseInjection, _) => "noise injection",
            (Method::Sam, _) => "SAM, all",
            (Method::SamSingle, _) => "SAM, single",
            (Method::WeightDecay, _) => "weight decay",
            (Method::OnTrace, _) => "on the trace",
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// When the loss refuses the start.
    pub fn run<L: LeastSquares + Traced + Factorised>(
        self,
        loss: &L,
        start: &[f64],
        seed: u64,
    ) -> Result<Descended, Error> {
        let fixed = Step::Curvature(0.5);
        let batch = BATCH.min(loss.measurements());
        let (mut method, step): (Box<dyn Direction + '_>, Step) = match self {
            Method::Gradient => (Box::new(Gradient::new(loss)), fixed),
            Method::LineSearch => (Box::new(Gradient::new(loss)), Step::LineSearch),
            Method::Scaled => (Box::new(ScaledGradient::new(loss)), Step::LineSearch),
            Method::MiniBatch => (Box::new(MiniBatch::new(loss, batch)?), fixed),
            Method::LabelNoise => (Box::new(LabelNoise::new(loss)), fixed),
            Method::NoiseInjection => (Box::new(Smoothed::new(loss)), fixed),
            Method::Sam => (Box::new(Sam::new(loss)), fixed),
            Method::SamSingle => (Box::new(Sam::of_batch(loss, 1)?), fixed),
            Method::WeightDecay => (Box::new(WeightDecay::new(loss)), fixed),
            Method::OnTrace => (Box::new(OnTrace::new(loss)), fixed),
        };
        let descent = Descent::default().step(step).tolerance(super::NEAR).limit(super::LIMIT);
        descent.seed(seed).run(method.as_mut(), start)
    }
}
