//! Planted instances of every model with noise of known size: both objectives, certified, in
//! agreement with the penalised form, and as near to what was planted as the noise allows.

#![allow(clippy::unwrap_used)]

use flatmin::core::audit::Audit;
use flatmin::core::linalg::norm;
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{LinearMap, Measured, Program};
use flatmin::prelude::*;
use flatmin::{bilinear, completion, covariance, quadnet, sensing};

fn stream(role: Role) -> Stream {
    Stream::new(0, "noise", 0, 0, role)
}

/// `(error of the answer, |e|)` at noise of standard deviation `sigma`, `delta = |e|`.
fn check<M: LinearMap>(
    name: &str,
    problem: &Measured<M>,
    truth: &Mat<f64>,
    sigma: f64,
) -> [f64; 2] {
    let m = problem.targets().len();
    let noise: Vec<f64> =
        stream(Role::Noise).gaussian_vector(m).iter().map(|e| sigma * e).collect();
    let targets: Vec<f64> = problem.targets().iter().zip(&noise).map(|(b, e)| b + e).collect();
    let delta = norm(&noise);
    [Objective::Flat, Objective::Nuclear].map(|objective| {
        let program = || Program::new(problem.map(), &targets, objective).over(problem.domain());
        let answer = program().noise(delta).solve().unwrap();
        let says = format!("{name}, {objective}, {sigma:e}: {}", answer.status);
        assert_eq!(answer.status, Status::Certified, "{says}");
        let audit = Audit::new(problem.map(), &targets, &answer).unwrap();
        assert!(audit.dual_norm < 1.0 + 1e-9 && audit.feasibility < 1e-12, "{says}: {audit:?}");
        assert!(audit.objective - audit.lower_bound < 1e-8 * audit.objective, "{says}: {audit:?}");
        let lambda = answer.penalty.unwrap();
        let other = program().penalty(lambda).solve().unwrap();
        assert_eq!(other.status, Status::Certified, "{says}");
        // Up to the accuracy of lambda the value of one is that of the other.
        let value = 0.5 * delta * delta + lambda * answer.objective;
        assert!(
            (other.objective - value).abs() < 1e-6 * value,
            "{says}: {} {value}",
            other.objective
        );
        (answer.matrix() - truth).norm_l2()
    })
}

/// Exact recovery without noise becomes recovery within a constant times the noise: over two decades
/// the error follows it.
fn follows<M: LinearMap>(name: &str, problem: &Measured<M>, truth: &Mat<f64>) {
    let sigmas = [1e-3, 1e-4, 1e-5].map(|part| part / (problem.targets().len() as f64).sqrt());
    let size = norm(problem.targets());
    let errors = sigmas.map(|sigma| check(name, problem, truth, sigma * size));
    for kind in 0..2 {
        let slope = (errors[0][kind] / errors[2][kind]).log10() / 2.0;
        assert!((0.9..1.1).contains(&slope), "{name}: errors {errors:?}");
    }
}

#[test]
fn errors_follow_the_noise() {
    let (t, a) = (&mut stream(Role::Truth), &mut stream(Role::Measurements));
    let planted = sensing::Planted::gaussian(18, 20, 2, 260, t, a).unwrap();
    follows("sensing", &planted.problem, &planted.truth);
    let planted = bilinear::Planted::gaussian(18, 20, 2, 290, t, a).unwrap();
    follows("bilinear", &planted.problem, &planted.truth);
    let planted = completion::Planted::bernoulli(24, 26, 2, 0.6, t, a).unwrap();
    follows("completion", &planted.problem, &planted.truth);
    let planted = covariance::Planted::gaussian(18, 2, 150, t, a).unwrap();
    follows("covariance", &planted.problem, &planted.truth);
    let planted = quadnet::Planted::gaussian(18, 1, 1, 160, t, a).unwrap();
    follows("quadnet", &planted.problem, &planted.truth);
}
