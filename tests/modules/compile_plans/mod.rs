//! Tests of compiling plans and tests: what is used of them, and what is refused.

mod contexts;
mod errors;
mod imports;
mod modified;
mod plans;
mod trial;
mod variables;
