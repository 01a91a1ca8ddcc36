-- What an invite says beside what the bot acts on, and whom the rosters named: for
-- search. Personal data.

-- +goose Up
-- Every field of the invite, a line each: name, "=", value, with a line's end in
-- front of the first. Empty: none, or of an older version.
ALTER TABLE calls ADD COLUMN facts TEXT NOT NULL DEFAULT '';

-- Links between the calls of one conversation.
CREATE INDEX calls_by_chain ON calls (call_chain);
CREATE INDEX calls_by_scenario ON calls (scenario);
CREATE INDEX calls_by_thread ON calls (thread_id, invited_at);
CREATE INDEX calls_by_observed ON calls (observed_participant);
CREATE INDEX calls_by_own ON calls (my_participant);

-- Rows are only ever added: who became known by another name has one for each.
CREATE TABLE parties (
    call        TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    -- Place among the invite's parties, from 0; of a participant the number of the
    -- journal's entry that named him first. -1: made from the call's row, for search.
    place       BIGINT NOT NULL,
    participant TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    number      TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    tenant      TEXT   NOT NULL,
    -- What is looked for: the number, else the ID, in lower case; the name in lower
    -- case.
    who         TEXT   NOT NULL,
    called      TEXT   NOT NULL,
    PRIMARY KEY (call, role, participant, kind, id, name)
);
CREATE INDEX parties_by_who ON parties (who, call);
CREATE INDEX parties_by_pair ON parties (participant) WHERE role = 'pairedRecorder';

INSERT INTO parties (call, role, place, participant, kind, id, number, name, tenant, who, called)
SELECT id, 'observed', -1, observed_participant, 'user', observed_user, '', '', '', LOWER(observed_user), ''
FROM calls WHERE observed_user <> '';

-- What the archive found in a recording: a closed set of words.
CREATE TABLE recording_flags (
    recording TEXT NOT NULL,
    flag      TEXT NOT NULL,
    PRIMARY KEY (recording, flag)
);
CREATE INDEX recording_flags_by_flag ON recording_flags (flag, recording);

-- +goose Down
DROP TABLE recording_flags;
DROP TABLE parties;
DROP INDEX calls_by_own;
DROP INDEX calls_by_observed;
DROP INDEX calls_by_thread;
DROP INDEX calls_by_scenario;
DROP INDEX calls_by_chain;
ALTER TABLE calls DROP COLUMN facts;
