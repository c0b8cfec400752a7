//! The state of a SUT as it is kept on the machine: what is prepared, for which project, and whether it can be trusted.

use serde::{Deserialize, Serialize};

use crate::sut::{Due, Project};

/// So many projects are remembered by name. Projects that are still needed are kept beyond that.
const MOST_PROJECTS: usize = 64;

/// The state that is kept on the SUT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SutState {
    /// The keys (hex) of the prepare steps that were done, in order; each stands for the whole chain up to it. Empty where
    /// nothing is known to be prepared.
    pub chain: Vec<String>,
    /// The id of the project whose chain it is: its slots hold what the steps made.
    #[serde(default)]
    pub project: String,
    /// The projects that used the machine, as far as they are remembered, in the order of their use.
    #[serde(default)]
    pub projects: Vec<Project>,
    /// When the last step of the chain ended: seconds since the epoch, by the runner's clock.
    pub prepared_at: Option<u64>,
    /// When each step of the chain ended, as far as it is known.
    #[serde(default)]
    pub done_at: Vec<u64>,
    /// The boot of the machine in which the chain is in force: the one in which its last step was done, or a later one that a
    /// test asked for.
    #[serde(default)]
    pub boot: Option<String>,
    /// Why the state cannot be trusted; `None` where it can.
    pub taint: Option<Taint>,
    /// The plans that used the machine since their last finish.
    pub unfinished: Vec<Due>,
    /// How many times the machine was prepared from the first step without being installed anew.
    pub layers: u32,
}

impl SutState {
    /// Returns whether something was prepared, but the machine has booted since without a test's asking for it, so that what
    /// was started, mounted or put into memory is gone.
    pub fn is_booted_away(&self, boot: &str) -> bool {
        !self.chain.is_empty() && self.boot.as_deref() != Some(boot)
    }

    /// Returns whether something is prepared for a project.
    pub fn is_prepared_for(&self, project: &Project) -> bool {
        !self.chain.is_empty() && self.project == project.id
    }

    /// Returns the name of a project for people.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        let known = self.projects.iter().find(|project| project.id == id);
        known.map_or(id, |project| &project.name)
    }

    /// Remembers that a project uses the machine. Returns whether that was not known before.
    pub(crate) fn used_by(&mut self, project: &Project) -> bool {
        if project.id.is_empty() || self.projects.contains(project) {
            return false;
        }
        self.projects.retain(|known| known.id != project.id);
        self.projects.push(project.clone());
        let mut spare = self.projects.len().saturating_sub(MOST_PROJECTS);
        let (prepared, due) = (&self.project, &self.unfinished);
        self.projects.retain(|known| {
            let is_needed = known.id == *prepared || due.iter().any(|due| due.project == known.id);
            let goes = spare > 0 && !is_needed;
            spare -= usize::from(goes);
            !goes
        });
        true
    }

    /// Forgets all but the first `steps` steps of the chain. `steps` is at least 1.
    pub(crate) fn step_back(&mut self, steps: usize) {
        self.chain.truncate(steps);
        self.done_at.truncate(steps);
        self.prepared_at = self.done_at.last().copied().or(self.prepared_at);
    }

    /// Forgets what was prepared.
    pub(crate) fn unprepare(&mut self) {
        self.chain.clear();
        self.project.clear();
        self.done_at.clear();
        self.prepared_at = None;
        self.boot = None;
    }
}

/// Why a SUT is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// The reason for people: `test /a/b ended by timeout`.
    pub reason: String,
    /// When it happened, in seconds since the epoch.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_remembered_as_long_as_they_are_needed_and_else_not_for_ever() {
        let project = |number: usize| Project {
            id: format!("{number}"),
            name: format!("tree {number}"),
        };
        let mut state = SutState {
            project: "0".to_owned(),
            unfinished: vec![Due {
                plan: "/p".to_owned(),
                project: "1".to_owned(),
            }],
            ..SutState::default()
        };
        for number in 0..MOST_PROJECTS + 10 {
            assert!(state.used_by(&project(number)));
            assert!(!state.used_by(&project(number)));
        }
        assert_eq!(state.projects.len(), MOST_PROJECTS);
        assert_eq!(
            (state.name_of("0"), state.name_of("1"), state.name_of("2")),
            ("tree 0", "tree 1", "2")
        );
        let last = format!("{}", MOST_PROJECTS + 9);
        assert_eq!(state.name_of(&last), format!("tree {last}"));
    }
}
