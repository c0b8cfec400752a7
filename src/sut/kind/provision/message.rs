//! The messages between atex and a provisioner: a JSON object on each line. `docs/provision.md` is their description.
//!
//! Only the form of messages is known here. What a provisioner says is not trusted: a field that does not exist, or an answer
//! that is none or two, is an error.

use serde::{Deserialize, Serialize};

/// The version of the messages.
pub(super) const VERSION: u32 = 1;

/// The length of a line that is too long.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// What atex asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(super) enum Request<'a> {
    /// A machine is wanted.
    Provision {
        version: u32,
        /// The name of the SUT.
        sut: &'a str,
        /// Its number, if the target stands for several.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<u32>,
        /// Who wants it: the process, user and host.
        by: &'a str,
    },
    /// The machine is not needed any more.
    Release {
        machine: &'a str,
        /// Why it should be looked at before anybody else gets it.
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<&'a str>,
    },
    /// The machine does not answer, and is to be started anew.
    PowerCycle { machine: &'a str },
}

/// What a provisioner can do with a machine besides providing and releasing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Capability {
    /// It can start the machine anew.
    PowerCycle,
}

/// What a provisioner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It goes on waiting, and says for what.
    Wait {
        reason: String,
        /// The machine or request that is held from now on, as the provisioner calls it.
        machine: Option<String>,
    },
    /// It cannot do what it was asked for, and holds nothing that it did not hold before.
    Error { reason: String, hint: Option<String> },
    /// A machine.
    Provided(Provided),
    /// It did what it was asked for.
    Done,
}

/// A machine that was provided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provided {
    /// How it is reached.
    pub(super) target: String,
    /// What the provisioner calls it.
    pub(super) machine: String,
    pub(super) can: Vec<Capability>,
    /// How long it is there, if not until it is released.
    pub(super) seconds: Option<u64>,
}

/// All fields that an answer may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    wait: Option<String>,
    error: Option<String>,
    hint: Option<String>,
    target: Option<String>,
    machine: Option<String>,
    #[serde(default)]
    can: Vec<Capability>,
    seconds: Option<u64>,
    done: Option<bool>,
}

/// Reads a line of a provisioner. The error is a text on what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Answer, String> {
    let fields: Fields = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let is_plain = fields.can.is_empty() && fields.seconds.is_none();
    match fields {
        Fields {
            wait: Some(reason),
            error: None,
            hint: None,
            target: None,
            machine,
            done: None,
            ..
        } if is_plain => Ok(Answer::Wait { reason, machine }),
        Fields {
            wait: None,
            error: Some(reason),
            hint,
            target: None,
            machine: None,
            done: None,
            ..
        } if is_plain => Ok(Answer::Error { reason, hint }),
        Fields {
            wait: None,
            error: None,
            hint: None,
            target: Some(target),
            machine,
            can,
            seconds,
            done: None,
        } => {
            let machine = machine.unwrap_or_else(|| target.clone());
            let provided = Provided {
                target,
                machine,
                can,
                seconds,
            };
            Ok(Answer::Provided(provided))
        }
        Fields {
            wait: None,
            error: None,
            hint: None,
            target: None,
            machine: None,
            done: Some(true),
            ..
        } if is_plain => Ok(Answer::Done),
        _ => Err("it is not exactly one of `wait`, `error`, `target` and `done`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Result<Answer, String> {
        read(line.as_bytes())
    }

    #[test]
    fn an_answer_is_exactly_one_thing() {
        let wait = |reason: &str, machine: Option<&str>| Answer::Wait {
            reason: reason.to_owned(),
            machine: machine.map(str::to_owned),
        };
        assert_eq!(answer(r#"{"wait":"busy"}"#), Ok(wait("busy", None)));
        assert_eq!(answer(r#"{"wait":"busy","machine":"7"}"#), Ok(wait("busy", Some("7"))));
        assert_eq!(answer(r#"{"done":true}"#), Ok(Answer::Done));
        let provided = Provided {
            target: "root@lab".to_owned(),
            machine: "root@lab".to_owned(),
            can: vec![Capability::PowerCycle],
            seconds: Some(60),
        };
        assert_eq!(
            answer(r#"{"target":"root@lab","can":["power-cycle"],"seconds":60}"#),
            Ok(Answer::Provided(provided))
        );
        for line in [
            "",
            "{}",
            "[]",
            "done",
            r#"{"done":false}"#,
            r#"{"done":true,"error":"x"}"#,
            r#"{"wait":"x","target":"y"}"#,
            r#"{"wait":"x","seconds":1}"#,
            r#"{"target":"y","can":["fly"]}"#,
            r#"{"target":"y","colour":"red"}"#,
            r#"{"target":"y","seconds":-1}"#,
            r#"{"hint":"x"}"#,
            "{\"error\":\"\u{fffd}\"",
        ] {
            assert!(answer(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_request_is_written_as_the_documents_say() {
        let written = |request: Request<'_>| serde_json::to_string(&request).unwrap();
        assert_eq!(
            written(Request::Provision {
                version: VERSION,
                sut: "lab-1",
                number: Some(1),
                by: "me"
            }),
            r#"{"request":"provision","version":1,"sut":"lab-1","number":1,"by":"me"}"#
        );
        assert_eq!(
            written(Request::Release {
                machine: "7",
                trouble: None
            }),
            r#"{"request":"release","machine":"7"}"#
        );
        assert_eq!(
            written(Request::PowerCycle { machine: "7" }),
            r#"{"request":"power-cycle","machine":"7"}"#
        );
    }
}
