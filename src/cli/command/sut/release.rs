//! `atex sut release`: gives back machines that were provided to a run that is gone; and their rows in `atex sut ls`.

use serde_json::json;

use crate::cli::config::directories;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::cli::output::messages;
use crate::cli::output::table::Cell;
use crate::host::clock::unix_now;
use crate::report::text::harmless;
use crate::report::{Exit, human};
use crate::sut::kind::provision::{self, ProvidedMachine};

/// Gives machines back: those that are named, or else all whose run is gone.
pub(super) fn run(names: &[String], settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let all = provision::provided(&directories::state()?);
    if let Some(name) = names
        .iter()
        .find(|name| all.iter().all(|machine| machine.machine != **name))
    {
        return Err(CliError::usage(format!("no machine `{name}` is provided"))
            .hint("`atex sut ls` lists the machines that are provided now"));
    }
    let mut exit = Exit::Passed;
    let is_meant = |machine: &&ProvidedMachine| names.is_empty() || names.contains(&machine.machine);
    for machine in all.iter().filter(is_meant) {
        if machine.is_in_use() {
            if !names.is_empty() {
                let text = format!("`{}` is in use by a run, and is not given back", machine.machine);
                messages::warning(&text, settings);
                exit = Exit::Infra;
            }
            continue;
        }
        match provision::give_back(machine) {
            Ok(()) if settings.json => {
                out.json(&json!({"machine": machine.machine, "program": machine.program, "sut": machine.sut}))?;
            }
            Ok(()) => out.line(format_args!("{}: given back", harmless(&machine.machine)))?,
            Err(left) => {
                messages::warning(&left, settings);
                exit = Exit::Infra;
            }
        }
    }
    Ok(exit)
}

/// Lists the machines that are provided now.
pub(super) fn list(rows: &mut Vec<[Cell; 5]>, settings: &Settings, out: &mut Out) -> Result<(), CliError> {
    for machine in provision::provided(&directories::state()?) {
        let (in_use, age) = (machine.is_in_use(), unix_now().saturating_sub(machine.at));
        if settings.json {
            out.json(&json!({
                "machine": machine.machine, "program": machine.program, "sut": machine.sut, "in-use": in_use, "age": age * 1000,
            }))?;
            continue;
        }
        let blank = || Cell::from("");
        let age = human::age(age);
        let state = if in_use {
            Cell::styled(out.palette.good, format!("provided {age} for `{}`", machine.sut))
        } else {
            let text = format!("left {age} by a run that is gone; `atex sut release` gives it back");
            Cell::styled(out.palette.bad, text)
        };
        rows.push([Cell::from(&machine.machine), blank(), blank(), state, blank()]);
    }
    Ok(())
}
