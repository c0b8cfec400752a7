//! Compares the engine with Python's fmf: trees of a corpus, trees for each feature, and generated ones.

mod cases;
mod corpus;
mod generated;
mod large;
mod oracle;
mod packed;
mod soup;
mod trees;
mod typed;
mod words;
