-- Tells the record's time.
SELECT now()
