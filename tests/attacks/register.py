"""The 28 findings of the security review of version 0.3, and for each the tests that hold it.

docs/security.md shows them in words; `tools.check` holds both against each other and sees that each test exists.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """One finding.

    Attributes:
        tests: file and function, below tests/; the first reproduces the attack.
        before, after: a figure of each, as far as the finding has one.
    """

    tests: tuple[str, ...]
    before: str
    after: str


PROBES = "insight_site/operation/test_probes.py::test_"
HELD: dict[str, Held] = {
    "S1": Held(
        (
            "experiments/analyse/gather/test_admission.py::"
            "test_forging__sixty_known_units_in_the_other_arm__changes_nothing_but_the_finding",
            "experiments/analyse/gather/test_admission.py::"
            "test_forging__invented_units_from_another_source__changes_nothing_but_the_finding",
        ),
        "60 forged exposures: INVALID",
        "the verdict as before; 60 not admitted",
    ),
    "S2": Held(
        (
            "events/outbox/test_set_aside.py::test_flush__with_a_line_separator_in_a_user_id__moves_all_in_one_call",
            "events/outbox/test_set_aside.py::test_flush__with_a_row_that_no_one_can_read__moves_the_others",
        ),
        "5,000 rows a minute, the outbox grows",
        "all rows in one call; an unreadable one is set aside",
    ),
    "S3": Held(
        (f"{PROBES}readyz__with_everything_else_broken__stays_ready", f"{PROBES}queue__of_short_tasks__may_not_wait"),
        "503 of every web process",
        "200; parts are seen at /healthz/parts",
    ),
    "S4": Held(
        (
            "events/test_ownership.py::test_store__without_its_log__is_refused_and_goes_on_after_the_repair",
            "events/test_ownership.py::test_store__older_than_its_database__is_refused_and_goes_on_after_the_repair",
        ),
        "100 events or all lost, silently",
        "refused, 0 lost",
    ),
    "S5": Held(
        ("events/test_ownership.py::test_batch__whose_number_a_copy_of_the_database_took__is_not_called_moved",),
        "40 events called moved and lost",
        "refused, 0 lost",
    ),
    "S7": Held(
        (
            "attacks/test_partitions.py::test_public_key__dates_events_years_back__may_go_back_thirty_days",
            "attacks/test_partitions.py::test_server_key__dates_events_years_back__makes_one_file_a_month",
            "attacks/test_partitions.py::test_late_events__of_many_flushes__are_joined_by_compaction",
        ),
        "2,000 days: 2,000 files",
        "public key 31 files, server key 98",
    ),
    "S9": Held(
        (
            "attacks/test_limits.py::test_public_key__called_without_end_from_one_address__works_for_everybody_else",
            "attacks/test_limits.py::"
            "test_quarantine__of_a_source__takes_so_many_rows_an_hour_and_keeps_half_for_secret_keys",
            "insight_site/access/test_limits.py::test_limit__of_four_processes_without_redis__is_never_passed",
        ),
        "others with the key: 0 of 40 calls pass; 2,500 quarantine rows a call",
        "40 of 40 pass; 500 rows an hour",
    ),
    "S10": Held(
        (
            "insight_site/test_doors_ingest.py::"
            "test_id_of_a_purchase__taken_first_with_a_public_key__keeps_the_servers_event",
        ),
        "the purchase is lost",
        "both events are kept",
    ),
    "S12": Held(
        (
            f"{PROBES}readyz__asked_again_and_again__writes_once_in_five_seconds",
            "attacks/test_probes.py::test_probes__of_a_week_of_message_ids__read_none_of_them",
        ),
        "0.4 to 1.6 s at 2 million ids",
        "no id is read",
    ),
    "S13": Held(
        (
            "attacks/test_fat_rows.py::"
            "test_traits__of_one_user_in_forty_calls__are_the_last_64_kib_and_pages_stay_small",
        ),
        "16 MB a user, a page of 96 MB",
        "64 KiB a user, pages under 0.3 MB",
    ),
    "S14": Held(
        (
            "insight_site/audit/test_recording.py::"
            "test_admin__each_model_that_may_be_changed__records_what_was_before_and_after",
            "insight_site/audit/test_recording.py::test_writes_by_key__each_route__record_the_key_and_the_change",
            "insight_site/audit/test_recording.py::test_keys__made_replaced_and_revoked__are_recorded_without_the_key",
        ),
        "no actor of an act by key; no record of Revoke",
        "every change: who, before, after, from where",
    ),
    "S15": Held(
        ("runs/queue/test_clock.py::test_put_due__put_off_by_a_clock_that_was_two_days_ahead__is_put_right",),
        "no schedule for 2 days",
        "put right at the next look",
    ),
    "S16": Held(
        (
            "attacks/test_upkeep.py::test_upkeep__with_a_damaged_file__fails_loudly_and_does_everything_else",
            "attacks/test_upkeep.py::test_upkeep__with_a_damaged_log__fails_loudly_and_keeps_the_database_small",
        ),
        "retention of ids and refused events ends",
        "goes on; the failure is told",
    ),
    "S19": Held(
        (
            "insight_site/takeaways/test_rendering.py::test_chart__of_a_report_with_such_a_name__is_drawn",
            "insight_site/takeaways/test_rendering.py::"
            "test_svg__of_a_name_with_a_line_separator__shows_a_sign_in_its_place",
        ),
        "500 of charts, take-away and link",
        "drawn, with a sign in its place",
    ),
    "S22": Held(
        ("attacks/test_page_sizes.py::test_pages__with_very_many_event_names__stay_small",),
        "30.8 MB",
        "every page under 1 MB",
    ),
    "S23": Held(
        (
            "insight_site/rest/test_idempotency.py::"
            "test_process__that_dies_between_the_change_and_its_note__leaves_neither",
        ),
        "2 clones",
        "1 clone",
    ),
    "S25": Held(
        (
            "insight_site/signin/test_accounts.py::test_deactivate__in_the_admin__ends_sessions_and_links_and_names_keys",
            "insight_site/audit/test_recording.py::test_share_link__made_read_and_ended__is_recorded",
        ),
        "a link of a former account: 200; no list",
        "ends with its maker; listed, and ended there",
    ),
    "S8": Held(
        ("deploy/test_deployment.py::test_slow_clients__through_the_proxy__keep_nobody_waiting",),
        "2 slow connections: 4 of 12 health checks",
        "behind nginx 20 slow connections of four kinds: 12 of 12; without a proxy 8: 0 to 6 of 12",
    ),
    "S18": Held(
        ("experiments/serve/test_doors.py::test_payload__kept_by_a_cache__serves_other_askers_too",),
        "a cached answer without the browser's origin",
        "fits everybody, or is private",
    ),
    "S20": Held(
        (
            "insight_site/takeaways/test_sharing.py::"
            "test_shared__unknown_tokens__404_then_429_and_no_lockout_of_valid_links",
        ),
        "valid links: 429, 4 of 4",
        "200",
    ),
    "S21": Held(
        (
            "insight_site/test_gunicorn_conf.py::"
            "test_metrics_folder__that_is_somebody_elses_too__keeps_every_other_file",
        ),
        "every file gone",
        "counters alone go",
    ),
    "S24": Held(
        (
            "insight_site/test_gunicorn_conf.py::test_files__that_a_worker_makes__are_closed_to_other_accounts",
            "insight_site/test_first_start.py::test_files__of_a_first_start_and_of_an_older_site__are_closed_to_other_accounts",
        ),
        "0644 and 0755",
        "0600 and 0700",
    ),
    "S26": Held(
        (
            "insight_site/access/test_limits.py::"
            "test_redis__that_takes_connections_and_says_nothing__costs_one_short_time_out",
        ),
        "5 s for each call",
        "one time-out of 0.25 s, then none for 10 s",
    ),
    "S27": Held(
        ("insight_site/test_doors_ingest.py::test_metrics__by_default__need_a_key_also_on_this_machine",),
        "200 through a proxy",
        "401 without a key",
    ),
    "S11": Held(
        (
            "insight_site/privacy/test_erasure.py::"
            "test_erase__ids_in_every_place__leaves_no_byte_and_a_receipt_without_ids",
        ),
        "no way to call it, traces in six places",
        "no byte left in any file, row or payload",
    ),
    "S28": Held(
        (
            "attacks/test_hostile_filters.py::test_admin__hostile_filters_and_searches__never_fail",
            "attacks/test_hostile_filters.py::test_pages_and_api__hostile_questions__never_fail",
        ),
        "500 at 6 places, 69 of 453 addresses",
        "0 of 453",
    ),
    "S29": Held(
        ("attacks/test_history.py::test_older_version__sent_back_with_other_values__changes_nothing",),
        "302, the moment is changed",
        "403 for everybody",
    ),
    "S6": Held(
        (
            "insight_site/signin/test_throttle.py::"
            "test_pair__tenth_failure__locks_the_right_password_out_for_a_quarter_of_an_hour",
            "insight_site/signin/test_throttle.py::"
            "test_pair__locked__others_behind_the_same_address_and_the_owner_elsewhere_come_in",
            "insight_site/signin/test_throttle.py::test_pair__many_tries_at_once__no_more_are_hashed_than_the_limit",
            "runs/queue/test_leases.py::test_perform__a_row_that_somebody_wrote_with_another_function__runs_nothing",
        ),
        "206 guesses a minute; a schedule runs any command",
        "10 guesses in a quarter of an hour; tasks of the code's list alone",
    ),
    "S17": Held(
        ("events/test_flush_store.py::test_vacuum__file_that_no_commit_knows__goes_after_a_week",),
        "kept for ever",
        "deleted after a week",
    ),
}
