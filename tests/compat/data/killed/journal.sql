BEGIN TRANSACTION;
CREATE TABLE app_timelines (run INTEGER, key TEXT, marks TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID;
INSERT INTO "app_timelines" VALUES(1,'research/space/gus-lab/JupyterLab/default','241c 253a 3270e');
CREATE TABLE domain_sizes (domain_id TEXT PRIMARY KEY, apps INTEGER NOT NULL, at REAL) WITHOUT ROWID;
INSERT INTO "domain_sizes" VALUES('d-abcd1234efgh',2,1795996354.960);
CREATE TABLE intents (run INTEGER NOT NULL, key TEXT NOT NULL, operation TEXT, spec_hash TEXT, at REAL);
INSERT INTO "intents" VALUES(2,'research/space/eve-code/CodeEditor/default','CreateApp','34c5e74f1e1a6691',1795996355.139);
INSERT INTO "intents" VALUES(2,'research/space/ada-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996355.151);
INSERT INTO "intents" VALUES(2,'research/space/eve-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996355.161);
INSERT INTO "intents" VALUES(2,'research/space/bo-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996355.165);
INSERT INTO "intents" VALUES(2,'research/space/fay-code/CodeEditor/default','CreateApp','34c5e74f1e1a6691',1795996355.171);
INSERT INTO "intents" VALUES(2,'research/space/dan-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996355.177);
INSERT INTO "intents" VALUES(2,'research/space/fay-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996355.179);
INSERT INTO "intents" VALUES(2,'research/user/eve/Canvas/default','CreateApp','63c3a08b7daa30b0',1795996355.184);
INSERT INTO "intents" VALUES(2,'research/user/fay/Canvas/default','CreateApp','63c3a08b7daa30b0',1795996355.186);
INSERT INTO "intents" VALUES(2,'research/space/cleo-lab/JupyterLab/default','DeleteApp','943ba8a8c648b18e',1795996355.206);
CREATE TABLE once_done (
        fleet TEXT NOT NULL, key TEXT NOT NULL, at REAL, PRIMARY KEY (fleet, key)) WITHOUT ROWID;
CREATE TABLE outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, spec_hash TEXT, action TEXT, outcome TEXT, attempts INTEGER,
        seconds REAL, instance_type TEXT, arn TEXT, error_code TEXT, error_message TEXT, error_hint TEXT,
        at REAL, once INTEGER, counts_as_failure INTEGER, settled INTEGER,
        PRIMARY KEY (run, key)) WITHOUT ROWID;
INSERT INTO "outcomes" VALUES(1,'research/space/gus-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.024,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/gus-lab/jupyterlab/default','','','',1795996348.765,0,0,1);
CREATE TABLE owner_outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, action TEXT, outcome TEXT, attempts INTEGER, seconds REAL, arn TEXT,
        error_code TEXT, error_message TEXT, error_hint TEXT, at REAL, PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE TABLE rates (
        account TEXT NOT NULL, region TEXT NOT NULL, rate REAL NOT NULL, at REAL,
        PRIMARY KEY (account, region)) WITHOUT ROWID;
CREATE TABLE replaced (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, made_at REAL NOT NULL,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID;
CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, fleet TEXT NOT NULL,
        version TEXT NOT NULL, started REAL NOT NULL, alive_at REAL NOT NULL,
        ended REAL, result TEXT NOT NULL DEFAULT '', exit_code INTEGER, began INTEGER NOT NULL DEFAULT 1, error_code TEXT NOT NULL DEFAULT '', error_message TEXT NOT NULL DEFAULT '', error_hint TEXT NOT NULL DEFAULT '');
INSERT INTO "runs" VALUES(1,'20261129T235222Z-fad4a4','night','0.1.0',1795996345.137,1795996348.776,1795996348.776,'converged',0,1,'','','');
INSERT INTO "runs" VALUES(2,'20261129T235230Z-3e4dce','night','0.1.0',1795996354.411,1795996355.208,NULL,'',NULL,1,'','','');
CREATE TABLE streaks (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, failures INTEGER NOT NULL, run INTEGER,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID;
CREATE TABLE timelines (run INTEGER, part TEXT, data TEXT, PRIMARY KEY (run, part)) WITHOUT ROWID;
INSERT INTO "timelines" VALUES(1,'calls','{"queued_s":0.24,"lost":0,"width_s":1.0,"answers":{"CreateApp":{"ok":[1]},"DescribeSpace":{"ok":[1]},"ListApps":{"ok":[1,0,0,1]},"ListDomains":{"ok":[1]},"ListServiceQuotas":{"ok":[7]}},"rates":{"reads":[200.0],"writes":[200.0]}}');
INSERT INTO "timelines" VALUES(1,'words','{"seconds":3.647,"summary":{"created":1},"calls":{"ListApps":{"ok":2},"ListDomains":{"ok":1},"DescribeSpace":{"ok":1},"CreateApp":{"ok":1},"ListServiceQuotas":{"ok":7},"GetCallerIdentity":{"ok":1}},"errors":[],"notes":["Calls for account 111122223333, region eu-west-1 go to http://127.0.0.1:34865, which is not an endpoint of AWS","No run history found; starting a new journal in /tmp/tmpxzzevvyv/place/.appfleet/journal.sqlite"],"findings":[["small-labs","advisory","research/space/eve-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"],["small-labs","advisory","research/space/fay-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"]],"kept":[],"prices":{"research/JupyterLab/ml.t3.medium":0.05},"asked":[["team","robots"]]}');
CREATE TABLE unfinished (
        fleet TEXT NOT NULL, key TEXT NOT NULL, operation TEXT NOT NULL, at REAL NOT NULL, in_doubt INTEGER NOT NULL,
        owed INTEGER NOT NULL, PRIMARY KEY (fleet, key)) WITHOUT ROWID;
INSERT INTO "unfinished" VALUES('night','research/space/ada-lab/JupyterLab/default','CreateApp',1795996355.151,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/bo-lab/JupyterLab/default','CreateApp',1795996355.165,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/cleo-lab/JupyterLab/default','DeleteApp',1795996355.206,1,1);
INSERT INTO "unfinished" VALUES('night','research/space/dan-lab/JupyterLab/default','CreateApp',1795996355.177,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/eve-code/CodeEditor/default','CreateApp',1795996355.139,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/eve-lab/JupyterLab/default','CreateApp',1795996355.161,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/fay-code/CodeEditor/default','CreateApp',1795996355.171,1,0);
INSERT INTO "unfinished" VALUES('night','research/space/fay-lab/JupyterLab/default','CreateApp',1795996355.179,1,0);
INSERT INTO "unfinished" VALUES('night','research/user/eve/Canvas/default','CreateApp',1795996355.184,1,0);
INSERT INTO "unfinished" VALUES('night','research/user/fay/Canvas/default','CreateApp',1795996355.186,1,0);
CREATE INDEX runs_by_fleet ON runs (fleet, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',2);
COMMIT;
PRAGMA application_id = 1634758758;
PRAGMA user_version = 5;
