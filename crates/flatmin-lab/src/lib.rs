//! The laboratory: sweeps of planted problems and other studies, records, figures, and a report of the paper's
//! claims.
//!
//! ```text
//! spec, spec_file     what is measured: cells, sweeps, scales, a user's own sweep
//! experiment          the table of experiments
//! trial, noisy        one draw, solved with each objective; the same under noise
//! robust, scattered   one draw of robust PCA; one of a large matrix
//! regularity, noise   how regular the factors are; how errors follow the noise
//! study               experiments that are no sweep: independent tasks with rows of their own
//! studies             estimators of traces, depth, real ratings: tasks, claims, figures and tables of each
//! runner, journal     draws on a pool of workers, through a journal that survives being killed
//! record, summary     one row a solve; counts over rows
//! transition, claims  the 50% line; the paper's claims against the records
//! figure, report      SVG and HTML
//! ```
//!
//! Every file but `timings*.csv`, `report/timings.js` and the figures of times is a function of the grid, the seed and
//! the solvers: the same bytes for any number of workers, and after any interruption.

pub mod args;
pub mod claims;
mod error;
pub mod experiment;
pub mod figure;
pub mod journal;
mod memory;
pub mod noise;
mod noisy;
pub mod progress;
pub mod record;
pub mod regularity;
pub mod report;
pub mod reproduce;
mod robust;
pub mod runner;
mod scattered;
pub mod spec;
pub mod spec_file;
pub mod studies;
pub mod study;
pub mod summary;
pub mod transition;
pub mod trial;

pub use error::{Differences, Error};
