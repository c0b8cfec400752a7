//! Compares the languages inside fmf with Python's fmf, over generated cases and over those that once differed.

mod asked;
mod conditions;
mod filters;
mod oracle;
mod patterns;
mod rules;
mod typed;
