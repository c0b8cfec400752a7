//! Daemons: processes that prepare steps have left running on a machine, as the machine tells of them.
//!
//! The list of them is kept on the machine, where `src/sut/agent/bash/daemons.bash` writes and reads it.

/// A process that a prepare step has left running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Its process id on the machine.
    pub pid: u32,
    /// Whether it runs.
    pub condition: DaemonCondition,
    /// The position of its prepare step in the chain.
    pub step: usize,
    /// The name of that step.
    pub of: String,
    /// When the step ended, in seconds since the epoch, by the machine's clock.
    pub since: u64,
    /// Its command line, which may be shortened.
    pub command: String,
}

/// Whether a daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonCondition {
    /// It runs.
    Runs,
    /// It has ended.
    Ended,
    /// It has ended because the machine has booted since.
    Booted,
}

impl DaemonCondition {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Ended => "ended",
            Self::Booted => "booted",
        }
    }
}

impl Daemon {
    /// Reads the lines that an agent tells. A line that is none is passed over.
    pub(crate) fn read_all(told: &[u8]) -> Vec<Self> {
        let told = String::from_utf8_lossy(told);
        told.lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(6, '\t');
        let mut word = || words.next();
        let conditions = [DaemonCondition::Runs, DaemonCondition::Ended, DaemonCondition::Booted];
        let condition = word()?;
        Some(Self {
            condition: conditions.into_iter().find(|known| known.word() == condition)?,
            pid: word()?.parse().ok()?,
            step: word()?.parse().ok()?,
            since: word()?.parse().ok()?,
            of: word()?.to_owned(),
            command: word()?.trim_end().to_owned(),
        })
    }

    /// Returns whether it runs.
    pub fn runs(&self) -> bool {
        self.condition == DaemonCondition::Runs
    }

    /// Returns it in words, for a message.
    pub fn described(&self) -> String {
        format!(
            "`{}` (process {}), which `{}` has left running",
            self.command, self.pid, self.of
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_agent_are_read_and_other_lines_are_passed_over() {
        let told = b"runs\t12\t1\t1700000000\t/p prepare x\tsleep\t 9 \nended\tx\t1\t2\ta\tb\nasleep\t1\t1\t2\ta\tb\n\nbooted\t3\t0\t4\ta\tb";
        let read = Daemon::read_all(told);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].pid, read[0].step, read[0].since), (12, 1, 1_700_000_000));
        assert_eq!(
            (read[0].of.as_str(), read[0].command.as_str()),
            ("/p prepare x", "sleep\t 9")
        );
        assert!(read[0].runs() && !read[1].runs());
        assert_eq!(read[1].condition, DaemonCondition::Booted);
    }
}
