"""Every bound of the product, with its unit last in its name. `docs/limits.md` explains each one.

What a user may set has its default and its bounds in `settings`; what stands here cannot be set.
"""

from __future__ import annotations

from typing import Final

# Files that are read.
FLEET_FILE_MAX_BYTES: Final = 5_000_000
TABLE_FILE_MAX_BYTES: Final = 64_000_000  # of a table of people or domains: one may serve all domains
FLEET_FILES_MAX_COUNT: Final = 5_000  # a domain may have a members file and its own file
FLEET_TOTAL_MAX_BYTES: Final = 200_000_000
LINKS_FOLLOWED_MAX_COUNT: Final = 40  # of one path, as systems have it; more are a circle
PATTERN_ENTRIES_MAX_COUNT: Final = 200_000  # files and folders that one pattern looks at
FLEET_APPS_MAX_COUNT: Final = 2_000_000  # that one process loads: a million take about 30 s and 1.1 GB
FLEET_OWNERS_MAX_COUNT: Final = 200_000  # user profiles and spaces of one domain, each
PEOPLE_LINES_MAX_COUNT: Final = 1_000_000  # of one table of people, blank ones too
TEAM_PAIRS_MAX_COUNT: Final = 6_000_000  # pairs of a member and an entry or a space, in all teams together
TABLE_ROWS_GONE_MAX_SHARE: Final = 0.1  # of a table of domains since the last run, before a plan reports it
SHARDS_MAX_COUNT: Final = 10_000  # of one run: as many as an AWS Batch array has children
TEAM_COMPARISONS_MAX_COUNT: Final = 400_000  # of two teams of one person
PROBLEMS_KEPT_MAX_COUNT: Final = 1_000
LOST_LINES_SHOWN_MAX_COUNT: Final = 20  # of one members file: values that no team selects, each with its first line
POLICY_FILE_MAX_BYTES: Final = 1_000_000
POLICY_FILES_MAX_COUNT: Final = 200
TERRAFORM_STATE_MAX_BYTES: Final = 128_000_000  # of the JSON of a state, with its resources of other services
SERVICE_MODEL_MAX_BYTES: Final = 64_000_000  # of a service model of botocore's form, unpacked
DIAGNOSTICS_SHOWN_MAX_COUNT: Final = 100
ENDING_PROBLEMS_MAX_COUNT: Final = 100  # of a broken file, in the JSON result of a run and in its log
EXTENDS_MAX_DEPTH: Final = 32
TOML_NESTING_MAX_DEPTH: Final = 32
LABEL_MAX_CHARS: Final = 63  # names of domains, teams and app definitions
PROFILE_NAME_MAX_CHARS: Final = 128
PREFLIGHT_KEYS_SHOWN_MAX_COUNT: Final = 3  # of the apps that need one thing
EXTERNAL_ID_MIN_CHARS: Final = 2  # as STS has it
EXTERNAL_ID_MAX_CHARS: Final = 1_224
FILE_NAME_MAX_BYTES: Final = 255  # of one part of a path, which is what Linux and macOS allow
NAME_SHOWN_MAX_CHARS: Final = 120  # of a name that no disk accepts; the reason must still be readable
COMMAND_SHOWN_MAX_CHARS: Final = 2_000  # of a command that is shown as typed; of a longer one only the name
PATH_MAX_BYTES: Final = 4_095

# Files that a user names to be written.
NAMED_PIPE_STALL_MAX_SECONDS: Final = 30.0  # of a pipe whose reader does not read

PLAN_FILE_MAX_BYTES: Final = 512_000_000
GATHERED_APPS_MAX_COUNT: Final = 5_000  # of all shards, that did not end well, by name; the others are counted
SHARD_TRIES_MAX_COUNT: Final = 3  # of one shard whose worker is lost; then it is lost too
SHARD_LOCK_WAIT_SECONDS: Final = (
    600.0  # of a shard that is done again: a worker that is cut off may work on for a while
)
SHARD_EVENTS_MAX_COUNT: Final = 1_000  # warnings that one shard passes on to the log of the run
SHARD_PROGRESS_SECONDS: Final = 10.0  # between two progress reports of a shard
WORKERS_MAX_COUNT: Final = 64  # that --workers may ask for: each process on this machine takes some 60 MB
WORKERS_CONNECT_MAX_SECONDS: Final = 30.0  # to a scheduler, and for a worker where none is left
WORKERS_STOP_MAX_SECONDS: Final = 5.0  # to ask workers to stop
WORKERS_END_MAX_SECONDS: Final = 60.0  # for their tasks to end after that, or after the deadline of the run
WORKER_LOOK_SECONDS: Final = 0.5  # between two checks that a worker still exists
PLAN_AGE_MAX_SECONDS: Final = 3_600.0  # of a saved plan, unless --plan-age-max says otherwise

# What the service allows.
APP_TAGS_MAX_COUNT: Final = 49  # the service takes 50, and appfleet:fleet is one of them
TAG_KEY_MAX_CHARS: Final = 128
TAG_VALUE_MAX_CHARS: Final = 256
LIST_PAGE_MAX_ROWS: Final = 100
FAILURE_REASON_MAX_CHARS: Final = 1_024

# What is shown.
SHOWN_TEXT_MAX_CHARS: Final = 1_000
STATUS_REASONS_MAX_COUNT: Final = 20  # Failed apps whose reason `status` asks for, one call each
STATUS_REASON_ASK_MAX_SECONDS: Final = 10.0  # of one of them; without an answer by then, the reason is left out
IDLE_MAX_DAYS: Final = 36_500  # of `status --spaces --idle-days`
STATUS_APPS_OPEN_MAX_COUNT: Final = 25  # a status of more apps shows a line for each only with --all
UNFOLDED_MAX_COUNT: Final = 100  # changes; a plan of more is folded by shape, or counted by domain; --all shows each
DOMAINS_OPEN_MAX_COUNT: Final = 20  # a folded plan, or a result, of more is counted by domain
DOMAINS_SHOWN_MAX_COUNT: Final = 20  # lines of counts by domain, for groups of similar domains; the rest is one line
LANES_SHOWN_MAX_COUNT: Final = 10  # accounts and regions in the head of a plan; endpoints that are not AWS's come first
QUOTAS_SHOWN_MAX_COUNT: Final = 20  # in a plan as text; those in which it does not fit come first
SHAPES_SHOWN_MAX_COUNT: Final = 20  # in a plan of many domains: apps that are created alike; the largest come first
TAG_ROWS_SHOWN_MAX_COUNT: Final = 10  # in a plan: tags that the same apps have are one; those of most apps come first
TAG_VALUES_SHOWN_MAX_COUNT: Final = 5  # of one key of a tag; one with more values, such as a name, is counted
TRAILS_SHOWN_MAX_COUNT: Final = 20  # in a result as text: groups of apps that ended alike; the largest come first
ERRORS_SHOWN_MAX_COUNT: Final = 20  # of a run or a status as text: one domain that cannot be listed is one
TEAMS_SHOWN_MAX_COUNT: Final = 50  # in a status of many domains, over all of them; those that need attention come first
FINDINGS_SHOWN_MAX_COUNT: Final = 50  # in a text; equal ones count once, and those that stop the run come first
KEY_SHOWN_MAX_CHARS: Final = 200  # of text that was typed as an app key and is not one
FINDING_KEYS_LOGGED_MAX_COUNT: Final = 100  # of the apps that one rule.fired line is about; the plan names them all
ORPHANS_NAMED_MAX_COUNT: Final = 10  # in the one finding that counts them all
EXPIRY_WARNED_DAYS: Final = 14  # before a day on which more apps expire than a guardrail allows
CALENDAR_FIRST_YEAR: Final = 1970  # of days that a window, a calendar or --at names
CALENDAR_LAST_YEAR: Final = 9000
CALENDAR_CHANGES_MAX_COUNT: Final = 500  # of windows that touch or overlap, checked for the next real change
FREEZES_MAX_COUNT: Final = 100  # of [safety] freeze
HOURS_MAX_CHARS: Final = 120  # of one window, or of the name of a calendar
CALENDAR_WINDOWS_MAX_COUNT: Final = 50
CALENDAR_CLOSED_MAX_COUNT: Final = 400  # whole days without hours
RUNS_COMPARED_MAX_COUNT: Final = 500  # of the journal, compared with the name of a run that is not in it
RUNS_NAMED_MAX_COUNT: Final = 5  # of those that begin with what was typed
FILE_FINDINGS_MAX_COUNT: Final = 20  # warnings of the files that a plan, a run and a status repeat; validate lists all
SERVICE_MESSAGE_READ_MAX_CHARS: Final = 4_000

# What the system has to let the process have.
OPEN_FILES_MIN_COUNT: Final = 64

# Calls.
CALL_TOTAL_MAX_SECONDS: Final = 30.0
CONNECT_MAX_SECONDS: Final = 5.0
SIGNAL_AGAIN_SECONDS: Final = 0.01  # until a signal that Python dropped arrives again
READ_MAX_SECONDS: Final = 20.0
REQUEST_TOTAL_MAX_SECONDS: Final = 25.0  # below the call's own bound, so that the connection is closed in order
CONNECT_PARALLEL_MAX_COUNT: Final = 20  # accounts and regions asked at once: credentials, first listings, owners, tags
ACCOUNT_READS_PARALLEL_MAX_COUNT: Final = 60  # accounts whose quotas are read at once: many pages, one after the other
CALLS_AT_ONCE_MAX_COUNT: Final = 100  # in one region, of all accounts together; more only where `concurrency` is
RETRY_AFTER_MAX_SECONDS: Final = 300.0
TAG_PAGES_MAX_COUNT: Final = 10
CREDENTIAL_ATTEMPT_MAX_SECONDS: Final = 60.0  # a person may have to type a code
CREDENTIAL_COMMAND_MAX_SECONDS: Final = 50.0  # of `credential_process`; below the attempt, so that it is named
ROLE_THROTTLED_MAX_SECONDS: Final = 50.0  # of a role that STS throttles; below the attempt, so that it is named
CREDENTIAL_TEXT_MAX_BYTES: Final = 100_000  # of a token's file and of what `credential_process` prints
CREDENTIAL_WORDS_MAX_CHARS: Final = 200  # of the last words of a failed command
CREDENTIAL_REFRESH_MAX_SECONDS: Final = 90.0
CREDENTIAL_RETRY_PAUSE_SECONDS: Final = 2.0
CREDENTIAL_LOOK_EVERY_SECONDS: Final = 5.0
CREDENTIAL_LAST_USE_SECONDS: Final = 60.0
CREDENTIAL_FAILURE_KEPT_SECONDS: Final = 30.0
ANSWER_MAX_BYTES: Final = 8_000_000
SCAN_PAGES_MAX_COUNT: Final = 10_000
SCAN_RESTARTS_MAX_COUNT: Final = 3
OWNER_LISTINGS_MAX_COUNT: Final = 50  # listings by owner instead of the domain, where its size is not known
UNSEEN_KEPT_MAX_SECONDS: Final = 2_592_000.0  # of an app that was created with --no-wait and that no run has seen since
CLOCK_SKEW_MAX_SECONDS: Final = 300.0

# Planning.
PLAN_ROUNDS_MAX_COUNT: Final = 12  # in which a plan asks questions and is made again
OWNERSHIP_READS_MAX_COUNT: Final = 20  # apps whose tags are read one by one before the index of tags is asked

# Quotas and prices.
PRICE_PAGES_MAX_COUNT: Final = 100  # of one region's offers, 100 per page
OPTIONAL_SERVICES_MAX_SECONDS: Final = 30.0  # that a whole run waits for the index of tags and quotas
QUOTA_ASK_MAX_SECONDS: Final = 30.0  # of asking for one region's prices
QUOTAS_ASKED_MAX_COUNT: Final = 5  # of one lane, read by their codes instead of a full listing
QUOTA_VALUE_MAX_COUNT: Final = 999_999_999_999
QUOTA_CACHE_MAX_SECONDS: Final = 86_400.0
TRAINING_PLAN_PARTS_MAX_COUNT: Final = 100  # targets and reserved capacities of one plan; the service gives at most 5

# Canaries.
SHAPES_KEPT_MAX_COUNT: Final = 10_000  # of each fleet, by the journal: whether apps of a shape ran here
SHAPES_CACHED_MAX_COUNT: Final = 10_000

# Settling.
SETTLE_TICK_MIN_SECONDS: Final = 3.0
SETTLE_TICK_MAX_SECONDS: Final = 15.0
MAINTENANCE_MARGIN_SECONDS: Final = 600.0  # past settle_timeout: listings lag, clocks differ; then Pending is not new

# Pace: the adaptive throttle's floor, and how it moves.
RATE_FLOOR_PER_SECOND: Final = 0.1

# Interruption.
DRAIN_MAX_SECONDS: Final = 30.0

# The state folder: journal, lock, and what else is kept in it.
STATE_FILE_MAX_BYTES: Final = 64_000_000
LOCK_POLL_SECONDS: Final = 0.5
LOCK_ALIVE_MAX_SECONDS: Final = (
    60.0  # since the last sign of life of a run on another machine, which is shown as running
)
LOCK_INFO_MAX_BYTES: Final = 4_096
# The lease of a lane, in a store that several machines share.
LEASE_TTL_SECONDS: Final = 60.0  # how long a holder may be silent and still make calls
LEASE_TTL_MAX_SECONDS: Final = 3_600.0  # that is believed of another holder
LEASE_GRACE_SECONDS: Final = 35.0  # after the time to live: the last call of a holder is over by then
LEASE_RENEW_SECONDS: Final = 20.0
LEASE_RETRY_SECONDS: Final = 5.0  # after a renewal that may or may not have been written
LEASE_POLL_SECONDS: Final = 5.0  # how often a waiting run checks whether the holder released it
LEASE_LOOK_MIN_SECONDS: Final = 0.5  # between two checks, however soon the lease is free: a store reports whole seconds
LEASE_RACES_MAX_COUNT: Final = 10  # writes in a row that another run was faster with
LEASE_RECORD_MAX_BYTES: Final = 4_096
OBJECT_NAMES_MAX_COUNT: Final = 1_000_000  # of one listing of the shared store
OBJECT_TAG_MAX_CHARS: Final = 256  # of the name of a version
OBJECT_MAX_BYTES: Final = 64_000_000  # that is read
OBJECT_UNPACKED_MAX_BYTES: Final = 512_000_000  # of the JSON in one
BUCKET_PREFIX_MAX_CHARS: Final = 512  # of an address in a bucket, of --state-dir and --report-to
STATE_OUTCOME_KEPT_MAX_SECONDS: Final = 90 * 86_400.0  # of apps, in the memory of a lane: for forecasts and status
STATE_KEEP_SECONDS: Final = 30.0  # between two writes of a lane's memory; intents of deletes do not wait
STATE_TRIES_MAX_COUNT: Final = 5  # of one request to the shared store while its trouble passes
STATE_RETRY_SECONDS: Final = 0.5  # before the second try, and twice as long before each other
STATE_SETTINGS_MAX_SECONDS: Final = 5.0  # to ask whether the bucket expires old versions
STATE_END_MAX_SECONDS: Final = 60.0  # to write the rest at the end of a run
STATE_RUNS_READ_MAX_COUNT: Final = 200  # of a shared state, by one command
JOURNAL_RUNS_MAX_COUNT: Final = 100  # of each fleet; `once`, quarantine and rates outlive the runs that they come from
JOURNAL_REFUSALS_MAX_COUNT: Final = 50  # of each fleet: runs that ended before they held the lock
JOURNAL_PENDING_MAX_ROWS: Final = 200_000
JOURNAL_APPS_READ_MAX_COUNT: Final = 200_000  # of one run, those that did not end well first
JOURNAL_GATHER_SECONDS: Final = 0.05  # of intents that need not be durable: a kill can lose this much
JOURNAL_ALIVE_SECONDS: Final = 10.0
JOURNAL_BUSY_MAX_SECONDS: Final = 2.0
JOURNAL_RETRY_SECONDS: Final = 5.0
JOURNAL_FINISH_MAX_SECONDS: Final = 5.0
JOURNAL_ASIDE_MAX_COUNT: Final = 9
MOMENT_MAX_SECONDS: Final = 253_402_300_799.0  # the last second of the year 9999: no clock shows a later one
DURATION_MAX_SECONDS: Final = 34_560_000.0  # 400 days
KEPT_COUNT_MAX_COUNT: Final = 2_147_483_647
JOURNAL_TEXT_MAX_CHARS: Final = 10_000
JOURNAL_DURATIONS_MAX_COUNT: Final = 5_000
DOUBT_KEPT_MAX_SECONDS: Final = 86_400.0  # then a call of an earlier run without an outcome is no longer on its way

# The timeline of a run, kept in the journal for its report.
TIMELINE_MARKS_MAX_COUNT: Final = 40  # of one app; later ones take the place of the last
TIMELINE_SLOTS_MAX_COUNT: Final = 600  # of counted calls; their width doubles when a run is longer
TIMELINE_BUCKET_MARKS_MAX_COUNT: Final = 4_000
TIMELINE_KEEP_EVERY_SECONDS: Final = 30.0  # what a killed run loses of its counts; an app is kept when it ends
WORDS_ERRORS_MAX_COUNT: Final = 200  # of the run itself; domains and lanes, not apps
WORDS_FINDINGS_MAX_COUNT: Final = 500
WORDS_NOTES_MAX_COUNT: Final = 50
HOURS_APPS_KEPT_MAX_COUNT: Final = 1_000  # of one calendar: named in a report because they were stopped, or started
WORDS_RESERVED_APPS_MAX_COUNT: Final = 5_000  # whose training plan the journal keeps, of those worked on
WORDS_KEPT_APPS_MAX_COUNT: Final = 5_000  # named, of those without a call that are not as declared

# Reports and history.
REPORT_APPS_MAX_COUNT: Final = 20_000  # of one run on one page; those that did not end well come first
RUN_SHOWN_MAX_SECONDS: Final = 691_200.0  # a deadline is at most a week; anything longer means that the clock was set
HISTORY_SHOWN_MAX_COUNT: Final = 1_000

# The simulator.
TOMBSTONE_SECONDS: Final = 86_400.0
SIMULATED_HEADER_MAX_BYTES: Final = 32_768
SIMULATED_BODY_MAX_BYTES: Final = 1_048_576
SIMULATED_CONNECTIONS_MAX_COUNT: Final = 1_024
SIMULATED_IDLE_MAX_SECONDS: Final = 120.0
SIMULATED_TIMES_MAX_COUNT: Final = 100_000
SIMULATED_WORLD_MAX_BYTES: Final = 512_000_000
SCENARIO_FILE_MAX_BYTES: Final = 1_000_000
SCENARIO_ROWS_MAX_COUNT: Final = 200_000

# Policies.
EXPRESSION_MAX_CHARS: Final = 8_000
EXPRESSION_NESTING_MAX_DEPTH: Final = 32  # the expression language's own bound; it does not parse deeper expressions
EXPRESSION_GROWTH_MAX_FACTOR: Final = 128  # how much larger the macros of one expression can make a value
EXPRESSION_GROWING_CALLS_MAX_COUNT: Final = 2  # of join, format and quote in one expression
EXPRESSION_SEPARATOR_MAX_CHARS: Final = 16  # of join
MACRO_MAX_ITEMS: Final = 9_999  # all iterations of one evaluation together; the expression language stops there
REMEMBERED_VERDICTS_MAX_COUNT: Final = 2_000  # of each rule, while one fleet is admitted
RULES_MAX_COUNT: Final = 1_000
RULE_ID_MAX_CHARS: Final = 64
RULE_TEXT_MAX_CHARS: Final = 1_000
SEEN_VALUE_MAX_CHARS: Final = 200
POLICY_TEST_APPS_MAX_COUNT: Final = 200  # of one test; each is judged beside all others

# Results, and words on standard error.
RESULT_STALL_MAX_SECONDS: Final = 10.0  # that a reader of the result reads nothing; the rest is then dropped
RESULT_STALL_STOPPED_SECONDS: Final = 1.0  # the same once a signal came while it was written
RESULT_TOTAL_MAX_SECONDS: Final = 600.0  # of writing one result, however slowly its reader reads it
WORDS_STALL_MAX_SECONDS: Final = 2.0  # that standard error accepts nothing
WRITE_LOOK_SECONDS: Final = 0.1  # how often a waiting write is checked
WRITE_CHUNK_BYTES: Final = 65_536
PIPE_MAX_BYTES: Final = 1_048_576  # of a pipe, so that a result up to this size never waits for a pager

# Logs and progress.
LOG_QUEUE_MAX_LINES: Final = 20_000  # of a screen or disk that does not accept them; later lines are dropped
LOG_GATHER_SECONDS: Final = 0.05  # how long a line may wait for others, to be written together with them
LOG_CLOSE_MAX_SECONDS: Final = 2.0
LOG_REOPEN_LOOK_SECONDS: Final = 1.0  # between two checks whether the log file was renamed
LOG_WRITABLE_POLL_SECONDS: Final = 0.5
PROGRESS_LINE_SECONDS: Final = 10.0
PROGRESS_REDRAW_SECONDS: Final = 0.2
METRICS_FILE_MAX_BYTES: Final = 1_000_000  # of the last file, which is read for the time of the last success
OFFERED_DOMAINS_MAX_COUNT: Final = 10  # by init, of those in all regions; the first 100 of each region are looked at
OFFERED_PROFILES_MAX_COUNT: Final = 20  # AWS profiles that init names
OFFER_MAX_SECONDS: Final = 10.0  # for which init looks for them; after that it asks without an offer
LIVE_REDRAW_SECONDS: Final = 0.5
SITE_RUNS_MAX_COUNT: Final = 200  # with a page each in a site; the newest
SITE_HEAD_MAX_BYTES: Final = 4_096  # of a page that is there, which says what wrote it
COMPLETIONS_MAX_COUNT: Final = 1_000  # values that a shell is offered for one flag
COMPLETION_MAX_SECONDS: Final = 2.0  # then nothing is offered, because somebody waits at a prompt
LIVE_GROUPS_SHOWN_MAX_COUNT: Final = 12  # lines of buckets; parked ones come first
FAILURES_SHOWN_MAX_COUNT: Final = 3
RATE_WINDOW_SECONDS: Final = 10  # whole seconds over which calls per second are measured

# Notifications, and what `--report-to` keeps.
NOTIFY_CHANNELS_MAX_COUNT: Final = 20  # all are notified at once
NOTIFY_COMMAND_MAX_COUNT: Final = 100  # words of one command
NOTIFY_COMMAND_MAX_CHARS: Final = 10_000
NOTIFY_TRY_MAX_SECONDS: Final = 12.0  # of one of two tries; whatever hangs is then killed or cut off
NOTIFY_TRY_STOPPED_SECONDS: Final = 4.0  # the same after a run that a signal stopped
NOTIFY_PAUSE_SECONDS: Final = 1.0  # between the two
NOTIFY_TOTAL_MAX_SECONDS: Final = 30.0  # in total
NOTICE_WHY_MAX_CHARS: Final = 400  # of the reason why a notice was not sent, with the last words of a command
NOTICE_TITLE_MAX_CHARS: Final = 80
NOTICE_TEXT_MAX_CHARS: Final = 320  # of what happened and what to do, to fit a phone; links come after it

REPORT_STORE_MAX_SECONDS: Final = 30.0  # of keeping report and result in a bucket, and of the log after them
REPORT_LOG_MAX_BYTES: Final = 256_000_000  # of a log that is put into a bucket
RUNS_BESIDE_REPORT_MAX_COUNT: Final = 20  # of the same fleet, on the page of one run

# Traces and metrics by OpenTelemetry.
TELEMETRY_MAX_SECONDS: Final = 30.0  # of sending both, once, at the end of a run
TELEMETRY_BATCH_MAX_COUNT: Final = 512  # spans of one request
TRACE_SPANS_MAX_COUNT: Final = 20_000  # of one run; those that end later are counted and dropped

# The event loop.
LOOP_LOOK_SECONDS: Final = 1.0
LOOP_LATE_MAX_SECONDS: Final = 0.25  # anything later than this is reported

# Before a delete or an adoption.
LOOK_BEFORE_CHANGE_MAX_SECONDS: Final = 5.0  # between a look at a thing and its change; after that it looks again
ACTIVITY_EQUAL_MAX_SECONDS: Final = 1.0  # between a user's activity and a health check that set both times
LOOKS_BEFORE_CHANGE_MAX_COUNT: Final = 3  # looks before one delete; then it waits under [backoff.transient]

# Watching what was called.
ABSENT_TWICE_SECONDS: Final = 10.0  # between the two complete scans that miss an app before it counts as gone
CALL_LATE_MAX_SECONDS: Final = 60.0  # how late the service may still carry out a call whose answer was lost
CALL_LATE_FACTOR: Final = 4.0  # the same in times of [observe] first_after + second_after: 60 s by default
STALE_ROW_MAX_SECONDS: Final = 60.0  # how long a listing may lag, and show the state before a call
IN_USE_WAIT_SECONDS: Final = 60.0  # after a second "in use" of a name that nothing shows; doubled for each later one
DESCRIBES_PER_SCAN_MAX_COUNT: Final = 25
GENERATION_TOLERANCE_SECONDS: Final = 1.0
TAG_PROOF_READS_MAX_COUNT: Final = 4  # of the tags of an app that was just adopted, until they show the fleet's
TAG_PROOF_SECONDS: Final = 2.0  # between two of these reads
REFUSED_RETRY_MAX_SECONDS: Final = 10.0  # of a run that changes something; one that only looks does not try again
UNREADABLE_RETRY_MAX_SECONDS: Final = 30.0  # of a read whose answers arrive but do not fit the question
DOMAINS_NAMED_MAX_COUNT: Final = 10  # in one message
CALLER_MAX_SECONDS: Final = 30.0  # of asking who the caller is, before anything else

# User profiles and spaces.
BEGUN_AT_ONCE_MAX_COUNT: Final = 2_000  # apps of a run, between two turns of the loop
PLANNED_ASIDE_MIN_COUNT: Final = 5_000  # apps of a fleet that is planned in a thread, beside the loop
OWNERS_COMPARED_MAX_COUNT: Final = 200  # of those that creates need, if no policy updates: one Describe each
OWNERS_COMPARED_MAX_SECONDS: Final = 2.0  # of a lane, for those of them whose app is like the last one
OWNERS_LOOKED_MAX_COUNT: Final = 1_000  # compared in one day; the next day continues from there
OWNERS_ASKED_AT_ONCE_MAX_COUNT: Final = 8  # by import; each waits for its turn under the read rate
OWNER_DESCRIBES_MAX_COUNT: Final = 3  # described one by one instead of listed
