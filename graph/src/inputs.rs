//! The inputs of each kind of node: what it depends on, apart from other nodes.
//!
//! They are plain data. `compile` fills them in, and [`Manifest`] shows them to the key and to the explanation. Each kind has a
//! file of its own; what several kinds share is in `value` and `files`.

mod discover;
mod files;
mod finish;
mod prepare;
mod test;
mod value;

pub use discover::DiscoverInputs;
pub use files::{FileMode, FileSet, InputFile, InputFiles};
pub use finish::FinishInputs;
pub use prepare::{PrepareInputs, StepAction, StepOptions};
pub use test::TestInputs;
pub use value::{Base, EnvValue, Environment, Sourced};

use crate::manifest::{Manifest, Visitor};
use crate::name::Kind;

/// The inputs of a node: what it depends on, apart from other nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// The inputs of a discover node.
    Discover(DiscoverInputs),
    /// The inputs of a prepare step.
    Prepare(PrepareInputs),
    /// The inputs of a test.
    Test(TestInputs),
    /// The inputs of a finish step.
    Finish(FinishInputs),
}

impl Inputs {
    /// Returns the kind of node that has such inputs.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Discover(_) => Kind::Discover,
            Self::Prepare(_) => Kind::Prepare,
            Self::Test(_) => Kind::Test,
            Self::Finish(_) => Kind::Finish,
        }
    }
}

impl Manifest for Inputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        match self {
            Self::Discover(inputs) => inputs.visit(visitor),
            Self::Prepare(inputs) => inputs.visit(visitor),
            Self::Test(inputs) => inputs.visit(visitor),
            Self::Finish(inputs) => inputs.visit(visitor),
        }
    }
}

impl From<DiscoverInputs> for Inputs {
    fn from(inputs: DiscoverInputs) -> Self {
        Self::Discover(inputs)
    }
}

impl From<PrepareInputs> for Inputs {
    fn from(inputs: PrepareInputs) -> Self {
        Self::Prepare(inputs)
    }
}

impl From<TestInputs> for Inputs {
    fn from(inputs: TestInputs) -> Self {
        Self::Test(inputs)
    }
}

impl From<FinishInputs> for Inputs {
    fn from(inputs: FinishInputs) -> Self {
        Self::Finish(inputs)
    }
}
