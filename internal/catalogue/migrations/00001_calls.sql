-- Times are Unix nanoseconds, 0 = unknown. JSON is text. Nothing here needs
-- one database rather than the other.

-- +goose Up
CREATE TABLE calls (
    id                   TEXT     NOT NULL PRIMARY KEY,
    -- 0: something was journaled about a call whose invite is not here.
    invite_known         SMALLINT NOT NULL CHECK (invite_known IN (0, 1)),
    invited_at           BIGINT   NOT NULL,
    platform_id          TEXT     NOT NULL,
    tenant               TEXT     NOT NULL,
    scenario             TEXT     NOT NULL,
    call_chain           TEXT     NOT NULL,
    observed_participant TEXT     NOT NULL,
    my_participant       TEXT     NOT NULL,
    observed_user        TEXT     NOT NULL,
    application_instance TEXT     NOT NULL,
    policy               TEXT     NOT NULL,
    region               TEXT     NOT NULL,
    thread_id            TEXT     NOT NULL,
    direction            TEXT     NOT NULL
);
CREATE INDEX calls_by_time ON calls (invited_at);

CREATE TABLE journal (
    call TEXT   NOT NULL,
    seq  BIGINT NOT NULL CHECK (seq > 0),
    at   BIGINT NOT NULL,
    kind TEXT   NOT NULL,
    data TEXT   NOT NULL,
    PRIMARY KEY (call, seq)
);

-- Law 4: the primary key is the call.
CREATE TABLE outcomes (
    call    TEXT   NOT NULL PRIMARY KEY,
    outcome TEXT   NOT NULL CHECK (outcome IN ('recorded', 'recordedWithGaps', 'notRecorded', 'failed', 'rejected')),
    cause   TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);

CREATE TABLE recordings (
    id              TEXT     NOT NULL PRIMARY KEY,
    call            TEXT     NOT NULL,
    state           TEXT     NOT NULL CHECK (state IN ('open', 'sealed', 'archived', 'failed')),
    opened_at       BIGINT   NOT NULL,
    sealed_at       BIGINT   NOT NULL,
    started_at      BIGINT   NOT NULL,
    ended_at        BIGINT   NOT NULL,
    frames          BIGINT   NOT NULL,
    samples         BIGINT   NOT NULL,
    gap_samples     BIGINT   NOT NULL,
    discarded       BIGINT   NOT NULL,
    last_seq        BIGINT   NOT NULL,
    bytes           BIGINT   NOT NULL,
    path            TEXT     NOT NULL,
    manifest_sha256 TEXT     NOT NULL,
    -- Number of the archived recording, in the order of archiving: the chain
    -- of manifests. 0 = not archived.
    archive_number  BIGINT   NOT NULL,
    detail          TEXT     NOT NULL
);
CREATE INDEX recordings_by_call ON recordings (call);
CREATE INDEX recordings_by_state ON recordings (state, sealed_at);
CREATE INDEX recordings_by_archive ON recordings (archive_number);

-- +goose Down
DROP TABLE recordings;
DROP TABLE outcomes;
DROP TABLE journal;
DROP TABLE calls;
