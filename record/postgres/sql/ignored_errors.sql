-- Reads which groups of errors are ignored, the latest first.
SELECT outcome, detail, lane, until, above, at, who, reason FROM ignored_errors
WHERE until IS NULL OR until > now()
ORDER BY at DESC, outcome, detail, lane LIMIT @limit
