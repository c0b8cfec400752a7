//! The arguments of `atex lint`.

use clap::Args;

/// Say what of the metadata is wrong, or not obeyed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex lint                             the whole tree
  atex lint /tests/smoke                one node, or all whose name has that in it
  atex lint --allow missing-file        all but one kind of finding
  atex lint --tmt                       also where tmt would do something else

Exit codes: 0 nothing found, 1 something found, 2 the tree cannot be read")]
pub(crate) struct LintArgs {
    /// Tests, plans and stories by name, or regular expressions [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Do not report findings with this code (repeatable)
    #[arg(long, value_name = "CODE")]
    pub(crate) allow: Vec<String>,

    /// Report also where tmt would treat the tree in another way
    #[arg(long)]
    pub(crate) tmt: bool,
}
