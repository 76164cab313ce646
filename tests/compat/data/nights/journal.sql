BEGIN TRANSACTION;
CREATE TABLE app_timelines (run INTEGER, key TEXT, marks TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID;
INSERT INTO "app_timelines" VALUES(1,'research/space/ada-lab/JupyterLab/default','442c 551a 3582e');
INSERT INTO "app_timelines" VALUES(1,'research/space/bo-lab/JupyterLab/default','457c 570a 3607e');
INSERT INTO "app_timelines" VALUES(1,'research/space/cleo-lab/JupyterLab/default','474c 571a 3582e');
INSERT INTO "app_timelines" VALUES(1,'research/space/dan-lab/JupyterLab/default','3617c 3651a 6674e');
INSERT INTO "app_timelines" VALUES(1,'research/space/eve-code/CodeEditor/default','431c 551a 3581e');
INSERT INTO "app_timelines" VALUES(1,'research/space/eve-lab/JupyterLab/default','450c 551a 3582e');
INSERT INTO "app_timelines" VALUES(1,'research/space/fay-code/CodeEditor/default','3615c 3651a 6674e');
INSERT INTO "app_timelines" VALUES(1,'research/space/fay-lab/JupyterLab/default','3616c 3651a 6674e');
INSERT INTO "app_timelines" VALUES(1,'research/space/gus-lab/JupyterLab/default','6667c 6675a 9683e');
INSERT INTO "app_timelines" VALUES(1,'research/user/eve/Canvas/default','495c 572a 3582e');
INSERT INTO "app_timelines" VALUES(1,'research/user/fay/Canvas/default','518c 572a 3582e');
INSERT INTO "app_timelines" VALUES(2,'research/space/bo-lab/JupyterLab/default','178c 183a 3214e');
INSERT INTO "app_timelines" VALUES(3,'research/space/bo-lab/JupyterLab/default','192c 200a 3226e');
INSERT INTO "app_timelines" VALUES(4,'research/space/ida-lab/JupyterLab/default','7646c 7665a 7666e');
CREATE TABLE domain_sizes (domain_id TEXT PRIMARY KEY, apps INTEGER NOT NULL, at REAL) WITHOUT ROWID;
INSERT INTO "domain_sizes" VALUES('d-abcd1234efgh',11,1795996735.502);
CREATE TABLE intents (run INTEGER NOT NULL, key TEXT NOT NULL, operation TEXT, spec_hash TEXT, at REAL);
INSERT INTO "intents" VALUES(4,'research/user/ida','CreateUserProfile','',1795996736.673);
INSERT INTO "intents" VALUES(4,'research/space/ida-lab','CreateSpace','',1795996739.710);
INSERT INTO "intents" VALUES(4,'research/space/ida-lab/JupyterLab/default','CreateApp','943ba8a8c648b18e',1795996742.786);
CREATE TABLE once_done (
        fleet TEXT NOT NULL, key TEXT NOT NULL, at REAL, PRIMARY KEY (fleet, key)) WITHOUT ROWID;
INSERT INTO "once_done" VALUES('night','research/space/eve-lab/JupyterLab/default',1795996704.033);
INSERT INTO "once_done" VALUES('night','research/space/fay-lab/JupyterLab/default',1795996707.125);
CREATE TABLE outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, spec_hash TEXT, action TEXT, outcome TEXT, attempts INTEGER,
        seconds REAL, instance_type TEXT, arn TEXT, error_code TEXT, error_message TEXT, error_hint TEXT,
        at REAL, once INTEGER, counts_as_failure INTEGER, settled INTEGER,
        PRIMARY KEY (run, key)) WITHOUT ROWID;
INSERT INTO "outcomes" VALUES(1,'research/space/ada-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.14,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/ada-lab/jupyterlab/default','','','',1795996704.033,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/bo-lab/JupyterLab/default','943ba8a8c648b18e','create','failed',1,3.149,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/bo-lab/jupyterlab/default','Failed','The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image',1795996704.058,0,1,0);
INSERT INTO "outcomes" VALUES(1,'research/space/cleo-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.108,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/cleo-lab/jupyterlab/default','','','',1795996704.033,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/dan-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.058,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/dan-lab/jupyterlab/default','','','',1795996707.125,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/eve-code/CodeEditor/default','34c5e74f1e1a6691','create','created',1,3.148,'ml.g5.xlarge','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/eve-code/codeeditor/default','','','',1795996704.030,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/eve-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.132,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/eve-lab/jupyterlab/default','','','',1795996704.033,1,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/fay-code/CodeEditor/default','34c5e74f1e1a6691','create','created',1,3.059,'ml.g5.xlarge','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/fay-code/codeeditor/default','','','',1795996707.125,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/fay-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.059,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/fay-lab/jupyterlab/default','','','',1795996707.125,1,0,1);
INSERT INTO "outcomes" VALUES(1,'research/space/gus-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,3.016,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/gus-lab/jupyterlab/default','','','',1795996710.134,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/user/eve/Canvas/default','63c3a08b7daa30b0','create','created',1,3.087,'','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/eve/canvas/default','','','',1795996704.033,0,0,1);
INSERT INTO "outcomes" VALUES(1,'research/user/fay/Canvas/default','63c3a08b7daa30b0','create','created',1,3.064,'','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/fay/canvas/default','','','',1795996704.033,0,0,1);
INSERT INTO "outcomes" VALUES(2,'research/space/bo-lab/JupyterLab/default','943ba8a8c648b18e','create','failed',1,3.035,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/bo-lab/jupyterlab/default','Failed','The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image',1795996719.130,0,1,0);
INSERT INTO "outcomes" VALUES(3,'research/space/bo-lab/JupyterLab/default','943ba8a8c648b18e','create','failed',1,3.031,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/bo-lab/jupyterlab/default','Failed','The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image',1795996728.390,0,1,0);
INSERT INTO "outcomes" VALUES(4,'research/space/ida-lab/JupyterLab/default','943ba8a8c648b18e','create','created',1,0.019,'ml.t3.medium','arn:aws:sagemaker:eu-west-1:111122223333:app/d-abcd1234efgh/ida-lab/jupyterlab/default','','','',1795996742.806,0,0,1);
CREATE TABLE owner_outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, action TEXT, outcome TEXT, attempts INTEGER, seconds REAL, arn TEXT,
        error_code TEXT, error_message TEXT, error_hint TEXT, at REAL, PRIMARY KEY (run, key)) WITHOUT ROWID;
INSERT INTO "owner_outcomes" VALUES(1,'research/space/dan-lab','create','created',1,3.127,'arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/dan-lab','','','',1795996704.064);
INSERT INTO "owner_outcomes" VALUES(1,'research/space/fay-code','create','created',1,3.151,'arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/fay-code','','','',1795996704.064);
INSERT INTO "owner_outcomes" VALUES(1,'research/space/fay-lab','create','created',1,3.135,'arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/fay-lab','','','',1795996704.064);
INSERT INTO "owner_outcomes" VALUES(1,'research/space/gus-lab','create','created',1,3.053,'arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/gus-lab','','','',1795996707.117);
INSERT INTO "owner_outcomes" VALUES(1,'research/user/gus','create','created',1,3.186,'arn:aws:sagemaker:eu-west-1:111122223333:user-profile/d-abcd1234efgh/gus','','','',1795996704.064);
INSERT INTO "owner_outcomes" VALUES(4,'research/space/ida-lab','create','created',1,3.075,'arn:aws:sagemaker:eu-west-1:111122223333:space/d-abcd1234efgh/ida-lab','','','',1795996742.786);
INSERT INTO "owner_outcomes" VALUES(4,'research/user/ida','create','created',1,3.037,'arn:aws:sagemaker:eu-west-1:111122223333:user-profile/d-abcd1234efgh/ida','','','',1795996739.709);
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
INSERT INTO "runs" VALUES(1,'20261129T235816Z-458ad1','night','0.1.0',1795996699.937,1795996710.136,1795996710.135,'incomplete',3,1,'incomplete','1 failed of 11 apps. Such as research/space/bo-lab/JupyterLab/default: Failed: The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image');
INSERT INTO "runs" VALUES(2,'20261129T235831Z-589b70','night','0.1.0',1795996715.379,1795996719.132,1795996719.131,'incomplete',3,1,'incomplete','1 failed of 11 apps. Such as research/space/bo-lab/JupyterLab/default: Failed: The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image');
INSERT INTO "runs" VALUES(3,'20261129T235840Z-0297ea','night','0.1.0',1795996724.665,1795996728.394,1795996728.394,'incomplete',3,1,'incomplete','1 failed of 11 apps. Such as research/space/bo-lab/JupyterLab/default: Failed: The app was accepted and then failed: the script failed','Look at the app''s log group /aws/sagemaker/studio in CloudWatch; often a lifecycle script or an image');
INSERT INTO "runs" VALUES(4,'20261129T235849Z-19e4b8','night','0.1.0',1795996734.334,1795996742.820,1795996742.807,'incomplete',3,1,'incomplete','1 skipped of 12 apps. Such as research/space/bo-lab/JupyterLab/default: quarantined: failed in 3 runs in a row with the same spec, last in run 20261129T235840Z-0297ea: The app was accepted and then failed: the script failed','Change its spec, or apply with --retry-quarantined');
CREATE TABLE streaks (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, failures INTEGER NOT NULL, run INTEGER,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID;
INSERT INTO "streaks" VALUES('night','research/space/bo-lab/JupyterLab/default','943ba8a8c648b18e',3,3);
CREATE TABLE timelines (run INTEGER, part TEXT, data TEXT, PRIMARY KEY (run, part)) WITHOUT ROWID;
INSERT INTO "timelines" VALUES(1,'calls','{"queued_s":0.422,"lost":0,"width_s":1.0,"answers":{"CreateApp":{"ok":[7,0,0,3,0,0,1]},"CreateSpace":{"ok":[3,0,0,1]},"CreateUserProfile":{"ok":[1]},"DescribeApp":{"ok":[0,0,0,1]},"DescribeDomain":{"ok":[1]},"DescribeSpace":{"ok":[0,0,0,3,0,0,1]},"DescribeUserProfile":{"not_found":[1],"ok":[3,0,0,1]},"ListApps":{"ok":[1,0,0,1,0,0,1,0,0,1]},"ListDomains":{"ok":[1]},"ListServiceQuotas":{"ok":[7]},"ListSpaces":{"ok":[1]}},"rates":{"reads":[200.0],"writes":[200.0]}}');
INSERT INTO "timelines" VALUES(1,'words','{"seconds":10.214,"summary":{"created":10,"failed":1},"calls":{"ListApps":{"ok":4},"ListDomains":{"ok":1},"ListSpaces":{"ok":1},"DescribeUserProfile":{"ok":4,"not_found":1},"DescribeDomain":{"ok":1},"CreateUserProfile":{"ok":1},"CreateApp":{"ok":11},"CreateSpace":{"ok":4},"DescribeSpace":{"ok":4},"DescribeApp":{"ok":1},"ListServiceQuotas":{"ok":7},"GetCallerIdentity":{"ok":1}},"errors":[],"notes":["Calls for account 111122223333, region eu-west-1 go to http://127.0.0.1:34273, which is not an endpoint of AWS","No run history found; starting a new journal in /tmp/tmpxzvtlu_5/place/.appfleet/journal.sqlite"],"findings":[["small-labs","advisory","research/space/eve-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"],["small-labs","advisory","research/space/fay-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"]],"kept":[],"prices":{"research/CodeEditor/ml.g5.xlarge":1.4,"research/JupyterLab/ml.t3.medium":0.05},"asked":[]}');
INSERT INTO "timelines" VALUES(2,'calls','{"queued_s":0.177,"lost":0,"width_s":1.0,"answers":{"CreateApp":{"ok":[1]},"DescribeApp":{"ok":[0,0,0,1]},"DescribeSpace":{"ok":[1]},"ListApps":{"ok":[1,0,0,1]},"ListDomains":{"ok":[1]}},"rates":{"reads":[200.0],"writes":[200.0]}}');
INSERT INTO "timelines" VALUES(2,'words','{"seconds":3.753,"summary":{"unchanged":10,"failed":1},"calls":{"ListApps":{"ok":2},"ListDomains":{"ok":1},"DescribeSpace":{"ok":1},"CreateApp":{"ok":1},"DescribeApp":{"ok":1},"GetCallerIdentity":{"ok":1}},"errors":[],"notes":["Calls for account 111122223333, region eu-west-1 go to http://127.0.0.1:34273, which is not an endpoint of AWS"],"findings":[["small-labs","advisory","research/space/eve-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"],["small-labs","advisory","research/space/fay-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"]],"kept":[],"prices":{"research/CodeEditor/ml.g5.xlarge":1.4,"research/JupyterLab/ml.t3.medium":0.05},"asked":[]}');
INSERT INTO "timelines" VALUES(3,'calls','{"queued_s":0.19,"lost":0,"width_s":1.0,"answers":{"CreateApp":{"ok":[1]},"DescribeApp":{"ok":[0,0,0,1]},"DescribeSpace":{"ok":[1]},"ListApps":{"ok":[1,0,0,1]},"ListDomains":{"ok":[1]}},"rates":{"reads":[200.0],"writes":[200.0]}}');
INSERT INTO "timelines" VALUES(3,'words','{"seconds":3.737,"summary":{"unchanged":10,"failed":1},"calls":{"ListApps":{"ok":2},"ListDomains":{"ok":1},"DescribeSpace":{"ok":1},"CreateApp":{"ok":1},"DescribeApp":{"ok":1},"GetCallerIdentity":{"ok":1}},"errors":[],"notes":["Calls for account 111122223333, region eu-west-1 go to http://127.0.0.1:34273, which is not an endpoint of AWS"],"findings":[["small-labs","advisory","research/space/eve-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"],["small-labs","advisory","research/space/fay-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"]],"kept":[],"prices":{"research/CodeEditor/ml.g5.xlarge":1.4,"research/JupyterLab/ml.t3.medium":0.05},"asked":[]}');
INSERT INTO "timelines" VALUES(4,'calls','{"queued_s":1.528,"lost":0,"width_s":1.0,"answers":{"CreateApp":{"ok":[0,0,0,0,0,0,0,1]},"CreateSpace":{"ok":[0,0,0,0,1]},"CreateUserProfile":{"ok":[0,1]},"DescribeDomain":{"ok":[0,1]},"DescribeSpace":{"not_found":[0,1],"ok":[0,0,0,0,0,0,0,1]},"DescribeUserProfile":{"not_found":[0,1],"ok":[0,0,0,0,1]},"ListApps":{"ok":[1]},"ListDomains":{"ok":[1]}},"rates":{"reads":[200.0],"writes":[200.0]}}');
INSERT INTO "timelines" VALUES(4,'words','{"seconds":8.473,"summary":{"created":1,"unchanged":10,"skipped":1},"calls":{"ListApps":{"ok":1},"ListDomains":{"ok":1},"DescribeSpace":{"not_found":1,"ok":1},"DescribeUserProfile":{"not_found":1,"ok":1},"DescribeDomain":{"ok":1},"CreateUserProfile":{"ok":1},"CreateSpace":{"ok":1},"CreateApp":{"ok":1},"GetCallerIdentity":{"ok":1}},"errors":[],"notes":["Calls for account 111122223333, region eu-west-1 go to http://127.0.0.1:34273, which is not an endpoint of AWS"],"findings":[["small-labs","advisory","research/space/eve-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"],["small-labs","advisory","research/space/fay-code/CodeEditor/default","ml.g5.xlarge is large","policies/rules.toml:2"]],"kept":[{"outcome":"skipped","error":["quarantined","failed in 3 runs in a row with the same spec, last in run 20261129T235840Z-0297ea: The app was accepted and then failed: the script failed","Change its spec, or apply with --retry-quarantined"],"keys":["research/space/bo-lab/JupyterLab/default"]}],"prices":{"research/CodeEditor/ml.g5.xlarge":1.4,"research/JupyterLab/ml.t3.medium":0.05},"asked":[["retry-quarantined",""]]}');
CREATE TABLE unfinished (
        fleet TEXT NOT NULL, key TEXT NOT NULL, operation TEXT NOT NULL, at REAL NOT NULL, in_doubt INTEGER NOT NULL,
        owed INTEGER NOT NULL, PRIMARY KEY (fleet, key)) WITHOUT ROWID;
CREATE INDEX runs_by_fleet ON runs (fleet, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',4);
COMMIT;
PRAGMA application_id = 1634758758;
PRAGMA user_version = 5;
