//! Tests of the protocol: the histories that matter.

mod history;

use history::check;

#[test]
fn a_feed_is_read_from_its_first_open() {
    check(
        "A1 open; A1 =0; A1 +1; A1 +2a; A1 -2a>1*; A1 +2b; A1 final; A1 beat",
        "open =0 +1 +2a -2a* +2b final beat",
    );
    check("A1 =0", "!the log begins in the middle of an epoch");
}

#[test]
fn of_two_that_open_an_empty_feed_the_first_wins_whatever_the_other_calls_it() {
    check("A1 open; B1@g open; A1 =0; A1 +1", "open =0 +1");
    check("A1 open; B1@g open; B1@g beat; A1 =0; B1@g =0; A1 +1", "open =0 +1");
    // Its own OPEN whose acknowledgement was lost.
    check("A1 open; A1#0 open; A1 =0", "open =0");
    check("A1 open; A1#7 open; A1#1 =0", "open =0");
    check("A1 open; B1@g open; A1 =0; C2 open; C2 +1", "open =0 open +1");
}

#[test]
fn another_feed_is_refused_where_it_counts() {
    check("A1 open; A1 =0; A1@g +1", "open =0 !the topic holds another feed than before");
    check("A1 open; A1 =0; B2@g open", "open =0 !the topic holds another feed than before");
}

#[test]
fn an_epoch_belongs_to_the_first_that_opens_it_and_ends_all_lower_ones() {
    check("A1 open; A1 =0; B2 open; C2 open; B2 +1", "open =0 open +1");
    check("A1 open; A1 =0; B2 open; A1 +1a; A1 beat; B2 +1b; A1 +2a; B2 +2b", "open =0 open +1b +2b");
    check("B2 open; B2 =0; A1 open; A1 +1a; B2 +1b", "open =0 +1b");
    check("A1 open; A1 =0; B2 +1b; A1 +1", "open =0 +1");
    check("A1 open; A1 =0; C3 open; B2 open; B2 +1b; C3 +1c", "open =0 open +1c");
}

#[test]
fn an_open_does_not_end_what_another_left_half_way() {
    check("A1 open; A1 =0; A1 +1; A1 -1>0*; B2 open; B2 +1b", "open =0 +1 -1* open* +1b");
    check(
        "A1 open; A1 =0; A1 +1; A1 -1>0*; B2 open; C3 open; C3 beat*; C3 +1",
        "open =0 +1 -1* open* open* beat* +1",
    );
    // The master stands in the middle: a writer that has read that says so.
    check("A1 open; A1 =0; A1 +1; A1 -1>0*; B2 open*; B2 beat", "open =0 +1 -1* open* beat");
    check("A1 open; A1 =0; B2 open*; B2 +1", "open =0 open* +1");
}

#[test]
fn parts_make_one_record_and_an_unfinished_set_none() {
    check("A1 open; A1 =0; A1 +1 0/3; A1 +1 1/3; A1 +1 2/3; A1 +2", "open =0 +1 +2");
    check("A1 open; A1 =0; A1 +1 0/3*; A1 +1 1/3*; A1 +1 2/3*; A1 +2", "open =0 +1* +2");
    // A displaced writer's entries between them.
    check(
        "A1 open; A1 =0; B2 open; B2 +1 0/3; A1 +1a; B2 +1 1/3; A1 +2a 0/3; A1 +2a 1/3; B2 +1 2/3; B2 +2",
        "open =0 open +1 +2",
    );
    // No head change is half-way: its first record never came.
    check("A1 open; A1 =0; A1 +1 0/3*; A1 +1 1/3*; B2 open; B2 +1b", "open =0 open +1b");
    check("A1 open; A1 =0; A1 +1 0/3*; B2 open; B2 +1b 0/3; B2 +1b 1/3; B2 +1b 2/3", "open =0 open +1b");
    check("A1 open; A1 =0; A1 +1; A1 -1>0*; A1 +1b 0/3*; B2 open; B2 +1", "open =0 +1 -1* open* +1");
    let broken = "open =0 !parts do not make a record: ";
    check("A1 open; A1 =0; A1 +1 0/3; A1 beat", &format!("{broken}a record stands where a part is due"));
    check("A1 open; A1 =0; A1 +1 1/3", &format!("{broken}the first part is missing"));
    check("A1 open; A1 =0; A1 +1 0/3; A1 +1 2/3", &format!("{broken}a part is missing or out of order"));
}

#[test]
fn what_comes_twice_counts_once_and_what_is_missing_ends_the_reading() {
    check("A1 open; A1 =0; A1 +1; A1#2 +1; A1#1 =0; A1 +2", "open =0 +1 +2");
    check("A1 open; A1 =0; A1#3 +1", "open =0 !record 3 of epoch 1 follows record 1: the feed has a gap");
    check(
        "A1 open; A1 =0; B2 open; A1#9 +1; B2#2 +1",
        "open =0 open !record 2 of epoch 2 follows record 0: the feed has a gap",
    );
}

#[test]
fn a_head_is_found_again_where_a_log_was_cut_and_written_anew() {
    check("A1 open; A1 =0; A1 +1; A1 +2; again; A1 +3", "open =0 +1 +2 @2 +3");
    check("A1 open; A1 =0; A1 +1; A1 +2; cut 3; again; B2 open; B2 +2b", "open =0 +1 +2 @1 open +2b");
    check(
        "A1 open; A1 =0; A1 +1; A1 +2; cut 3; B2 open; B2 +2b; again; B2 +3b",
        "open =0 +1 +2 @1 open +2b +3b",
    );
    // Written anew, it has our head again.
    check("A1 open; A1 =0; A1 +1; A1 +2; cut 3; B2 open; B2 +2; again; B2 +3", "open =0 +1 +2 @1 open +2 +3");
    check("A1 open; A1 =0; A1 +1; A1 +2; cut 1; again", "open =0 +1 +2 lost");
    // Not in the middle of a head change.
    check(
        "A1 open; A1 =0; A1 +1; A1 -1>0*; A1 +1b; cut 4; again; B2 open*; B2 +1",
        "open =0 +1 -1* +1b @0 +1 -1* open* +1",
    );
    // A record in parts is one place, and half of it none.
    check(
        "A1 open; A1 =0; A1 +1 0/3; A1 +1 1/3; A1 +1 2/3; A1 +2; cut 5; again; B2 open; B2 +2b",
        "open =0 +1 +2 @1 open +2b",
    );
    check(
        "A1 open; A1 =0; A1 +1 0/3; A1 +1 1/3; A1 +1 2/3; cut 4; again; B2 open; B2 +1",
        "open =0 +1 @0 open +1",
    );
}

#[test]
fn what_does_not_count_is_no_place_to_go_on_from() {
    // A displaced writer's copy of our block 1 stands behind the head change that took it back.
    check(
        "A1 open; A1 =0; B2 open; B2 +1; B2 -1>0*; B2 +1b; A1 +1; B2 -1b>0*; B2 +1; cut 7; again; C3 open; C3 -1b>0*",
        "open =0 open +1 -1* +1b -1b* +1 @1 -1* +1b open -1b*",
    );
    // Nor is a place where one's head was, if the search had begun with nothing but a displaced writer's entries.
    check(
        "A1 open; A1 =0; A1 +1; B2 open; B2 +2; B2 +3; B2 +4; B2 +5; B2 +6; B2 +7; B2 +8; B2 +9; B2 +10; B2 +11; cut 4; \
         D3 open; A1 beat; A1 beat; A1 beat; A1 beat; A1 -1>0; D3 -1>0*; D3 +1d; D3 +2d; D3 +3d; again",
        "open =0 +1 open +2 +3 +4 +5 +6 +7 +8 +9 +10 +11 @1 open open -1* +1d +2d +3d",
    );
}

#[test]
fn whoever_begins_in_the_middle_goes_by_proof() {
    // Wherever it begins, a loser's OPEN included: the check reads from every entry on.
    check("A1 open; A1 =0; B2 open; C2 open; A1 +1a; B2 +1b; A1 +2a; B2 +2b", "open =0 open +1b +2b");
    check("A1 open; B1@g open; C1@h open; A1 =0; A1 +1", "open =0 +1");
    // Once an owner is proven whose OPEN was read, nothing but an OPEN ends its epoch.
    check("A1 open; A1 =0; begin; B2 open; B2 +1; C2 +2c; D3 +2d; B2 +2", "open* +1 +2");
}
