//! Projects: who owns the trees, the prepared state and the due finishes on a machine.
//!
//! A machine may serve many projects, one after the other. Each project has its own trees and plan environment files there.
//! What is prepared belongs to the whole machine, so only one project at a time can have something prepared.

use serde::{Deserialize, Serialize};

/// A project: a tree on a host, as far as machines need to know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// The id that distinguishes it from all other projects: `[a-z0-9]+`. Empty where there is only one project; its slots
    /// have the names of its trees.
    pub id: String,
    /// The directory of the project, for people.
    pub name: String,
}

impl Project {
    /// Returns the name of the slot of one of its trees.
    pub fn slot(&self, tree: &str) -> String {
        if self.id.is_empty() {
            return tree.to_owned();
        }
        format!("{}-{tree}", self.id)
    }
}

/// Returns the id of the project that a slot belongs to.
pub fn of_slot(slot: &str) -> &str {
    slot.split_once('-').map_or(slot, |(project, _)| project)
}

/// A finish that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Due {
    /// The name of the plan.
    pub plan: String,
    /// The id of the plan's project. Empty where it is not known, as older versions left it: then any project can run the
    /// finish.
    pub project: String,
}

impl Due {
    /// Returns whether a project can run this finish.
    pub fn is_of(&self, project: &Project) -> bool {
        self.project.is_empty() || self.project == project.id
    }
}

impl From<&str> for Due {
    /// A due finish whose project is not known.
    fn from(plan: &str) -> Self {
        Self {
            plan: plan.to_owned(),
            project: String::new(),
        }
    }
}

/// The serialized forms of a due finish: today's, and that of older versions.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Plan(String),
    Due {
        plan: String,
        #[serde(default)]
        project: String,
    },
}

impl From<Written> for Due {
    fn from(written: Written) -> Self {
        match written {
            Written::Plan(plan) => Self::from(plan.as_str()),
            Written::Due { plan, project } => Self { plan, project },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_belongs_to_the_project_that_made_its_name() {
        let project = Project {
            id: "0a1b".to_owned(),
            name: String::new(),
        };
        for tree in ["main", "s-0123"] {
            assert_eq!(of_slot(&project.slot(tree)), project.id);
        }
        assert_eq!(Project::default().slot("s-0123"), "s-0123");
    }

    #[test]
    fn what_an_older_version_left_due_can_be_paid_by_any_project() {
        let due: Vec<Due> = serde_json::from_str(r#"["/p", {"plan": "/q", "project": "a"}]"#).unwrap();
        let of = |id: &str| Project {
            id: id.to_owned(),
            name: String::new(),
        };
        let paid = |id| due.iter().map(|due| due.is_of(&of(id))).collect::<Vec<_>>();
        assert_eq!((paid("a"), paid("b")), (vec![true, true], vec![true, false]));
        let text = serde_json::to_string(&due).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Due>>(&text).unwrap(), due);
    }
}
