//! One round: events that happen to a tree, the cache and the machines, and then a build. A sequence of rounds describes
//! everything that happens to a suite, so it can be replayed, with or without one of its parts.

use crate::harness::edits::Edit;
use crate::harness::faults::{Damage, Fault, Kinds, Turn};
use crate::harness::project::{Shape, harm};
use crate::harness::random::Random;
use crate::harness::suite::{Call, Suite};

/// What happens before a build, and how it is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) edits: Vec<Edit>,
    pub(crate) damage: Option<Damage>,
    pub(crate) turn: Option<Turn>,
    pub(crate) call: Call,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let call = &self.call;
        let mut words: Vec<_> = self.edits.iter().map(|edit| format!("{edit:?}")).collect();
        words.extend(self.damage.iter().map(|damage| format!("{damage:?}")));
        words.extend(self.turn.iter().map(|turn| format!("{turn:?}")));
        words.extend((call.project > 0).then(|| "the other project".to_owned()));
        words.extend(call.options.iter().map(|option| (*option).to_owned()));
        words.extend(call.harm.iter().cloned());
        words.extend(call.flake.then(|| "flake".to_owned()));
        words.extend(call.fault.iter().map(|fault| format!("{fault:?}")));
        words.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

impl Round {
    pub(crate) fn random(random: &mut Random, shape: &Shape, kinds: &Kinds) -> Self {
        let count = random.one_of(&[0, 1, 1, 1, 1, 2, 3]);
        let edits = (0..count).map(|_| Edit::random(random)).collect();
        let options = random.one_of(&[&[][..], &[], &["--retries", "1"]]);
        let mut round = Self {
            edits,
            damage: random.one_in(12).then(|| Damage::random(random)),
            turn: random.one_in(8).then(|| Turn::random(random)),
            call: Call {
                project: random.below(shape.projects),
                options: options.to_vec(),
                harm: harm(random),
                flake: random.one_in(4),
                fault: random.one_in(2).then(|| Fault::random(random, shape, kinds)).flatten(),
            },
        };
        round.damage = round.damage.filter(|_| kinds.has("damage"));
        round.turn = round.turn.filter(|_| kinds.has("machines"));
        round
    }

    /// Does what happens before the build.
    pub(crate) fn prepare(&self, suite: &mut Suite) {
        for edit in &self.edits {
            edit.apply(&suite.projects[self.call.project]);
        }
        if let Some(damage) = &self.damage {
            damage.apply(suite);
        }
        if let Some(turn) = self.turn {
            turn.apply(suite);
        }
    }

    /// Returns what it would be without one of its parts, for each of them.
    pub(crate) fn shorter(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |is_there: bool, change: &dyn Fn(&mut Self)| {
            if is_there {
                let mut round = self.clone();
                change(&mut round);
                all.push(round);
            }
        };
        for at in 0..self.edits.len() {
            add(true, &|round| drop(round.edits.remove(at)));
        }
        for at in 0..self.call.harm.len() {
            add(true, &|round| drop(round.call.harm.remove(at)));
        }
        add(self.damage.is_some(), &|round| round.damage = None);
        add(self.turn.is_some(), &|round| round.turn = None);
        add(self.call.fault.is_some(), &|round| round.call.fault = None);
        add(self.call.flake, &|round| round.call.flake = false);
        add(!self.call.options.is_empty(), &|round| round.call.options.clear());
        all
    }
}
