//! The store's contract, on every backend.
//!
//! A case is a function over a backend, and each runs on a fresh store. Adding a backend is one line at the foot;
//! the path of a failed test says which one it is, such as `memory_in_order::runs::a_run_is_made_once`.

// Said here so that the linter knows all of it for tests.
#[cfg(test)]
mod contract;

/// One test for each case: `$topic::$case` over what `$open` opens.
macro_rules! cases {
    ($open:path; $($topic:ident: $($case:ident),+;)+) => {
        $(mod $topic {
            $(
                #[tokio::test]
                async fn $case() {
                    let backend = $open();
                    crate::contract::$topic::$case(&backend).await;
                }
            )+
        })+
    };
}

/// Every case on each backend. A case that is not named here is dead code, which the compiler reports.
macro_rules! suite {
    ($($backend:ident => $open:path;)+) => {
        $(mod $backend {
            cases! {
                $open;
                events:
                    an_event_is_taken_once,
                    new_events_come_oldest_first,
                    only_the_first_word_about_an_event_counts,
                    a_dead_event_can_be_revived,
                    events_are_walked_in_id_order;
                people:
                    the_latest_profile_wins,
                    an_address_is_made_once,
                    every_kind_of_place_survives,
                    a_residence_is_news_once,
                    addresses_are_walked_in_id_order;
                runs:
                    a_run_is_made_once,
                    a_run_moves_by_compare_and_set,
                    due_runs_come_longest_waiting_first,
                    a_failed_run_is_listed_until_it_goes_on,
                    the_latest_runs_of_profiles_are_found,
                    runs_are_walked_in_id_order;
                messages:
                    a_message_is_made_once,
                    every_event_is_one_entry_of_history,
                    a_stale_change_leaves_nothing_behind,
                    a_copy_of_a_receipt_changes_nothing,
                    a_claim_needs_the_guard_it_saw,
                    a_claim_counts_what_it_sends,
                    of_two_claims_one_wins,
                    counters_equal_a_recount;
                lists:
                    due_messages_come_longest_waiting_first,
                    each_sender_and_priority_is_a_queue,
                    a_text_that_goes_another_way_changes_queues,
                    questions_come_longest_waiting_first,
                    texts_of_a_run_wait_until_they_left,
                    texts_of_an_address_wait_until_they_left,
                    the_last_that_left_is_found,
                    the_newest_texts_of_addresses_are_found,
                    messages_are_listed_newest_first,
                    held_messages_are_counted_by_reason,
                    attempts_of_older_generations_are_orphans,
                    messages_are_walked_in_id_order;
                consent:
                    the_ledger_folds_to_consent,
                    an_inbound_text_is_taken_once,
                    a_stop_cancels_in_the_same_command,
                    stale_news_change_nothing,
                    inbound_texts_are_found;
                erasure:
                    an_address_loses_its_words,
                    raw_records_are_emptied_once_they_were_worked_on,
                    a_number_is_taken_out_wherever_it_is_repeated;
                hooks:
                    a_hook_survives_untouched,
                    due_hooks_come_by_lane_oldest_first,
                    each_move_counts_a_try,
                    a_hook_parked_after_its_ref_is_due_at_once,
                    a_parked_hook_wakes_when_its_ref_is_bound,
                    a_settled_hook_is_not_woken,
                    refs_are_bound_once,
                    what_a_look_up_found_belongs_to_one_attempt,
                    refusals_come_newest_first,
                    ten_thousand_refusals_are_kept;
                gaps:
                    a_gap_is_open_for_each_account,
                    a_gap_that_is_opened_again_is_wider,
                    a_gap_moves_by_compare_and_set,
                    the_last_beat_counts,
                    the_oldest_text_that_waits_is_found;
                writeback:
                    what_is_owed_to_one_record_is_one_row,
                    a_writeback_is_claimed_once,
                    what_is_owed_during_a_flight_survives,
                    a_flight_of_an_older_generation_is_due,
                    what_gave_up_is_listed_newest_first;
                work:
                    an_idempotency_key_is_reserved_once,
                    a_bucket_moves_by_compare_and_set,
                    a_gauge_moves_by_compare_and_set,
                    a_pause_holds_until_it_is_lifted,
                    generations_rise_and_the_key_stays,
                    a_definition_is_published_once,
                    counts_add_up_by_day,
                    a_probe_leaves_nothing_behind,
                    the_room_that_is_taken_is_told;
                owes:
                    one_alert_is_open_for_each_code_and_thing,
                    one_case_is_open_for_each_code_and_message,
                    a_case_is_closed_by_its_code_and_message,
                    an_unclear_text_is_listed_until_it_has_its_case,
                    the_relay_drains_the_outbox,
                    the_backlog_says_what_waits;
                outward:
                    an_announcement_is_told_once,
                    a_dead_announcement_can_be_revived,
                    conflicts_are_kept_by_field_and_writer,
                    a_profile_is_written_field_by_field;
                pages:
                    messages_are_paged_without_a_gap,
                    runs_are_paged_latest_first,
                    an_entry_has_one_open_run,
                    steps_are_counted,
                    events_and_hooks_are_paged_newest_first,
                    a_note_is_history_and_no_state,
                    what_people_did_is_kept;
                units:
                    a_conflict_ends_its_unit,
                    a_conflict_does_not_touch_other_units,
                    what_is_there_already_does_not_end_a_unit,
                    of_two_claims_in_one_batch_one_wins;
                access:
                    api_keys_are_written_and_found,
                    operators_are_written_and_found,
                    sessions_begin_and_end,
                    failed_sign_ins_are_kept_by_name;
            }
        })+
    };
}

suite! {
    memory => crate::contract::support::Backend::memory;
    file => crate::contract::support::Backend::file;
    memory_in_order => crate::contract::support::Backend::memory_in_order;
    file_in_order => crate::contract::support::Backend::file_in_order;
}
