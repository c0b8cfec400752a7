//! Laws about making room for new trees: which old trees are removed, and when.

use std::time::{Duration, SystemTime};

use atex::sut::{Due, Sut, SutState, SyncMode, Upload};

use crate::sut_support::{Host, World, describe, run, script};

pub(crate) fn trees_that_nobody_used_for_a_month_go_when_a_new_one_comes(world: &mut World<'_>) {
    let host = Host::new(&[("a", "1")]);
    let bring = |sut: &mut dyn Sut, slot: &str| {
        let upload = Upload {
            observed: false,
            slot: slot.to_owned(),
            ..host.upload()
        };
        sut.sync(&upload, SyncMode::KeepPrepared(1)).expect("the sync works");
    };
    let mut sut = world.open();
    let slots = ["tree", "prepared", "old-1", "old-2", "old-3", "old-4", "young"];
    for slot in slots {
        bring(&mut *sut, slot);
    }
    sut.adopt("prepared", 0).unwrap();
    let here = |world: &World<'_>| {
        let is_here = |slot: &&&str| world.dir.join("v1/tree").join(slot).exists();
        slots.iter().filter(is_here).copied().collect::<Vec<_>>()
    };
    bring(&mut *sut, "another");
    assert_eq!(here(world), slots, "a month has not passed");
    let day = Duration::from_hours(24);
    for (slot, days) in [
        ("prepared", 90),
        ("old-1", 80),
        ("old-2", 70),
        ("old-3", 60),
        ("old-4", 50),
        ("tree", 40),
        ("young", 20),
    ] {
        let used = std::fs::File::options()
            .write(true)
            .open(world.dir.join(format!("v1/manifest/{slot}.used")));
        used.unwrap().set_modified(SystemTime::now() - day * days).unwrap();
    }
    bring(&mut *sut, "another");
    assert_eq!(here(world), slots, "it was there before");
    bring(&mut *sut, "new");
    // `another`, `young` and `tree` are the three used last.
    assert_eq!(here(world), ["tree", "prepared", "young"]);
    bring(&mut *sut, "old-1");
    assert_eq!(describe(&world.dir.join("v1/tree/old-1")), describe(host.dir.path()));
}

pub(crate) fn trees_of_a_project_go_when_eight_others_have_used_theirs_since(world: &mut World<'_>) {
    let host = Host::new(&[("a", "1")]);
    let bring = |sut: &mut dyn Sut, slot: &str| {
        let upload = Upload {
            observed: false,
            slot: slot.to_owned(),
            ..host.upload()
        };
        sut.sync(&upload, SyncMode::KeepPrepared(1)).expect("the sync works");
        let with_file = script("echo X=1 >>\"$TMT_PLAN_ENVIRONMENT_FILE\"");
        let job = atex::sut::Job {
            slot: slot.to_owned(),
            ..with_file
        };
        run(sut, &job);
    };
    let mut sut = world.open();
    sut.set_state(&SutState {
        unfinished: vec![Due {
            plan: "/plan".to_owned(),
            project: "p1".to_owned(),
        }],
        ..SutState::default()
    })
    .unwrap();
    bring(&mut *sut, "p0-main");
    sut.adopt("p0-main", 0).unwrap();
    let minute = Duration::from_mins(1);
    let mut used = SystemTime::now() - minute * 100;
    let mut grow_old = |world: &World<'_>, slot: &str| {
        used += minute;
        let file = std::fs::File::options()
            .write(true)
            .open(world.dir.join(format!("v1/manifest/{slot}.used")));
        file.unwrap().set_modified(used).unwrap();
    };
    grow_old(world, "p0-main");
    for slot in [
        "p1-main", "p1-other", "p2-main", "p2-other", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p9-other",
    ] {
        bring(&mut *sut, slot);
        grow_old(world, slot);
    }
    let here = |world: &World<'_>, path: &str| world.dir.join("v1").join(path).exists();
    let slots: Vec<String> = sut.slots().unwrap().into_iter().map(|(slot, _)| slot).collect();
    for slot in ["p0-main", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p9-other"] {
        assert!(here(world, &format!("tree/{slot}")), "{slot} stays");
        assert!(slots.iter().any(|known| known == slot), "{slot} is told of: {slots:?}");
    }
    assert!(!here(world, "tree/p1-main") && !here(world, "tree/p1-other"));
    assert!(here(world, "env/p1.prepared"), "its finish may need that");
    bring(&mut *sut, "p1-main");
    assert!(!here(world, "tree/p2-main") && !here(world, "tree/p2-other"));
    assert!(!here(world, "env/p2.prepared") && !here(world, "env/p2.base"));
}
