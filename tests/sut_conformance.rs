//! The laws that hold for every kind of SUT, run over each of them.

mod sut_support;

use atex::sut::{Cancel, Local, Sut, SyncMode};
use sut_support::{Host, World, describe, run, script, sync, test};

/// Runs a law over a local machine.
fn on_local(law: fn(&mut World<'_>)) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("sut dir");
    let cancel = Cancel::new().unwrap();
    let mut make = || -> Box<dyn Sut> { Box::new(Local::new(Some(dir.clone()), cancel.clone()).unwrap()) };
    law(&mut World {
        make: &mut make,
        dir: dir.clone(),
        cancel: cancel.clone(),
    });
}

#[test]
fn a_tree_is_brought_and_a_script_and_a_test_run_in_it() {
    on_local(|world| {
        let mut sut = world.open();
        let host = Host::new(&[("a/x.sh", "echo hello"), ("b c", "1")]);
        assert_eq!(sync(&mut *sut, &host, SyncMode::Exact).sent, 2);
        assert_eq!(describe(&world.tree("")), describe(host.dir.path()));
        assert_eq!(sync(&mut *sut, &host, SyncMode::KeepPrepared).sent, 0);
        let outcome = run(&mut *sut, &script("bash a/x.sh; exit 3"));
        assert_eq!((outcome.output().as_str(), outcome.exit_code()), ("hello\n", 3));
        let outcome = run(&mut *sut, &test("echo noop >&$ATEX_TEST_CONTROL"));
        assert_eq!(outcome.control(), "noop\nexitcode 0\n");
    });
}
