-- What people asked of the console. Rows are only ever added: what came of a
-- request is a row of its own with the same request ID.

-- +goose Up
CREATE TABLE audit (
    number   BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    request  TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    identity TEXT   NOT NULL,
    role     TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    -- Empty: not about one call.
    call     TEXT   NOT NULL,
    result   TEXT   NOT NULL,
    remote   TEXT   NOT NULL,
    detail   TEXT   NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_call ON audit (call, at);

-- +goose Down
DROP TABLE audit;
