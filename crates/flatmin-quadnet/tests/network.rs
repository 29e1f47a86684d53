//! Students read off a recovery: what they compute, how wide and how flat they are.

#![allow(clippy::unwrap_used, clippy::panic)]

use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Objective, Program};
use flatmin_quadnet::{Error, Mat, Network, Planted, QuadNet, fit, with_constant};

fn planted(order: usize, positive: usize, negative: usize, m: usize) -> Planted {
    let stream = |role| Stream::new(1, "network", 0, 0, role);
    let (mut t, mut x) = (stream(Role::Truth), stream(Role::Measurements));
    Planted::gaussian(order, positive, negative, m, &mut t, &mut x).unwrap()
}

fn fresh(n: usize, order: usize) -> Mat<f64> {
    Stream::new(1, "network", 0, 0, Role::Probe).gaussian_matrix(n, order)
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// In the recovery regime a student makes no error on inputs that it has not seen; below it does.
#[test]
fn students_generalise_where_they_recover() {
    for (order, positive, negative) in [(12, 1, 1), (16, 2, 1), (10, 0, 2), (9, 1, 0)] {
        let Planted { problem, truth } = planted(order, positive, negative, 5 * order * 2);
        for program in [problem.flat(), problem.nuclear()] {
            let answer = program.solve().unwrap();
            let student = Network::from_recovery(&answer).unwrap();
            assert_eq!(student.widths(), (positive, negative));
            assert_eq!(student.order(), order);
            assert!((student.matrix() - answer.matrix()).norm_max() < 1e-12);
            let inputs = fresh(50, order);
            let teacher: Vec<f64> =
                (0..50).map(|i| inputs.row(i) * &truth * inputs.row(i).transpose()).collect();
            let outputs = student.predict(inputs.as_ref()).unwrap();
            assert!(worst(&outputs, &teacher) < 1e-5, "{}", worst(&outputs, &teacher));
        }
    }
    let Planted { problem, truth } = planted(12, 1, 1, 20);
    let student = Network::from_recovery(&problem.flat().solve().unwrap()).unwrap();
    let inputs = fresh(50, 12);
    let outputs = student.predict(inputs.as_ref()).unwrap();
    let teacher: Vec<f64> =
        (0..50).map(|i| inputs.row(i) * &truth * inputs.row(i).transpose()).collect();
    assert!(worst(&outputs, &teacher) > 1e-1);
}

/// At flat weights the trace of the loss is `8 d |D X D|_*`, at any width; at other weights that
/// fit it is larger.
#[test]
fn flat_students_have_the_least_trace() {
    for (order, positive, negative, m) in [(9, 1, 1, 60), (8, 2, 1, 20), (7, 1, 0, 10)] {
        let Planted { problem, .. } = planted(order, positive, negative, m);
        let flat = problem.flat().solve().unwrap();
        let student = Network::from_recovery(&flat).unwrap();
        let (k1, k2) = student.widths();
        let expected = 8.0 * order as f64 * flat.objective;
        for (wider1, wider2) in [(0, 0), (3, 0), (0, 2), (4, 5)] {
            let wide = student.padded(k1 + wider1, k2 + wider2).unwrap();
            assert_eq!(wide.widths(), (k1 + wider1, k2 + wider2));
            assert_eq!(wide.matrix(), student.matrix());
            let loss = problem.network_loss(k1 + wider1, k2 + wider2).unwrap();
            let weights = wide.weights();
            assert!(loss.value(weights.as_ref()).unwrap() < 1e-15);
            let trace = loss.trace(weights.as_ref()).unwrap();
            // The residual term of the trace vanishes as the fit is to 1e-9.
            assert!((trace - expected).abs() < 1e-7 * expected, "{trace} is not {expected}");
        }
        assert!((order as f64 * flat.scaled_trace - expected).abs() < 1e-9 * expected);
        // Two opposite units that cancel cost curvature and change nothing.
        let mut weights = student.padded(k1 + 1, k2 + 1).unwrap().weights();
        (weights[(0, k1)], weights[(0, k1 + 1 + k2)]) = (0.3, 0.3);
        let loss = problem.network_loss(k1 + 1, k2 + 1).unwrap();
        assert!(loss.value(weights.as_ref()).unwrap() < 1e-15);
        assert!(loss.trace(weights.as_ref()).unwrap() > expected * (1.0 + 1e-4));
        // The nuclear norm's student fits as well, and is less flat.
        let other = Network::from_recovery(&problem.nuclear().solve().unwrap()).unwrap();
        let (k1, k2) = other.widths();
        let trace = problem.network_loss(k1, k2).unwrap().trace(other.weights().as_ref()).unwrap();
        assert!(trace > expected * (1.0 - 1e-7));
    }
}

/// Any output weights reduce to `±1`.
#[test]
fn output_weights_are_absorbed() {
    let hidden = fresh(4, 6).transpose().to_owned();
    let output = [2.5, -0.5, 0.0, 1e-3];
    let network = Network::from_weights(hidden.as_ref(), &output).unwrap();
    assert_eq!(network.widths(), (2, 1));
    let inputs = Stream::new(2, "network", 0, 0, Role::Probe).gaussian_matrix(30, 6);
    let expected: Vec<f64> = (0..30)
        .map(|i| {
            let product = |j: usize| (0..6).map(|p| inputs[(i, p)] * hidden[(p, j)]).sum::<f64>();
            (0..4).map(|j| output[j] * product(j).powi(2)).sum()
        })
        .collect();
    assert!(worst(&network.predict(inputs.as_ref()).unwrap(), &expected) < 1e-12);
}

/// A quadratic polynomial with linear terms and an intercept, from fewer points than coefficients.
#[test]
fn the_constant_brings_linear_terms_and_an_intercept() {
    let d = 11;
    // ((w, x) + 2)^2 - ((v, x) - 1)^2: rank two in (x, 1), 77 coefficients.
    let (w, v) = (fresh(1, d), fresh(2, d));
    let value = |x: &Mat<f64>, i: usize| {
        let along = |u: &Mat<f64>, row: usize| (0..d).map(|p| u[(row, p)] * x[(i, p)]).sum::<f64>();
        (along(&w, 0) + 2.0).powi(2) - (along(&v, 1) - 1.0).powi(2)
    };
    let inputs = Stream::new(3, "network", 0, 0, Role::Measurements).gaussian_matrix(70, d);
    let targets: Vec<f64> = (0..70).map(|i| value(&inputs, i)).collect();
    let (student, answer) = fit(with_constant(inputs.as_ref()).as_ref(), &targets).unwrap();
    assert!(answer.status.is_certified());
    assert_eq!(student.widths(), (1, 1));
    let inputs = fresh(40, d);
    let expected: Vec<f64> = (0..40).map(|i| value(&inputs, i)).collect();
    let outputs = student.predict(with_constant(inputs.as_ref()).as_ref()).unwrap();
    assert!(worst(&outputs, &expected) < 1e-5, "{}", worst(&outputs, &expected));
    let intercept = student.predict(with_constant(Mat::zeros(1, d).as_ref()).as_ref()).unwrap();
    assert!((intercept[0] - 3.0).abs() < 1e-6);
}

#[test]
fn names_what_is_wrong() {
    let zeros = |rows, cols| Mat::<f64>::zeros(rows, cols);
    assert!(matches!(Network::new(zeros(2, 1), zeros(3, 1)), Err(Error::Shape { .. })));
    assert!(matches!(Network::new(zeros(0, 1), zeros(0, 1)), Err(Error::Shape { .. })));
    let bad = Mat::full(2, 1, f64::NAN);
    let error = Network::new(zeros(2, 1), bad.clone()).unwrap_err();
    assert!(error.to_string().contains("U2"), "{error}");
    let error = Network::from_weights(zeros(2, 2).as_ref(), &[1.0]).unwrap_err();
    assert!(error.to_string().contains("length 2"), "{error}");
    let error = Network::from_weights(zeros(2, 2).as_ref(), &[1.0, f64::INFINITY]).unwrap_err();
    assert!(error.to_string().contains("index 1"), "{error}");
    let network = Network::new(zeros(2, 2), zeros(2, 1)).unwrap();
    let error = network.padded(5, 0).unwrap_err();
    assert!(error.to_string().contains("(5, 0) for (2, 1)"), "{error}");
    let error = network.predict(zeros(4, 3).as_ref()).unwrap_err();
    assert!(error.to_string().contains("2 columns"), "{error}");
    assert_eq!(network.predict(zeros(0, 2).as_ref()).unwrap(), Vec::<f64>::new());
    assert!(fit(zeros(2, 2).as_ref(), &[1.0]).is_err());
    assert!(fit(bad.as_ref(), &[1.0, 1.0]).is_err());

    // Nothing but zeros is a network without units.
    let nothing = QuadNet::from_arrays(2, vec![1.0, 2.0], vec![0.0]).unwrap();
    let student = Network::from_recovery(&nothing.flat().solve().unwrap()).unwrap();
    assert_eq!((student.widths(), student.order()), ((0, 0), 2));
    assert_eq!(student.predict(zeros(1, 2).as_ref()).unwrap(), [0.0]);

    // What was sought among all matrices need not be symmetric.
    let problem = planted(3, 1, 0, 6).problem;
    let general = Program::new(problem.map(), problem.targets(), Objective::Flat).solve().unwrap();
    let error = Network::from_recovery(&general).unwrap_err();
    assert!(error.to_string().contains("symmetric"), "{error}");
}
