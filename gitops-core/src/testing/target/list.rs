//! The clauses: where each is checked, what it needs, what it is called, and what it says.

#[doc(hidden)]
#[macro_export]
macro_rules! __target_clauses {
    ([$($then:tt)*] $($context:tt)*) => { $($then)*! { $($context)*;
placing always placing_answers_in_the_order_of_the_set "`place` answers with one `Placed` for each manifest, in their order.";
placing always placing_is_canonical "A placed id is the one under which the object is observed, and placing again gives the same id, rank and digest.";
placing always the_digest_tells_desired_states_apart "`Placed::digest` is the same for the same object, and another one for another value.";
placing always an_unknown_kind_is_an_answer "A kind that the target does not know is `Placed::unresolved`, and no fault; the others of the set are placed.";
placing always what_is_not_placed_is_not_applied "An object that could not be placed is not applied.";
placing requirements requirements_go_first "An object's rank is not lower than that of what it requires, so that `rank` and `requires` never contradict each other.";

reading always reading_writes_nothing "Only `begin` and its `Session` write: placing, observing, comparing, recalling and watching leave the system as it is.";
reading always what_does_not_exist_is_not_observed "An id that was asked for and does not exist is not in the answer, and nothing is unseen.";
reading always objects_are_those_that_were_asked_for "`Observe::Objects` answers with the objects that were asked for, whoever owns them, and no others.";
reading always everything_is_all_members_and_what_is_asked_for "`Observe::Everything` answers with all members, wherever the recorded reach goes, and with what is asked for besides, whoever owns it.";
reading always members_of_others_are_not_in_everything "Members of other applications and objects of nobody are in `Observe::Everything` only where they are asked for.";
reading always each_object_is_observed_once "An object is in the answer once, also when it is a member and asked for, and asked for twice.";
reading always what_is_observed_is_not_stale "An answer is not older than the call: what others created, changed or deleted before is seen.";
reading always what_is_read_anew_is_as_it_is_stored "`Observe::Anew` answers with the objects that were asked for, whoever owns them, as they are stored now, whatever a watch knows of them, and with their content where the target shows any.";
reading unreadable what_cannot_be_read_is_named "What could not be read is in `Observation::unseen` and not in `live`, and is seen again when it can be read again.";
reading always a_version_changes_with_every_write "`Token::version` changes with every write, whoever writes, and is the same as long as nobody does; `Token::incarnation` stays through changes.";
reading always an_object_that_was_made_anew_is_another_incarnation "`Token::incarnation` changes when an object is deleted and created again.";
reading holding what_is_being_deleted_says_so "`Live::terminating` says that an object is being deleted already, and `Done::live` that it is not gone yet.";
reading keeping what_is_marked_to_stay_says_so "`Live::keep` says that somebody marked an object to stay, and a prune by its incarnation alone leaves it.";
reading always deletions_go_in_the_reverse_order "`Live::rank` of a member is the `Placed::rank` of its manifest.";

owning always what_is_created_is_a_member "What an application created is its own: `Owner::This`.";
owning always a_member_of_another_application_is_theirs "What another application created is `Owner::Other`, with its name.";
owning always an_object_of_nobody_is_nobodys "What exists and was made by hand is `Owner::Nobody`.";
owning always members_survive_a_restart "A target that was just started knows all members, and their tokens are the same.";
owning always a_member_that_drifted_is_still_a_member "A member that somebody changed by hand is still a member.";
owning always adopting_takes_an_object_over "Adopting makes an object of nobody a member, with the stated value.";
owning always adopting_takes_an_object_from_another_application "Adopting makes a member of another application a member of this one, and of no other.";
owning always releasing_leaves_the_object_to_nobody "Releasing makes a member an object of nobody, and leaves its content as it is.";
owning always pruning_by_incarnation_deletes_only_members "A prune on the condition of the incarnation alone deletes nothing that is no member.";

comparing always what_was_applied_is_in_sync "What was just applied is `InSync`; where the target is `Unsure`, an update writes nothing. A restart changes neither.";
comparing always a_changed_field_is_not_in_sync "A stated field that somebody changed is among the differences, and never `InSync` or `Overruled`.";
comparing always another_desired_value_is_not_in_sync "A manifest that states another value than the one that is live is not `InSync`.";
comparing always an_ignored_field_counts_for_nothing "A field that the rules name counts for nothing.";
comparing always comparing_is_pure "`compare` answers the same each time.";
comparing fields what_is_not_stated_counts_for_nothing "A field that the manifest does not state counts for nothing, and an update leaves it as it is.";
comparing fields what_is_left_to_others_stays "An update leaves the fields in `Placed::left` as they are.";
comparing admission what_the_target_stores_otherwise_is_overruled "A field that the target itself stores otherwise than stated is in `Done::overruled`, and then `Overruled`; applying again writes nothing.";
comparing secrets no_value_of_a_secret_is_told "Faults, differences, assessments and `Debug` texts hold no value of a Secret, neither a desired nor a live one.";

records always what_was_never_deployed_is_not_recalled "`recall` knows nothing of an application that was never deployed.";
records always beginning_records_the_intent "When `begin` has answered, source, revision and reach are recorded, so that a crash at any later instant leaves no object that nobody looks for.";
records always beginning_only_widens_the_reach "`begin` adds to the recorded reach and takes nothing away.";
records always another_source_is_denied "`begin` fails with `Denied` when the record belongs to another source, and leaves the record as it is.";
records always a_session_that_is_dropped_leaves_the_reach_wide "A session that is dropped before `finish` leaves the reach wide and its members members, and the same target can begin again.";
records always a_crash_loses_no_member "What was created before a crash is a member for whoever comes after it.";
records always finishing_records_the_end "`finish` records the applied revision, the outcomes and the time, and they survive a restart.";
records always finishing_narrows_only_when_told "`finish` replaces the reach by that of the `End`; without one it stays as it is.";
records always finishing_without_a_revision_keeps_the_last "A session that ends without a revision wholly in force keeps the one that was recorded as applied.";
records always finishing_can_forget "`End::forget` removes the record.";
records always one_session_at_a_time "While a session lives, no other begins for the application, in this process or another: `begin` waits, and ends with a fault that may pass.";
records always sessions_of_two_applications_do_not_meet "Two applications write at the same time.";
records always finishing_releases_the_lock "After `finish` anybody can begin, in this process or another.";

deploying always an_attempt_is_recorded_before_it_writes "When `begin` has answered, the attempt of the revision is recorded with its time: whoever looks then, and whoever starts after a crash then, sees it. A second attempt is the same deployment.";
deploying always deployments_are_recalled "`AppRecord::deployments` tells what was attempted, applied and Healthy, when, what it changed, and what was healed with the other manager's name; and it survives a restart.";
deploying always noting_health_leaves_the_rest "A session that only notes that a revision is Healthy leaves everything else that is recorded.";
deploying always only_what_is_in_force_is_healthy "A revision of which not all came in force, or that is not the last one any more, is not recorded as Healthy.";
deploying always many_deployments_are_summed_up "Deployments are recorded one by one up to a number, and older ones summed up; the last good one is kept.";

steps always creating_stores_the_object "A create stores the stated value, and says that it wrote.";
steps always a_step_is_over_when_it_is_stored "`run` returns when the target has stored it: whoever looks then, and whoever starts then, sees it.";
steps always a_step_tells_the_object_as_it_is "`Done::live` is the object as it is now: with the token under which it is then observed.";
steps always updating_puts_back_what_differs "An update puts the stated value back.";
steps always an_update_that_changes_nothing_writes_nothing "An update of what is as stated says that it wrote nothing, and leaves the version.";
steps always pruning_deletes "A prune deletes the object, and says that it is gone.";
steps always a_step_does_one_thing_to_one_object "A step leaves all other objects as they are.";
steps always several_steps_run_at_once "Several steps of one session may run at once.";
steps always a_step_with_nothing_to_apply_is_a_bug "A step that applies and has nothing to apply fails with `Bug`.";

expecting always creating_what_exists_is_refused "A create of what exists, ours or not, is a `Precondition`, and writes nothing.";
expecting always updating_what_is_gone_is_refused "An update or adoption of what is gone is a `Precondition`, and creates nothing.";
expecting always another_incarnation_is_refused "A step on the condition of another incarnation is a `Precondition`, and writes nothing.";
expecting always a_version_that_has_passed_is_refused "A step on the condition of a version that has passed is a `Precondition`, and writes nothing.";
expecting always an_incarnation_may_have_changed "An update on the condition of the incarnation alone runs whatever the version.";
expecting always what_is_gone_is_not_deleted_again "A prune or release of what is gone writes nothing: it is a `Precondition`, or done without having written.";
expecting always only_one_of_two_creations_succeeds "Of two creations of one object at once, by two applications, one succeeds and the other is a `Precondition`.";

watching always the_stream_does_not_end "The stream of `watch` lives until it is dropped, with and without anything to tell.";
watching watch a_change_by_others_is_told "A change by others of a member that was as applied is told: the object is named, or `Everything`.";
watching watch a_deletion_by_others_is_told "A deletion of a member by others is told.";
watching watch what_is_deployed_after_the_watch_began_is_told "A watch that began before the application was deployed tells of its members too.";
watching watch unread_changes_are_one_hint "Changes that nobody has read of yet are one hint, however many they are.";
watching gaps a_gap_is_told_and_what_changed_in_it "While changes cannot be seen the stream says `Blind`, and another item follows when they can be seen again; nothing that changed meanwhile stays untold.";

troubles always a_cancelled_context_writes_nothing "A call whose context is cancelled already writes nothing, and fails with `Cancelled`.";
troubles silence every_wait_ends_by_the_deadline "Each call ends by the deadline of its context, with a fault that may pass.";
troubles silence every_wait_ends_by_cancellation "Each call ends soon after its context is cancelled: with `Cancelled`, or `OutcomeUnknown` for a write.";
troubles lost_answers a_lost_answer_is_an_unknown_outcome "A write whose answer was lost is `OutcomeUnknown`: no success, and no definite failure.";
troubles refusals a_refused_write_is_denied "A write for which the permission is missing is `Denied`, writes nothing, and stops nothing else.";
troubles counting requests_are_counted "Each request sent is counted with `Cx::count_request`.";
    }};
}
