//! Small trees, one for each law; those that once differed are at the end.

use atex_fmf::Tree;
use atex_fmf::context::Context;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::oracle::{Case, assert_same, plant};

/// A law, and the files of a tree that shows it.
pub(crate) type Law = (&'static str, &'static [(&'static str, &'static [u8])]);

/// All of them.
pub(crate) fn laws() -> impl Iterator<Item = &'static Law> {
    [GROWING, NODES, MERGING, ALIASES, ADJUST, YAML, REGRESSIONS]
        .into_iter()
        .flatten()
}

const GROWING: &[Law] = &[
    (
        "main_comes_first_and_files_in_the_order_of_code_points",
        &[
            ("main.fmf", b"order: [main]"),
            ("b.fmf", b"x: 1"),
            ("B.fmf", b"x: 2"),
            ("a/main.fmf", b"order+: [a]"),
            ("a/z.fmf", b"order+: [z]"),
            ("\u{e9}.fmf", b"y: 1"),
            ("a.fmf", b"order+: [file]"),
        ],
    ),
    (
        "directory_and_file_of_one_name_make_one_node",
        &[("a.fmf", b"x: 1\ny: 1"), ("a/main.fmf", b"x: 2"), ("a/b.fmf", b"z: 1")],
    ),
    (
        "hidden_files_and_directories_are_left_out",
        &[("main.fmf", b"a: 1"), (".h.fmf", b"a: 1"), (".d/main.fmf", b"a: 1")],
    ),
    (
        "hidden_ones_can_be_included",
        &[
            (".fmf/config", b"explore:\n  include: [.h.fmf, .d]\n"),
            ("main.fmf", b"a: 1"),
            (".h.fmf", b"b: 1"),
            (".d/main.fmf", b"c: 1"),
            (".e/main.fmf", b"d: 1"),
        ],
    ),
    (
        "including_the_fmf_directory_is_refused",
        &[(".fmf/config", b"explore:\n  include: [.fmf]\n"), ("main.fmf", b"a: 1")],
    ),
    (
        "text_for_the_list_of_included_names_is_refused",
        &[(".fmf/config", b"explore:\n  include: .h.fmf\n"), ("main.fmf", b"a: 1")],
    ),
    (
        "empty_configuration_is_refused",
        &[(".fmf/config", b""), ("main.fmf", b"a: 1")],
    ),
    (
        "nested_trees_are_left_out",
        &[
            ("main.fmf", b"a: 1"),
            ("sub/.fmf/version", b"1\n"),
            ("sub/main.fmf", b"b: 1"),
        ],
    ),
    (
        "directories_without_metadata_make_no_node",
        &[
            ("main.fmf", b"a: 1"),
            ("sub/deep/readme.txt", b"x"),
            ("e/main.fmf", b""),
        ],
    ),
    (
        "empty_file_makes_a_node",
        &[
            ("a.fmf", b""),
            ("b.fmf", b"# comment\n"),
            ("c.fmf", b"---\n"),
            ("d.fmf", b"{}"),
        ],
    ),
    (
        "file_of_text_adds_nothing",
        &[("main.fmf", b"a: 1"), ("b.fmf", b"just text")],
    ),
    ("file_of_a_list_is_refused", &[("b.fmf", b"- a")]),
    ("main_of_text_is_refused", &[("main.fmf", b"just text")]),
    (
        "version_that_is_no_integer_is_refused",
        &[(".fmf/version", b"one"), ("main.fmf", b"a: 1")],
    ),
    (
        "version_may_have_a_sign_and_underscores",
        &[(".fmf/version", b" +1_0\n"), ("main.fmf", b"a: 1")],
    ),
    ("text_that_is_not_utf_8_is_refused", &[("main.fmf", b"a: \xff")]),
    ("utf_16_is_refused", &[("main.fmf", b"\xff\xfea\0:\0 \x001\0")]),
    (
        "byte_order_mark_is_skipped",
        &[("main.fmf", b"\xef\xbb\xbfa: 1\nb:\n  c: 2\n")],
    ),
    (
        "line_ends_of_all_systems_are_the_same",
        &[
            ("a.fmf", b"a: |\r\n  x\r\n  y\r\nb: 'p\r\n\r\n  q'\r\n"),
            ("b.fmf", b"a: |\r  x\r  y\rb: 1\r"),
        ],
    ),
    ("names_with_dots_keep_them", &[("a.b.fmf", b"x: 1"), ("..fmf", b"x: 1")]),
];

const NODES: &[Law] = &[
    (
        "virtual_nodes_nest",
        &[(
            "main.fmf",
            b"k: 1\n/a:\n  l: 2\n  /b:\n    m: 3\n/c/d/e:\n  n: 4\n//x: {o: 5}\n/p//q: {r: 6}",
        )],
    ),
    (
        "virtual_node_and_file_make_one_node",
        &[
            ("main.fmf", b"/a: {x: 1, y: 1}\n/b/c: {x: 1}"),
            ("a.fmf", b"x: 2"),
            ("b/c.fmf", b"y: 2"),
        ],
    ),
    (
        "virtual_node_may_be_empty",
        &[("main.fmf", b"k: 1\n/a:\n/b: {}\n/c: ~\n/d: no such directory\n/e/f:\n")],
    ),
    ("number_for_a_virtual_node_is_refused", &[("main.fmf", b"/a: 1")]),
    ("list_for_a_virtual_node_is_refused", &[("main.fmf", b"/a: []")]),
    (
        "children_are_sorted_but_adjusted_in_order",
        &[("main.fmf", b"/z: {v: 1}\n/a: {v: 2}\n/m/y: {v: 3}\n/m/b: {v: 4}")],
    ),
    (
        "key_of_slashes_is_a_child_without_a_name",
        &[("main.fmf", b"k: 1\n//: {a: 1}\n/b:\n  //: {c: 1}\n  ///d: {e: 1}")],
    ),
    (
        "name_ends_at_its_line",
        &[("main.fmf", b"\"/a/b\\nc\": {x: 1}\n\"/d\\ne\": {y: 1}")],
    ),
    (
        "key_that_ends_in_a_slash_gives_directives",
        &[("main.fmf", b"k: 1\n/a/: {inherit: false}\n/b/: {}")],
    ),
    (
        "node_without_inherit_starts_anew",
        &[(
            "main.fmf",
            b"k: 1\nl+: 2\n/a:\n  /: {inherit: false}\n  m+: x\n  /b: {n: 1}",
        )],
    ),
    (
        "select_shows_branches_and_hides_leaves",
        &[(
            "main.fmf",
            b"/a:\n  /: {select: true}\n  /b: {x: 1}\n  /c:\n    /: {select: false}\n    y: 1",
        )],
    ),
    ("unknown_directive_is_refused", &[("main.fmf", b"/: {other: true}")]),
    (
        "directive_that_is_no_boolean_is_refused",
        &[("main.fmf", b"/: {inherit: yes}")],
    ),
    (
        "directives_that_are_no_mapping_are_refused",
        &[("main.fmf", b"/: true")],
    ),
    ("key_that_is_no_text_is_refused", &[("main.fmf", b"1: a")]),
    ("key_null_is_refused", &[("main.fmf", b"~: a")]),
    (
        "keys_inside_may_be_anything_hashable",
        &[(
            "main.fmf",
            b"k: {1: a, 2.5: b, ~: c, false: d, 2024-01-01: e, [x, y]: f}\nl: {[p, q]: r}",
        )],
    ),
    ("list_inside_of_a_key_is_refused", &[("main.fmf", b"l: {[p, [q]]: r}")]),
    (
        "equal_keys_of_two_types_are_refused",
        &[("main.fmf", b"k: {1: a, true: b}")],
    ),
];

const MERGING: &[Law] = &[
    ("plus_adds_all_that_python_adds", &[("main.fmf", b"n: 1\nf: 1.5\nb: true\nt: x\nl: [1]\nm: {a: 1, b: {c: 1}}\nbig: 9223372036854775807\n/c:\n  n+: 2\n  f+: 1\n  b+: true\n  t+: y\n  l+: [2]\n  m+: {d: 1, b+: {e: 2}}\n  big+: 1\n  new+: z")]),
    ("plus_of_unlike_types_is_refused", &[("main.fmf", b"n: 1\n/c:\n  n+: x")]),
    ("plus_of_null_is_refused", &[("main.fmf", b"n:\n/c:\n  n+: 1")]),
    ("plus_less_puts_before", &[("main.fmf", b"t: x\nl: [1]\nn: 5\nm: {a: b}\n/c:\n  t+<: y\n  l+<: [2]\n  n+<: 1\n  m+<: {a+: c}")]),
    ("dictionary_added_to_a_list_changes_each_item", &[("main.fmf", b"l: [{a: 1}, {b: 2, a: 3}]\n/c:\n  l+: {a+: 10, c: {d: [1]}}\n  /e:\n    l+: {c+: {d+: [2]}}")]),
    ("dictionary_added_to_a_list_with_other_items_is_refused", &[("main.fmf", b"l: [{a: 1}, x]\n/c:\n  l+: {a: 1}")]),
    ("list_added_to_a_dictionary_makes_copies", &[("main.fmf", b"m: {a: 1, b: {c: [1]}}\n/c:\n  m+: [{a+: 1}, {b+: {c+: [2]}}, {}]\n  /e:\n    m+: {b+: {c+: [3]}}")]),
    ("minus_removes_by_type", &[("main.fmf", b"n: 5\nf: 1.5\nt: abcabc\nl: [1, 2, true, x, 1.0]\nm: {a: 1, b: 2}\n/c:\n  n-: 2\n  f-: 1\n  t-: 'b.?'\n  l-: [1, y]\n  m-: [a, z]\n  missing-: 1")]),
    ("minus_of_unlike_types_is_refused", &[("main.fmf", b"t: x\n/c:\n  t-: 1")]),
    ("minus_tilde_removes_what_matches", &[("main.fmf", b"t: foo\nu: bar\nl: [foo, 12, true, {a: foo}, ~]\nm: {foo: 1, bar: 2, 3: x}\n/c:\n  t-~: o+\n  u-~: o+\n  l-~: ['^f', '1']\n/d:\n  l-~: ['^f', '^1', 'a.: .foo', None]\n  m-~: [foo, '3']")]),
    ("tilde_substitutes", &[("main.fmf", b"t: foo bar\nl: [foo, bar]\n/c:\n  t~: ['/o+/0/', ',bar,<\\g<0>\\g<0>>,']\n  l~: '|(b)(x)?|[\\1\\2]|'\n  missing~: broken")]),
    ("tilde_without_delimiters_is_refused", &[("main.fmf", b"t: x\n/c:\n  t~: /x/y")]),
    ("tilde_without_a_pattern_is_refused", &[("main.fmf", b"t: x\n/c:\n  t~: //y/")]),
    ("tilde_on_a_number_is_refused", &[("main.fmf", b"t: 1\n/c:\n  t~: /x/y/")]),
    ("tilde_on_a_list_with_numbers_is_refused", &[("main.fmf", b"t: [1]\n/c:\n  t~: /x/y/")]),
    ("invalid_pattern_on_an_empty_list_goes_unseen", &[("main.fmf", b"t: []\n/c:\n  t~: /(/y/\n  t-~: '('")]),
    ("suffixes_are_stripped_together", &[("main.fmf", b"a: 1\nb: x\n/c:\n  a+++: 2\n  b<+<: y\n  b~-~: x\n  +: 1\n  --: 2\n  c-+: 3")]),
    ("suffixes_at_the_root_define", &[("main.fmf", b"a+: 1\nb-: 2\nc~: x\nd-~: y\ne+<: {f+: 1}")]),
    ("numbers_become_floats_and_infinite", &[("main.fmf", b"a: 1\n/c:\n  a+: 1e400\n/d:\n  a-: .inf")]),
    ("integer_too_large_for_a_float_is_refused", &[("main.fmf", b"a: 1.5\n/c:\n  a+: 1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000")]),
    ("merging_a_nested_key_that_is_no_text_is_refused", &[("main.fmf", b"m: {a: 1}\n/c:\n  m+: {1: b}")]),
    ("nan_is_found_in_lists", &[("main.fmf", b"l: [.nan, 1]\n/c:\n  l-: [.nan]")]),
    ("dates_compare_by_instant", &[("main.fmf", b"l: [2001-12-14t21:59:43-05:00, 2024-01-01]\n/c:\n  l-: [2001-12-15T02:59:43Z, 2024-01-01 00:00:00]")]),
];

const ALIASES: &[Law] = &[
    ("alias_is_changed_with_its_anchor", &[("main.fmf", b"a: &x {k: 1}\nb: *x\n/c:\n  a+: {l: 2}\n  /d:\n    b+: {m: 3}")]),
    ("alias_in_another_node_is_changed_too", &[("main.fmf", b"/a:\n  env: &e {k: 1}\n/b:\n  env: *e\n  env+: {l: 2}\n/c:\n  env: *e")]),
    ("children_have_copies", &[("main.fmf", b"env: &e {k: 1}\n/a:\n  env+: {l: 2}\n/b:\n  other: *e\n  env+: {m: 3}\n  other+: {n: 4}\n/c: {x: 1}")]),
    ("merge_keys_share_what_they_bring", &[("main.fmf", b"base: &b {env: {k: 1}, l: [{a: 1}]}\n/a:\n  <<: *b\n  env+: {p: 1}\n/b:\n  <<: *b\n  l+: {q: 2}\n/c: {<<: *b}")]),
    ("merge_keys_come_first_and_own_keys_win", &[("main.fmf", b"a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {z: 0, <<: [*a, *b], x: 9}\nd: {<<: *a, y: 1, y: 2}\ne: {<<: {}, <<: {p: 1}}")]),
    ("second_merge_key_is_refused", &[("main.fmf", b"a: &a {x: 1}\nb: {<<: *a, <<: *a}")]),
    ("merge_key_without_a_mapping_is_refused", &[("main.fmf", b"b: {<<: 1}")]),
    ("merge_key_may_name_its_own_mapping", &[("main.fmf", b"b: &b {x: 1, <<: *b, y: 2}")]),
    ("directives_of_a_shared_mapping_count_once", &[("main.fmf", b"k: 1\n/a: &x\n  /: {inherit: false}\n  l: 1\n/b: *x\nm: *x")]),
    ("rule_is_changed_with_what_it_put_into_the_data", &[("main.fmf", b"adjust:\n- env: {a: 1}\n- env+: {b: 2}\n- other: {p: [1]}\n  list: [{q: {r: 1}}]\n- list+: {q+: {s: 2}}\n  when: distro == fedora\n/a: {x: 1}")]),
    ("one_source_in_all_items_is_one_object", &[("main.fmf", b"l: [{a: 1}, {a: 2}]\n/c:\n  l+: {d: {t: x}}\n  /e:\n    l+: {d+: {t+: y}}")]),
    ("anchors_can_be_given_again", &[("main.fmf", b"a: &x 1\nb: *x\nc: &x 2\nd: *x")]),
    ("unknown_alias_is_refused", &[("main.fmf", b"a: *x")]),
];

const ADJUST: &[Law] = &[
    ("rules_apply_in_order_up_to_continue", &[("main.fmf", b"a: 0\nadjust:\n- when: distro == fedora\n  a+: 1\n- when: distro == fedora-41\n  a+: 10\n  continue: false\n- a+: 100\n/c: {b: 1}")]),
    ("each_node_applies_inherited_rules_to_its_own_data", &[("main.fmf", b"a: [0]\nadjust:\n  when: distro == fedora\n  a+: [1]\n/c:\n  a+: [2]\n  adjust+:\n  - because: x\n    a+: [3]\n/d:\n  a: [9]\n  adjust: []")]),
    ("undecided_rules_are_skipped", &[("main.fmf", b"a: 0\nadjust:\n- when: nowhere == x\n  a: 1\n- when: nowhere is not defined\n  b: 2\n- when: nowhere == x or distro == fedora\n  c: 3\n")]),
    ("rule_that_is_no_mapping_is_refused", &[("main.fmf", b"adjust: [x]")]),
    ("null_for_rules_is_refused", &[("main.fmf", b"adjust:")]),
    ("continue_that_is_no_boolean_is_refused", &[("main.fmf", b"adjust:\n  when: false\n  continue: no")]),
    ("condition_that_is_a_list_is_refused", &[("main.fmf", b"adjust:\n  when: [x]\n  a: 1")]),
    ("rules_can_change_the_rules", &[("main.fmf", b"a: 0\nadjust:\n- a+: 1\n  adjust+: [{a+: 100}]\n- a+: 10\n/c: {x: 1}")]),
    ("rules_can_change_the_rules_behind_them", &[("main.fmf", b"a: 0\nadjust:\n- a+: 1\n  adjust+: {when: 'false'}\n- a+: 10\n- when: distro == fedora\n  a+: 100\n/c: {x: 1}")]),
    ("single_rule_can_change_itself", &[("main.fmf", b"a: 0\nadjust:\n  a+: 1\n  adjust+: {a+: 5, because: z}\n/c: {x: 1}")]),
];

const YAML: &[Law] = &[
    ("plain_scalars_have_types_by_their_looks", &[("main.fmf", b"a: [012, 0o17, 0x1F, 0b11, 1_000, 1e3, 1., .5, 1.5e-3, -.inf, .NaN, ~, Null, '', yes, on, TRUE, 1:30, 2024-02-29, 99999999999999999999, 0x1FFFFFFFFFFFFFFFFFFFF, +1, -0, 1__0, 12e03, 1_0.5, .1_0]")]),
    ("what_looks_like_a_number_and_is_none_is_refused", &[("main.fmf", b"a: 0x_")]),
    ("version_1_1_has_its_own_rules", &[("main.fmf", b"%YAML 1.1\n---\na: [012, yes, off, n, 1:30, 190:20:30.15, 0o17, -.5, 1_000, 089]")]),
    ("later_versions_are_refused", &[("main.fmf", b"%YAML 1.3\n---\na: 1")]),
    ("timestamps_become_dates", &[("main.fmf", b"a: [2001-12-14t21:59:43.10-05:00, 2001-12-14 21:59:43.1234567, 2001-12-15 2:59:43 Z, 2001-12-15 2:59:43.9999999, 2024-01-01T00:00:00 +5:30, 2024-1-2, 2024-01-01 00:00:00-0]")]),
    ("impossible_date_is_refused", &[("main.fmf", b"a: 2023-02-29")]),
    ("tags_decide_the_type", &[("main.fmf", b"a: [!!str 1, !!int '0x10', !!float 3, !!bool yes, !!null x, !!binary 'aGVs\n    bG8=', ! 12, !!set {x, y}, !!omap [p: 1, q: 2], !!pairs [p: 1, p: 2], !!timestamp '2024-01-01', !<tag:yaml.org,2002:str> 5]\nb: ! |\n  12\nc: !!str\nd: ! \"true\"")]),
    ("unknown_tag_is_refused", &[("main.fmf", b"a: !local x")]),
    ("block_scalars_keep_fold_strip_and_indent", &[("main.fmf", b"a: |\n  x\n   y\n\n  z\n\nb: >\n  x\n  y\n   z\n  p\n\n  q\nc: |-\n  x\n\nd: |+\n  x\n\ne: |1\n   x\n  y\nf: >2-\n    x\n  y\ng: |\nh: >\n\n  x\ni: | # comment\n  x\n")]),
    ("block_scalar_may_stand_alone_at_the_left", &[("main.fmf", b"a: 1\nb: |\n c\n"), ("x.fmf", b"--- |\ntext\n")]),
    ("first_empty_line_deeper_than_the_text_is_refused", &[("main.fmf", b"a: |\n     \n  x\n")]),
    ("quoted_scalars_fold_and_escape", &[("main.fmf", b"a: \"x\\ty\\x41\\u00e9\\U0001F600\\\n   z\n\n  p\"\nb: 'it''s\n\n  q'\nc: \"\\/\\_\\N\\L\\P\\e\"")]),
    ("unknown_escape_is_refused", &[("main.fmf", b"a: \"\\q\"")]),
    ("tab_for_indentation_is_refused", &[("main.fmf", b"a:\n\tb: 1")]),
    ("tabs_may_separate_in_flow", &[("main.fmf", b"a: [\t1,\t2]\nb: {\tc:\t1}")]),
    ("tab_behind_a_value_is_refused", &[("main.fmf", b"a: b\t\n")]),
    ("comments_need_no_space_behind_quotes", &[("main.fmf", b"a: 'x'#c\nb: [1]#c\n#d\n  #e\nc: x#y #z")]),
    ("flow_collections_have_all_forms", &[("main.fmf", b"a: [a: b, {c}, ? d : e, [h,], i: ]\nb: {a, b: , ? c, : d, \"e\":f, g:h, http://x}\nc: [a\n  b,\n c]")]),
    ("complex_keys_are_keys", &[("main.fmf", b"a:\n  ? b\n  : c\n  ? d\n  ? - e\n    - f\n  :\n    - g\n")]),
    ("multi_line_plain_scalars_fold", &[("main.fmf", b"a: x\n  y\n\n  z # comment\nb:\n  p\n  q\n")]),
    ("lists_may_stand_at_their_keys_column", &[("main.fmf", b"a:\n- b\n- c: d\n  e: f\n-\n  - g\n- - h\n  -\nk: v")]),
    ("second_document_is_refused", &[("main.fmf", b"a: 1\n---\nb: 2")]),
    ("document_may_end", &[("main.fmf", b"--- # c\na: 1\n...\n# end\n")]),
    ("second_document_end_is_refused", &[("main.fmf", b"a: 1\n...\n...\n")]),
    ("duplicate_keys_are_refused", &[("main.fmf", b"a: 1\nb: 2\na: 3")]),
    ("control_character_in_a_comment_is_refused", &[("main.fmf", b"a: 1 # \x07")]),
    ("unicode_line_ends_end_lines", &[("main.fmf", "a: x\u{85}  y\nb: 'p\u{2028}q'\n".as_bytes())]),
    ("merge_and_value_signs_are_text_in_quotes", &[("main.fmf", b"a: {'<<': 1, '=': 2}\nb: {=: 3}\nc: !!str {=: x}")]),
    ("value_sign_alone_is_refused", &[("main.fmf", b"a: =")]),
    ("key_of_several_lines_is_refused", &[("main.fmf", b"\"a\n b\": 1")]),
    ("keys_may_contain_colons_and_spaces", &[("main.fmf", b"a:b c: 1\nhttp://x: 2\n-d: 3\n?e: 4\n:f: 5")]),
];

/// What once differed.
const REGRESSIONS: &[Law] = &[
    (
        "text_in_place_of_a_node_below_another_makes_none",
        &[("main.fmf", b"a: 1\n/b: text\n/c:\n  /d: text\n  x: 1\n"), ("sub/main.fmf", b"/main: text\n")],
    ),
    (
        "unhashable_key_goes_unseen_where_the_dictionary_is_empty",
        &[("main.fmf", b"m: {}\n/c:\n  m-: [[a]]\n")],
    ),
    (
        "unhashable_key_where_the_dictionary_is_not_empty_is_refused",
        &[("main.fmf", b"m: {a: 1}\n/c:\n  m-: [[a]]\n")],
    ),
    (
        "merge_keys_share_what_a_shared_list_brings",
        &[(
            "main.fmf",
            b"a: &x\n- {d: {k: 1}}\n- {e: 1}\n/c:\n  m:\n    <<: *x\n  m+: {d+: {l: 2}}\n  n: *x\n",
        )],
    ),
    (
        "mapping_that_changes_while_it_is_merged_is_refused",
        &[("main.fmf", b"a: &x {k+: 1}\na+: *x\n")],
    ),
    (
        "mapping_that_changes_deeper_down_while_it_is_merged_is_refused",
        &[("main.fmf", b"a: &x\n  p: &y {q: 1}\n  p+: {r: 2}\nb: {p: *y}\nb+: {p+: *y}\nc: *y\nc+: *y\nd: &z {m: *y, m+: *y, n: 1}\nd+: {m+: {new: 1}, m: *z}\ne: &w {f: 1, g+: 2}\ne+: {h: *w}\nh: *w\nh+: *w\n")],
    ),
    (
        "mapping_that_is_merged_into_itself_is_refused",
        &[("main.fmf", b"m: &x {a: 1}\n/c:\n  n: &y {b: 1}\n  n+: {c: *y}\n")],
    ),
];

fn views() -> Vec<Json> {
    vec![
        json!({"whole": true}),
        json!({}),
        json!({"whole": true, "context": {"distro": ["fedora-41"]}}),
        json!({"whole": true, "context": {"distro": ["rhel-9.6"]}}),
    ]
}

fn check(laws: &[Law]) {
    let directory = TempDir::new().expect("a temporary directory");
    let cases = laws.iter().map(|(name, files)| {
        let root = directory.path().join(name);
        plant(&root, files);
        let native = Tree::load(&root).and_then(|tree| tree.adjusted(&Context::new()));
        assert_eq!(
            native.is_err(),
            name.ends_with("_refused"),
            "the law's name tells: {name}: {:?}",
            native.err()
        );
        Case::new(*name, root, views())
    });
    assert_same(&cases.collect::<Vec<_>>());
}

#[test]
fn trees_grow_alike() {
    check(GROWING);
}

#[test]
fn nodes_are_made_alike() {
    check(NODES);
}

#[test]
fn data_merge_alike() {
    check(MERGING);
}

#[test]
fn shared_dictionaries_change_alike() {
    check(ALIASES);
}

#[test]
fn rules_adjust_alike() {
    check(ADJUST);
}

#[test]
fn yaml_is_read_alike() {
    check(YAML);
}

#[test]
fn what_once_differed_is_the_same() {
    check(REGRESSIONS);
}

#[test]
fn symbolic_links_are_entered_once() {
    let directory = TempDir::new().expect("a temporary directory");
    let link = |root: &std::path::Path, name: &str, target: &str| {
        std::os::unix::fs::symlink(target, root.join(name)).expect("can be linked");
    };
    let mut cases = Vec::new();
    for (name, links) in [
        ("loop", &[("sub/up", ".."), ("self", ".")][..]),
        ("twice", &[("one", "sub"), ("two", "sub"), ("sub/three", "../other")]),
        ("crossed", &[("sub/to", "../other"), ("other/to", "../sub")]),
        ("file", &[("linked.fmf", "main.fmf")]),
        ("dead", &[("dead.fmf", "nowhere"), ("dead", "nowhere")]),
        ("directory_like_a_file", &[("odd.fmf", "sub")]),
    ] {
        let root = directory.path().join(name);
        plant(
            &root,
            &[
                ("main.fmf", b"a: 1"),
                ("sub/main.fmf", b"b: 1"),
                ("other/x.fmf", b"c: 1"),
            ],
        );
        for (name, target) in links {
            link(&root, name, target);
        }
        cases.push(Case::new(name, root, views()));
    }
    assert_same(&cases);
}
