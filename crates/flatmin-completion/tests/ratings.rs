//! Laws of models of ratings.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests.

use flatmin_completion::core::rng::{Role, Stream};
use flatmin_completion::ratings::{
    Centring, Holdout, Observation, Penalty, Ratings, RatingsModel, Shrinkage, Stage, Weights,
};
use flatmin_completion::{Error, Objective, Status};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ops::ControlFlow;

/// Ratings from 1 to 5, unevenly seen: means, offsets, two tastes, noise. And those of the rest.
fn tastes(rows: usize, cols: usize, seed: u64) -> (Ratings, Vec<Observation>) {
    let mut stream = Stream::new(seed, "tastes", 0, 0, Role::Truth);
    let (a, b) = (stream.gaussian_vector(rows), stream.gaussian_vector(cols));
    let (l, r) = (stream.gaussian_matrix(rows, 2), stream.gaussian_matrix(cols, 2));
    let (mut i, mut j, mut y, mut rest) = (vec![], vec![], vec![], vec![]);
    for row in 0..rows {
        for col in 0..cols {
            let taste = l[(row, 0)] * r[(col, 0)] + l[(row, 1)] * r[(col, 1)];
            let value = 3.0 + 0.4 * a[row] + 0.5 * b[col] + 0.6 * taste + 0.3 * stream.gaussian();
            let value = value.clamp(1.0, 5.0);
            if stream.uniform() < 0.9 / (1.0 + 0.04 * (row % 30 + col) as f64) {
                i.push(row);
                j.push(col);
                y.push(value);
            } else {
                rest.push((Some(row), Some(col), value));
            }
        }
    }
    (Ratings::new(rows, cols, &i, &j, y).unwrap(), rest)
}

fn row_of(ratings: &Ratings, row: usize) -> Vec<(usize, f64)> {
    ratings.iter().filter(|r| r.0 == row).map(|(_, j, y)| (j, y)).collect()
}

fn given(ratings: &Ratings, weights: Weights, part: f64) -> RatingsModel {
    let fit = ratings.fit().centring(Centring::RowCol).weights(weights);
    let objective = match weights {
        Weights::Nuclear => Objective::Nuclear,
        Weights::Smoothed(s) => Objective::Smoothed(s),
        _ => Objective::Flat,
    };
    // The residuals' own largest penalty, from their definition.
    let offsets = ratings.offsets(fit.centring, fit.shrinkage).unwrap();
    let residuals: Vec<f64> =
        ratings.iter().map(|(i, j, y)| y - offsets.at(Some(i), Some(j))).collect();
    let (i, j): (Vec<_>, Vec<_>) = ratings.completion().map().positions().unzip();
    let (d1, d2) = ratings.shape();
    let problem = flatmin_completion::Completion::new(d1, d2, &i, &j, residuals).unwrap();
    let largest = problem.program(objective).largest_penalty().unwrap();
    fit.penalty(Penalty::Given(part * largest)).tolerance(1e-11).solve().unwrap()
}

/// The ratings of a row, folded in as a new one, give that row.
#[test]
fn folding_in_a_row_gives_that_row() {
    let (ratings, _) = tastes(30, 20, 1);
    for weights in [Weights::Flat, Weights::Nuclear, Weights::Smoothed(0.4), Weights::Smoothed(1.0)]
    {
        let model = given(&ratings, weights, 0.15);
        assert!(model.recovery.status.is_certified() && model.recovery.rank >= 2);
        for i in 0..30 {
            let (row, new) = (model.row(Some(i)), model.transform(&row_of(&ratings, i)).unwrap());
            assert!((row.offset() - new.offset()).abs() < 1e-12);
            let size = row.factor().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            for (one, other) in row.factor().iter().zip(new.factor()) {
                assert!((one - other).abs() < 1e-4 * size.max(1e-3), "{weights:?}: {one} {other}");
            }
            assert_eq!(row.seen(), new.seen());
        }
    }
}

#[test]
fn the_chosen_penalty_beats_the_offsets() {
    let (ratings, rest) = tastes(36, 24, 2);
    for holdout in [Holdout::Tenth, Holdout::Folds(3)] {
        for weights in [Weights::Flat, Weights::Nuclear, Weights::Smoothed(0.5)] {
            let model = ratings.fit().weights(weights).holdout(holdout).solve().unwrap();
            assert!(model.recovery.status.is_certified());
            let offsets = model.offsets.rmse(&rest).unwrap();
            let error = model.rmse(&rest).unwrap();
            assert!(error < 0.75 * offsets, "{weights:?} {holdout:?}: {error} {offsets}");
            // No penalty of the path is much better on what was never seen.
            let best = model.selection.iter().map(|t| t.penalty);
            for penalty in best.step_by(4) {
                let fit = ratings.fit().weights(weights).penalty(Penalty::Given(penalty));
                let other = fit.tolerance(1e-3).solve().unwrap().rmse(&rest).unwrap();
                assert!(error < 1.1 * other, "{penalty}: {error} {other}");
            }
        }
    }
}

#[test]
fn weights_are_chosen_with_the_penalty() {
    let (ratings, rest) = tastes(40, 25, 3);
    let model = ratings.fit().centring(Centring::Global).weights(Weights::Auto).solve().unwrap();
    let tried = |s: f64| model.selection.iter().any(|t| t.smoothing == s);
    assert!(tried(0.0) && tried(0.5) && tried(1.0));
    let best = model.selection.iter().map(|t| t.rmse).fold(f64::INFINITY, f64::min);
    let chosen = model.selection.iter().find(|t| t.rmse == best).unwrap();
    assert_eq!(chosen.smoothing, model.smoothing);
    // Nine tenths were fitted in the trials.
    let grown = model.penalty / chosen.penalty;
    assert!((grown - (10.0f64 / 9.0).sqrt()).abs() < 1e-2, "{grown}");
    assert!(model.rmse(&rest).unwrap() < 0.8 * model.offsets.rmse(&rest).unwrap());
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let (ratings, rest) = tastes(30, 20, 4);
    let bits = |seed: u64| -> Vec<u64> {
        let model = ratings.fit().seed(seed).holdout(Holdout::Folds(4)).solve().unwrap();
        rest.iter().map(|o| model.predict(o.0, o.1).to_bits()).collect()
    };
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

#[test]
fn held_out_ratings_may_be_given() {
    let (ratings, rest) = tastes(40, 25, 5);
    let model = ratings.fit().holdout(Holdout::Given(&rest)).solve().unwrap();
    let best = model.selection.iter().map(|t| t.rmse).fold(f64::INFINITY, f64::min);
    assert!(model.selection.iter().any(|t| t.rmse == best && t.penalty == model.penalty));
    assert!((model.rmse(&rest).unwrap() / best - 1.0).abs() < 1e-2);
    // The first trial is that of the offsets alone, within the range.
    let first = model.selection[0];
    assert_eq!((first.rank, first.fraction), (0, 1.0));
    let (low, high) = model.range.unwrap();
    let errors = rest.iter().map(|o| model.offsets.at(o.0, o.1).clamp(low, high) - o.2);
    let rmse = (errors.map(|e| e * e).sum::<f64>() / rest.len() as f64).sqrt();
    assert!((first.rmse - rmse).abs() < 1e-9);
}

/// Offsets of two sizes under noise: the shrinkage is the ratio of the variances, about.
#[test]
fn shrinkage_follows_the_noise() {
    let chosen = |noise: f64| {
        let mut stream = Stream::new(1, "shrinkage", 0, 0, Role::Noise);
        let (a, b) = (stream.gaussian_vector(60), stream.gaussian_vector(60));
        let (mut i, mut j, mut y) = (vec![], vec![], vec![]);
        for (row, a) in a.iter().enumerate() {
            for (col, b) in b.iter().enumerate().filter(|_| stream.uniform() < 0.2) {
                i.push(row);
                j.push(col);
                y.push(a + b);
            }
        }
        y.iter_mut().for_each(|y| *y += noise * stream.gaussian());
        let ratings = Ratings::new(60, 60, &i, &j, y).unwrap();
        Shrinkage::choose(&ratings, Holdout::Folds(5), 0).unwrap().rows
    };
    assert!(chosen(0.3) <= 1.0);
    assert!((2.0..=10.0).contains(&chosen(2.0)));
    assert!(chosen(6.0) >= 20.0);
}

#[test]
fn predictions_stay_within_the_range() {
    let (ratings, rest) = tastes(30, 20, 6);
    let penalty = Penalty::Given(given(&ratings, Weights::Flat, 1e-3).penalty);
    let clipped = ratings.fit().penalty(penalty).solve().unwrap();
    let free = ratings.fit().penalty(penalty).clip(false).solve().unwrap();
    assert_eq!((clipped.range, free.range), (Some(ratings.range()), None));
    let (low, high) = ratings.range();
    let mut beyond = 0;
    for &(i, j, _) in &rest {
        let raw = free.predict(i, j);
        assert_eq!(clipped.predict(i, j), raw.clamp(low, high));
        beyond += usize::from(raw < low || raw > high);
    }
    assert!(beyond > 0);
}

#[test]
fn whom_the_model_has_never_met_gets_the_offsets() {
    // Row 2 and column 3 have no ratings.
    let (rows, cols) = ([0, 0, 1, 1, 3, 3], [0, 1, 1, 2, 0, 2]);
    let values = vec![5.0, 4.0, 2.0, 1.0, 4.0, 3.0];
    let ratings = Ratings::new(4, 4, &rows, &cols, values).unwrap();
    for weights in [Weights::Flat, Weights::Nuclear, Weights::Smoothed(0.5)] {
        let model = ratings.fit().weights(weights).penalty(Penalty::Given(1e-2)).solve().unwrap();
        let offsets = &model.offsets;
        for row in [None, Some(2), Some(4), Some(usize::MAX)] {
            assert_eq!(model.predict(row, Some(0)), offsets.at(None, Some(0)).clamp(1.0, 5.0));
            assert_eq!(model.row(row).predict(Some(0)), model.predict(row, Some(0)));
            assert!(model.seen(row).is_empty());
        }
        for col in [None, Some(3), Some(usize::MAX)] {
            assert_eq!(model.predict(Some(0), col), offsets.at(Some(0), None).clamp(1.0, 5.0));
        }
        assert_eq!(model.predict(None, None), offsets.mean());
        // A new row without ratings is one of them.
        let silent = model.transform(&[]).unwrap();
        assert_eq!(silent.predict(Some(1)), model.predict(None, Some(1)));
        // Nothing is said about a column that nobody has rated.
        assert!(silent.top(9, &[]).iter().all(|t| t.0 < 3));
        assert!(model.transform(&[(3, 2.0)]).unwrap().predict(Some(0)).is_finite());
    }
}

#[test]
fn top_is_a_sort() {
    let (ratings, _) = tastes(30, 20, 7);
    let model = ratings.fit().solve().unwrap();
    for i in 0..30 {
        let row = model.row(Some(i));
        let top = row.top(5, row.seen());
        assert_eq!(top.len(), 5.min(20 - row.seen().len()));
        assert!(top.iter().all(|(j, _)| !row.seen().contains(j)));
        let all = row.top(100, &[usize::MAX]);
        assert_eq!(all.len(), 20);
        assert!(all.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        assert!(all.iter().all(|&(j, y)| y == model.predict(Some(i), Some(j))));
        let unseen: Vec<_> = all.into_iter().filter(|(j, _)| !row.seen().contains(j)).collect();
        assert_eq!(top, unseen[..top.len()]);
        assert!(row.top(0, &[]).is_empty());
    }
}

#[test]
fn the_smallest_problems_have_models() {
    for (d1, d2) in [(1, 1), (1, 6), (6, 1), (2, 2)] {
        let m = d1.max(d2);
        let index = |d: usize| (0..m).map(|t| t.min(d - 1)).collect::<Vec<_>>();
        for scale in [1e-100, 1.0, 1e100] {
            for value in [|_| 3.0, |t| 1.0 + t as f64] {
                let values = (0..m).map(|t| scale * value(t)).collect();
                let ratings = Ratings::new(d1, d2, &index(d1), &index(d2), values).unwrap();
                for centring in [Centring::None, Centring::Global, Centring::RowCol] {
                    let fit = || ratings.fit().centring(centring);
                    let model = fit().penalty(Penalty::Given(0.1 * scale)).solve().unwrap();
                    let (low, high) = ratings.range();
                    assert!((low..=high).contains(&model.predict(Some(0), Some(0))));
                    let auto = fit().weights(Weights::Auto).solve();
                    assert_eq!(auto.is_ok(), m > 1, "{auto:?}");
                    let Ok(auto) = auto else { continue };
                    assert!((low..=high).contains(&auto.predict(Some(0), Some(0))));
                    assert!(auto.transform(&[(0, low)]).unwrap().predict(None).is_finite());
                }
            }
        }
    }
}

/// A change of units changes nothing else.
#[test]
fn units_do_not_matter() {
    let (ratings, rest) = tastes(20, 15, 8);
    let one = ratings.fit().solve().unwrap();
    for unit in [2f64.powi(-300), 2f64.powi(300)] {
        let (i, j): (Vec<_>, Vec<_>) = ratings.completion().map().positions().unzip();
        let values = ratings.values().iter().map(|y| unit * y).collect();
        let scaled = Ratings::new(20, 15, &i, &j, values).unwrap();
        let other = scaled.fit().solve().unwrap();
        for &(i, j, _) in &rest {
            let (one, other) = (one.predict(i, j), other.predict(i, j) / unit);
            assert!((one - other).abs() < 1e-3, "{one} {other}");
        }
    }
}

#[test]
fn an_observer_sees_trials_and_may_stop() {
    let (ratings, _) = tastes(30, 20, 9);
    let (mut trials, mut steps) = (0, 0);
    let model = ratings.fit().observe(|stage| {
        match stage {
            Stage::Trial(_) => trials += 1,
            _ => steps += 1,
        }
        ControlFlow::Continue(())
    });
    let model = model.solve().unwrap();
    assert_eq!(trials, model.selection.len());
    assert!(steps > 0);
    for after in [0, 3] {
        let mut told = 0;
        let fit = ratings.fit().observe(move |stage| {
            told += usize::from(matches!(stage, Stage::Trial(_)) || after == 0);
            if told > after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let model = fit.solve().unwrap();
        assert_eq!(model.recovery.status, Status::Interrupted);
        assert!(model.predict(Some(0), Some(0)).is_finite());
    }
}

#[test]
fn names_what_is_wrong() {
    let (ratings, _) = tastes(10, 8, 10);
    let name = |result: Result<RatingsModel, Error>| match result.unwrap_err() {
        Error::Parameter { name, .. } => name,
        Error::Empty { what } | Error::NotFinite { what, .. } => what,
        other => panic!("{other}"),
    };
    for s in [-0.1, 1.1, f64::NAN] {
        let fit = ratings.fit().weights(Weights::Smoothed(s));
        assert_eq!(name(fit.solve()), "the smoothing");
    }
    for n in [0, 1, 1000] {
        assert_eq!(name(ratings.fit().holdout(Holdout::Folds(n)).solve()), "the number of folds");
    }
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(name(ratings.fit().penalty(Penalty::Given(lambda)).solve()), "the penalty");
    }
    let both = ratings.fit().weights(Weights::Auto).penalty(Penalty::Given(1.0));
    assert_eq!(name(both.solve()), "the penalty");
    assert_eq!(name(ratings.fit().holdout(Holdout::Given(&[])).solve()), "the held-out ratings");
    let fewer = Shrinkage::choose(&ratings, Holdout::Folds(1), 0);
    assert!(matches!(fewer, Err(Error::Parameter { name: "the number of folds", .. })));
    let negative = ratings.fit().shrinkage(Shrinkage::both(-1.0));
    assert_eq!(name(negative.solve()), "the shrinkage");
    let bad = [(None, None, f64::NAN)];
    assert_eq!(name(ratings.fit().holdout(Holdout::Given(&bad)).solve()), "the held-out ratings");
    assert_eq!(name(ratings.fit().tolerance(2.0).solve()), "the tolerance");
    assert_eq!(name(ratings.fit().threads(0).solve()), "the number of threads");
    assert_eq!(name(ratings.fit().rank(0).solve()), "the rank");
    let model = ratings.fit().penalty(Penalty::Given(1.0)).solve().unwrap();
    let new = |ratings: &[(usize, f64)]| model.transform(ratings).unwrap_err();
    assert!(matches!(new(&[(0, 1.0), (8, 1.0)]), Error::OutOfRange { position: 1, .. }));
    assert!(matches!(new(&[(0, 1.0), (0, 1.0)]), Error::Duplicate { first: 0, second: 1, .. }));
    assert!(matches!(new(&[(0, f64::INFINITY)]), Error::NotFinite { index: 0, .. }));
    assert!(matches!(new(&[(0, 1e200)]), Error::Scale { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(96)
    })]

    /// Ratings of any content make a model that keeps its range, or an error, never a panic.
    #[test]
    fn any_ratings_are_a_model_or_an_error(
        rows in 0usize..6, cols in 0usize..6,
        entries in prop::collection::vec((0usize..6, 0usize..6, prop::num::f64::ANY), 1..12),
        ordinary in any::<bool>(),
        centring in prop::sample::select(vec![Centring::None, Centring::Global, Centring::RowCol]),
        weights in prop::sample::select(vec![
            Weights::Flat, Weights::Nuclear, Weights::Smoothed(0.5), Weights::Auto,
        ]),
        folds in 0usize..5, beta in prop::sample::select(vec![0.0, 0.5, 1e12]),
    ) {
        let mut entries = entries;
        if ordinary {
            // Each entry once, within the matrix, with a rating from 0 to 4.
            entries.retain(|e| e.0 < rows && e.1 < cols);
            entries.sort_by_key(|e| (e.0, e.1));
            entries.dedup_by_key(|e| (e.0, e.1));
            entries.iter_mut().for_each(|e| e.2 = (e.2.to_bits() % 5) as f64);
        }
        let i: Vec<usize> = entries.iter().map(|e| e.0).collect();
        let j: Vec<usize> = entries.iter().map(|e| e.1).collect();
        let values = entries.iter().map(|e| e.2).collect();
        let Ok(ratings) = Ratings::new(rows, cols, &i, &j, values) else { return Ok(()) };
        let fit = ratings.fit().centring(centring).weights(weights).max_iterations(200);
        let fit = fit.shrinkage(Shrinkage::both(beta));
        let fit = if folds > 0 { fit.holdout(Holdout::Folds(folds)) } else { fit };
        let enough = ratings.len() >= folds.max(2) && folds != 1;
        let model = match fit.solve() {
            Ok(model) => model,
            Err(error) => {
                prop_assert!(!(ordinary && enough), "{error}");
                return Ok(());
            }
        };
        let (low, high) = ratings.range();
        for i in 0..=rows {
            let row = model.row(Some(i));
            for (j, y) in row.top(cols, &[]) {
                prop_assert!(low <= y && y <= high, "{y}");
                prop_assert_eq!(y, model.predict(Some(i), Some(j)));
            }
            let new = model.transform(&[(0, low)]).unwrap();
            prop_assert!((low..=high).contains(&new.predict(Some(i))));
        }
    }
}
