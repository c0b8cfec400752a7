//! Reads when a test is started again by itself.

use atex_fmf::Value;

use crate::compile::error::CompileError;
use crate::compile::metadata::read::Scope;
use crate::compile::spec::Restart;

/// Reads `restart-on-exit-code`, `restart-max-count` and `restart-with-reboot`.
pub(crate) fn read(scope: &Scope<'_>) -> Result<Restart, CompileError> {
    const CODES: &str = "restart-on-exit-code";
    const MOST: &str = "restart-max-count";
    let codes: &[Value] = match scope.value(CODES) {
        None => &[],
        Some(Value::List(items)) => items,
        Some(value) => std::slice::from_ref(value),
    };
    let code = |value: &Value| {
        let code = value.as_int().and_then(|code| i32::try_from(code).ok());
        code.ok_or_else(|| scope.wrong(CODES, "an exit code or a list of them", value))
    };
    let most = scope.integer(MOST, 1)?;
    let wrong = |value| scope.wrong(MOST, "a number that is not negative", value);
    Ok(Restart {
        exit_codes: codes.iter().map(code).collect::<Result<_, _>>()?,
        most: match (u32::try_from(most), scope.value(MOST)) {
            (Ok(most), _) => most,
            (Err(_), value) => return Err(wrong(value.unwrap_or(&Value::Int(most)))),
        },
        with_reboot: scope.boolean("restart-with-reboot", false)?,
    })
}
