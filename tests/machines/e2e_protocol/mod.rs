//! What a test may say, seen from outside: real test scripts, run by the real binary on the local SUT.
//!
//! Each law of the protocol has a test here by its name; `case` is how they are written.

mod case;
mod control_document;
mod deadlines;
mod exit_codes;
mod fallback;
mod kinds;
mod limits;
mod partials;
mod processes;
mod restarts;
mod results;
mod surroundings;
mod violations;
