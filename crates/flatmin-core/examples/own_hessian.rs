//! A Hessian of one's own: how curved the loss of a small network is, before and after training.
//!
//! Only the value and the gradient of the loss are written. Products with its Hessian are differences
//! of gradients, two a product, and no Hessian is formed: what is found about its 336 eigenvalues is
//! found from fewer products, with an error bar or a bound beside every number.
//!
//! ```text
//! cargo run --release -p flatmin-core --example own_hessian
//! ```

use flatmin_core::Error;
use flatmin_core::flatness::spectrum::{Lanczos, Quadrature};
use flatmin_core::flatness::{Estimator, Method};
use flatmin_core::loss::{Loss, check_point};
use flatmin_core::rng::{Role, Stream};

const INPUTS: usize = 20;
const UNITS: usize = 16;

/// `f(W, a) = (1/2m) sum_i (sum_h a_h tanh(w_h^T x_i) - y_i)^2`, of the vector `(w_1, .., w_16, a)`.
struct Network {
    /// The `x_i`, one after the other.
    inputs: Vec<f64>,
    targets: Vec<f64>,
}

impl Network {
    /// A teacher of two units sees Gaussian inputs; its answers come with noise.
    fn planted(samples: usize) -> Network {
        let mut stream = Stream::new(1, "own hessian", 0, 0, Role::Truth);
        let inputs = stream.gaussian_vector(samples * INPUTS);
        let teacher = stream.gaussian_vector(2 * INPUTS);
        let target = |x: &[f64]| {
            let units = teacher.chunks(INPUTS).map(|w| dot(w, x).tanh());
            units.sum::<f64>() + 0.1 * stream.gaussian()
        };
        let targets = inputs.chunks(INPUTS).map(target).collect();
        Network { inputs, targets }
    }
}

impl Loss for Network {
    fn order(&self) -> usize {
        UNITS * INPUTS + UNITS
    }

    fn value(&self, x: &[f64]) -> Result<f64, Error> {
        self.value_and_gradient(x, &mut vec![0.0; x.len()])
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        check_point(self.order(), x)?;
        check_point(self.order(), gradient)?;
        let m = self.targets.len() as f64;
        let (weights, output) = x.split_at(UNITS * INPUTS);
        gradient.fill(0.0);
        let (by_weights, by_output) = gradient.split_at_mut(UNITS * INPUTS);
        let mut value = 0.0;
        for (input, target) in self.inputs.chunks(INPUTS).zip(&self.targets) {
            let units: Vec<f64> = weights.chunks(INPUTS).map(|w| dot(w, input).tanh()).collect();
            let residual = (dot(output, &units) - target) / m;
            value += 0.5 * m * residual * residual;
            for h in 0..UNITS {
                by_output[h] += residual * units[h];
                let slope = residual * output[h] * (1.0 - units[h] * units[h]);
                let row = by_weights[h * INPUTS..(h + 1) * INPUTS].iter_mut();
                row.zip(input).for_each(|(g, x)| *g += slope * x);
            }
        }
        Ok(value)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Prints what few products with the Hessian at `x` tell.
fn measure(network: &Network, x: &[f64]) -> Result<(), Error> {
    let hessian = network.hessian(x)?;
    let estimate = Estimator::new(Method::Auto).matvecs(48).trace(hessian.as_ref())?;
    let (value, bar, method) = (estimate.value, 2.0 * estimate.std_err, estimate.method);
    println!("  trace               {value:.3} +- {bar:.3} from 48 products, by {method}");
    let estimate = Estimator::new(Method::Auto).tolerance(0.02).trace(hessian.as_ref())?;
    let (value, bar, products) = (estimate.value, 2.0 * estimate.std_err, estimate.matvecs);
    println!("  the same to 2 %     {value:.3} +- {bar:.3} from {products} products");
    let exact = Estimator::new(Method::Exact).trace(hessian.as_ref())?;
    println!("  all unit vectors    {:.3} from {} products", exact.value, exact.matvecs);

    let top = Lanczos::default().largest(hessian.as_ref())?;
    let (value, within, products) = (top.value, top.residual, top.products);
    println!("  largest eigenvalue  {value:.6}, within {within:.0e}, from {products} products");
    let density = Quadrature { probes: 5, steps: 20, ..Quadrature::default() };
    let squares = density.density(hessian.as_ref())?.integrate(|t| t * t);
    let (value, bar) = (squares.value, 2.0 * squares.std_err);
    println!("  sum of squares      {value:.2} +- {bar:.2} from 100 products");
    Ok(())
}

fn main() -> Result<(), Error> {
    let network = Network::planted(200);
    let mut stream = Stream::new(1, "own hessian", 0, 0, Role::Start);
    let mut x: Vec<f64> = (0..network.order()).map(|_| 0.3 * stream.gaussian()).collect();
    let mut gradient = vec![0.0; x.len()];
    println!("at the start, loss {:.4}", network.value(&x)?);
    measure(&network, &x)?;

    for _ in 0..1000 {
        network.value_and_gradient(&x, &mut gradient)?;
        x.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.2 * g);
    }
    println!("after 1000 steps of gradient descent, loss {:.4}", network.value(&x)?);
    measure(&network, &x)
}
