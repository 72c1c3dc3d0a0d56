INSERT INTO told (what, till) VALUES ('probe', 0) ON CONFLICT (what) DO UPDATE SET till = told.till
