//! Tests of a tree with many files and with one large file.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::Instant;

use crate::e2e_ssh::lab::Lab;

/// Small files and the size of the large one. With `ATEX_TEST_LARGE` a hundred thousand and 4 GiB, which wants the disk for it twice.
fn volume() -> (usize, u64) {
    if std::env::var_os("ATEX_TEST_LARGE").is_some() {
        (100_000, 4 << 30)
    } else {
        (5_000, 256 << 20)
    }
}

#[test]
fn many_files_and_a_large_one_are_brought_and_healed_where_they_changed() {
    let lab = Lab::new();
    let (count, size) = volume();
    for dir in 0..count / 100 {
        for file in 0..100 {
            lab.world
                .write(format!("tree/b/many/{dir}/{file}"), format!("{dir} {file}\n"));
        }
    }
    // What is not written reads as zeros, and is sent as such.
    let large = File::create(lab.world.path("tree/b/large")).unwrap();
    large.set_len(size).unwrap();
    let check = "test: |\n    find many -type f | wc -l\n    cat many/*/* | sha256sum\n    stat -c %s large\n    tail -c 4 large\n    \
                 [[ -e many/0/new ]] && echo found\n    echo changed >many/1/1; rm -r many/2; touch many/0/new; truncate -s 5 large\n";
    lab.world.write("tree/b/main.fmf", check);
    let run = |out: &str| {
        let began = Instant::now();
        lab.run(0, ["test", "/b", "-o", &format!("../{out}")]);
        println!("{out}: {:?}", began.elapsed());
        lab.world.read(format!("{out}/tests/b/files/output.txt"))
    };
    let first = run("first");
    assert!(first.starts_with(&format!("{count}\n")), "{first}");
    assert!(first.contains(&format!("\n{size}\n")), "{first}");
    assert!(!first.contains("found"), "{first}");
    // What the test did there is undone.
    assert_eq!(run("second"), first);
    // An edit is brought.
    lab.world.write("tree/b/many/3/3", "edited\n");
    fs::OpenOptions::new()
        .append(true)
        .open(lab.world.path("tree/b/large"))
        .and_then(|mut file| file.write_all(b"end\n"))
        .unwrap();
    let third = run("third");
    assert!(third.contains(&format!("\n{}\nend\n", size + 4)), "{third}");
    assert_ne!(third.lines().nth(1), first.lines().nth(1));
}
