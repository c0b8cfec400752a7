//! Compiling plans and tests: what is taken of them, and what is refused.

mod errors;
mod plans;
mod trial;
