//! The clauses: where each is checked, what it needs, what it is called, and what it says.

#[doc(hidden)]
#[macro_export]
macro_rules! __source_clauses {
    ([$($then:tt)*] $($context:tt)*) => { $($then)*! { $($context)*;
resolving always the_identity_is_stable "`identity` is the same after a restart.";
resolving always two_places_have_two_identities "Two places never share an identity.";
resolving always only_one_source_is_the_same_instance "`instance` is the same each time, and another one for another place.";
resolving credentials nothing_tells_the_credentials "Identity, `Debug` texts and faults hold no credentials.";
resolving always resolving_finds_the_newest_revision "`resolve` answers what the reference points to now, not what it pointed to before.";
resolving always a_reference_that_does_not_exist_is_not_found "A reference that does not exist is `NotFound`.";
resolving always a_source_without_a_revision_is_not_found "A source that has no revision yet answers `NotFound`.";
resolving references branches_tags_and_commits_are_followed "A branch is its head, a tag is the commit that it names, and a commit is itself.";
resolving counting resolving_moves_no_content "`resolve` moves no content.";
resolving counting fetching_moves_only_what_is_missing "`fetch` moves what is missing: a revision that is there already is not moved again.";
resolving hints hints_do_not_make_a_hot_loop "Where nothing changes there are few hints, and their stream does not end.";

fetching always what_is_fetched_is_what_was_asked_for "A snapshot is of the revision that was asked for, also when that is not the newest.";
fetching always a_revision_that_does_not_exist_is_not_found "A revision that does not exist is `NotFound`.";
fetching always a_revision_never_changes "Two fetches of one id show the same tree, whatever was committed in between, in this process and the next.";
fetching always an_older_snapshot_goes_on_reading "A snapshot reads its own revision for as long as it lives.";
fetching always fetches_at_once_show_the_same "Fetches at the same time, of one revision and of several, each show their own.";
fetching always a_fetch_that_was_dropped_leaves_nothing_half_done "Both calls may be dropped at any await: a later call finds nothing half done that it would mistake for whole.";
fetching provenance a_revision_tells_where_it_comes_from "`Snapshot::revision` has all provenance that the source has: author, time and message.";
fetching rewriting a_rewritten_history_is_told "`Provenance::rewrote` names the revision that the reference pointed to, when the new one does not descend from it.";
fetching always a_cancelled_context_is_cancelled "A call whose context is cancelled already fails with `Cancelled`, unless it has nothing to wait for.";
fetching silence every_wait_ends_by_the_deadline "Each call ends by the deadline of its context, with a fault that may pass.";
fetching silence every_wait_ends_by_cancellation "Each call ends soon after its context is cancelled, with `Cancelled`.";
fetching refusals a_refused_credential_is_denied "A missing permission is `Denied`, and not an empty tree or an older one.";

reading always files_are_read_to_the_byte "`read` answers the file's content, to the byte.";
reading always a_file_that_is_too_large_is_invalid "A file that is larger than `max_bytes` is `Invalid`; one that is as large is read.";
reading always what_is_no_file_cannot_be_read "Reading what does not exist, or a directory, is `NotFound`.";
reading always a_directory_is_listed_in_order "`list` answers all entries of a directory and only these, sorted by name, each with its kind.";
reading always what_is_no_directory_cannot_be_listed "Listing what does not exist, or a file, is `NotFound`; the root can always be listed.";
reading always names_are_as_they_were_written "Names are as they were written: with spaces, in any script, with a leading dot.";
reading always the_same_id_means_the_same_content "The same id means the same content, for a directory with all below it; and what did not change has the id that it had, in all revisions and processes.";
reading always another_content_has_another_id "Where the content changes, the ids of the file and of all directories above it change, and no others.";
reading always where_nothing_is_there_is_no_id "Where nothing is there is no id, and no fault.";
reading always many_threads_may_read_at_once "Many threads may read one snapshot at once.";
reading links links_are_followed_inside_the_tree "A link inside the tree is what it leads to: when it is read, listed and asked for its id.";
reading links links_that_lead_out_are_invalid "A link that leads out of the tree, or in a circle, is `Invalid`, and is listed as a broken link.";
reading links the_id_of_a_directory_covers_what_its_links_lead_to "A directory's id changes with what a link in it leads to, wherever that is.";
    }};
}
