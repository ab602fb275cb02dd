-- A ledger as the first version made it: dumped from a file its own code wrote. Never made anew.
BEGIN TRANSACTION;
CREATE TABLE losses (
    id      TEXT    NOT NULL,
    payload INTEGER NOT NULL REFERENCES payloads (number),
    attempt INTEGER NOT NULL,
    worker  TEXT    NOT NULL,
    at      REAL    NOT NULL,
    UNIQUE (id, payload, attempt, at)
);
INSERT INTO "losses" VALUES('00000000000000000003',1,1,'node-2/1',1532000009.5);
INSERT INTO "losses" VALUES('00000000000000000004',2,1,'node-1/0',1532100007.25);
INSERT INTO "losses" VALUES('00000000000000000001',2,1,'node-1/1',1532100003.5);
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('created','1532000000.0');
INSERT INTO "meta" VALUES('spec','/home/ada/waves/ensemble.yaml');
INSERT INTO "meta" VALUES('study','waves');
CREATE TABLE outcomes (
    line    INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL,
    payload INTEGER NOT NULL REFERENCES payloads (number),
    attempt INTEGER NOT NULL,
    row     INTEGER,
    status  TEXT    NOT NULL CHECK (status IN ('done', 'failed')),
    kind    TEXT,
    error   TEXT,
    output  TEXT,
    result  TEXT,
    series  TEXT,
    files   TEXT,
    started REAL,
    seconds REAL,
    worker  TEXT,
    UNIQUE (id, payload, attempt)
);
INSERT INTO "outcomes" VALUES(1,'00000000000000000001',1,1,1,'done',NULL,NULL,'','{"value":1}',NULL,'{}',1532000001.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(2,'00000000000000000002',1,1,2,'failed','memory','outgrew 2 GB','',NULL,NULL,'{}',1532000002.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(3,'00000000000000000001',2,1,1,'done',NULL,NULL,'gelöst
','{"low":0.30000000000000004,"text":"\u00dcberlauf \ud83d\ude00 it''s","nested":{"a":[1,null,true]}}',NULL,'{}',1532000001.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(4,'00000000000000000002',2,1,2,'failed','error','ValueError: no
Traceback (most recent call last):
  …','',NULL,NULL,'{}',1532000002.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(5,'00000000000000000002',2,2,2,'done',NULL,NULL,'','{"a":NaN,"b":-Infinity}',NULL,'{}',1532000002.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(6,'00000000000000000003',2,1,3,'done',NULL,NULL,'','{"value":3}','{"object":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","names":["tank"]}','{"plot":{"object":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","size":9,"name":"p.png"}}',1532000003.5,0.25,'node-1/0');
INSERT INTO "outcomes" VALUES(7,'00000000000000000004',2,1,4,'failed','timeout','ended after 60 s','',NULL,NULL,'{}',1532000004.5,0.25,'node-2/1');
CREATE TABLE payloads (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    used   REAL NOT NULL,
    done   INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "payloads" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1532000000.001,1,1);
INSERT INTO "payloads" VALUES(2,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1532100000.001,3,1);
CREATE INDEX failed_outcomes ON outcomes (payload, id) WHERE status = 'failed';
CREATE TRIGGER count_outcome AFTER INSERT ON outcomes
WHEN NOT EXISTS (
    SELECT 1 FROM outcomes WHERE id = NEW.id AND payload = NEW.payload AND attempt > NEW.attempt
)
BEGIN
    UPDATE payloads SET
        done = done + (NEW.status = 'done') - coalesce((
            SELECT status = 'done' FROM outcomes
            WHERE id = NEW.id AND payload = NEW.payload AND attempt < NEW.attempt
            ORDER BY attempt DESC LIMIT 1), 0),
        failed = failed + (NEW.status = 'failed') - coalesce((
            SELECT status = 'failed' FROM outcomes
            WHERE id = NEW.id AND payload = NEW.payload AND attempt < NEW.attempt
            ORDER BY attempt DESC LIMIT 1), 0)
    WHERE number = NEW.payload;
END;
CREATE VIEW latest AS
SELECT o.id, o.row, o.status, o.kind, o.attempt, o.seconds, o.started, o.worker,
       o.result, o.series, o.files, o.error, o.output, p.digest AS payload
FROM outcomes o JOIN payloads p ON p.number = o.payload
WHERE o.line = (
    SELECT n.line FROM outcomes n JOIN payloads q ON q.number = n.payload
    WHERE n.id = o.id ORDER BY q.used DESC, q.number DESC, n.attempt DESC LIMIT 1);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outcomes',7);
COMMIT;
PRAGMA user_version = 1;
