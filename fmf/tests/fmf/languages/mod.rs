//! Compares the languages inside fmf with Python's fmf, over generated cases and over those that once differed.

mod conditions;
mod filters;
mod oracle;
mod patterns;
mod random;
mod rules;
mod typed;
