//! Descent on planted problems, against the certified answers of the convex programs.

use super::*;
use crate::flatness::spectrum::Lanczos;
use crate::linalg::kernel::dot;
use crate::loss::{Factorised, Loss, OfWidth, Traced};
use crate::operator::{DenseMap, Entries, RankOne};
use crate::rng::{Role, Stream};
use crate::{Domain, Error, FactoredLoss, LinearMap, Measured, SymmetricLoss, planted};

/// A planted problem.
struct Planted {
    map: Box<dyn LinearMap>,
    targets: Vec<f64>,
    /// Least scaled trace.
    flat: f64,
    /// Least nuclear norm.
    nuclear: f64,
}

fn stream(role: Role, seed: u64) -> Stream {
    Stream::new(seed, "descent", 0, 0, role)
}

fn sensing(d1: usize, d2: usize, rank: usize, m: usize, seed: u64) -> Planted {
    let truth = planted::low_rank(d1, d2, rank, &mut stream(Role::Truth, seed)).unwrap();
    let data = stream(Role::Measurements, seed).gaussian_vector(d1 * d2 * m);
    let map = DenseMap::new(d1, d2, data).unwrap();
    let targets = planted::targets(&truth, &map).unwrap();
    let problem = Measured::new(map.clone(), targets.clone(), Domain::General).unwrap();
    let flat = problem.flat().tolerance(1e-11).solve().unwrap();
    let nuclear = problem.nuclear().tolerance(1e-11).solve().unwrap();
    assert!(flat.status.is_certified() && nuclear.status.is_certified());
    Planted { map: Box::new(map), targets, flat: flat.scaled_trace, nuclear: nuclear.objective }
}

#[test]
fn the_method_of_multipliers_reaches_the_flat_value_at_every_width() {
    // Where FLAT recovers rank 2, and where its answer has a rank of up to 6.
    for (d1, d2, m, least) in [(8, 8, 52, 2), (7, 9, 52, 2), (8, 8, 30, 6)] {
        for seed in 0..2 {
            let Planted { map, targets, flat, .. } = sensing(d1, d2, 2, m, seed);
            for k in [least, least + 1, 8, 12] {
                let case = format!("{d1} x {d2}, m = {m}, seed {seed}, k = {k}");
                let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(k).unwrap();
                let start = stream(Role::Start, seed).gaussian_vector(loss.order());
                let start: Vec<f64> = start.iter().map(|x| 0.3 * x).collect();
                let method = Multipliers::default();
                let found = method.minimise(&TraceOf(&loss), &loss, &start).unwrap();
                assert!(found.converged, "{case}: {} {}", found.residual, found.stationarity);
                assert!((found.value / flat - 1.0).abs() < 1e-8, "{case}: {}", found.value / flat);
                // A quarter of the multipliers is the certificate: <b, y> / 4 = |D1 X D2|_*.
                let bound = dot(&found.multipliers, &targets);
                assert!((bound / flat - 1.0).abs() < 1e-6, "{case}: {bound} and {flat}");
            }
        }
    }
}

#[test]
fn the_method_of_multipliers_says_when_nothing_fits() {
    // Of rank one, the matrix seen is not.
    let map = Entries::new(2, 2, &[0, 0, 1, 1], &[0, 1, 0, 1]).unwrap();
    let targets = [1.0, 0.0, 0.0, 1.0];
    let loss = FactoredLoss::new(&map, &targets).unwrap().of_width(1).unwrap();
    let start = [0.9, 0.1, 0.7, 0.2];
    let found = Multipliers::default().minimise(&TraceOf(&loss), &loss, &start).unwrap();
    assert!(!found.converged && found.residual > 0.1, "{found:?}");
    let wide = FactoredLoss::new(&map, &targets).unwrap().of_width(2).unwrap();
    let other = Multipliers::default().minimise(&TraceOf(&loss), &wide, &start);
    assert!(matches!(other, Err(crate::Error::Shape { .. })));
}

/// The (scaled) trace at a point.
fn trace_of(loss: &dyn Traced, x: &[f64]) -> f64 {
    loss.trace_and_gradient(x, &mut vec![0.0; x.len()]).unwrap()
}

/// Runs a method, settles, and returns the end with the point on the zero set.
fn ended(loss: &OfWidth<'_>, method: &mut dyn Direction, step: Step) -> (Descended, Vec<f64>) {
    let from = start(loss, 1.0, 3).unwrap();
    let end = Descent::default().step(step).tolerance(1e-4).run(method, &from).unwrap();
    let on = settle(loss, &end.x, 1e-12).unwrap();
    assert!(on.converged, "{}: {} after settling", method.name(), on.loss);
    (end, on.x)
}

#[test]
fn methods_with_a_bias_end_at_what_it_names() {
    let Planted { map, targets, flat, nuclear } = sensing(8, 8, 2, 52, 0);
    for k in [2, 8] {
        let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(k).unwrap();
        let step = Step::Curvature(0.5);
        let excess = |x: &[f64]| trace_of(&loss, x) / flat - 1.0;

        let (plain, x) = ended(&loss, &mut Gradient::new(&loss), step);
        assert_eq!(plain.end, End::Interpolates);
        let far = excess(&x);
        assert!(far > 0.03, "k = {k}: gradient descent was flat already, by {far}");

        let by_trace: [(&mut dyn Direction, f64); 4] = [
            (&mut OnTrace::new(&loss), 2e-3),
            (&mut Smoothed::new(&loss), 2e-2),
            (&mut LabelNoise::new(&loss), 3e-2),
            (&mut Sam::of_batch(&loss, 1).unwrap(), 2e-2),
        ];
        for (method, most) in by_trace {
            let (end, x) = ended(&loss, method, step);
            assert_eq!(end.end, End::Settled, "{}, k = {k}", method.name());
            let found = excess(&x);
            assert!((-1e-9..most).contains(&found), "{}, k = {k}: {found}", method.name());
        }

        let (end, x) = ended(&loss, &mut WeightDecay::new(&loss), step);
        assert_eq!(end.end, End::Settled);
        let norm = dot(&x, &x) / (2.0 * nuclear) - 1.0;
        assert!((-1e-9..2e-3).contains(&norm), "weight decay, k = {k}: {norm}");
        assert!(excess(&x) > 1e-4, "weight decay is not flat");

        // Of all residuals, sharpness-aware minimisation lowers the largest eigenvalue instead.
        let (_, x) = ended(&loss, &mut Sam::new(&loss), step);
        let largest = |x: &[f64]| {
            Lanczos::default().largest(loss.hessian(x).unwrap().as_ref()).unwrap().value
        };
        let method = Multipliers::default();
        let least = method.minimise(&TraceOf(&loss), &loss, &start(&loss, 1.0, 3).unwrap());
        assert!(largest(&x) < 0.99 * largest(&least.unwrap().x), "k = {k}");
    }
}

#[test]
fn methods_without_a_bias_interpolate() {
    let Planted { map, targets, .. } = sensing(7, 5, 1, 30, 1);
    let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(2).unwrap();
    let runs: [(&mut dyn Direction, Step); 5] = [
        (&mut Gradient::new(&loss), Step::LineSearch),
        (&mut Gradient::new(&loss), Step::Curvature(0.3)),
        (&mut ScaledGradient::new(&loss), Step::LineSearch),
        (&mut MiniBatch::new(&loss, 7).unwrap(), Step::Curvature(0.5)),
        (&mut MiniBatch::new(&loss, 30).unwrap(), Step::Curvature(0.5)),
    ];
    for (method, step) in runs {
        let (end, x) = ended(&loss, method, step);
        assert_eq!(end.end, End::Interpolates, "{} {step:?}", method.name());
        assert!(end.path >= end.displacement && end.displacement > 0.0);
        assert!(loss.value(&x).unwrap() < 1e-20);
    }
}

/// A matrix whose condition number is 10^4: scaled descent does not mind, plain descent does.
#[test]
fn scaling_removes_the_condition_of_the_matrix() {
    let all: Vec<usize> = (0..36).collect();
    let (i, j): (Vec<usize>, Vec<usize>) = all.iter().map(|t| (t / 6, t % 6)).unzip();
    let map = Entries::new(6, 6, &i, &j).unwrap();
    let mut truth = crate::Mat::<f64>::zeros(6, 6);
    (truth[(0, 1)], truth[(3, 2)]) = (1.0, 1e-4);
    let targets = planted::targets(&truth, &map).unwrap();
    for k in [2, 6] {
        let loss = FactoredLoss::new(&map, &targets).unwrap().of_width(k).unwrap();
        let from = start(&loss, 1.0, 0).unwrap();
        let steps = |method: &mut dyn Direction| {
            let mut descent = Descent::default().step(Step::LineSearch).tolerance(1e-8);
            descent.run(method, &from).unwrap().steps
        };
        let (scaled, plain) =
            (steps(&mut ScaledGradient::new(&loss)), steps(&mut Gradient::new(&loss)));
        assert!(scaled < 2000 && plain > 5 * scaled, "k = {k}: {scaled} and {plain} steps");
    }
}

#[test]
fn symmetric_factors_descend_as_well() {
    let truth = planted::symmetric(6, 1, 1, &mut stream(Role::Truth, 0)).unwrap();
    let probes = stream(Role::Measurements, 0).gaussian_vector(6 * 20);
    let map = RankOne::symmetric(6, probes).unwrap();
    let targets = planted::targets(&truth, &map).unwrap();
    let problem = Measured::new(map.clone(), targets.clone(), Domain::Symmetric).unwrap();
    let flat = problem.flat().tolerance(1e-11).solve().unwrap();
    let loss = SymmetricLoss::new(&map, &targets, 3, 2).unwrap();
    let from = start(&loss, 1.0, 1).unwrap();
    let found = Multipliers::default().minimise(&TraceOf(&loss), &loss, &from).unwrap();
    assert!(found.converged, "{found:?}");
    assert!((found.value / flat.scaled_trace - 1.0).abs() < 1e-8, "{}", found.value);
    let x = loss.matrix(&found.x).unwrap();
    assert!((&x - flat.matrix()).norm_l2() < 1e-4);
    // Flat factors of either sign are orthogonal in the metric of D, hence nearly so.
    let mut way = Trajectory::new(&loss).optimum(flat.scaled_trace).truth(flat.matrix().as_ref());
    let mut descent = Descent::default().observer(|seen| way.record(seen));
    let end = descent.run(&mut OnTrace::new(&loss), &from).unwrap();
    drop(descent);
    let on = settle(&loss, &end.x, 1e-10).unwrap();
    let excess = trace_of(&loss, &on.x) / flat.scaled_trace - 1.0;
    assert!(on.converged && (-1e-9..1e-2).contains(&excess), "{excess}");
    let points = way.finish().unwrap();
    let last = points[points.len() - 1];
    // What the bias adds at the end makes the factors smaller.
    assert!((-0.05..0.0).contains(&last.gap.unwrap()), "{last:?}");
    assert!(last.error < Some(0.5 * points[0].error.unwrap()), "{last:?}");
    assert!(last.imbalance < 0.2 && last.step <= end.steps && last.path <= end.path);
}

#[test]
fn runs_are_the_same_to_the_bit_and_differ_by_seed() {
    let Planted { map, targets, .. } = sensing(5, 6, 1, 25, 2);
    let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(3).unwrap();
    let from = start(&loss, 1.0, 3).unwrap();
    assert_eq!(from, start(&loss, 1.0, 3).unwrap());
    let make = |which: usize| -> Box<dyn Direction + '_> {
        match which {
            0 => Box::new(LabelNoise::new(&loss)),
            1 => Box::new(Smoothed::new(&loss)),
            2 => Box::new(MiniBatch::new(&loss, 4).unwrap()),
            _ => Box::new(Sam::of_batch(&loss, 2).unwrap()),
        }
    };
    let run = |which, seed| {
        Descent::default().limit(700).seed(seed).run(make(which).as_mut(), &from).unwrap()
    };
    for which in 0..4 {
        let (one, again, other) = (run(which, 1), run(which, 1), run(which, 2));
        assert_eq!(one, again);
        assert_ne!(one.x, other.x);
        assert!(one.end != End::Limit || one.steps == 700);
    }
}

#[test]
fn units_of_the_data_do_not_matter() {
    let Planted { map, targets, .. } = sensing(5, 5, 1, 22, 4);
    let run = |unit: f64| {
        let targets: Vec<f64> = targets.iter().map(|b| unit * b).collect();
        let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(2).unwrap();
        let drawn = stream(Role::Start, 0).gaussian_vector(loss.order());
        let from: Vec<f64> = drawn.iter().map(|x| unit.sqrt() * 0.4 * x).collect();
        let end = Descent::default().seed(1).run(&mut LabelNoise::new(&loss), &from).unwrap();
        (end.end, end.steps, trace_of(&loss, &end.x) / unit)
    };
    let (one, tiny) = (run(1.0), run(f64::exp2(-80.0)));
    assert_eq!((one.0, one.1), (tiny.0, tiny.1));
    assert!((one.2 / tiny.2 - 1.0).abs() < 1e-6);
}

#[test]
fn what_cannot_be_run_is_refused_or_said() {
    let Planted { map, targets, .. } = sensing(4, 4, 1, 14, 0);
    let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(2).unwrap();
    let from = start(&loss, 1.0, 0).unwrap();
    let mut descent = Descent::default();
    let plain = &mut Gradient::new(&loss);
    assert!(matches!(descent.run(plain, &from[1..]), Err(Error::Shape { .. })));
    let broken = vec![f64::NAN; from.len()];
    assert!(matches!(descent.run(plain, &broken), Err(Error::NotFinite { .. })));
    assert!(matches!(settle(&loss, &broken, 1e-9), Err(Error::NotFinite { .. })));
    let huge = vec![1e200; from.len()];
    assert!(matches!(descent.run(plain, &huge), Err(Error::NotFinite { .. })));
    for wrong in [0.0, -1.0, 1.5, f64::NAN] {
        let mut descent = Descent::default().step(Step::Curvature(wrong));
        assert!(matches!(descent.run(plain, &from), Err(Error::Parameter { .. })));
    }
    let mut searching = Descent::default().step(Step::LineSearch);
    let noisy = searching.run(&mut LabelNoise::new(&loss), &from);
    assert!(matches!(noisy, Err(Error::Parameter { .. })));
    for wrong in [0, 15] {
        assert!(matches!(MiniBatch::new(&loss, wrong), Err(Error::Parameter { .. })));
        assert!(matches!(Sam::of_batch(&loss, wrong), Err(Error::Parameter { .. })));
    }
    assert!(matches!(start(&loss, 0.0, 0), Err(Error::Parameter { .. })));
    assert!(matches!(
        loss.scale_gradient(&from, 0.0, &mut from.clone()),
        Err(Error::Parameter { .. })
    ));

    // Zero fits zero targets, and so does the start.
    let zeros = vec![0.0; targets.len()];
    let silent = FactoredLoss::new(map.as_ref(), &zeros).unwrap().of_width(2).unwrap();
    assert!(matches!(start(&silent, 1.0, 0), Err(Error::Scale { .. })));
    let end = descent.run(&mut Smoothed::new(&silent), &vec![0.0; from.len()]).unwrap();
    assert_eq!((end.end, end.steps), (End::Interpolates, 0));
    // At zero, a stationary point of every loss in factors, there is nowhere to go.
    let end = descent.run(plain, &vec![0.0; from.len()]).unwrap();
    assert_eq!((end.end, end.steps), (End::Stalled, 0));
    // An observer may stop, and a limit does.
    let mut short = Descent::default().observer(|_| std::ops::ControlFlow::Break(()));
    assert_eq!(short.run(&mut Smoothed::new(&loss), &from).unwrap().end, End::Interrupted);
    let end = Descent::default().limit(7).run(plain, &from).unwrap();
    assert_eq!((end.end, end.steps), (End::Limit, 7));
}

/// What once went wrong: state from earlier runs, short stages, scaled steps by curvature, faint and zero objectives.
#[test]
fn runs_do_not_depend_on_how_they_are_asked_for() {
    let Planted { map, targets, .. } = sensing(4, 4, 1, 14, 0);
    let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(2).unwrap();
    let from = start(&loss, 1.0, 0).unwrap();
    let twice: [&mut dyn Direction; 3] = [
        &mut MiniBatch::new(&loss, 4).unwrap(),
        &mut Sam::of_batch(&loss, 3).unwrap(),
        &mut OnTrace::new(&loss),
    ];
    for method in twice {
        Descent::default().limit(150).run(method, &from).unwrap();
        let mut run = || Descent::default().limit(900).run(method, &from).unwrap();
        assert_eq!(run(), run());
    }
    // The steps of a stage are looked at however few they are.
    for stage in [1, 5, 9] {
        let mut wild = Descent { stage, strength: 1e3, limit: 2000, ..Descent::default() };
        let end = wild.run(&mut LabelNoise::new(&loss), &from).unwrap();
        assert!(end.loss.is_finite() && end.x.iter().all(|x| x.is_finite()), "{stage}: {end:?}");
        assert!(end.end != End::Settled || end.loss < loss.value(&[0.0; 16]).unwrap());
    }
    let scaled = Descent::default().run(&mut ScaledGradient::new(&loss), &from);
    assert!(matches!(scaled, Err(Error::Parameter { .. })));
    assert!(matches!(start(&loss, 1e-12, 0), Err(Error::Parameter { .. })));
    assert!(
        FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(usize::MAX / 8 + 1).is_err()
    );

    // Zero fits: what shrinks to it does not diverge.
    let zeros = vec![0.0; targets.len()];
    let silent = FactoredLoss::new(map.as_ref(), &zeros).unwrap().of_width(2).unwrap();
    for method in [&mut OnTrace::new(&silent) as &mut dyn Direction, &mut WeightDecay::new(&silent)]
    {
        let end = Descent::default().run(method, &from).unwrap();
        assert!(end.end != End::Diverged && end.loss < 1e-6, "{:?} at {}", end.end, end.loss);
    }
}

/// The nearest zero from the point itself, and the flattest from a faint start.
#[test]
fn the_method_of_multipliers_begins_where_nothing_is_to_be_weighed() {
    let Planted { map, targets, flat, .. } = sensing(6, 6, 1, 26, 3);
    let loss = FactoredLoss::new(map.as_ref(), &targets).unwrap().of_width(3).unwrap();
    let from = start(&loss, 1.0, 0).unwrap();
    let squared = SquaredDistance { from: from.clone() };
    let nearest = Multipliers::default().minimise(&squared, &loss, &from).unwrap();
    assert!(nearest.converged && nearest.evaluations < 20_000, "{nearest:?}");
    let settled = settle(&loss, &from, 1e-10).unwrap();
    assert!(nearest.value.sqrt() <= settled.moved * (1.0 + 1e-6));
    for seed in 0..5 {
        let faint = start(&loss, 1e-6, seed).unwrap();
        let found = Multipliers::default().minimise(&TraceOf(&loss), &loss, &faint).unwrap();
        assert!(found.converged && (found.value / flat - 1.0).abs() < 1e-8, "{seed}: {found:?}");
    }
}
