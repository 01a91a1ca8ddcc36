BEGIN TRANSACTION;
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
INSERT INTO "calls" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',1,1795936174574124899,'ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b','932899f8-2ea1-4604-8413-000000000000','dd1a8567-d1b6-4dac-a9ba-58c435477cdc','dd1a8567-d1b6-4dac-a9ba-58c435477cdc','cff946a1-aca9-42e2-9b19-209a87b1226d','490f4dca-f8a5-49c5-af1e-7da7935e9b56','8d72c79c-55b2-4673-8bed-81895646bf1c','01d455e3-86d7-4ced-9b71-91243a55f048','Test Policy','USEA','','callee');
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "goose_db_version" VALUES(1,0,1,'2026-11-29 07:09:34');
INSERT INTO "goose_db_version" VALUES(2,1,1,'2026-11-29 07:09:34');
INSERT INTO "goose_db_version" VALUES(3,2,1,'2026-11-29 07:09:34');
CREATE TABLE journal (
    call TEXT   NOT NULL,
    seq  BIGINT NOT NULL CHECK (seq > 0),
    at   BIGINT NOT NULL,
    kind TEXT   NOT NULL,
    data TEXT   NOT NULL,
    PRIMARY KEY (call, seq)
);
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',1,1795936174574124899,'invite','{"platform":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b","tenant":"932899f8-2ea1-4604-8413-000000000000","scenario":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","callChain":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","observedParticipant":"cff946a1-aca9-42e2-9b19-209a87b1226d","myParticipant":"490f4dca-f8a5-49c5-af1e-7da7935e9b56","observedUser":"8d72c79c-55b2-4673-8bed-81895646bf1c","applicationInstance":"01d455e3-86d7-4ced-9b71-91243a55f048","policy":"Test Policy","region":"USEA","direction":"callee","raw":{"@odata.type":"#microsoft.graph.call","applicationMetadata":{"botData":{"inviteReasons":["PolicyBasedRecording"],"mediaHostedRegion":"USEA","otherRecorders":[],"otherSideUser":{"clientLocation":"EUNO","id":"59a28c48-7ce4-448f-af36-7192eefea57e","onBehalfOf":{"id":"59a28c48-7ce4-448f-af36-7192eefea57e"},"participantId":"61278539-2138-402d-bc4f-df02b19210ea","participationMethod":"caller","tenantId":"932899f8-2ea1-4604-8413-000000000000"},"pairedRecorders":[{"id":"01d455e3-86d7-4ced-9b71-91243a55f048","participantId":"490f4dca-f8a5-49c5-af1e-7da7935e9b56"}],"policyIdentifier":"Test Policy","user":{"clientLocation":"US","participationMethod":"callee"}}},"callChainId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","direction":"incoming","id":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b","incomingContext":{"@odata.type":"#microsoft.graph.incomingContext","observedParticipantId":"cff946a1-aca9-42e2-9b19-209a87b1226d","sourceParticipantId":"cff946a1-aca9-42e2-9b19-209a87b1226d"},"meetingInfo":{"@odata.type":"#microsoft.graph.tokenMeetingInfo"},"myParticipantId":"490f4dca-f8a5-49c5-af1e-7da7935e9b56","source":{"@odata.type":"#microsoft.graph.participantInfo","endpointType":"default","id":"cff946a1-aca9-42e2-9b19-209a87b1226d","identity":{"@odata.type":"#microsoft.graph.identitySet","user":{"@odata.type":"#microsoft.graph.identity","id":"8d72c79c-55b2-4673-8bed-81895646bf1c","identityProvider":"AAD"}},"region":"amer"},"state":"incoming","targets":[{"@odata.type":"#microsoft.graph.invitationParticipantInfo","endpointType":"default","id":"490f4dca-f8a5-49c5-af1e-7da7935e9b56","identity":{"@odata.type":"#microsoft.graph.identitySet","applicationInstance":{"@odata.type":"#microsoft.graph.identity","id":"01d455e3-86d7-4ced-9b71-91243a55f048","identityProvider":"AAD"}},"languageId":null,"region":null}],"tenantId":"932899f8-2ea1-4604-8413-000000000000"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',2,1795936174574863864,'state','{"state":"invited","event":"begin","data":{},"commands":["CreateSession{}"],"memory":{"state":"invited"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',3,1795936174586077854,'session','{"id":"2497c063-488f-468c-9bd1-56036b9ade14","host":"mediahost-0","address":"127.0.0.1:42751"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',4,1795936174596762939,'state','{"state":"answering","event":"SessionCreated","data":{"Session":{"id":"2497c063-488f-468c-9bd1-56036b9ade14","host":"mediahost-0","address":"127.0.0.1:42751"}},"commands":["Answer{Session:Session{ID:2497c063-488f-468c-9bd1-56036b9ade14 Host:mediahost-0 Address:127.0.0.1:42751}}"],"memory":{"state":"answering"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',5,1795936174598716527,'notification','{"kind":"call","change":"updated","raw":"{\"@odata.type\":\"#microsoft.graph.call\",\"state\":\"establishing\"}"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',6,1795936174598937790,'answer','{"receipt":{"httpStatus":202,"requestId":"10bdc1ee-bd68-455c-9c6d-1bfa9e44d627","clientRequestId":"4ca43c8e-ea66-4420-be95-8d20096564c0","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","date":"Sun, 29 Nov 2026 07:09:34 GMT","sentAt":"2026-11-29T07:09:34.596878793Z","repliedAt":"2026-11-29T07:09:34.598926621Z"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',7,1795936174598988572,'state','{"state":"answering","event":"AnswerAccepted","data":{},"commands":["SetTimer{Timer:askCall After:10s}","SetTimer{Timer:establish After:1m0s}"],"memory":{"state":"answering"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',8,1795936174620147388,'notification','{"kind":"call","change":"updated","raw":"{\"@odata.type\":\"#microsoft.graph.call\",\"state\":\"established\"}"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',9,1795936174620236617,'state','{"state":"announcing","event":"Established","data":{},"commands":["StopTimers{Timers:[askCall establish]}","SetTimer{Timer:keepAlive After:10m0s}","SetTimer{Timer:announceLimit After:30s}","SetTimer{Timer:reply After:10s}","Announce{announcement:announcement{call:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b status:recording context:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording}}"],"memory":{"state":"announcing","asked":1,"open":["ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording"]}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',10,1795936174620265509,'announce','{"status":"recording","clientContext":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',11,1795936174621189455,'roster','{"sequence":0,"delta":false,"participants":[{"id":"cff946a1-aca9-42e2-9b19-209a87b1226d","identity":"8d72c79c-55b2-4673-8bed-81895646bf1c","kind":"user","name":"Observed User","tenant":"932899f8-2ea1-4604-8413-000000000000","streams":[{"sourceId":450,"type":"audio","direction":"sendReceive","label":"main-audio"}]},{"id":"61278539-2138-402d-bc4f-df02b19210ea","identity":"59a28c48-7ce4-448f-af36-7192eefea57e","kind":"user","name":"Other User","tenant":"932899f8-2ea1-4604-8413-000000000000","streams":[{"sourceId":2575,"type":"audio","direction":"sendReceive","label":"main-audio"}]},{"id":"490f4dca-f8a5-49c5-af1e-7da7935e9b56","identity":"0efc74f7-41c3-47a4-8775-7259bfef4241","kind":"application"}]}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',12,1795936174622920016,'announced','{"status":"recording","clientContext":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording","operation":"73db6102-9653-4286-9793-d1bb53fccc36","progress":"completed","receipt":{"httpStatus":200,"requestId":"341d848e-3c9d-49f1-b2ae-3f195be35e82","clientRequestId":"1836072c-bca8-4fd5-8a8f-3c58413bef87","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","location":"https://127.0.0.1:40123/v1.0/communications/calls/ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/operations/73db6102-9653-4286-9793-d1bb53fccc36","date":"Sun, 29 Nov 2026 07:09:34 GMT","sentAt":"2026-11-29T07:09:34.622505156Z","repliedAt":"2026-11-29T07:09:34.622870961Z"},"at":"2026-11-29T07:09:34.622870961Z"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',13,1795936174623424397,'state','{"state":"recording","event":"StatusReplied","data":{"Operation":{"ID":"73db6102-9653-4286-9793-d1bb53fccc36","Context":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording","Progress":2,"Reason":"","At":"2026-11-29T07:09:34.622870961Z","Receipt":{"httpStatus":200,"requestId":"341d848e-3c9d-49f1-b2ae-3f195be35e82","clientRequestId":"1836072c-bca8-4fd5-8a8f-3c58413bef87","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","location":"https://127.0.0.1:40123/v1.0/communications/calls/ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/operations/73db6102-9653-4286-9793-d1bb53fccc36","date":"Sun, 29 Nov 2026 07:09:34 GMT","sentAt":"2026-11-29T07:09:34.622505156Z","repliedAt":"2026-11-29T07:09:34.622870961Z"}}},"commands":["StopTimers{Timers:[poll retry reply announceLimit]}","OpenMedia{Permit:permit}"],"memory":{"state":"recording","asked":1}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',14,1795936174623510843,'permit','{"call":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b","operation":"73db6102-9653-4286-9793-d1bb53fccc36","clientContext":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/1/recording","at":"2026-11-29T07:09:34.622870961Z","receipt":{"httpStatus":200,"requestId":"341d848e-3c9d-49f1-b2ae-3f195be35e82","clientRequestId":"1836072c-bca8-4fd5-8a8f-3c58413bef87","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","location":"https://127.0.0.1:40123/v1.0/communications/calls/ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/operations/73db6102-9653-4286-9793-d1bb53fccc36","date":"Sun, 29 Nov 2026 07:09:34 GMT","sentAt":"2026-11-29T07:09:34.622505156Z","repliedAt":"2026-11-29T07:09:34.622870961Z"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',15,1795936174632876692,'opened','{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","firstSeq":1,"at":"2026-11-29T07:09:34.632812485Z"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',16,1795936174632902092,'state','{"state":"recording","event":"MediaOpened","data":{"Opened":{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","firstSeq":1,"at":"2026-11-29T07:09:34.632812485Z"}},"commands":["AskRoster{}"],"memory":{"state":"recording","asked":1}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',17,1795936174633459505,'roster','{"sequence":0,"delta":false,"participants":[{"id":"cff946a1-aca9-42e2-9b19-209a87b1226d","identity":"8d72c79c-55b2-4673-8bed-81895646bf1c","kind":"user","name":"Observed User","tenant":"932899f8-2ea1-4604-8413-000000000000","streams":[{"sourceId":450,"type":"audio","direction":"sendReceive","label":"main-audio"}]},{"id":"61278539-2138-402d-bc4f-df02b19210ea","identity":"59a28c48-7ce4-448f-af36-7192eefea57e","kind":"user","name":"Other User","tenant":"932899f8-2ea1-4604-8413-000000000000","streams":[{"sourceId":2575,"type":"audio","direction":"sendReceive","label":"main-audio"}]},{"id":"490f4dca-f8a5-49c5-af1e-7da7935e9b56","identity":"0efc74f7-41c3-47a4-8775-7259bfef4241","kind":"application"}]}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',18,1795936194623450754,'notification','{"kind":"call","change":"updated","raw":"{\"@odata.type\":\"#microsoft.graph.call\",\"state\":\"terminating\"}"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',19,1795936194624123564,'notification','{"kind":"call","change":"deleted","raw":"{\"@odata.type\":\"#microsoft.graph.call\",\"resultInfo\":{\"@odata.type\":\"#microsoft.graph.resultInfo\",\"code\":\"200\",\"message\":\"The conversation has ended.\",\"subcode\":\"5001\"},\"state\":\"terminated\"}"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',20,1795936194624247753,'state','{"state":"sealing","event":"CallEnded","data":{"Code":200,"Subcode":5001,"Message":"The conversation has ended."},"commands":["SealMedia{call:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b permit:permit Graceful:true}","SetTimer{Timer:seal After:10s}"],"memory":{"state":"sealing","asked":1,"ending":{"status":2,"cause":"callEnded","detail":"The conversation has ended.","gone":true}}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',21,1795936194625112441,'sealed','{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',22,1795936194625588913,'state','{"state":"retracting","event":"MediaSealed","data":{"Report":{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}},"commands":["StopTimers{Timers:[askCall establish poll retry reply announceLimit seal]}","SetTimer{Timer:keepAlive After:10m0s}","SetTimer{Timer:retractLimit After:15s}","SetTimer{Timer:reply After:10s}","Announce{announcement:announcement{call:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b status:notRecording context:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/2/notRecording}}"],"memory":{"state":"retracting","asked":2,"ending":{"status":2,"cause":"callEnded","detail":"The conversation has ended.","gone":true},"sealed":[{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}]}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',23,1795936194625659952,'announce','{"status":"notRecording","clientContext":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/2/notRecording"}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',24,1795936194629354337,'announced','{"status":"notRecording","clientContext":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/2/notRecording","fault":"platform: gone (http 404, code \"8522\"): Call not found.; none if the call has ended; after an invite, the answer came later than 5 s: host the bot near its users","receipt":{"httpStatus":404,"requestId":"590ba3a1-d09c-418f-acf5-a19597f8302e","clientRequestId":"9ba095a2-6254-41c3-969e-4ac0532d4937","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","date":"Sun, 29 Nov 2026 07:09:54 GMT","sentAt":"2026-11-29T07:09:54.62860956Z","repliedAt":"2026-11-29T07:09:54.629236047Z"}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',25,1795936194629874174,'state','{"state":"ended","event":"StatusFaulted","data":{"Context":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b/2/notRecording","Fault":{"Kind":4,"Cause":"callGone","Code":"8522","Message":"Call not found.","Remedy":"none if the call has ended; after an invite, the answer came later than 5 s: host the bot near its users","RetryAfter":0,"Receipt":{"httpStatus":404,"requestId":"590ba3a1-d09c-418f-acf5-a19597f8302e","clientRequestId":"9ba095a2-6254-41c3-969e-4ac0532d4937","scenarioId":"dd1a8567-d1b6-4dac-a9ba-58c435477cdc","date":"Sun, 29 Nov 2026 07:09:54 GMT","sentAt":"2026-11-29T07:09:54.62860956Z","repliedAt":"2026-11-29T07:09:54.629236047Z"}}},"commands":["StopTimers{Timers:[askCall establish poll retry reply announceLimit seal retractLimit keepAlive leave]}","ReleaseMedia{Reason:callEnded}","Conclude{End:Conclusion{Call:ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b Outcome:recorded Cause:callEnded Detail:The conversation has ended. Recordings:[SealReport{Recording:453df3e2-9d91-450a-b603-39bbdee2e62e Frames:1000 Samples:320000 LastSeq:1000 FirstAt:time LastAt:time At:time}]}}"],"memory":{"state":"ended","asked":2,"sealed":[{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}],"outcome":{"Call":"ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b","Outcome":1,"Cause":"callEnded","Detail":"The conversation has ended.","Recordings":[{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}],"At":"0001-01-01T00:00:00Z"}}}');
INSERT INTO "journal" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b',26,1795936194630022446,'outcome','{"outcome":"recorded","cause":"callEnded","detail":"The conversation has ended.","recordings":[{"recording":"453df3e2-9d91-450a-b603-39bbdee2e62e","frames":1000,"samples":320000,"gapSamples":0,"discarded":0,"lastSeq":1000,"firstAt":"2026-11-29T07:09:34.654019066Z","lastAt":"2026-11-29T07:09:54.62496128Z","at":"2026-11-29T07:09:54.624970209Z"}]}');
CREATE TABLE outcomes (
    call    TEXT   NOT NULL PRIMARY KEY,
    outcome TEXT   NOT NULL CHECK (outcome IN ('recorded', 'recordedWithGaps', 'notRecorded', 'failed', 'rejected')),
    cause   TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
INSERT INTO "outcomes" VALUES('ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b','recorded','callEnded','The conversation has ended.',1795936194630022446);
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
INSERT INTO "recordings" VALUES('453df3e2-9d91-450a-b603-39bbdee2e62e','ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b','archived',1795936174632812485,1795936194624970209,1795936174618000000,1795936194618000000,1000,320000,0,0,1000,458583,'453df3e2-9d91-450a-b603-39bbdee2e62e','155b9f07a0c8c4c618de78694a41bfa586000cf4164ad716de6e64e29a6a1da4',1,'');
CREATE INDEX calls_by_time ON calls (invited_at);
CREATE INDEX recordings_by_call ON recordings (call);
CREATE INDEX recordings_by_state ON recordings (state, sealed_at);
CREATE INDEX recordings_by_archive ON recordings (archive_number);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_call ON audit (call, at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('goose_db_version',3);
COMMIT;
