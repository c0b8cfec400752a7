//! End-to-end tests of the control protocol: real test scripts, run by the real binary on the local SUT.
//!
//! Each rule of the protocol has a test here that is named after it. `case` has the helpers to write one.

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
