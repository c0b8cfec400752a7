//! Lint of values that the readers of `compile` refuse: wrong types, and texts without a meaning.

use std::collections::BTreeMap;
use std::path::Path;

use atex_fmf::Value;

use super::{LintCode, Linter};
use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::fetch::Network;
use crate::compile::library::requirement;
use crate::compile::metadata::read::Scope;
use crate::compile::metadata::schema::NodeKind;
use crate::compile::plan::environment_file::EnvironmentFileError;
use crate::compile::plan::{context, environment, environment_file, execute, import};
use crate::compile::test::{duration, interface, tags};

/// Checks the values of a node that is defined in `here`, or those of one of its adjust rules.
pub(super) fn check(linter: &mut Linter<'_>, scope: &Scope<'_>, kind: NodeKind, here: &Path) {
    let flags: &[&str] = match kind {
        NodeKind::Test => &["enabled", "manual", "tty"],
        NodeKind::Plan => &["enabled"],
        NodeKind::Story | NodeKind::Other => return,
    };
    for key in flags {
        check_flag(linter, scope, key);
    }
    refused(linter, scope, scope.integer("order", 0));
    refused(linter, scope, scope.globs(here));
    refused(linter, scope, environment::read(scope, kind == NodeKind::Plan));
    refused(linter, scope, interface::read(scope));
    if kind == NodeKind::Plan {
        refused(linter, scope, context::written(scope));
        match environment_file::of_plan(scope, linter.root(), Network::Unused, &mut Vec::new()) {
            Ok(files) => linter.note_remote(&files.left),
            Err(error) => refused::<()>(linter, scope, Err(error)),
        }
        refused(linter, scope, import::of_plan(scope, BTreeMap::new(), &mut Vec::new()));
        refused(linter, scope, execute::of_plan(scope));
        refused(linter, scope, scope.text("extra-atex-probe"));
        refused(linter, scope, scope.boolean("extra-atex-shared-tree", false));
        return;
    }
    for key in ["require", "recommend"] {
        refused(linter, scope, requirement::read(scope, key));
    }
    refused(linter, scope, tags(scope));
    refused(linter, scope, scope.text("path"));
    refused(linter, scope, scope.integer("extra-priority", 0));
    check_duration(linter, scope);
    if let Some(value) = scope.value("test").filter(|value| value.as_str().is_none()) {
        refused::<()>(linter, scope, Err(scope.wrong("test", "a text", value)));
    }
}

/// Reports the error of a reader.
pub(super) fn refused<T>(linter: &mut Linter<'_>, scope: &Scope<'_>, read: Result<T, CompileError>) {
    let Err(error) = read else { return };
    let hint = error.hint();
    let CompileError::Metadata { cause, problem, .. } = error else {
        return;
    };
    let code = match &problem {
        MetadataProblem::Type { .. }
        | MetadataProblem::Import(_)
        | MetadataProblem::Modified(_)
        | MetadataProblem::Interface(_)
        | MetadataProblem::Requirement(_)
        | MetadataProblem::OpenQuote(_)
        | MetadataProblem::LibraryPlace { .. } => LintCode::WrongType,
        MetadataProblem::NotInKey { .. } => LintCode::LeftOut,
        MetadataProblem::SeveralGuests(_) | MetadataProblem::OtherGuest(_) => LintCode::SeveralGuests,
        MetadataProblem::NoMachine(_)
        | MetadataProblem::Password
        | MetadataProblem::SshOption
        | MetadataProblem::Host(_)
        | MetadataProblem::SeveralKeys => LintCode::TmtKey,
        MetadataProblem::Duration(_) => LintCode::BadDuration,
        MetadataProblem::Variable { .. } | MetadataProblem::Assignment(_) | MetadataProblem::Expansion => {
            LintCode::BadVariable
        }
        MetadataProblem::EnvironmentFile(EnvironmentFileError::Read { .. } | EnvironmentFileError::Page(_)) => {
            LintCode::MissingFile
        }
        MetadataProblem::EnvironmentFile(EnvironmentFileError::Content { .. }) => LintCode::BadVariable,
        MetadataProblem::Glob { .. } => LintCode::BadGlob,
        MetadataProblem::EnvironmentFile(EnvironmentFileError::Outside(_))
        | MetadataProblem::Outside(_)
        | MetadataProblem::NoDirectory(_)
        | MetadataProblem::LeadsOut { .. } => LintCode::BadPath,
        MetadataProblem::SameName { .. } | MetadataProblem::SectionName(_) => LintCode::SectionName,
        MetadataProblem::RequiredTest(_) => LintCode::NameMatchesNothing,
        MetadataProblem::Incomplete(_) | MetadataProblem::TestName(_) | MetadataProblem::ScriptBesideDiscover => {
            LintCode::BadDiscover
        }
        MetadataProblem::Empty(_) => LintCode::EmptyScript,
        MetadataProblem::Expression { .. } => LintCode::BadRule,
    };
    let at = (scope.node(), cause.location.as_ref());
    linter
        .findings
        .add_at(code, at, problem.word(), problem.to_string(), hint);
}

fn check_duration(linter: &mut Linter<'_>, scope: &Scope<'_>) {
    match scope.text("duration") {
        Ok(Some(text)) if duration::parse(&text).is_none() => {
            let error = scope.error("duration", MetadataProblem::Duration(text));
            refused::<()>(linter, scope, Err(error));
        }
        read => refused(linter, scope, read),
    }
}

fn check_flag(linter: &mut Linter<'_>, scope: &Scope<'_>, key: &str) {
    let Some(value) = scope.value(key).filter(|value| value.as_bool().is_none()) else {
        return;
    };
    let counts = if scope.flag(key, true) { "true" } else { "false" };
    let text = match value {
        Value::List(_) | Value::Map(_) => key.to_owned(),
        scalar => scalar.to_python_str(),
    };
    let hint = matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off")
        .then(|| "YAML 1.2 knows only `true` and `false`".to_owned());
    let message = format!("`{key}` is not a boolean and counts as {counts}");
    linter.add(LintCode::NotBoolean, (scope, key), &text, message, hint);
}
