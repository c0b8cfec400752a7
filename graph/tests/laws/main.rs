//! The laws of the graph, from outside: golden keys, models, refusals, drawings.

mod drawings;
mod explanations;
mod format;
mod golden;
mod keys;
mod model;
mod refusals;
mod scale;
mod selection;
mod states;
