use flatmin_core::*;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let raw = std::fs::read(&a[1]).unwrap();
    let v: Vec<f64> = raw
        .chunks_exact(8)
        .map(|c| f64::from_le_bytes(c.try_into().unwrap()))
        .collect();
    let (d1, d2) = (v[0] as usize, v[1] as usize);
    let tol: f64 = a[2].parse().unwrap();
    let (mut i, mut j, mut b) = (vec![], vec![], vec![]);
    for t in v[2..].chunks_exact(3) {
        i.push(t[0] as usize);
        j.push(t[1] as usize);
        b.push(t[2]);
    }
    let map = Entries::new(d1, d2, &i, &j).unwrap();
    let t0 = Instant::now();
    let x = Program::new(
        &map,
        &b,
        if a.len() > 3 {
            Objective::Nuclear
        } else {
            Objective::Flat
        },
    )
    .tolerance(tol)
    .observe(|p| {
        if p.iteration % 20 == 0 {
            println!(
                "{:6.1}s {} {} obj {:.6e} low {:.6e} feas {:.1e} rank {}",
                t0.elapsed().as_secs_f64(),
                p.iteration,
                p.road,
                p.objective,
                p.lower_bound,
                p.feasibility,
                p.rank
            );
        }
        std::ops::ControlFlow::Continue(())
    })
    .solve()
    .unwrap();
    println!(
        "{} gap {:.1e} rank {} it {} {:.1}s",
        x.status,
        x.relative_gap,
        x.rank,
        x.iterations,
        t0.elapsed().as_secs_f64()
    );
}
